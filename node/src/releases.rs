//! Handing out the own shares of blocks: who may have them, and the log of who asked.
//!
//! | asked for | open policy `members` | open policy `ticket` |
//! | --- | --- | --- |
//! | read | any member | against a principal's signed wish and its ticket on the chain, in this node's own state |
//! | sync, repair | any member | any member, at a bounded rate |
//! | reseal | any member, while an operator's job covers the block | the same |
//!
//! A member that has left gets no share of what was dealt anew since, whatever it asks for.
//!
//! Why a member asks is its own word: one that names repair opens what it likes. So every question is logged, here and
//! in metrics, for all to compare with what the member had lost.

use crate::view::View;
use crate::wire::{SharePurpose, Withheld};
use salus_api::{Release, ReleasePurpose};
use salus_execution::members;
use salus_genesis::OpenPolicy;
use salus_types::abi::access::{self, OpenTicket};
use salus_types::abi::registry::Status;
use salus_types::{
    ContractId, Height, MemberId, PrincipalId, PublicKey, SignedOpenRequest, Timestamp, codec,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Entries of the log, at most.
const LOG_MAX: usize = 1_024;
/// Among how many of the latest entries a like one is looked for.
const LIKE_MAX: usize = 32;
/// For how long like questions go into one entry.
const ENTRY_MS: u64 = 60_000;
/// Shares that a member gets at once for sync and repair, under the policy `ticket`.
const BURST: u32 = 4_096;
/// Shares a second after that: 10,000 lost ones are back within two minutes.
const SHARES_PER_SECOND: u32 = 128;

/// The log of questions for the own shares. It is kept in memory: metrics and the log file outlive it.
#[derive(Debug)]
pub(crate) struct Releases {
    policy: OpenPolicy,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    log: VecDeque<Release>,
    allowances: BTreeMap<MemberId, Allowance>,
}

/// What a member may still get now.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    shares: u32,
    at: Duration,
}

impl Releases {
    pub(crate) fn new(policy: OpenPolicy) -> Self {
        Self {
            policy,
            inner: Mutex::default(),
        }
    }

    /// Whether blocks are opened against tickets only.
    pub(crate) fn needs_ticket(&self) -> bool {
        self.policy == OpenPolicy::Ticket
    }

    /// The log, newest first.
    pub(crate) fn log(&self) -> Vec<Release> {
        self.inner().log.iter().rev().cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a member may have the own share of a block, by this node's own state. Logs the question either way.
pub(crate) fn decide(
    view: &View,
    member: MemberId,
    height: Height,
    purpose: &SharePurpose,
) -> Result<(), Withheld> {
    let (kind, principal, decision) = match purpose {
        SharePurpose::Read(wish) => {
            let principal = wish.map(|wish| wish.request.principal);
            let decision = may_open(view, wish.as_ref(), height, member);
            (ReleasePurpose::Read, principal, decision)
        }
        SharePurpose::Repair => (ReleasePurpose::Repair, None, view.releases.spend(view, member)),
        SharePurpose::Sync => (ReleasePurpose::Sync, None, view.releases.spend(view, member)),
        SharePurpose::Reseal => (ReleasePurpose::Reseal, None, may_reseal(view, height)),
    };
    let decision = decision.and_then(|()| dealt_with(view, member, height));
    let release = Release {
        first: view.clock.wall(),
        last: view.clock.wall(),
        member,
        purpose: kind,
        principal,
        allowed: decision.is_ok(),
        lowest: height,
        highest: height,
        count: 1,
    };
    view.releases.inner().note(release);
    decision
}

/// Whether `recipient` may open a block now: always under the policy `members`; under `ticket`, if a principal wishes it
/// that has a ticket for it.
pub(crate) fn may_open(
    view: &View,
    wish: Option<&SignedOpenRequest>,
    height: Height,
    recipient: MemberId,
) -> Result<(), Withheld> {
    if !view.releases.needs_ticket() {
        return Ok(());
    }
    let wish = wish.ok_or(Withheld::NotAllowed)?;
    let principal = wish.request.principal;
    let busy = |error: String| {
        tracing::error!(error, "whether a block may be opened could not be decided");
        Withheld::Busy
    };
    let sender = view
        .executor
        .sender(&view.index, principal)
        .map_err(|fault| busy(fault.to_string()))?;
    let sender = sender
        .filter(|sender| sender.status == Status::Active)
        .ok_or(Withheld::NotAllowed)?;
    let key = PublicKey::new(sender.signing_key);
    let now = view.clock.wall();
    if let Err(error) = wish.verify(&view.chain, &key, height, recipient, now) {
        tracing::info!(%recipient, %height, %principal, %error, "a wish to open a block is refused");
        return Err(Withheld::NotAllowed);
    }
    let ticket = open_ticket(view, principal).map_err(busy)?;
    let ticket = ticket
        .filter(|ticket| covers(ticket, height, now))
        .ok_or(Withheld::NotAllowed)?;
    if ticket.own_log_only && !touches(view, principal, height).map_err(busy)? {
        return Err(Withheld::NotAllowed);
    }
    Ok(())
}

/// Whether a member was still one when a block was dealt anew, if it was.
fn dealt_with(view: &View, member: MemberId, height: Height) -> Result<(), Withheld> {
    let busy = |error: String| {
        tracing::error!(error, "whether a member has left could not be decided");
        Withheld::Busy
    };
    let Some(dealing) = view.resealed(height).map_err(|error| busy(error.to_string()))? else {
        return Ok(());
    };
    let former = members::former_member(&view.index, member).map_err(|fault| busy(fault.0))?;
    // It decides one height more after the block that removes it.
    match former.filter(|former| dealing.dealt_at > former.removed.next()) {
        Some(_) => Err(Withheld::NotAllowed),
        None => Ok(()),
    }
}

/// Whether the job under way, as this node knows it, deals a block anew. One that it dealt already may be asked for a little
/// longer: the asker may be a block behind.
fn may_reseal(view: &View, height: Height) -> Result<(), Withheld> {
    let job = view.executor.reseal_job(&view.index).map_err(|fault| {
        tracing::error!(
            error = fault.0,
            "whether a block is to be resealed could not be decided"
        );
        Withheld::Busy
    })?;
    match job.filter(|job| job.is_open() && (job.from..=job.to).contains(&height)) {
        Some(_) => Ok(()),
        None => Err(Withheld::NotAllowed),
    }
}

fn covers(ticket: &OpenTicket, height: Height, now: Timestamp) -> bool {
    (ticket.from..=ticket.to).contains(&height.get()) && now.get() < ticket.until_ms
}

/// The ticket of a principal, as the access contract answers on the committed state.
fn open_ticket(view: &View, principal: PrincipalId) -> Result<Option<OpenTicket>, String> {
    let argument = codec::encode(&principal);
    let entry = access::query::OPEN_TICKET;
    let answer = crate::query::contract(view, ContractId::ACCESS, entry, &argument, None);
    let answer = answer.map_err(|error| error.to_string())?;
    codec::decode(&answer.output, 128).map_err(|error| error.to_string())
}

/// Whether a block extends a patient's access log, by the own index.
fn touches(view: &View, patient: PrincipalId, height: Height) -> Result<bool, String> {
    let newest = view.index.patient_heights(patient, height.next(), 1);
    let newest = newest.map_err(|error| error.to_string())?;
    Ok(newest.first() == Some(&height))
}

impl Releases {
    /// Takes a share from what a member may get for sync and repair now.
    fn spend(&self, view: &View, member: MemberId) -> Result<(), Withheld> {
        if !self.needs_ticket() {
            return Ok(());
        }
        let now = view.clock.elapsed();
        let mut inner = self.inner();
        let allowance = inner.allowances.entry(member).or_insert(Allowance {
            shares: BURST,
            at: now,
        });
        match allowance.spend(now) {
            true => Ok(()),
            false => Err(Withheld::Busy),
        }
    }
}

impl Allowance {
    fn spend(&mut self, now: Duration) -> bool {
        let gained = now.saturating_sub(self.at).as_millis() * u128::from(SHARES_PER_SECOND) / 1_000;
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        if gained > 0 {
            self.shares = self.shares.saturating_add(gained).min(BURST);
            self.at = now;
        }
        match self.shares.checked_sub(1) {
            Some(rest) => {
                self.shares = rest;
                true
            }
            None => false,
        }
    }
}

impl Inner {
    /// Adds a question to the log, to a like entry if there is a young one.
    fn note(&mut self, release: Release) {
        let labels = [
            ("member", release.member.get().to_string()),
            ("purpose", release.purpose.name().to_owned()),
        ];
        match release.allowed {
            true => metrics::counter!("salus_shares_released_total", &labels).increment(1),
            false => metrics::counter!("salus_shares_withheld_total", &labels).increment(1),
        }
        let like = |entry: &&mut Release| {
            (entry.member, entry.purpose, entry.principal, entry.allowed)
                == (
                    release.member,
                    release.purpose,
                    release.principal,
                    release.allowed,
                )
                && release.first.get().saturating_sub(entry.first.get()) < ENTRY_MS
        };
        if let Some(entry) = self.log.iter_mut().rev().take(LIKE_MAX).find(like) {
            entry.last = release.last;
            entry.lowest = entry.lowest.min(release.lowest);
            entry.highest = entry.highest.max(release.highest);
            entry.count = entry.count.saturating_add(1);
            return;
        }
        let Release {
            member,
            lowest: height,
            allowed,
            ..
        } = release;
        let purpose = release.purpose.name();
        tracing::info!(%member, %height, purpose, principal = ?release.principal, allowed, "asked for own shares");
        if self.log.len() >= LOG_MAX {
            self.log.pop_front();
        }
        self.log.push_back(release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(member: u16, height: u64, at: u64) -> Release {
        Release {
            first: Timestamp::new(at),
            last: Timestamp::new(at),
            member: MemberId::new(member),
            purpose: ReleasePurpose::Repair,
            principal: None,
            allowed: true,
            lowest: Height::new(height),
            highest: Height::new(height),
            count: 1,
        }
    }

    #[test]
    fn like_questions_go_into_one_entry_for_a_minute_and_the_log_is_bounded() {
        let mut inner = Inner::default();
        for at in 0..100 {
            inner.note(release(1, 500 - at, at * 100));
            inner.note(release(2, 7, at * 100));
        }
        let spans: Vec<_> = inner
            .log
            .iter()
            .map(|one| (one.member.get(), one.lowest.get(), one.highest.get(), one.count))
            .collect();
        assert_eq!(spans, [(1, 401, 500, 100), (2, 7, 7, 100)]);
        inner.note(release(1, 9, ENTRY_MS));
        assert_eq!(inner.log.len(), 3, "a minute later it is another one");
        for member in 0..2_000 {
            inner.note(release(member, 1, 1_000_000));
        }
        assert_eq!(inner.log.len(), LOG_MAX);
    }

    #[test]
    fn an_allowance_is_spent_at_once_and_then_comes_back_at_its_pace() {
        let mut allowance = Allowance {
            shares: BURST,
            at: Duration::ZERO,
        };
        let second = Duration::from_secs(1);
        let spent = |allowance: &mut Allowance, at| (0..10_000).filter(|_| allowance.spend(at)).count();
        assert_eq!(spent(&mut allowance, Duration::ZERO), BURST as usize);
        assert_eq!(spent(&mut allowance, second), SHARES_PER_SECOND as usize);
        assert_eq!(
            spent(&mut allowance, second * 1_000),
            BURST as usize,
            "never more than at first"
        );
    }

    #[test]
    fn a_ticket_covers_its_heights_until_it_ends() {
        let ticket = OpenTicket {
            from: 3,
            to: 5,
            purpose: access::Purpose::Operations,
            own_log_only: false,
            until_ms: 100,
        };
        let covered = |height, now| covers(&ticket, Height::new(height), Timestamp::new(now));
        assert!(covered(3, 99) && covered(5, 0));
        assert!(!covered(2, 0) && !covered(6, 0) && !covered(4, 100));
    }
}
