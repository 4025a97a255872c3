//! Requests and answers.

use super::{Asked, Network};
use crate::codec::{Ask, NoAnswer, Told};
use crate::event::{Event, Reply, RequestError, RequestId};
use crate::frame::FrameTooLong;
use crate::{Bytes, Protocol};
use libp2p::PeerId;
use libp2p::request_response::{self, InboundFailure, Message, OutboundFailure, OutboundRequestId};
use salus_types::MemberId;
use std::io;
use tokio::sync::OwnedSemaphorePermit;

impl Network {
    pub(super) fn request(&mut self, asked: Asked, peer: &PeerId, protocol: Protocol, bytes: Bytes) {
        // Not `is_connected`: a link that fell silent counts as a connection until it is closed.
        if !self.writers.contains_key(&asked.member) {
            let Asked { id, member, .. } = asked;
            self.answer(id, member, protocol, Err(RequestError::NotConnected), None);
            return;
        }
        let ask = Ask { bytes, permit: None };
        let behaviour = self.swarm.behaviour_mut().protocol(protocol);
        let key = (protocol, behaviour.send_request(peer, ask));
        self.asked.insert(key, asked);
    }

    pub(super) fn on_request_event(&mut self, protocol: Protocol, event: request_response::Event<Ask, Told>) {
        use request_response::Event::{InboundFailure, Message as Came, OutboundFailure, ResponseSent};
        match event {
            Came {
                peer,
                message: Message::Request { request, channel, .. },
                ..
            } => {
                let reply = Reply {
                    protocol,
                    channel,
                    _permit: request.permit,
                };
                self.on_request(&peer, reply, request.bytes.into());
            }
            Came {
                message: Message::Response {
                    request_id, response, ..
                },
                ..
            } => match response {
                Told::Answer { bytes, permit } => {
                    self.on_outcome(protocol, request_id, Ok(bytes.into()), permit)
                }
                Told::Busy => self.on_outcome(protocol, request_id, Err(RequestError::Busy), None),
            },
            OutboundFailure {
                request_id, error, ..
            } => self.on_outcome(protocol, request_id, Err(request_error(&error)), None),
            InboundFailure { peer, error, .. } => log_inbound(protocol, &peer, &error),
            ResponseSent { .. } => {}
        }
    }

    fn on_request(&mut self, from: &PeerId, reply: Reply, bytes: Vec<u8>) {
        // A peer that just left the list: dropping the reply ends its stream.
        let Some(peer) = self.shared.peer_of(from) else {
            return;
        };
        if !peer.traffic.allows_request(self.shared.now()) {
            self.shared.counters.requests_dropped.add(1);
            self.reply(reply, Told::Busy);
            return;
        }
        let event = Event::Request {
            from: peer.member,
            protocol: reply.protocol,
            bytes,
            reply,
        };
        self.queues.request(event, None);
    }

    pub(super) fn reply(&mut self, reply: Reply, told: Told) {
        let behaviour = self.swarm.behaviour_mut().protocol(reply.protocol);
        if behaviour.send_response(reply.channel, told).is_err() {
            tracing::debug!(protocol = ?reply.protocol, "an answer came after its asker had given up");
        }
    }

    fn on_outcome(
        &mut self,
        protocol: Protocol,
        key: OutboundRequestId,
        result: Result<Vec<u8>, RequestError>,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        if let Some(asked) = self.asked.remove(&(protocol, key)) {
            self.answer(asked.id, asked.member, protocol, result, permit);
        }
    }

    fn answer(
        &self,
        id: RequestId,
        from: MemberId,
        protocol: Protocol,
        result: Result<Vec<u8>, RequestError>,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let event = Event::Answer {
            id,
            from,
            protocol,
            result,
        };
        self.queues.request(event, permit);
    }
}

fn request_error(failure: &OutboundFailure) -> RequestError {
    match failure {
        OutboundFailure::DialFailure => RequestError::NotConnected,
        OutboundFailure::Timeout => RequestError::TimedOut,
        OutboundFailure::ConnectionClosed => RequestError::ConnectionLost,
        OutboundFailure::UnsupportedProtocols => RequestError::Unsupported,
        OutboundFailure::Io(error) => stream_error(error),
    }
}

fn stream_error(error: &io::Error) -> RequestError {
    if let Some(FrameTooLong { length, limit }) = FrameTooLong::within(error) {
        return RequestError::TooLong { length, limit };
    }
    if error.get_ref().is_some_and(|inner| inner.is::<NoAnswer>()) {
        return RequestError::NoAnswer;
    }
    RequestError::Stream(error.to_string())
}

fn log_inbound(protocol: Protocol, peer: &PeerId, error: &InboundFailure) {
    match error {
        InboundFailure::ResponseOmission => {} // The shell chose not to answer.
        error => tracing::debug!(?protocol, %peer, %error, "a request of a peer came to nothing"),
    }
}
