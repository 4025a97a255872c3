//! What the chain itself says was committed.

use super::BenchError;
use super::crowd::Crowd;
use salus::remote::Remote;
use serde::Deserialize;
use std::time::Duration;

/// What the blocks of a window hold.
pub(super) struct Counted {
    pub(super) transactions: usize,
    pub(super) blocks: usize,
    /// Bytes of their bodies.
    pub(super) bodies: u64,
    /// Transactions of the largest block.
    pub(super) largest: usize,
    /// From the time of the block before the window to that of its last block.
    pub(super) span: Duration,
}

#[derive(Deserialize)]
struct Body {
    header: Header,
    count: usize,
}

#[derive(Deserialize)]
struct Header {
    time_ms: u64,
    sealing: Sealing,
}

#[derive(Deserialize)]
struct Sealing {
    body_length: u64,
}

impl Counted {
    /// Transactions a second.
    pub(super) fn rate(&self) -> f64 {
        self.transactions as f64 / self.span.as_secs_f64().max(1e-9)
    }
}

/// Opens every block after `first` up to `last`, old ones from the members' shares, and counts its transactions.
pub(super) async fn count(remote: &Remote, first: u64, last: u64) -> Result<Counted, BenchError> {
    let open = async |height: u64| {
        remote
            .get::<Body>(&format!("/v1/blocks/{height}/body?limit=1"))
            .await
    };
    if last <= first {
        return Err(BenchError::Void(
            "no block was committed within the window".into(),
        ));
    }
    let start = open(first).await?.header.time_ms;
    let (mut end, mut transactions, mut largest, mut bodies) = (start, 0, 0, 0);
    for height in first + 1..=last {
        let body = open(height).await?;
        end = body.header.time_ms;
        bodies += body.header.sealing.body_length;
        transactions += body.count;
        largest = largest.max(body.count);
    }
    let blocks = usize::try_from(last - first).unwrap_or(usize::MAX);
    Ok(Counted {
        transactions,
        blocks,
        bodies,
        largest,
        span: Duration::from_millis(end.saturating_sub(start)),
    })
}

/// That the chain executed exactly what each doctor sent.
pub(super) async fn check_sequences(
    remote: &Remote,
    crowd: &Crowd,
    sent: &[usize],
) -> Result<(), BenchError> {
    for (doctor, sent) in crowd.doctors.iter().zip(sent) {
        let principal = doctor.signer.principal();
        let next = remote.next_sequence(principal).await?.get();
        let executed = next.saturating_sub(doctor.first.get());
        if usize::try_from(executed) != Ok(*sent) {
            return Err(BenchError::Void(format!(
                "{principal} sent {sent} transactions, the chain executed {executed}"
            )));
        }
    }
    Ok(())
}
