use salus_consensus::TimerId;
use salus_types::{BlockId, CommitCertificate, Header, Height};

/// What nodes send one another.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    /// An encoded consensus message.
    Message(Vec<u8>),
    /// Stands for body, data key and shares of a block.
    Dealing { header: Header, good: bool },
    /// Asks for a dealing.
    Pull(BlockId),
    /// Asks for a share of a block.
    AskShare(BlockId),
    /// Stands for a share, with the header under which it was kept.
    Share(Header),
    /// Asks for the decision of a height.
    Ask(Height),
    /// The decision of a height.
    Decision(CommitCertificate, Header),
}

/// What happens to a node.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Receive {
        from: u16,
        packet: Packet,
    },
    Timer(TimerId),
    Build {
        height: Height,
        round: salus_types::Round,
    },
    Judge {
        header: Header,
        round: salus_types::Round,
        valid: bool,
    },
    PullAgain {
        from: u16,
        id: BlockId,
    },
    AskAgain {
        from: u16,
        height: Height,
    },
    StartNext,
    Restart,
}
