//! Streamed answers where a test needs the server or its database in its hands. What clients see of the protocols
//! is tested by their own libraries in `tests/protocol`.

use std::time::{Duration, Instant};

use dermaga_tests::{Backend, TestApp, each_database};
use futures_util::{SinkExt, StreamExt};
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::deadlines::{spawn_with, until_waiting};

const SILENT: &str = "subscription { rateUpdated(quotes: [\"IDR\"]) { rate } }";
const PAYMENTS: &str = "{ payments(first: 1) { nodes { reference } } }";
const RUNNING: &str = "dermaga_operations_running";

/// A socket on which operations may start.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn opened(app: &TestApp) -> Self {
        let url = format!("{}/graphql", app.address.replace("http", "ws"));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let (stream, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Self(stream)
    }

    pub(crate) async fn acknowledged(app: &TestApp) -> Self {
        let mut socket = Self::opened(app).await;
        socket.send(&json!({"type": "connection_init"})).await;
        assert_eq!(socket.next().await, json!({"type": "connection_ack"}));
        socket
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(&json!({"id": id, "type": "subscribe", "payload": {"query": query}})).await;
    }

    /// The next message; the code and reason when the socket is closed instead.
    pub(crate) async fn next(&mut self) -> Value {
        match self.0.next().await.unwrap().unwrap() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            Message::Close(Some(frame)) => json!({"code": u16::from(frame.code), "reason": frame.reason.as_str()}),
            other => panic!("unexpected {other:?}"),
        }
    }
}

pub(crate) async fn stream(app: &TestApp, accept: &str, query: &str) -> reqwest::Response {
    let request = app.client().post(format!("{}/graphql", app.address)).header("accept", accept);
    request.json(&json!({ "query": query })).send().await.unwrap()
}

each_database! {
    /// Streams have no end of their own: they are ended when the server stops, each as its protocol can say it.
    async fn a_stop_ends_all_streams(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let mut socket = Socket::acknowledged(&app).await;
        socket.subscribe("1", SILENT).await;
        let events = stream(&app, "text/event-stream", SILENT).await;
        let parts = stream(&app, "multipart/mixed;subscriptionSpec=1.0", SILENT).await;
        app.until_metric(RUNNING, 3).await;
        let start = Instant::now();
        let ends = async {
            let closed = socket.next().await;
            (closed, events.text().await.unwrap(), parts.text().await.unwrap())
        };
        let ((), (closed, events, parts)) = tokio::join!(app.stop(), ends);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(closed, json!({"code": 1001, "reason": "The server is stopping"}));
        assert!(!events.contains("complete"), "the subscription has not ended: {events}");
        let error = "{\"errors\":[{\"extensions\":{\"code\":\"SERVICE_UNAVAILABLE\"},\
            \"message\":\"the server stops; try again\"}],\"payload\":null}";
        let last = format!("\r\n--graphql\r\ncontent-type: application/json\r\n\r\n{error}\r\n--graphql--\r\n");
        assert_eq!(parts, last);
    }
}

/// A client that stops an operation, or goes, does not leave it running.
#[tokio::test]
async fn what_nobody_waits_for_is_stopped() {
    let Some(app) = spawn_with("60").await else { return };
    let database = sea_orm::Database::connect(&app.database_url).await.unwrap();
    let lock = database.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE payment IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut socket = Socket::acknowledged(&app).await;
    socket.subscribe("1", PAYMENTS).await;
    socket.subscribe("2", PAYMENTS).await;
    until_waiting(&database, 2).await;
    assert_eq!(app.metric(RUNNING).await, 2);
    socket.send(&json!({"id": "1", "type": "complete"})).await;
    app.until_metric(RUNNING, 1).await;
    // The socket is as alive as before.
    socket.subscribe("1", "{ viewer { account } }").await;
    assert_eq!(socket.next().await["payload"]["data"]["viewer"]["account"], "demo");
    assert_eq!(socket.next().await, json!({"id": "1", "type": "complete"}));
    drop(socket);
    app.until_metric(RUNNING, 0).await;
    // The same for an answer that has begun to stream.
    let waiting = tokio::spawn(stream(&app, "text/event-stream", PAYMENTS).await.text());
    app.until_metric(RUNNING, 1).await;
    waiting.abort();
    app.until_metric(RUNNING, 0).await;
    lock.rollback().await.unwrap();
}

/// An operation that is stopped at its deadline is answered so, and its socket serves the next.
#[tokio::test]
async fn what_takes_too_long_ends_alone() {
    let Some(app) = spawn_with("1").await else { return };
    let database = sea_orm::Database::connect(&app.database_url).await.unwrap();
    let lock = database.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE payment IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut socket = Socket::acknowledged(&app).await;
    socket.subscribe("late", PAYMENTS).await;
    let answer = socket.next().await;
    assert_eq!(answer["type"], "next");
    assert_eq!(answer["payload"]["errors"][0]["extensions"]["code"], "DEADLINE_EXCEEDED", "{answer:#}");
    assert_eq!(socket.next().await, json!({"id": "late", "type": "complete"}));
    let events = stream(&app, "text/event-stream", PAYMENTS).await.text().await.unwrap();
    assert!(events.contains("DEADLINE_EXCEEDED") && events.ends_with("event: complete\ndata: \n\n"), "{events}");
    lock.rollback().await.unwrap();
    socket.subscribe("late", PAYMENTS).await;
    assert_eq!(socket.next().await["payload"], json!({"data": {"payments": {"nodes": []}}}));
}

/// A socket opened with a token that lets nobody in says so, and one whose token runs out is closed alike.
#[tokio::test]
async fn a_socket_is_as_good_as_its_token() {
    let app = TestApp::builder(Backend::Sqlite).signed_in().spawn().await;
    // It has expired, and is taken for another two seconds.
    let expiring = app.token().expires_in(-28).bearer();
    for (authorization, answer) in [
        (json!(expiring), json!({"type": "connection_ack"})),
        (json!("Bearer nonsense"), json!({"code": 4403, "reason": "Forbidden"})),
        (json!(null), json!({"code": 4403, "reason": "Forbidden"})),
    ] {
        let mut socket = Socket::opened(&app).await;
        socket.send(&json!({"type": "connection_init", "payload": {"Authorization": authorization}})).await;
        assert_eq!(socket.next().await, answer, "{authorization}");
        if answer["code"].is_null() {
            socket.subscribe("1", SILENT).await;
            app.until_metric(RUNNING, 1).await;
            app.clock.advance(2);
            // The operation may hear of it first, and ends with an error.
            let close = loop {
                let message = socket.next().await;
                if message["type"].is_null() {
                    break message;
                }
                let ends = message["type"] == "complete" || message.to_string().contains("UNAUTHENTICATED");
                assert!(ends, "{message}");
            };
            assert_eq!(close["code"], 4403);
            app.until_metric(RUNNING, 0).await;
        }
    }
}

/// A stream that was opened with a good token ends when the token does.
#[tokio::test]
async fn an_event_stream_ends_with_its_token() {
    let app = TestApp::builder(Backend::Sqlite).signed_in().spawn().await;
    let request = app.client().post(format!("{}/graphql", app.address)).header("accept", "text/event-stream");
    let request = request.header("authorization", app.token().expires_in(-28).bearer());
    let mut response = request.json(&json!({ "query": SILENT })).send().await.unwrap();
    app.until_metric(RUNNING, 1).await;
    app.clock.advance(2);
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(text.contains("UNAUTHENTICATED") && text.contains("event: complete"), "{text}");
    assert_eq!(app.metric(RUNNING).await, 0);
}
