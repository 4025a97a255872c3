//! The gas table in `docs/contracts.md` is the one that is charged. `UPDATE_EXPECT=1` writes it anew.

use crate::gas::{self, HOST_CALLS, HostCost, OPERATORS, VARIABLE_COSTS};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

const BEGIN: &str = "<!-- the gas table, written by a test -->\n";
const END: &str = "<!-- end of the gas table -->\n";

/// `I32Load8S` as it is written in a module: `i32.load8_s`.
fn instruction(name: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        match words.last_mut() {
            Some(word) if !letter.is_ascii_uppercase() => word.push(letter),
            _ => words.push(letter.to_ascii_lowercase().to_string()),
        }
    }
    let (first, rest) = words.split_first().unwrap();
    match first.as_str() {
        "i32" | "i64" | "local" | "global" | "memory" | "table" | "data" | "elem" => {
            format!("{first}.{}", rest.join("_"))
        }
        _ => words.join("_"),
    }
}

fn rendered() -> String {
    let mut by_cost: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for (name, cost) in OPERATORS {
        by_cost
            .entry(*cost)
            .or_default()
            .push(format!("`{}`", instruction(name)));
    }
    let mut text = String::from("\n| gas | instructions |\n| ---: | --- |\n");
    for (cost, names) in by_cost {
        writeln!(text, "| {cost} | {} |", names.join(", ")).unwrap();
    }
    text.push_str("\n| gas | for each |\n| ---: | --- |\n| 1 | entry of a function |\n");
    for (name, cost) in VARIABLE_COSTS {
        let (of, unit) = name.split_once("_per_").unwrap();
        writeln!(text, "| {cost} | {unit} of `{}` |", of.replacen('_', ".", 1)).unwrap();
    }
    text.push_str("\n| what | gas | and for each byte |\n| --- | ---: | ---: |\n");
    let fixed = [
        ("making an instance", gas::INSTANTIATE),
        ("input and output", gas::MESSAGE),
    ];
    let calls = HOST_CALLS.iter().map(|(name, cost)| (format!("`{name}`"), *cost));
    for (what, HostCost { base, per_byte }) in fixed
        .map(|(what, cost)| (what.to_owned(), cost))
        .into_iter()
        .chain(calls)
    {
        writeln!(text, "| {what} | {base} | {per_byte} |").unwrap();
    }
    text.push('\n');
    text
}

#[test]
fn the_documented_gas_table_is_the_true_one() {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "docs", "contracts.md"]
        .iter()
        .collect();
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let expected = rendered();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let text = [before, BEGIN, &expected, END, after].concat();
        std::fs::write(path, text).unwrap();
    } else {
        assert_eq!(table, expected, "UPDATE_EXPECT=1 writes it");
    }
}

#[test]
fn instructions_are_named_as_authors_know_them() {
    let names = ["I32Load8S", "I64ExtendI32U", "LocalGet", "BrIf", "MemoryCopy"];
    let expected = [
        "i32.load8_s",
        "i64.extend_i32_u",
        "local.get",
        "br_if",
        "memory.copy",
    ];
    assert_eq!(names.map(instruction), expected);
}
