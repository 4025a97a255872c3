use super::{Announcement, Dealt, Scheme, SchemeError, Secrecy, kth};
use crate::cipher::TAG_LENGTH;
use crate::{Binding, CheckedShare, DataKey, Parameters, open, payload, seal};
use salus_types::{ChainId, Hash, Height, KEY_SHARE_LENGTH, MemberId, Round, SealedShare, Slot, codec};

/// Secret sharing made short (Krawczyk, CRYPTO 1993), as suite 1 of this chain does it: nothing here is a copy, and a
/// share is the canonical [`SealedShare`] that a node stores and sends, with its Merkle path.
///
/// Opening checks each share and the body against what the dealing announced, as a node does.
#[derive(Clone, Copy, Debug)]
pub struct Ssms;

impl Scheme for Ssms {
    fn name(&self) -> &'static str {
        "ssms"
    }

    fn secrecy(&self) -> Secrecy {
        Secrecy::Computational
    }

    fn statement(&self) -> &'static str {
        "fewer than k shares show nothing but the length of the compressed body to who cannot break AES-256-GCM or BLAKE3"
    }

    fn share_length(&self, body: usize, parameters: Parameters, slot: Slot) -> usize {
        let sealed = body
            .saturating_add(payload::LENGTH_MORE_MAX)
            .saturating_add(TAG_LENGTH);
        let fragment = kth(sealed, parameters);
        let around = SealedShare {
            height: binding().height,
            slot,
            key_share: [0; KEY_SHARE_LENGTH],
            path: vec![Hash::ZERO; path_length(slot, parameters)],
            fragment: Vec::new(),
        };
        // An empty fragment is encoded as its length alone.
        let prefix = |length: usize| codec::encode(&u64::try_from(length).unwrap_or(u64::MAX)).len();
        codec::encode(&around)
            .len()
            .saturating_sub(prefix(0))
            .saturating_add(prefix(fragment))
            .saturating_add(fragment)
    }

    fn deal(&self, body: &[u8], parameters: Parameters, fresh: DataKey) -> Result<Dealt, SchemeError> {
        let binding = binding();
        let sealed = seal(body, &binding, parameters, fresh)?;
        let shares = (0..parameters.slots())
            .filter_map(|slot| sealed.share(Slot::new(slot)))
            .map(|share| codec::encode(&share))
            .collect();
        Ok(Dealt {
            announcement: Announcement {
                parameters,
                body_length: body.len(),
                commitment: Some(*sealed.commitment()),
            },
            shares,
        })
    }

    fn open(&self, announcement: &Announcement, shares: &[(Slot, &[u8])]) -> Result<Vec<u8>, SchemeError> {
        let commitment = announcement.commitment.ok_or(SchemeError::OtherScheme)?;
        let checked = shares
            .iter()
            .map(|(slot, bytes)| {
                let share: SealedShare =
                    codec::decode(bytes, bytes.len()).map_err(|_| SchemeError::NotAShare(*slot))?;
                if share.slot != *slot {
                    return Err(SchemeError::NotAShare(*slot));
                }
                Ok(CheckedShare::check(share, commitment)?)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(open(commitment, &binding().chain, &checked)?.body().to_vec())
    }
}

/// The place of a block of no chain in particular.
fn binding() -> Binding {
    Binding {
        chain: ChainId::new(Hash::ZERO),
        height: Height::new(1),
        dealt_at: Height::new(1),
        round: Round::ZERO,
        proposer: MemberId::new(0),
    }
}

/// Siblings on the way from a slot to the root, where an odd node moves up by itself.
fn path_length(slot: Slot, parameters: Parameters) -> usize {
    let (mut index, mut width) = (slot.get(), parameters.slots());
    let mut length: usize = 0;
    while width > 1 {
        if index ^ 1 < width {
            length = length.saturating_add(1);
        }
        index >>= 1;
        width = width.div_ceil(2);
    }
    length
}
