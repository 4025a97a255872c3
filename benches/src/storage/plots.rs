//! The pictures: each is made from rows alone.

use super::network::Shape;
use super::sheet::{Row, Sheet};
use super::{StorageError, size_text};
use crate::chart::{Axis, COLOURS, Chart, Line, REFERENCE, Scale};
use std::collections::BTreeSet;

/// A picture and the file that it goes into.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) file: &'static str,
    pub(super) chart: Chart,
}

/// All pictures that the rows give; one without points is left out.
pub(super) fn all(sheet: &Sheet) -> Vec<Plot> {
    let plots = [
        ("bytes-per-node.svg", bytes_per_node(sheet)),
        ("savings.svg", savings(sheet)),
        ("repair.svg", repair(sheet)),
        ("latency.svg", latency(sheet)),
        ("durability.svg", durability(sheet)),
        ("schemes.svg", schemes(sheet)),
    ];
    plots
        .into_iter()
        .filter_map(|(file, chart)| Some(Plot { file, chart: chart? }))
        .collect()
}

impl Plot {
    pub(super) fn svg(&self) -> Result<String, StorageError> {
        Ok(self.chart.svg()?)
    }
}

/// Members and sizes that were measured with k = n - 2f.
fn measured(sheet: &Sheet, group: &str, name: &str) -> (Vec<u16>, Vec<usize>) {
    let is_default = |row: &&Row| row.threshold == Shape::default_of(row.members).threshold;
    let rows: Vec<&Row> = sheet.of(group, name).filter(is_default).collect();
    let members: BTreeSet<u16> = rows.iter().map(|row| row.members).collect();
    let sizes: BTreeSet<usize> = rows.iter().map(|row| row.block_bytes).collect();
    (members.into_iter().collect(), sizes.into_iter().collect())
}

fn colour(place: usize) -> plotters::style::RGBColor {
    COLOURS.get(place % COLOURS.len()).copied().unwrap_or(REFERENCE)
}

fn members_axis(members: &[u16]) -> Option<Axis> {
    Some(Axis {
        label: "hospitals, n (k = n - 2f)".into(),
        scale: Scale::Log,
        from: f64::from(*members.first()?),
        to: f64::from(*members.last()?),
        ticks: members.iter().map(|n| (f64::from(*n), n.to_string())).collect(),
    })
}

fn sizes_axis(sizes: &[usize]) -> Option<Axis> {
    Some(Axis {
        label: "size of a block's body".into(),
        scale: Scale::Log,
        from: *sizes.first()? as f64,
        to: *sizes.last()? as f64,
        ticks: sizes
            .iter()
            .map(|size| (*size as f64, size_text(*size)))
            .collect(),
    })
}

fn axis(label: &str, scale: Scale, ticks: &[(f64, &str)]) -> Axis {
    Axis {
        label: label.into(),
        scale,
        from: ticks.first().map_or(0.0, |(value, _)| *value),
        to: ticks.last().map_or(1.0, |(value, _)| *value),
        ticks: ticks
            .iter()
            .map(|(value, mark)| (*value, (*mark).to_owned()))
            .collect(),
    }
}

/// A logarithmic axis that is just long enough for some lines.
fn spanned(label: &str, lines: &[Line]) -> Axis {
    const MARKS: [f64; 18] = [
        0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0,
    ];
    let values = || lines.iter().flat_map(|line| line.points.iter().map(|(_, y)| *y));
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
    let from = MARKS
        .iter()
        .copied()
        .filter(|mark| *mark <= low)
        .fold(0.01, f64::max);
    let to = MARKS
        .iter()
        .copied()
        .filter(|mark| *mark >= high)
        .fold(200.0, f64::min);
    // Marks that would touch are left out.
    let fine = to / from < 5.0;
    let shown = MARKS
        .iter()
        .filter(|mark| fine || ![1.1, 1.2, 1.5, 3.0].contains(*mark));
    Axis {
        label: label.into(),
        scale: Scale::Log,
        from,
        to,
        ticks: shown.map(|mark| (*mark, mark.to_string())).collect(),
    }
}

fn line(name: String, place: usize, points: Vec<(f64, f64)>) -> Line {
    Line {
        name,
        colour: colour(place),
        dashed: false,
        dots: true,
        points,
    }
}

fn reference(name: &str, points: Vec<(f64, f64)>) -> Line {
    Line {
        name: name.into(),
        colour: REFERENCE,
        dashed: true,
        dots: false,
        points,
    }
}

fn bytes_per_node(sheet: &Sheet) -> Option<Chart> {
    let (members, sizes) = measured(sheet, "storage", "total");
    let x = members_axis(&members)?;
    let mut lines: Vec<Line> = sizes
        .iter()
        .enumerate()
        .map(|(place, size)| {
            let point = |n: &u16| {
                let total = sheet.value("storage", "total", *n, *size)?;
                Some((f64::from(*n), total / *size as f64))
            };
            line(
                size_text(*size),
                place,
                members.iter().filter_map(point).collect(),
            )
        })
        .collect();
    let ideal = |n: &u16| (f64::from(*n), 1.0 / f64::from(Shape::default_of(*n).threshold));
    lines.push(reference("1 / k", members.iter().map(ideal).collect()));
    lines.push(reference("full replication", vec![(x.from, 1.0), (x.to, 1.0)]));
    Some(Chart {
        title: "What one hospital keeps of each byte of a block".into(),
        subtitle: "Every file on its disk. Above 1 / k: header, certificate (2n / 3 signatures), and 5 bytes of index for each 220 of a body".into(),
        x,
        y: spanned("bytes on disk for a byte of body", &lines),
        lines,
    })
}

fn savings(sheet: &Sheet) -> Option<Chart> {
    let (members, sizes) = measured(sheet, "storage", "total");
    let lines = members.iter().enumerate().map(|(place, n)| {
        let point = |size: &usize| {
            let total = sheet.value("storage", "total", *n, *size)?;
            Some((*size as f64, 100.0 * (1.0 - total / *size as f64)))
        };
        let name = format!("n = {n}, k = {}", Shape::default_of(*n).threshold);
        line(name, place, sizes.iter().filter_map(point).collect())
    });
    let lines: Vec<Line> = lines.collect();
    let low = lines
        .iter()
        .flat_map(|line| line.points.iter().map(|(_, y)| *y))
        .fold(0.0, f64::min);
    // As far down as the worst needs, in steps of a half.
    let down = (1..=20).map(|step| -50.0 * f64::from(step));
    let mut marks = vec![100.0, 50.0, 0.0];
    marks.extend(down.take_while(|mark| *mark > low - 50.0));
    let ticks: Vec<(f64, String)> = marks
        .iter()
        .rev()
        .map(|mark| (*mark, format!("{mark} %")))
        .collect();
    Some(Chart {
        title: "Saved against keeping every block whole".into(),
        subtitle: "On one hospital's disk, everything counted; small blocks carry the header and the index"
            .into(),
        x: sizes_axis(&sizes)?,
        y: Axis {
            label: "saved of the body's bytes".into(),
            scale: Scale::Linear,
            from: ticks.first().map_or(0.0, |(mark, _)| *mark),
            to: 100.0,
            ticks,
        },
        lines,
    })
}

fn repair(sheet: &Sheet) -> Option<Chart> {
    let (members, sizes) = measured(sheet, "repair", "received_over_body");
    let mut lines: Vec<Line> = members
        .iter()
        .enumerate()
        .map(|(place, n)| {
            let point = |size: &usize| {
                let received = sheet.value("repair", "received_over_body", *n, *size)?;
                Some((*size as f64, received))
            };
            line(
                format!("n = {n}"),
                place,
                sizes.iter().filter_map(point).collect(),
            )
        })
        .collect();
    let x = sizes_axis(&sizes)?;
    lines.push(reference("one body", vec![(x.from, 1.0), (x.to, 1.0)]));
    Some(Chart {
        title: "What a hospital fetches to rebuild one lost share".into(),
        subtitle: "k shares from others, with their key shares and Merkle paths".into(),
        x,
        y: spanned("bytes received for a byte of body", &lines),
        lines,
    })
}

/// The network of ten, or the nearest there is, with its largest blocks up to 1 MiB.
fn latency(sheet: &Sheet) -> Option<Chart> {
    let (members, sizes) = measured(sheet, "opening", "open");
    let n = members.iter().copied().min_by_key(|n| n.abs_diff(10))?;
    let size = sizes.iter().copied().filter(|size| *size <= 1 << 20).max()?;
    let shape = Shape::default_of(n);
    let mut lines = Vec::new();
    for (place, (fault, faults, name)) in [
        ("none", 0, "all honest".to_owned()),
        (
            "missing",
            shape.faulty(),
            format!("{} have no share", shape.faulty()),
        ),
        (
            "wrong",
            shape.faulty(),
            format!("{} send wrong ones", shape.faulty()),
        ),
        (
            "silent",
            shape.faulty(),
            format!("{} say nothing", shape.faulty()),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let of_this = |row: &&Row| {
            (row.members, row.block_bytes, row.threshold) == (n, size, shape.threshold)
                && (row.fault, row.faults) == (fault, faults)
        };
        let mut points: Vec<(f64, f64)> = sheet
            .of("opening", "open")
            .filter(of_this)
            .filter_map(|row| Some((row.value, f64::from(row.quantile?))))
            .collect();
        points.dedup();
        let mut drawn = line(name, place, stairs(&points));
        drawn.dots = false;
        lines.push(drawn);
    }
    let slowest = lines
        .iter()
        .flat_map(|line| line.points.iter().map(|(x, _)| *x))
        .fold(1.0, f64::max);
    let marks = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0,
    ];
    let fastest = lines
        .iter()
        .flat_map(|line| line.points.iter().map(|(x, _)| *x))
        .fold(slowest, f64::min);
    Some(Chart {
        title: format!("How long it takes to open a block of {}, n = {n}, k = {}", size_text(size), shape.threshold),
        subtitle: "In one process, shares read from disk; the reader does not know who is faulty; one more is asked after 40 ms of silence".into(),
        x: Axis {
            label: "milliseconds".into(),
            scale: Scale::Log,
            from: marks.iter().copied().filter(|mark| *mark <= fastest).fold(0.1, f64::max),
            to: marks.iter().copied().filter(|mark| *mark >= slowest).fold(5_000.0, f64::min),
            ticks: marks.iter().map(|mark| (*mark, mark.to_string())).collect(),
        },
        y: axis(
            "of all openings",
            Scale::Linear,
            &[(0.0, "0 %"), (25.0, "25 %"), (50.0, "50 %"), (75.0, "75 %"), (100.0, "100 %")],
        ),
        lines,
    })
}

/// Up at each value, and level in between: nothing was measured there.
fn stairs(quantiles: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let mut level = 0.0;
    for &(value, share) in quantiles {
        points.extend([(value, level), (value, share)]);
        level = share;
    }
    points
}

fn durability(sheet: &Sheet) -> Option<Chart> {
    let members: BTreeSet<u16> = sheet
        .of("durability", "loss_in_a_year")
        .map(|row| row.members)
        .collect();
    let mut lines = Vec::new();
    for (place, n) in members.iter().enumerate() {
        let mut points: Vec<(f64, f64)> = sheet
            .of("durability", "loss_in_a_year")
            .filter(|row| row.members == *n && row.value >= 1e-20)
            .map(|row| (f64::from(row.members) / f64::from(row.threshold), row.value))
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        lines.push(line(format!("n = {n}"), place, points));
    }
    lines.retain(|line| !line.points.is_empty());
    if lines.is_empty() {
        return None;
    }
    let powers: Vec<(f64, String)> = (0..=10)
        .map(|step| 2 * step)
        .map(|power| match power {
            0 => (1.0, "1".to_owned()),
            _ => (10f64.powi(-power), format!("1e-{power}")),
        })
        .collect();
    Some(Chart {
        title: "What durability costs".into(),
        subtitle: "f members withhold for ever; disks fail with 3 % a year; a dot for each k from f + 1 (right) to n - f (left)".into(),
        x: axis(
            "bytes kept by all hospitals together for a byte of body, n / k",
            Scale::Linear,
            &[(1.0, "1"), (1.5, "1.5"), (2.0, "2"), (2.5, "2.5"), (3.0, "3")],
        ),
        y: Axis {
            label: "chance a year that blocks are lost".into(),
            scale: Scale::Log,
            from: 1e-20,
            to: 1.0,
            ticks: powers,
        },
        lines,
    })
}

fn schemes(sheet: &Sheet) -> Option<Chart> {
    let rows: Vec<&Row> = sheet.of("schemes", "kept_over_body").collect();
    let size = rows.iter().map(|row| row.block_bytes).max()?;
    let members: BTreeSet<u16> = rows.iter().map(|row| row.members).collect();
    let members: Vec<u16> = members.into_iter().collect();
    let names: Vec<&str> = salus_seal::schemes::SCHEMES
        .iter()
        .map(|scheme| scheme.name())
        .collect();
    let lines = names.iter().enumerate().map(|(place, name)| {
        let points = rows
            .iter()
            .filter(|row| row.scheme == *name && row.block_bytes == size)
            .map(|row| (f64::from(row.members), row.value));
        line((*name).to_owned(), place, points.collect())
    });
    let lines: Vec<Line> = lines.collect();
    Some(Chart {
        title: format!("Five ways to spread a block of {}", size_text(size)),
        subtitle: "Shares alone, without headers and indexes; multisecret, rs-only and ssms lie on one line, but only ssms hides the body".into(),
        x: members_axis(&members)?,
        y: spanned("bytes one hospital keeps for a byte of body", &lines),
        lines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_level_between_what_was_measured() {
        let drawn = stairs(&[(2.0, 50.0), (8.0, 100.0)]);
        assert_eq!(drawn, [(2.0, 0.0), (2.0, 50.0), (8.0, 50.0), (8.0, 100.0)]);
    }
}
