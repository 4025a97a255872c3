use super::CliError;
use super::output::{Output, table};
use super::person::PersonArguments;
use super::tx::purpose_argument;
use crate::remote::{Remote, ResealStatus};
use clap::Subcommand;
use indicatif::ProgressBar;
use salus_types::Height;
use salus_types::abi::access::Purpose;
use serde_json::{Value, json};
use std::time::Duration;

/// How often progress of a reseal is looked at.
const RESEAL_POLL_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// Show a block's header and certificate.
    Show {
        /// The block's height.
        height: u64,
    },
    /// Gather shares from the members and open the block. Where the network's open policy is `ticket`: for an auditor, an admin
    /// or a patient (--key, --as), with a ticket that this asks the access contract for.
    Open {
        /// The block's height.
        height: u64,
        /// Why, for the ticket: an HL7 v3 PurposeOfUse code.
        #[arg(long, default_value = "HOPERAT", value_parser = purpose_argument)]
        purpose: Purpose,
    },
    /// Show who asked this member for its shares of blocks, and for what.
    Releases,
    /// Have old blocks dealt anew: fresh keys and shares for the present members; the old shares are deleted. For operators.
    Reseal {
        /// The first block.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// The last block; the present height if left out.
        #[arg(long)]
        to: Option<u64>,
        /// Return at once instead of waiting until all is done.
        #[arg(long)]
        no_wait: bool,
        /// End the reseal under way instead; blocks that it dealt anew stay so.
        #[arg(long, conflicts_with_all = ["from", "to"])]
        stop: bool,
    },
}

pub(crate) async fn run(
    person: &PersonArguments,
    command: &BlockCommand,
    output: Output,
) -> Result<(), CliError> {
    let remote = person.node.remote()?;
    match command {
        BlockCommand::Reseal { stop: true, .. } => {
            let session = person.session().await?;
            session
                .send_successfully(|signer, terms| signer.stop_reseal(terms))
                .await?;
            tell_reseal(&remote, output).await?;
        }
        BlockCommand::Reseal {
            from, to, no_wait, ..
        } => {
            let status = remote.status().await?;
            let to = to.unwrap_or(status.height);
            let (from, to) = (Height::new(*from), Height::new(to));
            let session = person.session().await?;
            session
                .send_successfully(|signer, terms| signer.start_reseal(from, to, terms))
                .await?;
            if !no_wait {
                wait_for_reseal(&remote, output).await?;
            }
            tell_reseal(&remote, output).await?;
        }
        BlockCommand::Show { height } => {
            let block = remote.block(Height::new(*height)).await?;
            output.result(&header_text(block.get("header").unwrap_or(&block)), &block);
        }
        BlockCommand::Open { height, purpose } => {
            let at = Height::new(*height);
            let body = match person.is_given() {
                true => person.session().await?.open_block(at, *purpose).await?,
                false => remote.body(at).await?,
            };
            output.result(&body_text(*height, &body), &body);
        }
        BlockCommand::Releases => {
            let log: Value = remote.get("/v1/releases").await?;
            output.result(&releases_text(&log), &log);
        }
    }
    Ok(())
}

/// Until no block of the job under way is left.
async fn wait_for_reseal(remote: &Remote, output: Output) -> Result<(), CliError> {
    let bar = if output.json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(0)
    };
    while let Some(job) = remote.status().await?.reseal.filter(ResealStatus::is_open) {
        bar.set_length(job.total);
        bar.set_position(job.done);
        tokio::time::sleep(RESEAL_POLL_INTERVAL).await;
    }
    bar.finish_and_clear();
    Ok(())
}

async fn tell_reseal(remote: &Remote, output: Output) -> Result<(), CliError> {
    let Some(job) = remote.status().await?.reseal else {
        output.result("no block was dealt anew", &Value::Null);
        return Ok(());
    };
    let text = format!(
        "{} of {} blocks dealt anew, from {} to {}",
        job.done, job.total, job.from, job.to
    );
    let value = json!({ "from": job.from, "to": job.to, "done": job.done, "total": job.total });
    output.result(&text, &value);
    Ok(())
}

fn field(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "-".into(),
    }
}

fn header_text(header: &Value) -> String {
    let rows = [
        "height",
        "id",
        "time_ms",
        "proposer",
        "parent",
        "share_root",
        "receipts_root",
        "state_root",
        "gas_used",
    ];
    table(&rows.map(|name| (name, field(header, name))))
}

fn body_text(height: u64, body: &Value) -> String {
    let empty = Vec::new();
    let list = |path: &str| body.pointer(path).and_then(Value::as_array).unwrap_or(&empty);
    let members: Vec<String> = list("/reconstruction/members")
        .iter()
        .map(ToString::to_string)
        .collect();
    let elapsed_ms = body
        .pointer("/reconstruction/elapsed_ms")
        .and_then(Value::as_f64)
        .unwrap_or_default();
    let mut lines = vec![format!(
        "block {height}: opened from the shares of members {} in {elapsed_ms:.1} ms, {} transactions",
        members.join(", "),
        field(body, "count"),
    )];
    for transaction in list("/transactions") {
        let receipt = transaction.get("receipt").cloned().unwrap_or_else(|| json!({}));
        lines.push(format!(
            "  {}  from p{:<4} {:<20} {}  gas {}",
            field(transaction, "id").get(..8).unwrap_or("-"),
            field(transaction, "sender"),
            transaction
                .pointer("/call/name")
                .and_then(Value::as_str)
                .unwrap_or("-"),
            if receipt.get("success") == Some(&Value::Bool(true)) {
                "done  "
            } else {
                "failed"
            },
            field(&receipt, "gas_used"),
        ));
    }
    lines.join("\n")
}

/// One line for each entry of the log, newest first.
fn releases_text(log: &Value) -> String {
    let rows = log.get("releases").and_then(Value::as_array);
    let lines: Vec<String> = rows.into_iter().flatten().map(release_line).collect();
    match lines.is_empty() {
        true => "nobody has asked since this validator was started".into(),
        false => lines.join("\n"),
    }
}

fn release_line(row: &Value) -> String {
    let for_whom = match row.get("principal").and_then(Value::as_u64) {
        Some(principal) => format!(" for p{principal}"),
        None => String::new(),
    };
    let answer = match row.get("allowed").and_then(Value::as_bool) {
        Some(true) => "given",
        _ => "refused",
    };
    format!(
        "member {}  {:<6}{for_whom}  blocks {} to {}, asked {} times: {answer}",
        field(row, "member"),
        row.get("purpose").and_then(Value::as_str).unwrap_or("-"),
        field(row, "lowest"),
        field(row, "highest"),
        field(row, "count"),
    )
}
