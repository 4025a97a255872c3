//! Modules that attack the host while they run: each ends in a typed failure, within its gas.

use super::*;
use crate::TrapCode;

fn trap(definitions: &str, body: &str) -> TrapCode {
    match failure(definitions, body) {
        (Failure::Trapped(code), gas) => {
            assert_eq!(gas == GAS, code.charges_whole_limit(), "{code:?} cost {gas}");
            code
        }
        (other, _) => unreachable!("{other:?}"),
    }
}

fn out_of_gas(definitions: &str, body: &str) {
    assert_eq!(failure(definitions, body), (Failure::OutOfGas, GAS));
}

#[test]
fn endless_loops_run_out_of_gas() {
    out_of_gas("", "(loop $again (br $again)) (i64.const 0)");
    // Through every kind of host call that costs little.
    let caller = import("caller", "(result i32)");
    out_of_gas(
        &caller,
        "(loop $again (drop (call $caller)) (br $again)) (i64.const 0)",
    );
    let debug = import("debug", "(param i32 i32)");
    out_of_gas(
        &debug,
        "(loop $again (call $debug (i32.const 0) (i32.const 0)) (br $again)) (i64.const 0)",
    );
    let hash = import("blake3", "(param i32 i32 i32)");
    out_of_gas(
        &hash,
        "(loop $again (call $blake3 (i32.const 0) (i32.const 65536) (i32.const 0)) (br $again)) (i64.const 0)",
    );
    let scan = import("state_scan", "(param i32 i32 i32 i32 i32 i32) (result i32)");
    out_of_gas(
        &scan,
        "(loop $again (drop (call $state_scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0))) (br $again)) (i64.const 0)",
    );
}

#[test]
fn endless_recursion_exhausts_the_counted_stack() {
    let direct = "(func $f (call $f))";
    assert_eq!(trap(direct, "(call $f) (i64.const 0)"), TrapCode::StackExhausted);
    let mutual = "(func $f (call $g)) (func $g (call $f))";
    assert_eq!(trap(mutual, "(call $f) (i64.const 0)"), TrapCode::StackExhausted);
    let indirect = r#"(type $t (func)) (table 1 1 funcref) (elem (i32.const 0) $f)
        (func $f (call_indirect (type $t) (i32.const 0)))"#;
    assert_eq!(
        trap(indirect, "(call $f) (i64.const 0)"),
        TrapCode::StackExhausted
    );
}

#[test]
fn frames_with_many_locals_and_results_exhaust_the_stack_sooner() {
    let locals = "i64 ".repeat(1_000);
    let wide = format!("(func $f (local {locals}) (call $f))");
    assert_eq!(trap(&wide, "(call $f) (i64.const 0)"), TrapCode::StackExhausted);
    let several = "(func $f (param i32) (result i32 i64 i32) (return (call $f (local.get 0))))";
    assert_eq!(
        trap(
            several,
            "(call $f (i32.const 1)) (drop) (drop) (drop) (i64.const 0)"
        ),
        TrapCode::StackExhausted
    );
}

#[test]
fn recursion_that_ends_gives_the_stack_back() {
    // 1,000 calls in a row, each 100 deep: only the depth counts.
    let deep = r#"(func $down (param i32)
        (if (i32.eqz (local.get 0)) (then (return)))
        (call $down (i32.sub (local.get 0) (i32.const 1))))"#;
    let body = r#"(local $i i32)
        (loop $again
            (call $down (i32.const 100))
            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 200))))
        (i64.const 0)"#;
    assert!(
        run(&contract(deep, body), &[], &mut MemoryHost::default())
            .result
            .is_ok()
    );
}

#[test]
fn an_own_unreachable_deep_down_is_not_taken_for_an_exhausted_stack() {
    let deep = r#"(func $down (param i32)
        (if (i32.eqz (local.get 0)) (then (unreachable)))
        (call $down (i32.sub (local.get 0) (i32.const 1))))"#;
    assert_eq!(
        trap(deep, "(call $down (i32.const 500)) (i64.const 0)"),
        TrapCode::Unreachable
    );
}

#[test]
fn memory_grows_to_its_limit_and_no_further() {
    let grow = |pages: &str| {
        let body = format!("(i32.store (i32.const 0) (memory.grow (i32.const {pages}))) (i64.const 4)");
        i32::from_le_bytes(output("", &body, &mut MemoryHost::default()).try_into().unwrap())
    };
    assert_eq!(grow("63"), 1);
    assert_eq!(grow("64"), -1);
    assert_eq!(grow("0"), 1);
}

#[test]
fn growth_beyond_the_address_space_is_an_answer_not_a_fault() {
    let module = ENGINE
        .admit(&contract(
            "",
            "(drop (memory.grow (i32.const 1)))
             (i32.store (i32.const 0) (memory.grow (i32.const 65536))) (i64.const 4)",
        ))
        .unwrap();
    let invocation = invocation(EntryPoint::Execute, &[], 100_000_000);
    let outcome = ENGINE
        .run(&module, invocation, &mut MemoryHost::default())
        .unwrap();
    assert_eq!(outcome.result.unwrap(), (-1i32).to_le_bytes());
}

#[test]
fn growing_in_a_loop_runs_out_of_gas() {
    out_of_gas(
        "",
        "(loop $again (drop (memory.grow (i32.const 1))) (br $again)) (i64.const 0)",
    );
    out_of_gas("", "(drop (memory.grow (i32.const -1))) (i64.const 0)");
}

#[test]
fn accesses_outside_memory_and_tables_trap() {
    assert_eq!(
        trap("", "(drop (i32.load (i32.const 65533))) (i64.const 0)"),
        TrapCode::MemoryOutOfBounds
    );
    assert_eq!(
        trap("", "(i64.store (i32.const -8) (i64.const 1)) (i64.const 0)"),
        TrapCode::MemoryOutOfBounds
    );
    assert_eq!(
        trap(
            "",
            "(drop (i32.load offset=4294967295 (i32.const -1))) (i64.const 0)"
        ),
        TrapCode::MemoryOutOfBounds
    );
    assert_eq!(
        trap(
            "",
            "(memory.copy (i32.const 65000) (i32.const 0) (i32.const 600)) (i64.const 0)"
        ),
        TrapCode::MemoryOutOfBounds
    );
    let table = "(type $t (func)) (table 2 2 funcref) (func $other (param i32)) (elem (i32.const 1) $other)";
    let call = |index| format!("(call_indirect (type $t) (i32.const {index})) (i64.const 0)");
    assert_eq!(trap(table, &call(5)), TrapCode::TableOutOfBounds);
    assert_eq!(trap(table, &call(0)), TrapCode::BadIndirectCall);
    assert_eq!(trap(table, &call(1)), TrapCode::BadIndirectCall);
}

#[test]
fn huge_fills_run_out_of_gas_before_they_start() {
    out_of_gas(
        "",
        "(memory.fill (i32.const 0) (i32.const 1) (i32.const -1)) (i64.const 0)",
    );
}

#[test]
fn impossible_arithmetic_traps() {
    assert_eq!(
        trap("", "(i64.div_s (i64.const 1) (i64.const 0))"),
        TrapCode::DivisionByZero
    );
    assert_eq!(
        trap("", "(i64.rem_u (i64.const 1) (i64.const 0))"),
        TrapCode::DivisionByZero
    );
    assert_eq!(
        trap("", "(i64.div_s (i64.const -9223372036854775808) (i64.const -1))"),
        TrapCode::IntegerOverflow
    );
}

#[test]
fn results_outside_memory_are_refused() {
    // Beyond the end; far beyond; longer than a message.
    for packed in ["0xffff_0000_0010", "-1", "0x0001_0001"] {
        assert_eq!(
            trap("", &format!("(i64.const {packed})")),
            TrapCode::BadResult,
            "{packed}"
        );
    }
    let text = r#"(module (memory (export "memory") 1) (func (export "salus_abi_1"))
        (func (export "salus_alloc") (param i32) (result i32) (i32.const -4))
        (func (export "salus_execute") (param i32 i32) (result i64) (i64.const 0)))"#;
    let outcome = run(
        &wat::parse_str(text).unwrap(),
        b"12345",
        &mut MemoryHost::default(),
    );
    assert_eq!(outcome.result, Err(Failure::Trapped(TrapCode::BadResult)));
}

#[test]
fn host_calls_with_places_outside_memory_are_refused() {
    let cases = [
        (
            "state_get",
            "(param i32 i32 i32 i32) (result i32)",
            "(drop (call $state_get (i32.const -1) (i32.const 4) (i32.const 0) (i32.const 0)))",
        ),
        (
            "state_set",
            "(param i32 i32 i32 i32)",
            "(call $state_set (i32.const 0) (i32.const 4) (i32.const 65535) (i32.const 2))",
        ),
        ("chain_id", "(param i32)", "(call $chain_id (i32.const 65505))"),
        (
            "event_emit",
            "(param i32 i32)",
            "(call $event_emit (i32.const -8) (i32.const 16))",
        ),
        (
            "blake3",
            "(param i32 i32 i32)",
            "(call $blake3 (i32.const 0) (i32.const 1) (i32.const -1))",
        ),
        (
            "ed25519_verify",
            "(param i32 i32 i32 i32) (result i32)",
            "(drop (call $ed25519_verify (i32.const 65520) (i32.const 0) (i32.const 1) (i32.const 0)))",
        ),
        (
            "call_read",
            "(param i32 i32 i32 i32 i32 i32) (result i32)",
            "(drop (call $call_read (i32.const 8) (i32.const 0) (i32.const -1) (i32.const 8) (i32.const 0) (i32.const 0)))",
        ),
    ];
    for (name, ty, body) in cases {
        assert_eq!(
            trap(&import(name, ty), &format!("{body} (i64.const 0)")),
            TrapCode::BadPointer,
            "{name}"
        );
    }
}

#[test]
fn host_calls_with_lengths_outside_their_limits_are_refused() {
    let cases = [
        (
            "state_get",
            "(param i32 i32 i32 i32) (result i32)",
            "(drop (call $state_get (i32.const 0) (i32.const 129) (i32.const 0) (i32.const 0)))",
        ),
        (
            "state_get",
            "(param i32 i32 i32 i32) (result i32)",
            "(drop (call $state_get (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))",
        ),
        (
            "state_set",
            "(param i32 i32 i32 i32)",
            "(call $state_set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 32769))",
        ),
        (
            "event_emit",
            "(param i32 i32)",
            "(call $event_emit (i32.const 0) (i32.const 1025))",
        ),
        ("abort", "(param i32)", "(call $abort (i32.const 65536))"),
        ("abort", "(param i32)", "(call $abort (i32.const -1))"),
        (
            "call_read",
            "(param i32 i32 i32 i32 i32 i32) (result i32)",
            "(drop (call $call_read (i32.const 8) (i32.const 2) (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 0)))",
        ),
    ];
    for (name, ty, body) in cases {
        assert_eq!(
            trap(&import(name, ty), &format!("{body} (i64.const 0)")),
            TrapCode::BadArgument,
            "{name}"
        );
    }
}

#[test]
fn announced_lengths_are_paid_for_before_they_are_looked_at() {
    let hash = import("blake3", "(param i32 i32 i32)");
    out_of_gas(
        &hash,
        "(call $blake3 (i32.const 0) (i32.const -1) (i32.const 0)) (i64.const 0)",
    );
}

#[test]
fn a_call_emits_16_events_at_most() {
    let emit = import("event_emit", "(param i32 i32)");
    let times = |n| {
        format!(
            "{} (i64.const 0)",
            "(call $event_emit (i32.const 0) (i32.const 1))".repeat(n)
        )
    };
    assert_eq!(
        run(&contract(&emit, &times(16)), &[], &mut MemoryHost::default())
            .events
            .len(),
        16
    );
    assert_eq!(trap(&emit, &times(17)), TrapCode::BadArgument);
}

#[test]
fn instances_start_fresh_every_time() {
    let body = "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (i64.const 4)";
    let module = ENGINE.admit(&contract("", body)).unwrap();
    for _ in 0..3 {
        let outcome = ENGINE.run(
            &module,
            invocation(EntryPoint::Execute, &[], GAS),
            &mut MemoryHost::default(),
        );
        assert_eq!(outcome.unwrap().result.unwrap(), 1i32.to_le_bytes());
    }
}

#[test]
fn an_exhausted_pool_is_the_nodes_fault() {
    let engine = Engine::new(&EngineConfig {
        instances: 1,
        effort: Effort::None,
    })
    .unwrap();
    let call = import("call_read", "(param i32 i32 i32 i32 i32 i32) (result i32)");
    let body = "(drop (call $call_read (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (i64.const 0)";
    let module = engine.admit(&contract(&call, body)).unwrap();
    let mut host = MemoryHost::default();
    host.contracts.insert(8, module.clone());
    let fault = engine.run(&module, invocation(EntryPoint::Execute, &[], GAS), &mut host);
    assert!(matches!(fault, Err(NodeFault::Memory(_))), "{fault:?}");
}
