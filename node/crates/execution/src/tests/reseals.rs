//! A reseal's job in the state: who may open it, and what moves its cursor.

use super::*;
use crate::ResealError;
use salus_types::{RESEAL_BYTES_MAX, RESEALS_MAX, ResealJob, ResealRefusal, Round, Sealing, ShareCommitment};

const OPERATOR: u32 = 0;

fn height(height: u64) -> Height {
    Height::new(height)
}

/// A chain of some height that does not matter, whose operator has sent `sent` calls.
struct Chain {
    state: Memory,
    at: u64,
    sent: u64,
}

impl Chain {
    fn new(at: u64) -> Self {
        Self {
            state: genesis(),
            at,
            sent: 0,
        }
    }

    /// A system call in a block of its own; how it ended.
    fn call(&mut self, sender: u32, call: SystemCall) -> Status {
        let sequence = if sender == OPERATOR { self.sent } else { 0 };
        let call = Call::System(call);
        let call = Tx {
            call,
            expires: 9_000,
            ..tx(sender, sequence, 0)
        }
        .build();
        self.at += 1;
        let block = EXECUTOR
            .execute(&self.state, &env(self.at), &[], &[], &[call])
            .unwrap();
        if sender == OPERATOR {
            self.sent += 1;
            self.state.commit(&block);
        }
        block.receipts[0].status
    }

    fn start(&mut self, from: u64, to: u64) -> Status {
        self.call(
            OPERATOR,
            SystemCall::StartReseal {
                from: height(from),
                to: height(to),
            },
        )
    }

    /// A block that reseals these heights.
    fn reseal(&mut self, heights: impl IntoIterator<Item = u64>) -> Result<(), ResealError> {
        self.at += 1;
        let reseals: Vec<_> = heights
            .into_iter()
            .map(|height| dealing(height, self.at, 100))
            .collect();
        self.commit(&reseals)
    }

    fn commit(&mut self, reseals: &[ShareCommitment]) -> Result<(), ResealError> {
        match EXECUTOR.execute(&self.state, &env(self.at), reseals, &[], &[]) {
            Ok(block) => {
                self.state.commit(&block);
                Ok(())
            }
            Err(ExecutionError::Reseals(error)) => Err(error),
            Err(other) => unreachable!("{other:?}"),
        }
    }

    fn job(&self) -> Option<ResealJob> {
        EXECUTOR.reseal_job(&self.state).unwrap()
    }

    fn in_force(&self, of: u64) -> Option<ShareCommitment> {
        EXECUTOR.dealing(&self.state, height(of)).unwrap()
    }
}

fn dealing(of: u64, dealt_at: u64, body_length: u32) -> ShareCommitment {
    let sealing = Sealing {
        suite: 1,
        threshold: 2,
        slots: 8,
        body_length,
        sealed_length: body_length + 17,
    };
    ShareCommitment {
        height: height(of),
        dealt_at: height(dealt_at),
        round: Round::ZERO,
        proposer: MemberId::new(0),
        sealing,
        body_commitment: Hash::of_content(&[1]),
        share_root: Hash::of_content(&of.to_be_bytes()),
    }
}

fn refused(refusal: ResealRefusal) -> Status {
    Status::Aborted { code: refusal.code() }
}

#[test]
fn a_job_is_done_in_turn_and_the_latest_dealing_is_in_force() {
    let mut chain = Chain::new(20);
    assert_eq!(chain.start(3, 7), Status::Success);
    let opened = chain.job().unwrap();
    assert_eq!((opened.total(), opened.done(), opened.is_open()), (5, 0, true));
    chain.reseal([3, 4]).unwrap();
    chain.reseal([]).unwrap();
    chain.reseal([5]).unwrap();
    assert_eq!(chain.job().unwrap().done(), 3);
    chain.reseal([6, 7]).unwrap();
    let done = chain.job().unwrap();
    assert_eq!((done.total(), done.done(), done.is_open()), (5, 5, false));
    assert_eq!(chain.reseal([8]), Err(ResealError::NoJob));

    let first = chain.in_force(4).unwrap();
    assert_eq!(first.dealt_at, height(22));
    assert_eq!((chain.in_force(2), chain.in_force(8)), (None, None));
    assert_eq!(
        chain.start(4, 4),
        Status::Success,
        "a done job makes room for another"
    );
    chain.reseal([4]).unwrap();
    assert!(chain.in_force(4).unwrap().dealt_at > first.dealt_at);
    assert_eq!(chain.in_force(5).unwrap().dealt_at, height(24));

    let heights = |above, count| -> Vec<u64> {
        let dealings = EXECUTOR.dealings(&chain.state, height(above), count).unwrap();
        dealings.iter().map(|dealing| dealing.height.get()).collect()
    };
    assert_eq!(heights(0, 9), [3, 4, 5, 6, 7]);
    assert_eq!(heights(4, 2), [5, 6]);
    assert_eq!(heights(7, 2), [] as [u64; 0]);
}

#[test]
fn only_operators_start_and_stop_and_only_what_can_be_resealed() {
    let mut chain = Chain::new(20);
    let (from, to) = (height(1), height(5));
    assert_eq!(
        chain.call(1, SystemCall::StartReseal { from, to }),
        Status::NotAllowed
    );
    assert_eq!(chain.call(1, SystemCall::StopReseal), Status::NotAllowed);
    assert_eq!(
        chain.call(OPERATOR, SystemCall::StopReseal),
        refused(ResealRefusal::NoneUnderWay)
    );
    for (from, to) in [(0, 5), (6, 5), (5, 100)] {
        assert_eq!(chain.start(from, to), refused(ResealRefusal::BadRange));
    }
    let next = chain.at + 1;
    assert_eq!(
        chain.start(5, next),
        refused(ResealRefusal::BadRange),
        "not itself"
    );
    assert_eq!(chain.job(), None);
    assert_eq!(chain.start(5, chain.at), Status::Success);
    assert_eq!(chain.start(1, 2), refused(ResealRefusal::UnderWay));
}

#[test]
fn a_stopped_job_keeps_what_was_done() {
    let mut chain = Chain::new(20);
    assert_eq!(chain.start(1, 9), Status::Success);
    chain.reseal([1, 2]).unwrap();
    assert_eq!(chain.call(OPERATOR, SystemCall::StopReseal), Status::Success);
    let stopped = chain.job().unwrap();
    assert_eq!(
        (stopped.total(), stopped.done(), stopped.is_open()),
        (2, 2, false)
    );
    assert_eq!(chain.reseal([3]), Err(ResealError::NoJob));
    assert!(chain.in_force(2).is_some());
    assert_eq!(chain.start(3, 9), Status::Success);
    assert_eq!(chain.call(OPERATOR, SystemCall::StopReseal), Status::Success);
    assert_eq!(chain.job(), None);
}

#[test]
fn a_block_that_reseals_what_it_may_not_is_bad() {
    let mut chain = Chain::new(200);
    assert_eq!(chain.reseal([1]), Err(ResealError::NoJob));
    assert_eq!(chain.start(10, 150), Status::Success);
    let out_of_turn = |got, want| {
        Err(ResealError::OutOfTurn {
            got: height(got),
            want: height(want),
        })
    };
    assert_eq!(chain.reseal([11]), out_of_turn(11, 10));
    assert_eq!(chain.reseal([10, 12]), out_of_turn(12, 11));
    assert_eq!(chain.reseal([10, 10]), out_of_turn(10, 11));
    let many = 10..10 + RESEALS_MAX as u64;
    assert_eq!(
        chain.reseal(many.clone().chain([many.end])),
        Err(ResealError::TooMuch)
    );

    let at = chain.at;
    let half = u32::try_from(RESEAL_BYTES_MAX / 2).unwrap();
    assert_eq!(
        chain.commit(&[dealing(10, at, half), dealing(11, at, half + 1)]),
        Err(ResealError::TooMuch)
    );
    assert_eq!(
        chain.commit(&[dealing(10, at - 1, 1)]),
        Err(ResealError::Foreign(height(10)))
    );
    let foreign = ShareCommitment {
        proposer: MemberId::new(1),
        ..dealing(10, at, 1)
    };
    assert_eq!(chain.commit(&[foreign]), Err(ResealError::Foreign(height(10))));

    chain
        .commit(&[dealing(10, at, half), dealing(11, at, half)])
        .unwrap();
    chain.at += 1;
    chain
        .commit(&[dealing(12, chain.at, 3 * half)])
        .expect("a long one goes alone");
    chain.reseal(13..13 + RESEALS_MAX as u64).unwrap();
    assert_eq!(chain.job().unwrap().next, height(13 + RESEALS_MAX as u64));
    let last = chain.job().unwrap().next.get()..=150;
    for one in last {
        chain.reseal([one]).unwrap();
    }
    assert!(!chain.job().unwrap().is_open());
    assert_eq!(chain.reseal([151]), Err(ResealError::NoJob));
}

#[test]
fn the_last_block_of_a_job_ends_it() {
    let mut chain = Chain::new(20);
    assert_eq!(chain.start(1, 2), Status::Success);
    assert_eq!(
        chain.reseal([1, 2, 3]),
        Err(ResealError::OutOfTurn {
            got: height(3),
            want: height(3)
        })
    );
    chain.reseal([1, 2]).unwrap();
    assert!(!chain.job().unwrap().is_open());
}

/// What a proposer selects with, a validator accepts; and reseals leave the transactions what they are.
#[test]
fn reseals_and_transactions_share_a_block() {
    let mut chain = Chain::new(20);
    assert_eq!(chain.start(1, 2), Status::Success);
    chain.at += 1;
    let reseals = [dealing(1, chain.at, 5)];
    let (candidates, env) = (vec![tx(1, 0, 0).build()], env(chain.at));
    let selection = EXECUTOR
        .select(&chain.state, &env, &reseals, Vec::new(), candidates)
        .unwrap();
    let executed = EXECUTOR
        .execute(&chain.state, &env, &reseals, &[], &selection.taken)
        .unwrap();
    assert_eq!(selection.block, executed);
    chain.state.commit(&executed);
    assert_eq!(count(&chain.state), 1);
    assert_eq!(chain.in_force(1), Some(reseals[0]));
}
