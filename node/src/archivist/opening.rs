//! Opening blocks for readers, for the chain, and to deal them anew.

use super::{Archivist, Event};
use crate::chain::{self, Missed};
use crate::view::View;
use salus_archive::{Input, JobId, Purpose, ReadError};
use salus_seal::OpenedBlock;
use salus_store::StoreError;
use salus_types::{BlockId, Hash, Header, Height, SealedShare};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use tokio::sync::oneshot;

/// Who waits for a job.
pub(super) enum Waiting {
    Reader {
        block: BlockId,
        reply: oneshot::Sender<Result<Arc<OpenedBlock>, ReadError>>,
    },
    /// The chain has decided it and lacks its body.
    Chain(Box<Header>),
    /// The chain is deciding it, and its dealing is lost.
    Vote(Box<Header>),
    /// It is to be dealt anew.
    Reseal(Height),
}

/// The own share of a dealing of a block for who asks for it outside this thread, which hears of it if the share is damaged
/// or gone.
pub(crate) fn own_share(
    view: &View,
    archive: &SyncSender<Event>,
    (height, block): (Height, &BlockId),
    share_root: &Hash,
) -> Result<Option<SealedShare>, StoreError> {
    let (share, event) = match share_of(view, block, share_root) {
        Ok(None) => (Ok(None), Event::Wanted(height)),
        Err(StoreError::ShareDamaged(height)) => (Ok(None), Event::Damaged(height)),
        other => return other,
    };
    let _ = archive.try_send(event); // a full inbox means that repair is busy as it is
    share
}

/// By the dealing and not by the block: what is in force may change while it is read.
fn share_of(view: &View, block: &BlockId, share_root: &Hash) -> Result<Option<SealedShare>, StoreError> {
    match view.shares.get_dealing(block, share_root)? {
        // Of what is in force, damage is told from absence.
        None => view.shares.get_block(block).map(|_| None),
        found => Ok(found),
    }
}

impl Archivist {
    pub(super) fn job(&mut self, waiting: Waiting) -> JobId {
        let job = JobId(self.next_job);
        self.next_job = self.next_job.wrapping_add(1);
        self.waiting.insert(job, waiting);
        job
    }

    pub(super) fn open(
        &mut self,
        waiting: Waiting,
        purpose: Purpose,
        header: Box<Header>,
    ) -> Result<(), StoreError> {
        let resealed = self.view.resealed(header.height)?.map(Box::new);
        let share_root = resealed
            .as_ref()
            .map_or(header.share_root, |resealed| resealed.share_root);
        let own = self.own_share(&header, &share_root)?;
        let job = self.job(waiting);
        self.feed(Input::Open {
            job,
            purpose,
            header,
            resealed,
            own,
        })
    }

    /// The own share of a dealing of a block, committed or only decided; a damaged one counts as lost.
    pub(super) fn own_share(
        &mut self,
        header: &Header,
        share_root: &Hash,
    ) -> Result<Option<SealedShare>, StoreError> {
        let block = header.id(&self.view.chain);
        match share_of(&self.view, &block, share_root) {
            Err(StoreError::ShareDamaged(height)) => {
                self.on_damaged(height)?;
                Ok(None)
            }
            Ok(None) => {
                self.on_wanted(header.height)?;
                Ok(None)
            }
            other => other,
        }
    }

    pub(super) fn on_opened(&mut self, job: JobId, block: Arc<OpenedBlock>) -> Result<(), StoreError> {
        match self.waiting.remove(&job) {
            Some(Waiting::Reader { block: id, reply }) => {
                self.wishes.remove(&id);
                let _ = reply.send(Ok(block)); // the reader may have left
                Ok(())
            }
            Some(Waiting::Chain(header)) => {
                let share = block.rederive(self.view.slot).ok();
                self.hand_over(Missed {
                    header: *header,
                    commitment: *block.commitment(),
                    body: block.body().to_vec(),
                    share,
                    certificate: None,
                })
            }
            Some(Waiting::Vote(header)) => {
                let block = Some(block);
                self.tell_chain(chain::Event::Reopened { header, block });
                Ok(())
            }
            Some(Waiting::Reseal(height)) => {
                let block = Some(block);
                self.tell_chain(chain::Event::Unsealed { height, block });
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn on_failed(&mut self, job: JobId, error: ReadError) -> Result<(), StoreError> {
        match self.waiting.remove(&job) {
            Some(Waiting::Reader { block, reply }) => {
                self.wishes.remove(&block);
                let _ = reply.send(Err(error)); // the reader may have left
            }
            Some(Waiting::Chain(header)) => {
                tracing::warn!(height = %header.height, %error, "a decided block could not be gathered yet");
                self.tell_chain(chain::Event::NotGathered {
                    height: header.height,
                });
            }
            Some(Waiting::Vote(header)) => {
                tracing::info!(height = %header.height, %error, "a proposed block could not be opened from shares yet");
                self.tell_chain(chain::Event::Reopened { header, block: None });
            }
            Some(Waiting::Reseal(height)) => {
                tracing::warn!(%height, %error, "a block could not be opened to be dealt anew; it is tried again");
                self.tell_chain(chain::Event::Unsealed { height, block: None });
            }
            None => {}
        }
        Ok(())
    }
}
