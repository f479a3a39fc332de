//! What writes cost.
//!
//!     cargo build --release
//!     cargo bench --profile client -p dermaga-bench --bench writes -- --database-url postgres://…
//!
//! Receipts on different payments, from 1 to 64 connections at once; and payments with their plans, 500 at a time.
//! Without a PostgreSQL server it measures SQLite. The disk counts: use a server that waits for it (`fsync = on`).

#![allow(clippy::print_stdout, clippy::float_arithmetic)]

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use dermaga_bench::client::{Client, closed_loop};
use dermaga_bench::database::Database;
use dermaga_bench::server::Server;
use serde_json::{Value, json};
use uuid::Uuid;

/// Measures writes.
#[derive(Parser)]
struct Options {
    /// A PostgreSQL server, and a database on it beside which another may be made.
    #[arg(long)]
    database_url: Option<String>,
    /// Seconds at each number of connections.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How often everything is measured.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

const CONNECTIONS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Payments made at once, and their installments.
const PAYMENTS: usize = 500;
const INSTALLMENTS: usize = 6;

const CREATE: &str = "mutation ($input: CreatePaymentsInput!) { createPayments(input: $input) { payments { id } \
                      userErrors { message } } }";
const RECORD: &str = "mutation ($input: RecordReceiptInput!) { recordReceipt(input: $input) { receipt { id } \
                      payment { version } userErrors { message } } }";

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let database = match &options.database_url {
        Some(url) => Database::postgres(url).await.expect("a database can be made"),
        None => Database::sqlite(),
    };
    {
        let server = Server::start(
            &database.url,
            &["--demo-payments", "0", "--quota-cost", "0", "--database-max-connections", "64", "--max-cost", "1000000"],
        );
        println!("{}", database.name());
        for round in 1..=options.rounds {
            println!("\nround {round}");
            let payments = create(&server, &database).await;
            record(&server, &database, &payments, Duration::from_secs(options.seconds)).await;
        }
    }
    database.remove().await;
}

/// Makes payments, and returns their ids.
async fn create(server: &Server, database: &Database) -> Arc<Vec<String>> {
    let client = Client::new(&server.address);
    let mut ids = Vec::new();
    println!("createPayments, {PAYMENTS} payments with {INSTALLMENTS} installments: server ms CPU, database ms CPU");
    for _ in 0..8 {
        let payments: Vec<Value> = (0..PAYMENTS).map(|_| payment()).collect();
        let input = json!({ "idempotencyKey": key(), "payments": payments });
        let (cpu, database_cpu) = (server.cpu(), database.cpu());
        let data = client.ask(CREATE, &json!({ "input": input })).await;
        let (cpu, database_cpu) = (server.cpu() - cpu, database.cpu() - database_cpu);
        println!("  {:>6} {:>6}", cpu.as_millis(), database_cpu.as_millis());
        let made = data["createPayments"]["payments"].as_array().expect("a list of payments");
        ids.extend(made.iter().filter_map(|payment| Some(payment["id"].as_str()?.to_owned())));
    }
    Arc::new(ids)
}

/// Records receipts, each client on payments of its own.
async fn record(server: &Server, database: &Database, payments: &Arc<Vec<String>>, time: Duration) {
    println!("recordReceipt: connections, receipts a second, to one connection, µs CPU of server and of database each");
    let clients: Vec<_> =
        (0..CONNECTIONS.into_iter().max().unwrap_or(1)).map(|_| Client::new(&server.address)).collect();
    let mut alone = None;
    for connections in CONNECTIONS {
        let (cpu, database_cpu) = (server.cpu(), database.cpu());
        let work = |client: usize, count: usize| {
            // No two clients on one payment, and none twice in a row.
            let place = (count * connections + client) % payments.len();
            let (asking, payment) = (clients[client].clone(), payments[place].clone());
            async move {
                let input = receipt(&payment);
                asking.ask(RECORD, &json!({ "input": input })).await;
            }
        };
        let (receipts, took) = closed_loop(connections, time, work).await;
        let (cpu, database_cpu) = (server.cpu() - cpu, database.cpu() - database_cpu);
        let each = |used: Duration| used.as_secs_f64() * 1e6 / receipts as f64;
        let rate = receipts as f64 / took.as_secs_f64();
        let ratio = rate / *alone.get_or_insert(rate);
        println!("  {connections:>3} {rate:>7.0} {ratio:>6.2} {:>6.0} {:>6.0}", each(cpu), each(database_cpu));
    }
}

fn payment() -> Value {
    json!({
        "reference": key(),
        "payerName": "PT Tirta Mandala Boga",
        "amount": { "amount": "600000000", "currency": "IDR" },
        "plan": { "even": { "count": INSTALLMENTS, "firstDueDate": "2026-12-31" } },
    })
}

fn receipt(payment: &str) -> Value {
    json!({
        "idempotencyKey": key(),
        "paymentId": payment,
        "amount": { "amount": "1000", "currency": "IDR" },
        "receivedAt": "2026-10-30T09:00:00Z",
        "method": "BANK_TRANSFER",
        "externalReference": key(),
    })
}

fn key() -> String {
    Uuid::now_v7().to_string()
}
