//! A new plan for what is outstanding.

use entity::ids::PaymentId;

use super::{Command, Desk, Failure, close};
use crate::domain::ledger::Change;
use crate::domain::plan::{PlanTerms, plan};
use crate::store::ledgers;

/// What is outstanding is spread by a new plan.
#[derive(Clone, Debug)]
pub struct ReschedulePayment {
    /// The payment.
    pub payment: PaymentId,
    /// The version that the caller has seen.
    pub expected_version: i32,
    /// The new plan.
    pub plan: PlanTerms,
    /// Why.
    pub reason: String,
}

impl Command for ReschedulePayment {
    const MUTATION: &'static str = "reschedulePayment";

    async fn decide(&self, desk: &mut Desk<'_>) -> Result<Vec<Change>, Failure> {
        let mut ledger = close::lock(desk, self.payment, self.expected_version, &self.reason).await?;
        let outstanding = ledger.reschedulable()?;
        let plan = plan(outstanding, &self.plan).map_err(|rejections| {
            rejections.into_iter().map(|rejection| rejection.under(["plan"])).collect::<Vec<_>>()
        })?;
        ledger.revision = ledgers::revision(desk.db, desk.account, self.payment).await?;
        Ok(vec![desk.record(|scribe| ledger.reschedule(scribe, &plan, &self.reason))?])
    }
}
