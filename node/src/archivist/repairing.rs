//! Own shares that are lost: which they are, how far their repair is, and keeping what came back.

use super::Archivist;
use crate::view::resealing;
use salus_archive::{Input, RepairFailure, RepairProgress};
use salus_seal::ShareError;
use salus_store::StoreError;
use salus_types::{Height, SealedShare, ShareCommitment};
use std::ops::RangeInclusive;
use std::time::Duration;

/// How often the log says how far repair is.
const TELL_INTERVAL: Duration = Duration::from_secs(5);
/// Ranges of lost shares that are announced at once.
const RANGES_MAX: usize = 1_024;

impl Archivist {
    pub(super) fn on_damaged(&mut self, height: Height) -> Result<(), StoreError> {
        self.upkeep.met_damage(height);
        self.on_wanted(height)
    }

    /// Its checksum holds, but it is not the block's.
    pub(super) fn on_wrong_share(&mut self, height: Height, error: ShareError) -> Result<(), StoreError> {
        tracing::warn!(%height, %error, "the own share is not the block's");
        self.view.shares.condemn(height)?;
        self.on_damaged(height)
    }

    pub(super) fn on_wanted(&mut self, height: Height) -> Result<(), StoreError> {
        match self.view.shares.is_missing(height)? {
            true => self.feed(Input::Urgent(height)),
            false => Ok(()),
        }
    }

    pub(super) fn look_for_lost(&mut self) -> Result<(), StoreError> {
        let mut lost = self.view.shares.missing(RANGES_MAX)?;
        let missing: u64 = lost.iter().map(count).sum();
        // Blocks that a snapshot skipped are opened too, whether or not their shares are here: nobody knows yet what is in them.
        let skipped = self.view.index.gaps(RANGES_MAX)?;
        let unread: u64 = skipped.iter().map(count).sum();
        lost.extend(skipped);
        self.view.count_unread()?;
        if lost.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            missing,
            unread,
            "own shares are lost, or blocks were skipped: opening them with other members' shares"
        );
        self.feed(Input::Missing(lost))
    }

    pub(super) fn on_not_repaired(&self, height: Height, reason: &RepairFailure) -> Result<(), StoreError> {
        self.view.progress.add_repair_failure(reason);
        let reason = reason.to_string();
        tracing::debug!(%height, reason, "a share could not be repaired in this pass");
        Ok(())
    }

    pub(super) fn on_progress(&mut self, progress: RepairProgress) -> Result<(), StoreError> {
        let RepairProgress {
            repaired,
            remaining,
            urgent,
            ..
        } = progress;
        self.view.progress.set_repair(&progress);
        let now = self.view.clock.elapsed();
        if now >= self.tell_at || remaining == 0 {
            self.tell_at = now.saturating_add(TELL_INTERVAL);
            tracing::info!(repaired, remaining, urgent, "repairing own shares");
        }
        if remaining == 0 {
            self.look_for_lost()
        } else {
            Ok(())
        }
    }

    pub(super) fn store(
        &mut self,
        height: Height,
        commitment: &ShareCommitment,
        share: &SealedShare,
    ) -> Result<(), StoreError> {
        if self.view.shares.contains(height)? {
            return Ok(()); // it was opened to see what is in it
        }
        let Some(header) = self.view.index.header(height)? else {
            return Ok(());
        };
        let id = header.id(&self.view.chain);
        let resealing = commitment.is_reseal().then(|| resealing(commitment));
        match self
            .view
            .shares
            .put_repaired(&header, id, resealing.as_ref(), share)
        {
            Ok(()) => {
                self.upkeep.repaired(height);
                Ok(())
            }
            // Of a dealing that is no longer in force: once more.
            Err(StoreError::Resealed(_)) => self.on_wanted(height),
            Err(error) => Err(error),
        }
    }
}

fn count(heights: &RangeInclusive<Height>) -> u64 {
    heights.end().get() - heights.start().get() + 1
}
