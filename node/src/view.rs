//! What every thread of the node reads: the store, the executor, the pool, and a few counters.
//!
//! Each lock is held for microseconds and never while another is taken, except the pool's while a block is judged.

use crate::clock::Clock;
use crate::home::ValidatorKeys;
use crate::mempool::Mempool;
use crate::recent::Recent;
use crate::releases::Releases;
use crate::sync::SyncMeter;
use salus_api::{RepairStatus, ScrubStatus, SyncPhase, SyncStatus};
use salus_archive::{ReadError, RepairFailure, RepairProgress, SyncProgress};
use salus_execution::Executor;
use salus_genesis::Params;
use salus_store::{
    ChainStore, DepositStore, PieceStore, RESEALING_TERMS_MAX, Resealing, ShareLog, SnapshotFiles, StoreError,
};
use salus_types::{
    BlockId, ChainId, CommitCertificate, Header, Height, MemberId, MemberKeys, ShareCommitment, ShareReceipt,
    Slot, UnverifiedTransaction, Validator, codec,
};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::watch;

/// Transactions that clients handed in and the chain's loop has not passed on yet, at most.
pub(crate) const OUTBOX_MAX: usize = 20_000;

/// Shared by all threads.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) chain: ChainId,
    pub(crate) me: MemberId,
    pub(crate) slot: Slot,
    pub(crate) params: Params,
    pub(crate) keys: ValidatorKeys,
    pub(crate) clock: Clock,
    /// Headers, indexes, state.
    pub(crate) index: ChainStore,
    /// Own shares of blocks.
    pub(crate) shares: ShareLog,
    /// Own pieces of health records.
    pub(crate) pieces: PieceStore,
    /// The state at some heights, for members that are far behind.
    pub(crate) snapshots: SnapshotFiles,
    /// What is kept for other members.
    pub(crate) deposits: DepositStore,
    pub(crate) executor: Executor,
    pub(crate) progress: Progress,
    /// Who gets the own shares, and who got them.
    pub(crate) releases: Releases,
    /// Keys that the state names for this member, once they are others than those in use.
    pub(crate) renewed: watch::Sender<Option<MemberKeys>>,
    /// The block after the tip, while it is decided but not open here.
    decided: Mutex<Option<(Header, CommitCertificate)>>,
    pool: Mutex<Mempool>,
    outbox: Mutex<Vec<UnverifiedTransaction>>,
    recent: RwLock<Recent>,
}

/// What a view is made of.
pub(crate) struct Parts {
    pub(crate) chain: ChainId,
    pub(crate) me: MemberId,
    pub(crate) slot: Slot,
    pub(crate) params: Params,
    pub(crate) keys: ValidatorKeys,
    pub(crate) clock: Clock,
    pub(crate) index: ChainStore,
    pub(crate) shares: ShareLog,
    pub(crate) pieces: PieceStore,
    pub(crate) snapshots: SnapshotFiles,
    pub(crate) deposits: DepositStore,
    pub(crate) executor: Executor,
    pub(crate) pool: Mempool,
}

/// Counters that one thread writes and others show.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The highest height that was reached for certain, here or elsewhere.
    best: AtomicU64,
    /// Whether enough others were heard to know how far they are.
    heard: AtomicBool,
    repair: Mutex<RepairStatus>,
    scrub: Mutex<ScrubStatus>,
    /// Skipped blocks of which it is not known what is in them.
    unread: AtomicU64,
    sync: Mutex<SyncMeter>,
    /// Bytes of all bodies, had they been kept whole.
    bodies: AtomicU64,
    wal: AtomicU64,
}

impl View {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            chain: parts.chain,
            me: parts.me,
            slot: parts.slot,
            params: parts.params,
            keys: parts.keys,
            clock: parts.clock,
            index: parts.index,
            shares: parts.shares,
            pieces: parts.pieces,
            snapshots: parts.snapshots,
            deposits: parts.deposits,
            executor: parts.executor,
            progress: Progress::default(),
            releases: Releases::new(parts.params.open_policy),
            renewed: watch::Sender::new(None),
            decided: Mutex::default(),
            pool: Mutex::new(parts.pool),
            outbox: Mutex::default(),
            recent: RwLock::default(),
        }
    }

    pub(crate) fn pool(&self) -> MutexGuard<'_, Mempool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn outbox(&self) -> MutexGuard<'_, Vec<UnverifiedTransaction>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn recent(&self) -> RwLockReadGuard<'_, Recent> {
        self.recent.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn recent_mut(&self) -> RwLockWriteGuard<'_, Recent> {
        self.recent.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows peers a block that is decided but can't be opened here yet, so that they can give its shares; `None`: no more.
    pub(crate) fn set_decided(&self, decided: Option<(Header, CommitCertificate)>) {
        *self.decided.lock().unwrap_or_else(PoisonError::into_inner) = decided;
    }

    /// The decided block of a height that is not committed here.
    pub(crate) fn decided_at(&self, height: Height) -> Option<(Header, CommitCertificate)> {
        let decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        decided
            .as_ref()
            .filter(|(header, _)| header.height == height)
            .cloned()
    }

    /// This member's statement that its shares of these blocks are durable. The caller knows that they are.
    pub(crate) fn sign_receipt(&self, blocks: Vec<BlockId>) -> ShareReceipt {
        ShareReceipt::sign(self.me, blocks, &self.keys.consensus, &self.chain)
    }

    /// The last committed height.
    pub(crate) fn tip(&self) -> Height {
        self.index.tip().map_or(Height::ZERO, |tip| tip.height)
    }

    /// What the shares of a committed block are checked against, and its body is opened under: the one place that knows whether a
    /// later block has resealed it.
    pub(crate) fn dealing(&self, header: &Header) -> Result<ShareCommitment, StoreError> {
        Ok(self.resealed(header.height)?.unwrap_or_else(|| header.into()))
    }

    /// The dealing in force of a committed block that was resealed; `None`: its header says it.
    pub(crate) fn resealed(&self, height: Height) -> Result<Option<ShareCommitment>, StoreError> {
        let dealing = self.executor.dealing(&self.index, height);
        dealing.map_err(|fault| StoreError::IndexDamaged(fault.0))
    }

    /// The dealing that the own share in the share log is of: the one in force, but for the moment in which a state was taken over and
    /// its reseals are still told to the index. `None`: there is no such block.
    pub(crate) fn kept_dealing(&self, height: Height) -> Result<Option<ShareCommitment>, StoreError> {
        match self.index.resealing(height)? {
            None => Ok(self.index.header(height)?.map(|header| (&header).into())),
            Some(kept) => {
                let damaged = || StoreError::IndexDamaged(format!("the dealing in force of height {height}"));
                resealed_terms(&kept).ok_or_else(damaged).map(Some)
            }
        }
    }

    /// This member as a holder of shares.
    pub(crate) fn holder(&self) -> Validator {
        Validator {
            member: self.me,
            key: self.keys.consensus.public(),
            slot: self.slot,
        }
    }

    /// Counts the skipped blocks of which it is not known yet what is in them.
    pub(crate) fn count_unread(&self) -> Result<(), StoreError> {
        let gaps = self.index.gaps(usize::MAX)?;
        let count = gaps
            .iter()
            .map(|gap| gap.end().get() - gap.start().get() + 1)
            .sum();
        self.progress.unread.store(count, Relaxed);
        metrics::gauge!("salus_blocks_unread").set(count as f64);
        Ok(())
    }

    /// Fresh bytes from the operating system. Without its generator nothing secret can be made, so the node stops.
    pub(crate) fn random(&self) -> [u8; 32] {
        crate::random_bytes()
    }
}

/// The dealing that the share log keeps: the reverse of [`resealing`]. `None` if its terms are none, or another dealing's.
pub(crate) fn resealed_terms(kept: &Resealing) -> Option<ShareCommitment> {
    let commitment: ShareCommitment = codec::decode(&kept.terms, RESEALING_TERMS_MAX).ok()?;
    (resealing(&commitment) == *kept).then_some(commitment)
}

/// A later dealing as the share log keeps it: with all that is needed to open its shares.
pub(crate) fn resealing(commitment: &ShareCommitment) -> Resealing {
    Resealing {
        decided_at: commitment.dealt_at,
        share_root: commitment.share_root,
        terms: codec::encode(commitment),
    }
}

impl Progress {
    /// A height was reached: here, or by more members' word than may lie.
    pub(crate) fn announced(&self, height: Height) {
        self.best.fetch_max(height.get(), Relaxed);
    }

    /// More members say than may lie that they have reached a height.
    pub(crate) fn heard(&self, height: Height) {
        self.announced(height);
        self.heard.store(true, Relaxed);
    }

    /// Whether this node is behind, or has not heard enough others yet to know.
    pub(crate) fn is_catching_up(&self, tip: Height) -> bool {
        self.is_behind(tip) || !self.heard.load(Relaxed)
    }

    /// Whether others have committed more than one block beyond this height: one may be on its way right now.
    pub(crate) fn is_behind(&self, tip: Height) -> bool {
        self.best.load(Relaxed) > tip.get().saturating_add(1)
    }

    /// Whether enough others were heard of, and none is ahead for certain.
    pub(crate) fn is_in_step(&self, tip: Height) -> bool {
        (1..=tip.get()).contains(&self.best.load(Relaxed))
    }

    pub(crate) fn committed(&self, header: &Header, transactions: usize) {
        self.announced(header.height);
        self.add_body(header);
        metrics::gauge!("salus_height").set(header.height.get() as f64);
        metrics::counter!("salus_transactions_committed_total").increment(transactions as u64);
        metrics::counter!("salus_blocks_committed_total").increment(1);
    }

    pub(crate) fn add_body(&self, header: &Header) {
        self.bodies
            .fetch_add(u64::from(header.sealing.body_length), Relaxed);
    }

    /// Bytes of all bodies, had they been kept whole.
    pub(crate) fn bodies(&self) -> u64 {
        self.bodies.load(Relaxed)
    }

    /// A snapshot was taken over.
    pub(crate) fn leapt_to(&self, height: Height) {
        self.announced(height);
        metrics::gauge!("salus_height").set(height.get() as f64);
        metrics::gauge!("salus_leapt_to_height").set(height.get() as f64);
    }

    /// Skipped blocks of which it is not known yet what is in them.
    pub(crate) fn unread(&self) -> u64 {
        self.unread.load(Relaxed)
    }

    fn meter(&self) -> MutexGuard<'_, SyncMeter> {
        locked(&self.sync)
    }

    pub(crate) fn set_sync(&self, now: Duration, progress: SyncProgress) {
        let (repair, mut meter) = (self.repair(), self.meter());
        meter.observe(now, progress);
        meter.observe_repair(now, repair.repaired, repair.missing);
        let status = meter.status();
        metrics::gauge!("salus_sync_phase").set(phase_number(status.phase));
        metrics::gauge!("salus_sync_done").set(status.done as f64);
        metrics::gauge!("salus_sync_total").set(status.total as f64);
    }

    pub(crate) fn sync(&self) -> SyncStatus {
        self.meter().status()
    }

    pub(crate) fn set_wal_bytes(&self, bytes: u64) {
        self.wal.store(bytes, Relaxed);
    }

    pub(crate) fn wal_bytes(&self) -> u64 {
        self.wal.load(Relaxed)
    }

    pub(crate) fn set_repair(&self, progress: &RepairProgress) {
        let RepairProgress {
            repaired,
            remaining,
            urgent,
            estimate,
        } = *progress;
        {
            let mut status = locked(&self.repair);
            status.missing = remaining;
            status.urgent = urgent;
            status.repaired = repaired;
            status.estimate_ms =
                estimate.map(|estimate| u64::try_from(estimate.as_millis()).unwrap_or(u64::MAX));
        }
        metrics::gauge!("salus_shares_missing").set(remaining as f64);
        metrics::gauge!("salus_shares_missing_urgent").set(urgent as f64);
        metrics::gauge!("salus_shares_repaired").set(repaired as f64);
        let estimate = estimate.map_or(f64::NAN, |estimate| estimate.as_secs_f64());
        metrics::gauge!("salus_repair_estimate_seconds").set(estimate);
    }

    pub(crate) fn add_repair_failure(&self, reason: &RepairFailure) {
        let mut status = locked(&self.repair);
        let (count, reason) = match reason {
            RepairFailure::NoHeader => (&mut status.failed_no_header, "no header"),
            RepairFailure::Read(ReadError::Shortfall(_) | ReadError::Busy { .. }) => {
                (&mut status.failed_too_few_shares, "too few shares")
            }
            RepairFailure::Read(_) => (&mut status.failed_unopenable, "unopenable"),
        };
        *count = count.saturating_add(1);
        metrics::counter!("salus_repair_failed_total", "reason" => reason).increment(1);
    }

    pub(crate) fn repair(&self) -> RepairStatus {
        *locked(&self.repair)
    }

    pub(crate) fn set_scrub(&self, status: ScrubStatus) {
        *locked(&self.scrub) = status;
    }

    pub(crate) fn scrub(&self) -> ScrubStatus {
        *locked(&self.scrub)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a phase stands in the metrics.
fn phase_number(phase: SyncPhase) -> f64 {
    match phase {
        SyncPhase::InStep => 0.0,
        SyncPhase::Headers => 1.0,
        SyncPhase::Snapshot => 2.0,
        SyncPhase::Blocks => 3.0,
        SyncPhase::Repair => 4.0,
    }
}
