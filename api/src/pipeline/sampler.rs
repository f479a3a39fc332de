//! Which operations are profiled though nobody asked.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Takes one in so many, by chance: with every tenth, a client that sends ten operations over and over would have the
/// same one profiled for ever.
#[derive(Debug)]
pub struct Sampler {
    one_in: Option<NonZeroU64>,
    count: AtomicU64,
    keys: RandomState,
}

impl Sampler {
    /// Takes one in `one_in`; none without.
    pub fn new(one_in: Option<NonZeroU64>) -> Self {
        Self { one_in, count: AtomicU64::new(0), keys: RandomState::new() }
    }

    /// Whether it ever takes one.
    pub fn is_on(&self) -> bool {
        self.one_in.is_some()
    }

    /// Whether the next one is taken.
    pub fn takes(&self) -> bool {
        let Some(one_in) = self.one_in else { return false };
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        self.keys.hash_one(number) % one_in == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(one_in: u64, of: usize) -> usize {
        let sampler = Sampler::new(NonZeroU64::new(one_in));
        (0..of).filter(|_| sampler.takes()).count()
    }

    /// The share is the one that was asked for: all, none, or about one in ten, at ten standard deviations.
    #[test]
    fn one_in_so_many_is_taken() {
        assert_eq!((taken(0, 1_000), taken(1, 1_000)), (0, 1_000));
        let some = taken(10, 100_000);
        assert!((9_000..11_000).contains(&some), "{some}");
    }

    /// Of operations that come in turns, each is taken now and then.
    #[test]
    fn turns_do_not_matter() {
        let sampler = Sampler::new(NonZeroU64::new(4));
        let mut taken = [0; 4];
        for number in 0..4_000 {
            taken[number % 4] += usize::from(sampler.takes());
        }
        assert!(taken.iter().all(|taken| (100..500).contains(taken)), "{taken:?}");
    }
}
