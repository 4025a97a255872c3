//! How contracts come into a network, change, and are stopped.
//!
//! ```text
//! StoreCode, part by part -> code, admitted        (staff of a member; forgotten unless it is approved in time)
//! Change::Contract(Approve) -> votes -> timelock -> Enact -> approved code
//! Instantiate (any member's staff, own argument) -> a new contract
//! Change::Contract(Migrate) -> votes -> timelock -> Enact -> new code, state carried over
//! Change::Contract(Freeze)  -> a few votes       -> at once: the contract answers nothing
//! ```

use crate::state::StateKey;
use crate::{Hash, Height, ProposalId, Timestamp};
use salus_abi::codec::{Decode, Encode};
use salus_abi::{ContractId, MemberId, access};
use std::fmt;
use std::str::FromStr;

/// Bytes of a contract's code, at most.
pub const CODE_BYTES_MAX: usize = 256 << 10;
/// Bytes of each part of uploaded code but the last, which has the rest.
pub const CODE_PART_BYTES: usize = 60 << 10;
/// Uploads of one member, complete or not, that wait for approval at the same time, at most.
pub const CODE_UPLOADS_MAX: usize = 8;
/// Bytes of all code of one member that waits for approval, at most.
pub const CODE_WAITING_BYTES_MAX: usize = 1 << 20;
/// Bytes of the argument that a contract is instantiated or migrated with, at most.
pub const CONTRACT_ARGUMENT_BYTES_MAX: usize = 16 << 10;
/// Contracts that one member's staff instantiates, at most; each stays for ever.
pub const CONTRACTS_OF_MEMBER_MAX: u16 = 64;
/// How long uploaded code waits for approval before it is forgotten, in milliseconds of block time: 30 days.
pub const CODE_WAITS_MS: u64 = 30 * DAY_MS;
/// How long after its timelock a change that passed can be enacted, in milliseconds of block time: 30 days.
pub const ENACT_MS_MAX: u64 = 30 * DAY_MS;
/// The longest timelock, in milliseconds: 14 days, so that code does not expire under it.
pub const TIMELOCK_MS_MAX: u64 = 14 * DAY_MS;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// The code of a refusal for code that admission refuses with A0nn is this and nn.
const ADMISSION_CODES: u16 = 300;

/// What staff of a member does about contracts by a transaction of its own.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ContractCall {
    /// Uploads a part of a contract's code. The last part has the code checked. Callers: admins and operators. Output
    /// [`CodeUpload`].
    StoreCode(CodePart),
    /// Makes a contract of approved code. Callers: admins and operators. Output [`ContractId`].
    Instantiate {
        /// BLAKE3 of the code.
        code_hash: Hash,
        /// What `salus_instantiate` gets; nothing if the code has none.
        argument: Vec<u8>,
    },
    /// Carries out a change that passed and whose timelock is over. Callers: operators.
    Enact {
        /// Which.
        proposal: ProposalId,
    },
}

/// A part of a contract's code on its way to the chain.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct CodePart {
    /// BLAKE3 of the whole code.
    pub code_hash: Hash,
    /// Bytes of the whole code.
    pub length: u32,
    /// Which part, from 0 and in order. Part 0 begins anew.
    pub part: u8,
    /// The part: [`CODE_PART_BYTES`], or the rest.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for CodePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CodePart({:?}, part {}, {} bytes)",
            self.code_hash,
            self.part,
            self.bytes.len()
        )
    }
}

/// How much of a code has been uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CodeUpload {
    /// Bytes of the whole code.
    pub length: u32,
    /// Bytes that are there; all of them: the code was admitted.
    pub received: u32,
    /// Until this block time it can be completed and approved. Then it is forgotten.
    pub expires: Timestamp,
}

impl CodeUpload {
    /// Whether the whole code is there.
    pub const fn is_complete(&self) -> bool {
        self.received == self.length
    }
}

/// What members vote on when they approve code: what runs, what it says of itself, and what it was built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CodeHashes {
    /// BLAKE3 of the WebAssembly.
    pub wasm: Hash,
    /// BLAKE3 of its schema, the content of the custom section `salus_schema`; `None` if it has none. The chain compares.
    pub schema: Option<Hash>,
    /// BLAKE3 of the build manifest, with which anybody builds the same code from its source. The chain only keeps it.
    pub manifest: Hash,
}

/// A change of contracts that members vote on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ContractChange {
    /// Stored code may be instantiated.
    Approve(CodeHashes),
    /// A contract gets other code, which takes its state over.
    Migrate {
        /// Which contract.
        contract: ContractId,
        /// Its new code, stored before; approved with this change.
        code: CodeHashes,
        /// The version of its state after the change: one above the present one.
        state_version: u32,
        /// What `salus_migrate` gets.
        argument: Vec<u8>,
    },
    /// A contract answers nothing any more, until it is unfrozen. Passes with fewer votes, without a timelock.
    Freeze(ContractId),
    /// A frozen contract answers again. Without a timelock: it was approved before.
    Unfreeze(ContractId),
    /// A rule looks at all requests, or at those for a class of records; or no longer. A hospital's own rules are for its
    /// admins alone.
    RegisterRule(access::RegisterRule),
}

/// What the chain keeps of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ContractInfo {
    /// BLAKE3 of its WebAssembly.
    pub code_hash: Hash,
    /// Bytes of its WebAssembly.
    pub code_length: u32,
    /// Version of its state's layout: 1 at first, raised by one with each migration.
    pub state_version: u32,
    /// Whether it answers nothing: transactions, questions and other contracts are refused.
    pub frozen: bool,
    /// Whose staff instantiated it; `None` if it stands in the genesis.
    pub founder: Option<MemberId>,
}

impl ContractInfo {
    /// Where it lies in the chain's state.
    pub fn key(contract: ContractId) -> StateKey {
        let [a, b, c, d] = contract.get().to_be_bytes();
        StateKey::new(ContractId::SYSTEM, &[b'c', a, b, c, d])
    }
}

/// What the chain keeps of admitted code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StoredCode {
    /// Bytes of the WebAssembly.
    pub length: u32,
    /// BLAKE3 of its schema, if it has one.
    pub schema: Option<Hash>,
    /// Where it came from.
    pub origin: CodeOrigin,
}

/// Where code came from, and whether it may be instantiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum CodeOrigin {
    /// It stands in the genesis.
    Genesis,
    /// A member's staff stored it; it waits for approval.
    Stored(MemberId),
    /// It was approved.
    Approved {
        /// The height of the block that enacted the approval.
        height: Height,
        /// BLAKE3 of the build manifest.
        manifest: Hash,
    },
}

impl StoredCode {
    /// Where it lies in the chain's state.
    pub fn key(code_hash: &Hash) -> StateKey {
        StateKey::new(
            ContractId::SYSTEM,
            &[b"k", code_hash.as_bytes().as_slice()].concat(),
        )
    }

    /// Whether it may be instantiated.
    pub const fn is_approved(&self) -> bool {
        !matches!(self.origin, CodeOrigin::Stored(_))
    }
}

/// What enacting a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum EnactedChange {
    /// Code may be instantiated.
    Approved {
        /// BLAKE3 of the code.
        code_hash: Hash,
    },
    /// A contract has other code.
    Migrated {
        /// Which contract.
        contract: ContractId,
        /// The version of its state.
        state_version: u32,
    },
    /// A rule was added or removed.
    RuleRegistered(access::RegisterRule),
}

/// What the chain tells the world about contracts: data of events of contract 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ContractEvent {
    /// Code was uploaded whole and admitted.
    CodeStored {
        /// BLAKE3 of the code.
        code_hash: Hash,
        /// Whose staff uploaded it.
        member: MemberId,
    },
    /// A change was proposed.
    Proposed {
        /// Which.
        proposal: ProposalId,
        /// Whose operator proposed it.
        member: MemberId,
    },
    /// A change has the votes it needs and waits for its timelock.
    Passed {
        /// Which.
        proposal: ProposalId,
        /// From this block time on it can be enacted, milliseconds since 1970.
        from: Timestamp,
    },
    /// A change that had passed lost votes and can't be enacted any more.
    Withdrawn {
        /// Which.
        proposal: ProposalId,
    },
    /// A change was enacted.
    Enacted {
        /// Which.
        proposal: ProposalId,
        /// What it did.
        change: EnactedChange,
    },
    /// A contract was made.
    Instantiated {
        /// Its number.
        contract: ContractId,
        /// BLAKE3 of its code.
        code_hash: Hash,
        /// Whose staff made it.
        member: MemberId,
    },
    /// A contract answers nothing any more.
    Frozen {
        /// Which.
        contract: ContractId,
    },
    /// A contract answers again.
    Unfrozen {
        /// Which.
        contract: ContractId,
    },
}

/// A part of the members: more than it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Fraction {
    numerator: u16,
    denominator: u16,
}

impl Fraction {
    /// More than two thirds.
    pub const TWO_THIRDS: Self = Self {
        numerator: 2,
        denominator: 3,
    };
    /// More than a third: at least one of them is honest while the chain is safe.
    pub const THIRD: Self = Self {
        numerator: 1,
        denominator: 3,
    };

    /// A fraction below one; `None` if it is not, so that there are always enough members to reach it.
    pub const fn new(numerator: u16, denominator: u16) -> Option<Self> {
        if numerator < denominator {
            Some(Self {
                numerator,
                denominator,
            })
        } else {
            None
        }
    }

    /// The least number that is more than this fraction of `count`.
    pub fn more_than(self, count: usize) -> usize {
        let part = count.saturating_mul(usize::from(self.numerator));
        part.checked_div(usize::from(self.denominator))
            .unwrap_or(count)
            .saturating_add(1)
    }

    /// Whether it is at least another one.
    pub fn at_least(self, other: Self) -> bool {
        let cross = |a: Self, b: Self| u32::from(a.numerator).saturating_mul(u32::from(b.denominator));
        cross(self, other) >= cross(other, self)
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

/// Not a fraction below one, such as `2/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fraction below one, such as 2/3")]
pub struct FractionError;

impl FromStr for Fraction {
    type Err = FractionError;

    fn from_str(text: &str) -> Result<Self, FractionError> {
        let (numerator, denominator) = text.split_once('/').ok_or(FractionError)?;
        let number = |text: &str| text.parse::<u16>().map_err(|_| FractionError);
        let fraction = Self::new(number(numerator)?, number(denominator)?).ok_or(FractionError)?;
        // One spelling: what is read is written back the same.
        if fraction.to_string() == text {
            Ok(fraction)
        } else {
            Err(FractionError)
        }
    }
}

/// How a network changes its contracts; fixed by its genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ContractParams {
    /// A change passes with the approvals of more than this part of the present members.
    pub approvals: Fraction,
    /// A freeze passes with those of more than this part.
    pub freeze_approvals: Fraction,
    /// How long a change that passed waits until it can be enacted, in milliseconds of block time.
    pub timelock_ms: u64,
    /// The same for the migration of a contract that is frozen: nobody is served meanwhile.
    pub frozen_timelock_ms: u64,
}

impl Default for ContractParams {
    /// More than two thirds, a freeze more than one third; a day, an hour while frozen.
    fn default() -> Self {
        Self {
            approvals: Fraction::TWO_THIRDS,
            freeze_approvals: Fraction::THIRD,
            timelock_ms: DAY_MS,
            frozen_timelock_ms: DAY_MS / 24,
        }
    }
}

impl ContractParams {
    /// Whether they keep what they are for: no minority changes contracts, no faulty third freezes them, a migration out
    /// of a freeze waits no longer than another one.
    pub fn are_sound(&self) -> bool {
        let half = Fraction {
            numerator: 1,
            denominator: 2,
        };
        self.approvals.at_least(half)
            && self.freeze_approvals.at_least(Fraction::THIRD)
            && self.approvals.at_least(self.freeze_approvals)
            && self.frozen_timelock_ms <= self.timelock_ms
            && self.timelock_ms <= TIMELOCK_MS_MAX
    }
}

/// Why the chain refuses a call about contracts; the code of an aborted system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u16)]
pub enum ContractRefusal {
    /// The sender may not do this.
    #[error(
        "only admins and operators of present members store and instantiate code, and only operators enact changes"
    )]
    NotAllowed = 201,
    /// No such code is stored whole.
    #[error(
        "there is no such code on the chain: upload it first; code that is not approved in time is forgotten"
    )]
    UnknownCode = 202,
    /// The code is there already.
    #[error("this code is on the chain already: propose or instantiate it")]
    CodeKnown = 203,
    /// The member's code that waits for approval is at its limit.
    #[error(
        "this member has too much code that waits for approval: wait until some is approved or forgotten"
    )]
    TooMuchCode = 204,
    /// The part is not the next one, or its length is wrong.
    #[error("this is not the next part of the upload, or not of the right length: begin again with part 0")]
    BadPart = 205,
    /// The parts do not hash to what was announced.
    #[error("the parts together are not the code of this hash: begin again with part 0")]
    BadHash = 206,
    /// No such contract.
    #[error("there is no such contract")]
    UnknownContract = 207,
    /// The state's version does not follow.
    #[error(
        "a migration raises the state's version by one, and this one does not: the contract may have been migrated meanwhile"
    )]
    BadStateVersion = 208,
    /// The code lacks the entry point.
    #[error(
        "the code has no entry point for this: salus_migrate to take a state over, salus_instantiate to take an argument"
    )]
    NoEntryPoint = 209,
    /// The change has not passed, or lost its votes.
    #[error("the change does not have the votes it needs")]
    NotPassed = 210,
    /// The timelock runs.
    #[error("the change has passed, but its timelock is not over")]
    TooEarly = 211,
    /// The contract is frozen already, or is not.
    #[error("the contract is frozen already, or is not frozen")]
    NothingToChange = 212,
    /// The schema is another one than the code's.
    #[error("the code's schema has another hash than the proposal says")]
    BadSchema = 213,
    /// The code was not approved.
    #[error("the members have not approved this code")]
    NotApproved = 214,
    /// The member has instantiated too many contracts.
    #[error(
        "this member has instantiated {} contracts; there can't be more",
        CONTRACTS_OF_MEMBER_MAX
    )]
    TooManyContracts = 215,
    /// The argument is too long.
    #[error("an argument has at most {} bytes", CONTRACT_ARGUMENT_BYTES_MAX)]
    LongArgument = 216,
    /// The contract does not accept it; the receipt's output is the contract's own `Status`.
    #[error("the contract itself refuses this")]
    ContractFailed = 217,
    /// Only its admins register a hospital's own rules.
    #[error("a hospital's own rules are registered by its admins, without a vote")]
    HospitalsOwn = 218,
}

impl ContractRefusal {
    const ALL: [Self; 18] = [
        Self::NotAllowed,
        Self::UnknownCode,
        Self::CodeKnown,
        Self::TooMuchCode,
        Self::BadPart,
        Self::BadHash,
        Self::UnknownContract,
        Self::BadStateVersion,
        Self::NoEntryPoint,
        Self::NotPassed,
        Self::TooEarly,
        Self::NothingToChange,
        Self::BadSchema,
        Self::NotApproved,
        Self::TooManyContracts,
        Self::LongArgument,
        Self::ContractFailed,
        Self::HospitalsOwn,
    ];

    /// Its number in a receipt.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The refusal of a number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

/// The number in a receipt of an admission code such as `A004`; `None` if it is no such code.
pub fn admission_refusal(code: &str) -> Option<u16> {
    let number: u16 = code.strip_prefix('A')?.parse().ok()?;
    ADMISSION_CODES.checked_add(number)
}

/// The admission code of a number in a receipt.
pub fn admission_code(number: u16) -> Option<String> {
    let code = number
        .checked_sub(ADMISSION_CODES)
        .filter(|code| (1..100).contains(code))?;
    Some(format!("A{code:03}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_own_code_and_comes_back_from_it() {
        for (refusal, code) in ContractRefusal::ALL.into_iter().zip(201..) {
            assert_eq!(refusal.code(), code);
            assert_eq!(ContractRefusal::from_code(code), Some(refusal));
        }
        assert_eq!(ContractRefusal::from_code(200), None);
        assert_eq!(ContractRefusal::from_code(219), None);
    }

    #[test]
    fn codes_of_admission_come_back_from_receipts() {
        assert_eq!(admission_refusal("A004"), Some(304));
        assert_eq!(admission_code(304).as_deref(), Some("A004"));
        assert_eq!(admission_code(330).as_deref(), Some("A030"));
        for outside in [0, 218, 300, 400] {
            assert_eq!(admission_code(outside), None);
        }
        assert_eq!(admission_refusal("B1"), None);
    }

    #[test]
    fn more_than_a_fraction_of_few_members() {
        let cases = [
            (Fraction::TWO_THIRDS, [1, 2, 3, 3, 4, 5, 5]),
            (Fraction::THIRD, [1, 1, 2, 2, 2, 3, 3]),
        ];
        for (fraction, needed) in cases {
            for (members, needed) in (1..).zip(needed) {
                assert_eq!(fraction.more_than(members), needed, "{fraction} of {members}");
            }
        }
    }

    #[test]
    fn fractions_have_one_spelling() {
        assert_eq!("2/3".parse(), Ok(Fraction::TWO_THIRDS));
        for bad in ["3/3", "4/3", "0/0", "1", "2/3 ", "02/3", "-1/3", "1/70000", ""] {
            assert_eq!(bad.parse::<Fraction>(), Err(FractionError), "{bad}");
        }
    }

    #[test]
    fn unsound_parameters_are_told_apart() {
        let usual = ContractParams::default();
        assert!(usual.are_sound());
        let fraction = |text: &str| text.parse().expect("a fraction");
        for unsound in [
            ContractParams {
                approvals: fraction("1/3"),
                ..usual
            },
            ContractParams {
                freeze_approvals: fraction("1/4"),
                ..usual
            },
            ContractParams {
                freeze_approvals: fraction("3/4"),
                ..usual
            },
            ContractParams {
                frozen_timelock_ms: usual.timelock_ms + 1,
                ..usual
            },
        ] {
            assert!(!unsound.are_sound(), "{unsound:?}");
        }
    }
}
