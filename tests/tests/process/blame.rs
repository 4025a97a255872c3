//! A member that signs a wrong share, among validators that are processes.

use super::rogue::Rogue;
use super::{People, header, on_network};
use salus_tests::{Network, Options};
use serde_json::{Value, json};

async fn faults(network: &Network, validator: usize, member: usize) -> Value {
    let members: Value = network
        .remote(validator)
        .unwrap()
        .get("/v1/members")
        .await
        .unwrap();
    members["members"][member]["faults"].clone()
}

#[test]
fn a_signed_wrong_share_is_proven_to_every_validator_and_counts_once() {
    on_network(Options::default(), async |network| {
        let people = People::register(network).await;
        let height = people.doctor.remote().status().await.unwrap().height;
        let mut rogue = Rogue::take_over(network, 3).await;
        let header = header(network, 0, height).await;
        for _ in 0..2 {
            let shares = format!("/v1/blocks/{height}/shares");
            let remote = network.remote(0).unwrap();
            let (shown, ()) = tokio::join!(remote.get::<Value>(&shares), rogue.lie_about(&header));
            assert_eq!(shown.unwrap()["shares"][3]["state"], "wrong");
            let proven = json!({ "double_votes": 0, "wrong_shares": 1, "latest_height": height });
            for validator in 0..3 {
                network
                    .wait("the fault stands in the state", async || {
                        network.check_alive()?;
                        Ok(faults(network, validator, 3).await == proven)
                    })
                    .await
                    .unwrap();
                for honest in 0..3 {
                    let none = json!({ "double_votes": 0, "wrong_shares": 0 });
                    assert_eq!(faults(network, validator, honest).await, none);
                }
            }
        }
        // The block opens from the others' shares.
        people.grant().await;
        let body = network.remote(1).unwrap().body(header.height).await.unwrap();
        assert!(body["count"].as_u64().unwrap() > 0);
    });
}
