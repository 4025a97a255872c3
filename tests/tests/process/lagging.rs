//! Validators that were away for long, and new ones, take over a snapshot and arrive.

use super::membership::run_with;
use super::{People, on_network_within};
use salus_tests::{Network, Options};
use salus_types::Height;
use salus_types::abi::access::Purpose;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// Blocks come fast, and a validator that does not propose is soon passed over.
fn options(interval_blocks: u64, behind_blocks: u64) -> Options {
    Options {
        snapshot_interval_blocks: Some(interval_blocks),
        snapshot_behind_blocks: Some(behind_blocks),
        block_interval_ms: Some(5),
        propose_timeout_ms: Some(100),
        patience: Duration::from_secs(1_200),
        ..Options::default()
    }
}

#[test]
fn whoever_was_away_or_lost_everything_or_is_new_takes_over_a_snapshot() {
    run_with(options(64, 70), async |mut network| {
        let (people, requests) = arrive(&network, 80).await;
        join(&mut network, &people, requests).await;
        network.check_alive().unwrap();
    });
}

/// The same over 10,000 blocks, or as many as `BLOCKS` says: `just lagging`.
#[test]
#[ignore = "takes half an hour"]
fn a_validator_that_was_away_for_10_000_blocks_arrives() {
    let blocks = std::env::var("BLOCKS").map_or(10_000, |blocks| blocks.parse().unwrap());
    let limit = Duration::from_secs(7_200);
    on_network_within(limit, options(1_024, 2_048), async |network| {
        arrive(network, blocks).await;
    });
}

/// Lets one validator sleep for so many blocks, wakes it up; then lets another one lose everything. Tells who made how many
/// requests meanwhile.
async fn arrive(network: &Network, blocks: u64) -> (People, u64) {
    let people = People::register(network).await;
    people.grant().await;
    let before = people.patient.remote().status().await.unwrap().height;
    network.kill(3).unwrap();
    let made = Instant::now();
    let requests = make_blocks(&people, blocks).await;
    let tip = people.patient.remote().status().await.unwrap().height;
    assert!(
        tip >= before + blocks,
        "{blocks} blocks were to be made from {before} on, but the tip is {tip}"
    );
    tell(&format!("{} blocks made", tip - before), made);

    // Away for long: it takes over the state, and repairs its own shares while it is in step again.
    let woken = Instant::now();
    network.launch(3).unwrap();
    network.wait_ready(3).await.unwrap();
    tell("the one that was away is in step", woken);
    assert!(leapt(network, 3).await > before, "it was to take over a snapshot");
    settle(network, 3).await;
    tell("and has all its shares", woken);
    assert_same(network, 3, &people, requests).await;

    // Nothing left but keys and configuration, as for a new validator.
    network.kill(2).unwrap();
    std::fs::remove_dir_all(network.home(2).unwrap().join("data")).unwrap();
    let woken = Instant::now();
    network.launch(2).unwrap();
    network.wait_ready(2).await.unwrap();
    tell("the one without data is in step", woken);
    assert!(leapt(network, 2).await > 0, "it was to take over a snapshot");
    settle(network, 2).await;
    tell("and has all its shares", woken);
    assert_same(network, 2, &people, requests).await;
    (people, requests)
}

/// A hospital that is let in now: its state is the genesis, and whom to ask it learns from a present member alone.
async fn join(network: &mut Network, people: &People, requests: u64) {
    let joined = Instant::now();
    let newcomer = network.add_validator().await.unwrap();
    tell("the newcomer is let in and in step", joined);
    assert!(
        leapt(network, newcomer).await > 0,
        "it was to take over a snapshot"
    );
    settle(network, newcomer).await;
    tell("and has all its shares", joined);
    assert_same(network, newcomer, people, requests).await;
    // It watches for two heights before it votes. Four of five decide: with one founder away, not without the newcomer.
    let watched = make_blocks(people, 2).await;
    network.kill(3).unwrap();
    let voted = make_blocks(people, 1).await;
    assert_same(network, newcomer, people, requests + watched + voted).await;
}

/// Requests, one a block: each waits for the one before it. Tells how many.
async fn make_blocks(people: &People, blocks: u64) -> u64 {
    let until = people.patient.remote().status().await.unwrap().height + blocks;
    let mut requests = 0;
    while people.patient.remote().status().await.unwrap().height < until {
        for _ in 0..10 {
            let (patient, record) = (people.patient_id(), people.record);
            people
                .doctor
                .retrieve(patient, record, Purpose::Treatment, false)
                .await
                .unwrap();
            requests += 1;
        }
    }
    requests
}

/// The height of the snapshot that a validator took over last, from its metrics; 0 if it took none.
pub(super) async fn leapt(network: &Network, validator: usize) -> u64 {
    let metrics = network.remote(validator).unwrap().metrics().await.unwrap();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("salus_leapt_to_height "));
    line.map_or(0, |value| value.parse().unwrap())
}

/// Waits until a validator has all its shares and knows what is in all blocks.
pub(super) async fn settle(network: &Network, validator: usize) {
    let remote = network.remote(validator).unwrap();
    let is_settled = async || {
        let status = remote.status().await?;
        Ok(status.repair.missing == 0 && status.unread_blocks == 0 && status.sync.phase == "in_step")
    };
    network.wait("all shares are repaired", is_settled).await.unwrap();
}

/// A validator has the same history, state and log as the others, and answers from it.
async fn assert_same(network: &Network, validator: usize, people: &People, requests: u64) {
    let tip = people.patient.remote().status().await.unwrap().height;
    network.wait_height(validator, tip).await.unwrap();
    let (own, other) = (network.remote(validator).unwrap(), network.remote(0).unwrap());
    for height in [1, tip / 3, tip / 2, tip] {
        let [ours, theirs] = [
            own.block(Height::new(height)).await.unwrap(),
            other.block(Height::new(height)).await.unwrap(),
        ];
        assert_eq!(ours["header"]["id"], theirs["header"]["id"], "height {height}");
    }
    // The log of the patient, oldest entries first: those of skipped blocks among them.
    let path = format!("/v1/patients/{}/log?from=0&limit=50", people.patient_id().get());
    let [ours, theirs]: [Value; 2] = [own.get(&path).await.unwrap(), other.get(&path).await.unwrap()];
    assert_eq!(ours, theirs);
    assert_eq!(ours["count"].as_u64(), Some(requests));
    assert_eq!(ours["entries"].as_array().map(Vec::len), Some(50));
}

#[expect(clippy::print_stderr, reason = "the long run reports its times")]
pub(super) fn tell(what: &str, since: Instant) {
    eprintln!("{what}: {:.1} s", since.elapsed().as_secs_f64());
}
