//! Members in one process, with real shares on a real disk.

use super::StorageError;
use crate::machine::thread_cpu;
use crate::numbers::Numbers;
use salus_seal::{Binding, CheckedDealing, DataKey, Dealing, Parameters, SealedBlock, seal};
use salus_store::disk::RealDisk;
use salus_store::{CommitBatch, MemoryIndex, Store, StoreKey, StoreOptions};
use salus_types::state::{StateChanges, TreeChanges};
use salus_types::{
    BlockId, ChainId, CommitCertificate, CommitSignature, Gas, Hash, Header, Height, MemberId, PrincipalId,
    Round, SealedShare, SecretKey, Slot, Timestamp, TransactionId, Validator, ValidatorSet, Vote, VoteKind,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Bytes of a body for each transaction that is indexed: a signed request for a record with its receipt.
const TRANSACTION_BYTES: usize = 220;
/// Patients whose records the transactions touch.
const PATIENTS: usize = 10_000;

/// How many members there are and how many shares open a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) members: u16,
    pub(super) threshold: u16,
}

impl Shape {
    /// k = n - 2f.
    pub(super) fn default_of(members: u16) -> Self {
        let faulty = (members.saturating_sub(1)) / 3;
        Self {
            members,
            threshold: members - 2 * faulty,
        }
    }

    /// The largest k that a network may choose: n - f - ceil(f / 2).
    pub(super) fn largest_of(members: u16) -> Self {
        let faulty = (members.saturating_sub(1)) / 3;
        Self {
            members,
            threshold: members - faulty - faulty.div_ceil(2),
        }
    }

    /// f.
    pub(super) fn faulty(self) -> u16 {
        (self.members.saturating_sub(1)) / 3
    }

    /// S: the power of two that leaves each member a spare slot.
    pub(super) fn slots(self) -> u16 {
        (2 * self.members).next_power_of_two()
    }

    fn parameters(self) -> Result<Parameters, StorageError> {
        Parameters::new(self.threshold, self.slots())
            .map_err(|error| StorageError::Void(format!("{self:?}: {error}")))
    }
}

/// A block as everybody knows it, and a hash of the body that nobody keeps.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) header: Header,
    pub(super) id: BlockId,
    pub(super) body: Hash,
}

/// A member's folder and what it keeps there.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) store: Store,
    pub(super) home: PathBuf,
}

/// Time on a processor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Costs {
    pub(super) seal: Duration,
    pub(super) check: Duration,
}

/// A chain whose blocks lie as shares with its members.
///
/// Member 0 keeps everything as a validator does. The others' share logs are as real, but their indexes are in memory: they
/// only hand out shares.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) shape: Shape,
    pub(super) chain: ChainId,
    pub(super) members: Vec<Member>,
    pub(super) blocks: Vec<Block>,
    keys: Vec<SecretKey>,
    numbers: Numbers,
    // Dropped last: the members write into it.
    folder: TempDir,
}

impl Ledger {
    /// A chain that holds nothing but its genesis.
    pub(super) fn found(shape: Shape, parent: Option<&Path>, seed: u64) -> Result<Self, StorageError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("salus-storage-");
        let folder = match parent {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        }?;
        let chain = ChainId::new(Hash::of_content(&seed.to_be_bytes()));
        let key = |member: u16| SecretKey::from_seed(Hash::of_content(&member.to_be_bytes()).as_bytes());
        let mut ledger = Self {
            shape,
            chain,
            members: Vec::new(),
            blocks: Vec::new(),
            keys: (0..shape.members).map(key).collect(),
            numbers: Numbers::of(seed, &format!("{shape:?}")),
            folder,
        };
        for member in 0..shape.members {
            let opened = ledger.open(member)?;
            ledger.members.push(opened);
        }
        Ok(ledger)
    }

    fn open(&self, member: u16) -> Result<Member, StorageError> {
        let home = self.folder.path().join(format!("member{member}"));
        let key = StoreKey::new(*Hash::of_content(&member.to_be_bytes()).as_bytes());
        let store = if member == 0 {
            Store::open(&home, &key)?
        } else {
            let index = MemoryIndex::new();
            Store::open_simulated(Arc::new(RealDisk), &index, &home, &key, &StoreOptions::default())?
        };
        let genesis = genesis();
        let (id, state, tree) = (genesis.id(&self.chain), StateChanges::new(), TreeChanges::new());
        store.chain.init(&genesis, id, None, &state, &tree)?;
        Ok(Member { store, home })
    }

    pub(super) fn validators(&self) -> Result<ValidatorSet, StorageError> {
        let validator = |(member, key): (u16, &SecretKey)| Validator {
            member: MemberId::new(member),
            key: key.public(),
            slot: Slot::new(member),
        };
        ValidatorSet::new((0..).zip(&self.keys).map(validator).collect())
            .map_err(|error| StorageError::Void(error.to_string()))
    }

    pub(super) fn key(&self, member: MemberId) -> Result<&SecretKey, StorageError> {
        self.keys
            .get(usize::from(member.get()))
            .ok_or_else(|| StorageError::Void(format!("{member} has no key")))
    }

    /// Seals a body of `length` incompressible bytes, checks the dealing as a validator does, and lets every member keep its
    /// share and commit the block.
    pub(super) fn grow(&mut self, length: usize) -> Result<Costs, StorageError> {
        let body = self.numbers.bytes(length);
        let binding = self.binding();
        let (parameters, key) = (self.shape.parameters()?, DataKey::new(self.numbers.array()));
        let started = thread_cpu();
        let sealed = seal(&body, &binding, parameters, key)?;
        let sealing = thread_cpu();
        let header = self.header(&binding, &sealed);
        let encoded = sealed.dealing().encode().to_vec();
        let decoding = thread_cpu();
        let dealing = Dealing::decode(encoded)?.check(&header, &self.chain)?;
        let checked = thread_cpu();
        self.keep(header, &dealing, &body)?;
        Ok(Costs {
            seal: sealing - started,
            check: checked - decoding,
        })
    }

    fn keep(&mut self, header: Header, dealing: &CheckedDealing, body: &[u8]) -> Result<(), StorageError> {
        let id = header.id(&self.chain);
        let certificate = self.certificate(header.height, id)?;
        let transactions: Vec<TransactionId> = (0..body.len() / TRANSACTION_BYTES)
            .map(|_| TransactionId::new(Hash::new(self.numbers.array())))
            .collect();
        let patients: Vec<PrincipalId> = transactions
            .iter()
            .map(|_| PrincipalId::new(u32::try_from(self.numbers.below(PATIENTS)).unwrap_or(0)))
            .collect();
        for (slot, member) in (0u16..).zip(&self.members) {
            let share = dealt(dealing, slot)?;
            let at = member.store.shares.append(&header, id, &share)?;
            member.store.chain.commit(&CommitBatch {
                header: &header,
                id,
                certificate: Some(&certificate),
                state: &StateChanges::new(),
                tree: &TreeChanges::new(),
                transactions: &transactions,
                patients: &patients,
                share: Some(at),
                reseals: &[],
            })?;
        }
        self.blocks.push(Block {
            header,
            id,
            body: Hash::of_content(body),
        });
        Ok(())
    }

    /// A member that has just joined: it has the headers, no share, and the first spare slot.
    pub(super) fn join(&self) -> Result<Member, StorageError> {
        let joined = self.open(self.shape.members)?;
        for block in &self.blocks {
            joined.store.chain.commit(&CommitBatch {
                header: &block.header,
                id: block.id,
                certificate: None,
                state: &StateChanges::new(),
                tree: &TreeChanges::new(),
                transactions: &[],
                patients: &[],
                share: None,
                reseals: &[],
            })?;
        }
        Ok(joined)
    }

    /// The block of a height, counted from 1.
    pub(super) fn block(&self, height: Height) -> Option<&Block> {
        let place = usize::try_from(height.get().checked_sub(1)?).ok()?;
        self.blocks.get(place)
    }

    pub(super) fn tip(&self) -> (Height, BlockId) {
        let genesis = || (Height::ZERO, genesis().id(&self.chain));
        self.blocks
            .last()
            .map_or_else(genesis, |block| (block.header.height, block.id))
    }

    fn binding(&self) -> Binding {
        let height = self.tip().0.next();
        Binding {
            chain: self.chain,
            height,
            dealt_at: height,
            round: Round::ZERO,
            proposer: MemberId::new(0),
        }
    }

    fn header(&self, binding: &Binding, sealed: &SealedBlock) -> Header {
        let height = binding.height;
        let hash = |what: &str| Hash::of_content(format!("{what} {height}").as_bytes());
        Header {
            height,
            round: binding.round,
            time: Timestamp::new(1_700_000_000_000 + 50 * height.get()),
            proposer: binding.proposer,
            parent: self.tip().1,
            validators: Hash::of_content(b"validators"),
            next_validators: Hash::of_content(b"validators"),
            sealing: sealed.sealing(),
            body_commitment: sealed.body_commitment(),
            share_root: sealed.share_root(),
            receipts_root: hash("receipts"),
            state_root: hash("state"),
            gas_used: Gas::new(5_000_000),
        }
    }

    /// Signed by a quorum.
    fn certificate(&self, height: Height, block: BlockId) -> Result<CommitCertificate, StorageError> {
        let validators = self.validators()?;
        let sign = |(member, key): (u16, &SecretKey)| {
            let vote = Vote {
                kind: VoteKind::Precommit,
                height,
                round: Round::ZERO,
                block: Some(block),
                member: MemberId::new(member),
            };
            CommitSignature {
                member: vote.member,
                signature: vote.sign(key, &self.chain).signature,
            }
        };
        Ok(CommitCertificate {
            height,
            round: Round::ZERO,
            block,
            signatures: (0..)
                .zip(&self.keys)
                .take(validators.quorum())
                .map(sign)
                .collect(),
        })
    }

    /// Seals the body of a block anew, as a reseal does, and gives the bytes that its proposer sends to each other member.
    pub(super) fn reseal_bytes(
        &mut self,
        opened: &salus_seal::OpenedBlock,
    ) -> Result<(usize, SealedShare), StorageError> {
        let dealt_at = self.tip().0.next();
        let key = DataKey::new(self.numbers.array());
        let by = (dealt_at, Round::ZERO, MemberId::new(0));
        let sealed = opened.reseal(by, self.shape.parameters()?, key)?;
        let share = sealed
            .share(Slot::new(0))
            .ok_or_else(|| StorageError::Void("slot 0 was not dealt".into()))?;
        Ok((opened.redealing(sealed).encode().len(), share))
    }
}

fn dealt(dealing: &CheckedDealing, slot: u16) -> Result<SealedShare, StorageError> {
    dealing
        .share(Slot::new(slot))
        .ok_or_else(|| StorageError::Void(format!("slot {slot} was not dealt")))
}

fn genesis() -> Header {
    Header {
        height: Height::ZERO,
        round: Round::ZERO,
        time: Timestamp::ZERO,
        proposer: MemberId::new(0),
        parent: BlockId::new(Hash::ZERO),
        validators: Hash::ZERO,
        next_validators: Hash::ZERO,
        sealing: salus_types::Sealing {
            suite: 0,
            threshold: 0,
            slots: 0,
            body_length: 0,
            sealed_length: 0,
        },
        body_commitment: Hash::ZERO,
        share_root: Hash::ZERO,
        receipts_root: Hash::ZERO,
        state_root: Hash::ZERO,
        gas_used: Gas::ZERO,
    }
}
