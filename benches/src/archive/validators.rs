//! Four validators that keep blocks of a given size, are restarted, and lose a share log.

use super::ArchiveError;
use crate::disk::DataFolder;
use crate::numbers::Numbers;
use salus::remote::Remote;
use salus_client::{Signer, Terms};
use salus_tests::Network;
use salus_tests::people::GAS_LIMIT;
use salus_types::{ContractId, Height, PrincipalId, Sequence, UnverifiedTransaction};
use serde::Deserialize;
use std::fs;
use std::time::Duration;
use tokio::time::sleep;

/// An entry that the access contract does not have: the transaction is taken, stored and fails.
const NO_ENTRY: u8 = 250;
/// How many heights what is sent here stays valid.
const VALID_HEIGHTS: u64 = 50_000;
/// How often something that is waited for is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How often that is done before the run is void.
const POLLS_MAX: usize = 12_000;

/// How to fill blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling {
    /// Bytes of a transaction's input, which no compressor shortens.
    pub(super) input_bytes: usize,
    /// Transactions of each sender that are under way together.
    pub(super) at_once: usize,
    /// Hospitals whose managers send.
    pub(super) senders: u16,
}

/// What was committed, and what every validator's folder holds after it.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    /// The blocks' heights and the lengths of their bodies.
    pub(super) blocks: Vec<(u64, u64)>,
    pub(super) folders: Vec<DataFolder>,
}

#[derive(Deserialize)]
struct Block {
    header: Header,
}

#[derive(Deserialize)]
struct Header {
    sealing: Sealing,
}

#[derive(Deserialize)]
struct Sealing {
    body_length: u64,
}

#[derive(Deserialize)]
struct Body {
    reconstruction: Reconstruction,
}

#[derive(Deserialize)]
struct Reconstruction {
    members: Vec<u16>,
    elapsed_ms: f64,
    cached: bool,
}

impl Filled {
    /// Bytes of all bodies.
    pub(super) fn bodies(&self) -> u64 {
        self.blocks.iter().map(|(_, length)| length).sum()
    }
}

/// Someone who sends, and where.
struct Sender {
    signer: Signer,
    remote: Remote,
    next: Sequence,
    expires: Height,
}

impl Sender {
    async fn of(network: &Network, member: u16) -> Result<Self, ArchiveError> {
        let signer = network.staff("manager", member)?;
        let remote = network.remote(member.into())?;
        let next = remote.next_sequence(signer.principal()).await?;
        let height = remote.status().await?.height;
        Ok(Self {
            signer,
            remote,
            next,
            expires: Height::new(height.saturating_add(VALID_HEIGHTS)),
        })
    }

    fn transactions(&mut self, filling: &Filling, numbers: &mut Numbers) -> Vec<UnverifiedTransaction> {
        let mut transactions = Vec::new();
        for _ in 0..filling.at_once {
            let terms = Terms {
                sequence: self.next,
                expires: self.expires,
                gas_limit: GAS_LIMIT,
            };
            let input = numbers.bytes(filling.input_bytes);
            transactions.push(self.signer.call(ContractId::ACCESS, NO_ENTRY, &input, terms));
            self.next = self.next.saturating_add(1);
        }
        transactions
    }
}

/// Makes at least so many blocks.
pub(super) async fn fill(
    network: &Network,
    filling: &Filling,
    blocks: u64,
    numbers: &mut Numbers,
) -> Result<Filled, ArchiveError> {
    let first = together(network).await?;
    let mut senders = Vec::new();
    for member in 0..filling.senders {
        senders.push(Sender::of(network, member).await?);
    }
    while network.remote(0)?.status().await?.height < first + blocks {
        for sender in &mut senders {
            for transaction in sender.transactions(filling, numbers) {
                sender.remote.submit(sender.signer.chain(), &transaction).await?;
            }
        }
        for sender in &senders {
            executed(&sender.remote, sender.signer.principal(), sender.next).await?;
        }
    }
    let last = together(network).await?;
    let (folders, mut made) = (folders(network)?, Vec::new());
    let remote = network.remote(0)?;
    for height in first + 1..=last {
        let block: Block = remote.get(&format!("/v1/blocks/{height}")).await?;
        made.push((height, block.header.sealing.body_length));
    }
    Ok(Filled {
        blocks: made,
        folders,
    })
}

async fn executed(remote: &Remote, sender: PrincipalId, next: Sequence) -> Result<(), ArchiveError> {
    for _ in 0..POLLS_MAX {
        if remote.next_sequence(sender).await? >= next {
            return Ok(());
        }
        sleep(POLL_INTERVAL).await;
    }
    Err(ArchiveError::Void(format!("what {sender} sent was not executed")))
}

/// Waits until all validators stand at one height; gives it.
async fn together(network: &Network) -> Result<u64, ArchiveError> {
    let mut highest = 0;
    for validator in 0..network.validators() {
        highest = highest.max(network.remote(validator)?.status().await?.height);
    }
    for validator in 0..network.validators() {
        network.wait_height(validator, highest).await?;
    }
    Ok(highest)
}

fn folders(network: &Network) -> Result<Vec<DataFolder>, ArchiveError> {
    (0..network.validators())
        .map(|validator| Ok(DataFolder::count(&network.home(validator)?.join("data"))?))
        .collect()
}

/// Stops all validators, so that nothing is left in their memory, and starts them again.
pub(super) async fn restart(network: &Network) -> Result<(), ArchiveError> {
    network.kill_all()?;
    network.launch_all()?;
    Ok(network.wait_all_ready().await?)
}

/// Opens blocks one after another at all validators in turn; how long each took the validator, from the reader's request to
/// the opened body.
pub(super) async fn reconstruct(
    network: &Network,
    heights: &[u64],
    times: usize,
) -> Result<Vec<Duration>, ArchiveError> {
    let mut took = Vec::new();
    for (number, height) in (0..times).zip(heights.iter().cycle()) {
        let remote = network.remote(number % network.validators())?;
        let body: Body = remote.get(&format!("/v1/blocks/{height}/body?limit=1")).await?;
        let Reconstruction {
            members,
            elapsed_ms,
            cached,
        } = body.reconstruction;
        if cached || members.len() < 2 {
            return Err(ArchiveError::Void(format!(
                "block {height} was not opened from others' shares"
            )));
        }
        took.push(Duration::from_secs_f64(elapsed_ms / 1e3));
    }
    Ok(took)
}

/// What a validator received to rebuild its shares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repaired {
    /// Questions and answers about shares.
    pub(super) shares: u64,
    /// Everything that came in over the network, encrypted.
    pub(super) wire: u64,
    /// How many shares it rebuilt.
    pub(super) count: u64,
    pub(super) took: Duration,
}

/// Kills the last validator, removes its share log, and waits until it has rebuilt every share.
pub(super) async fn repair(network: &Network) -> Result<Repaired, ArchiveError> {
    let victim = network.validators() - 1;
    let height = together(network).await?;
    network.kill(victim)?;
    fs::remove_dir_all(network.home(victim)?.join("data").join("shares"))?;
    let begun = tokio::time::Instant::now();
    network.launch(victim)?;
    let remote = network.remote(victim)?;
    network
        .wait("the lost shares are rebuilt", async || {
            network.check_alive()?;
            let status = remote.status().await;
            Ok(status.is_ok_and(|status| status.repair.missing == 0 && status.repair.repaired >= height))
        })
        .await?;
    let took = begun.elapsed();
    // The counters are copied into the metrics now and then.
    sleep(Duration::from_secs(3)).await;
    let metrics = remote.metrics().await?;
    let count = remote.status().await?.repair.repaired;
    Ok(Repaired {
        shares: metric(&metrics, "salus_net_bytes_in_total", "kind=\"shares\"")?,
        wire: metric(&metrics, "salus_net_wire_bytes_in_total", "")?,
        count,
        took,
    })
}

/// The value of a counter in Prometheus' text.
fn metric(text: &str, name: &str, label: &str) -> Result<u64, ArchiveError> {
    text.lines()
        .filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        })
        .find(|line| line.contains(label))
        .and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .ok_or_else(|| ArchiveError::Void(format!("the validator has no metric {name} {label}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_by_name_and_label() {
        let text = "# TYPE a_total counter\na_total{kind=\"bodies\"} 7\na_total{kind=\"shares\"} 12\na_total_more 9\nb 3\n";
        assert_eq!(metric(text, "a_total", "kind=\"shares\"").unwrap(), 12);
        assert_eq!(metric(text, "b", "").unwrap(), 3);
        assert!(metric(text, "c", "").is_err());
    }
}
