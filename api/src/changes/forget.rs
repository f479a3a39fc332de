//! Old idempotency keys, and their end.

use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::shutdown::Stopping;
use crate::store::{Database, idempotency_keys};

/// How often old keys are removed. Every replica does it; whoever comes second finds none.
const EVERY: Duration = Duration::from_secs(600);

/// Keys removed in one transaction: a write that waits for it does not wait long.
const AT_ONCE: u32 = 1000;

/// Removes keys that are older than `retention`, from time to time, until the server stops.
pub async fn forget_keys(database: Database, clock: Clock, retention: TimeDelta, stopping: Stopping) {
    loop {
        // First of all: a start has better things to do.
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stopping.begun() => return,
        }
        match forget(&database, &clock, retention).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "old idempotency keys were removed"),
            Err(error) => tracing::warn!(cause = %error.chain(), "old idempotency keys could not be removed"),
        }
    }
}

/// Removes keys that are older than `retention`. Returns how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn forget(database: &Database, clock: &Clock, retention: TimeDelta) -> Result<u64> {
    let end = clock.now() - retention;
    let mut removed = 0;
    loop {
        let some = database.write(async |db| idempotency_keys::forget_before(db, end, AT_ONCE).await);
        let some = some.await.map_err(Error::from)?;
        removed += some;
        if some < u64::from(AT_ONCE) {
            return Ok(removed);
        }
    }
}
