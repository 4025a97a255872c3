//! The chain's state as a set of entries, and proofs about single entries.
//!
//! A key is the contract's number (4 bytes, big-endian) and the contract's own key. The tree over all entries has
//! 16 children a node and is walked by the hex digits of `BLAKE3(key)`, as far as needed to tell entries apart.

use crate::{ContractId, Hash};
use salus_abi::codec::{Decode, Encode};
use std::fmt;

/// Where an entry of the state lies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct StateKey(Vec<u8>);

impl StateKey {
    /// The key of a contract's own entry.
    pub fn new(contract: ContractId, key: &[u8]) -> Self {
        let mut bytes = contract.get().to_be_bytes().to_vec();
        bytes.extend_from_slice(key);
        Self(bytes)
    }

    /// Reads a key back from the bytes of [`Self::as_bytes`]; `None` if they are too short to name a contract.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= 4).then(|| Self(bytes.to_vec()))
    }

    /// The contract's number and its own key, as they are stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path in the tree: the BLAKE3 hash of the bytes.
    pub fn path(&self) -> Hash {
        Hash::of_content(&self.0)
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateKey({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// Writes of a block: for each key its new value, or `None` if it was deleted. Sorted, each key once.
pub type StateChanges = std::collections::BTreeMap<StateKey, Option<Vec<u8>>>;

/// Changes of the state tree's stored nodes: path (one byte a hex digit) to the node's bytes, or `None` if it is gone.
pub type TreeChanges = std::collections::BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The disk under the state could not be read. Never a transaction's fault: the node halts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state could not be read: {0}")]
pub struct StateFault(pub String);

/// Reads the committed state; one of the project's few traits, because the disk is a real edge.
pub trait StateReader: Send + Sync {
    /// The value of an entry.
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault>;

    /// The first entry whose key starts with `prefix` and is greater than `after` (no bytes: from the start).
    /// Both are whole state keys, with the contract's number.
    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault>;

    /// A stored node of the state tree.
    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault>;
}
