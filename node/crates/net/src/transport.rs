//! TCP with Noise and Yamux on top, counted, and cut off when a write gets stuck.

use crate::counters::Counters;
use futures::{AsyncRead, AsyncWrite, FutureExt};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, Transport};
use libp2p::core::upgrade::Version;
use libp2p::{PeerId, identity, noise, tcp, yamux};
use salus_types::ChainId;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// From the first byte of a connection to the end of its handshakes.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// A write that makes no progress for this long ends the connection. Without it a link that died with full
/// buffers would linger until the kernel gives up, a quarter of an hour later.
const STALL_MAX: Duration = Duration::from_secs(10);
/// Streams of one connection, at most: three protocols with their requests both ways, and a few long-lived ones.
const STREAMS_MAX: usize = 256;

pub(crate) fn build(
    keypair: &identity::Keypair,
    chain: &ChainId,
    counters: Arc<Counters>,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    // Both ends mix the prologue into the handshake, so members of another network never get past it.
    let noise = noise::Config::new(keypair)?.with_prologue(chain.as_bytes().to_vec());
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_MAX);
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    Ok(tcp
        .map(move |stream, _| Wire::new(stream, counters.clone()))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux)
        .timeout(HANDSHAKE_MAX)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed())
}

/// A socket that counts and does not wait forever.
struct Wire<S> {
    inner: S,
    counters: Arc<Counters>,
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> Wire<S> {
    fn new(inner: S, counters: Arc<Counters>) -> Self {
        Self {
            inner,
            counters,
            stall: None,
        }
    }

    /// Starts the clock when a write is pending, stops it when one is done, and fails when it runs out.
    fn watch<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stall = None;
            return outcome;
        }
        let stall = self
            .stall
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL_MAX)));
        match stall.poll_unpin(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Poll::Ready(Ok(length)) = outcome {
            self.counters.wire_in.add(length);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(length)) = outcome {
            self.counters.wire_out.add(length);
        }
        self.watch(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        if let Poll::Ready(Ok(length)) = outcome {
            self.counters.wire_out.add(length);
        }
        self.watch(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(context);
        self.watch(context, outcome)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_close(context);
        self.watch(context, outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::AsyncWriteExt;

    /// A socket whose buffers are full.
    struct Stuck;

    impl AsyncWrite for Stuck {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_write_ends_the_connection() {
        let mut wire = Wire::new(Stuck, Arc::default());
        let error = wire.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut wire = Wire::new(Stuck, Arc::default());
        assert_eq!(wire.close().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn bytes_are_counted_both_ways() {
        use futures::AsyncReadExt;
        let counters = Arc::new(Counters::default());
        let mut wire = Wire::new(futures::io::Cursor::new(vec![0; 8]), counters.clone());
        wire.write_all(b"four").await.unwrap();
        wire.read_exact(&mut [0; 3]).await.unwrap();
        assert_eq!((counters.wire_out.get(), counters.wire_in.get()), (4, 3));
    }
}
