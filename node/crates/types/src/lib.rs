//! The vocabulary of the chain.
//!
//! Everything that is signed, hashed, sent or stored is defined here once, with its one canonical encoding;
//! the crates around it move these values down the flow and never invent bytes of their own:
//!
//! ```text
//! UnverifiedTransaction -> Transaction -> Body + Header -> CommitCertificate -> SealedShare
//!        (a client)        (checked)        (a block)        (decided)         (what a node keeps)
//! ```
//!
//! - ids and quantities are newtypes ([`Height`], [`Round`], [`Slot`], ...);
//! - keys and signatures wrap ed25519 and check it by one rule everywhere ([`PublicKey::verify`]);
//! - a [`Header`] commits to a block; a [`CommitCertificate`] proves that a quorum decided it;
//! - an [`Evidence`] proves a member's fault to whoever was not there;
//! - a [`MerkleRoot`](merkle) commits to shares and to receipts.
//!
//! Invariant: no type here holds plaintext of a health record, and none derives JSON.
#![deny(clippy::arithmetic_side_effects)]

mod block;
mod certificate;
mod evidence;
mod hash;
mod ids;
mod keys;
mod lifecycle;
mod member;
mod membership;
pub mod merkle;
mod open;
mod proposal;
mod reseal;
mod share;
mod share_receipt;
pub mod snapshot;
pub mod state;
mod transaction;
pub mod tree;
mod vote;

pub use block::{Body, BodyError, Event, Header, Receipt, Sealing, Status};
pub use certificate::{CertificateError, CommitCertificate, CommitSignature};
pub use evidence::{DoubleVote, Evidence, FaultKind, WrongShare};
pub use hash::{Hash, HashParseError};
pub use ids::{BlockId, ChainId, Gas, Height, Round, Sequence, Slot, Timestamp, TransactionId};
pub use keys::{PublicKey, SecretKey, Signature, SignatureError};
pub use lifecycle::{
    CODE_BYTES_MAX, CODE_PART_BYTES, CODE_UPLOADS_MAX, CODE_WAITING_BYTES_MAX, CODE_WAITS_MS,
    CONTRACT_ARGUMENT_BYTES_MAX, CONTRACTS_OF_MEMBER_MAX, CodeHashes, CodeOrigin, CodePart, CodeUpload,
    ContractCall, ContractChange, ContractEvent, ContractInfo, ContractParams, ContractRefusal, ENACT_MS_MAX,
    EnactedChange, Fraction, FractionError, StoredCode, TIMELOCK_MS_MAX, admission_code, admission_refusal,
};
pub use member::{Member, Validator, ValidatorSet, ValidatorSetError};
pub use membership::{
    AdminKeys, FormerMember, GRACE_MS, KeysProof, MEMBER_ADDRESS_LENGTH_MAX, MEMBER_ADDRESSES_MAX,
    MEMBER_NAME_LENGTH_MAX, MemberCard, MemberChange, MemberKeys, MembershipRefusal, ROTATION_HEIGHTS_MIN,
};
pub use open::{OPEN_REQUEST_MS_MAX, OpenRequest, OpenRequestError, SignedOpenRequest};
pub use proposal::{Change, ChangeProposal, OPEN_PROPOSALS_MAX, PassedChange, ProposalId, ProposalOutcome};
pub use reseal::{RESEAL_BYTES_MAX, RESEALS_MAX, ResealJob, ResealRefusal};
pub use salus_abi as abi;
pub use salus_abi::codec;
pub use salus_abi::{ContractId, MemberId, PrincipalId, RecordNumber};
pub use share::{KEY_SHARE_LENGTH, SealedShare, ShareCommitment, ShareStatement, SignedShare};
pub use share_receipt::{ShareReceipt, ShareReceiptError};
pub use transaction::{
    Call, SystemCall, TRANSACTION_LENGTH_MAX, Transaction, TransactionError, TransactionPayload,
    UnverifiedTransaction,
};
pub use vote::{Proposal, SignedProposal, SignedVote, Vote, VoteKind};
