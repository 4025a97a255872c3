//! A light client on a chain of three heights and a change of validators.

use super::*;
use salus_types::abi::access::{LogHead, Record, RecordClass, RecordId, log_head_key, record_key};
use salus_types::abi::registry::{self, Principal, Role};
use salus_types::state::{
    StateKey, StateProof, StateProofError, TREE_ARITY, entry_hash, node_hash, tree_digit,
};
use salus_types::{
    BlockId, CertificateError, CommitCertificate, CommitSignature, Header, Receipt, Round, Sealing, Status,
    Timestamp, TransactionId, Vote, VoteKind,
};
use salus_types::{ContractId, RecordNumber, codec};

fn header(height: u64, parent: BlockId, validators: &ValidatorSet, next: &ValidatorSet) -> Header {
    Header {
        height: Height::new(height),
        round: Round::ZERO,
        time: Timestamp::new(1_790_000_000_000 + height),
        proposer: MemberId::new(0),
        parent,
        validators: validators.hash(&chain_id()),
        next_validators: next.hash(&chain_id()),
        sealing: Sealing {
            suite: 1,
            threshold: 2,
            slots: 8,
            body_length: 10,
            sealed_length: 26,
        },
        body_commitment: Hash::ZERO,
        share_root: Hash::ZERO,
        receipts_root: Hash::ZERO,
        state_root: Hash::ZERO,
        gas_used: Gas::ZERO,
    }
}

fn certify(header: &Header, signers: &[u8]) -> CommitCertificate {
    let block = header.id(&chain_id());
    let sign = |signer: &u8| {
        let member = MemberId::new((*signer).into());
        let vote = Vote {
            kind: VoteKind::Precommit,
            height: header.height,
            round: header.round,
            block: Some(block),
            member,
        };
        let signature = vote.sign(&consensus_key(*signer), &chain_id()).signature;
        CommitSignature { member, signature }
    };
    CommitCertificate {
        height: header.height,
        round: header.round,
        block,
        signatures: signers.iter().map(sign).collect(),
    }
}

fn first(set: &ValidatorSet) -> Header {
    header(1, BlockId::new(Hash::ZERO), set, set)
}

#[test]
fn it_follows_certified_headers_and_skips() {
    let set = validators(&[0, 1, 2, 3]);
    let mut client = LightClient::new(chain_id(), set.clone());
    assert!(client.tip().is_none());
    let one = first(&set);
    client.advance(one.clone(), &certify(&one, &[0, 1, 3])).unwrap();
    let two = header(2, one.id(&chain_id()), &set, &set);
    let three = header(3, two.id(&chain_id()), &set, &set);
    let tip = client
        .advance(three.clone(), &certify(&three, &[1, 2, 3]))
        .unwrap();
    assert_eq!((tip.header(), tip.id()), (&three, three.id(&chain_id())));

    let ancestors = client.ancestors(vec![one.clone(), two.clone()]).unwrap();
    assert_eq!(ancestors[1].header(), &two);
    assert_eq!(
        client.ancestors(vec![one.clone()]),
        Err(LightError::BrokenLink(Height::new(1)))
    );
    let mut forged = one.clone();
    forged.gas_used = Gas::new(1);
    assert_eq!(
        client.ancestors(vec![forged, two]),
        Err(LightError::BrokenLink(Height::new(1)))
    );
    assert_eq!(
        client
            .advance(one.clone(), &certify(&one, &[0, 1, 2]))
            .unwrap_err(),
        LightError::NotNewer {
            offered: Height::new(1),
            tip: Height::new(3)
        }
    );
    LightClient::resume(chain_id(), three, set).unwrap();
}

#[test]
fn it_refuses_what_a_quorum_did_not_decide() {
    let set = validators(&[0, 1, 2, 3]);
    let mut client = LightClient::new(chain_id(), set.clone());
    let one = first(&set);
    assert_eq!(
        client.advance(one.clone(), &certify(&one, &[0, 1])).unwrap_err(),
        LightError::Certificate(CertificateError::NoQuorum {
            signers: 2,
            quorum: 3
        })
    );
    let mut other = one.clone();
    other.gas_used = Gas::new(9);
    assert_eq!(
        client
            .advance(one.clone(), &certify(&other, &[0, 1, 2]))
            .unwrap_err(),
        LightError::OtherBlock
    );
    let mut forged = certify(&one, &[0, 1, 2]);
    forged.signatures[1].signature = forged.signatures[0].signature;
    assert_eq!(
        client.advance(one.clone(), &forged).unwrap_err(),
        LightError::Certificate(CertificateError::BadSignature(MemberId::new(1)))
    );
    assert!(client.tip().is_none());
    let orphan = header(1, BlockId::new(Hash::of_content(b"x")), &set, &set);
    assert_eq!(
        client
            .advance(orphan.clone(), &certify(&orphan, &[0, 1, 2]))
            .unwrap_err(),
        LightError::BrokenLink(Height::new(1))
    );
}

#[test]
fn it_follows_a_change_of_validators_only_where_a_header_announces_it() {
    let (old, new) = (validators(&[0, 1, 2, 3]), validators(&[0, 1, 2, 3, 4]));
    let mut client = LightClient::new(chain_id(), old.clone());
    assert_eq!(
        client.change_validators(new.clone()),
        Err(LightError::WrongValidators)
    );
    let one = header(1, BlockId::new(Hash::ZERO), &old, &new);
    client.advance(one.clone(), &certify(&one, &[0, 1, 2])).unwrap();
    let two = header(2, one.id(&chain_id()), &new, &new);
    let certificate = certify(&two, &[1, 2, 3, 4]);
    assert_eq!(
        client.advance(two.clone(), &certificate).unwrap_err(),
        LightError::UnknownValidators(Height::new(2))
    );
    for height in [2, 9] {
        let late = header(height, one.id(&chain_id()), &old, &old);
        assert_eq!(
            client
                .advance(late.clone(), &certify(&late, &[0, 1, 2, 3]))
                .unwrap_err(),
            LightError::UnknownValidators(Height::new(height)),
            "the old validators decide nothing more"
        );
    }
    let evil = validators(&[5, 6, 7, 8]);
    assert_eq!(client.change_validators(evil), Err(LightError::WrongValidators));
    client.change_validators(new.clone()).unwrap();
    client.advance(two.clone(), &certificate).unwrap();
    assert_eq!(
        LightClient::resume(chain_id(), one, old).unwrap_err(),
        LightError::WrongValidators
    );
}

fn receipts(count: u8) -> Vec<(TransactionId, Receipt)> {
    (0..count)
        .map(|number| {
            let receipt = Receipt {
                status: Status::Success,
                gas_used: Gas::new(number.into()),
                output: vec![number],
                events: Vec::new(),
            };
            (TransactionId::new(Hash::of_content(&[number])), receipt)
        })
        .collect()
}

fn block_with(receipts: &[(TransactionId, Receipt)]) -> TrustedHeader {
    let pairs = receipts.iter().map(|(id, receipt)| (*id, receipt));
    let root = salus_types::Body::receipts_root(&chain_id(), pairs);
    trusted(|header| header.receipts_root = root)
}

fn trusted(change: impl FnOnce(&mut Header)) -> TrustedHeader {
    let set = validators(&[0, 1, 2, 3]);
    let mut one = first(&set);
    change(&mut one);
    let mut client = LightClient::new(chain_id(), set);
    client
        .advance(one.clone(), &certify(&one, &[0, 1, 2]))
        .unwrap()
        .clone()
}

#[test]
fn receipts_are_proven_against_their_block() {
    let receipts = receipts(5);
    let trusted = block_with(&receipts);
    for index in 0..5 {
        let proof = ReceiptProof::new(&chain_id(), &receipts, index).unwrap();
        let proof = ReceiptProof::decode(&proof.encode()).unwrap();
        assert_eq!(trusted.check_receipt(&proof), Ok(&receipts[index].1));
        let wrong = Err(LightError::WrongProof(Height::new(1)));
        for change in [
            (|proof| proof.receipt.output = vec![99]) as fn(&mut ReceiptProof),
            |proof| proof.transaction = TransactionId::new(Hash::ZERO),
            |proof| proof.index ^= 1,
            |proof| proof.count += 7,
            |proof| proof.count = 0,
            |proof| proof.path.truncate(0),
            |proof| proof.path[0] = Hash::ZERO,
        ] {
            let mut changed = proof.clone();
            change(&mut changed);
            assert_eq!(trusted.check_receipt(&changed), wrong);
        }
    }
    assert_eq!(ReceiptProof::new(&chain_id(), &receipts, 5), None);
}

#[test]
fn the_receipt_proof_is_fixed() {
    let proof = ReceiptProof::new(&chain_id(), &receipts(3), 2).unwrap();
    assert_eq!(
        hex(&proof.encode()),
        concat!(
            "ab13bedf42e84bae0f7c62c7dd6a8ada571e8829bed6ea558217f0361b5e25d000020102000203018ef6b176",
            "4fa8347fdeba1769bce8768ce214f141ff1860fe3abf6d0939c38c3c",
        )
    );
    assert!(matches!(
        ReceiptProof::decode(&[1]),
        Err(LightError::Malformed(_))
    ));
}

/// A state of one entry: the root's other places are empty.
fn state_of(key: &StateKey, value: &[u8]) -> (TrustedHeader, [Hash; TREE_ARITY]) {
    let path = key.path();
    let mut places = [Hash::ZERO; TREE_ARITY];
    places[usize::from(tree_digit(&path, 0))] = entry_hash(&path, &Hash::of_content(value));
    let header = trusted(|header| header.state_root = node_hash(&places));
    (header, places)
}

#[test]
fn state_entries_are_proven_present_or_absent() {
    let head = LogHead {
        count: 3,
        head: [7; 32],
    };
    let key = StateKey::new(ContractId::ACCESS, &log_head_key(PATIENT));
    let value = codec::encode(&head);
    let (block, places) = state_of(&key, &value);
    let proof = StateProof::new(&key.path(), &[places], None);
    assert_eq!(block.log_head(PATIENT, Some(&value), &proof), Ok(head));
    assert_eq!(block.check_state(&key, Some(&value), &proof), Ok(()));

    let wrong = |error| {
        let height = Height::new(1);
        LightError::WrongState { height, error }
    };
    let mut shorter = head;
    shorter.count = 2;
    assert_eq!(
        block.log_head(PATIENT, Some(&codec::encode(&shorter)), &proof),
        Err(wrong(StateProofError::WrongRoot))
    );
    // A node that hides the entry.
    let hidden = StateProof::new(&key.path(), &[[Hash::ZERO; TREE_ARITY]], None);
    assert_eq!(
        block.log_head(PATIENT, None, &hidden),
        Err(wrong(StateProofError::WrongRoot))
    );

    let other = PrincipalId::new(8);
    let absent = StateKey::new(ContractId::ACCESS, &log_head_key(other));
    assert_ne!(tree_digit(&absent.path(), 0), tree_digit(&key.path(), 0));
    let proof = StateProof::new(&absent.path(), &[places], None);
    let empty = LogHead {
        count: 0,
        head: [0; 32],
    };
    assert_eq!(block.log_head(other, None, &proof), Ok(empty));
}

#[test]
fn proven_entries_are_read_in_their_contracts_types() {
    let id = RecordId {
        patient: PATIENT,
        record: RecordNumber::new(3),
    };
    let record = Record {
        digest: [1; 32],
        root: [2; 32],
        threshold: 2,
        pieces: 4,
        size_bucket: 40,
        class: RecordClass::Imaging,
        author: DOCTOR,
        time_ms: 5,
    };
    let read = |value: &[u8]| {
        let key = StateKey::new(ContractId::ACCESS, &record_key(id));
        let (block, places) = state_of(&key, value);
        let proof = StateProof::new(&key.path(), &[places], None);
        block.record(id, Some(value), &proof)
    };
    assert_eq!(read(&codec::encode(&record)), Ok(Some(record)));
    assert!(matches!(read(&[1, 2, 3]), Err(LightError::UnknownEntry(_))));

    let public = doctor().identity().public();
    let principal = Principal {
        signing_key: *public.signing_key.as_bytes(),
        encryption_key: *public.encryption_key.as_bytes(),
        role: Role::Doctor,
        organisation: MemberId::new(1),
        status: registry::Status::Active,
        address: None,
        attributes: Vec::new(),
    };
    let key = StateKey::new(ContractId::REGISTRY, &registry::principal_key(DOCTOR));
    let value = codec::encode(&principal);
    let (block, places) = state_of(&key, &value);
    let proof = StateProof::new(&key.path(), &[places], None);
    assert_eq!(block.principal(DOCTOR, Some(&value), &proof), Ok(Some(principal)));
}
