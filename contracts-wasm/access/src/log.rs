//! A patient's access log: a hash chain whose head stands in the state and whose entries stand in events.

use salus_sdk::abi::access::{AccessEvent, LogEntry, LogHead};
use salus_sdk::abi::codec;
use salus_sdk::abi::domain::{self, Tag};
use salus_sdk::{Abort, Ctx, Map, PrincipalId};

const HEADS: Map<PrincipalId, LogHead> = Map::new(b'l');

/// The head of a log without entries.
const EMPTY: LogHead = LogHead {
    count: 0,
    head: [0; 32],
};

pub(crate) fn head(cx: &Ctx, patient: PrincipalId) -> Result<LogHead, Abort> {
    Ok(HEADS.get(cx, &patient).unwrap_or(EMPTY))
}

/// Appends an entry, whose `index` this sets, and tells the world.
pub(crate) fn append(cx: &mut Ctx, entry: &mut LogEntry) -> Result<(), Abort> {
    let before = head(cx, entry.patient)?;
    entry.index = before.count;
    let head = cx.blake3(&link(&cx.chain_id(), &before.head, entry));
    let count = before.count.saturating_add(1);
    HEADS.set(cx, &entry.patient, &LogHead { count, head });
    cx.emit(&AccessEvent::Access(*entry));
    Ok(())
}

/// What the next head is the hash of.
fn link(chain_id: &[u8; 32], before: &[u8; 32], entry: &LogEntry) -> alloc::vec::Vec<u8> {
    let mut payload = before.to_vec();
    payload.extend(codec::encode(entry));
    domain::message(Tag::ACCESS_LOG, chain_id, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_sdk::RecordNumber;
    use salus_sdk::abi::access::{Decision, Obligations, Purpose, log_head_key, reason};

    fn entry(index: u64) -> LogEntry {
        LogEntry {
            patient: PrincipalId::new(5),
            index,
            record: RecordNumber::new(2),
            requester: PrincipalId::new(9),
            purpose: Purpose::Treatment,
            emergency: false,
            decision: Decision::Permit {
                reason: reason::GRANTED,
                until_ms: 1_767_600_000_000,
                obligations: Obligations::default(),
            },
            height: 42,
        }
    }

    #[test]
    fn a_link_covers_the_chain_the_head_before_and_every_byte_of_the_entry() {
        let first = link(&[1; 32], &[0; 32], &entry(0));
        let hex: String = first.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = [
            "73616c75732d6163636573732d6c6f67", // salus-access-log
            &"01".repeat(32),                   // chain id
            "01",                               // version
            &"00".repeat(32),                   // previous head
            "05000209",
            "0000",
            "0001fd0000019b8d2b8c0000",
            "2a",
        ]
        .concat();
        assert_eq!(hex, expected);
        let head = *blake3::hash(&first).as_bytes();
        assert_ne!(link(&[2; 32], &[0; 32], &entry(0)), first);
        assert_ne!(link(&[1; 32], &head, &entry(0)), first);
        assert_ne!(link(&[1; 32], &[0; 32], &entry(1)), first);
    }

    #[test]
    fn heads_lie_where_the_interface_says() {
        let patient = PrincipalId::new(0x0102_0304);
        assert_eq!(HEADS.state_key(&patient), log_head_key(patient));
    }
}
