//! From published quotes to the rate that was asked for: direct, inverted, or by way of a third currency.
//!
//! Pure: the quotes are handed in. A quote of one purpose is never used for another.

use chrono::NaiveDate;

use super::currency::Currency;
use super::rate::Rate;

/// A published quote: one unit of `base` costs `rate` units of `quote`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The currency that is priced.
    pub base: Currency,
    /// The currency in which it is priced.
    pub quote: Currency,
    /// The price.
    pub rate: Rate,
    /// The day that it is from.
    pub effective: NaiveDate,
    /// The last day on which it is in force, where its source says; otherwise it is of its day alone.
    pub valid_to: Option<NaiveDate>,
}

/// A rate and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotation {
    /// Units of the asked quote currency for one unit of the asked base currency.
    pub rate: Rate,
    /// The published quotes that it was made from, in the order in which they are gone through.
    pub legs: Vec<Leg>,
    /// The day that all of them are from, or the first on which all are in force.
    pub effective: NaiveDate,
}

/// The ways from one currency to another, as pairs to look up. A pair may be published in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Where it starts.
    pub base: Currency,
    /// Where it ends.
    pub quote: Currency,
    /// The currency in between, in which the source quotes all others.
    pub pivot: Currency,
}

impl Leg {
    /// Whether there is a day on which both are in force.
    fn is_in_force_with(&self, other: &Leg) -> bool {
        match (self.valid_to, other.valid_to) {
            (Some(to), Some(until)) => self.effective <= until && other.effective <= to,
            _ => self.effective == other.effective,
        }
    }
}

impl Route {
    /// The pairs to look up, each in both directions. Empty when both currencies are the same.
    pub fn pairs(&self) -> Vec<(Currency, Currency)> {
        if self.base == self.quote {
            return Vec::new();
        }
        let mut pairs = vec![(self.base, self.quote), (self.quote, self.base)];
        for end in [self.base, self.quote] {
            if self.is_triangular() {
                pairs.push((self.pivot, end));
                pairs.push((end, self.pivot));
            }
        }
        pairs
    }

    /// Whether the pivot is neither end.
    pub fn is_triangular(&self) -> bool {
        self.base != self.pivot && self.quote != self.pivot && self.base != self.quote
    }

    /// The quotation of this route out of the quotes that `published` holds.
    pub fn quotation(&self, published: impl Fn(Currency, Currency) -> Option<Leg>) -> Outcome {
        // One step, from either direction of the pair.
        let step = |from, to| {
            let forward = published(from, to).map(|leg| (leg.rate.clone(), leg));
            forward.or_else(|| published(to, from).map(|leg| (leg.rate.inverse(), leg)))
        };
        if let Some((rate, leg)) = step(self.base, self.quote) {
            let effective = leg.effective;
            return Outcome::Found(Quotation { rate, legs: vec![leg], effective });
        }
        if !self.is_triangular() {
            return Outcome::Missing;
        }
        match (step(self.base, self.pivot), step(self.pivot, self.quote)) {
            (Some((first, to_pivot)), Some((second, from_pivot))) => {
                if !to_pivot.is_in_force_with(&from_pivot) {
                    return Outcome::Misaligned(to_pivot.effective, from_pivot.effective);
                }
                let effective = to_pivot.effective.max(from_pivot.effective);
                Outcome::Found(Quotation { rate: first.times(&second), legs: vec![to_pivot, from_pivot], effective })
            }
            _ => Outcome::Missing,
        }
    }
}

/// What came of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is a rate.
    Found(Quotation),
    /// The two legs are from these different days: look again on a day that has both.
    Misaligned(NaiveDate, NaiveDate),
    /// A leg is not quoted.
    Missing,
}

/// The rate on `day` on the straight line between two quotations.
pub fn interpolate(before: &Quotation, after: &Quotation, day: NaiveDate) -> Quotation {
    let days = |from: NaiveDate, to: NaiveDate| u32::try_from((to - from).num_days()).unwrap_or(0);
    let rate = Rate::interpolate(
        &before.rate,
        &after.rate,
        days(before.effective, day),
        days(before.effective, after.effective),
    );
    let legs = before.legs.iter().chain(&after.legs).cloned().collect();
    Quotation { rate, legs, effective: before.effective }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decimal::Decimal;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn leg(base: Currency, quote: &str, rate: &str, effective: &str) -> Leg {
        Leg {
            base,
            quote: Currency::from_code(quote).unwrap(),
            rate: Rate::quoted(Decimal::parse(rate).unwrap(), 1).unwrap(),
            effective: day(effective),
            valid_to: None,
        }
    }

    fn find(legs: &[Leg]) -> impl Fn(Currency, Currency) -> Option<Leg> {
        move |base, quote| legs.iter().find(|leg| leg.base == base && leg.quote == quote).cloned()
    }

    fn route(base: &str, quote: &str) -> Route {
        let currency = |code| Currency::from_code(code).unwrap();
        Route { base: currency(base), quote: currency(quote), pivot: Currency::eur() }
    }

    /// The euro is the pivot of the ECB; the dollar in rupiah goes through it, and both quotes are shown.
    #[test]
    fn a_cross_rate_shows_both_legs() {
        let legs = [
            leg(Currency::eur(), "USD", "1.1172", "2026-10-30"),
            leg(Currency::eur(), "IDR", "20275.17", "2026-10-30"),
        ];
        let Outcome::Found(found) = route("USD", "IDR").quotation(find(&legs)) else { panic!("no rate") };
        assert!(found.rate.to_decimal().to_string().starts_with("18148.20085929"));
        assert_eq!(found.legs, legs);
        let Outcome::Found(back) = route("IDR", "USD").quotation(find(&legs)) else { panic!("no rate") };
        assert_eq!(back.rate, found.rate.inverse());
    }

    /// Two legs of different days make no rate of any day.
    #[test]
    fn legs_of_different_days_are_not_joined() {
        let legs =
            [leg(Currency::eur(), "USD", "1.0683", "2023-01-05"), leg(Currency::eur(), "HRK", "7.5365", "2022-12-30")];
        let outcome = route("USD", "HRK").quotation(find(&legs));
        assert_eq!(outcome, Outcome::Misaligned(day("2023-01-05"), day("2022-12-30")));
    }

    /// Tax rates are in force for some days: a weekly rate and a daily one join on a day that both hold.
    #[test]
    fn rates_in_force_on_one_day_are_joined() {
        let weekly = Leg { valid_to: Some(day("2025-08-12")), ..leg(Currency::usd(), "IDR", "16416", "2025-08-06") };
        let daily = |from: &str| Leg {
            valid_to: Some(day(from)),
            ..leg(Currency::from_code("SEK").unwrap(), "USD", "0.1", from)
        };
        let route = Route { base: Currency::from_code("SEK").unwrap(), quote: Currency::idr(), pivot: Currency::usd() };
        let Outcome::Found(found) = route.quotation(find(&[weekly.clone(), daily("2025-08-08")])) else {
            panic!("no rate")
        };
        assert_eq!(found.rate.to_decimal().to_string(), "1641.6");
        assert_eq!(found.effective, day("2025-08-08"));
        let outcome = route.quotation(find(&[weekly, daily("2025-08-05")]));
        assert_eq!(outcome, Outcome::Misaligned(day("2025-08-05"), day("2025-08-06")));
    }

    /// A published pair is used as published, and inverted exactly.
    #[test]
    fn a_published_pair_needs_no_pivot() {
        let legs = [leg(Currency::eur(), "USD", "1.1172", "2026-10-30")];
        let Outcome::Found(found) = route("EUR", "USD").quotation(find(&legs)) else { panic!("no rate") };
        assert_eq!(found.rate.to_decimal().to_string(), "1.1172");
        let Outcome::Found(back) = route("USD", "EUR").quotation(find(&legs)) else { panic!("no rate") };
        assert_eq!(back.rate, found.rate.inverse());
        assert_eq!(route("USD", "GBP").quotation(find(&legs)), Outcome::Missing);
    }

    /// Half way between two days is half way between two rates.
    #[test]
    fn a_day_between_two_quotes_is_on_the_line_between_them() {
        let at = |rate, on| {
            let legs = [leg(Currency::eur(), "USD", rate, on)];
            match route("EUR", "USD").quotation(find(&legs)) {
                Outcome::Found(found) => found,
                other => panic!("{other:?}"),
            }
        };
        let between = interpolate(&at("1.10", "2026-10-02"), &at("1.13", "2026-10-05"), day("2026-10-03"));
        assert_eq!(between.rate.to_decimal().to_string(), "1.11");
        assert_eq!(between.effective, day("2026-10-02"));
        assert_eq!(between.legs.len(), 2);
    }
}
