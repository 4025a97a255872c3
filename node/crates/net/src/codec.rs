//! The bytes of questions and answers, and how much of them one connection may have waiting.
//!
//! ```text
//! question   length u32 BE || bytes
//! answer     0x00 || length u32 BE || bytes      an answer
//!            0x01                                busy: asked too often
//!            (end of stream)                     no answer will come
//! ```

use crate::counters::Counters;
use crate::frame::{self, FrameTooLong, PREFIX_LENGTH};
use crate::{Bytes, Limits, Protocol};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response;
use std::io;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const STATUS_ANSWER: u8 = 0;
const STATUS_BUSY: u8 = 1;

/// A question, with its part of the connection's allowance while it is unanswered.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) bytes: Bytes,
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// What came of a question.
#[derive(Debug)]
pub(crate) enum Told {
    Answer {
        bytes: Bytes,
        permit: Option<OwnedSemaphorePermit>,
    },
    Busy,
}

/// The peer ended the stream instead of answering; carried inside an `io::Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer gave no answer")]
pub(crate) struct NoAnswer;

/// Reads and writes one protocol.
///
/// libp2p clones the behaviour's codec for each connection and that one for each stream. The first kind of clone gets
/// an allowance of its own and the second shares it, so that a peer that floods holds up itself only: beyond the
/// allowance its questions stay unread, and Yamux stops it from sending more.
#[derive(Debug)]
pub(crate) struct Codec {
    protocol: Protocol,
    counters: Arc<Counters>,
    limits: Limits,
    allowance: Option<Allowance>,
}

/// KiB of questions and of answers that one connection may have waiting.
#[derive(Clone, Debug)]
struct Allowance {
    questions: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

impl Codec {
    pub(crate) fn new(protocol: Protocol, counters: Arc<Counters>, limits: Limits) -> Self {
        Self {
            protocol,
            counters,
            limits,
            allowance: None,
        }
    }

    fn allowance(&mut self) -> Allowance {
        self.allowance
            .get_or_insert_with(|| Allowance {
                questions: semaphore(self.limits.request_bytes_max, self.protocol.request_length_max()),
                answers: semaphore(self.limits.answer_bytes_max, self.protocol.answer_length_max()),
            })
            .clone()
    }

    /// Reads a frame once there is room for it.
    async fn read_frame<R: AsyncRead + Unpin>(
        &self,
        io: &mut R,
        limit: usize,
        room: Arc<Semaphore>,
    ) -> io::Result<(Bytes, OwnedSemaphorePermit)> {
        let length = frame::read_length(io, limit).await.inspect_err(|error| {
            if FrameTooLong::within(error).is_some() {
                self.counters.violations.add(1);
            }
        })?;
        let permit = room
            .acquire_many_owned(kib(length))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionAborted))?;
        let bytes = frame::read_payload(io, length).await?;
        self.counters
            .protocol(self.protocol)
            .received(1, PREFIX_LENGTH + length);
        Ok((Bytes::from(bytes), permit))
    }
}

impl Clone for Codec {
    fn clone(&self) -> Self {
        let mut clone = Self {
            protocol: self.protocol,
            counters: self.counters.clone(),
            limits: self.limits,
            allowance: self.allowance.clone(),
        };
        clone.allowance();
        clone
    }
}

fn semaphore(bytes: usize, one: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes.max(one).div_ceil(1_024)))
}

/// What a message costs: its KiB, at least one.
pub(crate) fn kib(length: usize) -> u32 {
    u32::try_from(length.div_ceil(1_024)).unwrap_or(u32::MAX).max(1)
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Ask;
    type Response = Told;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Ask>
    where
        T: AsyncRead + Unpin + Send,
    {
        let room = self.allowance().questions;
        let (bytes, permit) = self
            .read_frame(io, self.protocol.request_length_max(), room)
            .await?;
        Ok(Ask {
            bytes,
            permit: Some(permit),
        })
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Told>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut status = [0];
        if io.read(&mut status).await? == 0 {
            return Err(io::Error::other(NoAnswer));
        }
        let traffic = self.counters.protocol(self.protocol);
        match status {
            [STATUS_ANSWER] => {
                traffic.received(0, 1);
                let room = self.allowance().answers;
                let (bytes, permit) = self
                    .read_frame(io, self.protocol.answer_length_max(), room)
                    .await?;
                Ok(Told::Answer {
                    bytes,
                    permit: Some(permit),
                })
            }
            [STATUS_BUSY] => {
                traffic.received(1, 1);
                Ok(Told::Busy)
            }
            [other] => {
                self.counters.violations.add(1);
                Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("unknown answer status {other}"),
                ))
            }
        }
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, ask: Ask) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        frame::write(io, &ask.bytes, self.protocol.request_length_max()).await?;
        io.flush().await?;
        let sent = self.counters.protocol(self.protocol);
        sent.sent(1, PREFIX_LENGTH + ask.bytes.len());
        Ok(())
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, told: Told) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let length = match told {
            Told::Answer { bytes, .. } => {
                io.write_all(&[STATUS_ANSWER]).await?;
                frame::write(io, &bytes, self.protocol.answer_length_max()).await?;
                1 + PREFIX_LENGTH + bytes.len()
            }
            Told::Busy => {
                io.write_all(&[STATUS_BUSY]).await?;
                1
            }
        };
        io.flush().await?;
        self.counters.protocol(self.protocol).sent(1, length);
        Ok(())
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
