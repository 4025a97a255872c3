//! `salus sharelog`: what stands in the share log of a validator that does not run.

use super::CliError;
use super::output::{Output, bytes_text, table};
use crate::home::{Home, HomeError};
use crate::view::resealed_terms;
use clap::Subcommand;
use salus_genesis::Genesis;
use salus_seal::CheckedShare;
use salus_store::{InspectedRecord, KeyCheck, ShareLogItem, StoreKey, StoreLock, inspect_share_log};
use salus_types::{ChainId, Height, ShareCommitment};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Damaged places and refused records that are listed one by one, at most.
const FINDINGS_MAX: usize = 100;

#[derive(Debug, Subcommand)]
pub(crate) enum ShareLogCommand {
    /// List segments, heights and sizes. Never shows a byte of a share.
    Inspect(Where),
    /// Check every record: its checksum, its header's id, its share against the share root. Exit code 1 if one fails.
    Verify(Where),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The validator's folder; its keys open the key shares, which `verify` needs to check whole shares.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "data",
        required_unless_present = "data"
    )]
    home: Option<PathBuf>,
    /// A data folder alone, or a copy of one: without keys and, unless genesis.toml stands beside it, without the network's id.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Only the records of this block, each in detail.
    #[arg(long)]
    height: Option<u64>,
}

/// What is to be read, and with what.
struct Source {
    shares: PathBuf,
    key: Option<StoreKey>,
    chain: Option<ChainId>,
    _lock: Option<StoreLock>,
}

/// What was found.
#[derive(Default)]
struct Findings {
    segments: Vec<Segment>,
    /// How many records of each height.
    heights: BTreeMap<Height, u32>,
    /// Records asked for by height.
    records: Vec<Value>,
    /// What is wrong, for people.
    wrong: Vec<String>,
    wrong_count: u64,
    /// Shares checked against their root, whole.
    checked: u64,
    /// Records whose key share could not be opened for want of the key.
    without_key: u64,
    /// Records whose id could not be compared for want of the network's.
    without_chain: u64,
    /// How many of those are of later dealings than their blocks' own.
    resealed: u64,
}

#[derive(Default)]
struct Segment {
    number: u32,
    bytes: u64,
    records: u64,
    fragment_bytes: u64,
    record_bytes: u64,
    heights: Option<(Height, Height)>,
    damaged_bytes: u64,
}

pub(crate) fn run(command: &ShareLogCommand, output: Output) -> Result<(), CliError> {
    let (place, verifies) = match command {
        ShareLogCommand::Inspect(place) => (place, false),
        ShareLogCommand::Verify(place) => (place, true),
    };
    let source = open(place)?;
    let mut findings = Findings::default();
    inspect_share_log(&source.shares, source.key.as_ref(), &mut |item| {
        findings.take(item, &source, place.height, verifies);
    })
    .map_err(crate::validator::ValidatorError::Store)?;
    output.result(
        &findings.text(&source, place.height, verifies),
        &findings.json(verifies),
    );
    match findings.wrong_count {
        0 => Ok(()),
        count => Err(CliError::Damaged(format!(
            "the share log is damaged in {count} {}: the validator rebuilds what that costs from other members",
            if count == 1 { "place" } else { "places" }
        ))),
    }
}

fn open(place: &Where) -> Result<Source, CliError> {
    let (data, key, genesis) = match (&place.home, &place.data) {
        (Some(folder), _) => {
            let home = Home::new(folder);
            (home.data(), storage_key(&home)?, home.genesis())
        }
        (None, Some(data)) => {
            let beside = data.parent().unwrap_or(Path::new(".")).join("genesis.toml");
            (data.clone(), None, beside)
        }
        (None, None) => return Err(CliError::Usage("name a folder: --home or --data".into())),
    };
    let shares = data.join("shares");
    if !shares.is_dir() {
        return Err(CliError::file(
            &shares,
            "there is no such folder: is it a data folder?",
        ));
    }
    let chain = match std::fs::read_to_string(&genesis) {
        Ok(text) => Some(Genesis::from_toml(&text).map_err(|error| CliError::file(&genesis, error))?),
        Err(_) => None,
    };
    Ok(Source {
        shares,
        key,
        chain: chain.map(|genesis| genesis.chain_id()),
        _lock: StoreLock::of_stopped(&data).map_err(crate::validator::ValidatorError::Store)?,
    })
}

/// The key under which the shares were kept; `None` if there is no passphrase to open it with.
fn storage_key(home: &Home) -> Result<Option<StoreKey>, CliError> {
    match home.storage_key() {
        Ok(key) => Ok(Some(StoreKey::new(*key))),
        Err(HomeError::NoPassphrase(_)) => Ok(None),
        Err(error) => Err(crate::validator::ValidatorError::Home(error).into()),
    }
}

impl Findings {
    fn take(&mut self, item: ShareLogItem, source: &Source, height: Option<u64>, verifies: bool) {
        match item {
            ShareLogItem::Segment {
                number,
                bytes,
                head_is_sound,
            } => {
                self.segments.push(Segment {
                    number,
                    bytes,
                    ..Segment::default()
                });
                if !head_is_sound {
                    self.note(format!("segment {number}: its head is damaged"));
                }
            }
            ShareLogItem::Damage(damage) => {
                let bytes = damage.to.saturating_sub(damage.from);
                if let Some(segment) = self.segments.last_mut() {
                    segment.damaged_bytes = segment.damaged_bytes.saturating_add(bytes);
                }
                let (segment, from, to) = (damage.segment, damage.from, damage.to);
                self.note(format!(
                    "segment {segment}: bytes {from} to {to} hold no sound record"
                ));
            }
            ShareLogItem::Record(record) => {
                if height.is_none_or(|height| record.header.height.get() == height) {
                    self.take_record(&record, source, height.is_some(), verifies);
                }
            }
        }
    }

    fn take_record(&mut self, record: &InspectedRecord, source: &Source, shown: bool, verifies: bool) {
        let height = record.header.height;
        if let Some(segment) = self.segments.last_mut() {
            segment.add(record);
        }
        let count = self.heights.entry(height).or_default();
        *count = count.saturating_add(1);
        let refusal = if verifies {
            self.check(record, source)
        } else {
            None
        };
        if shown {
            self.records.push(record_json(record, refusal.as_deref()));
        }
        if let Some(reason) = refusal {
            let at = record.location;
            self.note(format!(
                "segment {}, byte {}, height {height}: {reason}",
                at.segment(),
                at.offset()
            ));
        }
    }

    /// Why a record whose checksum holds is wrong all the same.
    fn check(&mut self, record: &InspectedRecord, source: &Source) -> Option<String> {
        match source.chain {
            None => self.without_chain = self.without_chain.saturating_add(1),
            Some(chain) if record.header.id(&chain) != record.block => {
                return Some("the block's id is not that of its header in this network".into());
            }
            Some(_) => {}
        }
        match &record.key {
            KeyCheck::NoKey => self.without_key = self.without_key.saturating_add(1),
            KeyCheck::Refuses => return Some("the storage key does not open its key share".into()),
            KeyCheck::Opens(share) => {
                let Some(dealing) = dealing_of(record) else {
                    return Some("it does not say which dealing its share is of".into());
                };
                if let Err(error) = CheckedShare::check(share.clone(), dealing) {
                    return Some(format!("the share does not belong to the block: {error}"));
                }
                self.checked = self.checked.saturating_add(1);
                self.resealed = self.resealed.saturating_add(u64::from(dealing.is_reseal()));
            }
        }
        None
    }

    fn note(&mut self, what: String) {
        self.wrong_count = self.wrong_count.saturating_add(1);
        if self.wrong.len() < FINDINGS_MAX {
            self.wrong.push(what);
        }
    }

    /// Heights between the first and the last of which no record was found.
    fn gaps(&self) -> Vec<RangeInclusive<u64>> {
        let mut gaps = Vec::new();
        let mut expected: Option<u64> = None;
        for height in self.heights.keys().map(|height| height.get()) {
            if let Some(expected) = expected.filter(|expected| *expected < height) {
                gaps.push(expected..=height.saturating_sub(1));
            }
            expected = Some(height.saturating_add(1));
        }
        gaps
    }

    fn total(&self) -> Segment {
        let mut total = Segment::default();
        for segment in &self.segments {
            total.bytes = total.bytes.saturating_add(segment.bytes);
            total.records = total.records.saturating_add(segment.records);
            total.fragment_bytes = total.fragment_bytes.saturating_add(segment.fragment_bytes);
            total.record_bytes = total.record_bytes.saturating_add(segment.record_bytes);
            total.damaged_bytes = total.damaged_bytes.saturating_add(segment.damaged_bytes);
        }
        total
    }

    fn text(&self, source: &Source, height: Option<u64>, verifies: bool) -> String {
        let mut lines = Vec::new();
        match height {
            None => lines.extend(self.segments.iter().map(Segment::text)),
            Some(_) => lines.extend(self.records.iter().map(record_text)),
        }
        lines.push(self.summary(source, verifies));
        lines.extend(self.wrong.iter().map(|wrong| format!("damaged: {wrong}")));
        lines.join("\n")
    }

    fn summary(&self, source: &Source, verifies: bool) -> String {
        let total = self.total();
        let duplicates: u64 = self
            .heights
            .values()
            .map(|count| u64::from(count.saturating_sub(1)))
            .sum();
        let gaps = self.gaps();
        let gaps_text = match gaps.is_empty() {
            true => "none".into(),
            false => ranges_text(&gaps),
        };
        let mut rows = vec![
            (
                "segments",
                format!("{} ({})", self.segments.len(), bytes_text(total.bytes)),
            ),
            ("records", total.records.to_string()),
            ("heights", self.heights_text()),
            ("further records of a height", duplicates.to_string()),
            ("heights without a record", gaps_text),
            ("fragments", bytes_text(total.fragment_bytes)),
            ("overhead", overhead_text(&total)),
            ("damaged bytes", total.damaged_bytes.to_string()),
        ];
        if verifies {
            rows.push(("shares checked whole", self.checked.to_string()));
            rows.push(("of these of resealed blocks", self.resealed.to_string()));
            let reasons = self.unchecked(source);
            if !reasons.is_empty() {
                rows.push(("not checked", reasons.join("; ")));
            }
        }
        table(&rows)
    }

    fn heights_text(&self) -> String {
        match (self.heights.first_key_value(), self.heights.last_key_value()) {
            (Some((first, _)), Some((last, _))) => format!("{first} to {last}"),
            _ => "none".into(),
        }
    }

    fn unchecked(&self, source: &Source) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.without_key > 0 {
            let how = match source.key.is_some() {
                true => "",
                false => {
                    ", which take the validator's keys (--home, and SALUS_PASSPHRASE or keys/passphrase)"
                }
            };
            reasons.push(format!(
                "key shares and share roots of {} records{how}",
                self.without_key
            ));
        }
        if self.without_chain > 0 {
            reasons.push(format!(
                "ids of {} blocks, for want of genesis.toml",
                self.without_chain
            ));
        }
        reasons
    }

    fn json(&self, verifies: bool) -> Value {
        let total = self.total();
        let gaps: Vec<Value> = self
            .gaps()
            .iter()
            .map(|gap| json!([gap.start(), gap.end()]))
            .collect();
        let mut value = json!({
            "segments": self.segments.iter().map(Segment::json).collect::<Vec<_>>(),
            "records": total.records,
            "bytes": total.bytes,
            "fragment_bytes": total.fragment_bytes,
            "overhead_bytes": total.record_bytes.saturating_sub(total.fragment_bytes),
            "heights": self.heights.len(),
            "gaps": gaps,
            "damaged_places": self.wrong_count,
            "damage": self.wrong,
        });
        if !self.records.is_empty() {
            value["found"] = json!(self.records);
        }
        if verifies {
            value["checked"] = json!({
                "whole": self.checked,
                "without_key": self.without_key,
                "without_chain": self.without_chain,
                "resealed": self.resealed,
            });
        }
        value
    }
}

/// What a record's share is checked against: its header, or the later dealing that it names for the same block.
fn dealing_of(record: &InspectedRecord) -> Option<ShareCommitment> {
    match &record.resealing {
        None => Some((&record.header).into()),
        Some(kept) => resealed_terms(kept).filter(|dealing| dealing.height == record.header.height),
    }
}

impl Segment {
    fn add(&mut self, record: &InspectedRecord) {
        self.records = self.records.saturating_add(1);
        self.record_bytes = self.record_bytes.saturating_add(record.bytes);
        self.fragment_bytes = self.fragment_bytes.saturating_add(record.fragment_bytes);
        let height = record.header.height;
        self.heights = Some(match self.heights {
            None => (height, height),
            Some((low, high)) => (low.min(height), high.max(height)),
        });
    }

    fn text(&self) -> String {
        let heights = match self.heights {
            Some((low, high)) => format!("heights {low} to {high}"),
            None => "empty".into(),
        };
        let damage = match self.damaged_bytes {
            0 => String::new(),
            bytes => format!(", {bytes} bytes damaged"),
        };
        format!(
            "segment {:08}  {:>10}  {:>6} records  {heights}{damage}",
            self.number,
            bytes_text(self.bytes),
            self.records
        )
    }

    fn json(&self) -> Value {
        json!({
            "number": self.number,
            "bytes": self.bytes,
            "records": self.records,
            "fragment_bytes": self.fragment_bytes,
            "heights": self.heights.map(|(low, high)| [low.get(), high.get()]),
            "damaged_bytes": self.damaged_bytes,
        })
    }
}

fn overhead_text(total: &Segment) -> String {
    let overhead = total.record_bytes.saturating_sub(total.fragment_bytes);
    match overhead.checked_div(total.records) {
        None => "none".into(),
        Some(each) => format!("{} ({each} bytes a record)", bytes_text(overhead)),
    }
}

fn ranges_text(ranges: &[RangeInclusive<u64>]) -> String {
    const SHOWN_MAX: usize = 8;
    let shown = ranges
        .iter()
        .take(SHOWN_MAX)
        .map(|range| match range.start() == range.end() {
            true => range.start().to_string(),
            false => format!("{}-{}", range.start(), range.end()),
        });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if let Some(more) = ranges.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn record_json(record: &InspectedRecord, refusal: Option<&str>) -> Value {
    let sealing = record.header.sealing;
    json!({
        "segment": record.location.segment(),
        "offset": record.location.offset(),
        "bytes": record.bytes,
        "fragment_bytes": record.fragment_bytes,
        "height": record.header.height.get(),
        "block": record.block.to_string(),
        "generation": record.generation().get(),
        "slot": record.slot.get(),
        "threshold": sealing.threshold,
        "slots": sealing.slots,
        "share_root": record.resealing.as_ref().map_or(record.header.share_root, |one| one.share_root).to_string(),
        "key_share": match record.key {
            KeyCheck::Opens(_) => "opens",
            KeyCheck::Refuses => "refused",
            KeyCheck::NoKey => "not tried",
        },
        "refused": refusal,
    })
}

fn record_text(record: &Value) -> String {
    let names = [
        "height",
        "generation",
        "block",
        "share_root",
        "slot",
        "threshold",
        "slots",
        "segment",
        "offset",
        "bytes",
        "fragment_bytes",
        "key_share",
        "refused",
    ];
    let rows: Vec<(&str, String)> = names
        .iter()
        .filter_map(|name| match record.get(*name)? {
            Value::Null => None,
            Value::String(text) => Some((*name, text.clone())),
            other => Some((*name, other.to_string())),
        })
        .collect();
    table(&rows) + "\n"
}
