//! A patient's access log is a hash chain whose length and head stand in the chain's state: whoever shows a log
//! can leave nothing out.

use salus_types::abi::access::{LogEntry, LogHead};
use salus_types::abi::domain::Tag;
use salus_types::{ChainId, Hash, PrincipalId, codec};

/// Why a log is not complete or not genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// An entry of another patient's log.
    #[error("entry {index} belongs to the log of {found}")]
    OtherPatient {
        /// The entry's own index.
        index: u64,
        /// Whose log it belongs to.
        found: PrincipalId,
    },
    /// Entries must follow one another without a gap.
    #[error("entry {found} stands where entry {expected} should")]
    Gap {
        /// The index that should follow.
        expected: u64,
        /// The entry's own index.
        found: u64,
    },
    /// The chain knows of a different number of entries.
    #[error("the log shown has {shown} entries, the chain knows of {recorded}")]
    Incomplete {
        /// Entries shown.
        shown: u64,
        /// Entries by the state.
        recorded: u64,
    },
    /// Some entry is not as it was recorded.
    #[error("the log shown is not the one that was recorded: an entry was changed")]
    Changed,
}

/// Recomputes the hash chain, entry by entry; a phone keeps [`Self::head`] and checks only what came since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogVerifier {
    chain: ChainId,
    patient: PrincipalId,
    head: LogHead,
}

impl LogVerifier {
    /// Starts before the first entry.
    pub const fn new(chain: ChainId, patient: PrincipalId) -> Self {
        Self::resume(
            chain,
            patient,
            LogHead {
                count: 0,
                head: [0; 32],
            },
        )
    }

    /// Goes on after entries that were verified before.
    pub const fn resume(chain: ChainId, patient: PrincipalId, head: LogHead) -> Self {
        Self { chain, patient, head }
    }

    /// Where it stands.
    pub const fn head(&self) -> LogHead {
        self.head
    }

    /// Takes the next entry.
    pub fn push(&mut self, entry: &LogEntry) -> Result<(), LogError> {
        if entry.patient != self.patient {
            return Err(LogError::OtherPatient {
                index: entry.index,
                found: entry.patient,
            });
        }
        if entry.index != self.head.count {
            return Err(LogError::Gap {
                expected: self.head.count,
                found: entry.index,
            });
        }
        let mut payload = self.head.head.to_vec();
        payload.extend(codec::encode(entry));
        self.head = LogHead {
            count: self.head.count.saturating_add(1),
            head: *Hash::of(Tag::ACCESS_LOG, &self.chain, &payload).as_bytes(),
        };
        Ok(())
    }

    /// Compares with the head that the chain's state has.
    pub fn finish(&self, recorded: &LogHead) -> Result<(), LogError> {
        if self.head.count != recorded.count {
            return Err(LogError::Incomplete {
                shown: self.head.count,
                recorded: recorded.count,
            });
        }
        if self.head != *recorded {
            return Err(LogError::Changed);
        }
        Ok(())
    }
}

/// Whether these are all entries of a patient's access log, in order. `head` comes from the chain's state.
pub fn verify_log<'a>(
    chain: &ChainId,
    patient: PrincipalId,
    entries: impl IntoIterator<Item = &'a LogEntry>,
    head: &LogHead,
) -> Result<(), LogError> {
    let mut verifier = LogVerifier::new(*chain, patient);
    for entry in entries {
        verifier.push(entry)?;
    }
    verifier.finish(head)
}
