//! The database: opening it, migrating it, reading it and writing it.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use entity::ids::AccountId;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend};

use super::breaker::Breaker;
use super::gate::Gate;
use super::reader::{Meter, Reader};
use super::standby::{Position, Standby, StandbySettings};
use super::transaction::{Replaced, Transactions, Transient};
use super::vectors::Comparison;
use crate::error::{Error, Result};

/// How long a write to SQLite waits for its turn.
const SQLITE_PATIENCE: Duration = Duration::from_secs(10);

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// `sqlite://FILE` or `postgres://…`.
    pub url: String,
    /// Connections at the most.
    pub max_connections: u32,
    /// Connections that are kept open though idle.
    pub min_connections: u32,
    /// After what time an idle connection is closed.
    pub idle_timeout: Duration,
    /// After what time a connection is closed, however busy.
    pub max_lifetime: Duration,
    /// How long a request waits for a free connection.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL lets one statement run; `None` for as long as it takes. A statement whose operation
    /// was given up must not go on for hours.
    pub statement_timeout: Option<Duration>,
    /// A standby that answers reads of operations, where there is one.
    pub standby: Option<StandbySettings>,
}

impl DatabaseSettings {
    /// The defaults for `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 10,
            min_connections: 0,
            idle_timeout: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(1800),
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: None,
            standby: None,
        }
    }
}

/// A pool of connections to SQLite or PostgreSQL.
#[derive(Clone, Debug)]
pub struct Database {
    connection: DatabaseConnection,
    gate: Gate,
    transactions: Transactions,
    standby: Option<Standby>,
    /// Whether the database compares vectors, as far as anybody has looked.
    compares_vectors: Arc<AtomicBool>,
}

/// What a database is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Everything,
    Reading,
}

/// What the connection pool is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Connections open.
    pub open: u32,
    /// Connections open that nobody uses.
    pub idle: usize,
}

impl Database {
    /// Opens the database, making the SQLite file when there is none.
    ///
    /// # Errors
    /// When the URL is of neither kind, or the database cannot be reached or written.
    pub async fn open(settings: &DatabaseSettings) -> Result<Self> {
        Self::connect(settings, Use::Everything).await
    }

    /// Opens a database that is there, to read it. A SQLite file is never made and never written.
    ///
    /// # Errors
    /// When the URL is of neither kind, or the database is not there or cannot be reached.
    pub async fn open_to_read(settings: &DatabaseSettings) -> Result<Self> {
        Self::connect(settings, Use::Reading).await
    }

    async fn connect(settings: &DatabaseSettings, what_for: Use) -> Result<Self> {
        let sqlite = settings.url.starts_with("sqlite:");
        if !sqlite && !settings.url.starts_with("postgres://") && !settings.url.starts_with("postgresql://") {
            return Err(Error::internal("DATABASE_URL is neither sqlite://FILE nor postgres://…"));
        }
        if sqlite {
            match what_for {
                Use::Everything => check_writable(&settings.url)?,
                Use::Reading => check_there(&settings.url)?,
            }
        }
        let mut options = ConnectOptions::new(settings.url.clone());
        options
            .max_connections(settings.max_connections)
            .min_connections(settings.min_connections)
            .idle_timeout(settings.idle_timeout)
            .max_lifetime(settings.max_lifetime)
            .acquire_timeout(settings.acquire_timeout)
            .sqlx_logging(false)
            // A ping before each use would double the round trips; a dead connection shows at its first statement.
            .test_before_acquire(false);
        if sqlite {
            options.map_sqlx_sqlite_opts(move |options| {
                let options = options.foreign_keys(true).busy_timeout(SQLITE_PATIENCE);
                match what_for {
                    Use::Everything => options
                        .create_if_missing(true)
                        .journal_mode(SqliteJournalMode::Wal)
                        // What was answered as committed survives a power cut, not only the end of the process.
                        .synchronous(SqliteSynchronous::Full),
                    Use::Reading => options.read_only(true),
                }
            });
        }
        let replaced = Replaced::default();
        if sqlite {
            let replaced = replaced.clone();
            options.map_sqlx_sqlite_before_acquire(move |connection, _| {
                let sound = replaced.is_sound(connection);
                Box::pin(async move { Ok(sound) })
            });
        }
        if let Some(time) = settings.statement_timeout {
            let milliseconds = time.as_millis().to_string();
            options.map_sqlx_postgres_opts(move |options| options.options([("statement_timeout", &milliseconds)]));
        }
        // SQLite has one writer at a time, so one connection writes. It lives as long as the pool, unless it breaks: what
        // it says of writes of other processes can only be compared with what it said before.
        let writing = match what_for {
            Use::Everything if sqlite => {
                let mut options = options.clone();
                options.max_connections(1).min_connections(0).idle_timeout(None).max_lifetime(None);
                Some((sea_orm::Database::connect(options).await?, replaced))
            }
            _ => None,
        };
        let breaker = if sqlite { Breaker::none() } else { Breaker::postgres(&settings.url)? };
        if !sqlite {
            let (taking, returning) = (breaker.clone(), breaker.clone());
            options.map_sqlx_postgres_pool_opts(move |options| {
                let (taking, returning) = (taking.clone(), returning.clone());
                // Nobody asks whether it still works, unless with an end to the question: one that may be dead does not
                // say so, it says nothing.
                options
                    .before_acquire(move |_, connection| {
                        let good = !taking.has_outlived(connection.age);
                        Box::pin(async move { Ok(good) })
                    })
                    .after_release(move |connection, about| {
                        let returning = returning.clone();
                        Box::pin(async move { Ok(returning.takes_back(connection, about.age).await) })
                    })
            });
        }
        let connection = sea_orm::Database::connect(options).await?;
        let patience = settings.acquire_timeout.max(SQLITE_PATIENCE);
        let gate = Gate::new(settings.max_connections, settings.acquire_timeout, breaker)?;
        let transactions = Transactions::new(connection.clone(), writing, gate.clone(), patience)?;
        let standby = match &settings.standby {
            Some(standby) if !sqlite => Some(Standby::open(standby, settings, &gate)?),
            _ => None,
        };
        Ok(Self { connection, gate, transactions, standby, compares_vectors: Arc::default() })
    }

    /// Which of the two it is.
    pub fn backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    /// A way to read that counts on `meter`.
    pub fn reader(&self, meter: Arc<Meter>) -> Reader {
        Reader::new(self.connection.clone(), self.gate.clone(), meter)
    }

    /// A way to read for an operation of `account` that only reads: from the standby, where there is one and it is as
    /// good. Nothing is read that is older than `at_least`.
    pub fn operation_reader(&self, meter: Arc<Meter>, account: AccountId, at_least: Option<Position>) -> Reader {
        let route = self.standby.as_ref().map(|standby| standby.route(account, at_least.unwrap_or_default()));
        self.reader(meter).by(route)
    }

    /// The standby, where there is one.
    pub fn standby(&self) -> Option<&Standby> {
        self.standby.as_ref()
    }

    /// Keeps an account from reading its own change of a moment ago on a standby that does not have it. To be called
    /// after the commit and before the cache is told. Returns a position behind the commit; `None` without a standby,
    /// or when the primary does not say.
    pub async fn wrote(&self, account: AccountId) -> Option<Position> {
        self.standby.as_ref()?.wrote(account).await
    }

    /// The same for a change of what all accounts read, or of which nobody knows whether it was made. It does not wait.
    pub fn wrote_anything(&self) {
        if let Some(standby) = &self.standby {
            standby.wrote_anything();
        }
    }

    /// Runs `work` in a transaction, and commits when it succeeds. When it fails nothing is left of it.
    ///
    /// # Errors
    /// What `work` fails with, or the database.
    pub async fn write<T, E>(&self, work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, E>) -> Result<T, E>
    where
        E: From<sea_orm::DbErr>,
    {
        self.transactions.once(work).await
    }

    /// Like [`write`](Self::write), counted on `meter`, and run again a few times when the database gave the
    /// transaction up for the sake of another. `work` must do nothing outside the database.
    ///
    /// # Errors
    /// What `work` fails with, or the database.
    pub async fn change<T, E>(&self, meter: &Arc<Meter>, work: impl AsyncFn(&Reader) -> Result<T, E>) -> Result<T, E>
    where
        E: From<sea_orm::DbErr> + Transient,
    {
        self.transactions.retried(meter, work).await
    }

    /// Runs `work`, which only reads, on one state of the database.
    ///
    /// # Errors
    /// What `work` fails with, or the database.
    pub async fn snapshot<T, E>(
        &self,
        meter: &Arc<Meter>,
        work: impl AsyncFnOnce(&Reader) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<sea_orm::DbErr>,
    {
        self.transactions.snapshot(meter, work).await
    }

    /// A number that changes when another process writes to a SQLite file.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn writes_of_others(&self) -> Result<i64> {
        Ok(self.transactions.writes_of_others().await?)
    }

    /// The pool, for what no reader and no transaction can do.
    pub(super) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Where writes go, for what is no transaction of ours.
    pub(super) fn writing(&self) -> &DatabaseConnection {
        self.transactions.writing()
    }

    /// Who compares vectors: memory, until [`look_for_vectors`](Self::look_for_vectors) has found otherwise.
    pub fn comparison(&self) -> Comparison {
        match self.compares_vectors.load(Ordering::Relaxed) {
            true => Comparison::Database,
            false => Comparison::Memory,
        }
    }

    pub(super) fn set_comparison(&self, comparison: Comparison) {
        self.compares_vectors.store(comparison == Comparison::Database, Ordering::Relaxed);
    }

    /// How connections to PostgreSQL are made.
    pub(super) fn postgres_options(&self) -> Arc<PgConnectOptions> {
        self.connection.get_postgres_connection_pool().connect_options()
    }

    /// How long was waited for connections.
    pub fn waits(&self) -> &prometheus::Histogram {
        self.gate.waits()
    }

    /// How write transactions ended.
    pub fn transactions(&self) -> &prometheus::IntCounterVec {
        self.transactions.counter()
    }

    /// Makes the planner's statistics current, after many rows came in.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn analyze(&self) -> Result<()> {
        self.connection.execute_unprepared("ANALYZE").await?;
        Ok(())
    }

    /// What the pool is doing.
    pub fn pool(&self) -> Pool {
        match self.backend() {
            DbBackend::Postgres => {
                let pool = self.connection.get_postgres_connection_pool();
                Pool { open: pool.size(), idle: pool.num_idle() }
            }
            _ => {
                let pool = self.connection.get_sqlite_connection_pool();
                Pool { open: pool.size(), idle: pool.num_idle() }
            }
        }
    }

    /// Closes every connection, after what runs has ended.
    pub async fn close(&self) {
        self.transactions.close().await;
        if let Some(standby) = &self.standby {
            standby.close().await;
        }
        if let Err(error) = self.connection.clone().close().await {
            tracing::warn!(cause = %crate::error::chain(&error), "closing the database failed");
        }
    }
}

/// Says in plain words that there is no such SQLite file.
fn check_there(url: &str) -> Result<()> {
    let options = SqliteConnectOptions::from_str(url).map_err(Error::internal)?;
    let file = options.get_filename();
    if file.is_file() || url.contains(":memory:") || url.contains("mode=memory") {
        return Ok(());
    }
    Err(Error::internal(format!("there is no database file {}", file.display())))
}

/// Says early and in plain words that a SQLite file cannot be written; the driver says only "code 14".
fn check_writable(url: &str) -> Result<()> {
    let options = SqliteConnectOptions::from_str(url).map_err(Error::internal)?;
    let file = options.get_filename();
    if url.contains(":memory:") || url.contains("mode=memory") || url.contains("mode=ro") {
        return Ok(());
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(Error::internal(format!("the folder of the database does not exist: {}", folder.display())));
    }
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .map(drop)
        .map_err(|error| Error::internal(format!("the database file {} cannot be written: {error}", file.display())))
}
