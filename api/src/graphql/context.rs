//! What a resolver knows of the request that it serves.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_graphql::Context;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::ids::AccountId;

use crate::assistant::Assistant;
use crate::changes::Changes;
use crate::clock::Clock;
use crate::domain::currency::Currency;
use crate::domain::duty::RupiahRounding;
use crate::error::{Error, Result};
use crate::loaders::{Key, Loads};
use crate::payment_feed::PaymentFeed;
use crate::quota::Budget;
use crate::rate_feed::RateFeed;
use crate::store::Written;

/// How long the clock is trusted to go on as it does.
const CLOCK_CHECK: Duration = Duration::from_secs(30);

/// Who is asking.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name of the person or program.
    pub subject: String,
    /// The account whose data may be seen.
    pub account: AccountId,
    /// Its name.
    pub account_name: String,
    /// The time zone in which the account's days begin.
    pub time_zone: Tz,
    /// The currency in which the account keeps its books.
    pub base_currency: Currency,
    /// What the caller may do.
    pub role: Role,
    /// From when on the token is refused, leeway included: a stream is to end then. `None` without sign-in.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Caller {
    /// Waits until the caller's token is no longer good; for ever without one.
    pub async fn expired(&self, clock: &Clock) {
        let Some(end) = self.expires_at else { return std::future::pending().await };
        // The clock is asked again from time to time: somebody may set it.
        while let Ok(left) = (end - clock.now()).to_std() {
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(CLOCK_CHECK)).await;
        }
    }
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read.
    Viewer,
    /// Read and write.
    Clerk,
    /// Everything.
    Admin,
}

/// The data of one request.
#[derive(Debug)]
pub struct RequestContext {
    /// Who is asking.
    pub caller: Caller,
    /// Where resolvers load.
    pub loads: Arc<Loads>,
    /// What time it is.
    pub clock: Clock,
    /// How many rows a page may have.
    pub max_page_size: u32,
    /// How duty and levy are rounded to whole rupiah.
    pub duty_rounding: RupiahRounding,
    /// What the operation costs.
    pub cost: Cost,
    /// Rates as they are published.
    pub rates: RateFeed,
    /// The id of the request, as it stands in the log.
    pub request_id: String,
    /// Where changes are made.
    pub changes: Changes,
    /// News of payments.
    pub payments: PaymentFeed,
    /// Answers questions.
    pub assistant: Assistant,
    /// How long the operation may take.
    pub patience: Patience,
    /// Where the log was after what it committed.
    pub written: Written,
}

/// How long an operation may take at the least, whatever the deadline of operations is: a field that waits for a model
/// says so.
#[derive(Clone, Debug, Default)]
pub struct Patience(Arc<AtomicU64>);

impl Patience {
    /// Asks for so much time from the start of the operation on.
    pub fn at_least(&self, time: Duration) {
        self.0.fetch_max(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was asked for.
    pub fn time(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// What an operation costs, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The cost of the operation.
    pub requested: u64,
    /// What is left of the caller's quota; `None` where nothing is counted.
    pub budget: Option<Budget>,
}

impl RequestContext {
    /// The current day of the account.
    pub fn today(&self) -> NaiveDate {
        self.clock.today(self.caller.time_zone)
    }
}

/// Short ways to the data of the request.
pub trait ContextExt {
    /// The data of the request.
    ///
    /// # Errors
    /// When the schema is executed without it, which is a fault of this program.
    fn request(&self) -> Result<&RequestContext>;

    /// Loads one key.
    fn load<K: Key>(&self, key: K) -> impl Future<Output = Result<K::Value>> + Send;

    /// Loads some keys, in their order.
    fn load_many<K: Key>(
        &self,
        keys: impl IntoIterator<Item = K> + Send,
    ) -> impl Future<Output = Result<Vec<K::Value>>> + Send;
}

impl ContextExt for Context<'_> {
    fn request(&self) -> Result<&RequestContext> {
        self.data_opt::<RequestContext>().ok_or_else(|| Error::internal("an operation without its request context"))
    }

    async fn load<K: Key>(&self, key: K) -> Result<K::Value> {
        self.request()?.loads.one(key).await
    }

    async fn load_many<K: Key>(&self, keys: impl IntoIterator<Item = K> + Send) -> Result<Vec<K::Value>> {
        let keys: Vec<K> = keys.into_iter().collect();
        self.request()?.loads.many(keys).await
    }
}
