//! What somebody sends who means harm: refused with a code, in little memory, while others are served.
//!
//! The server is a process of its own with one worker, so that an attack and a well-meant query meet on the same
//! thread, and so that a crash is seen as one.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dermaga_tests::{Cli, Running, read_answer};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Bytes, Message, protocol::frame::Frame, protocol::frame::coding};

/// The most memory that one request may take, in kilobytes.
const MEMORY: u64 = 20_000;

/// How long a well-meant query may take meanwhile. Without optimisation, reading a megabyte takes long by itself.
const PATIENCE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 100 });

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/samples/ecb-sample.csv");
const SECRET: &str = "a-secret-for-tests-and-nothing-else-0123456789";

/// A server under attack.
struct Target {
    cli: Cli,
    process: Running,
    port: u16,
    token: Option<String>,
}

impl Target {
    /// As on a laptop: no sign-in, introspection on.
    fn development() -> Self {
        let cli = Cli::new();
        cli.succeed(&["import", "rates", "--source", "ecb", SAMPLE]);
        let (process, port) = cli.serve(&["--demo-payments", "200", "--body-timeout", "1"]);
        Self { cli, process, port, token: None }
    }

    /// As in production: sign-in, introspection off.
    fn production() -> Self {
        let cli = Cli::new();
        cli.succeed(&["import", "rates", "--source", "ecb", SAMPLE]);
        let sign_in = ["--auth-secret", SECRET, "--auth-issuer", "tests", "--auth-audience", "dermaga"];
        let arguments = [&["--demo-payments", "200", "--body-timeout", "1"], &sign_in[..]].concat();
        let (process, port) = cli.serve(&arguments);
        let claims = ["token", "--account", "demo", "--subject", "mallory", "--role", "CLERK"];
        let token = cli.succeed(&[&claims[..], &sign_in[..]].concat());
        Self { cli, process, port, token: Some(token.trim().to_owned()) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    fn authorization(&self) -> String {
        self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default()
    }

    /// Resident memory now, and the most since [`Target::forget_peak`], in kilobytes.
    fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("the server lives");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").unwrap();
    }

    /// Runs an attack beside well-meant queries on another connection. Nothing may come of it but a refusal.
    #[allow(clippy::print_stdout, reason = "what each attack got is the result; seen with --nocapture")]
    async fn endure<T>(&self, name: &str, attack: impl Future<Output = T>) -> T {
        self.forget_peak();
        let (before, _) = self.memory();
        let over = Arc::new(AtomicBool::new(false));
        let watcher = std::thread::spawn({
            let over = Arc::clone(&over);
            let mut stream = self.connect();
            let authorization = self.authorization();
            move || {
                let mut slowest = Duration::ZERO;
                let mut count = 0;
                while count < 3 || !over.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    let (status, body) =
                        post(&mut stream, &authorization, &json!({"query": "{ viewer { account } }"}).to_string());
                    assert_eq!((status, body["data"]["viewer"]["account"].as_str()), (200, Some("demo")), "{body}");
                    slowest = slowest.max(start.elapsed());
                    count += 1;
                }
                (slowest, count)
            }
        });
        let start = Instant::now();
        let result = attack.await;
        let took = start.elapsed();
        over.store(true, Ordering::Relaxed);
        let (slowest, count) = watcher.join().unwrap();
        let (_, peak) = self.memory();
        let growth = peak.saturating_sub(before);
        println!("{name}: {took:.1?}, {growth} kB more, {count} queries beside it, the slowest {slowest:.1?}");
        assert!(growth < MEMORY, "{name} took {growth} kB");
        assert!(slowest < PATIENCE, "a query waited {slowest:?} during {name}");
        result
    }

    /// Posts a body as an attack.
    async fn posted(&self, name: &str, body: &str) -> (u16, Value) {
        let mut stream = self.connect();
        let authorization = self.authorization();
        self.endure(name, async { post(&mut stream, &authorization, body) }).await
    }

    async fn socket(&self) -> Socket {
        let mut request = format!("ws://127.0.0.1:{}/graphql", self.port).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let payload = self.token.as_ref().map(|token| json!({"Authorization": format!("Bearer {token}")}));
        let init = json!({"type": "connection_init", "payload": payload});
        socket.send(Message::text(init.to_string())).await.unwrap();
        let ack = socket.next().await.unwrap().unwrap();
        assert_eq!(ack.to_text().unwrap(), "{\"type\":\"connection_ack\"}");
        socket
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

fn post(stream: &mut TcpStream, authorization: &str, body: &str) -> (u16, Value) {
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/graphql-response+json\r\nContent-Length: {}\r\n{authorization}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    answer(stream)
}

fn answer(stream: &mut TcpStream) -> (u16, Value) {
    let (head, body) = read_answer(stream);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {head}{body}")))
}

fn codes(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap_or("no code")).collect()
}

/// Documents that ask for a crash or for too much, with the code that each is refused with.
fn documents() -> Vec<(String, String, &'static str)> {
    const PARSE: &str = "GRAPHQL_PARSE_FAILED";
    const COMPLEX: &str = "OPERATION_TOO_COMPLEX";
    let mut all = Vec::new();
    // Below 1,000 the parser survives and beyond 20,000 it refuses; in between it overflowed the stack.
    for depth in [41, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 20_000, 30_000] {
        for (kind, open, close) in [("lists", "[", "]"), ("objects", "{a:", "}")] {
            let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            for (place, document) in [
                ("an argument", format!("{{ payments(where: {value}) {{ totalCount }} }}")),
                ("a default", format!("query ($v: [Int] = {value}) {{ viewer {{ account }} }}")),
                ("a directive", format!("{{ viewer @include(if: {value}) {{ account }} }}")),
            ] {
                all.push((format!("{depth} nested {kind} in {place}"), document, PARSE));
            }
        }
        let selections = format!("{}viewer{}", "{viewer".repeat(depth), "}".repeat(depth));
        all.push((format!("{depth} nested selections"), selections, PARSE));
    }
    for levels in [10, 22, 60] {
        let mut document = "{ viewer { ...f0 } }".to_owned();
        for level in 0..levels {
            document.push_str(&format!(" fragment f{level} on Viewer {{ ...f{0} ...f{0} }}", level + 1));
        }
        document.push_str(&format!(" fragment f{levels} on Viewer {{ account }}"));
        let code = COMPLEX;
        all.push((format!("{levels} levels of doubled fragments"), document, code));
    }
    let cycle = "{ viewer { ...a } } fragment a on Viewer { ...b } fragment b on Viewer { ...a }";
    all.push(("a cycle of fragments".to_owned(), cycle.to_owned(), "GRAPHQL_VALIDATION_FAILED"));
    let aliases: String = (0..150).map(|n| format!("a{n}: __typename ")).collect();
    all.push(("150 aliases".to_owned(), format!("{{ {aliases} }}"), COMPLEX));
    let directives = "@include(if: true)".repeat(80);
    all.push(("80 directives".to_owned(), format!("{{ viewer {directives} {{ account }} }}"), COMPLEX));
    let wide = "{ payments(first: 100) { nodes { installments(first: 100) { nodes { allocations(first: 100) {
                nodes { amount { amount } } } } } } } }";
    all.push(("a million rows".to_owned(), wide.to_owned(), COMPLEX));
    let operations: String = (0..20).map(|n| format!("query q{n} {{ __typename }} ")).collect();
    all.push(("20 operations, none of them named".to_owned(), operations, "GRAPHQL_VALIDATION_FAILED"));
    all.push(("60,000 tokens".to_owned(), format!("{{ {} }}", "a ".repeat(30_000)), PARSE));
    all.push((
        "a megabyte of spaces".to_owned(),
        format!("{{ viewer {{ account }} }}{}", " ".repeat(1_000_000)),
        PARSE,
    ));
    let parts = format!("{{ payments(where: {{or: [{}]}}) {{ totalCount }} }}", "{amount:{eq:\"1\"}}".repeat(105));
    all.push(("a filter of 105 parts".to_owned(), parts, "BAD_USER_INPUT"));
    all
}

/// Bodies that are no requests.
fn bodies() -> Vec<(&'static str, String, u16)> {
    let query = json!("query ($v: [Int]) { viewer { account } }");
    vec![
        (
            "300,000 numbers as a variable",
            format!("{{\"query\": {query}, \"variables\": {{\"v\": [{}0]}}}}", "0,".repeat(300_000)),
            400,
        ),
        ("300,000 numbers elsewhere", format!("{{\"query\": {query}, \"other\": [{}0]}}", "0,".repeat(300_000)), 400),
        (
            "100,000 brackets in a variable",
            format!(
                "{{\"query\": {query}, \"variables\": {{\"v\": {}1{}}}}}",
                "[".repeat(100_000),
                "]".repeat(100_000)
            ),
            400,
        ),
        (
            "10,000 brackets in a variable",
            format!("{{\"query\": {query}, \"variables\": {{\"v\": {}1{}}}}}", "[".repeat(10_000), "]".repeat(10_000)),
            400,
        ),
        (
            "100,000 brackets in the extensions",
            format!("{{\"query\": {query}, \"extensions\": {{\"v\": {}1{}}}}}", "[".repeat(20_000), "]".repeat(20_000)),
            400,
        ),
        ("a megabyte of open brackets", "[".repeat(1_000_000), 400),
        ("half a body of JSON", "{\"query\": \"{ viewer".to_owned(), 400),
    ]
}

/// Sends a document over a socket and reads what comes of it.
async fn subscribe(socket: &mut Socket, id: usize, document: &str) -> Value {
    let message = json!({"type": "subscribe", "id": id.to_string(), "payload": {"query": document}});
    socket.send(Message::text(message.to_string())).await.unwrap();
    let reply = socket.next().await.unwrap().unwrap();
    let reply: Value = serde_json::from_str(reply.to_text().unwrap()).unwrap();
    if reply["type"] == "next" {
        let complete = socket.next().await.unwrap().unwrap();
        assert!(complete.to_text().unwrap().contains("complete"));
    }
    reply
}

async fn documents_are_refused(target: &Target) {
    let mut socket = target.socket().await;
    for (at, (name, document, code)) in documents().iter().enumerate() {
        let (status, answer) = target.posted(name, &json!({"query": document}).to_string()).await;
        assert_eq!(codes(&answer), [*code], "{name}: {answer:#}");
        assert!(status == 400 || *code == "BAD_USER_INPUT", "{name}: {status}");
        let name = format!("{name}, over a socket");
        let reply = target.endure(&name, subscribe(&mut socket, at, document)).await;
        let refused =
            if reply["type"] == "error" { json!({"errors": reply["payload"]}) } else { reply["payload"].clone() };
        assert_eq!(codes(&refused), [*code], "{name}: {reply:#}");
    }
    let reply = subscribe(&mut socket, 9_999, "{ viewer { account } }").await;
    assert_eq!(reply["payload"]["data"]["viewer"]["account"], "demo", "the socket lives on");
}

async fn bodies_are_refused(target: &Target) {
    for (name, body, wanted) in bodies() {
        let (status, answer) = target.posted(name, &body).await;
        assert_eq!(status, wanted, "{name}: {answer:#}");
        assert_eq!(codes(&answer), ["BAD_REQUEST"], "{name}");
    }
}

/// More bytes than anybody may send, in one body, in pieces, and by form.
async fn floods_are_cut_off(target: &Target) {
    let authorization = target.authorization();
    let head = |media: &str, length: &str| {
        format!("POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media}\r\n{length}\r\n{authorization}\r\n")
    };
    let megabyte = vec![b' '; 1_048_576];
    let chunk = [format!("{:x}\r\n", megabyte.len()).as_bytes(), &megabyte, b"\r\n"].concat();
    for (name, head, piece, pieces, wanted) in [
        ("96 MB of JSON", head("application/json", &format!("Content-Length: {}", 96 << 20)), &megabyte, 96, 413),
        ("96 MB of JSON in chunks", head("application/json", "Transfer-Encoding: chunked"), &chunk, 96, 413),
        (
            "a form of 64 MB",
            head("multipart/form-data; boundary=x", &format!("Content-Length: {}", 64 << 20)),
            &megabyte,
            64,
            415,
        ),
    ] {
        let mut stream = target.connect();
        let flood = async {
            stream.write_all(head.as_bytes()).unwrap();
            for _ in 0..pieces {
                // The server answers and closes long before all is sent.
                if stream.write_all(piece).is_err() {
                    break;
                }
            }
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut text = Vec::new();
            // A reset may swallow the answer: then there was at least no other one.
            if let Err(error) = stream.read_to_end(&mut text) {
                assert!(!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{name}: still open");
            }
            String::from_utf8_lossy(&text).into_owned()
        };
        let text = target.endure(name, flood).await;
        let refused = text.starts_with(&format!("HTTP/1.1 {wanted} ")) && text.contains("BAD_REQUEST");
        assert!(text.is_empty() || refused, "{name}: {text}");
    }
}

/// A body that never ends is not waited for.
async fn trickles_are_cut_off(target: &Target) {
    let mut stream = target.connect();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n{}\r\n",
        target.authorization()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"{").unwrap();
    let (status, answer) = target.endure("a body that never ends", async { answer(&mut stream) }).await;
    assert_eq!((status, codes(&answer)), (408, vec!["BAD_REQUEST"]), "{answer:#}");
}

/// 64 MB in pieces of one message, and one message that is too long.
async fn frames_are_refused(target: &Target) {
    for (name, pieces) in [("64 MB of continuation frames", 64), ("a message of 2 MB", 2)] {
        let mut socket = target.socket().await;
        let piece = Bytes::from(vec![b'x'; 1_000_000]);
        let flood = async {
            for at in 0..pieces {
                let code = if at == 0 { coding::Data::Text } else { coding::Data::Continue };
                let frame = Frame::message(piece.clone(), coding::OpCode::Data(code), at + 1 == pieces);
                if socket.send(Message::Frame(frame)).await.is_err() {
                    break;
                }
            }
            // Either the close frame with its code, or the connection's end.
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Close(Some(close)) = message {
                    return Some(u16::from(close.code));
                }
            }
            None
        };
        let code = target.endure(name, flood).await;
        assert!(matches!(code, None | Some(1009)), "{name}: {code:?}");
    }
}

async fn all(target: &Target) {
    documents_are_refused(target).await;
    bodies_are_refused(target).await;
    floods_are_cut_off(target).await;
    trickles_are_cut_off(target).await;
    frames_are_refused(target).await;
    assert!(target.cli.folder().exists());
}

/// Every attack, on a server as it runs on a laptop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_server_survives() {
    all(&Target::development()).await;
}

/// Every attack, on a server as it runs in production; introspection is one there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_production_server_survives() {
    let target = Target::production();
    all(&target).await;
    let schema = json!({"query": "{ __schema { types { name } } }"}).to_string();
    let (status, answer) = target.posted("introspection", &schema).await;
    assert_eq!((status, codes(&answer)), (400, vec!["INTROSPECTION_DISABLED"]), "{answer:#}");
    let of_type = json!({"query": "{ __type(name: \"Query\") { fields { name } } }"}).to_string();
    let (_, answer) = target.posted("introspection of a type", &of_type).await;
    assert_eq!(answer["data"], json!({"__type": null}));
    let strange = json!({"query": "{ vieuwer { account } }"}).to_string();
    let (_, answer) = target.posted("a guess at a name", &strange).await;
    assert!(!answer.to_string().contains("viewer"), "a suggestion is a way to the schema: {answer:#}");
}
