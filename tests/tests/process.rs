//! Four validators as processes: what people can do, what is refused and with which code, and what killing them loses.
//!
//! Everything goes through the public interface. The binary is `target/<profile>/salus`, built if it is missing or older
//! than its sources; see `salus_tests::salus_binary`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "process/bad_input.rs"]
mod bad_input;
#[path = "process/blackout.rs"]
mod blackout;
#[path = "process/blame.rs"]
mod blame;
#[path = "process/contracts.rs"]
mod contracts;
#[path = "process/deposits.rs"]
mod deposits;
#[path = "process/kills.rs"]
mod kills;
#[path = "process/lagging.rs"]
mod lagging;
#[path = "process/membership.rs"]
mod membership;
#[path = "process/opening.rs"]
mod opening;
#[path = "process/resealing.rs"]
mod resealing;
#[path = "process/rogue.rs"]
mod rogue;
#[path = "process/sharing.rs"]
mod sharing;
#[path = "process/storage.rs"]
mod storage;

use salus::session::Session;
use salus_client::Signer;
use salus_tests::people::{address, day_grant, identity, register};
use salus_tests::{Network, Options};
use salus_types::abi::access::RecordClass;
use salus_types::abi::registry::Role;
use salus_types::{Header, Height, PrincipalId, RecordNumber, codec};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Four validators at a time are enough for a small machine.
static ONE_NETWORK_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The consensus core tells every step; what the rest has to say would drown in it.
const LOG_FILTER: &str = "info,arc_malachitebft_core_consensus=warn";
/// A validator that is down is soon passed over; by default that takes a second each time it is its turn.
const PROPOSE_TIMEOUT_MS: u64 = 400;
/// A scenario takes some seconds; one that hangs should say so.
const LIMIT: Duration = Duration::from_secs(90);

/// Runs a scenario on a network of its own, until it is over or a validator ends by itself.
fn on_network(options: Options, scenario: impl AsyncFnOnce(&Network)) {
    on_network_within(LIMIT, options, scenario);
}

/// The same for scenarios that take longer.
fn on_network_within(limit: Duration, options: Options, scenario: impl AsyncFnOnce(&Network)) {
    let _alone: MutexGuard<'_, ()> = ONE_NETWORK_AT_A_TIME
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = Options {
            log_filter: Some(LOG_FILTER.into()),
            propose_timeout_ms: options.propose_timeout_ms.or(Some(PROPOSE_TIMEOUT_MS)),
            ..options
        };
        let network = Network::start(options).await.unwrap();
        tokio::select! {
            () = scenario(&network) => network.check_alive().unwrap(),
            error = network.until_one_ends() => panic!("{error}"),
            () = tokio::time::sleep(limit) => panic!("the scenario takes longer than {} s", limit.as_secs()),
        }
    });
}

/// A patient and a doctor, of different hospitals, and a record.
struct People {
    patient: Session,
    doctor: Session,
    record: RecordNumber,
}

/// What the record holds: long enough to be split, and easily recognised.
const CONTENT: &[u8] = b"Pat. 4711: haemoglobin 13.2 g/dl, potassium 4.1 mmol/l; control in six weeks.";

impl People {
    /// Registers both, lets the patient's hospital add a record, and grants nothing yet.
    async fn register(network: &Network) -> Self {
        let manager = network.session(0, network.staff("manager", 0).unwrap()).unwrap();
        let patient = register(&manager, identity(1), Role::Patient, Some(address(1)))
            .await
            .unwrap();
        let elsewhere = network.session(1, network.staff("manager", 1).unwrap()).unwrap();
        let doctor = register(&elsewhere, identity(2), Role::Doctor, None)
            .await
            .unwrap();
        let record = manager
            .put_record(patient.principal(), RecordClass::Laboratory, CONTENT)
            .await
            .unwrap();
        Self {
            patient: session(network, 0, patient),
            doctor: session(network, 1, doctor),
            record,
        }
    }

    fn patient_id(&self) -> PrincipalId {
        self.patient.signer().principal()
    }

    /// Lets the doctor read everything for a day; gives the grant's number.
    async fn grant(&self) -> u32 {
        let now = self.patient.remote().status().await.unwrap().block_time_ms;
        let doctor = self.doctor.signer().principal();
        let granted = self
            .patient
            .send_successfully(|signer, terms| signer.grant(doctor, day_grant(now), terms));
        granted.await.unwrap().0.output().unwrap()
    }
}

fn session(network: &Network, validator: usize, signer: Signer) -> Session {
    network.session(validator, signer).unwrap()
}

/// A committed header, as a validator has it.
async fn header(network: &Network, validator: usize, height: u64) -> Header {
    let remote = network.remote(validator).unwrap();
    let block = remote.block(Height::new(height)).await.unwrap();
    let bytes = block["header_bytes"].as_str().unwrap().as_bytes();
    codec::decode(&data_encoding::BASE64.decode(bytes).unwrap(), 4_096).unwrap()
}
