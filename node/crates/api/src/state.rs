//! What every handler shares: the way to the node, the facts that never change, and the bounds.

use crate::error::ApiError;
use crate::{EventLog, Request};
use salus_types::{ChainId, MemberId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// What never changes while the node runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFacts {
    /// The network.
    pub chain: ChainId,
    /// The network's name.
    pub name: String,
    /// The member that runs this node.
    pub member: MemberId,
    /// The node's version.
    pub version: String,
}

/// Bounds of the interface. What is beyond one gets a typed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; more wait in the kernel's backlog.
    pub connections: usize,
    /// Requests being answered, uploads aside; more get `busy`.
    pub requests: usize,
    /// Piece uploads and downloads being answered, each of up to 20 MiB; more get `busy`.
    pub uploads: usize,
    /// Subscribers of the event stream; more get `too_many_subscribers`.
    pub subscribers: usize,
    /// How long an answer may take, the request's body included.
    pub request_time: Duration,
    /// The same for pieces of records.
    pub upload_time: Duration,
    /// How long `?wait=commit` waits; less than `request_time`.
    pub commit_wait: Duration,
    /// How long request headers may take to arrive, and an idle connection stays open.
    pub header_time: Duration,
    /// How long a client may read nothing of what is written to it.
    pub stall_time: Duration,
    /// How often a quiet event stream sends a comment.
    pub keep_alive: Duration,
    /// How long answers under way may take once the node stops.
    pub drain_time: Duration,
}

/// Bytes of a JSON body with one transaction or query, at most.
pub(crate) const BODY_LENGTH_MAX: usize = 128 << 10;
/// Bytes of a JSON body with a batch of transactions, at most.
pub(crate) const BATCH_LENGTH_MAX: usize = 4 << 20;
/// Transactions of a batch, at most.
pub(crate) const BATCH_COUNT_MAX: usize = 256;
/// Bytes of a record's piece, at most.
pub(crate) const PIECE_LENGTH_MAX: usize = 20 << 20;

/// What every handler shares. Cloning it is cheap.
#[derive(Clone)]
pub struct ApiState {
    inner: Arc<Inner>,
}

struct Inner {
    facts: ChainFacts,
    requests: mpsc::Sender<Request>,
    events: EventLog,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    limits: Limits,
    subscribers: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            requests: 1024,
            uploads: 8,
            subscribers: 64,
            request_time: Duration::from_secs(15),
            upload_time: Duration::from_secs(60),
            commit_wait: Duration::from_secs(10),
            header_time: Duration::from_secs(30),
            stall_time: Duration::from_secs(30),
            keep_alive: Duration::from_secs(15),
            drain_time: Duration::from_secs(10),
        }
    }
}

impl ApiState {
    /// Ties the API to a node: `requests` is the bounded channel its loop reads, `events` the log it publishes
    /// to, `metrics` renders the Prometheus text.
    pub fn new(
        facts: ChainFacts,
        requests: mpsc::Sender<Request>,
        events: EventLog,
        metrics: Arc<dyn Fn() -> String + Send + Sync>,
        limits: Limits,
    ) -> Self {
        let inner = Inner {
            facts,
            requests,
            events,
            metrics,
            limits,
            subscribers: Arc::new(Semaphore::new(limits.subscribers)),
            stopping: watch::Sender::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn facts(&self) -> &ChainFacts {
        &self.inner.facts
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn events(&self) -> &EventLog {
        &self.inner.events
    }

    pub(crate) fn metrics(&self) -> String {
        (self.inner.metrics)()
    }

    pub(crate) fn subscribers(&self) -> &Arc<Semaphore> {
        &self.inner.subscribers
    }

    /// Ends every event stream.
    pub(crate) fn stop(&self) {
        self.inner.stopping.send_replace(true);
    }

    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.inner.stopping.subscribe()
    }

    /// Asks the node and waits for its answer. Never waits for room in the channel: a node that is behind says so.
    pub(crate) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.inner
            .requests
            .try_send(request(reply))
            .map_err(|error| match error {
                TrySendError::Full(_) => ApiError::busy(),
                TrySendError::Closed(_) => ApiError::stopping(),
            })?;
        answer.await.map_err(|_| ApiError::unanswered())
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState")
            .field("facts", &self.inner.facts)
            .field("limits", &self.inner.limits)
            .finish_non_exhaustive()
    }
}
