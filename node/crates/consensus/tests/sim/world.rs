use super::network::{Event, Packet};
use super::node::Node;
use super::{Options, chain, key, set_of};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use salus_consensus::{Effect, Fault, Input, Message, Refusal, verify_double_vote};
use salus_types::{
    BlockId, CommitCertificate, DoubleVote, Hash, Header, Height, MemberId, Round, SignedVote, VoteKind,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Everything, and what must hold of it.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: Duration,
    queue: BTreeMap<(Duration, u64), (u16, u32, Event)>,
    sequence: u64,
    network: ChaCha8Rng,
    faults: ChaCha8Rng,
    content: ChaCha8Rng,
    /// Who has locked a block of the height of the blackout, until it comes.
    locked: Option<BTreeSet<u16>>,
    decided: BTreeMap<Height, BlockId>,
    votes: BTreeMap<(MemberId, Height, Round, VoteKind), Option<BlockId>>,
    proposals: BTreeMap<(MemberId, Height, Round), (BlockId, Option<Round>)>,
    pub(crate) evidence: Vec<DoubleVote>,
    pub(crate) refusals: Vec<(u16, MemberId, Refusal)>,
    pub(crate) nil_votes: u64,
    pub(crate) rounds_max: Round,
    pub(crate) broadcasts: u64,
    pub(crate) trace: Hash,
}

impl World {
    pub(crate) fn new(options: Options) -> Self {
        let stream = |number: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
            rng.set_stream(number);
            rng
        };
        let mut world = Self {
            nodes: (0..options.nodes).map(Node::new).collect(),
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            sequence: 0,
            network: stream(1),
            faults: stream(2),
            content: stream(3),
            locked: options.blackout.map(|_| BTreeSet::new()),
            decided: BTreeMap::new(),
            votes: BTreeMap::new(),
            proposals: BTreeMap::new(),
            evidence: Vec::new(),
            refusals: Vec::new(),
            nil_votes: 0,
            rounds_max: Round::ZERO,
            broadcasts: 0,
            trace: Hash::ZERO,
            options,
        };
        for number in 0..world.options.nodes {
            world.later(number, Duration::ZERO, Event::Restart);
        }
        world
    }

    /// Runs until every node has every height; panics at the deadline.
    pub(crate) fn run(options: Options) -> Self {
        let world = Self::run_to_deadline(options);
        assert!(world.is_done(), "too late: {}", world.report());
        world
    }

    /// Runs until every node has every height, or the deadline.
    pub(crate) fn run_to_deadline(options: Options) -> Self {
        let mut world = Self::new(options);
        while !world.is_done() {
            let Some((&(at, sequence), _)) = world.queue.first_key_value() else {
                panic!("nothing left to happen: {}", world.report());
            };
            if at > world.options.deadline {
                break;
            }
            let (number, life, event) = world.queue.remove(&(at, sequence)).unwrap();
            world.now = at;
            let node = &world.nodes[usize::from(number)];
            let current = node.life == life && node.is_up();
            if current || matches!(event, Event::Restart) {
                world.happen(number, event);
            }
        }
        world
    }

    pub(crate) fn is_done(&self) -> bool {
        let heights = self.options.heights;
        let mut returning = self.nodes.iter().filter(|node| !self.is_lost(node.number));
        returning.all(|node| node.disk.chain.len() as u64 >= heights)
    }

    fn is_lost(&self, number: u16) -> bool {
        self.locked.is_none()
            && self
                .options
                .blackout
                .is_some_and(|blackout| blackout.lost == number)
    }

    pub(crate) fn report(&self) -> String {
        let nodes: Vec<String> = self
            .nodes
            .iter()
            .map(|node| {
                format!(
                    "{} has {} blocks, {:?}",
                    node.number,
                    node.disk.chain.len(),
                    node.consensus
                )
            })
            .collect();
        format!("{:?} at {:?}: {nodes:#?}", self.options, self.now)
    }

    fn is_bad(&self) -> bool {
        self.now < self.options.heal_at
    }

    fn later(&mut self, number: u16, after: Duration, event: Event) {
        let life = self.nodes[usize::from(number)].life;
        self.sequence += 1;
        self.queue
            .insert((self.now + after, self.sequence), (number, life, event));
    }

    fn send(&mut self, from: u16, to: u16, packet: Packet) {
        if self.is_cut(from) || self.is_cut(to) {
            return;
        }
        let lost = self.is_bad() && self.network.random_range(0..1_000) < self.options.loss_per_mille;
        let delay = self
            .network
            .random_range(1_000..=self.options.delay_ms_max * 1_000);
        if !lost && self.nodes[usize::from(to)].is_up() {
            self.later(to, Duration::from_micros(delay), Event::Receive { from, packet });
        }
    }

    fn is_cut(&self, number: u16) -> bool {
        let cut = self.options.cut;
        cut.is_some_and(|(node, start, end)| node == number && (start..end).contains(&self.now))
    }

    fn send_all(&mut self, from: u16, packet: &Packet) {
        for to in 0..self.options.nodes {
            if to != from {
                self.send(from, to, packet.clone());
            }
        }
    }

    fn is_byzantine(&self, number: u16) -> bool {
        self.options.byzantine == Some(number)
    }

    fn node(&mut self, number: u16) -> &mut Node {
        &mut self.nodes[usize::from(number)]
    }

    fn happen(&mut self, number: u16, event: Event) {
        match event {
            Event::Restart => {
                self.node(number).boot();
                self.start(number);
            }
            Event::StartNext => self.start(number),
            Event::Timer(id) => {
                let live = self.node(number).memory.timers.remove(&id);
                // A cancelled timer that fires anyway must change nothing.
                if live || self.faults.random_bool(0.1) {
                    self.handle(number, Input::Timeout(id));
                }
            }
            Event::Build { height, round } => self.build(number, height, round),
            Event::Judge { header, round, valid } => {
                self.handle(number, Input::Judged { round, header, valid });
            }
            Event::PullAgain { from, id } => self.pull(number, from, id),
            Event::AskAgain { from, height } => self.ask(number, from, height),
            Event::Receive { from, packet } => self.receive(number, from, packet),
        }
    }

    fn start(&mut self, number: u16) {
        let height = self.node(number).disk.next_height();
        let set = set_of(&self.options, height);
        let node = self.node(number);
        let Some(consensus) = node.consensus.as_mut() else {
            return;
        };
        if consensus.height() >= height {
            return;
        }
        node.memory
            .dealings
            .retain(|_, (header, _)| header.height >= height);
        let log = node.disk.open_log(height);
        let effects = consensus.start_height(height, set, &log);
        self.carry_out_unless_fault(number, effects);
        let waiting: Vec<(Header, bool)> = self.node(number).memory.dealings.values().cloned().collect();
        for (header, good) in waiting {
            self.judge_soon(number, header, good);
        }
    }

    fn handle(&mut self, number: u16, input: Input) {
        let Some(consensus) = self.node(number).consensus.as_mut() else {
            return;
        };
        let effects = consensus.handle(input);
        self.carry_out_unless_fault(number, effects);
    }

    /// Only the Byzantine node may halt, caught by its own guard; it drops its log and goes on lying.
    fn carry_out_unless_fault(&mut self, number: u16, effects: Result<Vec<Effect>, Fault>) {
        match effects {
            Ok(effects) => self.carry_out(number, effects),
            Err(Fault::DoubleSign { .. }) if self.is_byzantine(number) => {
                self.node(number).disk.drop_log();
                self.crash(number);
            }
            Err(fault) => panic!("node {number}: {fault}: {}", self.report()),
        }
    }

    /// Carries out effects in order; a crash may come before any of them.
    fn carry_out(&mut self, number: u16, effects: Vec<Effect>) {
        let life = self.node(number).life;
        let finalized = effects
            .iter()
            .position(|one| matches!(one, Effect::Finalized { .. }));
        assert!(
            finalized.is_none_or(|at| at + 1 == effects.len() || self.nodes[usize::from(number)].crashes > 0)
        );
        for effect in effects {
            let crash = self.is_bad() && self.faults.random_range(0..10_000) < self.options.crash_per_10k;
            if crash {
                return self.crash(number);
            }
            if self.options.traced {
                let line = format!("{:?} {:?} {number} {effect:?}", self.trace, self.now);
                self.trace = Hash::of_content(line.as_bytes());
            }
            self.effect(number, effect);
            if self.node(number).life != life || !self.node(number).is_up() {
                return;
            }
        }
    }

    fn crash(&mut self, number: u16) {
        let luck = self.faults.random_range(0..1_000_usize);
        let down = Duration::from_millis(self.faults.random_range(1..3_000));
        let node = self.node(number);
        node.consensus = None;
        node.crashes += 1;
        node.disk.crash(luck);
        if !self.is_lost(number) {
            self.later(number, down, Event::Restart);
        }
    }

    /// Power fails once two have locked a block; whether this message is lost with it.
    fn power_fails(&mut self, number: u16, message: &Message) -> bool {
        let (Some(blackout), Some(locked)) = (self.options.blackout, &mut self.locked) else {
            return false;
        };
        let Message::Vote(SignedVote { vote, .. }) = message else {
            return false;
        };
        let locks = vote.kind == VoteKind::Precommit && vote.block.is_some();
        if !locks || vote.height.get() != blackout.height {
            return false;
        }
        if number != blackout.lost {
            locked.insert(number);
        }
        if locked.len() == 2 {
            assert!(!locked.contains(&blackout.unseeing));
            self.locked = None;
            (0..self.options.nodes).for_each(|number| self.crash(number));
        }
        true
    }

    /// Whether a dealing does not get through before the power fails.
    fn is_unseen(&self, number: u16, header: &Header) -> bool {
        let blackout = self.options.blackout.filter(|_| self.locked.is_some());
        blackout.is_some_and(|blackout| (blackout.unseeing, blackout.height) == (number, header.height.get()))
    }

    fn effect(&mut self, number: u16, effect: Effect) {
        match effect {
            Effect::WalAppend(entry) => self.node(number).disk.append(entry),
            Effect::WalFlush => self.node(number).disk.flush(),
            Effect::KeepShare(id) => {
                let node = self.node(number);
                let (header, _) = node.memory.dealings[&id].clone();
                node.disk.shares.insert(id, header);
            }
            Effect::Broadcast(message) => self.broadcast(number, &message),
            Effect::SetTimer { id, after } => {
                assert!(self.node(number).memory.timers.insert(id), "a timer id twice");
                self.later(number, after, Event::Timer(id));
            }
            Effect::CancelTimer(id) => assert!(self.node(number).memory.timers.remove(&id)),
            Effect::CancelAllTimers => self.node(number).memory.timers.clear(),
            Effect::Build {
                height,
                round,
                within,
            } => {
                assert!(within > Duration::ZERO);
                let after = Duration::from_millis(self.content.random_range(1..10));
                self.later(number, after, Event::Build { height, round });
            }
            Effect::Restream { block, .. } => {
                if let Some((header, good)) = self.node(number).memory.dealings.get(&block).cloned() {
                    self.send_all(number, &Packet::Dealing { header, good });
                }
            }
            Effect::WantBody { from, header, .. } => self.pull(number, from.get(), header.id(&chain())),
            Effect::Decided { certificate, header } => self.decide(number, certificate, header),
            Effect::Finalized { evidence, .. } => {
                self.note_evidence(evidence);
                self.later(number, Duration::from_millis(5), Event::StartNext);
            }
            Effect::Abandoned { evidence, .. } => self.note_evidence(evidence),
            Effect::NilVote { round, .. } => {
                self.nil_votes += 1;
                self.rounds_max = self.rounds_max.max(round);
            }
            Effect::Behind { member, .. } => {
                let height = self.node(number).disk.next_height();
                self.later(
                    number,
                    Duration::from_millis(100),
                    Event::AskAgain {
                        from: member.get(),
                        height,
                    },
                );
            }
            Effect::PeerBehind { member, height } => self.tell(number, member.get(), height),
            Effect::KeyInUse { .. } => {
                // The Byzantine node's second votes come back to it in certificates.
                assert!(
                    self.is_byzantine(number),
                    "nobody else has the key: {}",
                    self.report()
                );
            }
            Effect::Refused { from, why } => self.refusals.push((number, from, why)),
        }
    }

    fn note_evidence(&mut self, evidence: Vec<DoubleVote>) {
        for one in &evidence {
            let set = set_of(&self.options, one.first.vote.height);
            verify_double_vote(one, &set, &chain()).unwrap();
        }
        self.evidence.extend(evidence);
    }

    fn broadcast(&mut self, number: u16, message: &Message) {
        self.broadcasts += 1;
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes).as_ref(), Ok(message));
        if self.is_byzantine(number) {
            return self.broadcast_twice(number, message);
        }
        self.check_own(number, message);
        if self.power_fails(number, message) {
            return;
        }
        self.send_all(number, &Packet::Message(bytes));
    }

    /// No honest node signs two things, across crashes too; and no precommit leaves before the share is durable.
    fn check_own(&mut self, number: u16, message: &Message) {
        let me = MemberId::new(number);
        match message {
            Message::Vote(SignedVote { vote, .. }) => {
                assert_eq!(vote.member, me);
                let place = (me, vote.height, vote.round, vote.kind);
                let before = *self.votes.entry(place).or_insert(vote.block);
                assert_eq!(before, vote.block, "a double vote: {}", self.report());
                if let (VoteKind::Precommit, Some(id)) = (vote.kind, vote.block) {
                    let kept = self.node(number).disk.shares.contains_key(&id);
                    assert!(kept, "a precommit before the share: {}", self.report());
                }
            }
            Message::Proposal(signed) if signed.proposal.proposer == me => {
                let proposal = &signed.proposal;
                let what = (proposal.header.id(&chain()), proposal.valid_round);
                let place = (me, proposal.height, proposal.round);
                let before = *self.proposals.entry(place).or_insert(what);
                assert_eq!(before, what, "a double proposal: {}", self.report());
            }
            Message::Proposal(_) | Message::Polka(_) | Message::Round(_) => {}
        }
    }

    /// The Byzantine node sends its vote to all and a contrary one to some, and a second proposal to some.
    fn broadcast_twice(&mut self, number: u16, message: &Message) {
        self.send_all(number, &Packet::Message(message.encode()));
        let contrary = match message {
            Message::Vote(signed) => {
                let mut vote = signed.vote;
                vote.block = match vote.block {
                    Some(_) => None,
                    None => Some(BlockId::new(Hash::of_content(b"nothing"))),
                };
                Message::Vote(vote.sign(&key(number), &chain()))
            }
            Message::Proposal(signed) if signed.proposal.proposer == MemberId::new(number) => {
                let mut proposal = signed.proposal.clone();
                proposal.header.gas_used = salus_types::Gas::new(1);
                let header = proposal.header.clone();
                self.send_all(number, &Packet::Dealing { header, good: false });
                Message::Proposal(Box::new(proposal.sign(&key(number), &chain())))
            }
            _ => return,
        };
        for to in 0..self.options.nodes {
            if to != number && self.content.random_bool(0.5) {
                self.send(number, to, Packet::Message(contrary.encode()));
            }
        }
    }

    fn build(&mut self, number: u16, height: Height, round: Round) {
        let nonce = self.content.next_u64();
        let header = self.nodes[usize::from(number)].build(&self.options, height, round, nonce);
        if header.height != self.node(number).disk.next_height() {
            return;
        }
        let good = !(self.is_byzantine(number) && self.content.random_bool(0.5));
        let id = header.id(&chain());
        self.node(number)
            .memory
            .dealings
            .insert(id, (header.clone(), good));
        let dealing = Packet::Dealing {
            header: header.clone(),
            good,
        };
        self.send_all(number, &dealing);
        self.handle(
            number,
            Input::Built {
                height,
                round,
                header,
            },
        );
    }

    fn receive(&mut self, number: u16, from: u16, packet: Packet) {
        match packet {
            Packet::Message(bytes) => {
                let message = Message::decode(&bytes).unwrap();
                let from = MemberId::new(from);
                self.handle(number, Input::Message { from, message });
            }
            Packet::Dealing { header, .. } if self.is_unseen(number, &header) => {}
            Packet::Dealing { header, good } => {
                let node = self.node(number);
                if header.height < node.disk.next_height() || node.memory.dealings.len() > 64 {
                    return;
                }
                let id = header.id(&chain());
                node.memory.dealings.insert(id, (header.clone(), good));
                self.judge_soon(number, header, good);
            }
            Packet::Pull(id) => {
                if let Some((header, good)) = self.node(number).memory.dealings.get(&id).cloned() {
                    self.send(number, from, Packet::Dealing { header, good });
                }
            }
            Packet::AskShare(id) => {
                if let Some(header) = self.node(number).disk.shares.get(&id).cloned() {
                    self.send(number, from, Packet::Share(header));
                }
            }
            Packet::Share(header) => self.gather(number, from, header),
            Packet::Ask(height) => self.tell(number, from, height),
            Packet::Decision(certificate, header) => self.adopt(number, from, certificate, header),
        }
    }

    fn judge_soon(&mut self, number: u16, header: Header, good: bool) {
        let node = self.node(number);
        if header.height != node.disk.next_height() {
            return;
        }
        let valid = good && header.parent == node.disk.tip();
        let round = header.round;
        self.later(
            number,
            Duration::from_millis(2),
            Event::Judge { header, round, valid },
        );
    }

    fn pull(&mut self, number: u16, from: u16, id: BlockId) {
        let node = self.node(number);
        let undecided = node.consensus.as_ref().is_some_and(|one| !one.is_finalized());
        if undecided && !node.memory.dealings.contains_key(&id) {
            let has_polka = node.consensus.as_ref().is_some_and(|one| one.has_polka(id));
            self.send(number, from, Packet::Pull(id));
            if has_polka && self.options.gathers {
                self.send_all(number, &Packet::AskShare(id));
            }
            let from = (from + 1) % self.options.nodes;
            let retry = Duration::from_millis(200);
            if self.now < self.options.deadline / 2 {
                self.later(number, retry, Event::PullAgain { from, id });
            }
        }
    }

    /// Takes a share of a block whose dealing is gone; k of them are as good as the dealing.
    fn gather(&mut self, number: u16, from: u16, header: Header) {
        let id = header.id(&chain());
        let node = self.node(number);
        let own = node.disk.shares.contains_key(&id).then_some(number);
        let holders = node.memory.gathered.entry(id).or_default();
        holders.extend(own.into_iter().chain([from]));
        let enough = holders.len() >= usize::from(header.sealing.threshold);
        if enough && !node.memory.dealings.contains_key(&id) {
            node.memory.dealings.insert(id, (header.clone(), true));
            self.judge_soon(number, header, true);
        }
    }

    fn ask(&mut self, number: u16, from: u16, height: Height) {
        if self.node(number).disk.next_height() == height {
            self.send(number, from, Packet::Ask(height));
            self.later(
                number,
                Duration::from_millis(500),
                Event::AskAgain { from, height },
            );
        }
    }

    fn tell(&mut self, number: u16, to: u16, height: Height) {
        let index = usize::try_from(height.get()).unwrap() - 1;
        if let Some((certificate, header)) = self.node(number).disk.chain.get(index).cloned() {
            self.send(number, to, Packet::Decision(certificate, header));
        }
    }

    /// The shell's catch-up: a certified block is applied outside consensus.
    fn adopt(&mut self, number: u16, from: u16, certificate: CommitCertificate, header: Header) {
        if header.height != self.node(number).disk.next_height() {
            return;
        }
        let consensus = self.nodes[usize::from(number)].consensus.as_ref();
        if consensus.is_some_and(|one| one.height() == header.height && one.is_finalized()) {
            return;
        }
        self.store(number, certificate, header);
        let height = self.node(number).disk.next_height();
        self.start(number);
        self.send(number, from, Packet::Ask(height));
    }

    fn decide(&mut self, number: u16, certificate: CommitCertificate, header: Header) {
        if header.height < self.node(number).disk.next_height() {
            return; // decided before the crash
        }
        let id = header.id(&chain());
        let set = set_of(&self.options, header.height);
        if set.get(MemberId::new(number)).is_some() {
            assert!(
                self.node(number).disk.shares.contains_key(&id),
                "decided without the own share"
            );
        }
        self.store(number, certificate, header);
    }

    fn store(&mut self, number: u16, certificate: CommitCertificate, header: Header) {
        let id = header.id(&chain());
        let set = set_of(&self.options, header.height);
        assert_eq!(certificate.verify(&set, &chain()), Ok(()));
        assert_eq!((certificate.height, certificate.block), (header.height, id));
        assert_eq!(header.height, self.node(number).disk.next_height());
        assert_eq!(header.parent, self.node(number).disk.tip());
        let first = *self.decided.entry(header.height).or_insert(id);
        assert_eq!(first, id, "a fork: {}", self.report());
        self.node(number).disk.chain.push((certificate, header));
    }

    pub(crate) fn crashes(&self) -> u32 {
        self.nodes.iter().map(|node| node.crashes).sum()
    }
}
