//! What is kept for a while, bounded by count, and made once for all who want it at the same time.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, watch};

use crate::bounded::Bounded;
use crate::cache::{Cache, Mark, Tag};
use crate::error::{Error, Result};
use crate::telemetry::traces::Span;

/// Bytes of an entry that are counted: all entries are taken for alike, and bounded by their count.
const ENTRY: usize = 1;

/// A bounded store whose entries go after some time.
#[derive(Debug)]
pub struct Kept<K, V> {
    entries: Bounded<K, (Instant, V)>,
    ttl: Duration,
}

impl<K: Hash + Eq + Clone + 'static, V: Clone + 'static> Kept<K, V> {
    /// Room for so many entries.
    pub fn new(entries: usize, ttl: Duration) -> Self {
        Self { entries: Bounded::new(entries, entries.max(1) * ENTRY, |_, _| ENTRY), ttl }
    }

    /// The entry of a key.
    pub fn get(&self, key: &K) -> Option<V> {
        let (until, value) = self.entries.get(key)?;
        (Instant::now() < until).then_some(value)
    }

    /// Keeps an entry.
    pub fn keep(&self, key: &K, value: V) {
        self.entries.keep(key, (Instant::now() + self.ttl, value));
    }
}

/// Where something came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was kept.
    Hit,
    /// Somebody else was making it.
    Joined,
    /// It was made.
    Miss,
}

impl Origin {
    /// Its name among the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Joined => "joined",
            Self::Miss => "miss",
        }
    }
}

/// What is being made, and since when.
type Flying<K> = (K, Option<Mark>);

/// What is made of the sources, kept until they change, and made once for all who want it at the same time.
#[derive(Debug)]
pub struct Made<K, V> {
    kept: Kept<K, (Mark, V)>,
    /// Together with the mark, so that nobody who has seen a change is given what was begun before it.
    under_way: Mutex<HashMap<Flying<K>, Arc<OnceCell<V>>>>,
    tags: &'static [Tag],
}

impl<K: Hash + Eq + Clone + 'static, V: Clone + 'static> Made<K, V> {
    /// Room for so many, which depend on these tags.
    pub fn new(entries: usize, ttl: Duration, tags: &'static [Tag]) -> Self {
        Self { kept: Kept::new(entries, ttl), under_way: Mutex::default(), tags }
    }

    /// What is kept under a key, or what is made, which is kept if `make` says so.
    ///
    /// # Errors
    /// What the making fails with.
    pub async fn get(
        &self,
        cache: &Cache,
        key: &K,
        make: impl AsyncFnOnce() -> Result<(V, bool)>,
    ) -> Result<(V, Origin)> {
        if let Some((mark, value)) = self.kept.get(key)
            && cache.is_current(mark, self.tags)
        {
            return Ok((value, Origin::Hit));
        }
        let mark = cache.mark();
        let flight = Flight { of: self, key: (key.clone(), mark) };
        let cell = Arc::clone(
            self.under_way.lock().unwrap_or_else(PoisonError::into_inner).entry(flight.key.clone()).or_default(),
        );
        let mut from = Origin::Joined;
        let made = cell.get_or_try_init(async || {
            from = Origin::Miss;
            let (value, keep) = make().await?;
            if let Some(mark) = mark.filter(|_| keep) {
                self.kept.keep(key, (mark, value.clone()));
            }
            Ok::<_, Error>(value)
        });
        let value = made.await.cloned();
        Ok((value?, from))
    }
}

/// Takes what is made off the list once nobody waits for it.
struct Flight<'a, K: Hash + Eq, V> {
    of: &'a Made<K, V>,
    key: Flying<K>,
}

impl<K: Hash + Eq, V> Drop for Flight<'_, K, V> {
    fn drop(&mut self) {
        let mut under_way = self.of.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        // The list has one, and whoever drops this had another, which is gone by now.
        if under_way.get(&self.key).is_some_and(|cell| Arc::strong_count(cell) == 1) {
            under_way.remove(&self.key);
        }
    }
}

/// Work under way, by its key. Whoever wants the same waits for it; it goes on when nobody waits any more.
#[derive(Debug)]
pub struct Flights<K, V>(Arc<Mutex<HashMap<K, watch::Receiver<V>>>>);

impl<K, V> Clone for Flights<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Takes the work off the list, however it ends.
struct Listed<K: Hash + Eq, V> {
    flights: Flights<K, V>,
    key: K,
}

impl<K: Hash + Eq, V> Drop for Listed<K, V> {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl<K: Hash + Eq + Clone + 'static, V: Clone + 'static> Flights<K, V> {
    /// Joins the work of a key, or begins it with `work`, which tells how far it is. Says whether it was joined.
    pub fn board<F: Future<Output = ()> + 'static>(
        &self,
        key: &K,
        start: V,
        work: impl FnOnce(watch::Sender<V>) -> F,
    ) -> (watch::Receiver<V>, bool) {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(receiver) = flights.get(key) {
            return (receiver.clone(), true);
        }
        let (sender, receiver) = watch::channel(start);
        flights.insert(key.clone(), receiver.clone());
        let listed = Listed { flights: self.clone(), key: key.clone() };
        // In the trace of the first who asks.
        let work = Span::current().around(work(sender));
        actix_web::rt::spawn(async move {
            let _listed = listed;
            work.await;
        });
        (receiver, false)
    }
}
