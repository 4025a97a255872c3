//! Principals, patients, and pieces of their records.

use crate::harness::{Server, assert_refusal};
use crate::node;
use data_encoding::BASE64;
use salus_types::codec;
use serde_json::{Value, json};

#[tokio::test]
async fn a_principal_is_shown_with_its_next_sequence() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/principals/5").await;
    let expected = json!({
        "number": 5,
        "role": "doctor",
        "organisation": 2,
        "signing_key": "01".repeat(32),
        "encryption_key": "02".repeat(32),
        "status": "active",
        "address": null,
        "attributes": [{ "number": 3, "value": "BAU=" }],
        "next_sequence": 41,
    });
    assert_eq!((status, body), (200, expected));
    server.refuses("/v1/principals/10", 404, "not_found").await;
    server.refuses("/v1/principals/p5", 400, "bad_path").await;
    server.refuses("/v1/principals/4294967296", 400, "bad_path").await;
}

#[tokio::test]
async fn a_patient_is_found_by_its_printed_address() {
    let server = Server::start().await;
    let address = salus_client::address_text(&node::address());
    let (status, body) = server.get(&format!("/v1/patients/{address}")).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["number"], &body["role"]), (&json!(7), &json!("patient")));
    assert_eq!(body["address"], address);

    let stranger = salus_types::abi::registry::PatientAddress {
        area: 1,
        pid: [0; 16],
    };
    let stranger = salus_client::address_text(&stranger);
    server
        .refuses(&format!("/v1/patients/{stranger}"), 404, "not_found")
        .await;
    let mistyped = address.replace('q', "p");
    assert_ne!(mistyped, address);
    server
        .refuses(&format!("/v1/patients/{mistyped}"), 400, "bad_path")
        .await;
    server.refuses("/v1/patients/7", 400, "bad_path").await;
}

#[tokio::test]
async fn records_policies_and_standing_are_decoded() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/patients/7/records").await;
    assert_eq!((status, &body["height"]), (200, &json!(7)));
    let record = &body["records"][0];
    assert_eq!(
        (&record["number"], &record["class"]),
        (&json!(1), &json!("laboratory"))
    );
    assert_eq!(record["digest"], "01".repeat(32));

    let (_, body) = server.get("/v1/patients/7/policies").await;
    let policies = body["policies"].as_array().unwrap();
    let scopes: Vec<_> = policies.iter().map(|policy| policy["scope"].clone()).collect();
    let expected = [
        json!({ "kind": "all" }),
        json!({ "kind": "class", "class": "imaging" }),
        json!({ "kind": "record", "record": 3 }),
    ];
    assert_eq!(scopes, expected);
    assert_eq!(policies[0]["purposes"], json!(["TREAT", "HRESCH"]));
    assert_eq!(policies[0]["until_ms"], u64::MAX.to_string());

    let (_, body) = server.get("/v1/principals/5/standing").await;
    let standing = json!({ "state": "penalised", "until_ms": u64::MAX.to_string(), "level": 2 });
    assert_eq!(body, json!({ "principal": 5, "height": 7, "standing": standing }));
}

#[tokio::test]
async fn an_access_log_comes_in_pages_that_can_be_verified() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/patients/7/log?limit=2").await;
    assert_eq!(
        (status, &body["count"], &body["next"]),
        (200, &json!(3), &json!(2))
    );
    assert_eq!(body["head"], "06".repeat(32));
    let entry = &body["entries"][1];
    assert_eq!(entry["decision"]["reason"]["code"], 32);
    assert!(entry["decision"]["reason"]["text"].as_str().unwrap().len() > 10);
    assert_eq!(entry["bytes"], BASE64.encode(&codec::encode(&node::log_entry(1))));
    let (_, body) = server.get("/v1/patients/7/log?from=2").await;
    assert_eq!(
        (&body["entries"][0]["index"], &body["next"]),
        (&json!(2), &Value::Null)
    );
    server
        .refuses("/v1/patients/7/log?limit=257", 400, "bad_parameter")
        .await;
    server.refuses("/v1/patients/8/log", 503, "shares_missing").await;
}

#[tokio::test]
async fn pieces_are_relayed_as_they_are() {
    let server = Server::start().await;
    let octets = |request: reqwest::RequestBuilder, body: Vec<u8>| {
        request
            .header("content-type", "application/octet-stream")
            .body(body)
            .send()
    };
    let put = server.http.put(server.url("/v1/records/pieces/0"));
    let response = octets(put, vec![0xab; 1 << 20]).await.unwrap();
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body, json!({ "member": 0, "signature": "ab".repeat(64) }));

    let read = server.http.post(server.url("/v1/records/pieces/0/read"));
    let response = octets(read, vec![1, 2, 3]).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/octet-stream");
    assert_eq!(response.bytes().await.unwrap().as_ref(), [1, 2, 3]);
}

#[tokio::test]
async fn members_refusals_are_typed() {
    let server = Server::start().await;
    let expected = [
        (502, "member_unreachable"),
        (422, "bad_piece"),
        (422, "bad_read_request"),
        (403, "no_ticket"),
        (404, "not_found"),
        (507, "storage_full"),
        (404, "unknown_member"),
    ];
    for (member, (status, code)) in (1..).zip(expected) {
        let piece = server
            .http
            .put(server.url(&format!("/v1/records/pieces/{member}")));
        let read = server
            .http
            .post(server.url(&format!("/v1/records/pieces/{member}/read")));
        for request in [piece, read] {
            let request = request
                .header("content-type", "application/octet-stream")
                .body(vec![1]);
            let response = request.send().await.unwrap();
            let got = response.status().as_u16();
            assert_refusal(got, &response.json().await.unwrap(), status, code);
        }
    }
    let undeclared = server.http.put(server.url("/v1/records/pieces/0")).body(vec![1]);
    let response = undeclared.send().await.unwrap();
    assert_refusal(
        415,
        &response.json().await.unwrap(),
        415,
        "unsupported_media_type",
    );
}
