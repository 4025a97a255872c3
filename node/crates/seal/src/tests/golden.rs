//! Bytes that must never drift: what is stored and what is sent. A change here is a new suite.
//!
//! The Shamir coefficients come from the operating system, so the vectors start from a dealing that was made once.

use super::*;
use data_encoding::HEXLOWER;
use salus_types::{Sealing, codec};

const RAW_DEALING: &str = "0909090909090909090909090909090909090909090909090909090909090909\
    0003\
    0a2d6331c5f45b1a15a6fdfd3e8307db3280106fe753eb63a63bb16bb06e38be\
    0f41dd798ae8ad2f314cfafa670615b67f003bc5cebdd6dd4c6d62cd60c76b7c\
    0c65b7414615ff3c2de30e0e508c1b64448922a320e734b7e35fdaafd9a05acb\
    00\
    6120626f6479";
const RAW_COMMITMENT: &str = "0ed3bf478f3fc444e684401be8e09dd8f6fd7619803829a5b69ea2598f9b6334";
const RAW_ROOT: &str = "45a0e468f91ef8c8a06cdfa869b7e9e8d9932186aa17bae1e7d4fddb17b68af8";
/// Encoded shares: height, slot, key share, path, fragment.
const RAW_SHARES: [&str; 3] = [
    "2a00010a2d6331c5f45b1a15a6fdfd3e8307db3280106fe753eb63a63bb16bb06e38be\
     024762f1a7b014ef97b4fcda8e0045b616739190e2dd7d13e5a86dd3a9c89cb2c5\
     c6af0ed1dc18dc4c727687072e022d95db9bac119c5934dc3b58c0e8183eb75f\
     0c25681d8dbc1d05b2eb6de972",
    "2a01020f41dd798ae8ad2f314cfafa670615b67f003bc5cebdd6dd4c6d62cd60c76b7c\
     021b15eac5cf51cff1329297477fda1b4853ec6bfe796e7426a785a6bf1cc11971\
     c6af0ed1dc18dc4c727687072e022d95db9bac119c5934dc3b58c0e8183eb75f\
     0cb1e4d0ef0ecc38ea4f51f100",
    "2a02030c65b7414615ff3c2de30e0e508c1b64448922a320e734b7e35fdaafd9a05acb\
     01a400fb3f06355aab1500932909366547429d2144f8674879463866d9289693d5\
     0c106d9a49c5a27f02be15d996",
];

const ZSTD_DEALING: &str = "0909090909090909090909090909090909090909090909090909090909090909\
    0005\
    017572e238cb151d6ba027c650fb5122f90eeb5d63895a6f690b5ff8f2a6b7e7\
    fa3ad00acd1496637e22b230b1ce17f95ebc4d1e274e6569ce2a764b9ff6bf8f\
    f246abe1fcd68a771c8b9cffe83c4fd2aebbaf4a4dce360fae2820ba64590161\
    556e1c1a340d86ce1dccd5bd4a7cbb5c21a2dbed90ecd44f80d39657c9321701\
    5d1267f105cf9ada7f65fb72138ee377d1a539b9fa6c8729e0d1c0a6329da9ef\
    01\
    28b52ffd600000bd000080303132333435363738396162636465660100da43cd25";
const ZSTD_COMMITMENT: &str = "2ca8f584ffcbe8a7b93c0d2a0133f929c1c384ed77de73eb2c26b4a2eed9e7c0";
const ZSTD_ROOT: &str = "546b98141d3c07b8e342cdf3d99168102b63f7dace95e0806bc1603479375316";
const ZSTD_LAST_SHARE: &str = "2a04055d1267f105cf9ada7f65fb72138ee377d1a539b9fa6c8729e0d1c0a6329da9ef\
     01e6ede3069989727e9bbc1576f9a8190d93ba85b865d2bf4fed5392ef5fad4c21\
     116f33e4208fa5c8b39c740cf2182fda936b";

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn header_of(commitment: &str, root: &str, sealing: Sealing) -> Header {
    let (block, _) = sealed(b"", 1, 1);
    Header {
        body_commitment: commitment.parse().unwrap(),
        share_root: root.parse().unwrap(),
        sealing,
        ..header(&block, &binding())
    }
}

#[test]
fn a_dealing_gives_these_shares() {
    let sealing = Sealing {
        suite: 1,
        threshold: 2,
        slots: 3,
        body_length: 6,
        sealed_length: 23,
    };
    let header = header_of(RAW_COMMITMENT, RAW_ROOT, sealing);
    let dealing = Dealing::decode(hex(RAW_DEALING)).unwrap();
    let checked = dealing.check(&header, &chain()).unwrap();
    assert_eq!(checked.body(), b"a body");
    for (slot, want) in (0..).zip(RAW_SHARES) {
        let share = checked.share(Slot::new(slot)).unwrap();
        assert_eq!(HEXLOWER.encode(&codec::encode(&share)), want, "slot {slot}");
    }
}

#[test]
fn these_shares_open_to_this_body() {
    let sealing = Sealing {
        suite: 1,
        threshold: 2,
        slots: 3,
        body_length: 6,
        sealed_length: 23,
    };
    let header = header_of(RAW_COMMITMENT, RAW_ROOT, sealing);
    let stored: Vec<CheckedShare> = RAW_SHARES[1..]
        .iter()
        .map(|text| codec::decode(&hex(text), 1000).unwrap())
        .map(|share| CheckedShare::check(share, &header).unwrap())
        .collect();
    let opened = open(&header, &chain(), &stored).unwrap();
    assert_eq!(opened.body(), b"a body");
    let own = opened.rederive(Slot::new(0)).unwrap();
    assert_eq!(HEXLOWER.encode(&codec::encode(&own)), RAW_SHARES[0]);
}

#[test]
fn a_compressed_dealing_gives_this_share() {
    let sealing = Sealing {
        suite: 1,
        threshold: 3,
        slots: 5,
        body_length: 256,
        sealed_length: 50,
    };
    let header = header_of(ZSTD_COMMITMENT, ZSTD_ROOT, sealing);
    let dealing = Dealing::decode(hex(ZSTD_DEALING)).unwrap();
    let checked = dealing.check(&header, &chain()).unwrap();
    assert_eq!(checked.body(), b"0123456789abcdef".repeat(16));
    let last = checked.share(Slot::new(4)).unwrap();
    assert_eq!(HEXLOWER.encode(&codec::encode(&last)), ZSTD_LAST_SHARE);
}

/// One column of each code, with data 1, 2, .., k: so another library can be checked against this one.
#[test]
fn the_code_words_are_these() {
    let columns = [
        (2, 4, "01020704"),
        (4, 16, "01020304455e67782e5dec9b771c95fa"),
        (5, 8, "01020304051e2738"),
        (
            11,
            64,
            "0102030405060708090a0bbcabcfdd058d9d5962e2f700368a37b395db04a0ec\
             16542348d84ff3456206ed1008deedaa6781947455638eb693fe37ec9d476501",
        ),
    ];
    for (threshold, slots, want) in columns {
        let width = 70_017;
        let code = code::Code::new(code::Shape {
            threshold: threshold.into(),
            slots,
            width,
        })
        .unwrap();
        let data: Vec<u8> = (1..=threshold).flat_map(|byte| vec![byte; width]).collect();
        let mut shown = vec![Vec::new(); slots];
        code.each_strip(&data, |index, strip| shown[index].extend_from_slice(strip));
        let mut column = Vec::new();
        for (index, fragment) in shown.iter().enumerate() {
            assert_eq!(code.fragment(&data, index).as_ref(), Some(fragment));
            assert_eq!(fragment.len(), width);
            assert!(fragment.iter().all(|byte| *byte == fragment[0]));
            column.push(fragment[0]);
        }
        assert_eq!(HEXLOWER.encode(&column), want, "k = {threshold}, S = {slots}");
    }
}
