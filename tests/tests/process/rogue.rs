//! A member that does not play by the rules: a validator's keys and place in the network, without the validator.

use salus::config::Config;
use salus::home::{Home, ValidatorKeys};
use salus_consensus::Message;
use salus_genesis::Genesis;
use salus_net::{Event, Events, Handle, Protocol};
use salus_tests::Network;
use salus_types::{
    BlockId, ChainId, Hash, Header, Height, MemberId, Round, SealedShare, ShareStatement, SignedShare, Slot,
    Vote, VoteKind, codec,
};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::task::JoinSet;

/// The question for a share, as validators ask it: the number of the variant, the block, the root of its dealing. The purpose follows.
type ShareAsk = (u8, Height, BlockId, Hash);
/// The purpose `Read(None)`.
const READ: &[u8] = &[0, 0];
/// The purpose `Reseal`.
const RESEAL: &[u8] = &[3];
/// What a question may end with, but for a wish.
const PURPOSES: [&[u8]; 4] = [READ, &[1], &[2], RESEAL];

/// A dealing as it is handed out: the number of the variant, the block, its dealing, and what it deals anew.
type Push = (u8, Header, Vec<u8>, Vec<Vec<u8>>);

/// A consensus message as it is sent: the number of the variant, and the encoded message.
type Direct = (u8, Vec<u8>);

/// A validator's place, taken by the test.
pub(super) struct Rogue {
    member: MemberId,
    chain: ChainId,
    keys: ValidatorKeys,
    handle: Handle,
    events: Events,
    _task: JoinSet<()>,
}

impl Rogue {
    /// Kills a validator and connects to the founders in its name.
    pub(super) async fn take_over(network: &Network, validator: u16) -> Self {
        let place = usize::from(validator);
        network.kill(place).unwrap();
        let home = Home::new(network.home(place).unwrap());
        let keys = home.keys().unwrap().remove(0);
        let genesis = Genesis::from_toml(&std::fs::read_to_string(home.genesis()).unwrap()).unwrap();
        let member = MemberId::new(validator);
        let (net, handle, events) = salus_net::Network::start(salus_net::Config {
            me: member,
            identity: keys.network.clone(),
            chain: genesis.chain_id(),
            members: genesis.members().to_vec(),
            listen: Config::load(&home.config()).unwrap().network.listen,
            seed: 1,
            limits: salus_net::Limits::default(),
        })
        .unwrap();
        let mut task = JoinSet::new();
        task.spawn(net.run());
        // It knows the founders only.
        let others = genesis.members().iter().filter(|one| one.id != member).count();
        let linked = || handle.peers().iter().filter(|peer| peer.connected).count();
        while linked() < others {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self {
            member,
            chain: genesis.chain_id(),
            keys,
            handle,
            events,
            _task: task,
        }
    }

    /// Asks a member for its share of a block, to read it, without anybody's wish; the answer as it came.
    pub(super) async fn ask_to_read(&mut self, holder: u16, header: &Header) -> Vec<u8> {
        self.ask_for_share(holder, header, READ).await
    }

    /// The same, to deal the block anew.
    pub(super) async fn ask_to_reseal(&mut self, holder: u16, header: &Header) -> Vec<u8> {
        self.ask_for_share(holder, header, RESEAL).await
    }

    async fn ask_for_share(&mut self, holder: u16, header: &Header, purpose: &[u8]) -> Vec<u8> {
        let ask: ShareAsk = (0, header.height, header.id(&self.chain), header.share_root);
        let question = [&codec::encode(&ask)[..], purpose].concat();
        self.ask(holder, Protocol::Shares, question).await
    }

    async fn ask(&mut self, member: u16, protocol: Protocol, question: Vec<u8>) -> Vec<u8> {
        let member = MemberId::new(member);
        let asked = self.handle.request(member, protocol, question).unwrap();
        loop {
            match self.events.recv().await.unwrap() {
                Event::Answer { id, result, .. } if id == asked => return result.unwrap(),
                _ => {}
            }
        }
    }

    /// Answers the next question for its share of a block with an invented one, which it signs.
    pub(super) async fn lie_about(&mut self, header: &Header) {
        let block = header.id(&self.chain);
        loop {
            let Some(Event::Request { bytes, reply, .. }) = self.events.recv().await else {
                continue;
            };
            // Another question gets no answer.
            let of_block = |purpose| {
                let ask = codec::decode::<ShareAsk>(bytes.strip_suffix(purpose)?, 4_096);
                ask.ok().map(|(_, _, asked, _)| asked)
            };
            if PURPOSES
                .into_iter()
                .any(|purpose| of_block(purpose) == Some(block))
            {
                let answer = [&[0], &codec::encode(&self.lie(header, block))[..]].concat();
                self.handle.answer(reply, answer).unwrap();
                return;
            }
        }
    }

    /// Says that it is a million blocks ahead of everybody.
    pub(super) fn boast(&self) {
        let tip: (u8, Height) = (1, Height::new(1_000_000));
        self.handle.broadcast(codec::encode(&tip)).unwrap();
    }

    /// Hands out dealings that are none, one for each of so many rounds of the height after `tip`, each twice.
    pub(super) async fn hand_out_junk(&mut self, to: u16, tip: &Header, rounds: u8) {
        for junk in 0..2 * rounds {
            let header = Header {
                height: tip.height.next(),
                round: Round::new(u32::from(junk / 2)),
                proposer: self.member,
                ..tip.clone()
            };
            let push: Push = (0, header, vec![junk], Vec::new());
            self.ask(to, Protocol::Bodies, codec::encode(&push)).await;
        }
    }

    /// Votes as the others do, but never precommits a block; until so many of them have locked the same one, which is told.
    pub(super) async fn vote_until_locked(&mut self, lockers: usize) -> (Height, BlockId) {
        let (mut answered, mut locked) = (BTreeSet::new(), BTreeSet::new());
        loop {
            let Some(Event::Direct { from, bytes }) = self.events.recv().await else {
                continue;
            };
            let Ok((0, message)) = codec::decode::<Direct>(&bytes, 64 << 10) else {
                continue; // how far the other is
            };
            let Ok(Message::Vote(signed)) = Message::decode(&message) else {
                continue;
            };
            let Vote {
                kind,
                height,
                round,
                block,
                ..
            } = signed.vote;
            if let (VoteKind::Precommit, Some(id)) = (kind, block) {
                locked.insert((height, id, from));
                let same = locked
                    .iter()
                    .filter(|(at, other, _)| (*at, *other) == (height, id));
                if same.count() == lockers {
                    return (height, id);
                }
            } else if answered.insert((height, round, kind == VoteKind::Precommit)) {
                let member = self.member;
                let vote = Vote {
                    member,
                    ..signed.vote
                };
                let signed = vote.sign(&self.keys.consensus, &self.chain);
                let direct: Direct = (0, Message::Vote(signed).encode());
                self.handle.broadcast(codec::encode(&direct)).unwrap();
            }
        }
    }

    fn lie(&self, header: &Header, block: BlockId) -> SignedShare {
        let slot = Slot::new(self.member.get());
        let share = SealedShare {
            height: header.height,
            slot,
            key_share: [7; 33],
            path: Vec::new(),
            fragment: vec![1, 2, 3],
        };
        let statement = ShareStatement::of(&share, header.height, block, header.share_root, self.member);
        let signature = statement.sign(&self.keys.consensus, &self.chain);
        SignedShare { share, signature }
    }
}
