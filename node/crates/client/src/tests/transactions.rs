use super::*;
use salus_types::abi::access::{
    self, AccessEvent, Decision, Grant, GrantAccess, LiftPenalty, Obligations, Purpose, Purposes,
    RecordClass, RecordId, RegisterRule, Retrieve, RevokeAccess, RuleScope, Scope, Standing, reason,
};
use salus_types::abi::domain::Tag;
use salus_types::abi::registry::{self, AddUser, DeleteUser, Role, RotateKeys, SetAttribute};
use salus_types::codec::{self, Decode, DecodeError, Encode};
use salus_types::{
    Call, ContractId, Event, PublicKey, Receipt, RecordNumber, Signature, Status, SystemCall,
    UnverifiedTransaction,
};

/// The contract, entry and argument of a transaction, once its signature was checked.
fn called<T: Encode + Decode<()>>(transaction: UnverifiedTransaction) -> (ContractId, u8, T) {
    let key = doctor().identity().public().signing_key;
    let transaction = transaction.verify(&chain_id(), &key).unwrap();
    let payload = transaction.payload();
    assert_eq!(payload.sender, DOCTOR);
    assert_eq!(payload.sequence, TERMS.sequence);
    assert_eq!(payload.expires, TERMS.expires);
    assert_eq!(payload.gas_limit, TERMS.gas_limit);
    match &payload.call {
        Call::Contract {
            contract,
            entry,
            input,
        } => (*contract, *entry, codec::decode(input, 4096).unwrap()),
        Call::System(_) => panic!("not a contract call"),
    }
}

#[test]
fn a_retrieve_is_small_and_fixed() {
    let retrieve = doctor().retrieve(PATIENT, RecordNumber::new(3), Purpose::Treatment, false, TERMS);
    let bytes = codec::encode(&retrieve);
    assert_eq!(
        hex(&bytes),
        concat!(
            "0d05fb012cfc001e8480000203040703000088e5d03770fad1edf4475dcb93ed1b4e0a2fab9dcc4862830fc9",
            "18aabdf442460e8679d6c54e653fb8a022c27ca2f0323a6811417a4e4515523989d685236f0e",
        )
    );
    assert!(bytes.len() < 100, "{} bytes", bytes.len());
    let expected = Retrieve {
        patient: PATIENT,
        record: RecordNumber::new(3),
        purpose: Purpose::Treatment,
        emergency: false,
    };
    assert_eq!(
        called(retrieve),
        (ContractId::ACCESS, access::entry::RETRIEVE, expected)
    );
}

#[test]
fn every_builder_calls_its_entry_with_its_argument() {
    let (signer, other) = (doctor(), PrincipalId::new(21));
    let grant = Grant {
        scope: Scope::Class(RecordClass::Imaging),
        purposes: Purposes::of(&[Purpose::Treatment, Purpose::Research]),
        until_ms: 1,
    };
    let grantee = other;
    let expected = GrantAccess { grantee, grant };
    let call = called(signer.grant(other, grant, TERMS));
    assert_eq!(call, (ContractId::ACCESS, access::entry::GRANT, expected));

    let number = Some(4);
    let call = called(signer.revoke(other, number, TERMS));
    let expected = RevokeAccess { grantee, number };
    assert_eq!(call, (ContractId::ACCESS, access::entry::REVOKE, expected));

    let principal = other;
    let call = called(signer.lift_penalty(other, TERMS));
    assert_eq!(
        call,
        (
            ContractId::ACCESS,
            access::entry::LIFT_PENALTY,
            LiftPenalty { principal }
        )
    );

    let (scope, rule) = (RuleScope::Everywhere, ContractId::new(9));
    let call = called(signer.register_rule(scope, rule, true, TERMS));
    let remove = true;
    let expected = RegisterRule { scope, rule, remove };
    assert_eq!(call, (ContractId::ACCESS, access::entry::REGISTER_RULE, expected));

    let call = called(signer.delete_user(other, TERMS));
    assert_eq!(
        call,
        (
            ContractId::REGISTRY,
            registry::entry::DELETE_USER,
            DeleteUser { principal }
        )
    );

    let call = called(signer.set_attribute(other, 3, Some(vec![1]), TERMS));
    let expected = SetAttribute {
        principal,
        number: 3,
        value: Some(vec![1]),
    };
    assert_eq!(
        call,
        (ContractId::REGISTRY, registry::entry::SET_ATTRIBUTE, expected)
    );

    let patient = Identity::from_seed(&[7; 32]).public();
    let address = LinkageKey::new([5; 32]).address(1, "1").ok();
    let call = called(signer.add_user(&patient, Role::Patient, address, TERMS));
    let expected = AddUser {
        signing_key: *patient.signing_key.as_bytes(),
        encryption_key: *patient.encryption_key.as_bytes(),
        role: Role::Patient,
        address,
    };
    assert_eq!(call, (ContractId::REGISTRY, registry::entry::ADD_USER, expected));
}

#[test]
fn system_calls_are_signed_like_others() {
    let key = doctor().identity().public().signing_key;
    let addresses = vec!["/ip4/10.0.0.1/tcp/4001".to_owned()];
    let transaction = doctor().set_addresses(MemberId::new(2), addresses.clone(), TERMS);
    let transaction = transaction.verify(&chain_id(), &key).unwrap();
    let member = MemberId::new(2);
    let expected = Call::System(SystemCall::SetAddresses { member, addresses });
    assert_eq!(transaction.payload().call, expected);
}

#[test]
fn rotated_keys_prove_that_their_owner_has_them() {
    let new = Identity::from_seed(&[14; 32]);
    let (contract, entry, input) = called::<RotateKeys>(doctor().rotate_keys(&new, TERMS));
    assert_eq!(
        (contract, entry),
        (ContractId::REGISTRY, registry::entry::ROTATE_KEYS)
    );
    let claim = [
        DOCTOR.get().to_be_bytes().as_slice(),
        &input.signing_key,
        &input.encryption_key,
    ]
    .concat();
    PublicKey::new(input.signing_key)
        .verify(Tag::KEY_PROOF, &chain_id(), &claim, &Signature::new(input.proof))
        .unwrap();
    assert_eq!(input.encryption_key, *new.public().encryption_key.as_bytes());
    assert_eq!(
        hex(&input.proof),
        concat!(
            "b305019feac6a43ed5ee07ae94771d5659345336c50e94da038b4001d0a6bc43",
            "b21dee8ca549501e2f3e89ca971981085118a1659f67e2e9334b0b97fb9bff00",
        )
    );
}

fn receipt(status: Status, output: Vec<u8>, events: Vec<Event>) -> Receipt {
    Receipt {
        status,
        gas_used: Gas::new(1),
        output,
        events,
    }
}

#[test]
fn receipts_are_read_in_the_contracts_types() {
    let permit = Decision::Permit {
        reason: reason::GRANTED,
        until_ms: 5,
        obligations: Obligations::default(),
    };
    let added = AccessEvent::RecordAdded(RecordId {
        patient: PATIENT,
        record: RecordNumber::new(3),
    });
    let event = |contract, data| Event { contract, data };
    let events = vec![
        event(ContractId::ACCESS, codec::encode(&added)),
        event(ContractId::new(77), vec![255; 5]),
    ];
    let good = receipt(Status::Success, codec::encode(&permit), events);
    assert_eq!(decision(&good), Ok(permit));
    assert_eq!(access_events(&good), Ok(vec![added]));

    let numbered = receipt(Status::Success, vec![6], Vec::new());
    assert_eq!(record_number(&numbered), Ok(RecordNumber::new(6)));
    assert_eq!(grant_number(&numbered), Ok(6));
    assert_eq!(new_principal(&numbered), Ok(PrincipalId::new(6)));
    assert_eq!(
        decision(&numbered),
        Err(ReceiptError::Unexpected(DecodeError::Malformed))
    );

    let code = access::error::BAD_RECEIPTS;
    let failed = receipt(Status::Aborted { code }, Vec::new(), Vec::new());
    let error = record_number(&failed).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the transaction failed: too few members' receipts, or one that does not verify"
    );
    let garbage = receipt(
        Status::Success,
        Vec::new(),
        vec![event(ContractId::ACCESS, vec![99])],
    );
    assert!(matches!(
        access_events(&garbage),
        Err(ReceiptError::Unexpected(_))
    ));
}

#[test]
fn decisions_are_explained_in_plain_words() {
    let until_ms = 1_790_000_000_000;
    let permit = Decision::Permit {
        reason: reason::EMERGENCY,
        until_ms,
        obligations: Obligations::NOTIFY_PATIENT.and(Obligations::REVIEW),
    };
    assert_eq!(
        explain(&permit),
        "Permitted: emergency access without a grant (the glass was broken). The record can be fetched until \
         2026-09-21 14:13:20 UTC. The patient is told at once. The patient's hospital will review this access."
    );
    let deny = |reason, standing| explain(&Decision::Deny { reason, standing });
    assert_eq!(
        deny(reason::NO_GRANT, Standing::Warned { refusals: 2 }),
        "Refused: the patient has not granted you any access; ask the patient for a grant. This is a warning: \
         refusal 2 of 3, and the last one brings a penalty."
    );
    assert_eq!(
        deny(300, Standing::Penalised { until_ms, level: 1 }),
        "Refused: a rule of the network or of a hospital decided so (its code 300). Penalty 1: every request is \
         refused until 2026-09-21 14:13:20 UTC, unless an admin of your hospital lifts it."
    );
    assert!(deny(reason::NO_SUCH_RECORD, Standing::Good).ends_with("does not count against you."));
    for code in 1..=50 {
        let known = reason::name(code) != "rule";
        assert_eq!(explain_reason(code).contains("its code"), !known, "code {code}");
    }
}

#[test]
fn every_error_code_of_the_contracts_is_explained() {
    for (contract, last) in [
        (ContractId::SYSTEM, 16),
        (ContractId::REGISTRY, 9),
        (ContractId::ACCESS, 12),
        (ContractId::CARE, 8),
    ] {
        for code in 1..=last {
            let text = explain_status(contract, Status::Aborted { code });
            assert!(!text.contains("its code"), "{contract} {code}: {text}");
        }
        let unknown = explain_status(contract, Status::Aborted { code: last + 1 });
        assert!(unknown.contains(&format!("its code {}", last + 1)), "{unknown}");
    }
    assert!(explain_status(ContractId::ACCESS, Status::OutOfGas).contains("higher"));
}

#[test]
fn times_are_written_in_the_gregorian_calendar() {
    for (seconds, text) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (951_782_399, "2000-02-28 23:59:59 UTC"),
        (951_782_400, "2000-02-29 00:00:00 UTC"),
        (951_868_800, "2000-03-01 00:00:00 UTC"),
        (1_709_164_800, "2024-02-29 00:00:00 UTC"),
        (1_735_689_599, "2024-12-31 23:59:59 UTC"),
        (4_107_542_400, "2100-03-01 00:00:00 UTC"),
    ] {
        assert_eq!(utc_text(seconds * 1000 + 999), text);
    }
    // Past any real time, but no panic.
    assert!(utc_text(u64::MAX).ends_with("UTC"));
}
