//! What is read by opening blocks from shares: bodies, old receipts, access logs.

use super::{ClientDesk, deliver};
use crate::archivist;
use crate::chain;
use crate::recent::CommittedBlock;
use crate::releases;
use crate::wire::{LARGE_MAX, ShareAnswer, ShareAsk, SharePurpose, Withheld};
use salus_api::{
    LogPage, ReadRefusal, ReconstructedBlock, Request, ShareHolder, ShareState, TransactionStatus,
};
use salus_archive::{ReadError, ShareRefusal, Shortfall};
use salus_net::Protocol;
use salus_seal::{AnswerError, AskedShare, CheckedShare};
use salus_types::abi::access::{self, AccessEvent, LogEntry, LogHead};
use salus_types::{
    BlockId, Body, ContractId, Evidence, Header, Height, Member, MemberId, PrincipalId, ShareCommitment,
    SignedOpenRequest, TransactionId, codec,
};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Opened blocks that are remembered.
const OPENED_MAX: usize = 16;
/// How long a member may take to show its share.
const SHOW_TIMEOUT: Duration = Duration::from_secs(2);

impl ClientDesk {
    /// Answers a request for which other members are asked.
    pub(crate) async fn fetch(self: Arc<Self>, request: Request) {
        match request {
            Request::Transaction { id, wish, reply } => deliver(reply, self.transaction(id, wish).await),
            Request::Body { height, wish, reply } => deliver(reply, self.body(height, wish).await),
            Request::ShareHolders { height, reply } => deliver(reply, self.share_holders(height).await),
            Request::AccessLog {
                patient,
                from,
                limit,
                wish,
                reply,
            } => {
                deliver(reply, self.access_log(patient, from, limit, wish).await);
            }
            Request::StorePiece { member, piece, reply } => {
                deliver(reply, self.store_piece(member, piece).await)
            }
            Request::ReadPiece {
                member,
                request,
                reply,
            } => deliver(reply, self.read_piece(member, request).await),
            other => {
                tracing::error!(request = ?other, "a request that can be answered at once came to the wrong desk")
            }
        }
    }

    fn header(&self, height: Height) -> Result<Header, ReadRefusal> {
        match self.view.index.header(height) {
            Ok(Some(header)) if height > Height::ZERO => Ok(header),
            Ok(_) => Err(ReadRefusal::NotFound),
            Err(error) => {
                tracing::error!(%error, "a header could not be read");
                Err(ReadRefusal::Damaged)
            }
        }
    }

    /// Whether a block may be opened here for whoever signed the wish. What is at hand in memory is no exception: what is
    /// shown is the same.
    fn permit(&self, height: Height, wish: Wish) -> Result<(), ReadRefusal> {
        if !self.view.releases.needs_ticket() {
            return Ok(());
        }
        let me = self.view.me;
        releases::decide(&self.view, me, height, &SharePurpose::Read(wish)).map_err(|withheld| match withheld
        {
            Withheld::NotAllowed => ReadRefusal::Refused,
            Withheld::Busy => ReadRefusal::Busy,
        })
    }

    /// Gathers shares and opens the block; always anew. The caller has asked [`Self::permit`].
    async fn reconstruct(&self, header: &Header, wish: Wish) -> Result<(Body, Vec<MemberId>), ReadRefusal> {
        let (reply, opened) = oneshot::channel();
        let open = archivist::Event::Open {
            header: Box::new(header.clone()),
            wish,
            reply,
        };
        self.archive.try_send(open).map_err(|_| ReadRefusal::Busy)?;
        let opened = opened
            .await
            .map_err(|_| ReadRefusal::Busy)?
            .map_err(|error| match error {
                ReadError::Busy { .. } | ReadError::DuplicateJob(_) => ReadRefusal::Busy,
                ReadError::Shortfall(shortfall) => refusal(&shortfall),
                ReadError::Header(_) | ReadError::Unopenable(_) => ReadRefusal::Damaged,
            })?;
        let body = Body::decode(opened.body()).map_err(|_| ReadRefusal::Damaged)?;
        let members = self
            .view
            .executor
            .members(&self.view.index)
            .map_err(|_| ReadRefusal::Damaged)?;
        let holder = |slot| {
            members
                .iter()
                .find(|member| member.slot == slot)
                .map(|member| member.id)
        };
        Ok((body, opened.slots().filter_map(holder).collect()))
    }

    async fn body(&self, height: Height, wish: Wish) -> Result<ReconstructedBlock, ReadRefusal> {
        let header = self.header(height)?;
        self.permit(height, wish)?;
        let started = self.view.clock.elapsed();
        let (body, shares_from) = self.reconstruct(&header, wish).await?;
        let elapsed = self.view.clock.elapsed().saturating_sub(started);
        Ok(ReconstructedBlock {
            header,
            body,
            shares_from,
            elapsed,
            cached: false,
        })
    }

    /// A block's content, from memory if it was committed or opened lately.
    async fn content(&self, height: Height, wish: Wish) -> Result<Arc<CommittedBlock>, ReadRefusal> {
        self.permit(height, wish)?;
        if let Some(block) = self.view.recent().block(height) {
            return Ok(block);
        }
        if let Some(block) = self.opened().iter().find(|block| block.header.height == height) {
            return Ok(Arc::clone(block));
        }
        let header = self.header(height)?;
        let (body, _) = self.reconstruct(&header, wish).await?;
        let ids = body
            .transactions
            .iter()
            .map(|one| one.payload.id(&self.view.chain))
            .collect();
        let block = Arc::new(CommittedBlock { header, ids, body });
        let mut opened = self.opened();
        opened.push_back(Arc::clone(&block));
        if opened.len() > OPENED_MAX {
            opened.pop_front();
        }
        Ok(block)
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, std::collections::VecDeque<Arc<CommittedBlock>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of a transaction. That of a recent one is told to whoever names its id, a hash that its sender knows: that is
    /// how a sender learns of it. An older one is read in its block, for which the open policy counts.
    async fn transaction(&self, id: TransactionId, wish: Wish) -> Result<TransactionStatus, ReadRefusal> {
        let recent = self.view.recent().executed(&id);
        if let Some(executed) = recent {
            return Ok(TransactionStatus::Committed(executed.into()));
        }
        if self.view.pool().contains(&id) {
            return Ok(TransactionStatus::Pending);
        }
        let heights = self
            .view
            .index
            .transaction_heights(&id, Height::ZERO)
            .map_err(|_| ReadRefusal::Damaged)?;
        for height in heights {
            // The index keeps a prefix of the id only, so another transaction may have led here.
            if let Some(executed) = self.content(height, wish).await?.executed(&id) {
                return Ok(TransactionStatus::Committed(executed.into()));
            }
        }
        match self.view.progress.unread() {
            0 => Ok(TransactionStatus::Unknown),
            blocks => Err(ReadRefusal::Unread { blocks }),
        }
    }

    /// Entries of a patient's access log, with the head that proves that none is missing.
    async fn access_log(
        &self,
        patient: PrincipalId,
        from: u64,
        limit: u16,
        wish: Wish,
    ) -> Result<LogPage, ReadRefusal> {
        let head = self.log_head(patient)?;
        let until = head.count.min(from.saturating_add(u64::from(limit)));
        let mut entries: BTreeMap<u64, LogEntry> = BTreeMap::new();
        let heights = self.view.index.patient_heights(patient, Height::MAX, usize::MAX);
        let mut heights = heights.map_err(|_| ReadRefusal::Damaged)?;
        heights.reverse();
        let start = self.log_start(&heights, patient, from, wish).await?;
        // Every block holds an entry at least, so no more blocks are opened than entries are wanted.
        for height in heights.iter().skip(start) {
            let found = log_entries(&self.content(*height, wish).await?.body, patient);
            let is_past = found
                .first()
                .is_some_and(|newest| newest.index.saturating_add(1) >= until);
            let wanted = found
                .into_iter()
                .filter(|entry| (from..until).contains(&entry.index));
            entries.extend(wanted.map(|entry| (entry.index, entry)));
            if is_past {
                break;
            }
        }
        let wanted = until.saturating_sub(from);
        let unread = self.view.progress.unread();
        if unread > 0 && (entries.len() as u64) < wanted {
            return Err(ReadRefusal::Unread { blocks: unread });
        }
        Ok(LogPage {
            entries: entries.into_values().collect(),
            head,
        })
    }

    /// Where in a patient's blocks, oldest first, entry `from` stands, or would stand.
    ///
    /// Entries are numbered from the oldest, and every block holds one at least: block number i holds none below i, so `from` is in
    /// block `from` or before it. Usually it is in that very block; otherwise a few blocks are opened, by bisection.
    async fn log_start(
        &self,
        heights: &[Height],
        patient: PrincipalId,
        from: u64,
        wish: Wish,
    ) -> Result<usize, ReadRefusal> {
        let last = heights.len().saturating_sub(1);
        let (mut low, mut high) = (0, usize::try_from(from).unwrap_or(usize::MAX).min(last));
        let mut probe = high;
        while low < high {
            let height = heights.get(probe).ok_or(ReadRefusal::Damaged)?;
            let found = log_entries(&self.content(*height, wish).await?.body, patient);
            // Newest first: the last one is the block's oldest.
            match found.last().is_some_and(|oldest| oldest.index <= from) {
                true => low = probe,
                false => high = probe.saturating_sub(1),
            }
            probe = low + (high - low).div_ceil(2);
        }
        Ok(low)
    }

    fn log_head(&self, patient: PrincipalId) -> Result<LogHead, ReadRefusal> {
        let argument = codec::encode(&patient);
        let answer = crate::query::contract(
            &self.view,
            ContractId::ACCESS,
            access::query::LOG_HEAD,
            &argument,
            None,
        );
        let answer = answer.map_err(|_| ReadRefusal::NotFound)?;
        codec::decode(&answer.output, 128).map_err(|_| ReadRefusal::Damaged)
    }

    /// Asks every member for its share and checks it; where blocks are opened against tickets only, whether it has it.
    async fn share_holders(&self, height: Height) -> Result<Vec<ShareHolder>, ReadRefusal> {
        let header = self.header(height)?;
        let dealing = self.view.dealing(&header).map_err(|_| ReadRefusal::Damaged)?;
        let members = self
            .view
            .executor
            .members(&self.view.index)
            .map_err(|_| ReadRefusal::Damaged)?;
        let asked: Vec<_> = members
            .iter()
            .map(|member| (member, self.ask_share(member, &header, &dealing)))
            .collect();
        let mut holders = Vec::with_capacity(asked.len());
        for (member, answer) in asked {
            let state = match answer {
                Shown::Now(state) => state,
                Shown::Later(answer) => {
                    let answer = tokio::time::timeout(SHOW_TIMEOUT, answer).await;
                    self.read_share(member, &header, &dealing, answer)
                }
            };
            holders.push(ShareHolder {
                member: member.id,
                slot: member.slot,
                state,
            });
        }
        Ok(holders)
    }

    fn ask_share(&self, member: &Member, header: &Header, dealing: &ShareCommitment) -> Shown {
        let block = header.id(&self.view.chain);
        if member.id == self.view.me {
            return Shown::Now(self.own_share_state((header.height, &block), dealing));
        }
        let height = header.height;
        let ask = match self.view.releases.needs_ticket() {
            true => ShareAsk::Holds { height },
            false => ShareAsk::Share {
                height,
                block,
                share_root: dealing.share_root,
                purpose: SharePurpose::Read(None),
            },
        };
        match self.courier.ask(member.id, Protocol::Shares, codec::encode(&ask)) {
            Ok(answer) => Shown::Later(answer),
            Err(_) => Shown::Now(ShareState::Unreachable),
        }
    }

    fn own_share_state(&self, (height, block): (Height, &BlockId), dealing: &ShareCommitment) -> ShareState {
        let root = &dealing.share_root;
        let share = archivist::own_share(&self.view, &self.archive, (height, block), root);
        let share = share.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not read the own share");
            None
        });
        match share.map(|share| CheckedShare::check(share, dealing)) {
            Some(Ok(_)) => ShareState::Held,
            Some(Err(_)) | None => ShareState::Missing,
        }
    }

    /// What a member's answer shows. A wrong share under its signature is evidence, and handed in.
    fn read_share(
        &self,
        member: &Member,
        header: &Header,
        dealing: &ShareCommitment,
        answer: TimedAnswer,
    ) -> ShareState {
        let Ok(Ok(Ok(bytes))) = answer else {
            return ShareState::Unreachable;
        };
        let answer = match codec::decode(&bytes, LARGE_MAX) {
            Ok(ShareAnswer::Share(answer)) => answer,
            Ok(ShareAnswer::Holds(true)) => return ShareState::Claimed,
            Ok(_) => return ShareState::Missing,
            Err(_) => return ShareState::Unreachable,
        };
        let asked = AskedShare {
            chain: &self.view.chain,
            block: header.id(&self.view.chain),
            dealing: *dealing,
            holder: &member.validator(),
        };
        match CheckedShare::check_answer(answer, &asked) {
            Ok(_) => ShareState::Held,
            Err(AnswerError::Wrong { evidence, .. }) => {
                let evidence = Box::new(Evidence::WrongShare(*evidence));
                let _ = self.chain.try_send(chain::Event::Evidence(evidence)); // whoever asks again finds it again
                ShareState::Wrong
            }
            Err(AnswerError::Spoiled(_)) => ShareState::Unreachable,
        }
    }
}

/// Whose wish it is that a block is opened, if it came with one.
type Wish = Option<SignedOpenRequest>;

/// What to tell who wanted a block that too few holders gave their share of.
fn refusal(shortfall: &Shortfall) -> ReadRefusal {
    let not_allowed = |(_, why): &&(MemberId, ShareRefusal)| *why == ShareRefusal::NotAllowed;
    let withheld = shortfall.refused.iter().filter(not_allowed).count();
    if withheld > 0 && shortfall.good + withheld >= shortfall.need {
        return ReadRefusal::Refused;
    }
    ReadRefusal::SharesMissing {
        have: u16::try_from(shortfall.good).unwrap_or(u16::MAX),
        need: u16::try_from(shortfall.need).unwrap_or(u16::MAX),
    }
}

/// What is known of a member's share.
enum Shown {
    Now(ShareState),
    Later(oneshot::Receiver<crate::courier::Answer>),
}

type TimedAnswer =
    Result<Result<crate::courier::Answer, oneshot::error::RecvError>, tokio::time::error::Elapsed>;

/// A patient's log entries in a body, newest first.
fn log_entries(body: &Body, patient: PrincipalId) -> Vec<LogEntry> {
    let events = body
        .receipts
        .iter()
        .rev()
        .flat_map(|receipt| receipt.events.iter().rev());
    events
        .filter(|event| event.contract == ContractId::ACCESS)
        .filter_map(|event| match codec::decode_trusted(&event.data) {
            Ok(AccessEvent::Access(entry)) if entry.patient == patient => Some(entry),
            _ => None,
        })
        .collect()
}
