use super::output::{Output, table};
use super::person::{PersonArguments, address_argument, load_identity};
use super::{CliError, keys};
use crate::clock::Clock;
use crate::session::Session;
use clap::{Subcommand, ValueEnum};
use salus_client::{PublicIdentity, address_text};
use salus_types::abi::access::{Grant, Purpose, Purposes, RecordClass, Scope};
use salus_types::abi::registry::{PatientAddress, Role};
use salus_types::{PrincipalId, RecordNumber, TransactionId};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct TxArguments {
    #[command(flatten)]
    person: PersonArguments,
    #[command(subcommand)]
    command: TxCommand,
}

#[derive(Debug, Subcommand)]
enum TxCommand {
    /// Register a person (AddUser). For admins and managers.
    AddUser {
        /// What the person does.
        #[arg(long)]
        role: RoleArgument,
        /// The person's keystore (only its public keys are used; its passphrase is SALUS_PASSPHRASE or asked for).
        #[arg(long, value_name = "FILE")]
        of: PathBuf,
        /// A patient's area code, 0 to 65535.
        #[arg(long, requires = "record_number", conflicts_with = "address")]
        area: Option<u16>,
        /// A patient's medical record number; it never leaves this machine, only its pseudonym does.
        #[arg(long = "medical-record-number", id = "record_number", requires = "area")]
        record_number: Option<String>,
        /// For a device: its owner's patient address.
        #[arg(long, value_parser = address_argument)]
        address: Option<PatientAddress>,
    },
    /// Remove a person (DeleteUser). For admins and managers.
    DeleteUser {
        /// The person's number.
        principal: u32,
    },
    /// Let someone read. For patients.
    Grant {
        /// The reader's number.
        #[arg(long)]
        to: u32,
        /// One record only.
        #[arg(long, conflicts_with = "class")]
        record: Option<u32>,
        /// One class of records only.
        #[arg(long, value_parser = class_argument)]
        class: Option<RecordClass>,
        /// For what; may be given several times.
        #[arg(long = "purpose", value_parser = purpose_argument, default_value = "TREAT")]
        purposes: Vec<Purpose>,
        /// For how long.
        #[arg(long, default_value_t = 24 * 30)]
        hours: u64,
    },
    /// End a grant, or all grants to someone. For patients.
    Revoke {
        /// The reader's number.
        #[arg(long)]
        from: u32,
        /// One grant only.
        #[arg(long)]
        grant: Option<u32>,
    },
    /// Lift a penalty. For admins.
    LiftPenalty {
        /// The penalised person's number.
        principal: u32,
    },
    /// Change one's own keys.
    RotateKeys {
        /// The new keystore.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Look a transaction up.
    Show {
        /// Its id.
        id: TransactionId,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArgument {
    Patient,
    Doctor,
    Manager,
    Admin,
    Operator,
    Device,
    Auditor,
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Patient => Self::Patient,
            RoleArgument::Doctor => Self::Doctor,
            RoleArgument::Manager => Self::Manager,
            RoleArgument::Admin => Self::Admin,
            RoleArgument::Operator => Self::Operator,
            RoleArgument::Device => Self::Device,
            RoleArgument::Auditor => Self::Auditor,
        }
    }
}

/// An HL7 v3 PurposeOfUse code as a command's argument.
pub(crate) fn purpose_argument(code: &str) -> Result<Purpose, String> {
    let codes: Vec<&str> = Purpose::ALL.iter().map(|purpose| purpose.code()).collect();
    Purpose::from_code(&code.to_uppercase()).ok_or_else(|| format!("one of {}", codes.join(", ")))
}

/// A class of records as a command's argument.
pub(crate) fn class_argument(name: &str) -> Result<RecordClass, String> {
    let names: Vec<&str> = RecordClass::ALL.iter().map(|class| class.name()).collect();
    RecordClass::from_name(name).ok_or_else(|| format!("one of {}", names.join(", ")))
}

pub(crate) async fn run(arguments: TxArguments, output: Output) -> Result<(), CliError> {
    if let TxCommand::Show { id } = &arguments.command {
        let transaction: Value = arguments
            .person
            .node
            .remote()?
            .get(&format!("/v1/transactions/{id}"))
            .await?;
        let text = serde_json::to_string_pretty(&transaction).unwrap_or_default();
        output.result(&text, &transaction);
        return Ok(());
    }
    let session = arguments.person.session().await?;
    match arguments.command {
        TxCommand::AddUser {
            role,
            of,
            area,
            record_number,
            address,
        } => {
            let linked = area.zip(record_number);
            let address = match linked {
                Some((area, number)) => Some(patient_address(&session, area, &number)?),
                None => address,
            };
            add_user(&session, role.into(), &of, address, output).await
        }
        TxCommand::DeleteUser { principal } => {
            let principal = PrincipalId::new(principal);
            let (_, height) = session
                .send_successfully(|signer, terms| signer.delete_user(principal, terms))
                .await?;
            done("deleted", height.get(), output)
        }
        TxCommand::Grant {
            to,
            record,
            class,
            purposes,
            hours,
        } => {
            let scope = match (record, class) {
                (Some(record), _) => Scope::Record(RecordNumber::new(record)),
                (None, Some(class)) => Scope::Class(class),
                (None, None) => Scope::All,
            };
            let until_ms = Clock::start()
                .wall()
                .get()
                .saturating_add(hours.saturating_mul(3_600_000));
            let grant = Grant {
                scope,
                purposes: Purposes::of(&purposes),
                until_ms,
            };
            let to = PrincipalId::new(to);
            let (receipt, height) = session
                .send_successfully(|signer, terms| signer.grant(to, grant, terms))
                .await?;
            let number: u32 = receipt.output().map_err(CliError::from)?;
            let text = table(&[
                ("grant", number.to_string()),
                ("ends", salus_client::utc_text(until_ms)),
                ("block", height.to_string()),
            ]);
            output.result(
                &text,
                &json!({ "grant": number, "until_ms": until_ms, "height": height.get() }),
            );
            Ok(())
        }
        TxCommand::Revoke { from, grant } => {
            let from = PrincipalId::new(from);
            let (_, height) = session
                .send_successfully(|signer, terms| signer.revoke(from, grant, terms))
                .await?;
            output.note("Future reads are refused from now on. What was read before can't be called back.");
            done("revoked", height.get(), output)
        }
        TxCommand::LiftPenalty { principal } => {
            let principal = PrincipalId::new(principal);
            let (_, height) = session
                .send_successfully(|signer, terms| signer.lift_penalty(principal, terms))
                .await?;
            done("lifted", height.get(), output)
        }
        TxCommand::RotateKeys { to } => {
            let new = load_identity(&to)?;
            let (_, height) = session
                .send_successfully(|signer, terms| signer.rotate_keys(&new, terms))
                .await?;
            done("rotated", height.get(), output)
        }
        TxCommand::Show { .. } => Ok(()),
    }
}

fn done(what: &str, height: u64, output: Output) -> Result<(), CliError> {
    output.result(
        &format!("{what} in block {height}"),
        &json!({ "done": what, "height": height }),
    );
    Ok(())
}

async fn add_user(
    session: &Session,
    role: Role,
    keystore: &std::path::Path,
    address: Option<PatientAddress>,
    output: Output,
) -> Result<(), CliError> {
    let keys: PublicIdentity = load_identity(keystore)?.public();
    let (receipt, height) = session
        .send_successfully(|signer, terms| signer.add_user(&keys, role, address, terms))
        .await?;
    let principal: PrincipalId = receipt.output().map_err(CliError::from)?;
    let address = address.map(|address| address_text(&address));
    let mut rows = vec![
        ("number", principal.get().to_string()),
        ("block", height.to_string()),
    ];
    rows.extend(address.clone().map(|address| ("address", address)));
    output.result(
        &table(&rows),
        &json!({ "principal": principal.get(), "address": address, "height": height.get() }),
    );
    Ok(())
}

/// The pseudonym of a patient under the registering hospital's linkage key, which is derived from the caller's keys.
pub(crate) fn patient_address(
    session: &Session,
    area: u16,
    number: &str,
) -> Result<PatientAddress, CliError> {
    keys::linkage_key(session.signer().identity())
        .address(area, number)
        .map_err(|error| CliError::Usage(error.to_string()))
}
