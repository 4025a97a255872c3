use super::output::{Output, table};
use super::{CliError, NodeArguments};
use clap::Subcommand;
use salus_types::Height;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// Show a block's header and certificate.
    Show {
        /// The block's height.
        height: u64,
    },
    /// Gather shares from the members and open the block.
    Open {
        /// The block's height.
        height: u64,
    },
}

pub(crate) async fn run(
    node: &NodeArguments,
    command: &BlockCommand,
    output: Output,
) -> Result<(), CliError> {
    let remote = node.remote()?;
    match command {
        BlockCommand::Show { height } => {
            let block = remote.block(Height::new(*height)).await?;
            output.result(&header_text(block.get("header").unwrap_or(&block)), &block);
        }
        BlockCommand::Open { height } => {
            let body = remote.body(Height::new(*height)).await?;
            output.result(&body_text(*height, &body), &body);
        }
    }
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
