//! What a question read, so that who trusts only a header can check the answer.

use crate::query::Question;
use crate::{Executor, ProvenQueryError, QueryError, QueryOutcome, system};
use salus_types::state::{ProvenEntry, ReadSet, ScanStep, StateFault, StateKey, StateReader};
use salus_types::{ContractId, Hash};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Bytes of all values that a proven question may read, at most.
const READ_BYTES_MAX: usize = 1 << 20;

impl Executor {
    /// As [`Self::query`], with all that the question read of the state and the proof of each entry. Code is left out: its
    /// hash is read, and proven.
    ///
    /// # Errors
    ///
    /// As for `query`; and [`ProvenQueryError::TooManyReads`].
    pub fn query_proven(
        &self,
        state: &dyn StateReader,
        question: Question,
    ) -> Result<(QueryOutcome, ReadSet), ProvenQueryError> {
        let recorder = Recorder {
            state,
            record: Mutex::default(),
        };
        let outcome = self.answer(&recorder, question)?;
        let record = recorder
            .record
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let bytes: usize = record.entries.values().flatten().map(Vec::len).sum();
        if record.entries.len() > ReadSet::ENTRIES_MAX
            || record.scans.len() > ReadSet::ENTRIES_MAX
            || bytes > READ_BYTES_MAX
        {
            return Err(ProvenQueryError::TooManyReads);
        }
        let entries = record.entries.into_iter().map(|(key, value)| {
            let proof = self.prove(state, &key)?;
            Ok(ProvenEntry { key, value, proof })
        });
        let reads = ReadSet {
            entries: entries
                .collect::<Result<_, StateFault>>()
                .map_err(QueryError::from)?,
            scans: record.scans,
        };
        Ok((outcome, reads))
    }

    /// Answers a question from what another node says it read, and code that the caller has: the same answer, if all of it
    /// is right. The proofs are for the caller to check first (`TrustedHeader::check_reads` in `salus-client`).
    ///
    /// # Errors
    ///
    /// As for `query`; a [`StateFault`](QueryError::Fault) if the question reads what is not in the set.
    pub fn replay(
        &self,
        reads: &ReadSet,
        code: &BTreeMap<Hash, Vec<u8>>,
        question: Question,
    ) -> Result<QueryOutcome, QueryError> {
        self.answer(&Replay { reads, code }, question)
    }
}

#[derive(Default)]
struct Record {
    entries: BTreeMap<StateKey, Option<Vec<u8>>>,
    scans: Vec<ScanStep>,
}

/// Notes everything that is read. Behind a lock only because readers are shared between threads; one thread reads.
struct Recorder<'a> {
    state: &'a dyn StateReader,
    record: Mutex<Record>,
}

/// Whether a key holds a piece of code, which is known by its hash.
fn is_code(key: &StateKey) -> bool {
    let prefix = StateKey::new(ContractId::SYSTEM, b"w");
    key.as_bytes().starts_with(prefix.as_bytes())
}

impl Recorder<'_> {
    fn note(&self, note: impl FnOnce(&mut Record)) {
        note(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl StateReader for Recorder<'_> {
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault> {
        let value = self.state.get(key)?;
        if !is_code(key) {
            self.note(|record| {
                record.entries.insert(key.clone(), value.clone());
            });
        }
        Ok(value)
    }

    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        let found = self.state.next(prefix, after)?;
        self.note(|record| {
            if let Some((key, value)) = &found {
                record.entries.insert(key.clone(), Some(value.clone()));
            }
            record.scans.push(ScanStep {
                prefix: prefix.to_vec(),
                after: after.to_vec(),
                found: found.as_ref().map(|(key, _)| key.clone()),
            });
        });
        Ok(found)
    }

    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        self.state.tree_node(path)
    }
}

/// The state as far as a read set and code show it.
struct Replay<'a> {
    reads: &'a ReadSet,
    code: &'a BTreeMap<Hash, Vec<u8>>,
}

fn unknown() -> StateFault {
    StateFault("the question reads more of the state than was shown".into())
}

impl Replay<'_> {
    fn code_chunk(&self, key: &StateKey) -> Option<Vec<u8>> {
        self.code.iter().find_map(|(hash, code)| {
            let mut chunks = (0..).zip(code.chunks(system::CODE_CHUNK_BYTES));
            chunks
                .find_map(|(number, chunk)| (system::code_key(hash, number) == *key).then(|| chunk.to_vec()))
        })
    }

    fn entry(&self, key: &StateKey) -> Option<Option<Vec<u8>>> {
        let entry = self.reads.entries.iter().find(|entry| entry.key == *key)?;
        Some(entry.value.clone())
    }
}

impl StateReader for Replay<'_> {
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault> {
        if is_code(key) {
            return Ok(self.code_chunk(key));
        }
        self.entry(key).ok_or_else(unknown)
    }

    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        let same = |step: &&ScanStep| step.prefix == prefix && step.after == after;
        let step = self.reads.scans.iter().find(same).ok_or_else(unknown)?;
        let Some(key) = &step.found else {
            return Ok(None);
        };
        let value = self.entry(key).flatten().ok_or_else(unknown)?;
        Ok(Some((key.clone(), value)))
    }

    fn tree_node(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        Err(unknown())
    }
}
