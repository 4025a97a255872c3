//! One network with blocks of one size: what its members keep, what opening costs them, and what repairs do.

use super::StorageError;
use super::desk::{Desk, Manner};
use super::network::{Ledger, Member, Shape};
use super::sheet::Sheet;
use crate::disk::DataFolder;
use crate::machine::thread_cpu;
use crate::numbers::Numbers;
use salus_types::Height;
use std::path::Path;
use std::time::Duration;

/// What is measured for one network and one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) shape: Shape,
    /// B.
    pub(super) block_bytes: usize,
    /// How many blocks are stored.
    pub(super) blocks: usize,
    /// How often a block is opened for each kind and number of faults.
    pub(super) openings: usize,
}

impl Cell {
    pub(super) fn measure(
        self,
        sheet: &mut Sheet,
        parent: Option<&Path>,
        seed: u64,
    ) -> Result<(), StorageError> {
        let mut ledger = Ledger::found(self.shape, parent, seed)?;
        self.keep(&mut ledger, sheet)?;
        self.open(&ledger, sheet, &mut Numbers::of(seed, "faults"))?;
        self.repair(&ledger, sheet)?;
        self.join(&ledger, sheet)?;
        self.reseal(&mut ledger, sheet)
    }

    /// Stores the blocks, and counts every file of the first member.
    fn keep(self, ledger: &mut Ledger, sheet: &mut Sheet) -> Result<(), StorageError> {
        let (mut sealing, mut checking, mut halfway) = (Vec::new(), Vec::new(), DataFolder::default());
        for number in 0..self.blocks {
            if number == self.blocks / 2 {
                halfway = DataFolder::count(&first(ledger)?.home)?;
            }
            let costs = ledger.grow(self.block_bytes)?;
            sealing.push(costs.seal);
            checking.push(costs.check);
        }
        let member = first(ledger)?;
        let counted = DataFolder::count(&member.home)?;
        let blocks = self.blocks.max(1) as f64;
        let kth = self.block_bytes as f64 / f64::from(self.shape.threshold);
        let total = counted.total().most() as f64;
        let mut pen = sheet.pen("storage", self.shape, self.block_bytes);
        for (name, bytes) in [
            ("share_log", counted.shares.most()),
            ("index", counted.index.most()),
            ("consensus_log", counted.wal.most()),
            ("rest", counted.rest.most() + counted.pieces.most()),
            ("total", counted.total().most()),
            ("total_length", counted.total().length),
        ] {
            pen.add(name, bytes as f64 / blocks, "B/block", self.blocks);
        }
        pen.add("total_over_kth", total / blocks / kth, "1", self.blocks);
        let later = self.blocks - self.blocks / 2;
        let grown = (total - halfway.total().most() as f64) / later.max(1) as f64;
        pen.add("later_half_over_kth", grown / kth, "1", later);
        let share = member.store.shares.get(Height::new(1))?;
        let fragment = share.map_or(0, |share| share.fragment.len()) as f64;
        let record = counted.shares.length as f64 / blocks;
        pen.add("logical_fragment", fragment, "B/block", self.blocks);
        pen.add("logical_share_rest", record - fragment, "B/block", self.blocks);
        for (kind, usage) in member.store.chain.contents()? {
            let name = logical(kind);
            pen.add(name, usage.bytes as f64 / blocks, "B/block", self.blocks);
        }
        pen.add_median("seal_cpu", &sealing);
        pen.add_median("check_cpu", &checking);
        Ok(())
    }

    /// Opens blocks at random while members at random are faulty. Each time by an archive that doesn't know yet who they are.
    fn open(self, ledger: &Ledger, sheet: &mut Sheet, numbers: &mut Numbers) -> Result<(), StorageError> {
        let faulty = self.shape.faulty();
        let mut counts = vec![1, faulty / 2, faulty];
        counts.retain(|count| *count > 0);
        counts.dedup();
        let faults = Manner::FAULTS
            .into_iter()
            .flat_map(|manner| counts.iter().map(move |count| (manner, *count)));
        for (manner, count) in [(Manner::Honest, 0)].into_iter().chain(faults) {
            let (mut latencies, mut processor, mut blamed) = (Vec::new(), Vec::new(), 0);
            for _ in 0..self.openings {
                let mut manners = vec![Manner::Honest; usize::from(self.shape.members)];
                // Member 0 reads.
                for other in numbers.choose(count.into(), usize::from(self.shape.members) - 1) {
                    if let Some(place) = manners.get_mut(other + 1) {
                        *place = manner;
                    }
                }
                let height = Height::new(1 + numbers.below(ledger.blocks.len()) as u64);
                let mut desk = Desk::new(ledger, first(ledger)?, 0, manners)?;
                let before = thread_cpu();
                let (_, took) = desk.open(height)?;
                processor.push(thread_cpu() - before);
                latencies.push(took);
                blamed += desk.blamed;
            }
            let mut pen = sheet.pen("opening", self.shape, self.block_bytes);
            pen.fault(manner.name(), count);
            pen.add_median("open_cpu", &processor);
            pen.add_quantiles("open", latencies);
            pen.add("blamed", blamed as f64, "answers", self.openings);
            if manner != Manner::Wrong && blamed > 0 {
                return Err(StorageError::Void("an honest member was blamed".into()));
            }
        }
        Ok(())
    }

    /// The first member rebuilds its share of every block.
    fn repair(self, ledger: &Ledger, sheet: &mut Sheet) -> Result<(), StorageError> {
        let member = first(ledger)?;
        let (received, cpu) = self.rebuild(ledger, member, 0)?;
        let mut pen = sheet.pen("repair", self.shape, self.block_bytes);
        let body = self.block_bytes as f64;
        pen.add("received", received, "B/block", self.blocks);
        pen.add("received_over_body", received / body, "1", self.blocks);
        pen.add_median("repair_cpu", &[cpu]);
        Ok(())
    }

    /// One more member rebuilds its spare share of every block, and nobody else writes.
    fn join(self, ledger: &Ledger, sheet: &mut Sheet) -> Result<(), StorageError> {
        let joined = ledger.join()?;
        let before = kept_by_all(ledger)?;
        let (received, _) = self.rebuild(ledger, &joined, self.shape.members)?;
        let rewritten = kept_by_all(ledger)?.abs_diff(before);
        let kept = DataFolder::count(&joined.home)?.shares.length as f64 / self.blocks.max(1) as f64;
        let mut pen = sheet.pen("join", self.shape, self.block_bytes);
        pen.add("received", received, "B/block", self.blocks);
        pen.add(
            "received_over_body",
            received / self.block_bytes as f64,
            "1",
            self.blocks,
        );
        pen.add("kept", kept, "B/block", self.blocks);
        pen.add("written_by_others", rewritten as f64, "B", self.blocks);
        Ok(())
    }

    /// Only joining: what the others' share logs changed by.
    pub(super) fn join_alone(self, parent: Option<&Path>, seed: u64) -> Result<u64, StorageError> {
        let mut ledger = Ledger::found(self.shape, parent, seed)?;
        for _ in 0..self.blocks {
            ledger.grow(self.block_bytes)?;
        }
        let joined = ledger.join()?;
        let before = kept_by_all(&ledger)?;
        self.rebuild(&ledger, &joined, self.shape.members)?;
        Ok(kept_by_all(&ledger)?.abs_diff(before))
    }

    /// Bytes of shares that came in for each block, and time on a processor for each.
    fn rebuild(self, ledger: &Ledger, member: &Member, slot: u16) -> Result<(f64, Duration), StorageError> {
        let honest = vec![Manner::Honest; usize::from(self.shape.members)];
        let mut desk = Desk::new(ledger, member, slot, honest)?;
        let before = thread_cpu();
        desk.repair(Height::new(1)..=ledger.tip().0)?;
        let blocks = u32::try_from(self.blocks).unwrap_or(u32::MAX).max(1);
        let received = desk.received as f64 / f64::from(blocks);
        Ok((received, (thread_cpu() - before) / blocks))
    }

    /// Deals one block anew: what its proposer gathers and sends, and what each member writes.
    fn reseal(self, ledger: &mut Ledger, sheet: &mut Sheet) -> Result<(), StorageError> {
        let honest = vec![Manner::Honest; usize::from(self.shape.members)];
        let (opened, gathered) = {
            let mut desk = Desk::new(ledger, first(ledger)?, 0, honest)?;
            let (opened, _) = desk.open(Height::new(1))?;
            (opened, desk.received)
        };
        let before = thread_cpu();
        let (sent, share) = ledger.reseal_bytes(&opened)?;
        let cpu = thread_cpu() - before;
        let others = usize::from(self.shape.members) - 1;
        let moved = gathered + sent * others;
        let mut pen = sheet.pen("reseal", self.shape, self.block_bytes);
        pen.add("moved", moved as f64, "B/block", 1);
        pen.add("moved_over_body", moved as f64 / self.block_bytes as f64, "1", 1);
        let written = salus_types::codec::encode(&share).len();
        pen.add("share_by_each", written as f64, "B/block", 1);
        pen.add_median("reseal_cpu", &[cpu]);
        Ok(())
    }
}

fn first(ledger: &Ledger) -> Result<&Member, StorageError> {
    ledger
        .members
        .first()
        .ok_or_else(|| StorageError::Void("a network without members".into()))
}

/// Bytes of all members' share logs.
fn kept_by_all(ledger: &Ledger) -> Result<u64, StorageError> {
    let mut total = 0;
    for member in &ledger.members {
        total += DataFolder::count(&member.home)?.shares.length;
    }
    Ok(total)
}

/// The name of a kind of the index in a row.
fn logical(kind: &str) -> &'static str {
    match kind {
        "certificates" => "logical_certificates",
        "headers" => "logical_headers",
        "block ids" => "logical_block_ids",
        "patients" => "logical_patients",
        "shares" => "logical_share_places",
        "state" => "logical_state",
        "state tree" => "logical_state_tree",
        "transactions" => "logical_transactions",
        _ => "logical_rest",
    }
}
