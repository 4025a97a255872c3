use super::*;
use data_encoding::HEXLOWER;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use salus_types::{
    BlockId, CommitSignature, Gas, Hash, Sealing, SecretKey, Signature, Timestamp, Vote, VoteKind,
};

fn chain() -> ChainId {
    ChainId::new(Hash::new([9; 32]))
}

fn header() -> Header {
    Header {
        height: Height::new(300),
        round: Round::new(1),
        time: Timestamp::new(1_700_000_000_000),
        proposer: MemberId::new(2),
        parent: BlockId::new(Hash::new([1; 32])),
        validators: Hash::new([2; 32]),
        next_validators: Hash::new([3; 32]),
        sealing: Sealing {
            suite: 1,
            threshold: 2,
            slots: 8,
            body_length: 1_000,
            sealed_length: 516,
        },
        body_commitment: Hash::new([4; 32]),
        share_root: Hash::new([5; 32]),
        receipts_root: Hash::new([6; 32]),
        state_root: Hash::new([7; 32]),
        gas_used: Gas::new(70_000),
    }
}

fn entry(body: LogBody) -> LogEntry {
    LogEntry {
        version: VERSION,
        height: Height::new(300),
        body,
    }
}

fn entries() -> Vec<(LogBody, Expect)> {
    let key = SecretKey::from_seed(&[8; 32]);
    let vote = Vote {
        kind: VoteKind::Precommit,
        height: Height::new(300),
        round: Round::new(2),
        block: Some(BlockId::new(Hash::new([1; 32]))),
        member: MemberId::new(3),
    };
    let proposal = salus_types::Proposal {
        height: Height::new(300),
        round: Round::new(3),
        valid_round: Some(Round::new(1)),
        header: header(),
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
    let timeout = LogTimeout {
        step: LogStep::Prevote,
        round: Round::new(4),
    };
    let block = LogBlock {
        round: Round::new(1),
        valid_round: None,
        proposer: MemberId::new(2),
        header: header(),
        valid: true,
    };
    vec![
        (
            LogBody::Vote(vote.sign(&key, &chain())),
            expect![
                "01fb012c0001fb012c0201010101010101010101010101010101010101010101010101010101010101010103456dd19c3285a776534289da989274adc33d1098223058e6fd934edcc6668c10418a4173dd743206c9d5611b306bdb9e0f287d29cbda1445fb9c6453ddcade00"
            ],
        ),
        (
            LogBody::Proposal(proposal.sign(&key, &chain())),
            expect![
                "01fb012c01fb012c030101fb012c01fd0000018bcfe5680002010101010101010101010101010101010101010101010101010101010101010102020202020202020202020202020202020202020202020202020202020202020303030303030303030303030303030303030303030303030303030303030303010208fb03e8fb02040404040404040404040404040404040404040404040404040404040404040404050505050505050505050505050505050505050505050505050505050505050506060606060606060606060606060606060606060606060606060606060606060707070707070707070707070707070707070707070707070707070707070707fc000111700223f75c637cf70c2fa272d5296b83ff22b716d716be43090f2255207da5ff88f8afddea3ab859791a55bb70d241e50113350cbc59eec231acc3e39eab651f670f"
            ],
        ),
        (
            LogBody::Polka(polka),
            expect![
                "01fb012c02fb012c0201010101010101010101010101010101010101010101010101010101010101010101cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
            ],
        ),
        (LogBody::Timeout(timeout), expect!["01fb012c030104"]),
        (
            LogBody::Block(block),
            expect![
                "01fb012c04010002fb012c01fd0000018bcfe5680002010101010101010101010101010101010101010101010101010101010101010102020202020202020202020202020202020202020202020202020202020202020303030303030303030303030303030303030303030303030303030303030303010208fb03e8fb02040404040404040404040404040404040404040404040404040404040404040404050505050505050505050505050505050505050505050505050505050505050506060606060606060606060606060606060606060606060606060606060606060707070707070707070707070707070707070707070707070707070707070707fc0001117001"
            ],
        ),
    ]
}

#[test]
fn golden_entries() {
    for (body, expected) in entries() {
        let entry = entry(body);
        let bytes = entry.encode();
        expected.assert_eq(&HEXLOWER.encode(&bytes));
        assert_eq!(LogEntry::decode(&bytes), Ok(entry));
    }
}

#[test]
fn entries_come_back_from_the_core_as_they_were() {
    for (body, _) in entries() {
        let entry = entry(body);
        let back = LogEntry::from_core(entry.height, &entry.to_core(&chain()));
        assert_eq!(back, Some(entry));
    }
}

#[test]
fn inputs_that_replay_must_not_see_have_no_entry() {
    let rebroadcast = Timeout::rebroadcast(CoreRound::new(1));
    assert_eq!(
        LogEntry::from_core(Height::new(1), &CoreInput::TimeoutElapsed(rebroadcast)),
        None
    );
}

#[test]
fn an_entry_of_another_version_is_refused() {
    for (body, _) in entries() {
        let mut bytes = entry(body).encode();
        if let Some(version) = bytes.first_mut() {
            *version = 2;
        }
        assert_eq!(LogEntry::decode(&bytes), Err(DecodeError::Malformed));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(entry) = LogEntry::decode(&bytes) {
            prop_assert_eq!(entry.encode(), bytes);
        }
    }
}
