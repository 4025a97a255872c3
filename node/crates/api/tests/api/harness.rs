//! A server on a loopback port with a scripted node behind it.

use crate::node;
use salus_api::{ApiState, ChainFacts, EventLog, Limits, Request};
use salus_types::{Height, MemberId};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) http: reqwest::Client,
    pub(crate) events: EventLog,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<()>,
}

/// Bounds that suit tests: short waits, everything else as it is.
pub(crate) fn limits() -> Limits {
    Limits {
        commit_wait: Duration::from_millis(100),
        keep_alive: Duration::from_millis(100),
        drain_time: Duration::from_secs(2),
        ..Limits::default()
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(limits(), EventLog::new(Height::ZERO)).await
    }

    /// With a node that answers by the script.
    pub(crate) async fn start_with(limits: Limits, events: EventLog) -> Self {
        let (server, mut inbox) = Self::start_without_node(limits, events).await;
        let mut server = server;
        server.tasks.spawn(async move {
            let mut kept = Vec::new();
            while let Some(request) = inbox.recv().await {
                kept.extend(node::answer(request));
            }
        });
        server
    }

    /// With a channel of one place that nobody reads: the test does.
    pub(crate) async fn start_without_node(
        limits: Limits,
        events: EventLog,
    ) -> (Self, mpsc::Receiver<Request>) {
        let (requests, inbox) = mpsc::channel(1);
        let facts = ChainFacts {
            chain: node::chain(),
            name: "test".into(),
            member: MemberId::new(2),
            version: "0.1.0".into(),
        };
        let metrics = Arc::new(|| "salus_height 7\n".to_owned());
        let state = ApiState::new(facts, requests, events.clone(), metrics, limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            salus_api::serve(listener, state, async {
                let _ = stopped.await;
            })
            .await
            .unwrap();
        });
        let server = Self {
            address,
            http: reqwest::Client::new(),
            events,
            stop: Some(stop),
            tasks,
        };
        (server, inbox)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The status and the JSON of a GET.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        read(self.http.get(self.url(path)).send().await.unwrap()).await
    }

    /// The status and the JSON of a POST.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        read(self.http.post(self.url(path)).json(body).send().await.unwrap()).await
    }

    /// Checks that a GET is refused with a status and a code.
    pub(crate) async fn refuses(&self, path: &str, status: u16, code: &str) {
        let (got, body) = self.get(path).await;
        assert_refusal(got, &body, status, code);
    }

    /// Sends bytes as they are, and reads until the server closes or `marker` has come.
    pub(crate) async fn raw(&self, bytes: &[u8], marker: &str) -> String {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while !text.contains(marker) {
            let read = tokio::time::timeout(Duration::from_secs(5), socket.read(&mut buffer));
            match read.await.unwrap().unwrap() {
                0 => break,
                count => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            }
        }
        text
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until the server, and the node with it, have ended.
    pub(crate) async fn ended(mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(5), all).await.unwrap();
    }
}

async fn read(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A refusal has its status, its code, and words for people.
pub(crate) fn assert_refusal(got: u16, body: &Value, status: u16, code: &str) {
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(got, status, "{body}");
    assert!(!body["message"].as_str().unwrap().is_empty(), "{body}");
    assert!(!body["hint"].as_str().unwrap().is_empty(), "{body}");
}
