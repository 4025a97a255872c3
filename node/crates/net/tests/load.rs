//! What the network costs at the load it is made for. Run with `--ignored --nocapture`; prints, and asserts loosely.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that prints"
)]

mod common;

use common::{Node, id, limits, network};
use salus_net::{Bytes, Event, Protocol, Topic, Verdict};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const SECONDS: u64 = 5;
const BLOCKS_PER_SECOND: u64 = 40;
/// A batch of 50 transactions of 250 bytes for every block: 2,000 a second.
const BATCH_LENGTH: usize = 50 * 250;
const BODY_LENGTH: usize = 50 * 400;
const VOTE_LENGTH: usize = 200;

/// Acts like a validator: answers, accepts, counts.
async fn react(mut node: Node) {
    while let Some(event) = node.events.recv().await {
        match event {
            Event::Gossip { id, .. } => node.handle.verdict(id, Verdict::Accept).unwrap(),
            Event::Request { reply, .. } => node.handle.answer(reply, "ok").unwrap(),
            _ => {}
        }
    }
}

fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    ticks * 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seconds and measures the machine"]
async fn four_nodes_carry_2000_transactions_and_40_blocks_a_second() {
    let nodes = network::<4>(limits()).await;
    let handles: Vec<_> = nodes.iter().map(|node| node.handle.clone()).collect();
    let mut tasks = JoinSet::new();
    for node in nodes {
        tasks.spawn(react(node));
    }
    tokio::time::sleep(Duration::from_secs(2)).await; // The gossip meshes form.
    let (before_ms, start) = (cpu_ms(), Instant::now());
    let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / BLOCKS_PER_SECOND));
    for block in 0..SECONDS * BLOCKS_PER_SECOND {
        tick.tick().await;
        let proposer = usize::try_from(block % 4).unwrap();
        let unique = |length: usize| [block.to_be_bytes().as_slice(), &vec![7; length - 8]].concat();
        let body = Bytes::from(unique(BODY_LENGTH));
        for other in (0..4).filter(|other| *other != proposer) {
            handles[proposer]
                .request(id(other), Protocol::Bodies, body.clone())
                .unwrap();
        }
        for handle in &handles {
            handle.broadcast(unique(VOTE_LENGTH)).unwrap();
            handle.broadcast(unique(VOTE_LENGTH)).unwrap();
        }
        handles[proposer]
            .gossip(Topic::Transactions, unique(BATCH_LENGTH))
            .unwrap();
        handles[proposer].gossip(Topic::Headers, unique(400)).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let cpu = cpu_ms() - before_ms;
    let seconds = start.elapsed().as_secs_f64();
    let all: Vec<_> = handles.iter().map(|handle| handle.snapshot()).collect();
    let total = |pick: fn(&salus_net::Snapshot) -> u64| all.iter().map(pick).sum::<u64>();
    let blocks = SECONDS * BLOCKS_PER_SECOND;
    println!(
        "{seconds:.1} s, cpu {cpu} ms = {:.0} % of one core for 4 nodes; wire {:.2} MB/s; copies of a batch {:.2}, of a header {:.2}, of a body {:.2}",
        cpu as f64 / 10.0 / seconds,
        total(|one| one.wire_bytes_out) as f64 / seconds / 1e6,
        total(|one| one.transactions.messages_in) as f64 / blocks as f64,
        total(|one| one.headers.messages_in) as f64 / blocks as f64,
        total(|one| one.bodies.bytes_in) as f64 / (blocks * 20_000) as f64,
    );
    println!(
        "dropped: {:?}",
        all.iter().map(|one| one.dropped).collect::<Vec<_>>()
    );
    assert_eq!(total(|one| one.direct.messages_in), blocks * 8 * 3);
    assert!(total(|one| one.transactions.messages_in) >= blocks * 3);
    assert!(all.iter().all(|one| one.dropped == Default::default()));
}
