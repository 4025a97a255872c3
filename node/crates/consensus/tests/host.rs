//! One validator, driven by hand: what it does, in which order, and what it refuses.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod sim;

use salus_consensus::{
    Config, Consensus, Effect, Fault, Input, Message, NilReason, PolkaCertificate, Refusal, RoundCertificate,
    RoundCertificateKind, RoundSignature, Step, TimerId, proposer,
};
use salus_types::codec;
use salus_types::{
    BlockId, CommitSignature, Header, Height, MemberId, Proposal, Round, Signature, SignedVote, ValidatorSet,
    Vote, VoteKind,
};
use sim::node::Node;
use sim::{Options, chain, key, timeouts, validators};
use std::time::Duration;

const ONE: Height = Height::new(1);
const TWO: Height = Height::new(2);
const R0: Round = Round::new(0);
const R1: Round = Round::new(1);

fn member(number: u16) -> MemberId {
    MemberId::new(number)
}

fn consensus(member: Option<u16>) -> Consensus {
    Consensus::new(Config {
        chain: chain(),
        member: member.map(MemberId::new),
        key: key(member.unwrap_or(99)),
        timeouts: timeouts(),
    })
}

/// Node 0 of four at height 1, where it proposes in round 3.
fn started() -> (Consensus, Vec<Effect>) {
    let mut node = consensus(Some(0));
    let effects = node.start_height(ONE, validators(4), &[]).unwrap();
    (node, effects)
}

fn header(height: Height, round: Round, nonce: u64) -> Header {
    let builder = proposer(&validators(4), height, round).unwrap();
    Node::new(builder.get()).build(&Options::calm(0, 4, 1), height, round, nonce)
}

fn id(header: &Header) -> BlockId {
    header.id(&chain())
}

fn vote(by: u16, kind: VoteKind, height: Height, round: Round, block: Option<BlockId>) -> SignedVote {
    let vote = Vote {
        kind,
        height,
        round,
        block,
        member: member(by),
    };
    vote.sign(&key(by), &chain())
}

fn from(number: u16, message: Message) -> Input {
    Input::Message {
        from: member(number),
        message,
    }
}

fn voted(by: u16, kind: VoteKind, round: Round, block: Option<BlockId>) -> Input {
    from(by, Message::Vote(vote(by, kind, ONE, round, block)))
}

fn proposed(by: u16, round: Round, valid_round: Option<Round>, header: &Header) -> Message {
    let proposal = Proposal {
        height: header.height,
        round,
        valid_round,
        header: header.clone(),
        proposer: member(by),
    };
    Message::Proposal(Box::new(proposal.sign(&key(by), &chain())))
}

fn judged(header: &Header, valid: bool) -> Input {
    Input::Judged {
        round: header.round,
        header: header.clone(),
        valid,
    }
}

/// Names of effects in their order, timers left out.
fn order(effects: &[Effect]) -> Vec<&'static str> {
    let name = |effect: &Effect| match effect {
        Effect::WalAppend(_) => Some("append"),
        Effect::WalFlush => Some("flush"),
        Effect::KeepShare(_) => Some("keep"),
        Effect::Broadcast(Message::Vote(vote)) => Some(match (vote.vote.kind, vote.vote.block) {
            (VoteKind::Prevote, Some(_)) => "prevote",
            (VoteKind::Prevote, None) => "prevote nil",
            (VoteKind::Precommit, Some(_)) => "precommit",
            (VoteKind::Precommit, None) => "precommit nil",
        }),
        Effect::Broadcast(Message::Proposal(_)) => Some("proposal"),
        Effect::Broadcast(Message::Polka(_)) => Some("polka"),
        Effect::Broadcast(Message::Round(_)) => Some("round certificate"),
        Effect::SetTimer { .. } | Effect::CancelTimer(_) => None,
        Effect::CancelAllTimers => Some("cancel all"),
        Effect::Build { .. } => Some("build"),
        Effect::Restream { .. } => Some("restream"),
        Effect::WantBody { .. } => Some("want body"),
        Effect::Decided { .. } => Some("decided"),
        Effect::Finalized { .. } => Some("finalized"),
        Effect::Abandoned { .. } => Some("abandoned"),
        Effect::NilVote { .. } => Some("nil vote"),
        Effect::Behind { .. } => Some("behind"),
        Effect::PeerBehind { .. } => Some("peer behind"),
        Effect::KeyInUse { .. } => Some("key in use"),
        Effect::Refused { .. } => Some("refused"),
    };
    effects.iter().filter_map(name).collect()
}

/// The timer that was set for so long.
fn timer(effects: &[Effect], millis: u64) -> TimerId {
    let found = effects.iter().rev().find_map(|effect| match effect {
        Effect::SetTimer { id, after } if *after == Duration::from_millis(millis) => Some(*id),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no timer of {millis} ms in {effects:?}"))
}

fn reason(effects: &[Effect]) -> NilReason {
    let found = effects.iter().find_map(|effect| match effect {
        Effect::NilVote { why, .. } => Some(*why),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no nil vote in {effects:?}"))
}

fn log_of(effects: &[Effect]) -> Vec<Vec<u8>> {
    let entry = |effect: &Effect| match effect {
        Effect::WalAppend(entry) => Some(entry.clone()),
        _ => None,
    };
    effects.iter().filter_map(entry).collect()
}

#[test]
fn a_height_runs_in_the_right_order() {
    let (mut node, effects) = started();
    assert_eq!(effects.first(), Some(&Effect::CancelAllTimers));
    assert_eq!(
        (node.height(), node.round(), node.step()),
        (ONE, R0, Step::Propose)
    );
    let block = header(ONE, R0, 1);

    let effects = node.handle(from(1, proposed(1, R0, None, &block))).unwrap();
    assert_eq!(order(&effects), ["append", "want body"]);
    let effects = node.handle(judged(&block, true)).unwrap();
    assert_eq!(order(&effects), ["keep", "append", "append", "flush", "prevote"]);
    assert!(effects.contains(&Effect::KeepShare(id(&block))));

    let (pre, com) = (VoteKind::Prevote, VoteKind::Precommit);
    let effects = node.handle(voted(1, pre, R0, Some(id(&block)))).unwrap();
    assert_eq!(order(&effects), ["append"]);
    let effects = node.handle(voted(2, pre, R0, Some(id(&block)))).unwrap();
    assert_eq!(order(&effects), ["append", "append", "flush", "precommit"]);
    assert_eq!(node.step(), Step::Precommit);

    node.handle(voted(1, com, R0, Some(id(&block)))).unwrap();
    let effects = node.handle(voted(3, com, R0, Some(id(&block)))).unwrap();
    assert_eq!(
        order(&effects),
        ["append", "flush", "cancel all", "decided", "finalized"]
    );
    let Some(Effect::Decided { certificate, header }) =
        effects.iter().find(|one| matches!(one, Effect::Decided { .. }))
    else {
        panic!("not decided");
    };
    assert_eq!(header, &block);
    assert_eq!(certificate.verify(&validators(4), &chain()), Ok(()));
    assert!(node.is_finalized());
    assert_eq!(node.step(), Step::Commit);
}

#[test]
fn an_own_precommit_that_decides_goes_out_before_the_block_is_persisted() {
    let (mut node, _) = started();
    let block = header(ONE, R0, 1);
    node.handle(from(1, proposed(1, R0, None, &block))).unwrap();
    node.handle(judged(&block, true)).unwrap();
    for by in [1, 2] {
        node.handle(voted(by, VoteKind::Precommit, R0, Some(id(&block))))
            .unwrap();
    }
    node.handle(voted(1, VoteKind::Prevote, R0, Some(id(&block))))
        .unwrap();
    let effects = node
        .handle(voted(2, VoteKind::Prevote, R0, Some(id(&block))))
        .unwrap();
    let expected = [
        "append",
        "append",
        "flush",
        "precommit",
        "cancel all",
        "decided",
        "finalized",
    ];
    assert_eq!(order(&effects), expected);
}

#[test]
fn a_proposer_builds_once_and_alone_decides_at_once() {
    let mut node = consensus(Some(0));
    let effects = node.start_height(ONE, validators(1), &[]).unwrap();
    assert_eq!(order(&effects), ["cancel all", "build"]);
    let block = Node::new(0).build(&Options::calm(0, 1, 1), ONE, R0, 1);
    let built = |header: &Header| Input::Built {
        height: ONE,
        round: R0,
        header: header.clone(),
    };
    let effects = node.handle(built(&block)).unwrap();
    let names = order(&effects);
    assert_eq!(names.first(), Some(&"keep"));
    assert_eq!(names.last(), Some(&"finalized"));
    assert!(names.contains(&"proposal"));

    let mut node = consensus(Some(1));
    node.start_height(ONE, validators(4), &[]).unwrap();
    let (block, other) = (header(ONE, R0, 1), header(ONE, R0, 2));
    let effects = node.handle(built(&block)).unwrap();
    assert_eq!(
        order(&effects),
        [
            "keep", "append", "append", "append", "flush", "prevote", "proposal"
        ]
    );
    assert_eq!(node.handle(built(&other)), Ok(vec![]));
}

#[test]
fn duplicates_do_nothing() {
    let (mut node, _) = started();
    let block = header(ONE, R0, 1);
    let inputs = [
        from(1, proposed(1, R0, None, &block)),
        judged(&block, true),
        voted(1, VoteKind::Prevote, R0, Some(id(&block))),
    ];
    for input in &inputs {
        assert_ne!(node.handle(input.clone()), Ok(vec![]));
    }
    for input in inputs {
        assert_eq!(node.handle(input), Ok(vec![]));
    }
    assert_eq!(
        node.handle(judged(&block, false)),
        Ok(vec![]),
        "a verdict is never lowered"
    );
}

#[test]
fn a_dealing_may_come_before_its_proposal() {
    let (mut node, _) = started();
    let block = header(ONE, R0, 1);
    assert_eq!(
        order(&node.handle(judged(&block, true)).unwrap()),
        ["keep", "append"]
    );
    let effects = node.handle(from(1, proposed(1, R0, None, &block))).unwrap();
    assert_eq!(order(&effects), ["append", "append", "flush", "prevote"]);
}

#[test]
fn unasked_dealings_take_no_more_room_than_two_a_round() {
    let (mut node, _) = started();
    let kept = (0..10).filter(|nonce| {
        let effects = node.handle(judged(&header(ONE, R0, *nonce), true)).unwrap();
        !effects.is_empty()
    });
    assert_eq!(kept.count(), 2);
    let mut stranger = header(ONE, R0, 20);
    stranger.proposer = member(2);
    assert_eq!(node.handle(judged(&stranger, true)), Ok(vec![]));
}

#[test]
fn a_judged_block_that_is_proposed_again_needs_no_second_judgement() {
    let (mut node, effects) = started();
    let block = header(ONE, R0, 1);
    let propose = timer(&effects, 1_000);
    node.handle(from(1, proposed(1, R0, None, &block))).unwrap();
    node.handle(judged(&block, true)).unwrap();
    assert_eq!(
        node.handle(Input::Timeout(propose)),
        Ok(vec![]),
        "cancelled by the prevote"
    );
    // The others have a quorum of prevotes for it, but this node saw only a round certificate and then a polka.
    let nil = |by: u16| {
        let signed = vote(by, VoteKind::Precommit, ONE, R0, None);
        RoundSignature {
            member: member(by),
            kind: VoteKind::Precommit,
            block: None,
            signature: signed.signature,
        }
    };
    let certificate = RoundCertificate {
        height: ONE,
        round: R0,
        kind: RoundCertificateKind::Precommit,
        signatures: vec![nil(1), nil(2), nil(3)],
    };
    let effects = node.handle(from(2, Message::Round(certificate))).unwrap();
    let effects = node.handle(Input::Timeout(timer(&effects, 500))).unwrap();
    assert_eq!(node.round(), R1);
    assert!(order(&effects).contains(&"round certificate"));

    let prevote = |by: u16| {
        let signed = vote(by, VoteKind::Prevote, ONE, R0, Some(id(&block)));
        CommitSignature {
            member: member(by),
            signature: signed.signature,
        }
    };
    let polka = PolkaCertificate {
        height: ONE,
        round: R0,
        block: id(&block),
        signatures: vec![prevote(1), prevote(2), prevote(3)],
    };
    node.handle(from(2, Message::Polka(polka))).unwrap();
    let effects = node.handle(from(2, proposed(2, R1, Some(R0), &block))).unwrap();
    assert_eq!(order(&effects), ["append", "append", "flush", "prevote"]);
}

#[test]
fn every_nil_vote_says_why() {
    let block = header(ONE, R0, 1);
    let (mut node, effects) = started();
    let effects = node.handle(Input::Timeout(timer(&effects, 1_000))).unwrap();
    assert_eq!(reason(&effects), NilReason::NoProposal { proposer: member(1) });
    node.handle(voted(1, VoteKind::Prevote, R0, None)).unwrap();
    let effects = node.handle(voted(2, VoteKind::Prevote, R0, None)).unwrap();
    assert_eq!(reason(&effects), NilReason::QuorumNil);

    let (mut node, effects) = started();
    node.handle(from(1, proposed(1, R0, None, &block))).unwrap();
    let effects = node.handle(Input::Timeout(timer(&effects, 1_000))).unwrap();
    assert_eq!(reason(&effects), NilReason::NotJudged(id(&block)));

    let (mut node, _) = started();
    node.handle(from(1, proposed(1, R0, None, &block))).unwrap();
    let effects = node.handle(judged(&block, false)).unwrap();
    assert_eq!(reason(&effects), NilReason::Invalid(id(&block)));
    assert!(!order(&effects).contains(&"keep"));
    node.handle(voted(1, VoteKind::Prevote, R0, Some(id(&block))))
        .unwrap();
    let effects = node
        .handle(voted(2, VoteKind::Prevote, R0, Some(id(&block))))
        .unwrap();
    let effects = node.handle(Input::Timeout(timer(&effects, 500))).unwrap();
    assert_eq!(reason(&effects), NilReason::Split);

    let mut node = consensus(Some(1));
    let effects = node.start_height(ONE, validators(4), &[]).unwrap();
    let effects = node.handle(Input::Timeout(timer(&effects, 1_000))).unwrap();
    assert_eq!(reason(&effects), NilReason::NotBuilt);
}

#[test]
fn a_header_by_the_wrong_builder_is_refused_without_asking_for_its_body() {
    let (mut node, _) = started();
    let mut block = header(ONE, R0, 1);
    block.proposer = member(3);
    let effects = node.handle(from(1, proposed(1, R0, None, &block))).unwrap();
    assert_eq!(
        order(&effects),
        ["append", "append", "nil vote", "append", "flush", "prevote nil"]
    );
}

#[test]
fn bad_messages_are_refused_with_the_reason() {
    let block = header(ONE, R0, 1);
    let some = Some(id(&block));
    let mut forged = vote(2, VoteKind::Prevote, ONE, R0, some);
    forged.signature = Signature::new([1; 64]);
    let signature = |by: u16| CommitSignature {
        member: member(by),
        signature: vote(by, VoteKind::Prevote, ONE, R0, some).signature,
    };
    let polka = |signatures: Vec<CommitSignature>| {
        Message::Polka(PolkaCertificate {
            height: ONE,
            round: R0,
            block: id(&block),
            signatures,
        })
    };
    let mut wrong = signature(3);
    wrong.signature = signature(2).signature;
    let prevote_in_round = RoundCertificate {
        height: ONE,
        round: R0,
        kind: RoundCertificateKind::Precommit,
        signatures: [1, 2, 3]
            .map(|by| RoundSignature {
                member: member(by),
                kind: VoteKind::Prevote,
                block: some,
                signature: signature(by).signature,
            })
            .to_vec(),
    };
    let mut other_height = header(TWO, R0, 1);
    other_height.height = TWO;
    let Message::Proposal(mut crossed) = proposed(1, R0, None, &other_height) else {
        panic!("a proposal");
    };
    crossed.proposal.height = ONE;

    let cases = [
        (
            Message::Vote(vote(9, VoteKind::Prevote, ONE, R0, some)),
            Refusal::NotAValidator(member(9)),
        ),
        (Message::Vote(forged), Refusal::BadSignature(member(2))),
        (
            proposed(2, R0, None, &block),
            Refusal::NotTheProposer {
                proposer: member(2),
                expected: member(1),
            },
        ),
        (proposed(9, R0, None, &block), Refusal::NotAValidator(member(9))),
        (proposed(2, R1, Some(R1), &block), Refusal::BadProposal),
        (Message::Proposal(crossed), Refusal::BadProposal),
        (
            polka(vec![]),
            Refusal::NoQuorum {
                signers: 0,
                needed: 1,
            },
        ),
        (
            polka(vec![signature(1), signature(2)]),
            Refusal::NoQuorum {
                signers: 2,
                needed: 3,
            },
        ),
        (
            polka(vec![signature(2), signature(1), signature(3)]),
            Refusal::NotSorted,
        ),
        (
            polka(vec![signature(1), signature(2), signature(2), signature(3)]),
            Refusal::NotSorted,
        ),
        (
            polka(vec![signature(1), signature(2), signature(9)]),
            Refusal::NotAValidator(member(9)),
        ),
        (
            polka(vec![signature(1), signature(2), wrong]),
            Refusal::BadSignature(member(3)),
        ),
        (
            Message::Round(prevote_in_round),
            Refusal::NotAPrecommit(member(1)),
        ),
    ];
    let (mut node, _) = started();
    for (message, why) in cases {
        let effects = node.handle(from(3, message)).unwrap();
        let from = member(3);
        assert_eq!(effects, [Effect::Refused { from, why }]);
    }
    assert_eq!((node.round(), node.step()), (R0, Step::Propose));
}

#[test]
fn messages_far_ahead_cost_nothing() {
    let (mut node, _) = started();
    let far = Round::new(11);
    assert_eq!(node.handle(voted(1, VoteKind::Prevote, far, None)), Ok(vec![]));
    assert_eq!(
        node.handle(voted(1, VoteKind::Prevote, Round::MAX, None)),
        Ok(vec![])
    );
    assert_ne!(
        node.handle(voted(1, VoteKind::Prevote, Round::new(10), None)),
        Ok(vec![])
    );
}

#[test]
fn messages_of_the_next_height_wait_and_later_ones_tell_that_we_are_behind() {
    let (mut node, _) = started();
    let block = header(TWO, R0, 1);
    let early = proposed(2, R0, None, &block);
    let effects = node.handle(from(2, early.clone())).unwrap();
    assert_eq!(
        effects,
        [Effect::Behind {
            member: member(2),
            height: TWO
        }]
    );
    assert_eq!(node.handle(from(2, early)), Ok(vec![]), "told once");

    let far = vote(3, VoteKind::Prevote, Height::new(90), R0, None);
    let effects = node.handle(from(3, Message::Vote(far))).unwrap();
    let height = Height::new(90);
    assert_eq!(
        effects,
        [Effect::Behind {
            member: member(3),
            height
        }]
    );
    let mut forged = vote(3, VoteKind::Prevote, Height::new(91), R0, None);
    forged.vote.round = R1;
    let effects = node.handle(from(3, Message::Vote(forged))).unwrap();
    assert_eq!(order(&effects), ["refused"]);

    let effects = node.start_height(TWO, validators(4), &[]).unwrap();
    assert_eq!(
        order(&effects),
        ["abandoned", "cancel all", "append", "want body"]
    );
}

#[test]
fn one_peer_cannot_fill_the_room_for_the_next_height() {
    let (mut node, _) = started();
    for round in 0..500 {
        let early = vote(2, VoteKind::Prevote, TWO, Round::new(round), None);
        node.handle(from(2, Message::Vote(early))).unwrap();
    }
    let effects = node.start_height(TWO, validators(4), &[]).unwrap();
    let logged = order(&effects).iter().filter(|name| **name == "append").count();
    assert_eq!(logged, 11, "rounds 0 to 10 of the 32 that were kept");
}

#[test]
fn a_peer_that_stays_behind_is_reported_after_a_grace() {
    let (mut node, _) = started();
    node.start_height(TWO, validators(4), &[]).unwrap();
    let late = |node: &mut Consensus| {
        let effects = node.handle(voted(3, VoteKind::Prevote, R0, None)).unwrap();
        order(&effects).len()
    };
    let reports: Vec<usize> = (0..8).map(|_| late(&mut node)).collect();
    assert_eq!(reports, [0, 0, 1, 0, 0, 0, 1, 0]);
}

#[test]
fn a_later_height_leaves_no_timers_and_keeps_the_evidence() {
    let (mut node, effects) = started();
    let old = timer(&effects, 1_000);
    let twice = [Some(id(&header(ONE, R0, 1))), None];
    for block in twice {
        node.handle(voted(2, VoteKind::Prevote, R0, block)).unwrap();
    }
    let effects = node.start_height(Height::new(7), validators(4), &[]).unwrap();
    assert_eq!(order(&effects)[..2], ["abandoned", "cancel all"]);
    let Some(Effect::Abandoned { height, evidence }) = effects.first() else {
        panic!("not abandoned first: {effects:?}");
    };
    assert_eq!((*height, evidence.len()), (ONE, 1));
    assert_eq!(evidence.first().map(|one| one.first.vote.member), Some(member(2)));
    assert_eq!(node.handle(Input::Timeout(old)), Ok(vec![]));
    assert_eq!(node.step(), Step::Propose);
}

#[test]
fn a_watcher_decides_but_logs_and_sends_nothing() {
    for number in [None, Some(6)] {
        let mut node = consensus(number);
        node.start_height(ONE, validators(4), &[]).unwrap();
        assert!(!node.is_validator());
        let block = header(ONE, R0, 1);
        let mut names = Vec::new();
        let mut inputs = vec![from(1, proposed(1, R0, None, &block)), judged(&block, true)];
        for kind in [VoteKind::Prevote, VoteKind::Precommit] {
            inputs.extend([1, 2, 3].map(|by| voted(by, kind, R0, Some(id(&block)))));
        }
        for input in inputs {
            names.extend(order(&node.handle(input).unwrap()));
        }
        assert_eq!(names, ["want body", "cancel all", "decided", "finalized"]);
    }
}

#[test]
fn a_restarted_validator_sends_its_recorded_vote_again_and_never_another() {
    let (mut node, effects) = started();
    let block = header(ONE, R0, 1);
    let mut log = log_of(&effects);
    for input in [from(1, proposed(1, R0, None, &block)), judged(&block, true)] {
        log.extend(log_of(&node.handle(input).unwrap()));
    }
    assert_eq!(log.len(), 3);

    let mut again = consensus(Some(0));
    let effects = again.start_height(ONE, validators(4), &log).unwrap();
    assert_eq!(order(&effects), ["cancel all", "prevote"]);
    assert_eq!(again.step(), Step::Prevote);
    assert!(effects.iter().any(|one| matches!(one, Effect::SetTimer { .. })));

    // The vote was not logged: it is signed, logged and made durable before it leaves.
    let mut again = consensus(Some(0));
    let effects = again.start_height(ONE, validators(4), &log[..2]).unwrap();
    assert_eq!(order(&effects), ["cancel all", "append", "flush", "prevote"]);

    // The proposal was not judged: its dealing is wanted again.
    let mut again = consensus(Some(0));
    let effects = again.start_height(ONE, validators(4), &log[..1]).unwrap();
    assert_eq!(order(&effects), ["cancel all", "want body"]);
}

#[test]
fn a_restarted_proposer_builds_anew_only_if_it_had_not_proposed() {
    let mut node = consensus(Some(1));
    node.start_height(ONE, validators(4), &[]).unwrap();
    let built = Input::Built {
        height: ONE,
        round: R0,
        header: header(ONE, R0, 1),
    };
    let log = log_of(&node.handle(built).unwrap());
    assert_eq!(log.len(), 3);
    for (length, builds) in [(0, true), (1, true), (2, false), (3, false)] {
        let mut again = consensus(Some(1));
        let effects = again.start_height(ONE, validators(4), &log[..length]).unwrap();
        assert_eq!(order(&effects).contains(&"build"), builds, "{length} entries");
    }
}

#[test]
fn another_signature_with_the_own_key_is_noticed_and_never_contradicted() {
    let (mut node, effects) = started();
    let propose = timer(&effects, 1_000);
    let block = header(ONE, R0, 1);
    let foreign = voted(0, VoteKind::Prevote, R0, Some(id(&block)));
    let effects = node.handle(foreign).unwrap();
    assert_eq!(order(&effects), ["key in use", "append"]);
    let fault = node.handle(Input::Timeout(propose));
    let expected = Fault::DoubleSign {
        what: "prevote",
        height: ONE,
        round: R0,
    };
    assert_eq!(fault, Err(expected));
    assert_eq!(node.handle(judged(&block, true)), Err(Fault::Halted));
}

#[test]
fn faults_halt_with_their_reason() {
    let run = |member: u16, height: Height, set: ValidatorSet, log: &[Vec<u8>]| {
        let mut node = consensus(Some(member));
        let fault = node.start_height(height, set.clone(), log).unwrap_err();
        assert_eq!(node.start_height(height, set, &[]), Err(Fault::Halted));
        fault
    };
    let (mut node, _) = started();
    let not_later = Fault::NotLater {
        asked: ONE,
        last: ONE,
    };
    assert_eq!(node.start_height(ONE, validators(4), &[]), Err(not_later));

    let empty: ValidatorSet = codec::decode(&[0], 1).unwrap();
    assert_eq!(run(0, ONE, empty, &[]), Fault::NoValidators(ONE));

    let mut stranger = Consensus::new(Config {
        chain: chain(),
        member: Some(member(0)),
        key: key(1),
        timeouts: timeouts(),
    });
    let wrong_key = Fault::WrongKey { member: member(0) };
    assert_eq!(stranger.start_height(ONE, validators(4), &[]), Err(wrong_key));

    let (mut node, _) = started();
    let log = log_of(&node.handle(voted(1, VoteKind::Prevote, R0, None)).unwrap());
    let mut next = consensus(Some(0));
    assert!(
        next.start_height(TWO, validators(4), &log).is_ok(),
        "entries of earlier heights are skipped"
    );
    let behind = run(0, Height::ZERO.next(), validators(4), &{
        let mut node = consensus(Some(0));
        node.start_height(TWO, validators(4), &[]).unwrap();
        let vote = vote(1, VoteKind::Prevote, TWO, R0, None);
        log_of(&node.handle(from(1, Message::Vote(vote))).unwrap())
    });
    assert_eq!(behind, Fault::LogAhead { log: TWO, asked: ONE });
    for broken in [vec![], vec![0xff; 40], log[0][..20].to_vec()] {
        let fault = run(0, ONE, validators(4), &[log[0].clone(), broken]);
        assert!(matches!(fault, Fault::Log { index: 1, .. }), "{fault}");
    }
}

#[test]
fn a_log_with_two_votes_of_a_kind_halts() {
    let mut log = Vec::new();
    for block in [None, Some(id(&header(ONE, R0, 1)))] {
        let (mut node, _) = started();
        log.extend(log_of(
            &node.handle(voted(0, VoteKind::Prevote, R0, block)).unwrap(),
        ));
    }
    let mut node = consensus(Some(0));
    let fault = node.start_height(ONE, validators(4), &log).unwrap_err();
    assert!(
        matches!(fault, Fault::DoubleSign { what: "prevote", .. }),
        "{fault}"
    );
}

#[test]
fn a_block_that_does_not_answer_the_question_halts() {
    let mut wrong = header(ONE, R0, 1);
    wrong.round = R1;
    let mut node = consensus(Some(1));
    node.start_height(ONE, validators(4), &[]).unwrap();
    let built = Input::Built {
        height: ONE,
        round: R0,
        header: wrong,
    };
    let fault = Fault::WrongBuild {
        height: ONE,
        round: R0,
    };
    assert_eq!(node.handle(built), Err(fault));
}

#[test]
fn proposers_take_turns() {
    let set = validators(4);
    let turn = |height: u64, round: u32| proposer(&set, Height::new(height), Round::new(round)).unwrap();
    assert_eq!([0, 1, 2, 3, 4].map(|round| turn(1, round).get()), [1, 2, 3, 0, 1]);
    assert_eq!(
        [0, 1, 2, 3, 4].map(|height| turn(height, 0).get()),
        [0, 1, 2, 3, 0]
    );
    assert!(set.get(turn(u64::MAX, u32::MAX)).is_some());
}
