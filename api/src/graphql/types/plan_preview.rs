//! Plans that nobody has agreed to yet.

use async_graphql::{Context, Object, SimpleObject};

use super::installment::InstallmentKind;
use super::money::{Money, MoneyInput};
use super::user_error::UserError;
use crate::domain;
use crate::domain::currency::Currency;
use crate::domain::plan::{Plan, PlannedPart, plan};
use crate::domain::rejection::Rejection;
use crate::error::Result;
use crate::graphql::context::ContextExt;
use crate::graphql::input::plan::PlanInput;
use crate::graphql::pagination::page_size;
use crate::graphql::scalars::Date;

/// How an amount would be split, or why it would not be.
#[derive(Clone, Debug)]
pub struct PlanPreview {
    planned: std::result::Result<Plan, Vec<Rejection>>,
    currency: Currency,
}

/// How an amount would be split, or why it would not be.
#[Object]
impl PlanPreview {
    /// How many installments there are, with the deposit; 0 when the plan is refused.
    async fn count(&self) -> i32 {
        i32::try_from(self.parts().len()).unwrap_or(i32::MAX)
    }

    /// The installments in due-date order. Empty when the plan is refused.
    async fn installments(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 100, desc = "How many, at most 100.")] first: i32,
        #[graphql(default = 0, desc = "Only those with a greater sequence than this.")] after_sequence: i32,
    ) -> Result<Vec<PlannedInstallment>> {
        let first = page_size("first", first, ctx.request()?.max_page_size)?;
        let parts = self.parts().iter().filter(|part| part.sequence > after_sequence);
        let page = parts.take(usize::try_from(first).unwrap_or(usize::MAX));
        Ok(page.map(|part| PlannedInstallment::new(part, self.currency)).collect())
    }

    /// What the installments add up to: the amount. Null when the plan is refused.
    async fn sum(&self) -> Option<Money> {
        let plan = self.planned.as_ref().ok()?;
        let sum: i128 = plan.parts.iter().map(|part| i128::from(part.amount)).sum();
        Some(Money::of(sum, self.currency))
    }

    /// By how much the largest installment is above the smallest. Deposits and balances do not count, since they were
    /// meant to differ. Null when the plan is refused.
    async fn largest_difference(&self) -> Option<Money> {
        let plan = self.planned.as_ref().ok()?;
        Some(Money::of(plan.largest_difference(), self.currency))
    }

    /// All that is wrong with the plan, but for what comes after the first hundred. Empty when it can be agreed to.
    async fn user_errors(&self) -> Vec<UserError> {
        self.planned.as_ref().err().cloned().unwrap_or_default().into_iter().map(UserError::from).collect()
    }
}

impl PlanPreview {
    /// Splits an amount. Paths of what is refused start at the arguments `amount` and `plan`.
    #[must_use]
    pub fn new(amount: MoneyInput, input: PlanInput) -> Self {
        let currency = amount.currency.0;
        // An amount that cannot be read is taken as none, so that what is wrong with the plan is told with it.
        let (money, unreadable) = match amount.read() {
            Ok(money) => (money, None),
            Err(rejection) => (domain::money::Money::new(0, currency), Some(rejection.under(["amount"]))),
        };
        let place = |rejection: Rejection| match rejection.field.is_empty() {
            // Of the amount itself.
            true => unreadable.clone().unwrap_or_else(|| rejection.under(["amount", "amount"])),
            false => rejection.under(["plan"]),
        };
        let planned = plan(money, &input.terms()).map_err(|all| all.into_iter().map(place).collect());
        Self { planned, currency }
    }

    fn parts(&self) -> &[PlannedPart] {
        self.planned.as_ref().map_or(&[], |plan| &plan.parts)
    }
}

/// An installment that nobody has agreed to yet.
#[derive(Clone, Debug, SimpleObject)]
pub struct PlannedInstallment {
    /// Its place in the plan, from 1.
    pub sequence: i32,
    /// What part of the plan it is.
    pub kind: InstallmentKind,
    /// The day on which it would fall due.
    pub due_date: Date,
    /// What would be due.
    pub amount: Money,
    /// Whether its month is too short for the day of the first due date, so that it falls due on the month's last.
    pub clamped_to_month_end: bool,
}

impl PlannedInstallment {
    fn new(part: &PlannedPart, currency: Currency) -> Self {
        Self {
            sequence: part.sequence,
            kind: part.kind.into(),
            due_date: Date(part.due_date),
            amount: Money::of(part.amount, currency),
            clamped_to_month_end: part.clamped_to_month_end,
        }
    }
}
