use crate::error::NotExecutable;
use crate::host::ChainHost;
use crate::modules::Modules;
use crate::overlay::Overlay;
use crate::transaction::{check, intrinsic_gas, run};
use crate::{ExecutionError, Faults, Params, faults, members, reseal, system, tree};
use salus_runtime::Engine;
use salus_types::abi::registry::Principal;
use salus_types::codec;
use salus_types::state::{StateChanges, StateFault, StateKey, StateProof, StateReader, TreeChanges};
use salus_types::{
    ChainId, ContractId, ContractInfo, Evidence, Gas, Hash, Height, Member, MemberId, PrincipalId, Receipt,
    ResealJob, Sequence, ShareCommitment, Timestamp, Transaction, ValidatorSet,
};
use std::fmt;

/// The block around the transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockEnv {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: Timestamp,
    /// Who built it.
    pub proposer: MemberId,
}

/// What a block's transactions did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedBlock {
    /// One for each transaction, in their order.
    pub receipts: Vec<Receipt>,
    /// Entries to write.
    pub state: StateChanges,
    /// Nodes of the state tree to write, in the same batch.
    pub tree: TreeChanges,
    /// Root of the state with these changes.
    pub state_root: Hash,
    /// Gas of all transactions together.
    pub gas_used: Gas,
}

/// What a proposer took from its candidates.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The block's transactions, in the order of execution.
    pub taken: Vec<Transaction>,
    /// The evidence that counts; the rest was counted before.
    pub evidence: Vec<Evidence>,
    /// Those that will never be executable as they are: the pool drops them.
    pub dropped: Vec<(Transaction, NotExecutable)>,
    /// Those that a later block may take: the pool keeps them.
    pub deferred: Vec<(Transaction, NotExecutable)>,
    /// The block as executed.
    pub block: ExecutedBlock,
}

/// Executes blocks and answers queries. `Send + Sync`; share it in an `Arc`.
///
/// Threads that execute need 8 MiB of stack (see `salus-runtime`).
pub struct Executor {
    pub(crate) modules: Modules,
    pub(crate) chain: ChainId,
}

impl Executor {
    /// An executor for one chain. Compiled contracts are kept, at most 64.
    pub fn new(engine: Engine, chain: ChainId) -> Self {
        Self {
            modules: Modules::new(engine),
            chain,
        }
    }

    /// Executes a proposed block: first its reseals, then its evidence, which the caller has checked, then its
    /// transactions, all of them.
    ///
    /// # Errors
    ///
    /// [`ExecutionError::Reseals`], [`ExecutionError::Recounted`] and [`ExecutionError::Invalid`] when one cannot be executed: then the block is bad. Anything else is this node's fault and
    /// says nothing about the block.
    pub fn execute(
        &self,
        state: &dyn StateReader,
        env: &BlockEnv,
        reseals: &[ShareCommitment],
        evidence: &[Evidence],
        transactions: &[Transaction],
    ) -> Result<ExecutedBlock, ExecutionError> {
        let mut work = Work::new(self, state, env, reseals)?;
        for (index, evidence) in evidence.iter().enumerate() {
            if !faults::charge(&mut work.overlay, evidence)? {
                return Err(ExecutionError::Recounted { index });
            }
        }
        for (index, transaction) in transactions.iter().enumerate() {
            work.take(transaction)?
                .map_err(|reason| ExecutionError::Invalid {
                    index,
                    id: transaction.id(),
                    reason,
                })?;
        }
        work.finish(state)
    }

    /// Builds a block from reseals and candidates, these in their order: takes what can be executed, leaves the rest. Of
    /// evidence, which the caller has checked, it takes what was not counted before.
    ///
    /// What it takes, [`Self::execute`] accepts on the same state with the same result. Candidates are looked at until
    /// the block is full; the rest is deferred unseen.
    ///
    /// # Errors
    ///
    /// [`ExecutionError::Reseals`] if these are not what is in turn; else only faults of this node.
    pub fn select(
        &self,
        state: &dyn StateReader,
        env: &BlockEnv,
        reseals: &[ShareCommitment],
        mut evidence: Vec<Evidence>,
        candidates: Vec<Transaction>,
    ) -> Result<Selection, ExecutionError> {
        let mut work = Work::new(self, state, env, reseals)?;
        let counts = evidence
            .iter()
            .map(|one| faults::charge(&mut work.overlay, one))
            .collect::<Result<Vec<bool>, _>>()?;
        let mut counts = counts.into_iter();
        evidence.retain(|_| counts.next().unwrap_or_default());
        let (mut taken, mut dropped, mut deferred) = (Vec::new(), Vec::new(), Vec::new());
        let mut refusals: u32 = 0;
        for candidate in candidates {
            if refusals >= FULL_REFUSALS_MAX {
                deferred.push((candidate, NotExecutable::BlockFull));
                continue;
            }
            match work.take(&candidate)? {
                Ok(()) => taken.push(candidate),
                Err(reason) if reason.may_pass_later() => {
                    refusals = refusals.saturating_add(u32::from(reason == NotExecutable::BlockFull));
                    deferred.push((candidate, reason));
                }
                Err(reason) => dropped.push((candidate, reason)),
            }
        }
        Ok(Selection {
            taken,
            evidence,
            dropped,
            deferred,
            block: work.finish(state)?,
        })
    }

    /// Whether a transaction could be executed at a height on this state; for the pool.
    ///
    /// # Errors
    ///
    /// Outer: faults of this node. Inner: what speaks against the transaction now.
    pub fn check(
        &self,
        state: &dyn StateReader,
        height: Height,
        transaction: &Transaction,
    ) -> Result<Result<(), NotExecutable>, StateFault> {
        check(state, &system::params(state)?, height, transaction)
    }

    /// The least gas limit with which a transaction of so many encoded bytes is taken.
    pub const fn gas_limit_min(encoded_length: usize) -> Gas {
        intrinsic_gas(encoded_length)
    }

    /// A principal of the registry, whatever its status: its signing key verifies its transactions.
    pub fn sender(
        &self,
        state: &dyn StateReader,
        principal: PrincipalId,
    ) -> Result<Option<Principal>, StateFault> {
        system::principal(state, principal)
    }

    /// The number that a principal's next transaction must carry.
    pub fn next_sequence(
        &self,
        state: &dyn StateReader,
        principal: PrincipalId,
    ) -> Result<Sequence, StateFault> {
        system::sequence(state, principal)
    }

    /// Proves what the committed state holds at a key, against its root. See [`tree::prove`].
    pub fn prove(&self, state: &dyn StateReader, key: &StateKey) -> Result<StateProof, StateFault> {
        tree::prove(state, key)
    }

    /// All members, in the order of their numbers; those that a committed block added, though not in force yet, too.
    pub fn members(&self, state: &dyn StateReader) -> Result<Vec<Member>, StateFault> {
        members::members(state)
    }

    /// Contracts above a number, ascending, up to `count`.
    pub fn contracts(
        &self,
        state: &dyn StateReader,
        above: ContractId,
        count: usize,
    ) -> Result<Vec<(ContractId, ContractInfo)>, StateFault> {
        system::contracts(state, above, count)
    }

    /// What a member was proven guilty of.
    pub fn faults(&self, state: &dyn StateReader, member: MemberId) -> Result<Faults, StateFault> {
        Faults::of(state, member)
    }

    /// The validators that decide a height, at most two above this state's; `None` if too many changes have passed since.
    pub fn validators_at(
        &self,
        state: &dyn StateReader,
        height: Height,
    ) -> Result<Option<ValidatorSet>, StateFault> {
        members::validators_at(state, height)
    }

    /// The latest reseal, whether it is under way or done.
    pub fn reseal_job(&self, state: &dyn StateReader) -> Result<Option<ResealJob>, StateFault> {
        system::reseal_job(state)
    }

    /// The dealing in force of a block that was resealed; `None`: its header says it.
    pub fn dealing(
        &self,
        state: &dyn StateReader,
        height: Height,
    ) -> Result<Option<ShareCommitment>, StateFault> {
        system::dealing(state, height)
    }

    /// Dealings in force of blocks above a height that were resealed, ascending, up to `count`.
    pub fn dealings(
        &self,
        state: &dyn StateReader,
        above: Height,
        count: usize,
    ) -> Result<Vec<ShareCommitment>, StateFault> {
        system::dealings(state, above, count)
    }

    /// The network's settings.
    pub fn params(&self, state: &dyn StateReader) -> Result<Params, StateFault> {
        system::params(state)
    }
}

/// Candidates that may find the block full before the rest is not looked at any more: each may cost a whole execution.
const FULL_REFUSALS_MAX: u32 = 16;

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Executor({:?})", self.chain)
    }
}

/// A block in the making.
struct Work<'a> {
    executor: &'a Executor,
    params: Params,
    env: BlockEnv,
    overlay: Overlay<'a>,
    receipts: Vec<Receipt>,
    gas_used: Gas,
    bytes: usize,
}

impl<'a> Work<'a> {
    fn new(
        executor: &'a Executor,
        state: &'a dyn StateReader,
        env: &BlockEnv,
        reseals: &[ShareCommitment],
    ) -> Result<Self, ExecutionError> {
        let mut overlay = Overlay::new(state);
        reseal::apply(&mut overlay, env, reseals)??;
        Ok(Self {
            executor,
            params: system::params(state)?,
            env: *env,
            overlay,
            receipts: Vec::new(),
            gas_used: Gas::ZERO,
            bytes: 0,
        })
    }

    /// Executes one transaction, or leaves everything as it was.
    fn take(&mut self, transaction: &Transaction) -> Result<Result<(), NotExecutable>, ExecutionError> {
        if let Err(reason) = check(&self.overlay, &self.params, self.env.height, transaction)? {
            return Ok(Err(reason));
        }
        let payload = transaction.payload();
        let promised = self.gas_used.checked_add(payload.gas_limit.get());
        if promised.is_none_or(|promised| promised > self.params.block_gas_max) {
            return Ok(Err(NotExecutable::BlockFull));
        }
        let mut host = ChainHost::new(&mut self.overlay, &self.executor.modules);
        let receipt = run(&mut host, &self.executor.chain, &self.env, transaction)?;

        let bytes = transaction
            .encoded_length()
            .saturating_add(codec::encode(&receipt).len());
        let total = self.bytes.saturating_add(bytes);
        if total > self.params.block_bytes_max as usize {
            self.overlay.revert();
            return Ok(Err(NotExecutable::BlockFull));
        }
        if !receipt.succeeded() {
            self.overlay.revert();
        }
        let next = payload.sequence.saturating_add(1);
        self.overlay
            .write(system::sequence_key(payload.sender), Some(codec::encode(&next)));
        self.overlay.keep();
        self.bytes = total;
        self.gas_used = self.gas_used.saturating_add(receipt.gas_used.get());
        self.receipts.push(receipt);
        Ok(Ok(()))
    }

    fn finish(self, state: &dyn StateReader) -> Result<ExecutedBlock, ExecutionError> {
        let changes = self.overlay.into_changes();
        let (state_root, tree) = tree::apply(state, &changes)?;
        Ok(ExecutedBlock {
            receipts: self.receipts,
            state: changes,
            tree,
            state_root,
            gas_used: self.gas_used,
        })
    }
}
