use salus_types::{Hash, MemberId, ValidatorSetError};

/// Why a genesis is refused. Every message says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not the TOML of a genesis.
    #[error("genesis.toml: {0}")]
    Toml(String),
    /// A text field that is not what it should be.
    #[error("genesis.toml: `{field}` should be {expected}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The network's name.
    #[error("the network's name should be 1 to 32 of a-z, 0-9 and -")]
    Name,
    /// Members are numbered from 0 without gaps.
    #[error("member {found} stands where number {expected} should: number members from 0 in order")]
    MemberNumber {
        /// The number found.
        found: MemberId,
        /// The number expected.
        expected: usize,
    },
    /// A member's name.
    #[error("the name of member {0} should be 1 to 64 bytes long")]
    MemberName(MemberId),
    /// Separate keys for separate uses.
    #[error("member {0} shares a key with another use or member: draw separate keys for each")]
    SharedKey(MemberId),
    /// The members are no validator set.
    #[error("the members are no validator set: {0}")]
    Validators(#[from] ValidatorSetError),
    /// k is out of range.
    #[error(
        "threshold {threshold} is out of range: with these members it can be {least} to {most}, usually {usual}"
    )]
    Threshold {
        /// The threshold found.
        threshold: usize,
        /// f + 1: fewer would let faulty members read.
        least: usize,
        /// n - f - ceil(f/2): with more, k members might not be there to open a block, or to sign that they hold it.
        most: usize,
        /// n - 2f: what a commit certificate guarantees without deposits.
        usual: usize,
    },
    /// S is out of range.
    #[error(
        "{slots} slots are out of range: there must be one for each of {members} members and at most 128"
    )]
    Slots {
        /// The slots found.
        slots: usize,
        /// How many members there are.
        members: usize,
    },
    /// A member's slot is not among the dealt ones.
    #[error("the slot of member {0} is not below `slots`")]
    SlotOutside(MemberId),
    /// Size and gas limits.
    #[error("body_bytes_max should be 256 KiB to 8 MiB, and transaction_gas_max at most block_gas_max")]
    Limits,
    /// Every member needs someone who can register people.
    #[error("member {0} has no principal with the role admin")]
    NoAdmin(MemberId),
    /// A signing key belongs to one principal.
    #[error("principal {0} has the signing key of an earlier one")]
    PrincipalKey(usize),
    /// A principal belongs to a founding member.
    #[error("principal {0} names an organisation that is not a member")]
    PrincipalOrganisation(usize),
    /// A program that counts gas in another way.
    #[error(
        "the network counts gas by table {agreed}, this program by {own}: run the version of salus that the other members run"
    )]
    GasTable {
        /// What the genesis names.
        agreed: Hash,
        /// The program's.
        own: Hash,
    },
    /// A contract's argument.
    #[error(
        "a contract's argument has at most 16 KiB, and the registry (the first) gets the principals instead of one"
    )]
    Argument,
    /// How contracts are changed.
    #[error(
        "params.contracts: approvals should be at least 1/2 and at least freeze_approvals, those at least 1/3; \
         timelock_ms at most 14 days, and frozen_timelock_ms at most timelock_ms"
    )]
    ContractParams,
    /// Contracts 1 and 2 are needed.
    #[error("the hashes of the registry and access contracts are missing")]
    MissingContracts,
}
