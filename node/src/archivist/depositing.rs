//! Deposits of this node and of others: parcels, receipts, discharge. See [`crate::deposits`].

use super::{Archivist, Event};
use crate::courier::Answer;
use crate::deposits;
use crate::wire::{Direct, LARGE_MAX, Parcel, ShareAnswer, ShareAsk};
use salus_archive::{Input, RequestId, ShareRefusal};
use salus_net::{Protocol, RequestError, SendError};
use salus_records::BlockKeyShare;
use salus_seal::CheckedShare;
use salus_store::StoreError;
use salus_types::{BlockId, Header, Height, MemberId, SealedShare, codec};
use std::time::Duration;

/// Deposits named to the archive at once, the lowest heights first: as many as it watches.
const NAMED_MAX: usize = 4_096;
/// The operator is told when so many deposits have gathered, and each time they have doubled.
const MANY: u64 = 1_024;

/// How often the deposits are looked through.
const INTERVAL: Duration = Duration::from_secs(5);

/// When deposits are looked through, and when the operator hears of them.
#[derive(Debug, Default)]
pub(super) struct Watch {
    at: Duration,
    /// The operator is told when so many have gathered.
    many: u64,
}

impl Archivist {
    /// A block is committed here: tells the others that its own share is durable, and names its deposit to the archive.
    pub(super) fn settle(&mut self, height: Height, block: BlockId) -> Result<(), StoreError> {
        for id in self.view.deposits.at(height) {
            self.name_deposit(height, id)?;
        }
        let Some(header) = self.view.index.header(height)? else {
            return Ok(());
        };
        if self.archive.wants_receipts(header.sealing.threshold) && self.view.shares.contains(height)? {
            self.tell_receipt(block);
        }
        Ok(())
    }

    /// Names the lowest deposits to the archive, after a start and as others are discharged, if it is time; when next.
    pub(super) fn name_deposits_if_due(&mut self, now: Duration) -> Result<Duration, StoreError> {
        if now >= self.deposits.at {
            self.name_deposits()?;
            self.deposits.at = now + INTERVAL;
        }
        Ok(self.deposits.at)
    }

    fn name_deposits(&mut self) -> Result<(), StoreError> {
        let tip = self.view.tip();
        for (height, id) in self.view.deposits.list(NAMED_MAX) {
            if height > tip {
                break; // not decided yet
            }
            self.name_deposit(height, id)?;
        }
        self.observe_deposits();
        Ok(())
    }

    /// Names the deposit of a committed height, or deletes it: another block was decided, or this one was dealt anew, and the
    /// certificate of the block that did proves that enough members hold the new shares.
    fn name_deposit(&mut self, height: Height, id: BlockId) -> Result<(), StoreError> {
        let is_other = self.view.index.block_id(height)? != Some(id);
        if is_other || self.view.resealed(height)?.is_some() {
            return self.view.deposits.remove(height, id);
        }
        let Some(header) = self.view.index.header(height)?.map(Box::new) else {
            return Ok(());
        };
        let own = self.view.shares.contains(height)?;
        self.feed(Input::Deposited { header, own })
    }

    fn observe_deposits(&mut self) {
        let usage = self.view.deposits.usage();
        metrics::gauge!("salus_deposits_held").set(usage.count as f64);
        metrics::gauge!("salus_deposits_bytes").set(usage.bytes as f64);
        let oldest = usage.oldest.map_or(0, Height::get);
        metrics::gauge!("salus_deposits_oldest_height").set(oldest as f64);
        if usage.count >= self.deposits.many.max(MANY) {
            self.deposits.many = usage.count.saturating_mul(2);
            tracing::warn!(
                count = usage.count,
                bytes = usage.bytes,
                oldest,
                "deposits for other members gather: they stay until enough members are back and hold their shares"
            );
        } else if usage.count < MANY {
            self.deposits.many = MANY;
        }
    }

    pub(super) fn discharge(&mut self, height: Height, block: BlockId) -> Result<(), StoreError> {
        tracing::debug!(%height, "enough members hold their shares: the deposit goes");
        self.view.deposits.remove(height, block)
    }

    fn tell_receipt(&self, block: BlockId) {
        let receipt = self.view.sign_receipt(vec![block]);
        let message = codec::encode(&Direct::Receipt(receipt));
        if let Err(error) = self.courier.net().broadcast(message) {
            tracing::debug!(%error, "could not send a receipt; others will ask for it");
        }
    }

    /// Asks a member for receipts; whatever becomes of it comes back as an event.
    pub(super) fn ask_receipt(&mut self, member: MemberId, blocks: Vec<BlockId>) -> Result<(), StoreError> {
        let inbox = self.inbox_sender.clone();
        let ask = codec::encode(&ShareAsk::Receipt { blocks });
        let asked = self
            .courier
            .ask_then(member, Protocol::Shares, ask, move |answer| {
                // A lost answer is asked for again.
                let _ = inbox.try_send(Event::ReceiptAnswered { member, answer });
            });
        match asked {
            Ok(()) => Ok(()),
            Err(_) => self.feed(Input::ReceiptAnswered { member }),
        }
    }

    pub(super) fn on_receipt_answered(&mut self, member: MemberId, answer: Answer) -> Result<(), StoreError> {
        let answer = answer
            .ok()
            .and_then(|bytes| codec::decode::<ShareAnswer>(&bytes, LARGE_MAX).ok());
        match answer {
            Some(ShareAnswer::Receipt(receipt)) if receipt.member == member => {
                self.feed(Input::Receipt(Box::new(receipt)))?;
            }
            Some(ShareAnswer::Receipt(_)) => tracing::warn!(%member, "a receipt in another member's name"),
            _ => {}
        }
        self.feed(Input::ReceiptAnswered { member })
    }

    /// Asks a member for the own share in its deposit, unless the share log has it: then that is the answer.
    pub(super) fn ask_parcel(
        &mut self,
        request: RequestId,
        member: MemberId,
        header: Box<Header>,
    ) -> Result<(), StoreError> {
        let (height, block) = (header.height, header.id(&self.view.chain));
        match self.view.shares.get_block(&block) {
            Ok(Some(share)) if CheckedShare::check(share.clone(), &*header).is_ok() => {
                return self.give(request, member, Ok(share));
            }
            Err(error) if error.is_fatal() => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let inbox = self.inbox_sender.clone();
        let ask = codec::encode(&ShareAsk::Parcel { height, block });
        let asked = self
            .courier
            .ask_then(member, Protocol::Shares, ask, move |answer| {
                // A lost answer is a silent member: the archive asks another one.
                let _ = inbox.try_send(Event::ParcelAnswered {
                    request,
                    member,
                    header,
                    answer,
                });
            });
        match asked {
            Ok(()) => Ok(()),
            Err(SendError::Busy) => self.give(request, member, Err(ShareRefusal::Busy)),
            Err(_) => self.give(request, member, Err(ShareRefusal::Unreachable)),
        }
    }

    /// Opens a parcel with the own key. One whose envelope does not open counts as none.
    pub(super) fn on_parcel_answered(
        &mut self,
        request: RequestId,
        member: MemberId,
        header: &Header,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let result = match answer {
            Ok(bytes) => match codec::decode::<ShareAnswer>(&bytes, LARGE_MAX) {
                Ok(ShareAnswer::Parcel(parcel)) => {
                    let share = self.open_parcel(header, parcel);
                    if share.is_none() {
                        tracing::warn!(%member, height = %header.height, "what a member had deposited does not open");
                    }
                    share.ok_or(ShareRefusal::NotHeld)
                }
                _ => Err(ShareRefusal::NotHeld),
            },
            Err(RequestError::Busy) => Err(ShareRefusal::Busy),
            Err(_) => Err(ShareRefusal::Unreachable),
        };
        self.give(request, member, result)
    }

    fn open_parcel(&self, header: &Header, parcel: Parcel) -> Option<SealedShare> {
        let view = &self.view;
        let subject = BlockKeyShare {
            chain: view.chain,
            block: header.id(&view.chain),
            member: view.me,
        };
        deposits::open_parcel(subject, view.keys.releases(), view.slot, header, parcel)
    }

    fn give(
        &mut self,
        request: RequestId,
        member: MemberId,
        result: Result<SealedShare, ShareRefusal>,
    ) -> Result<(), StoreError> {
        self.feed(Input::Parcel {
            request,
            member,
            result,
        })
    }

    /// Keeps the own share that a deposit gave back, of a block that is committed here or only certified. Durable on
    /// return: from then on other members get it.
    pub(super) fn keep_own(&mut self, header: &Header, share: &SealedShare) -> Result<(), StoreError> {
        let block = header.id(&self.view.chain);
        if self.view.index.block_id(header.height)? != Some(block) {
            self.view.shares.append(header, block, share)?;
            return Ok(());
        }
        if !self.view.shares.contains(header.height)? {
            self.store(header.height, &header.into(), share)?;
        }
        self.tell_receipt(block);
        Ok(())
    }
}
