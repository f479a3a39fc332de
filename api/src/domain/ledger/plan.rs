//! A new plan for what is outstanding.

use entity::installment;
use entity::payment_event::Kind;

use super::{Change, Draft, Ledger, Scribe, installment_status};
use crate::domain::money::Money;
use crate::domain::plan::Plan;
use crate::domain::rejection::Rejection;

impl Ledger {
    /// What a new plan would have to spread.
    ///
    /// # Errors
    /// When the payment is closed.
    pub fn reschedulable(&self) -> Result<Money, Rejection> {
        self.expect_open("id", "rescheduled")?;
        Ok(self.money(self.payment.outstanding))
    }

    /// Spreads what is outstanding by a new plan, whose parts add up to it. Installments that hold nothing are
    /// void from now on; one that holds something closes at what it holds.
    ///
    /// # Errors
    /// When the payment is closed.
    pub fn reschedule(&mut self, scribe: &mut Scribe<'_>, plan: &Plan, reason: &str) -> Result<Change, Rejection> {
        self.reschedulable()?;
        let before = self.clone();
        let mut draft = Draft::new(Kind::PaymentRescheduled, Some(reason));
        for row in self.installments.iter_mut().filter(|row| row.outstanding > 0) {
            row.outstanding = 0;
            row.settled_at = Some(scribe.at);
            if row.allocated + row.waived == 0 {
                row.status = installment::Status::Void;
                row.settled_at = None;
            } else {
                row.amount = row.allocated + row.waived;
                row.status = installment_status(row);
            }
            draft.changed_installments.push(row.clone());
        }
        self.add_plan(plan, scribe, &mut draft);
        Ok(self.seal(&before, draft, scribe))
    }
}
