//! The computation of duty and levy, step by step.

use std::sync::Arc;

use chrono::NaiveDate;
use num_rational::BigRational;
use num_traits::Zero;

use super::measure::{Band, Measure, PriceUnit, RateUnit, product_key};
use super::published::{Published, PublishedKind};
use super::unit::MassUnit;
use super::{Failure, Goods, Reason, Unavailable};
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::domain::ratio;

mod rupiah;

pub use rupiah::{InRupiah, RupiahRounding};

/// Digits after the point of a number that is shown; what is computed on has them all.
const SHOWN_DIGITS: u8 = 12;

/// How much is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// How many.
    pub amount: Decimal,
    /// Of what.
    pub unit: MassUnit,
}

/// One step of a computation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is.
    pub label: &'static str,
    /// How it was computed.
    pub formula: String,
    /// What came out.
    pub value: Decimal,
    /// What that is in.
    pub unit: String,
    /// The regulations it rests on, as they are cited.
    pub basis: Option<String>,
}

/// Duty and levy in the currency of the published prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The currency of both.
    pub currency: Currency,
    /// The duty.
    pub duty: BigRational,
    /// The levy; `None` when none is held.
    pub levy: Option<BigRational>,
    /// The measures that were applied.
    pub measures: Vec<Arc<Measure>>,
    /// The rule of the duty, as its file names it; `None` where the duty itself is published.
    pub rule: Option<String>,
    /// How it was computed.
    pub steps: Vec<Step>,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
}

/// The names of other goods whose prices are needed too.
#[must_use]
pub fn other_products(goods: &Goods) -> Vec<String> {
    let bands = [&goods.duty, &goods.levy].into_iter().flatten().flat_map(|measure| &measure.bands);
    let mut others: Vec<String> = bands
        .filter_map(|band| match &band.rate_unit {
            RateUnit::PercentOfReference(Some(product)) => Some(product_key(product)),
            _ => None,
        })
        .collect();
    others.sort_unstable();
    others.dedup();
    others
}

/// Duty and levy of `quantity` on the day of filing, from what is published for that day.
///
/// # Errors
/// Why there is no quote.
pub fn assess(
    goods: &Goods,
    quantity: Quantity,
    filing: NaiveDate,
    published: &[Arc<Published>],
) -> Result<Assessment, Failure> {
    let mut work =
        Work { goods, quantity, filing, published, steps: Vec::new(), assumptions: goods.assumptions.clone() };
    let mut measures = Vec::new();
    let (duty, rule) = match &goods.duty {
        Some(measure) => {
            let band = work.band(measure)?;
            measures.push(Arc::clone(measure));
            work.trust(band);
            let basis = Some(band.legal_basis.clone());
            (work.charge("Export duty", band.rate, &band.rate_unit, basis)?, Some(band.rule.clone()))
        }
        None => (work.published_charge("Export duty", PublishedKind::Duty)?.ok_or_else(|| work.no_rule())?, None),
    };
    let levy = match work.published_charge("Export levy", PublishedKind::Levy)? {
        Some(levy) => Some(levy),
        None => match &goods.levy {
            Some(measure) => {
                let band = work.band(measure)?;
                measures.push(Arc::clone(measure));
                work.trust(band);
                Some(work.charge("Export levy", band.rate, &band.rate_unit, Some(band.legal_basis.clone()))?)
            }
            None => None,
        },
    };
    if levy.is_none() {
        work.assumptions.push(format!("No levy on {:?} is held for {filing}: it is left out.", goods.product));
    }
    if let Some((_, currency)) = &levy
        && *currency != duty.1
    {
        let message = format!("the levy is published in {currency}, and the duty in {}", duty.1);
        return Err(Unavailable::new(Reason::UnitMismatch, message).into());
    }
    let Work { steps, assumptions, .. } = work;
    Ok(Assessment {
        currency: duty.1,
        duty: duty.0,
        levy: levy.map(|(levy, _)| levy),
        measures,
        rule,
        steps,
        assumptions,
    })
}

/// A computation on its way.
struct Work<'a> {
    goods: &'a Goods,
    quantity: Quantity,
    filing: NaiveDate,
    published: &'a [Arc<Published>],
    steps: Vec<Step>,
    assumptions: Vec<String>,
}

/// An amount and its currency.
type Charge = (BigRational, Currency);

impl<'a> Work<'a> {
    fn published(&self, product: &str, kind: PublishedKind) -> Option<&'a Published> {
        let key = product_key(product);
        self.published
            .iter()
            .find(|one| one.kind == kind && one.is_valid_on(self.filing) && product_key(&one.product) == key)
            .map(AsRef::as_ref)
    }

    fn price(&self, product: &str, kind: PublishedKind) -> Result<(&'a Published, Decimal), Failure> {
        let found = self.published(product, kind).and_then(|price| Some((price, price.amount?)));
        found.ok_or_else(|| {
            let what = if kind == PublishedKind::Hpe { "export price (HPE)" } else { "reference price" };
            let message = format!("no {what} of {product:?} is held for {}", self.filing);
            Unavailable::new(Reason::NoReferencePrice, message).into()
        })
    }

    /// The band that applies: the only one, or that of the reference price.
    fn band<'m>(&mut self, measure: &'m Measure) -> Result<&'m Band, Failure> {
        if let Some(band) = measure.flat() {
            return Ok(band);
        }
        let (reference, amount) = self.price(&self.goods.product, PublishedKind::Reference)?;
        let unit = measure.bands.iter().find_map(|band| band.unit).unwrap_or(reference.unit);
        let Some(price) = reference.amount_in(unit) else {
            let message = format!("the reference price is in {}, and the rule in {unit}", reference.unit);
            return Err(Unavailable::new(Reason::UnitMismatch, message).into());
        };
        self.step(
            "Reference price",
            format!("published for {} to {}", reference.valid_from, reference.valid_to),
            &ratio::from_decimal(amount),
            reference.unit.to_string(),
            reference.decree.clone(),
        )?;
        measure.band(&price).ok_or_else(|| {
            let held: Vec<_> = measure.bands.iter().map(Band::interval).collect();
            let message = format!(
                "the reference price of {amount} {} is in no band that is held of {:?}: {}",
                reference.unit,
                measure.product,
                held.join(", ")
            );
            Unavailable::new(Reason::RuleNotHeld, message).into()
        })
    }

    fn trust(&mut self, band: &Band) {
        if !band.confidence.is_empty() {
            self.assumptions.push(format!("Rule {}: {}.", band.rule, band.confidence));
        }
    }

    /// What is published of the charge itself: the printed amount, which comes from an unrounded price, before a
    /// percentage of the printed price.
    fn published_charge(&mut self, label: &'static str, kind: PublishedKind) -> Result<Option<Charge>, Failure> {
        let Some(published) = self.published(&self.goods.product, kind) else { return Ok(None) };
        match (published.amount, &published.rate) {
            (Some(amount), _) => {
                self.charge(label, amount, &RateUnit::Amount(published.unit), published.basis()).map(Some)
            }
            (None, Some((rate, unit))) => self.charge(label, *rate, unit, published.basis()).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Quantity × price × rate, or quantity × amount for each unit.
    fn charge(
        &mut self,
        label: &'static str,
        rate: Decimal,
        unit: &RateUnit,
        basis: Option<String>,
    ) -> Result<Charge, Failure> {
        let goods = &self.goods.product;
        let price = match unit {
            RateUnit::Amount(per) => {
                let quantity = self.quantity_in(per.per)?;
                let charge = &quantity * ratio::from_decimal(rate);
                let formula = format!("{} {} × {rate} {per}", shown(&quantity)?, per.per.symbol());
                self.step(label, formula, &charge, per.currency.to_string(), basis)?;
                return Ok((charge, per.currency));
            }
            RateUnit::PercentOfHpe => self.price(goods, PublishedKind::Hpe)?,
            RateUnit::PercentOfReference(other) => {
                self.price(other.as_ref().unwrap_or(goods), PublishedKind::Reference)?
            }
            RateUnit::PercentOfExportPrice => {
                let hpe = self.price(goods, PublishedKind::Hpe)?;
                self.assumptions.push(format!("{label}: \"export price\" is taken to mean the export price (HPE)."));
                hpe
            }
        };
        let (published, amount) = price;
        let PriceUnit { currency, per } = published.unit;
        let what = match published.kind {
            PublishedKind::Hpe => "Export price (HPE)",
            _ => "Reference price",
        };
        let period = format!("published for {} to {}", published.valid_from, published.valid_to);
        self.step(what, period, &ratio::from_decimal(amount), published.unit.to_string(), published.decree.clone())?;
        let quantity = self.quantity_in(per)?;
        let hundred = ratio::from_decimal(Decimal::new(100, 0));
        let charge = &quantity * ratio::from_decimal(amount) * ratio::from_decimal(rate) / hundred;
        let formula = format!("{} {} × {amount} {} × {rate} %", shown(&quantity)?, per.symbol(), published.unit);
        self.step(label, formula, &charge, currency.to_string(), basis)?;
        Ok((charge, currency))
    }

    /// The quantity in the unit of a price, with a step where it was converted.
    fn quantity_in(&mut self, unit: MassUnit) -> Result<BigRational, Failure> {
        let Quantity { amount, unit: given } = self.quantity;
        let quantity = given.convert(&ratio::from_decimal(amount), unit);
        if given != unit {
            self.step(
                "Quantity",
                format!("{amount} {} in {}", given.symbol(), unit.symbol()),
                &quantity,
                unit.symbol().to_owned(),
                None,
            )?;
        }
        Ok(quantity)
    }

    /// A step, unless the same one is there already.
    fn step(
        &mut self,
        label: &'static str,
        formula: String,
        value: &BigRational,
        unit: String,
        basis: Option<String>,
    ) -> Result<(), Failure> {
        let step = Step { label, formula, value: shown(value)?, unit, basis };
        if !self.steps.contains(&step) {
            self.steps.push(step);
        }
        Ok(())
    }

    fn no_rule(&self) -> Failure {
        let message = format!("no duty rule of {:?} is held", self.goods.product);
        Unavailable::new(Reason::RuleNotHeld, message).into()
    }
}

/// The number for a reader: exact where twelve digits after the point are enough.
fn shown(value: &BigRational) -> Result<Decimal, Failure> {
    if value.is_zero() {
        return Ok(Decimal::ZERO);
    }
    ratio::to_decimal(value, SHOWN_DIGITS, 0).ok_or(Failure::TooLarge)
}
