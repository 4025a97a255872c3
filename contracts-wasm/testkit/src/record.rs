//! What calls cost, written down for reports: when `SALUS_GAS_LOG` names a folder, every call adds a line to a file
//! there, one file for each process.
//!
//! ```text
//! contract <TAB> execute | query | decide <TAB> entry number or - <TAB> gas <TAB> done | deny CODE | abort CODE | failed
//! ```

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The environment variable that names the folder.
const VARIABLE: &str = "SALUS_GAS_LOG";

/// Which kind of entry was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallKind {
    /// A transaction.
    Execute,
    /// A question.
    Query,
    /// An access request.
    Decide,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// With an answer.
    Done,
    /// With a refusal of access, for this reason.
    Denied(u16),
    /// With an error code of the contract's own.
    Aborted(u16),
    /// Without any.
    Failed,
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Denied(code) => write!(f, "deny {code}"),
            Self::Aborted(code) => write!(f, "abort {code}"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

impl FromStr for Met {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a call ends with done, deny CODE, abort CODE or failed";
        match text.split_once(' ') {
            None if text == "done" => Ok(Self::Done),
            None if text == "failed" => Ok(Self::Failed),
            Some(("deny", code)) => code.parse().map(Self::Denied).map_err(|_| WRONG),
            Some(("abort", code)) => code.parse().map(Self::Aborted).map_err(|_| WRONG),
            _ => Err(WRONG),
        }
    }
}

/// What one call cost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GasEntry {
    /// The contract's name.
    pub contract: String,
    /// Which kind of entry.
    pub kind: CallKind,
    /// Its number; a decision has none.
    pub entry: Option<u8>,
    /// What it cost, as [`Answer::gas`](crate::Answer::gas) counts.
    pub gas: u64,
    /// How it ended.
    pub met: Met,
}

impl CallKind {
    /// Every kind, with the name that the log uses.
    const NAMES: [(Self, &str); 3] = [
        (Self::Execute, "execute"),
        (Self::Query, "query"),
        (Self::Decide, "decide"),
    ];
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::NAMES.into_iter().find(|(kind, _)| kind == self);
        f.write_str(found.map_or("", |(_, name)| name))
    }
}

impl fmt::Display for GasEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self
            .entry
            .map_or_else(|| "-".to_owned(), |entry| entry.to_string());
        write!(
            f,
            "{}\t{}\t{entry}\t{}\t{}",
            self.contract, self.kind, self.gas, self.met
        )
    }
}

impl FromStr for GasEntry {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a line has contract, kind, entry, gas and end, with tabs between them";
        let [contract, kind, entry, gas, met] = line
            .split('\t')
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| WRONG)?;
        let kind = CallKind::NAMES.into_iter().find(|(_, name)| *name == kind);
        Ok(Self {
            contract: contract.to_owned(),
            kind: kind.ok_or(WRONG)?.0,
            entry: match entry {
                "-" => None,
                number => Some(number.parse().map_err(|_| WRONG)?),
            },
            gas: gas.parse().map_err(|_| WRONG)?,
            met: met.parse()?,
        })
    }
}

/// Adds a line, if somebody wants a report. A report that can't be written is the reporter's concern: it finds no lines.
pub(crate) fn record(entry: &GasEntry) {
    static LOG: LazyLock<Option<Mutex<File>>> = LazyLock::new(|| {
        let folder = PathBuf::from(std::env::var_os(VARIABLE)?);
        let path = folder.join(format!("{}.tsv", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(path).ok()?;
        Some(Mutex::new(file))
    });
    if let Some(log) = LOG.as_ref() {
        let mut file = log.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(file, "{entry}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back() {
        for (kind, entry, met) in [
            (CallKind::Execute, Some(3), Met::Aborted(7)),
            (CallKind::Execute, Some(0), Met::Failed),
            (CallKind::Query, Some(1), Met::Done),
            (CallKind::Decide, None, Met::Denied(256)),
        ] {
            let one = GasEntry {
                contract: "office_hours".to_owned(),
                kind,
                entry,
                gas: 12_345,
                met,
            };
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        assert!("office_hours\tdecide\t-".parse::<GasEntry>().is_err());
        assert!("office_hours\tguess\t-\t1\tdone".parse::<GasEntry>().is_err());
    }
}
