//! What the cache is worth: the same requests with it and without it, in turns.
//!
//!     cargo build --release
//!     cargo bench --profile client -p dermaga-bench --bench cache -- --database-url postgres://…
//!
//! Of the reads 80 % are of 20 % of the payments, and 5 % of all requests are writes. Reported are the share of keys
//! that were not read from the database, the statements of a request, and the CPU time of a request in server and
//! database, each with the cache as a part of what it is without. Then a million keys go through a small cache.

#![allow(clippy::print_stdout, clippy::float_arithmetic)]

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use dermaga_bench::client::{Client, closed_loop};
use dermaga_bench::database::Database;
use dermaga_bench::server::Server;
use serde_json::{Value, json};
use uuid::Uuid;

/// Measures the cache.
#[derive(Parser)]
struct Options {
    /// A PostgreSQL server, and a database on it beside which another may be made; SQLite without.
    #[arg(long)]
    database_url: Option<String>,
    /// Redis, if it is to be measured too.
    #[arg(long)]
    redis_url: Option<String>,
    /// Payments in the database.
    #[arg(long, default_value_t = 5_000)]
    payments: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How often everything is measured.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Keys that go through the small cache.
    #[arg(long, default_value_t = 1_000_000)]
    keys: usize,
    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Clients at once.
const CLIENTS: usize = 8;

/// What the page of one payment shows.
const DETAIL: &str = "query ($id: ID!) { payment(id: $id) { reference version amount { amount } outstanding { amount } \
                      nextDue { dueDate } plan { count } lines { description commodity { code description } } \
                      installments(first: 12) { nodes { sequence dueDate amount { amount } outstanding { amount } } } \
                      receipts(first: 20) { nodes { amount { amount } receivedAt } } } }";
const LIST: &str = "{ payments(first: 20) { nodes { reference outstanding { amount } nextDue { dueDate } \
                    installments(first: 3) { nodes { dueDate } } } } }";
const RECORD: &str = "mutation ($input: RecordReceiptInput!) { recordReceipt(input: $input) { payment { version } \
                      userErrors { message } } }";

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let database = match &options.database_url {
        Some(url) => Database::postgres(url).await.expect("a database can be made"),
        None => Database::sqlite(),
    };
    println!("{}, {} payments", database.name(), options.payments);
    let mut ids = Vec::new();
    for round in 1..=options.rounds {
        println!(
            "round {round}: hits, statements, µs CPU of server and of database for each request, requests a second"
        );
        let off = measure(&options, &database, &["--cache", "off"], &mut ids).await;
        let on = measure(&options, &database, &["--cache", "on"], &mut ids).await;
        let mut lines = vec![("off", off), ("on", on)];
        if let Some(url) = &options.redis_url {
            lines.push(("on, Redis", measure(&options, &database, &["--redis-url", url], &mut ids).await));
        }
        for (name, seen) in lines {
            println!("  {name:<9} {seen}; to off: {}", seen.to(&off));
        }
    }
    fill(&options, &database, &ids).await;
    database.remove().await;
}

/// What was seen of one server.
#[derive(Clone, Copy, Debug)]
struct Seen {
    hits: f64,
    statements: f64,
    server: f64,
    database: f64,
    rate: f64,
}

impl Seen {
    fn to(&self, other: &Self) -> String {
        let cpu = (self.server + self.database) / (other.server + other.database);
        format!(
            "statements {:.2}, CPU {cpu:.2}, server CPU {:.2}",
            self.statements / other.statements,
            self.server / other.server
        )
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { hits, statements, server, database, rate } = self;
        write!(f, "{:>5.1} % {statements:>5.2} {server:>6.0} {database:>6.0} {rate:>6.0}", hits * 100.0)
    }
}

async fn measure(options: &Options, database: &Database, more: &[&str], ids: &mut Vec<String>) -> Seen {
    let count = options.payments.to_string();
    let server = Server::start(&database.url, &[&["--demo-payments", &count, "--quota-cost", "0"], more].concat());
    let clients: Vec<_> = (0..CLIENTS).map(|_| Client::new(&server.address)).collect();
    if ids.is_empty() {
        *ids = open_payments(&clients[0]).await;
    }
    let shared = Arc::new(ids.clone());
    let work = |client: usize, turn: usize| {
        let (asking, ids) = (clients[client].clone(), Arc::clone(&shared));
        async move { request(&asking, &ids, client, turn).await }
    };
    // Long enough for the cache to fill and for everything to be warm.
    closed_loop(CLIENTS, Duration::from_secs(options.seconds), work).await;
    let before = clients[0].metrics().await;
    let (cpu, database_cpu) = (server.cpu(), database.cpu());
    let (requests, took) =
        closed_loop(CLIENTS, Duration::from_secs(options.seconds), |client, turn| work(client, turn + 1_000_000)).await;
    let (cpu, database_cpu) = (server.cpu() - cpu, database.cpu() - database_cpu);
    let after = clients[0].metrics().await;
    let rise = |name: &str| {
        after.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| value).sum::<f64>()
            - before.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| value).sum::<f64>()
    };
    let answers = |from: &str| rise(&format!("dermaga_cache_answers_total{{from=\"{from}\""));
    let hits = answers("memory") + answers("shared") + answers("joined");
    let each = |used: Duration| used.as_secs_f64() * 1e6 / requests as f64;
    Seen {
        hits: hits / (hits + answers("database")).max(1.0),
        statements: rise("dermaga_operation_statements_sum") / requests as f64,
        server: each(cpu),
        database: each(database_cpu),
        rate: requests as f64 / took.as_secs_f64(),
    }
}

/// One request of the mix; the same for the same client and turn.
async fn request(client: &Client, ids: &[String], number: usize, turn: usize) {
    // A step of a prime length goes through everything in no obvious order.
    let dice = (number * 7_919 + turn * 104_729) % 100_000;
    let place = |dice: usize| {
        let hot = ids.len() / 5;
        if dice % 10 < 8 { dice / 10 % hot } else { hot + dice / 10 % (ids.len() - hot) }
    };
    match dice % 100 {
        0..5 => {
            let input = json!({
                "idempotencyKey": Uuid::now_v7().to_string(), "paymentId": ids[place(dice / 100)],
                "amount": { "amount": "1", "currency": "IDR" }, "receivedAt": "2026-10-30T09:00:00Z", "method": "CASH",
            });
            client.ask(RECORD, &json!({ "input": input })).await;
        }
        5..20 => drop(client.ask(LIST, &Value::Null).await),
        _ => drop(client.ask(DETAIL, &json!({ "id": ids[place(dice / 100 + turn)] })).await),
    }
}

/// Ids of payments in rupiah with something outstanding.
async fn open_payments(client: &Client) -> Vec<String> {
    let query = "query ($after: String) { payments(first: 100, after: $after, where: {status: {in: [OPEN, \
                 PARTIALLY_PAID]}, currency: {eq: \"IDR\"}}) { nodes { id } pageInfo { hasNextPage endCursor } } }";
    let mut ids = Vec::new();
    let mut after = Value::Null;
    loop {
        let data = client.ask(query, &json!({ "after": after })).await;
        let page = &data["payments"];
        let nodes = page["nodes"].as_array().expect("a list");
        ids.extend(nodes.iter().filter_map(|node| Some(node["id"].as_str()?.to_owned())));
        if page["pageInfo"]["hasNextPage"] != true {
            return ids;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// Sends more keys through a small cache than it has room for, and looks at its size.
async fn fill(options: &Options, database: &Database, ids: &[String]) {
    const BYTES: u64 = 16 * 1024 * 1024;
    let bytes = BYTES.to_string();
    let limits = ["--cache-bytes", &bytes, "--demo-payments", "0", "--quota-cost", "0", "--max-cost", "1000000"];
    let server = Server::start(&database.url, &limits);
    let client = Client::new(&server.address);
    let before = server.resident();
    let (mut most, mut keys) = (0.0_f64, 0);
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    while keys < options.keys {
        // Ids that nobody has are keys too, and absence is an answer.
        let some: Vec<String> = (0..100).map(|_| format!("pay_{}", Uuid::now_v7().simple())).collect();
        client.ask(query, &json!({ "ids": some })).await;
        keys += some.len();
        if keys % 10_000 == 0 {
            let page: Vec<&String> = ids.iter().skip(keys / 100 % ids.len()).take(100).collect();
            client.ask(query, &json!({ "ids": page })).await;
            let metrics = client.metrics().await;
            most = most.max(metrics.get("dermaga_cache_bytes").copied().unwrap_or_default());
        }
    }
    println!(
        "{keys} distinct keys through a cache of {} MB: at most {:.2} MB by its own count; the process grew by {:.1} MB",
        BYTES >> 20,
        most / 1_048_576.0,
        (server.resident() - before) / 1_048_576.0
    );
}
