use crate::error::QueryError;
use crate::executor::{BlockEnv, Executor};
use crate::host::ChainHost;
use crate::overlay::Overlay;
use crate::transaction::context;
use salus_runtime::{EntryPoint, Failure, Invocation};
use salus_types::state::StateReader;
use salus_types::{ContractId, Gas, PrincipalId};

/// What a contract is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadKind {
    /// `salus_query`: the input is the entry's number and its argument.
    Query,
    /// `salus_decide`: the input is an `AccessRequest`.
    Decide,
}

/// A question to a contract from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What the contract sees as the current block.
    pub env: BlockEnv,
    /// Which contract.
    pub contract: ContractId,
    /// What it is asked.
    pub kind: ReadKind,
    /// On whose behalf; nothing proves it.
    pub caller: Option<PrincipalId>,
    /// As [`ReadKind`] says.
    pub input: Vec<u8>,
    /// The most it may cost.
    pub gas_limit: Gas,
}

/// What a contract answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryOutcome {
    /// Its output.
    pub output: Vec<u8>,
    /// What it cost; nobody pays, but the caller's limit bounds it.
    pub gas_used: Gas,
}

impl Executor {
    /// Asks a contract on the committed state, without changing anything.
    ///
    /// `env` is what the contract sees as the current block. `caller` is not authenticated here: whoever offers this to the
    /// outside decides whom to believe.
    ///
    /// # Errors
    ///
    /// How the contract failed, or a fault of this node.
    #[expect(
        clippy::too_many_arguments,
        reason = "a call from outside has this many independent parts"
    )]
    pub fn query(
        &self,
        state: &dyn StateReader,
        env: &BlockEnv,
        contract: ContractId,
        kind: ReadKind,
        caller: Option<PrincipalId>,
        input: Vec<u8>,
        gas_limit: Gas,
    ) -> Result<QueryOutcome, QueryError> {
        let question = Question {
            env: *env,
            contract,
            kind,
            caller,
            input,
            gas_limit,
        };
        self.answer(state, question)
    }

    pub(crate) fn answer(
        &self,
        state: &dyn StateReader,
        question: Question,
    ) -> Result<QueryOutcome, QueryError> {
        let Question {
            env,
            contract,
            kind,
            caller,
            input,
            gas_limit,
        } = question;
        let Some((info, module)) = self.modules.load(state, contract)? else {
            return Err(QueryError::UnknownContract);
        };
        if info.frozen {
            return Err(QueryError::Frozen);
        }
        let entry_point = match kind {
            ReadKind::Query => EntryPoint::Query,
            ReadKind::Decide => EntryPoint::Decide,
        };
        if !module.has(entry_point) {
            return Err(QueryError::UnknownContract);
        }
        let invocation = Invocation {
            entry_point,
            input,
            gas_limit: gas_limit.get(),
            context: context(&self.chain, &env, contract, caller),
        };
        let mut overlay = Overlay::new(state);
        let mut host = ChainHost::new(&mut overlay, &self.modules);
        let outcome = self.modules.engine().run(&module, invocation, &mut host)?;
        match outcome.result {
            Ok(output) => Ok(QueryOutcome {
                output,
                gas_used: Gas::new(outcome.gas_used),
            }),
            Err(Failure::Aborted(code)) => Err(QueryError::Aborted(code)),
            Err(Failure::Trapped(code)) => Err(QueryError::Trapped(code.number())),
            Err(Failure::OutOfGas) => Err(QueryError::OutOfGas),
        }
    }
}
