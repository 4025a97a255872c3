//! A chain, its members and a network in which time is a number. One seed gives one run.

use super::*;
use salus_seal::{
    AskedShare, Binding, CheckedDealing, DataKey, OpenedBlock, Parameters, seal, verify_wrong_share,
};
use salus_types::{
    BlockId, ChainId, CommitCertificate, CommitSignature, Gas, Hash, Header, Round, SealedShare, SecretKey,
    ShareStatement, SignedShare, Slot, Timestamp, Validator, ValidatorSet, Vote, VoteKind,
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
}

impl Manner {
    pub(crate) const FAULTY: [Self; 8] = [
        Self::Silent,
        Self::Refusing,
        Self::Lying,
        Self::OffByOne,
        Self::Impostor,
        Self::Empty,
        Self::Foreign,
        Self::Spoiled,
    ];

    pub(crate) fn may_be_blamed(self) -> bool {
        !matches!(self, Self::Honest | Self::Silent | Self::Refusing | Self::Spoiled)
    }
}

pub(crate) struct Peer {
    pub(crate) manner: Manner,
    pub(crate) delay: Duration,
    /// In percent, of requests.
    pub(crate) loss: u64,
    /// Heights it has lost.
    pub(crate) lacks: BTreeSet<Height>,
}

pub(crate) struct Block {
    pub(crate) header: Header,
    pub(crate) id: BlockId,
    pub(crate) certificate: CommitCertificate,
    pub(crate) dealing: CheckedDealing,
}

pub(crate) struct World {
    pub(crate) chain: ChainId,
    pub(crate) keys: Vec<SecretKey>,
    /// From height 1.
    pub(crate) blocks: Vec<Block>,
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
}

pub(crate) const ME: MemberId = member(0);

fn validators(keys: &[SecretKey]) -> ValidatorSet {
    let validator = |(number, key): (u16, &SecretKey)| Validator {
        member: member(number),
        key: key.public(),
        slot: Slot::new(number),
    };
    ValidatorSet::new((0..).zip(keys).map(validator).collect()).unwrap()
}

impl World {
    /// `n` members, of which this node is the first, and a chain of `length` blocks. Everyone is connected and honest.
    pub(crate) fn new(seed: u64, n: u16, length: u64) -> Self {
        Self::with_change(seed, n, length, u64::MAX)
    }

    /// The last validator of the set decides only the heights before `change`.
    pub(crate) fn with_change(seed: u64, n: u16, length: u64, change: u64) -> Self {
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
        let mut world = Self {
            archive: Archive::new(config, tip, validators(&keys)),
            chain,
            keys,
            blocks: Vec::new(),
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
            world.grow(at, change);
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
                },
            );
            world.input(Input::Connected(member(i)));
        }
        world
    }

    fn grow(&mut self, at: u64, change: u64) {
        let set_at = |at: u64| {
            let left = self.keys.len() - usize::from(at >= change);
            validators(&self.keys[..left])
        };
        let (set, next) = (set_at(at), set_at(at + 1));
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
            state_root: Hash::ZERO,
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
        let own = own.then(|| self.share_of(height(at), ME));
        let job = JobId(job);
        self.input(Input::Open { job, header, own });
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
            // Dealings are drawn from the system, so block ids and what is signed of shares differ from run to run.
            let shown = match &effect {
                Effect::Blame { member, fault, .. } => format!("{:?} {member} is blamed: {fault}", self.now),
                effect => format!("{:?} {effect:?}", self.now),
            };
            let ids = shown.split("BlockId(").enumerate();
            let masked = ids.map(|(part, text)| {
                if part == 0 {
                    text
                } else {
                    text.get(8..).unwrap_or_default()
                }
            });
            self.trace.push(masked.collect());
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
                purpose,
                ..
            } => {
                self.asks.push((member, height, purpose));
                self.answer_share(request, member, height);
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
                    let asked = AskedShare {
                        chain: &self.chain,
                        block: block.id,
                        dealing: (&block.header).into(),
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
                self.later(Duration::ZERO, Input::Header { height, header });
            }
            Effect::StoreShare { height, share } => {
                assert_eq!(share, self.share_of(height, ME));
                self.stored.push((self.now, height));
            }
            Effect::NotRepaired { height, reason } => self.not_repaired.push((height, reason)),
            Effect::NothingToKeep { height } => panic!("every slot was dealt at {height}"),
            Effect::Progress(progress) => self.progress = progress,
        }
    }

    fn apply(&mut self, applied: &CertifiedBlock) {
        let header = &applied.header;
        let block = self.block(header.height);
        assert_eq!((header, &applied.body[..]), (&block.header, block.dealing.body()));
        assert_eq!(applied.share, Some(self.share_of(header.height, ME)));
        let height = header.height;
        self.applied.push(height);
        if let Some(certificate) = &applied.certificate {
            assert_eq!(certificate, &self.block(height).certificate);
            self.certified.push(height);
        }
        if header.validators != header.next_validators {
            let left = self.keys.len() - 1;
            self.later(ms(2), Input::Validators(validators(&self.keys[..left])));
        }
        self.later(ms(2), Input::Applied { height });
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

    fn answer_share(&mut self, request: RequestId, member: MemberId, at: Height) {
        let Some(delay) = self.fate(member) else {
            return;
        };
        let (manner, lacks) = {
            let peer = &self.peers[&member];
            (peer.manner, peer.lacks.contains(&at))
        };
        let share = self.share_of(at, member);
        let result = match manner {
            Manner::Honest | Manner::Silent if lacks => Err(ShareRefusal::NotHeld),
            Manner::Refusing => Err(ShareRefusal::Busy),
            Manner::Spoiled => {
                let mut answer = self.sign(at, member, share);
                answer.share.fragment[0] ^= 1;
                Ok(answer)
            }
            _ => {
                let share = self.tamper(manner, at, share);
                Ok(self.sign(at, member, share))
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
            Manner::Honest | Manner::Silent | Manner::Refusing | Manner::Spoiled => {}
        }
        share
    }

    /// The share as a member hands it out that signs without looking.
    pub(crate) fn sign(&self, at: Height, member: MemberId, share: SealedShare) -> SignedShare {
        let block = self.block(at);
        let statement = ShareStatement::of(&share, at, block.id, block.header.share_root, member);
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
            Manner::Honest | Manner::Silent | Manner::Refusing | Manner::Foreign | Manner::Spoiled => {}
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
