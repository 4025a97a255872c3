//! Deposits: what a validator keeps for the others where a commit certificate does not prove that k honest members hold
//! their share (k > n - 2f).
//!
//! ```text
//!  CheckedDealing --make--> Deposit, durable before the own share and the vote
//!                             |-- ciphertext, leaves: show nothing without k key shares
//!                             '-- one envelope a member: its key share, sealed to its release key
//!
//!  after a crash:  Deposit --parcel--> the member that asks --open--> its sealed share, checked against the header
//!  receipts of k + f members: the deposit is deleted
//! ```
//!
//! So one node keeps its own key share and nothing else that it could open: fewer than k.

#[cfg(test)]
mod tests;

use crate::wire::Parcel;
use salus_records::{BlockKeyShare, ReleaseKey, ReleaseSecret, SealedKeyShare, Seed};
use salus_seal::{CheckedDealing, KeylessDealing, KeylessShare};
use salus_store::{Deposit, StoreError};
use salus_types::codec::{self, Decode, Encode};
use salus_types::{ChainId, Header, Member, MemberId, SealedShare, Slot, ValidatorSet};

/// Bytes of all envelopes of a deposit, at most.
const ENVELOPES_MAX: usize = 64 << 10;

/// A member's key share, which only that member can open.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Envelope {
    member: MemberId,
    slot: Slot,
    sealed: SealedKeyShare,
}

/// Who keeps deposits for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parties<'a> {
    pub(crate) chain: ChainId,
    /// The keeper, which needs none for itself.
    pub(crate) me: MemberId,
    /// Who holds which slot.
    pub(crate) validators: &'a ValidatorSet,
    /// Whose release key is which.
    pub(crate) members: &'a [Member],
}

/// Makes the deposit of a checked dealing for all other validators. `random` gives fresh bytes of the operating system.
///
/// A validator whose release key is no usable key gets no envelope: it can't get its share back from anybody, and counts
/// as faulty for that.
pub(crate) fn make(
    parties: Parties<'_>,
    header: &Header,
    dealing: &CheckedDealing,
    mut random: impl FnMut() -> [u8; 32],
) -> Deposit {
    let block = header.id(&parties.chain);
    let mut envelopes = Vec::with_capacity(parties.validators.count());
    for validator in parties.validators.iter().filter(|one| one.member != parties.me) {
        let member = parties
            .members
            .iter()
            .find(|member| member.id == validator.member);
        let (Some(member), Some(key_share)) = (member, dealing.key_share(validator.slot)) else {
            continue;
        };
        let subject = BlockKeyShare {
            chain: parties.chain,
            block,
            member: member.id,
        };
        let receiver = ReleaseKey::new(member.release_key);
        match subject.seal(&receiver, &key_share, Seed::new(random())) {
            Some(sealed) => envelopes.push(Envelope {
                member: member.id,
                slot: validator.slot,
                sealed,
            }),
            None => tracing::warn!(
                member = %member.id,
                "a member's release key is unusable: nothing can be deposited for it"
            ),
        }
    }
    Deposit {
        header: header.clone(),
        envelopes: codec::encode(&envelopes),
        keyless: dealing.keyless().encode().to_vec(),
    }
}

/// What a deposit holds for a member; `None` if nothing.
///
/// # Errors
/// [`StoreError::DepositDamaged`]: the checksum holds, but this program does not write such deposits.
pub(crate) fn parcel(deposit: Deposit, member: MemberId) -> Result<Option<Parcel>, StoreError> {
    let damaged = || StoreError::DepositDamaged(deposit.header.height);
    let envelopes: Vec<Envelope> = codec::decode(&deposit.envelopes, ENVELOPES_MAX).map_err(|_| damaged())?;
    let Some(envelope) = envelopes.into_iter().find(|one| one.member == member) else {
        return Ok(None);
    };
    let share = KeylessDealing::decode(deposit.keyless, &deposit.header)
        .and_then(|keyless| keyless.share(envelope.slot))
        .map_err(|_| StoreError::DepositDamaged(deposit.header.height))?;
    Ok(Some(Parcel {
        envelope: envelope.sealed,
        path: share.path,
        fragment: share.fragment,
    }))
}

/// Puts the share that `subject` names together from another member's deposit; `None` if its envelope is for something
/// else, or for none of these keys of its receiver. The share is unchecked: the archive compares it with the header, as it does with any.
pub(crate) fn open_parcel<'a>(
    subject: BlockKeyShare,
    secrets: impl IntoIterator<Item = &'a ReleaseSecret>,
    slot: Slot,
    header: &Header,
    parcel: Parcel,
) -> Option<SealedShare> {
    let key_share = secrets
        .into_iter()
        .find_map(|secret| subject.open(secret, &parcel.envelope))?;
    let share = KeylessShare {
        slot,
        path: parcel.path,
        fragment: parcel.fragment,
    };
    Some(share.with_key_share(header.height, *key_share))
}
