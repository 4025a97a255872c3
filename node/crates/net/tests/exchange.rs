//! Honest members and every kind of message.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use common::{Node, id, limits, member, network, start, until};
use salus_net::{Event, Limits, Protocol, RequestError, SendError, Topic, Verdict};
use std::time::Duration;

/// Answers the next question with what `answer` makes of it.
async fn serve(node: &mut Node, answer: impl Fn(Vec<u8>) -> Vec<u8>) {
    let (bytes, reply) = node
        .wait(|event| match event {
            Event::Request { bytes, reply, .. } => Some((bytes, reply)),
            _ => None,
        })
        .await;
    node.handle.answer(reply, answer(bytes)).unwrap();
}

async fn outcome(node: &mut Node) -> Result<Vec<u8>, RequestError> {
    node.wait(|event| match event {
        Event::Answer { result, .. } => Some(result),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_members_exchange_every_kind() {
    let mut nodes = network::<4>(limits()).await;
    for (number, node) in nodes.iter().enumerate() {
        node.handle.broadcast(format!("vote {number}")).unwrap();
    }
    for (number, node) in nodes.iter_mut().enumerate() {
        let mut heard = Vec::new();
        for _ in 0..3 {
            let (from, bytes) = node.direct().await;
            assert_eq!(bytes, format!("vote {}", from.get()).into_bytes());
            heard.push(from);
        }
        heard.sort();
        let others: Vec<_> = (0..4).filter(|other| *other != number).map(id).collect();
        assert_eq!(heard, others);
    }

    for topic in Topic::ALL {
        nodes[0].handle.gossip(topic, b"batch".to_vec()).unwrap();
        for node in &mut nodes[1..] {
            let (came, bytes, id) = node
                .wait(|event| match event {
                    Event::Gossip { topic, bytes, id, .. } => Some((topic, bytes, id)),
                    _ => None,
                })
                .await;
            assert_eq!((came, bytes.as_slice()), (topic, b"batch".as_slice()));
            node.handle.verdict(id, Verdict::Accept).unwrap();
        }
    }

    let [asker, holder, ..] = &mut nodes;
    for protocol in Protocol::ALL {
        let asked = asker.handle.request(holder.id, protocol, "question").unwrap();
        serve(holder, |question| [question, b" answered".to_vec()].concat()).await;
        let answered = asker
            .wait(|event| match event {
                Event::Answer {
                    id,
                    from,
                    protocol,
                    result,
                } => Some((id, from, protocol, result)),
                _ => None,
            })
            .await;
        assert_eq!(
            answered,
            (asked, id(1), protocol, Ok(b"question answered".to_vec()))
        );
    }

    let counted = nodes[0].handle.snapshot();
    assert_eq!(
        (
            counted.peers,
            counted.direct.messages_out,
            counted.direct.messages_in
        ),
        (3, 3, 3)
    );
    assert_eq!(
        (counted.transactions.messages_out, counted.transactions.bytes_out),
        (1, 5)
    );
    let other = nodes[1].handle.snapshot();
    assert!(other.transactions.messages_in >= 1 && other.headers.messages_in >= 1);
    assert_eq!(
        (counted.bodies.bytes_out, counted.bodies.bytes_in),
        (4 + 8, 1 + 4 + 17)
    );
    assert_eq!(
        (other.bodies.bytes_in, other.bodies.bytes_out),
        (4 + 8, 1 + 4 + 17)
    );
    assert!(counted.wire_bytes_out > counted.direct.bytes_out);
    assert_eq!((counted.violations, counted.dropped), (0, Default::default()));
    until(|| {
        nodes[0]
            .handle
            .peers()
            .iter()
            .all(|peer| peer.round_trip.is_some())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_messages_keep_their_order() {
    let [sender, mut receiver] = network::<2>(limits()).await;
    let send = async {
        for number in 0..5_000_u32 {
            let length = 4 + usize::try_from(number % 300).unwrap();
            let mut bytes = vec![0; length];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            sender.handle.send(id(1), bytes).unwrap();
            if number % 200 == 0 {
                // As fast as the link takes them: an outbox that overflows would drop.
                until(|| sender.handle.peers()[0].waiting == 0).await;
            }
        }
    };
    let handle = receiver.handle.clone();
    let receive = async {
        for number in 0..5_000_u32 {
            let (from, bytes) = receiver.direct().await;
            assert_eq!((from, &bytes[..4]), (id(0), number.to_be_bytes().as_slice()));
        }
    };
    tokio::join!(send, receive);
    assert_eq!(handle.snapshot().direct.messages_in, 5_000);
    assert_eq!(sender.handle.snapshot().direct.messages_out, 5_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verdict_decides_what_is_passed_on() {
    // A line: the ends know the middle only.
    let mut nodes = Vec::new();
    for number in 0..3 {
        nodes.push(start(common::config(number, limits())).await);
    }
    let [a, b, c] = [0, 1, 2].map(|number| member(number, std::slice::from_ref(&nodes[number].address)));
    nodes[0].handle.set_members(vec![a.clone(), b.clone()]).unwrap();
    nodes[1]
        .handle
        .set_members(vec![a, b.clone(), c.clone()])
        .unwrap();
    nodes[2].handle.set_members(vec![b, c]).unwrap();
    nodes[1].linked(2).await;
    let [left, middle, right] = &mut nodes[..] else {
        unreachable!()
    };
    let gossip = |event| match event {
        Event::Gossip { bytes, id, from, .. } => Some((from, bytes, id)),
        _ => None,
    };

    for (text, verdict) in [
        (b"rejected", Verdict::Reject),
        (b"ignored!", Verdict::Ignore),
        (b"accepted", Verdict::Accept),
    ] {
        // Until the middle is known to listen to the topic, a publisher finds no peer.
        let sent = left.handle.snapshot().transactions.messages_out;
        until(|| {
            left.handle.gossip(Topic::Transactions, text.to_vec()).unwrap();
            left.handle.snapshot().transactions.messages_out > sent
        })
        .await;
        let (from, bytes, id) = middle.wait(gossip).await;
        assert_eq!((from, bytes.as_slice()), (left.id, text.as_slice()));
        let early = right
            .quiet(Duration::from_millis(200), |event| {
                matches!(event, Event::Gossip { .. })
            })
            .await;
        assert!(early, "nothing is passed on before the verdict");
        middle.handle.verdict(id, verdict).unwrap();
    }
    // Order is kept, so had one of the others been passed on, it would come first.
    let (from, bytes, _) = right.wait(gossip).await;
    assert_eq!((from, bytes.as_slice()), (middle.id, b"accepted".as_slice()));
    assert_eq!(middle.handle.snapshot().gossip_rejected, 1);
    let blamed: Vec<_> = middle.handle.peers().iter().map(|peer| peer.rejected).collect();
    assert_eq!(blamed, [1, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_a_request_fails_has_its_error() {
    let impatient = Limits {
        shares_timeout: Duration::from_millis(300),
        ..limits()
    };
    let sparing = Limits {
        shares_timeout: Duration::from_millis(1_000),
        requests_per_second: 1,
        requests_burst: 4,
        ..limits()
    };
    let [mut asker, mut holder] = common::network_of([impatient, sparing]).await;
    let request = |event| match event {
        Event::Request { reply, .. } => Some(reply),
        _ => None,
    };

    asker
        .handle
        .request(holder.id, Protocol::Shares, "no answer")
        .unwrap();
    drop(holder.wait(request).await);
    assert_eq!(outcome(&mut asker).await, Err(RequestError::NoAnswer));

    asker
        .handle
        .request(holder.id, Protocol::Shares, "too slow")
        .unwrap();
    let reply = holder.wait(request).await;
    assert!(reply.is_wanted());
    assert_eq!(outcome(&mut asker).await, Err(RequestError::TimedOut));
    until(|| !reply.is_wanted()).await;
    holder.handle.answer(reply, "late").unwrap();

    asker
        .handle
        .request(holder.id, Protocol::Bodies, "link lost")
        .unwrap();
    asker
        .handle
        .request(holder.id, Protocol::Bodies, "this, too")
        .unwrap();
    let _held = (holder.wait(request).await, holder.wait(request).await);
    until(|| {
        // The pauses above earned a request or two.
        let _ = asker.handle.request(id(1), Protocol::Records, "one too many");
        holder.handle.snapshot().dropped.requests_in > 0
    })
    .await;
    assert_eq!(outcome(&mut asker).await, Err(RequestError::Busy));
    drop(holder.task);
    let lost = |event| match event {
        Event::Answer {
            protocol: Protocol::Bodies,
            result,
            ..
        } => Some(result),
        _ => None,
    };
    assert_eq!(asker.wait(lost).await, Err(RequestError::ConnectionLost));
    assert_eq!(asker.wait(lost).await, Err(RequestError::ConnectionLost));

    asker.linked(0).await;
    asker
        .handle
        .request(id(1), Protocol::Bodies, "nobody there")
        .unwrap();
    assert_eq!(asker.wait(lost).await, Err(RequestError::NotConnected));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_at_once() {
    let mut node = start(common::config(0, limits())).await;
    node.handle.set_members(vec![member(1, &[])]).unwrap();
    until(|| node.handle.peers().len() == 1).await;
    let long = |limit| SendError::TooLong {
        length: limit + 1,
        limit,
    };
    let bytes = |limit: usize| vec![0; limit + 1];

    assert_eq!(node.handle.broadcast(bytes(64 << 10)), Err(long(64 << 10)));
    assert_eq!(node.handle.broadcast(""), Err(SendError::Empty));
    assert_eq!(node.handle.send(id(9), "x"), Err(SendError::UnknownMember(id(9))));
    assert_eq!(node.handle.send(id(0), "x"), Err(SendError::UnknownMember(id(0))));
    let gossip = node.handle.gossip(Topic::Headers, bytes(256 << 10));
    assert_eq!(gossip, Err(long(256 << 10)));
    let request = node.handle.request(id(1), Protocol::Shares, bytes(4 << 10));
    assert_eq!(request, Err(long(4 << 10)));
    let request = node.handle.request(id(1), Protocol::Records, bytes(20 << 20));
    assert_eq!(request, Err(long(20 << 20)));

    node.task.abort_all();
    while node.task.join_next().await.is_some() {}
    assert_eq!(node.handle.broadcast("x"), Err(SendError::Closed));
    assert_eq!(node.handle.set_members(Vec::new()), Err(SendError::Closed));
    assert!(
        node.events.recv().await.is_none(),
        "the events end with the network"
    );
}
