//! The scheduled fetch of rates, from a server that this test holds in its hands.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use dermaga_tests::{Backend, TestApp, each_database};
use serde_json::json;

use crate::streams::Socket;

const UPDATES: &str = "subscription { rateUpdated(quotes: [\"IDR\"]) { rate effectiveDate source { code } } }";
const CHANGED: &str = "dermaga_rate_fetches_total{outcome=\"changed\"}";
const UNCHANGED: &str = "dermaga_rate_fetches_total{outcome=\"unchanged\"}";
const NOT_MODIFIED: &str = "dermaga_rate_fetches_total{outcome=\"not_modified\"}";
const FAILED: &str = "dermaga_rate_fetches_total{outcome=\"failed\"}";
const NEWEST: &str = "dermaga_newest_rate_timestamp_seconds";

/// The file of one day, as the ECB writes it.
const MONDAY: &str = "Date, USD, IDR, \n02 November 2026, 1.1200, 20300.25, \n";

/// A server of one file.
struct FileServer {
    url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    file: String,
    /// How often it was replaced.
    version: usize,
    /// Statuses of the next answers, before those that the file deserves.
    faults: VecDeque<u16>,
    /// The conditions that requests came with.
    conditions: Vec<String>,
}

impl FileServer {
    fn start(file: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/daily.csv", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new(Shared { file: file.to_owned(), ..Shared::default() }));
        let server = Arc::clone(&shared);
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut condition = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
                        break;
                    }
                    if let Some(etag) = line.to_ascii_lowercase().strip_prefix("if-none-match: ") {
                        condition = etag.trim().to_owned();
                    }
                }
                let mut shared = server.lock().unwrap();
                shared.conditions.push(condition.clone());
                let etag = format!("\"v{}\"", shared.version);
                let head = "Connection: close\r\nContent-Length:";
                let answer = match shared.faults.pop_front() {
                    Some(status) => format!("HTTP/1.1 {status} Fault\r\n{head} 0\r\n\r\n"),
                    None if condition == etag => format!("HTTP/1.1 304 Not Modified\r\n{head} 0\r\n\r\n"),
                    None => format!(
                        "HTTP/1.1 200 OK\r\nETag: {etag}\r\n{head} {}\r\n\r\n{}",
                        shared.file.len(),
                        shared.file
                    ),
                };
                drop(shared);
                // A client that has gone is the client's business.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, shared }
    }

    fn publish(&self, file: &str) {
        let mut shared = self.shared.lock().unwrap();
        file.clone_into(&mut shared.file);
        shared.version += 1;
    }
}

/// A server that fetches every second.
async fn spawn(backend: Backend, url: &str, beside: Option<&TestApp>) -> TestApp {
    let builder = TestApp::builder(backend).settings(|settings| {
        settings.rates_url = Some(url.to_owned());
        settings.rates_every = Some("1".to_owned());
    });
    match beside {
        Some(app) => builder.beside(app).spawn().await,
        None => builder.spawn().await,
    }
}

each_database! {
    /// A new file is stored, told to subscribers and shown by the metrics; the same file is not even sent again.
    async fn a_new_file_is_stored_and_told(backend: Backend) {
        // What every test database holds, so that the first fetch changes nothing.
        let known = "Date, USD, IDR, \n30 October 2026, 1.1172, 20275.17, \n";
        let server = FileServer::start(known);
        let app = spawn(backend, &server.url, None).await;
        app.until_metric(UNCHANGED, 1).await;
        assert_eq!(app.metric(NEWEST).await, 1_793_318_400, "30 October 2026");
        let mut socket = Socket::acknowledged(&app).await;
        socket.subscribe("1", UPDATES).await;
        app.until_metric("dermaga_subscriptions_running{transport=\"websocket\"}", 1).await;

        server.publish(MONDAY);
        let told = socket.next().await;
        assert_eq!(told["payload"]["data"]["rateUpdated"], json!({
            "rate": "20300.25", "effectiveDate": "2026-11-02", "source": {"code": "ECB"},
        }), "{told:#}");
        app.until_metric(CHANGED, 1).await;
        assert_eq!(app.metric(NEWEST).await, 1_793_577_600, "2 November 2026");
        let query = "{ currencyRate(base: \"EUR\", quote: \"IDR\", date: \"2026-11-02\") { ... on CurrencyRate { rate } } }";
        assert_eq!(app.graphql(query).await.at("/currencyRate/rate"), "20300.25");
        // A file that was seen is asked for with its mark, and not imported again.
        let seen = app.metric(NOT_MODIFIED).await;
        while app.metric(NOT_MODIFIED).await == seen {}
        let conditions = server.shared.lock().unwrap().conditions.clone();
        assert_eq!(conditions[0], "");
        assert_eq!(conditions.last().unwrap(), "\"v1\"");
        assert_eq!(app.metric(CHANGED).await, 1);
    }

    /// A server that is down is asked again, a bounded number of times; a bad file changes nothing.
    async fn a_fetch_that_fails_is_tried_again(backend: Backend) {
        let server = FileServer::start(MONDAY);
        server.shared.lock().unwrap().faults.extend([500, 503]);
        let app = spawn(backend, &server.url, None).await;
        app.until_metric(CHANGED, 1).await;
        assert_eq!(app.metric(FAILED).await, 2);
        server.publish("<html>not today</html>\n");
        while app.metric(FAILED).await < 3 {}
        let query = "{ currencyRate(base: \"EUR\", quote: \"IDR\", date: \"2026-11-02\") { ... on CurrencyRate { rate } } }";
        assert_eq!(app.graphql(query).await.at("/currencyRate/rate"), "20300.25");
        assert_eq!(app.metric(CHANGED).await, 1);
    }

    /// Off unless it is asked for.
    async fn nothing_is_fetched_by_default(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let text = app.get("/metrics").await.text().await.unwrap();
        assert!(!text.contains("dermaga_rate_fetches_total{"), "{text}");
        assert_eq!(app.metric(NEWEST).await, 1_793_318_400);
    }
}

/// Two replicas fetch the same file: one stores it, and the subscribers of both hear of it once.
#[tokio::test]
async fn every_replica_tells_it_once() {
    if !Backend::postgres_is_there() {
        return;
    }
    let server = FileServer::start("Date, USD, IDR, \n30 October 2026, 1.1172, 20275.17, \n");
    let first = spawn(Backend::Postgres, &server.url, None).await;
    let second = spawn(Backend::Postgres, &server.url, Some(&first)).await;
    let mut sockets = Vec::new();
    for app in [&first, &second] {
        app.until_metric(UNCHANGED, 1).await;
        let mut socket = Socket::acknowledged(app).await;
        socket.subscribe("1", UPDATES).await;
        app.until_metric("dermaga_subscriptions_running{transport=\"websocket\"}", 1).await;
        sockets.push(socket);
    }
    server.publish(MONDAY);
    for socket in &mut sockets {
        assert_eq!(socket.next().await["payload"]["data"]["rateUpdated"]["effectiveDate"], "2026-11-02");
    }
    // Both have had the file; had the other one told of it too, that would come before the next day.
    for app in [&first, &second] {
        while app.metric(CHANGED).await + app.metric(UNCHANGED).await < 2 {}
    }
    let changed = first.metric(CHANGED).await + second.metric(CHANGED).await;
    assert_eq!(changed, 1, "one replica has stored it");
    server.publish("Date, USD, IDR, \n03 November 2026, 1.1210, 20310.25, \n");
    for socket in &mut sockets {
        assert_eq!(socket.next().await["payload"]["data"]["rateUpdated"]["effectiveDate"], "2026-11-03");
    }
}
