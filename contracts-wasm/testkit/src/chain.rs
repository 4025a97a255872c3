//! The chain between two blocks, and what can be done with it.

use crate::founding::{CHAIN, Contract, executor, found, member_key};
use crate::record::{CallKind, GasEntry, Met, record};
use crate::state::{Memory, Snapshot};
use crate::{MEMBERS, who};
use salus_abi::access::{
    AccessRequest, AddRecord, Decision, RecordClass, RegisterRule, RuleDecision, RuleScope, StoredReceipt,
    entry, stored_receipt_payload,
};
use salus_abi::codec::{self, Decode, Encode};
use salus_abi::domain::Tag;
use salus_abi::registry::{self, AddUser, Role};
use salus_abi::{ContractId, MemberId, PrincipalId, RecordNumber};
use salus_execution::{BlockEnv, ExecutionError, QueryError, ReadKind};
use salus_runtime::TrapCode;
use salus_types::{
    Call, Change, ContractCall, ContractChange, Event, Gas, Height, ProposalOutcome, Receipt, Status,
    SystemCall, Timestamp, Transaction, TransactionPayload,
};
use std::collections::BTreeMap;

/// Gas of one call, at most; a transaction's own limit is that of the network's parameters.
const GAS_LIMIT: Gas = Gas::new(20_000_000);
/// Stack of the thread that runs contracts, as the runtime asks for.
const STACK_BYTES: usize = 8 << 20;
/// Heights that a transaction stays valid.
const VALID_HEIGHTS: u64 = 100;

/// A chain in memory.
#[derive(Clone, Debug)]
pub struct Chain {
    state: Memory,
    height: u64,
    time_ms: u64,
    names: BTreeMap<ContractId, String>,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<O> {
    /// The output, or why there is none.
    pub result: Result<O, Refusal>,
    /// What it cost: for a transaction, what its receipt says, so with the transaction's own share; for a question, the run
    /// alone. 0 for a question that failed, since nobody is charged for it.
    pub gas: u64,
    /// What contracts told the world, as it stands in the receipt.
    pub events: Vec<Event>,
}

/// How a contract refused or broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It refused with an error code of its own.
    #[error("the contract refused with code {0}")]
    Aborted(u16),
    /// It broke.
    #[error("the contract broke with trap {0}")]
    Trapped(u8),
    /// The gas limit did not suffice.
    #[error("the gas limit did not suffice")]
    OutOfGas,
    /// There is no such contract, or it has no such entry point.
    #[error("there is no such contract, or it has no such entry point")]
    UnknownContract,
    /// Who sent it may not make this system call.
    #[error("the sender may not make this system call")]
    NotAllowed,
    /// The members have frozen it.
    #[error("the members have frozen the contract")]
    Frozen,
}

/// Why the chain has no answer at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The chain can't begin like this: a contract is not admitted or refuses its argument.
    #[error("{0}")]
    Founding(String),
    /// No validator would take the transaction into a block.
    #[error("no block takes this transaction: {0}")]
    NotExecutable(String),
    /// What a contract answered is no value of the type that was asked for.
    #[error("the contract's answer is not of the type that is asked for ({0} bytes)")]
    Type(usize),
    /// This machine failed; nothing may be concluded about the contract.
    #[error("this machine failed: {0}")]
    Machine(String),
}

impl From<ExecutionError> for ChainError {
    fn from(error: ExecutionError) -> Self {
        match error {
            ExecutionError::Genesis(message) => Self::Founding(message),
            ExecutionError::Invalid { reason, .. } => Self::NotExecutable(reason.to_string()),
            other => Self::Machine(other.to_string()),
        }
    }
}

impl Chain {
    /// A chain with contracts besides the registry and the access contract that ship, at a block time in milliseconds
    /// since 1970.
    ///
    /// # Errors
    ///
    /// [`ChainError::Founding`], with the admission's code, if a contract is not admitted or refuses its argument.
    pub fn found(contracts: &[Contract], time_ms: u64) -> Result<Self, ChainError> {
        let state = on_deep_stack(|| found(contracts, Timestamp::new(time_ms)))?;
        let mut names = BTreeMap::from([
            (ContractId::REGISTRY, "registry".to_owned()),
            (ContractId::ACCESS, "access".to_owned()),
            (ContractId::CARE, "care".to_owned()),
        ]);
        names.extend(
            contracts
                .iter()
                .map(|contract| (contract.id, contract.name.clone())),
        );
        Ok(Self {
            state,
            height: 0,
            time_ms,
            names,
        })
    }

    /// Time of the next block, in milliseconds since 1970.
    pub const fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Sets the time of the next block. It may go back: a test is a what-if.
    pub const fn set_time(&mut self, time_ms: u64) {
        self.time_ms = time_ms;
    }

    /// Height of the last block.
    pub const fn height(&self) -> u64 {
        self.height
    }

    /// The chain as it stands now.
    pub fn save(&self) -> Snapshot {
        Snapshot {
            state: self.state.clone(),
            height: self.height,
            time_ms: self.time_ms,
        }
    }

    /// Makes everything since a snapshot undone.
    pub fn go_back(&mut self, snapshot: &Snapshot) {
        let Snapshot {
            state,
            height,
            time_ms,
        } = snapshot.clone();
        (self.state, self.height, self.time_ms) = (state, height, time_ms);
    }

    /// What a contract is called in reports.
    pub fn name(&self, contract: ContractId) -> String {
        self.names
            .get(&contract)
            .map_or_else(|| contract.to_string(), Clone::clone)
    }

    /// Sends a call of a contract's entry as a transaction in a block of its own.
    ///
    /// # Errors
    ///
    /// That no block takes it, or that the output is not an `O`. A contract's refusal is an [`Answer`].
    pub fn execute<O: Encode + Decode<()>>(
        &mut self,
        sender: PrincipalId,
        contract: ContractId,
        entry: u8,
        argument: &impl Encode,
    ) -> Result<Answer<O>, ChainError> {
        self.execute_bytes(sender, contract, entry, codec::encode(argument))
            .and_then(typed)
    }

    /// As [`Self::execute`], with encoded argument and output.
    pub fn execute_bytes(
        &mut self,
        sender: PrincipalId,
        contract: ContractId,
        entry: u8,
        input: Vec<u8>,
    ) -> Result<Answer<Vec<u8>>, ChainError> {
        let call = Call::Contract {
            contract,
            entry,
            input,
        };
        let answer = self.send(sender, call)?;
        record(&GasEntry {
            contract: self.name(contract),
            kind: CallKind::Execute,
            entry: Some(entry),
            gas: answer.gas,
            met: met(&answer.result, (contract, CallKind::Execute, Some(entry))),
        });
        Ok(answer)
    }

    /// Sends a system call, as operators do.
    pub fn system(&mut self, sender: PrincipalId, call: SystemCall) -> Result<Answer<Vec<u8>>, ChainError> {
        self.send(sender, Call::System(call))
    }

    /// Signs a call with its sender's key and executes it as a block.
    fn send(&mut self, sender: PrincipalId, call: Call) -> Result<Answer<Vec<u8>>, ChainError> {
        let executor = executor()?;
        let height = self.height.saturating_add(1);
        let sequence = executor
            .next_sequence(&self.state, sender)
            .map_err(|fault| ChainError::Machine(fault.to_string()))?;
        let payload = TransactionPayload {
            sender,
            sequence,
            expires: Height::new(height.saturating_add(VALID_HEIGHTS)),
            gas_limit: GAS_LIMIT,
            call,
        };
        let transaction = signed(payload)?;
        let env = self.env(height);
        let state = &self.state;
        let transactions = std::slice::from_ref(&transaction);
        let block = on_deep_stack(|| Ok(executor.execute(state, &env, &[], &[], transactions)?))?;
        self.state.commit(&block);
        self.height = height;
        let receipt = block.receipts.into_iter().next();
        receipt
            .map(answer)
            .ok_or_else(|| ChainError::Machine("a block without its receipt".to_owned()))
    }

    /// Asks a contract's query.
    pub fn query<O: Encode + Decode<()>>(
        &self,
        caller: Option<PrincipalId>,
        contract: ContractId,
        entry: u8,
        argument: &impl Encode,
    ) -> Result<Answer<O>, ChainError> {
        let mut input = vec![entry];
        input.extend(codec::encode(argument));
        self.read(caller, contract, CallKind::Query, input)
            .and_then(typed)
    }

    /// Asks a rule what it says to a request.
    pub fn decide(
        &self,
        caller: Option<PrincipalId>,
        rule: ContractId,
        request: &AccessRequest,
    ) -> Result<Answer<RuleDecision>, ChainError> {
        self.read(caller, rule, CallKind::Decide, codec::encode(request))
            .and_then(typed)
    }

    fn read(
        &self,
        caller: Option<PrincipalId>,
        contract: ContractId,
        kind: CallKind,
        input: Vec<u8>,
    ) -> Result<Answer<Vec<u8>>, ChainError> {
        let executor = executor()?;
        let env = self.env(self.height);
        let read = match kind {
            CallKind::Decide => ReadKind::Decide,
            CallKind::Query | CallKind::Execute => ReadKind::Query,
        };
        let entry = match kind {
            CallKind::Decide => None,
            CallKind::Query | CallKind::Execute => input.first().copied(),
        };
        let outcome = on_deep_stack(|| {
            Ok(executor.query(&self.state, &env, contract, read, caller, input, GAS_LIMIT))
        })?;
        let refused = |refusal| Answer {
            result: Err(refusal),
            gas: 0,
            events: Vec::new(),
        };
        let answer = match outcome {
            Ok(outcome) => Answer {
                result: Ok(outcome.output),
                gas: outcome.gas_used.get(),
                events: Vec::new(),
            },
            Err(QueryError::UnknownContract) => refused(Refusal::UnknownContract),
            Err(QueryError::Frozen) => refused(Refusal::Frozen),
            Err(QueryError::Aborted(code)) => refused(Refusal::Aborted(code)),
            Err(QueryError::Trapped(code)) => refused(Refusal::Trapped(code)),
            Err(QueryError::OutOfGas) => refused(Refusal::OutOfGas),
            Err(QueryError::Fault(fault)) => return Err(fault.into()),
        };
        record(&GasEntry {
            contract: self.name(contract),
            kind,
            entry,
            gas: answer.gas,
            met: met(&answer.result, (contract, kind, entry)),
        });
        Ok(answer)
    }

    fn env(&self, height: u64) -> BlockEnv {
        BlockEnv {
            height: Height::new(height),
            time: Timestamp::new(self.time_ms),
            proposer: MemberId::new(0),
        }
    }

    /// The entries of a contract's state, with their own keys.
    pub fn state(&self, contract: ContractId) -> Vec<(Vec<u8>, Vec<u8>)> {
        let prefix = contract.get().to_be_bytes();
        let entries = self.state.entries(&prefix);
        entries
            .map(|(key, value)| {
                let own = key.as_bytes().get(prefix.len()..).unwrap_or_default();
                (own.to_vec(), value.to_vec())
            })
            .collect()
    }

    /// Enrols somebody at hospital 0, as its admin does.
    pub fn enrol(&mut self, role: Role) -> Result<Answer<PrincipalId>, ChainError> {
        let next: Answer<PrincipalId> =
            self.query(None, ContractId::REGISTRY, registry::query::NEXT_PRINCIPAL, &())?;
        let number = next
            .result
            .map_err(|refusal| ChainError::Machine(refusal.to_string()))?;
        let user = AddUser {
            signing_key: *who::key(number).public().as_bytes(),
            encryption_key: [0; 32],
            role,
            address: (role == Role::Patient).then(|| who::address(number)),
        };
        self.execute(who::ADMIN, ContractId::REGISTRY, registry::entry::ADD_USER, &user)
    }

    /// Puts a record of a patient on the chain, with the receipts of enough members.
    pub fn add_record(
        &mut self,
        author: PrincipalId,
        patient: PrincipalId,
        class: RecordClass,
    ) -> Result<Answer<RecordNumber>, ChainError> {
        // Whatever the height, two records of a chain differ.
        let mut digest = [0xd1; 32];
        let (height, _) = digest.split_at_mut(8);
        height.copy_from_slice(&self.height.to_be_bytes());
        let root = [0x70; 32];
        let receipt = |member| {
            let payload = stored_receipt_payload(member, patient, author, &digest, &root);
            let signature = member_key(member).sign(Tag::RECORD_RECEIPT, &CHAIN, &payload);
            StoredReceipt {
                member,
                signature: *signature.as_bytes(),
            }
        };
        let record = AddRecord {
            patient,
            digest,
            root,
            threshold: 2,
            pieces: 4,
            size_bucket: 56,
            class,
            receipts: (0..MEMBERS - 1).map(MemberId::new).map(receipt).collect(),
        };
        self.execute(author, ContractId::ACCESS, entry::ADD_RECORD, &record)
    }

    /// Registers a rule with the access contract: a hospital's own as its admin does, one for many hospitals by the operators' votes.
    pub fn register(&mut self, rule: ContractId, scope: RuleScope) -> Result<Answer<()>, ChainError> {
        let register = RegisterRule {
            scope,
            rule,
            remove: false,
        };
        let admin = match scope {
            RuleScope::Organisation(member) if member == MemberId::new(1) => who::OTHER_ADMIN,
            RuleScope::Organisation(_) => who::ADMIN,
            RuleScope::Class(_) | RuleScope::Everywhere => {
                return self.vote(ContractChange::RegisterRule(register));
            }
        };
        self.execute(admin, ContractId::ACCESS, entry::REGISTER_RULE, &register)
    }

    /// Proposes a change, approves it by three of four members, and enacts it. This network has no timelock.
    fn vote(&mut self, change: ContractChange) -> Result<Answer<()>, ChainError> {
        let [first, second, third, _] = who::OPERATORS;
        let call = SystemCall::Propose {
            change: Change::Contract(change),
            expires: Height::new(self.height.saturating_add(VALID_HEIGHTS)),
        };
        let proposed: Answer<ProposalOutcome> = typed(self.system(first, call)?)?;
        let proposal = match &proposed.result {
            Ok(outcome) => outcome.proposal,
            Err(_) => return Ok(proposed.without_output()),
        };
        for voter in [second, third] {
            let approve = true;
            self.system(voter, SystemCall::Vote { proposal, approve })?;
        }
        let enact = SystemCall::Contract(ContractCall::Enact { proposal });
        Ok(self.system(first, enact)?.without_output())
    }
}

/// How a call of an entry ended.
fn met(result: &Result<Vec<u8>, Refusal>, called: (ContractId, CallKind, Option<u8>)) -> Met {
    let output = match result {
        Ok(output) => output,
        Err(Refusal::Aborted(code)) => return Met::Aborted(*code),
        Err(_) => return Met::Failed,
    };
    let reason = match called {
        (_, CallKind::Decide, _) => match codec::decode(output, output.len()) {
            Ok(RuleDecision::Deny { reason }) => Some(reason),
            _ => None,
        },
        (ContractId::ACCESS, CallKind::Execute, Some(entry::RETRIEVE)) => {
            match codec::decode(output, output.len()) {
                Ok(Decision::Deny { reason, .. }) => Some(reason),
                _ => None,
            }
        }
        _ => None,
    };
    reason.map_or(Met::Done, Met::Denied)
}

fn signed(payload: TransactionPayload) -> Result<Transaction, ChainError> {
    let key = who::key(payload.sender);
    payload
        .sign(&key, &CHAIN)
        .verify(&CHAIN, &key.public())
        .map_err(|error| ChainError::NotExecutable(error.to_string()))
}

fn answer(receipt: Receipt) -> Answer<Vec<u8>> {
    let result = match receipt.status {
        Status::Success => Ok(receipt.output),
        Status::Aborted { code } => Err(Refusal::Aborted(code)),
        Status::Trapped { code } => Err(Refusal::Trapped(code)),
        Status::OutOfGas => Err(Refusal::OutOfGas),
        Status::UnknownContract => Err(Refusal::UnknownContract),
        Status::NotAllowed => Err(Refusal::NotAllowed),
        Status::Frozen => Err(Refusal::Frozen),
    };
    Answer {
        result,
        gas: receipt.gas_used.get(),
        events: receipt.events,
    }
}

fn typed<O: Encode + Decode<()>>(answer: Answer<Vec<u8>>) -> Result<Answer<O>, ChainError> {
    let result = match answer.result {
        Ok(bytes) => Ok(codec::decode(&bytes, bytes.len()).map_err(|_| ChainError::Type(bytes.len()))?),
        Err(refusal) => Err(refusal),
    };
    Ok(Answer {
        result,
        gas: answer.gas,
        events: answer.events,
    })
}

impl<O> Answer<O> {
    /// The same without what was returned.
    fn without_output(self) -> Answer<()> {
        Answer {
            result: self.result.map(drop),
            gas: self.gas,
            events: self.events,
        }
    }

    /// The code with which the contract refused.
    pub fn abort(&self) -> Option<u16> {
        match self.result {
            Err(Refusal::Aborted(code)) => Some(code),
            _ => None,
        }
    }

    /// How the contract broke.
    pub fn trap(&self) -> Option<TrapCode> {
        match self.result {
            Err(Refusal::Trapped(code)) => TrapCode::from_number(code),
            _ => None,
        }
    }

    /// The events of a contract, those of them that are an `E`.
    pub fn events_of<E: Encode + Decode<()>>(&self, contract: ContractId) -> Vec<E> {
        let own = self.events.iter().filter(|event| event.contract == contract);
        own.filter_map(|event| codec::decode(&event.data, event.data.len()).ok())
            .collect()
    }
}

/// Runs contracts on a thread with the stack that the runtime asks for; a test's own thread has less.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> Result<T, ChainError> + Send) -> Result<T, ChainError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|error| ChainError::Machine(format!("no thread can be started: {error}")))?;
        let died = |_| ChainError::Machine("the executor panicked".to_owned());
        thread.join().map_err(died)?
    })
}
