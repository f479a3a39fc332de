//! What is paid: duty and levy in rupiah.

use chrono::NaiveDate;
use num_bigint::BigInt;
use num_rational::BigRational;

use super::{Assessment, Step, shown};
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::domain::duty::Failure;
use crate::domain::rate::Rate;

/// How duty and levy are rounded to whole rupiah, each for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RupiahRounding {
    /// Not at all: no rule for it was found.
    #[default]
    None,
    /// To the nearest, halves up.
    Nearest,
    /// Up.
    Up,
    /// Down.
    Down,
}

/// Duty and levy as they are paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InRupiah {
    /// The duty in the currency of the published prices.
    pub duty_foreign: Decimal,
    /// The levy in it; `None` when none is held.
    pub levy_foreign: Option<Decimal>,
    /// The duty in rupiah.
    pub duty: Decimal,
    /// The levy in rupiah.
    pub levy: Option<Decimal>,
    /// Both together.
    pub total: Decimal,
    /// All steps.
    pub steps: Vec<Step>,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
}

impl RupiahRounding {
    fn round(self, value: BigRational) -> BigRational {
        match self {
            Self::None => value,
            Self::Nearest => (value + BigRational::new(BigInt::from(1), BigInt::from(2))).floor(),
            Self::Up => value.ceil(),
            Self::Down => value.floor(),
        }
    }
}

impl Assessment {
    /// What is paid on a day, at the tax rate that `decree` sets for it.
    ///
    /// # Errors
    /// When a number is too large to write down.
    pub fn in_rupiah(
        &self,
        rate: &Rate,
        decree: Option<String>,
        payment: NaiveDate,
        rounding: RupiahRounding,
    ) -> Result<InRupiah, Failure> {
        let (mut steps, mut assumptions) = (self.steps.clone(), self.assumptions.clone());
        let (currency, price) = (self.currency, rate.to_decimal());
        steps.push(Step {
            label: "Tax rate",
            formula: format!("in force on {payment}"),
            value: price,
            unit: format!("{}/{currency}", Currency::idr()),
            basis: decree,
        });
        let mut pay = |label, amount: &BigRational| {
            let exact = amount * rate.as_ratio();
            let rounded = rounding.round(exact);
            let formula = format!("{} {currency} × {price}", shown(amount)?);
            let step = Step { label, formula, value: shown(&rounded)?, unit: Currency::idr().to_string(), basis: None };
            steps.push(step);
            Ok::<_, Failure>(rounded)
        };
        let duty = pay("Export duty in rupiah", &self.duty)?;
        let levy = self.levy.as_ref().map(|levy| pay("Export levy in rupiah", levy)).transpose()?;
        let total = levy.as_ref().map_or_else(|| duty.clone(), |levy| &duty + levy);
        assumptions.push(match rounding {
            RupiahRounding::None => "Rupiah are not rounded: no rule for it is held.".to_owned(),
            other => format!("Duty and levy are each rounded to whole rupiah ({other}), as this server is set."),
        });
        Ok(InRupiah {
            duty_foreign: shown(&self.duty)?,
            levy_foreign: self.levy.as_ref().map(shown).transpose()?,
            duty: shown(&duty)?,
            levy: levy.as_ref().map(shown).transpose()?,
            total: shown(&total)?,
            steps,
            assumptions,
        })
    }
}

impl std::fmt::Display for RupiahRounding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Nearest => "nearest",
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

/// A text that is no way of rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rounding is none, nearest, up or down")]
pub struct UnknownRounding;

impl std::str::FromStr for RupiahRounding {
    type Err = UnknownRounding;

    fn from_str(text: &str) -> Result<Self, UnknownRounding> {
        let all = [Self::None, Self::Nearest, Self::Up, Self::Down];
        all.into_iter().find(|rounding| rounding.to_string() == text).ok_or(UnknownRounding)
    }
}
