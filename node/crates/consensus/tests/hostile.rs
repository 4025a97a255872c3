//! Everyone else is hostile: three of four validators sign anything, in any order, and the fourth must neither panic
//! nor halt nor sign twice. (It may well decide nonsense: more than a third of the validators lie.)
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a simulation fails loudly; its heights fit any integer"
)]

mod sim;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use salus_consensus::{
    Config, Consensus, Effect, Input, Message, PolkaCertificate, RoundCertificate, RoundCertificateKind,
    RoundSignature, proposer,
};
use salus_types::{
    BlockId, CommitSignature, Header, Height, MemberId, Proposal, Round, SignedVote, Vote, VoteKind,
};
use sim::node::Node;
use sim::{Options, chain, key, timeouts, validators};
use std::collections::BTreeMap;

const ME: u16 = 0;
const HEIGHT: Height = Height::new(1);

struct Hostile {
    rng: ChaCha8Rng,
    headers: Vec<Header>,
    /// Votes that were signed before, so that certificates can be made of them.
    votes: Vec<SignedVote>,
}

impl Hostile {
    fn new(seed: u64) -> Self {
        let options = Options::calm(seed, 4, 1);
        let header = |nonce: u64| {
            let round = Round::new(nonce as u32 % 4);
            let builder = proposer(&validators(4), HEIGHT, round).unwrap();
            Node::new(builder.get()).build(&options, HEIGHT, round, nonce)
        };
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            headers: (0..=seed % 5).map(header).collect(),
            votes: Vec::new(),
        }
    }

    fn round(&mut self) -> Round {
        let far = self.rng.random_bool(0.02);
        Round::new(if far {
            self.rng.random()
        } else {
            self.rng.random_range(0..4)
        })
    }

    fn header(&mut self) -> Header {
        let index = self.rng.random_range(0..self.headers.len());
        self.headers[index].clone()
    }

    fn block(&mut self) -> Option<BlockId> {
        let header = self.header();
        self.rng.random_bool(0.8).then(|| header.id(&chain()))
    }

    fn vote(&mut self) -> SignedVote {
        let member = self.rng.random_range(1..4_u16);
        let vote = Vote {
            kind: if self.rng.random_bool(0.5) {
                VoteKind::Prevote
            } else {
                VoteKind::Precommit
            },
            height: HEIGHT,
            round: self.round(),
            block: self.block(),
            member: MemberId::new(member),
        };
        let signed = vote.sign(&key(member), &chain());
        self.votes.push(signed);
        signed
    }

    fn proposal(&mut self) -> Message {
        let round = self.round();
        let author = proposer(&validators(4), HEIGHT, round).unwrap();
        if author == MemberId::new(ME) {
            return Message::Vote(self.vote());
        }
        let earlier = self.rng.random_bool(0.4);
        let proposal = Proposal {
            height: HEIGHT,
            round,
            valid_round: earlier.then(|| self.round()),
            header: self.header(),
            proposer: author,
        };
        Message::Proposal(Box::new(proposal.sign(&key(author.get()), &chain())))
    }

    /// A certificate of everything that was signed for a round; often a valid one.
    fn certificate(&mut self) -> Message {
        for _ in 0..6 {
            self.vote();
        }
        let (round, block) = (self.round(), self.block());
        let of_round: Vec<SignedVote> = self
            .votes
            .iter()
            .filter(|one| one.vote.round == round)
            .copied()
            .collect();
        if self.rng.random_bool(0.5) {
            let votes = of_round
                .iter()
                .filter(|one| one.vote.block == block && one.vote.kind == VoteKind::Prevote);
            let by_member: BTreeMap<MemberId, CommitSignature> = votes
                .map(|one| {
                    let member = one.vote.member;
                    (
                        member,
                        CommitSignature {
                            member,
                            signature: one.signature,
                        },
                    )
                })
                .collect();
            let Some(block) = block else {
                return Message::Vote(self.vote());
            };
            return Message::Polka(PolkaCertificate {
                height: HEIGHT,
                round,
                block,
                signatures: by_member.into_values().collect(),
            });
        }
        let precommits = self.rng.random_bool(0.5);
        let by_member: BTreeMap<MemberId, RoundSignature> = of_round
            .iter()
            .filter(|one| !precommits || one.vote.kind == VoteKind::Precommit)
            .map(|one| {
                let Vote {
                    member, kind, block, ..
                } = one.vote;
                (
                    member,
                    RoundSignature {
                        member,
                        kind,
                        block,
                        signature: one.signature,
                    },
                )
            })
            .collect();
        let kind = if precommits {
            RoundCertificateKind::Precommit
        } else {
            RoundCertificateKind::Skip
        };
        Message::Round(RoundCertificate {
            height: HEIGHT,
            round,
            kind,
            signatures: by_member.into_values().collect(),
        })
    }

    fn input(&mut self, timers: &[salus_consensus::TimerId]) -> Input {
        let message = match self.rng.random_range(0..10) {
            0..=3 => Message::Vote(self.vote()),
            4..=5 => self.proposal(),
            6..=7 => self.certificate(),
            8 => {
                let header = self.header();
                return Input::Judged {
                    round: self.round(),
                    valid: header.gas_used.get() == 0 && self.rng.random_bool(0.8),
                    header,
                };
            }
            _ if timers.is_empty() => Message::Vote(self.vote()),
            _ => return Input::Timeout(timers[self.rng.random_range(0..timers.len())]),
        };
        let from = MemberId::new(self.rng.random_range(1..4));
        Input::Message { from, message }
    }
}

#[test]
fn no_peer_can_make_a_validator_panic_halt_or_sign_twice() {
    let mut decided = 0;
    let mut rounds = 0;
    for seed in 0..100 {
        let mut hostile = Hostile::new(seed);
        let mut consensus = Consensus::new(Config {
            chain: chain(),
            member: Some(MemberId::new(ME)),
            key: key(ME),
            timeouts: timeouts(),
        });
        let mut effects = consensus.start_height(HEIGHT, validators(4), &[]).unwrap();
        let mut timers = Vec::new();
        let mut signed: BTreeMap<(Round, VoteKind), Option<BlockId>> = BTreeMap::new();
        let mut log = Vec::new();
        for step in 0..120 {
            for effect in effects.drain(..) {
                match effect {
                    Effect::SetTimer { id, .. } => timers.push(id),
                    Effect::WalAppend(entry) => log.push(entry),
                    Effect::Decided { .. } => decided += 1,
                    Effect::Broadcast(Message::Vote(SignedVote { vote, .. })) => {
                        assert_eq!(vote.member, MemberId::new(ME));
                        let before = signed.entry((vote.round, vote.kind)).or_insert(vote.block);
                        assert_eq!(*before, vote.block, "seed {seed}");
                    }
                    _ => {}
                }
            }
            let input = hostile.input(&timers);
            effects = consensus
                .handle(input.clone())
                .unwrap_or_else(|fault| panic!("seed {seed}, step {step}: {fault} by {input:?}"));
        }
        rounds += consensus.round().get();
        for length in [log.len(), log.len() / 2, log.len() / 3] {
            replays(seed, &log[..length], &signed);
        }
    }
    assert!(
        decided > 0 && rounds > 0,
        "the hostile peers were too dull: {decided} {rounds}"
    );
}

/// A restart after all that, or after a part of it, derives the same votes again.
fn replays(seed: u64, log: &[Vec<u8>], signed: &BTreeMap<(Round, VoteKind), Option<BlockId>>) {
    let mut consensus = Consensus::new(Config {
        chain: chain(),
        member: Some(MemberId::new(ME)),
        key: key(ME),
        timeouts: timeouts(),
    });
    let effects = consensus
        .start_height(HEIGHT, validators(4), log)
        .unwrap_or_else(|fault| panic!("seed {seed}: {fault} in replay"));
    for effect in effects {
        if let Effect::Broadcast(Message::Vote(SignedVote { vote, .. })) = effect
            && let Some(before) = signed.get(&(vote.round, vote.kind))
        {
            assert_eq!(*before, vote.block, "seed {seed}: replay signs something else");
        }
    }
}
