//! The way to a connection: as many at once as there are connections, in the order in which they came, and nobody while
//! the database does not answer.
//!
//! The pool would let them wait too. Here it is known how long they did, and that it was for a connection and not for
//! the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::{Histogram, HistogramOpts};
use sea_orm::{ConnAcquireErr, DbErr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::breaker::Breaker;
use crate::error::{Error, Result};

/// From where nobody waits to the five seconds after which nobody does any more.
const SECONDS: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0];

/// A gate in front of a pool.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    free: Arc<Semaphore>,
    patience: Duration,
    waits: Histogram,
    breaker: Breaker,
}

impl Gate {
    pub(super) fn new(connections: u32, patience: Duration, breaker: Breaker) -> Result<Self> {
        let options = HistogramOpts::new(
            "dermaga_database_wait_seconds",
            "Time that statements and transactions waited for a free database connection.",
        );
        let waits = Histogram::with_opts(options.buckets(SECONDS.to_vec())).map_err(Error::internal)?;
        let connections = usize::try_from(connections).map_err(Error::internal)?;
        Ok(Self { free: Arc::new(Semaphore::new(connections)), patience, waits, breaker })
    }

    /// A gate in front of another pool, with a patience of its own. What is waited there is told together with what is
    /// waited here.
    pub(super) fn beside(&self, connections: u32, patience: Duration) -> Result<Self> {
        let connections = usize::try_from(connections).map_err(Error::internal)?;
        Ok(Self { free: Arc::new(Semaphore::new(connections)), patience, breaker: Breaker::none(), ..self.clone() })
    }

    /// Waits for a free connection. It is free again when the answer is dropped.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit, DbErr> {
        let start = Instant::now();
        let exhausted = || DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        let permit = self.breaker.unless_open(async {
            let permit = tokio::time::timeout(self.patience, Arc::clone(&self.free).acquire_owned()).await;
            permit.map_err(|_| exhausted())?.map_err(|_| exhausted())
        });
        let permit = permit.await;
        self.waits.observe(start.elapsed().as_secs_f64());
        permit
    }

    /// Waits for what was asked of the database, as long as it answers at all.
    pub(super) async fn guard<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.breaker.guard(work).await
    }

    pub(super) fn waits(&self) -> &Histogram {
        &self.waits
    }
}
