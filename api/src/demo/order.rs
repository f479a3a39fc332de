//! Who buys what, and for how much.

use chrono_tz::Tz;
use num_integer::Integer;

use super::currencies::{self, DemoCurrency};
use super::dice::Dice;
use super::goods::{self, Good};
use crate::domain::decimal::Decimal;

/// What is sold to whom.
#[derive(Debug)]
pub(super) struct Order {
    pub currency: &'static DemoCurrency,
    pub payer_name: Option<&'static str>,
    pub description: Option<String>,
    pub time_zone: Tz,
    pub lines: Vec<Line>,
}

/// One line of goods.
#[derive(Debug)]
pub(super) struct Line {
    pub good: Good,
    /// In hundredths of the good's unit.
    quantity: i64,
    /// In minor units.
    pub unit_price: i64,
}

impl Order {
    /// Invents an order.
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let currency = currencies::draw(dice);
        let payer_name = Some(dice.pick(currency.buyers, "")).filter(|_| !dice.chance(10));
        let time_zone = dice.weighted(
            &[(920, Tz::Asia__Jakarta), (60, Tz::Asia__Makassar), (20, Tz::Asia__Jayapura)],
            Tz::Asia__Jakarta,
        );
        let lines = lines(dice, currency);
        let description = Some(describe(dice, currency, &lines)).filter(|_| !dice.chance(50));
        Self { currency, payer_name, description, time_zone, lines }
    }

    /// What is owed: the sum of the lines.
    pub(super) fn amount(&self) -> i64 {
        self.lines.iter().map(Line::total).sum()
    }
}

impl Line {
    /// How many units.
    pub(super) fn quantity(&self) -> Decimal {
        Decimal::new(self.quantity.into(), 2).normalized()
    }

    /// Price of the line: exact, since [`unit_price`] made it so.
    pub(super) fn total(&self) -> i64 {
        self.unit_price * self.quantity / 100
    }
}

/// One to four different goods of one family.
fn lines(dice: &mut Dice, currency: &DemoCurrency) -> Vec<Line> {
    let family = dice.weighted(goods::FAMILIES, &[goods::COFFEE]);
    let count = dice.weighted(&[(45, 1), (30, 2), (17, 3), (8, 4)], 1);
    let small = dice.chance(if currency.is_domestic() { 300 } else { 120 });
    let start = dice.index(family.len());
    // Neighbours from a random start, so that no good is on an invoice twice.
    let chosen = family.iter().cycle().skip(start).take(family.len().min(count));
    chosen
        .map(|good| {
            let (low, high) = if small { (1, good.steps.0 / 4) } else { good.steps };
            let quantity = good.step * dice.between(low, high);
            Line { good: *good, quantity, unit_price: unit_price(dice, good, currency) }
        })
        .collect()
}

/// A price of about three significant digits with which every quantity of the good costs a whole number of
/// settlement units.
fn unit_price(dice: &mut Dice, good: &Good, currency: &DemoCurrency) -> i64 {
    let price = currency.convert_cents(dice.between(good.cents.0, good.cents.1));
    let mut grain = 1;
    while price / grain >= 1000 {
        grain *= 10;
    }
    let exact = currency.settlement_unit * (100 / good.step.gcd(&100));
    let grain = grain.lcm(&exact);
    (price / grain).max(1) * grain
}

fn describe(dice: &mut Dice, currency: &DemoCurrency, lines: &[Line]) -> String {
    let mut goods = lines.first().map_or(goods::COFFEE.name, |line| line.good.name).to_owned();
    if lines.len() > 1 {
        goods.push_str(&format!(" and {} more", lines.len() - 1));
    }
    if currency.is_domestic() {
        format!("{goods}; delivered to {}", dice.pick(goods::CITIES, "Jakarta"))
    } else {
        let term = dice.weighted(&[(60, "FOB"), (25, "CFR"), (15, "CIF")], "FOB");
        format!("{goods}; {term}, shipped from {}", dice.pick(goods::PORTS, "Tanjung Priok"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A total that had to be rounded would differ from what a reader multiplies.
    #[test]
    fn every_good_has_an_exact_total_in_every_currency() {
        let mut dice = Dice::new(5, 5);
        for currency in currencies::ALL {
            for good in goods::FAMILIES.iter().flat_map(|(_, family)| *family) {
                for steps in [1, good.steps.0, good.steps.1] {
                    let unit_price = unit_price(&mut dice, good, currency);
                    let line = Line { good: *good, quantity: good.step * steps, unit_price };
                    assert_eq!(line.total() * 100, unit_price * line.quantity, "{line:?}");
                    assert_eq!(line.total() % currency.settlement_unit, 0, "{line:?}");
                    assert!(line.total() > 0, "{line:?}");
                }
            }
        }
    }

    #[test]
    fn prices_stay_near_the_range_of_the_good() {
        let mut dice = Dice::new(5, 6);
        for currency in currencies::ALL {
            for good in goods::FAMILIES.iter().flat_map(|(_, family)| *family) {
                let price = unit_price(&mut dice, good, currency);
                let (low, high) = (currency.convert_cents(good.cents.0), currency.convert_cents(good.cents.1));
                assert!(price * 10 >= low * 8 && price <= high, "{} {good:?} {price}", currency.code);
            }
        }
    }

    #[test]
    fn quantities_read_as_people_write_them() {
        let text = |quantity| Line { good: goods::COFFEE, quantity, unit_price: 1 }.quantity().to_string();
        assert_eq!([1250, 1_800_000, 10, 2268].map(text), ["12.5", "18000", "0.1", "22.68"]);
    }
}
