//! Leads what comes from the network and the API to the thread that deals with it.

use crate::archivist;
use crate::chain;
use crate::clients::ClientDesk;
use crate::courier::Courier;
use crate::peers;
use crate::wire::{BodyAsk, Committed, DIRECT_MAX, Direct, GOSSIP_MAX, LARGE_MAX};
use salus_api::Request;
use salus_net::{Event, Events, MemberId, Protocol, Topic, Verdict};
use salus_types::codec;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// Requests of clients that wait for other members at once.
const FETCHES_MAX: usize = 256;

/// Where the network's events go.
pub(crate) struct FromNetwork {
    pub(crate) events: Events,
    pub(crate) courier: Arc<Courier>,
    pub(crate) chain: SyncSender<chain::Event>,
    pub(crate) archive: SyncSender<archivist::Event>,
    pub(crate) peers: mpsc::Sender<peers::Job>,
}

impl FromNetwork {
    /// Runs until the network ends.
    pub(crate) async fn run(mut self) {
        while let Some(event) = self.events.recv().await {
            match event {
                Event::Connected(member) => {
                    tracing::info!(%member, "connected");
                    self.tell_archive(archivist::Event::Connected(member));
                    self.tell_chain(chain::Event::Connected(member));
                }
                Event::Disconnected(member) => {
                    tracing::info!(%member, "disconnected");
                    self.tell_archive(archivist::Event::Disconnected(member));
                }
                Event::Direct { from, bytes } => self.on_direct(from, &bytes),
                Event::Gossip {
                    topic: Topic::Transactions,
                    from,
                    bytes,
                    id,
                } => {
                    self.tell_peers(peers::Job::Transactions { from, bytes, id });
                }
                Event::Gossip {
                    topic: Topic::Headers,
                    from,
                    bytes,
                    id,
                } => {
                    let verdict = self.on_header(from, &bytes);
                    if let Err(error) = self.courier.net().verdict(id, verdict) {
                        tracing::debug!(%error, "could not report a verdict");
                    }
                }
                Event::Request {
                    from, bytes, reply, ..
                } => match reply.protocol() {
                    Protocol::Bodies => match codec::decode::<BodyAsk>(&bytes, LARGE_MAX) {
                        Ok(ask) => self.tell_chain(chain::Event::Body { from, ask, reply }),
                        Err(error) => tracing::warn!(%from, %error, "malformed question about a body"),
                    },
                    Protocol::Shares | Protocol::Records => {
                        self.tell_peers(peers::Job::Question { from, bytes, reply });
                    }
                },
                Event::Answer { id, result, .. } => self.courier.deliver(id, result),
                Event::Listening(address) => tracing::info!(address, "listening for validators"),
            }
        }
    }

    fn on_direct(&self, from: MemberId, bytes: &[u8]) {
        match codec::decode(bytes, DIRECT_MAX) {
            Ok(Direct::Consensus(bytes)) => self.tell_chain(chain::Event::Consensus { from, bytes }),
            Ok(Direct::Tip(height)) => self.tell_archive(archivist::Event::Tip { member: from, height }),
            Ok(Direct::Receipt(receipt)) if receipt.member == from => {
                self.tell_archive(archivist::Event::Receipt(Box::new(receipt)));
            }
            Ok(Direct::Receipt(_)) => tracing::warn!(%from, "a receipt in another member's name"),
            Err(error) => tracing::warn!(%from, %error, "malformed direct message"),
        }
    }

    /// A committed header says how far its sender is; everything else about it is checked when it is fetched.
    fn on_header(&self, from: MemberId, bytes: &[u8]) -> Verdict {
        match codec::decode::<Committed>(bytes, GOSSIP_MAX) {
            Ok(committed) => {
                self.tell_archive(archivist::Event::Tip {
                    member: from,
                    height: committed.header.height,
                });
                Verdict::Accept
            }
            Err(_) => Verdict::Reject,
        }
    }

    // A full inbox means a node that can't keep up. What is lost here is sent again or asked for again: votes are
    // rebroadcast, dealings pulled, tips repeated.

    fn tell_chain(&self, event: chain::Event) {
        if self.chain.try_send(event).is_err() {
            metrics::counter!("salus_inbox_full_total", "inbox" => "chain").increment(1);
        }
    }

    fn tell_archive(&self, event: archivist::Event) {
        if self.archive.try_send(event).is_err() {
            metrics::counter!("salus_inbox_full_total", "inbox" => "archive").increment(1);
        }
    }

    fn tell_peers(&self, job: peers::Job) {
        if self.peers.try_send(job).is_err() {
            metrics::counter!("salus_inbox_full_total", "inbox" => "peers").increment(1);
        }
    }
}

/// Leads clients' requests to the pool that answers at once, or to a task that asks other members.
pub(crate) async fn from_clients(
    mut requests: mpsc::Receiver<Request>,
    quick: mpsc::Sender<Request>,
    desk: Arc<ClientDesk>,
) {
    let permits = Arc::new(Semaphore::new(FETCHES_MAX));
    let mut fetches = JoinSet::new();
    while let Some(request) = requests.recv().await {
        while fetches.try_join_next().is_some() {}
        if !ClientDesk::waits(&request) {
            // Waiting for room here fills the API's channel, which then answers that the node is busy.
            if quick.send(request).await.is_err() {
                return;
            }
            continue;
        }
        match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => {
                let desk = Arc::clone(&desk);
                fetches.spawn(async move {
                    desk.fetch(request).await;
                    drop(permit);
                });
            }
            // Dropping the request answers it.
            Err(_) => tracing::warn!("too many requests wait for other members"),
        }
    }
}
