//! From the settings as they were given to those that are used.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;

use chrono::TimeDelta;

use super::problems::{BadValues, Problems};
use super::{Config, LogFormat, Quota, RedisUrl, Settings, TransportLimits, assistant, sign_in};
use crate::cache::CacheSettings;
use crate::guard::Limits;
use crate::rate_fetch::FetchSettings;
use crate::store::{DatabaseSettings, StandbySettings};
use crate::telemetry::traces::TraceSettings;

impl Settings {
    /// Checks all values.
    ///
    /// # Errors
    /// All bad values, each with its name.
    pub fn check(self) -> Result<Config, BadValues> {
        let mut problems = Problems::default();
        let assistant = assistant::read(&self, &mut problems);
        let sign_in = sign_in::read(&self, &mut problems);
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
