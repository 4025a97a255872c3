//! `card.toml`: what a hospital that wants to join hands to the others, as people read and send it.

use data_encoding::HEXLOWER;
use salus_types::{AdminKeys, ChainId, KeysProof, MemberCard, MemberKeys, PublicKey, Signature};
use serde::{Deserialize, Serialize};

/// Bytes of a card's file, at most.
pub const CARD_LENGTH_MAX: u64 = 16 << 10;

/// Why a card can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// Not the TOML of a card.
    #[error("not a member card: {0}")]
    Toml(String),
    /// A text that is not what it should be.
    #[error("`{field}` of the card should be {length} bytes in hexadecimal")]
    Field {
        /// Which field.
        field: &'static str,
        /// How many bytes it has.
        length: usize,
    },
    /// Made for another network.
    #[error("the card was made for another network: its owner's genesis.toml is not this network's")]
    OtherChain,
    /// Its keys did not sign it.
    #[error("the card's keys did not sign what it says: it was changed on the way")]
    BadProof,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    chain: String,
    addresses: Vec<String>,
    consensus_key: String,
    network_key: String,
    release_key: String,
    admin_signing_key: String,
    admin_encryption_key: String,
    consensus_proof: String,
    network_proof: String,
}

/// The text of a card for a network.
///
/// # Errors
///
/// When it can't be written as TOML, which does not happen.
pub fn to_toml(card: &MemberCard, chain: &ChainId) -> Result<String, CardError> {
    let document = Document {
        name: card.name.clone(),
        chain: chain.to_string(),
        addresses: card.addresses.clone(),
        consensus_key: card.keys.consensus.to_string(),
        network_key: card.keys.network.to_string(),
        release_key: HEXLOWER.encode(&card.keys.release),
        admin_signing_key: card.admin.signing.to_string(),
        admin_encryption_key: HEXLOWER.encode(&card.admin.encryption),
        consensus_proof: HEXLOWER.encode(card.proof.consensus.as_bytes()),
        network_proof: HEXLOWER.encode(card.proof.network.as_bytes()),
    };
    let text = toml::to_string(&document).map_err(|error| CardError::Toml(error.to_string()))?;
    Ok(format!(
        "# A hospital's card, for the operators of the members. Nothing in it is secret.\n{text}"
    ))
}

/// Reads a card and checks that its keys' owner made it for this network.
///
/// # Errors
///
/// What is wrong with it.
pub fn from_toml(text: &str, chain: &ChainId) -> Result<MemberCard, CardError> {
    let document: Document = toml::from_str(text).map_err(|error| CardError::Toml(error.to_string()))?;
    if document.chain != chain.to_string() {
        return Err(CardError::OtherChain);
    }
    let card = MemberCard {
        keys: MemberKeys {
            consensus: PublicKey::new(bytes("consensus_key", &document.consensus_key)?),
            network: PublicKey::new(bytes("network_key", &document.network_key)?),
            release: bytes("release_key", &document.release_key)?,
        },
        admin: AdminKeys {
            signing: PublicKey::new(bytes("admin_signing_key", &document.admin_signing_key)?),
            encryption: bytes("admin_encryption_key", &document.admin_encryption_key)?,
        },
        proof: KeysProof {
            consensus: Signature::new(bytes("consensus_proof", &document.consensus_proof)?),
            network: Signature::new(bytes("network_proof", &document.network_proof)?),
        },
        name: document.name,
        addresses: document.addresses,
    };
    card.check(chain).map_err(|_| CardError::BadProof)?;
    Ok(card)
}

fn bytes<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], CardError> {
    let bytes = HEXLOWER.decode(text.as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(CardError::Field { field, length: N })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::ValidatorKeys;
    use salus_types::Hash;

    const CHAIN: ChainId = ChainId::new(Hash::new([7; 32]));

    fn card() -> MemberCard {
        let keys = ValidatorKeys::from_seed(&[1; 32]);
        let admin = AdminKeys {
            signing: keys.network.public(),
            encryption: [3; 32],
        };
        let public = keys.public();
        MemberCard {
            name: "Elm".into(),
            keys: public,
            admin,
            addresses: vec!["/dns4/elm.example/tcp/8600".into()],
            proof: public.prove("Elm", Some(&admin), (&keys.consensus, &keys.network), &CHAIN),
        }
    }

    #[test]
    fn a_card_reads_back_and_shows_whatever_was_changed_on_the_way() {
        let text = to_toml(&card(), &CHAIN).unwrap();
        assert_eq!(from_toml(&text, &CHAIN).unwrap(), card());
        let other = ChainId::new(Hash::ZERO);
        assert!(matches!(from_toml(&text, &other), Err(CardError::OtherChain)));
        let renamed = text.replace("Elm", "Oak");
        assert!(matches!(from_toml(&renamed, &CHAIN), Err(CardError::BadProof)));
        let cut = text.replace("03030303\"", "\"");
        assert!(matches!(
            from_toml(&cut, &CHAIN),
            Err(CardError::Field {
                field: "admin_encryption_key",
                length: 32
            })
        ));
        assert!(matches!(from_toml("name = 1", &CHAIN), Err(CardError::Toml(_))));
    }
}
