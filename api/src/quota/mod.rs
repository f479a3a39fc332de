//! What a subject or an address may spend in a window.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// What is left of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What may be spent in a window.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When the window ends.
    pub reset_at: DateTime<Utc>,
}

/// There is not enough left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// What is left.
    pub budget: Budget,
    /// How long to wait.
    pub retry_after: Duration,
}

/// Counts what is spent.
#[derive(Debug)]
pub enum Quotas {
    /// Nothing is counted.
    Unlimited,
}

impl Quotas {
    /// Spends `cost` for a subject at an address; `None` where nothing is counted.
    ///
    /// # Errors
    /// When either has not that much left; then nothing is spent.
    #[allow(clippy::unused_async, reason = "asks a shared store once there is one")]
    pub async fn spend(&self, _subject: &str, _address: IpAddr, _cost: u64) -> Result<Option<Budget>, Exceeded> {
        match self {
            Self::Unlimited => Ok(None),
        }
    }
}
