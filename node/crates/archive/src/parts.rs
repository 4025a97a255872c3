//! Fetches a snapshot's parts from all who hold it, and checks each by itself.

use crate::peers::Peers;
use crate::{Config, Effect, Fault, RequestId, ShareRefusal};
use salus_types::snapshot::{CheckedPart, PartRecord, SnapshotPart, SnapshotTarget, StagedPart};
use salus_types::state::TreeChanges;
use salus_types::tree::{TreeNode, TreePlace, TreePrefix};
use salus_types::{Hash, MemberId};
use std::collections::BTreeMap;
use std::time::Duration;

/// Parts asked for at once.
const RUNNING_MAX: usize = 8;
/// Of them, asked of one member.
const RUNNING_PER_MEMBER: usize = 2;
/// Unanswered questions whose late answers are still taken.
const LATE_MAX: usize = 64;

/// A snapshot on its way.
#[derive(Debug)]
pub(crate) struct Parts {
    target: SnapshotTarget,
    /// What is there.
    records: BTreeMap<TreePrefix, PartRecord>,
    /// What is wanted and not asked for, with the hash that it must lead to.
    todo: BTreeMap<TreePrefix, Hash>,
    asked: BTreeMap<RequestId, Asked>,
    sources: BTreeMap<MemberId, Source>,
    bytes: u64,
    /// As those who hold it say.
    bytes_total: u64,
    /// The pace: nothing is asked for before.
    free_at: Duration,
}

#[derive(Clone, Debug)]
struct Asked {
    member: MemberId,
    prefix: TreePrefix,
    hash: Hash,
    sent: Duration,
    overdue: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    /// Not asked before.
    after: Duration,
}

impl Parts {
    /// What is left to fetch of a snapshot, of which these parts are there.
    pub(crate) fn new(target: SnapshotTarget, there: &[StagedPart]) -> Self {
        let records = there
            .iter()
            .map(|part| (part.prefix.clone(), part.record.clone()));
        let mut parts = Self {
            target,
            records: records.collect(),
            todo: BTreeMap::new(),
            asked: BTreeMap::new(),
            sources: BTreeMap::new(),
            bytes: there.iter().map(|part| part.bytes).fold(0, u64::saturating_add),
            bytes_total: 0,
            free_at: Duration::ZERO,
        };
        parts.want(TreePrefix::ROOT, target.state_root);
        parts
    }

    pub(crate) const fn target(&self) -> SnapshotTarget {
        self.target
    }

    /// Bytes that are there, and in all.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.bytes, self.bytes_total.max(self.bytes))
    }

    /// A member that holds it, and how large it says that it is; the lowest word counts.
    pub(crate) fn add_source(&mut self, member: MemberId, bytes_total: u64) {
        if self.sources.is_empty() || bytes_total < self.bytes_total {
            self.bytes_total = bytes_total;
        }
        self.sources.entry(member).or_default();
    }

    /// Whether nobody is left to ask, though something is missing.
    pub(crate) fn is_stuck(&self) -> bool {
        self.sources.is_empty() && !self.is_whole()
    }

    /// Whether all of it is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.todo.is_empty()
            && self
                .asked
                .values()
                .all(|asked| self.records.contains_key(&asked.prefix))
    }

    /// The nodes above its parts.
    pub(crate) fn nodes_above(&self) -> TreeChanges {
        let mut nodes = TreeChanges::new();
        self.place(&TreePrefix::ROOT, &mut nodes);
        nodes
    }

    fn place(&self, prefix: &TreePrefix, nodes: &mut TreeChanges) -> TreePlace {
        match self.records.get(prefix) {
            None => TreePlace::Empty,
            Some(PartRecord::Entries(place)) => *place,
            Some(PartRecord::Split(_)) => {
                let mut node = TreeNode::default();
                for (digit, child) in children(prefix) {
                    node.set(digit, self.place(&child, nodes));
                }
                nodes.insert(prefix.as_path().to_vec(), Some(node.encode()));
                TreePlace::Node(node.hash())
            }
        }
    }

    /// Wants a part, or, if it is there, those below it.
    fn want(&mut self, prefix: TreePrefix, hash: Hash) {
        match self.records.get(&prefix).cloned() {
            None => drop(self.todo.insert(prefix, hash)),
            Some(PartRecord::Entries(_)) => {}
            Some(PartRecord::Split(places)) => {
                for ((_, child), hash) in children(&prefix).zip(*places) {
                    if hash != Hash::ZERO {
                        self.want(child, hash);
                    }
                }
            }
        }
    }

    /// Asks for what may be asked for now.
    pub(crate) fn ask(&mut self, now: Duration, config: &Config, peers: &mut Peers) -> Vec<Effect> {
        self.give_up_on_silent(now, config, peers);
        let mut effects = Vec::new();
        while now >= self.free_at && self.on_time().count() < RUNNING_MAX {
            let Some(member) = self.source(now) else {
                break;
            };
            let Some((prefix, hash)) = self.todo.pop_first() else {
                break;
            };
            let request = peers.next_request();
            let asked = Asked {
                member,
                prefix: prefix.clone(),
                hash,
                sent: now,
                overdue: false,
            };
            self.asked.insert(request, asked);
            effects.push(Effect::AskPart {
                request,
                member,
                height: self.target.height,
                prefix,
            });
        }
        effects
    }

    fn on_time(&self) -> impl Iterator<Item = &Asked> {
        self.asked.values().filter(|asked| !asked.overdue)
    }

    fn load(&self, member: MemberId) -> usize {
        self.on_time().filter(|asked| asked.member == member).count()
    }

    /// The member with the fewest questions, of those that may be asked one more.
    fn source(&self, now: Duration) -> Option<MemberId> {
        self.sources
            .iter()
            .filter(|(_, source)| now >= source.after)
            .map(|(member, _)| (self.load(*member), *member))
            .filter(|(load, _)| *load < RUNNING_PER_MEMBER)
            .min()
            .map(|(_, member)| member)
    }

    fn give_up_on_silent(&mut self, now: Duration, config: &Config, peers: &mut Peers) {
        for asked in self.asked.values_mut() {
            if asked.overdue || now < asked.sent.saturating_add(patience(config)) {
                continue;
            }
            asked.overdue = true;
            peers.silent(asked.member, config);
            if let Some(source) = self.sources.get_mut(&asked.member) {
                source.after = now.saturating_add(config.ask_timeout.saturating_mul(4));
            }
            self.todo.insert(asked.prefix.clone(), asked.hash);
        }
        while self.asked.len() > LATE_MAX {
            let late = self.asked.iter().find(|(_, asked)| asked.overdue);
            let Some(late) = late.map(|(request, _)| *request) else {
                return;
            };
            self.asked.remove(&late);
        }
    }

    /// A member will not answer.
    pub(crate) fn lost(&mut self, member: MemberId) {
        self.sources.remove(&member);
        let gone: Vec<RequestId> = self.asked_of(member);
        for request in gone {
            self.put_back(request);
        }
    }

    fn asked_of(&self, member: MemberId) -> Vec<RequestId> {
        let asked = self.asked.iter().filter(|(_, asked)| asked.member == member);
        asked.map(|(request, _)| *request).collect()
    }

    fn put_back(&mut self, request: RequestId) {
        if let Some(asked) = self.asked.remove(&request)
            && !self.records.contains_key(&asked.prefix)
        {
            self.todo.insert(asked.prefix, asked.hash);
        }
    }

    /// Takes an answer: the part to keep, or whom to blame.
    pub(crate) fn answer(
        &mut self,
        now: Duration,
        config: &Config,
        peers: &mut Peers,
        (request, member): (RequestId, MemberId),
        result: Result<SnapshotPart, ShareRefusal>,
    ) -> Option<Effect> {
        let asked = self.asked.get(&request).filter(|asked| asked.member == member)?;
        let (prefix, hash) = (asked.prefix.clone(), asked.hash);
        let latency = now.saturating_sub(asked.sent);
        let part = match result {
            Ok(part) => part,
            Err(refusal) => {
                self.refused(now, config, request, member, refusal);
                return None;
            }
        };
        let bytes = u64::try_from(part.bytes()).unwrap_or(u64::MAX);
        self.spend(now, config, bytes);
        match part.check(&prefix, &hash) {
            Ok(part) => {
                peers.answered(member, latency);
                self.asked.remove(&request);
                self.keep(prefix, hash, bytes, part)
            }
            Err(error) => {
                self.lost(member);
                peers.suspect(now, member, config);
                Some(Effect::Blame {
                    evidence: None,
                    member,
                    request,
                    height: self.target.height,
                    fault: Fault::Part(error),
                })
            }
        }
    }

    fn refused(
        &mut self,
        now: Duration,
        config: &Config,
        request: RequestId,
        member: MemberId,
        refusal: ShareRefusal,
    ) {
        self.put_back(request);
        match refusal {
            ShareRefusal::NotHeld | ShareRefusal::NotAllowed => drop(self.sources.remove(&member)),
            ShareRefusal::Busy | ShareRefusal::Unreachable => {
                if let Some(source) = self.sources.get_mut(&member) {
                    source.after = now.saturating_add(config.ask_timeout);
                }
            }
        }
    }

    fn spend(&mut self, now: Duration, config: &Config, bytes: u64) {
        let nanoseconds = bytes
            .saturating_mul(1_000_000_000)
            .checked_div(config.snapshot_bytes_per_second)
            .unwrap_or(u64::MAX);
        let cost = Duration::from_nanos(nanoseconds);
        self.free_at = self.free_at.max(now).saturating_add(cost);
    }

    fn keep(&mut self, prefix: TreePrefix, hash: Hash, bytes: u64, part: CheckedPart) -> Option<Effect> {
        self.todo.remove(&prefix);
        if self.records.contains_key(&prefix) {
            return None; // another member was faster
        }
        let bytes = match &part {
            CheckedPart::Split(_) => 0,
            CheckedPart::Entries { .. } => bytes,
        };
        self.bytes = self.bytes.saturating_add(bytes);
        self.records.insert(prefix.clone(), part.record());
        self.want(prefix.clone(), hash);
        Some(Effect::KeepPart { prefix, bytes, part })
    }

    /// When there is something to do.
    pub(crate) fn next_wake(&self, config: &Config) -> Option<Duration> {
        let deadlines = self
            .on_time()
            .map(|asked| asked.sent.saturating_add(patience(config)));
        let free = self
            .sources
            .iter()
            .filter(|(member, _)| self.load(**member) < RUNNING_PER_MEMBER);
        let asks = match self.todo.is_empty() || self.on_time().count() >= RUNNING_MAX {
            true => None,
            false => free.map(|(_, source)| source.after.max(self.free_at)).min(),
        };
        deadlines.chain(asks).min()
    }
}

/// A part is larger than a share: half a megabyte over a line that others use as well.
fn patience(config: &Config) -> Duration {
    config.ask_timeout.saturating_mul(5)
}

/// The sixteen prefixes below a prefix; none below the last level.
fn children(prefix: &TreePrefix) -> impl Iterator<Item = (u8, TreePrefix)> + '_ {
    (0..16).filter_map(|digit| Some((digit, prefix.child(digit)?)))
}
