//! What the tests of several modules need.

use crate::disk::MemoryDisk;
use crate::{CommitBatch, MemoryIndex, Store, StoreError, StoreKey, StoreOptions};
use salus_types::state::{StateChanges, TreeChanges};
use salus_types::{
    BlockId, ChainId, Gas, Hash, Header, Height, MemberId, Round, SealedShare, Sealing, Slot, Timestamp,
};
use std::path::Path;
use std::sync::Arc;

pub(crate) const CHAIN: ChainId = ChainId::new(Hash::new([9; 32]));

pub(crate) fn key() -> StoreKey {
    StoreKey::new([7; 32])
}

/// Numbers that are the same for the same seed.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }
}

pub(crate) fn header(height: u64, round: u32, parent: BlockId) -> Header {
    let hash = |n: u8| {
        Hash::of_content(&[
            n,
            u8::try_from(height % 251).unwrap(),
            u8::try_from(round).unwrap(),
        ])
    };
    Header {
        height: Height::new(height),
        round: Round::new(round),
        time: Timestamp::new(1_700_000_000_000 + height),
        proposer: MemberId::new(1),
        parent,
        validators: hash(1),
        next_validators: hash(2),
        sealing: Sealing {
            suite: 1,
            threshold: 2,
            slots: 8,
            body_length: 1000,
            sealed_length: 1016,
        },
        body_commitment: hash(3),
        share_root: hash(4),
        receipts_root: hash(5),
        state_root: hash(6),
        gas_used: Gas::new(77),
    }
}

pub(crate) fn share(header: &Header, bytes: usize) -> SealedShare {
    let mut numbers = Numbers(header.height.get() * 1000 + u64::from(header.round.get()));
    let mut byte = || u8::try_from(numbers.below(256)).unwrap();
    let mut key_share = [0; 33];
    key_share.fill_with(&mut byte);
    key_share[0] = 4;
    SealedShare {
        height: header.height,
        slot: Slot::new(3),
        key_share,
        path: (0..3).map(|n| Hash::of_content(&[n])).collect(),
        fragment: (0..bytes).map(|_| byte()).collect(),
    }
}

/// A simulated machine: its disk and its index survive restarts.
#[derive(Clone, Default)]
pub(crate) struct Machine {
    pub(crate) disk: MemoryDisk,
    pub(crate) index: MemoryIndex,
}

impl Machine {
    pub(crate) const HOME: &'static str = "/home";

    pub(crate) fn open(&self) -> Result<Store, StoreError> {
        let options = StoreOptions {
            segment_bytes: 4096,
            ..StoreOptions::default()
        };
        let disk = Arc::new(self.disk.clone());
        Store::open_simulated(disk, &self.index, Path::new(Self::HOME), &key(), &options)
    }

    pub(crate) fn crash(&self, seed: u64) {
        let mut numbers = Numbers(seed);
        self.disk.crash(|limit| numbers.below(limit));
        self.index.crash(usize::try_from(numbers.below(3)).unwrap());
    }
}

pub(crate) fn genesis(store: &Store) -> Result<BlockId, StoreError> {
    let header = header(0, 0, BlockId::new(Hash::ZERO));
    let id = header.id(&CHAIN);
    store
        .chain
        .init(&header, id, None, &StateChanges::new(), &TreeChanges::new())?;
    Ok(id)
}

/// Commits a block without content.
pub(crate) fn commit(store: &Store, header: &Header) -> Result<BlockId, StoreError> {
    let id = header.id(&CHAIN);
    store.chain.commit(&CommitBatch {
        header,
        id,
        certificate: None,
        state: &StateChanges::new(),
        tree: &TreeChanges::new(),
        transactions: &[],
        patients: &[],
        share: store.shares.location(&id)?,
        reseals: &[],
    })?;
    Ok(id)
}
