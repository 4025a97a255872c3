//! Runs a tutorial: every command that it shows, in an empty folder, and compares what it says with what is shown.
//!
//! ````text
//! ```console          a block of a session: blocks of one document run one after the other, in one folder
//! $ salus contract build .
//! size       6.77 KiB
//! ...                 anything in between
//! ```
//! ````
//!
//! A line after a command must stand in the command's output, after the line shown before it. In it, `…` stands for
//! anything. A command that fails ends the run, unless its block is marked `console fails`.

use std::path::Path;
use std::process::Command;

/// A command with what is shown of its output.
#[derive(Debug, Default, PartialEq, Eq)]
struct Step {
    command: String,
    shown: Vec<String>,
    fails: bool,
}

/// Runs the tutorial in `document` within `folder`, which is empty.
pub(crate) fn run(document: &Path, folder: &Path) -> Result<String, String> {
    let text =
        std::fs::read_to_string(document).map_err(|error| format!("{}: {error}", document.display()))?;
    let steps = steps(&text);
    if steps.is_empty() {
        return Err(format!("{} shows no command", document.display()));
    }
    let mut place = folder.to_owned();
    for step in &steps {
        // A command that changes the folder changes it for those that follow.
        if let Some(into) = step.command.strip_prefix("cd ") {
            place = place.join(into);
            continue;
        }
        let output = Command::new("bash")
            .args(["-c", &step.command])
            .current_dir(&place)
            .output()
            .map_err(|error| format!("bash can't be started: {error}"))?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let [stdout, stderr] = &said;
        if output.status.success() == step.fails {
            return Err(format!(
                "`{}` ends with {}:\n{stdout}\n{stderr}",
                step.command, output.status
            ));
        }
        let all = format!("{stdout}\n{stderr}");
        if let Some(line) = missing(&step.shown, &all) {
            return Err(format!("`{}` doesn't say `{line}`, but:\n{all}", step.command));
        }
    }
    Ok(format!(
        "{} commands of {} do what it shows",
        steps.len(),
        document.display()
    ))
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block: Option<&str> = None;
    for line in text.lines() {
        match (block, line.strip_prefix("```")) {
            (None, Some(kind)) => block = Some(kind),
            (Some(_), Some(_)) => block = None,
            (Some(kind @ ("console" | "console fails")), None) => {
                let fails = kind.ends_with("fails");
                match (line.strip_prefix("$ "), steps.last_mut()) {
                    (Some(command), _) => steps.push(Step {
                        command: command.to_owned(),
                        shown: Vec::new(),
                        fails,
                    }),
                    (None, Some(step)) => step.shown.push(line.to_owned()),
                    (None, None) => {}
                }
            }
            _ => {}
        }
    }
    steps
}

/// The first shown line that the output doesn't have, in its place.
fn missing<'a>(shown: &'a [String], output: &str) -> Option<&'a str> {
    let mut lines = output.lines();
    let shown = shown
        .iter()
        .filter(|line| line.trim() != "..." && !line.trim().is_empty());
    shown
        .map(String::as_str)
        .find(|line| !lines.by_ref().any(|said| fits(line.trim(), said.trim())))
}

/// Whether a line is the shown one, in which `…` stands for anything.
fn fits(shown: &str, said: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = said.strip_prefix(first) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = true;
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    open || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_what_they_say_are_found() {
        let text =
            "```sh\nnot this\n```\n```console\n$ one\nsaid\n$ two\n```\n```console fails\n$ three\n```\n";
        let step = |command: &str, shown: &[&str], fails| Step {
            command: command.to_owned(),
            shown: shown.iter().map(|line| (*line).to_owned()).collect(),
            fails,
        };
        let expected = [
            step("one", &["said"], false),
            step("two", &[], false),
            step("three", &[], true),
        ];
        assert_eq!(steps(text), expected);
    }

    #[test]
    fn shown_lines_come_in_their_order() {
        let shown = ["size  … KiB", "...", "last"].map(str::to_owned);
        assert_eq!(missing(&shown, "first\nsize  6.7 KiB\nmore\nlast\n"), None);
        assert_eq!(missing(&shown, "last\nsize  6.7 KiB\n"), Some("last"));
        assert!(fits("a…c", "abc") && !fits("a…c", "ab") && !fits("a", "ab"));
    }
}
