//! Positions in PostgreSQL's write-ahead log.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A position in the write-ahead log (LSN), in bytes since its beginning. Whoever has the log up to a position has
/// every commit before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub(super) u64);

/// A text that is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a position in the log, such as 16/B374D848")]
pub struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    /// As PostgreSQL writes it: two hexadecimal numbers of 32 bits with a slash between.
    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let half = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            if plain { u32::from_str_radix(digits, 16).ok() } else { None }
        };
        let (upper, lower) = text.split_once('/').ok_or(NoPosition)?;
        let (upper, lower) = half(upper).zip(half(lower)).ok_or(NoPosition)?;
        Ok(Self(u64::from(upper) << 32 | u64::from(lower)))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

/// The position after what one operation has committed: none as long as it has committed nothing, and none where there
/// is no standby.
#[derive(Clone, Debug, Default)]
pub struct Written(Arc<AtomicU64>);

impl Written {
    /// Notes a commit before `position`.
    pub fn note(&self, position: Position) {
        self.0.fetch_max(position.0, Ordering::SeqCst);
    }

    /// The position after everything that was noted.
    pub fn position(&self) -> Option<Position> {
        // No commit is at the very beginning of the log.
        Some(self.0.load(Ordering::SeqCst)).filter(|position| *position > 0).map(Position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positions are compared as numbers, and written as PostgreSQL writes them.
    #[test]
    fn positions_are_read_and_written() {
        for text in ["0/0", "0/3001210", "16/B374D848", "FFFFFFFF/FFFFFFFF"] {
            assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        }
        assert_eq!("a/b".parse::<Position>().unwrap().to_string(), "A/B");
        let ascending = ["0/9", "0/10", "9/FF", "10/0"].map(|text| text.parse::<Position>().unwrap());
        assert!(ascending.is_sorted());
        for text in ["", "/", "0", "0/", "/0", "+1/0", "0/ 1", "0/100000000", "x/0", "0/0/0", "-1/0"] {
            assert_eq!(text.parse::<Position>(), Err(NoPosition), "{text:?}");
        }
    }

    /// An operation that commits twice is visible after the second commit.
    #[test]
    fn the_last_commit_counts() {
        let written = Written::default();
        assert_eq!(written.position(), None);
        written.note(Position(7));
        written.clone().note(Position(5));
        assert_eq!(written.position(), Some(Position(7)));
    }
}
