//! The standby: a streaming replica of PostgreSQL that answers reads, where that is as good as asking the primary.
//!
//! It is as good when the standby has replayed the log up to every change that this server has made or heard of, for
//! the account that asks and for what all accounts read. `needed.rs` keeps that; `follow.rs` learns where both servers
//! are; `route.rs` decides for each statement. Three things must never happen:
//!
//! - A change is told to the cache before it is told here. Who reads after the cache has dropped an answer must not be
//!   led to a standby that still has the old one, which would be kept as the new one.
//! - A position is taken for replayed that is not. What is known of the standby is what it said last, which it has
//!   since passed; a standby whose connection was lost is believed only after it was asked anew.
//! - Something is written by way of a route, or read there in the course of a change.

mod follow;
mod lag;
mod metrics;
mod needed;
mod position;
mod route;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use entity::ids::AccountId;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use tokio::sync::{Notify, watch};

pub use position::{NoPosition, Position, Written};
pub(super) use route::Route;

use self::follow::Primary;
use self::lag::Lag;
use self::metrics::StandbyMetrics;
use self::needed::{Needed, Ticket};
use super::database::DatabaseSettings;
use super::gate::Gate;
use super::unfinished::Unfinished;
use super::watch::News;
use crate::error::{Error, Result};
use crate::metrics::Metrics;

/// How to reach the standby, and when it is too late.
#[derive(Clone, Debug)]
pub struct StandbySettings {
    /// `postgres://…`, which leads to one server.
    pub url: String,
    /// How far behind it may be and still be read.
    pub max_lag: Duration,
}

/// Why a statement goes to the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The standby does not answer.
    Down,
    /// It is no standby of the primary: promoted, of another system, database or timeline.
    Foreign,
    /// It is further behind than it may be.
    Late,
    /// Something changed, and where in the log is not known yet; or changes are not heard of.
    Unknown,
    /// It has not replayed what is needed.
    Behind,
    /// The operation has read from the primary already.
    Kept,
    /// It has not answered this statement.
    Failed,
}

impl Reason {
    fn label(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Foreign => "foreign",
            Self::Late => "late",
            Self::Unknown => "unknown",
            Self::Behind => "behind",
            Self::Kept => "kept",
            Self::Failed => "failed",
        }
    }
}

/// What is known of the standby.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// Goes up whenever the standby ceases to be believed: what began before counts no more.
    session: u64,
    /// When the session began.
    since: Instant,
    /// What it has replayed at least.
    replayed: Position,
    /// Why it is left out; `None` while it is read.
    out: Option<Reason>,
}

impl Standing {
    /// Whether a connection of this age was made in an earlier session, so that it may be dead.
    fn has_outlived(&self, age: Duration) -> bool {
        age > self.since.elapsed()
    }
}

/// The standby. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Standby(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: DatabaseConnection,
    gate: Gate,
    options: PgConnectOptions,
    max_lag: Duration,
    standing: watch::Sender<Standing>,
    needed: Mutex<Needed>,
    /// There is news, and the primary is to be asked.
    news: Notify,
    /// Somebody waits for the answer, so it is asked for at once.
    urgent: Notify,
    /// After which news the primary was asked last, and where it was.
    settled: watch::Sender<(Ticket, Position)>,
    /// The standby has failed somebody, and is to be asked now.
    doubt: Notify,
    /// The last session in which the pool had no connection for somebody in time.
    starved: Mutex<Option<u64>>,
    unfinished: Unfinished,
    /// Whether the primary can be asked.
    asks: AtomicBool,
    /// Everything before it in the log was heard of.
    heard: AtomicU64,
    primary: Mutex<Option<Primary>>,
    lag: Mutex<Lag>,
    metrics: StandbyMetrics,
}

impl Standby {
    /// A standby with a pool of its own, of the same size as the primary's. It is left out until [`Standby::follow`] has
    /// found it well. A connection to it is waited for less long than one to the primary, which can be asked instead.
    ///
    /// # Errors
    /// When the URL is not one of PostgreSQL.
    pub(super) fn open(settings: &StandbySettings, database: &DatabaseSettings, gate: &Gate) -> Result<Self> {
        // What the driver says of a bad URL does not repeat it.
        let options: PgConnectOptions = settings.url.parse().map_err(Error::internal)?;
        let mut options = options.disable_statement_logging();
        if let Some(time) = database.statement_timeout {
            options = options.options([("statement_timeout", time.as_millis().to_string())]);
        }
        let out =
            Standing { session: 0, since: Instant::now(), replayed: Position::default(), out: Some(Reason::Down) };
        let (standing, known) = watch::channel(out);
        let (taking, returning) = (known.clone(), known.clone());
        let unfinished = Unfinished::default();
        let dropped = unfinished.clone();
        let patience = database.acquire_timeout.min(follow::PATIENCE);
        let pool = PgPoolOptions::new()
            .max_connections(database.max_connections)
            .idle_timeout(database.idle_timeout)
            .max_lifetime(database.max_lifetime)
            .acquire_timeout(patience)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                // A server that crashed and is back may be further behind than it was.
                let floor = known.borrow().replayed;
                Box::pin(async move {
                    let replayed = follow::replayed(connection).await?;
                    let behind = || sqlx::Error::Protocol("the standby has fallen back".to_owned());
                    if replayed >= floor { Ok(()) } else { Err(behind()) }
                })
            })
            .before_acquire(move |_, connection| {
                let good = !taking.borrow().has_outlived(connection.age);
                Box::pin(async move { Ok(good) })
            })
            .after_release(move |connection, about| {
                let standing = *returning.borrow();
                let outlived = standing.has_outlived(about.age);
                let suspect = dropped.is_recent();
                let left = left(returning.clone(), standing.session);
                Box::pin(async move {
                    Ok(match (outlived, suspect) {
                        (true, _) => false,
                        (false, false) => true,
                        (false, true) => tokio::select! {
                            alive = connection.ping() => alive.is_ok(),
                            () = left => false,
                        },
                    })
                })
            })
            .connect_lazy_with(options.clone());
        Ok(Self(Arc::new(Inner {
            pool: SqlxPostgresConnector::from_sqlx_postgres_pool(pool),
            gate: gate.beside(database.max_connections, patience)?,
            options,
            max_lag: settings.max_lag,
            standing,
            needed: Mutex::default(),
            news: Notify::new(),
            urgent: Notify::new(),
            settled: watch::Sender::default(),
            doubt: Notify::new(),
            starved: Mutex::default(),
            unfinished,
            asks: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            primary: Mutex::default(),
            lag: Mutex::default(),
            metrics: StandbyMetrics::new()?,
        })))
    }

    /// The way of an operation of `account`, which reads nothing older than `at_least`.
    pub(super) fn route(&self, account: AccountId, at_least: Position) -> Route {
        Route::new(self.clone(), account, at_least)
    }

    /// Takes in what was heard from the database. To be called before anybody else is told.
    pub(super) fn hear(&self, news: &News) {
        match news {
            News::Payments(account, _) => {
                self.changed(Some(*account));
            }
            News::Commodities | News::Rates | News::Sources | News::NewRates(_) | News::Everything => {
                self.changed(None);
            }
            News::Lost => {
                lock(&self.0.needed).lost();
                self.0.heard.store(0, Ordering::SeqCst);
            }
            News::Regained => {
                lock(&self.0.needed).regained();
                self.0.news.notify_one();
            }
            News::Pulse(_) => {}
        }
    }

    /// Everything before `position` in the log was heard of.
    pub(super) fn heard_up_to(&self, position: Position) {
        self.0.heard.store(position.0, Ordering::SeqCst);
    }

    /// Whether this server has heard of everything before a position. Until then its cache may hold what is older.
    pub fn has_heard(&self, position: Position) -> bool {
        self.0.heard.load(Ordering::SeqCst) >= position.0
    }

    /// A change of an account was committed here. Returns a position behind the commit; `None` when the primary does not
    /// say in time. All who wait at once share one answer of the primary.
    pub(super) async fn wrote(&self, account: AccountId) -> Option<Position> {
        let ticket = self.changed(Some(account));
        if !self.0.asks.load(Ordering::SeqCst) {
            return None;
        }
        let mut settled = self.0.settled.subscribe();
        self.0.urgent.notify_one();
        let answer = tokio::time::timeout(follow::PATIENCE, settled.wait_for(|(asked, _)| *asked >= ticket)).await;
        answer.ok()?.ok().map(|settled| settled.1)
    }

    /// Something that all accounts read may have been committed here.
    pub(super) fn wrote_anything(&self) {
        self.changed(None);
    }

    fn changed(&self, account: Option<AccountId>) -> Ticket {
        let ticket = lock(&self.0.needed).changed(account);
        self.0.news.notify_one();
        ticket
    }

    /// The session of the standby when it may answer the next statement.
    fn session_for(&self, account: AccountId, at_least: Position) -> Result<u64, Reason> {
        let Standing { session, replayed, out, .. } = *self.0.standing.borrow();
        if let Some(reason) = out {
            return Err(reason);
        }
        if replayed < at_least {
            return Err(Reason::Behind);
        }
        lock(&self.0.needed).check(account, replayed)?;
        Ok(session)
    }

    /// Waits until what began in a session counts no more.
    fn left(&self, session: u64) -> impl Future<Output = ()> + use<> {
        left(self.0.standing.subscribe(), session)
    }

    /// The pool had no connection for somebody in time.
    fn starve(&self, session: u64) {
        *lock(&self.0.starved) = Some(session);
    }

    /// Whether that was in the present session.
    fn is_starved(&self) -> bool {
        let session = self.0.standing.borrow().session;
        *lock(&self.0.starved) == Some(session)
    }

    /// Registers its metrics.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn register(&self, metrics: &Metrics) -> Result<()> {
        self.0.metrics.register(metrics)
    }

    /// Brings the metrics up to date.
    pub fn measure(&self) {
        let Inner { metrics, standing, lag, .. } = &*self.0;
        metrics.used.set(standing.borrow().out.is_none().into());
        let lag = lock(lag);
        metrics.lag_bytes.set(i64::try_from(lag.bytes()).unwrap_or(i64::MAX));
        metrics.lag_seconds.set(lag.time(Instant::now()).as_secs_f64());
    }

    pub(super) async fn close(&self) {
        if let Err(error) = self.0.pool.clone().close().await {
            tracing::warn!(error = %crate::error::chain(&error), "closing the standby failed");
        }
    }
}

async fn left(mut standing: watch::Receiver<Standing>, session: u64) {
    // An error means that there is no standby any more; what began ends by itself.
    if standing.wait_for(|standing| standing.session != session).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
