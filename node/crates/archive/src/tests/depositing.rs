//! k beyond n - 2f: whatever crashes and whoever lies, a decided block opens, and deposits go once they are not needed.

use super::*;
use proptest::prelude::*;
use salus_seal::{Binding, CheckedDealing, DataKey, Parameters, seal};
use salus_types::{
    BlockId, ChainId, Gas, Hash, Header, Round, SealedShare, SecretKey, ShareReceipt, ShareStatement,
    SignedShare, Slot, Timestamp, Validator, ValidatorSet,
};
use std::collections::{BTreeMap, BTreeSet};

/// How a faulty member behaves. Each of them signs receipts for shares that it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Silent,
    Refusing,
    Lying,
}

struct Resident {
    fault: Option<Fault>,
    archive: Archive,
    share: Option<SealedShare>,
    deposit: bool,
    opened: bool,
}

/// A block and all members, each with an archive of its own. One seed gives one run.
struct Town {
    chain: ChainId,
    keys: Vec<SecretKey>,
    validators: ValidatorSet,
    header: Header,
    dealing: CheckedDealing,
    residents: Vec<Resident>,
    now: Duration,
    queue: BTreeMap<(Duration, u64), (u16, Input)>,
    queued: u64,
    random: u64,
    blamed: BTreeSet<MemberId>,
}

fn slot_of(number: u16) -> Slot {
    Slot::new(number)
}

impl Town {
    fn new(seed: u64, n: u16, k: u16) -> Self {
        let chain = ChainId::new(Hash::of_content(&seed.to_be_bytes()));
        let keys: Vec<SecretKey> = (0..n)
            .map(|i| SecretKey::from_seed(Hash::of_content(&i.to_be_bytes()).as_bytes()))
            .collect();
        let validator = |number: u16| Validator {
            member: member(number),
            key: keys[usize::from(number)].public(),
            slot: slot_of(number),
        };
        let validators = ValidatorSet::new((0..n).map(validator).collect()).unwrap();
        let binding = Binding {
            chain,
            height: height(1),
            dealt_at: height(1),
            round: Round::ZERO,
            proposer: member(0),
        };
        let parameters = Parameters::new(k, n.next_power_of_two() * 2).unwrap();
        let sealed = seal(b"a body", &binding, parameters, DataKey::new([9; 32])).unwrap();
        let header = Header {
            height: binding.height,
            round: binding.round,
            time: Timestamp::ZERO,
            proposer: binding.proposer,
            parent: BlockId::new(Hash::ZERO),
            validators: validators.hash(&chain),
            next_validators: validators.hash(&chain),
            sealing: sealed.sealing(),
            body_commitment: sealed.body_commitment(),
            share_root: sealed.share_root(),
            receipts_root: Hash::ZERO,
            state_root: Hash::ZERO,
            gas_used: Gas::ZERO,
        };
        let mut town = Self {
            chain,
            keys,
            validators,
            header,
            dealing: sealed.into_checked(),
            residents: Vec::new(),
            now: ms(1000),
            queue: BTreeMap::new(),
            queued: 0,
            random: seed,
            blamed: BTreeSet::new(),
        };
        for number in 0..n {
            let resident = Resident {
                fault: None,
                archive: town.archive(number),
                share: None,
                deposit: false,
                opened: false,
            };
            town.residents.push(resident);
        }
        town.connect();
        town
    }

    fn archive(&self, number: u16) -> Archive {
        let config = Config::new(self.chain, member(number), slot_of(number));
        let tip = Tip {
            height: Height::ZERO,
            id: BlockId::new(Hash::ZERO),
        };
        Archive::new(config, tip, self.validators.clone())
    }

    fn n(&self) -> u16 {
        u16::try_from(self.residents.len()).unwrap()
    }

    fn block(&self) -> BlockId {
        self.header.id(&self.chain)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn resident(&mut self, number: u16) -> &mut Resident {
        &mut self.residents[usize::from(number)]
    }

    fn share_of(&self, number: u16) -> SealedShare {
        self.dealing.share(slot_of(number)).unwrap()
    }

    fn honest(&self) -> Vec<u16> {
        (0..self.n())
            .filter(|number| self.residents[usize::from(*number)].fault.is_none())
            .collect()
    }

    fn holders(&self) -> usize {
        let honest = self.honest().into_iter();
        honest
            .filter(|number| self.residents[usize::from(*number)].share.is_some())
            .count()
    }

    /// Everybody hears of everybody.
    fn connect(&mut self) {
        let n = self.n();
        for to in 0..n {
            let holders = self.validators.iter().copied().collect();
            self.input(to, Input::Holders(holders));
            for other in (0..n).filter(|other| *other != to) {
                self.input(to, Input::Connected(member(other)));
            }
        }
    }

    /// Everybody loses what was in memory and on the way, all at once.
    fn crash(&mut self) {
        self.queue.clear();
        for number in 0..self.n() {
            let archive = self.archive(number);
            self.resident(number).archive = archive;
        }
        self.connect();
    }

    /// The members that voted: own share and deposit durable, then the vote.
    fn vote(&mut self, voters: &[u16]) {
        for number in voters {
            let share = self.share_of(*number);
            let resident = self.resident(*number);
            resident.share = Some(share);
            resident.deposit = true;
        }
    }

    /// Every honest member with a deposit commits, and every member with a share says so; liars say so too.
    fn settle(&mut self) {
        let header = self.header.clone();
        for number in self.honest() {
            if self.resident(number).deposit {
                let header = Box::new(header.clone());
                self.input(number, Input::Deposited { header, own: true });
            }
        }
    }

    fn receipt(&self, from: u16) -> ShareReceipt {
        let key = &self.keys[usize::from(from)];
        ShareReceipt::sign(member(from), vec![self.block()], key, &self.chain)
    }

    fn open_everywhere(&mut self) {
        for number in self.honest() {
            self.open(number, ms(0));
        }
    }

    fn open(&mut self, number: u16, after: Duration) {
        let own = self.resident(number).share.clone();
        let (header, job) = (Box::new(self.header.clone()), JobId(self.queued));
        let open = Input::Open {
            job,
            purpose: Purpose::Read,
            header,
            resealed: None,
            own,
        };
        self.later(number, after, open);
    }

    fn later(&mut self, to: u16, delay: Duration, input: Input) {
        self.queued += 1;
        self.queue.insert((self.now + delay, self.queued), (to, input));
    }

    fn input(&mut self, to: u16, input: Input) {
        let now = self.now;
        for effect in self.resident(to).archive.handle(now, input) {
            self.act(to, effect);
        }
    }

    fn act(&mut self, at: u16, effect: Effect) {
        let delay = ms(1 + self.below(20));
        match effect {
            Effect::AskShare { request, member, .. } => {
                if let Some(result) = self.answer(member.get(), None) {
                    let answer = Input::Share {
                        request,
                        member,
                        result: result.map(|share| self.sign(member, share)),
                    };
                    self.later(at, delay, answer);
                }
            }
            Effect::AskParcel { request, member, .. } => {
                if let Some(result) = self.answer(member.get(), Some(at)) {
                    let answer = Input::Parcel {
                        request,
                        member,
                        result,
                    };
                    self.later(at, delay, answer);
                }
            }
            Effect::KeepShare { share, .. } => {
                assert_eq!(share, self.share_of(at));
                self.resident(at).share = Some(share);
            }
            Effect::AskReceipt { member, blocks } => {
                assert_eq!(blocks, [self.block()]);
                self.answer_receipt(at, member.get(), delay);
            }
            Effect::Discharge { block, .. } => {
                assert_eq!(block, self.block());
                self.resident(at).deposit = false;
            }
            Effect::Opened { block, .. } => {
                assert_eq!(block.body(), b"a body");
                self.resident(at).opened = true;
            }
            Effect::Failed { .. } => self.open(at, ms(500)),
            Effect::Blame { member, .. } => {
                self.blamed.insert(member);
            }
            Effect::NeedHeader { .. } | Effect::Progress(_) => {}
            other => panic!("{other:?}"),
        }
    }

    /// What a member gives: its own share, or what its deposit holds for another; `None` if nothing ever comes.
    fn answer(&mut self, from: u16, parcel_for: Option<u16>) -> Option<Result<SealedShare, ShareRefusal>> {
        let mut share = self.share_of(parcel_for.unwrap_or(from));
        let resident = self.resident(from);
        let has = match parcel_for {
            Some(_) => resident.deposit,
            None => resident.share.is_some(),
        };
        match resident.fault {
            None if has => Some(Ok(share)),
            None | Some(Fault::Refusing) => Some(Err(ShareRefusal::NotHeld)),
            Some(Fault::Silent) => None,
            Some(Fault::Lying) => {
                share.fragment[0] ^= 1;
                Some(Ok(share))
            }
        }
    }

    fn sign(&self, from: MemberId, share: SealedShare) -> SignedShare {
        let root = self.header.share_root;
        let statement = ShareStatement::of(&share, height(1), self.block(), root, from);
        let signature = statement.sign(&self.keys[usize::from(from.get())], &self.chain);
        SignedShare { share, signature }
    }

    fn answer_receipt(&mut self, to: u16, from: u16, delay: Duration) {
        let resident = self.resident(from);
        if resident.share.is_some() || resident.fault.is_some() {
            let receipt = Input::Receipt(Box::new(self.receipt(from)));
            self.later(to, delay, receipt);
        }
        let member = member(from);
        self.later(to, delay, Input::ReceiptAnswered { member });
    }

    fn run(&mut self, most: Duration) {
        let end = self.now + most;
        for _ in 0..500_000 {
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let wakes = (0..self.n()).filter_map(|number| {
                let wake = self.residents[usize::from(number)].archive.next_wake()?;
                Some((wake.max(self.now), number))
            });
            let wake = wakes.min();
            let next = queued.into_iter().chain(wake.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = next;
            match (self.queue.first_entry(), wake) {
                (Some(entry), _) if entry.key().0 == next => {
                    let (to, input) = entry.remove();
                    self.input(to, input);
                }
                (_, Some((_, number))) => self.input(number, Input::Wake),
                _ => {}
            }
        }
        panic!("the town never comes to rest");
    }
}

/// n, f, and every k beyond n - 2f.
fn networks() -> impl Strategy<Value = (u16, u16, u16)> {
    prop::sample::select(vec![
        (7u16, 2u16, 4u16),
        (8, 2, 5),
        (10, 3, 5),
        (13, 4, 6),
        (13, 4, 7),
    ])
}

/// Makes the last f members faulty, in all ways.
fn corrupt(town: &mut Town, f: u16) {
    for number in town.n() - f..town.n() {
        let fault = [Fault::Silent, Fault::Refusing, Fault::Lying][usize::try_from(town.below(3)).unwrap()];
        town.resident(number).fault = Some(fault);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Of a quorum that voted, f lie; of the others nobody has anything. All power is lost, at any time while receipts
    /// come in. Everybody opens the block, and has its share again.
    #[test]
    fn any_crash_leaves_a_block_that_opens(
        (n, f, k) in networks(),
        seed in any::<u64>(),
        late in 0u16..4,
        settled_ms in prop_oneof![Just(0u64), 0u64..9_000],
        heard in any::<u64>(),
    ) {
        let mut town = Town::new(seed, n, k);
        corrupt(&mut town, f);
        // The certificate's n - f signers: all liars, and n - 2f honest members; some more may have voted late.
        let voters: Vec<u16> = (0..(n - 2 * f + late).min(n - f)).collect();
        town.vote(&voters);
        town.settle();
        // Liars tell some that they hold their shares.
        for number in voters {
            for liar in (n - f..n).filter(|liar| heard >> (liar % 8 + number * 3 % 50) & 1 == 1) {
                let receipt = Box::new(town.receipt(liar));
                town.input(number, Input::Receipt(receipt));
            }
        }
        town.run(ms(settled_ms));
        let honest = town.honest();
        let gone = honest.iter().any(|number| {
            let resident = &town.residents[usize::from(*number)];
            resident.share.is_some() && !resident.deposit
        });
        prop_assert!(!gone || town.holders() >= usize::from(k), "a deposit went too early");
        town.crash();
        town.open_everywhere();
        town.run(ms(120_000));
        for number in honest {
            prop_assert!(town.residents[usize::from(number)].opened, "{number} can't open");
        }
        prop_assert!(town.holders() >= usize::from(k));
        let liars: BTreeSet<MemberId> = (n - f..n).map(member).collect();
        prop_assert!(town.blamed.is_subset(&liars), "{:?}", town.blamed);
    }

    /// Once all honest members hold their shares, as many deposits go as receipts allow: with k + f members up, all.
    #[test]
    fn deposits_go_when_enough_members_hold_their_shares((n, f, k) in networks(), seed in any::<u64>()) {
        let mut town = Town::new(seed, n, k);
        let all: Vec<u16> = (0..n).collect();
        town.vote(&all);
        // One too many is away: k + f receipts never come.
        for number in k + f - 1..n {
            town.resident(number).fault = Some(Fault::Silent);
            for other in 0..k + f - 1 {
                town.input(other, Input::Disconnected(member(number)));
            }
        }
        town.settle();
        town.run(ms(60_000));
        for number in 0..k + f - 1 {
            prop_assert!(town.residents[usize::from(number)].deposit, "{number} dropped its deposit");
        }
        // It comes back.
        let back = k + f - 1;
        town.resident(back).fault = None;
        for other in 0..back {
            town.input(other, Input::Connected(member(back)));
        }
        town.run(ms(20_000));
        for number in 0..back {
            prop_assert!(!town.residents[usize::from(number)].deposit, "{number} keeps its deposit");
        }
    }
}

/// The same crash without deposits loses the block: what they are for.
#[test]
fn without_deposits_the_same_crash_loses_the_block() {
    let (n, f, k) = (7, 2, 4);
    let mut town = Town::new(1, n, k);
    corrupt(&mut town, f);
    town.vote(&[0, 1, 2]);
    for number in 0..3 {
        town.resident(number).deposit = false;
    }
    town.crash();
    town.open_everywhere();
    town.run(ms(60_000));
    assert!(town.residents.iter().all(|resident| !resident.opened));
}

#[test]
fn a_receipt_counts_once_and_only_if_its_member_signed_it() {
    let mut town = Town::new(2, 7, 4);
    town.vote(&[0]);
    // A receipt that comes before the own commit counts.
    let early = Box::new(town.receipt(1));
    town.input(0, Input::Receipt(early));
    town.settle();
    let mut give = |number: u16, change: fn(&mut ShareReceipt)| {
        let mut receipt = town.receipt(number);
        change(&mut receipt);
        town.input(0, Input::Receipt(Box::new(receipt)));
        town.residents[0].deposit
    };
    for number in [1, 2, 2, 3, 4] {
        assert!(give(number, |_| ()), "{number}");
    }
    assert!(give(5, |receipt| receipt.member = member(6)), "in another's name");
    assert!(give(5, |receipt| receipt.member = member(9)), "of a stranger");
    assert!(give(5, |receipt| receipt.blocks.push(BlockId::new(Hash::ZERO))));
    // 0 to 4 are five; k + f is six.
    assert!(!give(6, |_| ()));
}

#[test]
fn repair_takes_the_own_share_from_a_deposit_when_too_few_have_theirs() {
    let mut town = Town::new(3, 7, 4);
    town.vote(&[1, 2]);
    town.input(0, Input::Missing(vec![height(1)..=height(1)]));
    let header = Some(Box::new(town.header.clone()));
    town.input(
        0,
        Input::Header {
            height: height(1),
            header,
            resealed: None,
        },
    );
    town.run(ms(5_000));
    assert_eq!(town.residents[0].share, Some(town.share_of(0)));
}

/// Seven members need six receipts, of which one has left by then; the six that stay need five, of their own.
#[test]
fn receipts_are_counted_among_those_that_stay() {
    let mut town = Town::new(5, 7, 4);
    town.vote(&[0]);
    town.settle();
    for number in [3, 4, 6] {
        let receipt = Box::new(town.receipt(number));
        town.input(0, Input::Receipt(receipt));
    }
    let stay = town.validators.iter().filter(|one| one.member != member(6));
    let stay = ValidatorSet::new(stay.copied().collect()).unwrap();
    town.input(0, Input::Validators(stay.clone()));
    assert!(town.residents[0].deposit, "0, 3 and 4 are three");
    let receipt = Box::new(town.receipt(5));
    town.input(0, Input::Receipt(receipt));
    assert!(town.residents[0].deposit, "who left counts no more");
    let receipt = Box::new(town.receipt(1));
    town.input(0, Input::Receipt(receipt));
    assert!(!town.residents[0].deposit);

    // Where enough have signed already, the change itself lets the deposit go.
    let mut town = Town::new(6, 7, 4);
    town.vote(&[0]);
    town.settle();
    for number in 1..5 {
        let receipt = Box::new(town.receipt(number));
        town.input(0, Input::Receipt(receipt));
    }
    assert!(town.residents[0].deposit, "five of six");
    town.input(0, Input::Validators(stay));
    assert!(!town.residents[0].deposit);
}
