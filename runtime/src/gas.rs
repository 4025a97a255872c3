//! Gas table, version 1: what every instruction and every host call costs.
//!
//! A unit is about a tenth of a nanosecond of one core. What matters is that no operation is much cheaper than the others
//! for the time it takes: `benches/gas.rs` measures that, and ADR 30 keeps the figures. Reads and writes of state are
//! priced for a disk. The table is part of consensus: its hash stands in the genesis, a test pins it, and a change is a new
//! version.

use wasmtime::{OperatorCost, VariableOperatorCost};

/// Version of this table.
pub const GAS_TABLE_VERSION: u8 = 1;

/// The most gas that one run can be given; a larger limit is treated as this one.
///
/// wasmtime counts fuel in a signed 64-bit number, and this leaves room for any single charge on top.
pub const GAS_LIMIT_MAX: u64 = 1 << 62;

/// What a host call costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostCost {
    /// For the call itself.
    pub base: u64,
    /// For each byte that is read or written.
    pub per_byte: u64,
}

impl HostCost {
    /// The cost of a call that moves so many bytes.
    pub const fn of(self, bytes: usize) -> u64 {
        self.base
            .saturating_add(self.per_byte.saturating_mul(bytes as u64))
    }
}

/// Making an instance: the base, and every byte of data and element segments (8 bytes an element).
pub const INSTANTIATE: HostCost = HostCost {
    base: 20_000,
    per_byte: 1,
};
/// Handing the input to the guest and taking the output from it, together.
pub const MESSAGE: HostCost = HostCost {
    base: 100,
    per_byte: 1,
};

macro_rules! host_calls {
    ($($constant:ident = $name:literal: $base:literal + $per_byte:literal;)+) => {
        $(
            #[doc = concat!("The host call `", $name, "`.")]
            pub const $constant: HostCost = HostCost { base: $base, per_byte: $per_byte };
        )+
        /// Every host call with its cost.
        pub const HOST_CALLS: &[(&str, HostCost)] = &[$(($name, $constant),)+];
    };
}

host_calls! {
    STATE_GET = "state_get": 1_500 + 1;
    STATE_SET = "state_set": 20_000 + 10;
    STATE_DEL = "state_del": 20_000 + 10;
    STATE_SCAN = "state_scan": 3_000 + 1;
    CALLER = "caller": 50 + 0;
    CALLING_CONTRACT = "calling_contract": 50 + 0;
    SELF_ID = "self_id": 50 + 0;
    CHAIN_ID = "chain_id": 80 + 0;
    HEIGHT = "height": 50 + 0;
    TIME_MS = "time_ms": 50 + 0;
    HAS_ROLE = "has_role": 2_000 + 0;
    ORGANISATION_OF = "organisation_of": 2_000 + 0;
    ATTRIBUTE = "attribute": 2_000 + 1;
    MEMBER_COUNT = "member_count": 2_000 + 0;
    MEMBER_KEY = "member_key": 2_000 + 0;
    EVENT_EMIT = "event_emit": 200 + 10;
    ABORT = "abort": 0 + 0;
    DEBUG = "debug": 50 + 1;
    CALL_READ = "call_read": 5_000 + 1;
    ED25519_VERIFY = "ed25519_verify": 330_000 + 18;
    BLAKE3 = "blake3": 500 + 1;
}

macro_rules! operators {
    ($($cost:literal: $($name:ident)+;)+) => {
        /// The cost of every operator; the ones not named here are refused at admission.
        pub(crate) fn operator_cost() -> OperatorCost {
            OperatorCost { $($($name: $cost,)+)+ variable: VARIABLE, ..OperatorCost::new() }
        }

        /// Every operator by the name that wasmtime has for it, with its cost.
        pub(crate) const OPERATORS: &[(&str, u8)] = &[$($((stringify!($name), $cost),)+)+];
    };
}

operators! {
    0: Unreachable Nop Block Loop Else End Return Drop I32WrapI64;
    1: If Br BrIf Select LocalGet LocalSet LocalTee GlobalGet GlobalSet I32Const I64Const
       I32Store I64Store I32Store8 I32Store16 I64Store8 I64Store16 I64Store32 MemorySize
       I32Add I32Sub I32And I32Or I32Xor I32Shl I32ShrS I32ShrU
       I64Add I64Sub I64And I64Or I64Xor I64Shl I64ShrS I64ShrU
       I64ExtendI32S I64ExtendI32U
       I32Extend8S I32Extend16S I64Extend8S I64Extend16S I64Extend32S;
    2: BrTable Call I32Rotl I32Rotr I64Rotl I64Rotr
       I32Eqz I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU
       I64Eqz I64Eq I64Ne I64LtS I64LtU I64GtS I64GtU I64LeS I64LeU I64GeS I64GeU;
    3: I32Mul I64Mul;
    4: CallIndirect I32Clz I32Ctz I32Popcnt I64Clz I64Ctz I64Popcnt;
    8: I32Load I64Load I32Load8S I32Load8U I32Load16S I32Load16U
       I64Load8S I64Load8U I64Load16S I64Load16U I64Load32S I64Load32U;
    16: I32DivS I32DivU I32RemS I32RemU;
    32: I64DivS I64DivU I64RemS I64RemU;
    20: MemoryCopy MemoryFill MemoryInit DataDrop TableCopy TableInit ElemDrop;
    200: MemoryGrow;
}

/// A fresh page is zeroed by the kernel when it is first touched: the most a table of bytes can say.
const VARIABLE: VariableOperatorCost = VariableOperatorCost {
    memory_copy_per_byte: 1,
    memory_fill_per_byte: 1,
    memory_init_per_byte: 1,
    memory_grow_per_page: 255,
    table_copy_per_element: 1,
    table_init_per_element: 1,
    ..VariableOperatorCost::new()
};

/// What is charged by the length of the operation, besides its operator.
pub(crate) const VARIABLE_COSTS: [(&str, u8); 6] = [
    ("memory_copy_per_byte", VARIABLE.memory_copy_per_byte),
    ("memory_fill_per_byte", VARIABLE.memory_fill_per_byte),
    ("memory_init_per_byte", VARIABLE.memory_init_per_byte),
    ("memory_grow_per_page", VARIABLE.memory_grow_per_page),
    ("table_copy_per_element", VARIABLE.table_copy_per_element),
    ("table_init_per_element", VARIABLE.table_init_per_element),
];

/// BLAKE3 over the table's text: one line `name cost` for each operator, then the variable costs, then the host
/// calls as `name base per_byte`. Nodes of one network have the same.
pub fn gas_table_hash() -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut line = |text: String| {
        hasher.update(text.as_bytes());
    };
    line(format!("salus gas table {GAS_TABLE_VERSION}\n"));
    for (name, cost) in OPERATORS {
        line(format!("{name} {cost}\n"));
    }
    for (name, cost) in VARIABLE_COSTS {
        line(format!("{name} {cost}\n"));
    }
    let messages = [("instantiate", INSTANTIATE), ("message", MESSAGE)];
    for (name, HostCost { base, per_byte }) in HOST_CALLS.iter().chain(&messages) {
        line(format!("{name} {base} {per_byte}\n"));
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_abi::host;

    #[test]
    fn every_import_has_a_price_and_nothing_else_does() {
        let named: Vec<&str> = HOST_CALLS.iter().map(|(name, _)| *name).collect();
        assert_eq!(named, host::IMPORTS);
    }

    #[test]
    fn the_table_is_the_one_that_version_1_names() {
        let hex: String = gas_table_hash()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "4869ce4afd8c7a6a7035d01ca490abd1a9f644816f7c5cfe1c50035aa4390b34"
        );
    }
}
