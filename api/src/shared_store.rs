//! Redis, when there is one: what replicas share.
//!
//! Nothing may depend on it. A fault is a miss: a call waits so long and no longer, and after the first fault
//! nobody asks again until Redis has answered in the background. A reply that is an error breaks nothing: it came
//! in time, so it is a miss of that call alone.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::config::RedisUrl;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::telemetry::traces::{KeyValue, Span, SpanKind};

/// What every key begins with. The number changes with the meaning of what is kept, so that releases that run side
/// by side do not misread each other.
pub const PREFIX: &str = "dermaga:1:";

/// How long the start waits for the first connection: nobody's request hangs on it.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Time between two attempts to reach Redis again.
const PAUSE: Duration = Duration::from_secs(1);

/// A connection that all share, with the breaker before it. Clones are the same one.
#[derive(Clone)]
pub struct SharedStore(Arc<Inner>);

struct Inner {
    client: Client,
    link: watch::Sender<Link>,
    /// Where connections live: a worker's own runtime may be busy, or end before the others.
    runtime: Handle,
    metrics: Metrics,
    /// How long a call waits at the most.
    wait: Duration,
    /// Whether an error reply was logged since the connection was made.
    complained: AtomicBool,
}

#[derive(Clone)]
enum Link {
    Down,
    Up { number: u64, connection: MultiplexedConnection },
}

impl Link {
    fn is(&self, wanted: u64) -> bool {
        matches!(self, Self::Up { number, .. } if *number == wanted)
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// With an answer.
    Answered,
    /// With an error reply.
    Refused,
    /// Without an answer: too late, or the connection broke.
    Failed,
    /// It was not made, or not waited for, since Redis does not answer.
    Skipped,
}

impl SharedStore {
    /// Connects. When Redis is not there that is logged and tried again in the background. No call waits longer than
    /// `wait`.
    ///
    /// # Errors
    /// When the URL is none of Redis.
    pub async fn open(url: &RedisUrl, wait: Duration, metrics: &Metrics) -> Result<Self> {
        // The error may repeat the URL, and that may hold a password.
        let client = Client::open(url.0.as_str()).map_err(|_| Error::internal("redis_url is not a URL of Redis"))?;
        let store = Self(Arc::new(Inner {
            client,
            link: watch::Sender::new(Link::Down),
            runtime: Handle::current(),
            metrics: metrics.clone(),
            wait,
            complained: AtomicBool::new(false),
        }));
        match connect(&store.0.client, FIRST_WAIT).await {
            Ok(connection) => store.0.up(1, connection),
            Err(error) => {
                store.0.metrics.shared_store_is_up(false);
                tracing::warn!(cause = %error, "Redis cannot be reached; going on without it until it can");
                store.0.runtime.spawn(recover(Arc::downgrade(&store.0), 2));
            }
        }
        Ok(store)
    }

    /// Asks Redis; `None` for any fault. `purpose` is the label in the metrics.
    pub async fn ask<T, F>(&self, purpose: &'static str, call: impl FnOnce(MultiplexedConnection) -> F) -> Option<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        self.ask_on(None, purpose, call).await.1
    }

    /// Like [`ask`](Self::ask), and says how the call ended; only on the connection with this number, when one is named.
    pub async fn ask_on<T, F>(
        &self,
        link: Option<u64>,
        purpose: &'static str,
        call: impl FnOnce(MultiplexedConnection) -> F,
    ) -> (Asked, Option<T>)
    where
        F: Future<Output = RedisResult<T>>,
    {
        let start = Instant::now();
        let span = if self.link().is_some() {
            Span::begin(SpanKind::Client, || format!("redis {purpose}").into())
        } else {
            Span::default()
        };
        span.set(|| [KeyValue::new("db.system.name", "redis"), KeyValue::new("dermaga.purpose", purpose)]);
        let (asked, answer) = Inner::ask(&self.0, link, call).await;
        match asked {
            Asked::Answered | Asked::Skipped => {}
            Asked::Refused => span.failed("error reply"),
            Asked::Failed => span.failed("no answer"),
        }
        self.0.metrics.shared_store_asked(purpose, asked, start.elapsed());
        (asked, answer)
    }

    /// The number of the connection, while there is one. No two connections have the same.
    pub fn link(&self) -> Option<u64> {
        match *self.0.link.borrow() {
            Link::Up { number, .. } => Some(number),
            Link::Down => None,
        }
    }

    /// Runs something beside all requests, where connections live.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.runtime.spawn(work);
    }

    /// Waits until Redis answers.
    pub async fn until_up(&self) {
        let mut link = self.0.link.subscribe();
        // The sender lives in `self`, so this cannot fail.
        let _ = link.wait_for(|link| matches!(link, Link::Up { .. })).await;
    }
}

impl Inner {
    async fn ask<T, F>(
        self: &Arc<Self>,
        wanted: Option<u64>,
        call: impl FnOnce(MultiplexedConnection) -> F,
    ) -> (Asked, Option<T>)
    where
        F: Future<Output = RedisResult<T>>,
    {
        let link = self.link.borrow().clone();
        let Link::Up { number, connection } = link else { return (Asked::Skipped, None) };
        if wanted.is_some_and(|wanted| wanted != number) {
            return (Asked::Skipped, None);
        }
        let mut others = self.link.subscribe();
        let answer = tokio::select! {
            biased;
            answer = tokio::time::timeout(self.wait, call(connection)) => answer,
            // Somebody else has waited long enough.
            _ = others.wait_for(|link| !link.is(number)) => return (Asked::Skipped, None),
        };
        match answer {
            Ok(Ok(answer)) => (Asked::Answered, Some(answer)),
            Ok(Err(error)) if is_reply(&error) => {
                if !self.complained.swap(true, Ordering::Relaxed) {
                    tracing::warn!(cause = %error, "Redis answers with an error; more of them are only counted");
                }
                (Asked::Refused, None)
            }
            Ok(Err(error)) => {
                self.down(number, &error.to_string());
                (Asked::Failed, None)
            }
            Err(_) => {
                self.down(number, "no answer in time");
                (Asked::Failed, None)
            }
        }
    }

    fn up(&self, number: u64, connection: MultiplexedConnection) {
        self.complained.store(false, Ordering::Relaxed);
        self.metrics.shared_store_is_up(true);
        self.link.send_replace(Link::Up { number, connection });
    }

    /// Opens the breaker, unless the connection that failed is an old one.
    fn down(self: &Arc<Self>, number: u64, cause: &str) {
        let changed = self.link.send_if_modified(|link| {
            let current = link.is(number);
            if current {
                *link = Link::Down;
            }
            current
        });
        if changed {
            self.metrics.shared_store_is_up(false);
            tracing::warn!(cause, "Redis does not answer; going on without it until it does");
            self.runtime.spawn(recover(Arc::downgrade(self), number + 1));
        }
    }
}

/// Tries to connect until it succeeds, or nobody is left to connect for.
async fn recover(store: Weak<Inner>, number: u64) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let Some(store) = store.upgrade() else { return };
        if let Ok(connection) = connect(&store.client, store.wait).await {
            tracing::info!("Redis answers");
            store.up(number, connection);
            return;
        }
    }
}

/// A connection that has answered.
async fn connect(client: &Client, wait: Duration) -> RedisResult<MultiplexedConnection> {
    // One time limit around everything, so none inside.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let connect = async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let answer: String = redis::cmd("PING").query_async(&mut connection).await?;
        if answer == "PONG" { Ok(connection) } else { Err((ErrorKind::Client, "this is not Redis").into()) }
    };
    let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    tokio::time::timeout(wait, connect).await.unwrap_or_else(late)
}

/// Whether Redis has answered, if only to say no. What it cannot do as a whole (it loads, it fails over, it does not
/// know us) is no such answer.
fn is_reply(error: &RedisError) -> bool {
    use redis::ServerErrorKind::{ExecAbort, NoPerm, NoScript, ReadOnly, ResponseError};
    match error.kind() {
        ErrorKind::UnexpectedReturnType | ErrorKind::Extension => true,
        ErrorKind::Server(kind) => matches!(kind, ResponseError | ExecAbort | NoScript | ReadOnly | NoPerm),
        _ => false,
    }
}

impl std::fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let up = matches!(*self.0.link.borrow(), Link::Up { .. });
        f.debug_struct("SharedStore").field("up", &up).finish_non_exhaustive()
    }
}
