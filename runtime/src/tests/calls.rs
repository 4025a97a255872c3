//! What host calls answer, and what they cost.

use super::*;
use crate::TrapCode;
use crate::gas;
use salus_abi::host;

/// Packs the place `start..start + length` as a result.
fn place(start: u32, length: u32) -> String {
    format!("(i64.const {})", u64::from(start) << 32 | u64::from(length))
}

/// Stores the value on top of the stack at 0 and answers these four bytes.
fn answer_i32(expression: &str) -> String {
    format!("(i32.store (i32.const 0) {expression}) {}", place(0, 4))
}

fn number(output: &[u8]) -> i32 {
    i32::from_le_bytes(output.try_into().unwrap())
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
    let outcome = run(
        &contract("", "(i64.const 0)"),
        &vec![0; host::MESSAGE_LENGTH_MAX + 1],
        &mut MemoryHost::default(),
    );
    assert_eq!(outcome.result, Err(Failure::Trapped(TrapCode::InputTooLong)));
    assert_eq!(outcome.gas_used, gas::INSTANTIATE.base);
}
