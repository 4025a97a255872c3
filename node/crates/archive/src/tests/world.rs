//! A chain, its members and a network in which time is a number. One seed gives one run.

use super::*;
use salus_seal::{
    AskedShare, Binding, CheckedDealing, CheckedShare, DataKey, OpenedBlock, Parameters, open, seal,
    verify_wrong_share,
};
use salus_types::ContractId;
use salus_types::snapshot::{
    CheckedPart, SNAPSHOT_STEP, SnapshotOffer, SnapshotPart, SnapshotTarget, StagedPart,
};
use salus_types::state::{StateKey, TreeChanges, tree_digit};
use salus_types::tree::{HashedEntry, TreePrefix, subtree};
use salus_types::{
    BlockId, ChainId, CommitCertificate, CommitSignature, Gas, Hash, Header, Round, SealedShare, SecretKey,
    ShareCommitment, ShareStatement, SignedShare, Slot, Timestamp, Validator, ValidatorSet, Vote, VoteKind,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// How a peer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    Silent,
    /// Refuses everything.
    Refusing,
    /// Signs a share with a flipped bit, and sends headers with one.
    Lying,
    /// Signs another block's share, and sends headers of another height.
    OffByOne,
    /// Signs another slot's index, and sends a certificate of the wrong block.
    Impostor,
    /// Signs an empty fragment, and sends no headers.
    Empty,
    /// Signs a good share that is another's.
    Foreign,
    /// Honest, but what it sends is spoiled on the way; headers are not.
    Spoiled,
    /// Says that the block was resealed, and sends a share of a dealing of its own invention.
    Pretending,
}

impl Manner {
    pub(crate) const FAULTY: [Self; 9] = [
        Self::Silent,
        Self::Refusing,
        Self::Lying,
        Self::OffByOne,
        Self::Impostor,
        Self::Empty,
        Self::Foreign,
        Self::Spoiled,
        Self::Pretending,
    ];

    pub(crate) fn may_be_blamed(self) -> bool {
        !matches!(
            self,
            Self::Honest | Self::Silent | Self::Refusing | Self::Spoiled | Self::Pretending
        )
    }
}

pub(crate) struct Peer {
    pub(crate) manner: Manner,
    pub(crate) delay: Duration,
    /// In percent, of requests.
    pub(crate) loss: u64,
    /// Heights it has lost.
    pub(crate) lacks: BTreeSet<Height>,
    /// Heights of which it holds a snapshot.
    pub(crate) snapshots: BTreeSet<Height>,
    /// It has not come to the resealing blocks yet.
    pub(crate) behind: bool,
}

/// What this node has written of a leap; survives a restart.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) headers: Vec<Header>,
    pub(crate) staged: Option<(SnapshotTarget, Vec<StagedPart>)>,
    entries: BTreeMap<StateKey, Vec<u8>>,
    nodes: TreeChanges,
}

pub(crate) struct Block {
    pub(crate) header: Header,
    pub(crate) id: BlockId,
    pub(crate) certificate: CommitCertificate,
    pub(crate) dealing: CheckedDealing,
}

/// A later dealing of a block.
pub(crate) struct Resealed {
    pub(crate) commitment: ShareCommitment,
    pub(crate) dealing: CheckedDealing,
}

pub(crate) struct World {
    pub(crate) chain: ChainId,
    pub(crate) keys: Vec<SecretKey>,
    /// From which height how many members decide, ascending.
    sets: Vec<(u64, u16)>,
    /// From height 1.
    pub(crate) blocks: Vec<Block>,
    pub(crate) resealed: BTreeMap<Height, Resealed>,
    /// Whether this node has come to the resealing blocks.
    pub(crate) knows_reseals: bool,
    pub(crate) peers: BTreeMap<MemberId, Peer>,
    pub(crate) archive: Archive,
    pub(crate) now: Duration,
    queue: BTreeMap<(Duration, u64), Input>,
    queued: u64,
    random: u64,
    /// Everything that was done, for comparison of runs.
    pub(crate) trace: Vec<String>,
    pub(crate) asks: Vec<(MemberId, Height, Purpose)>,
    pub(crate) header_asks: Vec<(MemberId, Height, u16)>,
    pub(crate) opened: BTreeMap<JobId, Arc<OpenedBlock>>,
    pub(crate) failed: BTreeMap<JobId, ReadError>,
    pub(crate) blamed: Vec<(MemberId, Fault)>,
    pub(crate) damaged: Vec<Height>,
    pub(crate) applied: Vec<Height>,
    pub(crate) certified: Vec<Height>,
    pub(crate) diverged: Vec<(Height, DivergenceReason)>,
    pub(crate) stored: Vec<(Duration, Height)>,
    pub(crate) not_repaired: Vec<(Height, RepairFailure)>,
    pub(crate) progress: RepairProgress,
    pub(crate) written: Written,
    pub(crate) installed: Vec<Height>,
    /// What a restart finds.
    durable: Tip,
    pub(crate) part_asks: Vec<(MemberId, TreePrefix)>,
    /// Hashes of validator sets that were learned on the way.
    pub(crate) known_sets: Vec<Hash>,
    config: Config,
}

/// What the state holds after a height: a few hundred entries, some of which change.
fn state(at: u64) -> Vec<(StateKey, Vec<u8>)> {
    let entry = |number: u64| {
        let key = StateKey::new(ContractId::new(2), &number.to_be_bytes());
        (key, vec![7; 1 + usize::try_from((number * at) % 40).unwrap()])
    };
    let mut entries: Vec<_> = (0..300).map(entry).collect();
    entries.sort_by_key(|(key, _)| key.path());
    entries
}

fn hashed(entries: &[(StateKey, Vec<u8>)]) -> Vec<HashedEntry> {
    let hashed = entries
        .iter()
        .map(|(key, value)| (key.path(), Hash::of_content(value)));
    hashed.collect()
}

/// The part at a prefix, where entries fit into a part if they are at most 20.
fn part_at(prefix: &TreePrefix, entries: &[(StateKey, Vec<u8>)]) -> SnapshotPart {
    let below = entries.iter().filter(|(key, _)| prefix.covers(&key.path()));
    let below: Vec<(StateKey, Vec<u8>)> = below.cloned().collect();
    if below.len() <= 20 {
        return SnapshotPart::Entries(below);
    }
    let level = prefix.length();
    SnapshotPart::Split(Box::new(std::array::from_fn(|digit| {
        let digit = u8::try_from(digit).unwrap();
        let inside = below
            .iter()
            .filter(|(key, _)| tree_digit(&key.path(), level) == digit);
        let inside: Vec<(StateKey, Vec<u8>)> = inside.cloned().collect();
        subtree(&prefix.child(digit).unwrap(), &hashed(&inside)).0.hash()
    })))
}

fn state_root(at: u64) -> Hash {
    match at.is_multiple_of(SNAPSHOT_STEP) {
        true => subtree(&TreePrefix::ROOT, &hashed(&state(at))).0.hash(),
        false => Hash::ZERO,
    }
}

pub(crate) const ME: MemberId = member(0);
/// How many blocks behind a node leaps, in worlds where it does.
const LEAP_MIN: u64 = 100;

fn validators(keys: &[SecretKey]) -> ValidatorSet {
    let validator = |(number, key): (u16, &SecretKey)| Validator {
        member: member(number),
        key: key.public(),
        slot: Slot::new(number),
    };
    ValidatorSet::new((0..).zip(keys).map(validator).collect()).unwrap()
}

/// A text without the 8 digits after each `before`.
fn masked(text: &str, before: &str) -> String {
    let parts = text.split(before).enumerate();
    parts
        .map(|(part, text)| text.get(if part == 0 { 0 } else { 8 }..).unwrap_or_default())
        .collect()
}

impl World {
    /// `n` members, of which this node is the first, and a chain of `length` blocks. Everyone is connected and honest.
    pub(crate) fn new(seed: u64, n: u16, length: u64) -> Self {
        Self::with_sets(seed, n, length, &[])
    }

    /// The first so many of the `n` members decide from a height on; all of them before the first such height.
    pub(crate) fn with_sets(seed: u64, n: u16, length: u64, sets: &[(u64, u16)]) -> Self {
        let chain = ChainId::new(Hash::of_content(&seed.to_be_bytes()));
        let keys: Vec<SecretKey> = (0..n)
            .map(|i| SecretKey::from_seed(Hash::of_content(&i.to_be_bytes()).as_bytes()))
            .collect();
        let config = Config {
            headers_max: super::catching_up::BATCH_MAX,
            ..Config::new(chain, ME, Slot::new(0))
        };
        let tip = Tip {
            height: Height::ZERO,
            id: BlockId::new(Hash::ZERO),
        };
        let founders = sets.iter().find(|(from, _)| *from <= 1);
        let founders = usize::from(founders.map_or(n, |(_, count)| *count));
        let mut world = Self {
            archive: Archive::new(config.clone(), tip, validators(&keys[..founders])),
            written: Written::default(),
            installed: Vec::new(),
            durable: tip,
            part_asks: Vec::new(),
            known_sets: Vec::new(),
            config,
            chain,
            keys,
            sets: sets.to_vec(),
            blocks: Vec::new(),
            resealed: BTreeMap::new(),
            knows_reseals: false,
            peers: BTreeMap::new(),
            now: ms(1000),
            queue: BTreeMap::new(),
            queued: 0,
            random: seed,
            trace: Vec::new(),
            asks: Vec::new(),
            header_asks: Vec::new(),
            opened: BTreeMap::new(),
            failed: BTreeMap::new(),
            blamed: Vec::new(),
            damaged: Vec::new(),
            applied: Vec::new(),
            certified: Vec::new(),
            diverged: Vec::new(),
            stored: Vec::new(),
            not_repaired: Vec::new(),
            progress: RepairProgress::default(),
        };
        for at in 1..=length {
            world.grow(at);
        }
        let holders = validators(&world.keys).iter().copied().collect();
        world.input(Input::Holders(holders));
        for i in 1..n {
            let delay = ms(5 + world.below(20));
            world.peers.insert(
                member(i),
                Peer {
                    manner: Manner::Honest,
                    delay,
                    loss: 0,
                    lacks: BTreeSet::new(),
                    snapshots: BTreeSet::new(),
                    behind: false,
                },
            );
            world.input(Input::Connected(member(i)));
        }
        world
    }

    /// The same, and whoever is 100 blocks behind looks for a snapshot. Everyone holds those of these heights.
    pub(crate) fn leaping(seed: u64, n: u16, length: u64, snapshots: &[u64]) -> Self {
        Self::leaping_with_sets(seed, n, length, snapshots, &[])
    }

    /// And the validators change as in [`Self::with_sets`].
    pub(crate) fn leaping_with_sets(
        seed: u64,
        n: u16,
        length: u64,
        snapshots: &[u64],
        sets: &[(u64, u16)],
    ) -> Self {
        let mut world = Self::with_sets(seed, n, length, sets);
        world.config.leap_min = LEAP_MIN;
        world.restart();
        for peer in world.peers.values_mut() {
            peer.snapshots = snapshots.iter().copied().map(height).collect();
        }
        world
    }

    /// This node forgets everything but what it has written.
    pub(crate) fn restart(&mut self) {
        self.queue.clear();
        let set = self.set_at(self.durable.height.get() + 1);
        self.archive = Archive::new(self.config.clone(), self.durable, set);
        if let Some(last) = self.written.headers.last() {
            let marked = self.written.headers.iter();
            let marked = marked.filter(|header| header.height.get().is_multiple_of(SNAPSHOT_STEP));
            self.archive.resume(Resume {
                last: Tip {
                    height: last.height,
                    id: last.id(&self.chain),
                },
                next_validators: last.next_validators,
                roots: marked.map(|header| (header.height, header.state_root)).collect(),
                staged: self.written.staged.clone(),
            });
        }
        let n = u16::try_from(self.keys.len()).unwrap();
        let holders = validators(&self.keys).iter().copied().collect();
        self.input(Input::Holders(holders));
        for i in 1..n {
            self.input(Input::Connected(member(i)));
        }
    }

    fn grow(&mut self, at: u64) {
        let (set, next) = (self.set_at(at), self.set_at(at + 1));
        let binding = Binding {
            chain: self.chain,
            height: height(at),
            dealt_at: height(at),
            round: Round::ZERO,
            proposer: ME,
        };
        let slots = u16::try_from(self.keys.len()).unwrap() + 2;
        let threshold = u16::try_from(validators(&self.keys).threshold()).unwrap();
        let body = format!("body {at} ").repeat(1 + usize::try_from(at % 50).unwrap());
        let key = DataKey::new(*Hash::of_content(body.as_bytes()).as_bytes());
        let parameters = Parameters::new(threshold, slots).unwrap();
        let sealed = seal(body.as_bytes(), &binding, parameters, key).unwrap();
        let parent = self
            .blocks
            .last()
            .map_or(BlockId::new(Hash::ZERO), |block| block.id);
        let header = Header {
            height: binding.height,
            round: binding.round,
            time: Timestamp::new(at),
            proposer: binding.proposer,
            parent,
            validators: set.hash(&self.chain),
            next_validators: next.hash(&self.chain),
            sealing: sealed.sealing(),
            body_commitment: sealed.body_commitment(),
            share_root: sealed.share_root(),
            receipts_root: Hash::ZERO,
            state_root: state_root(at),
            gas_used: Gas::ZERO,
        };
        let id = header.id(&self.chain);
        self.blocks.push(Block {
            certificate: self.certificate(binding.height, id, &set),
            header,
            id,
            dealing: sealed.into_checked(),
        });
    }

    /// The validators that decide a height.
    pub(crate) fn set_at(&self, height: u64) -> ValidatorSet {
        let decides = self.sets.iter().rev().find(|(from, _)| *from <= height);
        let count = decides.map_or(self.keys.len(), |(_, count)| usize::from(*count));
        validators(&self.keys[..count])
    }

    /// Signed by a quorum.
    pub(crate) fn certificate(
        &self,
        height: Height,
        block: BlockId,
        set: &ValidatorSet,
    ) -> CommitCertificate {
        let signature = |validator: &Validator| {
            let vote = Vote {
                kind: VoteKind::Precommit,
                height,
                round: Round::ZERO,
                block: Some(block),
                member: validator.member,
            };
            let key = &self.keys[usize::from(validator.member.get())];
            CommitSignature {
                member: validator.member,
                signature: vote.sign(key, &self.chain).signature,
            }
        };
        CommitCertificate {
            height,
            round: Round::ZERO,
            block,
            signatures: set.iter().take(set.quorum()).map(signature).collect(),
        }
    }

    pub(crate) fn block(&self, height: Height) -> &Block {
        &self.blocks[usize::try_from(height.get()).unwrap() - 1]
    }

    pub(crate) fn share_of(&self, height: Height, member: MemberId) -> SealedShare {
        let slot = Slot::new(member.get());
        self.block(height).dealing.share(slot).unwrap()
    }

    /// Deals a block anew, with other k and S, in a block of height 1,000 that is not part of the chain here.
    pub(crate) fn reseal(&mut self, at: u64) {
        let (dealing, commitment) = self.deal_again(at, 1_000);
        self.resealed.insert(height(at), Resealed { commitment, dealing });
    }

    fn deal_again(&self, at: u64, dealt_at: u64) -> (CheckedDealing, ShareCommitment) {
        let block = self.block(height(at));
        let slots = 0..block.header.sealing.threshold;
        let shares: Vec<CheckedShare> = slots
            .map(|slot| block.dealing.share(Slot::new(slot)).unwrap())
            .map(|share| CheckedShare::check(share, &block.header).unwrap())
            .collect();
        let opened = open(&block.header, &self.chain, &shares).unwrap();
        let sealing = block.header.sealing;
        let parameters = Parameters::new(sealing.threshold, sealing.slots + 1).unwrap();
        let key = DataKey::new(*Hash::of_content(&dealt_at.to_be_bytes()).as_bytes());
        let by = (height(dealt_at), Round::ZERO, ME);
        let sealed = opened.reseal(by, parameters, key).unwrap();
        let commitment = *sealed.commitment();
        (sealed.into_checked(), commitment)
    }

    /// The share of a dealing; `None` if no such dealing was made.
    fn share_under(&self, height: Height, member: MemberId, share_root: &Hash) -> Option<SealedShare> {
        if *share_root == self.block(height).header.share_root {
            return Some(self.share_of(height, member));
        }
        let resealed = self.resealed.get(&height)?;
        let share = resealed.dealing.share(Slot::new(member.get()));
        share.filter(|_| resealed.commitment.share_root == *share_root)
    }

    /// A number below `limit` (splitmix64).
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    pub(crate) fn peer(&mut self, number: u16) -> &mut Peer {
        self.peers.get_mut(&member(number)).unwrap()
    }

    pub(crate) fn set_manner(&mut self, number: u16, manner: Manner) {
        self.peer(number).manner = manner;
    }

    pub(crate) fn open(&mut self, job: u64, at: u64, own: bool) {
        let header = Box::new(self.block(height(at)).header.clone());
        let resealed = self.dealing_known_here(height(at));
        let root = resealed
            .as_ref()
            .map_or(header.share_root, |known| known.share_root);
        let own = self.share_under(height(at), ME, &root).filter(|_| own);
        self.input(Input::Open {
            job: JobId(job),
            purpose: Purpose::Read,
            header,
            resealed,
            own,
        });
    }

    fn dealing_known_here(&self, height: Height) -> Option<Box<ShareCommitment>> {
        let resealed = self.resealed.get(&height).filter(|_| self.knows_reseals)?;
        Some(Box::new(resealed.commitment))
    }

    /// Every peer tells how long the chain is.
    pub(crate) fn announce(&mut self) {
        let height = self.blocks.last().unwrap().header.height;
        for i in 1..=self.peers.len() {
            let member = member(u16::try_from(i).unwrap());
            self.input(Input::Tip { member, height });
        }
    }

    pub(crate) fn missing(&mut self, heights: RangeInclusive<u64>) {
        self.input(Input::Missing(vec![
            height(*heights.start())..=height(*heights.end()),
        ]));
    }

    pub(crate) fn input(&mut self, input: Input) {
        for effect in self.archive.handle(self.now, input) {
            // Dealings are drawn from the system, so block ids, share roots and what is signed of shares differ from run to run.
            let shown = match &effect {
                Effect::Blame { member, fault, .. } => format!("{:?} {member} is blamed: {fault}", self.now),
                effect => format!("{:?} {effect:?}", self.now),
            };
            self.trace
                .push(masked(&masked(&shown, "BlockId("), "share_root: "));
            self.act(effect);
        }
    }

    pub(crate) fn later(&mut self, delay: Duration, input: Input) {
        self.queued += 1;
        self.queue.insert((self.now + delay, self.queued), input);
    }

    /// Runs until nothing is left to happen, or for this long.
    pub(crate) fn run(&mut self, most: Duration) {
        let end = self.now + most;
        for _ in 0..200_000 {
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let wake = self.archive.next_wake().map(|at| at.max(self.now));
            let Some(next) = queued.into_iter().chain(wake).min() else {
                return;
            };
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            match self.queue.first_entry() {
                Some(entry) if entry.key().0 == next => {
                    let input = entry.remove();
                    self.input(input);
                }
                _ => self.input(Input::Wake),
            }
        }
        panic!(
            "the archive never comes to rest: it wants to wake at {:?}",
            self.archive.next_wake()
        );
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::AskShare {
                request,
                member,
                height,
                share_root,
                purpose,
                ..
            } => {
                self.asks.push((member, height, purpose));
                self.answer_share(request, member, height, &share_root);
            }
            Effect::AskHeaders {
                request,
                member,
                from,
                max,
            } => {
                self.header_asks.push((member, from, max));
                self.answer_headers(request, member, from, max);
            }
            Effect::AskParcel { .. } | Effect::KeepShare { .. } => {
                panic!("asked for a parcel where a certificate suffices: {effect:?}")
            }
            Effect::AskReceipt { .. } | Effect::Discharge { .. } => {
                panic!("there is no deposit: {effect:?}")
            }
            Effect::Opened { job, block } => {
                assert_eq!(block.body(), self.block(block.height()).dealing.body());
                assert!(self.opened.insert(job, block).is_none());
            }
            Effect::Failed { job, error } => assert!(self.failed.insert(job, error).is_none()),
            Effect::OwnShareDamaged { height, .. } => self.damaged.push(height),
            Effect::Blame {
                member,
                height,
                fault,
                evidence,
                ..
            } => {
                assert!(
                    self.peers[&member].manner.may_be_blamed(),
                    "{member} is honest: {fault}"
                );
                assert_eq!(evidence.is_some(), matches!(fault, Fault::Share(_)));
                if let Some(evidence) = evidence {
                    let block = self.block(height);
                    let resealed = self.resealed.get(&height).map(|resealed| resealed.commitment);
                    let asked = AskedShare {
                        chain: &self.chain,
                        block: block.id,
                        dealing: resealed.unwrap_or_else(|| (&block.header).into()),
                        holder: &self.validator(member),
                    };
                    verify_wrong_share(&evidence, &asked).unwrap();
                }
                self.blamed.push((member, fault));
            }
            Effect::Apply(block) => self.apply(&block),
            Effect::Diverged { height, reason } => self.diverged.push((height, reason)),
            Effect::NeedHeader { height } => {
                let header = self.blocks.get(usize::try_from(height.get()).unwrap() - 1);
                let header = header.map(|block| Box::new(block.header.clone()));
                let resealed = self.dealing_known_here(height);
                let answer = Input::Header {
                    height,
                    header,
                    resealed,
                };
                self.later(Duration::ZERO, answer);
            }
            Effect::StoreShare {
                height,
                commitment,
                share,
            } => {
                let root = commitment.share_root;
                assert_eq!(Some(share), self.share_under(height, ME, &root));
                self.stored.push((self.now, height));
            }
            Effect::NotRepaired { height, reason } => self.not_repaired.push((height, reason)),
            Effect::NothingToKeep { height } => panic!("every slot was dealt at {height}"),
            Effect::Progress(progress) => self.progress = progress,
            Effect::Body { height, body } => assert_eq!(body, self.block(height).dealing.body()),
            Effect::AskSnapshots { request, member } => self.answer_snapshots(request, member),
            Effect::AskPart {
                request,
                member,
                height,
                prefix,
            } => {
                self.part_asks.push((member, prefix.clone()));
                self.answer_part(request, member, height, &prefix);
            }
            Effect::AskValidators {
                request,
                member,
                hash,
            } => self.answer_validators(request, member, hash),
            Effect::KeepValidators(set) => self.known_sets.push(set.hash(&self.chain)),
            Effect::KeepHeaders { headers, certificate } => self.keep_headers(&headers, &certificate),
            Effect::BeginSnapshot(target) => {
                if self
                    .written
                    .staged
                    .as_ref()
                    .is_none_or(|(staged, _)| *staged != target)
                {
                    self.written.staged = Some((target, Vec::new()));
                    self.written.entries.clear();
                    self.written.nodes.clear();
                }
            }
            Effect::KeepPart { prefix, bytes, part } => self.keep_part(prefix, bytes, part),
            Effect::InstallSnapshot { height, nodes } => self.install(height, nodes),
        }
    }

    fn keep_headers(&mut self, headers: &[(BlockId, Header)], certificate: &CommitCertificate) {
        let next = self.written.headers.last().map(|last| last.height.next());
        let first = headers[0].1.height;
        let next = next.filter(|_| first > self.archive.tip().height.next());
        assert!(next.is_none_or(|next| first <= next), "no gaps");
        for (id, header) in headers {
            assert_eq!(
                (id, header),
                (&self.block(header.height).id, &self.block(header.height).header)
            );
        }
        let (last, _) = headers.last().unwrap();
        assert_eq!(certificate.block, *last);
        self.written.headers.retain(|header| header.height < first);
        self.written
            .headers
            .extend(headers.iter().map(|(_, header)| header.clone()));
    }

    fn keep_part(&mut self, prefix: TreePrefix, bytes: u64, part: CheckedPart) {
        let (_, parts) = self.written.staged.as_mut().unwrap();
        parts.push(StagedPart {
            record: part.record(),
            prefix,
            bytes,
        });
        if let CheckedPart::Entries { entries, nodes, .. } = part {
            self.written.entries.extend(entries);
            self.written.nodes.extend(nodes);
        }
    }

    /// What was written is the state of that height, to the last node.
    fn install(&mut self, at: Height, nodes: TreeChanges) {
        let mut written = std::mem::take(&mut self.written.nodes);
        written.extend(nodes);
        let expected = state(at.get());
        assert_eq!(self.written.entries, expected.iter().cloned().collect());
        assert_eq!(written, subtree(&TreePrefix::ROOT, &hashed(&expected)).1);
        self.written = Written::default();
        self.installed.push(at);
        let id = self.block(at).id;
        self.durable = Tip { height: at, id };
        let next = self.set_at(at.get() + 1);
        self.later(ms(20), Input::Validators(next));
        self.later(ms(20), Input::Committed { height: at, id });
    }

    fn answer_validators(&mut self, request: RequestId, member: MemberId, hash: Hash) {
        let Some(delay) = self.fate(member) else {
            return;
        };
        let manner = self.peers[&member].manner;
        let counts = 1..=self.keys.len();
        let mut sets = counts.map(|count| validators(&self.keys[..count]));
        let asked = sets.find(|set| set.hash(&self.chain) == hash);
        let validators = match manner {
            Manner::Lying | Manner::OffByOne | Manner::Impostor | Manner::Empty => {
                Some(validators(&self.keys[1..2]))
            }
            Manner::Refusing => None,
            _ => asked,
        };
        let answer = match validators {
            Some(validators) => Input::ValidatorsNamed {
                request,
                member,
                validators,
            },
            None => Input::HeadersRefused { request, member },
        };
        self.later(delay, answer);
    }

    fn answer_snapshots(&mut self, request: RequestId, member: MemberId) {
        let Some(delay) = self.fate(member) else {
            return;
        };
        let peer = &self.peers[&member];
        let offer = |at: &Height| SnapshotOffer {
            height: *at,
            state_root: match peer.manner {
                Manner::Impostor => Hash::of_content(b"another"),
                _ => state_root(at.get()),
            },
            bytes: 10_000,
        };
        let mut offers: Vec<SnapshotOffer> = match peer.manner {
            Manner::Refusing => Vec::new(),
            _ => peer.snapshots.iter().map(offer).collect(),
        };
        if peer.manner == Manner::OffByOne {
            offers.push(SnapshotOffer {
                height: height(SNAPSHOT_STEP << 40),
                state_root: Hash::ZERO,
                bytes: u64::MAX,
            });
        }
        let answer = Input::Snapshots {
            request,
            member,
            offers,
        };
        self.later(delay, answer);
    }

    fn answer_part(&mut self, request: RequestId, member: MemberId, at: Height, prefix: &TreePrefix) {
        let Some(delay) = self.fate(member) else {
            return;
        };
        let peer = &self.peers[&member];
        let state = state(at.get());
        let result = match peer.manner {
            _ if !peer.snapshots.contains(&at) => Err(ShareRefusal::NotHeld),
            Manner::Honest
            | Manner::Silent
            | Manner::Impostor
            | Manner::Foreign
            | Manner::Spoiled
            | Manner::Pretending => Ok(part_at(prefix, &state)),
            Manner::Refusing => Err(ShareRefusal::Busy),
            Manner::Lying => Ok(match part_at(prefix, &state) {
                SnapshotPart::Split(mut places) => {
                    places.swap(0, 1);
                    SnapshotPart::Split(places)
                }
                SnapshotPart::Entries(mut entries) => {
                    entries[0].1[0] ^= 1;
                    SnapshotPart::Entries(entries)
                }
            }),
            Manner::OffByOne => Ok(part_at(&TreePrefix::from_path(&[9, 9, 9]).unwrap(), &state)),
            Manner::Empty => Ok(SnapshotPart::Entries(Vec::new())),
        };
        let answer = Input::Part {
            request,
            member,
            result,
        };
        self.later(delay, answer);
    }

    fn apply(&mut self, applied: &CertifiedBlock) {
        let header = &applied.header;
        let block = self.block(header.height);
        assert_eq!((header, &applied.body[..]), (&block.header, block.dealing.body()));
        let root = applied.commitment.share_root;
        assert!(applied.share.is_some());
        assert_eq!(applied.share, self.share_under(header.height, ME, &root));
        let height = header.height;
        self.applied.push(height);
        let id = self.block(height).id;
        self.durable = Tip { height, id };
        if let Some(certificate) = &applied.certificate {
            assert_eq!(certificate, &self.block(height).certificate);
            self.certified.push(height);
        }
        if header.validators != header.next_validators {
            let next = self.set_at(header.height.get() + 1);
            self.later(ms(2), Input::Validators(next));
        }
        // The node itself says which block it committed, however it came by it.
        let id = self.block(height).id;
        match self.config.leap_min {
            LEAP_MIN => self.later(ms(2), Input::Committed { height, id }),
            _ => self.later(ms(2), Input::Applied { height }),
        }
    }

    /// The delay of an answer; `None` if there will be none.
    fn fate(&mut self, member: MemberId) -> Option<Duration> {
        let peer = self.peers.get(&member)?;
        let (delay, loss) = (peer.delay, peer.loss);
        if peer.manner == Manner::Silent || self.below(100) < loss {
            return None;
        }
        Some(delay + Duration::from_micros(self.below(2000)))
    }

    fn answer_share(&mut self, request: RequestId, member: MemberId, at: Height, share_root: &Hash) {
        let Some(delay) = self.fate(member) else {
            return;
        };
        if let Some((commitment, share)) = self.later_share(member, at, share_root) {
            let answer = Input::Resealed {
                request,
                member,
                commitment: Box::new(commitment),
                share,
            };
            return self.later(delay, answer);
        }
        let (manner, lacks) = {
            let peer = &self.peers[&member];
            let ahead = peer.behind && *share_root != self.block(at).header.share_root;
            (peer.manner, ahead || peer.lacks.contains(&at))
        };
        let Some(share) = self.share_under(at, member, share_root) else {
            let result = Err(ShareRefusal::NotHeld);
            let answer = Input::Share {
                request,
                member,
                result,
            };
            return self.later(delay, answer);
        };
        let result = match manner {
            Manner::Honest | Manner::Silent if lacks => Err(ShareRefusal::NotHeld),
            Manner::Refusing => Err(ShareRefusal::Busy),
            Manner::Spoiled => {
                let mut answer = self.sign_under(at, member, share, share_root);
                answer.share.fragment[0] ^= 1;
                Ok(answer)
            }
            _ => {
                let share = self.tamper(manner, at, share);
                Ok(self.sign_under(at, member, share, share_root))
            }
        };
        let answer = Input::Share {
            request,
            member,
            result,
        };
        self.later(delay, answer);
    }

    /// What a member that signs anything makes of its share.
    fn tamper(&self, manner: Manner, at: Height, mut share: SealedShare) -> SealedShare {
        match manner {
            Manner::Lying => share.fragment[0] ^= 1,
            Manner::OffByOne => {
                let other = self.blocks.iter().find(|block| block.header.height != at);
                let other = other.and_then(|block| block.dealing.share(share.slot));
                share.key_share = other.map_or([0; 33], |other| other.key_share);
            }
            Manner::Impostor => share.key_share[0] = 1,
            Manner::Empty => share.fragment.clear(),
            Manner::Foreign => share = self.share_of(at, ME),
            Manner::Honest | Manner::Silent | Manner::Refusing | Manner::Spoiled | Manner::Pretending => {}
        }
        share
    }

    /// What a member says who has come to the block that resealed this one, or pretends to have.
    fn later_share(
        &self,
        member: MemberId,
        at: Height,
        share_root: &Hash,
    ) -> Option<(ShareCommitment, SealedShare)> {
        let peer = &self.peers[&member];
        if peer.manner == Manner::Pretending {
            let (dealing, commitment) = self.deal_again(at.get(), 2_000);
            return Some((commitment, dealing.share(Slot::new(member.get()))?));
        }
        let tells = peer.manner == Manner::Honest && !peer.behind && !peer.lacks.contains(&at);
        let commitment = self.resealed.get(&at).filter(|_| tells)?.commitment;
        let share = self.share_under(at, member, &commitment.share_root)?;
        (commitment.share_root != *share_root).then_some((commitment, share))
    }

    /// The share as a member hands it out that signs without looking.
    pub(crate) fn sign(&self, at: Height, member: MemberId, share: SealedShare) -> SignedShare {
        self.sign_under(at, member, share, &self.block(at).header.share_root)
    }

    fn sign_under(&self, at: Height, member: MemberId, share: SealedShare, share_root: &Hash) -> SignedShare {
        let statement = ShareStatement::of(&share, at, self.block(at).id, *share_root, member);
        let signature = statement.sign(&self.keys[usize::from(member.get())], &self.chain);
        SignedShare { share, signature }
    }

    fn validator(&self, member: MemberId) -> Validator {
        *validators(&self.keys).get(member).unwrap()
    }

    fn answer_headers(&mut self, request: RequestId, member: MemberId, from: Height, max: u16) {
        let Some(delay) = self.fate(member) else {
            return;
        };
        let manner = self.peers[&member].manner;
        let first = usize::try_from(from.get()).unwrap() - 1;
        let end = self.blocks.len().min(first + usize::from(max));
        if first >= end || manner == Manner::Refusing {
            return self.later(delay, Input::HeadersRefused { request, member });
        }
        let blocks = &self.blocks[first..end];
        let mut headers: Vec<Header> = blocks.iter().map(|block| block.header.clone()).collect();
        let mut certificate = Box::new(blocks[blocks.len() - 1].certificate.clone());
        match manner {
            Manner::Honest
            | Manner::Silent
            | Manner::Refusing
            | Manner::Foreign
            | Manner::Spoiled
            | Manner::Pretending => {}
            Manner::Lying => headers[0].gas_used = Gas::new(1),
            Manner::OffByOne => headers[0].height = from.next(),
            Manner::Impostor => certificate.block = BlockId::new(Hash::ZERO),
            Manner::Empty => headers.clear(),
        }
        let answer = Input::Headers {
            request,
            member,
            headers,
            certificate,
        };
        self.later(delay, answer);
    }
}
