//! Installment plans as they are asked for.

use async_graphql::{InputObject, OneofObject};

use crate::domain::plan::{EvenTerms, ExplicitPart, PercentPart, PlanTerms};
use crate::graphql::scalars::{Date, Decimal};
use crate::graphql::types::installment::{InstallmentKind, PlanFrequency, RemainderPolicy};

/// How an amount is split into installments: in exactly one of these ways. Every due date is in the years 1970 to
/// 2200.
#[derive(Clone, Debug, OneofObject)]
pub enum PlanInput {
    /// In equal installments, evenly apart.
    Even(EvenPlanInput),
    /// In shares that are given in percent.
    Percentages(PercentPlanInput),
    /// In amounts that are given one by one, from 1 to 1,000. They add up to the amount exactly. Installments are
    /// numbered in due-date order; what falls due on one day keeps the order given.
    Explicit(Vec<ExplicitInstallmentInput>),
}

/// Equal installments, evenly apart. Each is the amount divided by their number, rounded down to the rounding unit;
/// what is left over goes where `remainder` says. A plan with an installment of zero is refused.
#[derive(Clone, Debug, InputObject)]
pub struct EvenPlanInput {
    /// How many installments, from 1 to 1,000, the deposit not counted.
    pub count: i32,
    /// When the deposit falls due, with the first installment one period later; without a deposit, when the first
    /// installment does.
    pub first_due_date: Date,
    /// How far apart the due dates are. Months count from the first due date, and end where they are shorter: 31
    /// January, 28 February, 31 March. `CUSTOM` is refused when there is more than one due date.
    #[graphql(default_with = "PlanFrequency::Monthly")]
    pub frequency: PlanFrequency,
    /// What is paid first, in major units: above zero and less than the amount. The rest is split. Null: no deposit.
    pub deposit: Option<Decimal>,
    /// Where the remainder goes, and with it what of the amount is no whole rounding unit.
    #[graphql(default_with = "RemainderPolicy::Last")]
    pub remainder: RemainderPolicy,
    /// Installments are multiples of this, in major units: above zero, with no more digits than the currency has.
    /// Null: the smallest amount that a bank will really settle, 1 for the rupiah and 0.01 for the dollar.
    pub rounding_unit: Option<Decimal>,
}

/// Shares in percent, each with its due date.
#[derive(Clone, Debug, InputObject)]
pub struct PercentPlanInput {
    /// The shares, from 1 to 1,000. They add up to 100 exactly. Installments are numbered in due-date order; what
    /// falls due on one day keeps the order given. In that order the running total is rounded half-even, and each
    /// installment is what it adds to the total: to the smallest amount that a bank will really settle, or to minor
    /// units when the amount itself is finer than that.
    pub items: Vec<PercentItem>,
}

/// A share in percent.
#[derive(Clone, Debug, InputObject)]
pub struct PercentItem {
    /// The share in percent of the amount, above zero.
    pub percent: Decimal,
    /// The day on which it falls due.
    pub due_date: Date,
}

/// An installment whose amount is given.
#[derive(Clone, Debug, InputObject)]
pub struct ExplicitInstallmentInput {
    /// The amount in major units, above zero. More digits after the point than the currency has are refused, not
    /// rounded.
    pub amount: Decimal,
    /// The day on which it falls due.
    pub due_date: Date,
    /// What part of the plan it is.
    #[graphql(default_with = "InstallmentKind::Installment")]
    pub kind: InstallmentKind,
}

impl PlanInput {
    /// The terms that this asks for.
    #[must_use]
    pub fn terms(self) -> PlanTerms {
        match self {
            Self::Even(even) => PlanTerms::Even(EvenTerms {
                count: even.count,
                first_due_date: even.first_due_date.0,
                frequency: even.frequency.into(),
                deposit: even.deposit.map(|deposit| deposit.0),
                remainder: even.remainder.into(),
                rounding_unit: even.rounding_unit.map(|unit| unit.0),
            }),
            Self::Percentages(shares) => {
                let part = |item: PercentItem| PercentPart { percent: item.percent.0, due_date: item.due_date.0 };
                PlanTerms::Percentages(shares.items.into_iter().map(part).collect())
            }
            Self::Explicit(items) => {
                let part = |item: ExplicitInstallmentInput| ExplicitPart {
                    amount: item.amount.0,
                    due_date: item.due_date.0,
                    kind: item.kind.into(),
                };
                PlanTerms::Explicit(items.into_iter().map(part).collect())
            }
        }
    }
}
