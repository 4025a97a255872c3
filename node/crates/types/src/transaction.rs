use crate::{
    ChainId, Change, ContractCall, Gas, Hash, Height, KeysProof, MemberKeys, ProposalId, PublicKey,
    SecretKey, Sequence, Signature, TransactionId,
};
use salus_abi::codec::{self, Decode, DecodeError, Encode};
use salus_abi::domain::Tag;
use salus_abi::{ContractId, MemberId, PrincipalId};

/// Bytes of an encoded transaction, at most.
pub const TRANSACTION_LENGTH_MAX: usize = 80 << 10;

/// What a sender asks the chain to do; the part that is signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TransactionPayload {
    /// Who asks.
    pub sender: PrincipalId,
    /// The sender's count of executed transactions: prevents replay and fixes the order.
    pub sequence: Sequence,
    /// The last height at which it may be executed.
    pub expires: Height,
    /// The most it may cost.
    pub gas_limit: Gas,
    /// What to do.
    pub call: Call,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Call {
    /// Runs an entry of a contract.
    Contract {
        /// Which contract.
        contract: ContractId,
        /// Which entry.
        entry: u8,
        /// Canonical encoding of the entry's argument.
        input: Vec<u8>,
    },
    /// Changes the chain itself.
    System(SystemCall),
}

/// A change of the chain itself. Callers: operators; for some calls about contracts admins too.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SystemCall {
    /// Changes the addresses under which a member's validator is reached.
    SetAddresses {
        /// Which member; the operator's own.
        member: MemberId,
        /// Multiaddresses, at most 4 of at most 128 bytes.
        addresses: Vec<String>,
    },
    /// Has the blocks of a range dealt anew, for the present members and with fresh keys. One range at a time.
    StartReseal {
        /// The first block, at least height 1.
        from: Height,
        /// The last block, committed by now.
        to: Height,
    },
    /// Ends the reseal under way. Blocks that it dealt anew stay so.
    StopReseal,
    /// Proposes a change, and approves it. Output [`ProposalOutcome`](crate::ProposalOutcome).
    Propose {
        /// What is to change.
        change: Change,
        /// The last height at which it can be voted on; as far ahead as a transaction's end may be.
        expires: Height,
    },
    /// The vote of the operator's own member on an open proposal. Output [`ProposalOutcome`](crate::ProposalOutcome).
    Vote {
        /// Which proposal.
        proposal: ProposalId,
        /// Whether it approves; if not, an approval given before is withdrawn.
        approve: bool,
    },
    /// Replaces the keys of the operator's own member; nobody else votes on it.
    RotateMemberKeys {
        /// The new keys. Those that stay the same are repeated.
        keys: Box<MemberKeys>,
        /// The new keys' statement, for the member's name.
        proof: Box<KeysProof>,
    },
    /// Stores code, instantiates it, or enacts a change of contracts.
    Contract(ContractCall),
}

/// A transaction as it arrives: nothing about it has been checked.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UnverifiedTransaction {
    /// What was signed.
    pub payload: TransactionPayload,
    /// The sender's signature over the payload under `Tag::TRANSACTION`.
    pub signature: Signature,
}

/// A transaction whose signature was checked against the sender's key.
///
/// Only [`UnverifiedTransaction::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    inner: UnverifiedTransaction,
    id: TransactionId,
    key: PublicKey,
    length: usize,
}

/// Why a transaction is refused before it is looked at further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Its bytes are not a transaction.
    #[error("not a transaction: {0}")]
    Malformed(#[from] DecodeError),
    /// Its signature does not verify under the sender's current key on this chain.
    #[error("the signature does not verify under the sender's key on this chain")]
    BadSignature,
}

impl TransactionPayload {
    /// The transaction's id on a chain.
    pub fn id(&self, chain: &ChainId) -> TransactionId {
        TransactionId::new(Hash::of(Tag::TRANSACTION, chain, &codec::encode(self)))
    }

    /// Signs it.
    pub fn sign(self, key: &SecretKey, chain: &ChainId) -> UnverifiedTransaction {
        let signature = key.sign(Tag::TRANSACTION, chain, &codec::encode(&self));
        UnverifiedTransaction {
            payload: self,
            signature,
        }
    }
}

impl UnverifiedTransaction {
    /// Reads one from its canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, TransactionError> {
        Ok(codec::decode(bytes, TRANSACTION_LENGTH_MAX)?)
    }

    /// Checks the signature under the sender's key, which the caller took from the registry's state.
    pub fn verify(self, chain: &ChainId, key: &PublicKey) -> Result<Transaction, TransactionError> {
        let payload = codec::encode(&self.payload);
        key.verify(Tag::TRANSACTION, chain, &payload, &self.signature)
            .map_err(|_| TransactionError::BadSignature)?;
        let id = TransactionId::new(Hash::of(Tag::TRANSACTION, chain, &payload));
        Ok(Transaction {
            inner: self,
            id,
            key: *key,
            length: payload.len().saturating_add(64),
        })
    }
}

impl Transaction {
    /// Its id.
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// What was signed.
    pub const fn payload(&self) -> &TransactionPayload {
        &self.inner.payload
    }

    /// The key under which its signature was checked. The sender may have changed keys since: execution compares.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The transaction as it is sent and stored.
    pub const fn as_unverified(&self) -> &UnverifiedTransaction {
        &self.inner
    }

    /// Bytes of its encoding.
    pub const fn encoded_length(&self) -> usize {
        self.length
    }
}
