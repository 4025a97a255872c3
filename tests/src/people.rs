//! Keys and registration of many people, and transactions sent without waiting for each.

use crate::network::{Network, NetworkError};
use salus::remote::{Committed, Remote, RemoteError};
use salus::session::{Session, SessionError};
use salus_client::{Identity, Signer, Terms};
use salus_types::abi::access::{Grant, Purpose, Purposes, Scope};
use salus_types::abi::registry::{PatientAddress, Role};
use salus_types::{Gas, Height, PrincipalId, TransactionId, UnverifiedTransaction};
use std::time::Duration;
use tokio::time::sleep;

/// How many heights what is sent here stays valid.
const VALID_HEIGHTS: u64 = 5_000;
/// What one of these transactions may cost.
pub const GAS_LIMIT: Gas = Gas::new(5_000_000);
/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How often a pipelined transaction is looked up.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The keys of an invented person: the same number gives the same keys.
pub fn identity(number: u32) -> Identity {
    let mut seed = [0x5a; 32];
    for (byte, part) in seed.iter_mut().zip(number.to_be_bytes()) {
        *byte = part;
    }
    Identity::from_seed(&seed)
}

/// The address of an invented patient: the same number gives the same address.
pub fn address(number: u32) -> PatientAddress {
    let mut pid = [0xa5; 16];
    for (byte, part) in pid.iter_mut().zip(number.to_be_bytes()) {
        *byte = part;
    }
    PatientAddress { area: 7, pid }
}

/// A grant of everything for treatment and research, for a day from the last block's time.
pub fn day_grant(block_time_ms: u64) -> Grant {
    Grant {
        scope: Scope::All,
        purposes: Purposes::of(&[Purpose::Treatment, Purpose::Research]),
        until_ms: block_time_ms.saturating_add(DAY_MS),
    }
}

/// Registers a person through a member of the hospital's staff; gives the person's signer.
///
/// # Errors
///
/// When the registry refuses, or the validator does not answer.
pub async fn register(
    staff: &Session,
    identity: Identity,
    role: Role,
    address: Option<PatientAddress>,
) -> Result<Signer, SessionError> {
    let keys = identity.public();
    let (receipt, _) = staff
        .send_successfully(|signer, terms| signer.add_user(&keys, role, address, terms))
        .await?;
    let principal: PrincipalId = receipt.output()?;
    Ok(Signer::new(*staff.signer().chain(), principal, identity))
}

/// Sends transactions of one sender, each right after the other, and then waits until all are in blocks.
///
/// `build` gets each item with the terms of its transaction.
///
/// # Errors
///
/// When one is refused, fails, or the validator does not answer.
pub async fn send_all<T>(
    remote: &Remote,
    signer: &Signer,
    items: &[T],
    build: impl Fn(&T, Terms) -> UnverifiedTransaction,
) -> Result<Vec<Committed>, SessionError> {
    let mut sequence = remote.next_sequence(signer.principal()).await?;
    let expires = Height::new(remote.status().await?.height.saturating_add(VALID_HEIGHTS));
    let mut sent = Vec::with_capacity(items.len());
    for item in items {
        let transaction = build(
            item,
            Terms {
                sequence,
                expires,
                gas_limit: GAS_LIMIT,
            },
        );
        sent.push(remote.submit(signer.chain(), &transaction).await?);
        sequence = sequence.saturating_add(1);
    }
    let mut committed = Vec::with_capacity(sent.len());
    for id in sent {
        committed.push(committed_successfully(remote, &id).await?);
    }
    Ok(committed)
}

async fn committed_successfully(remote: &Remote, id: &TransactionId) -> Result<Committed, SessionError> {
    loop {
        let found = remote.transaction(id).await?;
        let Some(receipt) = &found.receipt else {
            sleep(POLL_INTERVAL).await;
            continue;
        };
        return match receipt.failure.clone() {
            None => Ok(found),
            Some(failure) => Err(SessionError::Failed {
                code: failure.code,
                message: failure.message,
                hint: failure.hint,
            }),
        };
    }
}

/// The number that a registration gave.
///
/// # Errors
///
/// When the transaction was not one.
pub fn new_principal(committed: &Committed) -> Result<PrincipalId, RemoteError> {
    let receipt = committed.receipt.as_ref();
    receipt
        .ok_or_else(|| RemoteError::Garbled("a transaction without receipt".into()))?
        .output()
}

impl Network {
    /// A session of someone at a validator.
    ///
    /// # Errors
    ///
    /// When there is no such validator.
    pub fn session(&self, validator: usize, signer: Signer) -> Result<Session, NetworkError> {
        Ok(Session::new(self.remote(validator)?, signer))
    }
}
