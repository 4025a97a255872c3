//! What storing and repairing shares costs, as validators count it themselves.

use crate::network::{Network, NetworkError};
use salus::remote::Remote;
use salus_types::Height;
use std::fs;

/// What it took to rebuild all of a validator's shares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RepairTraffic {
    /// Blocks whose share was rebuilt.
    pub blocks: u64,
    /// Bytes of their sealed bodies, as their headers have them: B, summed.
    pub sealed_bytes: u64,
    /// Bytes that came in as answers about shares, with our own framing.
    pub share_bytes: u64,
    /// All bytes read from TCP meanwhile, consensus and gossip included.
    pub wire_bytes: u64,
}

impl RepairTraffic {
    /// Bytes fetched for each byte of a sealed body: 1 would be k fragments of a k-th each and nothing else.
    pub fn per_sealed_byte(&self) -> f64 {
        self.share_bytes as f64 / self.sealed_bytes as f64
    }
}

/// The value of a counter, its labels given as they are printed; 0 if it never counted.
///
/// # Errors
///
/// When the validator does not answer.
pub async fn counter(remote: &Remote, name: &str) -> Result<u64, NetworkError> {
    let text = remote.metrics().await?;
    let value = text.lines().find_map(|line| {
        let (found, value) = line.rsplit_once(' ')?;
        (found == name).then(|| value.parse().ok())?
    });
    Ok(value.unwrap_or(0))
}

/// Stops a validator, deletes its share log, starts it again, waits until it has rebuilt every share, and says what that took.
///
/// Everything that the validator was told about shares and headers since its start is counted, so that the figure is rather too high
/// than too low. The network should be at rest: what else goes on is counted in `wire_bytes`.
///
/// # Errors
///
/// When a validator ends by itself or is not done in time.
pub async fn repair_traffic(network: &Network, validator: usize) -> Result<RepairTraffic, NetworkError> {
    network.kill(validator)?;
    wipe_share_log(network, validator)?;
    network.launch(validator)?;
    network.wait_ready(validator).await?;
    network.wait_repaired(validator).await?;
    let remote = network.remote(validator)?;
    let status = remote.status().await?;
    let mut sealed_bytes = 0;
    for height in 1..=status.height {
        let block = remote.block(Height::new(height)).await?;
        let sealed = block.pointer("/header/sealing/sealed_length");
        sealed_bytes += sealed.and_then(serde_json::Value::as_u64).unwrap_or_default();
    }
    Ok(RepairTraffic {
        blocks: status.repair.repaired,
        sealed_bytes,
        share_bytes: counter(&remote, "salus_net_bytes_in_total{kind=\"shares\"}").await?,
        wire_bytes: counter(&remote, "salus_net_wire_bytes_in_total").await?,
    })
}

/// Deletes the share log of a validator that does not run.
///
/// # Errors
///
/// When the folder can't be removed.
pub fn wipe_share_log(network: &Network, validator: usize) -> Result<(), NetworkError> {
    let folder = network.home(validator)?.join("data").join("shares");
    fs::remove_dir_all(&folder).map_err(|error| NetworkError::System {
        what: folder.display().to_string(),
        error,
    })
}

impl Network {
    /// Waits until a validator misses no share.
    ///
    /// # Errors
    ///
    /// When it ends by itself or does not get there in time.
    pub async fn wait_repaired(&self, validator: usize) -> Result<(), NetworkError> {
        let remote = self.remote(validator)?;
        self.wait(
            &format!("validator {validator} has rebuilt all its shares"),
            async || {
                self.check_alive()?;
                Ok(remote
                    .status()
                    .await
                    .is_ok_and(|status| status.repair.missing == 0))
            },
        )
        .await
    }
}
