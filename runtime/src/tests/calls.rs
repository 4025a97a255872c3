//! What host calls answer, and what they cost.

use super::*;
use crate::TrapCode;
use crate::gas;
use salus_abi::host;

/// The packed place `start..start + length`, as a constant.
fn place(start: u32, length: u32) -> String {
    format!("(i64.const {})", (u64::from(start) << 32) | u64::from(length))
}

/// Stores the value of an expression at 0 and answers these four bytes.
fn answer_i32(expression: &str) -> String {
    format!("(i32.store (i32.const 0) {expression}) {}", place(0, 4))
}

fn number(definitions: &str, expression: &str, host: &mut MemoryHost) -> i32 {
    let bytes = output(definitions, &answer_i32(expression), host);
    i32::from_le_bytes(bytes.try_into().unwrap())
}

/// A data segment with the given text at 64.
fn text_at_64(text: &str) -> String {
    format!(r#"(data (i32.const 64) "{text}")"#)
}

/// Definitions of a module: imports, then data; `contract` puts the memory last.
fn with_text(imports: &[String], text: &str) -> String {
    format!("{} {}", imports.concat(), text_at_64(text))
}

fn state_get() -> String {
    import("state_get", "(param i32 i32 i32 i32) (result i32)")
}

fn state_set() -> String {
    import("state_set", "(param i32 i32 i32 i32)")
}

fn state_scan() -> String {
    import("state_scan", "(param i32 i32 i32 i32 i32 i32) (result i32)")
}

#[test]
fn the_input_comes_back_as_the_output() {
    let echo = contract(
        "",
        "(i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))",
    );
    let outcome = run(&echo, b"hello", &mut MemoryHost::default());
    assert_eq!(outcome.result.unwrap(), b"hello");
    let long = vec![7; 32 << 10];
    assert_eq!(
        run(&echo, &long, &mut MemoryHost::default()).result.unwrap(),
        long
    );
}

#[test]
fn an_input_longer_than_a_message_is_refused_before_anything_runs() {
    let input = vec![0; host::MESSAGE_LENGTH_MAX + 1];
    let outcome = run(&contract("", "(i64.const 0)"), &input, &mut MemoryHost::default());
    assert_eq!(outcome.result, Err(Failure::Trapped(TrapCode::InputTooLong)));
    assert_eq!(outcome.gas_used, gas::INSTANTIATE.base);
}

#[test]
fn the_context_is_what_the_chain_says() {
    let host = &mut MemoryHost::default();
    let result = "(result i32)";
    assert_eq!(number(&import("caller", result), "(call $caller)", host), 42);
    assert_eq!(number(&import("self_id", result), "(call $self_id)", host), 7);
    let calling = import("calling_contract", result);
    assert_eq!(number(&calling, "(call $calling_contract)", host), -1);
    let height = import("height", "(result i64)");
    assert_eq!(number(&height, "(i32.wrap_i64 (call $height))", host), 11);
    let time = import("time_ms", "(result i64)");
    let body = format!("(i64.store (i32.const 0) (call $time_ms)) {}", place(0, 8));
    assert_eq!(output(&time, &body, host), 1_700_000_000_000u64.to_le_bytes());
    let chain = import("chain_id", "(param i32)");
    let body = format!("(call $chain_id (i32.const 0)) {}", place(0, 32));
    assert_eq!(output(&chain, &body, host), [9; 32]);
}

#[test]
fn state_is_written_read_cut_to_the_room_and_deleted() {
    let delete = import("state_del", "(param i32 i32)");
    let definitions = with_text(&[state_get(), state_set(), delete], "keyvalue");
    let set = "(call $state_set (i32.const 64) (i32.const 3) (i32.const 67) (i32.const 5))";
    let get = |cap| format!("(call $state_get (i32.const 64) (i32.const 3) (i32.const 0) (i32.const {cap}))");

    let mut host = MemoryHost::default();
    let read = format!("{set} (drop {}) {}", get(8), place(0, 8));
    assert_eq!(output(&definitions, &read, &mut host), b"value\0\0\0");
    assert_eq!(host.state.get(&(7, b"key".to_vec())).unwrap(), b"value");

    let cut = format!("(drop {}) {}", get(2), place(0, 8));
    assert_eq!(output(&definitions, &cut, &mut host), b"va\0\0\0\0\0\0");
    assert_eq!(
        number(&definitions, &get(0), &mut host),
        5,
        "the full length, whatever the room"
    );

    let gone = format!(
        "(call $state_del (i32.const 64) (i32.const 3)) {}",
        answer_i32(&get(8))
    );
    assert_eq!(output(&definitions, &gone, &mut host), (-1i32).to_le_bytes());
    assert!(host.state.is_empty());
}

#[test]
fn a_scan_finds_the_next_entry_with_its_key() {
    let mut host = MemoryHost::default();
    for key in ["a", "g1", "g2", "h"] {
        host.state
            .insert((7, key.into()), format!("value of {key}").into());
    }
    host.state.insert((8, "g0".into()), "another contract's".into());
    let definitions = with_text(&[state_scan()], "g1");
    let scan = |after_length| {
        format!(
            "(drop (call $state_scan (i32.const 64) (i32.const 1) (i32.const 64) (i32.const {after_length})
                (i32.const 0) (i32.const 64))) {}",
            place(0, 15)
        )
    };
    assert_eq!(output(&definitions, &scan(0), &mut host), b"\0\x02g1value of g1");
    assert_eq!(output(&definitions, &scan(2), &mut host), b"\0\x02g2value of g2");
    let none = "(call $state_scan (i32.const 64) (i32.const 2) (i32.const 64) (i32.const 2) (i32.const 0) (i32.const 64))";
    assert_eq!(number(&definitions, none, &mut host), -1);
}

#[test]
fn only_active_principals_have_roles_organisations_and_attributes() {
    let mut host = MemoryHost::default();
    host.principals
        .insert(1, principal(Role::Doctor, 5, Status::Active));
    host.principals
        .insert(2, principal(Role::Doctor, 5, Status::Deleted));
    let role = import("has_role", "(param i32 i32) (result i32)");
    let has = |id, role| format!("(call $has_role (i32.const {id}) (i32.const {role}))");
    for (id, asked, expected) in [(1, 1, 1), (1, 0, 0), (1, 99, 0), (1, -1, 0), (2, 1, 0), (3, 1, 0)] {
        assert_eq!(
            number(&role, &has(id, asked), &mut host),
            expected,
            "{id} {asked}"
        );
    }
    let organisation = import("organisation_of", "(param i32) (result i32)");
    for (id, expected) in [(1, 5), (2, -1), (3, -1)] {
        let ask = format!("(call $organisation_of (i32.const {id}))");
        assert_eq!(number(&organisation, &ask, &mut host), expected);
    }
    let attribute = import("attribute", "(param i32 i32 i32 i32) (result i32)");
    let ask = |id, number| {
        format!("(call $attribute (i32.const {id}) (i32.const {number}) (i32.const 0) (i32.const 64))")
    };
    for (id, asked, expected) in [(1, 3, 10), (1, 4, -1), (2, 3, -1)] {
        assert_eq!(number(&attribute, &ask(id, asked), &mut host), expected);
    }
}

#[test]
fn members_are_counted_and_their_keys_known() {
    let mut host = MemoryHost::default();
    host.members.extend([(0, [1; 32]), (4, [2; 32])]);
    let count = import("member_count", "(result i32)");
    assert_eq!(number(&count, "(call $member_count)", &mut host), 2);
    let key = import("member_key", "(param i32 i32) (result i32)");
    let body = format!(
        "(drop (call $member_key (i32.const 4) (i32.const 0))) {}",
        place(0, 32)
    );
    assert_eq!(output(&key, &body, &mut host), [2; 32]);
    for absent in [1, -1, 70_000] {
        let ask = format!("(call $member_key (i32.const {absent}) (i32.const 0))");
        assert_eq!(number(&key, &ask, &mut host), -1);
    }
}

#[test]
fn events_come_out_in_order_and_only_of_a_call_that_succeeds() {
    let definitions = with_text(&[import("event_emit", "(param i32 i32)")], "onetwo");
    let emit =
        "(call $event_emit (i32.const 64) (i32.const 3)) (call $event_emit (i32.const 67) (i32.const 3))";
    let good = contract(&definitions, &format!("{emit} (i64.const 0)"));
    let outcome = run(&good, &[], &mut MemoryHost::default());
    assert_eq!(outcome.events, [b"one", b"two"]);
    let bad = contract(&definitions, &format!("{emit} (unreachable)"));
    assert!(run(&bad, &[], &mut MemoryHost::default()).events.is_empty());
}

#[test]
fn debug_lines_go_to_the_host_only() {
    let definitions = with_text(&[import("debug", "(param i32 i32)")], "hello");
    let mut host = MemoryHost::default();
    let wasm = contract(
        &definitions,
        "(call $debug (i32.const 64) (i32.const 5)) (i64.const 0)",
    );
    let outcome = run(&wasm, &[], &mut host);
    assert_eq!((outcome.result, outcome.events), (Ok(Vec::new()), Vec::new()));
    assert_eq!(host.debug, [b"hello"]);
}

#[test]
fn hashes_and_signatures_are_the_chains() {
    use ed25519_dalek::{Signer, SigningKey};
    let definitions = with_text(&[import("blake3", "(param i32 i32 i32)")], "hello");
    let body = format!(
        "(call $blake3 (i32.const 64) (i32.const 5) (i32.const 0)) {}",
        place(0, 32)
    );
    let host = &mut MemoryHost::default();
    assert_eq!(
        output(&definitions, &body, host),
        blake3::hash(b"hello").as_bytes()
    );

    let key = SigningKey::from_bytes(&[5; 32]);
    let signature = key.sign(b"message").to_bytes();
    let verify = import("ed25519_verify", "(param i32 i32 i32 i32) (result i32)");
    // The input is key, signature, message; the allocator puts it at 1024.
    let ask = "(call $ed25519_verify (i32.const 1024) (i32.const 1120) (i32.const 7) (i32.const 1056))";
    let wasm = contract(&verify, &answer_i32(ask));
    let mut input = [&key.verifying_key().to_bytes()[..], &signature, b"message"].concat();
    assert_eq!(run(&wasm, &input, host).result.unwrap(), 1i32.to_le_bytes());
    input[100] ^= 1;
    assert_eq!(run(&wasm, &input, host).result.unwrap(), 0i32.to_le_bytes());
}

#[test]
fn an_abort_carries_its_code_and_costs_what_was_used() {
    let abort = import("abort", "(param i32)");
    let (failure, gas) = failure(&abort, "(call $abort (i32.const 513)) (i64.const 0)");
    assert_eq!(failure, Failure::Aborted(513));
    assert!(gas < gas::INSTANTIATE.base + 2_000, "{gas}");
}

/// A contract that answers what `call_read` of contract 8 answers, after a line of its own.
fn asks_8(kind: i32) -> Vec<u8> {
    let call = import("call_read", "(param i32 i32 i32 i32 i32 i32) (result i32)");
    let ask = format!(
        "(call $call_read (i32.const 8) (i32.const {kind}) (local.get $ptr) (local.get $len) (i32.const 4) (i32.const 8))"
    );
    contract(
        &call,
        &format!("(i32.store (i32.const 0) {ask}) {}", place(0, 12)),
    )
}

#[test]
fn a_read_call_runs_another_contract_as_that_contract() {
    let imports = [
        import("self_id", "(result i32)"),
        import("calling_contract", "(result i32)"),
    ]
    .concat();
    let body = format!(
        "(i32.store (i32.const 0) (call $self_id)) (i32.store (i32.const 4) (call $calling_contract)) {}",
        place(0, 8)
    );
    let mut host = MemoryHost::default();
    let other = ENGINE.admit(&contract(&imports, &body)).unwrap();
    host.contracts.insert(8, other);
    for kind in [host::READ_QUERY, host::READ_DECIDE] {
        let outcome = run(&asks_8(kind), &[], &mut host);
        let expected = [8i32.to_le_bytes(), 8i32.to_le_bytes(), 7i32.to_le_bytes()].concat();
        assert_eq!(outcome.result.unwrap(), expected);
    }
}

#[test]
fn a_read_call_that_fails_answers_nothing_and_costs_half_at_most() {
    let looping = contract("", "(loop $again (br $again)) (i64.const 0)");
    let writing = contract(
        &state_set(),
        "(call $state_set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)) (i64.const 0)",
    );
    let dividing = contract("", "(i64.div_u (i64.const 1) (i64.const 0))");
    for wasm in [looping, writing, dividing] {
        let mut host = MemoryHost::default();
        host.contracts.insert(8, ENGINE.admit(&wasm).unwrap());
        let outcome = run(&asks_8(host::READ_DECIDE), &[], &mut host);
        assert_eq!(outcome.result.unwrap()[..4], (-1i32).to_le_bytes());
        assert!(
            outcome.gas_used <= GAS / 2 + gas::INSTANTIATE.base + 10_000,
            "{}",
            outcome.gas_used
        );
        assert!(host.state.is_empty());
    }
    let outcome = run(&asks_8(host::READ_DECIDE), &[], &mut MemoryHost::default());
    assert_eq!(
        outcome.result.unwrap()[..4],
        (-1i32).to_le_bytes(),
        "no such contract"
    );
}

#[test]
fn contracts_that_ask_themselves_end_at_the_depth_limit() {
    let mut host = MemoryHost::default();
    let module = ENGINE.admit(&asks_8(host::READ_QUERY)).unwrap();
    host.contracts.insert(8, module);
    let outcome = run(&asks_8(host::READ_QUERY), &[], &mut host);
    assert!(outcome.result.is_ok());
    assert!(outcome.gas_used < GAS);
}

#[test]
fn a_read_only_entry_point_cannot_write_through_any_import() {
    let write = [
        (
            state_set(),
            "(call $state_set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0))",
        ),
        (
            import("state_del", "(param i32 i32)"),
            "(call $state_del (i32.const 0) (i32.const 1))",
        ),
        (
            import("event_emit", "(param i32 i32)"),
            "(call $event_emit (i32.const 0) (i32.const 1))",
        ),
    ];
    assert_eq!(write.len(), host::WRITE_IMPORTS.len());
    for (definitions, body) in write {
        let module = ENGINE
            .admit(&contract(&definitions, &format!("{body} (i64.const 0)")))
            .unwrap();
        for entry_point in [EntryPoint::Query, EntryPoint::Decide] {
            let outcome = ENGINE
                .run(
                    &module,
                    invocation(entry_point, &[], GAS),
                    &mut MemoryHost::default(),
                )
                .unwrap();
            assert_eq!(outcome.result, Err(Failure::Trapped(TrapCode::ReadOnly)));
        }
        let outcome = ENGINE
            .run(
                &module,
                invocation(EntryPoint::Instantiate, &[], GAS),
                &mut MemoryHost::default(),
            )
            .unwrap();
        assert!(outcome.result.is_ok());
    }
}

#[test]
fn a_broken_disk_is_the_nodes_fault_also_below_a_read_call() {
    let get = "(call $state_get (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0))";
    let reading = ENGINE.admit(&contract(&state_get(), &answer_i32(get))).unwrap();
    let asking = ENGINE.admit(&asks_8(host::READ_QUERY)).unwrap();
    let mut host = MemoryHost {
        broken: true,
        ..MemoryHost::default()
    };
    host.contracts.insert(8, reading.clone());
    for module in [reading, asking] {
        let fault = ENGINE.run(&module, invocation(EntryPoint::Execute, &[], GAS), &mut host);
        assert_eq!(fault, Err(NodeFault::Host("the disk is gone".to_owned())));
    }
}

#[test]
fn an_entry_point_that_is_missing_is_said_to_be() {
    let module = ENGINE.admit(&contract("", "(i64.const 0)")).unwrap();
    assert!(module.has(EntryPoint::Query) && !module.has(EntryPoint::Migrate));
    let outcome = ENGINE
        .run(
            &module,
            invocation(EntryPoint::Migrate, &[], GAS),
            &mut MemoryHost::default(),
        )
        .unwrap();
    assert_eq!(outcome.result, Err(Failure::Trapped(TrapCode::NoEntryPoint)));
}

#[test]
fn gas_is_exact_and_the_limit_is_where_it_stops_to_suffice() {
    let wasm = contract("", "(i64.const 0)");
    let module = ENGINE.admit(&wasm).unwrap();
    let run = |limit| {
        ENGINE
            .run(
                &module,
                invocation(EntryPoint::Execute, b"12345", limit),
                &mut MemoryHost::default(),
            )
            .unwrap()
    };
    let needed = run(GAS).gas_used;
    assert_eq!(run(GAS * 7).gas_used, needed);
    assert!(run(needed + 1).result.is_ok());
    for limit in [needed, needed - 1, gas::INSTANTIATE.base, 1, 0] {
        let outcome = run(limit);
        assert_eq!(
            (outcome.result, outcome.gas_used),
            (Err(Failure::OutOfGas), limit)
        );
    }
    assert_eq!(run(u64::MAX).gas_used, needed);
}

#[test]
fn data_segments_are_paid_for() {
    let cost = |text: &str| {
        let definitions = text_at_64(text);
        run(
            &contract(&definitions, "(i64.const 0)"),
            &[],
            &mut MemoryHost::default(),
        )
        .gas_used
    };
    assert_eq!(cost("0123456789") - cost(""), 10);
}

#[test]
fn outcome_and_gas_are_the_same_without_optimisation() {
    let fibonacci = r#"(func $fib (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
            (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                           (call $fib (i32.sub (local.get 0) (i32.const 2)))))))"#;
    let deep = "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))";
    let bodies = [
        (fibonacci, answer_i32("(call $fib (i32.const 12))")),
        (deep, answer_i32("(call $deep (i32.const 0))")),
        ("", "(unreachable)".to_owned()),
        ("", answer_i32("(memory.grow (i32.const 2))")),
        ("", "(loop $again (br $again)) (i64.const 0)".to_owned()),
    ];
    for (definitions, body) in bodies {
        let wasm = contract(definitions, &body);
        let outcomes = [&*ENGINE, &*UNOPTIMISED].map(|engine| {
            let module = engine.admit(&wasm).unwrap();
            engine
                .run(
                    &module,
                    invocation(EntryPoint::Execute, &[], GAS),
                    &mut MemoryHost::default(),
                )
                .unwrap()
        });
        assert_eq!(outcomes[0], outcomes[1], "{body}");
    }
}
