//! The bytes of messages: golden vectors, limits, and arbitrary input.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod sim;

use data_encoding::HEXLOWER;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use salus_consensus::{
    EvidenceError, Message, PolkaCertificate, RoundCertificate, RoundCertificateKind, RoundSignature,
    verify_double_vote,
};
use salus_types::codec::DecodeError;
use salus_types::{
    BlockId, CommitSignature, DoubleVote, Hash, Height, MemberId, Proposal, Round, Signature, SignedVote,
    Vote, VoteKind,
};
use sim::node::Node;
use sim::{Options, chain, key, validators};

fn vote(by: u16, block: Option<u8>) -> SignedVote {
    let vote = Vote {
        kind: VoteKind::Prevote,
        height: Height::new(300),
        round: Round::new(2),
        block: block.map(|byte| BlockId::new(Hash::new([byte; 32]))),
        member: MemberId::new(by),
    };
    vote.sign(&key(by), &chain())
}

fn messages() -> Vec<(Message, Expect)> {
    let header = Node::new(2).build(&Options::calm(0, 4, 1), Height::new(300), Round::new(2), 5);
    let proposal = Proposal {
        height: Height::new(300),
        round: Round::new(2),
        valid_round: None,
        header,
        proposer: MemberId::new(2),
    };
    let polka = PolkaCertificate {
        height: Height::new(300),
        round: Round::new(2),
        block: BlockId::new(Hash::new([1; 32])),
        signatures: vec![CommitSignature {
            member: MemberId::new(1),
            signature: Signature::new([0xcc; 64]),
        }],
    };
    let round = RoundCertificate {
        height: Height::new(300),
        round: Round::new(2),
        kind: RoundCertificateKind::Precommit,
        signatures: vec![RoundSignature {
            member: MemberId::new(1),
            kind: VoteKind::Precommit,
            block: None,
            signature: Signature::new([0xdd; 64]),
        }],
    };
    vec![
        (
            Message::Vote(vote(1, Some(1))),
            expect![
                "0000fb012c0201010101010101010101010101010101010101010101010101010101010101010101e83d14abc6b2864be9207ddfdcd465a9621276d5ff572ad9e500cde90dd0c96092fc22b7725538deddc14bd9c6bb909f0a0ed7d29d586be91a485c590d95a509"
            ],
        ),
        (
            Message::Proposal(Box::new(proposal.sign(&key(2), &chain()))),
            expect![
                "01fb012c0200fb012c02010200000000000000000000000000000000000000000000000000000000000000001946b8dfbc4ff4cd5e44031eda9f0086775f26bfddb10321d77dc03054e1e35e1946b8dfbc4ff4cd5e44031eda9f0086775f26bfddb10321d77dc03054e1e35e0102080111fa312525b02b03632f7da16613c802685685ff385c3e80100051058d1c705d76fa312525b02b03632f7da16613c802685685ff385c3e80100051058d1c705d76000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000002feb23b67c2d57a8cdb77fae7951fe0578d3bc1ee20c68b6b10e1ab46a9d9fa1f1d4e3f9d355c05ae42482287af2e7fa17cce4a00f2f61de3f4a8989b1f3e5f06"
            ],
        ),
        (
            Message::Polka(polka),
            expect![
                "02fb012c0201010101010101010101010101010101010101010101010101010101010101010101cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
            ],
        ),
        (
            Message::Round(round),
            expect![
                "03fb012c020101010100dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
            ],
        ),
    ]
}

#[test]
fn golden_messages() {
    for (message, expected) in messages() {
        let bytes = message.encode();
        expected.assert_eq(&HEXLOWER.encode(&bytes));
        assert_eq!(Message::decode(&bytes), Ok(message));
    }
}

#[test]
fn malformed_messages_are_refused_by_kind() {
    let too_long = vec![0; Message::LENGTH_MAX + 1];
    let limit = Message::LENGTH_MAX;
    let length = limit + 1;
    assert_eq!(
        Message::decode(&too_long),
        Err(DecodeError::TooLong { length, limit })
    );
    assert_eq!(Message::decode(&[]), Err(DecodeError::Malformed));
    assert_eq!(Message::decode(&[9]), Err(DecodeError::Malformed));
    for (message, _) in messages() {
        let mut bytes = message.encode();
        bytes.push(0);
        assert_eq!(Message::decode(&bytes), Err(DecodeError::NotCanonical));
        bytes.truncate(bytes.len() - 2);
        assert_eq!(Message::decode(&bytes), Err(DecodeError::Malformed));
    }
}

#[test]
fn the_largest_certificate_fits() {
    let signatures = (0..127).map(|number| RoundSignature {
        member: MemberId::new(u16::MAX - number),
        kind: VoteKind::Precommit,
        block: Some(BlockId::new(Hash::new([0xff; 32]))),
        signature: Signature::new([0xff; 64]),
    });
    let message = Message::Round(RoundCertificate {
        height: Height::MAX,
        round: Round::MAX,
        kind: RoundCertificateKind::Skip,
        signatures: signatures.collect(),
    });
    let bytes = message.encode();
    assert!(bytes.len() < 16 << 10);
    assert_eq!(Message::decode(&bytes), Ok(message));
}

#[test]
fn evidence_is_proof_or_says_what_is_missing() {
    let set = validators(4);
    let check = |first: SignedVote, second: SignedVote| {
        verify_double_vote(&DoubleVote { first, second }, &set, &chain())
    };
    assert_eq!(check(vote(1, Some(1)), vote(1, None)), Ok(()));
    assert_eq!(check(vote(1, Some(1)), vote(1, Some(2))), Ok(()));
    assert_eq!(
        check(vote(1, Some(1)), vote(1, Some(1))),
        Err(EvidenceError::SameVote)
    );
    assert_eq!(
        check(vote(1, Some(1)), vote(2, None)),
        Err(EvidenceError::NotComparable)
    );
    let stranger = MemberId::new(9);
    assert_eq!(
        check(vote(9, Some(1)), vote(9, None)),
        Err(EvidenceError::NotAValidator(stranger))
    );
    let mut other_round = vote(1, None).vote;
    other_round.round = Round::new(3);
    let other_round = other_round.sign(&key(1), &chain());
    assert_eq!(
        check(vote(1, Some(1)), other_round),
        Err(EvidenceError::NotComparable)
    );
    let mut forged = vote(1, None);
    forged.signature = vote(1, Some(1)).signature;
    let forger = MemberId::new(1);
    assert_eq!(
        check(vote(1, Some(1)), forged),
        Err(EvidenceError::BadSignature(forger))
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }

    #[test]
    fn a_changed_byte_never_reads_as_the_same_message(which in 0usize..4, at in any::<usize>(), flip in 1u8..) {
        let (message, _) = messages().swap_remove(which);
        let mut bytes = message.encode();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        prop_assert_ne!(Message::decode(&bytes), Ok(message));
    }
}
