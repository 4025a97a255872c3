//! The event stream of a validator, read as a monitor would.

use super::BenchError;
use serde::Deserialize;

/// Something the chain did, as the stream tells it.
pub(super) enum Seen {
    /// A block was committed; its access events follow.
    Block { height: u64 },
    /// A request for a record was decided.
    Access { requester: u32, permitted: bool },
}

/// An event stream that is being read.
pub(super) struct Stream {
    response: reqwest::Response,
    buffer: Vec<u8>,
    /// The kind of the event whose lines are being read.
    kind: String,
}

#[derive(Deserialize)]
struct BlockEvent {
    height: u64,
}

#[derive(Deserialize)]
struct AccessEvent {
    requester: u32,
    decision: Decision,
}

#[derive(Deserialize)]
struct Decision {
    outcome: String,
}

impl Stream {
    /// Subscribes to what happens from now on.
    pub(super) async fn open(http: &reqwest::Client, base: &str) -> Result<Self, BenchError> {
        let response = http
            .get(format!("{base}/v1/events"))
            .send()
            .await?
            .error_for_status()?;
        Ok(Self {
            response,
            buffer: Vec::new(),
            kind: String::new(),
        })
    }

    /// Waits for more of the stream, and hands on all events that are complete.
    pub(super) async fn next(&mut self, mut seen: impl FnMut(Seen)) -> Result<(), BenchError> {
        let Some(bytes) = self.response.chunk().await? else {
            return Err(BenchError::Void("the event stream ended".into()));
        };
        self.buffer.extend_from_slice(&bytes);
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = buffer.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if let Some(event) = self.line(line)? {
                seen(event);
            }
        }
        self.buffer = rest.to_vec();
        Ok(())
    }

    /// Reads a line of the stream: `event: kind` comes before `data: json`.
    fn line(&mut self, line: &[u8]) -> Result<Option<Seen>, BenchError> {
        let strange =
            |error: serde_json::Error| BenchError::Void(format!("the event stream makes no sense: {error}"));
        if let Some(kind) = line.strip_prefix(b"event: ") {
            self.kind = String::from_utf8_lossy(kind).into_owned();
        }
        let Some(data) = line.strip_prefix(b"data: ") else {
            return Ok(None);
        };
        match self.kind.as_str() {
            "block" => {
                let BlockEvent { height } = serde_json::from_slice(data).map_err(strange)?;
                Ok(Some(Seen::Block { height }))
            }
            "access" => {
                let AccessEvent { requester, decision } = serde_json::from_slice(data).map_err(strange)?;
                Ok(Some(Seen::Access {
                    requester,
                    permitted: decision.outcome == "permit",
                }))
            }
            "dropped" | "closing" => Err(BenchError::Void(format!(
                "the event stream ended: {}",
                String::from_utf8_lossy(data)
            ))),
            _ => Ok(None),
        }
    }
}
