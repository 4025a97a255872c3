//! Who belongs to the network: looking, proposing, voting, changing one's own keys.

use super::CliError;
use super::keys::write_keystore;
use super::output::{Output, table};
use super::person::PersonArguments;
use crate::card;
use crate::home::{Home, ValidatorKeys};
use crate::session::Session;
use clap::Subcommand;
use salus_client::Identity;
use salus_types::{
    Change, Height, Member, MemberCard, MemberChange, MemberId, MemberKeys, PassedChange, ProposalId,
    ProposalOutcome, SystemCall,
};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// For how many heights a proposal stays open unless said otherwise.
const OPEN_HEIGHTS: u64 = 10_000;

#[derive(Debug, clap::Args)]
pub(crate) struct MemberArguments {
    #[command(flatten)]
    person: PersonArguments,
    #[command(subcommand)]
    command: MemberCommand,
}

#[derive(Debug, Subcommand)]
enum MemberCommand {
    /// Show members, those that left, and open proposals with their votes.
    List,
    /// Propose a change, and approve it. For operators.
    Propose {
        #[command(subcommand)]
        change: ChangeCommand,
    },
    /// Vote on a proposal. For operators; each member has one voice.
    Vote {
        /// The proposal's number, as `salus member list` shows it.
        proposal: u32,
        /// Take an approval back.
        #[arg(long)]
        withdraw: bool,
    },
    /// Give the own validator new keys. For the member's operator; nobody votes. Start the validator again afterwards.
    Rotate {
        /// The validator's folder. Its passphrase is SALUS_PASSPHRASE or in keys/passphrase.
        #[arg(long, env = "SALUS_HOME", value_name = "DIR")]
        home: PathBuf,
    },
    /// Change the addresses under which the own validator is reached. For the member's operator; nobody votes.
    Move {
        /// A multiaddress such as /dns4/elm.example/tcp/8600; up to four.
        #[arg(long = "address", value_name = "MULTIADDR", required = true)]
        addresses: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
enum ChangeCommand {
    /// A hospital joins.
    Add {
        /// Its card, as `salus init` wrote it.
        #[arg(long, value_name = "FILE")]
        card: PathBuf,
        /// For how many heights the proposal stays open.
        #[arg(long, default_value_t = OPEN_HEIGHTS)]
        heights: u64,
    },
    /// A member leaves.
    Remove {
        /// Its number.
        member: u16,
        /// For how many heights the proposal stays open.
        #[arg(long, default_value_t = OPEN_HEIGHTS)]
        heights: u64,
    },
}

pub(crate) async fn run(arguments: MemberArguments, output: Output) -> Result<(), CliError> {
    let person = &arguments.person;
    match arguments.command {
        MemberCommand::List => list(person, output).await,
        MemberCommand::Propose { change } => propose(&person.session().await?, change, output).await,
        MemberCommand::Vote { proposal, withdraw } => {
            let call = SystemCall::Vote {
                proposal: ProposalId::new(proposal),
                approve: !withdraw,
            };
            vote(&person.session().await?, call, output).await
        }
        MemberCommand::Rotate { home } => rotate(&person.session().await?, &Home::new(home), output).await,
        MemberCommand::Move { addresses } => {
            let session = person.session().await?;
            let member = own_member(&session).await?.id;
            let call = SystemCall::SetAddresses { member, addresses };
            let (_, height) = session.system(call).await?;
            let value = json!({ "member": member.get(), "height": height.get() });
            output.result(&format!("moved in block {height}"), &value);
            Ok(())
        }
    }
}

async fn list(person: &PersonArguments, output: Output) -> Result<(), CliError> {
    let remote = person.node.remote()?;
    let members: Value = remote.get("/v1/members").await?;
    let mut proposals: Value = remote.get("/v1/proposals").await?;
    if let Some(rows) = proposals["proposals"].as_array_mut() {
        rows.retain(|row| row["contract"].is_null());
    }
    let text = listed(&members, &proposals);
    let value = json!({
        "members": members["members"],
        "former": members["former"],
        "proposals": proposals["proposals"],
    });
    output.result(&text, &value);
    Ok(())
}

fn listed(members: &Value, proposals: &Value) -> String {
    let rows = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = Vec::new();
    for member in rows(&members["members"]) {
        let part = match (&member["validating"], &member["connected"]) {
            (Value::Bool(false), _) => "not in force yet",
            (_, Value::Bool(true)) => "connected",
            _ => "not connected",
        };
        let (id, name, slot) = (&member["id"], plain(&member["name"]), &member["slot"]);
        lines.push(format!("member {id:<4} slot {slot:<4} {name:<24} {part}"));
    }
    for member in rows(&members["former"]) {
        let (id, name, slot, removed) = (
            &member["id"],
            plain(&member["name"]),
            &member["slot"],
            &member["removed"],
        );
        lines.push(format!(
            "former {id:<4} slot {slot:<4} {name:<24} removed in block {removed}"
        ));
    }
    for proposal in rows(&proposals["proposals"]) {
        let change = match &proposal["remove"] {
            Value::Null => format!("add {}", plain(&proposal["add"]["name"])),
            member => format!("remove member {member}"),
        };
        let (id, approvals, expires) = (&proposal["id"], &proposal["approvals"], &proposal["expires"]);
        let needed = &proposal["needed"];
        lines.push(format!(
            "proposal {id}: {change}; approved by {approvals}, {needed} needed; until block {expires}"
        ));
    }
    lines.join("\n")
}

async fn propose(session: &Session, change: ChangeCommand, output: Output) -> Result<(), CliError> {
    let (change, heights) = match change {
        ChangeCommand::Add { card, heights } => {
            let card = read_card(session, &card)?;
            (MemberChange::Add(Box::new(card)), heights)
        }
        ChangeCommand::Remove { member, heights } => (MemberChange::Remove(MemberId::new(member)), heights),
    };
    let height = session.remote().status().await?.height;
    let expires = Height::new(height.saturating_add(heights));
    let change = Change::Member(change);
    vote(session, SystemCall::Propose { change, expires }, output).await
}

fn read_card(session: &Session, path: &Path) -> Result<MemberCard, CliError> {
    let file = std::fs::File::open(path).map_err(|error| CliError::file(path, error))?;
    let mut text = String::new();
    file.take(card::CARD_LENGTH_MAX)
        .read_to_string(&mut text)
        .map_err(|error| CliError::file(path, error))?;
    card::from_toml(&text, session.signer().chain()).map_err(|error| CliError::file(path, error))
}

/// Sends a proposal or a vote and says what it came to.
pub(super) async fn vote(session: &Session, call: SystemCall, output: Output) -> Result<(), CliError> {
    let (receipt, height) = session.system(call).await?;
    let outcome: ProposalOutcome = receipt.output().map_err(CliError::from)?;
    let mut rows = vec![
        ("proposal", outcome.proposal.to_string()),
        (
            "approvals",
            format!("{} of {} needed", outcome.approvals, outcome.needed),
        ),
        ("block", height.to_string()),
    ];
    let mut value = json!({
        "proposal": outcome.proposal.get(),
        "approvals": outcome.approvals,
        "needed": outcome.needed,
        "passed": outcome.passed.is_some(),
        "height": height.get(),
    });
    match outcome.passed {
        Some(PassedChange::Added { member, admin }) => {
            rows.push((
                "passed",
                format!(
                    "member {} joins; its admin is principal {}",
                    member.get(),
                    admin.get()
                ),
            ));
            value["member"] = member.get().into();
            value["admin"] = admin.get().into();
        }
        Some(PassedChange::Removed { member }) => {
            rows.push(("passed", format!("member {} leaves", member.get())));
            value["member"] = member.get().into();
        }
        Some(PassedChange::Waits { from }) => {
            rows.push((
                "passed",
                format!("can be enacted from {}", salus_client::utc_text(from.get())),
            ));
            value["ready_ms"] = from.get().into();
        }
        Some(PassedChange::Frozen { contract }) => {
            rows.push(("passed", format!("contract {} is frozen", contract.get())));
            value["contract"] = contract.get().into();
        }
        Some(PassedChange::Unfrozen { contract }) => {
            rows.push(("passed", format!("contract {} answers again", contract.get())));
            value["contract"] = contract.get().into();
        }
        None => {}
    }
    output.result(&table(&rows), &value);
    Ok(())
}

/// Draws new keys, writes them into the folder, and only then tells the chain.
async fn rotate(session: &Session, home: &Home, output: Output) -> Result<(), CliError> {
    let member = own_member(session).await?;
    let passphrase = home
        .passphrase()
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let file = home.next_key_file();
    let fresh = Identity::from_seed(&crate::random_bytes());
    write_keystore(&file, &fresh, &passphrase)?;
    let secrets = ValidatorKeys::from_seed(&fresh.signing().seed());
    let keys: MemberKeys = secrets.public();
    let pair = (&secrets.consensus, &secrets.network);
    let proof = keys.prove(&member.name, None, pair, session.signer().chain());
    let (keys, proof) = (Box::new(keys), Box::new(proof));
    let (_, height) = session
        .system(SystemCall::RotateMemberKeys { keys, proof })
        .await?;
    let text = table(&[
        ("member", member.id.get().to_string()),
        ("new keys", file.display().to_string()),
        ("block", height.to_string()),
        (
            "next",
            "the validator starts anew by itself, within seconds; it signs one height more with the old keys"
                .into(),
        ),
    ]);
    output.result(
        &text,
        &json!({ "member": member.id.get(), "key": file.display().to_string(), "height": height.get() }),
    );
    Ok(())
}

/// The member for which the session's operator speaks.
async fn own_member(session: &Session) -> Result<Member, CliError> {
    let organisation = session.organisation().await?;
    let members = session.remote().members().await?;
    let own = members.into_iter().find(|member| member.id == organisation);
    own.ok_or_else(|| CliError::Usage("your hospital is no member of this network".into()))
}
