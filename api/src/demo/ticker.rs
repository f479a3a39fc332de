//! Made-up rates, so that subscriptions can be tried out on a laptop.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use entity::currency_rate::Purpose;

use super::ACCOUNT_ID;
use super::dice::Dice;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::domain::rate::Rate;
use crate::error::Result;
use crate::loaders::rates::{MissingPolicy, RateAnswer, RateKey, RateSource};
use crate::loaders::{Key, Source};
use crate::rate_feed::{Publication, RateFeed};
use crate::store::Database;

/// Which stream of random numbers the ticker draws from.
const STREAM: u64 = u64::MAX;

/// How far one tick may move a rate, in millionths.
const MOVE: i64 = 1_000;

/// Digits after the point of a made-up rate.
const DIGITS: u8 = 6;

/// The last reference rates, and how they move.
#[derive(Debug)]
pub struct Ticker {
    rates: Vec<(Currency, Decimal)>,
    dice: Dice,
    clock: Clock,
}

impl Ticker {
    /// Starts from the last rates that are held.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn new(database: &Database, clock: Clock, seed: u64) -> Result<Self> {
        // Rates are nobody's, so the account may be one that is not there.
        let source = Source { reader: database.reader(Arc::default()), account: ACCOUNT_ID, cache: Cache::off() };
        let on = clock.now().date_naive();
        let base = Currency::eur();
        let keys: Vec<RateKey> = Currency::all()
            .filter(|quote| *quote != base)
            .map(|quote| RateKey { purpose: Purpose::Reference, base, quote, on, missing: MissingPolicy::Previous })
            .collect();
        let mut rates: Vec<_> = RateKey::load(&source, &keys)
            .await?
            .into_iter()
            .filter_map(|(key, answer)| {
                let rate = match answer {
                    RateAnswer::Found(rate) => Some(rate),
                    RateAnswer::Missing(missing) => missing.nearest.clone(),
                };
                Some((key.quote, rate?.quotation.rate.to_decimal().round_half_even(DIGITS)))
            })
            .collect();
        // The order decides which random number each gets.
        rates.sort_by_key(|(currency, _)| currency.code());
        Ok(Self { rates, dice: Dice::new(seed, STREAM), clock })
    }

    /// Publishes until it is dropped. Nothing is stored, and the source says that the rates are made up.
    pub async fn run(mut self, feed: RateFeed, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if feed.is_followed() {
                feed.publish(self.next(self.clock.now().date_naive()));
            }
        }
    }

    /// All rates, each moved a little.
    fn next(&mut self, effective: NaiveDate) -> Publication {
        for (_, rate) in &mut self.rates {
            let factor = Decimal::new(i128::from(1_000_000 + self.dice.between(-MOVE, MOVE)), 6);
            let moved = rate.checked_mul(factor).map(|moved| moved.round_half_even(DIGITS));
            *rate = moved.filter(|moved| !moved.is_zero()).unwrap_or(*rate);
        }
        let rates = self.rates.iter().filter_map(|(currency, rate)| Some((*currency, Rate::quoted(*rate, 1)?)));
        Publication {
            purpose: Purpose::Reference,
            pivot: Currency::eur(),
            effective,
            rates: rates.collect(),
            source: RateSource {
                code: "DEMO".to_owned(),
                name: "Demo ticker".to_owned(),
                url: None,
                attribution: "Made-up rates for trying out subscriptions".to_owned(),
                retrieved_at: Some(self.clock.now()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tick moves a rate by at most a thousandth, and never to nothing.
    #[test]
    fn rates_move_a_little() {
        let start = Decimal::parse("17750.5").unwrap();
        let tiny = Decimal::parse("0.000001").unwrap();
        let clock = Clock::fixed(chrono::DateTime::from_timestamp(1_793_361_600, 0).unwrap());
        let rates = vec![(Currency::idr(), start), (Currency::usd(), tiny)];
        let mut ticker = Ticker { rates, dice: Dice::new(1, STREAM), clock };
        let mut before = start;
        for _ in 0..1_000 {
            let publication = ticker.next(ticker.clock.now().date_naive());
            let after = publication.rates[&Currency::idr()].to_decimal();
            let step = after.checked_sub(before).unwrap();
            let most = before.checked_mul(Decimal::new(1_001, 6)).unwrap();
            assert!(step <= most && Decimal::new(0, 0).checked_sub(step).unwrap() <= most, "{before} to {after}");
            assert!(!publication.rates[&Currency::usd()].to_decimal().is_zero());
            before = after;
        }
        assert_ne!(before, start);
    }
}
