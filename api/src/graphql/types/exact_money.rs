//! Amounts that were not rounded.

use async_graphql::Object;

use super::money::Money;
use crate::domain;
use crate::domain::currency::Currency;
use crate::graphql::scalars::{CurrencyCode, Decimal};

/// An amount with all the digits that it was computed or printed with, which may be more than its currency has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactMoney {
    amount: domain::decimal::Decimal,
    currency: Currency,
}

/// An amount with all the digits that it was computed or printed with, which may be more than its currency has.
#[Object]
impl ExactMoney {
    /// The amount in major units; of a division, twelve digits after the point.
    async fn amount(&self) -> Decimal {
        Decimal(self.amount)
    }

    /// The currency of the amount.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.currency)
    }

    /// The amount rounded half-even to the minor units of its currency, for showing.
    async fn rounded(&self) -> Money {
        let digits = self.currency.minor_units();
        let rounded = domain::money::Money::from_decimal(self.amount.round_half_even(digits), self.currency);
        // What was rounded to the digits of its currency has no more of them; it may be too large at the most.
        Money::of(rounded.map_or(i128::MAX, |money| money.minor), self.currency)
    }
}

impl ExactMoney {
    /// An amount of a currency.
    pub fn new(amount: domain::decimal::Decimal, currency: Currency) -> Self {
        Self { amount, currency }
    }
}
