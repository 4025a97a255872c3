//! Members that vanish, fall silent, flood or move, and strangers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use common::{Node, config, id, limits, member, network, start, until};
use salus_net::{Event, Limits, Protocol, StartError};
use salus_types::{ChainId, Hash, SecretKey};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

fn addresses(nodes: &[Node]) -> Vec<salus_types::Member> {
    nodes
        .iter()
        .map(|node| member(usize::from(node.id.get()), std::slice::from_ref(&node.address)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_other_networks_are_refused() {
    let mut nodes = network::<2>(limits()).await;
    let mut stranger = config(7, limits());
    stranger.members = addresses(&nodes);
    let mut elsewhere = config(1, limits());
    elsewhere.chain = ChainId::new(Hash::new([1; 32]));
    elsewhere.members = addresses(&nodes[..1]);
    for config in [stranger, elsewhere] {
        let refused = nodes[0].handle.snapshot().refused;
        let mut outsider = start(config).await;
        outsider.handle.broadcast("let me in").unwrap();
        let node = nodes[0].handle.clone();
        until(|| node.snapshot().refused >= refused + 2).await;
        let quiet = Duration::from_millis(100);
        assert!(
            outsider
                .quiet(quiet, |event| matches!(event, Event::Connected(_)))
                .await
        );
        assert!(outsider.handle.peers().iter().all(|peer| !peer.connected));
    }
    let heard = |event: &Event| matches!(event, Event::Direct { .. } | Event::Disconnected(_));
    assert!(nodes[0].quiet(Duration::from_millis(100), heard).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_can_change_at_run_time() {
    let mut nodes = network::<3>(limits()).await;
    let all = addresses(&nodes);
    let [first, _, removed] = &mut nodes;
    first.handle.set_members(all[..2].to_vec()).unwrap();
    first.disconnected(removed.id).await;
    removed.disconnected(first.id).await;
    first.handle.broadcast("for the second only").unwrap();
    let heard = |event: &Event| matches!(event, Event::Direct { .. } | Event::Connected(_));
    assert!(removed.quiet(Duration::from_millis(200), heard).await);

    first.handle.set_members(all).unwrap();
    first.connected(removed.id).await;
    first.handle.broadcast("for both").unwrap();
    assert_eq!(removed.direct().await, (id(0), b"for both".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_vanishes_is_noticed_and_comes_back_elsewhere() {
    let [mut first, mut second, third] = network::<3>(limits()).await;
    drop(third);
    first.disconnected(id(2)).await;
    second.disconnected(id(2)).await;
    for number in 0..3 {
        first.handle.send(id(2), vec![number]).unwrap();
    }
    let mut third = start(config(2, limits())).await;
    let all = [0, 1, 2].map(|number| member(number, &[[&first, &second, &third][number].address.clone()]));
    for node in [&first, &second, &third] {
        node.handle.set_members(all.to_vec()).unwrap();
    }
    first.connected(id(2)).await;
    second.connected(id(2)).await;
    for number in 0..3 {
        assert_eq!(
            third.direct().await,
            (id(0), vec![number]),
            "what waited for it comes, in order"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_found_by_name() {
    let mut first = start(config(0, limits())).await;
    let second = start(config(1, limits())).await;
    let by_name = second.address.replace("/ip4/127.0.0.1/", "/dns4/localhost/");
    let members = vec![
        member(0, &[]),
        member(1, &["/dns4/nobody.invalid/tcp/1".to_owned(), by_name]),
    ];
    second.handle.set_members(members.clone()).unwrap();
    first.handle.set_members(members).unwrap();
    first.connected(second.id).await;
}

/// A wire that can be cut without either end being told.
struct Cable {
    address: String,
    cut: Arc<AtomicBool>,
    _tasks: JoinSet<()>,
}

impl Cable {
    async fn to(address: &str) -> Self {
        let port: u16 = address.rsplit('/').next().unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("/ip4/127.0.0.1/tcp/{}", listener.local_addr().unwrap().port());
        let cut = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        let is_cut = cut.clone();
        tasks.spawn(async move {
            let mut pipes = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                pipes.spawn(pipe(near_in, far_out, is_cut.clone()));
                pipes.spawn(pipe(far_in, near_out, is_cut.clone()));
            }
        });
        Self {
            address,
            cut,
            _tasks: tasks,
        }
    }
}

async fn pipe(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    cut: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if cut.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_dies_silently_is_given_up_and_made_anew() {
    let limits = Limits {
        keep_alive: Duration::from_millis(100),
        silence_max: Duration::from_millis(1_000),
        dial_grace: Duration::from_secs(60), // only the first dials
        ..limits()
    };
    let mut first = start(config(0, limits)).await;
    let mut second = start(config(1, limits)).await;
    let cable = Cable::to(&second.address).await;
    let members = vec![member(0, &[]), member(1, std::slice::from_ref(&cable.address))];
    first.handle.set_members(members.clone()).unwrap();
    second.handle.set_members(members).unwrap();
    first.connected(id(1)).await;
    second.connected(id(0)).await;
    // Keep-alives alone hold an idle link.
    let lost = |event: &Event| matches!(event, Event::Disconnected(_));
    assert!(first.quiet(Duration::from_millis(1_500), lost).await);

    cable.cut.store(true, Ordering::Relaxed);
    first.disconnected(id(1)).await;
    second.disconnected(id(0)).await;
    cable.cut.store(false, Ordering::Relaxed);
    first.connected(id(1)).await;
    first.handle.send(id(1), "again").unwrap();
    assert_eq!(second.direct().await, (id(0), b"again".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_floods_with_messages_starves_itself_only() {
    let limits = Limits {
        direct_waiting_kib_max: 64,
        ..limits()
    };
    let [flooder, mut victim, quiet] = network::<3>(limits).await;
    let watch = victim.handle.clone();
    until(|| {
        for _ in 0..100 {
            flooder.handle.send(id(1), vec![1; 900]).unwrap();
        }
        watch.snapshot().dropped.direct_in > 1_000
    })
    .await;
    quiet.handle.send(id(1), "still heard").unwrap();
    until(|| quiet.handle.peers().iter().all(|peer| peer.waiting == 0)).await;
    let mut flooded = 0;
    loop {
        let (from, bytes) = victim.direct().await;
        if from == quiet.id {
            assert_eq!(bytes, b"still heard");
            break;
        }
        flooded += 1;
        assert!(flooded < 100_000);
    }
    assert!(victim.handle.peers().iter().all(|peer| peer.connected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_requests_that_are_not_answered_hold_up_their_sender_only() {
    let limits = Limits {
        request_bytes_max: 0, // one full request: 20 MiB
        ..limits()
    };
    let [greedy, mut busy, modest] = network::<3>(limits).await;
    let body = salus_net::Bytes::from(vec![7; 8 << 20]);
    for _ in 0..4 {
        greedy
            .handle
            .request(id(1), Protocol::Bodies, body.clone())
            .unwrap();
    }
    let request = |event| match event {
        Event::Request {
            from, bytes, reply, ..
        } => Some((from, bytes.len(), reply)),
        _ => None,
    };
    let (one, two) = (busy.wait(request).await, busy.wait(request).await);
    assert_eq!((one.0, one.1, two.0), (greedy.id, 8 << 20, greedy.id));
    let asked = |event: &Event| matches!(event, Event::Request { .. });
    assert!(
        busy.quiet(Duration::from_millis(300), asked).await,
        "two of 8 MiB fit, a third does not"
    );

    modest.handle.request(id(1), Protocol::Bodies, "small").unwrap();
    let (from, length, reply) = busy.wait(request).await;
    assert_eq!((from, length), (modest.id, 5));
    busy.handle.answer(reply, "ok").unwrap();
    greedy
        .handle
        .request(id(1), Protocol::Shares, "another protocol")
        .unwrap();
    assert_eq!(busy.wait(request).await.0, greedy.id);

    busy.handle.answer(one.2, "done").unwrap();
    assert_eq!(
        busy.wait(request).await.1,
        8 << 20,
        "an answer makes room for the next"
    );
}

#[tokio::test]
async fn a_bad_configuration_says_what_is_wrong() {
    let broken = |change: fn(&mut salus_net::Config)| {
        let mut config = config(0, limits());
        change(&mut config);
        salus_net::Network::start(config).map(|_| ()).unwrap_err()
    };
    let error = broken(|config| config.listen = vec!["localhost:80".to_owned()]);
    assert!(matches!(error, StartError::BadListenAddress { .. }), "{error}");
    let error = broken(|config| config.listen = vec!["/ip4/192.0.2.1/tcp/1".to_owned()]);
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
    let error = broken(|config| {
        config.members = vec![member(0, &[])];
        config.identity = SecretKey::from_seed(&[99; 32]);
    });
    assert!(
        matches!(error, StartError::WrongIdentity(who) if who == id(0)),
        "{error}"
    );
}

#[test]
fn a_runtime_is_required() {
    let error = salus_net::Network::start(config(0, limits()))
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(error, StartError::NoRuntime));
}
