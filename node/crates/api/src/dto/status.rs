//! The node.

use crate::{ChainFacts, NodeStatus, RepairStatus, ScrubPass, ScrubStatus, SyncPhase, SyncStatus};
use salus_types::Height;
use serde::Serialize;
use utoipa::ToSchema;

/// How the node is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Status)]
pub(crate) struct StatusDto {
    /// The chain's id, hexadecimal.
    pub(crate) chain: String,
    /// The network's name.
    pub(crate) name: String,
    /// The member that runs this node.
    pub(crate) member: u16,
    /// The node's version.
    pub(crate) version: String,
    /// The last committed height; 0 before the first block.
    pub(crate) height: u64,
    /// The last committed block, hexadecimal.
    pub(crate) block_id: String,
    /// Its time, milliseconds since 1970.
    pub(crate) block_time_ms: u64,
    /// n: validators of the next height.
    pub(crate) validators: u16,
    /// k: shares needed to open a block.
    pub(crate) threshold: u16,
    /// Who may have blocks opened: `members`, or whoever has a `ticket`.
    #[schema(example = "members")]
    pub(crate) open_policy: &'static str,
    /// Validators connected, without this one.
    pub(crate) peers: u16,
    /// Transactions in the pool.
    pub(crate) mempool: u32,
    /// Whether it is behind its peers.
    pub(crate) catching_up: bool,
    /// Repair of the own shares.
    pub(crate) repair: RepairDto,
    /// The rolling check of the own shares.
    pub(crate) scrub: ScrubDto,
    /// How it comes forward when it is behind.
    pub(crate) sync: SyncDto,
    /// Blocks that a snapshot skipped and that were not opened yet to see what is in them: until then, transactions and log
    /// entries in them are not found here.
    pub(crate) unread_blocks: u64,
    /// What it keeps for other members.
    pub(crate) deposits: DepositsDto,
    /// The latest reseal of old blocks, under way or done.
    pub(crate) reseal: Option<ResealDto>,
    /// What it keeps on disk.
    pub(crate) storage: StorageDto,
}

/// Repair of the own shares.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Repair)]
pub(crate) struct RepairDto {
    /// Shares still missing.
    pub(crate) missing: u64,
    /// How many of these come first: somebody waits for them, or they were whole until lately.
    pub(crate) urgent: u64,
    /// Shares rebuilt since the start.
    pub(crate) repaired: u64,
    /// Tries since the start that came to nothing for now, by reason.
    pub(crate) failed: RepairFailuresDto,
    /// How long the missing ones take at the present speed, in milliseconds; absent if that can't be told.
    pub(crate) estimate_ms: Option<u64>,
}

/// Tries to repair a share that came to nothing for now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RepairFailures)]
pub(crate) struct RepairFailuresDto {
    /// The block's header is not here.
    pub(crate) no_header: u64,
    /// Too few members gave their share.
    pub(crate) too_few_shares: u64,
    /// The shares did not open the block.
    pub(crate) unopenable: u64,
}

/// The rolling check of the own shares.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Scrub)]
pub(crate) struct ScrubDto {
    /// Bytes read in a second, at most.
    pub(crate) bytes_per_second: u64,
    /// The pass under way, or the next to begin.
    pub(crate) current: ScrubPassDto,
    /// The last height it has checked.
    pub(crate) height: u64,
    /// The last pass over all shares, also from before the node was started; absent before the first.
    pub(crate) last: Option<ScrubPassDto>,
    /// Damaged shares found since the start, by a pass or by who wanted to read one.
    pub(crate) damaged: u64,
}

/// One pass over all shares.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScrubPass)]
pub(crate) struct ScrubPassDto {
    /// When it began, milliseconds since 1970.
    pub(crate) started_ms: u64,
    /// When it ended; 0 while it is under way.
    pub(crate) finished_ms: u64,
    /// Shares read.
    pub(crate) checked: u64,
    /// Of these, damaged.
    pub(crate) damaged: u64,
    /// Of these, rebuilt since.
    pub(crate) repaired: u64,
}

/// How a node comes forward that is behind, or that misses own shares.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sync)]
pub(crate) struct SyncDto {
    /// What it does: `in_step`; `headers`, counted in headers; `snapshot`, in bytes; `blocks`; `repair`, in blocks.
    pub(crate) phase: &'static str,
    /// How much of it is done.
    pub(crate) done: u64,
    /// How much there is to do.
    pub(crate) total: u64,
    /// How much was done in a second, lately.
    pub(crate) per_second: f64,
    /// How many seconds it takes at that rate; null when nothing can be said.
    pub(crate) eta_seconds: Option<u64>,
}

impl From<&SyncStatus> for SyncDto {
    fn from(status: &SyncStatus) -> Self {
        Self {
            phase: match status.phase {
                SyncPhase::InStep => "in_step",
                SyncPhase::Headers => "headers",
                SyncPhase::Snapshot => "snapshot",
                SyncPhase::Blocks => "blocks",
                SyncPhase::Repair => "repair",
            },
            done: status.done,
            total: status.total,
            per_second: status.per_second,
            eta_seconds: status.remaining.map(|remaining| remaining.as_secs()),
        }
    }
}

/// What a node keeps for other members until enough of them hold their shares; only where k > n - 2f.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deposits)]
pub(crate) struct DepositsDto {
    /// Blocks.
    pub(crate) held: u64,
    /// Their bytes on disk.
    pub(crate) bytes: u64,
    /// The lowest of their heights; null without any.
    pub(crate) oldest: Option<u64>,
}

/// A range of old blocks that the network deals anew.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reseal)]
pub(crate) struct ResealDto {
    /// The first block.
    pub(crate) from: u64,
    /// The last block.
    pub(crate) to: u64,
    /// How many are done.
    pub(crate) done: u64,
    /// How many there are.
    pub(crate) total: u64,
}

/// What a node keeps on disk, in bytes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Storage)]
pub(crate) struct StorageDto {
    /// Sealed shares of blocks.
    pub(crate) shares_bytes: u64,
    /// Headers, state and indexes.
    pub(crate) index_bytes: u64,
    /// Consensus WAL.
    pub(crate) wal_bytes: u64,
    /// Pieces of health records.
    pub(crate) pieces_bytes: u64,
    /// What every body so far, kept whole, would take.
    pub(crate) full_replication_bytes: u64,
}

impl StatusDto {
    pub(crate) fn new(facts: &ChainFacts, status: &NodeStatus) -> Self {
        Self {
            chain: facts.chain.to_string(),
            name: facts.name.clone(),
            member: facts.member.get(),
            version: facts.version.clone(),
            height: status.height.get(),
            block_id: status.block.to_string(),
            block_time_ms: status.block_time.get(),
            validators: status.validators,
            threshold: status.threshold,
            open_policy: if status.ticket_to_open {
                "ticket"
            } else {
                "members"
            },
            peers: status.peers,
            mempool: status.mempool,
            catching_up: status.catching_up,
            repair: status.repair.into(),
            scrub: status.scrub.into(),
            sync: (&status.sync).into(),
            unread_blocks: status.unread,
            deposits: DepositsDto {
                held: status.deposits.held,
                bytes: status.deposits.bytes,
                oldest: status.deposits.oldest.map(Height::get),
            },
            reseal: status.reseal.map(|job| ResealDto {
                from: job.from.get(),
                to: job.to.get(),
                done: job.done(),
                total: job.total(),
            }),
            storage: StorageDto {
                shares_bytes: status.storage.shares_bytes,
                index_bytes: status.storage.index_bytes,
                wal_bytes: status.storage.wal_bytes,
                pieces_bytes: status.storage.pieces_bytes,
                full_replication_bytes: status.storage.full_replication_bytes,
            },
        }
    }
}

impl From<RepairStatus> for RepairDto {
    fn from(status: RepairStatus) -> Self {
        Self {
            missing: status.missing,
            urgent: status.urgent,
            repaired: status.repaired,
            failed: RepairFailuresDto {
                no_header: status.failed_no_header,
                too_few_shares: status.failed_too_few_shares,
                unopenable: status.failed_unopenable,
            },
            estimate_ms: status.estimate_ms,
        }
    }
}

impl From<ScrubStatus> for ScrubDto {
    fn from(status: ScrubStatus) -> Self {
        Self {
            bytes_per_second: status.bytes_per_second,
            current: status.current.into(),
            height: status.height.get(),
            last: status.last.map(ScrubPassDto::from),
            damaged: status.damaged,
        }
    }
}

impl From<ScrubPass> for ScrubPassDto {
    fn from(pass: ScrubPass) -> Self {
        Self {
            started_ms: pass.started.get(),
            finished_ms: pass.finished.get(),
            checked: pass.checked,
            damaged: pass.damaged,
            repaired: pass.repaired,
        }
    }
}
