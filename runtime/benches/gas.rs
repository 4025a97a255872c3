//! What a microsecond buys: gas per microsecond of each class of instructions and of each host call, on this machine.
//!
//! ```text
//! cargo bench -p salus-runtime --bench gas
//! ```
//!
//! Each line is one operation, repeated in a loop; an empty run is taken off, and the best of many tries counts, which a
//! loaded machine disturbs least. The more gas a microsecond costs, the dearer the operation is; one that costs little gas a
//! microsecond is what an attacker would use. The spread is dearest over cheapest, and should be 3 at most. Three groups are
//! printed but stay out of it: calls that read or write state, whose prices are for a disk while state is in memory here;
//! bulk operations, which cannot cost less than a unit a byte and so are too dear, which harms nobody; and
//! what no table of instructions can see: loads that miss the caches, and first touches of pages, which the kernel zeroes.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and stops when something is wrong"
)]

use salus_abi::registry::{Principal, Role, Status};
use salus_abi::{ContractId, MemberId, PrincipalId};
use salus_runtime::{Context, Engine, EngineConfig, Entry, EntryPoint, Host, HostFault, Invocation, Module};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const TRIES: usize = 40;
const SPREAD_MAX: f64 = 3.0;
const GAS: u64 = 1 << 40;
/// Copies of the operation in the loop's body.
const UNROLLED: usize = 32;

/// One operation: a name, the imports and definitions it needs, its text, and how often the loop goes round.
struct Operation {
    name: &'static str,
    definitions: &'static str,
    text: &'static str,
    rounds: u32,
    /// Pages of memory.
    pages: u32,
    /// Whether it counts for the spread.
    counts: bool,
}

const fn instruction(name: &'static str, text: &'static str) -> Operation {
    Operation {
        name,
        definitions: "(func $f) (func $g (param i64) (result i64) (local.get 0)) (type $t (func)) (table 1 1 funcref) (elem (i32.const 0) $f) (global $v (mut i64) (i64.const 5))",
        text,
        rounds: 2_000,
        pages: 1,
        counts: true,
    }
}

const fn bulk(name: &'static str, text: &'static str) -> Operation {
    let mut operation = instruction(name, text);
    operation.counts = false;
    operation
}

/// Over all the memory that a contract can have.
const fn wide(name: &'static str, text: &'static str, rounds: u32) -> Operation {
    let mut operation = bulk(name, text);
    operation.pages = 64;
    operation.rounds = rounds;
    operation
}

const fn host_call(
    name: &'static str,
    definitions: &'static str,
    text: &'static str,
    counts: bool,
) -> Operation {
    Operation {
        name,
        definitions,
        text,
        rounds: 20,
        pages: 1,
        counts,
    }
}

/// `$x` and `$y` are 64-bit locals that the loop carries, so that nothing can be left out; `$a` is a 32-bit one.
const OPERATIONS: [Operation; 31] = [
    instruction(
        "add",
        "(local.set $x (i64.add (local.get $x) (i64.xor (local.get $x) (local.get $y))))",
    ),
    instruction(
        "multiply",
        "(local.set $x (i64.mul (local.get $x) (i64.or (local.get $x) (local.get $y))))",
    ),
    instruction(
        "rotate",
        "(local.set $x (i64.rotl (local.get $x) (local.get $x)))",
    ),
    instruction(
        "count bits",
        "(local.set $x (i64.add (local.get $y) (i64.popcnt (local.get $x))))",
    ),
    instruction(
        "compare",
        "(local.set $x (i64.add (local.get $x) (i64.extend_i32_u (i64.lt_u (local.get $x) (local.get $y)))))",
    ),
    instruction(
        "select",
        "(local.set $x (select (local.get $y) (i64.add (local.get $x) (i64.const 1)) (i32.wrap_i64 (local.get $x))))",
    ),
    instruction(
        "divide i32",
        "(local.set $a (i32.add (i32.const 77777) (i32.div_u (i32.const -7) (local.get $a))))",
    ),
    instruction(
        "divide i64",
        "(local.set $x (i64.or (i64.const 99) (i64.rem_u (i64.const -7) (local.get $x))))",
    ),
    instruction(
        "load",
        "(local.set $x (i64.add (local.get $x) (i64.load (i32.and (i32.wrap_i64 (local.get $x)) (i32.const 0xfff)))))",
    ),
    instruction(
        "store",
        "(i64.store (i32.and (i32.wrap_i64 (local.tee $x (i64.add (i64.rotl (local.get $x) (i64.const 7)) (local.get $y)))) (i32.const 0xfff)) (local.get $x))",
    ),
    instruction(
        "global",
        "(global.set $v (i64.rotl (i64.add (global.get $v) (local.get $x)) (i64.const 3)))",
    ),
    instruction(
        "branch",
        "(block (br_if 0 (i32.and (i32.wrap_i64 (local.tee $x (i64.mul (local.get $x) (local.get $y)))) (i32.const 64))) (local.set $y (i64.add (local.get $y) (i64.const 2))))",
    ),
    instruction(
        "br_table",
        "(block (block (block (br_table 0 1 2 (i32.and (i32.wrap_i64 (local.get $x)) (i32.const 3))))) (local.set $x (i64.add (local.get $x) (local.get $y))))",
    ),
    instruction("call", "(local.set $x (call $g (local.get $x)))"),
    instruction("call_indirect", "(call_indirect (type $t) (i32.const 0))"),
    bulk(
        "memory.fill 1 KiB",
        "(memory.fill (i32.const 0) (i32.const 1) (i32.const 1024))",
    ),
    bulk(
        "memory.copy 1 KiB",
        "(memory.copy (i32.const 2048) (i32.const 0) (i32.const 1024))",
    ),
    wide(
        "load from 4 MiB",
        "(local.set $x (i64.add (i64.mul (local.get $x) (i64.const 0x5851f42d4c957f2d)) (i64.load (i32.and (i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 40))) (i32.const 0x3ffff8)))))",
        20_000,
    ),
    wide(
        "first touch of 4 KiB",
        "(i32.store (local.get $a) (local.get $a)) (local.set $a (i32.add (local.get $a) (i32.const 4096)))",
        31,
    ),
    host_call(
        "caller",
        r#"(import "salus0" "caller" (func $h (result i32)))"#,
        "(drop (call $h))",
        true,
    ),
    host_call(
        "chain_id",
        r#"(import "salus0" "chain_id" (func $h (param i32)))"#,
        "(call $h (i32.const 0))",
        true,
    ),
    host_call(
        "debug",
        r#"(import "salus0" "debug" (func $h (param i32 i32)))"#,
        "(call $h (i32.const 0) (i32.const 64))",
        true,
    ),
    host_call(
        "blake3 32 B",
        r#"(import "salus0" "blake3" (func $h (param i32 i32 i32)))"#,
        "(call $h (i32.const 0) (i32.const 32) (i32.const 0))",
        true,
    ),
    host_call(
        "blake3 16 KiB",
        r#"(import "salus0" "blake3" (func $h (param i32 i32 i32)))"#,
        "(call $h (i32.const 0) (i32.const 16384) (i32.const 0))",
        true,
    ),
    host_call(
        "ed25519_verify",
        r#"(import "salus0" "ed25519_verify" (func $h (param i32 i32 i32 i32) (result i32)))"#,
        "(drop (call $h (i32.const 4096) (i32.const 0) (i32.const 64) (i32.const 4128)))",
        true,
    ),
    host_call(
        "ed25519_verify 16 KiB",
        r#"(import "salus0" "ed25519_verify" (func $h (param i32 i32 i32 i32) (result i32)))"#,
        "(drop (call $h (i32.const 4096) (i32.const 8192) (i32.const 16384) (i32.const 4128)))",
        true,
    ),
    host_call(
        "has_role",
        r#"(import "salus0" "has_role" (func $h (param i32 i32) (result i32)))"#,
        "(drop (call $h (i32.const 42) (i32.const 1)))",
        false,
    ),
    host_call(
        "state_get 64 B",
        r#"(import "salus0" "state_get" (func $h (param i32 i32 i32 i32) (result i32)))"#,
        "(drop (call $h (i32.const 4096) (i32.const 8) (i32.const 0) (i32.const 64)))",
        false,
    ),
    host_call(
        "state_scan 64 B",
        r#"(import "salus0" "state_scan" (func $h (param i32 i32 i32 i32 i32 i32) (result i32)))"#,
        "(drop (call $h (i32.const 4096) (i32.const 0) (i32.const 4096) (i32.const 0) (i32.const 0) (i32.const 80)))",
        false,
    ),
    host_call(
        "state_set 64 B",
        r#"(import "salus0" "state_set" (func $h (param i32 i32 i32 i32)))"#,
        "(call $h (i32.const 4096) (i32.const 8) (i32.const 0) (i32.const 64))",
        false,
    ),
    host_call(
        "call_read",
        r#"(import "salus0" "call_read" (func $h (param i32 i32 i32 i32 i32 i32) (result i32)))"#,
        "(drop (call $h (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))",
        true,
    ),
];

/// State in a map, one principal, one other contract.
#[derive(Default)]
struct MemoryHost {
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    other: Option<Module>,
}

impl Host for MemoryHost {
    fn get(&mut self, _: ContractId, key: &[u8]) -> Result<Option<Vec<u8>>, HostFault> {
        Ok(self.state.get(key).cloned())
    }

    fn set(&mut self, _: ContractId, key: &[u8], value: &[u8]) -> Result<(), HostFault> {
        self.state.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, _: ContractId, key: &[u8]) -> Result<(), HostFault> {
        self.state.remove(key);
        Ok(())
    }

    fn next(&mut self, _: ContractId, _: &[u8], after: &[u8]) -> Result<Option<Entry>, HostFault> {
        let found = self.state.range(after.to_vec()..).next();
        Ok(found.map(|(key, value)| (key.clone(), value.clone())))
    }

    fn principal(&mut self, _: PrincipalId) -> Result<Option<Principal>, HostFault> {
        Ok(Some(Principal {
            signing_key: [1; 32],
            encryption_key: [2; 32],
            role: Role::Doctor,
            organisation: MemberId::new(3),
            status: Status::Active,
            address: None,
            attributes: Vec::new(),
        }))
    }

    fn member_count(&mut self) -> Result<u32, HostFault> {
        Ok(4)
    }

    fn member_key(&mut self, _: MemberId) -> Result<Option<[u8; 32]>, HostFault> {
        Ok(Some([1; 32]))
    }

    fn contract(&mut self, _: ContractId) -> Result<Option<Module>, HostFault> {
        Ok(self.other.clone())
    }
}

/// A key and a signature over 64 zero bytes, so that the whole check is made.
fn signed() -> String {
    use ed25519_dalek::{Signer, SigningKey};
    let key = SigningKey::from_bytes(&[7; 32]);
    let bytes = [
        key.verifying_key().as_bytes().as_slice(),
        &key.sign(&[0; 64]).to_bytes(),
    ]
    .concat();
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

fn contract(definitions: &str, pages: u32, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {definitions}
            (memory (export "memory") {pages})
            (data (i32.const 4096) "{}")
            (func (export "salus_abi_1"))
            (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
            (func $run (param i32 i32) (result i64) (local $x i64) (local $y i64) (local $a i32) (local $i i32)
                (local.set $x (i64.const 0x9e3779b97f4a7c15)) (local.set $y (i64.const 0x2545f4914f6cdd1d)) (local.set $a (i32.const 77))
                {body}
                (i64.store (i32.const 0) (local.get $x)) (i64.store (i32.const 8) (local.get $y))
                (i32.store (i32.const 16) (local.get $a)) (i64.const 20))
            (export "salus_execute" (func $run)) (export "salus_query" (func $run)))"#,
        signed()
    );
    wat::parse_str(text).unwrap()
}

/// Gas of a run, and the best time of many.
fn measure(engine: &Engine, module: &Module, host: &mut MemoryHost) -> (u64, Duration) {
    let invocation = Invocation {
        entry_point: EntryPoint::Execute,
        input: Vec::new(),
        gas_limit: GAS,
        context: Context {
            chain_id: [9; 32],
            self_id: ContractId::new(7),
            caller: Some(PrincipalId::new(42)),
            height: 1,
            time_ms: 1,
        },
    };
    let mut best = (0, Duration::MAX);
    for _ in 0..TRIES {
        let invocation = invocation.clone();
        let start = Instant::now();
        let outcome = engine.run(module, invocation, host).unwrap();
        let taken = start.elapsed();
        outcome.result.unwrap();
        best = (outcome.gas_used, best.1.min(taken));
    }
    best
}

fn main() {
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let empty = engine.admit(&contract("", 1, "")).unwrap();
    let mut host = MemoryHost::default();
    host.state
        .extend((0..1_000u64).map(|n| (n.to_be_bytes().to_vec(), vec![7; 64])));
    host.other = Some(empty.clone());
    let (empty_gas, empty_time) = measure(&engine, &empty, &mut host);
    println!("{:<22} {:>12} {:>12} {:>12}", "operation", "gas", "ns", "gas/us");
    let empty_us = empty_time.as_secs_f64() * 1e6;
    println!(
        "{:<22} {empty_gas:>12} {:>12.1} {:>12.0}",
        "empty run",
        empty_us * 1e3,
        rate(empty_gas, empty_us)
    );

    let mut counted: Vec<(f64, &str)> = Vec::new();
    for operation in &OPERATIONS {
        let body = format!(
            "(local.set $i (i32.const {})) (loop $again {} (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))",
            operation.rounds,
            operation.text.repeat(UNROLLED)
        );
        let module = engine
            .admit(&contract(operation.definitions, operation.pages, &body))
            .unwrap();
        let (gas, time) = measure(&engine, &module, &mut host);
        let (gas, us) = (
            gas - empty_gas,
            time.saturating_sub(empty_time).as_secs_f64() * 1e6,
        );
        let each = u64::from(operation.rounds) * UNROLLED as u64;
        let rate = rate(gas, us);
        println!(
            "{:<22} {:>12} {:>12.1} {rate:>12.0}",
            operation.name,
            gas / each,
            us * 1e3 / each as f64
        );
        if operation.counts {
            counted.push((rate, operation.name));
        }
    }
    counted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (Some((least, cheapest)), Some((most, dearest))) = (counted.first(), counted.last()) else {
        return;
    };
    let spread = most / least;
    println!("spread {spread:.1}: from {cheapest} ({least:.0}) to {dearest} ({most:.0})");
    if spread > SPREAD_MAX {
        eprintln!("warning: the spread is worse than {SPREAD_MAX}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn rate(gas: u64, us: f64) -> f64 {
    gas as f64 / us
}
