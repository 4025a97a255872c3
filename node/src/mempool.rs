//! Checked transactions that wait for a block: bounded, fair, in order for each sender.
//!
//! A plain structure without clock or I/O. A transaction waits until the one before it (by the sender's
//! sequence) has been executed; arrival order decides between senders.

use salus_types::{Call, Height, MemberId, PrincipalId, Sequence, Transaction, TransactionId};
use std::collections::{BTreeMap, BTreeSet};

/// Bounds of the pool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Transactions, at most.
    pub count_max: usize,
    /// Bytes of encoded transactions, at most.
    pub bytes_max: usize,
    /// How far a transaction may run ahead of its sender's executed ones.
    pub ahead_max: u64,
    /// The part of `count_max` that principals of one hospital may hold together, in percent.
    pub organisation_percent: usize,
    /// Room beyond `count_max` that only system calls (governance) may use.
    pub reserved: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            count_max: 20_000,
            bytes_max: 32 << 20,
            ahead_max: 512,
            organisation_percent: 60,
            reserved: 256,
        }
    }
}

/// Why the pool takes no more of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// It is in the pool already.
    #[error("already waiting")]
    Known,
    /// Its sequence number was used.
    #[error("sequence already used; the next is {next}")]
    Replay {
        /// The number the sender's next transaction carries.
        next: Sequence,
    },
    /// Its sequence number is too far ahead.
    #[error("sequence too far ahead; the next is {next}")]
    OutOfOrder {
        /// The number the sender's next transaction carries.
        next: Sequence,
    },
    /// Another transaction of the sender waits under this sequence number.
    #[error("another transaction with this sequence number waits")]
    SequenceTaken,
    /// Its last height has passed.
    #[error("expired at height {0}")]
    Expired(Height),
    /// The sender's hospital holds its whole part of the pool.
    #[error("too many waiting transactions of one hospital")]
    OverQuota,
    /// The pool is full.
    #[error("the pool is full")]
    Full,
}

/// What the committed state says of a sender.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// Its hospital.
    pub organisation: MemberId,
    /// The number its next transaction carries.
    pub next: Sequence,
}

/// The pool.
#[derive(Debug, Default)]
pub struct Mempool {
    limits: Limits,
    queues: BTreeMap<PrincipalId, Queue>,
    arrivals: BTreeMap<u64, (PrincipalId, Sequence)>,
    /// Last height and arrival, so that the expired ones are found without looking at the others.
    expiries: BTreeSet<(Height, u64)>,
    known: BTreeMap<TransactionId, (PrincipalId, Sequence)>,
    organisations: BTreeMap<MemberId, usize>,
    next_arrival: u64,
    bytes: usize,
}

/// One sender's transactions.
#[derive(Debug, Default)]
struct Queue {
    /// The sequence number that the next executed one carries.
    next: Sequence,
    waiting: BTreeMap<Sequence, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    transaction: Transaction,
    arrival: u64,
    organisation: MemberId,
}

impl Mempool {
    /// An empty pool.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether this transaction waits.
    pub fn contains(&self, id: &TransactionId) -> bool {
        self.known.contains_key(id)
    }

    /// The waiting transaction with this id.
    pub fn get(&self, id: &TransactionId) -> Option<&Transaction> {
        let (sender, sequence) = self.known.get(id)?;
        Some(&self.queues.get(sender)?.waiting.get(sequence)?.transaction)
    }

    /// Whether something waits that can be executed now.
    pub fn is_ready(&self) -> bool {
        self.queues
            .values()
            .any(|queue| queue.waiting.contains_key(&queue.next))
    }

    /// Takes a checked transaction; `tip` is the committed height.
    pub fn insert(&mut self, transaction: Transaction, sender: Sender, tip: Height) -> Result<(), PoolError> {
        let payload = transaction.payload();
        let (principal, sequence, expires) = (payload.sender, payload.sequence, payload.expires);
        self.admit(&transaction, sender, tip)?;
        let arrival = self.next_arrival;
        self.next_arrival = self.next_arrival.saturating_add(1);
        self.bytes = self.bytes.saturating_add(transaction.encoded_length());
        self.known.insert(transaction.id(), (principal, sequence));
        self.arrivals.insert(arrival, (principal, sequence));
        self.expiries.insert((expires, arrival));
        *self.organisations.entry(sender.organisation).or_default() += 1;
        let waiting = Waiting {
            transaction,
            arrival,
            organisation: sender.organisation,
        };
        let queue = self.queues.entry(principal).or_default();
        queue.next = queue.next.max(sender.next);
        queue.waiting.insert(sequence, waiting);
        Ok(())
    }

    fn admit(&self, transaction: &Transaction, sender: Sender, tip: Height) -> Result<(), PoolError> {
        let payload = transaction.payload();
        if self.contains(&transaction.id()) {
            return Err(PoolError::Known);
        }
        if payload.sequence < sender.next {
            return Err(PoolError::Replay { next: sender.next });
        }
        if payload.sequence > sender.next.saturating_add(self.limits.ahead_max) {
            return Err(PoolError::OutOfOrder { next: sender.next });
        }
        if payload.expires <= tip {
            return Err(PoolError::Expired(payload.expires));
        }
        if self
            .queues
            .get(&payload.sender)
            .is_some_and(|own| own.waiting.contains_key(&payload.sequence))
        {
            return Err(PoolError::SequenceTaken);
        }
        let governance = matches!(payload.call, Call::System(_));
        let room = self.limits.count_max + if governance { self.limits.reserved } else { 0 };
        if self.len() >= room
            || self.bytes.saturating_add(transaction.encoded_length()) > self.limits.bytes_max
        {
            return Err(PoolError::Full);
        }
        let held = self.organisations.get(&sender.organisation).copied().unwrap_or(0);
        if !governance && held >= self.limits.count_max * self.limits.organisation_percent / 100 {
            return Err(PoolError::OverQuota);
        }
        Ok(())
    }

    /// Waiting transactions in an order in which they can be executed: at most `count_max`, of at most `bytes_max`.
    pub fn candidates(&self, count_max: usize, bytes_max: usize) -> Vec<Transaction> {
        let mut upcoming: BTreeMap<PrincipalId, Sequence> = BTreeMap::new();
        let (mut chosen, mut bytes) = (Vec::new(), 0usize);
        for (turn, (sender, sequence)) in &self.arrivals {
            let Some(queue) = self.queues.get(sender) else {
                continue;
            };
            let upcoming = upcoming.entry(*sender).or_insert(queue.next);
            if sequence != upcoming {
                continue; // it waits for an earlier one, or went in right behind that one
            }
            for (sequence, waiting) in queue.waiting.range(*sequence..) {
                if sequence != upcoming {
                    break;
                }
                bytes = bytes.saturating_add(waiting.transaction.encoded_length());
                if bytes > bytes_max || chosen.len() >= count_max {
                    return chosen;
                }
                chosen.push(waiting.transaction.clone());
                *upcoming = upcoming.saturating_add(1);
                // One that arrived later keeps its place behind the other senders' that came in between.
                if queue
                    .waiting
                    .get(upcoming)
                    .is_some_and(|following| following.arrival > *turn)
                {
                    break;
                }
            }
        }
        chosen
    }

    /// Removes what a block executed and what can't be executed any more: for each sender of the block, the
    /// sequence number its next transaction carries.
    pub fn committed(&mut self, tip: Height, executed: impl IntoIterator<Item = (PrincipalId, Sequence)>) {
        for (sender, next) in executed {
            let Some(queue) = self.queues.get_mut(&sender) else {
                continue;
            };
            queue.next = queue.next.max(next);
            let rest = queue.waiting.split_off(&queue.next);
            let done = std::mem::replace(&mut queue.waiting, rest);
            done.into_values().for_each(|waiting| self.forget(waiting));
        }
        while let Some((expires, arrival)) = self.expiries.first().copied() {
            if expires > tip {
                break;
            }
            self.expiries.pop_first();
            if let Some((sender, sequence)) = self.arrivals.get(&arrival).copied() {
                self.remove(sender, sequence);
            }
        }
        self.queues.retain(|_, queue| !queue.waiting.is_empty());
    }

    /// Removes one transaction: its execution was refused.
    pub fn remove(&mut self, sender: PrincipalId, sequence: Sequence) {
        if let Some(waiting) = self
            .queues
            .get_mut(&sender)
            .and_then(|queue| queue.waiting.remove(&sequence))
        {
            self.forget(waiting);
        }
    }

    /// Removes everything of a sender: its key changed, so the signatures were checked under the wrong one.
    pub fn remove_sender(&mut self, sender: PrincipalId) {
        let Some(queue) = self.queues.remove(&sender) else {
            return;
        };
        queue
            .waiting
            .into_values()
            .for_each(|waiting| self.forget(waiting));
    }

    fn forget(&mut self, waiting: Waiting) {
        self.known.remove(&waiting.transaction.id());
        self.arrivals.remove(&waiting.arrival);
        self.expiries
            .remove(&(waiting.transaction.payload().expires, waiting.arrival));
        self.bytes = self.bytes.saturating_sub(waiting.transaction.encoded_length());
        if let Some(held) = self.organisations.get_mut(&waiting.organisation) {
            *held = held.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests;
