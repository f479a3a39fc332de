//! Rates on their way from whoever publishes them to the subscribers of this process.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use entity::currency_rate::Purpose;
use tokio::sync::broadcast;

use crate::domain::currency::Currency;
use crate::domain::quotation::{Leg, Outcome, Route};
use crate::domain::rate::Rate;
use crate::loaders::rates::{FoundRate, MissingPolicy, RateKey, RateSource};

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

impl Default for RateFeed {
    fn default() -> Self {
        Self::new()
    }
}
