//! Carrying out a leap: what is written on the way, and what is known of it after a restart.

use super::Archivist;
use crate::chain;
use crate::receipts::touched_patients;
use crate::view::View;
use crate::wire::ShareAsk;
use salus_archive::{Effect, Input, Resume, Tip};
use salus_store::StoreError;
use salus_types::snapshot::SNAPSHOT_STEP;
use salus_types::{Body, Height, TransactionId};
use std::collections::BTreeMap;

/// Headers read in one go.
const HEADERS_COUNT: usize = 1_024;

impl Archivist {
    /// Carries out what a leap asks for. Gives back what is none of its concern.
    pub(super) fn carry_out_leap(&mut self, effect: Effect) -> Result<Option<Effect>, StoreError> {
        match effect {
            Effect::AskSnapshots { request, member } => self.ask(request, member, &ShareAsk::Snapshots)?,
            Effect::AskValidators {
                request,
                member,
                hash,
            } => self.ask(request, member, &ShareAsk::Validators { hash })?,
            Effect::KeepValidators(validators) => {
                let hash = validators.hash(&self.view.chain);
                self.view.index.keep_validators(&hash, &validators)?;
            }
            Effect::AskPart {
                request,
                member,
                height,
                prefix,
            } => self.ask(request, member, &ShareAsk::SnapshotPart { height, prefix })?,
            Effect::KeepHeaders { headers, certificate } => {
                self.view.index.keep_headers(&headers, &certificate)?
            }
            Effect::BeginSnapshot(target) => {
                tracing::info!(height = %target.height, "far behind: taking over a snapshot of the state");
                self.view.index.stage(&target)?;
            }
            Effect::KeepPart { prefix, bytes, part } => self.view.index.stage_part(&prefix, bytes, &part)?,
            Effect::InstallSnapshot { height, nodes } => {
                self.tell_chain(chain::Event::Install { height, nodes });
            }
            Effect::Body { height, body } => self.read_skipped(height, &body)?,
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    /// The chain's loop took over a snapshot.
    pub(super) fn on_installed(&mut self, tip: Tip) -> Result<(), StoreError> {
        self.feed(Input::Committed {
            height: tip.height,
            id: tip.id,
        })?;
        self.look_for_lost()
    }

    /// Puts what a skipped block did into the index, now that its body was opened to repair the own share.
    fn read_skipped(&mut self, height: Height, body: &[u8]) -> Result<(), StoreError> {
        let body = match Body::decode(body) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%height, %error, "a committed block's body cannot be read");
                return Ok(());
            }
        };
        let ids = body.transactions.iter();
        let ids: Vec<TransactionId> = ids.map(|one| one.payload.id(&self.view.chain)).collect();
        self.view
            .index
            .fill_gap(height, &ids, &touched_patients(&body.receipts))?;
        self.view.count_unread()
    }
}

/// What an earlier life left of a leap: headers ahead of their blocks, and parts of a snapshot.
pub(crate) fn resume(view: &View) -> Result<Option<Resume>, StoreError> {
    let Some(tip) = view.index.tip() else {
        return Ok(None);
    };
    let mut last = Tip {
        height: tip.height,
        id: tip.id,
    };
    let (mut next_validators, mut roots) = (None, BTreeMap::new());
    'reading: loop {
        let headers = view.index.headers_ahead(last.height.next(), HEADERS_COUNT)?;
        if headers.is_empty() {
            break;
        }
        for (id, header) in headers {
            // After a crash, or beside blocks committed since then, some may be missing.
            if header.height != last.height.next() || header.parent != last.id {
                break 'reading;
            }
            if header.height.get().is_multiple_of(SNAPSHOT_STEP) {
                roots.insert(header.height, header.state_root);
            }
            next_validators = Some(header.next_validators);
            last = Tip {
                height: header.height,
                id,
            };
        }
    }
    let staged = view.index.staged()?;
    Ok(next_validators.map(|next_validators| Resume {
        last,
        next_validators,
        roots,
        staged,
    }))
}
