//! How likely a network is to lose its blocks, to find them closed, or to have them stolen: the calculator.
//!
//! ```text
//!          (N)l        (N-1)l             (N-m)l
//!     0 -------> 1 -------> 2 ... m -------------> lost          N = n - withholding members
//!       <-------   <-------                                      m = N - k losses are survived
//!          r          2r
//! ```
//!
//! A birth-death Markov chain counts the members whose shares are lost and not yet rebuilt. Members that withhold are
//! taken as gone for good, which is the worst they can do. A share is lost with a disk, which its member notices at once and
//! replaces, or in silence, which the next scrub finds; both are rebuilt from other members. The chain knows one mean time to
//! restore for both kinds. All blocks dealt to the same members lose their shares together, so the result holds for the whole
//! archive, not for each block of it.
//!
//! What it leaves out: losses that hit several members at once (one faulty version, one flood), and members that leave. It says
//! which of two settings is better and by how much; it doesn't promise centuries (Greenan, Plank, Wylie 2010, "Mean time to
//! meaningless").

mod birth_death;
#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails, as it should"
)]
mod tests;

pub use birth_death::BirthDeath;

use std::time::Duration;

/// A Julian year.
pub const YEAR: Duration = Duration::from_secs(31_557_600);
/// The shortest mean time to restore a share that is calculated with: below, a chain has too many steps a year.
const RESTORE_MIN: Duration = Duration::from_secs(60);

/// What is known, or feared, of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Risks {
    /// n, 1 to [`Risks::MEMBERS_MAX`].
    pub members: u16,
    /// k, shares that open a block, 1 to n.
    pub threshold: u16,
    /// Members that never give a share, and give away their own; fewer than n.
    pub withholding: u16,
    /// Chance in a year that a member loses all its shares with a disk; at least 0, below 1.
    pub disk_loss: f64,
    /// Chance in a year that a member's share is damaged in silence; at least 0, below 1.
    pub damage: f64,
    /// How long one pass of the scrub over all own shares takes; damage is found after half of it, on average.
    pub scrub: Duration,
    /// How long a lost disk is without a replacement; zero with a spare one built in.
    pub replace: Duration,
    /// How long all shares of a member take to rebuild from other members.
    pub repair: Duration,
    /// Whether members repair beside one another.
    pub repairs: Repairs,
    /// Part of the time in which a member can't be reached, 0 to 1.
    pub offline: f64,
    /// Chance in a year that someone steals all shares of a member; at least 0, below 1.
    pub theft: f64,
    /// How often blocks are resealed, which makes stolen shares worthless; not zero.
    pub refresh: Duration,
}

/// Whether lost shares of several members are rebuilt at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repairs {
    /// Every member rebuilds its own, as here.
    #[default]
    Beside,
    /// One after another, as in a disk array with one controller.
    InTurn,
}

/// What follows from [`Risks`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Durability {
    /// Losses at a time that are survived.
    pub survived: u16,
    /// Mean time from a loss until the share is there again.
    pub restore: Duration,
    /// Mean time until blocks are lost, in years; infinite if nothing is ever lost.
    pub years_to_loss: f64,
    /// Chance that blocks are lost within a year that begins with every share in place.
    pub loss_in_a_year: f64,
    /// Chance that a block can't be opened at a given moment.
    pub closed: f64,
    /// Chance that k shares are stolen before the next reseal.
    pub leak_in_a_refresh: f64,
    /// Chance that this happens in a year.
    pub leak_in_a_year: f64,
    /// Bytes that all members together keep of each byte of a body: n / k.
    pub kept: f64,
}

/// Risks that make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RisksError {
    /// n, k and f do not fit.
    #[error(
        "n = {members}, k = {threshold}, {withholding} withholding: 1 <= k <= n - withholding and n <= {} must hold",
        Risks::MEMBERS_MAX
    )]
    Members {
        /// n.
        members: u16,
        /// k.
        threshold: u16,
        /// Members that withhold.
        withholding: u16,
    },
    /// A chance outside its range.
    #[error("the chance of {0} must be at least 0 and below 1")]
    Chance(&'static str),
    /// Times too short to be calculated with.
    #[error("{0} must take at least a minute")]
    TooShort(&'static str),
}

impl Risks {
    /// The largest n.
    pub const MEMBERS_MAX: u16 = 128;

    /// A network of n hospitals with the default k = n - 2f, f of them hostile, and rates from field studies.
    ///
    /// Disks: 3 % a year, in the middle of the 2 to 4 % of Schroeder and Gibson 2007. Silent damage: 1.3 % a year, as
    /// 3.45 % of disks had unreadable sectors after 32 months (Bairavasundaram et al. 2007). The rest are guesses to be replaced.
    pub fn typical(members: u16) -> Self {
        let faulty = members.saturating_sub(1).checked_div(3).unwrap_or_default();
        let day = Duration::from_secs(86_400);
        Self {
            members,
            threshold: members.saturating_sub(faulty.saturating_mul(2)),
            withholding: faulty,
            disk_loss: 0.03,
            damage: 0.013,
            scrub: day.saturating_mul(7),
            replace: day.saturating_mul(3),
            repair: Duration::from_secs(43_200),
            repairs: Repairs::Beside,
            offline: 0.01,
            theft: 0.05,
            refresh: YEAR,
        }
    }

    fn check(&self) -> Result<(), RisksError> {
        let Self {
            members,
            threshold,
            withholding,
            ..
        } = *self;
        let fit = members
            .checked_sub(withholding)
            .is_some_and(|honest| (1..=honest).contains(&threshold));
        if !fit || members > Self::MEMBERS_MAX {
            return Err(RisksError::Members {
                members,
                threshold,
                withholding,
            });
        }
        for (what, chance) in [
            ("a lost disk", self.disk_loss),
            ("silent damage", self.damage),
            ("theft", self.theft),
            ("being offline", self.offline),
        ] {
            if !(0.0..1.0).contains(&chance) {
                return Err(RisksError::Chance(what));
            }
        }
        if self.restore() < RESTORE_MIN {
            return Err(RisksError::TooShort(
                "finding, replacing and rebuilding a lost share",
            ));
        }
        if self.refresh < RESTORE_MIN {
            return Err(RisksError::TooShort("the time from one reseal to the next"));
        }
        Ok(())
    }

    /// Members that can be counted on.
    fn honest(&self) -> u16 {
        self.members.saturating_sub(self.withholding)
    }

    /// Mean time to restore, over both kinds of loss.
    fn restore(&self) -> Duration {
        let (disk, damage) = (yearly_rate(self.disk_loss), yearly_rate(self.damage));
        let lost = self.replace.saturating_add(self.repair).as_secs_f64();
        let damaged = self.scrub.as_secs_f64() / 2.0 + self.repair.as_secs_f64();
        let all = disk + damage;
        let mean = if all > 0.0 {
            (disk * lost + damage * damaged) / all
        } else {
            lost
        };
        Duration::from_secs_f64(mean)
    }

    /// The chain that ends with one loss more than `survived`, its rates per year. It never ends if `survived` are all there are.
    fn chain(&self, survived: u16) -> BirthDeath {
        let loss = yearly_rate(self.disk_loss) + yearly_rate(self.damage);
        let restore = 1.0 / years(self.restore());
        let losses = (0..=survived).map(|lost| f64::from(self.honest().saturating_sub(lost)) * loss);
        let restores = (1..=survived).map(|lost| match self.repairs {
            Repairs::Beside => f64::from(lost) * restore,
            Repairs::InTurn => restore,
        });
        BirthDeath::new(losses.collect(), restores.collect())
    }
}

/// Calculates what follows from risks.
///
/// # Errors
///
/// When they make no sense.
pub fn assess(risks: &Risks) -> Result<Durability, RisksError> {
    risks.check()?;
    let survived = risks.honest().saturating_sub(risks.threshold);
    let chain = risks.chain(survived);
    let leak = leak(risks);
    Ok(Durability {
        survived,
        restore: risks.restore(),
        years_to_loss: chain.mean_time(),
        loss_in_a_year: chain.absorbed_within(1.0),
        closed: closed(risks),
        leak_in_a_refresh: leak,
        // At least one of 1 / refresh independent periods; `ln_1p` and `exp_m1` keep the digits of tiny chances.
        leak_in_a_year: -((-leak).ln_1p() / years(risks.refresh)).exp_m1(),
        kept: f64::from(risks.members) / f64::from(risks.threshold),
    })
}

/// The chance that fewer than k of the honest members are there with their share: how many have lost it, by the long-run
/// distribution of a chain that never ends, and how many of the others are offline.
fn closed(risks: &Risks) -> f64 {
    let honest = risks.honest();
    let lost = risks.chain(honest).stationary();
    let closed = (0u16..).zip(lost).map(|(lost, chance)| {
        let holders = honest.saturating_sub(lost);
        let spare = holders.checked_sub(risks.threshold);
        chance
            * spare.map_or(1.0, |spare| {
                at_least(holders, spare.saturating_add(1), risks.offline)
            })
    });
    closed.sum::<f64>().min(1.0)
}

/// The chance that enough honest members are robbed before a reseal; what withholds has given its shares away already.
fn leak(risks: &Risks) -> f64 {
    let robbed = -(-yearly_rate(risks.theft) * years(risks.refresh)).exp_m1();
    at_least(
        risks.honest(),
        risks.threshold.saturating_sub(risks.withholding),
        robbed,
    )
}

/// The chance of at least `least` of `count` independent events. Sums what is asked for, never one minus the rest, so that
/// tiny chances keep their digits.
fn at_least(count: u16, least: u16, chance: f64) -> f64 {
    // Chances of 0, 1, 2, ... events among those looked at so far.
    let mut chances = vec![0.0; usize::from(count).saturating_add(1)];
    if let Some(none) = chances.first_mut() {
        *none = 1.0;
    }
    for _ in 0..count {
        let mut before = 0.0;
        for value in &mut chances {
            let here = *value;
            *value = here * (1.0 - chance) + before * chance;
            before = here;
        }
    }
    chances.iter().skip(least.into()).sum::<f64>().min(1.0)
}

/// The rate of a Poisson process that hits within a year with this chance.
fn yearly_rate(chance: f64) -> f64 {
    -(-chance).ln_1p()
}

fn years(duration: Duration) -> f64 {
    duration.as_secs_f64() / YEAR.as_secs_f64()
}
