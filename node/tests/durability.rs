//! Every example in `docs/durability.md` is run, and must print what stands there.

use std::path::Path;
use std::process::Command;

/// Commands and what the document says they print.
fn examples(document: &str) -> Vec<(String, String)> {
    let mut examples: Vec<(String, String)> = Vec::new();
    for block in document.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines() {
            match (line.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) => examples.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => {
                    output.push_str(line);
                    output.push('\n');
                }
                (None, None) => unreachable!("output without a command: {line}"),
            }
        }
    }
    examples
}

#[test]
fn the_examples_print_what_the_document_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/durability.md");
    let document = std::fs::read_to_string(path).unwrap();
    let examples = examples(&document);
    assert!(examples.len() >= 4, "only {} examples were found", examples.len());
    for (command, expected) in examples {
        let mut words = command.split_whitespace();
        assert_eq!(words.next(), Some("salus"), "{command}");
        let output = Command::new(env!("CARGO_BIN_EXE_salus"))
            .args(words)
            .output()
            .unwrap();
        let (text, errors) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{command}: {errors}");
        assert_eq!(text, expected, "{command}");
    }
}
