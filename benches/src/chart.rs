//! Line charts as SVG that can be read on a light and on a dark page.
//!
//! There is no legend: each line carries its name at its end. What the page is like is asked by a style sheet in the file; where
//! nobody answers, the colours are such that both work.

use plotters::prelude::{Circle, IntoDrawingArea, IntoFont, PathElement, SVGBackend, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor, ShapeStyle, TextStyle};
use std::cmp::Ordering;

const WIDTH: u32 = 880;
const HEIGHT: u32 = 520;
/// Pixels around the plot.
const LEFT: f64 = 78.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 92.0;
const BOTTOM: f64 = 58.0;
/// Least pixels between the names of two lines, downwards.
const NAME_GAP: f64 = 17.0;
/// Names whose lines end closer together could touch.
const NAME_WIDTH: f64 = 110.0;

/// Text.
const INK: RGBColor = RGBColor(0x6b, 0x72, 0x80);
/// The lines behind the plot.
const GRID: RGBColor = RGBColor(0x9c, 0xa3, 0xaf);

/// Colours of lines, each at least 3:1 against white and against the dark of common pages.
pub const COLOURS: [RGBColor; 6] = [
    RGBColor(0x2f, 0x7e, 0xd8),
    RGBColor(0xd9, 0x6b, 0x1e),
    RGBColor(0x1b, 0x96, 0x6a),
    RGBColor(0xc2, 0x4d, 0x8f),
    RGBColor(0x85, 0x62, 0xd6),
    RGBColor(0x9a, 0x7d, 0x0a),
];
/// What others are compared with.
pub const REFERENCE: RGBColor = RGBColor(0x83, 0x8a, 0x95);

/// Lower-case attribute values are what a page's style sheet in dark mode replaces.
const STYLE: &str = "<style>text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}\
@media (prefers-color-scheme:light){text[fill=\"#6B7280\"]{fill:#4b5563}}\
@media (prefers-color-scheme:dark){text[fill=\"#6B7280\"]{fill:#b6bdc8}}</style>";

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithms; all values are above 0.
    Log,
}

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How values lie on it.
    pub scale: Scale,
    /// The smallest value shown.
    pub from: f64,
    /// The largest value shown.
    pub to: f64,
    /// Values that are marked, and how.
    pub ticks: Vec<(f64, String)>,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name, which stands at its end.
    pub name: String,
    /// Its colour.
    pub colour: RGBColor,
    /// Whether it is something to compare with.
    pub dashed: bool,
    /// Whether each point is marked.
    pub dots: bool,
    /// In the order of x.
    pub points: Vec<(f64, f64)>,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it says.
    pub title: String,
    /// What was measured, in a line.
    pub subtitle: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Drawn one after another.
    pub lines: Vec<Line>,
}

/// The chart can't be drawn.
#[derive(Debug, thiserror::Error)]
#[error("a chart can't be drawn: {0}")]
pub struct ChartError(String);

impl Axis {
    /// Where a value lies, 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let on_scale = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(f64::MIN_POSITIVE).log10(),
        };
        (on_scale(value) - on_scale(self.from)) / (on_scale(self.to) - on_scale(self.from))
    }

    fn shows(&self, value: f64) -> bool {
        (-1e-9..=1.0 + 1e-9).contains(&self.place(value))
    }
}

impl Chart {
    /// The picture as a file's text.
    ///
    /// # Errors
    ///
    /// When a value is no number, or the library refuses.
    pub fn svg(&self) -> Result<String, ChartError> {
        let finite = |line: &Line| line.points.iter().all(|(x, y)| x.is_finite() && y.is_finite());
        if !self.lines.iter().all(finite) {
            return Err(ChartError(format!("{:?} holds no number", self.title)));
        }
        let mut text = String::new();
        {
            let backend = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT));
            self.draw(backend)?;
        }
        // The library's first tag ends with the first '>'.
        let end = text
            .find('>')
            .ok_or_else(|| ChartError("the library wrote no tag".into()))?;
        text.insert_str(end + 1, &format!("\n<title>{}</title>\n{STYLE}", self.title));
        Ok(text)
    }

    fn draw(&self, backend: SVGBackend<'_>) -> Result<(), ChartError> {
        let mut canvas = Canvas {
            area: backend.into_drawing_area(),
        };
        canvas.text(&self.title, (LEFT, 26.0), Style::title(), HPos::Left)?;
        canvas.text(&self.subtitle, (LEFT, 50.0), Style::small(), HPos::Left)?;
        canvas.text(&self.y.label, (LEFT, TOP - 14.0), Style::small(), HPos::Left)?;
        let below = ((LEFT + f64::from(WIDTH) - RIGHT) / 2.0, f64::from(HEIGHT) - 14.0);
        canvas.text(&self.x.label, below, Style::small(), HPos::Center)?;
        self.grid(&mut canvas)?;
        for line in &self.lines {
            self.line(&mut canvas, line)?;
        }
        self.names(&mut canvas)?;
        canvas.area.present().map_err(refused)
    }

    fn grid(&self, canvas: &mut Canvas<'_>) -> Result<(), ChartError> {
        let (left, right) = (
            self.at((self.x.from, self.y.from)),
            self.at((self.x.to, self.y.from)),
        );
        for (value, mark) in self.y.ticks.iter().filter(|(value, _)| self.y.shows(*value)) {
            let (_, y) = self.at((self.x.from, *value));
            canvas.path(vec![(left.0, y), (right.0, y)], GRID.mix(0.35).stroke_width(1))?;
            canvas.text(mark, (LEFT - 8.0, y), Style::small(), HPos::Right)?;
        }
        canvas.path(vec![left, right], GRID.stroke_width(1))?;
        for (value, mark) in self.x.ticks.iter().filter(|(value, _)| self.x.shows(*value)) {
            let (x, y) = self.at((*value, self.y.from));
            canvas.path(vec![(x, y), (x, y + 5.0)], GRID.stroke_width(1))?;
            canvas.text(mark, (x, y + 16.0), Style::small(), HPos::Center)?;
        }
        Ok(())
    }

    fn line(&self, canvas: &mut Canvas<'_>, line: &Line) -> Result<(), ChartError> {
        let points: Vec<(f64, f64)> = line.points.iter().map(|point| self.at(*point)).collect();
        let style = line.colour.stroke_width(2);
        if line.dashed {
            dashes(&points)
                .into_iter()
                .try_for_each(|dash| canvas.path(dash, style))?;
        } else {
            canvas.path(points.clone(), style)?;
        }
        if line.dots {
            points
                .iter()
                .try_for_each(|point| canvas.dot(*point, line.colour))?;
        }
        Ok(())
    }

    /// The names of all lines at their ends, moved apart where they would touch.
    fn names(&self, canvas: &mut Canvas<'_>) -> Result<(), ChartError> {
        let mut names: Vec<Name<'_>> = self
            .lines
            .iter()
            .filter_map(|line| Some(Name::at(self.at(*line.points.last()?), line)))
            .collect();
        names.sort_by(|one, other| {
            (one.y, one.x)
                .partial_cmp(&(other.y, other.x))
                .unwrap_or(Ordering::Equal)
        });
        move_apart(&mut names, f64::from(HEIGHT) - BOTTOM);
        for Name { x, y, line } in names {
            let style = Style {
                size: 13,
                colour: line.colour,
            };
            canvas.text(&line.name, (x + 9.0, y), style, HPos::Left)?;
        }
        Ok(())
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let width = f64::from(WIDTH) - LEFT - RIGHT;
        let height = f64::from(HEIGHT) - TOP - BOTTOM;
        (
            LEFT + self.x.place(x) * width,
            TOP + (1.0 - self.y.place(y)) * height,
        )
    }
}

/// Where the name of a line stands.
#[derive(Clone, Copy)]
struct Name<'a> {
    x: f64,
    y: f64,
    line: &'a Line,
}

impl<'a> Name<'a> {
    fn at((x, y): (f64, f64), line: &'a Line) -> Self {
        // A line that ends at the upper edge is named above it, where no line of the grid runs through its name.
        let y = if y < TOP + 4.0 { TOP - 10.0 } else { y };
        Self { x, y, line }
    }

    /// Whether it would stand over or under another one.
    fn is_beside(&self, other: &Self) -> bool {
        (self.x - other.x).abs() < NAME_WIDTH
    }
}

/// Moves names down until none touches another, and up again where they left the plot. Names of lines that end beside one
/// another stand in one column, right of all of them. `names` are in the order of their y.
fn move_apart(names: &mut [Name<'_>], bottom: f64) {
    for place in 1..names.len() {
        let (above, rest) = names.split_at_mut(place);
        let Some(name) = rest.first_mut() else { continue };
        for other in above.iter_mut().rev() {
            if name.is_beside(other) && name.y < other.y + NAME_GAP {
                name.y = other.y + NAME_GAP;
                name.x = name.x.max(other.x);
                other.x = name.x;
            }
        }
    }
    let mut ceiling: Vec<Name<'_>> = Vec::new();
    for name in names.iter_mut().rev() {
        let below = ceiling.iter().filter(|other| name.is_beside(other));
        let free = below.map(|other| other.y - NAME_GAP).fold(bottom, f64::min);
        name.y = name.y.min(free);
        ceiling.push(*name);
    }
}

/// Cuts a line into dashes of 7 pixels with gaps of 5.
fn dashes(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    const DASH: f64 = 7.0;
    const PERIOD: f64 = 12.0;
    let (mut dashes, mut walked) = (Vec::new(), 0.0);
    for pair in points.windows(2) {
        let [from, to] = pair else { continue };
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let along = |way: f64| {
            let part = (way / length).clamp(0.0, 1.0);
            (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part)
        };
        let mut start = -(walked % PERIOD);
        while start < length {
            if start + DASH > 0.0 {
                dashes.push(vec![along(start), along(start + DASH)]);
            }
            start += PERIOD;
        }
        walked += length;
    }
    dashes
}

#[derive(Clone, Copy)]
struct Style {
    size: i32,
    colour: RGBColor,
}

impl Style {
    fn title() -> Self {
        Self {
            size: 19,
            colour: INK,
        }
    }

    fn small() -> Self {
        Self {
            size: 13,
            colour: INK,
        }
    }
}

struct Canvas<'a> {
    area: plotters::drawing::DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
}

impl Canvas<'_> {
    fn text(&mut self, text: &str, at: (f64, f64), style: Style, anchor: HPos) -> Result<(), ChartError> {
        let font = ("sans-serif", style.size).into_font();
        let style = TextStyle::from(font)
            .color(&style.colour)
            .pos(Pos::new(anchor, VPos::Center));
        self.area
            .draw(&Text::new(text.to_owned(), pixel(at), style))
            .map_err(refused)
    }

    fn path(&mut self, points: Vec<(f64, f64)>, style: ShapeStyle) -> Result<(), ChartError> {
        let points: Vec<(i32, i32)> = points.into_iter().map(pixel).collect();
        self.area.draw(&PathElement::new(points, style)).map_err(refused)
    }

    fn dot(&mut self, at: (f64, f64), colour: RGBColor) -> Result<(), ChartError> {
        self.area
            .draw(&Circle::new(pixel(at), 4, colour.filled()))
            .map_err(refused)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "places of pixels; the conversion saturates"
)]
fn pixel((x, y): (f64, f64)) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

fn refused(error: impl std::fmt::Display) -> ChartError {
    ChartError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale, from: f64, to: f64) -> Axis {
        Axis {
            label: "bytes (B)".into(),
            scale,
            from,
            to,
            ticks: vec![(from, "low".into()), (to, "high".into())],
        }
    }

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        let line = |name: &str, dashed| Line {
            name: name.into(),
            colour: COLOURS[0],
            dashed,
            dots: true,
            points: points.clone(),
        };
        Chart {
            title: "A title".into(),
            subtitle: "What was measured".into(),
            x: axis(Scale::Log, 1.0, 100.0),
            y: axis(Scale::Linear, 0.0, 10.0),
            lines: vec![line("one", false), line("other", true)],
        }
    }

    #[test]
    fn a_chart_names_its_lines_and_its_axes() {
        let svg = chart(vec![(1.0, 0.0), (10.0, 5.0), (100.0, 10.0)]).svg().unwrap();
        for text in [
            "A title",
            "What was measured",
            "bytes (B)",
            "low",
            "high",
            "one",
            "other",
        ] {
            assert!(svg.contains(text), "{text} is missing");
        }
        assert!(
            svg.starts_with("<svg")
                && svg.trim_end().ends_with("</svg>")
                && svg.contains("prefers-color-scheme")
        );
    }

    #[test]
    fn points_lie_where_the_scales_put_them_and_names_do_not_touch() {
        let chart = chart(vec![(1.0, 0.0), (10.0, 5.0), (100.0, 10.0)]);
        let (low, middle, high) = (
            chart.at((1.0, 0.0)),
            chart.at((10.0, 5.0)),
            chart.at((100.0, 10.0)),
        );
        assert_eq!(low, (LEFT, f64::from(HEIGHT) - BOTTOM));
        assert_eq!(high, (f64::from(WIDTH) - RIGHT, TOP));
        assert!((middle.0 - (low.0 + high.0) / 2.0).abs() < 1e-6);
        assert!((middle.1 - (low.1 + high.1) / 2.0).abs() < 1e-6);
    }

    #[test]
    fn names_that_would_touch_are_moved_apart() {
        let line = chart(vec![(1.0, 0.0)]).lines.remove(0);
        let mut names = [
            (100.0, 200.0),
            (130.0, 204.0),
            (600.0, 205.0),
            (120.0, 450.0),
            (110.0, 455.0),
        ]
        .map(|(x, y)| Name { x, y, line: &line });
        move_apart(&mut names, 460.0);
        let places = names.map(|name| (name.x, name.y));
        // Beside each other: in one column. Far away: where it was. At the lower edge: moved up.
        assert_eq!(places[..3], [(130.0, 200.0), (130.0, 217.0), (600.0, 205.0)]);
        assert_eq!(places[3..], [(120.0, 443.0), (120.0, 460.0)]);
    }

    #[test]
    fn what_is_no_number_is_not_drawn() {
        assert!(chart(vec![(1.0, f64::NAN)]).svg().is_err());
    }

    #[test]
    fn dashes_cover_a_line_with_gaps() {
        let dashes = dashes(&[(0.0, 0.0), (60.0, 0.0), (120.0, 0.0)]);
        assert_eq!(dashes.len(), 10);
        assert!(dashes.iter().all(|dash| dash[1].0 - dash[0].0 <= 7.0 + 1e-9));
    }
}
