//! Public keys, read again from time to time.
//!
//! Requests are answered with the keys that are held, however old: keys that are due are read beside them, by one
//! task at a time. Only a token whose key is not held waits, for the reading that may bring it. That a reading
//! fails changes nothing but the log; a reading that succeeds replaces all keys, so that one that was removed
//! stops working.

mod keys;
mod source;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::config::JwksAlgorithm;
use crate::error::{Error, Result};
use keys::KeySet;
use source::Source;

pub(super) use source::shown;

/// The least time between readings that are not due: for a token whose key is unknown, and after a failure. A flood
/// of tokens with made-up keys then asks whoever serves the keys six times a minute.
const RETRY: TimeDelta = TimeDelta::seconds(10);

/// Public keys from a URL or a file.
pub(super) struct Jwks {
    source: Source,
    algorithm: JwksAlgorithm,
    refresh: TimeDelta,
    clock: Clock,
    held: Mutex<Held>,
    /// Locked as long as the keys are being read.
    reading: Arc<tokio::sync::Mutex<()>>,
}

struct Held {
    keys: Arc<KeySet>,
    /// When the last reading began.
    tried_at: DateTime<Utc>,
    /// Whether it failed.
    failing: bool,
}

impl Jwks {
    /// Reads the keys for the first time.
    ///
    /// # Errors
    /// When they cannot be read, or none can be used. The message names the source without its credentials.
    pub(super) async fn open(
        from: &str,
        algorithm: JwksAlgorithm,
        refresh: Duration,
        clock: Clock,
    ) -> Result<Arc<Self>> {
        let source =
            Source::new(from).map_err(|cause| Error::internal(format!("auth_jwks: {}: {cause}", shown(from))))?;
        Self::over(source, algorithm, refresh, clock).await
    }

    async fn over(source: Source, algorithm: JwksAlgorithm, refresh: Duration, clock: Clock) -> Result<Arc<Self>> {
        let fault = |cause: String| Error::internal(format!("auth_jwks: {source}: {cause}"));
        let tried_at = clock.now();
        let keys = source.read().await.and_then(|text| KeySet::parse(&text, algorithm)).map_err(fault)?;
        if keys.is_empty() {
            return Err(fault(format!("there is no key for {} in it", algorithm.name())));
        }
        Ok(Arc::new(Self {
            source,
            algorithm,
            refresh: TimeDelta::from_std(refresh).map_err(Error::internal)?,
            clock,
            held: Mutex::new(Held { keys: Arc::new(keys), tried_at, failing: false }),
            reading: Arc::default(),
        }))
    }

    /// The keys for a token that names the key `kid`. Waits only when that key is not held, and then for one
    /// reading at the most.
    pub(super) async fn current(self: &Arc<Self>, kid: Option<&str>) -> Arc<KeySet> {
        let (keys, due_after) = {
            let held = self.held();
            let due_after = if held.failing { self.refresh.min(RETRY) } else { self.refresh };
            (Arc::clone(&held.keys), due_after)
        };
        if keys.find(kid).is_some() {
            self.read_again(due_after);
            return keys;
        }
        self.read_again(due_after.min(RETRY));
        // Until whatever is being read is there.
        drop(self.reading.lock().await);
        Arc::clone(&self.held().keys)
    }

    /// Begins to read the keys, unless somebody does, or did less than `after` ago.
    fn read_again(self: &Arc<Self>, after: TimeDelta) {
        let now = self.clock.now();
        let recent = |held: &Held| held.tried_at <= now && now - held.tried_at < after;
        if recent(&self.held()) {
            return;
        }
        let Ok(reading) = Arc::clone(&self.reading).try_lock_owned() else { return };
        {
            // Somebody may have been quicker.
            let mut held = self.held();
            if recent(&held) {
                return;
            }
            held.tried_at = now;
        }
        let jwks = Arc::clone(self);
        // A task of its own: a caller that goes away must not take the reading with it.
        tokio::spawn(async move {
            jwks.read().await;
            drop(reading);
        });
    }

    async fn read(&self) {
        let result = self.source.read().await.and_then(|text| KeySet::parse(&text, self.algorithm));
        let mut held = self.held();
        match result {
            Ok(keys) => {
                if keys.is_empty() {
                    tracing::error!(source = %self.source, "there are no public keys any more: nobody can sign in");
                } else if held.failing {
                    tracing::info!(source = %self.source, "the public keys can be read again");
                }
                held.keys = Arc::new(keys);
                held.failing = false;
            }
            Err(cause) => {
                // Once, and not every few seconds.
                if !held.failing {
                    tracing::error!(source = %self.source, cause, "the public keys cannot be read; the old ones stay");
                }
                held.failing = true;
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Jwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwks").field("source", &self.source.to_string()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
