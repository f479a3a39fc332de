//! Every setting, with its unit, its default and where it may come from.
//!
//! A flag wins over the environment, the environment over the configuration file, the file over the default.
//! Unknown keys are refused, and every bad value is reported by name, all at once.

mod assistant;
mod check;
mod problems;
mod settings;
mod sign_in;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;

pub use problems::BadValues;
pub use settings::{DEFAULT_FILE, FileError, Settings};
pub use sign_in::{JwksAlgorithm, SignIn, SignInKeys};

use crate::assistant::AssistantSettings;
use crate::cache::CacheSettings;
use crate::domain::duty::RupiahRounding;
use crate::guard::Limits;
use crate::rate_fetch::FetchSettings;
use crate::store::{DatabaseSettings, StandbySettings};
use crate::telemetry::traces::TraceSettings;

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where metrics and health are served, when not on the public port.
    pub operations_listen: Option<SocketAddr>,
    /// How to reach the database.
    pub database: DatabaseSettings,
    /// How to reach the standby that is read while the server serves.
    pub standby: Option<StandbySettings>,
    /// How to reach Redis.
    pub redis: Option<RedisUrl>,
    /// How long a request waits for Redis at the most.
    pub redis_timeout: Duration,
    /// What the cache may take; `None` for no cache.
    pub cache: Option<CacheSettings>,
    /// How many payments the demo account has.
    pub demo_payments: u64,
    /// How often a made-up rate is sent to subscribers; `None` for never.
    pub demo_ticker: Option<Duration>,
    /// Where reference rates are fetched; `None` for nowhere.
    pub rates_fetch: Option<FetchSettings>,
    /// What the assistant may do.
    pub assistant: AssistantSettings,
    /// How callers sign in; `None` for local mode.
    pub sign_in: Option<SignIn>,
    /// The other sites whose pages may send requests, as they stand in `Origin`.
    pub allowed_origins: Vec<String>,
    /// Whether the schema can be asked for.
    pub introspection: bool,
    /// Whether GraphiQL is served.
    pub graphiql: bool,
    /// Whether the schema is an Apollo Federation subgraph.
    pub subgraph: bool,
    /// How many documents are kept for clients that send a hash in their place.
    pub persisted_documents: usize,
    /// How long the idempotency key of a mutation is kept.
    pub idempotency_retention: TimeDelta,
    /// The file of the only documents that may run.
    pub trusted_documents: Option<PathBuf>,
    /// What one subject or address may spend.
    pub quota: Option<Quota>,
    /// Rows in a page at the most.
    pub max_page_size: u32,
    /// Loads the keys of an operation in batches.
    pub batching: bool,
    /// How duty and levy are rounded to whole rupiah.
    pub duty_rounding: RupiahRounding,
    /// What one document may ask for.
    pub limits: Limits,
    /// What one connection may take.
    pub transport: TransportLimits,
    /// Threads that answer requests.
    pub workers: usize,
    /// How long running requests get to end.
    pub shutdown_timeout: Duration,
    /// How long an operation takes that is logged as slow; `None` for none.
    pub slow_operation: Option<Duration>,
    /// One in how many operations is profiled for the log; `None` for none.
    pub profile_sample: Option<NonZeroU64>,
    /// Where traces are sent; `None` for nowhere.
    pub traces: Option<TraceSettings>,
    /// What is logged.
    pub log: String,
    /// How the log is written.
    pub log_format: LogFormat,
}

/// The URL of Redis, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(pub String);

impl std::fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisUrl(…)")
    }
}

/// What one subject or address may spend in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The cost in all.
    pub cost: u64,
    /// How long a window is.
    pub window: Duration,
}

/// What one connection may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportLimits {
    /// Bytes of a body or of a WebSocket message.
    pub body_bytes: usize,
    /// Requests in a JSON array; 0 for no arrays.
    pub batch: usize,
    /// Running operations on one WebSocket.
    pub subscriptions: usize,
    /// How long a connection may be idle between two requests.
    pub keep_alive: Duration,
    /// How long a client may take to send its body.
    pub body_timeout: Duration,
    /// How long a WebSocket may wait before its `connection_init`.
    pub connection_init_timeout: Duration,
    /// How long one operation may run.
    pub operation_timeout: Duration,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// The database as the server uses it: with its standby, and no statement outlives the operation that asked for it
    /// by much.
    pub fn serving_database(&self) -> DatabaseSettings {
        let statement_timeout = Some(self.transport.operation_timeout + Duration::from_secs(1));
        DatabaseSettings { statement_timeout, standby: self.standby.clone(), ..self.database.clone() }
    }
}
