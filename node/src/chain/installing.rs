//! Taking over a snapshot: the chain goes on from its block as if it had executed all before it.

use super::{Chain, Halt, Phase, Tip};
use crate::archivist;
use crate::mempool::{Limits, Mempool};
use crate::recent::Recent;
use crate::snapshots;
use salus_types::Height;
use salus_types::snapshot::SnapshotTarget;
use salus_types::state::TreeChanges;

impl Chain {
    /// The archive has written all parts of a snapshot whose root stands in a certified header. Durable when this returns; only
    /// then does the rest of the node hear of it.
    pub(super) fn on_install(&mut self, height: Height, nodes: &TreeChanges) -> Result<(), Halt> {
        let before = self.tip.header.height;
        if height <= before {
            return Ok(()); // consensus was faster
        }
        if self.log_is_new && before == Height::ZERO {
            self.begin_probation(); // the network is older than this log
        }
        self.expect_reseals()?;
        let tip = self.view.index.install(height, nodes)?;
        self.adopt_reseals()?;
        self.view.shares.adopt()?;
        let header = self.view.index.header(height)?;
        let header =
            header.ok_or_else(|| Halt::Part("the header of an installed snapshot is gone".into()))?;
        tracing::info!(%height, skipped = height.get() - before.get(), "took over a snapshot of the state");
        self.tip = Tip {
            certificate: self.view.index.certificate(height)?,
            header,
            id: tip.id,
        };
        self.forget_the_old_state();
        self.follow_members(None)?;
        self.view.progress.leapt_to(height);
        self.committed_at = self.now();
        self.prepare_reseals()?;
        self.schedule_start();
        self.tell_keeper(snapshots::Job::Installed {
            skipped: before.next()..=height,
        });
        self.export();
        self.installed = Some(salus_archive::Tip { height, id: tip.id });
        self.tell_installed();
        Ok(())
    }

    /// Tells the archive that it can go on behind the snapshot; again and again if it is busy, but without waiting for it: it may
    /// be waiting for this loop.
    pub(super) fn tell_installed(&mut self) {
        let Some(tip) = self.installed else {
            return;
        };
        let members = self.members_for_archive();
        let installed = archivist::Event::Installed { tip, members };
        if self.archive.try_send(installed).is_ok() {
            self.installed = None;
        }
    }

    /// Drops what was true of the state before: the pool was checked against old keys and numbers.
    fn forget_the_old_state(&mut self) {
        self.phase = Phase::Idle;
        self.blocks.clear();
        self.inputs.clear();
        self.timers.cancel_consensus();
        *self.view.pool() = Mempool::new(Limits::default());
        *self.view.recent_mut() = Recent::default();
        self.events.skip_to(self.tip.header.height);
    }

    /// Has a snapshot written if the tip's height is due. Not while peers are further ahead than the next one that is due: a node
    /// that catches up has better things to do.
    pub(super) fn export_if_due(&self) {
        let (height, interval) = (self.tip.header.height, self.snapshot_interval);
        let is_due = interval > 0 && height.get().is_multiple_of(interval);
        if is_due && !self.view.progress.is_behind(height.saturating_add(interval)) {
            self.export();
        }
    }

    fn export(&self) {
        if self.snapshot_interval == 0 {
            return;
        }
        let target = SnapshotTarget {
            height: self.tip.header.height,
            state_root: self.tip.header.state_root,
        };
        let state = self.view.index.view();
        self.tell_keeper(snapshots::Job::Export { state, target });
    }

    fn tell_keeper(&self, job: snapshots::Job) {
        if self.keeper.try_send(job).is_err() {
            tracing::debug!("the last snapshot is still being written: this one is left out");
        }
    }
}
