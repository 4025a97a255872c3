//! The parts of a validator that run: how they are started, joined by their inboxes, and stopped in order.

use super::founding::Founded;
use super::threads::Threads;
use super::{Ended, ValidatorError};
use crate::archivist::{self, Archivist};
use crate::chain::{self, Chain, Tip};
use crate::clients::ClientDesk;
use crate::clock::Clock;
use crate::config::Config;
use crate::courier::Courier;
use crate::in_force::{InForce, Reach};
use crate::joining::Seat;
use crate::mempool::{Limits, Mempool};
use crate::peers::PeerDesk;
use crate::snapshots;
use crate::switchboard::{self, FromNetwork};
use crate::view::{self, View};
use metrics_exporter_prometheus::PrometheusHandle;
use salus_api::{ApiState, ChainFacts, EventLog};
use salus_archive::Archive;
use salus_consensus::Timeouts;
use salus_net::Network;
use salus_store::{Store, StoreReport, Wal};
use salus_types::{Height, Member, MemberKeys};
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
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

/// Who belongs to the network when the node starts.
struct Membership {
    in_force: InForce,
    reach: Reach,
    listed: Vec<Member>,
}

/// The parts that run.
pub(super) struct Running {
    view: Arc<View>,
    courier: Arc<Courier>,
    events: EventLog,
    facts: ChainFacts,
    chain: SyncSender<chain::Event>,
    archive: SyncSender<archivist::Event>,
    keeper: SyncSender<snapshots::Job>,
    tasks: JoinSet<()>,
    threads: Threads,
    _lock: salus_store::StoreLock,
}

impl Running {
    pub(super) fn start(
        founded: Founded,
        Seat { me, listed }: Seat,
        config: &Config,
    ) -> Result<Self, ValidatorError> {
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
            threads: Threads::new(),
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
        self.threads
            .pool("peer desk", jobs, move |job| desk.handle(job))?;
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
        self.threads.start("snapshots", move || {
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
        self.threads.start("archive", move || {
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
        self.threads
            .start("chain", move || chain.run().map_err(|error| error.to_string()))
    }

    /// Starts what answers clients; the API itself is served by [`Self::until`].
    pub(super) fn with_api(mut self, metrics: PrometheusHandle) -> (Self, Result<ApiState, ValidatorError>) {
        let (requests, inbox) = mpsc::channel(POOL_INBOX);
        let (quick, jobs) = mpsc::channel(POOL_INBOX);
        let desk = Arc::new(ClientDesk::new(
            Arc::clone(&self.view),
            Arc::clone(&self.courier),
            self.chain.clone(),
            self.archive.clone(),
        ));
        let answering = Arc::clone(&desk);
        let started = self
            .threads
            .pool("client desk", jobs, move |request| answering.answer(request));
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

    /// Keys that the state names for this member once they are others than those in use.
    pub(super) fn member_keys(&self) -> watch::Receiver<Option<MemberKeys>> {
        self.view.renewed.subscribe()
    }

    /// Serves clients until `end` resolves or a part fails; then stops everything in order.
    pub(super) async fn until(
        mut self,
        end: impl Future<Output = Ended>,
        listener: tokio::net::TcpListener,
        api: Result<ApiState, ValidatorError>,
    ) -> Result<Ended, ValidatorError> {
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
            ended = end => Ok(ended),
            Some((part, result)) = self.threads.next_end() => {
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
        let threads = self.threads;
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
        let joined = tokio::task::spawn_blocking(move || {
            let _ = chain.send(chain::Event::Stop);
            let _ = archive.send(archivist::Event::Stop);
            let _ = keeper.send(snapshots::Job::Stop);
            threads.join();
        });
        if joined.await.is_err() {
            tracing::error!("a thread panicked while stopping");
        }
    }
}
