//! The way to a connection: as many at once as there are connections, in the order in which they came.
//!
//! The pool would let them wait too. Here it is known how long they did, and that it was for a connection and not for
//! the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::{Histogram, HistogramOpts};
use sea_orm::{ConnAcquireErr, DbErr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};

/// From where nobody waits to the five seconds after which nobody does any more.
const SECONDS: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0];

/// A gate in front of a pool.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    free: Arc<Semaphore>,
    patience: Duration,
    waits: Histogram,
}

impl Gate {
    pub(super) fn new(connections: u32, patience: Duration) -> Result<Self> {
        let options = HistogramOpts::new(
            "dermaga_database_wait_seconds",
            "Time that statements and transactions waited for a free database connection.",
        );
        let waits = Histogram::with_opts(options.buckets(SECONDS.to_vec())).map_err(Error::internal)?;
        let connections = usize::try_from(connections).map_err(Error::internal)?;
        Ok(Self { free: Arc::new(Semaphore::new(connections)), patience, waits })
    }

    /// Waits for a free connection. It is free again when the answer is dropped.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit, DbErr> {
        let start = Instant::now();
        let permit = tokio::time::timeout(self.patience, Arc::clone(&self.free).acquire_owned()).await;
        self.waits.observe(start.elapsed().as_secs_f64());
        let exhausted = || DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        permit.map_err(|_| exhausted())?.map_err(|_| exhausted())
    }

    pub(super) fn waits(&self) -> &Histogram {
        &self.waits
    }
}
