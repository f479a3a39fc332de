//! When what last changed: the guard against late fills.
//!
//! A clock that counts changes. Whoever reads notes the time before it asks the database; whoever changes something
//! moves the clock on and notes the new time beside the tag, after the commit. An answer whose reading began before
//! its tag's last change may be old, and counts for nothing, whether it comes now or has been here for an hour.
//!
//! Tags share a table of fixed size. Two tags in one place drop each other's answers, which costs a read and no more.

use std::sync::atomic::{AtomicU64, Ordering};

use super::tag::Tag;

/// Places in the table: half a megabyte.
const PLACES: usize = 1 << 16;

/// A moment on the clock of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Moment(u64);

/// Where the times of a tag's changes are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u16);

impl From<&Tag> for Place {
    fn from(tag: &Tag) -> Self {
        // The upper bits: any sixteen of a good hash will do.
        Self((tag.number() >> 48) as u16)
    }
}

/// The clock and the table.
#[derive(Debug)]
pub(super) struct Generations {
    now: AtomicU64,
    /// When everything changed last.
    all: AtomicU64,
    places: Box<[AtomicU64]>,
    /// See [`super::CacheSettings::keep_late_fills`].
    keep_late_fills: bool,
}

impl Generations {
    pub(super) fn new(keep_late_fills: bool) -> Self {
        let places = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Self { now: AtomicU64::new(1), all: AtomicU64::new(0), places, keep_late_fills }
    }

    /// The time before a reading.
    pub(super) fn now(&self) -> Moment {
        Moment(self.now.load(Ordering::SeqCst))
    }

    /// Something changed just now.
    pub(super) fn raise(&self, tags: &[Tag]) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        for tag in tags {
            self.place(Place::from(tag)).fetch_max(now, Ordering::SeqCst);
        }
    }

    /// Everything may have changed just now.
    pub(super) fn raise_all(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.all.fetch_max(now, Ordering::SeqCst);
    }

    /// Whether what was read from `began` on is still so.
    pub(super) fn is_current(&self, began: Moment, place: Place) -> bool {
        began.0 >= self.place(place).load(Ordering::SeqCst) && began.0 >= self.all.load(Ordering::SeqCst)
    }

    /// The moment from which an answer counts that was read from `began` on: the guard, which the checker of
    /// staleness takes out to see what comes of it.
    pub(super) fn stamp(&self, began: Moment) -> Moment {
        if self.keep_late_fills { self.now() } else { began }
    }

    fn place(&self, place: Place) -> &AtomicU64 {
        // A `u16` is always a place.
        self.places.get(usize::from(place.0)).unwrap_or(&self.all)
    }
}

#[cfg(test)]
mod tests {
    use entity::ids::PaymentId;
    use uuid::Uuid;

    use super::*;

    fn tag(number: u128) -> Tag {
        Tag::Payment(PaymentId(Uuid::from_u128(number)))
    }

    /// The whole point: a reading that began before a change counts for nothing after it.
    #[test]
    fn what_was_read_before_a_change_is_not_current_after_it() {
        let generations = Generations::new(false);
        let (changed, other) = (tag(1), tag(2));
        let before = generations.now();
        assert!(generations.is_current(before, Place::from(&changed)));
        generations.raise(&[changed]);
        assert!(!generations.is_current(before, Place::from(&changed)));
        assert!(generations.is_current(before, Place::from(&other)));
        assert!(generations.is_current(generations.now(), Place::from(&changed)));

        let after = generations.now();
        generations.raise_all();
        assert!(!generations.is_current(after, Place::from(&other)));
        assert!(generations.is_current(generations.now(), Place::from(&other)));
    }

    /// Tags spread over the table; a thousand of them all in a few places would drop each other all the time.
    #[test]
    fn tags_are_spread() {
        let places: std::collections::HashSet<u16> = (0..1_000).map(|number| Place::from(&tag(number)).0).collect();
        assert!(places.len() > 950, "{} places", places.len());
    }
}
