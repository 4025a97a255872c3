//! Answers what peers ask, and checks what they gossip. Nothing here ever waits for another node, so that two
//! nodes can't wait for each other.

use crate::admission::admit;
use crate::archivist;
use crate::chain;
use crate::courier::Courier;
use crate::deposits;
use crate::pieces;
use crate::releases;
use crate::view::View;
use crate::wire::{
    ASK_MAX, GOSSIP_MAX, HEADERS_MAX, LARGE_MAX, RecordAnswer, RecordAsk, Refusal, ShareAnswer, ShareAsk,
    Transactions,
};
use salus_net::{GossipId, Protocol, Reply, Verdict};
use salus_seal::{AskedShare, CheckedShare};
use salus_store::{CERTIFICATE_CHECKPOINT, StoreError};
use salus_types::tree::TreePrefix;
use salus_types::{BlockId, Hash, Header, Height, MemberId, ShareReceipt, codec};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// Something a peer wants.
pub(crate) enum Job {
    /// A question about shares or records.
    Question {
        from: MemberId,
        bytes: Vec<u8>,
        reply: Reply,
    },
    /// Gossiped transactions.
    Transactions {
        from: MemberId,
        bytes: Vec<u8>,
        id: GossipId,
    },
}

/// Works off peers' jobs; shared by the threads of one pool.
#[derive(Debug, Clone)]
pub(crate) struct PeerDesk {
    pub(crate) view: Arc<View>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) chain: SyncSender<chain::Event>,
    pub(crate) archive: SyncSender<archivist::Event>,
}

impl PeerDesk {
    pub(crate) fn handle(&self, job: Job) {
        match job {
            Job::Question { from, bytes, reply } => {
                let answer = match reply.protocol() {
                    Protocol::Records => codec::encode(&self.on_record(&bytes)),
                    Protocol::Shares | Protocol::Bodies => codec::encode(&self.on_share(from, &bytes)),
                };
                if let Err(error) = self.courier.net().answer(reply, answer) {
                    tracing::debug!(%from, %error, "could not answer");
                }
            }
            Job::Transactions { from, bytes, id } => {
                let verdict = self.on_transactions(from, &bytes);
                if let Err(error) = self.courier.net().verdict(id, verdict) {
                    tracing::debug!(%error, "could not report a verdict");
                }
            }
        }
    }

    fn on_record(&self, bytes: &[u8]) -> RecordAnswer {
        match codec::decode::<RecordAsk>(bytes, LARGE_MAX) {
            Ok(ask) => pieces::answer(&self.view, ask),
            Err(_) => RecordAnswer::Refused(Refusal::Malformed),
        }
    }

    fn on_share(&self, from: MemberId, bytes: &[u8]) -> ShareAnswer {
        let answer = match codec::decode(bytes, ASK_MAX) {
            Ok(ShareAsk::Share {
                height,
                block,
                share_root,
                purpose,
            }) => match releases::decide(&self.view, from, height, &purpose) {
                Ok(()) => self.own_share(height, &block, &share_root),
                Err(withheld) => Ok(ShareAnswer::Withheld(withheld)),
            },
            Ok(ShareAsk::Headers { from, max }) => self.headers(from, max),
            Ok(ShareAsk::Holds { height }) => self.view.shares.contains(height).map(ShareAnswer::Holds),
            Ok(ShareAsk::Validators { hash }) => self
                .view
                .index
                .validators(&hash)
                .map(|found| found.map_or(ShareAnswer::Missing, ShareAnswer::Validators)),
            Ok(ShareAsk::Snapshots) => Ok(ShareAnswer::Snapshots(self.view.snapshots.offers())),
            Ok(ShareAsk::SnapshotPart { height, prefix }) => self.snapshot_part(height, &prefix),
            Ok(ShareAsk::Parcel { height, block }) => {
                tracing::debug!(%from, %height, "a member asked for what is deposited for it");
                self.parcel(from, height, block)
            }
            Ok(ShareAsk::Receipt { blocks }) => self.receipt(blocks),
            Err(_) => Ok(ShareAnswer::Missing),
        };
        answer.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not read what a member asked for");
            ShareAnswer::Missing
        })
    }

    /// The own share of a block, under this member's signature if it is of the dealing asked for. It is checked before it is
    /// handed out: what the disk has spoiled is missing, and to be repaired.
    fn own_share(
        &self,
        height: Height,
        block: &BlockId,
        share_root: &Hash,
    ) -> Result<ShareAnswer, StoreError> {
        let view = &self.view;
        let Some(header) = self.header(height, block)? else {
            return Ok(ShareAnswer::Missing);
        };
        let dealing = view.dealing(&header)?;
        let (asked_for, root) = ((height, block), &dealing.share_root);
        let Some(share) = archivist::own_share(view, &self.archive, asked_for, root)? else {
            return Ok(ShareAnswer::Missing);
        };
        let share = match CheckedShare::check(share, dealing) {
            Ok(share) if share.slot() == view.slot => share,
            _ => {
                tracing::warn!(%height, "the own share is damaged: it is not handed out, but repaired");
                view.shares.condemn(height)?;
                let _ = self.archive.try_send(archivist::Event::Damaged(height)); // the next who asks finds it again
                return Ok(ShareAnswer::Missing);
            }
        };
        metrics::counter!("salus_shares_served_total").increment(1);
        if dealing.share_root == *share_root {
            let asked = AskedShare {
                chain: &view.chain,
                block: *block,
                dealing,
                holder: &view.holder(),
            };
            return Ok(ShareAnswer::Share(share.sign(&asked, &view.keys.consensus)));
        }
        Ok(ShareAnswer::Resealed {
            commitment: Box::new(dealing),
            share: share.into_share(),
        })
    }

    /// The header of a block, committed or only decided: its share was kept before the vote for it, with the header.
    fn header(&self, height: Height, block: &BlockId) -> Result<Option<Header>, StoreError> {
        let view = &self.view;
        if let Some(header) = view.index.header(height)? {
            return Ok((header.id(&view.chain) == *block).then_some(header));
        }
        let recent = view.shares.recent_header(block)?;
        Ok(recent.filter(|header| header.height == height && header.id(&view.chain) == *block))
    }

    fn snapshot_part(&self, height: Height, prefix: &TreePrefix) -> Result<ShareAnswer, StoreError> {
        let part = self
            .view
            .snapshots
            .part(height, prefix, self.view.clock.elapsed())?;
        metrics::counter!("salus_snapshot_parts_served_total").increment(1);
        Ok(part.map_or(ShareAnswer::Missing, ShareAnswer::SnapshotPart))
    }

    /// What is deposited here for a member.
    fn parcel(&self, member: MemberId, height: Height, block: BlockId) -> Result<ShareAnswer, StoreError> {
        let Some(deposit) = self.view.deposits.get(height, block)? else {
            return Ok(ShareAnswer::Missing);
        };
        metrics::counter!("salus_parcels_served_total").increment(1);
        let parcel = deposits::parcel(deposit, member)?;
        Ok(parcel.map_or(ShareAnswer::Missing, ShareAnswer::Parcel))
    }

    /// Signs for those of the own shares that are sound on this disk, having read each.
    fn receipt(&self, mut blocks: Vec<BlockId>) -> Result<ShareAnswer, StoreError> {
        blocks.truncate(ShareReceipt::BLOCKS_MAX);
        let mut held = Vec::with_capacity(blocks.len());
        for block in blocks {
            match self.view.shares.get_block(&block) {
                Ok(Some(_)) => held.push(block),
                Ok(None) => {}
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => tracing::warn!(%error, "no receipt for a share that is damaged"),
            }
        }
        if held.is_empty() {
            return Ok(ShareAnswer::Missing);
        }
        Ok(ShareAnswer::Receipt(self.view.sign_receipt(held)))
    }

    /// Headers from a height on, up to the last one whose certificate is kept or that is decided but not
    /// committed, and not beyond the next one that is kept for
    /// good: so whoever follows the chain by these answers keeps those certificates too, and can lead others.
    fn headers(&self, from: Height, max: u64) -> Result<ShareAnswer, StoreError> {
        let index = &self.view.index;
        let to_checkpoint =
            CERTIFICATE_CHECKPOINT - from.checked_sub(1).map_or(0, Height::get) % CERTIFICATE_CHECKPOINT;
        let count = usize::try_from(max.min(HEADERS_MAX).min(to_checkpoint)).unwrap_or_default();
        let mut headers: Vec<_> = index
            .headers(from, count)?
            .into_iter()
            .map(|(_, header)| header)
            .collect();
        let after = from.saturating_add(headers.len() as u64);
        if headers.len() < count
            && let Some((header, certificate)) = self.view.decided_at(after)
        {
            headers.push(header);
            let certificate = Some(certificate);
            return Ok(ShareAnswer::Headers { headers, certificate });
        }
        let mut certificate = None;
        while let Some(last) = headers.last() {
            certificate = index.certificate(last.height)?;
            if certificate.is_some() {
                break;
            }
            headers.pop();
        }
        Ok(ShareAnswer::Headers { headers, certificate })
    }

    fn on_transactions(&self, from: MemberId, bytes: &[u8]) -> Verdict {
        let Ok(Transactions(transactions)) = codec::decode(bytes, GOSSIP_MAX) else {
            tracing::warn!(%from, "gossip that is not transactions");
            return Verdict::Reject;
        };
        let mut useful = false;
        for transaction in transactions {
            match admit(&self.view, transaction) {
                Ok(_) => useful = true,
                Err(rejection) => tracing::trace!(%rejection, "a gossiped transaction is of no use here"),
            }
        }
        if !useful {
            return Verdict::Ignore;
        }
        let _ = self.chain.try_send(chain::Event::Work); // a full inbox means that it works already
        Verdict::Accept
    }
}
