//! The connection through which everything is read and written, and the meter that counts what it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::gate::Gate;

/// What one operation cost the database.
#[derive(Debug, Default)]
pub struct Meter {
    statements: AtomicU64,
    rows: AtomicU64,
    microseconds: AtomicU64,
    batches: Mutex<Vec<Batch>>,
    recorded: Option<Mutex<Vec<Statement>>>,
}

/// One call of a batch function.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The name of the loader.
    pub loader: &'static str,
    /// How many distinct keys it was asked for.
    pub keys: usize,
    /// From the call to its answer.
    pub took: Duration,
    /// Where the answers came from; nowhere when it failed.
    pub served: Served,
}

/// Where the answers of a batch came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// From the memory of this process.
    pub memory: usize,
    /// From Redis.
    pub shared: usize,
    /// From a request that was reading the same at the same time.
    pub joined: usize,
    /// From the database.
    pub database: usize,
}

impl Meter {
    /// A meter that also keeps the statements themselves, values included, so that they can be explained.
    pub fn recording() -> Self {
        Self { recorded: Some(Mutex::default()), ..Self::default() }
    }

    /// The statements so far, in the order in which they were sent; none unless the meter is recording.
    pub fn statements_run(&self) -> Vec<Statement> {
        let recorded = self.recorded.as_ref();
        recorded.map_or_else(Vec::new, |list| list.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Statements sent so far.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Rows received so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Time spent waiting for the database, summed over statements that may have run side by side.
    pub fn database_time(&self) -> Duration {
        Duration::from_micros(self.microseconds.load(Ordering::Relaxed))
    }

    /// The batches so far, in the order in which they ended.
    pub fn batches(&self) -> Vec<Batch> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a batch.
    pub fn record_batch(&self, batch: Batch) {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
    }

    pub(super) fn keep(&self, statement: &Statement) {
        if let Some(list) = &self.recorded {
            list.lock().unwrap_or_else(PoisonError::into_inner).push(statement.clone());
        }
    }

    pub(super) fn record_statement(&self, rows: usize, took: Duration) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.microseconds.fetch_add(took.as_micros().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// A connection pool or a transaction, with a meter before it.
#[derive(Clone, Debug)]
pub struct Reader {
    connection: Connection,
    meter: Arc<Meter>,
}

#[derive(Clone, Debug)]
enum Connection {
    Pool(DatabaseConnection, Gate),
    Transaction(Arc<DatabaseTransaction>),
}

impl Reader {
    pub(super) fn new(connection: DatabaseConnection, gate: Gate, meter: Arc<Meter>) -> Self {
        Self { connection: Connection::Pool(connection, gate), meter }
    }

    /// Runs everything in a transaction.
    pub(super) fn within(transaction: Arc<DatabaseTransaction>, meter: Arc<Meter>) -> Self {
        Self { connection: Connection::Transaction(transaction), meter }
    }

    /// What it has run.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}

/// Calls the method of whichever connection it is. A transaction has its connection; the pool's has to become free.
macro_rules! on {
    ($reader:expr, $connection:ident => $call:expr) => {
        match &$reader.connection {
            Connection::Pool($connection, gate) => match gate.enter().await {
                Ok(_permit) => $call,
                Err(error) => Err(error),
            },
            Connection::Transaction($connection) => $call,
        }
    };
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        match &self.connection {
            Connection::Pool(connection, _) => connection.get_database_backend(),
            Connection::Transaction(connection) => connection.get_database_backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.meter.keep(&statement);
        let start = Instant::now();
        let result = on!(self, connection => connection.execute_raw(statement).await);
        self.meter.record_statement(0, start.elapsed());
        result
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.meter.keep(&Statement::from_string(self.get_database_backend(), sql));
        let start = Instant::now();
        let result = on!(self, connection => connection.execute_unprepared(sql).await);
        self.meter.record_statement(0, start.elapsed());
        result
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.meter.keep(&statement);
        let start = Instant::now();
        let result = on!(self, connection => connection.query_one_raw(statement).await);
        self.meter.record_statement(usize::from(matches!(result, Ok(Some(_)))), start.elapsed());
        result
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.meter.keep(&statement);
        let start = Instant::now();
        let result = on!(self, connection => connection.query_all_raw(statement).await);
        self.meter.record_statement(result.as_ref().map_or(0, Vec::len), start.elapsed());
        result
    }
}
