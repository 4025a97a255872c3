//! What this member keeps for others of blocks whose shares are not known to be durable at enough members yet: one
//! file a block, deleted as soon as they are.
//!
//! ```text
//! deposits/<height, 16 hex digits>-<block id>.dep    one frame "SLDP", to the last byte
//!
//!  bytes  field of the payload
//!      1  version, 1
//!     32  block id
//!      2  h, length of the header
//!      h  header, canonical bytes
//!      4  e, bytes of the envelopes
//!     12  nonce       \
//!      e  envelopes    > AES-256-GCM under the node's key; bound to all bytes from the version to e
//!     16  tag         /
//!   rest  leaves and ciphertext
//! ```
//!
//! Order of a put: content, fsync, fsync of the folder; only then may the node vote for the block. A torn file is
//! damaged by its checksum, and nobody relies on it: its block was not voted for.

#[cfg(test)]
mod tests;

use crate::StoreError;
use crate::disk::{Attempt, Disk, read_up_to};
use crate::frame::{Fields, Format, Found, HEAD};
use crate::halt::Halt;
use crate::key::{KeyWrap, StoreKey, WRAPPING_LENGTH};
use salus_types::{BlockId, Hash, Header, Height, codec};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a payload, at most: a ciphertext of the largest body, and room for the rest.
const PAYLOAD_MAX: usize = (16 << 20) + (256 << 10);
const HEADER_MAX: usize = 4096;
const VERSION: u8 = 1;

const DEPOSIT: Format = Format {
    magic: *b"SLDP",
    salt: 0,
    payload_max: PAYLOAD_MAX,
};

/// What is kept for others of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// The block.
    pub header: Header,
    /// Other members' key shares, each sealed so that only its member can open it. Wrapped under the node's key on disk
    /// all the same, so that a disk without its keystore shows nothing even to who could break the envelopes.
    pub envelopes: Vec<u8>,
    /// Leaves and ciphertext of the dealing.
    pub keyless: Vec<u8>,
}

/// How much is kept for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DepositUsage {
    /// Blocks.
    pub count: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// The lowest of their heights; `None` without any.
    pub oldest: Option<Height>,
}

/// The deposits. Cheap to clone; clones share one folder. Only the chain's thread puts; any thread reads and removes.
#[derive(Clone, Debug)]
pub struct DepositStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    wrap: KeyWrap,
    halt: Halt,
    kept: Mutex<Kept>,
}

/// What is in the folder: some 60 bytes of memory a deposit, however large it is.
#[derive(Debug, Default)]
struct Kept {
    /// With the bytes of each file.
    files: BTreeMap<(Height, BlockId), u64>,
    bytes: u64,
}

impl Kept {
    fn insert(&mut self, height: Height, id: BlockId, bytes: u64) {
        self.remove(height, id);
        self.files.insert((height, id), bytes);
        self.bytes += bytes;
    }

    /// Whether it was there.
    fn remove(&mut self, height: Height, id: BlockId) -> bool {
        let bytes = self.files.remove(&(height, id));
        self.bytes -= bytes.unwrap_or(0);
        bytes.is_some()
    }
}

impl DepositStore {
    pub(crate) fn open(disk: Arc<dyn Disk>, folder: &Path, key: &StoreKey) -> Result<Self, StoreError> {
        let wrap = KeyWrap::of_deposits(key)
            .ok_or(StoreError::Initialisation("cannot use its key with AES-256-GCM"))?;
        disk.create_folder(folder).attempt("create", folder)?;
        let files = disk.list(folder).attempt("list", folder)?;
        let mut kept = Kept::default();
        for entry in files {
            if let Some((height, id)) = parse_name(&entry.name) {
                kept.insert(height, id, entry.length);
            }
        }
        Ok(Self(Arc::new(Inner {
            disk,
            folder: folder.to_path_buf(),
            wrap,
            halt: Halt::new("store of deposits"),
            kept: Mutex::new(kept),
        })))
    }

    /// Keeps a deposit. Durable on return: only then may the node vote for the block. The caller has checked that `id`
    /// is the header's.
    ///
    /// # Errors
    /// [`StoreError::TooLong`]; a failed write halts the store of deposits for good.
    pub fn put(&self, id: BlockId, deposit: &Deposit) -> Result<(), StoreError> {
        self.0.halt.check()?;
        if matches!(self.get(deposit.header.height, id), Ok(Some(kept)) if kept == *deposit) {
            return Ok(());
        }
        let frame = encode(&self.0.wrap, id, deposit)?;
        let path = self.path(deposit.header.height, id);
        self.0.halt.guard(self.write(&path, &frame))?;
        self.kept().insert(deposit.header.height, id, frame.len() as u64);
        Ok(())
    }

    fn write(&self, path: &Path, frame: &[u8]) -> Result<(), StoreError> {
        let (disk, folder) = (&*self.0.disk, &self.0.folder);
        let file = disk.open(path, true).attempt("create", path)?;
        file.truncate(0).attempt("truncate", path)?;
        file.write_all_at(frame, 0).attempt("write", path)?;
        file.sync().attempt("sync", path)?;
        disk.sync_folder(folder).attempt("sync", folder)
    }

    /// The deposit of a block; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::DepositDamaged`] if its checksum or its key does not hold.
    pub fn get(&self, height: Height, id: BlockId) -> Result<Option<Deposit>, StoreError> {
        let path = self.path(height, id);
        let file = match self.0.disk.open(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).attempt("open", &path),
        };
        let bytes = read_up_to(&*file, 0, HEAD + PAYLOAD_MAX).attempt("read", &path)?;
        let payload = match DEPOSIT.read(&bytes) {
            Found::Frame { payload, length } if length == bytes.len() => Some(payload),
            _ => None,
        };
        payload
            .and_then(|payload| decode(&self.0.wrap, id, payload))
            .filter(|deposit| deposit.header.height == height)
            .map(Some)
            .ok_or(StoreError::DepositDamaged(height))
    }

    /// Deletes a deposit, sound or not; no error if there is none. Not synced: one that comes back after a crash is
    /// found and deleted again.
    pub fn remove(&self, height: Height, id: BlockId) -> Result<(), StoreError> {
        if !self.kept().remove(height, id) {
            return Ok(());
        }
        let path = self.path(height, id);
        match self.0.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).attempt("remove", &path),
            _ => Ok(()),
        }
    }

    /// Blocks with a deposit, the lowest heights first, up to `count` of them.
    pub fn list(&self, count: usize) -> Vec<(Height, BlockId)> {
        self.kept().files.keys().take(count).copied().collect()
    }

    /// Blocks of a height with a deposit: several if several were proposed.
    pub fn at(&self, height: Height) -> Vec<BlockId> {
        let lowest = BlockId::new(Hash::ZERO);
        let kept = self.kept();
        let files = kept.files.range((height, lowest)..);
        files
            .take_while(|((at, _), _)| *at == height)
            .map(|((_, id), _)| *id)
            .collect()
    }

    /// How much is kept.
    pub fn usage(&self) -> DepositUsage {
        let kept = self.kept();
        DepositUsage {
            count: kept.files.len() as u64,
            bytes: kept.bytes,
            oldest: kept.files.keys().next().map(|(height, _)| *height),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, height: Height, id: BlockId) -> PathBuf {
        let name = format!("{:016x}-{}.dep", height.get(), id.hash());
        self.0.folder.join(name)
    }
}

fn parse_name(name: &str) -> Option<(Height, BlockId)> {
    let (height, id) = name.strip_suffix(".dep")?.split_once('-')?;
    let height = u64::from_str_radix(height, 16).ok()?;
    let id: Hash = id.parse().ok()?;
    Some((Height::new(height), BlockId::new(id)))
}

/// The whole frame of a deposit.
fn encode(wrap: &KeyWrap, id: BlockId, deposit: &Deposit) -> Result<Vec<u8>, StoreError> {
    let header = codec::encode(&deposit.header);
    let too_long = |what, length, limit| StoreError::TooLong { what, length, limit };
    let header_length = u16::try_from(header.len())
        .ok()
        .filter(|_| header.len() <= HEADER_MAX)
        .ok_or_else(|| too_long("a header", header.len(), HEADER_MAX))?;
    let envelopes_length = u32::try_from(deposit.envelopes.len())
        .map_err(|_| too_long("envelopes", deposit.envelopes.len(), PAYLOAD_MAX))?;
    let room = header.len() + deposit.envelopes.len() + deposit.keyless.len() + 128;
    let mut bytes = DEPOSIT.begin(room);
    let start = bytes.len();
    bytes.push(VERSION);
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(&header_length.to_be_bytes());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(&envelopes_length.to_be_bytes());
    let wrapped = wrap
        .wrap_bytes(bytes.get(start..).unwrap_or_default(), &deposit.envelopes)
        .ok_or_else(|| too_long("envelopes", deposit.envelopes.len(), PAYLOAD_MAX))?;
    bytes.extend_from_slice(&wrapped);
    bytes.extend_from_slice(&deposit.keyless);
    DEPOSIT.finish(bytes)
}

/// Reads a payload. `None` if this node did not write it for this block.
fn decode(wrap: &KeyWrap, id: BlockId, payload: &[u8]) -> Option<Deposit> {
    let mut fields = Fields(payload);
    if fields.u8()? != VERSION || fields.array()? != *id.as_bytes() {
        return None;
    }
    let header_length = fields.u16()?;
    let header = codec::decode(fields.take(usize::from(header_length))?, HEADER_MAX).ok()?;
    let envelopes_length = usize::try_from(fields.u32()?).ok()?;
    let bound = payload.get(..payload.len().checked_sub(fields.0.len())?)?;
    let wrapped = fields.take(envelopes_length.checked_add(WRAPPING_LENGTH)?)?;
    Some(Deposit {
        header,
        envelopes: wrap.unwrap_bytes(bound, wrapped)?.to_vec(),
        keyless: fields.0.to_vec(),
    })
}
