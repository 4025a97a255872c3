use salus_types::{BlockId, Hash, Height, Round};
use std::io;
use std::path::PathBuf;

/// Why something could not be kept or read, and what the operator can do.
///
/// [`StoreError::is_fatal`] tells the failures after which a node must stop from refusals of a single request.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}; check that the disk is mounted, writable and has free space")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Two processes must never share a folder: they would vote twice.
    #[error("another process uses the folder {0}: stop it, or start with a folder of its own")]
    Locked(PathBuf),
    /// Under another key everything that is kept would look damaged, and would be cut off.
    #[error("the folder {0} was written under another store key: start with the keystore that belongs to it")]
    WrongKey(PathBuf),
    /// An earlier write or fsync failed, so nothing more may be acknowledged.
    #[error("the {part} is halted since a write failed ({reason}): check the disk, then restart the node")]
    Halted {
        /// Which part of the store.
        part: &'static str,
        /// The first failure.
        reason: String,
    },
    /// The consensus log is damaged before its end; what it says must not be guessed.
    #[error(
        "the consensus log {path} is damaged at byte {offset}: move the file away and let the node catch up as \
         an observer until the network has left height {height}, or it could vote twice"
    )]
    WalDamaged {
        /// The file.
        path: PathBuf,
        /// Where the first bad frame starts.
        offset: u64,
        /// The height of the last sound entry or vote.
        height: Height,
    },
    /// Both copies of the last-signed state are damaged.
    #[error(
        "the last-signed state in {0} is damaged: move the file away and let the node catch up as an observer \
         for some heights, or it could vote twice"
    )]
    SigningStateDamaged(PathBuf),
    /// Too much was written for one height.
    #[error(
        "the consensus log is full ({limit} bytes for one height): the network does not decide, look at its members"
    )]
    WalFull {
        /// Bytes allowed.
        limit: u64,
    },
    /// Signing would contradict, or come before, what was signed already.
    #[error(transparent)]
    DoubleSign(#[from] DoubleSign),
    /// The database under the index is damaged. It is moved aside at the next start and rebuilt.
    #[error(
        "the index is damaged ({0}): restart the node, it will rebuild the index from the share log and its peers"
    )]
    IndexDamaged(String),
    /// A state was asked for before [`crate::ChainStore::init`], or given twice.
    #[error("the chain store {0}")]
    Initialisation(&'static str),
    /// A block that skips heights.
    #[error("block {height} cannot follow {tip}: commit the blocks between them first")]
    Gap {
        /// The block's height.
        height: Height,
        /// The highest committed one.
        tip: Height,
    },
    /// A block other than the one that was committed, or one with another parent.
    #[error(
        "block {id} at height {height} contradicts what is committed: stop and compare this node with its peers"
    )]
    Conflict {
        /// The block's height.
        height: Height,
        /// The block that was refused.
        id: BlockId,
    },
    /// A reseal that no committed block can decide.
    #[error("the reseal of block {height} is refused: {reason}")]
    ResealRefused {
        /// The height of the block to be resealed.
        height: Height,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A share of a dealing that was replaced in the meantime.
    #[error("the block at height {0} was resealed in the meantime: its share is to be repaired anew")]
    Resealed(Height),
    /// Something is larger than its format allows.
    #[error("{what} of {length} bytes where at most {limit} are allowed")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its bytes.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A kept share no longer matches its checksum or its key: it counts as lost and can be repaired.
    #[error("the kept share of height {0} is damaged: it will be repaired from peers")]
    ShareDamaged(Height),
    /// A share for another block than the one it is stored under.
    #[error("a share of height {share} offered for the block at height {block}")]
    ShareMismatch {
        /// The share's height.
        share: Height,
        /// The header's height.
        block: Height,
    },
    /// A kept piece no longer matches its checksum.
    #[error("the kept piece of {0} is damaged: delete it and have it rebuilt from other members")]
    PieceDamaged(Hash),
    /// Another piece is kept under this digest.
    #[error("another piece of {0} is kept already: a member holds exactly one piece of a record")]
    PieceConflict(Hash),
    /// A deposit no longer matches its checksum or its key: nothing can be given from it.
    #[error("what was kept for other members of block {0} is damaged: they are served by others")]
    DepositDamaged(Height),
    /// A view that has fallen too far behind the tip.
    #[error("this view of height {0} is too old: take a new one")]
    ViewExpired(Height),
}

/// A refusal to sign. The vote must not leave the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DoubleSign {
    /// Something else was signed for the same step.
    #[error("height {height}, round {round}, {step}: something else was signed already")]
    Conflict {
        /// Height of the refused vote.
        height: Height,
        /// Its round.
        round: Round,
        /// Its step.
        step: crate::SigningStep,
    },
    /// A later step was signed, and this one is not known to have been.
    #[error("height {height}, round {round}, {step}: a later step was signed already")]
    Backwards {
        /// Height of the refused vote.
        height: Height,
        /// Its round.
        round: Round,
        /// Its step.
        step: crate::SigningStep,
    },
}

impl StoreError {
    /// Whether the node must stop: a durable write failed, or what is kept contradicts itself.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Io { .. }
            | Self::Locked(_)
            | Self::WrongKey(_)
            | Self::Halted { .. }
            | Self::WalDamaged { .. }
            | Self::SigningStateDamaged(_)
            | Self::WalFull { .. }
            | Self::DoubleSign(_)
            | Self::IndexDamaged(_)
            | Self::Initialisation(_)
            | Self::Gap { .. }
            | Self::Conflict { .. }
            | Self::ResealRefused { .. } => true,
            Self::TooLong { .. }
            | Self::Resealed(_)
            | Self::ShareDamaged(_)
            | Self::ShareMismatch { .. }
            | Self::PieceDamaged(_)
            | Self::PieceConflict(_)
            | Self::DepositDamaged(_)
            | Self::ViewExpired(_) => false,
        }
    }
}
