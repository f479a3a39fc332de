//! Stops asking a server that has failed again and again, and tries it once now and then.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures one after the other that open it.
    pub failures: u32,
    /// How long it stays open before one call may try.
    pub pause: Duration,
}

/// Whether calls may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// They may.
    Closed,
    /// They may not.
    Open,
    /// One may, and is under way.
    Trying,
}

/// A breaker.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    clock: Clock,
    inner: Mutex<Inner>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Inner {
    failures: u32,
    opened: Option<DateTime<Utc>>,
    /// Since when one call tries.
    trying: Option<DateTime<Utc>>,
}

impl Breaker {
    /// A breaker that is closed.
    pub fn new(settings: BreakerSettings, clock: Clock) -> Self {
        Self { settings, clock, inner: Mutex::default() }
    }

    /// Whether a call may be made now. Who may, says afterwards what came of it.
    ///
    /// # Errors
    /// After what time it is worth asking again.
    pub fn enter(&self) -> Result<(), Duration> {
        let mut inner = self.lock();
        let Some(opened) = inner.opened else { return Ok(()) };
        let now = self.clock.now();
        // A call that tries and never says what came of it must not keep the breaker open for ever.
        let since = inner.trying.unwrap_or(opened);
        let left = self.pause() - (now - since);
        if left > TimeDelta::zero() {
            return Err(left.to_std().unwrap_or_default());
        }
        inner.trying = Some(now);
        Ok(())
    }

    /// A call succeeded.
    pub fn succeeded(&self) {
        *self.lock() = Inner::default();
    }

    /// A call failed in a way that is the server's fault.
    pub fn failed(&self) {
        let mut inner = self.lock();
        inner.failures = inner.failures.saturating_add(1);
        if inner.failures >= self.settings.failures {
            inner.opened = Some(self.clock.now());
            inner.trying = None;
        }
    }

    /// Whether calls may be made.
    pub fn state(&self) -> State {
        let inner = self.lock();
        match (inner.opened, inner.trying) {
            (None, _) => State::Closed,
            (Some(_), Some(_)) => State::Trying,
            (Some(_), None) => State::Open,
        }
    }

    fn pause(&self) -> TimeDelta {
        TimeDelta::from_std(self.settings.pause).unwrap_or(TimeDelta::MAX)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn it_opens_after_failures_and_one_call_tries() {
        let seconds = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&seconds);
        let clock = Clock::told_by(move || DateTime::from_timestamp(told.load(Ordering::SeqCst), 0).unwrap());
        let settings = BreakerSettings { failures: 3, pause: Duration::from_secs(30) };
        let breaker = Breaker::new(settings, clock);
        for _ in 0..2 {
            breaker.failed();
            assert_eq!(breaker.enter(), Ok(()));
        }
        breaker.succeeded();
        for _ in 0..3 {
            assert_eq!(breaker.state(), State::Closed);
            breaker.failed();
        }
        assert_eq!(breaker.state(), State::Open);
        seconds.store(10, Ordering::SeqCst);
        assert_eq!(breaker.enter(), Err(Duration::from_secs(20)));
        seconds.store(30, Ordering::SeqCst);
        assert_eq!(breaker.enter(), Ok(()), "one may try");
        assert_eq!(breaker.state(), State::Trying);
        assert_eq!(breaker.enter(), Err(Duration::from_secs(30)), "and no other");
        breaker.failed();
        assert_eq!(breaker.state(), State::Open);
        seconds.store(60, Ordering::SeqCst);
        assert_eq!(breaker.enter(), Ok(()));
        // Whoever tried has gone without a word.
        seconds.store(90, Ordering::SeqCst);
        assert_eq!(breaker.enter(), Ok(()));
        breaker.succeeded();
        assert_eq!((breaker.state(), breaker.enter()), (State::Closed, Ok(())));
    }
}
