//! The one place that opens a transaction, and ends it.
//!
//! A transaction that the database gave up for the sake of another is run again, a few times and counted. One
//! that fails in any other way leaves nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use prometheus::{IntCounterVec, Opts};
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::sqlite::{SqliteConnection, SqliteError};
use sea_orm::sqlx::{self, Connection};
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, RuntimeErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::gate::Gate;
use super::reader::{Meter, Reader, Sent};
use crate::error::{Error, Result};

/// SQLite's kinds of errors that a full disk causes.
const SQLITE_FULL: u32 = 13;
const SQLITE_IOERR: u32 = 10;

/// How often a transaction is tried in all.
const TRIES: u32 = 6;

/// What is waited before the second try, at the most; twice as much before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(4);

/// Whether an error says that the same transaction may well succeed when it is run again. It may even have succeeded:
/// whose connection is lost at the end never hears of it. So whatever is run again must see by itself whether it was
/// done before.
pub trait Transient {
    /// See the trait.
    fn is_transient(&self) -> bool;
}

/// Whether the database cannot be reached: a connection was lost, or none was to be had.
pub fn is_unreachable(error: &DbErr) -> bool {
    match driver_error(error) {
        Some(sqlx::Error::PoolTimedOut) => true,
        Some(error) => is_lost(error),
        None => matches!(error, DbErr::ConnectionAcquire(_)),
    }
}

/// Whether a connection was lost.
pub(super) fn lost_connection(error: &DbErr) -> bool {
    driver_error(error).is_some_and(is_lost)
}

/// Whether the database lacks what it needs: room on its disk, mostly. It answers, and may do the same later.
pub fn is_exhausted(error: &DbErr) -> bool {
    let Some(error) = driver_error(error).and_then(sqlx::Error::as_database_error) else { return false };
    let code = error.code();
    let code = code.as_deref().unwrap_or_default();
    match error.try_downcast_ref::<SqliteError>() {
        // The last byte is the kind: the disk is full, or what is written or read cannot be. Above it stands where.
        Some(_) => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, SQLITE_FULL | SQLITE_IOERR)),
        // PostgreSQL: no room on the disk, no memory, or no further connection.
        None => code.starts_with("53"),
    }
}

/// Whether a connection was lost.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    // A protocol error is what the driver says when the server ends in the middle of a message.
    let broken = matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed);
    let code = error.as_database_error().and_then(DatabaseError::code);
    // PostgreSQL: the connection is broken, or the server shuts down, crashes, or starts.
    broken || code.is_some_and(|code| code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03"))
}

/// Whether a standby gave a statement up for reasons of its own: its replay needed to go on, or it has no connection
/// left.
pub(super) fn is_given_up(error: &DbErr) -> bool {
    let code = driver_error(error).and_then(sqlx::Error::as_database_error).and_then(DatabaseError::code);
    code.is_some_and(|code| matches!(&*code, "40001" | "40P01" | "57P04" | "53300"))
}

fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// What a database calls an error: the SQLSTATE of PostgreSQL, the number of SQLite.
pub(super) fn error_code(error: &DbErr) -> Option<String> {
    let code = driver_error(error)?.as_database_error()?.code()?;
    Some(code.into_owned())
}

impl Transient for DbErr {
    fn is_transient(&self) -> bool {
        let Some(error) = driver_error(self) else { return false };
        let code = error.as_database_error().and_then(DatabaseError::code);
        // PostgreSQL: serialisation failure, deadlock, and a row that another transaction was first to insert, which
        // the next try will find. SQLite: busy in three ways, locked in two, and the like of that row in two.
        let gave_way = matches!(
            code.as_deref(),
            Some("40001" | "40P01" | "23505" | "5" | "261" | "517" | "6" | "262" | "1555" | "2067")
        );
        gave_way || is_lost(error)
    }
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Internal(cause) | Self::Unavailable(cause) => {
                cause.downcast_ref::<DbErr>().is_some_and(Transient::is_transient)
            }
            Self::Caller { .. } => false,
        }
    }
}

/// The one connection that writes to a SQLite file, and the turns on it. Waiting for a turn is fair and costs nothing;
/// SQLite's own way is to try again and again, and to fail whoever has no luck.
#[derive(Clone, Debug)]
struct Writer {
    connection: DatabaseConnection,
    turns: Arc<Semaphore>,
    replaced: Replaced,
}

/// How many connections to a SQLite file were replaced, since they could not be used any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Replaced(Arc<AtomicU32>);

impl Replaced {
    /// Whether the driver and SQLite agree on a connection that nobody uses: there is no transaction. An error such as
    /// a full disk ends a transaction by itself. The driver is not told, and would make each further transaction a part
    /// of that one, whose end never comes: what it commits would be lost.
    pub(super) fn is_sound(&self, connection: &SqliteConnection) -> bool {
        let sound = !connection.is_in_transaction();
        if !sound {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        sound
    }
}

/// Opens transactions.
#[derive(Clone, Debug)]
pub(super) struct Transactions {
    /// Where others read.
    connection: DatabaseConnection,
    gate: Gate,
    writer: Option<Writer>,
    patience: Duration,
    counter: IntCounterVec,
}

impl Transactions {
    /// Reads on `connection`, and writes on `writing` when that is given.
    pub(super) fn new(
        connection: DatabaseConnection,
        writing: Option<(DatabaseConnection, Replaced)>,
        gate: Gate,
        patience: Duration,
    ) -> Result<Self> {
        let options =
            Opts::new("dermaga_transactions_total", "Write transactions by outcome (committed, rolled_back, retried).");
        let counter = IntCounterVec::new(options, &["outcome"]).map_err(Error::internal)?;
        let turns = Arc::new(Semaphore::new(1));
        let writer = writing.map(|(connection, replaced)| Writer { connection, turns, replaced });
        Ok(Self { connection, gate, writer, patience, counter })
    }

    /// Where writes go: on SQLite one connection, and always the same.
    pub(super) fn writing(&self) -> &DatabaseConnection {
        self.writer.as_ref().map_or(&self.connection, |writer| &writer.connection)
    }

    /// A number that changes when another process, or another pool, writes to a SQLite file. 0 on PostgreSQL.
    pub(super) async fn writes_of_others(&self) -> Result<i64, DbErr> {
        let Some(writer) = &self.writer else { return Ok(0) };
        // While this process writes, nobody else does.
        let _turn = self.turn(writer).await?;
        let ask = Statement::from_string(DbBackend::Sqlite, "PRAGMA data_version");
        let row = writer.connection.query_one_raw(ask).await?;
        let version: i64 = row.ok_or_else(|| DbErr::Custom("no data_version".to_owned()))?.try_get_by_index(0)?;
        // Another connection counts from another number on, which may happen to be the same.
        Ok(version + (i64::from(writer.replaced.0.load(Ordering::Relaxed)) << u32::BITS))
    }

    /// Closes the connection that writes.
    pub(super) async fn close(&self) {
        if let Some(writer) = &self.writer {
            // It ends with the process at the latest.
            let _ = writer.connection.clone().close().await;
        }
    }

    /// How transactions ended.
    pub(super) fn counter(&self) -> &IntCounterVec {
        &self.counter
    }

    /// Runs `work` in a transaction once, and commits when it succeeds.
    pub(super) async fn once<T, E: From<DbErr>>(
        &self,
        work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let (transaction, _turn) = self.begin(self.for_writing()).await?;
        match work(&transaction).await {
            Ok(value) => {
                self.commit(transaction).await?;
                Ok(value)
            }
            Err(error) => {
                self.roll_back(transaction).await;
                Err(error)
            }
        }
    }

    /// Runs `work` in a transaction, and commits when it succeeds. It runs again when the database gave up for the
    /// sake of another transaction.
    pub(super) async fn retried<T, E: From<DbErr> + Transient>(
        &self,
        meter: &Arc<Meter>,
        work: impl AsyncFn(&Reader) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tries = 1;
        loop {
            let error = match self.attempt(meter, &work).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if tries == TRIES || !error.is_transient() {
                return Err(error);
            }
            self.counter.with_label_values(&["retried"]).inc();
            // Whoever collided must not collide again.
            let pause = FIRST_PAUSE * 2_u32.pow(tries - 1);
            tokio::time::sleep(part_of(pause)).await;
            tries += 1;
        }
    }

    async fn attempt<T, E: From<DbErr>>(
        &self,
        meter: &Arc<Meter>,
        work: impl AsyncFn(&Reader) -> Result<T, E>,
    ) -> Result<T, E> {
        let (transaction, _turn) = self.measured(meter, "BEGIN", self.begin(self.for_writing())).await?;
        let transaction = Arc::new(transaction);
        let result = work(&self.within(&transaction, meter)).await;
        // A reader that outlived the work would still write into the transaction: then nothing is committed.
        let transaction =
            Arc::into_inner(transaction).ok_or_else(|| DbErr::Custom("a transaction outlived its work".to_owned()))?;
        match result {
            Ok(value) => {
                self.measured(meter, "COMMIT", self.commit(transaction)).await?;
                Ok(value)
            }
            Err(error) => {
                self.measured(meter, "ROLLBACK", async {
                    self.roll_back(transaction).await;
                    Ok::<_, DbErr>(())
                })
                .await?;
                Err(error)
            }
        }
    }

    /// Runs `work` on one state of the database, whatever is written meanwhile.
    pub(super) async fn snapshot<T, E: From<DbErr>>(
        &self,
        meter: &Arc<Meter>,
        work: impl AsyncFnOnce(&Reader) -> Result<T, E>,
    ) -> Result<T, E> {
        // A transaction of SQLite sees one state in any case.
        let postgres = self.connection.get_database_backend() == DbBackend::Postgres;
        let options = TransactionOptions {
            isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: postgres.then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
        };
        let _permit = self.gate.enter().await?;
        let transaction = Arc::new(self.gate.guard(self.connection.begin_with_options(options)).await?);
        let result = work(&self.within(&transaction, meter)).await;
        if let Some(transaction) = Arc::into_inner(transaction) {
            // Nothing was written; what fails here ends with the connection.
            let _ = self.gate.guard(transaction.rollback()).await;
        }
        result
    }

    fn within(&self, transaction: &Arc<DatabaseTransaction>, meter: &Arc<Meter>) -> Reader {
        Reader::within(Arc::clone(transaction), self.gate.clone(), Arc::clone(meter))
    }

    fn for_writing(&self) -> TransactionOptions {
        // A deferred SQLite transaction that reads and then writes can fail as busy, however long it waits.
        TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        }
    }

    async fn begin(&self, options: TransactionOptions) -> Result<(DatabaseTransaction, OwnedSemaphorePermit), DbErr> {
        match &self.writer {
            None => {
                let permit = self.gate.enter().await?;
                Ok((self.gate.guard(self.connection.begin_with_options(options)).await?, permit))
            }
            Some(writer) => {
                let turn = self.turn(writer).await?;
                Ok((writer.connection.begin_with_options(options).await?, turn))
            }
        }
    }

    async fn turn(&self, writer: &Writer) -> Result<OwnedSemaphorePermit, DbErr> {
        let failed = || DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout);
        let turn = tokio::time::timeout(self.patience, Arc::clone(&writer.turns).acquire_owned()).await;
        turn.map_err(|_| failed())?.map_err(|_| failed())
    }

    async fn commit(&self, transaction: DatabaseTransaction) -> Result<(), DbErr> {
        let result = self.gate.guard(transaction.commit()).await;
        self.counter.with_label_values(&[if result.is_ok() { "committed" } else { "rolled_back" }]).inc();
        result
    }

    async fn roll_back(&self, transaction: DatabaseTransaction) {
        self.counter.with_label_values(&["rolled_back"]).inc();
        // The cause is what counts; a rollback that fails too ends with the connection.
        let _ = self.gate.guard(transaction.rollback()).await;
    }

    async fn measured<T>(
        &self,
        meter: &Meter,
        sql: &str,
        step: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        meter.keep(&Statement::from_string(self.connection.get_database_backend(), sql));
        let sent = Sent::new(meter, self.connection.get_database_backend(), sql);
        let result = step.await;
        sent.answered(0, result.as_ref().err());
        result
    }
}

/// Some part of a pause.
fn part_of(pause: Duration) -> Duration {
    let (_, random) = uuid::Uuid::now_v7().as_u64_pair();
    // Of the random bits 16 are more than enough.
    pause * u32::try_from(random & 0xffff).unwrap_or(0) / 0xffff
}
