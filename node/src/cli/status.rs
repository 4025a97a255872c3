use super::output::{Output, bytes_text, table};
use super::{CliError, NodeArguments};
use serde_json::Value;

pub(crate) async fn run(node: &NodeArguments, output: Output) -> Result<(), CliError> {
    let remote = node.remote()?;
    let status = remote.status().await?;
    let mut value: Value = remote.get("/v1/status").await?;
    let members: Value = remote.get("/v1/members").await?;
    let faults = faults(&members);
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
        ("proven faults", faults_text(&faults)),
    ]);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("faults".into(), faults.into());
    }
    output.result(&text, &value);
    Ok(())
}

/// The faults of every member that has some, with its number.
fn faults(members: &Value) -> Vec<Value> {
    let rows = members.get("members").and_then(Value::as_array);
    let guilty = |row: &Value| {
        let mut faults = row.get("faults")?.clone();
        faults.get("latest_height")?;
        let fields = faults.as_object_mut()?;
        fields.insert("member".into(), row.get("id")?.clone());
        Some(faults)
    };
    rows.into_iter().flatten().filter_map(guilty).collect()
}

fn faults_text(faults: &[Value]) -> String {
    if faults.is_empty() {
        return "none".into();
    }
    let number = |row: &Value, name: &str| row.get(name).and_then(Value::as_u64).unwrap_or_default();
    let line = |row: &Value| {
        format!(
            "member {}: {} wrong shares, {} double votes",
            number(row, "member"),
            number(row, "wrong_shares"),
            number(row, "double_votes")
        )
    };
    faults.iter().map(line).collect::<Vec<_>>().join("; ")
}
