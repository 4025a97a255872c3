//! What was measured, one number a row: the plots and the report are made from this alone.

use super::network::Shape;
use crate::stats::Sorted;
use serde::Serialize;
use std::time::Duration;

/// Quantiles of latencies that are kept, in percent.
const QUANTILES: [u8; 22] = [
    1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 99, 100,
];
const COLUMNS: &str =
    "group,scheme,members,faulty,threshold,slots,block_bytes,fault,faults,quantile,name,value,unit,samples";

/// One number and what it was measured for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What kind of measurement it belongs to.
    pub group: &'static str,
    /// How blocks are spread.
    pub scheme: &'static str,
    /// n.
    pub members: u16,
    /// f.
    pub faulty: u16,
    /// k.
    pub threshold: u16,
    /// S.
    pub slots: u16,
    /// B, bytes of a body.
    pub block_bytes: usize,
    /// What faulty members do.
    pub fault: &'static str,
    /// How many of them.
    pub faults: u16,
    /// Of a latency: the percentage of openings that took at most so long.
    pub quantile: Option<u8>,
    /// What was measured.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// From how many blocks or openings.
    pub samples: usize,
}

/// All rows.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// In the order in which they were measured.
    pub rows: Vec<Row>,
}

/// Adds rows that have most in common.
#[derive(Debug)]
pub(super) struct Pen<'a> {
    sheet: &'a mut Sheet,
    row: Row,
}

impl Sheet {
    pub(super) fn pen(&mut self, group: &'static str, shape: Shape, block_bytes: usize) -> Pen<'_> {
        Pen {
            sheet: self,
            row: Row {
                group,
                scheme: "ssms",
                members: shape.members,
                faulty: shape.faulty(),
                threshold: shape.threshold,
                slots: shape.slots(),
                block_bytes,
                fault: "none",
                faults: 0,
                quantile: None,
                name: "",
                value: 0.0,
                unit: "",
                samples: 0,
            },
        }
    }

    /// Rows of one name.
    pub(super) fn of<'a>(&'a self, group: &'a str, name: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows
            .iter()
            .filter(move |row| row.group == group && row.name == name)
    }

    /// The value of the network with k = n - 2f.
    pub(super) fn value(&self, group: &str, name: &str, members: u16, block_bytes: usize) -> Option<f64> {
        let threshold = Shape::default_of(members).threshold;
        self.of(group, name)
            .find(|row| (row.members, row.block_bytes, row.threshold) == (members, block_bytes, threshold))
            .map(|row| row.value)
    }

    /// One JSON object a line.
    ///
    /// # Errors
    ///
    /// When a value is no number that JSON can hold.
    pub fn json_lines(&self) -> Result<String, serde_json::Error> {
        let mut text = String::new();
        for row in &self.rows {
            text.push_str(&serde_json::to_string(row)?);
            text.push('\n');
        }
        Ok(text)
    }

    /// The same as a table; no field needs quotes.
    pub fn csv(&self) -> String {
        let mut text = format!("{COLUMNS}\n");
        for row in &self.rows {
            let quantile = row
                .quantile
                .map(|percent| percent.to_string())
                .unwrap_or_default();
            text.push_str(&format!(
                "{},{},{},{},{},{},{},{},{},{quantile},{},{},{},{}\n",
                row.group,
                row.scheme,
                row.members,
                row.faulty,
                row.threshold,
                row.slots,
                row.block_bytes,
                row.fault,
                row.faults,
                row.name,
                row.value,
                row.unit,
                row.samples
            ));
        }
        text
    }
}

impl Pen<'_> {
    pub(super) fn scheme(&mut self, scheme: &'static str) {
        self.row.scheme = scheme;
    }

    pub(super) fn fault(&mut self, fault: &'static str, faults: u16) {
        (self.row.fault, self.row.faults) = (fault, faults);
    }

    pub(super) fn add(&mut self, name: &'static str, value: f64, unit: &'static str, samples: usize) {
        self.sheet.rows.push(Row {
            name,
            // Enough digits for chances of 1e-40 and for bytes, without those that are noise.
            value: format!("{value:.6e}").parse().unwrap_or(value),
            unit,
            samples,
            ..self.row.clone()
        });
    }

    /// The median.
    pub(super) fn add_median(&mut self, name: &'static str, times: &[Duration]) {
        let sorted = Sorted::new(times.to_vec());
        self.add(name, sorted.percentile_ms(50), "ms", sorted.count());
    }

    /// The whole distribution.
    pub(super) fn add_quantiles(&mut self, name: &'static str, times: Vec<Duration>) {
        let sorted = Sorted::new(times);
        for percent in QUANTILES {
            self.row.quantile = Some(percent);
            let value = sorted.percentile_ms(percent.into());
            self.add(name, value, "ms", sorted.count());
        }
        self.row.quantile = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_lines_of_json_and_of_a_table() {
        let mut sheet = Sheet::default();
        let mut pen = sheet.pen("storage", Shape::default_of(10), 1 << 20);
        pen.add("total", 1_234.5, "B", 8);
        pen.fault("wrong", 3);
        pen.add_quantiles("open", vec![Duration::from_millis(2), Duration::from_millis(4)]);
        assert_eq!(sheet.rows.len(), 23);
        assert_eq!(sheet.value("storage", "total", 10, 1 << 20), Some(1_234.5));
        let json = sheet.json_lines().unwrap();
        assert!(json.starts_with(
            r#"{"group":"storage","scheme":"ssms","members":10,"faulty":3,"threshold":4,"slots":32,"#
        ));
        let csv = sheet.csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(
            lines[1],
            "storage,ssms,10,3,4,32,1048576,none,0,,total,1234.5,B,8"
        );
        assert_eq!(lines[12], "storage,ssms,10,3,4,32,1048576,wrong,3,50,open,2,ms,2");
        let columns = |line: &&str| line.split(',').count();
        assert!(lines.iter().map(columns).all(|count| count == 14));
    }
}
