//! Writes contracts at random, from a seed: every instruction a contract may use, and most host calls.
//!
//! Memory is used below 4 KiB, mostly; four locals and a global hold values, and the end hashes all of it into the output.
//! Rarely an address, a divisor or a branch is left as it comes, so that some contracts trap.

#![expect(clippy::arithmetic_side_effects, reason = "of small numbers, in a test")]

use super::{Call, Case};
use crate::EntryPoint;

/// SplitMix64: the same on every machine and in every version.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// True once in `n`.
    fn rarely(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const I32_BINARY: [&str; 15] = [
    "add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr", "eq", "ne", "lt_s",
    "ge_u",
];
const I64_BINARY: [&str; 11] = [
    "add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr",
];
const COMPARE: [&str; 10] = [
    "eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u",
];
const DIVIDE: [&str; 4] = ["div_s", "div_u", "rem_s", "rem_u"];
const I32_CONSTANTS: [&str; 8] = [
    "0",
    "1",
    "-1",
    "7",
    "0x7fffffff",
    "0x80000000",
    "4095",
    "0x12345678",
];
const I64_CONSTANTS: [&str; 7] = [
    "0",
    "1",
    "-1",
    "0x7fffffffffffffff",
    "0x8000000000000000",
    "0x100000000",
    "0x0123456789abcdef",
];

/// Types and table that every generated contract has, then its functions.
const TABLE: &str = "(type $t (func (param i32 i64) (result i64))) (type $u (func (param i32))) \
     (table 4 4 funcref) (elem (i32.const 0) $f0 $f1 $other) (global $g (mut i64) (i64.const 3)) \
     (func $other (param i32) (global.set $g (i64.extend_i32_u (local.get 0))))";

/// The locals of the body. Functions have the first two as parameters.
const LOCALS: &str =
    "(local $a i32) (local $x i64) (local $b i32) (local $y i64) (local $i i32) (local $j i32)";

/// The end of the body: all values into memory, and its hash as the output.
const FINISH: &str = "(i64.store (i32.const 0) (i64.xor (local.get $x) (i64.load (i32.const 0)))) \
     (i64.store (i32.const 8) (i64.add (local.get $y) (global.get $g))) \
     (i32.store (i32.const 16) (local.get $a)) (i32.store (i32.const 20) (local.get $b)) \
     (call $blake3 (i32.const 0) (i32.const 4096) (i32.const 0)) (i64.const 32)";

pub(super) fn cases(seed: u64, count: usize) -> Vec<Case> {
    let mut writer = Writer {
        dice: Dice(seed),
        may_call: false,
    };
    (0..count).map(|_| writer.case()).collect()
}

struct Writer {
    dice: Dice,
    /// Whether calls of own functions may be written: not within these, so that they end.
    may_call: bool,
}

impl Writer {
    fn case(&mut self) -> Case {
        self.may_call = false;
        let functions: String = (0..2)
            .map(|n| {
                let body = self.i64(2);
                format!(" (func $f{n} (param $a i32) (param $x i64) (result i64) (local $b i32) (local $y i64) {body})")
            })
            .collect();
        self.may_call = true;
        let statements = self.statements(2, 3);
        let start = "(if (i32.ge_u (local.get $len) (i32.const 4)) (then (local.set $a (i32.load (local.get $ptr))))) \
             (local.set $y (i64.load (local.get $ptr)))";
        Case {
            definitions: format!("{TABLE}{functions}"),
            body: format!("{LOCALS} {start} {statements} {FINISH}"),
            runs: (0..5).map(|n| self.call(n)).collect(),
        }
    }

    /// The first call has gas enough and an empty input; one of the others has little gas.
    fn call(&mut self, number: usize) -> Call {
        let length = [0, 4, 8, 3, 16][number];
        let entry_point = match self.dice.below(8) {
            0 => EntryPoint::Query,
            1 => EntryPoint::Instantiate,
            _ => EntryPoint::Execute,
        };
        Call {
            entry_point,
            gas_limit: if number == 3 {
                20_500 + self.dice.next() % 8_000
            } else {
                1_000_000
            },
            input: (0..length).map(|_| self.dice.next().to_le_bytes()[3]).collect(),
        }
    }

    fn statements(&mut self, count: usize, depth: usize) -> String {
        let written: Vec<String> = (0..=self.dice.below(count) + 1)
            .map(|_| self.statement(depth))
            .collect();
        written.join(" ")
    }

    fn statement(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.assignment(1);
        }
        match self.dice.below(16) {
            0..4 => self.assignment(depth),
            4 => format!(
                "(if {} (then {}) (else {}))",
                self.i32(depth - 1),
                self.statements(2, depth - 1),
                self.statements(2, depth - 1)
            ),
            5 => self.counted_loop(depth),
            6 => format!(
                "(block $out (br_if $out {}) {})",
                self.i32(depth - 1),
                self.statements(2, depth - 1)
            ),
            7 => format!(
                "(block $p (block $q (block $r (br_table $r $q $p $q {})) {}) {})",
                self.i32(depth - 1),
                self.assignment(1),
                self.assignment(1)
            ),
            8 => self.bulk(depth),
            9..14 => self.host_call(depth),
            14 => format!("(global.set $g {})", self.i64(depth)),
            _ => self.trouble(depth),
        }
    }

    fn assignment(&mut self, depth: usize) -> String {
        match self.dice.below(6) {
            0 => format!("(local.set $a {})", self.i32(depth)),
            1 => format!("(local.set $b {})", self.i32(depth)),
            2 => format!("(local.set $x {})", self.i64(depth)),
            3 => format!("(local.set $y {})", self.i64(depth)),
            4 => {
                let store = self.dice.one_of(&["i32.store", "i32.store8", "i32.store16"]);
                format!("({store} {} {})", self.address(depth), self.i32(depth))
            }
            _ => {
                let store = self
                    .dice
                    .one_of(&["i64.store", "i64.store8", "i64.store16", "i64.store32"]);
                format!("({store} {} {})", self.address(depth), self.i64(depth))
            }
        }
    }

    /// The outer loop counts in `$i`, one within it in `$j`; deeper ones are written as blocks.
    fn counted_loop(&mut self, depth: usize) -> String {
        let counter = match depth {
            3 => "$i",
            2 => "$j",
            _ => return format!("(block {})", self.statements(2, depth - 1)),
        };
        let rounds = 1 + self.dice.below(20);
        let inner = self.statements(2, depth - 1);
        format!(
            "(local.set {counter} (i32.const {rounds})) (loop $again {inner} \
             (br_if $again (local.tee {counter} (i32.sub (local.get {counter}) (i32.const 1)))))"
        )
    }

    fn bulk(&mut self, depth: usize) -> String {
        let (to, from) = (self.address(depth - 1), self.address(depth - 1));
        let length = self.dice.below(300);
        match self.dice.below(3) {
            0 => format!("(memory.copy {to} {from} (i32.const {length}))"),
            1 => format!("(memory.fill {to} {} (i32.const {length}))", self.i32(depth - 1)),
            _ => format!("(local.set $b (memory.grow (i32.const {})))", length % 3),
        }
    }

    fn host_call(&mut self, depth: usize) -> String {
        let (place, other) = (self.address(depth - 1), self.address(depth - 1));
        let length = 1 + self.dice.below(3);
        match self.dice.below(8) {
            0 => format!(
                "(call $state_set {place} (i32.const {length}) {other} (i32.const {}))",
                9 * length
            ),
            1 => format!("(call $state_del {place} (i32.const {length}))"),
            2 => format!(
                "(local.set $a (call $state_get {place} (i32.const {length}) {other} (i32.const 24)))"
            ),
            3 => format!(
                "(local.set $b (call $state_scan {place} (i32.const {}) {other} (i32.const {length}) \
                 (i32.const 512) (i32.const 64)))",
                length - 1
            ),
            4 => format!("(call $event_emit {place} (i32.const {}))", 11 * length),
            5 => format!("(call $blake3 {place} (i32.const {}) {other})", 50 * length),
            6 => format!(
                "(local.set $a (call $call_read (i32.const 7) (i32.const {}) {place} (i32.const 4) {other} (i32.const 32)))",
                length % 2
            ),
            _ => format!(
                "(local.set $b (call $attribute (call $caller) (i32.const {}) {place} (i32.const 5)))",
                length + 1
            ),
        }
    }

    /// What may well end the run.
    fn trouble(&mut self, depth: usize) -> String {
        let condition = self.i32(depth - 1);
        let end = match self.dice.below(4) {
            0 => "unreachable".to_owned(),
            1 => format!("(call $abort (i32.const {}))", self.dice.below(1_000)),
            2 => format!("(call_indirect (type $u) {} {})", self.i32(0), self.i32(0)),
            _ => format!("(drop (i32.load {}))", self.i32(0)),
        };
        format!("(if (i32.lt_u {condition} (i32.const 3)) (then {end}))")
    }

    /// Within the first 4 KiB, once in 60 anywhere.
    fn address(&mut self, depth: usize) -> String {
        let value = self.i32(depth.min(1));
        if self.dice.rarely(60) {
            return value;
        }
        format!("(i32.and {value} (i32.const 0xfff))")
    }

    fn i32(&mut self, depth: usize) -> String {
        if depth == 0 || self.dice.rarely(6) {
            return match self.dice.below(5) {
                0 => format!("(i32.const {})", self.dice.one_of(&I32_CONSTANTS)),
                1 => "(call $caller)".to_owned(),
                2 => "(memory.size)".to_owned(),
                _ => format!("(local.get {})", self.dice.one_of(&["$a", "$b"])),
            };
        }
        let next = depth - 1;
        match self.dice.below(9) {
            0..3 => format!(
                "(i32.{} {} {})",
                self.dice.one_of(&I32_BINARY),
                self.i32(next),
                self.i32(next)
            ),
            3 => {
                let unary = self
                    .dice
                    .one_of(&["clz", "ctz", "popcnt", "eqz", "extend8_s", "extend16_s"]);
                format!("(i32.{unary} {})", self.i32(next))
            }
            4 => format!(
                "(i64.{} {} {})",
                self.dice.one_of(&COMPARE),
                self.i64(next),
                self.i64(next)
            ),
            5 => format!("(i32.wrap_i64 {})", self.i64(next)),
            6 => {
                let load = self
                    .dice
                    .one_of(&["load", "load8_s", "load8_u", "load16_s", "load16_u"]);
                format!("(i32.{load} {})", self.address(next))
            }
            7 => format!(
                "(select {} {} {})",
                self.i32(next),
                self.i32(next),
                self.i32(next)
            ),
            _ => format!(
                "(i32.{} {} {})",
                self.dice.one_of(&DIVIDE),
                self.i32(next),
                self.divisor("i32", next)
            ),
        }
    }

    fn i64(&mut self, depth: usize) -> String {
        if depth == 0 || self.dice.rarely(6) {
            return match self.dice.below(5) {
                0 => format!("(i64.const {})", self.dice.one_of(&I64_CONSTANTS)),
                1 => "(global.get $g)".to_owned(),
                2 => "(call $height)".to_owned(),
                _ => format!("(local.get {})", self.dice.one_of(&["$x", "$y"])),
            };
        }
        let next = depth - 1;
        match self.dice.below(9) {
            0..3 => format!(
                "(i64.{} {} {})",
                self.dice.one_of(&I64_BINARY),
                self.i64(next),
                self.i64(next)
            ),
            3 => {
                let unary =
                    self.dice
                        .one_of(&["clz", "ctz", "popcnt", "extend8_s", "extend16_s", "extend32_s"]);
                format!("(i64.{unary} {})", self.i64(next))
            }
            4 => {
                let extend = self.dice.one_of(&["extend_i32_s", "extend_i32_u"]);
                format!("(i64.{extend} {})", self.i32(next))
            }
            5 => {
                let load = self
                    .dice
                    .one_of(&["load", "load8_s", "load16_u", "load32_s", "load32_u"]);
                format!("(i64.{load} {})", self.address(next))
            }
            6 => format!(
                "(i64.{} {} {})",
                self.dice.one_of(&DIVIDE),
                self.i64(next),
                self.divisor("i64", next)
            ),
            7 if self.may_call => {
                let (a, x) = (self.i32(next), self.i64(next));
                match self.dice.below(3) {
                    0 => format!("(call $f{} {a} {x})", self.dice.below(2)),
                    _ => format!(
                        "(call_indirect (type $t) {a} {x} (i32.and {} (i32.const 1)))",
                        self.i32(next)
                    ),
                }
            }
            _ => format!(
                "(select {} {} {})",
                self.i64(next),
                self.i64(next),
                self.i32(next)
            ),
        }
    }

    /// Odd, and so not zero; once in 25 whatever comes.
    fn divisor(&mut self, ty: &str, depth: usize) -> String {
        let value = if ty == "i32" {
            self.i32(depth)
        } else {
            self.i64(depth)
        };
        if self.dice.rarely(25) {
            return value;
        }
        format!("({ty}.or {value} ({ty}.const 1))")
    }
}
