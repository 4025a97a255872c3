use crate::envelope::{self, SealedKeyShare};
use crate::keys::{ReleaseKey, ReleaseSecret};
use crate::seed::Seed;
use salus_types::{BlockId, ChainId, KEY_SHARE_LENGTH, MemberId};
use zeroize::Zeroizing;

/// Whose key share of which block an envelope holds. It opens for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockKeyShare {
    /// The network.
    pub chain: ChainId,
    /// The block.
    pub block: BlockId,
    /// The member that the share was dealt to.
    pub member: MemberId,
}

impl BlockKeyShare {
    /// Seals the member's key share to its release key, so that another member can keep it without reading it; `None`
    /// if the key is none (a point of small order): such a member can't get its share back.
    pub fn seal(
        &self,
        receiver: &ReleaseKey,
        share: &[u8; KEY_SHARE_LENGTH],
        seed: Seed,
    ) -> Option<SealedKeyShare> {
        let info = self.info();
        let share = Zeroizing::new(*share);
        let mut randomness = seed.stream("salus.block.v1 deposit", &[&info, receiver.as_bytes()]);
        envelope::seal(receiver.as_bytes(), &info, &share, &mut randomness)
    }

    /// Opens an envelope as the member; `None` if it was sealed to another key, for another block, or was changed.
    pub fn open(
        &self,
        secret: &ReleaseSecret,
        sealed: &SealedKeyShare,
    ) -> Option<Zeroizing<[u8; KEY_SHARE_LENGTH]>> {
        envelope::open(secret.private(), &self.info(), sealed)
    }

    /// `"salus.block.v1 deposited key share" | chain | block | member u16 BE`.
    fn info(&self) -> Vec<u8> {
        let mut info = b"salus.block.v1 deposited key share".to_vec();
        info.extend_from_slice(self.chain.as_bytes());
        info.extend_from_slice(self.block.as_bytes());
        info.extend_from_slice(&self.member.get().to_be_bytes());
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_types::Hash;

    fn subject(member: u16) -> BlockKeyShare {
        BlockKeyShare {
            chain: ChainId::new(Hash::new([1; 32])),
            block: BlockId::new(Hash::new([2; 32])),
            member: MemberId::new(member),
        }
    }

    #[test]
    fn only_its_member_opens_a_deposited_key_share_and_only_for_its_block() {
        let (mine, other) = (
            ReleaseSecret::from_seed(&[3; 32]),
            ReleaseSecret::from_seed(&[4; 32]),
        );
        let share = [5; KEY_SHARE_LENGTH];
        let sealed = subject(1)
            .seal(&mine.public(), &share, Seed::new([6; 32]))
            .unwrap();
        assert_eq!(*subject(1).open(&mine, &sealed).unwrap(), share);
        assert!(subject(1).open(&other, &sealed).is_none());
        assert!(subject(2).open(&mine, &sealed).is_none());
        let elsewhere = BlockKeyShare {
            block: BlockId::new(Hash::new([7; 32])),
            ..subject(1)
        };
        assert!(elsewhere.open(&mine, &sealed).is_none());
        for byte in 0..sealed.len() {
            let mut changed = sealed;
            changed[byte] ^= 1;
            assert!(subject(1).open(&mine, &changed).is_none(), "byte {byte}");
        }
        let small_order = ReleaseKey::new([0; 32]);
        assert!(
            subject(1)
                .seal(&small_order, &share, Seed::new([6; 32]))
                .is_none()
        );
    }

    /// Golden vector: deposits outlive a version of the program.
    #[test]
    fn an_envelope_has_these_bytes() {
        let key = ReleaseSecret::from_seed(&[3; 32]).public();
        let sealed = subject(1).seal(&key, &[5; KEY_SHARE_LENGTH], Seed::new([6; 32]));
        let hash = salus_types::Hash::of_content(&sealed.unwrap());
        assert_eq!(
            hash.to_string(),
            "1dfb1ff49f6056c7c8442075b8ecbd114c43175dbd5a7562d60b127793e7a443"
        );
    }
}
