//! Opening blocks under contract control: four validators with the open policy `ticket`.

use super::resealing::{progress, reseal};
use super::rogue::Rogue;
use super::{People, header, on_network, session};
use salus::remote::RemoteError;
use salus::session::SessionError;
use salus_client::Signer;
use salus_tests::{Network, Options};
use salus_types::abi::access::Purpose;
use salus_types::{Height, MemberId, SignedOpenRequest, Timestamp};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

#[expect(clippy::disallowed_methods, reason = "a person's device has a clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::new(u64::try_from(since.as_millis()).unwrap())
}

fn code(result: Result<Value, RemoteError>) -> String {
    result.map_or_else(|error| error.code().to_owned(), |_| "opened".into())
}

async fn open(network: &Network, validator: usize, height: u64, wish: &SignedOpenRequest) -> String {
    let remote = network.remote(validator).unwrap();
    code(remote.open_body(Height::new(height), wish).await)
}

/// What a validator says of a member's reads: how many it allowed and how many it refused.
async fn reads_of(network: &Network, validator: usize, member: u64) -> (u64, u64) {
    let log: Value = network
        .remote(validator)
        .unwrap()
        .get("/v1/releases")
        .await
        .unwrap();
    let count = |allowed: bool| {
        let rows = log["releases"].as_array().unwrap().iter();
        rows.filter(|row| row["member"] == member && row["purpose"] == "read" && row["allowed"] == allowed)
            .map(|row| row["count"].as_u64().unwrap())
            .sum()
    };
    (count(true), count(false))
}

fn wish_of(signer: &Signer, height: u64, recipient: u16, time: Timestamp) -> SignedOpenRequest {
    let at = Height::new(height);
    signer.open_request(at, at, MemberId::new(recipient), time)
}

#[test]
fn a_block_opens_only_for_who_has_a_ticket_and_every_holder_decides_by_itself() {
    let options = Options {
        ticket_to_open: true,
        ..Options::default()
    };
    on_network(options, async |network| {
        let people = People::register(network).await;
        people.grant().await;
        let patient = people.patient_id();
        let asked = people
            .doctor
            .retrieve(patient, people.record, Purpose::Treatment, false)
            .await
            .unwrap();
        let height = asked.height.get();
        for validator in 0..4 {
            network.wait_height(validator, height).await.unwrap();
        }

        // Nothing opens by itself: neither from shares nor from what a validator has in memory.
        let remote = network.remote(0).unwrap();
        assert_eq!(code(remote.body(Height::new(height)).await), "read_refused");
        let log = format!("/v1/patients/{}/log", patient.get());
        assert_eq!(code(remote.get(&log).await), "read_refused");

        // A signed wish is not enough without a ticket, nor with another's.
        let admin = network.staff("admin", 0).unwrap();
        let wish = wish_of(&admin, height, 0, now());
        assert_eq!(open(network, 0, height, &wish).await, "read_refused");
        let chair = session(network, 0, admin.clone());
        let opened = chair.open_block(Height::new(height), Purpose::Operations).await;
        assert!(opened.unwrap()["count"].as_u64().unwrap() > 0);

        // Each holder judges by its own state; the wish is for one member, for its blocks, for a moment.
        assert_eq!(open(network, 0, height, &wish).await, "opened");
        assert_eq!(
            open(network, 1, height, &wish).await,
            "read_refused",
            "meant for member 0"
        );
        let stale = wish_of(&admin, height, 0, Timestamp::new(now().get() - 120_000));
        assert_eq!(open(network, 0, height, &stale).await, "read_refused");
        let other = wish_of(&admin, height - 1, 0, now());
        assert_eq!(
            open(network, 0, height - 1, &other).await,
            "read_refused",
            "no ticket for it"
        );
        let doctor = wish_of(people.doctor.signer(), height, 1, now());
        assert_eq!(open(network, 1, height, &doctor).await, "read_refused");
        let refused = people
            .doctor
            .open_block(Height::new(height), Purpose::Treatment)
            .await;
        assert!(
            matches!(refused, Err(SessionError::Failed { .. })),
            "doctors get no ticket"
        );

        // The patient opens what its own log is in, and nothing else.
        let own = people
            .patient
            .open_block(Height::new(height), Purpose::PatientRequest)
            .await;
        assert!(own.is_ok());
        let foreign = people
            .patient
            .open_block(Height::new(1), Purpose::PatientRequest)
            .await;
        let Err(SessionError::Remote(refusal)) = foreign else {
            panic!("{foreign:?}");
        };
        assert_eq!(refusal.code(), "read_refused");

        // Whoever handed out a share says so, and to whom.
        let mut given = 0;
        for holder in 1..4 {
            given += reads_of(network, holder, 0).await.0;
        }
        assert!(given > 0, "somebody gave member 0 a share");
        assert!(
            reads_of(network, 0, 0).await.1 >= 4,
            "its own refusals are in its log"
        );
    });
}

#[test]
fn holders_refuse_a_member_that_asks_for_a_share_without_a_wish() {
    let options = Options {
        ticket_to_open: true,
        ..Options::default()
    };
    on_network(options, async |network| {
        let people = People::register(network).await;
        let height = people.doctor.remote().status().await.unwrap().height;
        for validator in 0..3 {
            network.wait_height(validator, height).await.unwrap();
        }
        let mut curious = Rogue::take_over(network, 3).await;
        for holder in 0..3 {
            let header = header(network, usize::from(holder), height).await;
            let answer = curious.ask_to_read(holder, &header).await;
            assert_eq!(answer, [6, 0], "withheld: not allowed");
            assert_eq!(reads_of(network, usize::from(holder), 3).await, (0, 1));
        }
    });
}

/// The blocks are old: nobody has their bodies in memory, so the proposers must ask for shares.
#[test]
fn a_reseal_opens_blocks_without_a_ticket_and_every_holder_logs_it_as_such() {
    let options = Options {
        ticket_to_open: true,
        ..Options::default()
    };
    on_network(options, async |network| {
        let people = People::register(network).await;
        people.grant().await;
        let height = people.doctor.remote().status().await.unwrap().height;
        for validator in 0..4 {
            network.wait_height(validator, height).await.unwrap();
        }
        network.kill_all().unwrap();
        network.launch_all().unwrap();
        network.wait_all_ready().await.unwrap();
        reseal(network, height).await;
        let done = async || Ok(!progress(network).await.is_open());
        network.wait("all is dealt anew", done).await.unwrap();

        let (mut given, mut refused_reads) = (0, 0);
        for holder in 0..4 {
            given += asked(network, holder, "reseal", true).await;
            refused_reads += asked(network, holder, "read", false).await;
        }
        assert!(
            given >= height,
            "each block was opened: {given} shares of {height}"
        );
        assert_eq!(refused_reads, 0, "nobody tried to read");
        // It opened nothing for anybody else.
        let remote = network.remote(0).unwrap();
        assert_eq!(code(remote.body(Height::new(1)).await), "read_refused");
        let mut curious = Rogue::take_over(network, 3).await;
        let header = header(network, 0, 1).await;
        assert_eq!(curious.ask_to_reseal(0, &header).await, [6, 0], "the job is done");
        assert_eq!(asked(network, 0, "reseal", false).await, 1);
    });
}

/// How many questions a validator allowed or refused that named this purpose, by anyone.
async fn asked(network: &Network, validator: usize, purpose: &str, allowed: bool) -> u64 {
    let log: Value = network
        .remote(validator)
        .unwrap()
        .get("/v1/releases")
        .await
        .unwrap();
    let rows = log["releases"].as_array().unwrap().iter();
    rows.filter(|row| row["purpose"] == purpose && row["allowed"] == allowed)
        .map(|row| row["count"].as_u64().unwrap())
        .sum()
}
