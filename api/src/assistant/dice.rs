//! The only place where the assistant gets chance from.

use std::sync::Arc;

/// Gives numbers, each as likely as any other.
#[derive(Clone)]
pub struct Dice(Arc<dyn Fn() -> u32 + Send + Sync>);

impl Dice {
    /// By chance.
    pub fn system() -> Self {
        Self(Arc::new(|| {
            use std::hash::{BuildHasher, RandomState};
            // Each has keys of its own, that nobody outside knows.
            let number = RandomState::new().hash_one(0_u8);
            u32::try_from(number >> 32).unwrap_or(u32::MAX)
        }))
    }

    /// As `roll` says, for tests.
    pub fn told_by(roll: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        Self(Arc::new(roll))
    }

    /// A number.
    pub fn roll(&self) -> u32 {
        (self.0)()
    }
}

impl std::fmt::Debug for Dice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dice")
    }
}
