//! How the index's keys are laid out: one byte for the kind, then what identifies the entry.
//!
//! | kind | key after it | value |
//! | --- | --- | --- |
//! | `c` certificate | height (8) | canonical `CommitCertificate` |
//! | `e`, `E` state entry | contract (4), the contract's own key | the contract's value |
//! | `g` garbage | segment (4) | records of it that nobody needs (4), how many of them must be erased (4) |
//! | `h` header | height (8) | block id (32), canonical `Header` |
//! | `i` block id | first 8 bytes of the id, height (8) | empty |
//! | `m` meta | name | free; `tip`: height (8), id (32); `share tail`, `share scan`: location (8); `side`: 0 or 1; `generation`: journals taken in (8), see `journaled`; `staged`: height, state root |
//! | `n`, `N` state tree node | path | the node |
//! | `o` superseded share | height (8), height that had decided its dealing (8) | location (8), share root (32) |
//! | `p` patients | see `occurrences` | the heights that touch them |
//! | `q` staged part | prefix | bytes, what it is |
//! | `r` resealing | height (8) | the dealing in force: height that decided it (8), share root (32), terms |
//! | `s` share | height (8) | location: segment (4), offset (4); empty if it was removed |
//! | `t` transactions | see `occurrences` | the heights that hold them |
//! | `u` gap | first height (8) | last height (8): blocks whose occurrences are not known yet |
//! | `v` validators | their hash (32) | canonical `ValidatorSet` |
//!
//! Heights are big-endian, so keys sort by height. Of the two sides of the state, small and capital letters, one is the state at
//! the tip; a snapshot is written to the other.

use salus_types::{BlockId, Height, TransactionId};

pub(super) const CERTIFICATE: u8 = b'c';
pub(super) const GARBAGE: u8 = b'g';
pub(super) const HEADER: u8 = b'h';
pub(super) const BLOCK_ID: u8 = b'i';
pub(super) const META: u8 = b'm';
pub(super) const SUPERSEDED: u8 = b'o';
pub(super) const PATIENT: u8 = b'p';
pub(super) const PART: u8 = b'q';
pub(super) const RESEALING: u8 = b'r';
pub(super) const SHARE: u8 = b's';
pub(super) const TRANSACTION: u8 = b't';
pub(super) const GAP: u8 = b'u';
pub(super) const VALIDATORS: u8 = b'v';

/// One of the two places for a state and its tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Side {
    #[default]
    First,
    Second,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// The kinds of its entries and of its tree's nodes.
    pub(super) const fn kinds(self) -> [u8; 2] {
        match self {
            Self::First => [b'e', b'n'],
            Self::Second => [b'E', b'N'],
        }
    }

    pub(super) fn state(self, state_key: &[u8]) -> Vec<u8> {
        let [state, _] = self.kinds();
        key(state, &[state_key])
    }

    pub(super) fn tree(self, path: &[u8]) -> Vec<u8> {
        let [_, tree] = self.kinds();
        key(tree, &[path])
    }

    /// As it stands under `side`.
    pub(super) const fn to_byte(self) -> u8 {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::First),
            1 => Some(Self::Second),
            _ => None,
        }
    }
}

pub(super) fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(kind);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

pub(super) fn of_height(kind: u8, height: Height) -> Vec<u8> {
    key(kind, &[&height.get().to_be_bytes()])
}

pub(super) fn meta(name: &str) -> Vec<u8> {
    key(META, &[name.as_bytes()])
}

pub(super) fn superseded(height: Height, decided_at: Height) -> Vec<u8> {
    with_height(of_height(SUPERSEDED, height), decided_at)
}

pub(super) fn garbage(segment: u32) -> Vec<u8> {
    key(GARBAGE, &[&segment.to_be_bytes()])
}

pub(super) fn block_id_prefix(id: &BlockId) -> Vec<u8> {
    key(BLOCK_ID, &[short(id.as_bytes())])
}

/// The first 5 bytes of a transaction's id, as a number.
pub(super) fn transaction_item(id: &TransactionId) -> u64 {
    let [a, b, c, d, e, ..] = *id.as_bytes();
    u64::from_be_bytes([0, 0, 0, a, b, c, d, e])
}

fn short(id: &[u8; 32]) -> &[u8] {
    id.get(..8).unwrap_or_default()
}

/// `prefix || height`, for the kinds that keep heights in their keys.
pub(super) fn with_height(mut prefix: Vec<u8>, height: Height) -> Vec<u8> {
    prefix.extend_from_slice(&height.get().to_be_bytes());
    prefix
}

/// The height at the end of a key.
pub(super) fn height_at_end(key: &[u8]) -> Option<Height> {
    let bytes = key.last_chunk::<8>()?;
    Some(Height::new(u64::from_be_bytes(*bytes)))
}

/// The first key after all keys that start with `prefix`; `None` if there is none.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// A name for a key's kind.
pub(super) fn kind_name(key: &[u8]) -> &'static str {
    match key.first().copied() {
        Some(CERTIFICATE) => "certificates",
        Some(b'e' | b'E') => "state",
        Some(GARBAGE) => "garbage",
        Some(HEADER) => "headers",
        Some(BLOCK_ID) => "block ids",
        Some(META) => "meta",
        Some(b'n' | b'N') => "state tree",
        Some(SUPERSEDED) => "superseded shares",
        Some(PATIENT) => "patients",
        Some(RESEALING) => "resealings",
        Some(SHARE) => "shares",
        Some(TRANSACTION) => "transactions",
        Some(GAP) => "gaps",
        Some(PART) => "staged parts",
        Some(VALIDATORS) => "validators",
        _ => "other",
    }
}
