//! Questions to other members, and the way of their answers back to whoever asked.

use salus_net::{Bytes, Handle, MemberId, Protocol, RequestError, RequestId, SendError};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// What becomes of a question.
pub(crate) type Answer = Result<Vec<u8>, RequestError>;

type Then = Box<dyn FnOnce(Answer) + Send>;

/// Asks members and hands each answer to the one who asked. Shared by all threads; never blocks.
pub(crate) struct Courier {
    net: Handle,
    /// Questions under way. The network bounds them per member and gives each an answer or an error in time.
    waiting: Mutex<BTreeMap<RequestId, Then>>,
}

impl Courier {
    pub(crate) fn new(net: Handle) -> Self {
        Self {
            net,
            waiting: Mutex::default(),
        }
    }

    pub(crate) fn net(&self) -> &Handle {
        &self.net
    }

    /// Asks, and calls `then` once with the answer, on the thread that reads the network: it must be quick.
    pub(crate) fn ask_then(
        &self,
        member: MemberId,
        protocol: Protocol,
        question: impl Into<Bytes>,
        then: impl FnOnce(Answer) + Send + 'static,
    ) -> Result<(), SendError> {
        // Held while asking, so that the answer cannot come before its place is known.
        let mut waiting = self.lock();
        let id = self.net.request(member, protocol, question)?;
        waiting.insert(id, Box::new(then));
        Ok(())
    }

    /// Asks, and gives a future of the answer.
    pub(crate) fn ask(
        &self,
        member: MemberId,
        protocol: Protocol,
        question: impl Into<Bytes>,
    ) -> Result<oneshot::Receiver<Answer>, SendError> {
        let (reply, answer) = oneshot::channel();
        self.ask_then(member, protocol, question, |result| {
            let _ = reply.send(result); // the asker may have left
        })?;
        Ok(answer)
    }

    /// Takes an answer from the network to whoever asked.
    pub(crate) fn deliver(&self, id: RequestId, answer: Answer) {
        let then = self.lock().remove(&id);
        if let Some(then) = then {
            then(answer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RequestId, Then>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Courier({} under way)", self.lock().len())
    }
}
