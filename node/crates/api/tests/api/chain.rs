//! Blocks, contracts, state, the node itself.

use crate::harness::{Server, assert_refusal};
use crate::node;
use data_encoding::BASE64;
use salus_types::Height;
use salus_types::codec;
use serde_json::{Value, json};

#[tokio::test]
async fn status_tells_how_the_node_is() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/status").await;
    assert_eq!(status, 200);
    let expected = json!({
        "chain": node::chain().to_string(),
        "name": "test",
        "member": 2,
        "version": "0.1.0",
        "height": 7,
        "block_id": node::header(7).id(&node::chain()).to_string(),
        "block_time_ms": 1_700_000_000_007_u64,
        "validators": 4,
        "threshold": 2,
        "open_policy": "ticket",
        "peers": 3,
        "mempool": 6,
        "catching_up": false,
        "repair": {
            "missing": 1,
            "urgent": 1,
            "repaired": 2,
            "failed": { "no_header": 3, "too_few_shares": 4, "unopenable": 5 },
            "estimate_ms": 1_500,
        },
        "scrub": {
            "bytes_per_second": 1_000,
            "current": { "started_ms": 20, "finished_ms": 0, "checked": 7, "damaged": 0, "repaired": 0 },
            "height": 7,
            "last": { "started_ms": 10, "finished_ms": 15, "checked": 9, "damaged": 2, "repaired": 1 },
            "damaged": 2,
        },
        "sync": { "phase": "snapshot", "done": 3, "total": 9, "per_second": 2.0, "eta_seconds": 3 },
        "unread_blocks": 5,
        "deposits": { "held": 3, "bytes": 4_000, "oldest": 5 },
        "reseal": { "from": 1, "to": 5, "done": 3, "total": 5 },
        "storage": {
            "shares_bytes": 10,
            "index_bytes": 20,
            "wal_bytes": 30,
            "pieces_bytes": 40,
            "full_replication_bytes": 50,
        },
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn members_are_listed_with_their_keys() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/members").await;
    assert_eq!(status, 200);
    let member = &body["members"][0];
    assert_eq!(member["name"], "St. Elsewhere");
    assert_eq!(member["release_key"], "03".repeat(32));
    assert_eq!(
        (&member["validating"], &member["connected"]),
        (&json!(true), &json!(true))
    );
    let faults = json!({ "double_votes": 0, "wrong_shares": 3, "latest_height": 6 });
    assert_eq!(member["faults"], faults);
    let former = json!({ "id": 1, "name": "Oak", "slot": 1, "removed": 5, "serves_until_ms": 86_400_000 });
    assert_eq!(body["former"], json!([former]));
}

#[tokio::test]
async fn proposals_say_who_is_to_come_and_to_go() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/proposals").await;
    assert_eq!((status, &body["proposals"][0]["needed"]), (200, &json!(3)));
    let (add, remove) = (&body["proposals"][0], &body["proposals"][1]);
    assert_eq!(
        (&add["id"], &add["add"]["name"], &add["remove"]),
        (&json!(3), &json!("Elm"), &json!(null))
    );
    assert_eq!(add["add"]["release_key"], "0d".repeat(32));
    assert_eq!(add["approvals"], json!([1, 2]));
    assert_eq!((&remove["add"], &remove["remove"]), (&json!(null), &json!(2)));
    assert_eq!((&add["ready_ms"], &add["contract"]), (&json!(null), &json!(null)));
    let migrate = &body["proposals"][2];
    assert_eq!(
        (&migrate["needed"], &migrate["ready_ms"]),
        (&json!(2), &json!(5_000))
    );
    assert_eq!(
        migrate["contract"],
        json!({
            "kind": "migrate", "contract": 3, "code_hash": "01".repeat(32), "schema_hash": null,
            "manifest_hash": "02".repeat(32), "state_version": 2, "argument": "CQ==", "scope": null, "remove": null,
        })
    );
}

#[tokio::test]
async fn contracts_are_listed_and_one_is_proven() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/contracts?above=1").await;
    let listed = body["contracts"].as_array().unwrap();
    assert_eq!(
        (status, listed.len(), &listed[0]["contract"]),
        (200, 2, &json!(2))
    );
    let (status, one) = server.get("/v1/contracts/3").await;
    assert_eq!(status, 200);
    for (name, value) in [
        ("contract", json!(3)),
        ("code_hash", json!("01".repeat(32))),
        ("state_version", json!(2)),
        ("frozen", json!(true)),
        ("founder", json!(1)),
        ("proof", json!("CQkJ")),
        ("height", json!(7)),
    ] {
        assert_eq!(one[name], value, "{name}");
    }
    server.refuses("/v1/contracts/4", 404, "not_found").await;
    let (status, code) = server.get(&format!("/v1/code/{}", "01".repeat(32))).await;
    assert_eq!(
        (status, &code["status"], &code["approved"]),
        (200, &json!("approved"), &json!(5))
    );
    assert_eq!(
        (&code["schema_hash"], &code["manifest_hash"]),
        (&json!("02".repeat(32)), &json!("03".repeat(32)))
    );
    server
        .refuses(&format!("/v1/code/{}", "02".repeat(32)), 404, "not_found")
        .await;
    server.refuses("/v1/code/7", 400, "bad_path").await;
}

#[tokio::test]
async fn validators_come_as_the_bytes_that_headers_commit_to() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/blocks/9/validators").await;
    assert_eq!((status, &body["height"]), (200, &json!(9)));
    let bytes = BASE64.decode(body["set"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(codec::decode(&bytes, 1 << 16), Ok(node::validators()));
    server.refuses("/v1/blocks/10/validators", 404, "not_found").await;
}

#[tokio::test]
async fn operators_find_health_readiness_and_metrics() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").await, (200, json!("ok\n")));
    assert_eq!(server.get("/readyz").await, (200, json!("ready\n")));
    let response = server.http.get(server.url("/metrics")).send().await.unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(response.text().await.unwrap(), "salus_height 7\n");
}

#[tokio::test]
async fn headers_come_in_pages() {
    let server = Server::start().await;
    let heights = |body: &Value| -> Vec<u64> {
        let blocks = body["blocks"].as_array().unwrap();
        blocks
            .iter()
            .map(|block| block["height"].as_u64().unwrap())
            .collect()
    };
    let (status, body) = server.get("/v1/blocks?from=2&limit=3").await;
    assert_eq!((status, heights(&body)), (200, vec![2, 3, 4]));
    assert_eq!(
        body["blocks"][0]["id"],
        node::header(2).id(&node::chain()).to_string()
    );
    let (_, body) = server.get("/v1/blocks?limit=2").await;
    assert_eq!(heights(&body), [6, 7]);
    let (_, body) = server.get("/v1/blocks?from=50").await;
    assert_eq!(heights(&body), [0; 0]);
    for query in ["limit=0", "limit=101", "limit=x", "from=-1", "form=1"] {
        server
            .refuses(&format!("/v1/blocks?{query}"), 400, "bad_parameter")
            .await;
    }
}

#[tokio::test]
async fn a_block_comes_with_its_certificate_if_that_is_kept() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/blocks/7").await;
    assert_eq!(status, 200);
    assert_eq!(body["header"]["sealing"]["threshold"], 2);
    assert_eq!(body["certificate"]["signatures"][0]["member"], 1);
    let bytes = BASE64
        .decode(body["header_bytes"].as_str().unwrap().as_bytes())
        .unwrap();
    assert_eq!(bytes, codec::encode(&node::header(7)));
    let (_, body) = server.get("/v1/blocks/6").await;
    assert_eq!(body["certificate"], Value::Null);
    server.refuses("/v1/blocks/8", 404, "not_found").await;
    server.refuses("/v1/blocks/tip", 400, "bad_path").await;
    server
        .refuses("/v1/blocks/18446744073709551616", 400, "bad_path")
        .await;
}

#[tokio::test]
async fn a_wish_to_open_a_block_reaches_the_node_or_is_malformed() {
    let server = Server::start().await;
    server.refuses("/v1/blocks/3/body", 403, "read_refused").await;
    let open = async |value: String| {
        let request = server.http.get(server.url("/v1/blocks/3/body"));
        request.header("Salus-Open", value).send().await.unwrap().status()
    };
    let bytes = codec::encode(&node::wish());
    assert_eq!(open(BASE64.encode(&bytes)).await, 200);
    assert_eq!(open(BASE64.encode(&bytes[1..])).await, 400);
    assert_eq!(open("not base64".into()).await, 400);
    assert_eq!(open(BASE64.encode(&[&bytes[..], &[0]].concat())).await, 400);
}

#[tokio::test]
async fn who_asked_for_shares_is_listed() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/releases").await;
    assert_eq!(status, 200);
    let expected = json!([{
        "first_ms": 1000, "last_ms": 2000, "member": 3, "purpose": "read", "principal": 7,
        "allowed": false, "lowest": 4, "highest": 9, "count": 6,
    }]);
    assert_eq!(body["releases"], expected);
    let (_, status) = server.get("/v1/status").await;
    assert_eq!(status["open_policy"], "ticket");
}

#[tokio::test]
async fn a_body_is_reconstructed_and_explained() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/blocks/1/body").await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["count"], &body["next"]), (&json!(3), &Value::Null));
    let expected = json!({ "members": [2, 0], "elapsed_ms": 2.5, "cached": false });
    assert_eq!(body["reconstruction"], expected);
    let first = &body["transactions"][0];
    assert_eq!(
        first["id"],
        node::transaction(0).payload.id(&node::chain()).to_string()
    );
    assert_eq!(first["sender"], 5);
    assert_eq!(first["expires"], u64::MAX.to_string());
    let call = json!({
        "contract": 2,
        "entry": 3,
        "name": "access.retrieve",
        "input_length": 4,
        "patient": 7,
        "record": 1,
        "purpose": "TREAT",
    });
    assert_eq!(first["call"], call);
    assert_eq!(
        first["receipt"]["events"][0]["access"]["decision"]["outcome"],
        "deny"
    );
    let refused = &body["transactions"][1]["receipt"]["failure"];
    assert_eq!(refused["code"], "contract_refused");
    assert_eq!(refused["message"], "there is no such grant");
    assert_eq!(
        body["transactions"][2]["receipt"]["failure"]["code"],
        "out_of_gas"
    );
}

#[tokio::test]
async fn a_body_comes_in_pages() {
    let server = Server::start().await;
    let (_, body) = server.get("/v1/blocks/1/body?limit=2").await;
    assert_eq!(
        (body["transactions"].as_array().unwrap().len(), &body["next"]),
        (2, &json!(2))
    );
    let (_, body) = server.get("/v1/blocks/1/body?from=2&limit=2").await;
    assert_eq!(
        (&body["transactions"][0]["index"], &body["next"]),
        (&json!(2), &Value::Null)
    );
    let (_, body) = server.get("/v1/blocks/1/body?from=9").await;
    assert_eq!((&body["transactions"], &body["next"]), (&json!([]), &Value::Null));
    server
        .refuses("/v1/blocks/1/body?limit=1001", 400, "bad_parameter")
        .await;
}

#[tokio::test]
async fn a_body_that_cannot_be_read_says_why() {
    let server = Server::start().await;
    server.refuses("/v1/blocks/2/body", 503, "shares_missing").await;
    server.refuses("/v1/blocks/3/body", 403, "read_refused").await;
    server.refuses("/v1/blocks/4/body", 503, "busy").await;
    server.refuses("/v1/blocks/5/body", 500, "damaged").await;
    server.refuses("/v1/blocks/9/body", 404, "not_found").await;
}

#[tokio::test]
async fn share_holders_are_listed() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/blocks/7/shares").await;
    assert_eq!((status, &body["held"]), (200, &json!(1)));
    let states: Vec<_> = body["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["state"])
        .collect();
    assert_eq!(states, ["held", "missing", "wrong", "unreachable"]);
    server.refuses("/v1/blocks/8/shares", 404, "not_found").await;
}

#[tokio::test]
async fn contracts_are_asked() {
    let server = Server::start().await;
    let question = json!({ "contract": 9, "entry": 0, "input": "AQI=", "caller": 3 });
    let (status, body) = server.post("/v1/query", &question).await;
    let expected = json!({ "output": "AQIAAAAD", "gas_used": 77, "height": 7 });
    assert_eq!((status, body), (200, expected));
    let (status, body) = server
        .post("/v1/query", &json!({ "contract": 9, "entry": 0 }))
        .await;
    assert_eq!((status, &body["output"]), (200, &json!("")));
}

#[tokio::test]
async fn a_query_that_fails_says_why() {
    let server = Server::start().await;
    let ask = async |contract: u32, entry: u8, input: &str| {
        let question = json!({ "contract": contract, "entry": entry, "input": input });
        server.post("/v1/query", &question).await
    };
    let cases = [
        (9, 1, 422, "contract_refused"),
        (9, 2, 422, "trap"),
        (9, 3, 422, "out_of_gas"),
        (9, 4, 503, "not_ready"),
        (33, 0, 422, "unknown_contract"),
    ];
    for (contract, entry, status, code) in cases {
        let (got, body) = ask(contract, entry, "").await;
        assert_refusal(got, &body, status, code);
    }
    let (_, body) = ask(2, 99, "").await;
    assert_eq!(body["message"], "the input is malformed");
    let (status, body) = ask(9, 0, "AQI").await;
    assert_refusal(status, &body, 400, "malformed");
    let (status, body) = ask(9, 0, &BASE64.encode(&[0; 65_536])).await;
    assert_refusal(status, &body, 413, "oversized");
    let (status, body) = ask(9, 0, &BASE64.encode(&[0; 65_535])).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn state_is_read_with_and_without_a_proof() {
    let server = Server::start().await;
    let (status, body) = server.get("/v1/state/1/70ff?proof=true").await;
    assert_eq!(
        (status, body),
        (200, json!({ "value": "AAAAAXD/", "proof": "CQkJ", "height": 7 }))
    );
    let (status, body) = server.get("/v1/state/1/70").await;
    assert_eq!(
        (status, body),
        (200, json!({ "value": null, "proof": null, "height": 7 }))
    );
    server.refuses("/v1/state/1/xyz", 400, "bad_path").await;
    server.refuses("/v1/state/one/00", 400, "bad_path").await;
    server
        .refuses(&format!("/v1/state/1/{}", "00".repeat(129)), 400, "bad_path")
        .await;
    server
        .refuses("/v1/state/1/00?proof=maybe", 400, "bad_parameter")
        .await;
}

#[tokio::test]
async fn a_node_that_is_behind_is_not_ready() {
    let events = salus_api::EventLog::new(Height::ZERO);
    let (server, mut inbox) = Server::start_without_node(crate::harness::limits(), events).await;
    let node = async {
        let Some(salus_api::Request::Status { reply }) = inbox.recv().await else {
            panic!("another request");
        };
        let status = salus_api::NodeStatus {
            height: Height::ZERO,
            block: salus_types::BlockId::new(salus_types::Hash::ZERO),
            block_time: salus_types::Timestamp::ZERO,
            validators: 4,
            threshold: 2,
            ticket_to_open: false,
            peers: 0,
            mempool: 0,
            catching_up: true,
            repair: salus_api::RepairStatus::default(),
            scrub: salus_api::ScrubStatus::default(),
            sync: salus_api::SyncStatus::default(),
            unread: 0,
            deposits: salus_api::DepositStatus::default(),
            reseal: None,
            storage: salus_api::StorageStatus::default(),
        };
        reply.send(status).unwrap();
    };
    let (_, ()) = tokio::join!(server.refuses("/readyz", 503, "not_ready"), node);
}
