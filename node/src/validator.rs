//! One validator: where all parts are made and meet.

use crate::archivist::{self, Archivist};
use crate::chain::{self, Chain, Tip};
use crate::clients::ClientDesk;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::courier::Courier;
use crate::home::{Home, HomeError, ValidatorKeys};
use crate::in_force::{InForce, Reach};
use crate::joining::{self, Seat};
use crate::mempool::{Limits, Mempool};
use crate::peers::PeerDesk;
use crate::snapshots;
use crate::switchboard::{self, FromNetwork};
use crate::view::{self, View};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use salus_api::{ApiState, ChainFacts, EventLog};
use salus_archive::Archive;
use salus_consensus::Timeouts;
use salus_execution::{ExecutionError, Executor, GenesisContract, GenesisState, members};
use salus_genesis::{Genesis, GenesisError};
use salus_net::{Network, StartError};
use salus_runtime::{Engine, EngineConfig};
use salus_store::{ChainStore, Store, StoreError, StoreKey, StoreReport, Wal};
use salus_types::state::StateFault;
use salus_types::{BlockId, Gas, Hash, Header, Height, Member, MemberId, Round, Sealing};
use std::future::Future;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Events that wait for the chain's loop, at most.
const CHAIN_INBOX: usize = 4_096;
/// Events that wait for the archive's thread, at most.
const ARCHIVE_INBOX: usize = 4_096;
/// Jobs that wait for the snapshots' thread, at most: a snapshot that comes too early is left out.
const KEEPER_INBOX: usize = 2;
/// Jobs of peers, and quick requests of clients, that wait for their pools, at most.
const POOL_INBOX: usize = 1_024;
/// How long clients' requests under way may take once the node stops.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Threads of each pool.
const POOL_THREADS: usize = 2;
/// Contracts run on these threads and need room beyond their own stack limit.
const STACK_BYTES: usize = 16 << 20;

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

/// Runs the validator of a folder until `shutdown` resolves or a part of it fails. `ready` is called once it answers.
pub async fn run(
    home: &Home,
    config: Config,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(std::net::SocketAddr),
) -> Result<(), ValidatorError> {
    salus_seal::check_cpu()?;
    crate::memory::keep_block_buffers();
    let founded = Founded::load(home)?;
    let mut shutdown = std::pin::pin!(shutdown);
    let seat = tokio::select! {
        seat = founded.seat(&config.join) => seat?,
        () = &mut shutdown => return Ok(()),
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
    running.until(shutdown, listener, api).await
}

/// A validator's folder, read and opened, on the chain's state as it was left or founded just now.
struct Founded {
    genesis: Genesis,
    keys: ValidatorKeys,
    executor: Executor,
    store: Store,
    tip: Tip,
}

impl Founded {
    fn load(home: &Home) -> Result<Self, ValidatorError> {
        let path = home.genesis();
        let text = std::fs::read_to_string(&path).map_err(|error| ValidatorError::File {
            path: path.display().to_string(),
            error,
        })?;
        let genesis = Genesis::from_toml(&text)?;
        let mut keys = home.keys()?;
        let engine = Engine::new(&EngineConfig::default())
            .map_err(|error| ValidatorError::Engine(error.to_string()))?;
        let executor = Executor::new(engine, genesis.chain_id());
        let storage = keys.last().map_or([0; 32], |keys| *keys.storage);
        let store = Store::open(&home.data(), &StoreKey::new(storage))?;
        report(&store.report);
        found(home, &genesis, &executor, &store.chain)?;
        let tip = read_tip(&store.chain)?;
        let known = known_members(&store.chain)?;
        let in_use = keys
            .iter()
            .rposition(|keys| known.iter().any(|member| keys.belong_to(member)));
        // A newcomer's keys are in nobody's state yet: the latest count.
        let in_use = in_use.unwrap_or(keys.len().saturating_sub(1));
        Ok(Self {
            genesis,
            keys: keys.swap_remove(in_use),
            executor,
            store,
            tip,
        })
    }

    /// Whose validator this is: by the own state, or, for a newcomer, by what present members say.
    async fn seat(&self, join: &config::Join) -> Result<Seat, ValidatorError> {
        let chain = self.genesis.chain_id();
        let seat = joining::seat(join, &chain, &self.keys, self.member()?).await;
        seat.ok_or_else(|| ValidatorError::NotAMember(self.genesis.agreement().name.clone()))
    }

    /// Whose validator this is, by the own state: a present member's, or one's that was removed.
    fn member(&self) -> Result<Option<Member>, StateFault> {
        let known = known_members(&self.store.chain)?;
        Ok(known.into_iter().find(|member| self.keys.belong_to(member)))
    }
}

/// Members of now and of before.
fn known_members(state: &ChainStore) -> Result<Vec<Member>, StateFault> {
    let former = members::former_members(state)?.into_iter();
    let present = members::members(state)?;
    Ok(present
        .into_iter()
        .chain(former.map(|former| former.member))
        .collect())
}

/// Tells the operator what opening the store found.
fn report(report: &StoreReport) {
    if let Some(path) = &report.index_moved_to {
        tracing::warn!(path = %path.display(), "the index was damaged and moved aside; it is rebuilt from peers");
    }
    if report.shares.torn_bytes > 0 {
        tracing::warn!(
            bytes = report.shares.torn_bytes,
            "cut off a share whose writing was interrupted"
        );
    }
    if let Some(range) = &report.blocks_forgotten {
        tracing::warn!(from = %range.start(), to = %range.end(), "the index forgot committed blocks; they are caught up with");
    }
    for damage in &report.shares.damaged {
        tracing::warn!(
            ?damage,
            "the share log is damaged; what it costs is repaired from peers"
        );
    }
}

/// Gives an empty store the genesis state, or checks that the store grew from it.
fn found(
    home: &Home,
    genesis: &Genesis,
    executor: &Executor,
    index: &ChainStore,
) -> Result<(), ValidatorError> {
    const FOUNDED: &str = "chain";
    let chain = genesis.chain_id();
    if index.tip().is_some() {
        let founded = index.meta(FOUNDED)?;
        return if founded.as_deref() == Some(chain.as_bytes()) {
            Ok(())
        } else {
            Err(ValidatorError::OtherChain)
        };
    }
    let agreement = genesis.agreement();
    let contracts = genesis.contracts().map(|(contract, hash)| {
        let code = contract_code(home, &hash)?;
        Ok(GenesisContract {
            contract,
            code,
            input: salus_genesis::instantiate_input(agreement, contract),
        })
    });
    let params = &agreement.params;
    let state = GenesisState {
        members: agreement.members.clone(),
        params: salus_execution::Params {
            block_gas_max: params.block_gas_max,
            transaction_gas_max: params.transaction_gas_max,
            // The rest of a body holds the parent's certificate and evidence.
            block_bytes_max: params.body_bytes_max.saturating_sub(64 << 10),
            expiry_heights_max: params.expiry_heights_max,
            threshold: params.threshold,
            slots: params.slots,
        },
        contracts: contracts.collect::<Result<_, ValidatorError>>()?,
    };
    let executed = executor.genesis(&state, agreement.time)?;
    let validators = genesis.validators().hash(&chain);
    let header = Header {
        height: Height::ZERO,
        round: Round::ZERO,
        time: agreement.time,
        proposer: MemberId::new(0),
        parent: BlockId::new(Hash::ZERO),
        validators,
        next_validators: validators,
        sealing: Sealing {
            suite: 0,
            threshold: 0,
            slots: 0,
            body_length: 0,
            sealed_length: 0,
        },
        body_commitment: Hash::ZERO,
        share_root: Hash::ZERO,
        receipts_root: Hash::ZERO,
        state_root: executed.state_root,
        gas_used: Gas::ZERO,
    };
    index.init(&header, header.id(&chain), None, &executed.state, &executed.tree)?;
    Ok(index.put_meta(FOUNDED, chain.as_bytes())?)
}

fn contract_code(home: &Home, hash: &Hash) -> Result<Vec<u8>, ValidatorError> {
    if let Some(code) = salus_genesis::builtin_code(hash) {
        return Ok(code.to_vec());
    }
    let path = home.contract(hash);
    let missing = || ValidatorError::MissingCode {
        hash: *hash,
        path: path.display().to_string(),
    };
    let code = std::fs::read(&path).map_err(|_| missing())?;
    if Hash::of_content(&code) == *hash {
        Ok(code)
    } else {
        Err(missing())
    }
}

fn read_tip(index: &ChainStore) -> Result<Tip, ValidatorError> {
    let lost = || ValidatorError::Part {
        part: "index",
        reason: "it has no tip: remove data/index and start again".into(),
    };
    let tip = index.tip().ok_or_else(lost)?;
    let header = index.header(tip.height)?.ok_or_else(lost)?;
    Ok(Tip {
        header,
        id: tip.id,
        certificate: index.certificate(tip.height)?,
    })
}

/// Who belongs to the network when the node starts.
struct Membership {
    in_force: InForce,
    reach: Reach,
    listed: Vec<Member>,
}

/// The parts that run.
struct Running {
    view: Arc<View>,
    courier: Arc<Courier>,
    events: EventLog,
    facts: ChainFacts,
    chain: SyncSender<chain::Event>,
    archive: SyncSender<archivist::Event>,
    keeper: SyncSender<snapshots::Job>,
    tasks: JoinSet<()>,
    threads: Vec<JoinHandle<()>>,
    ended: mpsc::UnboundedReceiver<(&'static str, Result<(), String>)>,
    ended_sender: mpsc::UnboundedSender<(&'static str, Result<(), String>)>,
    _lock: salus_store::StoreLock,
}

impl Running {
    fn start(founded: Founded, Seat { me, listed }: Seat, config: &Config) -> Result<Self, ValidatorError> {
        let Founded {
            genesis,
            keys,
            executor,
            store,
            tip,
        } = founded;
        let Store {
            chain: index,
            shares,
            wal,
            pieces,
            deposits,
            snapshots: snapshot_files,
            lock,
            report,
        } = store;
        let chain_id = genesis.chain_id();
        let in_force = InForce::read(&executor, &index, tip.header.height)?;
        let reach = Reach::read(&index, tip.header.time, &listed)?;
        let (network, net, net_events) = Network::start(salus_net::Config {
            me: me.id,
            identity: keys.network.clone(),
            chain: chain_id,
            members: reach.members.clone(),
            listen: config.network.listen.clone(),
            seed: u64::from_be_bytes(*crate::random_bytes().first_chunk().unwrap_or(&[0; 8])),
            limits: salus_net::Limits::default(),
        })?;
        let view = Arc::new(View::new(view::Parts {
            chain: chain_id,
            me: me.id,
            slot: me.slot,
            params: genesis.agreement().params,
            keys,
            clock: Clock::start(),
            index,
            shares,
            pieces,
            snapshots: snapshot_files,
            deposits,
            executor,
            pool: Mempool::new(Limits::default()),
        }));
        snapshots::count_bodies(&view, Height::new(1)..=tip.header.height)?;
        let (keeper, keeper_inbox) = sync_channel(KEEPER_INBOX);
        let (chain_sender, chain_inbox) = sync_channel(CHAIN_INBOX);
        let (archive_sender, archive_inbox) = sync_channel(ARCHIVE_INBOX);
        let (ended_sender, ended) = mpsc::unbounded_channel();
        let facts = ChainFacts {
            chain: chain_id,
            name: genesis.agreement().name.clone(),
            member: me.id,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let mut running = Self {
            courier: Arc::new(Courier::new(net)),
            events: EventLog::new(tip.header.height),
            facts,
            chain: chain_sender,
            archive: archive_sender,
            keeper,
            tasks: JoinSet::new(),
            threads: Vec::new(),
            ended,
            ended_sender,
            _lock: lock,
            view,
        };
        running.start_peers(network, net_events)?;
        running.start_keeper(keeper_inbox)?;
        let membership = Membership {
            in_force,
            reach,
            listed,
        };
        running.start_archive(&membership, &tip, config, archive_inbox)?;
        running.start_chain(membership, tip, (wal, &report), config, chain_inbox)?;
        Ok(running)
    }

    fn start_peers(&mut self, network: Network, events: salus_net::Events) -> Result<(), ValidatorError> {
        let (peers, jobs) = mpsc::channel(POOL_INBOX);
        let desk = PeerDesk {
            view: Arc::clone(&self.view),
            courier: Arc::clone(&self.courier),
            chain: self.chain.clone(),
            archive: self.archive.clone(),
        };
        self.pool("peer desk", jobs, move |job| desk.handle(job))?;
        let from_network = FromNetwork {
            events,
            courier: Arc::clone(&self.courier),
            chain: self.chain.clone(),
            archive: self.archive.clone(),
            peers,
        };
        self.tasks.spawn(network.run());
        self.tasks.spawn(from_network.run());
        Ok(())
    }

    fn start_keeper(&mut self, inbox: Receiver<snapshots::Job>) -> Result<(), ValidatorError> {
        let view = Arc::clone(&self.view);
        self.thread("snapshots", move || {
            snapshots::run(&view, &inbox).map_err(|error| error.to_string())
        })
    }

    fn start_archive(
        &mut self,
        membership: &Membership,
        tip: &Tip,
        config: &Config,
        inbox: Receiver<archivist::Event>,
    ) -> Result<(), ValidatorError> {
        let view = &self.view;
        let mut settings = salus_archive::Config::new(view.chain, view.me, view.slot);
        settings.repair_bytes_per_second = config.repair.bytes_per_second;
        settings.leap_min = config.snapshot.behind_blocks;
        settings.snapshot_bytes_per_second = config.snapshot.bytes_per_second;
        let known = salus_archive::Tip {
            height: tip.header.height,
            id: tip.id,
        };
        let members = archivist::Members {
            validators: membership.in_force.validators.clone(),
            holders: membership.reach.holders(),
        };
        let mut archive = Archive::new(settings, known, members.validators.clone());
        if let Some(resume) = archivist::resume(view)? {
            archive.resume(resume);
        }
        archive.handle(
            view.clock.elapsed(),
            salus_archive::Input::Holders(members.holders.clone()),
        );
        let archivist = Archivist::new(
            Arc::clone(view),
            Arc::clone(&self.courier),
            self.chain.clone(),
            inbox,
            self.archive.clone(),
            (archive, members),
            config,
        )?;
        self.thread("archive", move || {
            archivist.run().map_err(|error| error.to_string())
        })
    }

    fn start_chain(
        &mut self,
        membership: Membership,
        tip: Tip,
        (wal, report): (Wal, &StoreReport),
        config: &Config,
        inbox: Receiver<chain::Event>,
    ) -> Result<(), ValidatorError> {
        let timeouts = Timeouts {
            propose: Duration::from_millis(config.chain.propose_timeout_ms),
            prevote: Duration::from_millis(config.chain.vote_timeout_ms),
            precommit: Duration::from_millis(config.chain.vote_timeout_ms),
            ..Timeouts::default()
        };
        let settings = salus_consensus::Config {
            chain: self.view.chain,
            member: Some(self.view.me),
            key: self.view.keys.consensus.clone(),
            timeouts,
        };
        let chain = Chain::new(chain::Parts {
            view: Arc::clone(&self.view),
            courier: Arc::clone(&self.courier),
            archive: self.archive.clone(),
            inbox,
            inbox_sender: self.chain.clone(),
            settings,
            log_is_new: report.wal.is_new,
            blocks_were_lost: report.blocks_forgotten.is_some(),
            wal,
            in_force: membership.in_force,
            reach: membership.reach,
            listed: membership.listed,
            events: self.events.clone(),
            tip,
            pace: config.chain.clone(),
            keeper: self.keeper.clone(),
            snapshot_interval: config.snapshot.interval_blocks,
        });
        self.thread("chain", move || chain.run().map_err(|error| error.to_string()))
    }

    /// Starts what answers clients; the API itself is served by [`Self::until`].
    fn with_api(mut self, metrics: PrometheusHandle) -> (Self, Result<ApiState, ValidatorError>) {
        let (requests, inbox) = mpsc::channel(POOL_INBOX);
        let (quick, jobs) = mpsc::channel(POOL_INBOX);
        let desk = Arc::new(ClientDesk::new(
            Arc::clone(&self.view),
            Arc::clone(&self.courier),
            self.chain.clone(),
            self.archive.clone(),
        ));
        let answering = Arc::clone(&desk);
        let started = self.pool("client desk", jobs, move |request| answering.answer(request));
        self.tasks.spawn(switchboard::from_clients(inbox, quick, desk));
        let courier = Arc::clone(&self.courier);
        let render = move || {
            crate::observe::network(&courier.net().snapshot());
            metrics.render()
        };
        let api = started.map(|()| {
            ApiState::new(
                self.facts.clone(),
                requests,
                self.events.clone(),
                Arc::new(render),
                salus_api::Limits::default(),
            )
        });
        (self, api)
    }

    /// Serves clients until `shutdown` resolves or a part fails; then stops everything in order.
    async fn until(
        mut self,
        shutdown: impl Future<Output = ()>,
        listener: tokio::net::TcpListener,
        api: Result<ApiState, ValidatorError>,
    ) -> Result<(), ValidatorError> {
        let (stop_api, stopped) = tokio::sync::oneshot::channel::<()>();
        let api = api?;
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let served = salus_api::serve(listener, api, async {
                let _ = stopped.await; // resolves when the other end is dropped as well
            });
            if let Err(error) = served.await {
                tracing::error!(%error, "the public interface ended");
            }
        });
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            Some((part, result)) = self.ended.recv() => {
                Err(ValidatorError::Part { part, reason: result.err().unwrap_or_else(|| "it ended early".into()) })
            }
        };
        drop(stop_api);
        // Answers under way are finished while the parts that give them still run.
        let drained =
            tokio::time::timeout(DRAIN_TIME, async { while serving.join_next().await.is_some() {} });
        if drained.await.is_err() {
            tracing::warn!("some clients were cut off");
        }
        self.stop().await;
        outcome
    }

    async fn stop(mut self) {
        tracing::info!("stopping");
        let (chain, archive, keeper) = (self.chain.clone(), self.archive.clone(), self.keeper.clone());
        let threads = std::mem::take(&mut self.threads);
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
        let joined = tokio::task::spawn_blocking(move || {
            let _ = chain.send(chain::Event::Stop);
            let _ = archive.send(archivist::Event::Stop);
            let _ = keeper.send(snapshots::Job::Stop);
            threads.into_iter().for_each(|thread| drop(thread.join()));
        });
        if joined.await.is_err() {
            tracing::error!("a thread panicked while stopping");
        }
    }

    /// Starts a thread whose end, for whatever reason, is heard of.
    fn thread(
        &mut self,
        name: &'static str,
        run: impl FnOnce() -> Result<(), String> + Send + 'static,
    ) -> Result<(), ValidatorError> {
        let ended = Ended {
            name,
            sender: self.ended_sender.clone(),
            result: Err("it panicked".into()),
        };
        let body = move || ended.finish(run());
        let thread = std::thread::Builder::new()
            .name(name.into())
            .stack_size(STACK_BYTES)
            .spawn(body);
        let failed = |error: io::Error| ValidatorError::Part {
            part: name,
            reason: error.to_string(),
        };
        self.threads.push(thread.map_err(failed)?);
        Ok(())
    }

    /// Starts a pool of threads that share one inbox; they end when it closes.
    fn pool<T: Send + 'static>(
        &mut self,
        name: &'static str,
        inbox: mpsc::Receiver<T>,
        handle: impl Fn(T) + Clone + Send + 'static,
    ) -> Result<(), ValidatorError> {
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..POOL_THREADS {
            let (inbox, handle) = (Arc::clone(&inbox), handle.clone());
            self.thread(name, move || {
                loop {
                    let job = inbox
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .blocking_recv();
                    match job {
                        Some(job) => handle(job),
                        None => return Ok(()),
                    }
                }
            })?;
        }
        Ok(())
    }
}

/// Says that a thread ended, even if it panicked.
struct Ended {
    name: &'static str,
    sender: mpsc::UnboundedSender<(&'static str, Result<(), String>)>,
    result: Result<(), String>,
}

impl Ended {
    fn finish(mut self, result: Result<(), String>) {
        self.result = result;
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let result = std::mem::replace(&mut self.result, Ok(()));
        let _ = self.sender.send((self.name, result)); // nobody listens once the node stops
    }
}
