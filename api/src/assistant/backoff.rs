//! How long is waited before a call is made again.

use std::time::Duration;

/// The longest pause before the second call; twice as long before each next one.
const FIRST: Duration = Duration::from_millis(200);

/// No pause is longer than this.
const LONGEST: Duration = Duration::from_secs(8);

/// The pause before try `next` (2 is the first that is made again): any part of a bound that doubles, so that many who
/// failed together do not come back together, and at least what the server asked for. `None` when it would not end
/// before the deadline.
pub fn pause(next: u32, random: u32, asked: Option<Duration>, left: Duration) -> Option<Duration> {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(next.saturating_sub(2)).unwrap_or(u32::MAX)).min(LONGEST);
    let pause = u64::try_from(doubled.as_micros()).unwrap_or(u64::MAX);
    let part = u128::from(pause) * u128::from(random) / u128::from(u32::MAX);
    let pause = Duration::from_micros(u64::try_from(part).unwrap_or(pause)).max(asked.unwrap_or_default());
    (pause < left).then_some(pause)
}

/// What a `Retry-After` header asks for, in seconds. Dates are not read: no such server sends them.
pub fn retry_after(header: &str) -> Option<Duration> {
    // OpenAI sends whole seconds, others a fraction.
    let (whole, fraction) = header.trim().split_once('.').unwrap_or((header.trim(), ""));
    let seconds: u64 = whole.parse().ok()?;
    let more = u64::from(!fraction.trim_matches('0').is_empty());
    Some(Duration::from_secs(seconds.saturating_add(more)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_spread_over_all_of_it() {
        let day = Duration::from_secs(86_400);
        for (next, longest) in [(2, 200), (3, 400), (4, 800), (7, 6_400), (9, 8_000), (u32::MAX, 8_000)] {
            assert_eq!(pause(next, 0, None, day), Some(Duration::ZERO));
            assert_eq!(pause(next, u32::MAX, None, day), Some(Duration::from_millis(longest)), "{next}");
            let half = pause(next, u32::MAX / 2, None, day).unwrap();
            assert!(half >= Duration::from_millis(longest / 2 - 1) && half <= Duration::from_millis(longest / 2));
        }
    }

    #[test]
    fn what_the_server_asks_for_is_honoured_and_no_deadline_is_slept_through() {
        let second = Duration::from_secs(1);
        assert_eq!(pause(2, 0, Some(second), 2 * second), Some(second));
        assert_eq!(pause(2, 0, Some(second), second), None);
        assert_eq!(pause(4, u32::MAX, None, Duration::from_millis(800)), None);
        assert_eq!(retry_after(" 2 "), Some(2 * second));
        assert_eq!(retry_after("0.5"), Some(second));
        assert_eq!(retry_after("1.0"), Some(second));
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }
}
