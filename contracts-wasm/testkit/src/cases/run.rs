//! Cases, run.

use super::file::{Case, CasesError, Expectation, File, Given, Reason};
use crate::time::MONDAY_MORNING_MS;
use crate::trace::{Trace, obligations_text, trace};
use crate::{Chain, ChainError, Contract, Refusal, Snapshot};
use salus_abi::access::{
    AccessRequest, Decision, Grant, GrantAccess, Obligations, Purposes, Retrieve, RuleDecision, Scope, entry,
};
use salus_abi::{ContractId, RecordNumber};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The number of the first contract of a file.
const FIRST: u32 = 4;

/// A file of cases with the chain on which they run.
#[derive(Clone, Debug)]
pub struct Suite {
    path: PathBuf,
    file: File,
    chain: Chain,
    start: Snapshot,
    ids: BTreeMap<String, ContractId>,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actual {
    /// Permit, deny, abstain or oblige.
    pub kind: Expectation,
    /// Why; `None` where nothing was refused and no permit given.
    pub reason: Option<u16>,
    /// What comes with it.
    pub obligations: Obligations,
    /// What it cost.
    pub gas: u64,
}

/// A case that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseOutcome {
    /// Its name.
    pub name: String,
    /// Its line in the file, from 1.
    pub line: u64,
    /// What came of it, or how the contract that was asked failed.
    pub actual: Result<Actual, Refusal>,
    /// What is not as it was to be; nothing, if the case holds.
    pub faults: Vec<String>,
}

impl Suite {
    /// Reads a file and sets its chain up.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, or which step of its set-up failed.
    pub fn read(path: &Path) -> Result<Self, CasesError> {
        Self::with(path, &BTreeMap::new())
    }

    /// As [`Self::read`], with other artefacts for some contracts: by name, those that ship too.
    pub fn with(path: &Path, artefacts: &BTreeMap<String, Vec<u8>>) -> Result<Self, CasesError> {
        let mut file = File::read(path)?;
        let (contracts, ids) = contracts(path, &file, artefacts)?;
        for contract in &contracts {
            file.name_reasons(&contract.wasm);
        }
        file.check_reasons(path)?;
        let setup = |what: String, error: String| CasesError::Setup {
            path: path.display().to_string(),
            message: format!("{what}: {error}"),
        };
        let chain = Chain::found(&contracts, MONDAY_MORNING_MS)
            .map_err(|error| setup("the chain can't be founded".to_owned(), error.to_string()))?;
        let start = chain.save();
        let mut suite = Self {
            path: path.to_owned(),
            file,
            chain,
            start,
            ids,
        };
        suite.set_up().map_err(|(line, error)| CasesError::Line {
            path: path.display().to_string(),
            line,
            message: error,
        })?;
        suite.start = suite.chain.save();
        Ok(suite)
    }

    /// The file.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Registers rules, adds records and gives grants.
    fn set_up(&mut self) -> Result<(), (u64, String)> {
        let file = self.file.clone();
        for one in &file.contracts {
            let line = one.referenced.line();
            let (Some(register), Some(id)) = (one.value.register, self.ids.get(&one.value.name)) else {
                continue;
            };
            done(self.chain.register(*id, register.scope()))
                .map_err(|error| (line, format!("register: {error}")))?;
        }
        for one in &file.records {
            let record = &one.value;
            done(
                self.chain
                    .add_record(record.author.0, record.patient.0, record.class.0),
            )
            .map_err(|error| {
                (
                    one.referenced.line(),
                    format!("this record can't be added: {error}"),
                )
            })?;
        }
        for one in &file.grants {
            let argument = grant(&one.value);
            done(
                self.chain
                    .execute::<u32>(one.value.by.0, ContractId::ACCESS, entry::GRANT, &argument),
            )
            .map_err(|error| {
                (
                    one.referenced.line(),
                    format!("this grant can't be given: {error}"),
                )
            })?;
        }
        Ok(())
    }

    /// Runs every case, each from the state after the set-up.
    ///
    /// # Errors
    ///
    /// Only faults of this machine; whatever a contract does is an outcome.
    pub fn run(&mut self) -> Result<Vec<CaseOutcome>, ChainError> {
        let cases = self.file.cases.clone();
        let outcomes = cases.iter().map(|case| {
            let actual = self.run_one(&case.value)?;
            Ok(CaseOutcome {
                name: case.value.name.clone(),
                line: case.referenced.line(),
                faults: self.faults(&case.value, &actual),
                actual,
            })
        });
        outcomes.collect()
    }

    fn run_one(&mut self, case: &Case) -> Result<Result<Actual, Refusal>, ChainError> {
        let request = self.begin(case);
        let rule = case.ask.as_ref().and_then(|name| self.ids.get(name)).copied();
        match rule {
            Some(rule) => {
                let answer = self.chain.decide(Some(case.who.0), rule, &request)?;
                Ok(answer.result.map(|decision| of_rule(decision, answer.gas)))
            }
            None => {
                let retrieve = Retrieve {
                    patient: request.patient,
                    record: request.record,
                    purpose: request.purpose,
                    emergency: request.emergency,
                };
                let answer =
                    self.chain
                        .execute(case.who.0, ContractId::ACCESS, entry::RETRIEVE, &retrieve)?;
                Ok(answer.result.map(|decision| of_access(decision, answer.gas)))
            }
        }
    }

    /// Why a case comes out as it does. `None` if there is no case of that name.
    pub fn explain(&mut self, name: &str) -> Result<Option<Trace>, ChainError> {
        let found = self.file.cases.iter().find(|case| case.value.name == name);
        let Some(case) = found.map(|case| case.value.clone()) else {
            return Ok(None);
        };
        let request = self.begin(&case);
        let trace = trace(&self.chain, &request)?;
        Ok(Some(trace.with_names(&self.file.reasons)))
    }

    /// The chain as it stands when a case begins, and the case's request.
    fn begin(&mut self, case: &Case) -> AccessRequest {
        self.chain.go_back(&self.start);
        if let Some(at) = case.at {
            self.chain.set_time(at.0);
        }
        AccessRequest {
            patient: case.what.patient.0,
            record: RecordNumber::new(case.what.record),
            class: case.what.class.0,
            requester: case.who.0,
            purpose: case.what.purpose.0,
            emergency: case.what.emergency,
        }
    }

    /// What differs from what a case expects, field by field.
    fn faults(&self, case: &Case, actual: &Result<Actual, Refusal>) -> Vec<String> {
        let actual = match actual {
            Ok(actual) => actual,
            Err(refusal) => return vec![format!("there is no decision: {refusal}")],
        };
        let mut faults = Vec::new();
        if let Some(expected) = case.expect.filter(|expected| *expected != actual.kind) {
            let why = actual
                .reason
                .map_or_else(String::new, |code| format!(" ({})", self.file.name_of(code)));
            faults.push(format!(
                "expect: {}, but it is {}{why}",
                expected.name(),
                actual.kind.name()
            ));
        }
        let expected = case.reason.as_ref().and_then(|reason| match reason {
            Reason::Code(code) => Some(*code),
            Reason::Name(name) => self.file.code_of(name),
        });
        if let Some(expected) = expected.filter(|expected| Some(*expected) != actual.reason) {
            let given = actual
                .reason
                .map_or_else(|| "none".to_owned(), |code| self.file.name_of(code));
            faults.push(format!(
                "reason: {}, but it is {given}",
                self.file.name_of(expected)
            ));
        }
        if let Some(names) = &case.obligations {
            let expected = names
                .iter()
                .fold(Obligations::default(), |all, one| all.and(one.0));
            if expected != actual.obligations {
                faults.push(format!(
                    "obligations: [{}], but they are [{}]",
                    obligations_text(expected),
                    obligations_text(actual.obligations)
                ));
            }
        }
        if let Some(most) = case.gas_max.filter(|most| actual.gas > *most) {
            faults.push(format!("gas_max: {most}, but it cost {}", actual.gas));
        }
        faults
    }
}

impl Expectation {
    /// The word that cases use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
            Self::Abstain => "abstain",
            Self::Oblige => "oblige",
        }
    }
}

fn of_rule(decision: RuleDecision, gas: u64) -> Actual {
    let (kind, reason, obligations) = match decision {
        RuleDecision::Abstain => (Expectation::Abstain, None, Obligations::default()),
        RuleDecision::Deny { reason } => (Expectation::Deny, Some(reason), Obligations::default()),
        RuleDecision::Oblige { obligations } => (Expectation::Oblige, None, obligations),
    };
    Actual {
        kind,
        reason,
        obligations,
        gas,
    }
}

fn of_access(decision: Decision, gas: u64) -> Actual {
    let (kind, reason, obligations) = match decision {
        Decision::Permit {
            reason, obligations, ..
        } => (Expectation::Permit, reason, obligations),
        Decision::Deny { reason, .. } => (Expectation::Deny, reason, Obligations::default()),
    };
    Actual {
        kind,
        reason: Some(reason),
        obligations,
        gas,
    }
}

fn grant(given: &Given) -> GrantAccess {
    let scope = match (given.record, given.class) {
        (Some(record), _) => Scope::Record(RecordNumber::new(record)),
        (None, Some(class)) => Scope::Class(class.0),
        (None, None) => Scope::All,
    };
    let purposes: Vec<_> = given.purposes.iter().map(|purpose| purpose.0).collect();
    GrantAccess {
        grantee: given.to.0,
        grant: Grant {
            scope,
            purposes: Purposes::of(&purposes),
            until_ms: given.until.0,
        },
    }
}

/// Reads the artefacts and numbers the contracts.
fn contracts(
    path: &Path,
    file: &File,
    artefacts: &BTreeMap<String, Vec<u8>>,
) -> Result<(Vec<Contract>, BTreeMap<String, ContractId>), CasesError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut next = FIRST;
    let mut contracts = Vec::new();
    let mut ids = BTreeMap::new();
    let standard = |name: &str| match name {
        "registry" => Some(ContractId::REGISTRY),
        "access" => Some(ContractId::ACCESS),
        "care" => Some(ContractId::CARE),
        _ => None,
    };
    for one in &file.contracts {
        let deployed = &one.value;
        let wasm = match artefacts.get(&deployed.name) {
            Some(wasm) => wasm.clone(),
            None => {
                let place = folder.join(&deployed.wasm);
                std::fs::read(&place).map_err(|error| CasesError::Line {
                    path: path.display().to_string(),
                    line: one.referenced.line(),
                    message: format!("wasm: {}: {error}", place.display()),
                })?
            }
        };
        let id = standard(&deployed.name).unwrap_or_else(|| {
            let id = ContractId::new(next);
            next = next.saturating_add(1);
            id
        });
        ids.insert(deployed.name.clone(), id);
        contracts.push(Contract {
            id,
            name: deployed.name.clone(),
            wasm: wasm.into(),
            argument: deployed.argument.0.clone(),
        });
    }
    for (name, wasm) in artefacts {
        if let Some(id) = standard(name).filter(|id| contracts.iter().all(|one| one.id != *id)) {
            contracts.push(Contract {
                id,
                name: name.clone(),
                wasm: wasm.clone().into(),
                argument: Vec::new(),
            });
        }
    }
    Ok((contracts, ids))
}

/// A step of the set-up, which must succeed.
fn done<O>(answer: Result<crate::Answer<O>, ChainError>) -> Result<(), String> {
    let answer = answer.map_err(|error| error.to_string())?;
    answer.result.map(|_| ()).map_err(|refusal| refusal.to_string())
}
