//! Golden vectors: the bytes of everything that is signed, hashed, sent or stored. A change here breaks every
//! running network; it needs a new version byte, not a new vector. Regenerate with `UPDATE_EXPECT=1` only before a release.

use data_encoding::HEXLOWER;
use expect_test::{Expect, expect};
use salus_types::abi::access::{RegisterRule, RuleScope};
use salus_types::abi::domain::Tag;
use salus_types::codec::{self, Decode, DecodeError, Encode};
use salus_types::state::{ProvenEntry, ReadSet, ScanStep, StateKey, StateProof};
use salus_types::*;

fn chain() -> ChainId {
    ChainId::new(Hash::of_content(b"golden"))
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// The value has exactly these bytes, and these bytes are read back as the same value.
fn golden<T: Encode + Decode<()> + PartialEq + std::fmt::Debug>(value: &T, expected: Expect) {
    let bytes = codec::encode(value);
    expected.assert_eq(&HEXLOWER.encode(&bytes));
    assert_eq!(codec::decode::<T>(&bytes, 1 << 20).as_ref(), Ok(value));
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(codec::decode::<T>(&longer, 1 << 20).is_err(), "bytes left over");
    assert!(
        codec::decode::<T>(&bytes[..bytes.len() - 1], 1 << 20).is_err(),
        "bytes missing"
    );
}

fn header() -> Header {
    Header {
        height: Height::new(300),
        round: Round::new(1),
        time: Timestamp::new(1_767_225_600_000),
        proposer: MemberId::new(2),
        parent: BlockId::new(Hash::of_content(b"parent")),
        validators: Hash::of_content(b"validators"),
        next_validators: Hash::of_content(b"next"),
        sealing: Sealing {
            suite: 1,
            threshold: 2,
            slots: 8,
            body_length: 70_000,
            sealed_length: 60_000,
        },
        body_commitment: Hash::of_content(b"body"),
        share_root: Hash::of_content(b"shares"),
        receipts_root: Hash::of_content(b"receipts"),
        state_root: Hash::of_content(b"state"),
        gas_used: Gas::new(123_456),
    }
}

fn payload() -> TransactionPayload {
    TransactionPayload {
        sender: PrincipalId::new(7),
        sequence: Sequence::new(41),
        expires: Height::new(1_000),
        gas_limit: Gas::new(100_000),
        call: Call::Contract {
            contract: ContractId::ACCESS,
            entry: 3,
            input: vec![5, 0, 0, 0],
        },
    }
}

fn vote() -> Vote {
    Vote {
        kind: VoteKind::Precommit,
        height: Height::new(300),
        round: Round::new(1),
        block: Some(header().id(&chain())),
        member: MemberId::new(3),
    }
}

#[test]
fn transactions() {
    let transaction = payload().sign(&key(1), &chain());
    golden(
        &transaction,
        expect![
            "0729fb03e8fc000186a00002030405000000e747cceb6877c97f154b1fe53a38f8aaceab48d226ac1c523c97d400d786b2149924b13bddca9d7a591ab8510bfb4c97a9dde07cef9d1ba035befa83c00cf20e"
        ],
    );
    expect!["11924a2f32ad1db6e0d57dfe5e6f8c0fc44a649972f2afc613bbc24f06337a19"]
        .assert_eq(&payload().id(&chain()).to_string());
    let verified = transaction.clone().verify(&chain(), &key(1).public()).unwrap();
    assert_eq!(verified.id(), payload().id(&chain()));
    assert_eq!(verified.encoded_length(), codec::encode(&transaction).len());
}

#[test]
fn headers() {
    golden(
        &header(),
        expect![
            "fb012c01fd0000019b76daa80002ebdea6058df2230dc25b7a7c7b487b470c508c2e0a5119c96893c443de3a9e79e2f53520d489473193a88b827910c3258540fcf54248dd327b9c5dd948308213a95abbef973560e640f0f4fb592fd8b0b04ff19b6ded7503ddfc31c737f15868010208fc00011170fbea600be9c598ae63835518e7fb422dc3027f452d75f3dbdb94c90d843298b1180ad91cb5bb3d80b968d95576f1d1b370edda31196fe9ba42b3be2de0d0de05cda01b128724a9ed14c079db448fdf57694fad59449b4710c9f08e9870075fae94ff28456cf7f1bcf2d3dc53ec88b93f05b0053490b07906a459b9a7447744bf3bae82fc0001e240"
        ],
    );
    expect!["037aa3cc61b8213e911559c8dc40794be411f35c8f2fe5ec687b43e471f21028"]
        .assert_eq(&header().id(&chain()).to_string());
}

#[test]
fn votes_proposals_and_certificates() {
    let signed = vote().sign(&key(3), &chain());
    golden(
        &signed,
        expect![
            "01fb012c0101037aa3cc61b8213e911559c8dc40794be411f35c8f2fe5ec687b43e471f2102803f5cc65bd3f64e12a451f2e519eb08a475945d9c3617e99a80d8f4bbe1f8d195189acbb2f27b2a5ad1ae5cf17a8710712bb7eb62dde98330debfdbdba96092e01"
        ],
    );
    let proposal = Proposal {
        height: Height::new(300),
        round: Round::new(1),
        valid_round: None,
        header: header(),
        proposer: MemberId::new(2),
    };
    expect!["fb012c0100037aa3cc61b8213e911559c8dc40794be411f35c8f2fe5ec687b43e471f2102802"]
        .assert_eq(&HEXLOWER.encode(&proposal.signed_bytes(&chain())));
    let certificate = CommitCertificate {
        height: Height::new(300),
        round: Round::new(1),
        block: header().id(&chain()),
        signatures: vec![CommitSignature {
            member: MemberId::new(3),
            signature: signed.signature,
        }],
    };
    golden(
        &certificate,
        expect![
            "fb012c01037aa3cc61b8213e911559c8dc40794be411f35c8f2fe5ec687b43e471f210280103f5cc65bd3f64e12a451f2e519eb08a475945d9c3617e99a80d8f4bbe1f8d195189acbb2f27b2a5ad1ae5cf17a8710712bb7eb62dde98330debfdbdba96092e01"
        ],
    );
}

#[test]
fn receipts_and_shares() {
    let receipt = Receipt {
        status: Status::Aborted { code: 4 },
        gas_used: Gas::new(9_000),
        output: vec![1, 2],
        events: vec![Event {
            contract: ContractId::ACCESS,
            data: vec![9],
        }],
    };
    golden(&receipt, expect!["0104fb232802010201020109"]);
    let share = SealedShare {
        height: Height::new(300),
        slot: Slot::new(2),
        key_share: [3; KEY_SHARE_LENGTH],
        path: vec![Hash::of_content(b"sibling")],
        fragment: vec![0xAB; 4],
    };
    golden(
        &share,
        expect![
            "fb012c0203030303030303030303030303030303030303030303030303030303030303030301208883bee0c0a582376878d6abe22cc34b93dc1246c8320c44e8df58a232c0df04abababab"
        ],
    );
}

#[test]
fn share_receipts() {
    let block = |n: u8| BlockId::new(Hash::new([n; 32]));
    let set = |n: u8| {
        let validator = |member: u8| Validator {
            member: MemberId::new(u16::from(member)),
            key: key(member).public(),
            slot: Slot::new(u16::from(member)),
        };
        ValidatorSet::new((0..n).map(validator).collect()).unwrap()
    };
    let me = MemberId::new(1);
    let receipt = ShareReceipt::sign(me, vec![block(2), block(3)], &key(1), &chain());
    golden(
        &receipt,
        expect![
            "010202020202020202020202020202020202020202020202020202020202020202020303030303030303030303030303030303030303030303030303030303030303306e727c218d05181d4453b1567f87fe6a9cd07bb0215967ddb881bb7b9944ecf00821dc99b7d8c49aef0a24247e516d076d27022f3ec9a48e57ecd4cdc7980b"
        ],
    );
    assert_eq!(receipt.verify(&set(4), &chain()), Ok(()));

    let changed = |change: fn(&mut ShareReceipt)| {
        let mut changed = receipt.clone();
        change(&mut changed);
        changed.verify(&set(4), &chain()).unwrap_err()
    };
    assert!(matches!(
        changed(|receipt| receipt.blocks.swap(0, 1)),
        ShareReceiptError::Signature(_)
    ));
    assert!(matches!(
        changed(|receipt| receipt.member = MemberId::new(2)),
        ShareReceiptError::Signature(_)
    ));
    assert_eq!(
        changed(|receipt| receipt.member = MemberId::new(9)),
        ShareReceiptError::UnknownMember(MemberId::new(9))
    );
    for found in [0, ShareReceipt::BLOCKS_MAX + 1] {
        let receipt = ShareReceipt::sign(me, vec![block(2); found], &key(1), &chain());
        assert_eq!(
            receipt.verify(&set(4), &chain()),
            Err(ShareReceiptError::Count { found })
        );
    }

    // n, f: what a certificate proves, the largest k, receipts for it.
    let numbers = |n: u8| {
        let set = set(n);
        let most = u16::try_from(set.threshold_max()).unwrap();
        (set.threshold(), most, set.receipts_needed(most))
    };
    assert_eq!(
        [1, 4, 7, 10, 13, 31].map(numbers),
        [
            (1, 1, 1),
            (2, 2, 3),
            (3, 4, 6),
            (4, 5, 8),
            (5, 7, 11),
            (11, 16, 26)
        ]
    );
    assert!(set(7).certificate_suffices(3) && !set(7).certificate_suffices(4));
}

#[test]
fn state_keys_and_validator_sets() {
    let key_bytes = state::StateKey::new(ContractId::REGISTRY, b"p");
    expect!["0000000170"].assert_eq(&HEXLOWER.encode(key_bytes.as_bytes()));
    let validator = |member: u8| Validator {
        member: MemberId::new(u16::from(member)),
        key: key(member).public(),
        slot: Slot::new(u16::from(member)),
    };
    let set = ValidatorSet::new(vec![validator(1), validator(0)]).unwrap();
    expect!["52c76a19c0fbc927d7ffafbe1b55ae0bb4418282a30004d4d65f50e5699d971e"]
        .assert_eq(&set.hash(&chain()).to_string());
}

#[test]
fn one_value_has_one_encoding() {
    // 251 announces a 16-bit integer: 7 must not be spelt that way.
    let spelt_long = [251, 0, 7];
    assert_eq!(
        codec::decode::<u64>(&spelt_long, 16),
        Err(DecodeError::NotCanonical)
    );
    assert_eq!(codec::decode::<u64>(&[7], 16), Ok(7));
    assert_eq!(
        codec::decode::<u64>(&[7; 17], 16),
        Err(DecodeError::TooLong {
            length: 17,
            limit: 16
        })
    );
    // A length prefix alone must not allocate: four gigabytes announced, nothing behind.
    assert_eq!(
        codec::decode::<Vec<u8>>(&[252, 255, 255, 255, 255], 16),
        Err(DecodeError::Malformed)
    );
}

#[test]
fn signatures_follow_the_strict_rule() {
    let (secret, chain) = (key(1), chain());
    let good = secret.sign(Tag::VOTE, &chain, b"payload");
    assert!(
        secret
            .public()
            .verify(Tag::VOTE, &chain, b"payload", &good)
            .is_ok()
    );
    let other_chain = ChainId::new(Hash::of_content(b"other"));
    assert!(
        secret
            .public()
            .verify(Tag::VOTE, &other_chain, b"payload", &good)
            .is_err(),
        "another network"
    );
    assert!(
        secret
            .public()
            .verify(Tag::PROPOSAL, &chain, b"payload", &good)
            .is_err(),
        "another kind of thing"
    );
    // Malleability: S + L is the same signature to a lax verifier (RFC 8032, section 8.4).
    let order = HEXLOWER
        .decode(b"edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        .unwrap();
    let mut malleated = *good.as_bytes();
    let mut carry = 0u16;
    for (byte, add) in malleated[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert!(
        secret
            .public()
            .verify(Tag::VOTE, &chain, b"payload", &Signature::new(malleated))
            .is_err()
    );
    // The identity point as a key verifies anything without the strict rule.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut forged = [0; 64];
    forged[0] = 1;
    assert!(
        PublicKey::new(identity)
            .verify(Tag::VOTE, &chain, b"payload", &Signature::new(forged))
            .is_err()
    );
}

#[test]
fn certificates_need_a_quorum_of_distinct_validators() {
    let validator = |member: u8| Validator {
        member: MemberId::new(u16::from(member)),
        key: key(member).public(),
        slot: Slot::new(u16::from(member)),
    };
    let set = ValidatorSet::new((0..4).map(validator).collect()).unwrap();
    let precommit = |member: u8| {
        let vote = Vote {
            member: MemberId::new(u16::from(member)),
            ..vote()
        };
        CommitSignature {
            member: vote.member,
            signature: vote.sign(&key(member), &chain()).signature,
        }
    };
    let certificate = |signatures| CommitCertificate {
        height: Height::new(300),
        round: Round::new(1),
        block: header().id(&chain()),
        signatures,
    };
    let verify = |signatures| certificate(signatures).verify(&set, &chain());
    assert_eq!(verify((0..3).map(precommit).collect()), Ok(()));
    assert_eq!(
        verify((0..2).map(precommit).collect()),
        Err(CertificateError::NoQuorum {
            signers: 2,
            quorum: 3
        })
    );
    assert_eq!(
        verify(vec![precommit(0), precommit(1), precommit(1)]),
        Err(CertificateError::NotSorted)
    );
    assert_eq!(
        verify(vec![precommit(0), precommit(1), precommit(9)]),
        Err(CertificateError::NotAValidator(MemberId::new(9)))
    );
    let mut swapped = vec![precommit(0), precommit(1), precommit(2)];
    swapped[2].signature = swapped[1].signature;
    assert_eq!(
        verify(swapped),
        Err(CertificateError::BadSignature(MemberId::new(2)))
    );
}

#[test]
fn share_statements_and_what_they_prove() {
    let share = SealedShare {
        height: Height::new(300),
        slot: Slot::new(2),
        key_share: [3; 33],
        path: vec![Hash::of_content(b"sibling")],
        fragment: vec![1, 2, 3],
    };
    let block = BlockId::new(Hash::of_content(b"block"));
    let root = Hash::of_content(b"root");
    let statement = ShareStatement::of(&share, Height::new(300), block, root, MemberId::new(4));
    let signature = statement.sign(&key(3), &chain());
    assert_eq!(statement.verify(&key(3).public(), &chain(), &signature), Ok(()));
    assert!(statement.verify(&key(2).public(), &chain(), &signature).is_err());
    golden(
        &SignedShare { share, signature },
        expect![
            "fb012c0203030303030303030303030303030303030303030303030303030303030303030301208883bee0c0a582376878d6abe22cc34b93dc1246c8320c44e8df58a232c0df0301020337091f783a063b2b44dd0d284a633c685a13e59e661cfb20b6d810af7a712c793b7c065d90796237c43b7681e6c696c69b283da70bbbbca34e8251109cf4030e"
        ],
    );
    let evidence = Evidence::WrongShare(WrongShare { statement, signature });
    let facts = (evidence.member(), evidence.height(), evidence.kind());
    assert_eq!(facts, (MemberId::new(4), Height::new(300), FaultKind::WrongShare));
    golden(
        &evidence,
        expect![
            "01fb012ca98489a784bbc2177d6cb7324cc042f52f9d5104a6b675e4409b5f227dc6853092a2b787a06d7272df43eaf87acc3b9c1d315d79d599d61c285983483e4319980402b177ec1bf26dfb3b7010d473e6d44713b29b765b99c6e60ecbfae742de4965432d1cc4a6bdeac90e587257521cd145277da9246f465b3eb5530465c5c78ff02801208883bee0c0a582376878d6abe22cc34b93dc1246c8320c44e8df58a232c0df37091f783a063b2b44dd0d284a633c685a13e59e661cfb20b6d810af7a712c793b7c065d90796237c43b7681e6c696c69b283da70bbbbca34e8251109cf4030e"
        ],
    );
}

#[test]
fn a_wish_to_open_blocks_is_for_one_member_for_a_moment() {
    let request = OpenRequest {
        principal: PrincipalId::new(7),
        from: Height::new(300),
        to: Height::new(310),
        recipient: MemberId::new(2),
        expires: Timestamp::new(1_000_000),
    };
    let signed = request.sign(&key(1), &chain());
    golden(
        &signed,
        expect![
            "07fb012cfb013602fc000f4240fee08bc7b42947d960ac9cc5560afeaebc6565a33fb06cc47be62ed0c4c1f0894ae58a769857b7544269d9511701346bc0d4010598c059dc19130794d4182c06"
        ],
    );
    let verify = |height, member, now| {
        signed.verify(
            &chain(),
            &key(1).public(),
            Height::new(height),
            MemberId::new(member),
            Timestamp::new(now),
        )
    };
    assert_eq!(verify(300, 2, 900_000), Ok(()));
    assert_eq!(verify(310, 2, 999_999), Ok(()));
    assert_eq!(verify(310, 2, 1_000_000), Err(OpenRequestError::Stale));
    assert_eq!(verify(310, 2, 879_999), Err(OpenRequestError::Stale), "too long");
    assert_eq!(verify(311, 2, 900_000), Err(OpenRequestError::OtherBlock));
    assert_eq!(verify(299, 2, 900_000), Err(OpenRequestError::OtherBlock));
    assert_eq!(verify(300, 1, 900_000), Err(OpenRequestError::OtherRecipient));
    let mut wider = signed;
    wider.request.to = Height::new(400);
    let forged = wider.verify(
        &chain(),
        &key(1).public(),
        Height::new(400),
        MemberId::new(2),
        Timestamp::new(900_000),
    );
    assert_eq!(forged, Err(OpenRequestError::BadSignature));
}

#[test]
fn bodies_with_evidence() {
    let other = Vote {
        block: None,
        ..vote()
    };
    let votes = DoubleVote {
        first: vote().sign(&key(3), &chain()),
        second: other.sign(&key(3), &chain()),
    };
    let certificate = CommitCertificate {
        height: Height::new(299),
        round: Round::ZERO,
        block: BlockId::new(Hash::of_content(b"parent")),
        signatures: Vec::new(),
    };
    let receipt = Receipt {
        status: Status::Success,
        gas_used: Gas::new(7),
        output: Vec::new(),
        events: Vec::new(),
    };
    let reseal = ShareCommitment {
        dealt_at: Height::new(400),
        ..ShareCommitment::from(&header())
    };
    golden(
        &reseal,
        expect![
            "fb012cfb01900102010208fc00011170fbea600be9c598ae63835518e7fb422dc3027f452d75f3dbdb94c90d843298b1180ad91cb5bb3d80b968d95576f1d1b370edda31196fe9ba42b3be2de0d0de05cda01b"
        ],
    );
    let body = Body {
        transactions: vec![payload().sign(&key(1), &chain())],
        receipts: vec![receipt],
        evidence: vec![Evidence::DoubleVote(votes)],
        parent_certificate: Some(certificate),
        reseals: vec![reseal],
    };
    golden(
        &body,
        expect![
            "010729fb03e8fc000186a00002030405000000e747cceb6877c97f154b1fe53a38f8aaceab48d226ac1c523c97d400d786b2149924b13bddca9d7a591ab8510bfb4c97a9dde07cef9d1ba035befa83c00cf20e0100070000010001fb012c0101037aa3cc61b8213e911559c8dc40794be411f35c8f2fe5ec687b43e471f2102803f5cc65bd3f64e12a451f2e519eb08a475945d9c3617e99a80d8f4bbe1f8d195189acbb2f27b2a5ad1ae5cf17a8710712bb7eb62dde98330debfdbdba96092e0101fb012c0100039249613c86b6c2822275e4aab5e3d7afb895d62859cf6f1f8d0a85b52e2bb1d35d9af92b4bb32ca2b38023eb0662d5c86ecc6eaee80806adeb141543cda7f10101fb012b00ebdea6058df2230dc25b7a7c7b487b470c508c2e0a5119c96893c443de3a9e790001fb012cfb01900102010208fc00011170fbea600be9c598ae63835518e7fb422dc3027f452d75f3dbdb94c90d843298b1180ad91cb5bb3d80b968d95576f1d1b370edda31196fe9ba42b3be2de0d0de05cda01b"
        ],
    );
    assert_eq!(Body::decode(&codec::encode(&body)), Ok(body.clone()));
    let short = Body {
        receipts: Vec::new(),
        ..body
    };
    let refused = BodyError::ReceiptCount {
        transactions: 1,
        receipts: 0,
    };
    assert_eq!(Body::decode(&codec::encode(&short)), Err(refused));
}

#[test]
fn members_and_system_calls() {
    let member = Member {
        id: MemberId::new(2),
        name: "Cedar".into(),
        consensus_key: key(1).public(),
        network_key: key(2).public(),
        release_key: [9; 32],
        slot: Slot::new(2),
        addresses: vec!["/ip4/192.0.2.7/tcp/8600".into()],
    };
    golden(
        &member,
        expect![
            "020543656461728a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39409090909090909090909090909090909090909090909090909090909090909090201172f6970342f3139322e302e322e372f7463702f38363030"
        ],
    );
    let call = Call::System(SystemCall::SetAddresses {
        member: MemberId::new(2),
        addresses: member.addresses,
    });
    golden(
        &call,
        expect!["01000201172f6970342f3139322e302e322e372f7463702f38363030"],
    );
    let (from, to) = (Height::new(1), Height::new(300));
    golden(
        &Call::System(SystemCall::StartReseal { from, to }),
        expect!["010101fb012c"],
    );
    golden(&Call::System(SystemCall::StopReseal), expect!["0102"]);
    let (next, since) = (Height::new(7), Height::new(301));
    let job = ResealJob {
        from,
        to,
        next,
        since,
    };
    golden(&job, expect!["01fb012c07fb012d"]);
}

#[test]
fn changes_of_members() {
    let keys = MemberKeys {
        consensus: key(1).public(),
        network: key(2).public(),
        release: [9; 32],
    };
    let admin = AdminKeys {
        signing: key(3).public(),
        encryption: [8; 32],
    };
    let proof = keys.prove("Cedar", Some(&admin), (&key(1), &key(2)), &chain());
    let card = MemberCard {
        name: "Cedar".into(),
        keys,
        admin,
        addresses: vec!["/dns4/a/tcp/1".into()],
        proof,
    };
    assert_eq!(card.check(&chain()), Ok(()));
    golden(
        &card,
        expect![
            "0543656461728a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3940909090909090909090909090909090909090909090909090909090909090909ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d10808080808080808080808080808080808080808080808080808080808080808010d2f646e73342f612f7463702f31f5573fac202e245c4131e02d7ccc5cf37d52c229ec56ae902bfb1f0be162b72bed1c07740e175c0e34f0879117055cd210b845bc934488c9876c774c73c22406ebb3b941aa6edfe83106ae6d3bc223028553092ad6a68ecbaa17f150ea65d9fd7ca944aafdf4d3dbf9d0b418cb0adcdeb963b23e2b209659d7e7474d01106807"
        ],
    );
    let call = |call| Call::System(call);
    let remove = call(SystemCall::Propose {
        change: Change::Member(MemberChange::Remove(MemberId::new(3))),
        expires: Height::new(1_000),
    });
    golden(&remove, expect!["0103000103fb03e8"]);
    let vote = call(SystemCall::Vote {
        proposal: ProposalId::new(5),
        approve: true,
    });
    golden(&vote, expect!["01040501"]);
    let proof = keys.prove("Cedar", None, (&key(1), &key(2)), &chain());
    golden(
        &call(SystemCall::RotateMemberKeys {
            keys: Box::new(keys),
            proof: Box::new(proof),
        }),
        expect![
            "01058a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3940909090909090909090909090909090909090909090909090909090909090909c2867f7ac8a3284e01e78084ab1c3da33118733f0af7e7c01cf9090013de07db04f5336263d6cd6b0cc6269d4f27a9aa7b66dd9588fb108590a63fcb9e54480db58481cc4e66c8775cb651589bffbfbcd54e08be301525a9fced1adca234ffdda953ee4cdab1e94abdfdb17df1f351f47151dbb92dc5fef68e29112039b4ed02"
        ],
    );
    let proposal = ChangeProposal {
        id: ProposalId::new(5),
        proposer: MemberId::new(1),
        change: Change::Member(MemberChange::Remove(MemberId::new(3))),
        expires: Height::new(1_000),
        approvals: vec![MemberId::new(1), MemberId::new(2)],
        ready: None,
    };
    golden(&proposal, expect!["0501000103fb03e802010200"]);
    let outcome = ProposalOutcome {
        proposal: ProposalId::new(5),
        approvals: 3,
        needed: 3,
        passed: Some(PassedChange::Added {
            member: MemberId::new(4),
            admin: PrincipalId::new(12),
        }),
    };
    golden(&outcome, expect!["0503030100040c"]);
}

#[test]
fn changes_of_contracts() {
    let hash = |byte| Hash::new([byte; 32]);
    let code = CodeHashes {
        wasm: hash(1),
        schema: Some(hash(2)),
        manifest: hash(3),
    };
    let contract = ContractId::new(7);
    let changes = [
        ContractChange::Approve(code),
        ContractChange::Migrate {
            contract,
            code: CodeHashes { schema: None, ..code },
            state_version: 2,
            argument: vec![9],
        },
        ContractChange::Freeze(contract),
        ContractChange::Unfreeze(contract),
        ContractChange::RegisterRule(RegisterRule {
            scope: RuleScope::Everywhere,
            rule: contract,
            remove: false,
        }),
    ];
    let changes = changes.map(|change| {
        Call::System(SystemCall::Propose {
            change: Change::Contract(change),
            expires: Height::new(1_000),
        })
    });
    golden(
        &changes,
        expect![
            "0103010001010101010101010101010101010101010101010101010101010101010101010102020202020202020202020202020202020202020202020202020202020202020303030303030303030303030303030303030303030303030303030303030303fb03e801030101070101010101010101010101010101010101010101010101010101010101010101000303030303030303030303030303030303030303030303030303030303030303020109fb03e80103010207fb03e80103010307fb03e801030104020700fb03e8"
        ],
    );
    let calls = [
        ContractCall::StoreCode(CodePart {
            code_hash: hash(1),
            length: 61_441,
            part: 1,
            bytes: vec![8],
        }),
        ContractCall::Instantiate {
            code_hash: hash(1),
            argument: vec![9],
        },
        ContractCall::Enact {
            proposal: ProposalId::new(5),
        },
    ];
    golden(
        &calls.map(|call| Call::System(SystemCall::Contract(call))),
        expect![
            "0106000101010101010101010101010101010101010101010101010101010101010101fbf0010101080106010101010101010101010101010101010101010101010101010101010101010101010901060205"
        ],
    );
    let outcome = |passed| ProposalOutcome {
        proposal: ProposalId::new(5),
        approvals: 3,
        needed: 3,
        passed: Some(passed),
    };
    let from = Timestamp::new(1_000);
    let outcomes = [
        PassedChange::Waits { from },
        PassedChange::Frozen { contract },
        PassedChange::Unfrozen { contract },
    ];
    golden(
        &outcomes.map(outcome),
        expect!["0503030102fb03e8050303010307050303010407"],
    );
}

#[test]
fn what_the_state_keeps_of_contracts() {
    let hash = |byte| Hash::new([byte; 32]);
    let info = ContractInfo {
        code_hash: hash(1),
        code_length: 1_000,
        state_version: 2,
        frozen: true,
        founder: Some(MemberId::new(3)),
    };
    golden(
        &info,
        expect!["0101010101010101010101010101010101010101010101010101010101010101fb03e802010103"],
    );
    let origins = [
        CodeOrigin::Genesis,
        CodeOrigin::Stored(MemberId::new(3)),
        CodeOrigin::Approved {
            height: Height::new(9),
            manifest: hash(4),
        },
    ];
    let stored = origins.map(|origin| StoredCode {
        length: 1_000,
        schema: Some(hash(2)),
        origin,
    });
    golden(
        &stored,
        expect![
            "fb03e801020202020202020202020202020202020202020202020202020202020202020200fb03e80102020202020202020202020202020202020202020202020202020202020202020103fb03e801020202020202020202020202020202020202020202020202020202020202020202090404040404040404040404040404040404040404040404040404040404040404"
        ],
    );
    let upload = CodeUpload {
        length: 61_441,
        received: 61_440,
        expires: Timestamp::new(1_000),
    };
    golden(&upload, expect!["fbf001fbf000fb03e8"]);
    golden(
        &ContractParams::default(),
        expect!["02030103fc05265c00fc0036ee80"],
    );
}

#[test]
fn what_a_question_read() {
    let key = StateKey::new(ContractId::ACCESS, b"n");
    let proof = StateProof::new(&key.path(), &[], None);
    let reads = ReadSet {
        entries: vec![ProvenEntry {
            key,
            value: None,
            proof,
        }],
        scans: vec![ScanStep {
            prefix: vec![1],
            after: Vec::new(),
            found: None,
        }],
    };
    golden(&reads, expect!["0105000000026e000000000101010000"]);
}

#[test]
fn events_about_contracts() {
    let (proposal, contract, member) = (ProposalId::new(5), ContractId::new(7), MemberId::new(3));
    let code_hash = Hash::new([1; 32]);
    let register = RegisterRule {
        scope: RuleScope::Organisation(member),
        rule: contract,
        remove: true,
    };
    let enacted = |change| ContractEvent::Enacted { proposal, change };
    let events = [
        ContractEvent::CodeStored { code_hash, member },
        ContractEvent::Proposed { proposal, member },
        ContractEvent::Passed {
            proposal,
            from: Timestamp::new(1_000),
        },
        ContractEvent::Withdrawn { proposal },
        enacted(EnactedChange::Approved { code_hash }),
        enacted(EnactedChange::Migrated {
            contract,
            state_version: 2,
        }),
        enacted(EnactedChange::RuleRegistered(register)),
        ContractEvent::Instantiated {
            contract,
            code_hash,
            member,
        },
        ContractEvent::Frozen { contract },
        ContractEvent::Unfrozen { contract },
    ];
    golden(
        &events,
        expect![
            "000101010101010101010101010101010101010101010101010101010101010101030105030205fb03e803050405000101010101010101010101010101010101010101010101010101010101010101040501070204050200030701050701010101010101010101010101010101010101010101010101010101010101010306070707"
        ],
    );
}

/// What the two founding contracts keep in the state and say in events.
mod contracts {
    use super::*;
    use salus_types::abi::access::*;
    use salus_types::abi::registry::{self, PatientAddress, Principal, Role};

    #[test]
    fn principals() {
        let principal = Principal {
            signing_key: [1; 32],
            encryption_key: [2; 32],
            role: Role::Patient,
            organisation: MemberId::new(3),
            status: registry::Status::Active,
            address: Some(PatientAddress {
                area: 310,
                pid: [4; 16],
            }),
            attributes: vec![(7, vec![8])],
        };
        golden(
            &principal,
            expect![
                "0101010101010101010101010101010101010101010101010101010101010101020202020202020202020202020202020202020202020202020202020202020200030001fb01360404040404040404040404040404040401070108"
            ],
        );
        expect!["700000012c"].assert_eq(&HEXLOWER.encode(&registry::principal_key(PrincipalId::new(300))));
    }

    #[test]
    fn records_grants_and_tickets() {
        let record = Record {
            digest: [1; 32],
            root: [2; 32],
            threshold: 2,
            pieces: 4,
            size_bucket: 70,
            class: RecordClass::Imaging,
            author: PrincipalId::new(14),
            time_ms: 1_767_225_600_000,
        };
        golden(
            &record,
            expect![
                "01010101010101010101010101010101010101010101010101010101010101010202020202020202020202020202020202020202020202020202020202020202020446020efd0000019b76daa800"
            ],
        );
        let purposes = Purposes::of(&[Purpose::Treatment, Purpose::Research]);
        let grant = Grant {
            scope: Scope::Class(RecordClass::Imaging),
            purposes,
            until_ms: 1_767_225_600_000,
        };
        golden(&grant, expect!["010205fd0000019b76daa800"]);
        golden(
            &Ticket {
                purpose: Purpose::Treatment,
                until_ms: 1_767_225_600_000,
            },
            expect!["00fd0000019b76daa800"],
        );
        golden(
            &LogHead {
                count: 3,
                head: [5; 32],
            },
            expect!["030505050505050505050505050505050505050505050505050505050505050505"],
        );
    }

    #[test]
    fn events() {
        let (patient, doctor) = (PrincipalId::new(13), PrincipalId::new(14));
        let standing = Standing::Penalised {
            until_ms: 1_767_225_600_000,
            level: 1,
        };
        let entry = LogEntry {
            patient,
            index: 4,
            record: RecordNumber::new(2),
            requester: doctor,
            purpose: Purpose::EmergencyTreatment,
            emergency: true,
            decision: Decision::Deny {
                reason: reason::NO_GRANT,
                standing,
            },
            height: 300,
        };
        golden(
            &AccessEvent::Access(entry),
            expect!["000d04020e0101012002fd0000019b76daa80001fb012c"],
        );
        let id = RecordId {
            patient,
            record: RecordNumber::new(2),
        };
        golden(&AccessEvent::RecordAdded(id), expect!["010d02"]);
        let grant = Grant {
            scope: Scope::All,
            purposes: Purposes::default(),
            until_ms: 1,
        };
        let entry = GrantEntry {
            grantee: doctor,
            number: 1,
            grant,
        };
        golden(
            &AccessEvent::Granted { patient, entry },
            expect!["020d0e01020001"],
        );
        golden(
            &AccessEvent::Revoked {
                patient,
                grantee: doctor,
                number: None,
            },
            expect!["030d0e00"],
        );
        golden(
            &AccessEvent::Penalised {
                principal: doctor,
                standing,
            },
            expect!["040e02fd0000019b76daa80001"],
        );
        golden(
            &AccessEvent::Lifted {
                principal: doctor,
                by: patient,
            },
            expect!["050e0d"],
        );
        let ticket = OpenTicket {
            from: 7,
            to: 300,
            purpose: Purpose::Operations,
            own_log_only: false,
            until_ms: 9,
        };
        golden(
            &AccessEvent::OpenTicket {
                principal: doctor,
                ticket,
            },
            expect!["060e07fb012c040009"],
        );
        let organisation = MemberId::new(3);
        for (event, bytes) in [
            (
                AccessEvent::ActedFor {
                    patient,
                    delegate: doctor,
                },
                expect!["070d0e"],
            ),
            (
                AccessEvent::ReviewOpened {
                    organisation,
                    number: 2,
                    due_ms: 9,
                },
                expect!["08030209"],
            ),
            (
                AccessEvent::Reviewed {
                    organisation,
                    number: 2,
                    requester: doctor,
                    finding: Finding::Unjustified,
                    by: patient,
                },
                expect!["0903020e010d"],
            ),
        ] {
            golden(&event, bytes);
        }
        let root = [7; 32];
        let sevens = "07".repeat(32);
        let replaced = AccessEvent::RecordReplaced {
            record: id,
            before: root,
        };
        assert_eq!(
            HEXLOWER.encode(&codec::encode(&replaced)),
            format!("0a0d02{sevens}")
        );
        let shredded = AccessEvent::RecordShredded {
            record: id,
            root,
            by: doctor,
        };
        assert_eq!(
            HEXLOWER.encode(&codec::encode(&shredded)),
            format!("0b0d02{sevens}0e")
        );
        let permit = Decision::Permit {
            reason: reason::GRANTED,
            until_ms: 9,
            obligations: Obligations::REVIEW,
        };
        golden(&permit, expect!["00010902"]);
    }
}
