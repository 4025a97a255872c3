use super::CliError;
use super::output::{Output, table};
use salus_archive::durability::{Durability, Repairs, Risks, assess};
use serde_json::{Value, json};
use std::time::Duration;

/// Seconds of each unit in which times are given.
const UNITS: [(char, f64); 4] = [('m', 60.0), ('h', 3_600.0), ('d', 86_400.0), ('y', 31_557_600.0)];
/// The most networks that are compared at once.
const SWEEP_MAX: usize = 32;

#[derive(Debug, clap::Args)]
pub(crate) struct DurabilityArguments {
    /// n, hospitals.
    #[arg(long, short = 'n', default_value_t = 4, value_name = "N")]
    members: u16,
    /// k, shares that open a block; n - 2f without it.
    #[arg(long, short = 'k', value_name = "K")]
    threshold: Option<u16>,
    /// Hostile members: they give no share to others and their own to thieves; f = (n - 1) / 3 without it.
    #[arg(long, short = 'f', value_name = "F")]
    withholding: Option<u16>,
    /// Chance in a year that a member loses its disk.
    #[arg(long, default_value_t = Risks::typical(4).disk_loss, value_name = "CHANCE")]
    disk_loss: f64,
    /// Chance in a year that shares of a member are damaged in silence, which the scrub finds.
    #[arg(long, default_value_t = Risks::typical(4).damage, value_name = "CHANCE")]
    damage: f64,
    /// How long a pass of the scrub over all own shares takes, such as 90m, 36h, 7d or 1y.
    #[arg(long, default_value = "7d", value_parser = time, value_name = "TIME")]
    scrub: Duration,
    /// How long it takes to replace a lost disk.
    #[arg(long, default_value = "3d", value_parser = time, value_name = "TIME", conflicts_with = "spare")]
    replace: Duration,
    /// A spare disk is built in: no wait for a replacement.
    #[arg(long)]
    spare: bool,
    /// How long all shares of a member take to rebuild from the others.
    #[arg(long, default_value = "12h", value_parser = time, value_name = "TIME")]
    repair: Duration,
    /// Rebuild one member after another, not side by side.
    #[arg(long)]
    in_turn: bool,
    /// Part of the time in which a member can't be reached.
    #[arg(long, default_value_t = Risks::typical(4).offline, value_name = "PART")]
    offline: f64,
    /// Chance in a year that all shares of a member are stolen.
    #[arg(long, default_value_t = Risks::typical(4).theft, value_name = "CHANCE")]
    theft: f64,
    /// How often blocks are resealed.
    #[arg(long, default_value = "1y", value_parser = time, value_name = "TIME")]
    refresh: Duration,
    /// Compare networks of these sizes, such as 4,7,10,16.
    #[arg(long, value_delimiter = ',', value_name = "N,...", conflicts_with = "members")]
    sweep: Vec<u16>,
}

impl DurabilityArguments {
    fn risks(&self, members: u16) -> Risks {
        let typical = Risks::typical(members);
        let withholding = self.withholding.unwrap_or(typical.withholding);
        Risks {
            threshold: self.threshold.unwrap_or(typical.threshold),
            withholding,
            disk_loss: self.disk_loss,
            damage: self.damage,
            scrub: self.scrub,
            replace: if self.spare { Duration::ZERO } else { self.replace },
            repair: self.repair,
            repairs: if self.in_turn {
                Repairs::InTurn
            } else {
                Repairs::Beside
            },
            offline: self.offline,
            theft: self.theft,
            refresh: self.refresh,
            members,
        }
    }
}

/// Calculates how likely blocks are lost, closed or stolen. Talks to nobody.
pub(crate) fn run(arguments: &DurabilityArguments, output: Output) -> Result<(), CliError> {
    let assessed = |members| {
        let risks = arguments.risks(members);
        let durability = assess(&risks).map_err(|error| CliError::Usage(error.to_string()))?;
        Ok::<_, CliError>((risks, durability))
    };
    if arguments.sweep.is_empty() {
        let (risks, durability) = assessed(arguments.members)?;
        output.result(&one_text(&risks, &durability), &value(&risks, &durability));
        return Ok(());
    }
    if arguments.sweep.len() > SWEEP_MAX {
        return Err(CliError::Usage(format!(
            "at most {SWEEP_MAX} networks are compared at once"
        )));
    }
    let rows = arguments.sweep.iter().map(|members| assessed(*members));
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let values: Vec<Value> = rows
        .iter()
        .map(|(risks, durability)| value(risks, durability))
        .collect();
    output.result(&sweep_text(&rows), &json!({ "networks": values }));
    Ok(())
}

/// A number and a unit: m, h, d or y.
fn time(text: &str) -> Result<Duration, String> {
    let parsed = UNITS.iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(*unit)?.parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    parsed.ok_or_else(|| "a time is a number with m, h, d or y, such as 36h".into())
}

fn value(risks: &Risks, durability: &Durability) -> Value {
    json!({
        "members": risks.members,
        "threshold": risks.threshold,
        "withholding": risks.withholding,
        "losses_survived": durability.survived,
        "restore_hours": rounded(durability.restore.as_secs_f64() / 3_600.0),
        // No number in JSON is infinite: null says that nothing is ever lost.
        "years_to_loss": rounded(durability.years_to_loss),
        "loss_in_a_year": rounded(durability.loss_in_a_year),
        "closed": rounded(durability.closed),
        "leak_in_a_refresh": rounded(durability.leak_in_a_refresh),
        "leak_in_a_year": rounded(durability.leak_in_a_year),
        "kept_bytes_per_byte": rounded(durability.kept),
    })
}

/// Seven digits: what follows them is rounding, which differs between machines.
fn rounded(value: f64) -> Option<f64> {
    format!("{value:.6e}")
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
}

fn one_text(risks: &Risks, durability: &Durability) -> String {
    let Risks {
        members,
        threshold,
        withholding,
        ..
    } = risks;
    table(&[
        (
            "network",
            format!("n = {members}, k = {threshold}, {withholding} withholding"),
        ),
        ("losses survived at a time", durability.survived.to_string()),
        (
            "a lost share is back after",
            format!("{:.1} h", durability.restore.as_secs_f64() / 3_600.0),
        ),
        ("years until blocks are lost", number(durability.years_to_loss)),
        ("blocks lost within a year", number(durability.loss_in_a_year)),
        ("a block can't be opened now", number(durability.closed)),
        (
            "k shares stolen before a reseal",
            number(durability.leak_in_a_refresh),
        ),
        ("k shares stolen within a year", number(durability.leak_in_a_year)),
        ("kept by all, of a byte", format!("{:.2} B", durability.kept)),
    ])
}

fn sweep_text(rows: &[(Risks, Durability)]) -> String {
    let mut lines = vec![format!(
        "{:>4} {:>4} {:>4} {:>9} {:>14} {:>12} {:>12} {:>12} {:>8}",
        "n", "k", "f", "survived", "years to loss", "loss/year", "closed", "leak/year", "kept"
    )];
    lines.extend(rows.iter().map(|(risks, durability)| {
        format!(
            "{:>4} {:>4} {:>4} {:>9} {:>14} {:>12} {:>12} {:>12} {:>6.2} B",
            risks.members,
            risks.threshold,
            risks.withholding,
            durability.survived,
            number(durability.years_to_loss),
            number(durability.loss_in_a_year),
            number(durability.closed),
            number(durability.leak_in_a_year),
            durability.kept,
        )
    }));
    lines.join("\n")
}

/// Three digits or so, with an exponent where zeroes would have to be counted.
fn number(value: f64) -> String {
    if value == 0.0 || (0.01..10.0).contains(&value) {
        format!("{value:.3}")
    } else if (10.0..10_000.0).contains(&value) {
        format!("{value:.0}")
    } else if value.is_finite() {
        format!("{value:.2e}")
    } else {
        "never".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let seconds = |text| time(text).map(|time| time.as_secs()).ok();
        assert_eq!(seconds("90m"), Some(5_400));
        assert_eq!(seconds("1.5h"), Some(5_400));
        assert_eq!(seconds("7d"), Some(604_800));
        assert_eq!(seconds("1y"), Some(31_557_600));
        for wrong in ["", "7", "d", "-1h", "NaNd", "1e300y", "7 days"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.25, 3_044.2, 1.23456e-9, 4.5e6, f64::INFINITY].map(number);
        assert_eq!(shown, ["0.000", "0.250", "3044", "1.23e-9", "4.50e6", "never"]);
    }
}
