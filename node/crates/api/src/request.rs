//! What the API asks of the node, and what the node answers: domain types only.

use crate::{PieceRefusal, QueryRefusal, ReadRefusal, Rejection};
use salus_types::abi::access::{LogEntry, LogHead};
use salus_types::abi::registry::Principal;
use salus_types::state::StateKey;
use salus_types::{
    BlockId, Body, ChangeProposal, CommitCertificate, ContractId, ContractInfo, FormerMember, Gas, Header,
    Height, Member, MemberId, PrincipalId, Receipt, ResealJob, Sequence, ShareCommitment, Signature,
    SignedOpenRequest, Slot, Timestamp, TransactionId, UnverifiedTransaction, ValidatorSet,
};
use std::fmt;
use std::time::Duration;
use tokio::sync::oneshot;

/// Where an answer goes. Once [`oneshot::Sender::is_closed`], the client has left and the work can be dropped.
///
/// Dropping it unanswered gives the client `internal` (or, for [`Request::WaitCommitted`], "still pending").
pub type Reply<T> = oneshot::Sender<T>;

/// Everything the API can ask of the node.
pub enum Request {
    /// Check a transaction and put it into the pool. One that is in the pool already is accepted again.
    Submit {
        /// The transaction; its chain id and canonical form have been checked, its signature has not.
        transaction: UnverifiedTransaction,
        /// Its id once it is in the pool.
        reply: Reply<Result<TransactionId, Rejection>>,
    },
    /// The same for up to 256 at once, so that their signatures can be checked as a batch.
    SubmitBatch {
        /// The transactions.
        transactions: Vec<UnverifiedTransaction>,
        /// One result each, in their order.
        reply: Reply<Vec<Result<TransactionId, Rejection>>>,
    },
    /// Answer as soon as the transaction is committed; at once if it is. Drop the reply if it never can be.
    /// The API waits at most [`crate::Limits::commit_wait`]; drop waiters whose reply is closed.
    WaitCommitted {
        /// Which transaction.
        id: TransactionId,
        /// Where it stands in the chain, and what it did.
        reply: Reply<CommittedTransaction>,
    },
    /// What became of a transaction. An old receipt is read by reconstructing its block.
    Transaction {
        /// Which.
        id: TransactionId,
        /// Whose wish it is that an old block is opened for it.
        wish: Option<SignedOpenRequest>,
        /// Where it is.
        reply: Reply<Result<TransactionStatus, ReadRefusal>>,
    },
    /// How the node is.
    Status {
        /// The status.
        reply: Reply<NodeStatus>,
    },
    /// Who belongs to the network, who has left, and what is proposed.
    Members {
        /// As the last committed state has it.
        reply: Reply<Membership>,
    },
    /// The validators that decide a height.
    Validators {
        /// Up to the one after the next.
        height: Height,
        /// `None` if they are not known yet, or no longer.
        reply: Reply<Option<ValidatorSet>>,
    },
    /// Headers of committed blocks, ascending.
    Headers {
        /// The first height; `None` for the last `limit` blocks.
        from: Option<Height>,
        /// How many at most, 1..=100.
        limit: u16,
        /// The headers; none when `from` is above the tip.
        reply: Reply<Vec<Header>>,
    },
    /// One header, with its certificate if it is still kept whole.
    Block {
        /// Which height.
        height: Height,
        /// `None` if there is no such block yet.
        reply: Reply<Option<BlockHead>>,
    },
    /// Reconstruct a block's body from shares.
    Body {
        /// Which height.
        height: Height,
        /// Whose wish it is: nothing about it has been checked.
        wish: Option<SignedOpenRequest>,
        /// The body and how it was obtained.
        reply: Reply<Result<ReconstructedBlock, ReadRefusal>>,
    },
    /// Ask the members which of them hold their share of a block.
    ShareHolders {
        /// Which height.
        height: Height,
        /// One row for each member with a slot in that dealing.
        reply: Reply<Result<Vec<ShareHolder>, ReadRefusal>>,
    },
    /// Who asked this member for its shares of blocks.
    Releases {
        /// The log, newest first.
        reply: Reply<Vec<Release>>,
    },
    /// Run `salus_query` of a contract on the last committed state.
    Query {
        /// Which contract.
        contract: ContractId,
        /// Which entry.
        entry: u8,
        /// Canonical encoding of the entry's argument, without the entry byte; at most `MESSAGE_LENGTH_MAX - 1` bytes.
        input: Vec<u8>,
        /// On whose behalf, as claimed: nothing proves it, so a query must not reveal more for it.
        caller: Option<PrincipalId>,
        /// Whether to show and prove what it read.
        proof: bool,
        /// The output.
        reply: Reply<Result<QueryAnswer, QueryRefusal>>,
    },
    /// List contracts.
    Contracts {
        /// Those with larger numbers than this.
        above: ContractId,
        /// So many, at most.
        limit: u16,
        /// In the order of their numbers.
        reply: Reply<Vec<(ContractId, ContractInfo)>>,
    },
    /// Read an entry of the committed state.
    State {
        /// Which entry.
        key: StateKey,
        /// Whether to prove it against the header's state root.
        proof: bool,
        /// The entry, or the proof that there is none.
        reply: Reply<StateAnswer>,
    },
    /// A principal as the registry's state has it.
    Principal {
        /// Which.
        principal: PrincipalId,
        /// `None` if the number was never given out.
        reply: Reply<Option<PrincipalState>>,
    },
    /// Entries of a patient's access log, ascending, read by reconstructing the blocks that hold them.
    AccessLog {
        /// Whose.
        patient: PrincipalId,
        /// The first index.
        from: u64,
        /// How many at most, 1..=256.
        limit: u16,
        /// Whose wish it is that the blocks are opened which hold them.
        wish: Option<SignedOpenRequest>,
        /// The entries, and the head that proves the whole log.
        reply: Reply<Result<LogPage, ReadRefusal>>,
    },
    /// Hand a record's piece to a member (perhaps this one), which checks it, stores it durably and signs a receipt.
    StorePiece {
        /// Whose piece.
        member: MemberId,
        /// Canonical bytes of the piece, at most 20 MiB; not looked at by the API.
        piece: Vec<u8>,
        /// The member's signature over `stored_receipt_payload` under `Tag::RECORD_RECEIPT`.
        reply: Reply<Result<Signature, PieceRefusal>>,
    },
    /// Relay a signed read request to a member, which answers with its piece, sealed to the requester.
    ReadPiece {
        /// Whose piece.
        member: MemberId,
        /// Canonical bytes of the signed read request; not looked at by the API.
        request: Vec<u8>,
        /// Canonical bytes of the released piece.
        reply: Reply<Result<Vec<u8>, PieceRefusal>>,
    },
}

/// Where a committed transaction stands, and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedTransaction {
    /// The block's height.
    pub height: Height,
    /// Its position in the block, from 0.
    pub index: u32,
    /// What it called, whose error codes its receipt names; [`ContractId::SYSTEM`] for a system call.
    pub contract: ContractId,
    /// What it did.
    pub receipt: Receipt,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// In the pool.
    Pending,
    /// In a block.
    Committed(CommittedTransaction),
    /// Neither in this node's pool nor in a block it knows.
    Unknown,
}

/// How a node is, right now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeStatus {
    /// The last committed height.
    pub height: Height,
    /// The last committed block; [`salus_types::Hash::ZERO`] at height 0.
    pub block: BlockId,
    /// Its time.
    pub block_time: Timestamp,
    /// n: validators of the next height.
    pub validators: u16,
    /// k: shares needed to open a block of the next height.
    pub threshold: u16,
    /// Whether blocks are opened only against a ticket of the access contract.
    pub ticket_to_open: bool,
    /// Validators connected, without this one.
    pub peers: u16,
    /// Transactions in the pool.
    pub mempool: u32,
    /// Whether it is behind its peers.
    pub catching_up: bool,
    /// Repair of the own shares.
    pub repair: RepairStatus,
    /// The rolling check of the own shares.
    pub scrub: ScrubStatus,
    /// How it comes forward when it is behind.
    pub sync: SyncStatus,
    /// Blocks that a snapshot skipped and that were not opened yet to see what is in them.
    pub unread: u64,
    /// What it keeps for other members.
    pub deposits: DepositStatus,
    /// The latest reseal of old blocks, whether it is under way or done; `None`: none yet.
    pub reseal: Option<ResealJob>,
    /// What it keeps on disk.
    pub storage: StorageStatus,
}

/// What a node does that is not where it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPhase {
    /// Nothing: it is in step and has all its shares.
    #[default]
    InStep,
    /// It fetches and verifies headers; counted in headers.
    Headers,
    /// It fetches a snapshot of the state; counted in bytes.
    Snapshot,
    /// It opens and executes blocks; counted in blocks.
    Blocks,
    /// It rebuilds own shares; counted in blocks.
    Repair,
}

/// How a node comes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SyncStatus {
    /// What it does.
    pub phase: SyncPhase,
    /// How much of it is done.
    pub done: u64,
    /// How much there is to do.
    pub total: u64,
    /// How much was done in a second, lately.
    pub per_second: f64,
    /// How long it takes at that rate; `None` when nothing can be said.
    pub remaining: Option<Duration>,
}

/// Repair of a node's own shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairStatus {
    /// Shares still missing.
    pub missing: u64,
    /// How many of these come first: somebody waits for them, or they were whole until lately.
    pub urgent: u64,
    /// Shares rebuilt since the start.
    pub repaired: u64,
    /// Tries since the start that came to nothing for now, because the header is not here.
    pub failed_no_header: u64,
    /// The same, because too few members gave their share.
    pub failed_too_few_shares: u64,
    /// The same, because the shares did not open the block.
    pub failed_unopenable: u64,
    /// How long the missing ones take at the present speed, in milliseconds; `None` if that can't be told.
    pub estimate_ms: Option<u64>,
}

/// The rolling check of a node's own shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubStatus {
    /// Bytes read in a second, at most.
    pub bytes_per_second: u64,
    /// The pass under way, or the next to begin.
    pub current: ScrubPass,
    /// The last height it has checked.
    pub height: Height,
    /// The last pass over all shares, also from before the node was started.
    pub last: Option<ScrubPass>,
    /// Damaged shares found since the start, by a pass or by who wanted to read one.
    pub damaged: u64,
}

/// One pass over all shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubPass {
    /// When it began.
    pub started: Timestamp,
    /// When it ended; 0 while it is under way.
    pub finished: Timestamp,
    /// Shares read.
    pub checked: u64,
    /// Of these, damaged.
    pub damaged: u64,
    /// Of these, rebuilt since.
    pub repaired: u64,
}

/// What a node keeps for other members until enough of them hold their shares; only where k > n - 2f.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DepositStatus {
    /// Blocks.
    pub held: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// The lowest of their heights; `None` without any.
    pub oldest: Option<Height>,
}

/// What a node keeps on disk, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageStatus {
    /// Sealed shares of blocks.
    pub shares_bytes: u64,
    /// Headers, state and indexes.
    pub index_bytes: u64,
    /// Consensus WAL.
    pub wal_bytes: u64,
    /// Pieces of health records.
    pub pieces_bytes: u64,
    /// What every body so far, kept whole, would take.
    pub full_replication_bytes: u64,
}

/// A member and what this node sees of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// The member.
    pub member: Member,
    /// Whether its validator decides the next height.
    pub validating: bool,
    /// Whether this node has a connection to it; true for itself.
    pub connected: bool,
    /// What it was proven guilty of on the chain.
    pub faults: MemberFaults,
}

/// What a member was proven guilty of, each height counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberFaults {
    /// Heights at which it voted twice.
    pub double_votes: u32,
    /// Heights of which it handed out a wrong share under its signature.
    pub wrong_shares: u32,
    /// The highest of them all.
    pub latest: Option<Height>,
}

/// Who belongs to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Present members, in the order of their numbers.
    pub members: Vec<MemberStatus>,
    /// Members that were removed.
    pub former: Vec<FormerMember>,
    /// Proposals that can be voted on or enacted.
    pub proposals: Vec<OpenProposal>,
}

/// A proposal that can be voted on or enacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenProposal {
    /// The proposal.
    pub proposal: ChangeProposal,
    /// Approvals that it needs now.
    pub needed: u16,
}

/// What every node keeps whole of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHead {
    /// The header.
    pub header: Header,
    /// The certificate that decided it, if still kept: the tip's and one per checkpoint.
    pub certificate: Option<CommitCertificate>,
    /// The dealing in force, if a later block resealed it.
    pub resealed: Option<ShareCommitment>,
}

/// A block opened from shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconstructedBlock {
    /// The header the body was checked against.
    pub header: Header,
    /// The body.
    pub body: Body,
    /// Whose shares opened it, the own included.
    pub shares_from: Vec<MemberId>,
    /// How long gathering and opening took when it was done.
    pub elapsed: Duration,
    /// Whether it came from the memory cache.
    pub cached: bool,
}

/// A member's share of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareHolder {
    /// Whose.
    pub member: MemberId,
    /// Which share of the dealing.
    pub slot: Slot,
    /// What it said.
    pub state: ShareState,
}

/// What a member says, or shows, about its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareState {
    /// Holds it; it was checked against the share root.
    Held,
    /// Says that it has lost it, or has not got it yet.
    Missing,
    /// Says that it holds it. It was not asked to show it, since this network opens blocks against tickets only.
    Claimed,
    /// Sent one that fails the check against the share root, under its signature.
    Wrong,
    /// Did not answer in time.
    Unreachable,
}

/// Like questions of a member for this member's shares of blocks, within a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// When the first one came, by this node's clock.
    pub first: Timestamp,
    /// When the last one came.
    pub last: Timestamp,
    /// Which member asked; this one, when it opened blocks itself.
    pub member: MemberId,
    /// For what, by its own word.
    pub purpose: ReleasePurpose,
    /// Whose wish it showed.
    pub principal: Option<PrincipalId>,
    /// Whether it got them.
    pub allowed: bool,
    /// The lowest height.
    pub lowest: Height,
    /// The highest height.
    pub highest: Height,
    /// How many questions.
    pub count: u64,
}

/// For what a member asks for shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleasePurpose {
    /// Somebody reads the block.
    Read,
    /// It lost its own share.
    Repair,
    /// It missed the block.
    Sync,
    /// It deals the block anew.
    Reseal,
}

impl ReleasePurpose {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Repair => "repair",
            Self::Sync => "sync",
            Self::Reseal => "reseal",
        }
    }
}

/// A query's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryAnswer {
    /// What the entry returned: canonical bytes.
    pub output: Vec<u8>,
    /// What it cost.
    pub gas_used: Gas,
    /// On the state after which height.
    pub height: Height,
    /// What it read: canonical bytes of a [`ReadSet`](salus_types::state::ReadSet), if asked for.
    pub reads: Option<Vec<u8>>,
}

/// An entry of the committed state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateAnswer {
    /// Its value; `None` if there is no such entry.
    pub value: Option<Vec<u8>>,
    /// Canonical bytes of the proof, if asked for.
    pub proof: Option<Vec<u8>>,
    /// The height whose header's state root the answer is for.
    pub height: Height,
}

/// A principal with what the chain's own state knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalState {
    /// What the registry keeps.
    pub principal: Principal,
    /// The sequence number its next transaction must carry.
    pub next_sequence: Sequence,
}

/// Part of a patient's access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// Ascending, without gaps.
    pub entries: Vec<LogEntry>,
    /// Where the whole log stands.
    pub head: LogHead,
}

/// The variant's name only: requests carry record pieces and whom they are about.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Submit { .. } => "Submit",
            Self::SubmitBatch { .. } => "SubmitBatch",
            Self::WaitCommitted { .. } => "WaitCommitted",
            Self::Transaction { .. } => "Transaction",
            Self::Status { .. } => "Status",
            Self::Members { .. } => "Members",
            Self::Validators { .. } => "Validators",
            Self::Headers { .. } => "Headers",
            Self::Block { .. } => "Block",
            Self::Body { .. } => "Body",
            Self::ShareHolders { .. } => "ShareHolders",
            Self::Releases { .. } => "Releases",
            Self::Query { .. } => "Query",
            Self::Contracts { .. } => "Contracts",
            Self::State { .. } => "State",
            Self::Principal { .. } => "Principal",
            Self::AccessLog { .. } => "AccessLog",
            Self::StorePiece { .. } => "StorePiece",
            Self::ReadPiece { .. } => "ReadPiece",
        })
    }
}
