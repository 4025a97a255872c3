use super::keys::Side;
use super::{
    CERTIFICATE_CHECKPOINT, CERTIFICATE_WINDOW, ChainStore, DecidedReseal, TIP, Tip, VALUE_BYTES_MAX, keys,
};
use crate::StoreError;
use crate::chain::table::Batch;
use crate::shares::ShareLocation;
use salus_types::state::{StateChanges, TreeChanges};
use salus_types::{BlockId, CommitCertificate, Header, Height, PrincipalId, TransactionId, codec};
use std::sync::{MutexGuard, PoisonError};

/// Entries of one batch while a first state is loaded.
const LOAD_BATCH: usize = 8192;

/// Everything that committing a block writes.
#[derive(Clone, Copy, Debug)]
pub struct CommitBatch<'a> {
    /// The block's header.
    pub header: &'a Header,
    /// The block's id; the caller has computed it from the header.
    pub id: BlockId,
    /// What proves that it was decided; `None` for a block that a later certificate of the same chain proves.
    pub certificate: Option<&'a CommitCertificate>,
    /// Writes of its transactions.
    pub state: &'a StateChanges,
    /// The state tree's changes that go with them.
    pub tree: &'a TreeChanges,
    /// Ids of its transactions.
    pub transactions: &'a [TransactionId],
    /// Patients whose records or access it touches.
    pub patients: &'a [PrincipalId],
    /// Where the own share stands; `None` if this node keeps none yet.
    pub share: Option<ShareLocation>,
    /// Older blocks that it reseals, each at most once.
    pub reseals: &'a [DecidedReseal],
}

impl ChainStore {
    pub(super) fn writing(&self) -> MutexGuard<'_, ()> {
        self.0.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an empty store its first block and state: the genesis at height 0, or a checked snapshot at a later height. Durable on return.
    ///
    /// A crash in the middle leaves a store without tip; call it again. On a chain that holds the block it does nothing.
    ///
    /// # Errors
    /// [`StoreError::Initialisation`] if the store holds another chain.
    pub fn init(
        &self,
        header: &Header,
        id: BlockId,
        certificate: Option<&CommitCertificate>,
        state: &StateChanges,
        tree: &TreeChanges,
    ) -> Result<(), StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        if self.tip().is_some() {
            return match self.block_id(header.height)? {
                Some(committed) if committed == id => Ok(()),
                _ => Err(StoreError::Initialisation(
                    "holds another chain already: use an empty folder",
                )),
            };
        }
        self.clear(&[])?;
        let mut batch = Batch::new();
        let side = self.side();
        for write in state_writes(side, state).chain(tree_writes(side, tree)) {
            check_value(&write)?;
            batch.push(write);
            if batch.len() >= LOAD_BATCH {
                self.apply(std::mem::take(&mut batch))?;
            }
        }
        tip_writes(&mut batch, header, id, certificate);
        self.apply(batch)?;
        self.sync()?;
        self.shared_mut().tip = Some(Tip {
            height: header.height,
            id,
        });
        Ok(())
    }

    /// Removes everything whose key starts with a prefix; with none, what an unfinished [`Self::init`] left.
    pub(super) fn clear(&self, prefix: &[u8]) -> Result<(), StoreError> {
        while self.clear_some(prefix)? {}
        Ok(())
    }

    /// Removes some of the entries whose key starts with a prefix; whether there were any.
    pub(super) fn clear_some(&self, prefix: &[u8]) -> Result<bool, StoreError> {
        let mut batch = Batch::new();
        self.walk_prefix(prefix, &mut |key, _| {
            batch.push((key.to_vec(), None));
            batch.len() < LOAD_BATCH
        })?;
        let some = !batch.is_empty();
        self.apply(batch)?;
        Ok(some)
    }

    /// Commits the block above the tip: all of it or, after a crash, none of it. Durable on return.
    ///
    /// Order: applied as one batch while no reader looks, then flushed and synced. Committing a block again that is
    /// committed already does nothing.
    ///
    /// # Errors
    /// [`StoreError::Gap`], [`StoreError::Conflict`], [`StoreError::ResealRefused`], [`StoreError::TooLong`]: nothing was written. A failed write halts the store for good.
    pub fn commit(&self, batch: &CommitBatch<'_>) -> Result<(), StoreError> {
        let writing = self.writing();
        self.0.halt.check()?;
        if self.is_committed(batch.header, batch.id)? {
            return Ok(());
        }
        let side = self.side();
        let mut writes: Batch = state_writes(side, batch.state)
            .chain(tree_writes(side, batch.tree))
            .collect();
        writes.iter().try_for_each(check_value)?;
        let height = batch.header.height;
        tip_writes(&mut writes, batch.header, batch.id, batch.certificate);
        if let Some(expired) = height.checked_sub(CERTIFICATE_WINDOW)
            && !self.keeps_certificate(expired)?
        {
            writes.push((keys::of_height(keys::CERTIFICATE, expired), None));
        }
        let transactions = batch.transactions.iter().map(keys::transaction_item).collect();
        self.occurrence_writes(&mut writes, keys::TRANSACTION, height, transactions)?;
        let patients = batch
            .patients
            .iter()
            .map(|patient| u64::from(patient.get()))
            .collect();
        self.occurrence_writes(&mut writes, keys::PATIENT, height, patients)?;
        self.decided_writes(&mut writes, height, batch.share, batch.reseals)?;
        self.publish(writes, Tip { height, id: batch.id })?;
        drop(writing);
        self.sync()
    }

    /// Whether the certificate of a height is kept for good: one of many, and those of the last block that a validator set
    /// decides, because a certificate proves headers only as far back as its own set decided them.
    fn keeps_certificate(&self, height: Height) -> Result<bool, StoreError> {
        if height.get().is_multiple_of(CERTIFICATE_CHECKPOINT) {
            return Ok(true);
        }
        let header = self.header(height)?;
        Ok(header.is_some_and(|header| header.validators != header.next_validators))
    }

    fn is_committed(&self, header: &Header, id: BlockId) -> Result<bool, StoreError> {
        let tip = self
            .tip()
            .ok_or(StoreError::Initialisation("is empty: load the genesis first"))?;
        let height = header.height;
        if height <= tip.height {
            return match self.block_id(height)? {
                Some(committed) if committed == id => Ok(true),
                _ => Err(StoreError::Conflict { height, id }),
            };
        }
        if height != tip.height.next() {
            return Err(StoreError::Gap {
                height,
                tip: tip.height,
            });
        }
        if header.parent != tip.id {
            return Err(StoreError::Conflict { height, id });
        }
        Ok(false)
    }

    /// Applies a block's writes and moves the tip while no reader looks, and keeps what live views still need.
    fn publish(&self, writes: Batch, tip: Tip) -> Result<(), StoreError> {
        let mut shared = self.shared_mut();
        let oldest_view = self.oldest_view();
        shared.undo.drop_unneeded(oldest_view);
        if oldest_view.is_some() {
            let mut replaced = Vec::new();
            for (key, _) in &writes {
                if key.first().is_some_and(|kind| shared.side.kinds().contains(kind)) {
                    replaced.push((key.clone(), self.0.table.get(key)?));
                }
            }
            shared.undo.push(tip.height, replaced);
        }
        self.apply(writes)?;
        shared.tip = Some(tip);
        Ok(())
    }

    /// Writes a free entry of at most 64 KiB. Durable on return.
    pub fn put_meta(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let write = (keys::meta(&format!("free {name}")), Some(value.to_vec()));
        check_value(&write)?;
        {
            let _writing = self.writing();
            self.0.halt.check()?;
            self.apply(vec![write])?;
        }
        self.sync()
    }

    pub(super) fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.halt.guard(self.0.table.apply(batch))
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.0.halt.guard(self.0.table.sync())
    }
}

fn state_writes(side: Side, state: &StateChanges) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> + '_ {
    state
        .iter()
        .map(move |(key, value)| (side.state(key.as_bytes()), value.clone()))
}

pub(super) fn tree_writes(
    side: Side,
    tree: &TreeChanges,
) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> + '_ {
    tree.iter()
        .map(move |(path, value)| (side.tree(path), value.clone()))
}

/// What makes a block the tip.
fn tip_writes(batch: &mut Batch, header: &Header, id: BlockId, certificate: Option<&CommitCertificate>) {
    header_writes(batch, header, id, certificate);
    batch.push((
        keys::meta(TIP),
        Some(encode_tip(Tip {
            height: header.height,
            id,
        })),
    ));
}

pub(super) fn header_writes(
    batch: &mut Batch,
    header: &Header,
    id: BlockId,
    certificate: Option<&CommitCertificate>,
) {
    let height = header.height;
    let mut value = id.as_bytes().to_vec();
    value.extend(codec::encode(header));
    batch.push((keys::of_height(keys::HEADER, height), Some(value)));
    batch.push((
        keys::with_height(keys::block_id_prefix(&id), height),
        Some(Vec::new()),
    ));
    if let Some(certificate) = certificate {
        batch.push((
            keys::of_height(keys::CERTIFICATE, height),
            Some(codec::encode(certificate)),
        ));
    }
}

pub(super) fn encode_tip(tip: Tip) -> Vec<u8> {
    [&tip.height.get().to_be_bytes()[..], tip.id.as_bytes()].concat()
}

fn check_value((_, value): &(Vec<u8>, Option<Vec<u8>>)) -> Result<(), StoreError> {
    let length = value.as_ref().map_or(0, Vec::len);
    if length > VALUE_BYTES_MAX {
        return Err(StoreError::TooLong {
            what: "a value",
            length,
            limit: VALUE_BYTES_MAX,
        });
    }
    Ok(())
}
