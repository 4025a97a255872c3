use super::*;
use proptest::prelude::*;
use salus_types::{ChainId, ContractId, Gas, Hash, SecretKey, TransactionPayload};

const HOME: MemberId = MemberId::new(0);

fn chain() -> ChainId {
    ChainId::new(Hash::of_content(b"chain"))
}

fn transaction(sender: u32, sequence: u64, expires: u64) -> Transaction {
    let key = SecretKey::from_seed(&[7; 32]);
    let payload = TransactionPayload {
        sender: PrincipalId::new(sender),
        sequence: Sequence::new(sequence),
        expires: Height::new(expires),
        gas_limit: Gas::new(1),
        call: Call::Contract {
            contract: ContractId::ACCESS,
            entry: 0,
            input: vec![0; 8],
        },
    };
    payload
        .sign(&key, &chain())
        .verify(&chain(), &key.public())
        .unwrap()
}

fn put(pool: &mut Mempool, sender: u32, sequence: u64) -> Result<(), PoolError> {
    let from = Sender {
        organisation: HOME,
        next: Sequence::ZERO,
    };
    pool.insert(transaction(sender, sequence, 100), from, Height::ZERO)
}

fn order(pool: &Mempool) -> Vec<(u32, u64)> {
    let chosen = pool.candidates(usize::MAX, usize::MAX);
    chosen
        .iter()
        .map(|t| (t.payload().sender.get(), t.payload().sequence.get()))
        .collect()
}

#[test]
fn senders_take_turns_as_they_arrive_and_each_keeps_its_order() {
    let mut pool = Mempool::new(Limits::default());
    for (sender, sequence) in [(1, 1), (2, 0), (1, 0), (2, 1), (3, 1)] {
        put(&mut pool, sender, sequence).unwrap();
    }
    assert_eq!(
        order(&pool),
        [(2, 0), (1, 0), (1, 1), (2, 1)],
        "3 waits for its number 0"
    );
}

#[test]
fn each_refusal_has_its_reason() {
    let limits = Limits {
        count_max: 4,
        ahead_max: 2,
        organisation_percent: 75,
        reserved: 1,
        ..Limits::default()
    };
    let mut pool = Mempool::new(limits);
    put(&mut pool, 1, 0).unwrap();
    assert_eq!(put(&mut pool, 1, 0), Err(PoolError::Known));
    assert_eq!(
        put(&mut pool, 1, 3),
        Err(PoolError::OutOfOrder { next: Sequence::ZERO })
    );
    let ahead = Sender {
        organisation: HOME,
        next: Sequence::new(5),
    };
    let replay = pool.insert(transaction(1, 4, 100), ahead, Height::ZERO);
    assert_eq!(
        replay,
        Err(PoolError::Replay {
            next: Sequence::new(5)
        })
    );
    let fresh = Sender {
        organisation: HOME,
        next: Sequence::ZERO,
    };
    let late = pool.insert(transaction(1, 1, 9), fresh, Height::new(9));
    assert_eq!(late, Err(PoolError::Expired(Height::new(9))));
    let twin = pool.insert(transaction(1, 0, 99), fresh, Height::ZERO);
    assert_eq!(twin, Err(PoolError::SequenceTaken));
    put(&mut pool, 2, 0).unwrap();
    put(&mut pool, 3, 0).unwrap();
    assert_eq!(put(&mut pool, 4, 0), Err(PoolError::OverQuota));
    let elsewhere = Sender {
        organisation: MemberId::new(1),
        next: Sequence::ZERO,
    };
    pool.insert(transaction(4, 0, 100), elsewhere, Height::ZERO)
        .unwrap();
    assert_eq!(
        pool.insert(transaction(5, 0, 100), elsewhere, Height::ZERO),
        Err(PoolError::Full)
    );
}

#[test]
fn committed_and_expired_transactions_leave() {
    let mut pool = Mempool::new(Limits::default());
    (0..3).for_each(|sequence| put(&mut pool, 1, sequence).unwrap());
    put(&mut pool, 2, 0).unwrap();
    pool.committed(Height::new(1), [(PrincipalId::new(1), Sequence::new(2))]);
    assert_eq!(pool.len(), 2);
    assert!(pool.is_ready(), "1 goes on with number 2");
    pool.remove_sender(PrincipalId::new(2));
    assert_eq!(pool.len(), 1);
    pool.committed(Height::new(100), []);
    assert!(pool.is_empty() && pool.bytes == 0 && pool.arrivals.is_empty() && pool.expiries.is_empty());
}

proptest! {
    #[test]
    fn candidates_are_executable_in_their_order(arrivals in prop::collection::vec((0u32..4, 0u64..6), 0..40)) {
        let mut pool = Mempool::new(Limits::default());
        for (sender, sequence) in arrivals {
            let _ = put(&mut pool, sender, sequence);
        }
        let mut next = BTreeMap::<u32, u64>::new();
        for (sender, sequence) in order(&pool) {
            let expected = next.entry(sender).or_default();
            prop_assert_eq!(sequence, *expected);
            *expected += 1;
        }
        // Nothing executable is left behind.
        for (sender, queue) in &pool.queues {
            let upcoming = next.get(&sender.get()).copied().unwrap_or(0);
            prop_assert!(!queue.waiting.contains_key(&Sequence::new(upcoming)));
        }
        prop_assert_eq!(pool.is_ready(), !next.is_empty());
    }
}
