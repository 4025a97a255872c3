use super::*;
use proptest::prelude::*;

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

proptest! {
    #[test]
    fn keys_are_read_back_and_keep_their_order(a in any::<(u32, u32, u32)>(), b in any::<(u32, u32, u32)>()) {
        let key = |(x, y, z)| (PrincipalId::new(x), PrincipalId::new(y), RecordNumber::new(z));
        let (first, second) = (bytes(&key(a)), bytes(&key(b)));
        prop_assert_eq!(first.cmp(&second), a.cmp(&b));
        prop_assert_eq!(Key::read(&mut &first[1..]), Some(key(a)));
    }
}
