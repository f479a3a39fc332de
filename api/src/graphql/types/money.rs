//! Money.

use async_graphql::parser::types::Field;
use async_graphql::{Context, InputObject, Object};

use super::rate::{Conversion, RatePurpose};
use crate::domain;
use crate::domain::currency::Currency;
use crate::domain::rejection::Rejection;
use crate::error::{Error, Result, code};
use crate::graphql::context::ContextExt;
use crate::graphql::rows::{Ready, Writer};
use crate::graphql::scalars::{CurrencyCode, Date, Decimal};
use crate::loaders::rates::{MissingPolicy, RateAnswer, RateKey};

/// An exact amount in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money(pub domain::money::Money);

/// An exact amount in one currency.
#[Object]
impl Money {
    /// The amount in major units, with as many digits after the point as the currency has minor units.
    async fn amount(&self) -> Decimal {
        Decimal(self.0.amount())
    }

    /// The currency of the amount.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency)
    }

    /// How many digits after the point ISO 4217 gives the currency.
    async fn minor_units(&self) -> i32 {
        self.0.currency.minor_units().into()
    }

    /// How many digits after the point a bank will really settle: none for the rupiah.
    async fn settlement_digits(&self) -> i32 {
        self.0.currency.settlement_digits().into()
    }

    /// The amount as people write it.
    async fn formatted(
        &self,
        #[graphql(
            default = "id-ID",
            desc = "The language: Indonesian (`id`, `id-ID`) or English (`en`, `en-US`). Any other is answered in English."
        )]
        locale: String,
    ) -> String {
        self.0.formatted(&locale)
    }

    /// This amount in another currency. Null when no rate is held for that day and purpose; `currencyRate` tells
    /// why. All conversions of an operation load their rates together.
    async fn converted(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The currency wanted.")] into: CurrencyCode,
        #[graphql(desc = "The day of the rate. Null: the account's current day.")] on: Option<Date>,
        #[graphql(default_with = "RatePurpose::Reference", desc = "What the conversion is for.")] purpose: RatePurpose,
    ) -> Option<Result<Conversion>> {
        Conversion::load(ctx, self.0, into.0, on, purpose).await.transpose()
    }
}

impl Ready for Money {
    fn ready(&self, field: &Field, to: &mut Writer<'_>) -> bool {
        match field.name.node.as_str() {
            "amount" => to.plain(self.0.amount()),
            "currency" => to.plain_text(self.0.currency.code()),
            "minorUnits" => to.scalar(self.0.currency.minor_units()),
            "settlementDigits" => to.scalar(self.0.currency.settlement_digits()),
            _ => false,
        }
    }
}

impl Money {
    /// An amount out of the database.
    pub fn of(minor: impl Into<i128>, currency: Currency) -> Self {
        Self(domain::money::Money::new(minor.into(), currency))
    }
}

/// The currency of a row.
///
/// # Errors
/// When the database holds a code that ISO 4217 does not know, which is a fault of its data.
pub fn currency_of_row(code: &str) -> Result<Currency> {
    Currency::from_code(code).ok_or_else(|| Error::internal(format!("the database holds an unknown currency: {code}")))
}

/// An amount in one currency.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct MoneyInput {
    /// The amount in major units. More digits after the point than the currency has are refused, not rounded.
    pub amount: Decimal,
    /// The currency.
    pub currency: CurrencyCode,
}

impl MoneyInput {
    /// The amount as money.
    ///
    /// # Errors
    /// [`code::BAD_USER_INPUT`] when it has more digits than its currency.
    pub fn money(&self) -> Result<domain::money::Money> {
        domain::money::Money::from_decimal(self.amount.0, self.currency.0)
            .map_err(|error| Error::caller(code::BAD_USER_INPUT, error.to_string()))
    }

    /// The amount as money, where a refusal is an outcome. Its path starts below this input.
    ///
    /// # Errors
    /// When it has more digits than its currency.
    pub fn read(&self) -> std::result::Result<domain::money::Money, Rejection> {
        domain::money::Money::from_decimal(self.amount.0, self.currency.0)
            .map_err(|error| Rejection::invalid(["amount"], error.to_string()))
    }
}

impl Conversion {
    /// Converts with the rate of a day, or of the last day before it that has one.
    ///
    /// # Errors
    /// When the rates cannot be loaded, or the result is too large to write down.
    pub async fn load(
        ctx: &Context<'_>,
        from: domain::money::Money,
        into: Currency,
        on: Option<Date>,
        purpose: RatePurpose,
    ) -> Result<Option<Self>> {
        let on = match on {
            Some(day) => day.0,
            None => ctx.request()?.today(),
        };
        let (base, quote) = (from.currency, into);
        let key = RateKey { purpose: purpose.into(), base, quote, on, missing: MissingPolicy::Previous };
        match ctx.load(key).await? {
            RateAnswer::Found(rate) => Self::new(from, rate).map(Some),
            RateAnswer::Missing(_) => Ok(None),
        }
    }
}
