//! Every kind of entry of the index, byte by byte: an index that was written once must be read for ever.

use super::*;
use crate::shares::{Resealing, ShareLocation};
use crate::testing::Numbers;
use expect_test::expect;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key as a letter and hexadecimal digits; a value of more than 64 bytes as its length and hash.
fn shown(key: &[u8], value: &[u8]) -> String {
    let (kind, rest) = key.split_first().unwrap();
    let rest = match *kind == keys::META {
        true => String::from_utf8_lossy(rest).into_owned(),
        false => hex(rest),
    };
    let value = match value.len() > 64 {
        true => format!("{} bytes, {}", value.len(), Hash::of_content(value)),
        false => hex(value),
    };
    format!("{} {rest} = {value}\n", char::from(*kind))
}

#[test]
fn the_index_has_these_entries() {
    let chain = memory();
    let parent = start(&chain);
    let one = header(1, 0, parent);
    let first = ShareLocation::new(1, 16);
    let commit_one = CommitBatch {
        header: &one,
        id: one.id(&CHAIN),
        certificate: Some(&certificate(&one)),
        state: &[(state_key(4), Some(b"value".to_vec()))].into(),
        tree: &[(vec![1, 2], Some(b"node".to_vec()))].into(),
        transactions: &[b"a", b"b"].map(|name| TransactionId::new(Hash::of_content(name))),
        patients: &[7, 300].map(PrincipalId::new),
        share: Some(first),
        reseals: &[],
    };
    chain.commit(&commit_one).unwrap();
    let two = header(2, 0, one.id(&CHAIN));
    let reseal = DecidedReseal {
        height: Height::new(1),
        resealing: Resealing {
            decided_at: Height::new(2),
            share_root: Hash::new([0xcc; 32]),
            terms: vec![1, 2, 3],
        },
        share: Some(ShareLocation::new(2, 1_000)),
    };
    chain
        .commit(&CommitBatch {
            header: &two,
            id: two.id(&CHAIN),
            certificate: None,
            state: &StateChanges::new(),
            tree: &TreeChanges::new(),
            transactions: &[],
            patients: &[],
            share: Some(ShareLocation::new(2, 16)),
            reseals: &[reseal],
        })
        .unwrap();
    chain.put_meta("chain", CHAIN.as_bytes()).unwrap();
    chain.remove_share(Height::new(2)).unwrap();
    let mut found = String::new();
    let mut add = |key: &[u8], value: &[u8]| {
        found.push_str(&shown(key, value));
        true
    };
    chain
        .walk(Bound::Unbounded, Bound::Unbounded, false, &mut add)
        .unwrap();
    expect![[r#"
        c 0000000000000001 = 100 bytes, 8849bf5ebf22d1d1e3666f2f653cf02f4a0bf95aeede146bc2edb6efb190e8c0
        e 0000000104 = 76616c7565
        g 00000002 = 0000000100000001
        h 0000000000000000 = 278 bytes, f5b6f6d07f725133b01001ef1f40801f45994c06e8848799e014b23ae1add5f7
        h 0000000000000001 = 278 bytes, c1c65440473463e86d72ab0369f14d80e46e4a72373cfddeacd750eccafdcd43
        h 0000000000000002 = 278 bytes, 65c00b9e9c4522f9e3ba6d85229aaa730268d56f4c258b5320ec42374d748901
        i 25e8d5f0b8c0fc2c0000000000000001 = 
        i 89118542039623020000000000000002 = 
        i 8d71d683943efafb0000000000000000 = 
        m free chain = 0909090909090909090909090909090909090909090909090909090909090909
        m share scan = 00000002000003e8
        m share tail = 00000002000003e8
        m tip = 00000000000000028911854203962302820e8399b8a96a7c77887ae09f0997e6f10ca50d58b60ef8
        n 0102 = 6e6f6465
        o 00000000000000010000000000000001 = 000000010000001034f41654e8bcd3f838c67742eefdec07d62c5b4df6497455eb793c1f566ed2f8
        p 0000000000000000010000000000000007 = 00a502
        r 0000000000000001 = 0000000000000002cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc010203
        s 0000000000000001 = 00000002000003e8
        s 0000000000000002 = 
        t 00000000000000000100000010e5cf3d3c = 009dc1828369
    "#]].assert_eq(&found);
}

/// A row of a group: differences as LEB128, and the place of the block in the group.
#[test]
fn merged_rows_have_these_bytes() {
    let chain = memory();
    let mut parent = start(&chain);
    let mut numbers = Numbers(3);
    for height in 1..=255 {
        let patients =
            (0..numbers.below(3)).map(|_| PrincipalId::new(u32::try_from(numbers.below(5_000)).unwrap()));
        let content = Content {
            patients: patients.collect(),
            ..Content::default()
        };
        parent = put(&chain, &header(height, 0, parent), &content).unwrap();
    }
    let mut rows = Vec::new();
    chain
        .walk_prefix(&[keys::PATIENT], &mut |key, value| {
            rows.push((hex(key), hex(&value[..12]), value.len()));
            true
        })
        .unwrap();
    expect![[r#"[("700100000000000000000000000000000030", "00d01f160270016d10bb1b28", 514)]"#]]
        .assert_eq(&format!("{rows:?}"));
}
