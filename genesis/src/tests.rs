use super::*;
use salus_types::abi::registry::Status;
use salus_types::{PublicKey, SecretKey, Slot};

/// The hash that `salus_runtime::gas` pins; a test of the node compares it with the example network's.
const GAS_TABLE: &str = "4869ce4afd8c7a6a7035d01ca490abd1a9f644816f7c5cfe1c50035aa4390b34";

fn public(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

fn agreement(n: u8) -> Agreement {
    let member = |i: u8| Member {
        id: MemberId::new(u16::from(i)),
        name: format!("hospital-{i}"),
        consensus_key: public(i * 3 + 1),
        network_key: public(i * 3 + 2),
        release_key: [i; 32],
        slot: Slot::new(u16::from(i)),
        addresses: vec![format!("/ip4/127.0.0.1/tcp/{}", 9000 + u16::from(i))],
    };
    let admin = |i: u8| Principal {
        signing_key: *public(100 + i).as_bytes(),
        encryption_key: [i; 32],
        role: Role::Admin,
        organisation: MemberId::new(u16::from(i)),
        status: Status::Active,
        address: None,
        attributes: Vec::new(),
    };
    Agreement {
        name: "example".into(),
        time: Timestamp::new(1_767_225_600_000),
        params: Params::usual(usize::from(n), GAS_TABLE.parse().unwrap()),
        members: (0..n).map(member).collect(),
        principals: (0..n).map(admin).collect(),
        contracts: [REGISTRY, ACCESS, CARE]
            .map(|code| FoundingContract::new(Hash::of_content(code)))
            .to_vec(),
    }
}

#[test]
fn toml_carries_everything() {
    let genesis = Genesis::new(agreement(4)).unwrap();
    assert_eq!(Genesis::from_toml(&genesis.to_toml().unwrap()).unwrap(), genesis);
}

#[test]
fn contracts_are_founded_with_arguments() {
    let mut agreement = agreement(4);
    let rule = FoundingContract {
        code: Hash::of_content(b"rule"),
        argument: vec![0xab, 1],
    };
    agreement.contracts.push(rule.clone());
    let genesis = Genesis::new(agreement).unwrap();
    let text = genesis.to_toml().unwrap();
    assert!(text.contains("argument = \"ab01\""), "{text}");
    assert_eq!(Genesis::from_toml(&text).unwrap(), genesis);
    let founded: Vec<_> = genesis.contracts().collect();
    assert_eq!(founded[3], (ContractId::new(4), rule.code, rule.argument));
    assert!(founded[0].2.len() > 4 * 64, "the registry gets the principals");

    let bad = text.replace("ab01", "ab0");
    assert!(
        Genesis::from_toml(&bad)
            .unwrap_err()
            .to_string()
            .contains("argument")
    );
    let bad = text.replace("approvals = \"2/3\"", "approvals = \"4/3\"");
    assert!(
        Genesis::from_toml(&bad)
            .unwrap_err()
            .to_string()
            .contains("fraction")
    );
    let without = text.split("[params.contracts]").next().unwrap().to_owned()
        + text.split_once("frozen_timelock_ms = 3600000").unwrap().1;
    assert_eq!(
        Genesis::from_toml(&without).unwrap(),
        genesis,
        "the usual parameters"
    );
}

#[test]
fn the_chain_id_changes_with_anything_agreed() {
    let id = |agreement| Genesis::new(agreement).unwrap().chain_id();
    let base = id(agreement(4));
    let mut later = agreement(4);
    later.time = Timestamp::new(later.time.get() + 1);
    let mut renamed = agreement(4);
    renamed.members[2].name.push('x');
    assert_ne!(base, id(later));
    assert_ne!(base, id(renamed));
}

#[test]
fn usual_thresholds_follow_the_number_of_members() {
    let of = |n| {
        let genesis = Genesis::new(agreement(n)).unwrap();
        (genesis.threshold(), genesis.agreement().params.slots)
    };
    assert_eq!(
        [of(1), of(4), of(7), of(10), of(31)],
        [(1, 2), (2, 8), (3, 16), (4, 32), (11, 64)]
    );
    let mut fixed = agreement(7);
    fixed.params.threshold = Some(3);
    let fixed = Genesis::new(fixed).unwrap();
    assert_eq!(fixed.threshold(), 3);
    assert!(fixed.to_toml().unwrap().contains("threshold = 3"));
    assert_eq!(Genesis::from_toml(&fixed.to_toml().unwrap()).unwrap(), fixed);
}

#[test]
fn the_threshold_may_go_beyond_what_a_certificate_guarantees_but_not_further() {
    let with = |n: u8, threshold: u16| {
        let mut agreement = agreement(n);
        agreement.params.threshold = Some(threshold);
        Genesis::new(agreement)
    };
    // n, the least k, the largest.
    for (n, least, most) in [(1, 1, 1), (4, 2, 2), (7, 3, 4), (10, 4, 5), (13, 5, 7)] {
        for threshold in least..=most {
            assert!(with(n, threshold).is_ok(), "n {n}, k {threshold}");
        }
        for threshold in [least - 1, most + 1] {
            let error = with(n, threshold).unwrap_err().to_string();
            assert!(error.contains(&format!("{least} to {most}")), "{error}");
        }
    }
    let read = Genesis::from_toml(&with(7, 4).unwrap().to_toml().unwrap()).unwrap();
    assert_eq!(read.agreement().params.threshold, Some(4));
}

#[test]
fn each_mistake_is_named() {
    let refused = |change: fn(&mut Agreement)| {
        let mut agreement = agreement(4);
        change(&mut agreement);
        Genesis::new(agreement).unwrap_err().to_string()
    };
    assert!(refused(|a| a.name = "Two Words".into()).contains("a-z"));
    assert!(refused(|a| a.params.threshold = Some(1)).contains("2 to 2"));
    assert!(refused(|a| a.params.slots = 3).contains("128"));
    assert!(refused(|a| a.members[1].id = MemberId::new(7)).contains("number members from 0"));
    assert!(refused(|a| a.members[1].network_key = a.members[0].network_key).contains("separate keys"));
    assert!(refused(|a| a.members[1].consensus_key = a.members[0].consensus_key).contains("stands twice"));
    assert!(refused(|a| drop(a.principals.pop())).contains("admin"));
    assert!(refused(|a| a.contracts.clear()).contains("registry"));
    assert!(refused(|a| a.contracts[0].argument.push(1)).contains("principals"));
    assert!(refused(|a| a.contracts[1].argument = vec![0; (16 << 10) + 1]).contains("16 KiB"));
    assert!(refused(|a| a.params.contracts.frozen_timelock_ms += 1 << 40).contains("frozen_timelock_ms"));
    let misspelt = Genesis::new(agreement(4))
        .unwrap()
        .to_toml()
        .unwrap()
        .replace("slots", "slotz");
    assert!(
        Genesis::from_toml(&misspelt)
            .unwrap_err()
            .to_string()
            .contains("slotz")
    );
}

#[test]
fn a_program_with_another_gas_table_is_told_what_to_run() {
    let genesis = Genesis::new(agreement(4)).unwrap();
    let own = genesis.agreement().params.gas_table;
    assert_eq!(genesis.check_gas_table(&own), Ok(()));
    let other = Hash::of_content(b"another table");
    let error = genesis.check_gas_table(&other).unwrap_err();
    assert_eq!(
        error,
        GenesisError::GasTable {
            agreed: own,
            own: other
        }
    );
    assert!(error.to_string().contains("run the version"), "{error}");
}

#[test]
fn the_example_network_stays_readable_with_every_artefact() {
    let example = Genesis::from_toml(include_str!("../networks/example.toml")).unwrap();
    assert_eq!(example.agreement().name, "example");
}

/// Golden vector: the same agreement must give the same chain id for ever.
#[test]
fn the_chain_id_of_an_agreement_does_not_drift() {
    let mut fixed = agreement(4);
    fixed.params.gas_table = Hash::of_content(b"gas table");
    fixed.contracts = [&b"registry"[..], b"access"]
        .map(|code| FoundingContract::new(Hash::of_content(code)))
        .to_vec();
    expect_test::expect!["f241f185336895d2ab9bab1ed854e351f62f8ac265d19ed128044b40f58819d4"]
        .assert_eq(&Genesis::new(fixed).unwrap().chain_id().to_string());
}

/// Rewrites `networks/example.toml` when asked to: `UPDATE_EXPECT=1 cargo test -p salus-genesis`.
#[test]
fn the_example_network_is_up_to_date() {
    let text = Genesis::new(agreement(4)).unwrap().to_toml().unwrap();
    expect_test::expect_file!["../networks/example.toml"].assert_eq(&text);
}
