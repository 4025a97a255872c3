use super::*;
use proptest::prelude::*;
use salus_types::abi::registry::PatientAddress;

const CHARACTERS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fn addresses() -> impl Strategy<Value = PatientAddress> {
    any::<(u16, [u8; 16])>().prop_map(|(area, pid)| PatientAddress { area, pid })
}

proptest! {
    #[test]
    fn an_address_survives_text_in_either_case(address in addresses()) {
        let text = address_text(&address);
        prop_assert_eq!(text.len(), 41);
        prop_assert_eq!(parse_address(&text), Ok(address));
        prop_assert_eq!(parse_address(&format!("  {} ", text.to_uppercase())), Ok(address));
    }

    #[test]
    fn up_to_four_mistyped_characters_are_found(
        address in addresses(),
        mistakes in prop::collection::btree_map(6usize..41, 1usize..32, 1..=4),
    ) {
        let mut text = address_text(&address).into_bytes();
        for (place, shift) in mistakes {
            let right = CHARACTERS.bytes().position(|character| character == text[place]).unwrap();
            text[place] = CHARACTERS.as_bytes()[(right + shift) % 32];
        }
        let text = String::from_utf8(text).unwrap();
        prop_assert_eq!(parse_address(&text), Err(AddressError::Mistyped));
    }

    #[test]
    fn swapped_neighbours_are_found(address in addresses(), place in 6usize..40) {
        let mut text = address_text(&address).into_bytes();
        prop_assume!(text[place] != text[place + 1]);
        text.swap(place, place + 1);
        prop_assert_eq!(parse_address(&String::from_utf8(text).unwrap()), Err(AddressError::Mistyped));
    }

    #[test]
    fn any_text_is_read_or_refused_without_harm(text in ".{0,60}") {
        if let Ok(address) = parse_address(&text) {
            prop_assert_eq!(address_text(&address), text.trim().to_lowercase());
        }
    }
}

#[test]
fn the_text_is_fixed() {
    let key = LinkageKey::new([5; 32]);
    let address = key.address(4021, "MRN-00123-X").unwrap();
    assert_eq!(hex(&address.pid), "a88a388ab2f7822de5f895cb2e11bd2a");
    // Checked with the reference implementation of BIP 350.
    assert_eq!(
        address_text(&address),
        "salus1p7663z3c32e00q3duhuftjewzx7j5xmxdzh"
    );
}

#[test]
fn a_pseudonym_depends_on_number_and_key_but_not_on_spelling() {
    let key = LinkageKey::new([5; 32]);
    let address = key.address(1, "mrn-00123-x").unwrap();
    assert_eq!(key.address(1, " MRN-00123-X\n"), Ok(address));
    assert_ne!(key.address(1, "MRN-00124-X"), Ok(address));
    assert_ne!(LinkageKey::new([6; 32]).address(1, "MRN-00123-X"), Ok(address));
    assert_eq!(key.address(2, "MRN-00123-X").unwrap().pid, address.pid);
    assert_eq!(key.address(1, "  "), Err(AddressError::RecordNumber));
    assert_eq!(key.address(1, &"1".repeat(65)), Err(AddressError::RecordNumber));
    assert_eq!(format!("{key:?}"), "LinkageKey(..)");
}

#[test]
fn other_texts_are_refused() {
    let text = address_text(&LinkageKey::new([5; 32]).address(1, "1").unwrap());
    let mixed = text.replacen('s', "S", 1);
    for wrong in [
        "",
        "salus1",
        "salus",
        &text[..40],
        &mixed,
        "p2wpkh",
        "salus1 qqqq",
    ] {
        assert!(parse_address(wrong).is_err(), "{wrong}");
    }
    // Bech32 without m, another prefix, and another length: valid texts, but not of this kind.
    use bech32::{Bech32, Bech32m, Hrp};
    let prefix = Hrp::parse("salus").unwrap();
    let old = bech32::encode::<Bech32>(prefix, &[0; 18]).unwrap();
    assert_eq!(parse_address(&old), Err(AddressError::Mistyped));
    let longer = bech32::encode::<Bech32m>(prefix, &[0; 19]).unwrap();
    assert_eq!(parse_address(&longer), Err(AddressError::Malformed));
    let other = bech32::encode::<Bech32m>(Hrp::parse("bc").unwrap(), &[0; 18]).unwrap();
    assert_eq!(parse_address(&other), Err(AddressError::Malformed));
}
