use super::{Announcement, Dealt, Scheme, SchemeError, Secrecy};
use crate::key::KEY_LENGTH;
use crate::share_set::PrimitiveError;
use crate::{DataKey, Parameters};
use salus_types::{KEY_SHARE_LENGTH, Slot};
use shamirsecretsharing::hazmat::{combine_keyshares, create_keyshares};

/// Shamir's scheme over every byte of the body ("How to Share a Secret", 1979): each share is as long as the body.
///
/// The library shares 32 bytes at a time and puts the share's index in front of each 32, so a share takes 33/32 of
/// the body, which is padded with zeroes to whole chunks.
#[derive(Clone, Copy, Debug)]
pub struct ShamirBytes;

const DEFECT: PrimitiveError = PrimitiveError::Defect("Shamir");

impl Scheme for ShamirBytes {
    fn name(&self) -> &'static str {
        "shamir-bytes"
    }

    fn secrecy(&self) -> Secrecy {
        Secrecy::Perfect
    }

    fn statement(&self) -> &'static str {
        "fewer than k shares show nothing but the body's length, whatever is computed from them"
    }

    fn share_length(&self, body: usize, _: Parameters, _: Slot) -> usize {
        body.div_ceil(KEY_LENGTH).saturating_mul(KEY_SHARE_LENGTH)
    }

    fn deal(&self, body: &[u8], parameters: Parameters, _: DataKey) -> Result<Dealt, SchemeError> {
        let announcement = Announcement::plain(body, parameters)?;
        let (k, slots) = (parameters.threshold(), parameters.slots());
        let (small_k, small_n) = (u8::try_from(k), u8::try_from(slots));
        let (small_k, small_n) = (small_k.map_err(|_| DEFECT)?, small_n.map_err(|_| DEFECT)?);
        let length = self.share_length(body.len(), parameters, Slot::new(0));
        let mut shares = vec![Vec::with_capacity(length); usize::from(slots)];
        for chunk in body.chunks(KEY_LENGTH) {
            let mut padded = [0; KEY_LENGTH];
            padded.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            let dealt = create_keyshares(&padded, small_n, small_k).map_err(|_| DEFECT)?;
            for (share, piece) in shares.iter_mut().zip(dealt) {
                share.extend_from_slice(&piece);
            }
        }
        Ok(Dealt { announcement, shares })
    }

    fn open(&self, announcement: &Announcement, shares: &[(Slot, &[u8])]) -> Result<Vec<u8>, SchemeError> {
        let chosen = announcement.choose(self, shares)?;
        for (slot, share) in &chosen {
            // The library would take any index for what it says, 0 and another slot's too.
            let index = slot.saturating_add(1);
            let own = |piece: &[u8]| piece.first().is_some_and(|first| usize::from(*first) == index);
            if !share.chunks(KEY_SHARE_LENGTH).all(own) {
                let slot = u16::try_from(*slot).unwrap_or(u16::MAX);
                return Err(SchemeError::NotAShare(Slot::new(slot)));
            }
        }
        let mut pieces: Vec<_> = chosen
            .iter()
            .map(|(_, share)| share.chunks_exact(KEY_SHARE_LENGTH))
            .collect();
        let mut body = Vec::with_capacity(announcement.body_length().next_multiple_of(KEY_LENGTH));
        while body.len() < announcement.body_length() {
            let chunk: Vec<Vec<u8>> = pieces
                .iter_mut()
                .filter_map(Iterator::next)
                .map(<[u8]>::to_vec)
                .collect();
            body.extend(combine_keyshares(&chunk).map_err(|_| DEFECT)?);
        }
        body.truncate(announcement.body_length());
        Ok(body)
    }
}
