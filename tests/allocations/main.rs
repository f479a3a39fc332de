//! A gate on memory: how often the server asks the allocator for some while it answers fixed operations.
//!
//! The counts are of the whole process, for the allocator does not know who asks. What else is in the process keeps
//! still: the test has a socket, a request that is written beforehand and a buffer, and asks for no memory between the
//! first byte that it sends and the last that it reads. SQLite and the kernel take memory from elsewhere and are not
//! counted.
//!
//! A count is the same again within a few parts in a hundred: one worker, one connection to the database with its
//! statements prepared, no cache, demo payments from a fixed seed, a clock that stands still, and the median of several,
//! so that what the server does now and then of its own accord is left out. Bounds are those of the dev profile, in
//! which tests run; a release build may take fewer.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test; the helpers are tests too")]

use std::alloc::System;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use dermaga_bench::scenario::{ONE, PAGE, SEARCH};
use dermaga_tests::{Backend, TestApp, say};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often each operation may ask for memory on SQLite and on PostgreSQL: a tenth more than was counted, rounded up.
///
/// To renew them, run `tests/run --only test`, or
/// `TEST_POSTGRES_URL=postgres://… cargo test -p dermaga-tests --test allocations`, take the column `median` of the
/// tables that it prints, add a tenth, and say in the commit what made the difference. The medians are also in
/// docs/performance.md.
const BOUNDS: [(&str, usize, usize); 5] = [
    ("payment", 1_280, 1_320),
    ("page of 50", 3_930, 3_710),
    ("page of 100", 7_270, 6_750),
    ("search", 6_540, 5_860),
    ("error", 165, 165),
];

/// Requests before any is counted, so that everything is prepared and every buffer has its size.
const WARM_UP: usize = 10;

/// Requests that are counted.
const COUNTED: usize = 15;

/// Longer than any answer.
const BUFFER: usize = 1 << 20;

/// Something to be asked again and again.
struct Operation {
    name: &'static str,
    query: String,
    variables: Value,
    /// Whether the answer is an error.
    fails: bool,
}

impl Operation {
    /// All that are counted, in the order of [`BOUNDS`].
    async fn all(app: &TestApp) -> Vec<Self> {
        let partly_paid = "{ payments(first: 1, where: {status: {eq: PARTIALLY_PAID}}) { nodes { id } } }";
        let id = app.graphql(partly_paid).await.text("/payments/nodes/0/id").to_owned();
        let larger = PAGE.replace("first: 50", "first: 100");
        assert_ne!(larger, PAGE);
        let operation = |name, query: &str, variables, fails| Self { name, query: query.to_owned(), variables, fails };
        vec![
            operation("payment", ONE, json!({ "id": id }), false),
            operation("page of 50", PAGE, json!({}), false),
            operation("page of 100", &larger, json!({}), false),
            operation("search", SEARCH, json!({ "search": "cocoa beans" }), false),
            operation("error", "{ payments(first: 0) { totalCount } }", json!({}), true),
        ]
    }

    /// The bytes of the request.
    fn request(&self, authority: &str) -> Vec<u8> {
        let body = json!({ "query": self.query, "variables": self.variables }).to_string();
        let length = body.len();
        format!(
            "POST /graphql HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n\
             accept: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// A connection that asks for no memory once it is there.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(authority: &str) -> Self {
        let stream = TcpStream::connect(authority).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { stream, buffer: vec![0; BUFFER] }
    }

    /// Sends a request, and returns the body of the answer.
    fn exchange(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).unwrap();
        let mut read = 0;
        loop {
            let more = self.stream.read(&mut self.buffer[read..]).unwrap();
            assert!(more > 0, "the server closed the connection, or the answer is longer than the buffer");
            read += more;
            let Some(head) = find(&self.buffer[..read], b"\r\n\r\n") else { continue };
            let (start, length) = (head + 4, content_length(&self.buffer[..head]));
            if read >= start + length {
                assert_eq!(read, start + length, "there is more than was asked for");
                return &self.buffer[start..read];
            }
        }
    }
}

/// The length of a body, as the lines of its head say.
fn content_length(head: &[u8]) -> usize {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let length = lines.find_map(|line| line.strip_prefix(b"content-length:")).expect("the answer has a length");
    std::str::from_utf8(length.trim_ascii()).unwrap().parse().unwrap()
}

/// Where some bytes begin.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// How often one request asked for memory, and for how many bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Taken {
    times: usize,
    bytes: usize,
}

/// What the answers took, in ascending order.
fn count(authority: &str, operation: &Operation) -> Vec<Taken> {
    let request = operation.request(authority);
    let mut connection = Connection::open(authority);
    let mut all = Vec::with_capacity(COUNTED);
    for turn in 0..WARM_UP + COUNTED {
        let region = Region::new(ALLOCATOR);
        let answer = connection.exchange(&request);
        let change = region.change();
        assert_eq!(find(answer, b"\"errors\"").is_some(), operation.fails, "{}", String::from_utf8_lossy(answer));
        if turn >= WARM_UP {
            all.push(Taken { times: change.allocations + change.reallocations, bytes: change.bytes_allocated });
        }
    }
    all.sort_unstable();
    all
}

/// Counts everything on one database, and says what takes too much.
async fn measure(backend: Backend) -> Vec<String> {
    let app = TestApp::builder(backend).settings(|settings| {
        settings.workers = Some("1".to_owned());
        settings.database_max_connections = Some("1".to_owned());
        settings.cache = Some("off".to_owned());
        settings.quota_cost = Some("0".to_owned());
        settings.max_cost = Some("1000000".to_owned());
    });
    let app = app.spawn().await.with_demo_payments(200).await;
    let authority = app.address.strip_prefix("http://").unwrap();
    let mut problems = Vec::new();
    let mut medians = Vec::new();
    say(&format!(
        "{backend:?}\n{:<12} {:>8} {:>8} {:>8} {:>8} {:>9}",
        "allocations", "least", "median", "most", "bound", "bytes"
    ));
    for (operation, (name, sqlite, postgres)) in Operation::all(&app).await.iter().zip(BOUNDS) {
        assert_eq!(operation.name, name);
        let bound = if backend == Backend::Sqlite { sqlite } else { postgres };
        let all = count(authority, operation);
        let (least, median, most) = (all[0].times, all[COUNTED / 2], all[COUNTED - 1].times);
        say(&format!("{name:<12} {least:>8} {:>8} {most:>8} {bound:>8} {:>9}", median.times, median.bytes));
        if median.times > bound {
            problems.push(format!("{backend:?}, {name}: {} allocations, more than {bound}", median.times));
        }
        medians.push(median.times);
    }
    // Twice the payments take twice as much, and a tenth of room.
    let (fifty, hundred) = (medians[1], medians[2]);
    if hundred > fifty * 2 * 11 / 10 {
        problems.push(format!("{backend:?}: {hundred} allocations for 100 payments, {fifty} for 50"));
    }
    problems
}

/// Memory that is taken once more for each row is found by nobody who looks at times on a busy machine.
///
/// One test for both databases: two at once would count each other's.
#[tokio::test]
async fn operations_take_no_more_memory_than_they_did() {
    let mut problems = Vec::new();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if backend.is_there() {
            problems.extend(measure(backend).await);
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
