//! How far the standby is behind.
//!
//! In bytes it is a difference of positions. In seconds it is the age of the oldest position of the primary that the
//! standby has not replayed: what `pg_last_xact_replay_timestamp` says grows while nobody writes, and compares the
//! clocks of two machines.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::position::Position;

/// Positions that are kept at the most. Of more every second one goes: a lag of hours need not be exact.
const MAX_SAMPLES: usize = 1_024;

/// How long ago a sample must be for the next one to be kept.
const APART: Duration = Duration::from_millis(100);

/// Where the primary was, and when: the oldest that the standby has not replayed comes first.
#[derive(Debug, Default)]
pub(super) struct Lag {
    samples: VecDeque<(Position, Instant)>,
    newest: Position,
    replayed: Position,
}

impl Lag {
    /// The primary is there now.
    pub(super) fn primary_at(&mut self, position: Position, now: Instant) {
        self.newest = position;
        let fresh = self.samples.back().is_none_or(|(last, at)| *last < position && now.duration_since(*at) >= APART);
        if position > self.replayed && fresh {
            if self.samples.len() >= MAX_SAMPLES {
                let mut even = false;
                self.samples.retain(|_| {
                    even = !even;
                    even
                });
            }
            self.samples.push_back((position, now));
        }
    }

    /// The primary is another one: where the one before was says nothing of its log.
    pub(super) fn begin_anew(&mut self) {
        self.samples.clear();
        self.newest = Position::default();
    }

    /// The standby has replayed the log up to there.
    pub(super) fn replayed(&mut self, position: Position) {
        self.replayed = position;
        while self.samples.front().is_some_and(|(sample, _)| *sample <= position) {
            self.samples.pop_front();
        }
    }

    /// Bytes of the log that the standby has not replayed, as far as the primary was asked.
    pub(super) fn bytes(&self) -> u64 {
        self.newest.0.saturating_sub(self.replayed.0)
    }

    /// For how long the standby has been behind, at least.
    pub(super) fn time(&self, now: Instant) -> Duration {
        self.samples.front().map_or(Duration::ZERO, |(_, at)| now.duration_since(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A standby that has everything is not behind, however long ago the last write was.
    #[test]
    fn silence_is_no_lag() {
        let (mut lag, start) = (Lag::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        lag.primary_at(Position(100), at(0));
        lag.replayed(Position(100));
        for second in 1..3_600 {
            lag.primary_at(Position(100), at(second));
        }
        assert_eq!((lag.bytes(), lag.time(at(3_600))), (0, Duration::ZERO));
    }

    /// The lag is as old as the oldest position that is missing, and shrinks as the standby catches up.
    #[test]
    fn lag_is_counted_from_what_is_missing() {
        let (mut lag, start) = (Lag::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in 0..10 {
            lag.primary_at(Position(100 + second * 10), at(second));
        }
        lag.replayed(Position(135));
        assert_eq!((lag.bytes(), lag.time(at(10))), (55, Duration::from_secs(6)));
        lag.replayed(Position(190));
        assert_eq!((lag.bytes(), lag.time(at(10))), (0, Duration::ZERO));
        // A standby that starts anew further back is behind again from the next sample on.
        lag.replayed(Position(100));
        lag.primary_at(Position(190), at(11));
        assert_eq!((lag.bytes(), lag.time(at(13))), (90, Duration::from_secs(2)));
    }

    /// A primary that was promoted may be behind the one before it: the standby does not wait for the end of a log that
    /// nobody writes any more.
    #[test]
    fn another_primary_is_another_log() {
        let (mut lag, start) = (Lag::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        lag.primary_at(Position(200), at(0));
        lag.replayed(Position(150));
        assert_eq!((lag.bytes(), lag.time(at(10))), (50, Duration::from_secs(10)));
        lag.begin_anew();
        assert_eq!((lag.bytes(), lag.time(at(10))), (0, Duration::ZERO));
        lag.primary_at(Position(160), at(11));
        assert_eq!((lag.bytes(), lag.time(at(12))), (10, Duration::from_secs(1)));
        lag.replayed(Position(160));
        assert_eq!((lag.bytes(), lag.time(at(3_600))), (0, Duration::ZERO));
    }

    /// Days of lag take no more memory than an hour does, and the oldest sample stays.
    #[test]
    fn samples_are_bounded() {
        let (mut lag, start) = (Lag::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in 0..200_000 {
            lag.primary_at(Position(1 + second), at(second));
        }
        assert!(lag.samples.len() <= MAX_SAMPLES);
        assert_eq!(lag.time(at(200_000)), Duration::from_secs(200_000));
    }
}
