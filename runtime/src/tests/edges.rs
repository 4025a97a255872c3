//! What lies at the very edge of a limit, and the arguments a host call refuses.

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
