//! Who belongs to the network.

use super::{base64, hex};
use crate::{MemberStatus, Membership};
use salus_types::{FormerMember, Height, Member, ValidatorSet, codec};
use serde::Serialize;
use utoipa::ToSchema;

/// A member of the network.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberDto {
    /// Its number.
    pub(crate) id: u16,
    /// A short name for people.
    pub(crate) name: String,
    /// Signs its votes and receipts (ed25519), hexadecimal.
    pub(crate) consensus_key: String,
    /// Identifies its validator on the network (ed25519), hexadecimal.
    pub(crate) network_key: String,
    /// Receives the key shares of health records (X25519), hexadecimal.
    pub(crate) release_key: String,
    /// Which share of every dealing it keeps.
    pub(crate) slot: u16,
    /// Multiaddresses of its validator.
    pub(crate) addresses: Vec<String>,
    /// Whether its validator decides the next height.
    pub(crate) validating: bool,
    /// Whether this node has a connection to it; true for itself.
    pub(crate) connected: bool,
    /// What it was proven guilty of on the chain.
    pub(crate) faults: FaultsDto,
}

/// What a member was proven guilty of: heights, each counted once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Faults)]
pub(crate) struct FaultsDto {
    /// At which it voted twice.
    pub(crate) double_votes: u32,
    /// Of which it handed out a wrong share under its signature.
    pub(crate) wrong_shares: u32,
    /// The highest of them all; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latest_height: Option<u64>,
}

/// A member that was removed. Its number, keys and slot come back for nobody.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FormerMember)]
pub(crate) struct FormerMemberDto {
    /// Its number.
    pub(crate) id: u16,
    /// Its name.
    pub(crate) name: String,
    /// Which share of older dealings it keeps.
    pub(crate) slot: u16,
    /// The height of the block that removed it.
    pub(crate) removed: u64,
    /// Until this block time, milliseconds since 1970, the others connect to it and ask for its shares.
    pub(crate) serves_until_ms: u64,
}

/// Every member of the network.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Members)]
pub(crate) struct MembersDto {
    /// In the order of their numbers.
    pub(crate) members: Vec<MemberDto>,
    /// Those that were removed, in the order of their numbers.
    pub(crate) former: Vec<FormerMemberDto>,
}

/// The validators that decide a height.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Validators)]
pub(crate) struct ValidatorsDto {
    /// The height.
    pub(crate) height: u64,
    /// Canonical bytes of the set, base64: its hash stands in the header of the height, and in the one before it.
    pub(crate) set: String,
    /// The members in it.
    pub(crate) members: Vec<u16>,
}

impl From<MemberStatus> for MemberDto {
    fn from(status: MemberStatus) -> Self {
        let Member {
            id,
            name,
            consensus_key,
            network_key,
            release_key,
            slot,
            addresses,
        } = status.member;
        Self {
            id: id.get(),
            name,
            consensus_key: hex(consensus_key.as_bytes()),
            network_key: hex(network_key.as_bytes()),
            release_key: hex(&release_key),
            slot: slot.get(),
            addresses,
            validating: status.validating,
            connected: status.connected,
            faults: FaultsDto {
                double_votes: status.faults.double_votes,
                wrong_shares: status.faults.wrong_shares,
                latest_height: status.faults.latest.map(Height::get),
            },
        }
    }
}

impl From<FormerMember> for FormerMemberDto {
    fn from(former: FormerMember) -> Self {
        Self {
            id: former.member.id.get(),
            name: former.member.name,
            slot: former.member.slot.get(),
            removed: former.removed.get(),
            serves_until_ms: former.serves_until.get(),
        }
    }
}

impl MembersDto {
    pub(crate) fn new(membership: Membership) -> Self {
        Self {
            members: membership.members.into_iter().map(Into::into).collect(),
            former: membership.former.into_iter().map(Into::into).collect(),
        }
    }
}

impl ValidatorsDto {
    pub(crate) fn new(height: Height, set: &ValidatorSet) -> Self {
        Self {
            height: height.get(),
            set: base64(&codec::encode(set)),
            members: set.iter().map(|validator| validator.member.get()).collect(),
        }
    }
}
