//! All S shares of a block and the tree over them. Seal, check and rederive all build it by the same function, so
//! that they cannot disagree.

use crate::code::Code;
use crate::key_shares::{self, KeyShares};
use crate::{Binding, DataKey, KeylessDealing, Layout, UnsupportedCpu, cipher};
use salus_types::{Hash, Height, KEY_SHARE_LENGTH, SealedShare, Slot, merkle};
use zeroize::Zeroizing;

/// A library did not do what it must for input that was checked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrimitiveError {
    /// The vector code cannot run here.
    #[error(transparent)]
    UnsupportedCpu(#[from] UnsupportedCpu),
    /// A defect of this crate: please report it.
    #[error("the {0} library refused input that was checked before; this is a defect of the software")]
    Defect(&'static str),
}

/// All shares of a block.
pub(crate) struct ShareSet {
    height: Height,
    layout: Layout,
    /// The ciphertext, padded with zeroes: the k data fragments, end to end.
    data: Vec<u8>,
    code: Code,
    key_shares: KeyShares,
    leaves: Vec<Hash>,
    root: Hash,
}

/// The leaf of a share: `H(0x00 || height || slot || H(fragment) || H(key share))`, numbers big-endian.
pub(crate) fn leaf(height: Height, slot: Slot, fragment: &Hash, key_share: &Hash) -> Hash {
    let mut bytes = Vec::with_capacity(75);
    bytes.push(0x00);
    bytes.extend_from_slice(&height.get().to_be_bytes());
    bytes.extend_from_slice(&slot.get().to_be_bytes());
    bytes.extend_from_slice(fragment.as_bytes());
    bytes.extend_from_slice(key_share.as_bytes());
    Hash::of_content(&bytes)
}

impl ShareSet {
    /// Encrypts a payload, splits it and hashes the shares.
    pub(crate) fn build(
        payload: &[u8],
        binding: &Binding,
        layout: Layout,
        key: &DataKey,
        key_shares: KeyShares,
    ) -> Result<Self, PrimitiveError> {
        let mut data = Vec::with_capacity(layout.data_length());
        data.extend_from_slice(payload);
        data.resize(layout.data_length(), 0);
        let sealed = data
            .get_mut(..layout.sealed_length())
            .ok_or(PrimitiveError::Defect("layout"))?;
        cipher::encrypt(key, binding, &layout, sealed)?;

        let code = Code::new(layout.code_shape())?;
        let mut hashers = vec![blake3::Hasher::new(); layout.slots()];
        code.each_strip(&data, |index, strip| {
            if let Some(hasher) = hashers.get_mut(index) {
                hasher.update(strip);
            }
        });
        let leaves = (0u16..)
            .zip(&hashers)
            .map(|(slot, hasher)| {
                let fragment = Hash::new(*hasher.finalize().as_bytes());
                let key_share = key_shares::with_index(&key_shares, usize::from(slot))?;
                let key_share = Hash::of_content(&key_share);
                Some(leaf(binding.height, Slot::new(slot), &fragment, &key_share))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or(PrimitiveError::Defect("layout"))?;
        Ok(Self {
            height: binding.height,
            layout,
            data,
            code,
            key_shares,
            root: merkle::root(&leaves),
            leaves,
        })
    }

    pub(crate) const fn root(&self) -> Hash {
        self.root
    }

    /// The share of a slot; `None` if it was not dealt.
    pub(crate) fn share(&self, slot: Slot) -> Option<SealedShare> {
        let index = self.layout.index(slot)?;
        Some(SealedShare {
            height: self.height,
            slot,
            key_share: key_shares::with_index(&self.key_shares, index)?,
            path: merkle::path(&self.leaves, index)?,
            fragment: self.code.fragment(&self.data, index)?,
        })
    }

    /// The key share of a slot; `None` if it was not dealt.
    pub(crate) fn key_share(&self, slot: Slot) -> Option<Zeroizing<[u8; KEY_SHARE_LENGTH]>> {
        let index = self.layout.index(slot)?;
        key_shares::with_index(&self.key_shares, index).map(Zeroizing::new)
    }

    /// Everything but the key shares.
    pub(crate) fn keyless(&self) -> KeylessDealing {
        let ciphertext = self.data.get(..self.layout.sealed_length());
        KeylessDealing::of(self.layout, &self.leaves, ciphertext.unwrap_or_default())
    }
}
