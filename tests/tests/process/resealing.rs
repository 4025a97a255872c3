//! Old blocks are dealt anew while people work and a validator is killed: same bodies, other shares, and the old ones gone.

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
        let old = kept_by_all(network).await;

        let operator = network.session(0, network.staff("operator", 0).unwrap()).unwrap();
        let (first, last) = (Height::new(1), Height::new(BLOCKS));
        operator
            .send_successfully(|signer, terms| signer.start_reseal(first, last, terms))
            .await
            .unwrap();
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
        let new = kept_by_all(network).await;
        for (height, (old, new)) in (1..).zip(old.iter().zip(&new)) {
            assert_nothing_in_common(network.chain(), old, new, height);
        }
        // A validator that lost everything executes from the first block on, of which only later dealings are left.
        network.kill(3).unwrap();
        std::fs::remove_dir_all(Home::new(network.home(3).unwrap()).data()).unwrap();
        network.launch(3).unwrap();
        retrieve(&people).await;
        let tip = network.remote(0).unwrap().status().await.unwrap().height;
        network.wait_height(3, tip).await.unwrap();
        assert_eq!(
            bodies(network, 3).await,
            before,
            "at the validator that lost everything"
        );
        let remote = network.remote(3).unwrap();
        let repaired = async || Ok(remote.status().await?.repair.missing == 0);
        network.wait("its own shares are back", repaired).await.unwrap();
    });
}

async fn retrieve(people: &People) {
    let (patient, record) = (people.patient_id(), people.record);
    let decided = people.doctor.retrieve(patient, record, Purpose::Treatment, false);
    decided.await.unwrap();
}

async fn progress(network: &Network) -> ResealStatus {
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

/// What the four validators keep of one block.
struct Kept {
    id: BlockId,
    header: Header,
    dealing: ShareCommitment,
    shares: Vec<SealedShare>,
}

/// Stops the network, reads the shares of all blocks from the disks, and starts it again.
async fn kept_by_all(network: &Network) -> Vec<Kept> {
    network.kill_all().unwrap();
    let mut kept: Vec<Kept> = Vec::new();
    for validator in 0..network.validators() {
        let home = Home::new(network.home(validator).unwrap());
        let key = StoreKey::new(*home.keys().unwrap().remove(0).storage);
        let store = Store::open(&home.data(), &key).unwrap();
        for height in (1..=BLOCKS).map(Height::new) {
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
async fn wait_until_old_shares_are_erased(network: &Network, old: &[Kept]) {
    let data = |validator| Home::new(network.home(validator).unwrap()).data();
    let erased = async || {
        let mut validators = 0..network.validators();
        Ok(validators.all(|validator| !holds_any(&data(validator).join("shares"), old, validator)))
    };
    network
        .wait("no old share is left in the share logs", erased)
        .await
        .unwrap();
    for validator in 0..network.validators() {
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

/// Each dealing opens by itself; a member that was robbed before and one that was robbed after open nothing together.
fn assert_nothing_in_common(chain: ChainId, old: &Kept, new: &Kept, height: u64) {
    assert_eq!((old.id, &old.header), (new.id, &new.header));
    assert!(
        !old.dealing.is_reseal() && new.dealing.is_reseal(),
        "height {height}"
    );
    let check = |share: &SealedShare, dealing| CheckedShare::check(share.clone(), dealing).unwrap();
    let old_shares: Vec<CheckedShare> = old.shares.iter().map(|share| check(share, old.dealing)).collect();
    let new_shares: Vec<CheckedShare> = new.shares.iter().map(|share| check(share, new.dealing)).collect();
    let opened_old = open(old.dealing, &chain, &old_shares).unwrap();
    let opened_new = open(new.dealing, &chain, &new_shares).unwrap();
    assert_eq!(opened_old.body(), opened_new.body(), "height {height}");

    let mixed = [old_shares[0].clone(), new_shares[1].clone()];
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
