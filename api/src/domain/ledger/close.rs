//! The two ways in which a payment ends without being paid.

use entity::payment_event::Kind;
use entity::{installment, payment};

use super::{Change, Draft, Ledger, Scribe, may_cancel};
use crate::domain::rejection::Rejection;

impl Ledger {
    /// Calls the payment off.
    ///
    /// # Errors
    /// When something was received or waived, or the payment is closed.
    pub fn cancel(&mut self, scribe: &mut Scribe<'_>, reason: &str) -> Result<Change, Rejection> {
        self.expect_open("id", "cancelled")?;
        if !may_cancel(&self.payment) {
            let message = "something was received or waived, so the payment cannot be cancelled";
            return Err(self.invalid_state("id", message));
        }
        let before = self.clone();
        let mut draft = Draft::new(Kind::PaymentCancelled, Some(reason));
        for row in self.installments.iter_mut().filter(|row| row.outstanding > 0) {
            row.outstanding = 0;
            row.status = installment::Status::Void;
            draft.changed_installments.push(row.clone());
        }
        self.payment.status = payment::Status::Cancelled;
        self.payment.outstanding = 0;
        Ok(self.seal(&before, draft, scribe))
    }

    /// Gives up what is outstanding, for good.
    ///
    /// # Errors
    /// When the payment is closed.
    pub fn write_off(&mut self, scribe: &mut Scribe<'_>, reason: &str) -> Result<Change, Rejection> {
        self.expect_open("id", "written off")?;
        let before = self.clone();
        let draft = Draft::new(Kind::PaymentWrittenOff, Some(reason));
        self.payment.written_off = self.payment.outstanding;
        self.payment.outstanding = 0;
        Ok(self.seal(&before, draft, scribe))
    }
}
