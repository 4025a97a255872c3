//! Reads: who waits for which block.

use crate::{JobId, Purpose, ReadError};
use salus_types::{BlockId, Header, SealedShare, ShareCommitment};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Reads that gather at once.
pub(crate) const RUNNING_MAX: usize = 32;
/// Jobs that wait for a gather to begin.
pub(crate) const WAITING_MAX: usize = 1024;
/// Bytes of own shares that waiting jobs may hold (256 MiB).
const WAITING_BYTES_MAX: usize = 256 << 20;

/// What is read, and why: holders log the reason, so two reasons are two reads.
pub(crate) type ReadKey = (Purpose, BlockId);

/// A read that has not begun.
#[derive(Debug)]
pub(crate) struct Waiting {
    job: JobId,
    pub(crate) key: ReadKey,
    pub(crate) header: Box<Header>,
    /// The dealing in force, if it is not the header's own.
    pub(crate) resealed: Option<Box<ShareCommitment>>,
    pub(crate) own: Option<SealedShare>,
}

/// All reads.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    queue: VecDeque<Waiting>,
    queued_bytes: usize,
    /// Who waits for the blocks that are being gathered.
    running: BTreeMap<ReadKey, Vec<JobId>>,
    jobs: BTreeSet<JobId>,
}

impl Reads {
    /// Takes a read in, joins it to one that runs already, or refuses it.
    pub(crate) fn add(
        &mut self,
        job: JobId,
        key: ReadKey,
        (header, resealed): (Box<Header>, Option<Box<ShareCommitment>>),
        own: Option<SealedShare>,
    ) -> Result<(), ReadError> {
        if self.jobs.contains(&job) {
            return Err(ReadError::DuplicateJob(job));
        }
        let waiting = Waiting {
            job,
            key,
            header,
            resealed,
            own,
        };
        let bytes = self.queued_bytes.saturating_add(waiting.bytes());
        let most = RUNNING_MAX.saturating_add(WAITING_MAX);
        if self.jobs.len() >= most || bytes > WAITING_BYTES_MAX {
            return Err(ReadError::Busy {
                waiting: self.jobs.len(),
            });
        }
        self.jobs.insert(job);
        if let Some(jobs) = self.running.get_mut(&key) {
            jobs.push(job);
            return Ok(());
        }
        self.queued_bytes = bytes;
        self.queue.push_back(waiting);
        Ok(())
    }

    /// The next read to gather for, if there is room. Joins those that turn out to be running by now.
    pub(crate) fn begin(&mut self) -> Option<Waiting> {
        while let Some(key) = self.queue.front().map(|waiting| waiting.key) {
            let running = self.running.contains_key(&key);
            if !running && self.running.len() >= RUNNING_MAX {
                return None;
            }
            let waiting = self.queue.pop_front()?;
            self.queued_bytes = self.queued_bytes.saturating_sub(waiting.bytes());
            self.running.entry(key).or_default().push(waiting.job);
            if !running {
                return Some(waiting);
            }
        }
        None
    }

    /// Forgets a job; the block whose gather nobody waits for any more, if that is so.
    pub(crate) fn cancel(&mut self, job: JobId) -> Option<ReadKey> {
        if !self.jobs.remove(&job) {
            return None;
        }
        self.queue.retain(|waiting| waiting.job != job);
        self.queued_bytes = self.queue.iter().map(Waiting::bytes).sum();
        let (key, jobs) = self.running.iter_mut().find(|(_, jobs)| jobs.contains(&job))?;
        jobs.retain(|waiting| *waiting != job);
        let idle = jobs.is_empty().then_some(*key)?;
        self.running.remove(&idle);
        Some(idle)
    }

    /// Takes out everyone who waited for a block that is done.
    pub(crate) fn finish(&mut self, key: &ReadKey) -> Vec<JobId> {
        let jobs = self.running.remove(key).unwrap_or_default();
        for job in &jobs {
            self.jobs.remove(job);
        }
        jobs
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.own.as_ref().map_or(0, |share| share.fragment.len())
    }
}
