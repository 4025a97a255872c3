//! The people of the measurement.

use super::BenchError;
use data_encoding::BASE64;
use salus::session::{Session, SessionError};
use salus_client::{Signer, Terms};
use salus_tests::Network;
use salus_tests::people::{GAS_LIMIT, address, day_grant, identity, new_principal, register, send_all};
use salus_types::abi::access::{Purpose, RecordClass};
use salus_types::abi::registry::Role;
use salus_types::{ChainId, Height, PrincipalId, RecordNumber, Sequence, UnverifiedTransaction, codec};
use std::collections::VecDeque;
use tokio::task::JoinSet;

/// The patient's keys; doctors' come after it.
const PATIENT: u32 = 1_000;

/// A patient with a record, and doctors who may read it.
pub(super) struct Crowd {
    pub(super) chain: ChainId,
    pub(super) patient: PrincipalId,
    pub(super) record: RecordNumber,
    pub(super) doctors: Vec<Doctor>,
}

pub(super) struct Doctor {
    pub(super) signer: Signer,
    /// The validator of the doctor's hospital, to which it sends.
    pub(super) validator: usize,
    /// The sequence number of its first transaction.
    pub(super) first: Sequence,
}

/// Transactions ready to be sent, as base64, in the order of their sequence numbers.
pub(super) type Signed = VecDeque<String>;

impl Doctor {
    /// A request for the record, the `number`th of this doctor, counted from 0.
    pub(super) fn request(&self, crowd: &Crowd, number: usize, expires: u64) -> UnverifiedTransaction {
        let ahead = u64::try_from(number).unwrap_or(u64::MAX);
        let terms = Terms {
            sequence: self.first.saturating_add(ahead),
            expires: Height::new(expires),
            gas_limit: GAS_LIMIT,
        };
        self.signer
            .retrieve(crowd.patient, crowd.record, Purpose::Treatment, false, terms)
    }

    pub(super) fn request_text(&self, crowd: &Crowd, number: usize, expires: u64) -> String {
        BASE64.encode(&codec::encode(&self.request(crowd, number, expires)))
    }
}

impl Crowd {
    /// Registers everybody through the public interface, spread over the hospitals, stores a record and grants.
    pub(super) async fn gather(network: &Network, count: usize) -> Result<Self, BenchError> {
        let manager = network.session(0, network.staff("manager", 0)?)?;
        let patient = register(&manager, identity(PATIENT), Role::Patient, Some(address(PATIENT))).await?;
        let content = vec![0x2a; 64 << 10];
        let record = manager
            .put_record(patient.principal(), RecordClass::Clinical, &content)
            .await?;
        let doctors = register_doctors(network, count).await?;
        let patient = network.session(0, patient)?;
        grant_all(&patient, &doctors).await?;
        Ok(Self {
            chain: network.chain(),
            patient: patient.signer().principal(),
            record,
            doctors,
        })
    }

    /// Signs about `count` requests, the same number for each doctor.
    pub(super) fn sign(&self, count: usize, expires: u64) -> Vec<Signed> {
        let each = count.div_ceil(self.doctors.len().max(1));
        let sign = |doctor: &Doctor| {
            (0..each)
                .map(|number| doctor.request_text(self, number, expires))
                .collect()
        };
        self.doctors.iter().map(sign).collect()
    }
}

/// Each hospital's manager registers its part, all at the same time.
async fn register_doctors(network: &Network, count: usize) -> Result<Vec<Doctor>, BenchError> {
    let hospitals = network.validators();
    let mut registering = JoinSet::new();
    for hospital in 0..hospitals {
        let member = u16::try_from(hospital).unwrap_or(u16::MAX);
        let (manager, remote) = (network.staff("manager", member)?, network.remote(hospital)?);
        let numbers = (1..)
            .take(count)
            .skip(hospital)
            .step_by(hospitals)
            .map(|number: u32| PATIENT + number);
        let identities: Vec<_> = numbers.map(identity).collect();
        registering.spawn(async move {
            let add = |identity: &salus_client::Identity, terms| {
                manager.add_user(&identity.public(), Role::Doctor, None, terms)
            };
            let committed = send_all(&remote, &manager, &identities, add).await?;
            let mut doctors = Vec::new();
            for (committed, identity) in committed.iter().zip(identities) {
                let signer = Signer::new(*manager.chain(), new_principal(committed)?, identity);
                doctors.push(Doctor {
                    signer,
                    validator: hospital,
                    first: Sequence::ZERO,
                });
            }
            Ok::<_, SessionError>(doctors)
        });
    }
    let mut doctors = Vec::new();
    while let Some(registered) = registering.join_next().await {
        let registered = registered.map_err(|error| BenchError::Void(error.to_string()))?;
        doctors.extend(registered?);
    }
    Ok(doctors)
}

async fn grant_all(patient: &Session, doctors: &[Doctor]) -> Result<(), BenchError> {
    let until = day_grant(patient.remote().status().await?.block_time_ms);
    let grant = |doctor: &Doctor, terms| patient.signer().grant(doctor.signer.principal(), until, terms);
    send_all(patient.remote(), patient.signer(), doctors, grant).await?;
    Ok(())
}
