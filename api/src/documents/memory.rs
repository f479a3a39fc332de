//! The documents of this replica, the least recently used forgotten first.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Hash;
use crate::bounded::Bounded;

/// Bytes that all documents take at the most. Whoever sends endless documents only ever pushes out others.
pub(super) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// About what an entry takes beside its text: the hash, the links of the list, a slot of the table, the counters.
const OVERHEAD: usize = 200;

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) text: Arc<str>,
    /// When the shared store was last told.
    pub(super) shared_at: DateTime<Utc>,
}

/// The documents of this replica: bounded by count and by [`MAX_BYTES`].
#[derive(Debug)]
pub(super) struct Memory(Bounded<Hash, Entry>);

impl Memory {
    /// Room for `count` documents, at least one.
    pub(super) fn new(count: usize) -> Self {
        Self(Bounded::new(count, MAX_BYTES, |_, entry| entry.text.len() + OVERHEAD))
    }

    /// The document with this hash, which is the most recently used now.
    pub(super) fn get(&self, hash: &Hash) -> Option<Entry> {
        self.0.get(hash)
    }

    /// Keeps a document.
    pub(super) fn keep(&self, hash: Hash, text: &Arc<str>, now: DateTime<Utc>) {
        self.0.keep(&hash, Entry { text: Arc::clone(text), shared_at: now });
    }

    /// How many documents are kept, and how many bytes they take.
    #[cfg(test)]
    pub(super) fn used(&self) -> (usize, usize) {
        self.0.used()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn keep(memory: &Memory, text: &str) -> Hash {
        let hash = Hash::of(text);
        memory.keep(hash, &text.into(), NOW);
        hash
    }

    /// What is really kept, counted one by one.
    fn sum(memory: &Memory) -> usize {
        memory.0.sum()
    }

    /// The one that nobody asked for the longest goes first.
    #[test]
    fn the_least_recently_used_goes_first() {
        let memory = Memory::new(2);
        let (one, two) = (keep(&memory, "one"), keep(&memory, "two"));
        assert!(memory.get(&one).is_some());
        let three = keep(&memory, "three");
        let kept = [one, two, three].map(|hash| memory.get(&hash).map(|entry| entry.text.to_string()));
        assert_eq!(kept, [Some("one".to_owned()), None, Some("three".to_owned())]);
    }

    /// An attacker with endless small documents fills the count and no more; one in use all the while stays.
    #[test]
    fn endless_documents_only_evict() {
        let memory = Memory::new(1_000);
        let used = keep(&memory, "{ used }");
        for number in 0..100_000 {
            keep(&memory, &format!("{{ field{number} }}"));
            assert!(memory.get(&used).is_some());
        }
        let (count, bytes) = memory.used();
        assert_eq!((count, bytes), (1_000, sum(&memory)));
        assert!(bytes < 300_000, "{bytes}");
    }

    /// An attacker with the largest documents fills the bytes and no more, however many documents there may be.
    #[test]
    fn large_documents_are_bounded_by_their_bytes() {
        let memory = Memory::new(1_000_000);
        let used = keep(&memory, "{ used }");
        let filler: Arc<str> = "x".repeat(65_000).into();
        for number in 0..2_000_u32 {
            // Its real hash would take most of the test's time.
            memory.keep(Hash::of(&number.to_string()), &filler, NOW);
            assert!(memory.get(&used).is_some());
            assert!(memory.used().1 <= MAX_BYTES);
        }
        let (count, bytes) = memory.used();
        let size_of_used = "{ used }".len() + OVERHEAD;
        assert_eq!(bytes, sum(&memory));
        assert_eq!(count, 1 + (MAX_BYTES - size_of_used) / 65_200, "as many as fit");
    }

    /// The same document over and over takes its room once; one that can never fit pushes nobody out.
    #[test]
    fn replacing_and_refusing_change_no_count() {
        let memory = Memory::new(10);
        for _ in 0..100 {
            keep(&memory, "{ same }");
        }
        assert_eq!(memory.used(), (1, "{ same }".len() + OVERHEAD));
        keep(&memory, &"x".repeat(MAX_BYTES));
        assert_eq!(memory.used(), (1, "{ same }".len() + OVERHEAD));
    }
}
