//! Consensus messages: one long-lived stream a peer and direction.
//!
//! ```text
//! opener                                 accepter
//!   open stream  -------------------->
//!                <--- 0x01 ------------  accepted, version 1
//!   length u32 BE || bytes  --------->   a message
//!   0x00000000              --------->   keep-alive, when there is nothing to say
//! ```
//!
//! The accepter speaks first because libp2p-stream drops inbound streams that come faster than they are taken, which
//! the opener would only learn after its first messages were lost. Keep-alives make silence a sign of a dead link.

use crate::event::Queues;
use crate::frame::{self, PREFIX_LENGTH};
use crate::protocol::DIRECT;
use crate::roster::{Peer, Shared};
use crate::{Bytes, DIRECT_LENGTH_MAX};
use futures::io::BufReader;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::Stream;
use libp2p_stream::{Control, IncomingStreams};
use salus_types::MemberId;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// What the accepter says first.
const ACCEPTED: u8 = 1;
/// From the wish for a stream to the accepter's byte.
const OPEN_MAX: Duration = Duration::from_secs(5);
/// Before a stream is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(100);
/// Bytes written at a time: many small messages make one Noise packet.
const BATCH: usize = 64 << 10;
/// Read ahead of the message being read.
const READ_AHEAD: usize = 16 << 10;

/// Keeps a stream to `peer` open and empties its outbox into it, until aborted. Tells `opened` of every new stream.
pub(crate) async fn write(
    mut control: Control,
    peer: Arc<Peer>,
    shared: Arc<Shared>,
    opened: mpsc::Sender<Arc<Peer>>,
) {
    loop {
        match timeout(OPEN_MAX, open(&mut control, &peer)).await {
            Ok(Ok(stream)) => {
                if opened.send(peer.clone()).await.is_err() {
                    return;
                }
                let error = drain(stream, &peer, &shared).await.err();
                tracing::debug!(member = %peer.member, ?error, "the direct stream ended");
            }
            Ok(Err(error)) => tracing::debug!(member = %peer.member, %error, "no direct stream"),
            Err(_) => tracing::debug!(member = %peer.member, "no direct stream in time"),
        }
        sleep(REOPEN_PAUSE).await;
    }
}

async fn open(control: &mut Control, peer: &Peer) -> io::Result<Stream> {
    let mut stream = control
        .open_stream(peer.id, DIRECT)
        .await
        .map_err(io::Error::other)?;
    let mut hello = [0];
    stream.read_exact(&mut hello).await?;
    match hello {
        [ACCEPTED] => Ok(stream),
        [other] => Err(io::Error::other(format!(
            "unknown version {other} of direct streams"
        ))),
    }
}

async fn drain(mut stream: Stream, peer: &Peer, shared: &Shared) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        // An empty batch encodes as a keep-alive. Dropping `take` loses nothing: it takes only when it returns.
        let frames = timeout(shared.limits.keep_alive, peer.traffic.outbox.take(BATCH))
            .await
            .unwrap_or_else(|_| Vec::new());
        encode(&frames, &mut buffer)?;
        let sent = async {
            stream.write_all(&buffer).await?;
            stream.flush().await
        };
        if let Err(error) = sent.await {
            shared.counters.direct_out_dropped.add(frames.len());
            let lost = u64::try_from(frames.len()).unwrap_or(u64::MAX);
            peer.traffic.dropped.fetch_add(lost, Ordering::Relaxed);
            return Err(error);
        }
        shared.counters.direct.sent(frames.len(), buffer.len());
    }
}

fn encode(frames: &[Bytes], buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    for bytes in frames {
        buffer.extend(frame::prefix(bytes.len(), DIRECT_LENGTH_MAX)?);
        buffer.extend_from_slice(bytes);
    }
    if frames.is_empty() {
        buffer.extend([0; PREFIX_LENGTH]);
    }
    Ok(())
}

/// Takes the streams that members open, one each: a new one replaces the old. Ends with the swarm.
pub(crate) async fn accept(mut incoming: IncomingStreams, shared: Arc<Shared>, queues: Queues) {
    let mut readers = JoinSet::new();
    let mut current: BTreeMap<MemberId, AbortHandle> = BTreeMap::new();
    loop {
        let (id, stream) = tokio::select! {
            next = incoming.next() => match next {
                Some(next) => next,
                None => return,
            },
            Some(_) = readers.join_next() => continue,
        };
        let Some(peer) = shared.peer_of(&id) else { continue };
        let member = peer.member;
        let reader = read(stream, peer, shared.clone(), queues.clone());
        if let Some(old) = current.insert(member, readers.spawn(reader)) {
            old.abort();
        }
        current.retain(|_, reader| !reader.is_finished());
    }
}

async fn read(mut stream: Stream, peer: Arc<Peer>, shared: Arc<Shared>, queues: Queues) {
    let outcome = async {
        stream.write_all(&[ACCEPTED]).await?;
        stream.flush().await?;
        receive(
            BufReader::with_capacity(READ_AHEAD, stream),
            &peer,
            &shared,
            &queues,
        )
        .await
    };
    let Err(error) = outcome.await else { return };
    if frame::FrameTooLong::within(&error).is_some() {
        shared.counters.violations.add(1);
        tracing::warn!(member = %peer.member, %error, "a member broke the protocol: its direct stream is closed");
    } else {
        tracing::debug!(member = %peer.member, %error, "a member's direct stream ended");
    }
}

async fn receive(
    mut stream: BufReader<Stream>,
    peer: &Peer,
    shared: &Shared,
    queues: &Queues,
) -> io::Result<()> {
    loop {
        let length = frame::read_length(&mut stream, DIRECT_LENGTH_MAX).await?;
        let bytes = frame::read_payload(&mut stream, length).await?;
        peer.traffic.heard(shared.now());
        shared
            .counters
            .direct
            .received(usize::from(length > 0), PREFIX_LENGTH + length);
        if length > 0 {
            queues.direct(peer, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_do_not_drift() {
        let mut buffer = vec![9];
        encode(&["vote".into(), "x".into()], &mut buffer).unwrap();
        assert_eq!(buffer, b"\x00\x00\x00\x04vote\x00\x00\x00\x01x");
        encode(&[], &mut buffer).unwrap();
        assert_eq!(buffer, b"\x00\x00\x00\x00");
    }
}
