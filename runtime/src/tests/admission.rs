//! Modules that are refused before they run, each with its stable code.

use super::*;
use crate::limit;
use proptest::prelude::*;

const INTERFACE: &str = r#"(memory (export "memory") 1) (func (export "salus_abi_1"))
    (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "salus_execute") (param i32 i32) (result i64) (i64.const 0))"#;

/// The code with which an otherwise complete contract is refused for additional definitions before and after the rest.
fn code(before: &str, after: &str) -> &'static str {
    refusal_of_text(&format!("(module {before} {INTERFACE} {after})")).code()
}

#[test]
fn the_plain_interface_is_admitted() {
    let wasm = wat::parse_str(format!("(module {INTERFACE})")).unwrap();
    let module = ENGINE.admit(&wasm).unwrap();
    assert_eq!(module.code_hash(), blake3::hash(&wasm).as_bytes());
    assert!(module.has(EntryPoint::Execute) && !module.has(EntryPoint::Decide));
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    for bytes in [
        &b""[..],
        b"\0asm",
        b"\0asm\x01\0\0\0\x01",
        b"\x7fELF\x02\x01\x01\0",
        b"\0asm\x0d\0\x01\0",
    ] {
        assert!(["A001", "A003"].contains(&refusal(bytes).code()), "{bytes:?}");
    }
    // Valid bytes, invalid types.
    assert_eq!(code("", "(func (result i32))"), "A001");
    assert_eq!(
        code("", "(func (i32.add (i64.const 0) (i32.const 0)) (drop))"),
        "A001"
    );
}

#[test]
fn floats_are_refused_wherever_they_stand() {
    assert_eq!(
        code("", "(func (drop (f64.add (f64.const 1) (f64.const 2))))"),
        "A002"
    );
    assert_eq!(code("", "(func (param f32))"), "A002");
    assert_eq!(code("", "(func (local f64))"), "A002");
    assert_eq!(code("", "(global f32 (f32.const 0))"), "A002");
    assert_eq!(
        code("", "(func (drop (i32.trunc_f32_s (f32.load (i32.const 0)))))"),
        "A002"
    );
}

#[test]
fn features_outside_the_list_are_refused() {
    for after in [
        "(func (drop (v128.const i64x2 0 0)))",
        "(func (param externref))",
        "(func $f (return_call $f))",
        "(tag)",
        "(func (drop (i32.atomic.load (i32.const 0))))",
        "(table 1 externref)",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
        "(func (drop (ref.null func)))",
    ] {
        assert_eq!(code("", after), "A003", "{after}");
    }
    assert!(
        ["A001", "A003"].contains(&code("", "(memory 1)")),
        "a second memory"
    );
    let wide = INTERFACE.replace(
        "(memory (export \"memory\") 1)",
        "(memory (export \"memory\") i64 1)",
    );
    assert_eq!(refusal_of_text(&format!("(module {wide})")).code(), "A003");
    assert_eq!(refusal(&wat::parse_str("(component)").unwrap()).code(), "A003");
}

#[test]
fn only_the_hosts_imports_exist() {
    for import in [
        r#"(import "env" "state_get" (func (param i32 i32 i32 i32) (result i32)))"#,
        r#"(import "salus0" "random" (func (result i32)))"#,
        r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#,
        r#"(import "salus0" "height" (global i64))"#,
        r#"(import "salus0" "table" (table 1 funcref))"#,
    ] {
        assert_eq!(code(import, ""), "A010", "{import}");
    }
    let memory = INTERFACE.replace(
        r#"(memory (export "memory") 1)"#,
        r#"(memory (export "memory") (import "salus0" "m") 1)"#,
    );
    assert_eq!(refusal_of_text(&format!("(module {memory})")).code(), "A010");
    for import in [
        r#"(import "salus0" "height" (func (result i32)))"#,
        r#"(import "salus0" "caller" (func (param i32) (result i32)))"#,
        r#"(import "salus0" "blake3" (func (param i32 i32)))"#,
    ] {
        assert_eq!(code(import, ""), "A011", "{import}");
    }
}

#[test]
fn every_import_of_the_interface_is_admitted_with_its_type() {
    let types = [
        ("state_get", "(param i32 i32 i32 i32) (result i32)"),
        ("state_set", "(param i32 i32 i32 i32)"),
        ("state_del", "(param i32 i32)"),
        ("state_scan", "(param i32 i32 i32 i32 i32 i32) (result i32)"),
        ("caller", "(result i32)"),
        ("calling_contract", "(result i32)"),
        ("self_id", "(result i32)"),
        ("chain_id", "(param i32)"),
        ("height", "(result i64)"),
        ("time_ms", "(result i64)"),
        ("has_role", "(param i32 i32) (result i32)"),
        ("organisation_of", "(param i32) (result i32)"),
        ("attribute", "(param i32 i32 i32 i32) (result i32)"),
        ("member_count", "(result i32)"),
        ("member_key", "(param i32 i32) (result i32)"),
        ("event_emit", "(param i32 i32)"),
        ("abort", "(param i32)"),
        ("debug", "(param i32 i32)"),
        ("call_read", "(param i32 i32 i32 i32 i32 i32) (result i32)"),
        ("ed25519_verify", "(param i32 i32 i32 i32) (result i32)"),
        ("blake3", "(param i32 i32 i32)"),
    ];
    assert_eq!(types.map(|(name, _)| name), salus_abi::host::IMPORTS);
    let imports: String = types.iter().map(|(name, ty)| import(name, ty)).collect();
    let module = ENGINE.admit(&contract(&imports, "(i64.const 0)"));
    assert!(module.is_ok(), "{module:?}");
}

#[test]
fn the_interface_must_be_complete() {
    let parts = INTERFACE.lines().map(str::trim).collect::<Vec<_>>();
    let without = |gone: &str, instead: &str| {
        refusal_of_text(&format!("(module {})", parts.join(" ").replace(gone, instead)))
    };
    assert_eq!(without(r#"(export "memory")"#, "").code(), "A020");
    assert_eq!(without(r#"(export "salus_abi_1")"#, "").code(), "A020");
    assert_eq!(without(r#"(export "salus_alloc")"#, "").code(), "A020");
    assert_eq!(without(r#"(export "salus_execute")"#, "").code(), "A023");
    assert_eq!(
        without(r#"(export "salus_execute")"#, r#"(export "salus_exceute")"#).code(),
        "A022"
    );
    assert_eq!(
        without("(param i32 i32) (result i64) (i64.const 0)", "(param i32)").code(),
        "A021"
    );
    assert_eq!(
        without(
            r#"(func (export "salus_abi_1"))"#,
            r#"(global (export "salus_abi_1") i32 (i32.const 1))"#
        )
        .code(),
        "A021"
    );
    assert_eq!(
        code(
            "",
            r#"(global (export "salus_stack_height") (mut i32) (i32.const 0))"#
        ),
        "A022"
    );
}

#[test]
fn start_functions_are_refused() {
    assert_eq!(code("", "(func $s) (start $s)"), "A005");
}

#[test]
fn segments_must_fit() {
    assert_eq!(code("", r#"(data (i32.const 65535) "ab")"#), "A006");
    assert_eq!(code("", r#"(data (i32.const -1) "a")"#), "A006");
    assert_eq!(
        code("(table 2 funcref)", "(func $f) (elem (i32.const 2) $f)"),
        "A006"
    );
}

#[test]
fn limits_are_kept() {
    let cases = [
        ("tables", "(table 5000 funcref)".to_owned()),
        ("globals", "(global i32 (i32.const 0))".repeat(limit::GLOBALS + 1)),
        (
            "types",
            (0..=limit::TYPES)
                .map(|n| format!("(type (func (param {})))", "i32 ".repeat(n % 30)))
                .collect(),
        ),
        (
            "parameters",
            format!("(func (param {}))", "i32 ".repeat(limit::PARAMETERS + 1)),
        ),
        (
            "results",
            format!("(type (func (result {})))", "i32 ".repeat(limit::RESULTS + 1)),
        ),
        ("functions", "(func)".repeat(limit::FUNCTIONS + 1)),
        (
            "locals",
            format!("(func (local {}))", "i64 ".repeat(limit::LOCALS + 1)),
        ),
        (
            "all locals",
            format!("(func (local {}))", "i64 ".repeat(limit::LOCALS)).repeat(65),
        ),
        ("operators", format!("(func {})", "nop ".repeat(limit::OPERATORS))),
        (
            "nesting",
            format!(
                "(func {} {})",
                "block ".repeat(limit::NESTING),
                "end ".repeat(limit::NESTING)
            ),
        ),
        (
            "targets",
            format!(
                "(func (br_table {} (i32.const 0)))",
                "0 ".repeat(limit::BRANCH_TARGETS + 2)
            ),
        ),
        (
            "body",
            format!(
                "(func {})",
                "(drop (i64.const 0x7fff_ffff_ffff_ffff))".repeat(limit::BODY_BYTES / 11)
            ),
        ),
        (
            "module",
            format!(r#"(data "{}")"#, "a".repeat(limit::MODULE_BYTES)),
        ),
        (
            "exports",
            (0..limit::EXPORTS)
                .map(|n| format!(r#"(global (export "g{n}") i32 (i32.const 0))"#))
                .collect(),
        ),
        (
            "elements",
            format!(
                "(func $f) (elem func {})",
                "$f ".repeat(limit::ELEMENT_ENTRIES + 1)
            ),
        ),
    ];
    for (what, after) in cases {
        assert_eq!(code("", &after), "A004", "{what}");
    }
    let memory = INTERFACE.replace(") 1)", ") 65)");
    assert_eq!(refusal_of_text(&format!("(module {memory})")).code(), "A004");
}

/// A number as people write it: `65,536`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

#[test]
fn the_documented_limits_and_codes_are_the_true_ones() {
    let document = include_str!("../../../docs/contracts.md");
    let rows = |start: &str| document.lines().filter(|line| line.starts_with(start)).count();
    for (name, max) in limit::TABLE {
        let row = format!("| `{name}` | {} | ", grouped(*max));
        assert_eq!(rows(&row), 1, "{row}");
    }
    for code in AdmissionError::CODES {
        assert_eq!(rows(&format!("| {code} | ")), 1, "{code}");
    }
    assert_eq!(rows("| A0"), AdmissionError::CODES.len());
    for code in crate::TrapCode::ALL {
        let row = format!("| {} | `{code:?}`: ", code.number());
        let charged = if code.charges_whole_limit() {
            "the whole limit"
        } else {
            "what was used"
        };
        let found = document.lines().find(|line| line.starts_with(&row)).unwrap();
        assert!(found.ends_with(&format!("| {charged} |")), "{found}");
    }
}

#[test]
fn what_is_within_the_limits_is_admitted() {
    let functions = "(func)".repeat(4_000);
    let locals = format!("(func (local {}))", "i64 ".repeat(limit::LOCALS));
    let text = format!("(module {INTERFACE} {functions} {locals} (table 4096 funcref))");
    assert!(ENGINE.admit(&wat::parse_str(text).unwrap()).is_ok());
}

#[test]
fn results_of_every_shape_survive_the_rewriting() {
    let several = r#"(func $two (result i32 i32) (i32.const 20) (return (i32.const 1)))
        (func $swap (param i32 i32) (result i32 i32) (br_if 0 (local.get 1) (local.get 0) (i32.const 1)) (drop) (drop)
            (local.get 1) (local.get 0))
        (func $none (br 0))
        (func $one (result i32) (block (br_table 0 1 (i32.const 9) (i32.const 7))) (i32.const 8))"#;
    let several = several.replace(
        "(block (br_table 0 1 (i32.const 9) (i32.const 7)))",
        "(block (br_if 0 (i32.const 1)))",
    );
    let body = "(call $none) (i32.store (i32.const 0) (i32.add (call $one) (i32.add (call $swap (call $two))))) (i64.const 4)";
    assert_eq!(
        output(&several, body, &mut MemoryHost::default()),
        29i32.to_le_bytes()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever one byte of a contract becomes, admission answers, and what it admits runs to a typed end.
    #[test]
    fn one_wrong_byte_never_breaks_the_host(at in any::<prop::sample::Index>(), byte: u8) {
        let imports = [
            import("state_get", "(param i32 i32 i32 i32) (result i32)"),
            import("state_set", "(param i32 i32 i32 i32)"),
        ].concat();
        let body = r#"(call $state_set (local.get $ptr) (local.get $len) (i32.const 0) (i32.const 8))
            (drop (call $state_get (local.get $ptr) (local.get $len) (i32.const 0) (i32.const 8)))
            (i64.const 8)"#;
        let mut wasm = contract(&imports, body);
        let at = at.index(wasm.len());
        wasm[at] = byte;
        if let Ok(module) = UNOPTIMISED.admit(&wasm) {
            for entry_point in EntryPoint::ALL {
                let outcome = UNOPTIMISED.run(&module, invocation(entry_point, b"key", 200_000), &mut MemoryHost::default());
                prop_assert!(outcome.unwrap().gas_used <= 200_000);
            }
        }
    }
}
