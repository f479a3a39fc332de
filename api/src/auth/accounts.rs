//! The accounts that tokens name, remembered for a short time.
//!
//! Every request names an account, so asking the database each time would add a statement to each. The memory is
//! bounded in number and in the length of names, for a name is whatever somebody who may sign wrote into a token.

use std::sync::{Arc, Mutex, PoisonError};

use cached::{Cached, LruCache};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::ids::AccountId;

use crate::clock::Clock;
use crate::domain::currency::Currency;
use crate::error::{Error, Result};
use crate::graphql::types::money::currency_of_row;
use crate::store::{Database, accounts};

/// How long an account is remembered.
const FOUND_FOR: TimeDelta = TimeDelta::seconds(30);

/// How long it is remembered that there is none, which is how long a new account's first caller may wait.
const MISSING_FOR: TimeDelta = TimeDelta::seconds(5);

/// How many names are remembered.
const NAMES: usize = 10_000;

/// What a caller takes from an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownAccount {
    /// Whose data may be seen.
    pub(super) id: AccountId,
    /// Where its days begin.
    pub(super) time_zone: Tz,
    /// The currency of its books.
    pub(super) base_currency: Currency,
}

/// Looks accounts up by their names.
pub(super) struct KnownAccounts {
    database: Database,
    clock: Clock,
    names: Mutex<LruCache<String, Remembered>>,
}

/// An answer of the database, and until when it is believed.
#[derive(Clone, Copy)]
struct Remembered {
    account: Option<KnownAccount>,
    until: DateTime<Utc>,
}

impl KnownAccounts {
    pub(super) fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock, names: Mutex::new(LruCache::new(NAMES)) }
    }

    /// The account of this name; `None` when there is none.
    ///
    /// # Errors
    /// When the database does not answer. Nothing is remembered then.
    pub(super) async fn find(&self, name: &str) -> Result<Option<KnownAccount>> {
        if !accounts::is_name(name) {
            return Ok(None);
        }
        let now = self.clock.now();
        let remembered = self.names.lock().unwrap_or_else(PoisonError::into_inner).cache_get(name).copied();
        // A clock that was set back must not keep an answer alive for longer than it may live.
        if let Some(Remembered { account, until }) = remembered
            && now < until
            && until - now <= FOUND_FOR
        {
            return Ok(account);
        }
        let row = accounts::by_name(&self.database.reader(Arc::default()), name).await?;
        let account = row
            .map(|row| {
                let time_zone = row.time_zone.parse().map_err(Error::internal)?;
                let base_currency = currency_of_row(&row.base_currency)?;
                Ok::<_, Error>(KnownAccount { id: row.id, time_zone, base_currency })
            })
            .transpose()?;
        let until = now + if account.is_some() { FOUND_FOR } else { MISSING_FOR };
        let remembered = Remembered { account, until };
        self.names.lock().unwrap_or_else(PoisonError::into_inner).cache_set(name.to_owned(), remembered);
        Ok(account)
    }
}

impl std::fmt::Debug for KnownAccounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownAccounts").finish_non_exhaustive()
    }
}
