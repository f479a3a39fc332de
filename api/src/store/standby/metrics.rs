//! What Prometheus is told of the standby.

use prometheus::{Gauge, IntCounterVec, IntGauge, Opts};

use super::Reason;
use crate::error::{Error, Result};
use crate::metrics::Metrics;

/// The instruments; on no registry until [`StandbyMetrics::register`].
#[derive(Clone, Debug)]
pub(super) struct StandbyMetrics {
    reads: IntCounterVec,
    pub(super) used: IntGauge,
    pub(super) lag_bytes: IntGauge,
    pub(super) lag_seconds: Gauge,
}

impl StandbyMetrics {
    pub(super) fn new() -> Result<Self> {
        let reads = Opts::new(
            "dermaga_standby_reads_total",
            "Statements of queries and subscriptions by where they were answered (from: standby, primary) and why: \
             visible (the standby has what is needed); behind (not yet), unknown (what is needed is not known yet), kept \
             (the operation had read from the primary before), late, down, foreign (the standby is left out), failed (the \
             standby did not answer this one).",
        );
        let gauge = |name: &str, help: &str| IntGauge::new(name, help).map_err(Error::internal);
        Ok(Self {
            reads: IntCounterVec::new(reads, &["from", "reason"]).map_err(Error::internal)?,
            used: gauge("dermaga_standby_used", "Whether the standby is read (1) or left out (0).")?,
            lag_bytes: gauge("dermaga_standby_lag_bytes", "Bytes of the log that the standby has not replayed.")?,
            lag_seconds: Gauge::new(
                "dermaga_standby_lag_seconds",
                "For how long the standby has been without something that is in the primary's log; 0 when it has all.",
            )
            .map_err(Error::internal)?,
        })
    }

    pub(super) fn register(&self, metrics: &Metrics) -> Result<()> {
        metrics.added(self.reads.clone())?;
        metrics.added(self.used.clone())?;
        metrics.added(self.lag_bytes.clone())?;
        metrics.added(self.lag_seconds.clone())?;
        Ok(())
    }

    /// A statement was answered by the standby.
    pub(super) fn read_from_standby(&self) {
        self.reads.with_label_values(&["standby", "visible"]).inc();
    }

    /// A statement went to the primary.
    pub(super) fn read_from_primary(&self, reason: Reason) {
        self.reads.with_label_values(&["primary", reason.label()]).inc();
    }
}
