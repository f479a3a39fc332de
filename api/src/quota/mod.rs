//! What a subject or an address may spend in a window.
//!
//! Each has a bucket that holds the whole quota, from which an operation takes its cost and into which a window's
//! quota flows back evenly. An operation needs enough in both buckets, or nothing is taken from either.

mod memory;
mod redis;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::config::Quota;
use crate::graphql::context::Caller;
use crate::shared_store::SharedStore;
use memory::Memory;
use redis::Shared;

/// What is left of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What may be spent in a window.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When all of it is there again, if nothing more is spent.
    pub reset_at: DateTime<Utc>,
}

/// Why an operation may not be paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// There is not enough left.
    Spent {
        /// What is left.
        budget: Budget,
        /// How long to wait, in whole seconds, at least one.
        retry_after: Duration,
    },
    /// It costs more than the whole quota, so that waiting does not help.
    Never {
        /// What it costs.
        cost: u64,
        /// What may be spent in a window.
        limit: u64,
    },
}

/// Counts what is spent.
#[derive(Debug)]
pub struct Quotas(Option<Counted>);

#[derive(Debug)]
struct Counted {
    quota: Quota,
    clock: Clock,
    memory: Memory,
    shared: Option<Shared>,
}

impl Quotas {
    /// Nothing is counted.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// Counts in the shared store, and in this process where there is none or it does not answer.
    pub fn new(quota: Quota, shared: Option<SharedStore>, clock: Clock) -> Self {
        let shared = shared.map(Shared::new);
        Self(Some(Counted { quota, clock, memory: Memory::new(quota), shared }))
    }

    /// Spends `cost` for a caller at an address; `None` where nothing is counted. What is left is that of the poorer
    /// of the two.
    ///
    /// # Errors
    /// When either has not that much left; then nothing is spent.
    pub async fn spend(&self, caller: &Caller, address: IpAddr, cost: u64) -> Result<Option<Budget>, Exceeded> {
        match &self.0 {
            Some(counted) => counted.spend(&keys(caller, address), cost).await.map(Some),
            None => Ok(None),
        }
    }
}

impl Counted {
    async fn spend(&self, keys: &[String; 2], cost: u64) -> Result<Budget, Exceeded> {
        let limit = self.quota.cost;
        if cost > limit {
            return Err(Exceeded::Never { cost, limit });
        }
        let shared = match &self.shared {
            Some(shared) => {
                let now = self.clock.now();
                shared.spend(self.quota, keys, cost, now).await.map(|outcome| (outcome, now))
            }
            None => None,
        };
        let (outcome, now) = shared.unwrap_or_else(|| self.memory.spend(keys, cost, &self.clock));
        let poorer = outcome.levels.into_iter().max_by_key(|level| (level.spent, level.at)).unwrap_or_default();
        let (now, quota) = (micros(now), self.quota);
        let budget = Budget {
            limit,
            remaining: limit.saturating_sub(poorer.spent),
            reset_at: time(poorer.at.saturating_add(quota.time_for(poorer.spent)).max(now)),
        };
        if outcome.spent {
            return Ok(budget);
        }
        let wait = |level: Level| {
            let missing = level.spent.saturating_add(cost).saturating_sub(limit);
            level.at.saturating_add(quota.time_for(missing)).saturating_sub(now)
        };
        let wait = outcome.levels.into_iter().map(wait).max().unwrap_or_default();
        let seconds = u64::try_from(wait).unwrap_or_default().div_ceil(1_000_000).max(1);
        Err(Exceeded::Spent { budget, retry_after: Duration::from_secs(seconds) })
    }
}

/// What came of an attempt to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outcome {
    /// Whether it was spent, from both.
    spent: bool,
    /// Where both stand now.
    levels: [Level; 2],
}

/// Where a bucket stands: so much of it was spent at this time, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Level {
    spent: u64,
    at: i64,
}

impl Level {
    /// The same bucket at a later time: what has flowed back is there, and no fraction of it is lost or won.
    fn at(self, now: i64, quota: Quota) -> Self {
        // A clock that was set back must not lock anybody out until it is where it was.
        let passed = u64::try_from(now.saturating_sub(self.at)).unwrap_or_default();
        let back = scaled(passed, quota.cost, quota.micros());
        if back >= self.spent {
            return Self { spent: 0, at: now };
        }
        Self { spent: self.spent - back, at: self.at.min(now).saturating_add(quota.time_for(back)).min(now) }
    }
}

impl Quota {
    /// The window in microseconds.
    fn micros(self) -> u64 {
        u64::try_from(self.window.as_micros()).unwrap_or(u64::MAX).max(1)
    }

    /// How long it takes until `cost` has flowed back, in microseconds, rounded up.
    fn time_for(self, cost: u64) -> i64 {
        let (window, limit) = (u128::from(self.micros()), u128::from(self.cost.max(1)));
        i64::try_from((u128::from(cost) * window).div_ceil(limit)).unwrap_or(i64::MAX)
    }
}

/// `value * by / over`, rounded down.
fn scaled(value: u64, by: u64, over: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(by) / u128::from(over.max(1))).unwrap_or(u64::MAX)
}

fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The names of the two buckets. A subject is a name that somebody else has given, of any length, and perhaps a
/// person's: its hash stands for it.
fn keys(caller: &Caller, address: IpAddr) -> [String; 2] {
    let mut subject = format!("subject:{}:", caller.account.0.simple());
    for byte in Sha256::digest(&caller.subject).iter().take(16) {
        subject.push_str(&format!("{byte:02x}"));
    }
    [subject, format!("address:{}", network(address))]
}

/// The address that counts. Whoever has one address of IPv6 has the whole /64 around it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { cost: 10, window: Duration::from_secs(60) };

    /// A tenth of the quota comes back in a tenth of the window; what is left of a tenth is not lost.
    #[test]
    fn a_bucket_fills_evenly() {
        let second = 1_000_000;
        let empty = Level { spent: 10, at: 0 };
        for (passed, spent, at) in [
            (0, 10, 0),
            (6 * second - 1, 10, 0),
            (6 * second, 9, 6 * second),
            (11 * second, 9, 6 * second),
            (59 * second, 1, 54 * second),
            (60 * second, 0, 60 * second),
            (600 * second, 0, 600 * second),
        ] {
            assert_eq!(empty.at(passed, QUOTA), Level { spent, at }, "{passed}");
        }
        let mut level = empty;
        for step in 1..=1_000 {
            level = level.at(step * 17_000, QUOTA);
        }
        assert_eq!(level.spent, 10 - 17 / 6, "small steps add up to one large one");
    }

    /// The extremes of the settings lose nothing to rounding and overflow nowhere.
    #[test]
    fn extremes_are_exact() {
        let fast = Quota { cost: 1_000_000_000, window: Duration::from_secs(1) };
        assert_eq!(Level { spent: 1_000_000_000, at: 0 }.at(1, fast).spent, 999_999_000);
        let slow = Quota { cost: 1, window: Duration::from_secs(86_400) };
        assert_eq!(Level { spent: 1, at: 0 }.at(86_399_999_999, slow).spent, 1);
        assert_eq!(Level { spent: 1, at: 0 }.at(86_400_000_000, slow).spent, 0);
        assert_eq!(Level { spent: 5, at: i64::MAX }.at(0, slow), Level { spent: 5, at: 0 }, "a clock set back");
        assert_eq!(Level { spent: u64::MAX, at: i64::MIN }.at(i64::MAX, fast).at, i64::MAX);
    }

    /// One subscriber cannot be many by changing the half of the address that is theirs.
    #[test]
    fn ipv6_counts_by_network() {
        let same = ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"];
        assert!(same.iter().all(|text| network(text.parse().unwrap()).to_string() == "2001:db8:1:2::"));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), network("192.0.2.1".parse().unwrap()));
        assert_ne!(network("2001:db8:1:3::1".parse().unwrap()), network("2001:db8:1:2::1".parse().unwrap()));
    }
}
