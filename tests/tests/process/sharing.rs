//! Grants, permits, refusals, penalties, revocation: what the contracts promise, from outside.

use super::{CONTENT, People, on_network};
use salus::session::SessionError;
use salus_tests::Options;
use salus_types::ContractId;
use salus_types::abi::access::{self, Decision, Purpose, Standing, reason};

#[test]
fn patients_decide_who_reads_and_strangers_are_penalised() {
    on_network(Options::default(), async |network| {
        let people = People::register(network).await;
        let (patient, record) = (people.patient_id(), people.record);
        let doctor = &people.doctor;
        let ask = async |purpose| {
            doctor
                .retrieve(patient, record, purpose, false)
                .await
                .unwrap()
                .decision
        };

        // Without a grant: refused, and warned.
        let Decision::Deny {
            reason: why,
            standing,
        } = ask(Purpose::Treatment).await
        else {
            panic!("permitted")
        };
        assert_eq!(
            (why, standing),
            (reason::NO_GRANT, Standing::Warned { refusals: 1 })
        );
        let unopened = doctor.open_record(patient, record).await.unwrap_err();
        assert!(matches!(unopened, SessionError::NotReleased(..)), "{unopened}");

        // With one: permitted, and the content comes back through another validator than the one it went in by.
        let grant = people.grant().await;
        let (decided, opened) = doctor
            .get_record(patient, record, Purpose::Treatment, false)
            .await
            .unwrap();
        assert!(matches!(
            decided.decision,
            Decision::Permit {
                reason: reason::GRANTED,
                ..
            }
        ));
        assert_eq!(opened.content(), CONTENT);

        // For another purpose: refused. After the revocation: refused, and the third refusal is a penalty.
        let Decision::Deny { reason: why, .. } = ask(Purpose::Payment).await else {
            panic!("permitted")
        };
        assert_eq!(why, reason::WRONG_PURPOSE);
        let reader = doctor.signer().principal();
        let revoked = people
            .patient
            .send_successfully(|signer, terms| signer.revoke(reader, Some(grant), terms));
        revoked.await.unwrap();
        let Decision::Deny {
            reason: why,
            standing,
        } = ask(Purpose::Treatment).await
        else {
            panic!("permitted")
        };
        assert_eq!(why, reason::NO_GRANT);
        assert!(
            matches!(standing, Standing::Penalised { level: 1, .. }),
            "{standing:?}"
        );
        people.grant().await;
        let Decision::Deny { reason: why, .. } = ask(Purpose::Treatment).await else {
            panic!("permitted")
        };
        assert_eq!(why, reason::PENALISED, "a grant does not help against a penalty");

        // An admin of the doctor's hospital lifts it.
        let admin = network.session(2, network.staff("admin", 1).unwrap()).unwrap();
        admin
            .send_successfully(|signer, terms| signer.lift_penalty(reader, terms))
            .await
            .unwrap();
        assert!(matches!(ask(Purpose::Treatment).await, Decision::Permit { .. }));

        // Every attempt is in the patient's log, the same at every validator.
        for validator in 0..network.validators() {
            let remote = network.remote(validator).unwrap();
            let tip = people.doctor.remote().status().await.unwrap().height;
            network.wait_height(validator, tip).await.unwrap();
            let head: access::LogHead = remote
                .query(ContractId::ACCESS, access::query::LOG_HEAD, &patient)
                .await
                .unwrap();
            assert_eq!(head.count, 6, "validator {validator}");
        }
    });
}
