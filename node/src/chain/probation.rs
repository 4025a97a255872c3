//! A validator that lost what it signed watches before it votes again.
//!
//! Without its write-ahead log it could contradict a vote of its former life. So it follows the chain without a vote until
//! the network has decided two heights more than it had when this node had caught up: every height in which the
//! lost votes may have been cast is over then.

use super::Chain;
use salus_consensus::Consensus;
use salus_types::Height;

/// How far a watching validator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probation {
    /// It has not heard from its peers, or is behind them.
    CatchingUp,
    /// It votes again once this height is committed.
    Until(Height),
}

impl Chain {
    /// Stops voting: this node started without a log, and others are ahead of it.
    pub(super) fn begin_probation(&mut self) {
        if self.probation.is_none() {
            tracing::warn!(
                "what this validator signed before is lost: it watches for some heights before it votes"
            );
            self.probation = Some(Probation::CatchingUp);
            self.consensus = Consensus::new(salus_consensus::Config {
                member: None,
                ..self.settings.clone()
            });
            self.timers.cancel_consensus();
        }
    }

    /// Votes again if it is safe. Called between heights.
    pub(super) fn end_probation_if_due(&mut self) {
        let tip = self.tip.header.height;
        match self.probation {
            Some(Probation::CatchingUp) if self.view.progress.is_in_step(tip) => {
                self.probation = Some(Probation::Until(tip.saturating_add(2)));
            }
            Some(Probation::Until(height)) if tip >= height => {
                tracing::info!(%tip, "this validator votes again");
                self.probation = None;
                self.consensus = Consensus::new(self.settings.clone());
            }
            _ => {}
        }
    }
}
