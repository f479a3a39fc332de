//! `benchmark`: makes data, measures the server, and compares what was measured.
//!
//! It measures the binary `dermaga` that lies beside it, and builds that first when `cargo run` has started it:
//!
//!     cargo run --release --bin benchmark -- compare naive batched cached
//!     cargo run --release --bin benchmark -- peers --database-url postgres://…
//!     cargo run --release --bin benchmark -- scale --payments 10000 --to 5000000

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::float_arithmetic,
    reason = "reports are for a person to read, and percents are divided"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use dermaga_bench::database::Database;
use dermaga_bench::fanout;
use dermaga_bench::limit::{self, Limit};
use dermaga_bench::measure::{LOADS, Load, Measurement, median};
use dermaga_bench::mode::{self, Mode};
use dermaga_bench::peers;
use dermaga_bench::report::{self, Run};
use dermaga_bench::scale;
use dermaga_bench::scenario::{self, Scenario};
use dermaga_bench::server::{binary, build};
use dermaga_bench::suite::{Suite, now};

// The allocator of the server, for the limits beside it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Dermaga.
#[derive(Debug, Parser)]
#[command(name = "benchmark")]
struct Options {
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make demo payments in a database; the same seed makes the same payments
    Generate {
        /// The database
        #[arg(long, value_name = "URL")]
        database_url: String,
        /// How many payments the seed should have in all
        #[arg(long, default_value_t = 10_000)]
        payments: u64,
        /// The seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Measure one way to run the server
    Run {
        /// naive (a statement for each key, no cache), batched (no cache) or cached
        #[arg(long, default_value = "cached")]
        mode: String,
        /// What the run is called [default: the mode]
        #[arg(long)]
        name: Option<String>,
        /// Write the run to this file, for `compare`
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        what: What,
    },
    /// Compare modes, which are measured in turns, or runs that were written to files
    Compare {
        /// naive, batched, cached; or files. Each is compared with the first
        #[arg(required = true, num_args = 2..)]
        runs: Vec<String>,
        /// Percent by which a figure may be worse; beyond it the exit status is 1
        #[arg(long, default_value_t = 10.0)]
        threshold: f64,
        /// Write everything to this file
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Write a page with plots to this file
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        #[command(flatten)]
        what: What,
    },
    /// Measure the server beside others that answer the same from the same PostgreSQL: Mercurius, PostGraphile, Apollo
    /// Server, and the limits of what is possible
    Peers(Peers),
    /// Measure what the same pages of payments cost out of few payments and out of many
    Scale(Scale),
    /// Answer a page of payments without GraphQL, over DATABASE_URL; `peers` starts this
    #[command(hide = true)]
    Limit {
        /// statements or memory
        limit: String,
        #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
        database_url: String,
    },
}

#[derive(Args, Debug)]
struct Peers {
    /// A PostgreSQL database beside which one for the benchmark may be made
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Payments in the database
    #[arg(long, default_value_t = 5_000)]
    payments: u64,
    /// How often everything is measured; medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Clients of the high load
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Write everything to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with plots to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Scale {
    /// A PostgreSQL database beside which two for the benchmark may be made; SQLite without
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Payments in the small database
    #[arg(long, default_value_t = 10_000)]
    payments: u64,
    /// Payments in the large database: those of the small one, and copies of them
    #[arg(long, value_name = "PAYMENTS", default_value_t = 5_000_000)]
    to: u64,
    /// How often everything is measured; medians are reported
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Clients that ask at once
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Percent by which a page may cost more in the large database; beyond it the exit status is 1
    #[arg(long, default_value_t = 20.0)]
    threshold: f64,
    /// Write everything to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct What {
    /// A PostgreSQL database beside which one for the benchmark may be made; SQLite without
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Payments in the database
    #[arg(long, default_value_t = 5_000)]
    payments: u64,
    /// Only these scenarios: payment, page, lines, deep, search, quote, mix, fanout; may be given again
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Only these loads: one, five, high; may be given again. The fan-out has loads of its own
    #[arg(long, value_name = "NAME")]
    load: Vec<String>,
    /// How many follow in the fan-out; may be given again [default: 10, 100 and 1000]
    #[arg(long, value_name = "COUNT")]
    subscribers: Vec<usize>,
    /// Also double the clients until that gets less than a tenth more answers, and report the most throughput
    #[arg(long)]
    saturate: bool,
    /// Clients at the most when looking for the most throughput
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    most_clients: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How often everything is measured; medians are reported
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Every run is added to this file
    #[arg(long, value_name = "FILE", default_value = "target/benchmark-history.jsonl")]
    history: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse().command).await {
        Ok(status) => status,
        Err(problem) => {
            eprintln!("benchmark: {problem}");
            ExitCode::from(2)
        }
    }
}

async fn run(action: Action) -> Result<ExitCode, String> {
    match action {
        Action::Generate { database_url, payments, seed } => generate(&database_url, payments, seed),
        Action::Run { mode, name, output, what } => {
            let mode = Mode::named(&mode).ok_or_else(|| format!("no such mode: {mode}"))?;
            let mut run = measure(&what, &[mode]).await?.remove(0);
            run.name = name.unwrap_or(run.name);
            println!("{}", report::table(&run));
            remember(&what.history, std::slice::from_ref(&run))?;
            if let Some(file) = output {
                write(&file, &json(&run)?)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Action::Compare { runs, threshold, json: to, html, what } => {
            let modes: Option<Vec<Mode>> = runs.iter().map(|name| Mode::named(name)).collect();
            let runs = match modes {
                Some(modes) => {
                    let runs = measure(&what, &modes).await?;
                    remember(&what.history, &runs)?;
                    runs
                }
                None => runs.iter().map(|file| read(Path::new(file))).collect::<Result<_, _>>()?,
            };
            for run in &runs {
                println!("{}", report::table(run));
            }
            let mut all_worse = Vec::new();
            let (first, others) = runs.split_first().ok_or("nothing to compare")?;
            for other in others {
                let (table, worse) = report::compare(first, other, threshold / 100.0);
                println!("{table}");
                all_worse.extend(worse.into_iter().map(|what| format!("{} → {}: {what}", first.name, other.name)));
            }
            if let Some(file) = to {
                write(&file, &json(&runs)?)?;
            }
            if let Some(file) = html {
                write(&file, &report::html(&runs))?;
            }
            for what in &all_worse {
                println!("worse: {what}");
            }
            Ok(if all_worse.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Action::Peers(what) => {
            let runs = beside_peers(&what).await?;
            println!("{}", report::beside(&runs));
            if let Some(file) = &what.json {
                write(file, &json(&runs)?)?;
            }
            if let Some(file) = &what.html {
                write(file, &report::html(&runs))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Action::Scale(what) => {
            let report = few_and_many(&what).await?;
            print_scale(&report);
            if let Some(file) = &what.json {
                write(file, &json(&report)?)?;
            }
            let too_much = report.verdicts.iter().any(|verdict| verdict.too_much);
            Ok(if too_much { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Action::Limit { limit, database_url } => {
            let limit = match limit.as_str() {
                "statements" => Limit::Statements,
                "memory" => Limit::Memory,
                other => return Err(format!("no such limit: {other}")),
            };
            limit::serve(limit, &database_url).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Makes the data, and measures Dermaga and its peers in turns.
async fn beside_peers(what: &Peers) -> Result<Vec<Run>, String> {
    let url = what.database_url.as_deref().filter(|url| url.starts_with("postgres"));
    let url = url.ok_or("peers are compared on PostgreSQL: give --database-url postgres://USER@HOST/NAME")?;
    let sane = what.seconds > 0.0 && what.seconds < 3_600.0 && what.rounds > 0 && what.connections > 0;
    if !sane || what.payments < 200 {
        return Err("seconds, rounds, connections and payments must be positive, with at least 200 payments".to_owned());
    }
    build()?;
    let database = Database::postgres(url).await?;
    let runs = measure_peers(what, &database).await;
    database.remove().await;
    runs
}

async fn measure_peers(what: &Peers, database: &Database) -> Result<Vec<Run>, String> {
    let mut contenders = peers::start(database, what.payments).await?;
    let pages = peers::check(&mut contenders).await?;
    eprintln!("{} servers give the same {pages} bodies", contenders.len());
    let loads = [Load { name: "one", clients: 1 }, Load { name: "high", clients: what.connections }];
    for contender in &contenders {
        // What is compiled while it runs is compiled before it is looked at.
        eprintln!("warming up: {}", contender.name);
        contender.measure(database, loads[1], what.seconds).await;
    }
    let mut seen: Vec<Vec<Vec<Measurement>>> = vec![vec![Vec::new(); loads.len()]; contenders.len()];
    for round in 1..=what.rounds {
        for (contender, seen) in contenders.iter().zip(&mut seen) {
            eprintln!("round {round} of {}: {}", what.rounds, contender.name);
            for (load, seen) in loads.iter().zip(seen) {
                seen.push(contender.measure(database, *load, what.seconds).await);
            }
        }
    }
    let at = now();
    let setting = format!("{}, {} payments, high is {} connections", database.name(), what.payments, what.connections);
    let runs = contenders.iter().zip(seen).map(|(contender, loads)| {
        let measurements = loads.iter().map(|rounds| median(rounds)).collect();
        Run { name: contender.name.to_owned(), at, setting: setting.clone(), measurements }
    });
    Ok(runs.collect())
}

/// Makes a small and a large database, measures both, and leaves neither behind.
async fn few_and_many(what: &Scale) -> Result<scale::Report, String> {
    let sane = what.seconds > 0.0 && what.seconds < 3_600.0 && what.rounds > 0 && what.connections > 0;
    if !sane || what.payments < 1_000 || what.to <= what.payments {
        return Err(
            "seconds, rounds and connections must be positive, with at least 1000 payments and more to grow to"
                .to_owned(),
        );
    }
    build()?;
    let scale = scale::Scale {
        payments: what.payments,
        to: what.to,
        rounds: what.rounds,
        seconds: what.seconds,
        connections: what.connections,
    };
    let [small, large] = match &what.database_url {
        Some(url) => [Database::postgres(url).await?, Database::postgres(url).await?],
        None => [Database::sqlite(), Database::sqlite()],
    };
    let report = scale.measure(&small, &large, what.threshold / 100.0).await;
    small.remove().await;
    large.remove().await;
    report
}

fn print_scale(report: &scale::Report) {
    for size in &report.sizes {
        println!(
            "{} payments: {:.0} MiB, made in {:.0} s; first answer after {:.0} ms, {:.1} MB resident then",
            size.payments, size.mebibytes, size.made_in_s, size.first_answer_ms, size.resident_mb
        );
    }
    println!("The copies have installments, and no receipts, plans, lines or events: a page reads none of those.");
    println!("\n{}", report::beside(&report.runs));
    println!("CPU of server and database for a page of the large one, to the small one:");
    for verdict in &report.verdicts {
        let ratio = verdict.ratio.map_or_else(|| "too little to be seen".to_owned(), |ratio| format!("{ratio:.2} ×"));
        let too_much = if verdict.too_much { ": too much" } else { "" };
        println!("{}: {ratio}{too_much}", verdict.page);
    }
}

fn generate(database_url: &str, payments: u64, seed: u64) -> Result<ExitCode, String> {
    build()?;
    let made = Command::new(binary())
        .args(["demo", "--payments", &payments.to_string(), "--seed", &seed.to_string()])
        .env("DATABASE_URL", database_url)
        .status()
        .map_err(|error| format!("dermaga does not start: {error}"))?;
    Ok(if made.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the data, measures the modes, and leaves no database behind.
async fn measure(what: &What, modes: &[Mode]) -> Result<Vec<Run>, String> {
    let suite = prepare(what).await?;
    let runs = suite.measure(modes).await;
    suite.database.remove().await;
    runs
}

/// What was asked for, with a database, and the build up to date.
async fn prepare(what: &What) -> Result<Suite, String> {
    let (mut scenarios, mut fans_out) = (Vec::new(), false);
    for name in &what.scenario {
        match Scenario::named(name) {
            Some(scenario) => scenarios.push(scenario),
            None if name == fanout::NAME => fans_out = true,
            None => return Err(format!("no such scenario: {name}")),
        }
    }
    if what.scenario.is_empty() {
        (scenarios, fans_out) = (scenario::ALL.to_vec(), true);
    }
    let named =
        |name: &String| LOADS.into_iter().find(|load| load.name == name).ok_or_else(|| format!("no such load: {name}"));
    let loads: Vec<Load> = what.load.iter().map(named).collect::<Result<_, _>>()?;
    if !(what.seconds > 0.0 && what.seconds < 3_600.0) || what.rounds == 0 || what.payments < 200 {
        return Err("seconds, rounds and payments must be positive, with at least 200 payments".to_owned());
    }
    if what.subscribers.contains(&0) || what.most_clients == 0 {
        return Err("there must be at least one subscriber, and one client".to_owned());
    }
    let mut subscribers = what.subscribers.clone();
    if subscribers.is_empty() {
        subscribers.extend(fanout::SUBSCRIBERS);
    }
    if !fans_out {
        subscribers.clear();
    }
    if let Some(most) = subscribers.iter().max() {
        fanout::allow(*most)?;
    }
    build()?;
    let database = match &what.database_url {
        Some(url) => Database::postgres(url).await?,
        None => Database::sqlite(),
    };
    Ok(Suite {
        database,
        payments: what.payments,
        scenarios,
        loads: if loads.is_empty() { LOADS.to_vec() } else { loads },
        most_clients: what.saturate.then_some(what.most_clients),
        subscribers,
        seconds: what.seconds,
        rounds: what.rounds,
    })
}

fn json(value: &impl serde::Serialize) -> Result<String, String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| error.to_string())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

fn read(file: &Path) -> Result<Run, String> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let modes = mode::ALL.map(|mode| mode.name).join(", ");
        format!("{}: {error}; expected a file of a run, or only modes: {modes}", file.display())
    })?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Adds runs to the history, a line each.
fn remember(file: &Path, runs: &[Run]) -> Result<(), String> {
    use std::io::Write;
    let problem = |error: std::io::Error| format!("{}: {error}", file.display());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(problem)?;
    }
    let mut history = std::fs::OpenOptions::new().create(true).append(true).open(file).map_err(problem)?;
    for run in runs {
        let line = serde_json::to_string(run).map_err(|error| error.to_string())?;
        writeln!(history, "{line}").map_err(problem)?;
    }
    Ok(())
}
