//! The server as a process: how it starts, how it stops, and what a start that was killed leaves behind.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use dermaga_api::store::{Database, DatabaseSettings};
use dermaga_tests::{Backend, Cli, each_database, read_answer};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/samples/ecb-sample.csv");

/// A connection that does not wait for ever.
fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// The head of a request with a body of this length.
fn head(length: usize, more: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{more}\r\n"
    )
}

/// Asks over a connection that stays open.
fn ask(stream: &mut TcpStream, query: &str) -> Value {
    let body = json!({"query": query}).to_string();
    stream.write_all(format!("{}{body}", head(body.len(), "")).as_bytes()).unwrap();
    let (head, body) = read_answer(stream);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}{body}");
    serde_json::from_str::<Value>(&body).unwrap()["data"].take()
}

/// A command line over a database with the sample rates, so that a start is quick.
fn prepared(url: &str) -> Cli {
    let cli = Cli::over(url);
    cli.succeed(&["import", "rates", "--source", "ecb", SAMPLE]);
    cli
}

async fn count(url: &str, table: &str) -> i64 {
    let database = Database::open(&DatabaseSettings::new(url)).await.unwrap();
    let statement = Statement::from_string(database.backend(), format!("SELECT count(*) AS n FROM {table}"));
    let row = database.write(async |transaction| transaction.query_one_raw(statement).await).await.unwrap().unwrap();
    database.close().await;
    row.try_get("", "n").unwrap()
}

/// A port that is in use is found out first: nothing is made that somebody has to clean up.
#[test]
fn a_port_in_use_leaves_nothing_behind() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cli = Cli::new();
    let ended = cli.run(&["serve", "--listen", &address]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert!(ended.stderr.starts_with(&format!("error: cannot listen on {address}: ")), "{ended:?}");
    assert_eq!(std::fs::read_dir(cli.folder()).unwrap().count(), 0, "no database file");
}

/// Without sign-in whoever reaches the port may read everything, so only this machine may.
#[test]
fn other_addresses_than_loopback_are_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080", "[::ffff:0.0.0.0]:0"] {
        let cli = Cli::new();
        let ended = cli.run(&["serve", "--listen", address]);
        assert_eq!(ended.code, Some(2), "{address}: {ended:?}");
        assert!(ended.stderr.contains("listen") && ended.stderr.contains("loopback"), "{address}: {ended:?}");
        assert_eq!(std::fs::read_dir(cli.folder()).unwrap().count(), 0, "{address}");
    }
}

each_database! {
    /// A start is ready when it says so, says that it is local, and makes as many payments as it is told to.
    async fn a_server_starts_and_is_well(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = prepared(&url);
        let (running, port) = cli.serve(&["--demo-payments", "20"]);
        let health = format!("http://127.0.0.1:{port}/health/ready");
        assert_eq!(cli.succeed(&["health", "--url", &health]), "HTTP/1.1 200 OK\n");
        let answer = ask(&mut connect(port), "{ payments { totalCount } viewer { account } }");
        assert_eq!(answer, json!({"payments": {"totalCount": 20}, "viewer": {"account": "demo"}}));
        running.signal("TERM");
        let (code, log) = running.end();
        assert_eq!(code, Some(0), "{log:#?}");
        assert!(log.iter().any(|line| line.contains("local mode")), "{log:#?}");
        let ended = cli.run(&["health", "--url", &health]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        // The next start finds everything there.
        let (running, port) = cli.serve(&["--demo-payments", "20"]);
        assert_eq!(ask(&mut connect(port), "{ payments { totalCount } }"), json!({"payments": {"totalCount": 20}}));
        running.signal("INT");
        assert_eq!(running.end().0, Some(0));
    }

    /// Who asked before the server was told to stop is answered.
    async fn a_request_in_flight_is_answered_before_the_stop(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = prepared(&url);
        for signal in ["TERM", "INT"] {
            let (mut running, port) = cli.serve(&["--demo-payments", "5"]);
            let body = json!({"query": "{ payments { totalCount } }"}).to_string();
            let (start, rest) = body.split_at(body.len() / 2);
            let mut stream = connect(port);
            stream.write_all(format!("{}{start}", head(body.len(), "Expect: 100-continue\r\n")).as_bytes()).unwrap();
            // Now the server has the request, and waits for the rest of it.
            let (interim, _) = read_answer(&mut stream);
            assert!(interim.starts_with("HTTP/1.1 100 "), "{interim}");
            running.signal(signal);
            running.line_with("stopping");
            stream.write_all(rest.as_bytes()).unwrap();
            let (head, body) = read_answer(&mut stream);
            assert!(head.starts_with("HTTP/1.1 200 "), "{signal}: {head}{body}");
            assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({"data": {"payments": {"totalCount": 5}}}));
            let (code, log) = running.end();
            assert_eq!(code, Some(0), "{signal}: {log:#?}");
            assert!(log.last().unwrap().contains("stopped"), "{signal}: {log:#?}");
            assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
        }
    }

    /// A client that never ends its request cannot keep the server from stopping, nor can one that is idle.
    async fn a_stop_waits_for_nobody_for_ever(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = prepared(&url);
        let (running, port) = cli.serve(&["--demo-payments", "5", "--shutdown-timeout", "1"]);
        let mut slow = connect(port);
        slow.write_all(format!("{}{{", head(100, "Expect: 100-continue\r\n")).as_bytes()).unwrap();
        assert!(read_answer(&mut slow).0.starts_with("HTTP/1.1 100 "));
        let mut idle = connect(port);
        ask(&mut idle, "{ viewer { account } }");
        let start = Instant::now();
        running.signal("TERM");
        let (code, log) = running.end();
        assert_eq!(code, Some(0), "{log:#?}");
        // Ten seconds are what a body may take without a stop.
        assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
        let mut rest = Vec::new();
        // Closed or reset, but not open.
        let _ = idle.read_to_end(&mut rest);
        assert_eq!(rest, b"");
    }

    /// Whoever collected the log is gone: the server goes on without it, and can still be stopped.
    async fn a_closed_log_keeps_nobody_from_stopping(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = prepared(&url);
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--workers", "1", "--demo-payments", "5"];
        let mut running = cli.start_reading(&arguments, |line| !line.contains("\"server.port\":"));
        let mut stream = connect(running.port());
        assert_eq!(ask(&mut stream, "{ payments { totalCount } }"), json!({"payments": {"totalCount": 5}}));
        running.signal("TERM");
        assert_eq!(running.end().0, Some(0));
    }

    /// A first start that is killed, twice, is completed by the next: nothing is half there, and nothing twice.
    async fn a_killed_first_start_is_completed_by_the_next(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--demo-payments", "1200"];
        let mut first = cli.start(&arguments);
        first.line_with("Importing ECB reference rates");
        first.signal("KILL");
        assert_eq!(first.end().0, None);
        assert_eq!(count(&url, "currency_rate").await, 0, "all of the history or nothing");
        let mut stopped = cli.start(&arguments);
        stopped.line_with("Importing ECB reference rates");
        stopped.signal("TERM");
        let (code, log) = stopped.end();
        assert_eq!(code, Some(0), "a start can be called off: {log:#?}");

        let mut second = cli.start(&arguments);
        second.line_with("Making demo payments");
        second.signal("KILL");
        assert_eq!(second.end().0, None);
        let rates = count(&url, "currency_rate").await;
        assert!(rates > 200_000, "{rates}");
        let made = count(&url, "payment").await;
        assert!(made < 1_200, "it was killed in between: {made}");

        let (running, port) = cli.serve(&["--demo-payments", "1200"]);
        let answer = ask(
            &mut connect(port),
            "{ payments(first: 1) { totalCount }
               currencyRate(base: \"EUR\", quote: \"USD\", date: \"2026-10-30\") { ... on CurrencyRate { rate } } }",
        );
        assert_eq!(answer, json!({"payments": {"totalCount": 1_200}, "currencyRate": {"rate": "1.1172"}}));
        running.signal("TERM");
        assert_eq!(running.end().0, Some(0));
        assert_eq!(count(&url, "currency_rate").await, rates);
        assert_eq!(cli.succeed(&["demo", "--payments", "1200"]), "0 payments added, 1200 were there; 0 rows\n");
    }
}
