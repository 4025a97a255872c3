use super::*;
use crate::{MemberId, PrincipalId, RecordNumber};
use proptest::prelude::*;
use salus_abi::registry::PatientAddress;

fn bytes(key: &impl Key) -> Vec<u8> {
    path(b'x', key)
}

#[test]
fn keys_have_the_bytes_that_states_are_stored_under() {
    let patient = PrincipalId::new(0x0102_0304);
    let record = RecordNumber::new(7);
    assert_eq!(bytes(&patient), b"x\x01\x02\x03\x04");
    assert_eq!(bytes(&MemberId::new(0x0102)), b"x\x01\x02");
    assert_eq!(bytes(&(patient, record)), b"x\x01\x02\x03\x04\0\0\0\x07");
    assert_eq!(bytes(&(patient, patient, record)).len(), 13);
    let address = PatientAddress {
        area: 0x0a0b,
        pid: [9; 16],
    };
    assert_eq!(bytes(&address), [&b"x\x0a\x0b"[..], &[9; 16]].concat());
    assert_eq!(bytes(&[1u8; 32]).len(), 33);
}

#[test]
fn a_key_cut_short_is_not_a_key() {
    assert_eq!(PrincipalId::read(&mut &b"\0\0\0"[..]), None);
    assert_eq!(<(PrincipalId, MemberId)>::read(&mut &b"\0\0\0\x01\0"[..]), None);
    assert_eq!(<[u8; 4]>::read(&mut &b"abc"[..]), None);
}

const LOG: Map<(PrincipalId, Descending<u64>), u16> = Map::new(b'l');
const DUE: Index<(Descending<u16>, MemberId)> = Index::new(b'm');

#[test]
fn ranges_take_their_start_and_leave_their_end_and_stop_at_the_limit() {
    let cx = &mut Ctx::new();
    let key = |patient, time| (PrincipalId::new(patient), Descending(time));
    for (patient, time) in [(1, 10), (1, 30), (1, 20), (2, 0), (0, u64::MAX)] {
        LOG.set(cx, &key(patient, time), &u16::try_from(patient).unwrap());
    }
    Map::<u8, u8>::new(b'k').set(cx, &255, &1);
    Map::<u8, u8>::new(b'm').set(cx, &0, &1);
    let times = |range, limit| -> Vec<u64> {
        LOG.range(cx, range, limit)
            .map(|((_, Descending(time)), _)| time)
            .collect()
    };
    let all = key(0, u64::MAX)..key(u32::MAX, 0);
    assert_eq!(times(all.clone(), 9), [u64::MAX, 30, 20, 10, 0]);
    assert_eq!(times(all, 2), [u64::MAX, 30]);
    assert_eq!(times(key(1, 30)..key(1, 10), 9), [30, 20], "newest first");
    assert_eq!(times(key(1, 29)..key(2, u64::MAX), 9), [20, 10]);
    assert_eq!(times(key(1, 9)..key(1, 9), 9), [0; 0]);
    let newest = LOG.scan(cx, &PrincipalId::new(1)).next();
    assert_eq!(newest, Some((key(1, 30), 1)));
}

#[test]
fn an_index_is_an_ordered_set() {
    let cx = &mut Ctx::new();
    let key = |time, member| (Descending(time), MemberId::new(member));
    for (time, member) in [(5, 1), (7, 2), (5, 0), (7, 2)] {
        DUE.insert(cx, &key(time, member));
    }
    let scan = |cx: &Ctx, time| -> Vec<_> { DUE.scan(cx, &Descending(time), 9).collect() };
    assert_eq!(scan(cx, 5), [key(5, 0), key(5, 1)]);
    assert_eq!(scan(cx, 6), []);
    DUE.remove(cx, &key(5, 0));
    assert!(DUE.contains(cx, &key(5, 1)) && !DUE.contains(cx, &key(5, 0)));
    let all: Vec<_> = DUE.range(cx, key(u16::MAX, 0)..key(0, 0), 9).collect();
    assert_eq!(all, [key(7, 2), key(5, 1)]);
}

proptest! {
    #[test]
    fn keys_are_read_back_and_keep_their_order(a in any::<(u32, u32, u32)>(), b in any::<(u32, u32, u32)>()) {
        let key = |(x, y, z)| (PrincipalId::new(x), PrincipalId::new(y), RecordNumber::new(z));
        let (first, second) = (bytes(&key(a)), bytes(&key(b)));
        prop_assert_eq!(first.cmp(&second), a.cmp(&b));
        prop_assert_eq!(Key::read(&mut &first[1..]), Some(key(a)));
    }

    #[test]
    fn descending_keys_turn_the_order_around(a in any::<(u64, u16)>(), b in any::<(u64, u16)>()) {
        let key = |(x, y)| (Descending(x), MemberId::new(y));
        let (first, second) = (bytes(&key(a)), bytes(&key(b)));
        prop_assert_eq!(first.cmp(&second), b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        prop_assert_eq!(Key::read(&mut &first[1..]), Some(key(a)));
    }

    #[test]
    fn a_range_starts_right_before_its_first_key(key in any::<(u32, u32)>(), other in any::<(u32, u32)>()) {
        let pair = |(x, y)| (PrincipalId::new(x), PrincipalId::new(y));
        let start = before(bytes(&pair(key)));
        prop_assert_eq!(start < bytes(&pair(other)), key <= other);
    }
}

#[test]
fn nothing_lies_before_the_first_key_of_a_place() {
    assert_eq!(before(bytes(&PrincipalId::new(0))), b"");
    assert_eq!(before(bytes(&PrincipalId::new(256))), b"x\0\0\0\xff");
}
