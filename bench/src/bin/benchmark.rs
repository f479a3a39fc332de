//! `benchmark`: makes data, measures the server, and compares what was measured.
//!
//! It measures the binary `dermaga` that lies beside it, and builds that first when `cargo run` has started it:
//!
//!     cargo run --release --bin benchmark -- compare naive batched cached
//!     cargo run --release --bin benchmark -- peers --database-url postgres://…

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    reason = "reports are for a person to read; figures are divided, and a run has the time of the machine"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use dermaga_bench::client::Client;
use dermaga_bench::database::Database;
use dermaga_bench::limit::{self, Limit};
use dermaga_bench::measure::{LOADS, Load, Measurement, Subject, measure, median};
use dermaga_bench::mode::{self, Mode};
use dermaga_bench::peers;
use dermaga_bench::report::{self, Run};
use dermaga_bench::scenario::{self, Scenario, Subjects};
use dermaga_bench::server::{Server, binary, build};

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
        /// Also look for the load from which on more clients get no more answers
        #[arg(long)]
        saturate: bool,
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
struct What {
    /// A PostgreSQL database beside which one for the benchmark may be made; SQLite without
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Payments in the database
    #[arg(long, default_value_t = 5_000)]
    payments: u64,
    /// Only these scenarios; may be given again
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Only these loads: one, five, high; may be given again
    #[arg(long, value_name = "NAME")]
    load: Vec<String>,
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
        Action::Run { mode, name, saturate, output, what } => {
            let mode = Mode::named(&mode).ok_or_else(|| format!("no such mode: {mode}"))?;
            let bench = Bench::prepare(&what).await?;
            let mut runs = bench.measure(&[mode], saturate).await;
            bench.database.remove().await;
            let mut run = runs.remove(0);
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
                    let bench = Bench::prepare(&what).await?;
                    let runs = bench.measure(&modes, false).await;
                    bench.database.remove().await;
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
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let setting = format!("{}, {} payments, high is {} connections", database.name(), what.payments, what.connections);
    let runs = contenders.iter().zip(seen).map(|(contender, loads)| {
        let measurements = loads.iter().map(|rounds| median(rounds)).collect();
        Run { name: contender.name.to_owned(), at: now, setting: setting.clone(), measurements }
    });
    Ok(runs.collect())
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

/// What is measured, on what.
struct Bench {
    database: Database,
    payments: u64,
    scenarios: Vec<Scenario>,
    loads: Vec<Load>,
    seconds: f64,
    rounds: usize,
}

impl Bench {
    async fn prepare(what: &What) -> Result<Self, String> {
        let scenarios = if what.scenario.is_empty() {
            scenario::ALL.to_vec()
        } else {
            let named = |name: &String| Scenario::named(name).ok_or_else(|| format!("no such scenario: {name}"));
            what.scenario.iter().map(named).collect::<Result<_, _>>()?
        };
        let named = |name: &String| {
            LOADS.into_iter().find(|load| load.name == name).ok_or_else(|| format!("no such load: {name}"))
        };
        let loads: Vec<Load> = what.load.iter().map(named).collect::<Result<_, _>>()?;
        if !(what.seconds > 0.0 && what.seconds < 3_600.0) || what.rounds == 0 || what.payments < 200 {
            return Err("seconds, rounds and payments must be positive, with at least 200 payments".to_owned());
        }
        build()?;
        let database = match &what.database_url {
            Some(url) => Database::postgres(url).await?,
            None => Database::sqlite(),
        };
        Ok(Self {
            database,
            payments: what.payments,
            scenarios,
            loads: if loads.is_empty() { LOADS.to_vec() } else { loads },
            seconds: what.seconds,
            rounds: what.rounds,
        })
    }

    /// The modes in turns, so that what else the machine does meets all of them.
    async fn measure(&self, modes: &[Mode], saturate: bool) -> Vec<Run> {
        let mut seen: Vec<Vec<Vec<Measurement>>> = vec![Vec::new(); modes.len()];
        let mut subjects: Option<Arc<Subjects>> = None;
        for round in 1..=self.rounds {
            for (mode, seen) in modes.iter().zip(&mut seen) {
                eprintln!("round {round} of {}: {}", self.rounds, mode.name);
                let count = self.payments.to_string();
                let common = ["--demo-payments", &count, "--quota-cost", "0", "--max-cost", "1000000"];
                let server = Server::start(&self.database.url, &[&common, mode.options].concat());
                let known = match &subjects {
                    Some(known) => Arc::clone(known),
                    None => Arc::new(Subjects::read(&Client::new(&server.address)).await),
                };
                subjects = Some(Arc::clone(&known));
                let subject = Subject { server: &server, database: &self.database, subjects: known };
                let mut all = Vec::new();
                for scenario in &self.scenarios {
                    for load in &self.loads {
                        all.push(measure(&subject, *scenario, *load, self.seconds).await);
                    }
                    if saturate {
                        all.push(self.saturated(&subject, *scenario).await);
                    }
                }
                seen.push(all);
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let runs = modes.iter().zip(seen).map(|(mode, rounds)| {
            let places = rounds.first().map_or(0, Vec::len);
            let measurements = (0..places)
                .map(|at| median(&rounds.iter().filter_map(|round| round.get(at).cloned()).collect::<Vec<_>>()))
                .collect();
            let setting = format!("{}, {} payments", self.database.name(), self.payments);
            Run { name: mode.name.to_owned(), at: now, setting, measurements }
        });
        runs.collect()
    }

    /// Doubles the clients for as long as that gets a twentieth more answers.
    async fn saturated(&self, subject: &Subject<'_>, scenario: Scenario) -> Measurement {
        let mut best = Measurement::default();
        for clients in [1, 2, 4, 8, 16, 32, 64, 128, 256] {
            let load = Load { name: "most", clients };
            let seen = measure(subject, scenario, load, self.seconds / 2.0).await;
            if seen.throughput < best.throughput * 1.05 {
                break;
            }
            best = seen;
            best.load = format!("{clients}");
        }
        best
    }
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
