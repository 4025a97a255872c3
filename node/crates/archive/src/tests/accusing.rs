//! Who is accused, over very many ways in which answers can go wrong: only who signed a wrong share, ever.

use super::*;
use proptest::prelude::*;
use salus_seal::{AskedShare, Binding, DataKey, Parameters, seal, verify_wrong_share};
use salus_types::{
    BlockId, ChainId, Gas, Hash, Header, Round, SealedShare, SecretKey, ShareStatement, Signature,
    SignedShare, Slot, Timestamp, Validator, ValidatorSet,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const CASES: u64 = 100_000;
/// Threads that share the cases.
const THREADS: u64 = 2;

const CHAIN: ChainId = ChainId::new(Hash::new([6; 32]));
const BODY: &[u8] = b"what only k of them may know";

/// One block as its members hold it.
struct Dealt {
    header: Header,
    id: BlockId,
    /// What each member answers, by slot.
    answers: Vec<SignedShare>,
}

/// A network, a block it decided, and one that was proposed for the same height and not decided.
struct Net {
    keys: Vec<SecretKey>,
    validators: ValidatorSet,
    decided: Dealt,
    proposed: Dealt,
}

static NETS: LazyLock<Vec<Net>> = LazyLock::new(|| (4..=16).map(net).collect());

fn net(n: u16) -> Net {
    let keys: Vec<SecretKey> = (0..n)
        .map(|i| SecretKey::from_seed(Hash::of_content(&i.to_be_bytes()).as_bytes()))
        .collect();
    let validator = |(number, key): (u16, &SecretKey)| Validator {
        member: member(number),
        key: key.public(),
        slot: Slot::new(number),
    };
    let validators = ValidatorSet::new((0..).zip(&keys).map(validator).collect()).unwrap();
    Net {
        decided: deal(&keys, &validators, BODY, 0),
        proposed: deal(&keys, &validators, b"another body of the very same height", 1),
        keys,
        validators,
    }
}

fn deal(keys: &[SecretKey], validators: &ValidatorSet, body: &[u8], round: u32) -> Dealt {
    let binding = Binding {
        chain: CHAIN,
        height: height(9),
        dealt_at: height(9),
        round: Round::new(round),
        proposer: member(0),
    };
    let threshold = u16::try_from(validators.threshold()).unwrap();
    let slots = u16::try_from((2 * keys.len()).next_power_of_two()).unwrap();
    let parameters = Parameters::new(threshold, slots).unwrap();
    let sealed = seal(
        body,
        &binding,
        parameters,
        DataKey::new([round.to_be_bytes()[3]; 32]),
    )
    .unwrap();
    let header = Header {
        height: binding.height,
        round: binding.round,
        time: Timestamp::new(1),
        proposer: binding.proposer,
        parent: BlockId::new(Hash::ZERO),
        validators: validators.hash(&CHAIN),
        next_validators: validators.hash(&CHAIN),
        sealing: sealed.sealing(),
        body_commitment: sealed.body_commitment(),
        share_root: sealed.share_root(),
        receipts_root: Hash::ZERO,
        state_root: Hash::ZERO,
        gas_used: Gas::ZERO,
    };
    let id = header.id(&CHAIN);
    let answer = |number: u16| {
        let share = sealed.share(Slot::new(number)).unwrap();
        sign(&keys[usize::from(number)], &header, id, member(number), share)
    };
    Dealt {
        answers: (0..u16::try_from(keys.len()).unwrap()).map(answer).collect(),
        header,
        id,
    }
}

/// Signs a share without looking at it.
fn sign(
    key: &SecretKey,
    header: &Header,
    block: BlockId,
    member: MemberId,
    share: SealedShare,
) -> SignedShare {
    let statement = ShareStatement::of(&share, header.height, block, header.share_root, member);
    let signature = statement.sign(key, &CHAIN);
    SignedShare { share, signature }
}

/// Numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Fields of an answer that [`tamper`] can change.
const FIELDS: usize = 9;

/// Changes one field of a share, or of its signature.
fn tamper(dice: &mut Dice, field: usize, answer: &mut SignedShare) {
    let SignedShare { share, signature } = answer;
    match field {
        0 => share.height = height(u64::try_from(dice.below(20)).unwrap() + 10),
        1 => share.slot = Slot::new(u16::try_from(dice.below(300)).unwrap() + share.slot.get() + 1),
        2 => share.key_share[0] ^= u8::try_from(dice.below(255)).unwrap() + 1,
        3 => share.key_share[1 + dice.below(32)] ^= 1 << dice.below(8),
        4 => {
            let place = dice.below(share.path.len());
            share.path[place] = Hash::of_content(b"elsewhere");
        }
        5 => share.path.truncate(dice.below(share.path.len())),
        6 => share.path.extend(vec![Hash::ZERO; 1 + dice.below(10)]),
        7 => {
            let place = dice.below(share.fragment.len());
            share.fragment[place] ^= 1 << dice.below(8);
        }
        8 => share
            .fragment
            .resize(dice.below(100) + share.fragment.len() + 1, 0),
        _ => *signature = Signature::new([u8::try_from(dice.below(256)).unwrap(); 64]),
    }
}

/// What one member does.
enum Fate {
    Answers(SignedShare),
    /// Is silent, refuses, or answers with nothing that counts.
    Nothing(Result<SignedShare, ShareRefusal>),
    Silent,
    /// Signs what is wrong.
    Lies(SignedShare),
}

/// What a member that may lie, or may not, answers.
fn fate(dice: &mut Dice, net: &Net, who: usize, may_lie: bool) -> Fate {
    let mut answer = net.decided.answers[who].clone();
    match dice.below(if may_lie { 8 } else { 6 }) {
        0 => Fate::Silent,
        1 => {
            let refusals = [
                ShareRefusal::NotHeld,
                ShareRefusal::Busy,
                ShareRefusal::NotAllowed,
            ];
            Fate::Nothing(Err(refusals[dice.below(3)]))
        }
        // Spoiled on the way, or replayed from another question by whoever sits there.
        2 => {
            let field = dice.below(FIELDS + 1);
            tamper(dice, field, &mut answer);
            match field {
                // A right share needs no signature.
                FIELDS => Fate::Answers(answer),
                _ => Fate::Nothing(Ok(answer)),
            }
        }
        3 => Fate::Nothing(Ok(net.proposed.answers[who].clone())),
        6 | 7 => {
            let field = 1 + dice.below(FIELDS);
            if field == FIELDS {
                let other = (who + 1) % net.keys.len();
                answer = net.decided.answers[other].clone();
            } else {
                tamper(dice, field, &mut answer);
            }
            let Dealt { header, id, .. } = &net.decided;
            let who_is = member(u16::try_from(who).unwrap());
            let lie = sign(&net.keys[who], header, *id, who_is, answer.share);
            // A statement with so long a path is none.
            match lie.share.path.len() > ShareStatement::PATH_MAX {
                true => Fate::Nothing(Ok(lie)),
                false => Fate::Lies(lie),
            }
        }
        _ => Fate::Answers(answer),
    }
}

/// What came of one gather.
#[derive(Default)]
struct Outcome {
    opened: Option<Vec<u8>>,
    failed: Option<ReadError>,
    accused: BTreeSet<MemberId>,
}

impl Outcome {
    /// Takes effects; what is asked anew.
    fn take(&mut self, net: &Net, effects: Vec<Effect>) -> Vec<(RequestId, MemberId)> {
        let mut asks = Vec::new();
        for effect in effects {
            match effect {
                Effect::AskShare { request, member, .. } => asks.push((request, member)),
                Effect::Opened { block, .. } => self.opened = Some(block.body().to_vec()),
                Effect::Failed { error, .. } => self.failed = Some(error),
                Effect::Blame { member, evidence, .. } => {
                    let evidence = evidence.expect("a wrong share comes with its proof");
                    let holder = *net.validators.get(member).unwrap();
                    let asked = |dealt, holder| AskedShare {
                        chain: &CHAIN,
                        block: Dealt::id(dealt),
                        dealing: Dealt::header(dealt).into(),
                        holder,
                    };
                    verify_wrong_share(&evidence, &asked(&net.decided, &holder)).unwrap();
                    assert!(verify_wrong_share(&evidence, &asked(&net.proposed, &holder)).is_err());
                    let other = net.validators.iter().find(|other| other.member != member);
                    assert!(verify_wrong_share(&evidence, &asked(&net.decided, other.unwrap())).is_err());
                    self.accused.insert(member);
                }
                other => panic!("{other:?}"),
            }
        }
        asks
    }
}

impl Dealt {
    const fn id(&self) -> BlockId {
        self.id
    }

    const fn header(&self) -> &Header {
        &self.header
    }
}

/// One gather: members answer in any order, some twice, some late, some wrongly.
fn case(seed: u64) {
    let mut dice = Dice(seed);
    // Mostly small networks, which are opened faster: what is decided here does not depend on their size.
    let sizes = if dice.below(16) == 0 { NETS.len() } else { 2 };
    let net = &NETS[dice.below(sizes)];
    let n = net.keys.len();
    let mut others: Vec<usize> = (1..n).collect();
    dice.shuffle(&mut others);
    let liars: BTreeSet<usize> = others
        .iter()
        .copied()
        .take(dice.below(net.validators.faulty_max() + 1))
        .collect();
    let fates: BTreeMap<MemberId, Fate> = (1..n)
        .map(|who| {
            let fate = fate(&mut dice, net, who, liars.contains(&who));
            (member(u16::try_from(who).unwrap()), fate)
        })
        .collect();

    let config = Config::new(CHAIN, member(0), Slot::new(0));
    let tip = Tip {
        height: height(9),
        id: net.decided.id,
    };
    let mut archive = Archive::new(config, tip, net.validators.clone());
    let start = ms(1_000);
    archive.handle(start, Input::Holders(net.validators.iter().copied().collect()));
    for who in fates.keys() {
        archive.handle(start, Input::Connected(*who));
    }
    let own = dice.below(2) == 0;
    let open = Input::Open {
        job: JobId(1),
        purpose: Purpose::Read,
        resealed: None,
        header: Box::new(net.decided.header.clone()),
        own: own.then(|| net.decided.answers[0].share.clone()),
    };
    let mut outcome = Outcome::default();
    let mut waiting = outcome.take(net, archive.handle(start, open));
    // In some cases everyone is slower than the timeout once.
    let mut late = dice.below(16) == 0;
    let may_fall_short = late;
    let (mut now, mut delivered) = (start, Vec::new());
    loop {
        let input = if waiting.is_empty() {
            let Some(wake) = archive.next_wake() else { break };
            now = now.max(wake);
            Input::Wake
        } else if dice.below(8) == 0 {
            now += ms(if std::mem::take(&mut late) { 1_100 } else { 3 });
            Input::Wake
        } else {
            let (request, member) = waiting.swap_remove(dice.below(waiting.len()));
            let result = match &fates[&member] {
                Fate::Silent => continue,
                Fate::Nothing(result) => result.clone(),
                Fate::Answers(answer) | Fate::Lies(answer) => Ok(answer.clone()),
            };
            delivered.push((request, member, result.clone()));
            Input::Share {
                request,
                member,
                result,
            }
        };
        waiting.extend(outcome.take(net, archive.handle(now, input)));
    }
    check(net, &fates, own, may_fall_short, &outcome);
    // What comes again, or after all is over, changes nothing.
    for (request, member, result) in delivered {
        let again = Input::Share {
            request,
            member,
            result,
        };
        assert!(archive.handle(now, again).is_empty());
    }
}

fn check(net: &Net, fates: &BTreeMap<MemberId, Fate>, own: bool, may_fall_short: bool, outcome: &Outcome) {
    let good = fates
        .values()
        .filter(|fate| matches!(fate, Fate::Answers(_)))
        .count()
        + usize::from(own);
    let need = net.validators.threshold();
    match (&outcome.opened, &outcome.failed) {
        (Some(body), None) => assert!(body == BODY && good >= need),
        (None, Some(ReadError::Shortfall(shortfall))) => {
            assert!(shortfall.good < need && shortfall.need == need);
            assert!(
                shortfall.good == good || may_fall_short,
                "{shortfall}, but {good} answered well"
            );
            let wrong: BTreeSet<MemberId> = shortfall.wrong.iter().copied().collect();
            // Whoever is accused stays so; the latest word of it may be that it is silent.
            assert!(wrong.is_subset(&outcome.accused) && (wrong == outcome.accused || may_fall_short));
        }
        other => panic!("{other:?}"),
    }
    for who in &outcome.accused {
        assert!(matches!(fates[who], Fate::Lies(_)), "{who} is honest");
    }
}

#[test]
fn whatever_comes_back_the_body_is_right_and_only_liars_are_accused() {
    let run = |first: u64| {
        move || {
            for seed in (first..CASES).step_by(usize::try_from(THREADS).unwrap()) {
                let result = std::panic::catch_unwind(|| case(seed));
                assert!(result.is_ok(), "seed {seed}");
            }
        }
    };
    let threads: Vec<_> = (0..THREADS).map(|first| std::thread::spawn(run(first))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any k members that answer are enough, whoever they are and whoever is asked first.
    #[test]
    fn any_k_of_any_n_open(n in 4usize..=16, seed in any::<u64>()) {
        let net = &NETS[n - 4];
        let mut dice = Dice(seed);
        let mut members: Vec<usize> = (1..n).collect();
        dice.shuffle(&mut members);
        let answering = &members[..net.validators.threshold()];
        let tip = Tip { height: height(9), id: net.decided.id };
        let mut archive = Archive::new(Config::new(CHAIN, member(0), Slot::new(0)), tip, net.validators.clone());
        archive.handle(ms(0), Input::Holders(net.validators.iter().copied().collect()));
        for who in 1..n {
            archive.handle(ms(0), Input::Connected(member(u16::try_from(who).unwrap())));
        }
        let open = Input::Open {
            job: JobId(1),
            purpose: Purpose::Read,
            header: Box::new(net.decided.header.clone()),
            resealed: None,
            own: None,
        };
        let mut outcome = Outcome::default();
        let (mut now, mut input) = (ms(0), open);
        let mut queue: Vec<Input> = Vec::new();
        while outcome.opened.is_none() && outcome.failed.is_none() {
            for (request, who) in outcome.take(net, archive.handle(now, input)) {
                let place = usize::from(who.get());
                if answering.contains(&place) {
                    queue.push(Input::Share { request, member: who, result: Ok(net.decided.answers[place].clone()) });
                }
            }
            input = queue.pop().unwrap_or(Input::Wake);
            if matches!(input, Input::Wake) && let Some(wake) = archive.next_wake() {
                now = now.max(wake);
            }
        }
        prop_assert_eq!(outcome.opened.as_deref(), Some(BODY));
        prop_assert!(now <= ms(1_100), "hedging asks the others before anyone times out twice: {now:?}");
    }
}
