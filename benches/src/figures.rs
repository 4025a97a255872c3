//! What is printed: a JSON line for each figure, then a table.

use serde::Serialize;

/// A bound that a figure should keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Less than this.
    Below(f64),
}

/// Something that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// A stable name.
    pub name: &'static str,
    /// The value, in `unit`, rounded to three decimals.
    pub value: f64,
    /// The unit of `value`.
    pub unit: &'static str,
    /// The bound it should keep, such as `>= 1000`; null if there is none.
    pub target: Option<String>,
    /// Whether it does; null without a target.
    pub ok: Option<bool>,
    /// From how many single measurements it was made.
    pub samples: usize,
}

/// What a group of figures has to say.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The figures, in the order of the table.
    pub figures: Vec<Figure>,
    /// How they were measured and what bounds them, a paragraph each.
    pub notes: Vec<String>,
}

impl Target {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
            Self::Below(bound) => value < bound,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!(">= {bound}"),
            Self::AtMost(bound) => format!("<= {bound}"),
            Self::Below(bound) => format!("< {bound}"),
        }
    }
}

impl Report {
    /// Adds a figure.
    pub fn add(
        &mut self,
        name: &'static str,
        value: f64,
        unit: &'static str,
        target: Option<Target>,
        samples: usize,
    ) {
        let ok = target.map(|target| target.holds(value));
        let value = (value * 1e3).round() / 1e3;
        let target = target.map(Target::text);
        self.figures.push(Figure {
            name,
            value,
            unit,
            target,
            ok,
            samples,
        });
    }

    /// Whether every figure keeps its bound.
    pub fn keeps_all_targets(&self) -> bool {
        self.figures.iter().all(|figure| figure.ok != Some(false))
    }

    /// One JSON object for each figure.
    ///
    /// # Errors
    ///
    /// When a value is no number that JSON can hold.
    pub fn json_lines(&self) -> Result<Vec<String>, serde_json::Error> {
        self.figures.iter().map(serde_json::to_string).collect()
    }

    /// A Markdown table of the figures, and the notes below it.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| figure | value | unit | target | ok | samples |\n| --- | ---: | --- | --- | --- | ---: |\n",
        );
        for Figure {
            name,
            value,
            unit,
            target,
            ok,
            samples,
        } in &self.figures
        {
            let target = target.as_deref().unwrap_or("-");
            let ok = match ok {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "-",
            };
            text.push_str(&format!(
                "| {name} | {value} | {unit} | {target} | {ok} | {samples} |\n"
            ));
        }
        for note in &self.notes {
            text.push_str(&format!("\n{note}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_one_line_of_json_and_one_row() {
        let mut report = Report::default();
        report.add("speed", 1_234.567_89, "1/s", Some(Target::AtLeast(1_000.0)), 7);
        assert!(report.keeps_all_targets());
        report.add("delay", 150.0, "ms", Some(Target::Below(150.0)), 3);
        assert!(!report.keeps_all_targets());
        report.add("size", 4.0, "MiB", None, 1);
        assert_eq!(
            report.json_lines().unwrap(),
            [
                r#"{"name":"speed","value":1234.568,"unit":"1/s","target":">= 1000","ok":true,"samples":7}"#,
                r#"{"name":"delay","value":150.0,"unit":"ms","target":"< 150","ok":false,"samples":3}"#,
                r#"{"name":"size","value":4.0,"unit":"MiB","target":null,"ok":null,"samples":1}"#,
            ]
        );
        report.notes.push("Bound by nothing.".into());
        let text = report.markdown();
        assert!(text.contains(
            "| delay | 150 | ms | < 150 | NO | 3 |\n| size | 4 | MiB | - | - | 1 |\n\nBound by nothing.\n"
        ));
    }
}
