//! Whether the database answers at all. While it does not, nobody waits for it.
//!
//! A database that is gone refuses connections, which the pool tries again and again; one that hangs takes them, and
//! says nothing. Either way each request would wait out its time, and the next ones behind it. So whoever loses a
//! connection, or waits for longer than is usual, has the database asked on a connection of its own. When that gets no
//! answer either, the breaker opens: what waits is given up, and whatever comes is refused at once, until a further
//! question is answered. Requests are never used to find that out.
//!
//! SQLite is a file and has no breaker.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{ConnectOptions, Connection};
use sea_orm::{DbErr, RuntimeErr};
use tokio::sync::watch;

use super::transaction::{is_lost, is_unreachable, lost_connection};
use super::unfinished::Unfinished;

/// How long an answer may take before somebody asks whether there are any.
const SLOW: Duration = Duration::from_secs(1);

/// How long the answer to that may take. Connecting to a busy server takes a good part of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long is waited between two such questions.
const PAUSE: Duration = Duration::from_millis(500);

/// What whoever is refused hears.
const REFUSED: &str = "the database does not answer, and is not waited for";

/// Asks whether the database answers.
type Question = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// Lets work through to a database that answers.
#[derive(Clone, Debug)]
pub(super) struct Breaker(Option<Arc<Inner>>);

struct Inner {
    open: watch::Sender<bool>,
    question: Question,
    /// Answers so far, good and bad. One of them proves more than a question that got none.
    answers: AtomicU64,
    /// Whether the question is being asked.
    asking: AtomicBool,
    /// Since when connections are as good as new ones: those made before may be dead.
    trusted_since: Mutex<Option<Instant>>,
    unfinished: Unfinished,
}

/// Whether an error only says that nobody waits for the database, which was logged when that began.
pub fn is_refused(error: &DbErr) -> bool {
    matches!(error, DbErr::Conn(RuntimeErr::Internal(words)) if words == REFUSED)
}

fn refused() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(REFUSED.to_owned()))
}

impl Breaker {
    /// One that never opens.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// One that asks by connecting to the PostgreSQL server of this URL.
    ///
    /// # Errors
    /// When the URL is not understood.
    pub(super) fn postgres(url: &str) -> Result<Self, DbErr> {
        let options =
            PgConnectOptions::from_str(url).map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
        Ok(Self::with(Box::new(move || {
            let options = options.clone();
            Box::pin(async move {
                match tokio::time::timeout(PATIENCE, options.connect()).await {
                    Ok(Ok(connection)) => {
                        // Nothing depends on how it ends.
                        let _ = connection.close().await;
                        true
                    }
                    // A server that refuses for a reason of its own is there.
                    Ok(Err(error)) => !is_lost(&error),
                    Err(_) => false,
                }
            })
        })))
    }

    /// One that asks in this way.
    fn with(question: Question) -> Self {
        Self(Some(Arc::new(Inner {
            open: watch::Sender::new(false),
            question,
            answers: AtomicU64::new(0),
            asking: AtomicBool::new(false),
            trusted_since: Mutex::new(None),
            unfinished: Unfinished::default(),
        })))
    }

    /// Waits for the database, as long as it answers at all.
    ///
    /// # Errors
    /// What the work fails with, or that nobody waits any more.
    pub(super) async fn guard<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let Some(inner) = &self.0 else { return work.await };
        let mut open = inner.let_in()?;
        let mut work = std::pin::pin!(inner.unfinished.watch(work));
        let mut slow = std::pin::pin!(tokio::time::sleep(SLOW));
        loop {
            tokio::select! {
                biased;
                result = &mut work => {
                    inner.note(&result);
                    return result;
                }
                () = opened(&mut open) => return Err(refused()),
                () = &mut slow => {
                    inner.ask();
                    slow.as_mut().reset(tokio::time::Instant::now() + SLOW);
                }
            }
        }
    }

    /// Waits for something else than the database, as long as that answers. Nothing is learned from how it ends.
    ///
    /// # Errors
    /// What the work fails with, or that nobody waits any more.
    pub(super) async fn unless_open<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let Some(inner) = &self.0 else { return work.await };
        let mut open = inner.let_in()?;
        tokio::select! {
            biased;
            result = work => result,
            () = opened(&mut open) => Err(refused()),
        }
    }

    /// Whether a connection of this age was made before the database was last away, so that it may be dead.
    pub(super) fn has_outlived(&self, age: Duration) -> bool {
        let Some(inner) = &self.0 else { return false };
        *inner.open.borrow() || inner.trusted_since().is_some_and(|since| age > since.elapsed())
    }

    /// Whether a connection of this age that is given back is to be kept. One whose statement may have been dropped is
    /// waited for as long as the database answers at all: the statement still runs, so its place is not free before.
    pub(super) async fn takes_back(&self, connection: &mut PgConnection, age: Duration) -> bool {
        if self.has_outlived(age) {
            return false;
        }
        let suspect = self.0.as_ref().is_some_and(|inner| inner.unfinished.is_recent());
        let sign = async {
            let answer = connection.ping().await;
            answer.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))
        };
        !suspect || self.guard(sign).await.is_ok()
    }
}

/// Waits until the breaker opens.
async fn opened(open: &mut watch::Receiver<bool>) {
    // It ends with the breaker, which outlives whoever waits.
    while open.changed().await.is_ok() {
        if *open.borrow_and_update() {
            return;
        }
    }
}

impl Inner {
    /// Refuses whoever comes while it is open, and says when it opens.
    fn let_in(self: &Arc<Self>) -> Result<watch::Receiver<bool>, DbErr> {
        let mut open = self.open.subscribe();
        if *open.borrow_and_update() {
            // Somebody asks already, unless that one's thread has ended.
            self.ask();
            return Err(refused());
        }
        Ok(open)
    }

    /// Learns from what came of some work.
    fn note<T>(self: &Arc<Self>, result: &Result<T, DbErr>) {
        match result {
            Err(error) if is_unreachable(error) => {
                if lost_connection(error) {
                    self.distrust();
                }
                self.ask();
            }
            _ => {
                self.answers.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Has the database asked, unless it is being asked.
    fn ask(self: &Arc<Self>) {
        if !self.asking.swap(true, Ordering::AcqRel) {
            tokio::spawn(Asking(Arc::clone(self)).run());
        }
    }

    fn distrust(&self) {
        *self.trusted_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn trusted_since(&self) -> Option<Instant> {
        *self.trusted_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("open", &*self.open.borrow()).finish_non_exhaustive()
    }
}

/// The one who asks. When it ends early, as with the thread that runs it, another one may.
struct Asking(Arc<Inner>);

impl Asking {
    async fn run(self) {
        let inner = &self.0;
        if !*inner.open.borrow() {
            let answers = inner.answers.load(Ordering::Relaxed);
            if (inner.question)().await || inner.answers.load(Ordering::Relaxed) != answers {
                return;
            }
            inner.open.send_replace(true);
            tracing::warn!("the database does not answer; requests are refused until it does");
        }
        loop {
            tokio::time::sleep(PAUSE).await;
            if (inner.question)().await {
                break;
            }
        }
        // First this, so that nobody is let through to a dead connection.
        inner.distrust();
        inner.open.send_replace(false);
        tracing::info!("the database answers again");
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
