//! A file of cases, as it is written.

use crate::time::parse_utc;
use crate::trace::OBLIGATIONS;
use crate::who;
use data_encoding::HEXLOWER_PERMISSIVE;
use salus_abi::access::{Obligations, Purpose, RecordClass, reason};
use salus_abi::{MemberId, PrincipalId};
use salus_runtime::schema::Schema;
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes of a file, at most.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The first code that is a rule's own.
const OWN_CODE_MIN: u16 = 256;

/// Why a file is no list of cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CasesError {
    /// The file, or an artefact that it names, can't be read.
    #[error("{path}: {message}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why not.
        message: String,
    },
    /// A line is wrong.
    #[error("{path}:{line}: {message}")]
    Line {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: u64,
        /// The field and what is wrong with it.
        message: String,
    },
    /// The chain that the cases need can't be set up.
    #[error("{path}: {message}")]
    Setup {
        /// Which file.
        path: String,
        /// What failed.
        message: String,
    },
}

/// Everything in a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Contracts beside the registry and the access contract.
    #[serde(default)]
    pub contracts: Vec<Spanned<Deployed>>,
    /// Names of rules' own codes, from 256 on; those in the schemas of the artefacts are known besides.
    #[serde(default)]
    pub reasons: BTreeMap<String, u16>,
    /// Records that are there when the cases begin.
    #[serde(default)]
    pub records: Vec<Spanned<StoredRecord>>,
    /// Grants that were given when the cases begin.
    #[serde(default)]
    pub grants: Vec<Spanned<Given>>,
    /// The cases.
    pub cases: Vec<Spanned<Case>>,
}

/// A contract that is deployed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployed {
    /// What cases and reports call it; `registry` and `access` replace those that ship.
    pub name: String,
    /// Its artefact, seen from the file.
    pub wasm: PathBuf,
    /// What it is instantiated with: canonical bytes in hexadecimal.
    #[serde(default)]
    pub argument: Bytes,
    /// Whose requests it is asked about; nobody's, if absent.
    #[serde(default)]
    pub register: Option<Register>,
}

/// Whose requests a rule is asked about.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Register {
    /// Those by a hospital's people.
    Hospital(u16),
    /// Those for a class of records.
    Class(ClassName),
    /// All.
    Everywhere,
}

/// A record that is there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredRecord {
    /// Whose.
    pub patient: Person,
    /// What kind.
    #[serde(default)]
    pub class: ClassName,
    /// Who wrote it.
    pub author: Person,
}

/// A grant that was given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The patient.
    pub by: Person,
    /// Who may read.
    pub to: Person,
    /// One record only.
    #[serde(default)]
    pub record: Option<u32>,
    /// One class only.
    #[serde(default)]
    pub class: Option<ClassName>,
    /// For what.
    pub purposes: Vec<PurposeCode>,
    /// Until when.
    pub until: Point,
}

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence.
    pub name: String,
    /// Who asks.
    pub who: Person,
    /// When.
    #[serde(default)]
    pub at: Option<Point>,
    /// What for.
    pub what: Target,
    /// The rule that is asked, instead of the access contract.
    #[serde(default)]
    pub ask: Option<String>,
    /// What must come of it. Absent in recorded requests, which are only compared with one another.
    #[serde(default)]
    pub expect: Option<Expectation>,
    /// The reason that must be given: a name, or a number.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// The obligations that must come with it, these and no others.
    #[serde(default)]
    pub obligations: Option<Vec<ObligationName>>,
    /// The most it may cost.
    #[serde(default)]
    pub gas_max: Option<u64>,
}

/// What is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Whose record.
    pub patient: Person,
    /// Which one, from 0.
    #[serde(default)]
    pub record: u32,
    /// Its class, for a rule that is asked alone.
    #[serde(default)]
    pub class: ClassName,
    /// For what.
    pub purpose: PurposeCode,
    /// Whether the glass is broken.
    #[serde(default)]
    pub emergency: bool,
}

/// What must come of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// A ticket.
    Permit,
    /// A refusal, of the access contract or of a rule.
    Deny,
    /// A rule that has nothing against it.
    Abstain,
    /// A rule that has nothing against it, if obligations are met.
    Oblige,
}

/// A reason: a name, or a number.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Reason {
    /// By its number.
    Code(u16),
    /// By its name.
    Name(String),
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident($inner:ty), $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(pub $inner);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let parse: fn(&str) -> Result<$inner, String> = $parse;
                parse(&text).map(Self)
            }
        }
    };
}

word!(
    /// Somebody of the test chain.
    Person(PrincipalId),
    |text| who::named(text).ok_or_else(|| one_of("a person", text, who::NAMES.map(|(name, _)| name)))
);
word!(
    /// A class of records.
    ClassName(RecordClass),
    |text| RecordClass::from_name(text)
        .ok_or_else(|| one_of("a class of records", text, RecordClass::ALL.map(RecordClass::name)))
);
word!(
    /// An HL7 v3 code of purpose.
    PurposeCode(Purpose),
    |text| Purpose::from_code(text).ok_or_else(|| one_of("a purpose", text, Purpose::ALL.map(Purpose::code)))
);
word!(
    /// A point in time, in milliseconds since 1970.
    Point(u64),
    |text| parse_utc(text)
        .ok_or_else(|| format!("`{text}` is no time: write 2026-01-05T02:00:00Z, in UTC, or only the date"))
);
word!(
    /// What comes with a permit.
    ObligationName(Obligations),
    |text| OBLIGATIONS
        .into_iter()
        .find(|(name, _)| *name == text)
        .map(|(_, obligation)| obligation)
        .ok_or_else(|| one_of("an obligation", text, OBLIGATIONS.map(|(name, _)| name)))
);

impl Default for ClassName {
    fn default() -> Self {
        Self(RecordClass::Clinical)
    }
}

/// Bytes in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Bytes(pub Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let decoded = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        decoded
            .map(Self)
            .map_err(|_| "an argument is written in hexadecimal, two digits a byte, in quotes".to_owned())
    }
}

fn one_of<const N: usize>(what: &str, text: &str, names: [&str; N]) -> String {
    format!("`{text}` is not {what}: one of {}", names.join(", "))
}

impl Register {
    /// The scope of the access contract.
    pub(crate) const fn scope(self) -> salus_abi::access::RuleScope {
        use salus_abi::access::RuleScope;
        match self {
            Self::Hospital(number) => RuleScope::Organisation(MemberId::new(number)),
            Self::Class(class) => RuleScope::Class(class.0),
            Self::Everywhere => RuleScope::Everywhere,
        }
    }
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The line and the field that are wrong.
    pub fn read(path: &Path) -> Result<Self, CasesError> {
        let unreadable = |message: String| CasesError::Unreadable {
            path: path.display().to_string(),
            message,
        };
        let length = std::fs::metadata(path)
            .map_err(|error| unreadable(error.to_string()))?
            .len();
        if length > FILE_BYTES_MAX {
            return Err(unreadable(format!(
                "{length} bytes; at most {FILE_BYTES_MAX} are read"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        Self::parse(&text, path)
    }

    /// Reads a file's text; `path` is for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, CasesError> {
        let name = path.display().to_string();
        let file: Self = serde_saphyr::from_str(text).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            // The parser names the place; the line itself names the field.
            let field = usize::try_from(line)
                .ok()
                .and_then(|line| text.lines().nth(line.checked_sub(1)?));
            let bare = error.without_snippet();
            CasesError::Line {
                path: name.clone(),
                line,
                message: format!("{bare}, in `{}`", field.unwrap_or_default().trim()),
            }
        })?;
        file.check(&name)?;
        Ok(file)
    }

    fn check(&self, path: &str) -> Result<(), CasesError> {
        let wrong = |line, message| CasesError::Line {
            path: path.to_owned(),
            line,
            message,
        };
        for (name, code) in &self.reasons {
            if *code < OWN_CODE_MIN {
                let message =
                    format!("reasons: `{name}` is {code}, but a rule's own codes begin at {OWN_CODE_MIN}");
                return Err(wrong(1, message));
            }
        }
        for case in &self.cases {
            let line = case.referenced.line();
            let known = |name: &String| self.contracts.iter().any(|one| one.value.name == *name);
            if let Some(name) = case.value.ask.as_ref().filter(|name| !known(name)) {
                return Err(wrong(line, format!("ask: no contract is called `{name}`")));
            }
        }
        Ok(())
    }

    /// Takes over the names that an artefact's schema gives to its reasons; those of the file come first.
    pub(crate) fn name_reasons(&mut self, wasm: &[u8]) {
        let Ok(Some(schema)) = Schema::read(wasm) else {
            return;
        };
        for reason in &schema.document().reasons {
            let known = self.reasons.values().any(|code| *code == reason.code);
            if reason.code >= OWN_CODE_MIN && !known {
                self.reasons.entry(reason.name.clone()).or_insert(reason.code);
            }
        }
    }

    /// Whether every reason that a case names is known.
    pub(crate) fn check_reasons(&self, path: &Path) -> Result<(), CasesError> {
        for case in &self.cases {
            if let Some(Reason::Name(name)) = &case.value.reason
                && self.code_of(name).is_none()
            {
                return Err(CasesError::Line {
                    path: path.display().to_string(),
                    line: case.referenced.line(),
                    message: format!("reason: `{name}` is not known; name its code under `reasons`"),
                });
            }
        }
        Ok(())
    }

    /// The code of a reason's name: one of this file's, or one that every network knows.
    pub fn code_of(&self, name: &str) -> Option<u16> {
        let standard = || (1..OWN_CODE_MIN).find(|code| reason::name(*code) == name && name != "rule");
        self.reasons.get(name).copied().or_else(standard)
    }

    /// The name of a reason's code.
    pub fn name_of(&self, code: u16) -> String {
        let own = self.reasons.iter().find(|(_, other)| **other == code);
        own.map_or_else(|| crate::trace::reason_text(code), |(name, _)| name.clone())
    }
}
