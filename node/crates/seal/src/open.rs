use crate::payload::{self, Unpacked};
use crate::share_set::{PrimitiveError, ShareSet};
use crate::{Binding, CheckedShare, DataKey, Layout, SealingError, cipher, code, key_shares};
use salus_types::{ChainId, Height, KEY_SHARE_LENGTH, SealedShare, ShareCommitment, Slot};
use std::fmt;
use zeroize::Zeroizing;

/// A block that was opened from shares: its body, and all that is needed to compute any of its shares again.
///
/// Kept in memory only. The data key and the key shares are zeroised on drop.
pub struct OpenedBlock {
    chain: ChainId,
    commitment: ShareCommitment,
    layout: Layout,
    payload: Vec<u8>,
    /// The body, unless it stands in the payload as it is.
    apart: Option<Vec<u8>>,
    key: DataKey,
    /// Exactly k.
    key_shares: Zeroizing<Vec<[u8; KEY_SHARE_LENGTH]>>,
}

/// Why shares do not open a block.
///
/// The last four cannot happen for a block that validators checked before they voted for it; they are told apart
/// because they would be evidence of more faults than the network tolerates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The header's sealing is one that no block can have.
    #[error("the header's sealing is refused: {0}")]
    Sealing(#[from] SealingError),
    /// Fewer than k.
    #[error("{have} of {need} needed shares")]
    TooFewShares {
        /// Shares given.
        have: usize,
        /// k.
        need: usize,
    },
    /// The same slot twice.
    #[error("slot {0} was given twice")]
    DuplicateSlot(Slot),
    /// A share that was checked against another header.
    #[error("the share of slot {0} was checked against another header")]
    ForeignShare(Slot),
    /// No such slot was dealt.
    #[error("slot {slot} where {slots} were dealt")]
    SlotOutOfRange {
        /// The slot asked for.
        slot: Slot,
        /// S.
        slots: u16,
    },
    /// The ciphertext does not belong to the key.
    #[error("the ciphertext of height {0} is not authentic: its dealing was never checked")]
    NotAuthentic(Height),
    /// The payload does not give a body of the header's length.
    #[error("the payload of height {0} does not give a body of the header's length")]
    Payload(Height),
    /// The body is not the one the header commits to.
    #[error("the body is not the one that the header of height {0} commits to")]
    Commitment(Height),
    /// The shares computed again are not the ones the header commits to.
    #[error("the shares of height {0}, computed again, do not lead to its share root")]
    ShareRoot(Height),
    /// This machine cannot do it.
    #[error(transparent)]
    Primitive(#[from] PrimitiveError),
}

/// Opens a block from k or more checked shares of it, in any order.
///
/// Shares of the first k slots hold the ciphertext as it is; when all of them are given, nothing is decoded.
pub fn open(
    commitment: impl Into<ShareCommitment>,
    chain: &ChainId,
    shares: &[CheckedShare],
) -> Result<OpenedBlock, OpenError> {
    let commitment = commitment.into();
    let height = commitment.height;
    let layout = Layout::of(commitment.sealing)?;
    let chosen = choose(&commitment, &layout, shares)?;
    let key_shares = Zeroizing::new(chosen.iter().map(|share| *share.key_share()).collect::<Vec<_>>());
    let key = DataKey::new(*key_shares::evaluate(&key_shares, 0)?);

    let pieces: Vec<(usize, &[u8])> = chosen
        .iter()
        .map(|share| (usize::from(share.slot().get()), share.share().fragment.as_slice()))
        .collect();
    let mut payload = code::decode(layout.code_shape(), &pieces)?;
    payload.truncate(layout.sealed_length());
    let binding = Binding::of(commitment, chain);
    cipher::decrypt(&key, &binding, &layout, &mut payload).map_err(|_| OpenError::NotAuthentic(height))?;
    payload.truncate(payload.len().saturating_sub(cipher::TAG_LENGTH));

    let apart = match payload::unpack(&payload, layout.body_length()) {
        Ok(Unpacked::InPlace) => None,
        Ok(Unpacked::Apart(body)) => Some(body),
        Err(_) => return Err(OpenError::Payload(height)),
    };
    let opened = OpenedBlock {
        chain: *chain,
        commitment,
        layout,
        payload,
        apart,
        key,
        key_shares,
    };
    if opened.key.commit(&binding, opened.body()) != commitment.body_commitment {
        return Err(OpenError::Commitment(height));
    }
    Ok(opened)
}

/// The k shares of the lowest slots, in ascending order: the more data fragments among them, the less to decode.
fn choose<'a>(
    commitment: &ShareCommitment,
    layout: &Layout,
    shares: &'a [CheckedShare],
) -> Result<Vec<&'a CheckedShare>, OpenError> {
    let mut sorted: Vec<&CheckedShare> = shares.iter().collect();
    sorted.sort_unstable_by_key(|share| share.slot());
    for share in &sorted {
        if share.root() != commitment.share_root || share.share().height != commitment.height {
            return Err(OpenError::ForeignShare(share.slot()));
        }
    }
    for pair in sorted.windows(2) {
        if let [one, other] = pair
            && one.slot() == other.slot()
        {
            return Err(OpenError::DuplicateSlot(one.slot()));
        }
    }
    if sorted.len() < layout.threshold() {
        return Err(OpenError::TooFewShares {
            have: sorted.len(),
            need: layout.threshold(),
        });
    }
    sorted.truncate(layout.threshold());
    Ok(sorted)
}

impl OpenedBlock {
    /// The encoded body.
    pub fn body(&self) -> &[u8] {
        self.apart
            .as_deref()
            .unwrap_or_else(|| payload::in_place(&self.payload))
    }

    /// The slots whose shares opened it, ascending: exactly k.
    pub fn slots(&self) -> impl ExactSizeIterator<Item = Slot> + '_ {
        // A key share begins with its index, which is its slot and one.
        self.key_shares
            .iter()
            .map(|share| Slot::new(u16::from(share[0]).saturating_sub(1)))
    }

    /// The block's height.
    pub const fn height(&self) -> Height {
        self.commitment.height
    }

    /// The dealing that it was opened from.
    pub const fn commitment(&self) -> &ShareCommitment {
        &self.commitment
    }

    pub(crate) const fn chain(&self) -> &ChainId {
        &self.chain
    }

    pub(crate) const fn key(&self) -> &DataKey {
        &self.key
    }

    /// Computes the share of a slot again, bit for bit as the proposer dealt it, with its path.
    ///
    /// Computes all S shares on the way and checks them against the `share_root`; so it costs about as much
    /// as sealing.
    pub fn rederive(&self, slot: Slot) -> Result<SealedShare, OpenError> {
        let out_of_range = OpenError::SlotOutOfRange {
            slot,
            slots: self.layout.sealing().slots,
        };
        if self.layout.index(slot).is_none() {
            return Err(out_of_range);
        }
        let key_shares = key_shares::rederive(&self.key_shares, self.layout.slots())?;
        let binding = Binding::of(self.commitment, &self.chain);
        let shares = ShareSet::build(&self.payload, &binding, self.layout, &self.key, key_shares)?;
        if shares.root() != self.commitment.share_root {
            return Err(OpenError::ShareRoot(self.height()));
        }
        shares.share(slot).ok_or(out_of_range)
    }
}

impl fmt::Debug for OpenedBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "OpenedBlock(height {}, {} B)",
            self.height(),
            self.layout.body_length()
        )
    }
}
