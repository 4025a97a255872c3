//! Hospitals join and leave a running network, under load, and every block stays open to those that are left.

use super::lagging::tell;
use super::resealing::{
    assert_nothing_in_common, kept_by, progress, reseal, store_of, wait_until_old_shares_are_erased,
};
use super::rogue::Rogue;
use super::storage::log_of;
use super::{LOG_FILTER, ONE_NETWORK_AT_A_TIME, PROPOSE_TIMEOUT_MS, header};
use salus::remote::{Remote, Status};
use salus::session::Session;
use salus_client::LightClient;
use salus_genesis::Genesis;
use salus_tests::people::{identity, register};
use salus_tests::{Network, NetworkError, Options};
use salus_types::abi::registry::Role;
use salus_types::{
    Change, CommitCertificate, Header, Height, MemberChange, MemberId, SystemCall, ValidatorSet, codec,
};
use serde_json::Value;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Between two transactions of the load: light, so that the members, not the machine, are what is tested.
const LOAD_PAUSE: Duration = Duration::from_millis(150);

/// A scenario that hangs should say so; the longest takes minutes.
const LIMIT: Duration = Duration::from_secs(900);

fn run(scenario: impl AsyncFnOnce(Network)) {
    run_with(Options::default(), scenario);
}

/// Runs a scenario that changes who belongs to its network.
pub(super) fn run_with(options: Options, scenario: impl AsyncFnOnce(Network)) {
    let _alone = ONE_NETWORK_AT_A_TIME
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = Options {
            log_filter: Some(LOG_FILTER.into()),
            propose_timeout_ms: options.propose_timeout_ms.or(Some(PROPOSE_TIMEOUT_MS)),
            // Ten members at a time, and one more that came and went.
            slots: options.slots.or(Some(16)),
            ..options
        };
        let scenario = scenario(Network::start(options).await.unwrap());
        let over = tokio::time::timeout(LIMIT, scenario).await;
        assert!(
            over.is_ok(),
            "the scenario takes longer than {} s",
            LIMIT.as_secs()
        );
    });
}

#[test]
fn a_network_grows_from_four_to_five_and_shrinks_back_and_reseals() {
    run(async |mut network| {
        let load = Load::start(&network, 1_000);
        for members in [5, 4] {
            resize(&mut network, members).await;
            assert_everything_opens(&network, members).await;
        }
        load.stop(10).await;
        reseal_all(&network, 4).await;
        assert_everything_opens(&network, 4).await;
        follow_with_a_light_client(&network, 2).await;
        assert_left_without_shares(&network, 4).await;
        network.check_alive().unwrap();
    });
}

/// `just members-long` runs it.
#[test]
#[ignore = "takes minutes"]
fn a_network_grows_from_four_to_seven_to_ten_and_shrinks_back_to_four() {
    run(async |mut network| {
        let load = Load::start(&network, 1_000);
        for members in [7, 10, 5] {
            resize(&mut network, members).await;
            assert_everything_opens(&network, members).await;
        }
        // Blocks of nine members need five shares, so five members must stay until those are resealed.
        let refused = network
            .vote_through(Change::Member(MemberChange::Remove(MemberId::new(4))))
            .await;
        let Err(NetworkError::Session(refused)) = refused else {
            panic!("{refused:?}");
        };
        assert!(refused.to_string().contains("reseal"), "{refused}");
        load.stop(10).await;
        reseal_all(&network, 5).await;
        let load = Load::start(&network, 3_000);
        resize(&mut network, 4).await;
        assert_everything_opens(&network, 4).await;
        load.stop(10).await;
        reseal_all(&network, 4).await;
        assert_everything_opens(&network, 4).await;
        follow_with_a_light_client(&network, 12).await;
        assert_left_without_shares(&network, 9).await;
        // Those that joined and left have held their peace for long: nobody misses them.
        for left in 4..9 {
            network.kill(left).unwrap();
        }
        assert_everything_opens(&network, 4).await;
        network.check_alive().unwrap();
    });
}

/// Has all blocks dealt anew for the first members, under load. Then what anybody kept before is on no disk any more, and a copy of
/// what one of them kept, who may have left, opens nothing together with all that is kept now.
async fn reseal_all(network: &Network, members: usize) {
    let last = status(network, 0).await.height;
    // Those that left since the last reseal still have their shares of everything.
    let holders = members + 1;
    for validator in 0..holders {
        network.wait_height(validator, last).await.unwrap();
        network.wait_repaired(validator).await.unwrap();
    }
    let old = kept_by(network, holders, last).await;
    let from = 5_000 + u32::try_from(1_000 * members).unwrap();
    let load = Load::start(network, from);
    let since = Instant::now();
    reseal(network, last).await;
    let done = async || Ok(!progress(network).await.is_open());
    network.wait("all is dealt anew", done).await.unwrap();
    tell(&format!("{members} members have dealt {last} blocks anew"), since);
    load.stop(1).await;
    wait_until_old_shares_are_erased(network, &old).await;
    let new = kept_by(network, members, last).await;
    assert_nothing_in_common(network.chain(), &old, &new);
}

/// Nobody gives a member that has left its share of what was dealt anew since, and its own validator does not look for it.
async fn assert_left_without_shares(network: &Network, left: u16) {
    let place = usize::from(left);
    let tip = status(network, 0).await.height;
    network.wait_height(place, tip).await.unwrap();
    assert_eq!(status(network, place).await.repair.missing, 0);
    let mut rogue = Rogue::take_over(network, left).await;
    let resealed = header(network, 0, 1).await;
    assert_eq!(
        rogue.ask_to_read(0, &resealed).await,
        [6, 0],
        "withheld: not allowed"
    );
    let store = store_of(network, place);
    let job = status(network, 0).await.reseal.unwrap();
    for height in 1..=job.to {
        assert_eq!(store.shares.get(Height::new(height)).unwrap(), None);
    }
}

#[test]
fn a_member_changes_its_keys_and_goes_on_with_them() {
    run(async |network| {
        let operator = network.session(1, network.staff("operator", 1).unwrap()).unwrap();
        let before = network.remote(0).unwrap().members().await.unwrap();
        let process = network.processes()[1];
        network.rotate_keys(1).unwrap();
        network
            .wait("it has started anew by itself", async || {
                network.check_alive()?;
                Ok(log_of(&network, 1)
                    .matches("this member decides the next height")
                    .count()
                    == 2)
            })
            .await
            .unwrap();
        network.wait_ready(1).await.unwrap();
        assert_eq!(
            network.processes()[1],
            process,
            "for who supervises it, it is the same process"
        );
        let after = network.remote(0).unwrap().members().await.unwrap();
        for (old, new) in before.iter().zip(&after) {
            let changed = old.id == MemberId::new(1);
            assert_eq!(old.consensus_key != new.consensus_key, changed);
            assert_eq!(old.network_key != new.network_key, changed);
            assert_eq!(old.release_key != new.release_key, changed);
            assert_eq!(old.slot, new.slot);
        }
        // The next height is still decided under the old key, the one after it under the new one: without either, two validators
        // are left, and two don't decide.
        network.kill(2).unwrap();
        let addresses = after[1].addresses.clone();
        let call = SystemCall::SetAddresses {
            member: MemberId::new(1),
            addresses,
        };
        for _ in 0..4 {
            operator.system(call.clone()).await.unwrap();
        }
        network.launch(2).unwrap();
        assert_everything_opens(&network, 4).await;
        network.check_alive().unwrap();
    });
}

/// Lets hospitals join or leave, the latest first, until there are so many.
async fn resize(network: &mut Network, members: usize) {
    loop {
        let present = status(network, 0).await.validators;
        match usize::from(present).cmp(&members) {
            std::cmp::Ordering::Less => {
                let newcomer = network.add_validator().await.unwrap();
                wait_decided_by(network, present + 1).await;
                assert_eq!(
                    status(network, newcomer).await.member,
                    u16::try_from(newcomer).unwrap()
                );
            }
            std::cmp::Ordering::Greater => {
                network.remove_member(present - 1).await.unwrap();
                wait_decided_by(network, present - 1).await;
            }
            std::cmp::Ordering::Equal => return,
        }
    }
}

async fn status(network: &Network, validator: usize) -> Status {
    network.remote(validator).unwrap().status().await.unwrap()
}

/// Waits until so many members decide the next height, at the first validator.
async fn wait_decided_by(network: &Network, members: u16) {
    let remote = network.remote(0).unwrap();
    network
        .wait(&format!("{members} members decide"), async || {
            network.check_alive()?;
            Ok(remote.status().await?.validators == members)
        })
        .await
        .unwrap();
}

/// Opens every block, each at another of the present members' validators, and looks at the shares of some.
async fn assert_everything_opens(network: &Network, members: usize) {
    let tip = status(network, 0).await.height;
    for validator in 0..members {
        network.wait_height(validator, tip).await.unwrap();
        network.wait_ready(validator).await.unwrap();
    }
    let first = network.remote(0).unwrap();
    for height in 1..=tip {
        let remote = network
            .remote(usize::try_from(height).unwrap() % members)
            .unwrap();
        let height = Height::new(height);
        let body = remote.body(height).await;
        let body = body.map_err(|error| format!("block {height}: {error}")).unwrap();
        assert!(body["transactions"].is_array(), "{body}");
    }
    // Those who joined have their shares of the blocks that were dealt before they came.
    for height in [1, tip / 2, tip] {
        let shares: Value = first.get(&format!("/v1/blocks/{height}/shares")).await.unwrap();
        let holders = shares["shares"].as_array().unwrap();
        assert_eq!(holders.len(), members, "{shares}");
        assert!(
            holders.iter().all(|holder| holder["state"] == "held"),
            "block {height}: {shares}"
        );
    }
}

/// A stream of transactions, one at a time.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    task: JoinSet<()>,
}

impl Load {
    /// Registers doctors, whose keys begin at this number.
    fn start(network: &Network, from: u32) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let manager: Session = network.session(1, network.staff("manager", 1).unwrap()).unwrap();
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&sent));
        let mut task = JoinSet::new();
        task.spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                register(&manager, identity(from + number), Role::Doctor, None)
                    .await
                    .unwrap();
                tokio::time::sleep(LOAD_PAUSE).await;
            }
        });
        Self { stop, sent, task }
    }

    /// Every transaction was executed, though members came and went: at least so many.
    async fn stop(self, least: u32) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.join_all().await;
        let sent = self.sent.load(Ordering::Relaxed);
        assert!(sent >= least, "only {sent} transactions");
    }
}

/// Follows the chain from the genesis by headers, certificates and announced validators alone.
async fn follow_with_a_light_client(network: &Network, changes_min: u32) {
    let text = std::fs::read_to_string(network.home(0).unwrap().join("genesis.toml")).unwrap();
    let genesis = Genesis::from_toml(&text).unwrap();
    let remote = network.remote(0).unwrap();
    let chain = genesis.chain_id();
    let tip = remote.status().await.unwrap().height;
    let mut validators = genesis.validators().clone();
    let mut client: Option<LightClient> = None;
    let mut changes = 0;
    for height in 1..=tip {
        let (header, certificate) = block(&remote, height).await;
        let ends_a_set = header.next_validators != header.validators;
        if !ends_a_set && height != tip && client.is_some() {
            continue; // skipped: the validators stay the same
        }
        let following = match &mut client {
            Some(client) => {
                client.advance(header.clone(), &certificate.unwrap()).unwrap();
                client
            }
            None => {
                // The first block's parent is the genesis block, which every node makes for itself.
                assert_eq!(header.validators, validators.hash(&chain));
                certificate.unwrap().verify(&validators, &chain).unwrap();
                client.insert(LightClient::resume(chain, header.clone(), validators.clone()).unwrap())
            }
        };
        if ends_a_set {
            validators = announced(&remote, height + 1).await;
            following.change_validators(validators.clone()).unwrap();
            changes += 1;
        }
    }
    assert!(changes >= changes_min, "only {changes} changes of validators");
}

async fn announced(remote: &Remote, height: u64) -> ValidatorSet {
    let answer: Value = remote
        .get(&format!("/v1/blocks/{height}/validators"))
        .await
        .unwrap();
    let bytes = data_encoding::BASE64.decode(answer["set"].as_str().unwrap().as_bytes());
    codec::decode(&bytes.unwrap(), 1 << 16).unwrap()
}

/// A header, and its certificate if that is still kept, from the canonical bytes that the interface gives.
async fn block(remote: &Remote, height: u64) -> (Header, Option<CommitCertificate>) {
    let answer = remote.block(Height::new(height)).await.unwrap();
    let bytes = |text: &Value| {
        data_encoding::BASE64
            .decode(text.as_str().unwrap().as_bytes())
            .unwrap()
    };
    let header = codec::decode(&bytes(&answer["header_bytes"]), 1 << 12).unwrap();
    let certificate = answer["certificate"]
        .as_object()
        .map(|certificate| codec::decode(&bytes(&certificate["bytes"]), 1 << 16).unwrap());
    (header, certificate)
}
