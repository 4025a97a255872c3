//! Sending transactions, every way they are refused, and finding them again.

use crate::harness::{Server, assert_refusal};
use crate::node;
use data_encoding::BASE64;
use salus_types::codec;
use serde_json::{Value, json};

fn submission(sequence: u64) -> Value {
    json!({
        "chain_id": node::chain().to_string(),
        "transaction": BASE64.encode(&codec::encode(&node::transaction(sequence))),
    })
}

fn id(sequence: u64) -> String {
    node::transaction(sequence).payload.id(&node::chain()).to_string()
}

#[tokio::test]
async fn a_good_transaction_is_taken() {
    let server = Server::start().await;
    let (status, body) = server.post("/v1/transactions", &submission(100)).await;
    assert_eq!(
        (status, body),
        (202, json!({ "id": id(100), "state": "pending" }))
    );
}

#[tokio::test]
async fn waiting_for_the_commit_brings_the_receipt() {
    let server = Server::start().await;
    let (status, body) = server
        .post("/v1/transactions?wait=commit", &submission(100))
        .await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["state"], "committed");
    assert_eq!((&body["height"], &body["index"]), (&json!(3), &json!(4)));
    assert_eq!(body["receipt"]["success"], true);
    let access = &body["receipt"]["events"][0]["access"];
    assert_eq!(access["event"], "access");
    assert_eq!(access["decision"]["outcome"], "deny");
    assert_eq!(access["decision"]["reason"]["name"], "no-grant");
    assert_eq!(
        access["decision"]["standing"],
        json!({ "state": "warned", "refusals": 1 })
    );
    assert_eq!(body["receipt"]["events"][1]["access"], Value::Null);
}

#[tokio::test]
async fn a_late_commit_is_still_pending() {
    let server = Server::start().await;
    let (status, body) = server
        .post("/v1/transactions?wait=commit", &submission(1000))
        .await;
    assert_eq!(
        (status, body),
        (202, json!({ "id": id(1000), "state": "pending" }))
    );
}

#[tokio::test]
async fn every_rejection_is_typed() {
    let expected = [
        (400, "malformed"),
        (400, "not_canonical"),
        (422, "wrong_chain"),
        (422, "unknown_sender"),
        (422, "sender_deleted"),
        (422, "bad_signature"),
        (409, "replay"),
        (409, "sequence_taken"),
        (409, "out_of_order"),
        (422, "expired"),
        (422, "expiry_too_far"),
        (413, "oversized"),
        (422, "gas_limit"),
        (429, "over_quota"),
        (503, "pool_full"),
        (422, "unknown_contract"),
        (503, "not_ready"),
    ];
    assert_eq!(expected.len(), node::rejections().len());
    let server = Server::start().await;
    for (sequence, (status, code)) in (0..).zip(expected) {
        let (got, body) = server.post("/v1/transactions", &submission(sequence)).await;
        assert_refusal(got, &body, status, code);
        let numbered = matches!(code, "replay" | "out_of_order");
        assert_eq!(body["next_sequence"] == 41, numbered, "{body}");
        let timed = matches!(code, "over_quota" | "pool_full" | "not_ready");
        assert_eq!(body["retry_after_ms"].is_u64(), timed, "{body}");
    }
}

#[tokio::test]
async fn a_quota_tells_when_to_come_back_in_whole_seconds() {
    let server = Server::start().await;
    let request = server
        .http
        .post(server.url("/v1/transactions"))
        .json(&submission(13));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "2");
}

#[tokio::test]
async fn bytes_that_are_no_transaction_never_reach_the_node() {
    let server = Server::start().await;
    let chain_id = node::chain().to_string();
    let post = async |transaction: String| {
        let body = json!({ "chain_id": chain_id, "transaction": transaction });
        server.post("/v1/transactions", &body).await
    };
    let good = codec::encode(&node::transaction(100));
    let (status, body) = post("%%%".into()).await;
    assert_refusal(status, &body, 400, "malformed");
    let (status, body) = post(BASE64.encode(&good[..good.len() - 1])).await;
    assert_refusal(status, &body, 400, "malformed");
    let trailing = [good.as_slice(), &[0]].concat();
    let (status, body) = post(BASE64.encode(&trailing)).await;
    assert_refusal(status, &body, 400, "not_canonical");
    // The sender's number 5 spelt in three bytes instead of one.
    let long = [&[251, 0, 5], &good[1..]].concat();
    let (status, body) = post(BASE64.encode(&long)).await;
    assert_refusal(status, &body, 400, "not_canonical");
    let (status, body) = post(BASE64.encode(&vec![0; 82_000])).await;
    assert_refusal(status, &body, 413, "oversized");
}

#[tokio::test]
async fn another_chain_is_refused_before_anything_else() {
    let server = Server::start().await;
    let other = json!({ "chain_id": node::hash(1).to_string(), "transaction": "nonsense" });
    for path in ["/v1/transactions", "/v1/transactions?wait=commit"] {
        let (status, body) = server.post(path, &other).await;
        assert_refusal(status, &body, 422, "wrong_chain");
    }
    let other = json!({ "chain_id": node::hash(1).to_string(), "transactions": [] });
    let (status, body) = server.post("/v1/transactions/batch", &other).await;
    assert_refusal(status, &body, 422, "wrong_chain");
    let none = json!({ "chain_id": "beef", "transaction": "" });
    let (status, body) = server.post("/v1/transactions", &none).await;
    assert_refusal(status, &body, 400, "bad_json");
}

#[tokio::test]
async fn each_transaction_of_a_batch_has_its_own_result() {
    let server = Server::start().await;
    let mut transactions: Vec<String> = [100, 6, 101]
        .map(|sequence| BASE64.encode(&codec::encode(&node::transaction(sequence))))
        .into();
    transactions.insert(1, "%%%".into());
    let chain_id = node::chain().to_string();
    let batch = json!({ "chain_id": chain_id, "transactions": transactions });
    let (status, body) = server.post("/v1/transactions/batch", &batch).await;
    assert_eq!(status, 200, "{body}");
    let results = body["results"].as_array().unwrap();
    assert_eq!(results.len(), 4);
    assert_eq!(results[0], json!({ "id": id(100) }));
    assert_eq!(results[1]["error"]["code"], "malformed");
    assert_eq!(results[2]["error"]["code"], "replay");
    assert_eq!(results[2]["error"]["next_sequence"], 41);
    assert_eq!(results[3], json!({ "id": id(101) }));

    let nothing = json!({ "chain_id": chain_id, "transactions": [] });
    let (status, body) = server.post("/v1/transactions/batch", &nothing).await;
    assert_eq!((status, body), (200, json!({ "results": [] })));
    let many = json!({ "chain_id": chain_id, "transactions": vec![""; 257] });
    let (status, body) = server.post("/v1/transactions/batch", &many).await;
    assert_refusal(status, &body, 413, "oversized");
}

#[tokio::test]
async fn a_transaction_is_found_wherever_it_is() {
    let server = Server::start().await;
    for (first, state) in [(0, "unknown"), (1, "pending")] {
        let id = node::hash(first).to_string();
        let (status, body) = server.get(&format!("/v1/transactions/{id}")).await;
        assert_eq!((status, body), (200, json!({ "id": id, "state": state })));
    }
    let (status, body) = server.get(&format!("/v1/transactions/{}", node::hash(2))).await;
    assert_eq!((status, &body["state"]), (200, &json!("committed")));
    assert_eq!(body["receipt"]["gas_used"], 1234);
    let path = format!("/v1/transactions/{}", node::hash(3));
    server.refuses(&path, 503, "shares_missing").await;
    server.refuses("/v1/transactions/xyz", 400, "bad_path").await;
    server.refuses("/v1/transactions/%ff", 400, "bad_path").await;
}
