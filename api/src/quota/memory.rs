//! Buckets of this process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::{Level, Outcome, micros};
use crate::clock::Clock;
use crate::config::Quota;

/// Buckets that are remembered at the most. One takes some 200 bytes.
const MAX_BUCKETS: usize = 100_000;

/// The buckets that were touched of late.
///
/// A bucket that nobody touches for a window is full again and says nothing. So there are two generations: once a
/// window the younger one takes the place of the older, which is dropped. When too many come in one window the
/// same happens early, and those that were not touched for the longest are forgiven what they spent.
#[derive(Debug)]
pub(super) struct Memory {
    quota: Quota,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    young: HashMap<String, Level>,
    old: HashMap<String, Level>,
    /// When the younger generation began, in microseconds since 1970.
    since: i64,
}

impl Memory {
    pub(super) fn new(quota: Quota) -> Self {
        Self { quota, buckets: Mutex::default() }
    }

    /// Spends from both buckets or from none, and says at what time.
    pub(super) fn spend(&self, keys: &[String; 2], cost: u64, clock: &Clock) -> (Outcome, DateTime<Utc>) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked for under the lock, so that for the buckets time never runs backwards.
        let time = clock.now();
        let now = micros(time);
        buckets.age(now, self.quota);
        let mut levels = keys.each_ref().map(|key| buckets.level(key, now).at(now, self.quota));
        let spent = levels.iter().all(|level| level.spent.saturating_add(cost) <= self.quota.cost);
        if spent && cost > 0 {
            for (key, level) in keys.iter().zip(&mut levels) {
                level.spent += cost;
                buckets.put(key, *level, now);
            }
        }
        (Outcome { spent, levels }, time)
    }

    /// How many buckets are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.young.len() + buckets.old.len()
    }
}

impl Buckets {
    fn level(&self, key: &str, now: i64) -> Level {
        self.young.get(key).or_else(|| self.old.get(key)).copied().unwrap_or(Level { spent: 0, at: now })
    }

    fn put(&mut self, key: &str, level: Level, now: i64) {
        if let Some(known) = self.young.get_mut(key) {
            *known = level;
            return;
        }
        self.old.remove(key);
        if self.young.len() >= MAX_BUCKETS / 2 {
            self.old = std::mem::take(&mut self.young);
            self.since = now;
        }
        self.young.insert(key.to_owned(), level);
    }

    fn age(&mut self, now: i64, quota: Quota) {
        let window = quota.time_for(quota.cost);
        let age = now.saturating_sub(self.since);
        if age >= window.saturating_mul(2) {
            *self = Self { since: now, ..Self::default() };
        } else if age >= window {
            self.old = std::mem::take(&mut self.young);
            self.since = now;
        } else if age < 0 {
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use super::*;

    const QUOTA: Quota = Quota { cost: 10, window: Duration::from_secs(60) };

    fn keys(subject: u64, address: u64) -> [String; 2] {
        [format!("subject:{subject}"), format!("address:{address}")]
    }

    fn clock() -> (Clock, Arc<AtomicI64>) {
        let micros = Arc::new(AtomicI64::new(1_793_361_600_000_000));
        let told = Arc::clone(&micros);
        let tell = move || chrono::DateTime::from_timestamp_micros(told.load(Ordering::SeqCst)).unwrap();
        (Clock::told_by(tell), micros)
    }

    /// Both buckets have to have enough; when one has not, the other keeps what it has.
    #[test]
    fn both_or_none() {
        let (memory, (clock, _)) = (Memory::new(QUOTA), clock());
        assert!(memory.spend(&keys(1, 1), 8, &clock).0.spent);
        let (refused, _) = memory.spend(&keys(2, 1), 3, &clock);
        assert!(!refused.spent && refused.levels[0].spent == 0 && refused.levels[1].spent == 8, "{refused:?}");
        assert!(memory.spend(&keys(2, 2), 10, &clock).0.spent, "the second subject has all it had");
        assert!(memory.spend(&keys(3, 1), 2, &clock).0.spent, "and the first address");
        assert!(!memory.spend(&keys(4, 1), 1, &clock).0.spent);
    }

    /// An attacker with endless addresses takes up no more than the bound; what is full again is forgotten.
    #[test]
    fn endless_addresses_are_bounded() {
        let (memory, (clock, micros)) = (Memory::new(QUOTA), clock());
        for number in 0..300_000 {
            assert!(memory.spend(&keys(number, number), 10, &clock).0.spent);
        }
        assert!(memory.len() <= MAX_BUCKETS, "{}", memory.len());
        micros.fetch_add(120_000_000, Ordering::SeqCst);
        memory.spend(&keys(0, 0), 1, &clock);
        assert_eq!(memory.len(), 2);
    }

    /// What was spent is remembered until it is there again, over the change of generations too.
    #[test]
    fn nothing_is_forgotten_early() {
        let (memory, (clock, micros)) = (Memory::new(QUOTA), clock());
        let mut spent = 0;
        // Two and a half windows in steps of a second: ten at once, and one every six seconds.
        for _ in 0..150 {
            while memory.spend(&keys(1, 1), 1, &clock).0.spent {
                spent += 1;
            }
            micros.fetch_add(1_000_000, Ordering::SeqCst);
        }
        assert_eq!(spent, 10 + 149 / 6);
    }
}
