use super::{Options, chain, key, set_of, timeouts};
use salus_consensus::{Config, Consensus, TimerId};
use salus_types::{
    BlockId, CommitCertificate, Gas, Hash, Header, Height, MemberId, Round, Sealing, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// What survives a crash.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) chain: Vec<(CommitCertificate, Header)>,
    pub(crate) shares: BTreeMap<BlockId, Header>,
    log_height: Height,
    log: Vec<Vec<u8>>,
    flushed: usize,
}

/// What doesn't.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) timers: BTreeSet<TimerId>,
    /// Dealings of blocks, and whether they are good.
    pub(crate) dealings: BTreeMap<BlockId, (Header, bool)>,
    /// Whose shares of blocks came that were asked for.
    pub(crate) gathered: BTreeMap<BlockId, BTreeSet<u16>>,
}

/// A validator's shell as far as consensus sees it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) number: u16,
    pub(crate) disk: Disk,
    pub(crate) memory: Memory,
    /// `None` while it is down.
    pub(crate) consensus: Option<Consensus>,
    /// Counts restarts: events of an earlier life are dropped.
    pub(crate) life: u32,
    pub(crate) crashes: u32,
}

impl Disk {
    pub(crate) fn next_height(&self) -> Height {
        Height::new(self.chain.len() as u64 + 1)
    }

    pub(crate) fn tip(&self) -> BlockId {
        self.chain
            .last()
            .map_or(BlockId::new(Hash::ZERO), |(_, header)| header.id(&chain()))
    }

    pub(crate) fn append(&mut self, entry: Vec<u8>) {
        self.log.push(entry);
    }

    pub(crate) fn flush(&mut self) {
        self.flushed = self.log.len();
    }

    /// The log of a height; a log of another height is dropped.
    pub(crate) fn open_log(&mut self, height: Height) -> Vec<Vec<u8>> {
        if self.log_height != height {
            self.log_height = height;
            self.log.clear();
            self.flushed = 0;
        }
        self.log.clone()
    }

    pub(crate) fn drop_log(&mut self) {
        self.log.clear();
        self.flushed = 0;
    }

    /// Loses a part of what was not flushed.
    pub(crate) fn crash(&mut self, luck: usize) {
        let unflushed = self.log.len() - self.flushed;
        self.log.truncate(self.flushed + luck % (unflushed + 1));
        self.flushed = self.log.len();
    }
}

impl Node {
    pub(crate) fn new(number: u16) -> Self {
        Self {
            number,
            disk: Disk::default(),
            memory: Memory::default(),
            consensus: None,
            life: 0,
            crashes: 0,
        }
    }

    pub(crate) fn boot(&mut self) {
        self.memory = Memory::default();
        self.life += 1;
        self.consensus = Some(Consensus::new(Config {
            chain: chain(),
            member: Some(MemberId::new(self.number)),
            key: key(self.number),
            timeouts: timeouts(),
        }));
    }

    pub(crate) fn is_up(&self) -> bool {
        self.consensus.is_some()
    }

    /// Two builds never give the same block, as two dealings never do.
    /// A block on top of the chain.
    pub(crate) fn build(&self, options: &Options, height: Height, round: Round, nonce: u64) -> Header {
        let parent = self.disk.chain.last().map(|(_, header)| header.time);
        Header {
            height,
            round,
            time: Timestamp::new(parent.map_or(0, Timestamp::get) + 1),
            proposer: MemberId::new(self.number),
            parent: self.disk.tip(),
            validators: set_of(options, height).hash(&chain()),
            next_validators: set_of(options, height.next()).hash(&chain()),
            sealing: Sealing {
                suite: 1,
                threshold: 2,
                slots: 8,
                body_length: 1,
                sealed_length: 17,
            },
            body_commitment: Hash::of_content(&nonce.to_be_bytes()),
            share_root: Hash::of_content(&nonce.to_be_bytes()),
            receipts_root: Hash::ZERO,
            state_root: Hash::ZERO,
            gas_used: Gas::ZERO,
        }
    }
}
