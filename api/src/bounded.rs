//! A store in memory that is bounded by count and by bytes; the least recently used goes first.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cached::{Cached, LruCache};

/// Keeps what was used last.
pub struct Bounded<K, V> {
    entries: Mutex<LruCache<K, V>>,
    size: fn(&K, &V) -> usize,
    /// What is in there. Changes only under the lock; the store's own evictions are told through a callback.
    bytes: Arc<AtomicUsize>,
    max_bytes: usize,
    count: usize,
}

impl<K: Hash + Eq + Clone + 'static, V: Clone + 'static> Bounded<K, V> {
    /// Room for `count` entries, at least one, that take `max_bytes` at the most, by what `size` says of each.
    pub fn new(count: usize, max_bytes: usize, size: fn(&K, &V) -> usize) -> Self {
        Self::telling(count, max_bytes, size, || {})
    }

    /// Like [`new`](Self::new), and tells of each entry that goes to make room.
    pub fn telling(
        count: usize,
        max_bytes: usize,
        size: fn(&K, &V) -> usize,
        gone: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let bytes = Arc::new(AtomicUsize::new(0));
        let freed = Arc::clone(&bytes);
        // Built small: the store takes all memory for its size at once.
        let mut entries = LruCache::builder()
            .max_size(1)
            .on_evict(move |key: &K, value: &V| {
                freed.fetch_sub(size(key, value), Ordering::Relaxed);
                gone();
            })
            .build()
            .unwrap_or_else(|_| LruCache::new(1));
        let count = count.max(1);
        entries.set_max_size(count);
        Self { entries: Mutex::new(entries), size, bytes, max_bytes, count }
    }

    /// The entry of a key, which is the most recently used now.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.lock().cache_get(key).cloned()
    }

    /// Keeps an entry, unless it is larger than all may be.
    pub fn keep(&self, key: &K, value: V) {
        let size = (self.size)(key, &value);
        if size > self.max_bytes {
            return;
        }
        let mut entries = self.lock();
        self.bytes.fetch_add(size, Ordering::Relaxed);
        if let Some(old) = entries.cache_set(key.clone(), value) {
            self.bytes.fetch_sub((self.size)(key, &old), Ordering::Relaxed);
        }
        // The store has no other way to give up its oldest entry.
        while self.bytes.load(Ordering::Relaxed) > self.max_bytes && entries.cache_size() > 1 {
            let fewer = entries.cache_size() - 1;
            entries.set_max_size(fewer);
        }
        entries.set_max_size(self.count);
    }

    /// How many entries are kept, and how many bytes they take.
    pub fn used(&self) -> (usize, usize) {
        let entries = self.lock();
        (entries.cache_size(), self.bytes.load(Ordering::Relaxed))
    }

    /// What is really kept, counted one by one.
    #[cfg(test)]
    pub(crate) fn sum(&self) -> usize {
        use cached::CachedIter;
        self.lock().iter().map(|(key, value)| (self.size)(key, value)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<K, V>> {
        // Nothing in here panics half-way, and what is lost is made again.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> std::fmt::Debug for Bounded<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.bytes.load(Ordering::Relaxed);
        f.debug_struct("Bounded").field("bytes", &bytes).field("count", &self.count).finish_non_exhaustive()
    }
}
