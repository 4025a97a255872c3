//! What validators say to each other. `salus-net` carries these as bytes; this is where they get a meaning.
//!
//! | channel | asks | answers |
//! | --- | --- | --- |
//! | direct | [`Direct`] | - |
//! | gossip `transactions` | [`Transactions`] | - |
//! | gossip `headers` | [`Committed`] | - |
//! | requests `bodies` | [`BodyAsk`] | [`BodyAnswer`] |
//! | requests `shares` | [`ShareAsk`] | [`ShareAnswer`] |
//! | requests `records` | [`RecordAsk`] | [`RecordAnswer`] |

use salus_records::SealedKeyShare;
use salus_types::codec::{Decode, Encode};
use salus_types::snapshot::{SnapshotOffer, SnapshotPart};
use salus_types::tree::TreePrefix;
use salus_types::{
    BlockId, CommitCertificate, Hash, Header, Height, SealedShare, ShareCommitment, ShareReceipt,
    SignedOpenRequest, SignedShare, UnverifiedTransaction, ValidatorSet,
};
use std::fmt;

/// Bytes of a direct message, at most.
pub(crate) const DIRECT_MAX: usize = 64 << 10;
/// Bytes of a gossiped message, at most.
pub(crate) const GOSSIP_MAX: usize = 256 << 10;
/// Bytes of a request or answer that carries a body, a share or a record's piece, at most.
pub(crate) const LARGE_MAX: usize = 20 << 20;
/// Bytes of a question, at most.
pub(crate) const ASK_MAX: usize = 4 << 10;
/// Headers in one answer, at most: every old certificate but one in 1,024 is dropped, and an answer must end with one.
pub(crate) const HEADERS_MAX: u64 = 1_024;

/// Between two validators, in order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Direct {
    /// Encoded consensus message.
    Consensus(Vec<u8>),
    /// How far the sender has committed: sent on connecting and every few seconds.
    Tip(Height),
    /// The sender's shares of these blocks are durable. Sent only where k > n - 2f.
    Receipt(ShareReceipt),
}

/// Transactions on their way to every proposer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Transactions(pub Vec<UnverifiedTransaction>);

/// A block was committed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Committed {
    /// Its header.
    pub header: Header,
    /// The proof.
    pub certificate: CommitCertificate,
}

/// A block that is being decided, with all that a validator checks before it votes. Secret.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct DealtBlock {
    /// The header that commits to it.
    pub header: Header,
    /// Encoded dealing.
    pub dealing: Vec<u8>,
    /// Encoded redealings, one for each reseal in the body.
    pub redealings: Vec<Vec<u8>>,
}

/// About bodies that are being decided.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum BodyAsk {
    /// The proposer hands out its dealing.
    Push(Box<DealtBlock>),
    /// The push did not arrive: please hand it over.
    Pull {
        /// Which block.
        block: BlockId,
    },
}

/// The answer to a [`BodyAsk`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum BodyAnswer {
    /// The push arrived.
    Received,
    /// The dealing that was asked for.
    Dealing(Box<DealtBlock>),
    /// Not held here, or not any more.
    Unknown,
}

/// Why someone asks for a share; its holder logs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum SharePurpose {
    /// Someone reads the block: whoever signed this, where the network's open policy asks for it.
    Read(Option<SignedOpenRequest>),
    /// The asker lost its own share.
    Repair,
    /// The asker missed the block.
    Sync,
    /// The asker is to deal the block anew.
    Reseal,
}

/// About committed blocks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum ShareAsk {
    /// The holder's share of a block.
    Share {
        /// The block's height, for the holder's log.
        height: Height,
        /// Which block: it may be decided without being committed yet.
        block: BlockId,
        /// Of which dealing of that block: the root that its shares lead to.
        share_root: Hash,
        /// What for.
        purpose: SharePurpose,
    },
    /// Headers from a height on.
    Headers {
        /// The first one wanted.
        from: Height,
        /// How many, at most [`HEADERS_MAX`].
        max: u64,
    },
    /// Whether the holder has its share of a block.
    Holds {
        /// Which block.
        height: Height,
    },
    /// Which snapshots of the state the holder has.
    Snapshots,
    /// A part of one.
    SnapshotPart {
        /// Of which height.
        height: Height,
        /// Which part.
        prefix: TreePrefix,
    },
    /// What the holder has deposited of the asker's share of a block. Asked only where k > n - 2f.
    Parcel {
        /// The block's height.
        height: Height,
        /// Which block: it may be decided without being committed yet.
        block: BlockId,
    },
    /// A receipt for the holder's shares of those of these blocks that it has, at most [`ShareReceipt::BLOCKS_MAX`].
    Receipt {
        /// Which blocks.
        blocks: Vec<BlockId>,
    },
    /// The validators that have a hash: they decided blocks of the past.
    Validators {
        /// As it stands in headers.
        hash: Hash,
    },
}

/// The answer to a [`ShareAsk`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum ShareAnswer {
    /// The share, under its holder's signature.
    Share(SignedShare),
    /// Consecutive headers, and the certificate of the last.
    Headers {
        /// From the height asked for on.
        headers: Vec<Header>,
        /// Proves the last header, and through it all of them; `None` with no headers.
        certificate: Option<CommitCertificate>,
    },
    /// Whether the share is there.
    Holds(bool),
    /// Not held here.
    Missing,
    /// The snapshots, the newest first.
    Snapshots(Vec<SnapshotOffer>),
    /// The part.
    SnapshotPart(SnapshotPart),
    /// Held, but not handed out.
    Withheld(Withheld),
    /// What is deposited of the asker's share.
    Parcel(Parcel),
    /// The holder's shares of these blocks are durable.
    Receipt(ShareReceipt),
    /// The validators.
    Validators(ValidatorSet),
    /// The holder has come to a block that deals this one anew, and has no share of the dealing asked for any more.
    Resealed {
        /// The dealing in force.
        commitment: Box<ShareCommitment>,
        /// The holder's share of it.
        share: SealedShare,
    },
}

/// Why a holder keeps its share to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Withheld {
    /// The open policy does not allow it: no wish, none that is valid, or no ticket for it.
    NotAllowed,
    /// The asker has had as many as it may for now, or the holder could not decide.
    Busy,
}

/// What one member keeps of another's share. Only that one can open it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Parcel {
    /// The key share, sealed to the asker's release key.
    pub envelope: SealedKeyShare,
    /// Siblings from the asker's leaf up to the share root.
    pub path: Vec<Hash>,
    /// The asker's fragment of the ciphertext.
    pub fragment: Vec<u8>,
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parcel({} B)", self.fragment.len())
    }
}

/// About pieces of health records.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum RecordAsk {
    /// Please store this piece: encoded `salus_records::Piece`.
    Store(Vec<u8>),
    /// Please release your piece: encoded and signed read request.
    Release(Vec<u8>),
}

/// The answer to a [`RecordAsk`].
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum RecordAnswer {
    /// Stored durably; the member's signature over the stored receipt.
    Stored([u8; 64]),
    /// Encoded `salus_records::ReleasedPiece`.
    Released(Vec<u8>),
    /// No, and why: one of [`Refusal`].
    Refused(Refusal),
}

/// Why a member does not store or release a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
pub(crate) enum Refusal {
    /// The bytes are not what they should be.
    #[error("the piece or request is malformed or not meant for this member")]
    Malformed,
    /// The request's signature does not verify under the requester's key.
    #[error("the request is not signed by the requester")]
    NotSigned,
    /// No ticket of the access contract covers it.
    #[error("no ticket of the access contract covers this request")]
    NoTicket,
    /// This member does not hold a piece of that record.
    #[error("this member holds no piece of that record")]
    NotHeld,
    /// Another piece is stored under this record.
    #[error("another piece of this record is stored here")]
    Conflict,
    /// The member could not store it: its disk is full or failing.
    #[error("the member could not store the piece")]
    StorageFailed,
    /// The member is too busy.
    #[error("the member is busy; try again")]
    Busy,
}

#[cfg(test)]
mod tests {
    //! Golden vectors: a change here splits a running network.

    use super::*;
    use data_encoding::HEXLOWER;
    use expect_test::{Expect, expect};
    use salus_types::codec;
    use salus_types::state::StateKey;
    use salus_types::{
        ContractId, Gas, MemberId, OpenRequest, PrincipalId, PublicKey, Round, Sealing, Signature, Slot,
        Timestamp, Validator,
    };

    fn golden<T: Encode + Decode<()> + PartialEq>(value: &T, expected: Expect) {
        let bytes = codec::encode(value);
        expected.assert_eq(&HEXLOWER.encode(&bytes));
        assert!(codec::decode::<T>(&bytes, 1 << 16).is_ok_and(|read| read == *value));
    }

    fn header(height: Height) -> Header {
        Header {
            height,
            round: Round::new(1),
            time: Timestamp::new(5),
            proposer: MemberId::new(2),
            parent: BlockId::new(Hash::ZERO),
            validators: Hash::ZERO,
            next_validators: Hash::ZERO,
            sealing: Sealing {
                suite: 1,
                threshold: 2,
                slots: 3,
                body_length: 4,
                sealed_length: 21,
            },
            body_commitment: Hash::ZERO,
            share_root: Hash::ZERO,
            receipts_root: Hash::ZERO,
            state_root: Hash::ZERO,
            gas_used: Gas::new(6),
        }
    }

    #[test]
    fn what_validators_say_does_not_drift() {
        let block = BlockId::new(Hash::new([7; 32]));
        let height = Height::new(300);
        golden(&Direct::Consensus(vec![1, 2]), expect!["00020102"]);
        golden(&Direct::Tip(height), expect!["01fb012c"]);
        golden(&Transactions(Vec::new()), expect!["00"]);
        golden(
            &BodyAsk::Pull { block },
            expect!["010707070707070707070707070707070707070707070707070707070707070707"],
        );
        let dealt = DealtBlock {
            header: header(height),
            dealing: vec![3],
            redealings: vec![vec![4, 5]],
        };
        golden(
            &BodyAsk::Push(Box::new(dealt)),
            expect![
                "00fb012c0105020000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000102030415000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006010301020405"
            ],
        );
        golden(&BodyAnswer::Received, expect!["00"]);
        golden(&BodyAnswer::Unknown, expect!["02"]);
        golden(
            &ShareAsk::Share {
                height,
                block,
                share_root: Hash::new([8; 32]),
                purpose: SharePurpose::Repair,
            },
            expect![
                "00fb012c0707070707070707070707070707070707070707070707070707070707070707080808080808080808080808080808080808080808080808080808080808080801"
            ],
        );
        golden(
            &ShareAsk::Headers {
                from: height,
                max: 64,
            },
            expect!["01fb012c40"],
        );
        golden(&ShareAsk::Holds { height }, expect!["02fb012c"]);
        let share = SealedShare {
            height,
            slot: Slot::new(1),
            key_share: [2; 33],
            path: Vec::new(),
            fragment: vec![3],
        };
        let commitment = Box::new(ShareCommitment {
            dealt_at: Height::new(301),
            body_commitment: Hash::new([9; 32]),
            share_root: Hash::new([8; 32]),
            ..ShareCommitment::from(&header(height))
        });
        golden(
            &ShareAnswer::Resealed {
                commitment,
                share: share.clone(),
            },
            expect![
                "0afb012cfb012d0102010203041509090909090909090909090909090909090909090909090909090909090909090808080808080808080808080808080808080808080808080808080808080808fb012c01020202020202020202020202020202020202020202020202020202020202020202000103"
            ],
        );
        golden(
            &ShareAnswer::Share(SignedShare {
                share,
                signature: Signature::new([9; 64]),
            }),
            expect![
                "00fb012c0102020202020202020202020202020202020202020202020202020202020202020200010309090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909"
            ],
        );
        golden(
            &ShareAnswer::Headers {
                headers: Vec::new(),
                certificate: None,
            },
            expect!["010000"],
        );
        golden(&ShareAnswer::Holds(true), expect!["0201"]);
        golden(&ShareAnswer::Missing, expect!["03"]);
        let hash = Hash::new([8; 32]);
        golden(
            &ShareAsk::Validators { hash },
            expect!["070808080808080808080808080808080808080808080808080808080808080808"],
        );
        let validator = Validator {
            member: MemberId::new(3),
            key: PublicKey::new([4; 32]),
            slot: Slot::new(5),
        };
        let validators = ValidatorSet::new(vec![validator]).unwrap();
        golden(
            &ShareAnswer::Validators(validators),
            expect!["090103040404040404040404040404040404040404040404040404040404040404040405"],
        );
        golden(&ShareAsk::Snapshots, expect!["03"]);
        let prefix = TreePrefix::from_path(&[1, 15]).unwrap();
        golden(
            &ShareAsk::SnapshotPart { height, prefix },
            expect!["04fb012c02010f"],
        );
        let offer = SnapshotOffer {
            height,
            state_root: Hash::new([9; 32]),
            bytes: 70_000,
        };
        golden(
            &ShareAnswer::Snapshots(vec![offer]),
            expect!["0401fb012c0909090909090909090909090909090909090909090909090909090909090909fc00011170"],
        );
        let key = StateKey::new(ContractId::new(2), b"k");
        let entries = SnapshotPart::Entries(vec![(key, b"value".to_vec())]);
        golden(
            &ShareAnswer::SnapshotPart(entries),
            expect!["05010105000000026b0576616c7565"],
        );
        let split = SnapshotPart::Split(Box::new(std::array::from_fn(|digit| {
            Hash::new([u8::try_from(digit).unwrap_or_default(); 32])
        })));
        golden(
            &ShareAnswer::SnapshotPart(split),
            expect![
                "050000000000000000000000000000000000000000000000000000000000000000000101010101010101010101010101010101010101010101010101010101010101020202020202020202020202020202020202020202020202020202020202020203030303030303030303030303030303030303030303030303030303030303030404040404040404040404040404040404040404040404040404040404040404050505050505050505050505050505050505050505050505050505050505050506060606060606060606060606060606060606060606060606060606060606060707070707070707070707070707070707070707070707070707070707070707080808080808080808080808080808080808080808080808080808080808080809090909090909090909090909090909090909090909090909090909090909090a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
            ],
        );
        golden(&ShareAnswer::Withheld(Withheld::NotAllowed), expect!["0600"]);
        golden(&ShareAnswer::Withheld(Withheld::Busy), expect!["0601"]);
        let request = OpenRequest {
            principal: PrincipalId::new(7),
            from: height,
            to: height,
            recipient: MemberId::new(2),
            expires: Timestamp::new(9),
        };
        let wish = SignedOpenRequest {
            request,
            signature: Signature::new([4; 64]),
        };
        for (purpose, expected) in [
            (
                SharePurpose::Read(None),
                expect![
                    "00fb012c070707070707070707070707070707070707070707070707070707070707070708080808080808080808080808080808080808080808080808080808080808080000"
                ],
            ),
            (
                SharePurpose::Read(Some(wish)),
                expect![
                    "00fb012c07070707070707070707070707070707070707070707070707070707070707070808080808080808080808080808080808080808080808080808080808080808000107fb012cfb012c020904040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404"
                ],
            ),
            (
                SharePurpose::Reseal,
                expect![
                    "00fb012c0707070707070707070707070707070707070707070707070707070707070707080808080808080808080808080808080808080808080808080808080808080803"
                ],
            ),
        ] {
            let ask = ShareAsk::Share {
                height,
                block,
                share_root: Hash::new([8; 32]),
                purpose,
            };
            golden(&ask, expected);
        }
        let parcel = Parcel {
            envelope: [4; 81],
            path: Vec::new(),
            fragment: vec![5],
        };
        golden(
            &ShareAnswer::Parcel(parcel),
            expect![
                "07040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404000105"
            ],
        );
        golden(
            &ShareAsk::Parcel { height, block },
            expect!["05fb012c0707070707070707070707070707070707070707070707070707070707070707"],
        );
        let blocks = vec![block];
        golden(
            &ShareAsk::Receipt {
                blocks: blocks.clone(),
            },
            expect!["06010707070707070707070707070707070707070707070707070707070707070707"],
        );
        let key = salus_types::SecretKey::from_seed(&[1; 32]);
        let chain = salus_types::ChainId::new(Hash::new([2; 32]));
        let receipt = ShareReceipt::sign(salus_types::MemberId::new(3), blocks, &key, &chain);
        golden(
            &Direct::Receipt(receipt.clone()),
            expect![
                "0203010707070707070707070707070707070707070707070707070707070707070707b83212cd1014ad84d19fe61c6381d92e4e7e989dfd001bc6deb63459be10abc3559508b990373bee271818d35f7e8b3bde9f09d53c3fe76da846ac05a818a70a"
            ],
        );
        golden(
            &ShareAnswer::Receipt(receipt),
            expect![
                "0803010707070707070707070707070707070707070707070707070707070707070707b83212cd1014ad84d19fe61c6381d92e4e7e989dfd001bc6deb63459be10abc3559508b990373bee271818d35f7e8b3bde9f09d53c3fe76da846ac05a818a70a"
            ],
        );
        golden(&RecordAsk::Store(vec![4]), expect!["000104"]);
        golden(&RecordAsk::Release(vec![5]), expect!["010105"]);
        golden(
            &RecordAnswer::Stored([6; 64]),
            expect![
                "0006060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606060606"
            ],
        );
        golden(&RecordAnswer::Released(vec![8]), expect!["010108"]);
        golden(&RecordAnswer::Refused(Refusal::NoTicket), expect!["0202"]);
    }
}
