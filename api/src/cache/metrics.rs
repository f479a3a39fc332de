//! What Prometheus is told of the cache.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts};

use crate::error::{Error, Result};
use crate::metrics::Metrics;

#[derive(Clone, Debug)]
pub(super) struct CacheMetrics {
    /// By loader and by where the answer came from.
    pub(super) answers: IntCounterVec,
    pub(super) fills: IntCounter,
    pub(super) late_fills: IntCounter,
    pub(super) shared_fills: IntCounterVec,
    pub(super) evictions: IntCounter,
    pub(super) invalidations: IntCounterVec,
    pub(super) flushes: IntCounter,
    pub(super) entries: IntGauge,
    pub(super) bytes: IntGauge,
    pub(super) hears: IntGauge,
    pub(super) lag: Histogram,
}

impl CacheMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self> {
        let counter = |name: &str, help: &str| metrics.added(IntCounter::new(name, help).map_err(Error::internal)?);
        let gauge = |name: &str, help: &str| metrics.added(IntGauge::new(name, help).map_err(Error::internal)?);
        let counters = |name: &str, help: &str, labels: &[&str]| {
            metrics.added(IntCounterVec::new(Opts::new(name, help), labels).map_err(Error::internal)?)
        };
        // From a quarter of a millisecond, which a database on the same machine takes, to what counts as lost.
        let buckets = prometheus::exponential_buckets(0.000_25, 2.0, 14).map_err(Error::internal)?;
        let lag = HistogramOpts::new(
            "dermaga_cache_heard_seconds",
            "Seconds between a notification that this server sends itself through PostgreSQL and its hearing it; that a \
             look at a SQLite file takes.",
        );
        Ok(Self {
            answers: counters(
                "dermaga_cache_answers_total",
                "Keys asked for, by loader and by where the answer came from: memory, shared (Redis), joined (another \
                 request was reading it), database.",
                &["loader", "from"],
            )?,
            fills: counter("dermaga_cache_fills_total", "Answers that were kept in memory.")?,
            late_fills: counter(
                "dermaga_cache_late_fills_total",
                "Answers that were not kept, since what they depend on changed while they were read.",
            )?,
            shared_fills: counters(
                "dermaga_cache_shared_fills_total",
                "Answers for Redis, by outcome: sent, or dropped since too many were on their way.",
                &["outcome"],
            )?,
            evictions: counter("dermaga_cache_evictions_total", "Answers that made room for others in memory.")?,
            invalidations: counters(
                "dermaga_cache_invalidations_total",
                "Things that changed, by who said so: own (this server), heard (the database).",
                &["cause"],
            )?,
            flushes: counter("dermaga_cache_flushes_total", "How often everything was dropped.")?,
            entries: gauge("dermaga_cache_entries", "Answers in memory.")?,
            bytes: gauge("dermaga_cache_bytes", "Bytes that the answers in memory take, as estimated.")?,
            hears: gauge(
                "dermaga_cache_hears",
                "Whether the database tells of changes (1) or not (0); without, nothing is answered from the cache.",
            )?,
            lag: metrics.added(Histogram::with_opts(lag.buckets(buckets)).map_err(Error::internal)?)?,
        })
    }
}
