//! Whether a transaction may enter the pool: cheap checks first, the signature last.

use crate::mempool::{PoolError, Sender};
use crate::view::View;
use salus_api::Rejection;
use salus_execution::Executor;
use salus_types::abi::registry::Status;
use salus_types::{Call, PublicKey, TransactionId, UnverifiedTransaction, codec};
use std::time::Duration;

/// How many heights behind its peers a node still takes transactions.
const LAG_MAX: u64 = 50;

/// Checks a transaction against the committed state and puts it into the pool. A known one is accepted again.
pub(crate) fn admit(view: &View, transaction: UnverifiedTransaction) -> Result<TransactionId, Rejection> {
    let tip = view.tip();
    if view.progress.is_behind(tip.saturating_add(LAG_MAX)) {
        return Err(Rejection::NotReady);
    }
    let payload = &transaction.payload;
    let latest = tip.saturating_add(view.params.expiry_heights_max);
    if payload.expires <= tip {
        return Err(Rejection::Expired { height: tip });
    }
    if payload.expires > latest {
        return Err(Rejection::ExpiryTooFar { latest });
    }
    let min = Executor::gas_limit_min(codec::encode(&transaction).len());
    let max = view.params.transaction_gas_max;
    if payload.gas_limit < min || payload.gas_limit > max {
        return Err(Rejection::GasLimit { min, max });
    }
    let fault = |fault| {
        tracing::error!(%fault, "the state could not be read");
        Rejection::NotReady
    };
    let sender = view.executor.sender(&view.index, payload.sender).map_err(fault)?;
    let sender = sender.ok_or(Rejection::UnknownSender)?;
    if sender.status != Status::Active {
        return Err(Rejection::SenderDeleted);
    }
    let next = view
        .executor
        .next_sequence(&view.index, payload.sender)
        .map_err(fault)?;
    if payload.sequence < next {
        return Err(Rejection::Replay { next });
    }
    if let Call::Contract { contract, .. } = payload.call
        && salus_execution::system::contract(&view.index, contract)
            .map_err(fault)?
            .is_none()
    {
        return Err(Rejection::UnknownContract);
    }
    let known = payload.id(&view.chain);
    if view.pool().contains(&known) {
        return Ok(known);
    }
    let transaction = transaction.verify(&view.chain, &PublicKey::new(sender.signing_key))?;
    let id = transaction.id();
    let from = Sender {
        organisation: sender.organisation,
        next,
    };
    match view.pool().insert(transaction, from, tip) {
        Ok(()) | Err(PoolError::Known) => Ok(id),
        Err(PoolError::Replay { next }) => Err(Rejection::Replay { next }),
        Err(PoolError::SequenceTaken) => Err(Rejection::SequenceTaken),
        Err(PoolError::OutOfOrder { next }) => Err(Rejection::OutOfOrder { next }),
        Err(PoolError::Expired(_)) => Err(Rejection::Expired { height: tip }),
        Err(PoolError::OverQuota) => Err(Rejection::OverQuota {
            retry_after: Duration::from_secs(1),
        }),
        Err(PoolError::Full) => Err(Rejection::PoolFull),
    }
}
