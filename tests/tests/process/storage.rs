//! What happens to a validator's files, and how it gets back what it lost.

use super::{CONTENT, LIMIT, People, on_network};
use salus::config::Config;
use salus_client::{Signer, Terms};
use salus_tests::storage::{counter, repair_traffic, wipe_share_log};
use salus_tests::{Network, Options, salus_binary};
use salus_types::abi::access::Purpose;
use salus_types::{ContractId, Gas, Height};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// Bytes of input that no compression makes smaller, one transaction's worth.
const BULK_BYTES: usize = 60_000;
/// An entry that no contract has: such a transaction fails, and stands in its block with all its bytes.
const NO_ENTRY: u8 = 250;

/// Lets the chain grow by blocks with some transactions of [`BULK_BYTES`] each.
async fn grow(network: &Network, blocks: usize, transactions: usize) {
    let remote = network.remote(0).unwrap();
    let manager = network.staff("manager", 0).unwrap();
    for block in 0..blocks {
        let first = remote.next_sequence(manager.principal()).await.unwrap();
        let expires = Height::new(remote.status().await.unwrap().height + 1_000);
        let batch: Vec<_> = (0..transactions)
            .map(|place| {
                let terms = Terms {
                    sequence: first.saturating_add(place as u64),
                    expires,
                    gas_limit: Gas::new(20_000_000),
                };
                bulk(&manager, block * transactions + place, terms)
            })
            .collect();
        remote.submit_batch(&network.chain(), &batch).await.unwrap();
        let last = batch.last().unwrap().payload.id(&network.chain());
        while remote.transaction(&last).await.unwrap().height.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn bulk(signer: &Signer, number: usize, terms: Terms) -> salus_types::UnverifiedTransaction {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1) | 1;
    let mut byte = || {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    let input: Vec<u8> = (0..BULK_BYTES).map(|_| byte()).collect();
    signer.call(ContractId::REGISTRY, NO_ENTRY, &input, terms)
}

/// Changes a validator's configuration; it counts from the next start on.
pub(super) fn configure(network: &Network, validator: usize, change: impl FnOnce(&mut Config)) {
    let path = network.home(validator).unwrap().join("config.toml");
    let mut config = Config::load(&path).unwrap();
    change(&mut config);
    fs::write(&path, config.to_commented_toml()).unwrap();
}

fn segments(network: &Network, validator: usize) -> Vec<PathBuf> {
    let folder = network.home(validator).unwrap().join("data").join("shares");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    found
}

fn salus(arguments: &[&str]) -> Output {
    Command::new(salus_binary().unwrap())
        .args(arguments)
        .output()
        .unwrap()
}

/// `salus sharelog verify` of a validator that does not run: its exit code and what it says.
pub(super) fn verify(folder: &Path) -> (i32, Value) {
    let folder = folder.to_str().unwrap();
    let output = salus(&["--json", "sharelog", "verify", "--home", folder]);
    let said = String::from_utf8_lossy(&output.stderr);
    let value = serde_json::from_slice(&output.stdout).expect(&said);
    (output.status.code().unwrap(), value)
}

pub(super) fn log_of(network: &Network, validator: usize) -> String {
    fs::read_to_string(network.home(validator).unwrap().with_extension("log")).unwrap()
}

async fn state_roots(network: &Network, height: u64) -> Vec<String> {
    let mut roots = Vec::new();
    for validator in 0..network.validators() {
        network.wait_height(validator, height).await.unwrap();
        let block = network
            .remote(validator)
            .unwrap()
            .block(Height::new(height))
            .await
            .unwrap();
        roots.push(block["header"]["state_root"].as_str().unwrap().to_owned());
    }
    roots
}

#[test]
fn an_index_that_is_overwritten_or_cannot_be_opened_is_rebuilt_and_its_validator_serves_again() {
    on_network(Options::default(), async |network| {
        let mut people = People::register(network).await;
        people.grant().await;
        people.doctor.move_to(network.remote(2).unwrap());
        let index = network.home(2).unwrap().join("data").join("index");
        // The database, and the journal that stands before it.
        let overwrite = || {
            for entry in fs::read_dir(&index).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                if name == "db" || name.starts_with("journal-") {
                    let length = entry.metadata().unwrap().len();
                    fs::write(entry.path(), vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
                }
            }
        };
        let break_snapshot = || fs::write(index.join("snap.00000000000000FF"), b"damage").unwrap();
        lose_index(network, &mut people, &overwrite).await;
        assert!(log_of(network, 2).contains("the index forgot committed blocks"));
        lose_index(network, &mut people, &break_snapshot).await;
        assert!(log_of(network, 2).contains("the index was damaged and moved aside"));
        assert!(index.with_extension("damaged-1").join("db").exists());

        let tip = network.remote(2).unwrap().status().await.unwrap().height;
        network.kill(2).unwrap();
        let (code, verified) = verify(network.home(2).unwrap());
        assert_eq!(
            (code, &verified["damaged_places"]),
            (0, &Value::from(0)),
            "{verified}"
        );
        assert!(
            verified["checked"]["whole"].as_u64().unwrap() >= tip,
            "{verified}"
        );
        assert_eq!(verified["gaps"], Value::Array(Vec::new()), "{verified}");
    });
}

/// Stops validator 2, breaks its index while the others go on, and waits until it has the same state as they and opens records
/// and blocks by itself.
async fn lose_index(network: &Network, people: &mut People, mishap: &dyn Fn()) {
    network.kill(2).unwrap();
    mishap();
    grow(network, 2, 1).await;
    let tip = network.remote(0).unwrap().status().await.unwrap().height;
    network.launch(2).unwrap();
    network.wait_ready(2).await.unwrap();
    let roots = state_roots(network, tip).await;
    assert!(roots.iter().all(|root| *root == roots[0]), "{roots:?}");
    network.wait_repaired(2).await.unwrap();
    let (patient, record) = (people.patient_id(), people.record);
    let read = people
        .doctor
        .get_record(patient, record, Purpose::Treatment, false);
    assert_eq!(read.await.unwrap().1.content(), CONTENT);
    let body = network.remote(2).unwrap().body(Height::new(1)).await.unwrap();
    assert!(body["count"].as_u64().unwrap() > 0, "{body}");
}

/// Stops validator 3, lets something befall its first segment, and waits until it has rebuilt what it lost.
async fn lose_segment(network: &Network, mishap: impl FnOnce(&Path)) {
    network.kill(3).unwrap();
    mishap(&segments(network, 3)[0]);
    network.launch(3).unwrap();
    network.wait_ready(3).await.unwrap();
    let remote = network.remote(3).unwrap();
    network
        .wait(
            "the validator has found what it lost, and rebuilt it",
            async || {
                let repair = remote.status().await?.repair;
                Ok(repair.missing == 0 && repair.repaired > 0)
            },
        )
        .await
        .unwrap();
}

/// Waits until nothing damaged is left in validator 3's files, and stops it.
async fn wait_until_whole(network: &Network) {
    let remote = network.remote(3).unwrap();
    network
        .wait("the damaged segment has been compacted", async || {
            Ok(counter(&remote, "salus_share_log_freed_bytes_total").await? > 0)
        })
        .await
        .unwrap();
    let tip = remote.status().await.unwrap().height;
    network.kill(3).unwrap();
    let (code, verified) = verify(network.home(3).unwrap());
    assert_eq!(code, 0, "{verified}");
    assert_eq!(verified["gaps"], Value::Array(Vec::new()), "{verified}");
    assert!(
        verified["checked"]["whole"].as_u64().unwrap() >= tip,
        "{verified}"
    );
}

#[test]
fn truncated_missing_and_rotten_segments_are_repaired_on_a_live_network() {
    on_network(Options::default(), async |network| {
        grow(network, 6, 2).await;
        let tip = network.remote(3).unwrap().status().await.unwrap().height;
        configure(network, 3, |config| config.scrub.interval_s = 1);
        lose_segment(network, |path| {
            let length = fs::metadata(path).unwrap().len();
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_len(length / 2).unwrap();
        })
        .await;
        wait_until_whole(network).await;
        lose_segment(network, |path| fs::remove_file(path).unwrap()).await;

        // A flipped bit shows only when the share is read: the rolling check does, and says so.
        lose_segment(network, |path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        })
        .await;
        let remote = network.remote(3).unwrap();
        assert!(remote.status().await.unwrap().scrub.damaged >= 1);
        assert!(counter(&remote, "salus_shares_damaged_total").await.unwrap() >= 1);
        network
            .wait("a whole pass after it finds nothing any more", async || {
                let last = remote.status().await?.scrub.last;
                Ok(last.is_some_and(|pass| pass.damaged == 0 && pass.checked >= tip))
            })
            .await
            .unwrap();
        let text = String::from_utf8(salus(&["status", "--node", remote.base()]).stdout).unwrap();
        assert!(text.contains("last check of all shares"), "{text}");
        wait_until_whole(network).await;

        configure(network, 3, |config| config.scrub.interval_s = 3_600);
        network.launch(3).unwrap();
        network.wait_ready(3).await.unwrap();
        let status = network.remote(3).unwrap().status().await.unwrap();
        let last = status.scrub.last.unwrap();
        assert!(last.checked >= tip, "what the last pass found outlives a restart");
        assert_eq!(status.scrub.current.started_ms, 0, "and the next is not due");
    });
}

#[test]
fn a_validator_without_shares_votes_while_it_rebuilds_them() {
    on_network(Options::default(), async |network| {
        grow(network, 8, 4).await;
        let tip = network.remote(3).unwrap().status().await.unwrap().height;
        network.wait_height(3, tip).await.unwrap();
        network.kill(3).unwrap();
        wipe_share_log(network, 3).unwrap();
        // Slow enough to be watched: 2 MB at 64 KiB a second.
        configure(network, 3, |config| config.repair.bytes_per_second = 64 << 10);
        network.launch(3).unwrap();
        network.wait_ready(3).await.unwrap();
        // Without one of the others nothing is decided unless it votes.
        network.kill(2).unwrap();
        grow(network, 3, 1).await;
        let remote = network.remote(3).unwrap();
        let status = remote.status().await.unwrap();
        assert!(
            status.repair.missing > 0,
            "it was still rebuilding: {:?}",
            status.repair
        );
        let text = String::from_utf8(salus(&["repair", "--node", remote.base()]).stdout).unwrap();
        assert!(text.contains("in the background"), "{text}");
        // Killed in the middle, it goes on with what is left.
        let repaired = status.repair.repaired;
        network.kill(3).unwrap();
        configure(network, 3, |config| config.repair.bytes_per_second = 32 << 20);
        network.launch(3).unwrap();
        network.wait_ready(3).await.unwrap();
        let watched = salus(&["--json", "repair", "--watch", "--node", remote.base()]);
        assert!(watched.status.success());
        network.wait_repaired(3).await.unwrap();
        let status = remote.status().await.unwrap();
        assert!(
            status.repair.repaired <= tip - repaired,
            "{:?} after {repaired}",
            status.repair
        );
        network.kill(3).unwrap();
        let (code, verified) = verify(network.home(3).unwrap());
        assert_eq!(code, 0, "{verified}");
        assert_eq!(verified["gaps"], Value::Array(Vec::new()), "{verified}");
    });
}

#[test]
fn repair_fetches_hardly_more_than_the_sealed_bodies() {
    let options = Options {
        patience: LIMIT,
        ..Options::default()
    };
    on_network(options, async |network| {
        grow(network, 6, 14).await;
        let tip = network.remote(0).unwrap().status().await.unwrap().height;
        network.wait_height(3, tip).await.unwrap();
        let traffic = repair_traffic(network, 3).await.unwrap();
        eprintln!(
            "repair: {:.4} bytes for each byte of a sealed body, {traffic:?}",
            traffic.per_sealed_byte()
        );
        assert_eq!(traffic.blocks, tip);
        assert!(traffic.sealed_bytes > 4 << 20, "{traffic:?}");
        assert!(traffic.per_sealed_byte() <= 1.02, "{traffic:?}");
    });
}

#[test]
fn sharelog_reads_a_stopped_validator_and_tells_damage_by_its_exit_code() {
    on_network(Options::default(), async |network| {
        grow(network, 3, 1).await;
        let home = network.home(1).unwrap().to_owned();
        let (home_text, data) = (home.to_str().unwrap(), home.join("data"));
        let running = salus(&["sharelog", "inspect", "--home", home_text]);
        assert_eq!(
            running.status.code(),
            Some(1),
            "a running validator keeps its files to itself"
        );
        // So does its folder to a second process.
        let second = salus(&["start", "--home", home_text]);
        assert_eq!(second.status.code(), Some(1));
        let tip = network.remote(1).unwrap().status().await.unwrap().height;
        network.kill(1).unwrap();

        let output = salus(&["sharelog", "inspect", "--home", home_text]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && text.contains("segment 00000001"),
            "{text}"
        );
        let one = [
            "--json", "sharelog", "verify", "--height", "2", "--home", home_text,
        ];
        let one: Value = serde_json::from_slice(&salus(&one).stdout).unwrap();
        assert_eq!(one["found"][0]["height"], 2, "{one}");
        assert_eq!(one["found"][0]["key_share"], "opens", "{one}");
        assert_eq!(one["checked"]["whole"], 1, "{one}");

        // Without keys it checks what it can and says what it could not.
        let keyless = ["sharelog", "verify", "--data", data.to_str().unwrap()];
        let keyless = salus(&keyless);
        let text = String::from_utf8(keyless.stdout).unwrap();
        assert!(keyless.status.success() && text.contains("not checked"), "{text}");

        let segment = segments(network, 1).remove(0);
        let mut bytes = fs::read(&segment).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        fs::write(&segment, &bytes).unwrap();
        let (code, verified) = verify(&home);
        assert_eq!(
            (code, &verified["damaged_places"]),
            (1, &Value::from(1)),
            "{verified}"
        );
        assert_eq!(verified["checked"]["whole"].as_u64(), Some(tip - 1), "{verified}");
        assert_eq!(fs::read(&segment).unwrap(), bytes, "it changes nothing");
    });
}
