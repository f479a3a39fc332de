//! Following a payment: each change once, in order, whoever made it and whenever one began to listen.

use std::pin::pin;
use std::time::{Duration, Instant};

use dermaga_tests::{Backend, TestApp, change_body, each_database, new_receipt};
use futures_util::FutureExt;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::streams::{Socket, stream};

/// Those who follow look by themselves after ten seconds; what they are told of comes sooner.
const UNTOLD: Duration = Duration::from_secs(10);

fn follow(payment: &str, after: &str) -> String {
    format!(
        "subscription {{ paymentEvents(paymentId: \"{payment}\"{after}) {{ sequence type prevHash hash requestId }} }}"
    )
}

/// Somebody who follows one payment over a socket.
struct Listener(Socket);

impl Listener {
    async fn of(app: &TestApp, payment: &str, after: &str) -> Self {
        let mut socket = Socket::acknowledged(app).await;
        socket.subscribe("1", &follow(payment, after)).await;
        Self(socket)
    }

    /// The next event.
    async fn event(&mut self) -> Value {
        let message = self.0.next().await;
        assert_eq!(message["type"], "next", "{message:#}");
        let event = message["payload"]["data"]["paymentEvents"].clone();
        assert!(event.is_object(), "{message:#}");
        event
    }

    /// The next events, as their sequences with their types.
    async fn events(&mut self, count: usize) -> Vec<String> {
        let mut events = Vec::new();
        for _ in 0..count {
            let event = self.event().await;
            events.push(format!("{} {}", event["sequence"].as_str().unwrap(), event["type"].as_str().unwrap()));
        }
        events
    }
}

/// Somebody who follows one payment over server-sent events.
struct EventSource {
    response: reqwest::Response,
    text: String,
}

impl EventSource {
    async fn of(app: &TestApp, payment: &str, after: &str) -> Self {
        let response = stream(app, "text/event-stream", &follow(payment, after)).await;
        assert_eq!(response.status(), 200);
        Self { response, text: String::new() }
    }

    /// The sequence of the next event.
    async fn sequence(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let data = block.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                self.text = rest.to_owned();
                if let Some(data) = data {
                    let event: Value = serde_json::from_str(&data).unwrap();
                    let sequence = event["data"]["paymentEvents"]["sequence"].as_str();
                    return sequence.unwrap_or_else(|| panic!("no event in {data}")).to_owned();
                }
            } else {
                let chunk = self.response.chunk().await.unwrap().expect("the stream goes on");
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        }
    }
}

async fn receive(app: &TestApp, payment: &str) {
    app.change("recordReceipt", new_receipt(payment, "1")).await.done();
}

/// Whether the payment's events are whole.
async fn chain_valid(app: &TestApp, payment: &str) -> Value {
    let query = format!("{{ payment(id: \"{payment}\") {{ events(first: 1) {{ chainValid }} }} }}");
    app.graphql(&query).await.at("/payment/events/chainValid").clone()
}

each_database! {
    /// A page that shows a payment shows what happens to it, over either transport, and what has happened if it asks.
    async fn a_change_is_told_to_those_who_follow(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let (debt, other) = (app.debt("INV-1").await, app.debt("INV-2").await);
        let id = debt.payment_id();
        let mut whole = Listener::of(&app, &id, ", afterSequence: \"0\"").await;
        let mut source = EventSource::of(&app, &id, ", afterSequence: \"0\"").await;
        let first = whole.event().await;
        assert_eq!((&first["type"], &first["hash"]), (&json!("PAYMENT_CREATED"), debt.at("/event/hash")));
        assert_eq!(source.sequence().await, "1");
        receive(&app, &other.payment_id()).await;
        let mut seen = vec![first];
        for sequence in ["2", "3"] {
            receive(&app, &id).await;
            let event = whole.event().await;
            assert_eq!((&event["sequence"], &event["type"]), (&json!(sequence), &json!("RECEIPT_RECORDED")));
            assert_eq!(source.sequence().await, sequence);
            seen.push(event);
        }
        assert!(seen.windows(2).all(|pair| pair[1]["prevHash"] == pair[0]["hash"]));
        // From now on is from when the server has looked: there are changes until one is heard of, and then each is.
        let mut news = Listener::of(&app, &id, "").await;
        let heard = {
            let mut heard = pin!(news.event());
            loop {
                receive(&app, &id).await;
                if let Some(heard) = heard.as_mut().now_or_never() {
                    break heard;
                }
            }
        };
        receive(&app, &id).await;
        let following = loop {
            let event = whole.event().await;
            if event == heard {
                break whole.event().await;
            }
        };
        assert_eq!(news.event().await, following);
        // Whoever was away goes on where it was.
        let mut back = Listener::of(&app, &id, ", afterSequence: \"2\"").await;
        assert_eq!(back.events(2).await, ["3 RECEIPT_RECORDED", "4 RECEIPT_RECORDED"]);
        let mut early = Listener::of(&app, &id, ", afterSequence: \"-9223372036854775808\"").await;
        assert_eq!(early.events(1).await, ["1 PAYMENT_CREATED"]);
    }

    /// The history goes over into what happens now without a gap and without a repetition, while much happens.
    async fn history_and_news_join_without_a_seam(backend: Backend) {
        const CHANGES: usize = 130;
        let app = TestApp::spawn(backend).await;
        let id = app.debt("INV-1").await.payment_id();
        let write = async {
            for _ in 0..CHANGES {
                receive(&app, &id).await;
            }
        };
        let listen = async {
            let mut listeners = Vec::new();
            // Each begins while the writing goes on.
            for _ in 0..4 {
                let mut listener = Listener::of(&app, &id, ", afterSequence: \"0\"").await;
                assert_eq!(listener.events(1).await, ["1 PAYMENT_CREATED"]);
                listeners.push(listener);
            }
            listeners
        };
        let ((), listeners) = tokio::join!(write, listen);
        let expected: Vec<_> = (2..=CHANGES + 1).map(|sequence| format!("{sequence} RECEIPT_RECORDED")).collect();
        for mut listener in listeners {
            assert_eq!(listener.events(CHANGES).await, expected);
        }
    }

    /// What is not there, and what is another's, cannot be followed; who may only read may follow.
    async fn only_what_may_be_read_may_be_followed(backend: Backend) {
        let app = TestApp::builder(backend).signed_in().spawn().await;
        app.other_account("other").await;
        let debt = app.debt("INV-1").await;
        let (other, viewer) = (app.session("other", "ADMIN"), app.session("demo", "VIEWER"));
        let unknown = format!("pay_{}", "0".repeat(32));
        let mut answers = Vec::new();
        for (session, id, code) in [
            (&other, debt.payment_id(), "NOT_FOUND"),
            (&other, unknown.clone(), "NOT_FOUND"),
            (&viewer, unknown, "NOT_FOUND"),
            (&viewer, debt.installment_id(0), "INVALID_ID"),
        ] {
            let answer = session.stream(&json!({ "query": follow(&id, "") })).await.text().await.unwrap();
            assert!(answer.contains(code) && answer.ends_with("event: complete\ndata: \n\n"), "{answer}");
            answers.push(answer);
        }
        assert!(answers[0] == answers[1] && answers[1] == answers[2]);
        let bad = follow(&debt.payment_id(), ", afterSequence: \"1.5\"");
        let answer = app.session("demo", "CLERK").stream(&json!({ "query": bad })).await.text().await.unwrap();
        assert!(answer.contains("INVALID_BIG_INT"), "{answer}");
        let mut socket = Socket::opened(&app).await;
        let init = json!({ "type": "connection_init", "payload": { "Authorization": viewer.authorization() } });
        socket.send(&init).await;
        assert_eq!(socket.next().await, json!({ "type": "connection_ack" }));
        socket.subscribe("1", &follow(&debt.payment_id(), ", afterSequence: \"0\"")).await;
        assert_eq!(Listener(socket).events(1).await, ["1 PAYMENT_CREATED"]);
    }

    /// Whoever changes history is found out, whatever part of it they change.
    async fn a_changed_event_breaks_the_chain(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for change in [
            "UPDATE payment_event SET actor = 'nobody' WHERE sequence = 2",
            "UPDATE payment_event SET after = '{}' WHERE sequence = 2",
            "UPDATE payment_event SET reason = 'none' WHERE sequence = 3",
            "UPDATE payment_event SET before = NULL WHERE sequence = 3",
            "UPDATE payment_event SET at = '2026-10-30T12:00:01+00:00' WHERE sequence = 2",
            "UPDATE payment_event SET hash = prev_hash WHERE sequence = 3",
            "UPDATE payment_event SET kind = 'INSTALLMENT_WAIVED' WHERE sequence = 2",
            "UPDATE payment_event SET request_id = NULL WHERE sequence = 1",
            "DELETE FROM payment_event WHERE sequence = 3",
            "DELETE FROM payment_event WHERE sequence = 1",
            "UPDATE payment SET head_hash = reference",
            "UPDATE payment SET version = version + 1",
        ] {
            let id = app.debt(change).await.payment_id();
            receive(&app, &id).await;
            receive(&app, &id).await;
            assert_eq!(chain_valid(&app, &id).await, true);
            // Only of this payment: it is the only one that is whole.
            let (_, hex) = id.split_once('_').unwrap();
            let column = if change.contains("payment_event") { "payment_id" } else { "id" };
            let literal = match backend {
                Backend::Postgres | Backend::Pgvector => format!("'{hex}'"),
                Backend::Sqlite => format!("x'{hex}'"),
            };
            let word = if change.contains(" WHERE ") { "AND" } else { "WHERE" };
            let sql = format!("{change} {word} {column} = {literal}");
            let changed = app.database.write(async |transaction| transaction.execute_unprepared(&sql).await).await;
            assert_eq!(changed.unwrap().rows_affected(), 1, "{sql}");
            app.cache.flush().await;
            assert_eq!(chain_valid(&app, &id).await, false, "{sql}");
        }
    }
}

/// A change on one replica is news on all, at once and not when somebody happens to look.
#[tokio::test]
async fn replicas_tell_one_another() {
    if !Backend::postgres_is_there() {
        return;
    }
    let app = TestApp::spawn(Backend::Postgres).await;
    let replica = TestApp::builder(Backend::Postgres).beside(&app).spawn().await;
    let id = app.debt("INV-1").await.payment_id();
    let start = Instant::now();
    let mut here = Listener::of(&app, &id, ", afterSequence: \"0\"").await;
    let mut there = Listener::of(&replica, &id, ", afterSequence: \"0\"").await;
    assert_eq!((here.events(1).await, there.events(1).await).1, ["1 PAYMENT_CREATED"]);
    for sequence in 2..=6 {
        receive(if sequence % 2 == 0 { &app } else { &replica }, &id).await;
        let expected = [format!("{sequence} RECEIPT_RECORDED")];
        assert_eq!(there.events(1).await, expected);
        assert_eq!(here.events(1).await, expected);
    }
    // Nobody has had to look without being told.
    assert!(start.elapsed() < UNTOLD, "{:?}", start.elapsed());
}

/// A replica whose connection for news breaks opens another, and looks what it has missed.
#[tokio::test]
async fn news_goes_on_after_a_broken_connection() {
    if !Backend::postgres_is_there() {
        return;
    }
    let app = TestApp::spawn(Backend::Postgres).await;
    let replica = TestApp::builder(Backend::Postgres).beside(&app).spawn().await;
    let id = app.debt("INV-1").await.payment_id();
    let mut there = Listener::of(&replica, &id, ", afterSequence: \"0\"").await;
    assert_eq!(there.events(1).await, ["1 PAYMENT_CREATED"]);
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    let cut = app.database.write(async |transaction| transaction.execute_unprepared(cut).await).await.unwrap();
    assert_eq!(cut.rows_affected(), 2);
    for sequence in 2..=4 {
        let start = Instant::now();
        receive(&app, &id).await;
        assert_eq!(there.events(1).await, [format!("{sequence} RECEIPT_RECORDED")]);
        assert!(start.elapsed() < UNTOLD, "{:?}", start.elapsed());
    }
}

/// A mutation is sent over a socket too, and its event comes over the same.
#[tokio::test]
async fn a_socket_changes_and_follows() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let id = app.debt("INV-1").await.payment_id();
    let mut listener = Listener::of(&app, &id, ", afterSequence: \"1\"").await;
    let body = change_body("recordReceipt", new_receipt(&id, "5"));
    listener.0.send(&json!({ "id": "2", "type": "subscribe", "payload": body })).await;
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let message = listener.0.next().await;
        let what = message["payload"]["data"].as_object().map_or("", |data| data.keys().next().unwrap());
        kinds.push(format!("{} {} {what}", message["id"].as_str().unwrap(), message["type"].as_str().unwrap()));
    }
    kinds.sort();
    assert_eq!(kinds, ["1 next paymentEvents", "2 complete ", "2 next change"]);
}
