//! What an account may spend on a day.
//!
//! Looked at before a model is asked, and added to afterwards. What is under way is counted in this process, so that
//! many questions at once do not all find the same rest; replicas see of each other only what has ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use entity::assistant_use;
use entity::ids::AccountId;

use super::settings::AssistantSettings;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::loaders::{Loads, assistant::UseKey};
use crate::store::{Database, assistant_uses};

/// Tokens of sources and rules that a call is taken to need until its server has said how many they were.
const ASSUMED_TOKENS: u64 = 3_000;

/// Counts what is spent.
#[derive(Debug)]
pub struct Budget {
    tokens: u64,
    cost: u64,
    clock: Clock,
    assumed: (u64, u64),
    under_way: Arc<Mutex<HashMap<AccountId, (u64, u64)>>>,
}

/// The right to ask a model, counted until it is dropped.
#[derive(Debug)]
pub struct Reserved {
    account: AccountId,
    day: NaiveDate,
    amount: (u64, u64),
    under_way: Arc<Mutex<HashMap<AccountId, (u64, u64)>>>,
}

/// Nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// When there is something again.
    pub reset_at: DateTime<Utc>,
}

impl Budget {
    /// With the limits of the settings.
    pub fn new(settings: &AssistantSettings, clock: Clock) -> Self {
        let answer = u64::from(settings.max_tokens);
        let cost = settings.cost_micros(ASSUMED_TOKENS, answer);
        Self {
            tokens: settings.daily_tokens,
            cost: settings.daily_cost,
            clock,
            assumed: (ASSUMED_TOKENS + answer, cost),
            under_way: Arc::default(),
        }
    }

    /// Whether a model may be asked for an account now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reserve(&self, loads: &Loads, account: AccountId) -> Result<Result<Reserved, Exceeded>> {
        let day = self.clock.now().date_naive();
        let limited = self.tokens > 0 || self.cost > 0;
        let used = if limited { loads.one(UseKey(day)).await? } else { None };
        let used = used.map_or((0, 0), |row| (count(row.tokens), count(row.cost_micros)));
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let now = under_way.entry(account).or_default();
        let is_spent = |limit: u64, used: u64, now: u64| limit > 0 && used.saturating_add(now) >= limit;
        if is_spent(self.tokens, used.0, now.0) || is_spent(self.cost, used.1, now.1) {
            let next = day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
            return Ok(Err(Exceeded { reset_at: next.and_time(NaiveTime::MIN).and_utc() }));
        }
        *now = (now.0 + self.assumed.0, now.1 + self.assumed.1);
        Ok(Ok(Reserved { account, day, amount: self.assumed, under_way: Arc::clone(&self.under_way) }))
    }
}

impl Reserved {
    /// Adds what was used to the day's.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn spend(self, database: &Database, calls: u64, tokens: u64, cost: u64) -> Result<()> {
        let row = assistant_use::Model {
            account_id: self.account,
            day: self.day,
            calls: stored(calls),
            tokens: stored(tokens),
            cost_micros: stored(cost),
        };
        database.write(async |transaction| assistant_uses::add(transaction, &row).await).await.map_err(Error::from)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(now) = under_way.get_mut(&self.account) {
            *now = (now.0.saturating_sub(self.amount.0), now.1.saturating_sub(self.amount.1));
            if *now == (0, 0) {
                under_way.remove(&self.account);
            }
        }
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
