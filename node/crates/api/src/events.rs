//! The stream of what happens on the chain: a bounded ring that any number of readers follow at their own pace.
//!
//! Readers have no queues. Each keeps a [`Cursor`] and reads the ring from there; one that falls behind the ring's
//! oldest event is told so and dropped. So a slow reader costs nothing, and the node never waits for one.

use crate::dto::events::StreamEvent;
use salus_types::abi::access::AccessEvent;
use salus_types::codec;
use salus_types::{BlockId, ContractId, Height, Receipt, Timestamp};
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Events held for readers that resume.
const EVENTS_HELD_MAX: usize = 10_000;

/// A place in the stream: written `height.index`.
///
/// Index 0 is the block itself, 1 and on are the access contract's events in the order of execution. All nodes
/// give the same event the same cursor, so a reader may go on at another node.
///
/// ```
/// use salus_api::Cursor;
///
/// let first: Cursor = "9.4294967295".parse()?;
/// let second: Cursor = "10.0".parse()?;
/// assert!(first < second);
/// assert_eq!(second.to_string(), "10.0");
/// # Ok::<(), salus_api::CursorParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The block's height.
    pub height: Height,
    /// The event's position in the block.
    pub index: u32,
}

/// A text that is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is a height and an index: 17.0")]
pub struct CursorParseError;

/// A committed block, as the node tells the stream of it.
#[derive(Clone, Copy, Debug)]
pub struct PublishedBlock<'a> {
    /// Its height; greater than that of the block published before.
    pub height: Height,
    /// Its id.
    pub id: BlockId,
    /// Its time.
    pub time: Timestamp,
    /// One receipt for each transaction, in their order.
    pub receipts: &'a [Receipt],
    /// Whether the access contract's events are told, and not only that there is a block.
    pub is_told: bool,
}

/// The last 10,000 events. Cloning it gives another handle to the same log.
#[derive(Clone, Debug)]
pub struct EventLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    capacity: usize,
    ring: Mutex<Ring>,
    latest: watch::Sender<Cursor>,
}

#[derive(Debug)]
struct Ring {
    /// The last event that is not held.
    floor: Cursor,
    events: VecDeque<Arc<Rendered>>,
}

/// An event with its JSON, which is written once for all readers.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) cursor: Cursor,
    pub(crate) kind: &'static str,
    pub(crate) json: String,
}

/// The events after a cursor are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooOld {
    /// The oldest cursor from which a reader can resume.
    pub(crate) oldest: Cursor,
}

impl EventLog {
    /// A log that starts after `height`: the last block committed before the node started, 0 on a new chain.
    pub fn new(height: Height) -> Self {
        Self::with_capacity(height, EVENTS_HELD_MAX)
    }

    /// The same with room for `capacity` events, at least one and at most 10,000.
    pub fn with_capacity(height: Height, capacity: usize) -> Self {
        let index = if height == Height::ZERO { 0 } else { u32::MAX };
        let floor = Cursor { height, index };
        let ring = Ring {
            floor,
            events: VecDeque::new(),
        };
        Self {
            shared: Arc::new(Shared {
                capacity: capacity.clamp(1, EVENTS_HELD_MAX),
                ring: Mutex::new(ring),
                latest: watch::Sender::new(floor),
            }),
        }
    }

    /// Adds a committed block and its access events. A block that is not above the last one is ignored, so a
    /// replay after a restart is harmless.
    pub fn publish(&self, block: &PublishedBlock<'_>) {
        if block.height <= self.latest().height {
            return;
        }
        // Rendered outside the lock; what the ring could not hold anyway is not even rendered.
        let decoded = match block.is_told {
            true => access_events(block.receipts),
            false => Vec::new(),
        };
        let skipped = decoded.len().saturating_sub(self.shared.capacity);
        let at = |index| Cursor {
            height: block.height,
            index,
        };
        let mut rendered = vec![Rendered::new(at(0), &StreamEvent::block(block))];
        for (index, event) in (1u32..).zip(&decoded).skip(skipped) {
            rendered.push(Rendered::new(at(index), &StreamEvent::access(event)));
        }
        let latest = rendered.last().map_or(at(0), |event| event.cursor);
        let mut ring = self.lock();
        for event in rendered {
            ring.push(event, self.shared.capacity);
        }
        if skipped > 0 {
            ring.floor = at(u32::try_from(skipped).unwrap_or(u32::MAX));
        }
        drop(ring);
        self.shared.latest.send_replace(latest);
    }

    /// Goes on after a height though the blocks before it were not published: a snapshot skipped them. Whoever has read up to an
    /// earlier one is told that events are gone.
    pub fn skip_to(&self, height: Height) {
        if height <= self.latest().height {
            return;
        }
        let floor = Cursor {
            height,
            index: u32::MAX,
        };
        let mut ring = self.lock();
        ring.events.clear();
        ring.floor = floor;
        drop(ring);
        self.shared.latest.send_replace(floor);
    }

    /// The last event's cursor.
    pub fn latest(&self) -> Cursor {
        *self.shared.latest.borrow()
    }

    /// Changes whenever something was published.
    pub(crate) fn watch(&self) -> watch::Receiver<Cursor> {
        self.shared.latest.subscribe()
    }

    /// Up to `count` events after a cursor.
    pub(crate) fn after(&self, cursor: Cursor, count: usize) -> Result<Vec<Arc<Rendered>>, TooOld> {
        let ring = self.lock();
        if cursor < ring.floor {
            return Err(TooOld { oldest: ring.floor });
        }
        let start = ring.events.partition_point(|event| event.cursor <= cursor);
        Ok(ring.events.iter().skip(start).take(count).cloned().collect())
    }

    /// A panic while the lock was held can't leave the ring half-written in a way that matters: at worst an event
    /// is missing, and cursors stay in order.
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, event: Rendered, capacity: usize) {
        if self.events.len() == capacity
            && let Some(oldest) = self.events.pop_front()
        {
            self.floor = oldest.cursor;
        }
        self.events.push_back(Arc::new(event));
    }
}

impl Rendered {
    fn new(cursor: Cursor, event: &StreamEvent) -> Self {
        Self {
            cursor,
            kind: event.kind(),
            // These types serialise without fail; an empty object would still keep the cursors right.
            json: serde_json::to_string(event).unwrap_or_else(|_| "{}".into()),
        }
    }
}

/// What the access contract said in these receipts. Its events are canonical by construction: it wrote them.
fn access_events(receipts: &[Receipt]) -> Vec<AccessEvent> {
    receipts
        .iter()
        .flat_map(|receipt| &receipt.events)
        .filter(|event| event.contract == ContractId::ACCESS)
        .filter_map(|event| codec::decode_trusted(&event.data).ok())
        .collect()
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.height, self.index)
    }
}

impl FromStr for Cursor {
    type Err = CursorParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (height, index) = text.split_once('.').ok_or(CursorParseError)?;
        Ok(Self {
            height: Height::new(height.parse().map_err(|_| CursorParseError)?),
            index: index.parse().map_err(|_| CursorParseError)?,
        })
    }
}

#[cfg(test)]
mod tests;
