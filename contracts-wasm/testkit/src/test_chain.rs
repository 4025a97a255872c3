//! The chain as tests use it: what can't go on panics, where the test stands.
#![allow(
    clippy::panic,
    reason = "a test that can't go on ends here, with what went wrong"
)]

use crate::founding::Contract;
use crate::time::{MONDAY_MORNING_MS, parse_span, parse_utc};
use crate::{Answer, Chain, ChainError, Snapshot};
use salus_abi::access::{AccessRequest, Purpose, RecordClass, RuleDecision, RuleScope};
use salus_abi::codec::{self, Decode, Encode};
use salus_abi::registry::Role;
use salus_abi::{ContractId, PrincipalId, RecordNumber};
use std::path::Path;

/// The number of the contract under test; those beside it follow.
const SUBJECT: u32 = 4;

/// What a test chain begins with.
#[derive(Clone, Debug)]
#[must_use = "nothing is deployed before `deploy`"]
pub struct Setup {
    contracts: Vec<Contract>,
    time_ms: u64,
}

/// A chain for tests. What fails for another reason than a contract's own refusal panics.
#[derive(Clone, Debug)]
pub struct TestChain {
    chain: Chain,
    last_gas: u64,
}

/// Somebody who acts.
#[derive(Debug)]
pub struct By<'a> {
    test: &'a mut TestChain,
    principal: PrincipalId,
}

/// A request to read a patient's first record, a clinical one, for treatment.
pub const fn request(requester: PrincipalId, patient: PrincipalId) -> AccessRequest {
    AccessRequest {
        patient,
        record: RecordNumber::new(0),
        class: RecordClass::Clinical,
        requester,
        purpose: Purpose::Treatment,
        emergency: false,
    }
}

impl Setup {
    /// The argument with which the contract named last is instantiated.
    pub fn argument(mut self, argument: &impl Encode) -> Self {
        if let Some(last) = self.contracts.last_mut() {
            last.argument = codec::encode(argument);
        }
        self
    }

    /// Another contract beside those named before; it gets the next number.
    #[track_caller]
    pub fn beside(mut self, path: impl AsRef<Path>) -> Self {
        let number = SUBJECT.saturating_add(u32::try_from(self.contracts.len()).unwrap_or(u32::MAX));
        self.contracts
            .push(or_fail(artefact(ContractId::new(number), path.as_ref())));
        self
    }

    /// Block time at the beginning: `2026-01-05T02:00:00Z`. Without it, a Monday morning at 9.
    #[track_caller]
    pub fn at(mut self, time: &str) -> Self {
        self.time_ms = point(time);
        self
    }

    /// Founds the chain.
    #[track_caller]
    pub fn deploy(self) -> TestChain {
        TestChain {
            chain: or_fail(Chain::found(&self.contracts, self.time_ms)),
            last_gas: 0,
        }
    }
}

impl TestChain {
    /// The number of the contract under test.
    pub const SUBJECT: ContractId = ContractId::new(SUBJECT);

    /// Begins with the artefact under test; its path is seen from the package's folder.
    #[track_caller]
    pub fn wasm(path: impl AsRef<Path>) -> Setup {
        Self::standard().beside(path)
    }

    /// Begins with the registry and the access contract alone.
    pub const fn standard() -> Setup {
        Setup {
            contracts: Vec::new(),
            time_ms: MONDAY_MORNING_MS,
        }
    }

    /// Sets the time of the next block; it may go back.
    #[track_caller]
    pub fn at(&mut self, time: &str) {
        self.chain.set_time(point(time));
    }

    /// Lets time pass: a number with s, m, h or d.
    #[track_caller]
    pub fn advance(&mut self, span: &str) {
        let span = parse_span(span).unwrap_or_else(|| panic!("{span:?} is no span such as 90m, 2h or 1d"));
        let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.chain.set_time(self.chain.time_ms().saturating_add(span_ms));
    }

    /// Somebody of [`who`](crate::who), or who was enrolled.
    pub const fn by(&mut self, principal: PrincipalId) -> By<'_> {
        By {
            test: self,
            principal,
        }
    }

    /// Asks a query, as nobody in particular.
    #[track_caller]
    pub fn query<O: Encode + Decode<()>>(
        &mut self,
        contract: ContractId,
        entry: u8,
        argument: &impl Encode,
    ) -> Answer<O> {
        let answer = or_fail(self.chain.query(None, contract, entry, argument));
        self.note(answer)
    }

    /// Enrols somebody at hospital 0.
    #[track_caller]
    pub fn enrol(&mut self, role: Role) -> PrincipalId {
        or_fail(or_fail(self.chain.enrol(role)).result)
    }

    /// Puts a record on the chain.
    #[track_caller]
    pub fn add_record(
        &mut self,
        author: PrincipalId,
        patient: PrincipalId,
        class: RecordClass,
    ) -> RecordNumber {
        or_fail(or_fail(self.chain.add_record(author, patient, class)).result)
    }

    /// Has the access contract ask a rule about every request in a scope.
    #[track_caller]
    pub fn register(&mut self, rule: ContractId, scope: RuleScope) {
        or_fail(or_fail(self.chain.register(rule, scope)).result);
    }

    /// What the last call cost: see [`Answer::gas`]. For [`assert_gas!`](crate::assert_gas).
    pub const fn last(&self) -> u64 {
        self.last_gas
    }

    /// The chain as it stands.
    pub fn save(&self) -> Snapshot {
        self.chain.save()
    }

    /// Makes everything since a snapshot undone.
    pub fn go_back(&mut self, snapshot: &Snapshot) {
        self.chain.go_back(snapshot);
    }

    /// The chain underneath, which answers with `Result`s.
    pub const fn chain(&mut self) -> &mut Chain {
        &mut self.chain
    }

    fn note<O>(&mut self, answer: Answer<O>) -> Answer<O> {
        self.last_gas = answer.gas;
        answer
    }
}

impl By<'_> {
    /// Sends a transaction.
    #[track_caller]
    pub fn execute<O: Encode + Decode<()>>(
        self,
        contract: ContractId,
        entry: u8,
        argument: &impl Encode,
    ) -> Answer<O> {
        let answer = self.test.chain.execute(self.principal, contract, entry, argument);
        self.test.note(or_fail(answer))
    }

    /// Asks a query of the contract under test.
    #[track_caller]
    pub fn query<O: Encode + Decode<()>>(self, entry: u8, argument: &impl Encode) -> Answer<O> {
        let answer = self
            .test
            .chain
            .query(Some(self.principal), TestChain::SUBJECT, entry, argument);
        self.test.note(or_fail(answer))
    }

    /// What the rule under test says to a request.
    #[track_caller]
    pub fn decide(self, request: &AccessRequest) -> RuleDecision {
        let answer = self
            .test
            .chain
            .decide(Some(self.principal), TestChain::SUBJECT, request);
        or_fail(self.test.note(or_fail(answer)).result)
    }
}

/// Compares what the last call cost: `assert_gas!(chain <= 40_000)`.
#[macro_export]
macro_rules! assert_gas {
    ($chain:ident <= $most:expr) => {{
        let (gas, most): (u64, u64) = ($chain.last(), $most);
        assert!(gas <= most, "the last call cost {gas} gas, more than {most}");
    }};
}

/// Checks that an answer carries an event of a contract: `assert_event!(answer, CONTRACT, MyEvent::Opened { .. })`.
#[macro_export]
macro_rules! assert_event {
    ($answer:expr, $contract:expr, $type:ty, $pattern:pat) => {{
        let events: Vec<$type> = $answer.events_of($contract);
        assert!(
            events.iter().any(|event| matches!(event, $pattern)),
            "no event is {}; there are {events:?}",
            stringify!($pattern)
        );
    }};
}

/// Checks that a permit or a rule's answer carries obligations: `assert_obliges!(decision, Obligations::REVIEW)`.
#[macro_export]
macro_rules! assert_obliges {
    ($obligations:expr, $wanted:expr) => {{
        let (has, wanted) = ($obligations, $wanted);
        assert!(has.contains(wanted), "{wanted:?} is not among {has:?}");
    }};
}

fn artefact(id: ContractId, path: &Path) -> Result<Contract, ChainError> {
    let wasm = std::fs::read(path).map_err(|error| {
        ChainError::Founding(format!(
            "{}: {error}; build the contract first: salus contract build",
            path.display()
        ))
    })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Contract {
        id,
        name: name.into_owned(),
        wasm: wasm.into(),
        argument: Vec::new(),
    })
}

#[track_caller]
fn point(time: &str) -> u64 {
    parse_utc(time).unwrap_or_else(|| panic!("{time:?} is no time such as 2026-01-05T02:00:00Z"))
}

#[track_caller]
fn or_fail<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
