use super::*;
use proptest::prelude::*;
use salus_types::abi::access::RecordId;
use salus_types::{Event, Gas, Hash, PrincipalId, RecordNumber, Status};

/// A receipt with `count` access events.
fn receipt(count: u32) -> Receipt {
    let events = (0..count).map(|record| Event {
        contract: ContractId::ACCESS,
        data: codec::encode(&AccessEvent::RecordAdded(RecordId {
            patient: PrincipalId::new(7),
            record: RecordNumber::new(record),
        })),
    });
    Receipt {
        status: Status::Success,
        gas_used: Gas::new(1),
        output: Vec::new(),
        events: events.collect(),
    }
}

fn publish(log: &EventLog, height: u64, events: u32) {
    log.publish(&PublishedBlock {
        height: Height::new(height),
        id: BlockId::new(Hash::of_content(&height.to_be_bytes())),
        time: Timestamp::new(1000 * height),
        receipts: &[receipt(events)],
        is_told: true,
    });
}

#[test]
fn of_a_block_that_is_not_told_only_the_block_is_heard() {
    let log = EventLog::new(Height::ZERO);
    log.publish(&PublishedBlock {
        height: Height::new(1),
        id: BlockId::new(Hash::ZERO),
        time: Timestamp::new(1_000),
        receipts: &[receipt(3)],
        is_told: false,
    });
    let events = log.after(cursor(0, 0), usize::MAX).unwrap();
    assert_eq!(events.len(), 1);
    assert!(
        events[0].json.contains("\"transactions\":1"),
        "{}",
        events[0].json
    );
}

fn cursor(height: u64, index: u32) -> Cursor {
    Cursor {
        height: Height::new(height),
        index,
    }
}

fn cursors(log: &EventLog, after: Cursor) -> Result<Vec<Cursor>, TooOld> {
    let events = log.after(after, usize::MAX)?;
    Ok(events.iter().map(|event| event.cursor).collect())
}

#[test]
fn a_new_chain_can_be_followed_from_its_beginning() {
    let log = EventLog::new(Height::ZERO);
    publish(&log, 1, 1);
    publish(&log, 2, 0);
    assert_eq!(
        cursors(&log, cursor(0, 0)),
        Ok(vec![cursor(1, 0), cursor(1, 1), cursor(2, 0)])
    );
    assert_eq!(cursors(&log, cursor(1, 0)), Ok(vec![cursor(1, 1), cursor(2, 0)]));
    assert_eq!(cursors(&log, cursor(2, 0)), Ok(vec![]));
    assert_eq!(log.latest(), cursor(2, 0));
}

#[test]
fn what_was_before_the_start_is_too_old() {
    let log = EventLog::new(Height::new(9));
    let oldest = cursor(9, u32::MAX);
    assert_eq!(cursors(&log, cursor(9, 0)), Err(TooOld { oldest }));
    assert_eq!(cursors(&log, oldest), Ok(vec![]));
    publish(&log, 10, 0);
    assert_eq!(cursors(&log, oldest), Ok(vec![cursor(10, 0)]));
}

#[test]
fn a_full_ring_forgets_the_oldest_and_says_so() {
    let log = EventLog::with_capacity(Height::ZERO, 2);
    for height in 1..=4 {
        publish(&log, height, 0);
    }
    assert_eq!(cursors(&log, cursor(1, 0)), Err(TooOld { oldest: cursor(2, 0) }));
    assert_eq!(cursors(&log, cursor(2, 0)), Ok(vec![cursor(3, 0), cursor(4, 0)]));
}

#[test]
fn a_block_with_more_events_than_the_ring_holds_leaves_no_silent_gap() {
    let log = EventLog::with_capacity(Height::ZERO, 3);
    publish(&log, 1, 5);
    let oldest = cursor(1, 2);
    assert_eq!(cursors(&log, cursor(1, 0)), Err(TooOld { oldest }));
    assert_eq!(cursors(&log, cursor(1, 1)), Err(TooOld { oldest }));
    assert_eq!(
        cursors(&log, oldest),
        Ok(vec![cursor(1, 3), cursor(1, 4), cursor(1, 5)])
    );
    publish(&log, 2, 0);
    assert_eq!(cursors(&log, oldest), Err(TooOld { oldest: cursor(1, 3) }));
}

#[test]
fn a_block_is_published_once() {
    let log = EventLog::new(Height::ZERO);
    publish(&log, 1, 0);
    publish(&log, 1, 3);
    assert_eq!(cursors(&log, cursor(0, 0)), Ok(vec![cursor(1, 0)]));
}

#[test]
fn events_of_other_contracts_are_not_taken_for_access_events() {
    let log = EventLog::new(Height::ZERO);
    let mut foreign = receipt(1);
    foreign.events[0].contract = ContractId::new(9);
    let mut garbled = receipt(1);
    garbled.events[0].data = vec![0xff; 3];
    log.publish(&PublishedBlock {
        height: Height::new(1),
        id: BlockId::new(Hash::ZERO),
        time: Timestamp::ZERO,
        receipts: &[foreign, garbled],
        is_told: true,
    });
    assert_eq!(cursors(&log, cursor(0, 0)), Ok(vec![cursor(1, 0)]));
}

#[test]
fn cursors_are_read_back_and_nothing_else_is() {
    assert_eq!("17.3".parse(), Ok(cursor(17, 3)));
    for text in ["", "17", "17.", ".3", "17.3.1", "-1.0", "1.4294967296", "x.y"] {
        assert_eq!(text.parse::<Cursor>(), Err(CursorParseError), "{text}");
    }
}

proptest! {
    /// However blocks and reads fall, a reader sees every event once and in order, or is told that it can't.
    #[test]
    fn a_reader_misses_nothing_silently(
        capacity in 1usize..12,
        take in 1usize..5,
        steps in prop::collection::vec((0u32..6, prop::bool::ANY), 1..30),
    ) {
        let log = EventLog::with_capacity(Height::ZERO, capacity);
        let (mut at, mut expected) = (cursor(0, 0), VecDeque::new());
        for (height, (events, read)) in (1u64..).zip(steps) {
            publish(&log, height, events);
            expected.extend((0..=events).map(|index| cursor(height, index)));
            if !read {
                continue;
            }
            match log.after(at, take) {
                Ok(seen) => for event in seen {
                    prop_assert_eq!(Some(event.cursor), expected.pop_front());
                    at = event.cursor;
                },
                Err(TooOld { oldest }) => {
                    prop_assert!(oldest > at);
                    prop_assert!(expected.len() > capacity);
                    while expected.front().is_some_and(|one| *one <= oldest) {
                        expected.pop_front();
                    }
                    at = oldest;
                }
            }
        }
    }
}
