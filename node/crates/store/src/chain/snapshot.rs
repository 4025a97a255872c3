//! Taking over a snapshot: headers ahead of their blocks, a state beside the one in use, and the step from one to the other.
//!
//! ```text
//! keep_headers   certified headers above the tip; nobody sees them before the tip reaches them
//! stage          begins to write a snapshot to the side that is not in use
//! stage_part     its parts, one batch each, in any order; what is there survives a restart
//! install        one small batch: the other side becomes the state, the snapshot's block the tip
//! fill_gap       what transactions and patients a skipped block has, once its body was opened
//! ```
//!
//! A crash at any point leaves the old tip with the old state or the new tip with the new one.

use super::commit::{encode_tip, header_writes, tree_writes};
use super::keys::Side;
use super::table::Batch;
use super::{ChainStore, RECORD_LIMIT, SIDE, TIP, Tip, damaged, keys};
use crate::StoreError;
use salus_types::codec;
use salus_types::snapshot::{CheckedPart, SnapshotTarget, StagedPart};
use salus_types::state::TreeChanges;
use salus_types::tree::{TreeNode, TreePrefix};
use salus_types::{
    BlockId, CommitCertificate, Hash, Header, Height, PrincipalId, TransactionId, ValidatorSet,
};
use std::ops::{Bound, RangeInclusive};

const STAGED: &str = "staged";

impl ChainStore {
    /// Keeps certified headers above the tip ahead of their blocks, and the certificate of the last of them. Not yet durable on
    /// return; after a crash the first of them are there.
    ///
    /// The caller has checked that they follow each other and what is kept already.
    pub fn keep_headers(
        &self,
        headers: &[(BlockId, Header)],
        certificate: &CommitCertificate,
    ) -> Result<(), StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        let tip = self.tip().map_or(Height::ZERO, |tip| tip.height);
        let mut batch = Batch::new();
        for (id, header) in headers.iter().filter(|(_, header)| header.height > tip) {
            let certificate = Some(certificate).filter(|certificate| certificate.block == *id);
            header_writes(&mut batch, header, *id, certificate);
        }
        self.apply(batch)
    }

    /// Keeps validators under their hash, for members that follow the headers of the past. Not yet durable on return.
    pub fn keep_validators(&self, hash: &Hash, validators: &ValidatorSet) -> Result<(), StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        let key = keys::key(keys::VALIDATORS, &[hash.as_bytes()]);
        self.apply(vec![(key, Some(codec::encode(validators)))])
    }

    /// The validators that have this hash, if they decided something that this node followed.
    pub fn validators(&self, hash: &Hash) -> Result<Option<ValidatorSet>, StoreError> {
        let bytes = self.get(&keys::key(keys::VALIDATORS, &[hash.as_bytes()]))?;
        let decode = |bytes: Vec<u8>| codec::decode(&bytes, RECORD_LIMIT);
        let found = bytes.map(decode).transpose();
        found.map_err(|_| damaged("validators of the past cannot be read"))
    }

    /// Headers kept ahead of their blocks: above the tip, from a height on, up to `count`, ascending.
    pub fn headers_ahead(&self, from: Height, count: usize) -> Result<Vec<(BlockId, Header)>, StoreError> {
        let first = self.tip().map_or(Height::ZERO, |tip| tip.height.next());
        self.headers_within(from.max(first)..=Height::MAX, count)
    }

    /// Begins to write a snapshot beside the state in use. Going on with the same one keeps its parts, another one removes
    /// them.
    pub fn stage(&self, snapshot: &SnapshotTarget) -> Result<(), StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        if self.staged()?.is_some_and(|(staged, _)| staged == *snapshot) {
            return Ok(());
        }
        self.clear_other_side()?;
        self.apply(vec![(keys::meta(STAGED), Some(codec::encode(snapshot)))])
    }

    /// The snapshot that is being written, and the parts that are there.
    pub fn staged(&self) -> Result<Option<(SnapshotTarget, Vec<StagedPart>)>, StoreError> {
        let Some(bytes) = self.get(&keys::meta(STAGED))? else {
            return Ok(None);
        };
        let unreadable = || damaged("what is known of a snapshot cannot be read");
        let staged = codec::decode(&bytes, RECORD_LIMIT).map_err(|_| unreadable())?;
        let mut parts = Vec::new();
        self.walk_prefix(&[keys::PART], &mut |key, value| {
            parts.push(decode_part(key, value));
            true
        })?;
        let parts: Option<Vec<StagedPart>> = parts.into_iter().collect();
        Ok(Some((staged, parts.ok_or_else(unreadable)?)))
    }

    /// Writes a part of the snapshot that is being written: all of it or, after a crash, none of it.
    pub fn stage_part(&self, prefix: &TreePrefix, bytes: u64, part: &CheckedPart) -> Result<(), StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        let side = self.side().other();
        let mut batch = Batch::new();
        if let CheckedPart::Entries { entries, nodes, .. } = part {
            for (key, value) in entries {
                batch.push((side.state(key.as_bytes()), Some(value.clone())));
            }
            batch.extend(tree_writes(side, nodes));
        }
        batch.push((
            keys::key(keys::PART, &[prefix.as_path()]),
            Some(codec::encode(&(bytes, part.record()))),
        ));
        self.apply(batch)
    }

    /// Makes the snapshot that was written the state, and its block, whose header is kept, the tip. `nodes` are the nodes above
    /// its parts. Durable on return.
    ///
    /// What the blocks between the old tip and the new one did is not in the index: see [`Self::gaps`].
    ///
    /// # Errors
    /// [`StoreError::Initialisation`] if no such snapshot was written, or its root is not the header's: nothing changed.
    pub fn install(&self, height: Height, nodes: &TreeChanges) -> Result<Tip, StoreError> {
        let writing = self.writing();
        self.0.halt.check()?;
        let old = self
            .tip()
            .ok_or(StoreError::Initialisation("is empty: load the genesis first"))?;
        let (id, header) = self
            .header_entry(height)?
            .filter(|_| height > old.height)
            .ok_or(StoreError::Initialisation("has no header for this snapshot"))?;
        let side = self.side().other();
        self.apply(tree_writes(side, nodes).collect())?;
        let staged = self.staged()?.map(|(staged, _)| staged);
        let wanted = SnapshotTarget {
            height,
            state_root: header.state_root,
        };
        if staged != Some(wanted) || self.root_of(side)? != Some(header.state_root) {
            return Err(StoreError::Initialisation(
                "holds another snapshot than the one to install",
            ));
        }
        // The state before the switch to it.
        self.sync()?;
        let tip = Tip { height, id };
        let first = old.height.next().get().to_be_bytes();
        self.switch(
            vec![
                (keys::meta(TIP), Some(encode_tip(tip))),
                (keys::meta(SIDE), Some(vec![side.to_byte()])),
                (keys::meta(STAGED), None),
                (
                    keys::key(keys::GAP, &[&first]),
                    Some(height.get().to_be_bytes().to_vec()),
                ),
            ],
            tip,
            side,
        )?;
        drop(writing);
        self.sync()?;
        Ok(tip)
    }

    /// Shows the new state while no reader looks; views of the old one expire.
    fn switch(&self, batch: Batch, tip: Tip, side: Side) -> Result<(), StoreError> {
        let mut shared = self.shared_mut();
        self.apply(batch)?;
        shared.tip = Some(tip);
        shared.side = side;
        shared.undo = super::Undo::default();
        Ok(())
    }

    fn root_of(&self, side: Side) -> Result<Option<Hash>, StoreError> {
        let bytes = self.get(&side.tree(&[]))?;
        Ok(bytes
            .and_then(|bytes| TreeNode::decode(&bytes))
            .map(|node| node.hash()))
    }

    /// Removes the state that is no longer in use, a few entries at a time so that blocks are committed meanwhile. Stops when
    /// the next snapshot is begun, which removes the rest.
    pub fn clear_unused(&self) -> Result<(), StoreError> {
        let kinds = self.side().other().kinds();
        for kind in [kinds[0], kinds[1], keys::PART] {
            loop {
                let _writing = self.writing();
                self.0.halt.check()?;
                if self.staged()?.is_some() || !self.clear_some(&[kind])? {
                    break;
                }
            }
        }
        Ok(())
    }

    fn clear_other_side(&self) -> Result<(), StoreError> {
        self.apply(vec![(keys::meta(STAGED), None)])?;
        for kind in self.side().other().kinds() {
            self.clear(&[kind])?;
        }
        self.clear(&[keys::PART])
    }

    /// Committed heights whose transactions and patients are not in the index yet, ascending, up to `ranges_max` ranges.
    pub fn gaps(&self, ranges_max: usize) -> Result<Vec<RangeInclusive<Height>>, StoreError> {
        let mut gaps = Vec::new();
        self.walk_prefix(&[keys::GAP], &mut |key, value| {
            gaps.push(parse_gap(key, value));
            gaps.len() < ranges_max
        })?;
        let gaps: Option<Vec<_>> = gaps.into_iter().collect();
        gaps.ok_or_else(|| damaged("a gap cannot be read"))
    }

    /// The gap that contains a height.
    fn gap_of(&self, height: Height) -> Result<Option<RangeInclusive<Height>>, StoreError> {
        let lowest = keys::of_height(keys::GAP, Height::ZERO);
        let highest = keys::of_height(keys::GAP, height);
        let mut found = None;
        self.walk(
            Bound::Included(&lowest),
            Bound::Included(&highest),
            true,
            &mut |key, value| {
                found = Some(parse_gap(key, value));
                false
            },
        )?;
        let gap = found.map(|gap| gap.ok_or_else(|| damaged("a gap cannot be read")));
        Ok(gap.transpose()?.filter(|gap| gap.contains(&height)))
    }

    /// Whether a block of these heights is in a gap.
    pub(super) fn has_gap(&self, heights: RangeInclusive<Height>) -> Result<bool, StoreError> {
        if self.gap_of(*heights.start())?.is_some() {
            return Ok(true);
        }
        let from = keys::of_height(keys::GAP, *heights.start());
        let to = keys::of_height(keys::GAP, *heights.end());
        let mut some = false;
        self.walk(
            Bound::Included(&from),
            Bound::Included(&to),
            false,
            &mut |_, _| {
                some = true;
                false
            },
        )?;
        Ok(some)
    }

    /// Puts a skipped block's transactions and patients into the index. Does nothing for a block that is there already. Not
    /// yet durable on return: after a crash the gap may be as it was.
    ///
    /// The caller has opened the block's body under its committed header.
    pub fn fill_gap(
        &self,
        height: Height,
        transactions: &[TransactionId],
        patients: &[PrincipalId],
    ) -> Result<(), StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        let Some(gap) = self.gap_of(height)? else {
            return Ok(());
        };
        let mut batch = Batch::new();
        let (first, last) = (*gap.start(), *gap.end());
        let mut set = |first: Height, last: Height| {
            let last = (first <= last).then(|| last.get().to_be_bytes().to_vec());
            batch.push((keys::of_height(keys::GAP, first), last));
        };
        set(first, height.checked_sub(1).unwrap_or(Height::ZERO));
        if height < last {
            set(height.next(), last);
        }
        let transactions = transactions.iter().map(keys::transaction_item).collect();
        Self::late_writes(&mut batch, keys::TRANSACTION, height, transactions);
        let patients = patients.iter().map(|patient| u64::from(patient.get())).collect();
        Self::late_writes(&mut batch, keys::PATIENT, height, patients);
        self.apply(batch)?;
        self.merge_if_whole(height)
    }
}

fn decode_part(key: &[u8], value: &[u8]) -> Option<StagedPart> {
    let (bytes, record) = codec::decode(value, RECORD_LIMIT).ok()?;
    Some(StagedPart {
        prefix: TreePrefix::from_path(key.get(1..)?)?,
        bytes,
        record,
    })
}

fn parse_gap(key: &[u8], value: &[u8]) -> Option<RangeInclusive<Height>> {
    let last = u64::from_be_bytes(value.try_into().ok()?);
    Some(keys::height_at_end(key)?..=Height::new(last))
}
