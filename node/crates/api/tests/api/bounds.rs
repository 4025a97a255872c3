//! What is beyond a bound, or not ours at all, gets a typed answer; and nothing tells on a patient.

use crate::harness::{Server, assert_refusal, limits};
use crate::node;
use salus_api::{EventLog, Limits};
use salus_types::Height;
use serde_json::Value;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[tokio::test]
async fn unknown_routes_and_methods_are_refused_like_anything_else() {
    let server = Server::start().await;
    for path in ["/", "/v1", "/v1/block", "/v1/blocks/1/bodies", "/v2/status"] {
        server.refuses(path, 404, "no_such_route").await;
    }
    let response = server.http.delete(server.url("/v1/status")).send().await.unwrap();
    let allow = response.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET"), "{allow}");
    assert_refusal(
        response.status().as_u16(),
        &response.json().await.unwrap(),
        405,
        "method_not_allowed",
    );
}

#[tokio::test]
async fn json_that_is_not_what_is_expected_is_refused() {
    let server = Server::start().await;
    let post = async |kind: &str, body: &str| {
        let request = server
            .http
            .post(server.url("/v1/query"))
            .header("content-type", kind);
        let response = request.body(body.to_owned()).send().await.unwrap();
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap(),
        )
    };
    let cases = [
        ("{", "bad_json"),
        ("[]", "bad_json"),
        ("{}", "bad_json"),
        (r#"{"contract": 1, "entry": 256}"#, "bad_json"),
        (r#"{"contract": 1, "entry": 0, "inptu": ""}"#, "bad_json"),
    ];
    for (body, code) in cases {
        let (status, body) = post("application/json", body).await;
        assert_refusal(status, &body, 400, code);
    }
    let (status, body) = post("text/plain", "{}").await;
    assert_refusal(status, &body, 415, "unsupported_media_type");
    let (status, body) = post("application/json", &" ".repeat(132_000)).await;
    assert_refusal(status, &body, 413, "oversized");
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_unread() {
    let server = Server::start().await;
    let head = "PUT /v1/records/pieces/0 HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\n\
                content-length: 20971521\r\n\r\n";
    let answer = server.raw(head.as_bytes(), "\"hint\"").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains(r#""code":"oversized""#), "{answer}");
}

#[tokio::test]
async fn a_full_channel_says_busy_and_a_closed_one_stopping() {
    let (server, mut inbox) = Server::start_without_node(limits(), EventLog::new(Height::ZERO)).await;
    // The only place is taken by a question that nobody answers.
    let asked = server.http.get(server.url("/v1/status")).send();
    let test = async {
        while inbox.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let response = server.http.get(server.url("/v1/status")).send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "1");
        assert_refusal(
            response.status().as_u16(),
            &response.json().await.unwrap(),
            503,
            "busy",
        );
        inbox.close();
        drop(inbox.recv().await);
        drop(inbox);
        server.refuses("/v1/status", 503, "stopping").await;
    };
    let (asked, ()) = tokio::join!(asked, test);
    let asked = asked.unwrap();
    assert_refusal(
        asked.status().as_u16(),
        &asked.json().await.unwrap(),
        500,
        "internal",
    );
}

#[tokio::test]
async fn too_many_requests_at_once_are_busy_but_health_still_answers() {
    let bounds = Limits {
        requests: 1,
        request_time: Duration::from_millis(300),
        ..limits()
    };
    let (server, mut inbox) = Server::start_without_node(bounds, EventLog::new(Height::ZERO)).await;
    let slow = server.refuses("/v1/status", 504, "timeout");
    let test = async {
        let request = inbox.recv().await;
        server.refuses("/v1/members", 503, "busy").await;
        assert_eq!(server.get("/healthz").await.0, 200);
        assert_eq!(server.get("/metrics").await.0, 200);
        tokio::time::sleep(Duration::from_millis(400)).await;
        drop(request);
    };
    tokio::join!(slow, test);
}

#[tokio::test]
async fn a_request_whose_body_does_not_come_times_out() {
    let bounds = Limits {
        request_time: Duration::from_millis(100),
        ..limits()
    };
    let server = Server::start_with(bounds, EventLog::new(Height::ZERO)).await;
    let head =
        "POST /v1/query HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{";
    let answer = server.raw(head.as_bytes(), "\"hint\"").await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert!(answer.contains(r#""code":"timeout""#), "{answer}");
}

#[tokio::test]
async fn a_client_that_sends_no_head_is_hung_up_on() {
    let bounds = Limits {
        header_time: Duration::from_millis(100),
        ..limits()
    };
    let server = Server::start_with(bounds, EventLog::new(Height::ZERO)).await;
    let answer = server.raw(b"GET /v1/status HTTP/1.1\r\nhost", "never").await;
    assert!(!answer.contains("200"), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let bounds = Limits {
        connections: 1,
        ..limits()
    };
    let server = Server::start_with(bounds, EventLog::new(Height::ZERO)).await;
    let first = tokio::net::TcpStream::connect(server.address).await.unwrap();
    // The place is taken once the server has accepted the first; then the second gets no answer until it is given back.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let waiting = server.get("/healthz");
    tokio::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
    assert!(early.is_err());
    drop(first);
    assert_eq!(waiting.await.0, 200);
}

#[tokio::test]
async fn every_answer_is_hardened() {
    let server = Server::start().await;
    for path in [
        "/v1/status",
        "/v1/nothing",
        "/healthz",
        "/v1/blocks/99",
        "/v1/events",
    ] {
        let response = server.http.get(server.url(path)).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin", "{path}");
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("default-src 'none'")
        );
        assert!(headers.contains_key("cache-control"), "{path}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

/// Collects everything that is logged on this thread.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<u8>>>);

impl io::Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_path_is_ever_logged() {
    let capture = Capture::default();
    let writer = capture.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start().await;
    let address = salus_client::address_text(&node::address());
    // Sent by hand: the client library of the tests may log what it likes.
    let head = format!("GET /v1/patients/{address} HTTP/1.1\r\nhost: x\r\n\r\n");
    let answer = server.raw(head.as_bytes(), "next_sequence").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let logged = String::from_utf8(capture.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("/v1/patients/{address}"), "{logged}");
    assert!(!logged.contains(&address), "{logged}");
}

#[tokio::test]
async fn stopping_lets_answers_under_way_finish() {
    let (mut server, mut inbox) = Server::start_without_node(limits(), EventLog::new(Height::ZERO)).await;
    let asked = server.http.get(server.url("/v1/members")).send();
    let node = async {
        let Some(salus_api::Request::Members { reply }) = inbox.recv().await else {
            panic!("another request");
        };
        server.stop();
        tokio::time::sleep(Duration::from_millis(50)).await;
        reply.send(crate::node::membership()).unwrap();
        drop(inbox);
    };
    let (asked, ()) = tokio::join!(asked, node);
    assert_eq!(asked.unwrap().status(), 200);
    server.ended().await;
}
