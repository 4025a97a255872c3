use salus_abi::{ContractId, PrincipalId, host};

/// Which of a contract's exports is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryPoint {
    /// Once, when the contract is made.
    Instantiate,
    /// A transaction.
    Execute,
    /// A question; read-only.
    Query,
    /// An access request; read-only.
    Decide,
    /// Once, when the contract's code is replaced.
    Migrate,
}

impl EntryPoint {
    /// Every entry point.
    pub const ALL: [Self; 5] = [
        Self::Instantiate,
        Self::Execute,
        Self::Query,
        Self::Decide,
        Self::Migrate,
    ];

    /// The export's name.
    pub const fn export(self) -> &'static str {
        match self {
            Self::Instantiate => host::EXPORT_INSTANTIATE,
            Self::Execute => host::EXPORT_EXECUTE,
            Self::Query => host::EXPORT_QUERY,
            Self::Decide => host::EXPORT_DECIDE,
            Self::Migrate => host::EXPORT_MIGRATE,
        }
    }

    /// Whether it may not write state or emit events.
    pub const fn is_read_only(self) -> bool {
        matches!(self, Self::Query | Self::Decide)
    }
}

/// What a run knows of the chain around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The network.
    pub chain_id: [u8; 32],
    /// The contract that runs.
    pub self_id: ContractId,
    /// Who signed the transaction, or asks the query.
    pub caller: Option<PrincipalId>,
    /// Height of the block being executed.
    pub height: u64,
    /// Block time: milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
}

/// One call of a contract from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Which export.
    pub entry_point: EntryPoint,
    /// What it gets; at most `MESSAGE_LENGTH_MAX` bytes. For `Execute` and `Query` the first byte is the entry's number.
    pub input: Vec<u8>,
    /// The most it may cost; at most [`GAS_LIMIT_MAX`](crate::gas::GAS_LIMIT_MAX) counts.
    pub gas_limit: u64,
    /// The chain around it.
    pub context: Context,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The output, at most `MESSAGE_LENGTH_MAX` bytes; or why there is none.
    pub result: Result<Vec<u8>, Failure>,
    /// What it cost; never more than the limit.
    pub gas_used: u64,
    /// What the contract told the world, in order; none after a failure.
    pub events: Vec<Vec<u8>>,
}

/// A contract's own failure. Its writes must be dropped; the gas stays spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It refused, with an error code of its own.
    #[error("the contract refused with code {0}")]
    Aborted(u16),
    /// It broke.
    #[error("the contract trapped: {0}")]
    Trapped(TrapCode),
    /// The gas limit did not suffice.
    #[error("out of gas")]
    OutOfGas,
}

/// How a contract broke. The numbers stand in receipts and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[repr(u8)]
pub enum TrapCode {
    /// An `unreachable` instruction: a panic of the contract.
    #[error("unreachable code")]
    Unreachable = 1,
    /// A load, store, copy or fill outside its memory.
    #[error("memory access out of bounds")]
    MemoryOutOfBounds = 2,
    /// An access outside its table.
    #[error("table access out of bounds")]
    TableOutOfBounds = 3,
    /// An indirect call of nothing, or of a function of another type.
    #[error("bad indirect call")]
    BadIndirectCall = 4,
    /// The quotient does not fit.
    #[error("integer overflow")]
    IntegerOverflow = 5,
    /// A division by zero.
    #[error("division by zero")]
    DivisionByZero = 6,
    /// Calls nested too deeply.
    #[error("stack exhausted")]
    StackExhausted = 7,
    /// A host call was given a place outside the contract's memory.
    #[error("host call with a place outside memory")]
    BadPointer = 8,
    /// A host call was given a number, key, value or event outside its limits.
    #[error("host call with an argument outside its limits")]
    BadArgument = 9,
    /// A write in a read-only call.
    #[error("write in a read-only call")]
    ReadOnly = 10,
    /// The allocator's or the entry point's result is not a place in memory, or the output is too long.
    #[error("result is not a place in memory, or too long")]
    BadResult = 11,
    /// The contract has no such entry point.
    #[error("no such entry point")]
    NoEntryPoint = 12,
    /// The input is longer than any contract takes.
    #[error("input too long")]
    InputTooLong = 13,
}

impl TrapCode {
    /// Every code.
    pub const ALL: [Self; 13] = [
        Self::Unreachable,
        Self::MemoryOutOfBounds,
        Self::TableOutOfBounds,
        Self::BadIndirectCall,
        Self::IntegerOverflow,
        Self::DivisionByZero,
        Self::StackExhausted,
        Self::BadPointer,
        Self::BadArgument,
        Self::ReadOnly,
        Self::BadResult,
        Self::NoEntryPoint,
        Self::InputTooLong,
    ];

    /// The number that stands in receipts.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// Whether the whole gas limit is charged: after these, the engine's own count of gas cannot be relied on.
    pub const fn charges_whole_limit(self) -> bool {
        matches!(
            self,
            Self::MemoryOutOfBounds
                | Self::TableOutOfBounds
                | Self::BadIndirectCall
                | Self::IntegerOverflow
                | Self::DivisionByZero
                | Self::StackExhausted
        )
    }
}

/// This machine failed to run a contract. Never a contract's result: the node must not go on as if it were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeFault {
    /// The engine could not be set up.
    #[error(
        "the WebAssembly engine could not be set up; check the memory and address space this process may use: {0}"
    )]
    Setup(String),
    /// No instance was free, or the operating system refused memory.
    #[error("no memory for a contract; raise the memory or the engine's `instances`: {0}")]
    Memory(String),
    /// The host could not read or write state.
    #[error("the state could not be used: {0}")]
    Host(String),
    /// The engine ended in a way that no admitted module can cause.
    #[error("the WebAssembly engine failed; report this: {0}")]
    Engine(String),
}
