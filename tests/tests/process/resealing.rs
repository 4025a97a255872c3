//! Old blocks are dealt anew while people work and a validator is killed: same bodies, other shares, and the old ones gone.

use super::lagging::{leapt, settle};
use super::storage::{configure, log_of, verify};
use super::{People, on_network};
use salus::home::Home;
use salus::remote::ResealStatus;
use salus_seal::{CheckedShare, OpenError, open};
use salus_store::{Store, StoreKey};
use salus_tests::{Network, Options};
use salus_types::abi::access::Purpose;
use salus_types::{BlockId, ChainId, Header, Height, SealedShare, ShareCommitment, codec};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// More than one block may reseal, so that the job can be cut short in its midst.
const BLOCKS: u64 = 40;

#[test]
fn old_blocks_are_resealed_under_load_and_through_a_crash() {
    on_network(Options::default(), async |network| {
        let people = People::register(network).await;
        people.grant().await;
        while network.remote(0).unwrap().status().await.unwrap().height < BLOCKS {
            retrieve(&people).await;
        }
        for validator in 0..network.validators() {
            network.wait_height(validator, BLOCKS).await.unwrap();
        }
        let before = bodies(network, 0).await;
        let old = kept_by(network, 4, BLOCKS).await;

        reseal(network, BLOCKS).await;
        // A validator dies when some are resealed and some are not; people go on.
        while progress(network).await.done == 0 {
            retrieve(&people).await;
        }
        network.kill(2).unwrap();
        while progress(network).await.is_open() {
            retrieve(&people).await;
        }
        network.launch(2).unwrap();
        let tip = network.remote(0).unwrap().status().await.unwrap().height;
        network.wait_height(2, tip).await.unwrap();
        network.wait_ready(2).await.unwrap();

        for validator in [0, 2] {
            assert_eq!(
                bodies(network, validator).await,
                before,
                "at validator {validator}"
            );
        }
        wait_until_old_shares_are_erased(network, &old).await;
        let new = kept_by(network, 4, BLOCKS).await;
        assert_nothing_in_common(network.chain(), &old, &new);
        // Whoever lost its data, or only its index, executes from the first block on, of which only later dealings are left.
        for (validator, lost) in [(3, "data"), (2, "data/index")] {
            network.kill(validator).unwrap();
            std::fs::remove_dir_all(network.home(validator).unwrap().join(lost)).unwrap();
            network.launch(validator).unwrap();
            retrieve(&people).await;
            let tip = network.remote(0).unwrap().status().await.unwrap().height;
            network.wait_height(validator, tip).await.unwrap();
            assert_eq!(
                bodies(network, validator).await,
                before,
                "at validator {validator}, which lost {lost}"
            );
            network.wait_repaired(validator).await.unwrap();
            // Until then the other three must all be there.
            while !log_of(network, validator).contains("this validator votes again") {
                retrieve(&people).await;
            }
        }
    });
}

async fn retrieve(people: &People) {
    let (patient, record) = (people.patient_id(), people.record);
    let decided = people.doctor.retrieve(patient, record, Purpose::Treatment, false);
    decided.await.unwrap();
}

pub(super) async fn progress(network: &Network) -> ResealStatus {
    let status = network.remote(0).unwrap().status().await.unwrap();
    status.reseal.expect("a job was started")
}

/// Every body as a validator opens it, without who helped and how long it took.
async fn bodies(network: &Network, validator: usize) -> Vec<Value> {
    let remote = network.remote(validator).unwrap();
    let mut bodies = Vec::new();
    for height in 1..=BLOCKS {
        let mut body = remote.body(Height::new(height)).await.unwrap();
        body.as_object_mut().unwrap().remove("reconstruction");
        bodies.push(body);
    }
    bodies
}

/// What validators keep of one block.
pub(super) struct Kept {
    id: BlockId,
    header: Header,
    dealing: ShareCommitment,
    /// Of the first validators, in their order.
    shares: Vec<SealedShare>,
}

/// Stops the network, reads the shares of all blocks up to a height from the disks of the first validators, and starts it again.
pub(super) async fn kept_by(network: &Network, validators: usize, last: u64) -> Vec<Kept> {
    network.kill_all().unwrap();
    let mut kept: Vec<Kept> = Vec::new();
    for validator in 0..validators {
        let store = store_of(network, validator);
        for height in (1..=last).map(Height::new) {
            let share = store.shares.get(height).unwrap();
            let share = share.expect("every validator has its share of every block");
            let index = usize::try_from(height.get() - 1).unwrap();
            if validator == 0 {
                kept.push(read_block(&store, height));
            }
            CheckedShare::check(share.clone(), kept[index].dealing).unwrap();
            kept[index].shares.push(share);
        }
    }
    network.launch_all().unwrap();
    network.wait_all_ready().await.unwrap();
    kept
}

/// What a validator that does not run has stored.
pub(super) fn store_of(network: &Network, validator: usize) -> Store {
    let home = Home::new(network.home(validator).unwrap());
    let key = StoreKey::new(*home.keys().unwrap().remove(0).storage);
    Store::open(&home.data(), &key).unwrap()
}

fn read_block(store: &Store, height: Height) -> Kept {
    let header = store.chain.header(height).unwrap().unwrap();
    let resealing = store.chain.resealing(height).unwrap();
    let dealing = resealing.map(|resealing| codec::decode(&resealing.terms, 512).unwrap());
    Kept {
        id: store.chain.block_id(height).unwrap().unwrap(),
        dealing: dealing.unwrap_or_else(|| (&header).into()),
        header,
        shares: Vec::new(),
    }
}

/// First the share logs again and again, in the end every file.
pub(super) async fn wait_until_old_shares_are_erased(network: &Network, old: &[Kept]) {
    let validators = old[0].shares.len();
    let data = |validator| Home::new(network.home(validator).unwrap()).data();
    let erased = async || {
        let keeps = |validator| holds_any(&data(validator).join("shares"), old, validator);
        Ok(!(0..validators).any(keeps))
    };
    network
        .wait("no old share is left in the share logs", erased)
        .await
        .unwrap();
    for validator in 0..validators {
        assert!(
            !holds_any(&data(validator), old, validator),
            "validator {validator}"
        );
    }
}

/// Whether some file below a folder holds one of a validator's old fragments, or the beginning of one.
fn holds_any(folder: &Path, old: &[Kept], validator: usize) -> bool {
    const BEGINNING: usize = 12;
    let beginnings: BTreeSet<&[u8]> = old
        .iter()
        .map(|kept| &kept.shares[validator].fragment[..BEGINNING])
        .collect();
    let mut files = Vec::new();
    read_files(folder, &mut files);
    files
        .iter()
        .any(|file| file.windows(BEGINNING).any(|window| beginnings.contains(window)))
}

fn read_files(folder: &Path, files: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_files(&path, files);
        } else if let Ok(bytes) = std::fs::read(&path) {
            files.push(bytes); // one that is gone by now holds nothing
        }
    }
}

/// Each dealing opens by itself; a member that was robbed before, or has left with its share, opens nothing together with all others
/// that were robbed after.
pub(super) fn assert_nothing_in_common(chain: ChainId, old: &[Kept], new: &[Kept]) {
    assert_eq!(old.len(), new.len());
    for (old, new) in old.iter().zip(new) {
        let height = old.header.height;
        assert_eq!((old.id, &old.header), (new.id, &new.header));
        assert!(
            new.dealing.is_reseal() && old.dealing != new.dealing,
            "height {height}"
        );
        let check = |share: &SealedShare, dealing| CheckedShare::check(share.clone(), dealing).unwrap();
        let old_shares: Vec<_> = old.shares.iter().map(|share| check(share, old.dealing)).collect();
        let new_shares: Vec<_> = new.shares.iter().map(|share| check(share, new.dealing)).collect();
        let opened_old = open(old.dealing, &chain, &old_shares).unwrap();
        let opened_new = open(new.dealing, &chain, &new_shares).unwrap();
        assert_eq!(opened_old.body(), opened_new.body(), "height {height}");

        let leaver = old_shares.last().unwrap();
        let others = new_shares.iter().filter(|share| share.slot() != leaver.slot());
        let mixed: Vec<CheckedShare> = std::iter::once(leaver).chain(others).cloned().collect();
        for dealing in [old.dealing, new.dealing] {
            let refused = open(dealing, &chain, &mixed);
            assert!(
                matches!(refused, Err(OpenError::ForeignShare(_))),
                "height {height}: {refused:?}"
            );
        }
        for share in &old.shares {
            assert!(CheckedShare::check(share.clone(), new.dealing).is_err());
        }
    }
}

/// A snapshot's state says which dealings are in force, also of blocks that whoever takes it over never executes.
#[test]
fn one_that_was_away_through_a_reseal_arrives_by_a_snapshot_and_keeps_what_was_resealed() {
    let options = Options {
        snapshot_interval_blocks: Some(64),
        snapshot_behind_blocks: Some(70),
        block_interval_ms: Some(5),
        propose_timeout_ms: Some(100),
        ..Options::default()
    };
    on_network(options, async |network| {
        let people = People::register(network).await;
        people.grant().await;
        let tip = async || network.remote(0).unwrap().status().await.unwrap().height;
        while tip().await < BLOCKS {
            retrieve(&people).await;
        }
        network.wait_height(3, BLOCKS).await.unwrap();
        network.kill(3).unwrap();
        reseal(network, BLOCKS).await;
        while progress(network).await.is_open() || tip().await < 132 {
            retrieve(&people).await;
        }
        let before = bodies(network, 0).await;

        configure(network, 3, |config| config.scrub.interval_s = 1);
        network.launch(3).unwrap();
        network.wait_ready(3).await.unwrap();
        assert!(leapt(network, 3).await > 0, "it was to take over a snapshot");
        settle(network, 3).await;
        assert_eq!(bodies(network, 3).await, before);
        wait_for_a_sound_pass(network).await;
        network.kill(3).unwrap();
        let (code, verified) = verify(network.home(3).unwrap());
        assert_eq!(code, 0, "{verified}");
        assert_eq!(verified["gaps"], Value::Array(Vec::new()), "{verified}");
        assert_eq!(verified["checked"]["resealed"], BLOCKS, "{verified}");

        // A share with a sound checksum that is not the block's: bad memory, say, when it was repaired.
        let spoiled = Height::new(BLOCKS / 2);
        spoil(network, spoiled);
        let (code, verified) = verify(network.home(3).unwrap());
        assert_eq!((code, &verified["damaged_places"]), (1, &Value::from(1)));
        network.launch(3).unwrap();
        network.wait_ready(3).await.unwrap();
        let remote = network.remote(3).unwrap();
        let repaired = async || {
            let status = remote.status().await?;
            Ok(status.scrub.damaged > 0 && status.repair.missing == 0 && status.repair.repaired > 0)
        };
        network.wait("it is found and rebuilt", repaired).await.unwrap();
        wait_for_a_sound_pass(network).await;
        network.kill(3).unwrap();
        let store = store_of(network, 3);
        let share = store.shares.get(spoiled).unwrap().unwrap();
        CheckedShare::check(share, read_block(&store, spoiled).dealing).unwrap();
    });
}

/// Starts a reseal of all blocks up to a height.
pub(super) async fn reseal(network: &Network, last: u64) {
    let operator = network.session(0, network.staff("operator", 0).unwrap()).unwrap();
    let (first, last) = (Height::new(1), Height::new(last));
    operator
        .send_successfully(|signer, terms| signer.start_reseal(first, last, terms))
        .await
        .unwrap();
}

/// Waits until validator 3 has read all its shares after now and found none damaged.
async fn wait_for_a_sound_pass(network: &Network) {
    let remote = network.remote(3).unwrap();
    let status = remote.status().await.unwrap();
    let scrub = status.scrub;
    let (tip, now) = (
        status.height,
        scrub
            .last
            .map_or(scrub.current.started_ms, |last| last.started_ms),
    );
    let sound = async || {
        let last = remote.status().await?.scrub.last;
        Ok(last.is_some_and(|pass| pass.started_ms > now && pass.damaged == 0 && pass.checked >= tip))
    };
    network
        .wait("a pass finds all shares sound", sound)
        .await
        .unwrap();
}

/// Puts another share in the place of validator 3's, under a sound checksum.
fn spoil(network: &Network, height: Height) {
    let store = store_of(network, 3);
    let block = read_block(&store, height);
    let resealing = store.chain.resealing(height).unwrap();
    let mut share = store.shares.get(height).unwrap().unwrap();
    share.fragment[0] ^= 1;
    store
        .shares
        .put_repaired(&block.header, block.id, resealing.as_ref(), &share)
        .unwrap();
}
