//! Everything that can happen to the chain's loop.

use crate::wire::{BodyAnswer, BodyAsk};
use salus_api::{CommittedTransaction, Reply};
use salus_seal::OpenedBlock;
use salus_types::state::TreeChanges;
use salus_types::{
    BlockId, CommitCertificate, Evidence, Header, Height, MemberId, SealedShare, ShareCommitment,
    TransactionId,
};
use std::sync::Arc;

/// One closed enum: what is not here cannot happen to the chain.
pub(crate) enum Event {
    /// A consensus message came from a member. Nothing in it has been checked.
    Consensus { from: MemberId, bytes: Vec<u8> },
    /// A member connected.
    Connected(MemberId),
    /// A member asks about the dealing of a block that is being decided.
    Body {
        from: MemberId,
        ask: BodyAsk,
        reply: salus_net::Reply,
    },
    /// What a member answered to the question for a dealing; `None` if it did not.
    Pulled {
        from: MemberId,
        block: BlockId,
        answer: Option<BodyAnswer>,
    },
    /// Somebody put a transaction into the pool.
    Work,
    /// The archive gathered a block that this node missed; they come in order.
    Missed(Box<Missed>),
    /// The archive has written a snapshot beside the state in use.
    Install {
        /// Of which height.
        height: Height,
        /// The nodes of the state tree above its parts.
        nodes: TreeChanges,
    },
    /// The archive could not gather a block that was decided here without its body.
    NotGathered { height: Height },
    /// The archive opened a block that is being decided and whose dealing is lost, or could not.
    Reopened {
        header: Box<Header>,
        block: Option<Arc<OpenedBlock>>,
    },
    /// The archive opened a block that is to be dealt anew, or could not.
    Unsealed {
        height: Height,
        block: Option<Arc<OpenedBlock>>,
    },
    /// A client waits until a transaction is committed.
    Wait {
        id: TransactionId,
        reply: Reply<CommittedTransaction>,
    },
    /// A member was found to have answered wrongly under its signature.
    Evidence(Box<Evidence>),
    /// A part of the node that the chain can't do without has failed.
    Failed(String),
    /// The node stops.
    Stop,
}

/// A block that others decided, opened from shares and proven by a certificate, its own or a descendant's.
pub(crate) struct Missed {
    pub(crate) header: Header,
    /// The dealing that it was opened from: the header's own, or a later one.
    pub(crate) commitment: ShareCommitment,
    pub(crate) body: Vec<u8>,
    /// The own share of that dealing; `None` if the own slot was not dealt then.
    pub(crate) share: Option<SealedShare>,
    /// The certificate, if it is the block's own.
    pub(crate) certificate: Option<CommitCertificate>,
}
