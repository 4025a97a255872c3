//! Validators killed without warning lose nothing that was acknowledged, and the chain goes on.

use super::{CONTENT, People, on_network};
use salus::remote::RemoteError;
use salus::session::SessionError;
use salus_tests::{Network, Options};
use salus_types::abi::access::{Decision, Purpose};
use salus_types::{Height, TransactionId};
use std::time::Duration;

#[test]
fn nothing_acknowledged_is_lost_when_validators_are_killed() {
    on_network(Options::default(), async |network| {
        let mut people = People::register(network).await;
        people.grant().await;
        let (patient, record) = (people.patient_id(), people.record);
        let mut acknowledged: Vec<(TransactionId, u64)> = Vec::new();

        // Three of four go on without the fourth.
        network.kill(3).unwrap();
        for _ in 0..5 {
            acknowledged.push(retrieve(&people).await);
        }
        // Two of four decide nothing, and say so; what they accepted is executed once there are three again.
        network.kill(2).unwrap();
        let waiting = stand_still(network, &mut people).await;
        let meanwhile = network.remote(1).unwrap().status().await.unwrap().height;
        network.launch(3).unwrap();
        network.launch(2).unwrap();
        network.wait_all_ready().await.unwrap();
        let executed = async || {
            let found = network.remote(3)?.transaction(&waiting).await?;
            Ok(found.receipt.is_some_and(|receipt| receipt.success))
        };
        network.wait("what waited is executed", executed).await.unwrap();
        network.wait_height(3, meanwhile).await.unwrap();
        assert_same_blocks(network, meanwhile).await;

        // All four at once, right after an acknowledgement.
        acknowledged.push(retrieve(&people).await);
        let before = acknowledged.last().unwrap().1;
        network.kill_all().unwrap();
        network.launch_all().unwrap();
        network.wait_all_ready().await.unwrap();
        network.wait_height(0, before).await.unwrap();
        for validator in 0..network.validators() {
            network.wait_height(validator, before).await.unwrap();
            let remote = network.remote(validator).unwrap();
            for (id, height) in &acknowledged {
                let found = remote.transaction(id).await.unwrap();
                assert_eq!(
                    found.height,
                    Some(*height),
                    "transaction {id} at validator {validator}"
                );
                assert!(
                    found.receipt.is_some_and(|receipt| receipt.success),
                    "transaction {id}"
                );
            }
        }

        // The chain goes on, and the record still opens, at a validator that was killed twice.
        people.doctor.move_to(network.remote(3).unwrap());
        let (_, opened) = people
            .doctor
            .get_record(patient, record, Purpose::Treatment, false)
            .await
            .unwrap();
        assert_eq!(opened.content(), CONTENT);
        let tip = network.remote(3).unwrap().status().await.unwrap().height;
        assert!(tip > before);
        for validator in 0..network.validators() {
            network.wait_height(validator, tip).await.unwrap();
        }
        assert_same_blocks(network, tip).await;
    });
}

/// A request that finds too few validators: its transaction.
async fn stand_still(network: &Network, people: &mut People) -> TransactionId {
    let patience = Duration::from_secs(1);
    let impatient = network.remote(1).unwrap().with_patience(patience);
    people.doctor.move_to(impatient);
    let (patient, record) = (people.patient_id(), people.record);
    let sent = people
        .doctor
        .retrieve(patient, record, Purpose::Treatment, false)
        .await;
    people.doctor.move_to(network.remote(1).unwrap());
    let stands_still = match sent.unwrap_err() {
        SessionError::Remote(RemoteError::StandsStill {
            peers, waited, id, ..
        }) => Some((peers, waited, id)),
        _ => None,
    };
    let (peers, waited, id) = stands_still.unwrap();
    assert!(peers <= 1 && waited >= patience);
    id.parse().unwrap()
}

/// A permitted request: its transaction and height, once the validator said that it is committed.
async fn retrieve(people: &People) -> (TransactionId, u64) {
    let (patient, record) = (people.patient_id(), people.record);
    let build = |signer: &salus_client::Signer, terms| {
        signer.retrieve(patient, record, Purpose::Treatment, false, terms)
    };
    let committed = people.doctor.send(build).await.unwrap();
    let decision: Decision = committed.receipt.unwrap().output().unwrap();
    assert!(matches!(decision, Decision::Permit { .. }), "{decision:?}");
    (committed.id.parse().unwrap(), committed.height.unwrap())
}

/// All validators have the same block, so the same history and state, at a height.
async fn assert_same_blocks(network: &salus_tests::Network, height: u64) {
    let mut ids = Vec::new();
    for validator in 0..network.validators() {
        let block = network
            .remote(validator)
            .unwrap()
            .block(Height::new(height))
            .await
            .unwrap();
        ids.push(block["header"]["id"].as_str().unwrap().to_owned());
    }
    assert!(
        ids.windows(2).all(|pair| pair[0] == pair[1]),
        "height {height}: {ids:?}"
    );
}
