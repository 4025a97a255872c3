//! The latest blocks' receipts, in memory only: enough to answer clients that wait for their transactions.
//!
//! Bounded by blocks and by bytes. Older receipts are read by reconstructing their block from shares.

use salus_api::CommittedTransaction;
use salus_types::{Body, Call, ContractId, Header, Height, Receipt, TransactionId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Blocks kept, at most.
const BLOCKS_MAX: usize = 256;
/// Bytes of bodies kept, at most.
const BYTES_MAX: usize = 16 << 20;

/// A committed block with its body at hand.
#[derive(Clone, Debug)]
pub(crate) struct CommittedBlock {
    /// Its header.
    pub(crate) header: Header,
    /// The ids of its transactions, in order.
    pub(crate) ids: Vec<TransactionId>,
    /// Its body.
    pub(crate) body: Body,
}

/// One transaction of a committed block.
#[derive(Clone, Debug)]
pub(crate) struct Executed {
    /// In which block.
    pub(crate) height: Height,
    /// At which position.
    pub(crate) index: usize,
    /// What it called.
    pub(crate) contract: ContractId,
    /// What it did.
    pub(crate) receipt: Receipt,
}

impl From<Executed> for CommittedTransaction {
    fn from(executed: Executed) -> Self {
        let index = u32::try_from(executed.index).unwrap_or(u32::MAX);
        Self {
            height: executed.height,
            index,
            contract: executed.contract,
            receipt: executed.receipt,
        }
    }
}

impl CommittedBlock {
    /// What became of a transaction of this block.
    pub(crate) fn executed(&self, id: &TransactionId) -> Option<Executed> {
        let index = self.ids.iter().position(|other| other == id)?;
        let receipt = self.body.receipts.get(index)?.clone();
        let contract = match self.body.transactions.get(index)?.payload.call {
            Call::Contract { contract, .. } => contract,
            Call::System(_) => ContractId::SYSTEM,
        };
        Some(Executed {
            height: self.header.height,
            index,
            contract,
            receipt,
        })
    }
}

/// The window.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    blocks: VecDeque<Arc<CommittedBlock>>,
    by_transaction: BTreeMap<TransactionId, Height>,
    bytes: usize,
}

impl Recent {
    /// Adds a newly committed block; the oldest ones make room.
    pub(crate) fn push(&mut self, block: Arc<CommittedBlock>) {
        self.bytes = self.bytes.saturating_add(weight(&block));
        for id in &block.ids {
            self.by_transaction.insert(*id, block.header.height);
        }
        self.blocks.push_back(block);
        while self.blocks.len() > 1 && (self.blocks.len() > BLOCKS_MAX || self.bytes > BYTES_MAX) {
            let Some(oldest) = self.blocks.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(weight(&oldest));
            for id in &oldest.ids {
                self.by_transaction.remove(id);
            }
        }
    }

    /// The block of a height, if it is still here.
    pub(crate) fn block(&self, height: Height) -> Option<Arc<CommittedBlock>> {
        let first = self.blocks.front()?.header.height;
        let index = usize::try_from(height.get().checked_sub(first.get())?).ok()?;
        self.blocks.get(index).cloned()
    }

    /// What became of a transaction, if its block is still here.
    pub(crate) fn executed(&self, id: &TransactionId) -> Option<Executed> {
        self.block(*self.by_transaction.get(id)?)?.executed(id)
    }
}

fn weight(block: &CommittedBlock) -> usize {
    usize::try_from(block.header.sealing.body_length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_types::{BlockId, Gas, Hash, MemberId, Round, Sealing, Timestamp};

    fn block(height: u64, body_length: u32) -> Arc<CommittedBlock> {
        let zero = Hash::ZERO;
        let header = Header {
            height: Height::new(height),
            round: Round::ZERO,
            time: Timestamp::ZERO,
            proposer: MemberId::new(0),
            parent: BlockId::new(zero),
            validators: zero,
            next_validators: zero,
            sealing: Sealing {
                suite: 1,
                threshold: 1,
                slots: 1,
                body_length,
                sealed_length: 0,
            },
            body_commitment: zero,
            share_root: zero,
            receipts_root: zero,
            state_root: zero,
            gas_used: Gas::ZERO,
        };
        let ids = vec![TransactionId::new(Hash::of_content(&height.to_be_bytes()))];
        Arc::new(CommittedBlock {
            header,
            ids,
            body: Body::default(),
        })
    }

    #[test]
    fn the_window_is_bounded_by_blocks_and_by_bytes() {
        let mut recent = Recent::default();
        (1..=400).for_each(|height| recent.push(block(height, 10)));
        assert!(recent.block(Height::new(144)).is_none() && recent.block(Height::new(145)).is_some());
        assert_eq!(recent.by_transaction.len(), BLOCKS_MAX);
        recent.push(block(401, u32::try_from(BYTES_MAX).unwrap()));
        assert!(recent.block(Height::new(400)).is_none() && recent.block(Height::new(401)).is_some());
        assert_eq!(recent.by_transaction.len(), 1);
    }
}
