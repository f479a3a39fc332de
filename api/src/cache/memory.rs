//! Answers in the memory of this process.

use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::CacheSettings;
use super::encoding::KeyBytes;
use super::generations::{Generations, Moment, Place};
use super::metrics::CacheMetrics;
use crate::bounded::Bounded;

/// Parts with a lock each, so that threads seldom wait for one another.
const PARTS: usize = 16;

/// What an entry takes beside its key and its value: the list and the table of the store.
const OVERHEAD: usize = 256;

/// How long it is remembered that there is nothing.
const ABSENT_TTL: Duration = Duration::from_secs(10);

/// An answer of any kind.
pub(super) type AnyAnswer = Arc<dyn Any + Send + Sync>;

/// An answer with what says whether it counts.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) answer: AnyAnswer,
    pub(super) began: Moment,
    pub(super) place: Place,
    weight: usize,
    until: Instant,
}

/// The store.
pub(super) struct Memory {
    parts: Vec<Bounded<KeyBytes, Entry>>,
    hasher: RandomState,
    ttl: Duration,
}

impl Memory {
    pub(super) fn new(settings: &CacheSettings, metrics: &CacheMetrics) -> Self {
        let parts = (0..PARTS).map(|_| {
            let (entries, bytes) = (settings.entries.div_ceil(PARTS), settings.bytes / PARTS);
            let size = |key: &KeyBytes, entry: &Entry| key.len() + entry.weight + OVERHEAD;
            let evictions = metrics.evictions.clone();
            Bounded::telling(entries, bytes, size, move || evictions.inc())
        });
        Self { parts: parts.collect(), hasher: RandomState::new(), ttl: settings.ttl }
    }

    /// The answer to a key, when it still counts.
    pub(super) fn get(&self, key: &KeyBytes, generations: &Generations) -> Option<AnyAnswer> {
        let entry = self.part(key)?.get(key)?;
        let counts = generations.is_current(entry.began, entry.place) && Instant::now() < entry.until;
        counts.then_some(entry.answer)
    }

    /// Keeps an answer that was read from `began` on.
    pub(super) fn keep(&self, key: &KeyBytes, answer: AnyAnswer, began: Moment, place: Place, size: Size) {
        let Some(part) = self.part(key) else { return };
        let ttl = if size.absent { self.ttl.min(ABSENT_TTL) } else { self.ttl };
        part.keep(key, Entry { answer, began, place, weight: size.weight, until: Instant::now() + ttl });
    }

    /// How many answers there are, and what they take.
    pub(super) fn used(&self) -> (usize, usize) {
        let used = self.parts.iter().map(Bounded::used);
        used.fold((0, 0), |(entries, bytes), (more, more_bytes)| (entries + more, bytes + more_bytes))
    }

    fn part(&self, key: &KeyBytes) -> Option<&Bounded<KeyBytes, Entry>> {
        // A remainder is small.
        self.parts.get((self.hasher.hash_one(key) % PARTS as u64) as usize)
    }
}

/// What is known of an answer beside itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) weight: usize,
    pub(super) absent: bool,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
