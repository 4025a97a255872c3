use crate::{
    BlockId, ChainId, CommitCertificate, Evidence, Gas, Hash, Height, MemberId, Round, ShareCommitment,
    Timestamp, TransactionId, UnverifiedTransaction, merkle,
};
use salus_abi::ContractId;
use salus_abi::codec::{self, Decode, DecodeError, Encode};
use salus_abi::domain::Tag;

/// What every node keeps of every block, whole: about 300 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Header {
    /// Its position.
    pub height: Height,
    /// The round in which it was built; part of what its sealing is bound to.
    pub round: Round,
    /// Block time: later than the parent's, by the proposer's clock.
    pub time: Timestamp,
    /// Who built it.
    pub proposer: MemberId,
    /// The block before it.
    pub parent: BlockId,
    /// Hash of the validator set that decides it.
    pub validators: Hash,
    /// Hash of the validator set that decides the next one.
    pub next_validators: Hash,
    /// How its body was turned into shares.
    pub sealing: Sealing,
    /// Keyed BLAKE3 of the body, under a key derived from the data key: an outsider can't confirm a guessed body.
    pub body_commitment: Hash,
    /// Merkle root over the sealed shares.
    pub share_root: Hash,
    /// Merkle root over the receipts; the parent of nothing, zero for an empty block.
    pub receipts_root: Hash,
    /// Root of the state after execution.
    pub state_root: Hash,
    /// Gas of all transactions together.
    pub gas_used: Gas,
}

/// How a body was turned into shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Sealing {
    /// The scheme and its primitives; 1 is SSMS with AES-256-GCM, Reed-Solomon over GF(2^8) and BLAKE3.
    pub suite: u8,
    /// k: shares needed to open.
    pub threshold: u16,
    /// S: shares dealt.
    pub slots: u16,
    /// Bytes of the encoded body.
    pub body_length: u32,
    /// Bytes of the ciphertext, which is split into fragments.
    pub sealed_length: u32,
}

/// What only shares are kept of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Body {
    /// In the order of execution.
    pub transactions: Vec<UnverifiedTransaction>,
    /// What the transactions did, one receipt each.
    pub receipts: Vec<Receipt>,
    /// Proof of members' faults, at most [`Evidence::COUNT_MAX`].
    pub evidence: Vec<Evidence>,
    /// The certificate that decided the parent; `None` in the first block.
    pub parent_certificate: Option<CommitCertificate>,
    /// Older blocks that this one deals anew, ascending and without gaps.
    pub reseals: Vec<ShareCommitment>,
}

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// How it ended.
    pub status: Status,
    /// What it cost.
    pub gas_used: Gas,
    /// What the entry returned.
    pub output: Vec<u8>,
    /// What the contract told the world.
    pub events: Vec<Event>,
}

/// How a transaction ended. Anything but `Success` left no trace in the contracts' state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Status {
    /// It did what it says.
    Success,
    /// The contract refused it with an error code of its own.
    Aborted {
        /// One of the contract's error codes.
        code: u16,
    },
    /// The contract broke: unreachable code, memory out of bounds, division by zero, a malformed output.
    Trapped {
        /// Our own trap code: `salus-runtime` lists them.
        code: u8,
    },
    /// The gas limit did not suffice.
    OutOfGas,
    /// No such contract, or no such entry point.
    UnknownContract,
    /// The sender may not make this system call.
    NotAllowed,
    /// The members have frozen the contract.
    Frozen,
}

/// Something a contract told the world.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Event {
    /// Which contract.
    pub contract: ContractId,
    /// Canonical bytes of the contract's own event type.
    pub data: Vec<u8>,
}

/// Why bytes are not the body of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not the encoding of a body.
    #[error("not a block body: {0}")]
    Malformed(#[from] DecodeError),
    /// The number of receipts differs from the number of transactions.
    #[error("{transactions} transactions but {receipts} receipts")]
    ReceiptCount {
        /// Transactions in the body.
        transactions: usize,
        /// Receipts in the body.
        receipts: usize,
    },
}

impl Header {
    /// The block's id.
    pub fn id(&self, chain: &ChainId) -> BlockId {
        BlockId::new(Hash::of(Tag::HEADER, chain, &codec::encode(self)))
    }
}

impl Body {
    /// Bytes of an encoded body, at most.
    pub const LENGTH_MAX: usize = 16 << 20;

    /// Reads a body from its canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        let body: Self = codec::decode(bytes, Self::LENGTH_MAX)?;
        if body.transactions.len() != body.receipts.len() {
            return Err(BodyError::ReceiptCount {
                transactions: body.transactions.len(),
                receipts: body.receipts.len(),
            });
        }
        Ok(body)
    }

    /// The Merkle root over receipts, each bound to its transaction's id.
    pub fn receipts_root<'a>(
        chain: &ChainId,
        receipts: impl IntoIterator<Item = (TransactionId, &'a Receipt)>,
    ) -> Hash {
        let leaves: Vec<Hash> = receipts
            .into_iter()
            .map(|(id, receipt)| receipt.leaf(chain, id))
            .collect();
        merkle::root(&leaves)
    }
}

impl Receipt {
    /// The leaf of the receipts root.
    pub fn leaf(&self, chain: &ChainId, transaction: TransactionId) -> Hash {
        let mut payload = transaction.as_bytes().to_vec();
        payload.extend(codec::encode(self));
        Hash::of(Tag::RECEIPT, chain, &payload)
    }

    /// Whether it did what it says.
    pub fn succeeded(&self) -> bool {
        self.status == Status::Success
    }
}
