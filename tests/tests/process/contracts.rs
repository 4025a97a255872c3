//! A rule's life on a running network: stored, voted in, instantiated, registered, migrated, frozen.

use super::{People, on_network, session};
use salus::session::{Session, SessionError};
use salus_tests::{Network, Options};
use salus_types::abi::access::{Decision, Purpose, RuleDecision, RuleScope, reason};
use salus_types::{
    CODE_PART_BYTES, Change, CodeHashes, CodePart, ContractCall, ContractChange, ContractId, EnactedChange,
    Hash, Height, MemberId, PassedChange, ProposalId, ProposalOutcome, SystemCall, codec,
};
use serde_json::Value;

const OFFICE_HOURS: &[u8] = include_bytes!("../../../contracts-wasm/artifacts/office_hours.wasm");
/// The rule's reason: outside office hours.
const OUTSIDE_HOURS: u16 = 256;
const TIMELOCK_S: u64 = 2;

/// Hours as the rule is instantiated with: opens, closes, days, offset. Open on no day, so it is always night.
fn never_open() -> Vec<u8> {
    codec::encode(&(480_u16, 1_080_u16, 0_u8, 0_i16))
}

/// A later version of the rule that has no objection to anything.
fn lenient() -> Vec<u8> {
    let abstain = codec::encode(&RuleDecision::Abstain);
    let byte = abstain.first().copied().unwrap();
    wat::parse_str(format!(
        r#"(module
        (memory (export "memory") 1)
        (data (i32.const 8) "\{byte:02x}")
        (func (export "salus_abi_1"))
        (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "salus_migrate") (param i32 i32) (result i64) (i64.const 0))
        (func (export "salus_decide") (param i32 i32) (result i64) (i64.const 0x8_0000_0001)))"#
    ))
    .unwrap()
}

fn hashes(code: &[u8]) -> CodeHashes {
    let schema = salus_runtime::custom_section(code, "salus_schema");
    CodeHashes {
        wasm: Hash::of_content(code),
        schema: schema.map(Hash::of_content),
        manifest: Hash::of_content(b"a manifest"),
    }
}

/// The operators of four members.
struct Operators(Vec<Session>);

impl Operators {
    fn of(network: &Network) -> Self {
        let operator = |member| {
            let signer = network.staff("operator", member).unwrap();
            network.session(usize::from(member), signer).unwrap()
        };
        Self((0..4).map(operator).collect())
    }

    fn first(&self) -> &Session {
        self.0.first().unwrap()
    }

    async fn store(&self, code: &[u8]) {
        for (part, bytes) in (0..).zip(code.chunks(CODE_PART_BYTES)) {
            let part = CodePart {
                code_hash: Hash::of_content(code),
                length: u32::try_from(code.len()).unwrap(),
                part,
                bytes: bytes.to_vec(),
            };
            let call = SystemCall::Contract(ContractCall::StoreCode(part));
            self.first().system(call).await.unwrap();
        }
    }

    /// Proposes, and approves until it has passed.
    async fn pass(&self, change: ContractChange) -> (ProposalId, PassedChange) {
        let height = self.first().remote().status().await.unwrap().height;
        let mut call = SystemCall::Propose {
            change: Change::Contract(change),
            expires: Height::new(height + 1_000),
        };
        for operator in &self.0 {
            let (receipt, _) = operator.system(call).await.unwrap();
            let ProposalOutcome { proposal, passed, .. } = receipt.output().unwrap();
            if let Some(passed) = passed {
                return (proposal, passed);
            }
            let approve = true;
            call = SystemCall::Vote { proposal, approve };
        }
        unreachable!("four of four members are not enough")
    }

    /// The same, and carries the change out as soon as the timelock lets it, and not before.
    async fn enact(&self, change: ContractChange) -> EnactedChange {
        let (proposal, passed) = self.pass(change).await;
        assert!(matches!(passed, PassedChange::Waits { .. }), "{passed:?}");
        let mut too_early = 0;
        loop {
            let call = SystemCall::Contract(ContractCall::Enact { proposal });
            match self.first().system(call).await {
                Ok((receipt, _)) => {
                    assert!(too_early > 0, "the timelock held nothing up");
                    return receipt.output().unwrap();
                }
                Err(SessionError::Failed { message, .. }) if message.contains("timelock") => too_early += 1,
                Err(other) => unreachable!("{other}"),
            }
        }
    }
}

async fn asked(people: &People) -> Decision {
    let doctor = &people.doctor;
    let retrieved = doctor
        .retrieve(people.patient_id(), people.record, Purpose::Treatment, false)
        .await;
    retrieved.unwrap().decision
}

fn reason_of(decision: Decision) -> u16 {
    match decision {
        Decision::Permit { reason, .. } | Decision::Deny { reason, .. } => reason,
    }
}

#[test]
fn a_rule_is_voted_in_refuses_at_night_is_migrated_and_frozen() {
    let options = Options {
        timelock_s: Some(TIMELOCK_S),
        ..Options::default()
    };
    on_network(options, async |network| {
        let operators = Operators::of(network);
        let people = People::register(network).await;
        people.grant().await;
        let admin = session(network, 1, network.staff("admin", 1).unwrap());

        // Approved by votes, instantiated by one hospital's admin with its own hours.
        operators.store(OFFICE_HOURS).await;
        let instantiate = SystemCall::Contract(ContractCall::Instantiate {
            code_hash: Hash::of_content(OFFICE_HOURS),
            argument: never_open(),
        });
        let early = admin.system(instantiate.clone()).await.unwrap_err();
        assert!(matches!(early, SessionError::Failed { .. }), "{early}");
        operators
            .enact(ContractChange::Approve(hashes(OFFICE_HOURS)))
            .await;
        let (receipt, _) = admin.system(instantiate).await.unwrap();
        let rule: ContractId = receipt.output().unwrap();
        assert_eq!(
            reason_of(asked(&people).await),
            reason::GRANTED,
            "not registered yet"
        );

        // Its own rule for the doctor's hospital.
        let scope = RuleScope::Organisation(MemberId::new(1));
        let registered =
            admin.send_successfully(|signer, terms| signer.register_rule(scope, rule, false, terms));
        registered.await.unwrap();
        assert_eq!(reason_of(asked(&people).await), OUTSIDE_HOURS);
        let everywhere = admin.send_successfully(|signer, terms| {
            signer.register_rule(RuleScope::Everywhere, rule, false, terms)
        });
        everywhere.await.expect_err("no admin decides for all hospitals");

        // The next version permits; the state's version says so on every validator.
        let code = lenient();
        operators.store(&code).await;
        let migrated = operators
            .enact(ContractChange::Migrate {
                contract: rule,
                code: hashes(&code),
                state_version: 2,
                argument: Vec::new(),
            })
            .await;
        assert!(matches!(
            migrated,
            EnactedChange::Migrated { state_version: 2, .. }
        ));
        assert_eq!(reason_of(asked(&people).await), reason::GRANTED);

        // Frozen by two of four at once: a rule that does not answer refuses.
        let (_, passed) = operators.pass(ContractChange::Freeze(rule)).await;
        assert_eq!(passed, PassedChange::Frozen { contract: rule });
        assert_eq!(reason_of(asked(&people).await), reason::RULE_FAILED);
        let info: Value = people
            .doctor
            .remote()
            .get(&format!("/v1/contracts/{}", rule.get()))
            .await
            .unwrap();
        assert_eq!(
            (&info["frozen"], &info["state_version"]),
            (&true.into(), &2.into())
        );
        assert_eq!(info["code_hash"], Hash::of_content(&code).to_string());
        assert_eq!(info["founder"], 1);
        let (_, passed) = operators.pass(ContractChange::Unfreeze(rule)).await;
        assert_eq!(passed, PassedChange::Unfrozen { contract: rule });
        assert_eq!(reason_of(asked(&people).await), reason::GRANTED);
    });
}
