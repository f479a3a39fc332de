//! The connection through which everything is read and written, and the meter that counts what it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::gate::Gate;
use super::standby::Route;
use super::transaction::error_code;
use crate::telemetry::traces::{Span, count, statement};

/// What one operation, or one event of a subscription, cost the database.
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

    /// Begins at nothing again, for the next event of a subscription.
    pub fn reset(&self) {
        for counter in [&self.statements, &self.rows, &self.microseconds] {
            counter.store(0, Ordering::Relaxed);
        }
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).clear();
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
    /// The way to the standby, where one may answer.
    route: Option<Route>,
}

#[derive(Clone, Debug)]
enum Connection {
    Pool(DatabaseConnection, Gate),
    Transaction(Arc<DatabaseTransaction>, Gate),
}

impl Reader {
    pub(super) fn new(connection: DatabaseConnection, gate: Gate, meter: Arc<Meter>) -> Self {
        Self { connection: Connection::Pool(connection, gate), meter, route: None }
    }

    /// Reads from the standby where that is as good.
    pub(super) fn by(self, route: Option<Route>) -> Self {
        Self { route, ..self }
    }

    /// Reads from the primary alone.
    #[must_use]
    pub fn from_primary(self) -> Self {
        self.by(None)
    }

    /// Begins something new, which need not be as new as what was read before: the next event of a subscription.
    pub fn begin_afresh(&self) {
        if let Some(route) = &self.route {
            route.begin_afresh();
        }
    }

    /// Whether anything was read from the standby.
    pub fn has_read_standby(&self) -> bool {
        self.route.as_ref().is_some_and(Route::has_read_standby)
    }

    /// Runs everything in a transaction.
    pub(super) fn within(transaction: Arc<DatabaseTransaction>, gate: Gate, meter: Arc<Meter>) -> Self {
        Self { connection: Connection::Transaction(transaction, gate), meter, route: None }
    }

    /// What it has run.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    fn sent(&self, sql: &str) -> Sent<'_> {
        Sent::new(&self.meter, self.get_database_backend(), sql)
    }
}

/// A statement on its way: timed, and traced where the request is.
pub(super) struct Sent<'a> {
    meter: &'a Meter,
    start: Instant,
    span: Span,
}

impl<'a> Sent<'a> {
    pub(super) fn new(meter: &'a Meter, backend: DbBackend, sql: &str) -> Self {
        Self { meter, start: Instant::now(), span: statement::begin(backend, sql) }
    }

    /// It has a connection: what was waited for before is not the database's.
    fn connected(&self) {
        self.span.event("connection", || []);
    }

    /// It was answered with so many rows, or with an error.
    pub(super) fn answered(self, rows: usize, error: Option<&DbErr>) {
        self.meter.record_statement(rows, self.start.elapsed());
        match error {
            None => self.span.set(|| [count("db.response.returned_rows", rows)]),
            Some(error) => self.span.failed(error_code(error).unwrap_or_else(|| "_OTHER".to_owned())),
        }
    }
}

/// Calls the method of whichever connection it is, and waits for it as long as the database answers. A transaction has
/// its connection; the pool's has to become free.
macro_rules! on {
    ($reader:expr, $sent:expr, $connection:ident => $call:expr) => {
        match &$reader.connection {
            Connection::Pool($connection, gate) => match gate.enter().await {
                Ok(_permit) => {
                    $sent.connected();
                    gate.guard($call).await
                }
                Err(error) => Err(error),
            },
            Connection::Transaction($connection, gate) => gate.guard($call).await,
        }
    };
}

/// Reads from the standby where it may answer and does, and else as `on!` does.
macro_rules! read_on {
    ($reader:expr, $sent:expr, $statement:ident, $method:ident) => {{
        let answered = match $reader.route.as_ref().and_then(Route::choose) {
            Some(way) => {
                let statement = async {
                    let (_permit, connection) = way.enter().await?;
                    $sent.connected();
                    // The driver takes the statement with its values, and the primary may have to be asked the same.
                    connection.$method($statement.clone()).await
                };
                way.run(statement).await
            }
            None => None,
        };
        match answered {
            Some(result) => result,
            None => on!($reader, $sent, connection => connection.$method($statement)),
        }
    }};
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        match &self.connection {
            Connection::Pool(connection, _) => connection.get_database_backend(),
            Connection::Transaction(connection, _) => connection.get_database_backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.meter.keep(&statement);
        let sent = self.sent(&statement.sql);
        let result = on!(self, sent, connection => connection.execute_raw(statement));
        sent.answered(0, result.as_ref().err());
        result
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.meter.keep(&Statement::from_string(self.get_database_backend(), sql));
        let sent = self.sent(sql);
        let result = on!(self, sent, connection => connection.execute_unprepared(sql));
        sent.answered(0, result.as_ref().err());
        result
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.meter.keep(&statement);
        let sent = self.sent(&statement.sql);
        let result = read_on!(self, sent, statement, query_one_raw);
        sent.answered(usize::from(matches!(result, Ok(Some(_)))), result.as_ref().err());
        result
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.meter.keep(&statement);
        let sent = self.sent(&statement.sql);
        let result = read_on!(self, sent, statement, query_all_raw);
        sent.answered(result.as_ref().map_or(0, Vec::len), result.as_ref().err());
        result
    }
}
