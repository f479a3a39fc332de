//! Quotes of export duty.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, Union};

use super::commodity::Commodity;
use super::duty_measure::DutyMeasure;
use super::exact_money::ExactMoney;
use super::money::MoneyInput;
use super::rate::CurrencyRate;
use super::regulation::Regulation;
use crate::domain::currency::Currency;
use crate::domain::duty::quote::Step;
use crate::domain::duty::{Failure, MassUnit, Quantity, Reason, Unavailable};
use crate::duty_quote::{Asked, Outcome, Quote};
use crate::error::{Error, Result, code};
use crate::graphql::context::ContextExt;
use crate::graphql::scalars::{Date, Decimal, HsCode};
use crate::loaders::commodities::CommodityKey;

/// What is exported, and when. Give `hsCode`, `productVariant`, or both.
#[derive(Clone, Debug, InputObject)]
pub struct ExportDutyQuoteInput {
    /// The code of the goods. Null where only the goods themselves are named.
    pub hs_code: Option<HsCode>,
    /// How much is exported, above zero.
    pub quantity: Decimal,
    /// What the quantity is in: `t`, `kg`, `g` or `troy oz`.
    pub unit: String,
    /// The day on which the export declaration is filed. It picks the rule and the reference price.
    pub filing_date: Date,
    /// The day on which the duty is paid. It picks the tax rate. Null: the day of filing.
    pub payment_date: Option<Date>,
    /// What the buyer pays. It is not in the formula, and changes nothing but a remark. Null: it is not said.
    pub invoice: Option<MoneyInput>,
    /// The goods, as a rule names them (`DutyMeasure.product`), where the code does not say enough. Null: by the code.
    pub product_variant: Option<String>,
}

/// A quote, or why there is none.
#[derive(Clone, Debug, Union)]
pub enum ExportDutyResult {
    /// There is a quote.
    ExportDutyQuote(ExportDutyQuote),
    /// There is none.
    QuoteUnavailable(QuoteUnavailable),
}

/// What leaves the price at the border, and how it was computed. An estimate, and no legal advice.
#[derive(Clone, Debug)]
pub struct ExportDutyQuote(pub Arc<Quote>);

/// What leaves the price at the border, and how it was computed. An estimate, and no legal advice.
#[Object]
impl ExportDutyQuote {
    /// The goods, in the words of the rule that was applied.
    async fn product(&self) -> &str {
        &self.0.product
    }

    /// The measures that were applied: the duty's, and the levy's where it is not published itself.
    async fn measures(&self) -> Vec<DutyMeasure> {
        self.0.assessment.measures.iter().cloned().map(DutyMeasure::new).collect()
    }

    /// The name of the rule of the duty. Null where the duty itself is published for the period.
    async fn rule(&self) -> Option<&str> {
        self.0.assessment.rule.as_deref()
    }

    /// The computation, step by step.
    async fn steps(&self) -> Vec<QuoteStep> {
        self.0.paid.steps.iter().cloned().map(QuoteStep).collect()
    }

    /// The duty in the currency of the published prices.
    async fn duty_foreign(&self) -> ExactMoney {
        ExactMoney::new(self.0.paid.duty_foreign, self.0.assessment.currency)
    }

    /// The levy in the currency of the published prices. Null where no levy is held for the goods and the day.
    async fn levy_foreign(&self) -> Option<ExactMoney> {
        self.0.paid.levy_foreign.map(|levy| ExactMoney::new(levy, self.0.assessment.currency))
    }

    /// The duty in rupiah.
    async fn duty_idr(&self) -> ExactMoney {
        ExactMoney::new(self.0.paid.duty, Currency::idr())
    }

    /// The levy in rupiah. Null where no levy is held for the goods and the day.
    async fn levy_idr(&self) -> Option<ExactMoney> {
        self.0.paid.levy.map(|levy| ExactMoney::new(levy, Currency::idr()))
    }

    /// Duty and levy in rupiah.
    async fn total_idr(&self) -> ExactMoney {
        ExactMoney::new(self.0.paid.total, Currency::idr())
    }

    /// The tax rate that was used.
    async fn fx(&self) -> CurrencyRate {
        CurrencyRate(Arc::clone(&self.0.rate))
    }

    /// What was taken for granted, in words.
    async fn assumptions(&self) -> &[String] {
        &self.0.paid.assumptions
    }

    /// All regulations that the steps rest on, each once.
    async fn legal_basis(&self, ctx: &Context<'_>) -> Result<Vec<Regulation>> {
        Regulation::cited(ctx, self.0.paid.steps.iter().filter_map(|step| step.basis.as_deref())).await
    }

    /// Always true: how customs rounds is not known, and rules come from notices and not from the gazette.
    async fn is_estimate(&self) -> bool {
        true
    }
}

/// One step of a computation.
#[derive(Clone, Debug)]
pub struct QuoteStep(Step);

/// One step of a computation.
#[Object]
impl QuoteStep {
    /// What it is.
    async fn label(&self) -> &str {
        self.0.label
    }

    /// How it was computed.
    async fn formula(&self) -> &str {
        &self.0.formula
    }

    /// What came out; of a division, twelve digits after the point. The next steps use the exact fraction.
    async fn value(&self) -> Decimal {
        Decimal(self.0.value)
    }

    /// What the value is in.
    async fn unit(&self) -> &str {
        &self.0.unit
    }

    /// What it rests on, as it is cited. Null where it rests on the steps before it.
    async fn citation(&self) -> Option<&str> {
        self.0.basis.as_deref()
    }

    /// The regulations that are cited. Empty where it rests on the steps before it.
    async fn legal_basis(&self, ctx: &Context<'_>) -> Result<Vec<Regulation>> {
        Regulation::cited(ctx, self.0.basis.as_deref()).await
    }
}

/// Why there is no quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Reason")]
pub enum QuoteUnavailableReason {
    /// No rule that is held names the goods. That does not prove that they are free of duty.
    NotDutiable,
    /// The code stands for goods with different rules: choose a code or name the goods.
    AmbiguousCode,
    /// The reference price or the export price of that day is not held.
    NoReferencePrice,
    /// The tax rate of the day of payment is not held. No other rate is taken in its place.
    NoRate,
    /// The quantity, or a price, is in a unit that the rule does not have.
    UnitMismatch,
    /// No rule is held for that day or that price.
    RuleNotHeld,
}

/// There is no quote.
#[derive(Clone, Debug)]
pub struct QuoteUnavailable {
    why: Unavailable,
    candidates: Vec<Commodity>,
}

/// There is no quote.
#[Object]
impl QuoteUnavailable {
    /// Why there is none, in words.
    async fn message(&self) -> &str {
        &self.why.message
    }

    /// Why there is none.
    async fn reason(&self) -> QuoteUnavailableReason {
        self.why.reason.into()
    }

    /// Commodities that may be meant, by code. Empty when none is known.
    async fn candidates(&self) -> &[Commodity] {
        &self.candidates
    }

    /// Goods that may be meant, to be passed as `productVariant`. Empty when none is known.
    async fn products(&self) -> &[String] {
        &self.why.products
    }
}

impl ExportDutyResult {
    /// Computes a quote. All quotes of an operation load their rules, prices and rates together.
    ///
    /// # Errors
    /// [`code::BAD_USER_INPUT`] when the input makes no sense; otherwise when something cannot be loaded.
    pub async fn load(ctx: &Context<'_>, input: ExportDutyQuoteInput) -> Result<Self> {
        match Self::quote(ctx, input).await? {
            Ok(quote) => Ok(Self::ExportDutyQuote(ExportDutyQuote(Arc::new(quote)))),
            Err(Failure::Unavailable(why)) => {
                let codes = why.codes.iter().cloned().map(CommodityKey).collect::<Vec<_>>();
                let candidates = ctx.load_many(codes).await?.into_iter().flatten().map(Commodity::new).collect();
                Ok(Self::QuoteUnavailable(QuoteUnavailable { why, candidates }))
            }
            Err(Failure::TooLarge) => Err(bad("the quantity is too large")),
        }
    }

    async fn quote(ctx: &Context<'_>, input: ExportDutyQuoteInput) -> Result<Result<Quote, Failure>> {
        let asked = read(&input)?;
        let Some(unit) = MassUnit::parse(&input.unit) else {
            let message =
                format!("{:?} is not a unit of mass that is known here: write t, kg, g or troy oz", input.unit);
            return Ok(Err(Unavailable::new(Reason::UnitMismatch, message).into()));
        };
        let asked = Asked { quantity: Quantity { amount: input.quantity.0, unit }, ..asked };
        let request = ctx.request()?;
        asked.quote(&request.loads, request.duty_rounding).await.map(Outcome::into_quote)
    }
}

/// What is asked for, checked but for the unit.
fn read(input: &ExportDutyQuoteInput) -> Result<Asked> {
    if input.quantity.0.is_negative() || input.quantity.0.is_zero() {
        return Err(bad("the quantity must be above zero"));
    }
    let code = input.hs_code.map(|code| code.0);
    if code.is_some_and(|code| code.is_section()) {
        return Err(bad("hsCode must be a code of digits and not a section"));
    }
    let product = input.product_variant.as_ref().map(|product| product.trim().to_owned());
    let product = product.filter(|product| !product.is_empty());
    if product.as_ref().is_some_and(|product| product.chars().count() > 200 || product.contains('\0')) {
        return Err(bad("productVariant has at most 200 characters"));
    }
    if code.is_none() && product.is_none() {
        return Err(bad("give hsCode, productVariant, or both"));
    }
    Ok(Asked {
        code: code.map(|code| code.as_str().to_owned()),
        product,
        quantity: Quantity { amount: input.quantity.0, unit: MassUnit::Tonne },
        filing: input.filing_date.0,
        payment: input.payment_date.map(|day| day.0),
        has_invoice: input.invoice.is_some(),
    })
}

fn bad(message: &str) -> Error {
    Error::caller(code::BAD_USER_INPUT, message)
}
