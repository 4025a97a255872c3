use super::world::{ME, Manner, World};
use super::*;
use crate::reads::{RUNNING_MAX, WAITING_MAX};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// With at most f faulty members of any kind, and delay, every read opens, and only liars are named. Where questions
    /// get lost, and every honest answer is needed, one in thousands asks somebody in vain each time: whoever asked reads again.
    #[test]
    fn reads_open_with_up_to_f_faulty_holders_and_no_honest_one_is_blamed(
        seed in any::<u64>(),
        n in 4u16..=10,
        faulty in prop::collection::vec((1u16..10, 0usize..8), 0..3),
        own in any::<bool>(),
        loss in prop_oneof![Just(0u64), Just(5)],
    ) {
        let mut world = World::new(seed, n, 3);
        let f = usize::from((n - 1) / 3);
        for (who, kind) in faulty.into_iter().take(f) {
            world.set_manner(1 + who % (n - 1), Manner::FAULTY[kind]);
        }
        for number in 1..n {
            world.peer(number).loss = loss;
        }
        let readings = if loss == 0 { 1 } else { 3 };
        let mut closed: Vec<u64> = (0..6).collect();
        for reading in 0..readings {
            for job in &closed {
                world.open(reading * 6 + job, 1 + job % 3, own);
            }
            world.run(ms(20_000));
            closed.retain(|job| !world.opened.contains_key(&JobId(reading * 6 + job)));
        }
        prop_assert!(closed.is_empty(), "failed: {:?}", world.failed);
        prop_assert!(world.blamed.iter().all(|(who, _)| world.peers[who].manner.may_be_blamed()));
    }

    /// Whatever the faults, a read ends, and what it says adds up.
    #[test]
    fn every_read_ends_and_a_shortfall_names_everyone(seed in any::<u64>(), kinds in prop::collection::vec(0usize..9, 6)) {
        let mut world = World::new(seed, 7, 1);
        for (number, kind) in (1..7).zip(kinds) {
            world.set_manner(number, Manner::FAULTY.get(kind).copied().unwrap_or(Manner::Honest));
        }
        world.open(1, 1, false);
        world.run(ms(60_000));
        match world.failed.get(&JobId(1)) {
            None => prop_assert!(world.opened.contains_key(&JobId(1))),
            Some(ReadError::Shortfall(shortfall)) => {
                let named = shortfall.silent.len() + shortfall.refused.len() + shortfall.wrong.len();
                prop_assert_eq!(named + shortfall.good, 6);
                prop_assert!(shortfall.good < shortfall.need);
            }
            Some(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_run(seed in any::<u64>()) {
        let run = || {
            let mut world = World::new(seed, 5, 2);
            world.set_manner(2, Manner::Lying);
            world.peer(3).loss = 30;
            world.open(1, 2, false);
            world.announce();
            world.run(ms(10_000));
            world.trace
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn only_as_many_as_needed_are_asked_and_the_fastest_first() {
    let mut world = World::new(1, 10, 8);
    // k = 4: three others and the own share. Members 7, 8 and 9 are much faster.
    for number in 1..10 {
        world.peer(number).delay = if number >= 7 { ms(2) } else { ms(30) };
    }
    for at in 1..=7 {
        world.open(at, at, true);
        world.run(ms(5000));
    }
    assert_eq!(world.opened.len(), 7);
    world.asks.clear();
    world.open(8, 8, true);
    world.run(ms(5000));
    let mut asked: Vec<u16> = world.asks.iter().map(|(who, ..)| who.get()).collect();
    asked.sort_unstable();
    assert_eq!(asked, [7, 8, 9]);
    assert!(world.asks.iter().all(|(_, _, purpose)| *purpose == Purpose::Read));
}

#[test]
fn a_slow_holder_is_hedged_by_one_more_and_never_blamed() {
    let mut world = World::new(2, 7, 1);
    // k = 3; the two that are asked first are the lowest numbers, since nothing is known of their speed.
    world.peer(1).delay = ms(900);
    let start = world.now;
    world.open(1, 1, true);
    world.run(ms(200));
    assert_eq!(world.opened.len(), 1);
    let asked: Vec<u16> = world.asks.iter().map(|(who, ..)| who.get()).collect();
    assert_eq!(asked, [1, 2, 3]);
    assert!(world.now - start <= ms(200));
    world.run(ms(5000));
    assert!(world.blamed.is_empty());
}

#[test]
fn after_a_failure_everyone_is_asked_at_once() {
    let mut world = World::new(3, 10, 1);
    world.peer(1).delay = ms(3);
    world.set_manner(1, Manner::Lying);
    let start = world.now;
    world.open(1, 1, true);
    world.run(ms(30));
    assert_eq!(world.asks.len(), 9);
    assert_eq!(world.blamed.len(), 1);
    world.run(ms(5000));
    assert_eq!(world.opened.len(), 1);
    assert!(world.now - start < ms(100), "{:?}", world.now - start);
}

#[test]
fn whoever_lied_is_asked_last_for_a_while() {
    let mut world = World::new(4, 10, 3);
    world.peer(1).delay = ms(1);
    world.set_manner(1, Manner::Impostor);
    world.open(1, 1, true);
    world.run(ms(5000));
    world.asks.clear();
    world.open(2, 2, true);
    world.run(ms(5000));
    assert!(world.asks.iter().all(|(who, ..)| *who != member(1)));
    // When it alone is left, it is asked: one bad share does not make all of its shares bad.
    world.set_manner(1, Manner::Honest);
    for number in 2..=7 {
        world.set_manner(number, Manner::Refusing);
    }
    world.open(3, 3, true);
    world.run(ms(5000));
    assert!(world.opened.contains_key(&JobId(3)));
}

#[test]
fn reads_of_one_block_share_its_requests_but_not_with_other_purposes() {
    let mut world = World::new(5, 4, 2);
    for job in 0..10 {
        world.open(job, 1, false);
    }
    world.run(ms(5000));
    assert_eq!(world.opened.len(), 10);
    assert_eq!(world.asks.len(), 2);

    world.asks.clear();
    world.missing(1..=1);
    world.open(20, 1, false);
    world.run(ms(5000));
    let purposes: Vec<Purpose> = world.asks.iter().map(|(.., purpose)| *purpose).collect();
    assert_eq!(purposes.iter().filter(|one| **one == Purpose::Read).count(), 2);
    assert_eq!(purposes.iter().filter(|one| **one == Purpose::Repair).count(), 2);
}

#[test]
fn answers_slower_than_the_timeout_count_in_the_end() {
    let mut world = World::new(6, 4, 1);
    for number in 1..4 {
        world.peer(number).delay = ms(1400);
    }
    world.open(1, 1, false);
    world.run(ms(10_000));
    assert_eq!(world.opened.len(), 1);
    assert!(world.blamed.is_empty());
}

#[test]
fn a_damaged_own_share_is_reported_and_replaced() {
    let mut world = World::new(7, 4, 1);
    let header = Box::new(world.block(height(1)).header.clone());
    let mut own = world.share_of(height(1), ME);
    own.fragment[3] ^= 4;
    world.input(Input::Open {
        job: JobId(1),
        purpose: Purpose::Read,
        header,
        resealed: None,
        own: Some(own),
    });
    world.run(ms(5000));
    assert_eq!(world.damaged, [height(1)]);
    assert_eq!(world.opened.len(), 1);
}

#[test]
fn a_read_without_enough_holders_fails_and_says_who() {
    let mut world = World::new(8, 7, 1);
    world.set_manner(1, Manner::Silent);
    world.set_manner(2, Manner::Lying);
    world.set_manner(3, Manner::Refusing);
    for number in 4..7 {
        world.input(Input::Disconnected(member(number)));
    }
    world.open(1, 1, true);
    world.run(ms(60_000));
    let shortfall = Shortfall {
        good: 1,
        need: 3,
        silent: vec![member(1)],
        refused: vec![(member(3), ShareRefusal::Busy)],
        wrong: vec![member(2)],
        away: vec![member(4), member(5), member(6)],
    };
    let error = ReadError::Shortfall(Box::new(shortfall));
    assert_eq!(
        error.to_string(),
        "1 of 3 needed shares; silent: m1; refused: m3; wrong: m2; not connected: m4, m5, m6"
    );
    assert_eq!(world.failed, [(JobId(1), error)].into());
}

#[test]
fn a_holder_that_connects_in_the_middle_is_asked() {
    let mut world = World::new(9, 4, 1);
    for number in 1..4 {
        world.input(Input::Disconnected(member(number)));
    }
    world.open(1, 1, true);
    world.run(ms(100));
    world.input(Input::Connected(member(2)));
    world.run(ms(5000));
    assert_eq!(world.opened.len(), 1);
}

#[test]
fn a_disconnected_holder_counts_as_failed_at_once() {
    let mut world = World::new(10, 4, 1);
    world.set_manner(1, Manner::Silent);
    let start = world.now;
    world.open(1, 1, true);
    world.input(Input::Disconnected(member(1)));
    world.run(ms(5000));
    assert_eq!(world.opened.len(), 1);
    assert!(world.now - start < ms(40));
}

#[test]
fn reads_are_bounded_refused_beyond_and_can_be_cancelled() {
    let blocks = RUNNING_MAX as u64 + 1;
    let mut world = World::new(11, 4, blocks);
    for number in 1..4 {
        world.set_manner(number, Manner::Silent);
    }
    let most = (RUNNING_MAX + WAITING_MAX) as u64;
    for job in 0..most {
        world.open(job, 1 + job % blocks, false);
    }
    let heights: std::collections::BTreeSet<_> = world.asks.iter().map(|(_, height, _)| *height).collect();
    assert_eq!(heights.len(), RUNNING_MAX);
    assert!(world.failed.is_empty());

    world.open(most, 1, false);
    let waiting = RUNNING_MAX + WAITING_MAX;
    assert_eq!(
        world.failed.remove(&JobId(most)),
        Some(ReadError::Busy { waiting })
    );
    world.open(0, 1, false);
    assert_eq!(
        world.failed.remove(&JobId(0)),
        Some(ReadError::DuplicateJob(JobId(0)))
    );

    for job in 0..most {
        world.input(Input::Cancel(JobId(job)));
    }
    world.run(ms(60_000));
    assert!(world.failed.is_empty() && world.opened.is_empty());
    assert_eq!(world.archive.next_wake(), None);
}

#[test]
fn an_answer_in_anothers_name_or_to_nothing_is_ignored() {
    let mut world = World::new(12, 4, 1);
    for number in 1..4 {
        world.set_manner(number, Manner::Silent);
    }
    world.open(1, 1, true);
    let mut share = world.share_of(height(1), member(1));
    share.fragment.clear();
    for (request, who) in [(1, 2), (1, 3), (77, 1)] {
        world.input(Input::Share {
            request: RequestId(request),
            member: member(who),
            result: Ok(world.sign(height(1), member(who), share.clone())),
        });
    }
    assert!(world.blamed.is_empty() && world.opened.is_empty());
}

#[test]
fn a_header_that_no_block_can_have_fails_at_once() {
    let mut world = World::new(13, 4, 1);
    let mut header = world.block(height(1)).header.clone();
    header.sealing.suite = 7;
    world.input(Input::Open {
        job: JobId(1),
        purpose: Purpose::Read,
        header: Box::new(header),
        resealed: None,
        own: None,
    });
    assert!(matches!(world.failed[&JobId(1)], ReadError::Header(_)));
    assert!(world.asks.is_empty());
}
