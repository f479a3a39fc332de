//! What a question costs the server: one that is new, and one that was asked before.
//!
//!     cargo build --release
//!     cargo bench --profile client -p dermaga-bench --bench assistant -- [--database-url postgres://…]
//!
//! Over made-up regulations of so many chunks, whose vectors have so many numbers, and with models that answer at once.
//! Models and client are in this process, so that the server's process time is its own. The database must be empty;
//! SQLite in a temporary folder without one.

#![allow(
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::unwrap_used,
    reason = "a report for a person to read; nothing is left to save when it fails"
)]

use std::fmt::Write;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use clap::Parser;
use dermaga_bench::client::Client;
use dermaga_bench::database::Database;
use dermaga_bench::server::{Server, binary};
use dermaga_tests::openai::OpenAi;
use serde_json::json;

/// Measures questions.
#[derive(Parser)]
struct Options {
    /// A PostgreSQL server, and a database on it beside which another may be made; SQLite without.
    #[arg(long)]
    database_url: Option<String>,
    /// Chunks of regulations.
    #[arg(long, default_value_t = 10_000)]
    chunks: usize,
    /// Numbers of a vector.
    #[arg(long, default_value_t = 384)]
    dimension: usize,
    /// New questions in a round.
    #[arg(long, default_value_t = 300)]
    questions: usize,
    /// How often everything is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How often a question that was asked before is asked again, for each new one.
const AGAIN: usize = 20;

const ASK: &str = "mutation ($input: AskInput!) { askAssistant(input: $input) { __typename ... on Refusal { reason message } ... on Answer { text cached \
                   citations { marker quote } calculation { dutyIdr { amount } } } } }";

/// Words of the made-up regulations: what such texts are full of, so that searches have much to find.
const WORDS: &[&str] = &[
    "export",
    "duty",
    "levy",
    "customs",
    "declaration",
    "goods",
    "exporter",
    "tariff",
    "price",
    "reference",
    "cocoa",
    "palm",
    "oil",
    "wood",
    "leather",
    "mineral",
    "concentrate",
    "tonne",
    "rate",
    "exchange",
    "payment",
    "certificate",
    "origin",
    "quota",
    "licence",
    "inspection",
    "surveyor",
    "port",
    "vessel",
    "article",
    "minister",
    "regulation",
];

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let database = match &options.database_url {
        Some(url) => Database::postgres(url).await.unwrap(),
        None => Database::sqlite(),
    };
    let models = OpenAi::start_at(TcpListener::bind("127.0.0.1:0").unwrap(), "v1", options.dimension);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("regulations.csv");
    std::fs::write(&file, regulations(options.chunks)).unwrap();
    let assistant = ["--assistant-url", &models.url, "--quota-cost", "0", "--demo-payments", "0"];
    let more = ["--assistant-cache-entries", "100000"];
    {
        // A first start brings in the reference data, into tables that are empty.
        let _ = Server::start(&database.url, &assistant);
    }
    run(&database.url, &models, &["import", "regulations", file.to_str().unwrap()]);
    run(&database.url, &models, &["embed", "--batch", "512"]);
    let server = Server::start(&database.url, &[&assistant[..], &more[..]].concat());
    let client = Client::new(&server.address);
    println!("{}, {} chunks of {} numbers; µs of server CPU", database.name(), options.chunks, options.dimension);
    for number in 0..20 {
        ask(&client, &format!("{number}.5")).await;
    }
    for round in 1..=options.rounds {
        let before = server.cpu();
        for number in 0..options.questions {
            ask(&client, &format!("{round}{number:04}.25")).await;
        }
        let fresh = each(server.cpu() - before, options.questions);
        let before = server.cpu();
        for _ in 0..options.questions * AGAIN {
            ask(&client, "10000.25").await;
        }
        let again = each(server.cpu() - before, options.questions * AGAIN);
        println!("round {round}: a new question {fresh:.0}, one asked before {again:.1}");
    }
    let metrics = client.metrics().await;
    let mut stages: Vec<_> = metrics.iter().filter(|(name, _)| name.starts_with("dermaga_assistant_stage")).collect();
    stages.sort_by(|one, two| one.0.cmp(two.0));
    for (name, sum) in stages.iter().filter(|(name, _)| name.contains("_sum")) {
        let count = metrics.get(&name.replace("_sum", "_count")).copied().unwrap_or(1.0);
        println!(
            "  {}: {:.0} µs of time each",
            name.replace("dermaga_assistant_stage_seconds_sum", ""),
            *sum / count * 1e6
        );
    }
    drop(server);
    database.remove().await;
}

fn each(used: Duration, count: usize) -> f64 {
    used.as_secs_f64() * 1e6 / count as f64
}

async fn ask(client: &Client, tonnes: &str) {
    let question = format!(
        "How much export duty is due on {tonnes} tonnes of cocoa beans filed on 10 February 2026 and paid on 8 August 2025?"
    );
    let input =
        json!({ "idempotencyKey": "a-key-of-a-bench", "question": question, "locale": "en", "asOf": "2026-02-10" });
    let data = client.ask(ASK, &json!({ "input": input })).await;
    assert_eq!(data["askAssistant"]["__typename"], "Answer", "{data:#}");
}

fn run(database_url: &str, models: &OpenAi, arguments: &[&str]) {
    let mut command = Command::new(binary());
    command.args(arguments).env("DATABASE_URL", database_url).env("DERMAGA_ASSISTANT_URL", &models.url);
    assert!(command.current_dir(std::env::temp_dir()).status().unwrap().success(), "{arguments:?}");
}

/// Regulations of twenty articles, each a chunk.
fn regulations(chunks: usize) -> String {
    let mut file = String::from("number,title,text\n");
    let mut dice = 1_u64;
    let mut word = || {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        WORDS[(dice >> 33) as usize % WORDS.len()]
    };
    for number in 0..chunks / 20 {
        write!(file, "PMK {}/2031,{} {},\"", number + 1, word(), word()).unwrap();
        for article in 1..=20 {
            writeln!(file, "Article {article}").unwrap();
            for _ in 0..100 {
                write!(file, "{} ", word()).unwrap();
            }
            file.push('\n');
        }
        file.push_str("\"\n");
    }
    file
}
