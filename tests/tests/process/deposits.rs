//! Seven validators of which four shares open a block, one more than a commit certificate alone guarantees.

use super::on_network;
use salus_client::{Signer, Terms};
use salus_tests::people::{address, identity};
use salus_tests::{Network, Options};
use salus_types::abi::registry::Role;
use salus_types::{Height, UnverifiedTransaction};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

const N: usize = 7;

fn options() -> Options {
    Options {
        validators: 7,
        threshold: Some(4),
        ..Options::default()
    }
}

/// Two members are silent while blocks are committed, so that six receipts can't come in. All power is lost. Two of the
/// five members that voted never come back: three shares of four are left. Yet every block opens, because whoever voted
/// had made durable what the silent ones need. When all are back, the deposits go.
#[test]
fn all_power_is_lost_before_enough_members_hold_their_shares_and_every_block_opens() {
    on_network(options(), async |network| {
        network.pause(5).unwrap();
        network.pause(6).unwrap();
        let marks = Mutex::new(Vec::new());
        let mut acknowledged = 0;
        for person in 0..3 {
            acknowledged = register(network, person, &marks).await;
        }
        let held = deposits(network, 2).await;
        assert!(held >= 3, "{held} deposits");
        network.kill_all().unwrap();

        for validator in 0..5 {
            let home = network.home(validator).unwrap();
            assert!(fs::read_dir(home.join("data/deposits")).unwrap().count() >= 3);
            assert_holds_none_of(home, &marks.lock().unwrap());
        }

        for validator in 2..N {
            network.launch(validator).unwrap();
        }
        for validator in 2..N {
            network.wait_height(validator, acknowledged).await.unwrap();
        }
        for validator in 2..N {
            assert_opens(network, validator, acknowledged).await;
        }
        assert!(
            deposits(network, 2).await >= 3,
            "five members can't give six receipts"
        );
        let mut parcels = 0;
        for voter in 2..5 {
            parcels += parcels_served(network, voter).await;
        }
        // Once one of the two has its share of a block, the other may open it with that.
        assert!(
            parcels >= 3,
            "{parcels} shares of three blocks came from deposits"
        );

        network.launch(0).unwrap();
        network.launch(1).unwrap();
        network.wait_all_ready().await.unwrap();
        let after = register(network, 3, &marks).await;
        for validator in 0..N {
            network.wait_height(validator, after).await.unwrap();
            network
                .wait("no deposit is needed any more", async || {
                    Ok(deposits(network, validator).await == 0)
                })
                .await
                .unwrap();
            assert_opens(network, validator, after).await;
        }
        let files = fs::read_dir(network.home(3).unwrap().join("data/deposits")).unwrap();
        assert_eq!(files.count(), 0);
    });
}

/// Registers somebody at validator 2 and notes the transaction's signature, which stands in the block's body only.
async fn register(network: &Network, person: u32, marks: &Mutex<Vec<Vec<u8>>>) -> u64 {
    let manager = network.staff("manager", 2).unwrap();
    let manager = network.session(2, manager).unwrap();
    let keys = identity(person).public();
    let build = |signer: &Signer, terms: Terms| -> UnverifiedTransaction {
        let transaction = signer.add_user(&keys, Role::Patient, Some(address(person)), terms);
        let signature = transaction.signature.as_bytes().to_vec();
        marks.lock().unwrap().push(signature);
        transaction
    };
    manager.send_successfully(build).await.unwrap().1.get()
}

async fn deposits(network: &Network, validator: usize) -> u64 {
    let status = network.remote(validator).unwrap().status().await;
    status.unwrap().deposits.held
}

/// Shares that a validator gave back to their members out of its deposits.
async fn parcels_served(network: &Network, validator: usize) -> u64 {
    let metrics = network.remote(validator).unwrap().metrics().await.unwrap();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("salus_parcels_served_total "));
    line.map_or(0, |count| count.parse().unwrap())
}

async fn assert_opens(network: &Network, validator: usize, last: u64) {
    let remote = network.remote(validator).unwrap();
    for height in 1..=last {
        let body = remote.body(Height::new(height)).await;
        assert!(body.is_ok(), "validator {validator}, height {height}: {body:?}");
    }
}

/// Nothing that stands in bodies only is on a validator's disk.
fn assert_holds_none_of(folder: &Path, marks: &[Vec<u8>]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_holds_none_of(&path, marks);
            continue;
        }
        let content = fs::read(&path).unwrap();
        for mark in marks {
            let found = content.windows(mark.len()).any(|window| window == mark);
            assert!(!found, "{}", path.display());
        }
    }
}
