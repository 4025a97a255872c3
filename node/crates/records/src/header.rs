use salus_types::abi::access::Record;
use salus_types::codec::{self, Decode, Encode};
use salus_types::{ChainId, Hash, PrincipalId};

/// The only suite so far: AES-256-GCM in chunks of 1 MiB, Reed-Solomon over GF(2^8), Shamir over GF(2^8), BLAKE3,
/// and HPKE with X25519, HKDF-SHA256 and AES-256-GCM.
pub const SUITE: u8 = 1;
/// Bytes of content in a chunk; the last one may hold fewer.
pub const CHUNK_LENGTH: usize = 1 << 20;
/// Bytes of a record's content, at most.
pub const CONTENT_LENGTH_MAX: usize = 16 << 20;
/// The smallest size bucket: 1 KiB.
pub const BUCKET_MIN: u8 = 40;
/// The largest size bucket: 16 MiB.
pub const BUCKET_MAX: u8 = 96;
/// Pieces of a record, at most: as many as there may be validators.
pub const PIECES_MAX: u8 = 127;

/// Bytes in front of the content in the first chunk: the content's length.
pub(crate) const LENGTH_PREFIX: usize = 8;
/// Bytes that AES-GCM adds to a chunk.
pub(crate) const TAG_LENGTH: usize = 16;

/// What every piece of a record says about it; the same in all of them.
///
/// The Merkle root over the pieces commits to it. `author` is who puts the record on the chain, so the principal
/// that sends `AddRecord` must be known when the record is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RecordHeader {
    /// How it is sealed: [`SUITE`].
    pub suite: u8,
    /// For which network.
    pub chain: ChainId,
    /// Whose record.
    pub patient: PrincipalId,
    /// Who wrote it.
    pub author: PrincipalId,
    /// How long the padded content is: [`bucket_length`].
    pub size_bucket: u8,
    /// BLAKE3 of the ciphertext.
    pub digest: Hash,
    /// Commits to the data key: AES-GCM does not.
    pub key_commitment: Hash,
    /// Shares needed of the bytes and of the key.
    pub thresholds: Thresholds,
    /// Pieces dealt, one a member.
    pub pieces: u8,
}

/// How many pieces are needed, out of those dealt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Thresholds {
    /// Fragments that rebuild the ciphertext. It decides what a piece weighs: about `1/fragments` of the record.
    pub fragments: u8,
    /// Key shares that rebuild the data key, and so the pieces needed to open the record. An author may ask for
    /// more than `fragments`, never for fewer.
    pub keys: u8,
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Sealed by a later version of this software.
    #[error("suite {0} is unknown here; a later version may read it")]
    UnknownSuite(u8),
    /// Larger or smaller than any record.
    #[error("size bucket {0} is out of range ({BUCKET_MIN} to {BUCKET_MAX})")]
    SizeBucket(u8),
    /// Needed is 1 <= fragments <= keys <= pieces <= 127.
    #[error("thresholds of {fragments} fragments and {keys} keys do not fit {pieces} pieces")]
    Thresholds {
        /// Fragments needed.
        fragments: u8,
        /// Key shares needed.
        keys: u8,
        /// Pieces dealt.
        pieces: usize,
    },
}

impl Thresholds {
    /// n - 2f for both, where f = floor((n-1)/3) of n members may lie: more than f, so that liars cannot open
    /// it, and no more than the honest members behind n - f receipts.
    pub const fn for_pieces(pieces: u8) -> Self {
        let faulty = pieces.saturating_sub(1) / 3;
        let threshold = pieces - 2 * faulty;
        Self {
            fragments: threshold,
            keys: threshold,
        }
    }

    /// Whether they fit a number of pieces.
    pub(crate) fn check(self, pieces: usize) -> Result<u8, HeaderError> {
        let Self { fragments, keys } = self;
        let fits = |count: &u8| 1 <= fragments && fragments <= keys && keys <= *count && *count <= PIECES_MAX;
        u8::try_from(pieces)
            .ok()
            .filter(fits)
            .ok_or(HeaderError::Thresholds {
                fragments,
                keys,
                pieces,
            })
    }
}

/// The smallest size bucket that holds `length` bytes; `None` above [`CONTENT_LENGTH_MAX`].
///
/// Four buckets an octave: padding adds at most a quarter, and only the bucket shows.
pub fn size_bucket(length: usize) -> Option<u8> {
    (BUCKET_MIN..=BUCKET_MAX).find(|bucket| bucket_length(*bucket).is_some_and(|room| length <= room))
}

/// Bytes of padded content in a size bucket, `2^(b / 4) * (1 + (b % 4) / 4)`; `None` out of range.
pub fn bucket_length(bucket: u8) -> Option<usize> {
    (BUCKET_MIN..=BUCKET_MAX)
        .contains(&bucket)
        .then(|| usize::from(4 + bucket % 4) << (bucket / 4 - 2))
}

impl RecordHeader {
    /// Checks the ranges of its fields. Whoever decodes a header calls this before relying on anything else in it.
    pub fn check(&self) -> Result<(), HeaderError> {
        if self.suite != SUITE {
            return Err(HeaderError::UnknownSuite(self.suite));
        }
        bucket_length(self.size_bucket).ok_or(HeaderError::SizeBucket(self.size_bucket))?;
        self.thresholds.check(usize::from(self.pieces)).map(|_| ())
    }

    /// What the Merkle leaves and every sealed key share are bound to.
    pub fn hash(&self) -> Hash {
        Hash::new(blake3::derive_key("salus.record.v1 header", &codec::encode(self)))
    }

    /// Whether it describes what the chain knows as `record` of its patient.
    pub fn describes(&self, record: &Record) -> bool {
        self.digest.as_bytes() == &record.digest
            && self.author == record.author
            && self.size_bucket == record.size_bucket
            && self.thresholds.keys == record.threshold
            && self.pieces == record.pieces
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.size_bucket)
    }

    /// Bytes of a member's fragments, all chunks together.
    pub(crate) fn fragments_length(&self) -> usize {
        self.layout().fragments_length(self.thresholds.fragments)
    }
}

/// How a padded content lies in chunks, and these in fragments.
///
/// Chunk i holds the content's bytes from i MiB on; chunk 0 holds the content's length besides, in front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    padded: usize,
}

impl Layout {
    /// The layout of a size bucket; of nothing if the bucket is out of range.
    pub(crate) fn new(bucket: u8) -> Self {
        Self {
            padded: bucket_length(bucket).unwrap_or_default(),
        }
    }

    /// Bytes of the padded content.
    pub(crate) const fn padded(self) -> usize {
        self.padded
    }

    /// Bytes of the ciphertext.
    pub(crate) fn sealed(self) -> usize {
        self.chunks().sum()
    }

    /// The length of each chunk's ciphertext, in order.
    pub(crate) fn chunks(self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.padded.div_ceil(CHUNK_LENGTH)).map(move |chunk| {
            let content = (self.padded - chunk * CHUNK_LENGTH).min(CHUNK_LENGTH);
            let prefix = if chunk == 0 { LENGTH_PREFIX } else { 0 };
            prefix + content + TAG_LENGTH
        })
    }

    /// The length of each chunk's fragment, in order.
    pub(crate) fn fragments(self, threshold: u8) -> impl ExactSizeIterator<Item = usize> {
        self.chunks()
            .map(move |length| length.div_ceil(usize::from(threshold.max(1))))
    }

    /// Bytes of one member's fragments.
    pub(crate) fn fragments_length(self, threshold: u8) -> usize {
        self.fragments(threshold).sum()
    }
}
