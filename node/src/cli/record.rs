use super::CliError;
use super::output::{Output, bytes_text, table};
use super::person::{PersonArguments, address_argument};
use super::tx::{class_argument, purpose_argument};
use crate::session::Session;
use clap::Subcommand;
use salus_types::abi::access::{self, LogEntry, LogHead, Purpose, RecordClass};
use salus_types::abi::registry::PatientAddress;
use salus_types::{ContractId, Height, PrincipalId, RecordNumber, codec};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct RecordArguments {
    #[command(flatten)]
    person: PersonArguments,
    #[command(subcommand)]
    command: RecordCommand,
}

#[derive(Debug, Subcommand)]
enum RecordCommand {
    /// Seal a file for a patient, disperse it to the hospitals, and record it on the chain.
    Put {
        /// Any content of up to 16 MiB: FHIR, DICOM, PDF.
        file: PathBuf,
        /// The patient's address.
        #[arg(long, value_parser = address_argument)]
        patient: PatientAddress,
        /// What kind of record it is; this stands in the clear on the chain.
        #[arg(long, default_value = "clinical", value_parser = class_argument)]
        class: RecordClass,
    },
    /// Ask for a record, and open it if the access contract permits. Exit code 3: refused.
    Get {
        /// The patient's address.
        #[arg(long, value_parser = address_argument)]
        patient: PatientAddress,
        /// The record's number.
        #[arg(long)]
        record: u32,
        /// Why: an HL7 v3 PurposeOfUse code.
        #[arg(long, value_parser = purpose_argument)]
        purpose: Purpose,
        /// Break the glass: only doctors, only with purpose ETREAT; the patient is told and the act is reviewed.
        #[arg(long)]
        emergency: bool,
        /// Where to write the content.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Show who asked for a patient's records, and check that nothing is missing.
    Log {
        /// The patient's address.
        #[arg(long, value_parser = address_argument)]
        patient: PatientAddress,
    },
}

pub(crate) async fn run(arguments: RecordArguments, output: Output) -> Result<(), CliError> {
    let session = arguments.person.session().await?;
    match arguments.command {
        RecordCommand::Put { file, patient, class } => {
            let content = std::fs::read(&file).map_err(|error| CliError::file(&file, error))?;
            let patient = session.find_patient(&patient).await?;
            let record = session.put_record(patient, class, &content).await?;
            let text = table(&[
                ("record", record.get().to_string()),
                ("content", bytes_text(content.len() as u64)),
                ("patient", patient.to_string()),
            ]);
            output.result(
                &text,
                &json!({ "record": record.get(), "patient": patient.get(), "bytes": content.len() }),
            );
            Ok(())
        }
        RecordCommand::Get {
            patient,
            record,
            purpose,
            emergency,
            out,
        } => {
            let patient = session.find_patient(&patient).await?;
            let record = RecordNumber::new(record);
            let (decided, opened) = session.get_record(patient, record, purpose, emergency).await?;
            std::fs::write(&out, opened.content()).map_err(|error| CliError::file(&out, error))?;
            let decision = salus_client::explain(&decided.decision);
            let text = table(&[
                ("decision", decision.clone()),
                ("block", decided.height.to_string()),
                (
                    "written",
                    format!(
                        "{} ({})",
                        out.display(),
                        bytes_text(opened.content().len() as u64)
                    ),
                ),
            ]);
            output.result(
                &text,
                &json!({
                    "decision": decision,
                    "height": decided.height.get(),
                    "bytes": opened.content().len(),
                    "cid": opened.cid(),
                    "out": out.display().to_string(),
                }),
            );
            Ok(())
        }
        RecordCommand::Log { patient } => {
            let patient = session.find_patient(&patient).await?;
            let (entries, head) = access_log(&session, patient).await?;
            show_log(&session, patient, &entries, &head, output)
        }
    }
}

/// A patient's whole access log, page by page.
pub(crate) async fn access_log(
    session: &Session,
    patient: PrincipalId,
) -> Result<(Vec<LogEntry>, LogHead), CliError> {
    #[derive(Deserialize)]
    struct Page {
        entries: Vec<Row>,
        next: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Row {
        bytes: String,
    }
    let remote = session.remote();
    let tip = remote.status().await?.height.max(1);
    let first = match session.signer().principal() == patient {
        true => 1,
        // Others get tickets for so many blocks only.
        false => (tip + 1).saturating_sub(access::OPEN_HEIGHTS_MAX).max(1),
    };
    let wish = session
        .open_wish(Height::new(first), Height::new(tip), Purpose::PatientRequest)
        .await?;
    let (mut entries, mut from) = (Vec::new(), Some(0));
    while let Some(first) = from {
        let page: Page = remote
            .get_opened(
                &format!("/v1/patients/{}/log?from={first}", patient.get()),
                wish.as_ref(),
            )
            .await?;
        for row in page.entries {
            let bytes = data_encoding::BASE64
                .decode(row.bytes.as_bytes())
                .map_err(garbled)?;
            entries.push(codec::decode(&bytes, 256).map_err(garbled)?);
        }
        from = page.next;
    }
    let head = remote
        .query(ContractId::ACCESS, access::query::LOG_HEAD, &patient)
        .await?;
    Ok((entries, head))
}

fn garbled(error: impl ToString) -> CliError {
    crate::remote::RemoteError::Garbled(error.to_string()).into()
}

fn show_log(
    session: &Session,
    patient: PrincipalId,
    entries: &[LogEntry],
    head: &LogHead,
    output: Output,
) -> Result<(), CliError> {
    let complete = salus_client::verify_log(session.signer().chain(), patient, entries, head);
    complete.map_err(|error| CliError::Demo(format!("the access log is not complete: {error}")))?;
    let lines: Vec<String> = entries.iter().map(log_line).collect();
    let rows: Vec<Value> = entries.iter().map(log_json).collect();
    let note = format!(
        "{} entries; the hash chain ends where the chain's state says: nothing is missing",
        entries.len()
    );
    let text = if lines.is_empty() {
        "nobody has asked".into()
    } else {
        format!("{}\n{note}", lines.join("\n"))
    };
    output.result(
        &text,
        &json!({ "entries": rows, "count": head.count, "complete": true }),
    );
    Ok(())
}

/// One entry in plain words.
pub(crate) fn log_line(entry: &LogEntry) -> String {
    format!(
        "block {:>5}  {:<4} asked for record {} ({}{}): {}",
        entry.height,
        entry.requester.to_string(),
        entry.record.get(),
        entry.purpose.code(),
        if entry.emergency { ", emergency" } else { "" },
        salus_client::explain(&entry.decision),
    )
}

fn log_json(entry: &LogEntry) -> Value {
    json!({
        "height": entry.height,
        "requester": entry.requester.get(),
        "record": entry.record.get(),
        "purpose": entry.purpose.code(),
        "emergency": entry.emergency,
        "permitted": matches!(entry.decision, access::Decision::Permit { .. }),
        "decision": salus_client::explain(&entry.decision),
    })
}
