//! The report: the most important rows as tables, the pictures, and how all of it was measured.

use super::network::Shape;
use super::plots::Plot;
use super::sheet::{Row, Sheet};
use super::{Run, size_text};
use salus_seal::schemes::SCHEMES;
use std::collections::BTreeSet;

/// The report as Markdown.
pub(super) fn markdown(sheet: &Sheet, plots: &[Plot], run: &Run) -> String {
    let mut parts = vec![head(run)];
    parts.push(kept(sheet));
    parts.push(where_bytes_go(sheet));
    parts.push(moved(sheet));
    parts.push(opening(sheet));
    parts.push(schemes(sheet));
    parts.push(durability(sheet));
    let pictures = plots
        .iter()
        .map(|plot| format!("![{}]({})", plot.chart.title, plot.file));
    parts.extend(pictures);
    parts.join("\n\n") + "\n"
}

fn head(run: &Run) -> String {
    format!(
        "# What shares cost, measured\n\n\
         `{}`, seed {}, took {:.0} s.\n{}\nOther work on the machine: load {:.1} when it began, {:.1} when it ended; times on a \
         processor stand it better than latencies.\n\n\
         Every row is in `rows.jsonl` and, the same, in `rows.csv`. Bodies do not compress. A transaction is taken to be 220 bytes of a \
         body, and each is indexed. Member 0 keeps everything as a validator does; the others' share logs are as real, their \
         indexes are in memory. There is no state here, because bodies are random bytes: `salus-bench figures --only archive` measures \
         it on real validators.",
        run.command,
        run.seed,
        run.took.as_secs_f64(),
        run.machine,
        run.load_before,
        run.load_after,
    )
}

struct Table(String);

impl Table {
    fn new(columns: &[&str]) -> Self {
        let rule: Vec<&str> = columns.iter().map(|_| "---:").collect();
        Self(format!("| {} |\n| {} |\n", columns.join(" | "), rule.join(" | ")))
    }

    fn row(&mut self, cells: &[String]) {
        self.0.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

/// The rows of a group and name, one for each network and size, by size and then by network.
fn networks<'a>(sheet: &'a Sheet, group: &'a str, name: &'a str) -> Vec<&'a Row> {
    let mut rows: Vec<&Row> = sheet.of(group, name).collect();
    rows.sort_by_key(|row| (row.block_bytes, row.members, row.threshold));
    rows
}

fn same<'a>(sheet: &'a Sheet, like: &'a Row, group: &'a str, name: &'a str) -> Option<f64> {
    let key = |row: &Row| (row.members, row.threshold, row.block_bytes);
    sheet
        .of(group, name)
        .find(|row| key(row) == key(like))
        .map(|row| row.value)
}

fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{value:.digits$}"))
}

fn kept(sheet: &Sheet) -> String {
    let mut table = Table::new(&[
        "body",
        "n",
        "k",
        "on one disk, B a block",
        "/ (B / k)",
        "later half / (B / k)",
        "of all, x B",
        "saved",
    ]);
    for row in networks(sheet, "storage", "total") {
        let of_body = row.value / row.block_bytes as f64;
        table.row(&[
            size_text(row.block_bytes),
            row.members.to_string(),
            row.threshold.to_string(),
            format!("{:.0}", row.value),
            cell(same(sheet, row, "storage", "total_over_kth"), 3),
            cell(same(sheet, row, "storage", "later_half_over_kth"), 3),
            format!("{:.2}", of_body * f64::from(row.members)),
            format!("{:.1} %", 100.0 * (1.0 - of_body)),
        ]);
    }
    format!(
        "## Kept\n\nEverything in a validator's folder, by what the file system has set aside. The later half of the blocks shows the cost of one more, without \
         what a new database sets aside at once.\n\n{}",
        table.0
    )
}

fn where_bytes_go(sheet: &Sheet) -> String {
    let parts = [
        ("share log", "share_log"),
        ("of it fragment", "logical_fragment"),
        ("of it the rest", "logical_share_rest"),
        ("index on disk", "index"),
        ("of it headers", "logical_headers"),
        ("certificates", "logical_certificates"),
        ("transactions", "logical_transactions"),
        ("patients", "logical_patients"),
        ("consensus log", "consensus_log"),
    ];
    let mut columns = vec!["body", "n"];
    columns.extend(parts.iter().map(|(column, _)| *column));
    let mut table = Table::new(&columns);
    let is_default = |row: &&Row| row.threshold == Shape::default_of(row.members).threshold;
    for row in networks(sheet, "storage", "total").into_iter().filter(is_default) {
        let mut cells = vec![size_text(row.block_bytes), row.members.to_string()];
        cells.extend(
            parts
                .iter()
                .map(|(_, name)| cell(same(sheet, row, "storage", name), 0)),
        );
        table.row(&cells);
    }
    format!(
        "## Where the bytes go\n\nBytes a block. Headers, certificates, transactions and patients are keys and values before the database's own overhead. None of these shrinks with k: \
         a certificate holds the signatures of two thirds of the members (those of the last 4,096 heights are kept), and the index takes about 5 bytes for each \
         transaction. The index of few blocks is its journal, of many sled's file: docs/adr/0029.\n\n{}",
        table.0
    )
}

fn moved(sheet: &Sheet) -> String {
    let mut table = Table::new(&[
        "body",
        "n",
        "k",
        "repair, x B",
        "join, x B",
        "written by others, B",
        "reseal, all links, x B",
        "seal, ms",
        "check, ms",
        "repair, ms",
    ]);
    for row in networks(sheet, "repair", "received_over_body") {
        table.row(&[
            size_text(row.block_bytes),
            row.members.to_string(),
            row.threshold.to_string(),
            format!("{:.4}", row.value),
            cell(same(sheet, row, "join", "received_over_body"), 4),
            cell(same(sheet, row, "join", "written_by_others"), 0),
            cell(same(sheet, row, "reseal", "moved_over_body"), 2),
            cell(same(sheet, row, "storage", "seal_cpu"), 2),
            cell(same(sheet, row, "storage", "check_cpu"), 2),
            cell(same(sheet, row, "repair", "repair_cpu"), 2),
        ]);
    }
    format!(
        "## Moved\n\nEncoded shares and dealings for each block, before the transport's own overhead; times of one block on one processor. Reseal: its proposer \
         gathers k shares, and sends a new dealing to every other member.\n\n{}",
        table.0
    )
}

fn opening(sheet: &Sheet) -> String {
    let mut table = Table::new(&[
        "body",
        "n",
        "faults",
        "p50, ms",
        "p99, ms",
        "processor, ms",
        "openings",
    ]);
    let mut rows: Vec<&Row> = sheet
        .of("opening", "open")
        .filter(|row| row.quantile == Some(50))
        .filter(|row| row.threshold == Shape::default_of(row.members).threshold)
        .filter(|row| row.faults == 0 || row.faults == row.faulty)
        .collect();
    rows.sort_by_key(|row| (row.block_bytes, row.members));
    for row in rows {
        let key = |row: &Row| (row.members, row.threshold, row.block_bytes, row.fault, row.faults);
        let find = |name: &'static str, quantile: Option<u8>| {
            sheet
                .of("opening", name)
                .find(|other| key(other) == key(row) && other.quantile == quantile)
                .map(|row| row.value)
        };
        let faults = match row.faults {
            0 => "none".to_owned(),
            some => format!("{some} {}", row.fault),
        };
        table.row(&[
            size_text(row.block_bytes),
            row.members.to_string(),
            faults,
            format!("{:.2}", row.value),
            cell(find("open", Some(99)), 2),
            cell(find("open_cpu", None), 2),
            row.samples.to_string(),
        ]);
    }
    format!(
        "## Opened\n\nBy the archive's own logic, from shares that it reads from the members' logs (in the page cache by then), with own share and k - 1 others. Faulty members are \
         drawn anew each time, and the archive is a new one that does not know them; one that runs for longer asks them last.\n\n{}",
        table.0
    )
}

fn schemes(sheet: &Sheet) -> String {
    let mut table = Table::new(&[
        "scheme",
        "secrecy below k",
        "body",
        "n",
        "kept, x B",
        "deal, ms",
        "open, ms",
    ]);
    let mut rows: Vec<&Row> = sheet.of("schemes", "kept_over_body").collect();
    rows.sort_by_key(|row| (row.block_bytes, row.members));
    for row in rows {
        let find = |name: &'static str| {
            let key = |row: &Row| (row.scheme, row.members, row.block_bytes);
            sheet
                .of("schemes", name)
                .find(|other| key(other) == key(row))
                .map(|row| row.value)
        };
        let scheme = SCHEMES.iter().find(|scheme| scheme.name() == row.scheme);
        table.row(&[
            row.scheme.to_owned(),
            scheme.map_or("-", |scheme| scheme.secrecy().name()).to_owned(),
            size_text(row.block_bytes),
            row.members.to_string(),
            format!("{:.4}", row.value),
            cell(find("deal_cpu"), 2),
            cell(find("open_cpu"), 2),
        ]);
    }
    let statements: Vec<String> = SCHEMES
        .iter()
        .map(|scheme| format!("- `{}`: {}", scheme.name(), scheme.statement()))
        .collect();
    format!(
        "## Five schemes\n\nS is the same for all; opened from the last slots, the worst case; times on one processor.\n\n{}\n{}",
        table.0,
        statements.join("\n")
    )
}

fn durability(sheet: &Sheet) -> String {
    let mut table = Table::new(&[
        "n",
        "k",
        "kept by all, x B",
        "lost in a year",
        "closed",
        "leak in a year",
    ]);
    let members: BTreeSet<u16> = sheet.of("durability", "kept").map(|row| row.members).collect();
    for n in members {
        let threshold = Shape::default_of(n).threshold;
        let of_this = |row: &&Row| row.members == n && row.threshold == threshold;
        let find = |name| sheet.of("durability", name).find(of_this).map(|row| row.value);
        let tiny = |name| find(name).map_or("-".to_owned(), |value| format!("{value:.1e}"));
        table.row(&[
            n.to_string(),
            threshold.to_string(),
            cell(find("kept"), 2),
            tiny("loss_in_a_year"),
            tiny("closed"),
            tiny("leak_in_a_year"),
        ]);
    }
    format!(
        "## Durability\n\nCalculated by `salus durability` with its defaults (f members withhold), not measured: see docs/durability.md.\n\n{}",
        table.0
    )
}
