//! What is kept for a while, bounded by count, and made once for all who want it at the same time.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::bounded::Bounded;

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
        let work = work(sender);
        actix_web::rt::spawn(async move {
            let _listed = listed;
            work.await;
        });
        (receiver, false)
    }
}
