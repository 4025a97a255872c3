//! Records: what the chain knows of them, and their pieces on the way to and from members.

use super::hex;
use salus_types::RecordNumber;
use salus_types::abi::access::Record;
use serde::Serialize;
use utoipa::ToSchema;

/// What the chain knows of a record: never its content.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordDto {
    /// Its number among the patient's records.
    pub(crate) number: u32,
    /// BLAKE3 of the ciphertext, hexadecimal: the digest in its CIDv1.
    pub(crate) digest: String,
    /// Merkle root over the members' pieces, hexadecimal.
    pub(crate) root: String,
    /// Pieces needed to open it.
    pub(crate) threshold: u8,
    /// Pieces dealt.
    pub(crate) pieces: u8,
    /// The padded plaintext is `2^(b / 4) * (1 + (b % 4) / 4)` bytes long.
    pub(crate) size_bucket: u8,
    /// `clinical`, `laboratory`, `imaging`, `medication`, `device`, `document` or `sensitive`.
    #[schema(example = "laboratory")]
    pub(crate) class: &'static str,
    /// The principal that wrote it.
    pub(crate) author: u32,
    /// When it was recorded: block time, milliseconds since 1970.
    pub(crate) time_ms: u64,
}

/// A patient's records, newest first, at most 64.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Records)]
pub(crate) struct RecordsDto {
    /// On the state after which height.
    pub(crate) height: u64,
    /// The records.
    pub(crate) records: Vec<RecordDto>,
}

/// A member's receipt for its piece.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PieceStored)]
pub(crate) struct PieceStoredDto {
    /// Which member.
    pub(crate) member: u16,
    /// Its signature over the stored receipt, hexadecimal: it goes into the `add_record` transaction.
    pub(crate) signature: String,
}

impl RecordDto {
    pub(crate) fn new(number: RecordNumber, record: &Record) -> Self {
        Self {
            number: number.get(),
            digest: hex(&record.digest),
            root: hex(&record.root),
            threshold: record.threshold,
            pieces: record.pieces,
            size_bucket: record.size_bucket,
            class: record.class.name(),
            author: record.author.get(),
            time_ms: record.time_ms,
        }
    }
}
