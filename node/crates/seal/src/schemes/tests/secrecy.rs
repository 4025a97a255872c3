//! What k - 1 shares show.
//!
//! Shamir coefficients come from the operating system, so these tests see other shares each time; every tolerance is
//! so wide that honest shares exceed it less than once in 10^9 runs. All else is seeded.

use super::*;
use salus_types::{SealedShare, codec};

const K: u16 = 4;
const N: u16 = 10;
/// What spies hold: one share less than it takes, of a plain piece and of parity.
const SPIED: [u16; 3] = [0, 3, 9];
const LENGTH: usize = 48 << 10;

const HIDING: [&dyn Scheme; 2] = [&ShamirBytes, &Ssms];
const LEAKING: [&dyn Scheme; 3] = [&FullReplication, &Multisecret, &RsOnly];

/// Bodies with next to no entropy.
fn plain_bodies() -> [Vec<u8>; 2] {
    [&b"\0"[..], b"patient 4711; diagnosis: asthma; "]
        .map(|text| text.iter().copied().cycle().take(LENGTH).collect())
}

/// The same with noise in the middle, which keeps `ssms` from compressing them: the cipher and the sharing are to hide
/// them, and equal lengths must come out of equal lengths.
fn bodies() -> [Vec<u8>; 2] {
    plain_bodies().map(|mut body| {
        body[LENGTH / 2..][..16 << 10].copy_from_slice(&noise(16 << 10, 1));
        body
    })
}

/// The bytes of a share that come from the body or the dice: no numbers, indices and hashes, which everybody knows.
fn content(scheme: &dyn Scheme, share: &[u8]) -> Vec<u8> {
    match scheme.name() {
        "ssms" => {
            let share: SealedShare = codec::decode(share, share.len()).unwrap();
            [&share.fragment[..], &share.key_share[1..]].concat()
        }
        "shamir-bytes" => {
            let chunks = share.chunks(33);
            chunks.flat_map(|chunk| &chunk[1..]).copied().collect()
        }
        _ => share.to_vec(),
    }
}

fn spied(scheme: &dyn Scheme, body: &[u8], key: u8) -> Vec<Vec<u8>> {
    let dealt = deal(scheme, body, parameters(K, N), key);
    SPIED
        .map(|slot| content(scheme, &dealt.shares[usize::from(slot)]))
        .to_vec()
}

fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(a, b)| a ^ b).collect()
}

/// Whether bytes are as evenly distributed as random ones: chi-squared over their values, and the balance of each bit.
fn look_random(bytes: &[u8]) -> bool {
    let mut counts = [0f64; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1.0;
    }
    let length = f64::from(u32::try_from(bytes.len()).unwrap());
    let expected = length / 256.0;
    let chi_squared: f64 = counts
        .iter()
        .map(|count| (count - expected).powi(2) / expected)
        .sum();
    let unbalanced = (0..8).any(|bit| {
        let ones: f64 = (0..256)
            .filter(|byte| byte >> bit & 1 == 1)
            .map(|byte| counts[byte])
            .sum();
        (ones - length / 2.0).abs() > 8.0 * length.sqrt() / 2.0
    });
    // 255 degrees of freedom: 8 standard deviations of the cube root (Wilson and Hilferty).
    chi_squared < 481.0 && !unbalanced
}

/// The shares and every sum of them: all that is linear and equal for all bytes.
fn combinations(shares: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let [a, b, c] = shares else { unreachable!() };
    let ab = xor(a, b);
    vec![
        a.clone(),
        b.clone(),
        c.clone(),
        xor(a, c),
        xor(b, c),
        xor(&ab, c),
        ab,
    ]
}

#[test]
fn shares_of_plain_bodies_look_random_where_secrecy_is_promised_and_only_there() {
    for body in bodies() {
        for key in 0..3 {
            for scheme in HIDING {
                for bytes in combinations(&spied(scheme, &body, key)) {
                    assert!(look_random(&bytes), "{}", scheme.name());
                }
            }
        }
    }
    for body in plain_bodies() {
        for scheme in LEAKING {
            for bytes in spied(scheme, &body, 0) {
                assert!(!look_random(&bytes), "{}", scheme.name());
            }
        }
    }
}

/// Told the two bodies, a spy deals both himself, compares what he got with what he saw, and guesses which one it was.
fn right_guesses(scheme: &dyn Scheme, rounds: u8) -> u32 {
    let bodies = bodies();
    let own = [0, 1].map(|choice: usize| spied(scheme, &bodies[choice], 255).concat());
    let likeness = |seen: &[u8], own: &[u8]| seen.iter().zip(own).filter(|(a, b)| a == b).count();
    (0..rounds)
        .map(|round| {
            let coin = usize::from(noise(1, 100 + u64::from(round))[0] & 1);
            let seen = spied(scheme, &bodies[coin], round).concat();
            let guess = usize::from(likeness(&seen, &own[1]) > likeness(&seen, &own[0]));
            u32::from(guess == coin)
        })
        .sum()
}

#[test]
fn a_spy_cannot_tell_two_bodies_apart_where_secrecy_is_promised_and_always_can_elsewhere() {
    for scheme in LEAKING {
        assert_eq!(right_guesses(scheme, 10), 10, "{}", scheme.name());
    }
    for scheme in HIDING {
        // 5 is the standard deviation of 100 throws of a coin.
        let right = right_guesses(scheme, 100);
        assert!((18..=82).contains(&right), "{}: {right} of 100", scheme.name());
    }
}

fn shows(share: &[u8], mark: &[u8]) -> bool {
    share.windows(mark.len()).any(|window| window == mark)
}

#[test]
fn a_mark_of_the_body_is_found_where_plain_pieces_are_stored_and_nowhere_else() {
    let mark = b"CANARY-0123456789-CANARY";
    let mut body = noise(9_600, 2);
    for place in [100, 3_000, 5_000, 9_000] {
        body[place..][..mark.len()].copy_from_slice(mark);
    }
    let parameters = parameters(K, N);
    for scheme in SCHEMES {
        let dealt = deal(scheme, &body, parameters, 7);
        for (slot, share) in (0..N).zip(&dealt.shares) {
            let expected = match scheme.name() {
                "full-replication" => true,
                "rs-only" => slot < K,
                _ => false,
            };
            assert_eq!(shows(share, mark), expected, "{} slot {slot}", scheme.name());
        }
    }
}

#[test]
fn a_body_of_one_byte_repeated_shows_in_every_share_that_is_linear_in_it() {
    let body = [0xa7; 1_000];
    for scheme in [&Multisecret as &dyn Scheme, &RsOnly] {
        for share in deal(scheme, &body, parameters(K, N), 7).shares {
            assert_eq!(share, [0xa7; 250], "{}", scheme.name());
        }
    }
}

/// One share and the other pieces give an unknown piece: a share is a sum of multiples of the pieces, and what it
/// multiplies an unknown byte with is found by dealing all 256 of them.
fn recover(scheme: &dyn Scheme, share: &[u8], slot: usize, known: &[u8], unknown: usize) -> Vec<u8> {
    let parameters = parameters(K, N);
    let width = known.len() / usize::from(K);
    let of_known = &deal(scheme, known, parameters, 7).shares[slot];
    let of_unknown = xor(share, of_known);
    let mut guesses = vec![0; usize::from(K) * 256];
    for (guess, byte) in guesses[unknown * 256..][..256].iter_mut().zip(0..=255u8) {
        *guess = byte;
    }
    let table = &deal(scheme, &guesses, parameters, 7).shares[slot];
    assert_eq!(of_unknown.len(), width);
    of_unknown
        .iter()
        .map(|seen| u8::try_from(table.iter().position(|value| value == seen).unwrap()).unwrap())
        .collect()
}

#[test]
fn one_share_that_is_linear_in_the_body_gives_a_piece_to_who_knows_the_others() {
    let body = noise(1_000, 3);
    for (scheme, slots) in [(&Multisecret as &dyn Scheme, 0..10), (&RsOnly, 4..10)] {
        let shares = deal(scheme, &body, parameters(K, N), 7).shares;
        for slot in slots {
            for unknown in 0..4 {
                let mut known = body.clone();
                known[unknown * 250..][..250].fill(0);
                let piece = recover(scheme, &shares[slot], slot, &known, unknown);
                assert_eq!(piece, body[unknown * 250..][..250], "{}", scheme.name());
            }
        }
    }
}

#[test]
fn the_same_body_gives_the_same_shares_only_where_secrecy_is_not_promised() {
    let body = noise(1_000, 4);
    for scheme in SCHEMES {
        let shares = |key| deal(scheme, &body, parameters(K, N), key).shares;
        assert_eq!(
            shares(1) == shares(2),
            scheme.secrecy() <= Secrecy::NotGuaranteed,
            "{}",
            scheme.name()
        );
    }
}
