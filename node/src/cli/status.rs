use super::output::{Output, bytes_text, table};
use super::{CliError, NodeArguments};
use serde_json::Value;

pub(crate) async fn run(node: &NodeArguments, output: Output) -> Result<(), CliError> {
    let remote = node.remote()?;
    let status = remote.status().await?;
    let value: Value = remote.get("/v1/status").await?;
    let storage = status.storage;
    let kept = storage.shares_bytes + storage.index_bytes + storage.wal_bytes;
    let state = match (status.catching_up, status.repair.missing) {
        (true, _) => "catching up".into(),
        (false, 0) => "in step".into(),
        (false, missing) => format!("in step, repairing {missing} shares"),
    };
    let text = table(&[
        ("network", status.name),
        ("member", status.member.to_string()),
        ("height", status.height.to_string()),
        ("state", state),
        (
            "peers",
            format!("{} of {}", status.peers, status.validators.saturating_sub(1)),
        ),
        ("shares to open", status.threshold.to_string()),
        ("waiting transactions", status.mempool.to_string()),
        (
            "kept here",
            format!(
                "{} ({} of it shares)",
                bytes_text(kept),
                bytes_text(storage.shares_bytes)
            ),
        ),
        ("bodies in full", bytes_text(storage.full_replication_bytes)),
        ("pieces of records", bytes_text(storage.pieces_bytes)),
    ]);
    output.result(&text, &value);
    Ok(())
}
