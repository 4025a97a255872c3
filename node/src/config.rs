//! The operator's file, `config.toml`. Every key has a default, and unknown keys are refused.

use salus_types::snapshot::SNAPSHOT_STEP;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// How this validator runs. Nothing here changes what the network agrees on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The public HTTP interface.
    pub api: Api,
    /// The validators' network.
    pub network: Network,
    /// Joining a network that others founded.
    pub join: Join,
    /// Pace of the chain.
    pub chain: Chain,
    /// Repair of lost shares.
    pub repair: Repair,
    /// The rolling check of the kept shares.
    pub scrub: Scrub,
    /// Reclaiming room in the share log.
    pub compaction: Compaction,
    /// Snapshots of the state.
    pub snapshot: Snapshot,
    /// What is logged.
    pub log: Log,
}

/// The public HTTP interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Address and port to listen on.
    pub listen: SocketAddr,
}

/// The validators' network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Multiaddresses to listen on, TCP.
    pub listen: Vec<String>,
}

/// Joining a network that others founded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Join {
    /// Public interfaces of present members, asked at each start who the members are now.
    pub nodes: Vec<String>,
}

/// Pace of the chain. Validators may differ in these; the network runs at the pace of its quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chain {
    /// Least time between two blocks while there is work, in milliseconds.
    pub block_interval_ms: u64,
    /// Time after which a block is made though there is no work, in milliseconds.
    pub heartbeat_ms: u64,
    /// Least time between two blocks that deal older ones anew, in milliseconds: the rest is for transactions.
    pub reseal_interval_ms: u64,
    /// How long a proposal may take in round 0, in milliseconds; each round adds half a second.
    pub propose_timeout_ms: u64,
    /// How long votes may take in round 0, in milliseconds; each round adds half a second.
    pub vote_timeout_ms: u64,
}

/// Repair of lost shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Repair {
    /// Bytes of shares fetched for repair in a second, at most.
    pub bytes_per_second: u64,
}

/// The rolling check of the kept shares: what the disk has lost in silence is found and repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scrub {
    /// Bytes of shares read in a second, at most.
    pub bytes_per_second: u64,
    /// Least time between the starts of two passes, in seconds.
    pub interval_s: u64,
}

/// Reclaiming room in the share log after reseals and repairs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compaction {
    /// Bytes of shares written again in a second, at most.
    pub bytes_per_second: u64,
}

/// Snapshots of the state: written for members that are far behind, and taken over by this one when it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Snapshot {
    /// One is written at every height that is a multiple of this, which is one of 64; 0: never. The same at all members, so that
    /// parts of one snapshot come from several.
    pub interval_blocks: u64,
    /// How many blocks behind this node must be to look for one; 0: never.
    pub behind_blocks: u64,
    /// Bytes of snapshots fetched in a second, at most.
    pub bytes_per_second: u64,
}

/// What is logged, to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A filter such as `info` or `salus=debug,info`.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8700)),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            listen: vec!["/ip4/0.0.0.0/tcp/8600".into()],
        }
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            block_interval_ms: 50,
            heartbeat_ms: 60_000,
            reseal_interval_ms: 250,
            propose_timeout_ms: 1_000,
            vote_timeout_ms: 500,
        }
    }
}

impl Default for Repair {
    fn default() -> Self {
        Self {
            bytes_per_second: 32 << 20,
        }
    }
}

impl Default for Scrub {
    fn default() -> Self {
        Self {
            bytes_per_second: 1 << 20,
            interval_s: 3_600,
        }
    }
}

impl Default for Compaction {
    fn default() -> Self {
        Self {
            bytes_per_second: 8 << 20,
        }
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            interval_blocks: 4_096,
            behind_blocks: 4_096,
            bytes_per_second: 64 << 20,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info,arc_malachitebft_core_consensus=warn,libp2p_swarm=warn".into(),
            json: false,
        }
    }
}

impl Chain {
    /// Least time between two blocks.
    pub fn block_interval(&self) -> Duration {
        Duration::from_millis(self.block_interval_ms)
    }

    /// Least time between two blocks that deal older ones anew.
    pub fn reseal_interval(&self) -> Duration {
        Duration::from_millis(self.reseal_interval_ms)
    }

    /// Time after which a block is made though there is no work.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// Not the TOML of a configuration.
    #[error("{path}: {error}")]
    Toml {
        /// Which file.
        path: String,
        /// What is wrong, and where.
        error: String,
    },
    /// A value out of range.
    #[error("{0}")]
    Range(&'static str),
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File {
            path: shown.clone(),
            error,
        })?;
        let config: Self = toml::from_str(&text).map_err(|error| ConfigError::Toml {
            path: shown,
            error: error.to_string(),
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let chain = &self.chain;
        if !(1..=60_000).contains(&chain.block_interval_ms) {
            return Err(ConfigError::Range("chain.block_interval_ms should be 1 to 60000"));
        }
        if chain.heartbeat_ms < chain.block_interval_ms.max(1_000) {
            return Err(ConfigError::Range(
                "chain.heartbeat_ms should be at least 1000 and the block interval",
            ));
        }
        if !(10..=60_000).contains(&chain.reseal_interval_ms) {
            return Err(ConfigError::Range(
                "chain.reseal_interval_ms should be 10 to 60000",
            ));
        }
        if !(50..=60_000).contains(&chain.propose_timeout_ms)
            || !(50..=60_000).contains(&chain.vote_timeout_ms)
        {
            return Err(ConfigError::Range(
                "chain.propose_timeout_ms and vote_timeout_ms should be 50 to 60000",
            ));
        }
        if self.network.listen.is_empty() {
            return Err(ConfigError::Range(
                "network.listen should name at least one address",
            ));
        }
        if self.repair.bytes_per_second < 64 << 10 {
            return Err(ConfigError::Range(
                "repair.bytes_per_second should be at least 65536",
            ));
        }
        if self.scrub.bytes_per_second < 1 << 10 || self.scrub.interval_s == 0 {
            return Err(ConfigError::Range(
                "scrub.bytes_per_second should be at least 1024, scrub.interval_s at least 1",
            ));
        }
        if self.compaction.bytes_per_second < 64 << 10 {
            return Err(ConfigError::Range(
                "compaction.bytes_per_second should be at least 65536",
            ));
        }
        if !self.snapshot.interval_blocks.is_multiple_of(SNAPSHOT_STEP) {
            return Err(ConfigError::Range(
                "snapshot.interval_blocks should be a multiple of 64, or 0",
            ));
        }
        if self.snapshot.bytes_per_second < 64 << 10 {
            return Err(ConfigError::Range(
                "snapshot.bytes_per_second should be at least 65536",
            ));
        }
        Ok(())
    }

    /// The text of a `config.toml` with a comment for every key.
    pub fn to_commented_toml(&self) -> String {
        format!(
            "\
# How this validator runs. Every key may be left out; these are the values in force.

[api]
# Address and port of the public HTTP interface.
listen = \"{api}\"

[network]
# Multiaddresses on which other validators reach this one, TCP.
listen = [{network}]

[join]
# Public interfaces of present members, such as \"http://192.0.2.1:8700\", asked at each start who the members are now.
# For a hospital that joins later, and for a validator that was off for long; founders need none.
nodes = [{join}]

[chain]
# Least time between two blocks while there is work, in milliseconds.
block_interval_ms = {interval}
# Time after which a block is made though there is no work, in milliseconds.
heartbeat_ms = {heartbeat}
# Least time between two blocks that deal older ones anew, in milliseconds: the rest is for transactions.
reseal_interval_ms = {reseal}
# How long a proposal, and votes, may take in the first round, in milliseconds.
propose_timeout_ms = {propose}
vote_timeout_ms = {vote}

[repair]
# Bytes of shares fetched for repair in a second, at most.
bytes_per_second = {repair}

[scrub]
# Bytes of kept shares that are read again and checked in a second, at most.
bytes_per_second = {scrub}
# Least time between the starts of two passes over all shares, in seconds.
interval_s = {interval_s}

[compaction]
# Bytes of kept shares written again in a second, at most, to reclaim room in the share log.
bytes_per_second = {compaction}

[snapshot]
# A snapshot of the state is written for members that are far behind at every height that is a multiple
# of this, which is one of 64; 0: never. The same at all members.
interval_blocks = {snapshot}
# How many blocks behind this validator must be to look for one; 0: never.
behind_blocks = {behind}
# Bytes of snapshots fetched in a second, at most.
bytes_per_second = {snapshot_bytes}

[log]
# A filter such as \"info\" or \"salus=debug,info\".
filter = {filter:?}
# One JSON object a line instead of text.
json = {json}
",
            api = self.api.listen,
            network = quoted(&self.network.listen),
            join = quoted(&self.join.nodes),
            interval = self.chain.block_interval_ms,
            heartbeat = self.chain.heartbeat_ms,
            reseal = self.chain.reseal_interval_ms,
            propose = self.chain.propose_timeout_ms,
            vote = self.chain.vote_timeout_ms,
            repair = self.repair.bytes_per_second,
            scrub = self.scrub.bytes_per_second,
            interval_s = self.scrub.interval_s,
            compaction = self.compaction.bytes_per_second,
            snapshot = self.snapshot.interval_blocks,
            behind = self.snapshot.behind_blocks,
            snapshot_bytes = self.snapshot.bytes_per_second,
            filter = self.log.filter,
            json = self.log.json,
        )
    }
}

fn quoted(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_file_reads_back_as_the_same_configuration() {
        let config = Config::default();
        assert_eq!(
            toml::from_str::<Config>(&config.to_commented_toml()).unwrap(),
            config
        );
    }

    #[test]
    fn misspelt_keys_and_values_out_of_range_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let load = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Config::load(&path).unwrap_err().to_string()
        };
        assert!(load("[chain]\nblock_intervall_ms = 5").contains("block_intervall_ms"));
        assert!(load("[chain]\nblock_interval_ms = 0").contains("1 to 60000"));
        assert!(load("[network]\nlisten = []").contains("at least one"));
        assert!(load("[scrub]\ninterval_s = 0").contains("interval_s"));
        assert!(load("[compaction]\nbytes_per_second = 1").contains("65536"));
        assert!(load("[snapshot]\ninterval_blocks = 100").contains("multiple of 64"));
    }
}
