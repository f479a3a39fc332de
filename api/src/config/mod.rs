//! Every setting, with its unit, its default and where it may come from.
//!
//! A flag wins over the environment, the environment over the configuration file, the file over the default.
//! Unknown keys are refused, and every bad value is reported by name, all at once.

mod assistant;
mod problems;
mod settings;

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;

pub use settings::{DEFAULT_FILE, FileError, Settings};

use crate::assistant::AssistantSettings;
use crate::cache::CacheSettings;
use crate::domain::duty::RupiahRounding;
use crate::guard::Limits;
use crate::rate_fetch::FetchSettings;
use crate::store::{DatabaseSettings, StandbySettings};
use crate::telemetry::traces::TraceSettings;
use problems::Problems;

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

/// How callers sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Where the keys are.
    pub keys: SignInKeys,
    /// The issuer that tokens must name.
    pub issuer: String,
    /// The audience that tokens must name.
    pub audience: String,
    /// By how much clocks may differ.
    pub leeway: Duration,
}

/// The keys that tokens are checked with. Each implies one algorithm; a token with another is refused.
#[derive(Clone, PartialEq, Eq)]
pub enum SignInKeys {
    /// HS256 with a shared secret.
    Secret(String),
    /// Public keys at an https URL or in a file.
    Jwks {
        /// The URL or the path.
        from: String,
        /// The algorithm that tokens must have.
        algorithm: JwksAlgorithm,
        /// After what time they are read again.
        refresh: Duration,
    },
}

/// The algorithms of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwksAlgorithm {
    /// RSA with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl JwksAlgorithm {
    /// The name of the algorithm in tokens and keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl std::fmt::Debug for SignInKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret(…)"),
            // The URL may hold a password.
            Self::Jwks { from: _, algorithm, refresh } => {
                f.debug_struct("Jwks").field("algorithm", algorithm).field("refresh", refresh).finish_non_exhaustive()
            }
        }
    }
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

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadValues(Vec<String>);

impl Settings {
    /// Checks all values.
    ///
    /// # Errors
    /// All bad values, each with its name.
    pub fn check(self) -> Result<Config, BadValues> {
        let mut problems = Problems::default();
        let assistant = assistant::read(&self, &mut problems);
        let sign_in = sign_in(&self, &mut problems);
        let traces = traces(&self, &mut problems);
        let standby = standby(&self, &mut problems);
        let local = sign_in.is_none();
        let listen: SocketAddr = problems.parse("listen", self.listen, "127.0.0.1:8080", |_| true, "ADDRESS:PORT");
        if local && !listen.ip().is_loopback() {
            problems.note(format!(
                "listen: {listen} is not a loopback address, and without sign-in only loopback is served"
            ));
        }
        let operations_listen = self.operations_listen.map(|text| {
            problems.parse("operations_listen", Some(text), "127.0.0.1:9090", |_: &SocketAddr| true, "ADDRESS:PORT")
        });
        if let Some(address) = operations_listen.filter(|address| local && !address.ip().is_loopback()) {
            problems.note(format!(
                "operations_listen: {address} is not a loopback address, and without sign-in only loopback is served"
            ));
        }
        let url = self.database_url.unwrap_or_else(|| "sqlite://dermaga.db".to_owned());
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            // The URL itself may hold a password, so it is not repeated.
            problems.note("database_url: expected sqlite://FILE or postgres://…".to_owned());
        }
        let mut database = DatabaseSettings::new(url);
        database.max_connections =
            problems.count("database_max_connections", self.database_max_connections, "10", 1..=1_000);
        database.acquire_timeout =
            problems.seconds("database_acquire_timeout", self.database_acquire_timeout, "5", 1..=3_600);
        database.min_connections =
            problems.count("database_min_connections", self.database_min_connections, "0", 0..=1_000);
        if database.min_connections > database.max_connections {
            problems.note("database_min_connections: more than database_max_connections".to_owned());
        }
        database.idle_timeout =
            problems.seconds("database_idle_timeout", self.database_idle_timeout, "600", 1..=86_400);
        database.max_lifetime =
            problems.seconds("database_max_lifetime", self.database_max_lifetime, "1800", 1..=86_400);
        let cache = CacheSettings {
            entries: problems.count("cache_entries", self.cache_entries, "100000", 1..=100_000_000),
            bytes: problems.count("cache_bytes", self.cache_bytes, "67108864", 65_536..=1_099_511_627_776),
            ttl: problems.seconds("cache_ttl", self.cache_ttl, "300", 1..=86_400),
            keep_late_fills: problems.switch("cache_late_fills", self.cache_late_fills.as_deref(), false),
        };
        let cache = problems.switch("cache", self.cache.as_deref(), true).then_some(cache);
        let redis = |url: &str| ["redis://", "redis+unix://"].iter().any(|scheme| url.starts_with(scheme));
        if self.redis_url.as_deref().is_some_and(|url| !redis(url)) {
            problems.note("redis_url: expected redis://HOST:PORT or redis+unix:///FILE".to_owned());
        }
        let rates_every = problems.seconds("rates_every", self.rates_every, "3600", 1..=604_800);
        let rates_fetch = self.rates_url.and_then(|text| {
            let url = text.parse::<reqwest::Url>().ok().filter(|url| ["http", "https"].contains(&url.scheme()));
            if url.is_none() {
                problems.note("rates_url: expected http://… or https://…".to_owned());
            }
            Some(FetchSettings { url: url?, every: rates_every })
        });
        let quota = Quota {
            cost: problems.count("quota_cost", self.quota_cost, if local { "0" } else { "1000000" }, 0..=1_000_000_000),
            window: problems.seconds("quota_window", self.quota_window, "60", 1..=86_400),
        };
        let ticker = problems.seconds("demo_ticker", self.demo_ticker, if local { "5" } else { "0" }, 0..=3_600);
        let slow_operation = problems.milliseconds("slow_operation", self.slow_operation, "1000", 0..=3_600_000);
        let truth = |local| if local { "true" } else { "false" };
        let config = Config {
            listen,
            operations_listen,
            database,
            standby,
            redis: self.redis_url.map(RedisUrl),
            redis_timeout: problems.milliseconds("redis_timeout", self.redis_timeout, "200", 1..=60_000),
            cache,
            demo_payments: problems.count(
                "demo_payments",
                self.demo_payments,
                if local { "1000" } else { "0" },
                0..=100_000_000,
            ),
            demo_ticker: Some(ticker).filter(|time| !time.is_zero()),
            rates_fetch,
            assistant,
            sign_in,
            allowed_origins: problems.origins("allowed_origins", self.allowed_origins),
            introspection: problems.truth("introspection", self.introspection, truth(local)),
            graphiql: problems.truth("graphiql", self.graphiql, truth(local)),
            subgraph: problems.truth("subgraph", self.subgraph, "false"),
            persisted_documents: problems.count("persisted_documents", self.persisted_documents, "1000", 0..=1_000_000),
            idempotency_retention: TimeDelta::hours(problems.count(
                "idempotency_retention",
                self.idempotency_retention,
                "72",
                24..=8_760,
            )),
            trusted_documents: self.trusted_documents.map(PathBuf::from),
            quota: Some(quota).filter(|quota| quota.cost > 0),
            batching: problems.switch("batching", self.batching.as_deref(), true),
            max_page_size: problems.count("max_page_size", self.max_page_size, "100", 1..=10_000),
            duty_rounding: problems.parse(
                "duty_rounding",
                self.duty_rounding,
                "none",
                |_| true,
                "none, nearest, up or down",
            ),
            limits: Limits {
                bytes: problems.count("max_document_bytes", self.max_document_bytes, "65536", 1..=1_000_000),
                tokens: problems.count("max_tokens", self.max_tokens, "1000", 1..=100_000),
                // Beyond 200 the parser comes near to the end of a thread's stack.
                nesting: problems.count("max_nesting", self.max_nesting, "40", 1..=200),
                operations: problems.count("max_operations", self.max_operations, "10", 1..=1_000),
                depth: problems.count("max_depth", self.max_depth, "20", 1..=30),
                fields: problems.count("max_fields", self.max_fields, "2000", 1..=100_000),
                aliases: problems.count("max_aliases", self.max_aliases, "100", 0..=100_000),
                directives: problems.count("max_directives", self.max_directives, "50", 0..=100_000),
                cost: problems.count("max_cost", self.max_cost, "20000", 1..=1_000_000_000),
            },
            transport: TransportLimits {
                body_bytes: problems.count("max_body_bytes", self.max_body_bytes, "1048576", 1..=16_777_216),
                batch: problems.count("max_batch", self.max_batch, "0", 0..=100),
                subscriptions: problems.count("max_subscriptions", self.max_subscriptions, "100", 1..=10_000),
                keep_alive: problems.seconds("keep_alive", self.keep_alive, "5", 1..=3_600),
                body_timeout: problems.seconds("body_timeout", self.body_timeout, "10", 1..=3_600),
                connection_init_timeout: problems.seconds(
                    "connection_init_timeout",
                    self.connection_init_timeout,
                    "10",
                    1..=3_600,
                ),
                operation_timeout: problems.seconds("operation_timeout", self.operation_timeout, "10", 1..=3_600),
            },
            workers: problems.count("workers", self.workers, "0", 0..=1_024),
            shutdown_timeout: problems.seconds("shutdown_timeout", self.shutdown_timeout, "30", 1..=3_600),
            slow_operation: Some(slow_operation).filter(|time| !time.is_zero()),
            profile_sample: NonZeroU64::new(problems.count(
                "profile_sample",
                self.profile_sample,
                "0",
                0..=1_000_000_000,
            )),
            traces,
            log: self.log.unwrap_or_else(|| "info,actix_server=warn,sea_orm_migration=warn".to_owned()),
            log_format: match self.log_format.as_deref() {
                None | Some("auto") => LogFormat::Auto,
                Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                Some(other) => {
                    problems.note(format!("log_format: expected auto, text or json, found {other:?}"));
                    LogFormat::Auto
                }
            },
        };
        problems.none().map(|()| config)
    }
}

/// Where traces are sent, and how many.
fn traces(settings: &Settings, problems: &mut Problems) -> Option<TraceSettings> {
    let share = |share: &f64| (0.0..=1.0).contains(share);
    let sample = problems.parse("trace_sample", settings.trace_sample.clone(), "1", share, "a share from 0 to 1");
    let service = settings.otlp_service_name.clone().filter(|name| !name.trim().is_empty());
    let service = service.unwrap_or_else(|| "dermaga".to_owned());
    let url = settings.otlp_endpoint.as_ref().filter(|text| !text.is_empty())?.parse::<reqwest::Url>().ok();
    // One that names a user is refused: keys go into OTEL_EXPORTER_OTLP_HEADERS. It is not repeated.
    let good = |url: &reqwest::Url| {
        ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none()
    };
    let endpoint = url.filter(good);
    if endpoint.is_none() {
        problems.note("otlp_endpoint: expected http://… or https://…, without a name and a password".to_owned());
    }
    Some(TraceSettings { endpoint: endpoint?, sample, service })
}

/// The standby: only beside a primary, and of the same kind.
fn standby(settings: &Settings, problems: &mut Problems) -> Option<StandbySettings> {
    let max_lag = problems.seconds("database_read_max_lag", settings.database_read_max_lag.clone(), "10", 1..=86_400);
    let url = settings.database_read_url.clone()?;
    let is_postgres = |url: &str| ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if !is_postgres(&url) {
        // The URL itself may hold a password, so it is not repeated.
        problems.note("database_read_url: expected postgres://…, a streaming replica of the database".to_owned());
    }
    if !settings.database_url.as_deref().is_some_and(is_postgres) {
        problems.note("database_read_url: only beside a database_url of PostgreSQL; SQLite has no replicas".to_owned());
    }
    Some(StandbySettings { url, max_lag })
}

/// How callers sign in: with the secret or with the public keys, and never with half of what either needs.
fn sign_in(settings: &Settings, problems: &mut Problems) -> Option<SignIn> {
    let leeway = problems.seconds("auth_leeway", settings.auth_leeway.clone(), "30", 0..=300);
    let refresh = problems.seconds("auth_jwks_refresh", settings.auth_jwks_refresh.clone(), "300", 1..=86_400);
    let algorithm = match settings.auth_algorithm.as_deref() {
        None | Some("RS256") => JwksAlgorithm::Rs256,
        Some("EdDSA") => JwksAlgorithm::EdDsa,
        Some(other) => {
            problems.note(format!("auth_algorithm: expected RS256 or EdDSA, found {other:?}"));
            JwksAlgorithm::Rs256
        }
    };
    let keys = match (&settings.auth_secret, &settings.auth_jwks) {
        (Some(_), Some(_)) => {
            problems.note("auth_secret, auth_jwks: give one of them".to_owned());
            None
        }
        (Some(secret), None) => {
            if secret.len() < 32 {
                problems.note("auth_secret: expected at least 32 bytes".to_owned());
            }
            if settings.auth_algorithm.is_some() {
                problems.note("auth_algorithm: only for auth_jwks; a secret means HS256".to_owned());
            }
            Some(SignInKeys::Secret(secret.clone()))
        }
        (None, Some(from)) => {
            if from.starts_with("http://") {
                problems.note("auth_jwks: expected an https URL or a file".to_owned());
            }
            Some(SignInKeys::Jwks { from: from.clone(), algorithm, refresh })
        }
        (None, None) => None,
    };
    let mut needed = |name: &str, value: &Option<String>| {
        let given = value.clone().filter(|text| !text.trim().is_empty());
        if keys.is_some() && given.is_none() {
            problems.note(format!("{name}: needed for sign-in"));
        }
        if keys.is_none() && given.is_some() {
            problems.note(format!("{name}: given without auth_secret or auth_jwks"));
        }
        given.unwrap_or_default()
    };
    let issuer = needed("auth_issuer", &settings.auth_issuer);
    let audience = needed("auth_audience", &settings.auth_audience);
    keys.map(|keys| SignIn { keys, issuer, audience, leeway })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The file that the repository shows users is understood, and says the defaults.
    #[test]
    fn the_default_file_holds_the_defaults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dermaga.default.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        // Every setting stands in it behind a `#`.
        let uncommented: String = text
            .lines()
            .filter_map(|line| line.strip_prefix("#"))
            .filter(|line| !line.starts_with(' '))
            .fold(String::new(), |all, line| all + line + "\n");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.toml");
        std::fs::write(&file, &uncommented).unwrap();
        let from_file = Settings::default().with_file(Some(&file)).unwrap();
        let default = format!("{:?}", Settings::default().check().unwrap());
        assert_eq!(format!("{:?}", from_file.check().unwrap()), default);
        assert_eq!(format!("{:?}", Settings::default().with_file(Some(&path)).unwrap().check().unwrap()), default);
    }

    /// An operator fixes all mistakes at once.
    #[test]
    fn every_bad_value_is_named() {
        let settings = Settings {
            listen: Some("0.0.0.0:8080".to_owned()),
            database_url: Some("mysql://root:secret@host".to_owned()),
            max_page_size: Some("0".to_owned()),
            graphiql: Some("maybe".to_owned()),
            slow_operation: Some("1s".to_owned()),
            profile_sample: Some("0.1".to_owned()),
            ..Settings::default()
        };
        let message = settings.check().unwrap_err().to_string();
        for name in ["listen", "database_url", "max_page_size", "graphiql", "slow_operation", "profile_sample"] {
            assert!(message.contains(name), "{name} in {message}");
        }
        assert!(!message.contains("secret"), "{message}");
    }

    /// Traces are off by default, and a receiver that cannot be meant is named without its password.
    #[test]
    fn traces_need_a_receiver() {
        let with = |endpoint: &str, sample: &str| Settings {
            otlp_endpoint: Some(endpoint.to_owned()),
            trace_sample: Some(sample.to_owned()),
            ..Settings::default()
        };
        assert_eq!(Settings::default().check().unwrap().traces, None);
        assert_eq!(with("", "1").check().unwrap().traces, None);
        let traces = with("http://localhost:4318", "0.25").check().unwrap().traces.unwrap();
        assert_eq!((traces.endpoint.as_str(), traces.service.as_str()), ("http://localhost:4318/", "dermaga"));
        assert!((0.24..0.26).contains(&traces.sample));
        for (endpoint, sample) in [("localhost:4318", "1"), ("http://a:secret@host", "1"), ("http://host", "2")] {
            let message = with(endpoint, sample).check().unwrap_err().to_string();
            assert!(message.contains("otlp_endpoint") || message.contains("trace_sample"), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    /// A standby of nothing is a mistake, and so is one that is no PostgreSQL.
    #[test]
    fn a_standby_stands_beside_postgresql() {
        let with = |database: Option<&str>, read: &str| {
            let settings = Settings {
                database_url: database.map(str::to_owned),
                database_read_url: Some(read.to_owned()),
                ..Settings::default()
            };
            settings.check().map_err(|error| error.to_string())
        };
        let primary = Some("postgres://primary/dermaga");
        let config = with(primary, "postgres://standby/dermaga").unwrap();
        assert!(config.database.standby.is_none(), "what only starts, imports or checks does not read it");
        assert_eq!(config.serving_database().standby.unwrap().max_lag, Duration::from_secs(10));
        for (database, read, words) in [
            (None, "postgres://standby/dermaga", "SQLite has no replicas"),
            (Some("sqlite://dermaga.db"), "postgres://standby/dermaga", "SQLite has no replicas"),
            (primary, "sqlite://secret.db", "expected postgres://"),
        ] {
            let message = with(database, read).unwrap_err();
            assert!(message.contains("database_read_url") && message.contains(words), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    /// A misspelt key does nothing, which is worse than an error.
    #[test]
    fn unknown_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bad.toml");
        std::fs::write(&file, "databse_url = \"sqlite://x.db\"\n").unwrap();
        let error = Settings::default().with_file(Some(&file)).unwrap_err();
        assert!(error.to_string().contains("databse_url"), "{error}");
        assert!(Settings::default().with_file(Some(&folder.path().join("none.toml"))).is_err());
    }
}
