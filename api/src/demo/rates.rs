//! The rate that a receipt keeps: that of the shipped history, whatever a database holds.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::{NaiveDate, TimeDelta};
use entity::currency_rate::Purpose;

use super::calendar::ANCHOR;
use super::currencies;
use crate::domain::currency::Currency;
use crate::domain::ledger::Fx;
use crate::domain::quotation::{Leg, Outcome, Route};
use crate::domain::rate::Rate;
use crate::import::ecb::{self, Day};

/// No receipt is so many days older than the anchor.
const SPAN: TimeDelta = TimeDelta::days(800);

/// What one unit of each foreign currency of the demo cost in rupiah, earliest day first.
static IN_RUPIAH: LazyLock<HashMap<&str, Vec<Fx>>> = LazyLock::new(|| {
    // The shipped file is read whole by a test; without it there would be no rates, and nothing else would fail.
    let days = ecb::parse(ecb::SHIPPED).map(|history| history.days().to_vec()).unwrap_or_default();
    let days: Vec<_> = days.into_iter().filter(|day| day.date >= ANCHOR - SPAN).collect();
    let foreign = currencies::ALL.iter().filter(|currency| !currency.is_domestic());
    foreign.map(|currency| (currency.code, days.iter().filter_map(|day| rate(currency.code, day)).collect())).collect()
});

/// The rate into rupiah of a day, or of the last day before it; `None` for the rupiah itself.
pub(super) fn on(code: &str, day: NaiveDate) -> Option<Fx> {
    let rates = IN_RUPIAH.get(code)?;
    let after = rates.partition_point(|fx| fx.effective_date <= day);
    rates.get(after.checked_sub(1)?).cloned()
}

/// By way of the euro.
fn rate(code: &str, day: &Day) -> Option<Fx> {
    let route = Route { base: Currency::from_code(code)?, quote: Currency::idr(), pivot: Currency::eur() };
    let published = |base, quote| {
        let (_, price) = day.rates.iter().find(|(currency, _)| base == route.pivot && *currency == quote)?;
        Some(Leg { base, quote, rate: Rate::quoted(*price, 1)?, effective: day.date, valid_to: None })
    };
    let Outcome::Found(quotation) = route.quotation(published) else { return None };
    Some(Fx {
        quote: route.quote,
        rate: quotation.rate.to_decimal().to_string(),
        effective_date: quotation.effective,
        purpose: Purpose::Reference,
        source: ecb::SOURCE.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every foreign receipt has a rate; on a Sunday it is that of the Friday before.
    #[test]
    fn every_day_of_the_demo_has_a_rate() {
        for currency in currencies::ALL.iter().filter(|currency| !currency.is_domestic()) {
            for days in 0..735 {
                let day = ANCHOR - TimeDelta::days(days);
                let fx = on(currency.code, day).unwrap();
                assert!(fx.effective_date <= day && fx.effective_date >= day - TimeDelta::days(5), "{fx:?} on {day}");
            }
        }
        assert_eq!(on("IDR", ANCHOR), None);
        assert!(on("USD", ANCHOR).unwrap().rate.starts_with("18148.20085929"));
        assert_eq!(on("EUR", ANCHOR).unwrap().rate, "20275.17");
    }
}
