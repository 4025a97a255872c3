//! Every kind of entry of the index, byte by byte: an index that was written once must be read for ever.

use super::*;
use crate::shares::{Resealing, ShareLocation};
use crate::testing::Numbers;
use expect_test::expect;
use salus_types::snapshot::{CheckedPart, SnapshotPart, SnapshotTarget};
use salus_types::state::TREE_ARITY;
use salus_types::tree::{TreePrefix, subtree};
use salus_types::{PublicKey, Slot, Validator, ValidatorSet};

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

#[test]
fn a_snapshot_on_its_way_has_these_entries() {
    let index = MemoryIndex::new();
    let chain = ChainStore::in_memory(&index).unwrap();
    let entries = vec![(state_key(4), b"value".to_vec())];
    let hashed = [(state_key(4).path(), Hash::of_content(b"value"))];
    let state_root = subtree(&TreePrefix::ROOT, &hashed).0.hash();
    let one = Header {
        state_root,
        ..header(1, 0, start(&chain))
    };
    let headers = [(one.id(&CHAIN), one.clone())];
    chain.keep_headers(&headers, &certificate(&one)).unwrap();
    let height = one.height;
    chain.stage(&SnapshotTarget { height, state_root }).unwrap();
    let part = SnapshotPart::Entries(entries).check(&TreePrefix::ROOT, &state_root);
    chain.stage_part(&TreePrefix::ROOT, 10, &part.unwrap()).unwrap();
    let prefix = TreePrefix::from_path(&[1, 15]).unwrap();
    let split = CheckedPart::Split(Box::new([Hash::new([7; 32]); TREE_ARITY]));
    chain.stage_part(&prefix, 0, &split).unwrap();
    let validator = Validator {
        member: MemberId::new(3),
        key: PublicKey::new([4; 32]),
        slot: Slot::new(5),
    };
    let validators = ValidatorSet::new(vec![validator]).unwrap();
    let hash = Hash::new([8; 32]);
    chain.keep_validators(&hash, &validators).unwrap();
    assert_eq!(chain.validators(&hash).unwrap(), Some(validators));
    assert_eq!(chain.validators(&state_root).unwrap(), None);
    let all = || {
        let mut lines = String::new();
        let mut visit = |key: &[u8], value: &[u8]| {
            if b"ENqmuv".contains(&key[0]) {
                lines.push_str(&shown(key, value));
            }
            true
        };
        chain.walk_prefix(&[], &mut visit).unwrap();
        lines
    };
    expect![[r#"
        E 0000000104 = 76616c7565
        N  = 68 bytes, 33e476ea3bb7b08af746568340a6c0e8be962c40feda13e5c86d20ebac14e0d0
        m staged = 01b78709e0c0b5a33f5d96a295382596d3a7970b55a6364d8cba21261f8ad0b98d
        m tip = 00000000000000008d71d683943efafb0accdbe737c5c153082843b7d60faaa5b114f57e3ab39cb4
        q  = 0a0102b78709e0c0b5a33f5d96a295382596d3a7970b55a6364d8cba21261f8ad0b98d
        q 010f = 514 bytes, 1f163dc31278feca1e8b2158ef6aeafb0440b712de8e1833512f923eafc9a057
        v 0808080808080808080808080808080808080808080808080808080808080808 = 0103040404040404040404040404040404040404040404040404040404040404040405
    "#]]
    .assert_eq(&all());
    chain.install(height, &TreeChanges::new()).unwrap();
    chain.clear_unused().unwrap();
    expect![[r#"
        E 0000000104 = 76616c7565
        N  = 68 bytes, 33e476ea3bb7b08af746568340a6c0e8be962c40feda13e5c86d20ebac14e0d0
        m side = 01
        m tip = 00000000000000016b4f791dc1e3bb5508bd21c97c8ba9df53bfa6f8f0b72a7188e52ae31c5339e1
        u 0000000000000001 = 0000000000000001
        v 0808080808080808080808080808080808080808080808080808080808080808 = 0103040404040404040404040404040404040404040404040404040404040404040405
    "#]]
    .assert_eq(&all());
}
