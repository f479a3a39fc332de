//! Rates on their way from whoever publishes them to the subscribers of this process.
//!
//! Rates that a fetch has stored are told to all replicas over PostgreSQL by the transaction that stored them; each
//! reads them and tells its own subscribers. On SQLite there is one process, which tells them itself.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use entity::currency_rate::{self, Purpose};
use sea_orm::DbBackend;
use tokio::sync::{broadcast, mpsc};

use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::domain::quotation::{Leg, Outcome, Route};
use crate::domain::rate::Rate;
use crate::error::Result;
use crate::loaders::rates::{FoundRate, MissingPolicy, RateKey, RateSource};
use crate::metrics::Metrics;
use crate::shutdown::Stopping;
use crate::store::{Database, rates};

/// How many publications a subscriber may be behind. A slower one misses the oldest, which are outdated anyway.
const BACKLOG: usize = 16;

/// What a source publishes at once: the price of one unit of `pivot` in other currencies.
#[derive(Clone, Debug)]
pub struct Publication {
    /// What the rates are for.
    pub purpose: Purpose,
    /// The currency in which all others are quoted.
    pub pivot: Currency,
    /// The day that the rates are from.
    pub effective: NaiveDate,
    /// Units of each currency for one unit of `pivot`.
    pub rates: HashMap<Currency, Rate>,
    /// Who publishes.
    pub source: RateSource,
}

impl Publication {
    /// What it says of a pair; `None` when it quotes one of the two not at all.
    pub fn rate(&self, base: Currency, quote: Currency) -> Option<FoundRate> {
        let published = |from: Currency, to: Currency| {
            let rate = self.rates.get(&to).filter(|_| from == self.pivot)?;
            Some(Leg { base: from, quote: to, rate: rate.clone(), effective: self.effective, valid_to: None })
        };
        let key = RateKey { purpose: self.purpose, base, quote, on: self.effective, missing: MissingPolicy::Previous };
        match (Route { base, quote, pivot: self.pivot }).quotation(published) {
            Outcome::Found(quotation) => {
                Some(FoundRate { key, quotation, quoted_per: 1, valid_to: None, source: self.source.clone() })
            }
            Outcome::Misaligned(..) | Outcome::Missing => None,
        }
    }
}

/// Where rates are published and followed.
#[derive(Clone, Debug)]
pub struct RateFeed(broadcast::Sender<Arc<Publication>>);

impl RateFeed {
    /// A feed that nobody follows yet.
    pub fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }

    /// Tells of rates of these days, which some replica has stored, until the server stops.
    pub async fn tell(
        self,
        mut days: mpsc::UnboundedReceiver<NaiveDate>,
        database: Database,
        metrics: Metrics,
        stopping: Stopping,
    ) {
        let telling = async {
            while let Some(day) = days.recv().await {
                self.changed(&database, &metrics, day).await;
            }
        };
        tokio::select! {
            () = telling => {}
            () = stopping.begun() => {}
        }
    }

    /// Tells of rates that this process has stored; on PostgreSQL the database tells everybody.
    pub async fn changed_here(&self, database: &Database, metrics: &Metrics, day: NaiveDate) {
        if database.backend() != DbBackend::Postgres {
            self.changed(database, metrics, day).await;
        }
    }

    async fn changed(&self, database: &Database, metrics: &Metrics, day: NaiveDate) {
        metrics.newest_rate_is_from(day);
        match publication(database, day).await {
            Ok(Some(publication)) => self.publish(publication),
            Ok(None) => {}
            Err(error) => tracing::warn!(cause = %error.chain(), "reading new rates failed"),
        }
    }

    /// Tells everybody who follows.
    pub fn publish(&self, publication: Publication) {
        // An error means that nobody does.
        let _ = self.0.send(Arc::new(publication));
    }

    /// Whether anybody follows.
    pub fn is_followed(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// What is published from now on. It ends with the feed.
    pub fn follow(&self) -> impl futures_util::Stream<Item = Arc<Publication>> + Send + use<> {
        futures_util::stream::unfold(self.0.subscribe(), |mut receiver| async move {
            loop {
                match receiver.recv().await {
                    Ok(publication) => return Some((publication, receiver)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
    }
}

/// The reference rates of a day as they are stored; `None` when there are none.
async fn publication(database: &Database, effective: NaiveDate) -> Result<Option<Publication>> {
    let (purpose, pivot) = (Purpose::Reference, Currency::eur());
    let reader = database.reader(Arc::default());
    let rows = rates::of_day(&reader, purpose, pivot.code(), effective).await?;
    let Some(last) = rows.last() else { return Ok(None) };
    let sources = rates::sources(&reader, &[&last.source]).await?;
    let Some(source) = sources.into_iter().next() else { return Ok(None) };
    let rate = |row: &currency_rate::Model| {
        let per = u32::try_from(row.quoted_per).ok()?;
        Some((Currency::from_code(&row.quote)?, Rate::quoted(Decimal::parse(&row.rate).ok()?, per)?))
    };
    Ok(Some(Publication {
        purpose,
        pivot,
        effective,
        rates: rows.iter().filter_map(rate).collect(),
        source: RateSource {
            code: source.code,
            name: source.name,
            url: source.url,
            attribution: source.attribution,
            retrieved_at: Some(source.retrieved_at),
        },
    }))
}

impl Default for RateFeed {
    fn default() -> Self {
        Self::new()
    }
}
