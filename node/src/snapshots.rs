//! The snapshots' thread: it writes the state of some heights for members that are far behind, and tidies up after a leap.
//!
//! Beside the chain's loop, because both take as long as the state is large: the loop only hands over a view of the state at
//! the height that is due, which stays what it is while blocks go on.

use crate::view::View;
use salus_store::{StateView, StoreError};
use salus_types::Height;
use salus_types::snapshot::SnapshotTarget;
use std::ops::RangeInclusive;
use std::sync::mpsc::Receiver;

/// Headers read in one go.
const HEADERS_COUNT: usize = 1_024;

/// What this thread does.
pub(crate) enum Job {
    /// The state of a height that is due.
    Export {
        /// Shows that height.
        state: StateView,
        /// Which height, and its root.
        target: SnapshotTarget,
    },
    /// A snapshot was installed: the blocks between were skipped.
    Installed {
        /// Heights whose blocks were not executed here.
        skipped: RangeInclusive<Height>,
    },
    Stop,
}

/// Runs until the node stops; an error halts it.
pub(crate) fn run(view: &View, inbox: &Receiver<Job>) -> Result<(), StoreError> {
    if view.index.staged()?.is_none() {
        view.index.clear_unused()?; // the node stopped before the old state was removed
    }
    report(view);
    while let Ok(job) = inbox.recv() {
        match job {
            Job::Export { state, target } => export(view, &state, target)?,
            Job::Installed { skipped } => {
                view.index.clear_unused()?;
                count_bodies(view, skipped)?;
            }
            Job::Stop => break,
        }
    }
    Ok(())
}

/// Writes one snapshot and lets old ones go. Failing to is no reason to stop, except on a disk that fails.
fn export(view: &View, state: &StateView, target: SnapshotTarget) -> Result<(), StoreError> {
    let height = target.height;
    let begun = view.clock.elapsed();
    match view.snapshots.export(state, target) {
        Ok(offer) => {
            let took = view.clock.elapsed().saturating_sub(begun);
            tracing::info!(%height, bytes = offer.bytes, took_ms = took.as_millis(), "wrote a snapshot");
            metrics::histogram!("salus_snapshot_seconds").record(took.as_secs_f64());
        }
        Err(StoreError::ViewExpired(_)) => {
            tracing::warn!(%height, "blocks came faster than a snapshot could be written: the next one is tried");
        }
        Err(StoreError::IndexDamaged(reason)) => tracing::error!(
            %height,
            reason,
            "the state could not be read whole: stop, remove data/index and start again"
        ),
        Err(error) => return Err(error),
    }
    view.snapshots.prune(view.clock.elapsed())?;
    report(view);
    Ok(())
}

fn report(view: &View) {
    let newest = view
        .snapshots
        .offers()
        .first()
        .map_or(0, |offer| offer.height.get());
    metrics::gauge!("salus_snapshot_height").set(newest as f64);
    metrics::gauge!("salus_snapshot_bytes").set(view.snapshots.bytes() as f64);
}

/// What full replication would take of these heights, from their headers.
pub(crate) fn count_bodies(view: &View, heights: RangeInclusive<Height>) -> Result<(), StoreError> {
    let (mut from, last) = (*heights.start(), *heights.end());
    loop {
        let headers = view.index.headers(from, HEADERS_COUNT)?;
        let wanted = headers.iter().filter(|(_, header)| header.height <= last);
        wanted.for_each(|(_, header)| view.progress.add_body(header));
        match headers.last() {
            Some((_, header)) if header.height < last => from = header.height.next(),
            _ => return Ok(()),
        }
    }
}
