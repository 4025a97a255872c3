//! One validator: where all parts are made and meet.

mod founding;
mod renewal;
mod running;
mod threads;

use crate::config::Config;
use crate::home::{Home, HomeError};
use founding::Founded;
use metrics_exporter_prometheus::PrometheusBuilder;
use running::Running;
use salus_execution::ExecutionError;
use salus_genesis::GenesisError;
use salus_net::StartError;
use salus_store::StoreError;
use salus_types::Hash;
use salus_types::state::StateFault;
use std::future::Future;
use std::io;

/// Why a validator does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    /// Its folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A file of its folder.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The network's agreement.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The keys are nobody's.
    #[error(
        "the keys of this folder belong to no member of {0}: is it the right genesis.toml? A newcomer names public \
         interfaces of present members as join.nodes in config.toml"
    )]
    NotAMember(String),
    /// The folder holds another chain.
    #[error("the data of this folder belong to another network: its genesis is not the one in genesis.toml")]
    OtherChain,
    /// A contract's code is not here.
    #[error("the code of contract {hash} is not here: copy it to {path}")]
    MissingCode {
        /// Its hash.
        hash: Hash,
        /// Where it is expected.
        path: String,
    },
    /// The machine's processor.
    #[error(transparent)]
    Cpu(#[from] salus_seal::UnsupportedCpu),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateFault),
    /// The contract engine.
    #[error("the contract engine: {0}")]
    Engine(String),
    /// The founding contracts do not start.
    #[error("the network can't be founded: {0}")]
    Founding(#[from] ExecutionError),
    /// The network.
    #[error(transparent)]
    Network(#[from] StartError),
    /// The public interface.
    #[error("the public interface can't listen on {address}: {error}; is another process using it?")]
    Api {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// A part of the node failed while it ran.
    #[error("the {part} stopped: {reason}")]
    Part {
        /// Which part.
        part: &'static str,
        /// Why.
        reason: String,
    },
}

/// How a validator that did not fail came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop.
    Stopped,
    /// The member's keys have changed, and the new ones are in its folder: it is to be started again with them.
    KeysChanged,
}

/// Runs the validator of a folder until `shutdown` resolves, its member's keys change or a part of it fails. `ready` is called once
/// it answers.
pub async fn run(
    home: &Home,
    config: Config,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(std::net::SocketAddr),
) -> Result<Ended, ValidatorError> {
    salus_seal::check_cpu()?;
    crate::memory::keep_block_buffers();
    let founded = Founded::load(home)?;
    let mut shutdown = std::pin::pin!(shutdown);
    let seat = tokio::select! {
        seat = founded.seat(&config.join) => seat?,
        () = &mut shutdown => return Ok(Ended::Stopped),
    };
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| ValidatorError::Part {
            part: "metrics recorder",
            reason: error.to_string(),
        })?;
    let listener = tokio::net::TcpListener::bind(config.api.listen)
        .await
        .map_err(|error| ValidatorError::Api {
            address: config.api.listen,
            error,
        })?;
    let address = listener.local_addr().unwrap_or(config.api.listen);
    let running = Running::start(founded, seat, &config)?;
    let (running, api) = running.with_api(metrics);
    ready(address);
    let keys_changed = renewal::keys_changed(home.clone(), running.member_keys());
    let end = async {
        tokio::select! {
            () = shutdown => Ended::Stopped,
            () = keys_changed => Ended::KeysChanged,
        }
    };
    running.until(end, listener, api).await
}
