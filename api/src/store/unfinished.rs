//! Statements that were dropped before their end, and the connections that they leave behind.
//!
//! The driver waits for a sign of life of each connection that is given back, and its place in the pool is taken until
//! then. After a statement that has ended this is one round trip. After one whose client has gone it takes as long as the
//! statement, and for ever when the server is not there any more. The pool is told nothing of that: a connection is
//! given back without a word of what it was used for. So it is noted here, and whoever takes connections back asks for
//! the sign of life first, with an end to it, for as long as the note is fresh; the others are spared a round trip.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long after a statement was dropped its connection may be given back: in a task of its own, which may have to wait
/// for its thread.
const FRESH: Duration = Duration::from_millis(100);

/// When a statement of a pool was dropped last. Clones are the same note.
#[derive(Clone, Debug, Default)]
pub(super) struct Unfinished(Arc<Mutex<Option<Instant>>>);

impl Unfinished {
    /// Runs a statement, and notes when it is dropped before its end.
    pub(super) async fn watch<T>(&self, statement: impl Future<Output = T>) -> T {
        let statement = std::pin::pin!(statement);
        // Dropped before the statement, which gives its connection back when it is dropped.
        let mut watched = Watched { unfinished: self, ended: false };
        let result = statement.await;
        watched.ended = true;
        result
    }

    /// Whether a connection that is given back now may be one whose statement was dropped.
    pub(super) fn is_recent(&self) -> bool {
        self.is_recent_at(Instant::now())
    }

    pub(super) fn is_recent_at(&self, now: Instant) -> bool {
        let dropped = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.is_some_and(|dropped| now.saturating_duration_since(dropped) < FRESH)
    }
}

/// A statement under way.
struct Watched<'a> {
    unfinished: &'a Unfinished,
    ended: bool,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if !self.ended {
            *self.unfinished.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};

    use futures_util::FutureExt;

    use super::*;

    /// A statement that has ended leaves nothing to be asked; one that was dropped does, for a moment.
    #[test]
    fn what_was_dropped_is_noted() {
        let (unfinished, start) = (Unfinished::default(), Instant::now());
        assert_eq!(unfinished.watch(ready(1)).now_or_never(), Some(1));
        assert!(!unfinished.is_recent_at(start));
        assert_eq!(unfinished.clone().watch(pending::<u8>()).now_or_never(), None);
        assert!(unfinished.is_recent_at(start));
        assert!(!unfinished.is_recent_at(Instant::now() + FRESH));
    }

    /// The connection of a statement that is dropped, which sees whether that was noted.
    struct Connection<'a> {
        unfinished: &'a Unfinished,
        noted: &'a Cell<bool>,
        start: Instant,
    }

    impl Drop for Connection<'_> {
        fn drop(&mut self) {
            self.noted.set(self.unfinished.is_recent_at(self.start));
        }
    }

    /// The note is there when the connection is given back.
    #[test]
    fn it_is_noted_before_the_connection_is_given_back() {
        let (unfinished, noted, start) = (Unfinished::default(), Cell::new(false), Instant::now());
        let statement = async {
            let _connection = Connection { unfinished: &unfinished, noted: &noted, start };
            pending::<()>().await;
        };
        assert_eq!(unfinished.watch(statement).now_or_never(), None);
        assert!(noted.get());
    }
}
