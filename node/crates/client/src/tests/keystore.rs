use super::*;
use crate::keystore::{self, Cost, KeystoreError, Randomness};

const PASSPHRASE: &str = "correct horse battery staple";
const CHEAP: Cost = Cost {
    memory_kib: 64,
    passes: 1,
    lanes: 2,
};
const RANDOMNESS: Randomness = Randomness {
    salt: [3; 16],
    nonce: [4; 12],
};

fn file() -> Vec<u8> {
    keystore::encrypt_at(&Identity::from_seed(&[1; 32]), PASSPHRASE, RANDOMNESS, CHEAP).unwrap()
}

#[test]
fn an_identity_survives_at_the_recommended_cost() {
    let identity = Identity::from_seeds(&[1; 32], &[2; 32]);
    let file = keystore::encrypt(&identity, PASSPHRASE, RANDOMNESS).unwrap();
    let read = keystore::decrypt(&file, PASSPHRASE).unwrap();
    assert_eq!(read.public(), identity.public());
}

/// Decrypted once with the argon2id and AES-GCM of another library.
#[test]
fn the_file_is_fixed() {
    assert_eq!(
        hex(&file()),
        concat!(
            "73616c75736b6579014001020303030303030303030303030303030304040404040404040404040450cd579b",
            "186a352fed012d429dfcc7ad11438a1f02f6db0855cd74d1b4eeee70a487798ab355c881abd78e59f21f709e",
            "4ac3b05c723997490cdab12ae298c58736bdadcd7599b2bc6db0d01d4c85adeafe",
        )
    );
}

#[test]
fn the_keys_of_a_seed_are_fixed() {
    let PublicIdentity {
        signing_key,
        encryption_key,
    } = Identity::from_seed(&[1; 32]).public();
    assert_eq!(
        signing_key.to_string(),
        "2211d39e0cbd5c005728a1953e8e4016d2277d47fe6612be880fe6145c9e6d55"
    );
    assert_eq!(
        encryption_key.to_string(),
        "5ad3239b411fc88ce629586a5519ace8c95d42b8a60881cf692336f9db6cdc3e"
    );
}

#[test]
fn a_wrong_passphrase_and_every_changed_byte_are_found() {
    let file = file();
    assert_eq!(
        keystore::decrypt(&file, "correct horse battery stable").unwrap_err(),
        KeystoreError::WrongPassphrase
    );
    for place in 0..file.len() {
        let mut changed = file.clone();
        changed[place] ^= 1;
        assert!(keystore::decrypt(&changed, PASSPHRASE).is_err(), "byte {place}");
    }
    for length in 0..file.len() {
        assert_eq!(
            keystore::decrypt(&file[..length], PASSPHRASE).unwrap_err(),
            KeystoreError::Malformed
        );
    }
}

#[test]
fn each_refusal_has_its_error() {
    let identity = Identity::from_seed(&[1; 32]);
    let mut later = file();
    later[8] = 2;
    assert_eq!(
        keystore::decrypt(&later, PASSPHRASE).unwrap_err(),
        KeystoreError::UnknownVersion(2)
    );
    assert_eq!(
        keystore::encrypt(&identity, "seven77", RANDOMNESS).unwrap_err(),
        KeystoreError::ShortPassphrase
    );
    for cost in [
        Cost {
            memory_kib: (1 << 20) + 1,
            ..CHEAP
        },
        Cost {
            memory_kib: 8,
            ..CHEAP
        },
        Cost { passes: 0, ..CHEAP },
        Cost { passes: 17, ..CHEAP },
        Cost { lanes: 0, ..CHEAP },
        Cost { lanes: 17, ..CHEAP },
    ] {
        let refused = keystore::encrypt_at(&identity, PASSPHRASE, RANDOMNESS, cost);
        assert_eq!(refused.unwrap_err(), KeystoreError::Cost(cost));
    }
}

#[test]
fn nothing_secret_is_printed() {
    let identity = Identity::from_seeds(&[1; 32], &[2; 32]);
    let text = format!(
        "{identity:?} {:?}",
        Signer::new(chain_id(), DOCTOR, identity.clone())
    );
    assert!(text.contains(&identity.public().signing_key.to_string()));
    assert!(
        !text.contains("0101") && !text.contains("0202") && !text.contains("1, 1") && !text.contains("2, 2")
    );
}
