//! Chores of the project:
//!
//! - `cargo run -p xtask -- check-demo < LAST-LINE-OF-THE-DEMO` checks the demo's summary;
//! - `cargo run -p xtask -- mutants [PACKAGE]...` tells how much the contracts' tests notice ([`mutants`]);
//! - `cargo run -p xtask -- picture < TEXT > PICTURE.svg` draws what a terminal showed;
//! - `cargo run -p xtask -- tutorial DOCUMENT FOLDER` runs every command that a document shows, in an empty folder.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

mod mutants;
mod tutorial;

use serde_json::Value;
use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("check-demo") => check_demo(),
        Some("mutants") => mutants::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        Some("picture") => picture(),
        Some("tutorial") => match std::env::args().skip(2).collect::<Vec<_>>().as_slice() {
            [document, folder] => tutorial::run(document.as_ref(), folder.as_ref()),
            _ => Err("usage: xtask tutorial DOCUMENT FOLDER".into()),
        },
        _ => Err("usage: xtask check-demo < JSON, xtask mutants [PACKAGE]..., xtask picture < TEXT, or xtask tutorial DOCUMENT FOLDER".into()),
    };
    match outcome {
        Ok(message) => {
            println!("{message}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The demo's summary must be complete and show what the demo claims.
fn check_demo() -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    let summary: Value =
        serde_json::from_str(text.trim()).map_err(|error| format!("not a JSON line: {error}"))?;
    let number = |name: &str| {
        summary
            .get(name)
            .and_then(Value::as_f64)
            .ok_or_else(|| format!("`{name}` is missing or not a number"))
    };
    let at_least = |name: &str, least: f64| match number(name)? {
        value if value >= least => Ok(()),
        value => Err(format!("`{name}` is {value}, expected at least {least}")),
    };
    let yes = |name: &str| match summary.get(name) {
        Some(Value::Bool(true)) => Ok(()),
        other => Err(format!("`{name}` is {other:?}, expected true")),
    };
    at_least("validators", 4.0)?;
    at_least("k", 2.0)?;
    for name in [
        "height",
        "records",
        "permits",
        "denials",
        "penalties",
        "blocks_opened",
        "blocks_opened_one_down",
    ] {
        at_least(name, 1.0)?;
    }
    yes("caught_up")?;
    yes("repaired")?;
    at_least("bytes_per_node", 1.0)?;
    at_least("bytes_full_replication", 1.0)?;
    at_least("seconds", 0.0)?;
    if number("canaries_found")? != 0.0 {
        return Err("canaries were found at rest".into());
    }
    Ok("the demo's summary is complete and as it should be".into())
}

/// A terminal's text as an SVG picture: dark, monospaced, checks in green.
fn picture() -> Result<String, String> {
    const LINE: usize = 19;
    const COLUMNS: usize = 112;
    let text = std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())?;
    let lines: Vec<String> = text.trim().lines().flat_map(|line| wrap(line, COLUMNS)).collect();
    let (width, height) = (COLUMNS * 8 + 40, lines.len() * LINE + 40);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#14191f\"/>\n\
         <g font-family=\"ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace\" font-size=\"13\" xml:space=\"preserve\">\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let y = 30 + number * LINE;
        let colour = match line {
            line if line.starts_with("  ok") => "#9fd8a4",
            line if line.starts_with(' ') => "#aeb8c4",
            _ => "#ffffff",
        };
        let escaped = line
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        svg.push_str(&format!(
            "<text x=\"20\" y=\"{y}\" fill=\"{colour}\">{escaped}</text>\n"
        ));
    }
    svg.push_str("</g>\n</svg>");
    Ok(svg)
}

/// Breaks a long line at spaces; what follows is indented like the text of the first.
fn wrap(line: &str, columns: usize) -> Vec<String> {
    let (mut rows, mut row) = (Vec::new(), String::new());
    for word in line.split_inclusive(' ') {
        if row.chars().count() + word.trim_end().chars().count() > columns {
            rows.push(std::mem::take(&mut row));
            row.push_str("      ");
        }
        row.push_str(word);
    }
    rows.push(row);
    rows
}
