//! Cancelling and writing off.

use entity::ids::PaymentId;

use super::{Command, Desk, Failure};
use crate::domain::ledger::{Change, Ledger};
use crate::domain::rejection::Rejection;
use crate::domain::text;
use crate::store::ledgers::{self, About};

/// A payment is called off.
#[derive(Clone, Debug)]
pub struct CancelPayment {
    /// The payment.
    pub payment: PaymentId,
    /// The version that the caller has seen.
    pub expected_version: i32,
    /// Why.
    pub reason: String,
}

/// What is outstanding of a payment is given up.
#[derive(Clone, Debug)]
pub struct WriteOffPayment {
    /// The payment.
    pub payment: PaymentId,
    /// The version that the caller has seen.
    pub expected_version: i32,
    /// Why.
    pub reason: String,
}

impl Command for CancelPayment {
    const MUTATION: &'static str = "cancelPayment";

    async fn decide(&self, desk: &mut Desk<'_>) -> Result<Vec<Change>, Failure> {
        let mut ledger = lock(desk, self.payment, self.expected_version, &self.reason).await?;
        Ok(vec![desk.record(|scribe| ledger.cancel(scribe, &self.reason))?])
    }
}

impl Command for WriteOffPayment {
    const MUTATION: &'static str = "writeOffPayment";

    async fn decide(&self, desk: &mut Desk<'_>) -> Result<Vec<Change>, Failure> {
        let mut ledger = lock(desk, self.payment, self.expected_version, &self.reason).await?;
        Ok(vec![desk.record(|scribe| ledger.write_off(scribe, &self.reason))?])
    }
}

/// The ledger of a payment that the caller has seen, and has a reason to change.
pub(super) async fn lock(desk: &Desk<'_>, payment: PaymentId, version: i32, reason: &str) -> Result<Ledger, Failure> {
    text::check("reason", reason, text::LONG)?;
    let ledger = ledgers::lock(desk.db, desk.account, payment, About::Payment).await?;
    let ledger = ledger.ok_or_else(|| Rejection::not_found(["id"], "there is no payment with this id"))?;
    ledger.expect_version(Some(version))?;
    Ok(ledger)
}
