//! Questions to contracts on the committed state.

use crate::view::View;
use salus_api::{QueryAnswer, QueryRefusal};
use salus_execution::{BlockEnv, ProvenQueryError, QueryError, QueryOutcome, Question, ReadKind};
use salus_types::{ContractId, Gas, Height, PrincipalId, Timestamp, codec};

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
    let question = question(
        view,
        (height, view.clock.wall()),
        contract,
        (entry, argument),
        caller,
    );
    let Question {
        env,
        kind,
        input,
        gas_limit,
        ..
    } = question;
    let answer = view
        .executor
        .query(&state, &env, contract, kind, caller, input, gas_limit);
    let QueryOutcome { output, gas_used } = answer.map_err(refusal)?;
    Ok(QueryAnswer {
        output,
        gas_used,
        height,
        reads: None,
    })
}

/// The same with all that the contract read, proven. It sees the time of the last block, which everybody knows.
pub(crate) fn proven(
    view: &View,
    contract: ContractId,
    entry: u8,
    argument: &[u8],
    caller: Option<PrincipalId>,
) -> Result<QueryAnswer, QueryRefusal> {
    let state = view.index.view();
    let height = state.height().unwrap_or(Height::ZERO);
    let header = view.index.header(height).ok().flatten();
    let time = header.ok_or(QueryRefusal::NotReady)?.time;
    let question = question(view, (height, time), contract, (entry, argument), caller);
    let proven = view.executor.query_proven(&state, question);
    let (outcome, reads) = proven.map_err(|error| match error {
        ProvenQueryError::Query(error) => refusal(error),
        ProvenQueryError::TooManyReads => QueryRefusal::TooManyReads,
    })?;
    Ok(QueryAnswer {
        output: outcome.output,
        gas_used: outcome.gas_used,
        height,
        reads: Some(codec::encode(&reads)),
    })
}

fn question(
    view: &View,
    (height, time): (Height, Timestamp),
    contract: ContractId,
    (entry, argument): (u8, &[u8]),
    caller: Option<PrincipalId>,
) -> Question {
    Question {
        env: BlockEnv {
            height,
            time,
            proposer: view.me,
        },
        contract,
        kind: ReadKind::Query,
        caller,
        input: [&[entry], argument].concat(),
        gas_limit: GAS_MAX,
    }
}

fn refusal(error: QueryError) -> QueryRefusal {
    match error {
        QueryError::UnknownContract => QueryRefusal::UnknownContract,
        QueryError::Frozen => QueryRefusal::Frozen,
        QueryError::Aborted(code) => QueryRefusal::Aborted { code },
        QueryError::Trapped(code) => QueryRefusal::Trapped { code },
        QueryError::OutOfGas => QueryRefusal::OutOfGas,
        QueryError::Fault(fault) => {
            tracing::error!(%fault, "a query failed for a reason of this node's own");
            QueryRefusal::NotReady
        }
    }
}
