//! What happens in the demo, step by step. Every step checks what it shows.

use super::Summary;
use super::canaries::Canaries;
use super::network::Network;
use super::people::People;
use super::samples::Sample;
use super::tell::Teller;
use crate::cli::{CliError, access_log, bytes_text, log_line};
use crate::clock::Clock;
use crate::remote::Remote;
use salus_client::{explain, verify_log};
use salus_types::abi::access::{Decision, Grant, Purpose, Purposes, REFUSALS_TO_PENALTY, Scope, Standing};
use salus_types::{Height, PrincipalId, RecordNumber};
use serde_json::Value;
use std::fs;

/// Requests of the busy hour.
const BUSY_HOUR: usize = 500;
const DAY_MS: u64 = 24 * 3_600_000;

/// A record that was put.
struct Put<'a> {
    number: RecordNumber,
    sample: &'a Sample,
}

pub(super) async fn play(
    network: &mut Network,
    files: &[Sample],
    teller: &Teller,
) -> Result<Summary, CliError> {
    let mut story = Story {
        network,
        teller,
        summary: Summary::default(),
        canaries: Canaries::default(),
    };
    story.open_hospitals().await?;
    let mut people = story.register().await?;
    let patient = people.patient.signer().principal();
    let records = story.upload(&people, files).await?;
    story.grant_and_read(&people, &records).await?;
    let refused_at = story.refuse(&people, records.first()).await?;
    story.who_looked(&people).await?;
    story.open_block(refused_at).await?;
    story.lose_one(&mut people, patient, &records, refused_at).await?;
    story.bring_back().await?;
    story.wipe_and_repair().await?;
    story.weigh().await?;
    story.search(&people).await?;
    story.summary.seconds = (teller.seconds() * 10.0).round() / 10.0;
    Ok(story.summary)
}

struct Story<'a> {
    network: &'a mut Network,
    teller: &'a Teller,
    summary: Summary,
    canaries: Canaries,
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), CliError> {
    if holds {
        Ok(())
    } else {
        Err(CliError::Demo(what()))
    }
}

impl Story<'_> {
    async fn open_hospitals(&mut self) -> Result<(), CliError> {
        let n = self.network.size();
        self.teller.chapter("The network");
        self.teller.doing("starting validators");
        for node in 0..n {
            self.network.start(node)?;
        }
        for node in 0..n {
            self.network
                .wait(node, "connected to all", |status| {
                    usize::from(status.peers) + 1 == n
                })
                .await?;
        }
        let threshold = self.network.layout.genesis.threshold();
        self.summary.validators = u16::try_from(n).unwrap_or(u16::MAX);
        self.summary.k = threshold;
        self.teller.done(&format!(
            "{n} hospitals run a validator each; of every block each keeps one share, any {} open it",
            threshold
        ));
        Ok(())
    }

    async fn register(&mut self) -> Result<People, CliError> {
        self.teller.chapter("The people");
        self.teller.doing("registering people");
        let people = People::register(self.network).await?;
        self.teller
            .done(&format!("a patient is registered as {}", people.address_text()));
        self.teller.done(&format!(
            "so are a manager ({}), the patient's doctor ({}) and a doctor of another hospital ({})",
            people.manager.signer().principal(),
            people.doctor.signer().principal(),
            people.other_doctor.signer().principal(),
        ));
        Ok(people)
    }

    async fn upload<'f>(&mut self, people: &People, files: &'f [Sample]) -> Result<Vec<Put<'f>>, CliError> {
        self.teller.chapter("Records, sealed by the doctor's own client");
        let patient = people.doctor.find_patient(&people.address).await?;
        let mut records = Vec::new();
        for sample in files {
            self.teller
                .doing(&format!("sealing and dispersing {}", sample.name));
            let number = people
                .doctor
                .put_record(patient, sample.class, &sample.content)
                .await?;
            self.canaries.add_from(&sample.content);
            let size = bytes_text(sample.content.len() as u64);
            self.teller.done(&format!(
                "{} ({size}) is record {}, a piece at each hospital",
                sample.name,
                number.get()
            ));
            records.push(Put { number, sample });
        }
        self.summary.records = records.len();
        Ok(records)
    }

    async fn grant_and_read(&mut self, people: &People, records: &[Put<'_>]) -> Result<(), CliError> {
        self.teller.chapter("The patient's doctor");
        let until_ms = Clock::start().wall().get().saturating_add(DAY_MS);
        let grant = Grant {
            scope: Scope::All,
            purposes: Purposes::of(&[Purpose::Treatment]),
            until_ms,
        };
        let doctor = people.doctor.signer().principal();
        people
            .patient
            .send_successfully(|signer, terms| signer.grant(doctor, grant, terms))
            .await?;
        self.teller.done(&format!(
            "the patient lets {doctor} read everything for treatment, for one day"
        ));
        let patient = people.doctor.find_patient(&people.address).await?;
        for record in records {
            self.teller.doing("asking the access contract, gathering pieces");
            let (decided, opened) = people
                .doctor
                .get_record(patient, record.number, Purpose::Treatment, false)
                .await?;
            expect(opened.content() == record.sample.content, || {
                format!("{} came back changed", record.sample.name)
            })?;
            self.summary.permits += 1;
            self.teller.done(&format!(
                "{} reads {} (block {}): the bytes are equal",
                doctor, record.sample.name, decided.height
            ));
        }
        Ok(())
    }

    /// Refused until penalised; returns the height of the first refusal.
    async fn refuse(&mut self, people: &People, record: Option<&Put<'_>>) -> Result<Height, CliError> {
        self.teller.chapter("A doctor without a grant");
        let record = record.map_or(RecordNumber::new(0), |record| record.number);
        let patient = people.other_doctor.find_patient(&people.address).await?;
        let (mut penalised, mut first) = (false, None);
        for _ in 0..=REFUSALS_TO_PENALTY {
            let decided = people
                .other_doctor
                .retrieve(patient, record, Purpose::Treatment, false)
                .await?;
            let Decision::Deny { standing, .. } = decided.decision else {
                return Err(CliError::Demo("a doctor without a grant was let in".into()));
            };
            self.summary.denials += 1;
            if matches!(standing, Standing::Penalised { .. }) && !penalised {
                penalised = true;
                self.summary.penalties += 1;
            }
            first.get_or_insert(decided.height);
            self.teller.done(&format!(
                "{}: {}",
                people.other_doctor.signer().principal(),
                explain(&decided.decision)
            ));
        }
        expect(penalised, || "repeated refusals brought no penalty".into())?;
        let without_ticket = people.other_doctor.open_record(patient, record).await;
        expect(without_ticket.is_err(), || {
            "pieces were released without a ticket".into()
        })?;
        self.teller
            .done("asking the hospitals for pieces without a ticket gives nothing: each refuses by itself");
        Ok(first.unwrap_or_default())
    }

    async fn who_looked(&mut self, people: &People) -> Result<(), CliError> {
        self.teller.chapter("The patient looks who looked");
        let patient = people.patient.signer().principal();
        let (entries, head) = access_log(&people.patient, patient).await?;
        verify_log(people.patient.signer().chain(), patient, &entries, &head)
            .map_err(|error| CliError::Demo(format!("the access log is not complete: {error}")))?;
        let asked = |who: PrincipalId| entries.iter().filter(|entry| entry.requester == who).count();
        let (doctor, other) = (
            people.doctor.signer().principal(),
            people.other_doctor.signer().principal(),
        );
        expect(asked(doctor) > 0 && asked(other) > 0, || {
            "an attempt is missing in the access log".into()
        })?;
        entries
            .iter()
            .for_each(|entry| self.teller.note(&log_line(entry)));
        self.teller.done(&format!(
            "{} entries; their hash chain ends where the state says: none is missing",
            entries.len()
        ));
        Ok(())
    }

    async fn open_at(&self, remote: &Remote, height: Height) -> Result<Value, CliError> {
        let body = remote.body(height).await?;
        let used = body
            .pointer("/reconstruction/members")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        let k = usize::from(self.summary.k);
        expect(used == k, || {
            format!("block {height} was opened from {used} shares instead of {k}")
        })?;
        let content = body
            .get("transactions")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty());
        expect(content, || {
            format!("block {height} was opened, but holds no transaction")
        })?;
        Ok(body)
    }

    async fn open_block(&mut self, height: Height) -> Result<(), CliError> {
        self.teller.chapter("Opening a block that nobody keeps");
        let remote = self.network.remote(0)?;
        let body = self.open_at(&remote, height).await?;
        self.summary.blocks_opened += 1;
        let from = body
            .pointer("/reconstruction/members")
            .map(ToString::to_string)
            .unwrap_or_default();
        self.teller.done(&format!(
            "block {height} is opened from the shares of members {from}"
        ));
        Ok(())
    }

    /// kill -9, and everything goes on.
    async fn lose_one(
        &mut self,
        people: &mut People,
        patient: PrincipalId,
        records: &[Put<'_>],
        height: Height,
    ) -> Result<(), CliError> {
        let lost = self.network.size() - 1;
        self.teller.chapter(&format!("Hospital {lost} fails: kill -9"));
        self.network.kill(lost).await?;
        self.teller.doing("opening the same block without it");
        self.open_at(&self.network.remote(0)?, height).await?;
        self.summary.blocks_opened += 1;
        self.summary.blocks_opened_one_down += 1;
        self.teller.done(&format!("block {height} opens all the same"));
        if let Some(record) = records.first() {
            let (_, opened) = people
                .doctor
                .get_record(patient, record.number, Purpose::Treatment, false)
                .await?;
            expect(opened.content() == record.sample.content, || {
                "a record came back changed".into()
            })?;
            self.summary.permits += 1;
            self.teller.done(&format!(
                "{} is read again: the bytes are equal",
                record.sample.name
            ));
            self.teller.doing("a busy hour");
            let number = record.number;
            people
                .doctor
                .send_many(BUSY_HOUR, |signer, terms| {
                    signer.retrieve(patient, number, Purpose::Treatment, false, terms)
                })
                .await?;
            self.summary.permits += BUSY_HOUR as u64;
            let status = self.network.remote(0)?.status().await?;
            self.teller.done(&format!(
                "a busy hour of {BUSY_HOUR} requests is committed, up to block {}",
                status.height
            ));
        }
        Ok(())
    }

    async fn bring_back(&mut self) -> Result<(), CliError> {
        let node = self.network.size() - 1;
        self.teller.chapter(&format!("Hospital {node} comes back"));
        self.teller.doing("catching up");
        let tip = self.network.remote(0)?.status().await?.height;
        self.network.start(node)?;
        let status = self
            .network
            .wait(node, "caught up", |status| {
                status.height >= tip && !status.catching_up
            })
            .await?;
        self.summary.caught_up = true;
        self.teller
            .done(&format!("it caught up to block {}", status.height));
        self.holds_all(node, tip).await?;
        self.teller.done(&format!(
            "it holds its own share of every block up to {tip}, each checked against its header"
        ));
        Ok(())
    }

    /// Another validator asks this one for its share of every block and checks each.
    async fn holds_all(&mut self, node: usize, tip: u64) -> Result<(), CliError> {
        let n = self.network.size();
        self.network
            .wait(0, "connected to all again", |status| {
                usize::from(status.peers) + 1 == n
            })
            .await?;
        let remote = self.network.remote(0)?;
        for height in 1..=tip {
            let shares: Value = remote.get(&format!("/v1/blocks/{height}/shares")).await?;
            let holders = shares.get("shares").and_then(Value::as_array);
            let held = holders.into_iter().flatten().any(|holder| {
                holder.get("member").and_then(Value::as_u64) == Some(node as u64)
                    && holder.get("state").and_then(Value::as_str) == Some("held")
            });
            expect(held, || {
                format!("validator {node} does not hold its share of block {height}")
            })?;
        }
        Ok(())
    }

    async fn wipe_and_repair(&mut self) -> Result<(), CliError> {
        let node = 1;
        self.teller
            .chapter(&format!("Hospital {node} loses its disk of shares"));
        self.network.stop(node).await?;
        let shares = self.network.home(node)?.join("data").join("shares");
        fs::remove_dir_all(&shares).map_err(|error| CliError::file(&shares, error))?;
        self.teller.done("its share log is wiped");
        self.teller.doing("repairing from the other hospitals");
        let tip = self.network.remote(0)?.status().await?.height;
        self.network.start(node)?;
        let status = self
            .network
            .wait(node, "repaired", |status| {
                status.repair.missing == 0 && status.repair.repaired >= tip
            })
            .await?;
        self.holds_all(node, tip).await?;
        self.summary.repaired = true;
        self.teller.done(&format!(
            "it rebuilt {} shares from the others'; each is checked",
            status.repair.repaired
        ));
        Ok(())
    }

    async fn weigh(&mut self) -> Result<(), CliError> {
        self.teller.chapter("What each hospital keeps");
        let (mut kept, mut whole) = (0, 0);
        for node in 0..self.network.size() {
            let status = self.network.remote(node)?.status().await?;
            let storage = status.storage;
            kept += storage.shares_bytes;
            whole = storage.full_replication_bytes;
            self.summary.height = status.height;
            self.teller.note(&format!(
                "hospital {node}: {} of shares where all bodies are {}; headers, state and indexes {}, pieces of records {}",
                bytes_text(storage.shares_bytes),
                bytes_text(whole),
                bytes_text(storage.index_bytes),
                bytes_text(storage.pieces_bytes),
            ));
        }
        self.summary.bytes_per_node = kept / self.network.size() as u64;
        self.summary.bytes_full_replication = whole;
        let percent = 100 * self.summary.bytes_per_node / whole.max(1);
        self.teller.done(&format!(
            "on average {percent} % of what full replication keeps of bodies (1/k is {} %; compression saves some of it, small blocks cost more)",
            100 / u64::from(self.summary.k.max(1)),
        ));
        Ok(())
    }

    async fn search(&mut self, people: &People) -> Result<(), CliError> {
        self.teller
            .chapter("Searching every disk for what should not be there");
        people
            .signatures()
            .into_iter()
            .for_each(|signature| self.canaries.add(signature));
        for node in 0..self.network.size() {
            self.network.stop(node).await?;
        }
        let mut bytes = 0;
        for node in 0..self.network.size() {
            let (found, read) = self.canaries.search(self.network.home(node)?)?;
            bytes += read;
            for one in &found {
                self.teller
                    .failed(&format!("mark {} in {}", one.mark, one.file.display()));
            }
            self.summary.canaries_found += found.len();
        }
        self.teller.done(&format!(
            "{} marks (plaintext of the records, signatures of transactions) searched in {}: {} found",
            self.canaries.count(),
            bytes_text(bytes),
            self.summary.canaries_found,
        ));
        Ok(())
    }
}
