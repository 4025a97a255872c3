//! What goes into the archive and what comes out of it.

use crate::HeadersError;
use salus_seal::{OpenError, OpenedBlock, SealingError, ShareError};
use salus_types::snapshot::{
    CheckedPart, PartError, SnapshotOffer, SnapshotPart, SnapshotTarget, StagedPart,
};
use salus_types::state::TreeChanges;
use salus_types::tree::TreePrefix;
use salus_types::{
    BlockId, ChainId, CommitCertificate, Hash, Header, Height, MemberId, SealedShare, ShareCommitment,
    ShareReceipt, SignedShare, Slot, Validator, ValidatorSet, WrongShare,
};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// A reader's own number for what it wants opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// The archive's number for something it asked. Never used twice by one archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Why a share is asked for. Holders log it, and may ask more for a read than for keeping the chain alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// To catch up.
    Sync,
    /// To get back the own share.
    Repair,
    /// To see the body.
    Read,
    /// To deal the block anew.
    Reseal,
}

/// Why a holder gives no share. None of these is a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShareRefusal {
    /// It does not have it: not yet, no more, or damaged.
    NotHeld,
    /// It has too much to do.
    Busy,
    /// No ticket on the chain allows this read.
    NotAllowed,
    /// The request did not reach it, or the answer did not arrive whole: a share that does not fit its signature is as
    /// good as none, since anyone on the way may have spoiled it.
    Unreachable,
}

/// The last block that this node has executed and stored. Height 0 is genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: Height,
    /// Its id.
    pub id: BlockId,
}

/// How the archive behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The network.
    pub chain: ChainId,
    /// This node's member.
    pub member: MemberId,
    /// The slot of this node's own shares.
    pub slot: Slot,
    /// How long a gather waits before it asks one more holder.
    pub hedge_delay: Duration,
    /// When a holder or a peer asked counts as silent. A later answer is still taken.
    pub ask_timeout: Duration,
    /// How often a gather asks round before it fails; at least 1.
    pub attempts: u32,
    /// The pause after the first round; grows by as much with each round.
    pub retry_delay: Duration,
    /// How long whoever was blamed is asked last (shares) or not at all (headers).
    pub distrust: Duration,
    /// Headers asked for at once. Old certificates are kept for one height in 1,024 only, and an answer must end with one:
    /// fewer would leave a node that is far behind where it is.
    pub headers_max: u16,
    /// How long to be one block behind before catching up: consensus usually brings that block by itself.
    pub patience: Duration,
    /// Bytes of shares that repair fetches in a second; at least 1.
    pub repair_bytes_per_second: u64,
    /// How many blocks a node must be behind to look for a snapshot; 0: never.
    pub leap_min: u64,
    /// How long it does without, once it looked for one in vain.
    pub leap_pause: Duration,
    /// Bytes of snapshots fetched in a second; at least 1.
    pub snapshot_bytes_per_second: u64,
    /// The pause before the second pass of repair; doubles with each pass that repairs nothing, up to 64 times as long.
    pub repair_pause: Duration,
    /// How long receipts for a deposit may take to come by themselves, and how often they are asked for after that.
    pub receipt_interval: Duration,
}

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// The time of [`crate::Archive::next_wake`] has come.
    Wake,
    /// A member can be asked.
    Connected(MemberId),
    /// A member can no longer be asked; what it was asked will not be answered.
    Disconnected(MemberId),
    /// Who holds which slot and signs with which key, whole: replaces what was known.
    Holders(Vec<Validator>),
    /// The validators that decide the heights after the own tip. Before `Applied` or `Committed` when they change.
    Validators(ValidatorSet),
    /// Someone wants a block opened.
    Open {
        /// Comes back with the answer.
        job: JobId,
        /// [`Purpose::Read`] or [`Purpose::Reseal`].
        purpose: Purpose,
        /// The committed header.
        header: Box<Header>,
        /// The dealing in force, if a later block resealed this one.
        resealed: Option<Box<ShareCommitment>>,
        /// The own share of that dealing, if it is at hand.
        own: Option<SealedShare>,
    },
    /// The reader no longer waits.
    Cancel(JobId),
    /// The answer to [`Effect::AskParcel`].
    Parcel {
        /// What was asked.
        request: RequestId,
        /// Who answered.
        member: MemberId,
        /// The own share that was put together, unchecked, or why there is none.
        result: Result<SealedShare, ShareRefusal>,
    },
    /// The answer to [`Effect::AskShare`].
    Share {
        /// What was asked.
        request: RequestId,
        /// Who answered.
        member: MemberId,
        /// The share as it came, unchecked, or why there is none.
        result: Result<SignedShare, ShareRefusal>,
    },
    /// The other answer to [`Effect::AskShare`]: the holder's share is of a later dealing than the one asked for.
    Resealed {
        /// What was asked.
        request: RequestId,
        /// Who answered.
        member: MemberId,
        /// The dealing that is in force as this member says.
        commitment: Box<ShareCommitment>,
        /// Its share of that dealing as it came, unchecked.
        share: SealedShare,
    },
    /// A peer says how far it is.
    Tip {
        /// Which peer.
        member: MemberId,
        /// Its last committed height.
        height: Height,
    },
    /// The answer to [`Effect::AskHeaders`].
    Headers {
        /// What was asked.
        request: RequestId,
        /// Who answered.
        member: MemberId,
        /// Unchecked headers, ascending from the height asked for.
        headers: Vec<Header>,
        /// The unchecked certificate of the last of them.
        certificate: Box<CommitCertificate>,
    },
    /// The peer has no such headers, or the request did not reach it.
    HeadersRefused {
        /// What was asked.
        request: RequestId,
        /// Who refused.
        member: MemberId,
    },
    /// The answer to [`Effect::AskSnapshots`]; none if the member has none, or was not reached.
    Snapshots {
        /// What was asked.
        request: RequestId,
        /// Who answered.
        member: MemberId,
        /// What it holds, unchecked.
        offers: Vec<SnapshotOffer>,
    },
    /// The answer to [`Effect::AskValidators`]; who does not know them answers with [`Input::HeadersRefused`].
    ValidatorsNamed {
        /// What was asked.
        request: RequestId,
        /// Who answered.
        member: MemberId,
        /// The validators, unchecked.
        validators: ValidatorSet,
    },
    /// The answer to [`Effect::AskPart`].
    Part {
        /// What was asked.
        request: RequestId,
        /// Who answered.
        member: MemberId,
        /// The part as it came, unchecked, or why there is none.
        result: Result<SnapshotPart, ShareRefusal>,
    },
    /// The block of [`Effect::Apply`] is executed and durable.
    Applied {
        /// Its height.
        height: Height,
    },
    /// Consensus committed a block by itself.
    Committed {
        /// Its height.
        height: Height,
        /// Its id.
        id: BlockId,
    },
    /// Own shares that are lost or damaged. Saying it again is harmless, so a restarted shell says all of it again.
    Missing(Vec<RangeInclusive<Height>>),
    /// An own share that is lost or damaged and that somebody waits for, or that was whole until just now: before all others.
    Urgent(Height),
    /// There is a deposit of a committed block. Saying it again is harmless; at most 4,096 are watched at once, so the
    /// shell says it again for the lowest heights from time to time.
    Deposited {
        /// The block's committed header.
        header: Box<Header>,
        /// Whether the own share of it is durable.
        own: bool,
    },
    /// A member says that it holds its shares of some blocks, asked or by itself. Nothing in it has been checked.
    Receipt(Box<ShareReceipt>),
    /// The answer to [`Effect::AskReceipt`] is over: its receipt, if there was one, came before.
    ReceiptAnswered {
        /// Who was asked.
        member: MemberId,
    },
    /// The answer to [`Effect::NeedHeader`]; `None` if there is none, which puts the repair off.
    Header {
        /// The height asked for.
        height: Height,
        /// Its committed header.
        header: Option<Box<Header>>,
        /// The dealing in force, if a later block resealed this one.
        resealed: Option<Box<ShareCommitment>>,
    },
}

/// Something to do.
#[derive(Debug)]
pub enum Effect {
    /// Ask a member for its share; answer with [`Input::Share`] or [`Input::Resealed`].
    AskShare {
        /// Comes back with the answer.
        request: RequestId,
        /// Whom to ask.
        member: MemberId,
        /// Of which height.
        height: Height,
        /// Of which block of that height: the holder may have kept shares of several that were proposed.
        block: BlockId,
        /// Of which dealing of that block: the root that its shares lead to.
        share_root: Hash,
        /// Why.
        purpose: Purpose,
    },
    /// Ask a member for what it keeps of the own share in its deposit; open it with the own key and answer with
    /// [`Input::Parcel`]. Only where k shares may not be at honest members, and once too few of them answered.
    AskParcel {
        /// Comes back with the answer.
        request: RequestId,
        /// Whom to ask.
        member: MemberId,
        /// Of which block.
        header: Box<Header>,
    },
    /// Make the own share durable that a deposit gave back. Its block is certified, but perhaps not committed here yet:
    /// others may need the share before this node can open the block.
    KeepShare {
        /// The block.
        header: Box<Header>,
        /// The share.
        share: SealedShare,
    },
    /// Ask a member for a receipt for its shares of these blocks, at most [`ShareReceipt::BLOCKS_MAX`]; answer with
    /// [`Input::Receipt`] and always with [`Input::ReceiptAnswered`].
    AskReceipt {
        /// Whom to ask.
        member: MemberId,
        /// Of which blocks.
        blocks: Vec<BlockId>,
    },
    /// Enough members hold their shares of a block: delete the deposit.
    Discharge {
        /// Its height.
        height: Height,
        /// The block.
        block: BlockId,
    },
    /// A read is done.
    Opened {
        /// Whose.
        job: JobId,
        /// The block; several jobs may share it.
        block: Arc<OpenedBlock>,
    },
    /// A read came to nothing.
    Failed {
        /// Whose.
        job: JobId,
        /// Why.
        error: ReadError,
    },
    /// The own share that came with [`Input::Open`] is damaged; it was not used. Report it as `Missing` to repair it.
    OwnShareDamaged {
        /// Of which block.
        height: Height,
        /// What is wrong with it.
        error: ShareError,
    },
    /// A member answered as no honest one does.
    Blame {
        /// Who.
        member: MemberId,
        /// The request that was answered so.
        request: RequestId,
        /// The height asked for.
        height: Height,
        /// What was wrong.
        fault: Fault,
        /// Proves it to whoever was not there; always with a wrong share, never with wrong headers, which nobody signs
        /// as an answer.
        evidence: Option<Box<WrongShare>>,
    },
    /// Ask a peer for headers; answer with [`Input::Headers`] or [`Input::HeadersRefused`].
    AskHeaders {
        /// Comes back with the answer.
        request: RequestId,
        /// Whom to ask.
        member: MemberId,
        /// The first height wanted.
        from: Height,
        /// How many at most. The answer may be shorter, but must end with a header whose certificate it brings.
        max: u16,
    },
    /// Ask a member which snapshots it holds; answer with [`Input::Snapshots`].
    AskSnapshots {
        /// Comes back with the answer.
        request: RequestId,
        /// Whom to ask.
        member: MemberId,
    },
    /// Ask a member which validators have this hash; answer with [`Input::ValidatorsNamed`] or [`Input::HeadersRefused`].
    AskValidators {
        /// Comes back with the answer.
        request: RequestId,
        /// Whom to ask.
        member: MemberId,
        /// As it stands in a certified header.
        hash: Hash,
    },
    /// Validators of past heights, for others that ask: their hash stands in a certified header.
    KeepValidators(ValidatorSet),
    /// Keep certified headers ahead of their blocks. They follow the own tip, or what was kept before.
    KeepHeaders {
        /// With their ids, ascending without gaps.
        headers: Vec<(BlockId, Header)>,
        /// The certificate of the last of them.
        certificate: Box<CommitCertificate>,
    },
    /// Parts of this snapshot come now. Those of another one, if some are there, are of no use any more.
    BeginSnapshot(SnapshotTarget),
    /// Ask a member for a part of a snapshot; answer with [`Input::Part`].
    AskPart {
        /// Comes back with the answer.
        request: RequestId,
        /// Whom to ask.
        member: MemberId,
        /// Of which height.
        height: Height,
        /// Which part.
        prefix: TreePrefix,
    },
    /// Write a part of the snapshot beside the state in use.
    KeepPart {
        /// Where it lies.
        prefix: TreePrefix,
        /// Bytes of its keys and values.
        bytes: u64,
        /// Leads to the state root of a certified header.
        part: CheckedPart,
    },
    /// All parts are written: make the snapshot the state and its block the tip, then say [`Input::Committed`].
    InstallSnapshot {
        /// Of which height.
        height: Height,
        /// The nodes of the state tree above its parts.
        nodes: TreeChanges,
    },
    /// A body that repair has opened, for whoever does not know yet what is in it.
    Body {
        /// Of which block.
        height: Height,
        /// As the header commits to it.
        body: Vec<u8>,
    },
    /// Execute and store a block, then say [`Input::Applied`]. If consensus committed that height in the meantime,
    /// ignore it: [`Input::Committed`] has said so.
    Apply(Box<CertifiedBlock>),
    /// A quorum certified a chain that does not contain the own tip, or a block that nobody can open: more members are
    /// faulty than the network tolerates, or the own disk lies. Stop and call the operator.
    Diverged {
        /// Where.
        height: Height,
        /// What was seen.
        reason: DivergenceReason,
    },
    /// Repair needs the header of a height; answer with [`Input::Header`], always.
    NeedHeader {
        /// Which.
        height: Height,
    },
    /// Store a repaired share of the own slot.
    StoreShare {
        /// Of which block.
        height: Height,
        /// The dealing that it belongs to.
        commitment: Box<ShareCommitment>,
        /// The share.
        share: SealedShare,
    },
    /// A share could not be repaired in this pass. It is tried again in the next.
    NotRepaired {
        /// Of which block.
        height: Height,
        /// Why.
        reason: RepairFailure,
    },
    /// No share is to be kept of this block: the own slot was not dealt in it.
    NothingToKeep {
        /// The block's height.
        height: Height,
    },
    /// How far repair is.
    Progress(RepairProgress),
}

/// A block that was caught up with. `Debug` shows no byte of the body.
#[derive(Clone, PartialEq, Eq)]
pub struct CertifiedBlock {
    /// Its header, under a certificate of the validators in force.
    pub header: Header,
    /// The dealing that it was opened from: the header's own, or a later one that at least one honest member vouches for.
    pub commitment: ShareCommitment,
    /// Its encoded body, as that dealing commits to it. Under a later dealing the header's own commitment proves nothing:
    /// executing it does.
    pub body: Vec<u8>,
    /// The own share of that dealing, to be durable before the block counts as applied; `None` if the own slot was not dealt
    /// then.
    pub share: Option<SealedShare>,
    /// Its certificate, for the last of a batch.
    pub certificate: Option<CommitCertificate>,
}

/// How far repair is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairProgress {
    /// Shares repaired since the start of this archive.
    pub repaired: u64,
    /// Shares still to repair. When it is 0, the shell looks whether more are missing.
    pub remaining: u64,
    /// How many of these are urgent.
    pub urgent: u64,
    /// How long the rest takes at the present speed; `None` if nothing was repaired yet, or repair pauses.
    pub estimate: Option<Duration>,
}

/// Why a share could not be repaired for now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepairFailure {
    /// The shell has no header of that height.
    #[error("its header is not here")]
    NoHeader,
    /// The block could not be opened.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// How a node that is behind comes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPhase {
    /// It is not behind.
    #[default]
    InStep,
    /// Headers are fetched and verified; counted in headers.
    Headers,
    /// A snapshot is fetched; counted in bytes, of which the total is only what its holders say.
    Snapshot,
    /// Blocks are opened and executed; counted in blocks.
    Blocks,
}

/// How far a node is that is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncProgress {
    /// What it does.
    pub phase: SyncPhase,
    /// How much of it is done.
    pub done: u64,
    /// How much there is to do.
    pub total: u64,
}

/// What an earlier life left of a snapshot that was being fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The last header kept ahead of its block.
    pub last: Tip,
    /// Hash of the validators that decide the block after it.
    pub next_validators: Hash,
    /// State roots of kept headers whose heights are multiples of [`salus_types::snapshot::SNAPSHOT_STEP`].
    pub roots: BTreeMap<Height, Hash>,
    /// The snapshot of which parts are there.
    pub staged: Option<(SnapshotTarget, Vec<StagedPart>)>,
}

/// What someone did that no honest member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A share that does not belong to the block, under the holder's signature.
    #[error("wrong share: {0}")]
    Share(#[from] ShareError),
    /// Headers that are not the chain's.
    #[error("wrong headers: {0}")]
    Headers(#[from] HeadersError),
    /// Validators that do not have the hash that was asked for.
    #[error("other validators than those that were asked for")]
    Validators,
    /// A part of a snapshot that does not lead to the state root.
    #[error("wrong part of a snapshot: {0}")]
    Part(#[from] PartError),
    /// It offers a snapshot with another root than the certified header of that height names.
    #[error("a snapshot with a state root that no header names")]
    SnapshotRoot,
}

/// What does not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DivergenceReason {
    /// A certified header's parent is not the own block.
    #[error("a quorum certified a block whose parent is {theirs}, but the own block is {own}")]
    Fork {
        /// The parent that the certified chain names.
        theirs: BlockId,
        /// The own block at that height.
        own: BlockId,
    },
    /// k good shares of a certified block do not open to what its header promises.
    #[error("a certified block does not open: {0}")]
    Unopenable(OpenError),
}

/// Why a read came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Too many reads wait already; try again later.
    #[error("{waiting} reads wait already; try again later")]
    Busy {
        /// Jobs that wait or run.
        waiting: usize,
    },
    /// A job of that number waits already.
    #[error("job {} waits already", .0.0)]
    DuplicateJob(JobId),
    /// The header's sealing is one that no block can have.
    #[error("the header's sealing is refused: {0}")]
    Header(#[from] SealingError),
    /// Too few holders gave their share.
    #[error(transparent)]
    Shortfall(Box<Shortfall>),
    /// The shares are good, yet they do not open.
    #[error("the block does not open: {0}")]
    Unopenable(#[from] OpenError),
}

/// Who gave no share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Good shares, the own one included.
    pub good: usize,
    /// k.
    pub need: usize,
    /// Did not answer in time.
    pub silent: Vec<MemberId>,
    /// Refused.
    pub refused: Vec<(MemberId, ShareRefusal)>,
    /// Sent a wrong share.
    pub wrong: Vec<MemberId>,
    /// Are not connected.
    pub away: Vec<MemberId>,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} needed shares", self.good, self.need)?;
        let mut list = |what: &str, members: &mut dyn Iterator<Item = MemberId>| {
            let names: Vec<String> = members.map(|member| member.to_string()).collect();
            match names.is_empty() {
                true => Ok(()),
                false => write!(f, "; {what}: {}", names.join(", ")),
            }
        };
        list("silent", &mut self.silent.iter().copied())?;
        list("refused", &mut self.refused.iter().map(|(member, _)| *member))?;
        list("wrong", &mut self.wrong.iter().copied())?;
        list("not connected", &mut self.away.iter().copied())
    }
}

impl std::error::Error for Shortfall {}

impl fmt::Debug for CertifiedBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CertifiedBlock(height {}, {} B)",
            self.header.height,
            self.body.len()
        )
    }
}

impl Config {
    /// The default behaviour: for a network of hospitals in one region.
    pub const fn new(chain: ChainId, member: MemberId, slot: Slot) -> Self {
        Self {
            chain,
            member,
            slot,
            hedge_delay: Duration::from_millis(40),
            ask_timeout: Duration::from_secs(1),
            attempts: 3,
            retry_delay: Duration::from_millis(250),
            distrust: Duration::from_secs(30),
            headers_max: 1_024,
            patience: Duration::from_millis(300),
            repair_bytes_per_second: 16 << 20,
            leap_min: 4_096,
            leap_pause: Duration::from_secs(60),
            snapshot_bytes_per_second: 64 << 20,
            repair_pause: Duration::from_secs(5),
            receipt_interval: Duration::from_secs(2),
        }
    }
}
