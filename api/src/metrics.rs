//! What Prometheus is told, on a registry of its own.
//!
//! Labels take their values from this program, never from a client.

use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};

use async_graphql::parser::types::OperationType;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
    histogram_opts,
};

use crate::error::{Error, Result};
use crate::shared_store::Asked;
use crate::store::{Meter, Pool};

/// From half a millisecond, where cached answers are, to the ten seconds after which nobody waits.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Statements and keys are small counts; a thousand keys is the largest page there is by default.
const COUNTS: [f64; 10] = [1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 300.0, 1_000.0];

/// Rows: none of them where the cache answers, one of a single payment, thousands of a page with all that is below it.
const ROWS: [f64; 10] = [0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0];

/// All instruments.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    operations: IntCounterVec,
    duration: HistogramVec,
    slow_operations: IntCounterVec,
    errors: IntCounterVec,
    statements: HistogramVec,
    rows: HistogramVec,
    batch_keys: HistogramVec,
    connections: IntGaugeVec,
    running: IntGauge,
    shared_store_calls: IntCounterVec,
    shared_store_seconds: HistogramVec,
    shared_store_up: IntGaugeVec,
    websockets: IntGauge,
    websocket_closes: IntCounterVec,
    subscriptions: IntGaugeVec,
    newest_rate: IntGauge,
    rate_fetches: IntCounterVec,
}

/// What came of a fetch of rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// There were new or other rates.
    Changed,
    /// The file had nothing new.
    Unchanged,
    /// The file was the one that was seen last.
    NotModified,
    /// There was no file, or it was bad.
    Failed,
}

/// Something that is counted until it is dropped.
#[derive(Debug)]
pub struct Running(IntGauge);

impl Running {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Without an error.
    Success,
    /// With an error in some field.
    Partial,
    /// It did not run.
    Refused,
    /// The client left before it ended.
    Cancelled,
}

impl Outcome {
    /// Its name in metrics and in the log.
    pub fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Metrics {
    /// Instruments on a new registry.
    ///
    /// # Errors
    /// When two instruments have one name.
    pub fn new() -> Result<Self> {
        let registry = Registry::new();
        let histogram = |name: &str, help: &str, buckets: &[f64], labels: &[&str]| -> Result<HistogramVec> {
            let options: HistogramOpts = histogram_opts!(name, help, buckets.to_vec());
            register(&registry, HistogramVec::new(options, labels).map_err(Error::internal)?)
        };
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec> {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels).map_err(Error::internal)?)
        };
        let metrics = Self {
            operations: counter(
                "dermaga_operations_total",
                "GraphQL operations by type and outcome (success, partial, refused, cancelled).",
                &["type", "outcome"],
            )?,
            duration: histogram(
                "dermaga_operation_duration_seconds",
                "Time from the parsed HTTP request to the written answer.",
                &SECONDS,
                &["type"],
            )?,
            slow_operations: counter(
                "dermaga_slow_operations_total",
                "Operations, and events of subscriptions, that were logged as slow, by type.",
                &["type"],
            )?,
            errors: counter("dermaga_errors_total", "GraphQL errors by code.", &["code"])?,
            statements: histogram(
                "dermaga_operation_statements",
                "SQL statements that an operation ran.",
                &COUNTS,
                &["type"],
            )?,
            rows: histogram(
                "dermaga_operation_rows",
                "Rows that an operation received from the database.",
                &ROWS,
                &["type"],
            )?,
            batch_keys: histogram(
                "dermaga_batch_keys",
                "Distinct keys in one call of a loader's batch function.",
                &COUNTS,
                &["loader"],
            )?,
            connections: register(
                &registry,
                IntGaugeVec::new(
                    Opts::new("dermaga_database_connections", "Database connections by state (open, idle)."),
                    &["state"],
                )
                .map_err(Error::internal)?,
            )?,
            running: register(
                &registry,
                IntGauge::new("dermaga_operations_running", "Operations that run now, subscriptions included.")
                    .map_err(Error::internal)?,
            )?,
            shared_store_calls: counter(
                "dermaga_redis_calls_total",
                "Calls of Redis by purpose and outcome (answered, refused, failed, skipped).",
                &["purpose", "outcome"],
            )?,
            shared_store_seconds: histogram(
                "dermaga_redis_call_duration_seconds",
                "Time that calls of Redis took, by purpose; those that were skipped are not counted.",
                &SECONDS,
                &["purpose"],
            )?,
            shared_store_up: register(
                &registry,
                IntGaugeVec::new(Opts::new("dermaga_redis_up", "Whether Redis answers; missing without Redis."), &[])
                    .map_err(Error::internal)?,
            )?,
            websockets: register(
                &registry,
                IntGauge::new("dermaga_websockets_open", "Open WebSockets.").map_err(Error::internal)?,
            )?,
            websocket_closes: counter(
                "dermaga_websocket_closes_total",
                "WebSockets that ended, by the code they were closed with; gone when nobody was there to hear one.",
                &["code"],
            )?,
            subscriptions: register(
                &registry,
                IntGaugeVec::new(
                    Opts::new(
                        "dermaga_subscriptions_running",
                        "Running subscriptions by transport (websocket, event_stream, multipart).",
                    ),
                    &["transport"],
                )
                .map_err(Error::internal)?,
            )?,
            newest_rate: register(
                &registry,
                IntGauge::new(
                    "dermaga_newest_rate_timestamp_seconds",
                    "Start of the day of the newest reference rate; its age is time() minus this. 0 without rates.",
                )
                .map_err(Error::internal)?,
            )?,
            rate_fetches: counter(
                "dermaga_rate_fetches_total",
                "Fetches of rates by outcome (changed, unchanged, not_modified, failed); each try that fails counts.",
                &["outcome"],
            )?,
            registry,
        };
        let build = Opts::new("dermaga_build_info", "The version that runs; always 1.");
        let build = register(&metrics.registry, IntGaugeVec::new(build, &["version"]).map_err(Error::internal)?)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        metrics.registry.register(Box::new(ProcessCollector::for_self())).map_err(Error::internal)?;
        Ok(metrics)
    }

    /// Tells of something that counts elsewhere, and returns it.
    ///
    /// # Errors
    /// When something is told of under that name already.
    pub fn added<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C> {
        register(&self.registry, collector)
    }

    /// Notes the start of an operation.
    pub fn operation_started(&self) -> Running {
        Running::new(&self.running)
    }

    /// Notes the end of an operation.
    pub fn operation_ended(&self, kind: &str, outcome: Outcome, took: Duration, meter: &Meter) {
        self.operations.with_label_values(&[kind, outcome.label()]).inc();
        self.duration.with_label_values(&[kind]).observe(took.as_secs_f64());
        if outcome != Outcome::Refused {
            self.statements.with_label_values(&[kind]).observe(count(meter.statements()));
            self.rows.with_label_values(&[kind]).observe(count(meter.rows()));
        }
        for batch in meter.batches() {
            self.batch_keys.with_label_values(&[batch.loader]).observe(count(batch.keys as u64));
        }
    }

    /// Notes an operation that was slow.
    pub fn operation_was_slow(&self, kind: &str) {
        self.slow_operations.with_label_values(&[kind]).inc();
    }

    /// Notes an operation that did not run.
    pub fn refused(&self, code: &'static str, took: Duration) {
        self.error_shown(code);
        self.operation_ended("invalid", Outcome::Refused, took, &Meter::default());
    }

    /// Notes an error that a client was shown.
    pub fn error_shown(&self, code: &'static str) {
        self.errors.with_label_values(&[code]).inc();
    }

    /// Notes a call of Redis.
    pub fn shared_store_asked(&self, purpose: &'static str, asked: Asked, took: Duration) {
        if asked != Asked::Skipped {
            self.shared_store_seconds.with_label_values(&[purpose]).observe(took.as_secs_f64());
        }
        let outcome = match asked {
            Asked::Answered => "answered",
            Asked::Refused => "refused",
            Asked::Failed => "failed",
            Asked::Skipped => "skipped",
        };
        self.shared_store_calls.with_label_values(&[purpose, outcome]).inc();
    }

    /// Notes whether Redis answers.
    pub fn shared_store_is_up(&self, up: bool) {
        self.shared_store_up.with_label_values::<&str>(&[]).set(up.into());
    }

    /// Notes a WebSocket, for as long as the answer is kept.
    pub fn websocket_opens(&self) -> Running {
        Running::new(&self.websockets)
    }

    /// Notes why a WebSocket ended. `code` is one of the few that this program closes with.
    pub fn websocket_closes(&self, code: &str) {
        self.websocket_closes.with_label_values(&[code]).inc();
    }

    /// Notes a subscription, for as long as the answer is kept. Of other operations nothing is noted here.
    pub fn operation_followed(&self, transport: &'static str, kind: OperationType) -> Option<Running> {
        let followed = kind == OperationType::Subscription;
        followed.then(|| Running::new(&self.subscriptions.with_label_values(&[transport])))
    }

    /// Notes the day of the newest reference rate.
    pub fn newest_rate_is_from(&self, day: NaiveDate) {
        self.newest_rate.set(day.and_time(NaiveTime::MIN).and_utc().timestamp());
    }

    /// Notes a fetch of rates.
    pub fn rates_fetched(&self, fetched: Fetched) {
        let outcome = match fetched {
            Fetched::Changed => "changed",
            Fetched::Unchanged => "unchanged",
            Fetched::NotModified => "not_modified",
            Fetched::Failed => "failed",
        };
        self.rate_fetches.with_label_values(&[outcome]).inc();
    }

    /// All metrics in the text format of Prometheus.
    ///
    /// # Errors
    /// When a metric cannot be written as text.
    pub fn render(&self, pool: Pool) -> Result<String> {
        self.connections.with_label_values(&["open"]).set(pool.open.into());
        self.connections.with_label_values(&["idle"]).set(i64::try_from(pool.idle).unwrap_or(i64::MAX));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).map_err(Error::internal)?;
        String::from_utf8(text).map_err(Error::internal)
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C> {
    registry.register(Box::new(collector.clone())).map_err(Error::internal)?;
    Ok(collector)
}

/// A count for a histogram; exact up to 2^53, far beyond any count here.
#[allow(clippy::cast_precision_loss, reason = "a statistic, not money")]
fn count(number: u64) -> f64 {
    number as f64
}
