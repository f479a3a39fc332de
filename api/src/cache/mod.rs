//! The cached query layer, between the loaders and the store: fast, bounded, and never stale.
//!
//! A batch asks memory first, then Redis where there is one, and the database for what is still missing, once for
//! all who miss the same key at the same time. What makes that safe is in `generations.rs`: an answer carries the
//! moment at which its reading began, and counts only as long as nothing that it depends on changed since. A reader
//! that was overtaken by a write can therefore keep nothing. `shared.rs` does the same across replicas.
//!
//! Who changes something says so with [`Cache::changed`], after the commit and before the answer. What other
//! processes change is heard from the database ([`crate::store::watch`]); while the database cannot be heard, nothing
//! is answered from here.

mod answers;
mod encoding;
mod flights;
mod generations;
mod memory;
mod metrics;
mod policy;
mod shared;
mod tag;
mod weight;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use answers::answer;
pub use policy::{Codec, Policy};
pub use tag::Tag;
pub use weight::Weight;

use self::flights::Flights;
use self::generations::{Generations, Moment, Place};
use self::memory::Memory;
use self::metrics::CacheMetrics;
use self::shared::SharedLevel;
use crate::error::Result;
use crate::metrics::Metrics;
use crate::shared_store::SharedStore;

/// What the layer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// Answers in memory at the most.
    pub entries: usize,
    /// Bytes that they take at the most, as estimated.
    pub bytes: usize,
    /// How long an answer is kept at the most, though nothing changed.
    pub ttl: Duration,
    /// Whether an answer that was overtaken by a change is kept all the same. Only ever `true` to show that the
    /// checker of staleness finds what comes of it.
    pub keep_late_fills: bool,
}

/// Why answers were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// This server changed something.
    Own,
    /// The database told of a change.
    Heard,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Heard => "heard",
        }
    }
}

/// A moment before a reading: see [`Cache::mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark(Moment);

/// The layer. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Cache(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    memory: Memory,
    generations: Generations,
    flights: Flights,
    shared: Option<SharedLevel>,
    /// Whether the database tells of changes. While it does not, nothing is answered from here.
    hears: AtomicBool,
    metrics: CacheMetrics,
}

impl Cache {
    /// A layer with these bounds, over Redis too when it is given. It answers once [`Cache::regained`] was called.
    ///
    /// # Errors
    /// When its metrics are registered already.
    pub fn new(settings: &CacheSettings, shared: Option<SharedStore>, metrics: &Metrics) -> Result<Self> {
        let cache_metrics = CacheMetrics::new(metrics)?;
        Ok(Self(Some(Arc::new(Inner {
            memory: Memory::new(settings, &cache_metrics),
            generations: Generations::new(settings.keep_late_fills),
            flights: Flights::default(),
            shared: shared.map(|store| SharedLevel::new(store, settings.ttl, &cache_metrics)),
            hears: AtomicBool::new(false),
            metrics: cache_metrics,
        }))))
    }

    /// No layer at all: every load goes to the database.
    pub fn off() -> Self {
        Self(None)
    }

    /// Drops what depends on these. To be called after the commit, and after the way to a standby was told of it
    /// ([`crate::store::Database::wrote`]); when it returns, nothing older is answered here.
    pub async fn changed(&self, tags: &[Tag], cause: Cause) {
        let Some(inner) = &self.0 else { return };
        inner.metrics.invalidations.with_label_values(&[cause.name()]).inc_by(tags.len() as u64);
        inner.generations.raise(tags);
        if let Some(shared) = &inner.shared {
            shared.forget(tags).await;
            // Whoever read Redis in between, before it forgot, must not keep what it read.
            inner.generations.raise(tags);
        }
    }

    /// Drops everything. To be called after [`crate::store::Database::wrote_anything`] when something may have changed.
    pub async fn flush(&self) {
        let Some(inner) = &self.0 else { return };
        inner.metrics.flushes.inc();
        inner.generations.raise_all();
        if let Some(shared) = &inner.shared {
            shared.forget_all().await;
            inner.generations.raise_all();
        }
    }

    /// Drops what is in memory, and leaves Redis as it is: to see what comes from there.
    pub fn forget_memory(&self) {
        let Some(inner) = &self.0 else { return };
        inner.generations.raise_all();
    }

    /// A mark of now, for what is kept elsewhere and depends on tags; `None` while nothing may be kept.
    pub fn mark(&self) -> Option<Mark> {
        let inner = self.0.as_ref()?;
        inner.hears.load(Ordering::SeqCst).then(|| Mark(inner.generations.now()))
    }

    /// Whether what was read after the mark was made still counts.
    pub fn is_current(&self, mark: Mark, tags: &[Tag]) -> bool {
        let Some(inner) = &self.0 else { return false };
        inner.hears.load(Ordering::SeqCst)
            && tags.iter().all(|tag| inner.generations.is_current(mark.0, Place::from(tag)))
    }

    /// The database cannot be heard any more: nothing is answered from here until it can.
    pub fn lost(&self) {
        let Some(inner) = &self.0 else { return };
        inner.hears.store(false, Ordering::SeqCst);
        inner.metrics.hears.set(0);
    }

    /// The database can be heard. What was kept before is dropped.
    pub async fn regained(&self) {
        self.flush().await;
        let Some(inner) = &self.0 else { return };
        inner.hears.store(true, Ordering::SeqCst);
        inner.metrics.hears.set(1);
    }

    /// Brings the metrics up to date.
    pub fn measure(&self) {
        let Some(inner) = &self.0 else { return };
        let (entries, bytes) = inner.memory.used();
        inner.metrics.entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        inner.metrics.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Notes how long the database takes to tell of a change.
    pub fn heard_after(&self, lag: Duration) {
        let Some(inner) = &self.0 else { return };
        inner.metrics.lag.observe(lag.as_secs_f64());
    }
}
