//! Modules that attack the host, from `contracts-wasm/hostile`: each is refused with its code, or ends in the same
//! bounded outcome on every engine. How the files are written is told in the folder's `README.md`.

use super::*;
use crate::{TrapCode, limit};
use std::path::PathBuf;

/// At least so many there are; fewer means that the folder was not found as it should be.
const FILES_MIN: usize = 120;

/// One module and what its header promises.
struct Attack {
    name: String,
    tied_to: String,
    expect: String,
    entry_point: EntryPoint,
    gas_limit: u64,
    wasm: Vec<u8>,
}

impl Attack {
    fn read(path: &PathBuf) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let header = |key: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(&format!(";; {key}: ")));
            line.map(str::to_owned)
        };
        let entry = format!(
            "salus_{}",
            header("entry").unwrap_or_else(|| "execute".to_owned())
        );
        let wasm = wat::parse_str(expand(&text)).unwrap_or_else(|error| unreachable!("{name}: {error}"));
        Self {
            tied_to: header("tied to").unwrap_or_default(),
            expect: header("expect").unwrap_or_default(),
            entry_point: EntryPoint::ALL
                .into_iter()
                .find(|at| at.export() == entry)
                .unwrap(),
            gas_limit: header("gas").map_or(GAS, |gas| gas.parse().unwrap()),
            name,
            wasm,
        }
    }

    /// Admits and runs on a fresh host, where the contract stands under its own number; the outcome, in the words of
    /// the header, and what it cost.
    fn outcome(&self, engine: &Engine) -> (String, u64) {
        let module = match engine.admit(&self.wasm) {
            Ok(module) => module,
            Err(error) => return (format!("refused {} {error}", error.code()), 0),
        };
        let mut host = MemoryHost::default();
        host.contracts.insert(SELF.get(), module.clone());
        let invocation = invocation(self.entry_point, b"input", self.gas_limit);
        let outcome = engine.run(&module, invocation, &mut host).unwrap();
        assert!(outcome.gas_used <= self.gas_limit, "{}", self.name);
        let ending = match outcome.result {
            Ok(output) if output.len() > 32 => format!("returned {} bytes", output.len()),
            Ok(output) => format!("returned {}", hex(&output)),
            Err(Failure::OutOfGas) => "out of gas".to_owned(),
            Err(Failure::Trapped(code)) => format!("trapped {code:?}"),
            Err(Failure::Aborted(code)) => format!("aborted {code}"),
        };
        (ending, outcome.gas_used)
    }

    /// Whether an outcome is what the header promises: refusals also contain the words after the code.
    fn promises(&self, outcome: &str) -> bool {
        let mut words = self.expect.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("refused"), Some(code), reason) => {
                outcome.starts_with(&format!("refused {code} "))
                    && outcome.contains(reason.unwrap_or_default())
            }
            _ => outcome.trim_end() == self.expect,
        }
    }
}

/// Writes out the lines `;;*N text`, which stand for N copies of the text: `{i}` in it is the number of the copy, from 0,
/// and `{M:word}` M copies of the word.
fn expand(text: &str) -> String {
    let mut expanded = String::new();
    for line in text.lines() {
        let Some((count, copied)) = line.strip_prefix(";;*").and_then(|rest| rest.split_once(' ')) else {
            expanded.extend([line, "\n"]);
            continue;
        };
        let copied = match copied.split_once('{').and_then(|(before, rest)| {
            let (inner, after) = rest.split_once('}')?;
            let (count, word) = inner.split_once(':')?;
            Some([before, &word.repeat(count.parse().unwrap()), after].concat())
        }) {
            Some(repeated) => repeated,
            None => copied.to_owned(),
        };
        for i in 0..count.parse::<usize>().unwrap() {
            expanded.extend([&copied.replace("{i}", &i.to_string()), "\n"]);
        }
    }
    expanded
}

fn attacks() -> Vec<Attack> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts-wasm/hostile");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wat"))
        .collect();
    paths.sort();
    assert!(paths.len() >= FILES_MIN, "{}", paths.len());
    paths.iter().map(Attack::read).collect()
}

#[test]
fn every_attack_ends_as_promised_on_every_engine() {
    let mut broken = Vec::new();
    for attack in attacks() {
        let outcome = attack.outcome(&ENGINE);
        if !attack.promises(&outcome.0) {
            broken.push(format!(
                "{}: {} instead of {}",
                attack.name, outcome.0, attack.expect
            ));
        }
        for engine in [&ENGINE, &UNOPTIMISED, &INTERPRETED] {
            assert_eq!(
                attack.outcome(engine),
                outcome,
                "{} on another engine",
                attack.name
            );
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_attack_says_what_it_is_tied_to() {
    for attack in attacks() {
        assert!(!attack.tied_to.is_empty(), "{}", attack.name);
        assert!(!attack.expect.is_empty(), "{}", attack.name);
    }
}

#[test]
fn every_code_of_a_refusal_and_of_a_trap_is_met() {
    let attacks = attacks();
    let met = |expect: &str| attacks.iter().any(|attack| attack.expect.starts_with(expect));
    // A030 is the compiler's veto, which nothing known to us provokes.
    for code in AdmissionError::CODES.iter().filter(|code| **code != "A030") {
        assert!(met(&format!("refused {code}")), "{code}");
    }
    for code in TrapCode::ALL {
        // These two end a run before it begins, whatever the module is.
        if !matches!(code, TrapCode::NoEntryPoint | TrapCode::InputTooLong) {
            assert!(met(&format!("trapped {code:?}")), "{code:?}");
        }
    }
}

#[test]
fn every_limit_is_attacked() {
    let attacks = attacks();
    for (name, _) in limit::TABLE {
        let attacked = attacks.iter().any(|attack| {
            let mut words = attack
                .tied_to
                .split(|at: char| at != '_' && !at.is_ascii_alphanumeric());
            words.any(|word| word == *name)
        });
        assert!(attacked, "{name}");
    }
}
