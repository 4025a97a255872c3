use crate::cipher::{self, Binding, DataKey};
use crate::header::{HeaderError, RecordHeader, SUITE, Thresholds, size_bucket};
use crate::keys::ReleaseKey;
use crate::piece::{Leaf, Piece, PieceError, key_share_commitment, storing_info};
use crate::seed::{Seed, Stream};
use crate::shamir::{self, KeyShare};
use crate::{CONTENT_LENGTH_MAX, cid_text, envelope, fragments};
use salus_seal::{UnsupportedCpu, check_cpu};
use salus_types::{ChainId, Hash, Member, MemberId, PrincipalId, codec, merkle};
use zeroize::Zeroizing;

/// Where a record belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// On which network.
    pub chain: ChainId,
    /// Whose record.
    pub patient: PrincipalId,
    /// Who will put it on the chain: the sender of `AddRecord`.
    pub author: PrincipalId,
}

/// A member that gets a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Which member.
    pub member: MemberId,
    /// Its key share is sealed to this.
    pub release_key: ReleaseKey,
}

impl From<&Member> for Recipient {
    fn from(member: &Member) -> Self {
        Self {
            member: member.id,
            release_key: ReleaseKey::new(member.release_key),
        }
    }
}

/// A sealed record, ready to be dispersed: one piece a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRecord {
    header: RecordHeader,
    root: Hash,
    pieces: Vec<Piece>,
}

/// Why a content was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is nothing in it.
    #[error("the record is empty")]
    Empty,
    /// It is longer than [`CONTENT_LENGTH_MAX`].
    #[error("the record has {length} bytes; split it into parts of at most {CONTENT_LENGTH_MAX} bytes")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The thresholds do not fit the number of members.
    #[error(transparent)]
    Thresholds(#[from] HeaderError),
    /// A member stands twice.
    #[error("{0} stands twice among the recipients")]
    DuplicateMember(MemberId),
    /// Nothing can be sealed to a member's key.
    #[error("the release key of {0} is not a usable X25519 key; that member must publish another one")]
    BadReleaseKey(MemberId),
    /// The Reed-Solomon code would stop with an illegal instruction here.
    #[error(transparent)]
    UnsupportedCpu(#[from] UnsupportedCpu),
    /// A primitive refused numbers that were checked before: a bug in this software.
    #[error("sealing failed inside: please report this")]
    Internal,
}

impl SealedRecord {
    /// What all pieces say of it.
    pub const fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// Merkle root over the pieces.
    pub const fn root(&self) -> &Hash {
        &self.root
    }

    /// One piece a member, sorted by member.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The piece of a member.
    pub fn piece(&self, member: MemberId) -> Option<&Piece> {
        self.pieces.iter().find(|piece| piece.member == member)
    }

    /// The content identifier of the ciphertext.
    pub fn cid(&self) -> String {
        cid_text(&self.header.digest)
    }
}

/// Seals a content for the members in `recipients`.
///
/// Positions follow the order of members. The result depends on nothing but the arguments.
pub fn seal(
    content: &[u8],
    origin: &Origin,
    recipients: &[Recipient],
    thresholds: Thresholds,
    seed: Seed,
) -> Result<SealedRecord, SealError> {
    check_cpu()?;
    let length = content.len();
    if length == 0 {
        return Err(SealError::Empty);
    }
    let bucket = size_bucket(length).ok_or(SealError::TooLong { length })?;
    let pieces = thresholds.check(recipients.len())?;
    let recipients = sorted(recipients)?;

    let binding = Binding::new(origin, bucket);
    let mut randomness = seed.stream(
        "salus.record.v1 seal",
        &[
            binding.as_bytes(),
            blake3::hash(content).as_bytes(),
            &dealt_to(&recipients, thresholds),
        ],
    );
    let mut key = Zeroizing::new([0; 32]);
    randomness.fill(key.as_mut_slice());
    let key = DataKey::new(key);

    let header = |digest| RecordHeader {
        suite: SUITE,
        chain: origin.chain,
        patient: origin.patient,
        author: origin.author,
        size_bucket: bucket,
        digest,
        key_commitment: key.commitment(&binding),
        thresholds,
        pieces,
    };
    let layout = header(Hash::ZERO).layout();
    let ciphertext = cipher::encrypt(content, layout, &key, &binding).ok_or(SealError::Internal)?;
    let header = header(Hash::of_content(&ciphertext));
    let rows =
        fragments::split(&ciphertext, layout, thresholds.fragments, pieces).ok_or(SealError::Internal)?;
    drop(ciphertext);
    let shares =
        shamir::deal(key.as_bytes(), thresholds.keys, pieces, &mut randomness).ok_or(SealError::Internal)?;
    let dealing = Dealing { header, rows, shares };
    assemble(dealing, &recipients, &mut randomness)
}

fn sorted(recipients: &[Recipient]) -> Result<Vec<Recipient>, SealError> {
    let mut sorted = recipients.to_vec();
    sorted.sort_by_key(|recipient| recipient.member);
    match sorted.windows(2).find(|pair| match pair {
        [a, b] => a.member == b.member,
        _ => false,
    }) {
        Some([twice, ..]) => Err(SealError::DuplicateMember(twice.member)),
        _ => Ok(sorted),
    }
}

/// The rest of what a dealing depends on.
fn dealt_to(recipients: &[Recipient], thresholds: Thresholds) -> Vec<u8> {
    let recipients: Vec<(MemberId, ReleaseKey)> = recipients
        .iter()
        .map(|recipient| (recipient.member, recipient.release_key))
        .collect();
    codec::encode(&(thresholds, recipients))
}

/// Everything that is dealt, still in one hand: one row of fragments and one key share a position.
pub(crate) struct Dealing {
    pub(crate) header: RecordHeader,
    pub(crate) rows: Vec<Vec<u8>>,
    pub(crate) shares: Vec<KeyShare>,
}

/// Seals each key share to its member, and ties all pieces to one root.
pub(crate) fn assemble(
    dealing: Dealing,
    recipients: &[Recipient],
    randomness: &mut Stream,
) -> Result<SealedRecord, SealError> {
    let Dealing { header, rows, shares } = dealing;
    let header_hash = header.hash();
    let mut pieces = Vec::with_capacity(recipients.len());
    let mut leaves = Vec::with_capacity(recipients.len());
    for (((recipient, row), share), position) in recipients.iter().zip(rows).zip(&shares).zip(0u8..) {
        let Recipient { member, release_key } = *recipient;
        let info = storing_info(&header_hash, member);
        let sealed_key_share = envelope::seal(release_key.as_bytes(), &info, share, randomness)
            .ok_or(SealError::BadReleaseKey(member))?;
        let commitment = key_share_commitment(share);
        let leaf = Leaf::new(&header, position, member, &row).map_err(|_: PieceError| SealError::Internal)?;
        leaves.push(leaf.hash(&commitment, &Hash::of_content(&sealed_key_share)));
        pieces.push(Piece {
            header: header.clone(),
            member,
            position,
            key_share_commitment: commitment,
            sealed_key_share,
            path: Vec::new(),
            fragments: row,
        });
    }
    for (position, piece) in pieces.iter_mut().enumerate() {
        piece.path = merkle::path(&leaves, position).ok_or(SealError::Internal)?;
    }
    Ok(SealedRecord {
        header,
        root: merkle::root(&leaves),
        pieces,
    })
}
