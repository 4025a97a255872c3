//! Who belongs to the network, and how that changes: cards, keys, refusals.
//!
//! ```text
//! MemberCard -> MemberChange -> a proposal, votes of members -> Member
//! (a hospital)  (an operator)      (other operators)           (in force at h+2)
//! ```

use crate::{
    ChainId, Height, Member, MemberId, OPEN_PROPOSALS_MAX, PublicKey, SecretKey, Signature, SignatureError,
    Timestamp,
};
use salus_abi::codec::{self, Decode, Encode};
use salus_abi::domain::Tag;

/// Bytes of a member's name, at most.
pub const MEMBER_NAME_LENGTH_MAX: usize = 64;
/// Addresses of a member, at most.
pub const MEMBER_ADDRESSES_MAX: usize = 4;
/// Bytes of an address, at most.
pub const MEMBER_ADDRESS_LENGTH_MAX: usize = 128;
/// How long a removed member is still connected to and asked for its shares, in milliseconds of block time: a day.
pub const GRACE_MS: u64 = 24 * 60 * 60 * 1_000;
/// Heights between two changes of a member's keys, at least: each change stays in the state for ever.
pub const ROTATION_HEIGHTS_MIN: u64 = 100;

/// The public keys of a member's validator: separate keys for separate uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MemberKeys {
    /// Signs votes and receipts (ed25519).
    pub consensus: PublicKey,
    /// Identifies the validator on the network (ed25519).
    pub network: PublicKey,
    /// Receives the key shares of health records (X25519).
    pub release: [u8; 32],
}

/// The public keys of a hospital's first principal, an admin, who registers everybody else there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AdminKeys {
    /// Verifies its transactions (ed25519).
    pub signing: PublicKey,
    /// Receives what is sealed for it (X25519).
    pub encryption: [u8; 32],
}

/// Proof that the keys' owner has them and wants them together. It binds the network identity and the release key to the
/// consensus key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeysProof {
    /// The consensus key's signature over the statement under `Tag::PEER_BINDING`.
    pub consensus: Signature,
    /// The network key's signature over the same.
    pub network: Signature,
}

/// What a hospital that wants to join hands to the others. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MemberCard {
    /// A short name for people, 1 to [`MEMBER_NAME_LENGTH_MAX`] bytes.
    pub name: String,
    /// Its validator's keys.
    pub keys: MemberKeys,
    /// Its first principal.
    pub admin: AdminKeys,
    /// Multiaddresses of its validator.
    pub addresses: Vec<String>,
    /// Over name, keys and admin. Addresses may change on the way: its operator sets them later as well.
    pub proof: KeysProof,
}

/// A change of the members.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum MemberChange {
    /// A hospital joins.
    Add(Box<MemberCard>),
    /// A member leaves.
    Remove(MemberId),
}

/// A member that was removed. Its number, keys and slot come back for nobody.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FormerMember {
    /// What it was.
    pub member: Member,
    /// The height of the block that removed it.
    pub removed: Height,
    /// Until this block time the others connect to it and ask for its shares of older blocks.
    pub serves_until: Timestamp,
}

/// Why the chain refuses to change its members, or a proposal or vote; the code of an aborted system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u16)]
pub enum MembershipRefusal {
    /// The sender is not an operator of a present member.
    #[error("only operators of present members propose and vote, each for its own member")]
    NotAnOperator = 1,
    /// There is no such member.
    #[error("there is no such member")]
    UnknownMember = 2,
    /// There is no such proposal: it passed, expired or never was.
    #[error("there is no such open proposal: it has passed or expired, or its number is wrong")]
    UnknownProposal = 3,
    /// The member has [`OPEN_PROPOSALS_MAX`] open proposals.
    #[error(
        "this member has {} open proposals; wait until they pass or expire",
        OPEN_PROPOSALS_MAX
    )]
    TooManyProposals = 4,
    /// The expiry lies in the past or too far ahead.
    #[error("the proposal's last height has passed, or lies too far ahead")]
    BadExpiry = 5,
    /// Name or addresses are out of bounds.
    #[error(
        "a member needs a name of 1 to {} bytes and at most {} addresses of at most {} bytes",
        MEMBER_NAME_LENGTH_MAX,
        MEMBER_ADDRESSES_MAX,
        MEMBER_ADDRESS_LENGTH_MAX
    )]
    BadDescription = 6,
    /// The keys' proof does not verify.
    #[error("the keys do not prove that their owner has them: make the card anew with `salus init`")]
    BadProof = 7,
    /// Another member has that name.
    #[error("another member has this name")]
    NameTaken = 8,
    /// One of the keys is or was in use.
    #[error("one of the keys is in use, or was once: draw new ones")]
    KeyTaken = 9,
    /// No slot is left that was never held.
    #[error("every slot of the dealings is or was held by a member: reseal old blocks first")]
    NoFreeSlot = 10,
    /// More members than a validator set holds.
    #[error("there can't be more members")]
    TooManyMembers = 11,
    /// Somebody must stay.
    #[error("the last member can't be removed")]
    LastMember = 12,
    /// Fewer members would remain than shares are needed to open old blocks.
    #[error("fewer members would remain than shares are needed to open old blocks: reseal those first")]
    TooFewHolders = 13,
    /// The network's fixed k does not fit the new number of members.
    #[error("the network's fixed threshold does not fit the number of members that this would give")]
    BadThreshold = 14,
    /// The member's keys changed a short while ago.
    #[error("the member's keys changed less than {} heights ago", ROTATION_HEIGHTS_MIN)]
    RotatedLately = 15,
    /// The admin's key belongs to somebody already.
    #[error("the first admin's signing key belongs to somebody already")]
    AdminKeyTaken = 16,
}

impl MembershipRefusal {
    const ALL: [Self; 16] = [
        Self::NotAnOperator,
        Self::UnknownMember,
        Self::UnknownProposal,
        Self::TooManyProposals,
        Self::BadExpiry,
        Self::BadDescription,
        Self::BadProof,
        Self::NameTaken,
        Self::KeyTaken,
        Self::NoFreeSlot,
        Self::TooManyMembers,
        Self::LastMember,
        Self::TooFewHolders,
        Self::BadThreshold,
        Self::RotatedLately,
        Self::AdminKeyTaken,
    ];

    /// Its number in a receipt.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The refusal of a number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

impl MemberKeys {
    /// Signs that these keys belong together and to `name`, with the secret keys that belong to them. `admin` stands in a
    /// newcomer's card, not when a member changes its keys.
    pub fn prove(
        &self,
        name: &str,
        admin: Option<&AdminKeys>,
        (consensus, network): (&SecretKey, &SecretKey),
        chain: &ChainId,
    ) -> KeysProof {
        let statement = self.statement(name, admin);
        KeysProof {
            consensus: consensus.sign(Tag::PEER_BINDING, chain, &statement),
            network: network.sign(Tag::PEER_BINDING, chain, &statement),
        }
    }

    /// Checks what [`Self::prove`] signed.
    ///
    /// # Errors
    ///
    /// When one of the two keys did not sign it.
    pub fn check(
        &self,
        name: &str,
        admin: Option<&AdminKeys>,
        proof: &KeysProof,
        chain: &ChainId,
    ) -> Result<(), SignatureError> {
        let statement = self.statement(name, admin);
        self.consensus
            .verify(Tag::PEER_BINDING, chain, &statement, &proof.consensus)?;
        self.network
            .verify(Tag::PEER_BINDING, chain, &statement, &proof.network)
    }

    /// The keys of a member.
    pub const fn of(member: &Member) -> Self {
        Self {
            consensus: member.consensus_key,
            network: member.network_key,
            release: member.release_key,
        }
    }

    /// The bytes of each key.
    pub const fn bytes(&self) -> [&[u8; 32]; 3] {
        [self.consensus.as_bytes(), self.network.as_bytes(), &self.release]
    }

    fn statement(&self, name: &str, admin: Option<&AdminKeys>) -> Vec<u8> {
        codec::encode(&(name.to_owned(), *self, admin.copied()))
    }
}

impl MemberCard {
    /// Checks that the keys' owner made it for this network.
    ///
    /// # Errors
    ///
    /// When a signature does not verify.
    pub fn check(&self, chain: &ChainId) -> Result<(), SignatureError> {
        self.keys.check(&self.name, Some(&self.admin), &self.proof, chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hash;

    const CHAIN: ChainId = ChainId::new(Hash::new([7; 32]));

    #[test]
    fn every_refusal_has_its_own_code_and_comes_back_from_it() {
        for (refusal, code) in MembershipRefusal::ALL.into_iter().zip(1..) {
            assert_eq!(refusal.code(), code);
            assert_eq!(MembershipRefusal::from_code(code), Some(refusal));
        }
        assert_eq!(MembershipRefusal::from_code(0), None);
        assert_eq!(MembershipRefusal::from_code(17), None);
    }

    #[test]
    fn a_proof_holds_for_its_name_keys_admin_and_chain_only() {
        let secret = |seed| SecretKey::from_seed(&[seed; 32]);
        let (consensus, network) = (secret(1), secret(2));
        let keys = MemberKeys {
            consensus: consensus.public(),
            network: network.public(),
            release: [3; 32],
        };
        let admin = AdminKeys {
            signing: secret(4).public(),
            encryption: [5; 32],
        };
        let proof = keys.prove("Elm", Some(&admin), (&consensus, &network), &CHAIN);
        assert_eq!(keys.check("Elm", Some(&admin), &proof, &CHAIN), Ok(()));

        let other_chain = ChainId::new(Hash::ZERO);
        let other_release = MemberKeys {
            release: [4; 32],
            ..keys
        };
        let other_network = MemberKeys {
            network: secret(9).public(),
            ..keys
        };
        let swapped = KeysProof {
            consensus: proof.network,
            network: proof.consensus,
        };
        assert!(keys.check("Oak", Some(&admin), &proof, &CHAIN).is_err());
        assert!(keys.check("Elm", None, &proof, &CHAIN).is_err());
        assert!(keys.check("Elm", Some(&admin), &proof, &other_chain).is_err());
        assert!(keys.check("Elm", Some(&admin), &swapped, &CHAIN).is_err());
        assert!(other_release.check("Elm", Some(&admin), &proof, &CHAIN).is_err());
        assert!(other_network.check("Elm", Some(&admin), &proof, &CHAIN).is_err());
    }
}
