//! Questions to contracts on the committed state.

use crate::view::View;
use salus_api::{QueryAnswer, QueryRefusal};
use salus_execution::{BlockEnv, QueryError, ReadKind};
use salus_types::{ContractId, Gas, Height, PrincipalId};

/// What one question may cost.
const GAS_MAX: Gas = Gas::new(50_000_000);

/// Asks an entry of a contract on the state after the last committed block. Nothing is logged or changed.
pub(crate) fn contract(
    view: &View,
    contract: ContractId,
    entry: u8,
    argument: &[u8],
    caller: Option<PrincipalId>,
) -> Result<QueryAnswer, QueryRefusal> {
    let state = view.index.view();
    let height = state.height().unwrap_or(Height::ZERO);
    let env = BlockEnv {
        height,
        time: view.clock.wall(),
        proposer: view.me,
    };
    let mut input = Vec::with_capacity(argument.len() + 1);
    input.push(entry);
    input.extend_from_slice(argument);
    let answer = view
        .executor
        .query(&state, &env, contract, ReadKind::Query, caller, input, GAS_MAX);
    match answer {
        Ok(outcome) => Ok(QueryAnswer {
            output: outcome.output,
            gas_used: outcome.gas_used,
            height,
        }),
        Err(QueryError::UnknownContract) => Err(QueryRefusal::UnknownContract),
        Err(QueryError::Frozen) => Err(QueryRefusal::Frozen),
        Err(QueryError::Aborted(code)) => Err(QueryRefusal::Aborted { code }),
        Err(QueryError::Trapped(code)) => Err(QueryRefusal::Trapped { code }),
        Err(QueryError::OutOfGas) => Err(QueryRefusal::OutOfGas),
        Err(QueryError::Fault(fault)) => {
            tracing::error!(%fault, "a query failed for a reason of this node's own");
            Err(QueryRefusal::NotReady)
        }
    }
}
