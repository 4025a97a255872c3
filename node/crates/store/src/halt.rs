use crate::StoreError;
use std::sync::OnceLock;

/// Remembers the first failed write of a part: after it, nothing that the part says can be trusted to last.
///
/// Linux forgets a failed fsync: pages count as clean and a second fsync succeeds although the data is gone
/// (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020). So there is no retry.
#[derive(Debug)]
pub(crate) struct Halt {
    part: &'static str,
    reason: OnceLock<String>,
}

impl Halt {
    pub(crate) fn new(part: &'static str) -> Self {
        Self {
            part,
            reason: OnceLock::new(),
        }
    }

    /// Fails if the part is halted.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.reason.get() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Halted {
                part: self.part,
                reason: reason.clone(),
            }),
        }
    }

    /// Passes the outcome of a durable write on, and halts the part if it failed.
    pub(crate) fn guard<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &outcome {
            let first = self.reason.set(error.to_string()).is_ok();
            if first {
                tracing::error!(part = self.part, %error, "halted: a durable write failed");
            }
        }
        outcome
    }
}
