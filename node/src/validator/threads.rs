//! The threads of a validator, whose ends are heard of.

use super::ValidatorError;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// Threads of each pool.
const POOL_THREADS: usize = 2;
/// Contracts run on these threads and need room beyond their own stack limit.
const STACK_BYTES: usize = 16 << 20;

/// Which thread ended, and how.
type End = (&'static str, Result<(), String>);

/// All threads that were started.
pub(super) struct Threads {
    handles: Vec<JoinHandle<()>>,
    ended: mpsc::UnboundedReceiver<End>,
    ended_sender: mpsc::UnboundedSender<End>,
}

impl Threads {
    pub(super) fn new() -> Self {
        let (ended_sender, ended) = mpsc::unbounded_channel();
        Self {
            handles: Vec::new(),
            ended,
            ended_sender,
        }
    }

    /// Starts a thread whose end, for whatever reason, is heard of.
    pub(super) fn start(
        &mut self,
        name: &'static str,
        run: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<(), ValidatorError> {
        let ended = Ended {
            name,
            sender: self.ended_sender.clone(),
            result: Err("it panicked".into()),
        };
        let body = move || ended.finish(run());
        let thread = std::thread::Builder::new()
            .name(name.into())
            .stack_size(STACK_BYTES)
            .spawn(body);
        let failed = |error: io::Error| ValidatorError::Part {
            part: name,
            reason: error.to_string(),
        };
        self.handles.push(thread.map_err(failed)?);
        Ok(())
    }

    /// Starts a pool of threads that share one inbox; they end when it closes.
    pub(super) fn pool<T: Send + 'static>(
        &mut self,
        name: &'static str,
        inbox: mpsc::Receiver<T>,
        handle: impl Fn(T) + Clone + Send + 'static,
    ) -> Result<(), ValidatorError> {
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..POOL_THREADS {
            let (inbox, handle) = (Arc::clone(&inbox), handle.clone());
            self.start(name, move || {
                loop {
                    let job = inbox
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .blocking_recv();
                    match job {
                        Some(job) => handle(job),
                        None => return Ok(()),
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Waits for the next end of a thread.
    pub(super) async fn next_end(&mut self) -> Option<End> {
        self.ended.recv().await
    }

    /// Waits, blocking, until all have ended.
    pub(super) fn join(self) {
        self.handles.into_iter().for_each(|handle| drop(handle.join()));
    }
}

/// Says that a thread ended, even if it panicked.
struct Ended {
    name: &'static str,
    sender: mpsc::UnboundedSender<End>,
    result: Result<(), String>,
}

impl Ended {
    fn finish(mut self, result: Result<(), String>) {
        self.result = result;
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let result = std::mem::replace(&mut self.result, Ok(()));
        let _ = self.sender.send((self.name, result)); // nobody listens once the node stops
    }
}
