//! Random numbers that are the same on every platform and in every release.
//!
//! The stream comes from ChaCha8, and every range is cut out of it here: `rand` may change how it cuts a
//! range from one release to the next.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Keeps the demo's streams apart from any other use of the same seed.
const DOMAIN: [u8; 24] = *b"dermaga demo payments v1";

/// The random numbers of one payment.
#[derive(Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of payment `n` of `seed`. No two pairs share a stream.
    pub(super) fn new(seed: u64, n: u64) -> Self {
        let mut key = [0; 32];
        let (low, high) = key.split_at_mut(8);
        low.copy_from_slice(&seed.to_le_bytes());
        high.copy_from_slice(&DOMAIN);
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_stream(n);
        Self(stream)
    }

    /// Sixty-four random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`, and 0 when `end` is 0. The bias is below one in 2^32 for the ranges in use.
    fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.bits()) * u128::from(end);
        // The upper half of a product with a 64-bit number fits 64 bits.
        (product >> 64) as u64
    }

    /// A number from `low` to `high`, both included; `low` when the range is empty.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let end = low.abs_diff(high).saturating_add(1);
        low.saturating_add_unsigned(self.below(end))
    }

    /// A position in a list of this length; 0 for an empty list.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True so many times in a thousand.
    pub(super) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One entry of a list, `fallback` for an empty one.
    pub(super) fn pick<T: Copy>(&mut self, list: &[T], fallback: T) -> T {
        let at = self.index(list.len());
        list.get(at).copied().unwrap_or(fallback)
    }

    /// One entry of a list of weights and entries, `fallback` for an empty one.
    pub(super) fn weighted<T: Copy>(&mut self, list: &[(u64, T)], fallback: T) -> T {
        let mut rest = self.below(list.iter().map(|(weight, _)| weight).sum());
        for (weight, entry) in list {
            if rest < *weight {
                return *entry;
            }
            rest -= weight;
        }
        fallback
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new release of the generator's crate must not change the demo data.
    #[test]
    fn the_stream_is_pinned() {
        let mut dice = Dice::new(1, 0);
        assert_eq!([dice.bits(), dice.bits()], [17_649_657_319_584_677_521, 1_500_052_863_023_962_705]);
    }

    #[test]
    fn pairs_of_seed_and_number_have_streams_of_their_own() {
        let mut first: Vec<_> = (0..50).flat_map(|seed| (0..50).map(move |n| Dice::new(seed, n).bits())).collect();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 2500);
    }

    #[test]
    fn ranges_hold_both_ends_and_nothing_else() {
        let mut dice = Dice::new(7, 7);
        let mut seen: Vec<_> = (0..500).map(|_| dice.between(-2, 3)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [-2, -1, 0, 1, 2, 3]);
        assert_eq!(dice.between(4, 4), 4);
        assert_eq!(dice.between(5, 4), 5);
    }

    #[test]
    fn weights_are_followed() {
        let mut dice = Dice::new(7, 8);
        let list = [(0, 'a'), (900, 'b'), (100, 'c')];
        let drawn: String = (0..1000).map(|_| dice.weighted(&list, 'z')).collect();
        let count = |letter| drawn.matches(letter).count();
        assert_eq!((count('a'), count('z')), (0, 0));
        assert!((50..150).contains(&count('c')), "{}", count('c'));
        assert_eq!(dice.pick(&[], 'z'), 'z');
    }
}
