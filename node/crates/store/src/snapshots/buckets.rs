//! Sorts a state by the hashes of its keys in bounded memory: one pass over the state, then one bucket at a time.

use crate::StoreError;
use crate::disk::{Attempt, Disk, File};
use crate::frame::Fields;
use salus_types::Hash;
use salus_types::state::StateKey;
use salus_types::tree::TreePrefix;
use std::path::Path;
use std::sync::Arc;

/// Buckets: one for each first byte of a path, so for each prefix of two digits.
const COUNT: usize = 256;
/// Bytes of a bucket that stay in memory before they go to the spill file: 16 MiB in all.
const BUFFER_BYTES: usize = 64 << 10;

/// An entry with its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SortedEntry {
    pub(super) path: Hash,
    pub(super) key: StateKey,
    pub(super) value: Vec<u8>,
}

impl SortedEntry {
    pub(super) fn bytes(&self) -> usize {
        self.key.as_bytes().len() + self.value.len()
    }
}

#[derive(Debug, Default)]
struct Bucket {
    /// What has not been spilled: for each entry the lengths of key and value (4 each), then both.
    buffer: Vec<u8>,
    /// Where earlier entries stand in the spill file: offset and length.
    spilled: Vec<(u64, usize)>,
    /// Bytes of keys and values.
    bytes: u64,
}

/// The state, by the first byte of its entries' paths.
#[derive(Debug)]
pub(super) struct Buckets<'a> {
    disk: &'a dyn Disk,
    path: &'a Path,
    spill: Option<Arc<dyn File>>,
    spill_length: u64,
    buckets: Vec<Bucket>,
}

impl<'a> Buckets<'a> {
    /// None yet; the spill file is made when it is needed.
    pub(super) fn new(disk: &'a dyn Disk, path: &'a Path) -> Self {
        Self {
            disk,
            path,
            spill: None,
            spill_length: 0,
            buckets: (0..COUNT).map(|_| Bucket::default()).collect(),
        }
    }

    pub(super) fn add(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StoreError> {
        let first = Hash::of_content(&key).as_bytes()[0];
        let Some(bucket) = self.buckets.get_mut(usize::from(first)) else {
            return Ok(());
        };
        for length in [key.len(), value.len()] {
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            bucket.buffer.extend(length.to_be_bytes());
        }
        bucket.bytes += (key.len() + value.len()) as u64;
        bucket.buffer.extend(key);
        bucket.buffer.extend(value);
        if bucket.buffer.len() < BUFFER_BYTES {
            return Ok(());
        }
        let bytes = std::mem::take(&mut bucket.buffer);
        bucket.spilled.push((self.spill_length, bytes.len()));
        self.spill(&bytes)
    }

    fn spill(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let file = match &self.spill {
            Some(file) => Arc::clone(file),
            None => {
                let file = self.disk.open(self.path, true).attempt("create", self.path)?;
                file.truncate(0).attempt("truncate", self.path)?;
                Arc::clone(self.spill.insert(file))
            }
        };
        file.write_all_at(bytes, self.spill_length)
            .attempt("write", self.path)?;
        self.spill_length += bytes.len() as u64;
        Ok(())
    }

    /// The buckets of a prefix of at most two digits.
    fn of(prefix: &TreePrefix) -> std::ops::Range<usize> {
        match *prefix.as_path() {
            [] => 0..COUNT,
            [first] => usize::from(first) * 16..(usize::from(first) + 1) * 16,
            [first, second, ..] => {
                let at = usize::from(first) * 16 + usize::from(second);
                at..at + 1
            }
        }
    }

    /// Bytes of keys and values below a prefix of at most two digits.
    pub(super) fn bytes(&self, prefix: &TreePrefix) -> u64 {
        let buckets = self.buckets.get(Self::of(prefix)).unwrap_or_default();
        buckets.iter().map(|bucket| bucket.bytes).sum()
    }

    /// Takes the entries below a prefix of at most two digits, sorted by path.
    pub(super) fn take(&mut self, prefix: &TreePrefix) -> Result<Vec<SortedEntry>, StoreError> {
        let mut entries = Vec::new();
        for bucket in self.buckets.get_mut(Self::of(prefix)).unwrap_or_default() {
            for (offset, length) in std::mem::take(&mut bucket.spilled) {
                let mut bytes = vec![0; length];
                if let Some(file) = &self.spill {
                    file.read_exact_at(&mut bytes, offset)
                        .attempt("read", self.path)?;
                }
                parse(&bytes, &mut entries);
            }
            parse(&std::mem::take(&mut bucket.buffer), &mut entries);
        }
        entries.sort_unstable_by_key(|entry| entry.path);
        debug_assert!(entries.iter().all(|entry| prefix.covers(&entry.path)));
        Ok(entries)
    }
}

/// Reads entries back. What a damaged spill file makes of them does not lead to the state root, and is noticed there.
fn parse(bytes: &[u8], entries: &mut Vec<SortedEntry>) {
    let mut fields = Fields(bytes);
    while let Some(entry) = parse_one(&mut fields) {
        entries.push(entry);
    }
}

fn parse_one(fields: &mut Fields<'_>) -> Option<SortedEntry> {
    let lengths = [fields.u32()?, fields.u32()?];
    let [key, value] = lengths.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    let key = StateKey::from_bytes(fields.take(key)?)?;
    Some(SortedEntry {
        path: key.path(),
        value: fields.take(value)?.to_vec(),
        key,
    })
}
