//! A member that does not play by the rules: a validator's keys and place in the network, without the validator.

use salus::config::Config;
use salus::home::{Home, ValidatorKeys};
use salus_genesis::Genesis;
use salus_net::{Event, Events, Handle, Protocol};
use salus_tests::Network;
use salus_types::{
    BlockId, ChainId, Hash, Header, Height, MemberId, SealedShare, ShareStatement, SignedShare, Slot, codec,
};
use std::time::Duration;
use tokio::task::JoinSet;

/// The question for a share, as validators ask it: the number of the variant, the block, the root of its dealing, and the
/// purpose `Read(None)`.
type ShareAsk = (u8, Height, BlockId, Hash, [u8; 2]);

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
    /// Kills a validator and connects to the others in its name.
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
        let others = network.validators() - 1;
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
        let ask: ShareAsk = (
            0,
            header.height,
            header.id(&self.chain),
            header.share_root,
            [0, 0],
        );
        let holder = MemberId::new(holder);
        let asked = self
            .handle
            .request(holder, Protocol::Shares, codec::encode(&ask))
            .unwrap();
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
            let Ok((_, _, asked, ..)) = codec::decode::<ShareAsk>(&bytes, 4_096) else {
                continue; // another question; it gets no answer
            };
            if asked == block {
                let answer = [&[0], &codec::encode(&self.lie(header, block))[..]].concat();
                self.handle.answer(reply, answer).unwrap();
                return;
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
