use super::*;
use salus_seal::{Binding, CheckedShare, DataKey, Parameters, open, seal};
use salus_types::{BlockId, Gas, Hash, Height, PublicKey, Round, SecretKey, Timestamp, Validator};

const N: u16 = 7;
const K: u16 = 4;
const S: u16 = 16;

struct Network {
    chain: ChainId,
    validators: ValidatorSet,
    members: Vec<Member>,
    secrets: Vec<ReleaseSecret>,
}

impl Network {
    fn new() -> Self {
        let seed = |n: u16| [u8::try_from(n).unwrap() + 1; 32];
        let key = |n: u16| -> PublicKey { SecretKey::from_seed(&seed(n)).public() };
        let secrets: Vec<_> = (0..N).map(|n| ReleaseSecret::from_seed(&seed(n))).collect();
        let member = |n: u16| Member {
            id: MemberId::new(n),
            name: String::new(),
            consensus_key: key(n),
            network_key: key(n + 100),
            release_key: *secrets[usize::from(n)].public().as_bytes(),
            slot: Slot::new(n * 2),
            addresses: Vec::new(),
        };
        let members: Vec<Member> = (0..N).map(member).collect();
        let validator = |member: &Member| Validator {
            member: member.id,
            key: member.consensus_key,
            slot: member.slot,
        };
        Self {
            chain: ChainId::new(Hash::of_content(b"chain")),
            validators: ValidatorSet::new(members.iter().map(validator).collect()).unwrap(),
            members,
            secrets,
        }
    }

    fn seal(&self, body: &[u8]) -> (Header, CheckedDealing) {
        let binding = Binding {
            chain: self.chain,
            height: Height::new(9),
            dealt_at: Height::new(9),
            round: Round::ZERO,
            proposer: MemberId::new(0),
        };
        let parameters = Parameters::new(K, S).unwrap();
        let sealed = seal(body, &binding, parameters, DataKey::new([77; 32])).unwrap();
        let header = Header {
            height: binding.height,
            round: binding.round,
            time: Timestamp::ZERO,
            proposer: binding.proposer,
            parent: BlockId::new(Hash::ZERO),
            validators: Hash::ZERO,
            next_validators: Hash::ZERO,
            sealing: sealed.sealing(),
            body_commitment: sealed.body_commitment(),
            share_root: sealed.share_root(),
            receipts_root: Hash::ZERO,
            state_root: Hash::ZERO,
            gas_used: Gas::ZERO,
        };
        (header, sealed.into_checked())
    }

    fn deposit(&self, me: u16, header: &Header, dealing: &CheckedDealing) -> Deposit {
        let parties = Parties {
            chain: self.chain,
            me: MemberId::new(me),
            validators: &self.validators,
            members: &self.members,
        };
        let mut drawn = 0;
        make(parties, header, dealing, || {
            drawn += 1;
            [drawn; 32]
        })
    }

    fn subject(&self, member: u16, header: &Header) -> BlockKeyShare {
        BlockKeyShare {
            chain: self.chain,
            block: header.id(&self.chain),
            member: MemberId::new(member),
        }
    }

    /// What a member makes of the parcel that was sent to it, which has changed its keys since.
    fn receive(&self, member: u16, header: &Header, parcel: Parcel) -> Option<SealedShare> {
        let (subject, at) = (self.subject(member, header), usize::from(member));
        let renewed = ReleaseSecret::from_seed(&[200; 32]);
        let secrets = [&renewed, &self.secrets[at]];
        open_parcel(subject, secrets, self.members[at].slot, header, parcel)
    }
}

fn body() -> Vec<u8> {
    (0..4_000u32)
        .flat_map(|n| Hash::of_content(&n.to_be_bytes()).as_bytes()[..4].to_vec())
        .collect()
}

#[test]
fn every_member_gets_its_share_back_from_any_one_deposit() {
    let (network, body) = (Network::new(), body());
    let (header, dealing) = network.seal(&body);
    for keeper in 0..N {
        let deposit = network.deposit(keeper, &header, &dealing);
        let mut shares = Vec::new();
        for member in (0..N).filter(|member| *member != keeper) {
            let parcel = parcel(deposit.clone(), MemberId::new(member)).unwrap().unwrap();
            let share = network.receive(member, &header, parcel).unwrap();
            assert_eq!(Some(&share), dealing.share(Slot::new(member * 2)).as_ref());
            shares.push(CheckedShare::check(share, &header).unwrap());
        }
        shares.truncate(usize::from(K));
        assert_eq!(open(&header, &network.chain, &shares).unwrap().body(), body);
        assert!(parcel(deposit, MemberId::new(keeper)).unwrap().is_none());
    }
}

/// One node's disk and keys open nothing: its own key share is the only one that it can read, and k are needed.
#[test]
fn a_keeper_can_open_no_envelope_and_keeps_nothing_plain() {
    let (network, body) = (Network::new(), body());
    let (header, dealing) = network.seal(&body);
    let deposit = network.deposit(3, &header, &dealing);
    let envelopes: Vec<Envelope> = codec::decode(&deposit.envelopes, ENVELOPES_MAX).unwrap();
    assert_eq!(envelopes.len(), usize::from(N) - 1);
    for envelope in &envelopes {
        for member in 0..N {
            let subject = network.subject(member, &header);
            assert!(subject.open(&network.secrets[3], &envelope.sealed).is_none());
        }
    }
    // Nor does anybody get another's parcel open.
    let stolen = parcel(deposit.clone(), MemberId::new(5)).unwrap().unwrap();
    assert!(network.receive(4, &header, stolen).is_none());

    let kept = [deposit.envelopes, deposit.keyless].concat();
    let holds = |needle: &[u8]| kept.windows(needle.len()).any(|window| window == needle);
    assert!(body.chunks_exact(16).all(|part| !holds(part)), "the body");
    assert!(!holds(&[77; 32]), "the data key");
    for slot in (0..S).map(Slot::new) {
        let key_share = dealing.key_share(slot).unwrap();
        assert!(!holds(&key_share[1..]), "the key share of slot {slot}");
    }
}

#[test]
fn what_was_changed_on_the_way_gives_no_share_of_the_block() {
    let network = Network::new();
    let (header, dealing) = network.seal(&body());
    let deposit = network.deposit(0, &header, &dealing);
    let sent = || parcel(deposit.clone(), MemberId::new(1)).unwrap().unwrap();
    let refused = |change: fn(&mut Parcel)| {
        let mut parcel = sent();
        change(&mut parcel);
        match network.receive(1, &header, parcel) {
            Some(share) => CheckedShare::check(share, &header).is_err(),
            None => true,
        }
    };
    assert!(!refused(|_| ()));
    assert!(refused(|parcel| parcel.envelope[40] ^= 1));
    assert!(refused(|parcel| parcel.fragment[3] ^= 1));
    assert!(refused(|parcel| parcel.fragment.clear()));
    assert!(refused(|parcel| parcel.path.reverse()));
    // A whole parcel of another block.
    let (other, dealing) = network.seal(b"another body");
    let foreign = network.deposit(0, &other, &dealing);
    let foreign = parcel(foreign, MemberId::new(1)).unwrap().unwrap();
    assert!(network.receive(1, &header, foreign).is_none());
}

#[test]
fn a_member_with_an_unusable_release_key_costs_only_itself() {
    let mut network = Network::new();
    network.members[6].release_key = [0; 32];
    let (header, dealing) = network.seal(&body());
    let deposit = network.deposit(0, &header, &dealing);
    assert!(parcel(deposit.clone(), MemberId::new(6)).unwrap().is_none());
    assert!(parcel(deposit, MemberId::new(5)).unwrap().is_some());
}

/// What deposits cost: `cargo test --release -p salus deposits_cost -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn deposits_cost() {
    let network = Network::new();
    for length in [1 << 10, 64 << 10, 1 << 20] {
        let body: Vec<u8> = body().into_iter().cycle().take(length).collect();
        let (header, dealing) = network.seal(&body);
        let rounds = 50;
        let begun = crate::clock::Clock::start();
        for _ in 0..rounds {
            std::hint::black_box(network.deposit(0, &header, &dealing));
        }
        let made = begun.elapsed() / rounds;
        let deposit = network.deposit(0, &header, &dealing);
        let begun = crate::clock::Clock::start();
        for _ in 0..rounds {
            std::hint::black_box(parcel(deposit.clone(), MemberId::new(6)).unwrap());
        }
        let given = begun.elapsed() / rounds;
        let bytes = deposit.envelopes.len() + deposit.keyless.len();
        eprintln!("{length} B: made in {made:?}, parcel in {given:?}, {bytes} B");
    }
}
