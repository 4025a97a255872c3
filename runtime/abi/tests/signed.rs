//! Golden vectors of what is signed: the tags, and the payload of a stored receipt. A change here makes every old
//! signature worthless.

use salus_abi::access::{STORED_RECEIPT_PAYLOAD_LENGTH, stored_receipt_payload};
use salus_abi::domain::{self, Tag};
use salus_abi::{MemberId, PrincipalId};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn payload(member: u16, patient: u32, author: u32, digest: u8, root: u8) -> Vec<u8> {
    let (patient, author) = (PrincipalId::new(patient), PrincipalId::new(author));
    stored_receipt_payload(MemberId::new(member), patient, author, &[digest; 32], &[root; 32])
}

#[test]
fn a_stored_receipt_signs_these_bytes() {
    let expected = concat!(
        "0102",
        "03040506",
        "0708090a",
        "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
        "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
    );
    assert_eq!(
        hex(&payload(0x0102, 0x0304_0506, 0x0708_090a, 0xdd, 0xee)),
        expected
    );
}

#[test]
fn the_payload_has_one_width_and_tells_every_field_apart() {
    let payloads = [
        payload(1, 2, 3, 4, 5),
        payload(9, 2, 3, 4, 5),
        payload(1, 9, 3, 4, 5),
        payload(1, 2, 9, 4, 5),
        payload(1, 2, 3, 9, 5),
        payload(1, 2, 3, 4, 9),
        payload(1, 3, 2, 4, 5),
        payload(0, 0, 0, 0, 0),
        payload(u16::MAX, u32::MAX, u32::MAX, u8::MAX, u8::MAX),
    ];
    for (at, one) in payloads.iter().enumerate() {
        assert_eq!(one.len(), STORED_RECEIPT_PAYLOAD_LENGTH);
        assert!(payloads.iter().skip(at + 1).all(|other| other != one));
    }
}

#[test]
fn a_message_is_tag_chain_version_payload() {
    let message = domain::message(Tag::KEY_PROOF, &[0xcc; 32], &[1, 2, 3]);
    let expected = concat!(
        "73616c75732d6b65792d70726f6f6600", // salus-key-proof
        "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
        "01",
        "010203",
    );
    assert_eq!(hex(&message), expected);
}

#[test]
fn no_two_uses_share_a_tag() {
    let tags = [
        Tag::TRANSACTION,
        Tag::HEADER,
        Tag::VOTE,
        Tag::PROPOSAL,
        Tag::VALIDATORS,
        Tag::RECEIPT,
        Tag::RECORD_RECEIPT,
        Tag::ACCESS_LOG,
        Tag::RECORD_READ,
        Tag::KEY_PROOF,
        Tag::PEER_BINDING,
        Tag::SHARE_ANSWER,
        Tag::OPEN_REQUEST,
        Tag::SHARE_RECEIPT,
        Tag::GENESIS,
    ];
    for (at, tag) in tags.iter().enumerate() {
        assert!(tags.iter().skip(at + 1).all(|other| other != tag), "{tag:?}");
    }
}
