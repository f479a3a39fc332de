//! Forgiving.

use entity::ids::InstallmentId;

use super::{Command, Desk, Failure};
use crate::domain::decimal::Decimal;
use crate::domain::ledger::Change;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;
use crate::domain::text;
use crate::store::ledgers::{self, About};

/// An installment, or a part of it, is forgiven.
#[derive(Clone, Debug)]
pub struct WaiveInstallment {
    /// The installment.
    pub installment: InstallmentId,
    /// The version of the payment that the caller has seen.
    pub expected_version: i32,
    /// How much, in major units of the payment's currency; `None` for all that is outstanding of it.
    pub amount: Option<Decimal>,
    /// Why.
    pub reason: String,
}

impl Command for WaiveInstallment {
    const MUTATION: &'static str = "waiveInstallment";

    async fn decide(&self, desk: &mut Desk<'_>) -> Result<Vec<Change>, Failure> {
        text::check("reason", &self.reason, text::LONG)?;
        let not_found = || Rejection::not_found(["id"], "there is no installment with this id");
        let payment = ledgers::payment_of_installment(desk.db, desk.account, self.installment).await?;
        let payment = payment.ok_or_else(not_found)?;
        let ledger = ledgers::lock(desk.db, desk.account, payment, About::Installment(self.installment)).await?;
        let mut ledger = ledger.ok_or_else(not_found)?;
        ledger.expect_version(Some(self.expected_version))?;
        let amount = match self.amount.map(|amount| Money::from_decimal(amount, ledger.currency)).transpose() {
            Ok(amount) => amount,
            Err(error) => return Err(Rejection::invalid(["amount"], error.to_string()).into()),
        };
        Ok(vec![desk.record(|scribe| ledger.waive_installment(scribe, self.installment, amount, &self.reason))?])
    }
}
