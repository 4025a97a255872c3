//! Domain separation: everything signed or hashed is `tag || chain id || version || exact bytes`.
//!
//! Tags are 16 bytes, so that no tag is a prefix of another message.

use alloc::vec::Vec;

/// Sixteen ASCII bytes that say what kind of thing is signed or hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag([u8; 16]);

impl Tag {
    /// A transaction, as its sender signs it and as its id hashes it.
    pub const TRANSACTION: Self = Self(*b"salus-transact\0\0");
    /// A block header; its hash is the block id.
    pub const HEADER: Self = Self(*b"salus-header\0\0\0\0");
    /// A validator's prevote or precommit.
    pub const VOTE: Self = Self(*b"salus-vote\0\0\0\0\0\0");
    /// A proposer's proposal.
    pub const PROPOSAL: Self = Self(*b"salus-proposal\0\0");
    /// A validator set.
    pub const VALIDATORS: Self = Self(*b"salus-validators");
    /// A receipt's leaf in the receipts root.
    pub const RECEIPT: Self = Self(*b"salus-receipt\0\0\0");
    /// A member's statement that it durably holds its piece of a record.
    pub const RECORD_RECEIPT: Self = Self(*b"salus-rec-stored");
    /// An entry of a patient's access log, chained to the one before it.
    pub const ACCESS_LOG: Self = Self(*b"salus-access-log");
    /// A requester's signed question to members for the pieces of a record.
    pub const RECORD_READ: Self = Self(*b"salus-rec-read\0\0");
    /// A new signing key's statement that its owner has it and wants it for a principal.
    pub const KEY_PROOF: Self = Self(*b"salus-key-proof\0");
    /// A member's binding of its network identity to its consensus key.
    pub const PEER_BINDING: Self = Self(*b"salus-peer-bind\0");
    /// A signed answer that hands out a share.
    pub const SHARE_ANSWER: Self = Self(*b"salus-share-ans\0");
    /// A principal's signed wish to have blocks opened for it by a member.
    pub const OPEN_REQUEST: Self = Self(*b"salus-open-req\0\0");
    /// A member's statement that its own shares of some blocks are durable.
    pub const SHARE_RECEIPT: Self = Self(*b"salus-share-rcpt");
    /// A genesis; its hash is the chain id, so its own chain id field is all zeroes.
    pub const GENESIS: Self = Self(*b"salus-genesis\0\0\0");

    /// The bytes of the tag.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The version that stands in every signed or hashed message.
pub const VERSION: u8 = 1;

/// The exact message that is signed or hashed for `payload`.
pub fn message(tag: Tag, chain_id: &[u8; 32], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(49 + payload.len());
    bytes.extend_from_slice(tag.as_bytes());
    bytes.extend_from_slice(chain_id);
    bytes.push(VERSION);
    bytes.extend_from_slice(payload);
    bytes
}
