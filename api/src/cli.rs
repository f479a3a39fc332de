//! The command line: what each command does, in a few lines each.
//!
//! What a command found out goes to standard output, everything else to standard error. The exit status is 0
//! for success, 1 for a failure and 2 for a command line or configuration that makes no sense. To `verify`, faults
//! are the failure; when it could not look for them the status is 3.

mod accounts;
mod embed;
mod evaluate;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::Application;
use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::error::{Error, Result};
use crate::import::{
    ImportError, Report, bank_rates, duty_rules, ecb, harmonized_system, prices, prompts, reference_prices,
    regulations, successions, tax_rates,
};
use crate::progress::Progress;
use crate::store::Database;
use crate::telemetry::LogFilter;
use crate::{auth, graphql, seed, telemetry};

/// Dermaga serves payments, installments, commodities and currency rates over GraphQL.
#[derive(Debug, Parser)]
#[command(name = "dermaga", version, about, args_conflicts_with_subcommands = false)]
struct Cli {
    /// Configuration file [default: dermaga.toml, if there is one]
    #[arg(long, env = "DERMAGA_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve GraphQL; this is what happens without a command
    Serve,
    /// Bring the database's tables up to date and stop
    Migrate,
    /// Make demo payments, as many as are missing
    Demo {
        /// How many payments the seed should have in all
        #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
        payments: u64,
        /// The same seed makes the same payments, on both databases
        #[arg(long, value_name = "NUMBER", default_value_t = seed::DEMO_SEED)]
        seed: u64,
    },
    /// Check every payment against its events and the rules of payments; this only reads
    Verify(verify::Verify),
    /// Bring published data in; importing a file again changes nothing
    #[command(subcommand)]
    Import(Import),
    /// Make the vectors with which the assistant searches, where they are missing; it goes on where it was stopped
    Embed(embed::Embed),
    /// Ask the assistant questions with known answers, and say how good it was
    Evaluate(evaluate::Evaluate),
    /// Open and list the accounts of a server with sign-in
    #[command(subcommand)]
    Account(accounts::Account),
    /// Make an HS256 token with the configured secret, to try sign-in out
    Token(accounts::Token),
    /// Write the schema in the schema definition language to standard output
    Schema {
        /// Write it as the subgraph that an Apollo Federation gateway composes
        // It stands in for the setting of the same name, so that here the flag alone says enough.
        #[arg(long, env = "DERMAGA_SUBGRAPH", value_name = "BOOL", num_args = 0..=1,
              default_missing_value = "true", value_parser = ["true", "false"])]
        subgraph: Option<String>,
    },
    /// Ask a running server whether it is well; for container health checks
    Health {
        /// The address to ask
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/health/ready")]
        url: String,
    },
}

#[derive(Debug, Subcommand)]
enum Import {
    /// Currency rates
    Rates {
        /// Who published the file
        #[arg(long, value_enum)]
        source: RateSource,
        /// The file: CSV, or a ZIP archive with one CSV file in it
        file: PathBuf,
    },
    /// Commodity codes, in the format of the public Harmonized System data set
    Commodities {
        /// The CSV file: section, hscode, description, parent, level and, if there is one, description_id
        file: PathBuf,
        /// A CSV file with the sections' names: section, name and, if there is one, name_id
        #[arg(long, value_name = "FILE")]
        sections: Option<PathBuf>,
    },
    /// Rules of export duty and levy: bands, rates, dates and legal basis
    DutyRules {
        /// The CSV file; docs/imports.md has its columns
        file: PathBuf,
    },
    /// Reference prices, export prices (HPE), and duties and levies as they are printed for a period
    ReferencePrices {
        /// The CSV file; docs/imports.md has its columns
        file: PathBuf,
    },
    /// The weekly rates of the finance ministry, at which duty is paid
    TaxRates {
        /// The CSV file; docs/imports.md has its columns
        file: PathBuf,
    },
    /// Market prices of commodities by month
    Prices {
        /// The file: CSV, or a ZIP archive with one CSV file in it; docs/imports.md has its columns
        file: PathBuf,
    },
    /// What banks pay and ask for currencies
    BankRates {
        /// The CSV file; docs/imports.md has its columns
        file: PathBuf,
    },
    /// Which codes took the place of which when the nomenclature changed
    Successions {
        /// The CSV file: predecessor, successor
        file: PathBuf,
    },
    /// Questions that the assistant is known to answer well
    Prompts {
        /// The CSV file: name, title, category, template and, if there is one, active
        file: PathBuf,
    },
    /// Titles, dates and texts of regulations
    Regulations {
        /// The CSV file; docs/imports.md has its columns
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RateSource {
    /// The euro reference rates of the European Central Bank
    Ecb,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("{0}")]
    Faults(String),
    #[error(transparent)]
    Unverified(Error),
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<sea_orm::DbErr> for Failure {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Other(error.into())
    }
}

/// Runs the command line `arguments`.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no failures; the library knows where each belongs.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match actix_web::rt::System::new().block_on(execute(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (status, text) = match &failure {
                Failure::Usage(text) => (2, text.clone()),
                Failure::Import(error) => (1, format!("{}: {}", error.code(), crate::error::chain(error))),
                Failure::Faults(text) => (1, text.clone()),
                Failure::Unverified(error) => (3, words(error)),
                Failure::Other(error) => (1, words(error)),
            };
            say(&mut std::io::stderr(), &format!("error: {text}"));
            ExitCode::from(status)
        }
    }
}

/// The cause is the message here: whoever started the server may know it.
fn words(error: &Error) -> String {
    match error {
        Error::Caller { .. } => error.chain(),
        Error::Unavailable(cause) | Error::Internal(cause) => crate::error::chain(cause.as_ref()),
    }
}

async fn execute(cli: Cli) -> Result<(), Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    if let Some(Command::Schema { subgraph }) = &cli.command {
        let of_subgraph = subgraph.as_deref() == Some("true");
        let sdl = if of_subgraph { graphql::subgraph::sdl().to_owned() } else { graphql::sdl(false) };
        say(&mut std::io::stdout(), sdl.trim_end());
        return Ok(());
    }
    if let Some(Command::Health { url }) = &cli.command {
        return ask_health(url).await;
    }
    let settings = cli.settings.with_file(cli.config.as_deref()).map_err(|error| usage(&error))?;
    let config = settings.check().map_err(|error| usage(&error))?;
    let log = telemetry::start(&config.log, config.log_format).map_err(Failure::Usage)?;
    let progress = if telemetry::is_text(config.log_format) { Progress::stderr() } else { Progress::logged() };
    match cli.command {
        None | Some(Command::Serve) => serve(&config, log, &progress).await,
        Some(Command::Migrate) => {
            let database = Database::open(&config.database).await?;
            let ran = migrate(&database).await?;
            say(&mut std::io::stdout(), &format!("{ran} migrations ran; the tables are up to date"));
            Ok(())
        }
        Some(Command::Demo { payments, seed: number }) => {
            let database = migrated(&config).await?;
            // The lines of the payments name commodities, and somebody has to own the payments.
            seed::fill(&database, Some(0), &Clock::system(), &progress).await?;
            let report = seed::demo_data(&database, payments, number, &progress).await?;
            let text = format!("{} payments added, {} were there; {} rows", report.added, report.present, report.rows);
            say(&mut std::io::stdout(), &text);
            Ok(())
        }
        Some(Command::Import(import)) => {
            let database = migrated(&config).await?;
            let report = run_import(&database, import, &progress).await?;
            if report.is_change() {
                database.analyze().await?;
            }
            say(&mut std::io::stdout(), &report.to_string());
            Ok(())
        }
        Some(Command::Verify(verify)) => verify.run(&config, &progress).await,
        Some(Command::Embed(embed)) => embed.run(&config, &progress).await,
        Some(Command::Evaluate(evaluate)) => evaluate.run(&config, &progress).await,
        Some(Command::Account(account)) => account.run(&config).await,
        Some(Command::Token(token)) => token.mint(&config),
        Some(Command::Schema { .. } | Command::Health { .. }) => Ok(()),
    }
}

async fn migrated(config: &Config) -> Result<Database> {
    let database = Database::open(&config.database).await?;
    migrate(&database).await?;
    Ok(database)
}

/// Brings the tables up to date, while no other server does.
async fn migrate(database: &Database) -> Result<usize> {
    let turn = database.turn().await?;
    let ran = database.migrate().await?;
    turn.end().await?;
    Ok(ran)
}

async fn run_import(database: &Database, import: Import, progress: &Progress) -> Result<Report, Failure> {
    match import {
        Import::Rates { source: RateSource::Ecb, file } => {
            let history = ecb::read(&file)?;
            let now = Clock::system().now();
            Ok(database.write(async |transaction| ecb::import(transaction, &history, now, progress).await).await?)
        }
        Import::Commodities { file, sections } => {
            let nomenclature = harmonized_system::read(&file, sections.as_deref())?;
            Ok(database
                .write(async |transaction| harmonized_system::import(transaction, &nomenclature, progress).await)
                .await?)
        }
        Import::DutyRules { file } => {
            let rules = duty_rules::read(&file)?;
            // The rules name codes; a database without any gets those that are compiled in.
            seed::commodities(database, progress).await?;
            Ok(database.write(async |transaction| duty_rules::import(transaction, &rules, progress).await).await?)
        }
        Import::ReferencePrices { file } => {
            let published = reference_prices::read(&file)?;
            let write = async |transaction: &_| reference_prices::import(transaction, &published, progress).await;
            Ok(database.write(write).await?)
        }
        Import::TaxRates { file } => {
            let (rates, now) = (tax_rates::read(&file)?, Clock::system().now());
            Ok(database.write(async |transaction| tax_rates::import(transaction, &rates, now, progress).await).await?)
        }
        Import::Prices { file } => {
            let (prices, now) = (prices::read(&file)?, Clock::system().now());
            Ok(database.write(async |transaction| prices::import(transaction, &prices, now, progress).await).await?)
        }
        Import::BankRates { file } => {
            let (rates, now) = (bank_rates::read(&file)?, Clock::system().now());
            Ok(database.write(async |transaction| bank_rates::import(transaction, &rates, now, progress).await).await?)
        }
        Import::Successions { file } => {
            let successions = successions::read(&file)?;
            let write = async |transaction: &_| successions::import(transaction, &successions, progress).await;
            Ok(database.write(write).await?)
        }
        Import::Prompts { file } => {
            let prompts = prompts::read(&file)?;
            Ok(database.write(async |transaction| prompts::import(transaction, &prompts, progress).await).await?)
        }
        Import::Regulations { file } => {
            let regulations = regulations::read(&file)?;
            let write = async |transaction: &_| regulations::import(transaction, &regulations, progress).await;
            Ok(database.write(write).await?)
        }
    }
}

async fn serve(config: &Config, log: LogFilter, progress: &Progress) -> Result<(), Failure> {
    let traces = config.traces.as_ref().map(telemetry::traces::start).transpose().map_err(Failure::Usage)?;
    let listener = Application::listen(config)?;
    let clock = Clock::system();
    let mut stop = Signals::new()?;
    let prepare = async {
        let database = Database::open(&config.database).await?;
        let turn = database.turn().await?;
        database.migrate().await?;
        // Nobody is the demo account's owner by default where everybody signs in.
        let demo = (config.sign_in.is_none() || config.demo_payments > 0).then_some(config.demo_payments);
        seed::fill(&database, demo, &clock, progress).await?;
        turn.end().await?;
        // What a first start read and wrote stays in the caches of its connections; serving needs none of it.
        database.close().await;
        let database = Database::open(&config.serving_database()).await?;
        Application::build(config, listener, database, clock.clone(), Some(log)).await
    };
    // Whatever the first start has not committed yet is undone by the database, and made by the next one.
    let application = tokio::select! {
        application = prepare => application?,
        () = stop.received() => return Ok(()),
    };
    let port = application.port();
    let operations_port = application.operations_port();
    let address = config.listen.ip();
    match &config.sign_in {
        None => tracing::info!(
            %address,
            port,
            operations_port,
            "serving GraphQL in local mode: loopback only, without sign-in"
        ),
        Some(sign_in) => {
            let keys = auth::describe(sign_in);
            let issuer = &sign_in.issuer;
            tracing::info!(%address, port, operations_port, keys, issuer, "serving GraphQL with sign-in");
        }
    }
    let handle = application.handle();
    actix_web::rt::spawn(async move {
        stop.received().await;
        tracing::info!("stopping: requests that run may end");
        handle.stop(true).await;
    });
    let result = application.run_until_stopped().await;
    if let Some(traces) = traces {
        traces.end().await;
    }
    result?;
    tracing::info!("stopped");
    Ok(())
}

/// SIGTERM and Ctrl-C: both ask the server to end what it does and then to stop.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let on = |kind| signal(kind).map_err(Error::internal);
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Sends one plain HTTP request; a container image then needs no other program for its health check.
async fn ask_health(url: &str) -> Result<(), Failure> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rest =
        url.strip_prefix("http://").ok_or_else(|| Failure::Usage("the URL must start with http://".to_owned()))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(host).await?;
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(std::time::Duration::from_secs(5), ask)
        .await
        .map_err(|_| Error::internal("no answer within 5 seconds"))?
        .map_err(Error::internal)?;
    let status = answer.lines().next().unwrap_or_default();
    say(&mut std::io::stdout(), status);
    if status.contains(" 200 ") { Ok(()) } else { Err(Error::internal("the server is not well").into()) }
}

/// Writes a line. A closed pipe ends nothing.
fn say(to: &mut impl Write, line: &str) {
    let _ = writeln!(to, "{line}");
}
