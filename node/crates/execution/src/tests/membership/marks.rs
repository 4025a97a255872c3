//! What a reseal of old blocks gives back: slots of members that left, and the number of holders that old blocks need.

use super::*;
use salus_types::{Hash, ResealJob, ResealRefusal, Round, Sealing, ShareCommitment};

/// Founders, who are the only ones with operators.
const FOUNDERS: u8 = 10;

/// The members' chain, which remembers the block that dealt each block last.
struct History {
    chain: Chain,
    params: Params,
    dealt_at: BTreeMap<u64, u64>,
    noted: u64,
}

impl History {
    fn new(founders: u8, params: Params) -> Self {
        Self {
            chain: chain(founders, params),
            params,
            dealt_at: BTreeMap::new(),
            noted: 0,
        }
    }

    /// Notes the blocks that were committed since.
    fn note(&mut self) {
        let new = self.noted + 1..=self.chain.height;
        self.dealt_at.extend(new.map(|height| (height, height)));
        self.noted = self.chain.height;
    }

    /// Time passes in which no block changes anything.
    fn skip(&mut self, heights: u64) {
        self.chain.height += heights;
        self.noted = self.chain.height;
    }

    /// Has all operators vote for a change; whether it passed, or why it may not.
    fn pass(&mut self, change: MemberChange) -> Result<bool, Option<MembershipRefusal>> {
        let call = self.chain.propose(change);
        let mut receipt = self.chain.one(0, call);
        if let Status::Aborted { code } = receipt.status {
            self.note();
            return Err(MembershipRefusal::from_code(code));
        }
        let outcome: ProposalOutcome = codec::decode(&receipt.output, 64).unwrap();
        let mut passed = outcome.passed.is_some();
        for voter in 1..u32::from(FOUNDERS) {
            if !passed {
                receipt = self.chain.one(voter, approve(outcome.proposal));
                let outcome = codec::decode::<ProposalOutcome>(&receipt.output, 64);
                passed = outcome.is_ok_and(|outcome| outcome.passed.is_some());
            }
        }
        self.note();
        Ok(passed)
    }

    fn start(&mut self, from: u64, to: u64) -> Status {
        let (from, to) = (Height::new(from), Height::new(to));
        let receipt = self.chain.one(0, SystemCall::StartReseal { from, to });
        self.note();
        receipt.status
    }

    fn job(&self) -> Option<ResealJob> {
        EXECUTOR.reseal_job(&self.chain.state).unwrap()
    }

    /// The next block deals up to `count` blocks of the open job anew; whether some are left.
    fn reseal(&mut self, count: u64) -> bool {
        let Some(job) = self.job().filter(ResealJob::is_open) else {
            return false;
        };
        self.chain.height += 1;
        let (at, next) = (self.chain.height, job.next.get());
        let heights = next..(next + count).min(job.to.get() + 1);
        let reseals: Vec<_> = heights.clone().map(|height| dealing(height, at)).collect();
        let block = EXECUTOR
            .execute(&self.chain.state, &env(at), &reseals, &[], &[])
            .unwrap();
        self.chain.state.commit(&block);
        self.note();
        self.dealt_at.extend(heights.map(|height| (height, at)));
        self.job().is_some_and(|job| job.is_open())
    }

    fn reseal_all(&mut self, from: u64, to: u64) {
        assert_eq!(self.start(from, to), Status::Success);
        while self.reseal(32) {}
    }

    fn counters(&self) -> members::Counters {
        members::counters(&self.chain.state).unwrap()
    }

    fn present(&self) -> Vec<Member> {
        members::members(&self.chain.state).unwrap()
    }

    /// Those that dealt what is in force, and those that deal the next blocks.
    fn dealers(&self) -> Vec<ValidatorSet> {
        let tip = self.chain.height;
        let heights = self.dealt_at.values().copied().chain([tip + 1, tip + 2]);
        let distinct: BTreeSet<u64> = heights.collect();
        let sets = distinct.into_iter().map(|height| self.chain.set_at(height));
        sets.collect()
    }
}

fn dealing(height: u64, dealt_at: u64) -> ShareCommitment {
    ShareCommitment {
        height: Height::new(height),
        dealt_at: Height::new(dealt_at),
        round: Round::ZERO,
        proposer: MemberId::new(0),
        sealing: Sealing {
            suite: 1,
            threshold: 2,
            slots: 16,
            body_length: 9,
            sealed_length: 26,
        },
        body_commitment: Hash::of_content(b"body"),
        share_root: Hash::of_content(&height.to_be_bytes()),
    }
}

fn add(number: u8) -> MemberChange {
    MemberChange::Add(Box::new(hospital(number).card()))
}

#[test]
fn ten_members_become_four_once_old_blocks_are_resealed() {
    let mut history = History::new(10, Params::default());
    for member in (5..10).rev() {
        assert_eq!(history.pass(remove(member)), Ok(true));
    }
    // Nine members dealt with k = 5, so five must stay until the blocks of that time are dealt anew.
    assert_eq!(history.counters().threshold_max, 5);
    let too_few = Err(Some(MembershipRefusal::TooFewHolders));
    assert_eq!(history.pass(remove(4)), too_few);

    let tip = history.chain.height;
    history.reseal_all(2, tip);
    assert_eq!(
        history.counters().threshold_max,
        5,
        "the first block was left out"
    );
    history.reseal_all(1, tip - 6);
    assert_eq!(
        history.counters().threshold_max,
        4,
        "the last ones, of six members, were left out"
    );
    let tip = history.chain.height;
    history.reseal_all(1, tip);
    assert_eq!(history.counters().threshold_max, 3, "the k of five members");
    assert_eq!(history.pass(remove(4)), Ok(true));
    assert_eq!(history.present().len(), 4);
}

#[test]
fn a_reseal_may_be_done_in_pieces_that_go_on_from_each_other() {
    let mut history = History::new(10, Params::default());
    for member in (5..10).rev() {
        assert_eq!(history.pass(remove(member)), Ok(true));
    }
    history.chain.block(Vec::new());
    history.note();
    let tip = history.chain.height;
    history.reseal_all(1, 7);
    assert_eq!(history.start(8, tip), Status::Success);
    assert!(history.reseal(9));
    let stopped = history.chain.one(0, SystemCall::StopReseal);
    assert_eq!(stopped.status, Status::Success);
    assert_eq!(history.counters().threshold_max, 5);
    // From a little before where the stopped one came.
    history.reseal_all(15, tip);
    assert_eq!(history.counters().threshold_max, 3);
}

#[test]
fn a_slot_comes_back_when_nobody_has_shares_for_it_any_more() {
    const DAY_MS: u64 = 86_400_000;
    let params = Params {
        slots: 5,
        ..Params::default()
    };
    let mut history = History::new(5, params);
    assert_eq!(history.pass(remove(4)), Ok(true));
    let no_slot = Err(Some(MembershipRefusal::NoFreeSlot));
    assert_eq!(history.pass(add(11)), no_slot);
    let tip = history.chain.height;
    history.reseal_all(1, tip);
    assert_eq!(history.pass(add(11)), no_slot, "who left still serves its shares");
    history.skip(DAY_MS);
    assert_eq!(history.pass(add(11)), no_slot, "only a reseal gives slots back");
    history.reseal_all(1, tip + 9);
    assert_eq!(history.pass(add(11)), Ok(true));
    let slots: Vec<u16> = history.present().iter().map(|member| member.slot.get()).collect();
    assert_eq!(slots, [0, 1, 2, 3, 4]);
}

#[test]
fn where_certificates_prove_too_little_nothing_is_resealed() {
    let params = Params {
        threshold: Some(4),
        ..Params::default()
    };
    let mut history = History::new(7, params);
    history.chain.block(Vec::new());
    let code = ResealRefusal::TooFewProven.code();
    assert_eq!(history.start(1, 1), Status::Aborted { code });
    assert_eq!(history.job(), None);
}

#[derive(Clone, Debug)]
enum Event {
    Add(u8),
    Remove(u16),
    Start { from: u64, length: u64 },
    Stop,
    Reseal(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (30u8..34).prop_map(Event::Add),
        (1u16..13).prop_map(Event::Remove),
        (1u16..13).prop_map(Event::Remove),
        (prop_oneof![3 => Just(1), 2 => 1u64..40], 10u64..200)
            .prop_map(|(from, length)| Event::Start { from, length }),
        (prop_oneof![3 => Just(1), 2 => 1u64..40], 10u64..200)
            .prop_map(|(from, length)| Event::Start { from, length }),
        Just(Event::Stop),
        (1u64..33).prop_map(Event::Reseal),
        (20u64..33).prop_map(Event::Reseal),
        (20u64..33).prop_map(Event::Reseal),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However changes of members and reseals follow each other: no dealing in force needs more holders than must remain, and
    /// no slot is free of which somebody has shares.
    #[test]
    fn marks_never_fall_below_what_dealings_in_force_need(events in prop::collection::vec(event(), 4..24)) {
        let mut history = History::new(FOUNDERS, Params { slots: 24, ..Params::default() });
        for event in events {
            match event {
                Event::Add(number) => drop(history.pass(add(number))),
                Event::Remove(member) => drop(history.pass(remove(member))),
                Event::Start { from, length } => {
                    let to = (from + length).min(history.chain.height);
                    history.start(from, to);
                }
                Event::Stop => {
                    history.chain.one(0, SystemCall::StopReseal);
                    history.note();
                }
                Event::Reseal(count) => drop(history.reseal(count)),
            }
            let counters = history.counters();
            prop_assert!(history.present().len() >= usize::from(counters.threshold_max));
            for set in history.dealers() {
                prop_assert!(history.params.threshold_of(&set) <= counters.threshold_max);
                prop_assert!(set.iter().all(|holder| holder.slot.get() < counters.next_slot));
            }
            let taken = members::former_members(&history.chain.state).unwrap();
            prop_assert!(taken.iter().all(|former| former.member.slot.get() < counters.next_slot));
        }
    }
}
