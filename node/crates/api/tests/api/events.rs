//! The event stream: order, resumption, and how it ends.

use crate::harness::{Server, assert_refusal, limits};
use crate::node;
use expect_test::expect;
use salus_api::{EventLog, Limits, PublishedBlock};
use salus_types::{BlockId, Height, Receipt, Timestamp};
use std::time::Duration;

/// Reads server-sent events from a response.
struct Reader {
    response: reqwest::Response,
    buffer: String,
}

impl Reader {
    async fn open(server: &Server, path: &str) -> Self {
        let response = server.http.get(server.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// The next block of lines, comments included; `None` at the end.
    async fn frame(&mut self) -> Option<String> {
        loop {
            if let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let frame = frame.to_owned();
                self.buffer = rest.to_owned();
                return Some(frame);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(5), self.response.chunk());
            let chunk = chunk.await.unwrap().unwrap()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event, as its lines.
    async fn event(&mut self) -> Option<String> {
        loop {
            let frame = self.frame().await?;
            if !frame.starts_with(':') {
                return Some(frame);
            }
        }
    }

    async fn id_and_kind(&mut self) -> (String, String) {
        let event = self.event().await.unwrap();
        let field = |name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().to_owned()
        };
        (field("id: "), field("event: "))
    }
}

fn publish(events: &EventLog, height: u64, receipts: &[Receipt]) {
    events.publish(&PublishedBlock {
        height: Height::new(height),
        id: BlockId::new(node::hash(9)),
        time: Timestamp::new(1_700_000_000_000),
        receipts,
        is_told: true,
    });
}

fn pair(id: &str, kind: &str) -> (String, String) {
    (id.into(), kind.into())
}

#[tokio::test]
async fn blocks_and_decisions_come_as_they_happen() {
    let server = Server::start().await;
    let mut reader = Reader::open(&server, "/v1/events").await;
    assert_eq!(reader.id_and_kind().await, pair("0.0", "ready"));
    publish(&server.events, 1, &[node::receipt()]);
    let block = reader.event().await.unwrap();
    let access = reader.event().await.unwrap();
    expect![[r#"
        id: 1.0
        event: block
        data: {"event":"block","height":1,"id":"0909090909090909090909090909090909090909090909090909090909090909","time_ms":1700000000000,"transactions":1}"#]]
    .assert_eq(&block);
    expect![[r#"
        id: 1.1
        event: access
        data: {"event":"access","patient":7,"index":0,"record":1,"requester":5,"purpose":"TREAT","emergency":false,"decision":{"outcome":"deny","reason":{"code":32,"name":"no-grant","text":"the patient has not granted you any access; ask the patient for a grant"},"standing":{"state":"warned","refusals":1}},"height":3,"bytes":"BwABBQAAASABAQM="}"#]].assert_eq(&access);
    publish(&server.events, 2, &[]);
    assert_eq!(reader.id_and_kind().await, pair("2.0", "block"));
}

#[tokio::test]
async fn a_reader_resumes_where_it_was() {
    let server = Server::start().await;
    for height in 1..=3 {
        publish(&server.events, height, &[node::receipt()]);
    }
    let mut reader = Reader::open(&server, "/v1/events?cursor=1.1").await;
    assert_eq!(reader.id_and_kind().await, pair("1.1", "ready"));
    assert_eq!(reader.id_and_kind().await, pair("2.0", "block"));
    assert_eq!(reader.id_and_kind().await, pair("2.1", "access"));
    assert_eq!(reader.id_and_kind().await, pair("3.0", "block"));

    // A browser that connects again sends the header; it goes before the parameter of the first connection.
    let request = server.http.get(server.url("/v1/events?cursor=1.1"));
    let response = request.header("last-event-id", "3.0").send().await.unwrap();
    let mut reader = Reader {
        response,
        buffer: String::new(),
    };
    assert_eq!(reader.id_and_kind().await, pair("3.0", "ready"));
    assert_eq!(reader.id_and_kind().await, pair("3.1", "access"));
}

#[tokio::test]
async fn a_cursor_that_is_too_old_or_none_is_refused() {
    let server = Server::start_with(limits(), EventLog::with_capacity(Height::ZERO, 2)).await;
    for height in 1..=5 {
        publish(&server.events, height, &[]);
    }
    server
        .refuses("/v1/events?cursor=2.0", 410, "cursor_too_old")
        .await;
    let (_, body) = server.get("/v1/events?cursor=0.0").await;
    assert!(body["hint"].as_str().unwrap().contains("3.0"), "{body}");
    server.refuses("/v1/events?cursor=5", 400, "bad_parameter").await;
    let request = server
        .http
        .get(server.url("/v1/events"))
        .header("last-event-id", "1.0");
    let response = request.send().await.unwrap();
    assert_refusal(
        response.status().as_u16(),
        &response.json().await.unwrap(),
        410,
        "cursor_too_old",
    );
    let mut reader = Reader::open(&server, "/v1/events?cursor=3.0").await;
    assert_eq!(reader.id_and_kind().await, pair("3.0", "ready"));
    assert_eq!(reader.id_and_kind().await, pair("4.0", "block"));
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told_and_dropped() {
    let server = Server::start_with(limits(), EventLog::with_capacity(Height::ZERO, 4)).await;
    let mut reader = Reader::open(&server, "/v1/events").await;
    assert_eq!(reader.id_and_kind().await, pair("0.0", "ready"));
    // All at once, before the server's task can run: this runtime has one thread.
    for height in 1..=10 {
        publish(&server.events, height, &[]);
    }
    let last = reader.event().await.unwrap();
    assert!(last.starts_with("event: dropped\n"), "{last}");
    assert!(last.contains(r#""code":"cursor_too_old""#), "{last}");
    assert_eq!(reader.event().await, None);
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive() {
    let server = Server::start().await;
    let mut reader = Reader::open(&server, "/v1/events").await;
    assert_eq!(reader.id_and_kind().await, pair("0.0", "ready"));
    assert_eq!(reader.frame().await.as_deref(), Some(":"));
}

#[tokio::test]
async fn subscribers_are_bounded_and_places_are_given_back() {
    let bounds = Limits {
        subscribers: 1,
        ..limits()
    };
    let server = Server::start_with(bounds, EventLog::new(Height::ZERO)).await;
    let reader = Reader::open(&server, "/v1/events").await;
    server.refuses("/v1/events", 503, "too_many_subscribers").await;
    drop(reader);
    let mut status = 503;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let response = server.http.get(server.url("/v1/events")).send().await.unwrap();
        status = response.status().as_u16();
        if status == 200 {
            break;
        }
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_stopping_node_ends_its_streams() {
    let mut server = Server::start().await;
    let mut reader = Reader::open(&server, "/v1/events").await;
    assert_eq!(reader.id_and_kind().await, pair("0.0", "ready"));
    server.stop();
    let last = reader.event().await.unwrap();
    assert!(last.starts_with("event: closing\n"), "{last}");
    assert!(last.contains(r#""code":"stopping""#), "{last}");
    assert_eq!(reader.event().await, None);
    drop(reader);
    server.ended().await;
}
