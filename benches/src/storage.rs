//! The storage experiment: what shares cost and what they give, over members, thresholds, sizes, schemes and faults.
//!
//! ```text
//!   plan ---> cell: network (real seal, real Store on a real disk) ---> disk: every file counted
//!               |         '--- desk: the archive opens, repairs and joins, under faults
//!               |--- schemes: the same bodies spread in five ways
//!               '--- durability: calculated
//!                        |
//!                      sheet: one number a row ---> rows.jsonl, rows.csv, plots (SVG), report.md
//! ```
//!
//! Members live in one process: no network, no consensus. What that adds is measured on real validators, by
//! [`crate::archive`]. The same seed gives the same bodies, faults and choices; only times differ, and Shamir
//! coefficients, which the operating system draws.

mod cell;
mod desk;
mod network;
mod plots;
mod report;
mod schemes;
mod sheet;

pub use sheet::{Row, Sheet};

use crate::chart::ChartError;
use crate::machine;
use cell::Cell;
use network::Shape;
use salus_archive::ReadError;
use salus_archive::durability::{Risks, assess};
use salus_seal::{DealingError, SealError};
use salus_store::StoreError;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Sizes of the whole experiment.
const MEMBERS: [u16; 6] = [4, 7, 10, 16, 31, 64];
const SIZES: [usize; 4] = [4 << 10, 64 << 10, 1 << 20, 8 << 20];
/// Blocks of all members together that a cell stores, at most.
const SHARES_MAX: usize = 6_144;
/// Largest body of which all five schemes are timed.
const SCHEMES_BYTES_MAX: usize = 1 << 20;

/// How to run it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A part of it, in less than a minute.
    pub quick: bool,
    /// Where the results go; made if it is not there.
    pub out: PathBuf,
    /// What everything that looks random follows from.
    pub seed: u64,
    /// Where the members' folders are made; `None` for the system's folder for temporary files.
    pub parent: Option<PathBuf>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A folder or a file.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A member's store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A body can't be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// An honest dealing was refused.
    #[error(transparent)]
    Dealing(#[from] DealingError),
    /// A block can't be opened.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A picture.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// A row that JSON can't hold.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Something else than planned happened, so figures would mean nothing.
    #[error("the run is void: {0}")]
    Void(String),
}

/// What a report says of the run itself.
#[derive(Clone, Debug)]
struct Run {
    command: String,
    seed: u64,
    took: Duration,
    machine: String,
    load_before: f64,
    load_after: f64,
}

/// Measures, and writes rows, pictures and the report; gives the rows. `goes_on` is told what comes next, and says whether to go on.
///
/// # Errors
///
/// When it should not go on, and when anything fails or opens to something else than was sealed. Nothing is written then.
pub fn run(settings: &Settings, goes_on: impl Fn(&str) -> bool) -> Result<Sheet, StorageError> {
    let progress = |what: &str| match goes_on(what) {
        true => Ok(()),
        false => Err(StorageError::Void("interrupted".into())),
    };
    let (begun, machine, load_before) = (Instant::now(), machine::description(), machine::load());
    let mut sheet = Sheet::default();
    let cells = plan(settings.quick);
    for (number, cell) in (1..).zip(&cells) {
        let Shape { members, threshold } = cell.shape;
        progress(&format!(
            "{number} of {}: n = {members}, k = {threshold}, {} blocks of {}",
            cells.len(),
            cell.blocks,
            size_text(cell.block_bytes)
        ))?;
        cell.measure(&mut sheet, settings.parent.as_deref(), settings.seed)?;
    }
    for (shape, block_bytes, repeats) in scheme_plan(settings.quick) {
        progress(&format!(
            "five schemes, n = {}, {}",
            shape.members,
            size_text(block_bytes)
        ))?;
        schemes::measure(&mut sheet, shape, block_bytes, repeats, settings.seed)?;
    }
    calculate(&mut sheet)?;
    let run = Run {
        command: command(settings),
        seed: settings.seed,
        took: begun.elapsed(),
        machine,
        load_before,
        load_after: machine::load(),
    };
    write(&settings.out, &sheet, &run)?;
    Ok(sheet)
}

/// What other members write while one joins ten of them and takes its spare share of every block, in bytes.
///
/// # Errors
///
/// As [`run`].
pub fn joined_beside(parent: Option<&Path>, seed: u64) -> Result<u64, StorageError> {
    let cell = Cell {
        shape: Shape::default_of(10),
        block_bytes: 1 << 20,
        blocks: 10,
        openings: 0,
    };
    cell.join_alone(parent, seed)
}

fn command(settings: &Settings) -> String {
    let quick = if settings.quick { " --quick" } else { "" };
    format!(
        "cargo run --release -p salus-bench -- storage{quick} --seed {}",
        settings.seed
    )
}

/// The cells, small ones first.
fn plan(quick: bool) -> Vec<Cell> {
    let (members, sizes): (&[u16], &[usize]) = match quick {
        true => (&[4, 10], &[64 << 10, 1 << 20]),
        false => (&MEMBERS, &SIZES),
    };
    let mut cells = Vec::new();
    for size in sizes {
        for n in members {
            let default = Shape::default_of(*n);
            cells.push(planned(default, *size, quick));
            let largest = Shape::largest_of(*n);
            let is_of_interest = *size == 1 << 20 && !quick;
            if largest != default && is_of_interest {
                cells.push(planned(largest, *size, quick));
            }
        }
    }
    cells
}

fn planned(shape: Shape, block_bytes: usize, quick: bool) -> Cell {
    let (blocks, openings) = match block_bytes {
        0..=0xffff => (768, 40),
        0x1_0000..=0xf_ffff => (512, 40),
        0x10_0000..=0x7f_ffff => (96, 30),
        _ => (8, 8),
    };
    let most = SHARES_MAX / usize::from(shape.members.max(1));
    let less = if quick { 8 } else { 1 };
    Cell {
        shape,
        block_bytes,
        blocks: (blocks / less).min(most).max(2),
        openings: (openings / less).max(5),
    }
}

/// Networks and sizes with which all schemes are timed, and how often.
fn scheme_plan(quick: bool) -> Vec<(Shape, usize, usize)> {
    let (members, sizes): (&[u16], &[usize]) = match quick {
        true => (&[4, 10], &[64 << 10]),
        false => (&MEMBERS, &[64 << 10, SCHEMES_BYTES_MAX]),
    };
    let repeats = |size: usize| if size < SCHEMES_BYTES_MAX { 5 } else { 3 };
    sizes
        .iter()
        .flat_map(|size| {
            members
                .iter()
                .map(move |n| (Shape::default_of(*n), *size, repeats(*size)))
        })
        .collect()
}

/// Durability of every k that is safe to open with: more than f, so that hostile members alone see nothing, and at most n - f.
fn calculate(sheet: &mut Sheet) -> Result<(), StorageError> {
    for members in MEMBERS {
        let faulty = Shape::default_of(members).faulty();
        for threshold in faulty + 1..=members - faulty {
            let shape = Shape { members, threshold };
            let risks = Risks {
                threshold,
                ..Risks::typical(members)
            };
            let durability = assess(&risks).map_err(|error| StorageError::Void(error.to_string()))?;
            let mut pen = sheet.pen("durability", shape, 0);
            pen.add("kept", durability.kept, "1", 1);
            pen.add("loss_in_a_year", durability.loss_in_a_year, "1", 1);
            pen.add("closed", durability.closed, "1", 1);
            pen.add("leak_in_a_year", durability.leak_in_a_year, "1", 1);
        }
    }
    Ok(())
}

fn write(out: &Path, sheet: &Sheet, run: &Run) -> Result<(), StorageError> {
    fs::create_dir_all(out)?;
    let plots = plots::all(sheet);
    for plot in &plots {
        fs::write(out.join(plot.file), plot.svg()?)?;
    }
    fs::write(out.join("rows.jsonl"), sheet.json_lines()?)?;
    fs::write(out.join("rows.csv"), sheet.csv())?;
    fs::write(out.join("report.md"), report::markdown(sheet, &plots, run))?;
    Ok(())
}

/// 4 KiB, 1 MiB.
fn size_text(bytes: usize) -> String {
    match bytes {
        0x10_0000.. => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use desk::Manner;

    #[test]
    fn a_small_network_is_measured_as_it_is() {
        let mut sheet = Sheet::default();
        let cell = Cell {
            shape: Shape::default_of(4),
            block_bytes: 64 << 10,
            blocks: 6,
            openings: 2,
        };
        cell.measure(&mut sheet, None, 1).unwrap();
        let value = |group, name| sheet.value(group, name, 4, 64 << 10).unwrap();
        // Half of the ciphertext, which is 17 bytes longer than the body, rounded up.
        assert_eq!(value("storage", "logical_fragment"), 32_777.0);
        assert!(value("storage", "logical_share_rest") < 600.0);
        assert!(
            value("storage", "share_log") >= 32_777.0
                && value("storage", "total") > value("storage", "share_log")
        );
        // k = 2 shares, since the own one is gone.
        let received = value("repair", "received_over_body");
        assert!((1.0..1.01).contains(&received), "{received}");
        assert_eq!(value("join", "written_by_others"), 0.0);
        // Each of the three others gets a body and some keys, and one share is gathered.
        let moved = value("reseal", "moved_over_body");
        assert!((3.5..3.6).contains(&moved), "{moved}");
        let blamed: Vec<&Row> = sheet.of("opening", "blamed").collect();
        assert_eq!(blamed.len(), 1 + Manner::FAULTS.len());
        assert!(blamed.iter().all(|row| row.fault == "wrong" || row.value == 0.0));
    }

    #[test]
    fn rows_pictures_and_the_report_are_written() {
        let mut sheet = Sheet::default();
        for n in [4, 7] {
            let cell = Cell {
                shape: Shape::default_of(n),
                block_bytes: 4 << 10,
                blocks: 4,
                openings: 2,
            };
            cell.measure(&mut sheet, None, 2).unwrap();
            schemes::measure(&mut sheet, cell.shape, 4 << 10, 1, 2).unwrap();
        }
        calculate(&mut sheet).unwrap();
        let run = Run {
            command: "storage".into(),
            seed: 2,
            took: Duration::from_secs(1),
            machine: machine::description(),
            load_before: 0.0,
            load_after: 0.0,
        };
        let out = tempfile::tempdir().unwrap();
        write(out.path(), &sheet, &run).unwrap();
        let read = |name: &str| fs::read_to_string(out.path().join(name)).unwrap();
        assert_eq!(read("rows.csv").lines().count(), sheet.rows.len() + 1);
        assert_eq!(read("rows.jsonl").lines().count(), sheet.rows.len());
        let report = read("report.md");
        for plot in plots::all(&sheet) {
            assert!(report.contains(plot.file) && read(plot.file).contains(&plot.chart.title));
        }
        assert!(
            report.contains("| 4 KiB | 7 | 3 |") && report.contains("| ssms | computational | 4 KiB | 7 |")
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_sizes() {
        let measured = || {
            let mut sheet = Sheet::default();
            let cell = Cell {
                shape: Shape::default_of(4),
                block_bytes: 4 << 10,
                blocks: 4,
                openings: 1,
            };
            cell.measure(&mut sheet, None, 3).unwrap();
            let sizes =
                |row: &&Row| row.unit != "ms" && !row.name.starts_with("total") && row.name != "index";
            let sizes: Vec<Row> = sheet.rows.iter().filter(sizes).cloned().collect();
            sizes
        };
        let sizes = measured();
        let without = |rows: Vec<Row>| -> Vec<Row> {
            rows.into_iter()
                .filter(|row| row.name != "later_half_over_kth")
                .collect()
        };
        assert_eq!(without(sizes), without(measured()));
    }

    #[test]
    fn the_plans_cover_what_they_should() {
        let whole = plan(false);
        assert_eq!(
            whole
                .iter()
                .filter(|cell| cell.shape == Shape::default_of(cell.shape.members))
                .count(),
            24
        );
        assert!(whole.iter().any(|cell| cell.shape
            == Shape {
                members: 10,
                threshold: 5
            }));
        assert!(
            whole
                .iter()
                .all(|cell| cell.blocks * usize::from(cell.shape.members) <= SHARES_MAX)
        );
        assert_eq!(plan(true).len(), 4);
        assert_eq!(
            (size_text(4 << 10), size_text(8 << 20)),
            ("4 KiB".to_owned(), "8 MiB".to_owned())
        );
    }
}
