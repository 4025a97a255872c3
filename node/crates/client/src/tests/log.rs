use super::*;
use proptest::prelude::*;
use salus_types::RecordNumber;
use salus_types::abi::access::{Decision, LogEntry, LogHead, Obligations, Purpose, Standing, reason};

fn entry(index: u64) -> LogEntry {
    let decision = if index.is_multiple_of(2) {
        Decision::Permit {
            reason: reason::GRANTED,
            until_ms: 600_000,
            obligations: Obligations::default(),
        }
    } else {
        Decision::Deny {
            reason: reason::NO_GRANT,
            standing: Standing::Warned { refusals: 1 },
        }
    };
    LogEntry {
        patient: PATIENT,
        index,
        record: RecordNumber::new(2),
        requester: DOCTOR,
        purpose: Purpose::Treatment,
        emergency: false,
        decision,
        height: 40 + index,
    }
}

fn log(count: u64) -> (Vec<LogEntry>, LogHead) {
    let entries: Vec<LogEntry> = (0..count).map(entry).collect();
    let mut verifier = LogVerifier::new(chain_id(), PATIENT);
    for entry in &entries {
        verifier.push(entry).unwrap();
    }
    (entries, verifier.head())
}

#[test]
fn the_hash_chain_is_fixed() {
    assert_eq!(
        log(0).1,
        LogHead {
            count: 0,
            head: [0; 32]
        }
    );
    assert_eq!(
        hex(&log(1).1.head),
        "9ecbb0be316c32e41d0e64317d422156d485319fae8674f30b71fec204260eb5"
    );
    assert_eq!(
        hex(&log(3).1.head),
        "4d74220f59c0bbc7a4ec939b2650317ff179d7964ef879b8b2f34693ffdcb357"
    );
}

#[test]
fn the_head_follows_its_definition() {
    use salus_types::abi::domain::{Tag, message};
    let payload = [vec![0; 32], salus_types::codec::encode(&entry(0))].concat();
    let expected = blake3::hash(&message(Tag::ACCESS_LOG, chain_id().as_bytes(), &payload));
    assert_eq!(&log(1).1.head, expected.as_bytes());
}

proptest! {
    #[test]
    fn a_whole_log_verifies_and_any_change_shows(count in 1u64..20, pick: prop::sample::Index) {
        let (entries, head) = log(count);
        prop_assert_eq!(verify_log(&chain_id(), PATIENT, &entries, &head), Ok(()));
        let at = pick.index(entries.len());

        let mut changed = entries.clone();
        changed[at].emergency = true;
        prop_assert_eq!(verify_log(&chain_id(), PATIENT, &changed, &head), Err(LogError::Changed));

        let mut hidden = entries.clone();
        hidden.remove(at);
        let refused = verify_log(&chain_id(), PATIENT, &hidden, &head).unwrap_err();
        let last = at + 1 == entries.len();
        let expected = if last {
            LogError::Incomplete { shown: count - 1, recorded: count }
        } else {
            LogError::Gap { expected: at as u64, found: at as u64 + 1 }
        };
        prop_assert_eq!(refused, expected);
    }
}

#[test]
fn entries_of_others_and_logs_of_other_networks_are_refused() {
    let (mut entries, head) = log(3);
    let elsewhere = ChainId::new(Hash::ZERO);
    assert_eq!(
        verify_log(&elsewhere, PATIENT, &entries, &head),
        Err(LogError::Changed)
    );
    entries[1].patient = DOCTOR;
    assert_eq!(
        verify_log(&chain_id(), PATIENT, &entries, &head),
        Err(LogError::OtherPatient {
            index: 1,
            found: DOCTOR
        })
    );
}

#[test]
fn a_phone_goes_on_from_where_it_was() {
    let (entries, head) = log(9);
    let (_, before) = log(6);
    let mut verifier = LogVerifier::resume(chain_id(), PATIENT, before);
    for entry in &entries[6..] {
        verifier.push(entry).unwrap();
    }
    assert_eq!(verifier.finish(&head), Ok(()));
}
