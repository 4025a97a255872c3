//! Golden vectors: modules, inputs and what came of them, in `runtime/tests/corpus`, replayed on every engine.
//!
//! A file has one block a module, in lines of a letter and text:
//!
//! ```text
//! d (func ...) ...                       definitions; `IMPORTS` stands before them
//! b local.get 0 ...                      the body of all entry points, as `contract` takes it
//! r execute 1000000 00ff => ok:6b65 1234 3f0a...
//! |         |       |       |       |    first 16 bytes of BLAKE3 over the state and the events that are left
//! |         |       |       |       gas used
//! |         |       |       output, or how it failed
//! |         |       input; `-` when empty
//! entry     gas limit
//! ```
//!
//! `written.txt` is written by hand up to the `=>`; `generated.txt` comes from [`generator`] with [`SEED`]. With
//! `UPDATE_EXPECT=1` both are written anew: to be done only when gas or meaning was changed on purpose.

mod generator;

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

const SEED: u64 = 0x5a1;
const MODULES: usize = 110;

const IMPORTS: [(&str, &str); 13] = [
    ("state_get", "(param i32 i32 i32 i32) (result i32)"),
    ("state_set", "(param i32 i32 i32 i32)"),
    ("state_del", "(param i32 i32)"),
    ("state_scan", "(param i32 i32 i32 i32 i32 i32) (result i32)"),
    ("caller", "(result i32)"),
    ("height", "(result i64)"),
    ("time_ms", "(result i64)"),
    ("has_role", "(param i32 i32) (result i32)"),
    ("attribute", "(param i32 i32 i32 i32) (result i32)"),
    ("event_emit", "(param i32 i32)"),
    ("abort", "(param i32)"),
    ("call_read", "(param i32 i32 i32 i32 i32 i32) (result i32)"),
    ("blake3", "(param i32 i32 i32)"),
];

/// A module and its runs.
struct Case {
    definitions: String,
    body: String,
    runs: Vec<Call>,
}

/// What a module is asked.
struct Call {
    entry_point: EntryPoint,
    gas_limit: u64,
    input: Vec<u8>,
}

impl Case {
    fn wasm(&self) -> Vec<u8> {
        let imports: String = IMPORTS.iter().map(|(name, ty)| import(name, ty)).collect();
        contract(&format!("{imports} {}", self.definitions), &self.body)
    }

    /// The block of this case in a file, with what an engine makes of it.
    fn block(&self, engine: &Engine) -> String {
        let module = engine.admit(&self.wasm()).unwrap();
        let mut block = format!("d {}\nb {}\n", self.definitions, self.body);
        for call in &self.runs {
            let outcome = call.outcome(engine, &module);
            writeln!(block, "r {call} => {outcome}").unwrap();
        }
        block
    }
}

impl Call {
    /// Runs on a host of its own, and says what came of it in the words of the files.
    fn outcome(&self, engine: &Engine, module: &Module) -> String {
        let mut host = world(module);
        let before = host.state.clone();
        let invocation = invocation(self.entry_point, &self.input, self.gas_limit);
        let outcome = engine.run(module, invocation, &mut host).unwrap();
        let state = if outcome.result.is_ok() {
            &host.state
        } else {
            &before
        };
        let digest = digest(state, &outcome.events);
        let result = match outcome.result {
            Ok(output) => format!("ok:{}", hex(&output)),
            Err(Failure::OutOfGas) => "gas".to_owned(),
            Err(Failure::Trapped(code)) => format!("trap:{code:?}"),
            Err(Failure::Aborted(code)) => format!("abort:{code}"),
        };
        format!("{result} {} {digest}", outcome.gas_used)
    }

    /// Reads `entry gas input`.
    fn parse(text: &str) -> Option<Self> {
        let [entry, gas_limit, input] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let export = format!("salus_{entry}");
        Some(Self {
            entry_point: EntryPoint::ALL.into_iter().find(|at| at.export() == export)?,
            gas_limit: gas_limit.parse().ok()?,
            input: if input == "-" { Vec::new() } else { unhex(input)? },
        })
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entry = self.entry_point.export().trim_start_matches("salus_");
        let input = match self.input.as_slice() {
            [] => "-".to_owned(),
            bytes => hex(bytes),
        };
        write!(f, "{entry} {} {input}", self.gas_limit)
    }
}

/// The chain that all vectors run on: the caller is a doctor, three entries are in the contract's state, and the contract
/// can ask itself.
fn world(module: &Module) -> MemoryHost {
    let mut host = MemoryHost::default();
    let doctor = principal(Role::Doctor, 3, Status::Active);
    host.principals.insert(CALLER.get(), doctor);
    for key in [&b"\0"[..], b"\x07", b"\x07\x01"] {
        host.state
            .insert((SELF.get(), key.to_vec()), [key, b" is here"].concat());
    }
    host.contracts.insert(SELF.get(), module.clone());
    host
}

/// BLAKE3 over every entry and event, each with its lengths as 32-bit numbers.
fn digest(state: &BTreeMap<(u32, Vec<u8>), Vec<u8>>, events: &[Vec<u8>]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
        hasher.update(bytes);
    };
    for ((contract, key), value) in state {
        part(&contract.to_be_bytes());
        part(key);
        part(value);
    }
    part(b"events");
    for event in events {
        part(event);
    }
    hex(&hasher.finalize().as_bytes()[..16])
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "corpus", file]
        .iter()
        .collect()
}

fn read(file: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let text = std::fs::read_to_string(path(file)).unwrap();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (letter, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (letter, cases.last_mut()) {
            ("d", _) => cases.push(Case {
                definitions: rest.to_owned(),
                body: String::new(),
                runs: Vec::new(),
            }),
            ("b", Some(case)) => rest.clone_into(&mut case.body),
            ("r", Some(case)) => {
                let asked = rest.split(" =>").next().unwrap_or(rest);
                case.runs.push(Call::parse(asked).unwrap());
            }
            _ => unreachable!("{line}"),
        }
    }
    cases
}

/// Runs all cases on an engine and compares with the file, or writes it.
fn replay(file: &str, cases: &[Case], engine: &Engine) {
    let blocks: Vec<String> = cases.iter().map(|case| case.block(engine)).collect();
    let text = blocks.join("\n");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path(file), &text).unwrap();
    }
    let expected = std::fs::read_to_string(path(file)).unwrap();
    for (line, expected) in text.lines().zip(expected.lines()) {
        assert_eq!(line, expected, "{file}");
    }
    assert_eq!(text.len(), expected.len(), "{file}");
}

#[test]
fn generated_vectors_are_those_of_the_seed() {
    replay("generated.txt", &generator::cases(SEED, MODULES), &ENGINE);
}

#[test]
fn written_vectors_hold_when_compiled() {
    replay("written.txt", &read("written.txt"), &ENGINE);
}

#[test]
fn all_vectors_hold_without_optimisation() {
    for file in ["generated.txt", "written.txt"] {
        replay(file, &read(file), &UNOPTIMISED);
    }
}

#[test]
fn all_vectors_hold_when_interpreted() {
    for file in ["generated.txt", "written.txt"] {
        replay(file, &read(file), &INTERPRETED);
    }
}

#[test]
fn all_vectors_hold_with_code_that_was_kept() {
    let store = cache::MemoryStore::default();
    for _ in ["compiled", "kept"] {
        let engine = store.engine(1, Effort::Speed);
        replay("written.txt", &read("written.txt"), &engine);
    }
    let modules = read("written.txt")
        .iter()
        .map(Case::wasm)
        .collect::<BTreeSet<_>>();
    assert_eq!(store.saved(), modules.len());
}

/// A corpus in which everything traps at once would prove little.
#[test]
fn vectors_are_many_and_end_in_many_ways() {
    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    for file in ["generated.txt", "written.txt"] {
        let text = std::fs::read_to_string(path(file)).unwrap();
        for (_, outcome) in text.lines().filter_map(|line| line.split_once(" => ")) {
            let ending = outcome.split_whitespace().next().unwrap();
            let kind = ending.strip_prefix("ok:").map_or(ending, |_| "ok");
            *endings.entry(kind.to_owned()).or_default() += 1;
        }
    }
    let total: usize = endings.values().sum();
    assert!(total >= 500, "{endings:?}");
    assert!(endings["ok"] >= total / 3, "{endings:?}");
    assert!(endings["gas"] >= 20, "{endings:?}");
    assert!(endings.len() >= 10, "{endings:?}");
}
