//! What is kept of a dealing without its keys gives every share back, and no more.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn with_its_key_share_every_slot_gets_its_share_back(body in body(), (k, slots, _) in scheme()) {
        let (block, header) = sealed(&body, k, slots);
        let dealing = sent(&block).check(&header, &chain()).unwrap();
        let kept = dealing.keyless().encode().to_vec();
        let read = KeylessDealing::decode(kept, &header).unwrap();
        prop_assert_eq!(&read, &dealing.keyless());
        for slot in (0..slots).map(Slot::new) {
            let key_share = *dealing.key_share(slot).unwrap();
            let whole = read.share(slot).unwrap().with_key_share(header.height, key_share);
            prop_assert_eq!(&whole, &share(&block, slot.get()));
            prop_assert!(CheckedShare::check(whole, &header).is_ok());
        }
        prop_assert!(dealing.key_share(Slot::new(slots)).is_none());
    }
}

/// Neither the body nor the key nor any key share stands in what is kept.
#[test]
fn nothing_of_body_and_keys_is_kept() {
    let body = noise(5_000, 1);
    let (block, header) = sealed(&body, 4, 16);
    let kept = block.into_checked();
    let bytes = kept.keyless().encode().to_vec();
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(body.chunks_exact(32).all(|part| !holds(part)));
    assert!(!holds(&[9; 32]), "the data key");
    for slot in (0..16).map(Slot::new) {
        assert!(!holds(&kept.key_share(slot).unwrap()[1..]), "{slot}");
    }
    assert_eq!(bytes.len(), 32 * 16 + header.sealing.sealed_length as usize);
}

#[test]
fn bytes_of_another_block_are_refused() {
    let (block, header) = sealed(b"one body", 2, 4);
    let (_, other) = sealed(b"two body", 2, 4);
    let bytes = block.into_checked().keyless().encode().to_vec();
    let refused = |bytes: Vec<u8>, header: &Header| KeylessDealing::decode(bytes, header).unwrap_err();
    assert_eq!(refused(bytes.clone(), &other), KeylessError::ShareRoot);
    let (got, want) = (bytes.len() - 1, bytes.len());
    assert_eq!(
        refused(bytes[1..].to_vec(), &header),
        KeylessError::Length { got, want }
    );
    let read = KeylessDealing::decode(bytes, &header).unwrap();
    assert_eq!(
        read.share(Slot::new(4)).unwrap_err(),
        KeylessError::SlotOutOfRange {
            slot: Slot::new(4),
            slots: 4
        }
    );
}
