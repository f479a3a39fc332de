//! Recording, reversing and refunding receipts.

use chrono::{DateTime, TimeDelta, Utc};
use entity::ids::{InstallmentId, PaymentId, ReceiptId};

use super::{Command, Desk, Failure};
use crate::domain::decimal::Decimal;
use crate::domain::ledger::{Allocate, Change, Fx, Ledger, NewReceipt};
use crate::domain::money::Money;
use crate::domain::rejection::{Existing, Reason, Rejection};
use crate::domain::text;
use crate::store::ledgers::{self, About};

/// How far ahead of our clock a receipt may be: banks have clocks and time zones of their own.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// Money arrived.
#[derive(Clone, Debug)]
pub struct RecordReceipt {
    /// The payment.
    pub payment: PaymentId,
    /// The version that the caller has seen.
    pub expected_version: Option<i32>,
    /// How much.
    pub amount: Money,
    /// When.
    pub received_at: DateTime<Utc>,
    /// How, such as `BANK_TRANSFER`.
    pub method: String,
    /// The bank's or the payer's own name for it.
    pub external_reference: Option<String>,
    /// What it is for; `None` for what falls due first.
    pub allocations: Option<Vec<AllocationDraft>>,
    /// Whether a part may stay on no installment.
    pub allow_credit: bool,
    /// The rate to freeze.
    pub fx: Option<Fx>,
}

/// So much of a receipt on one installment.
#[derive(Clone, Debug)]
pub struct AllocationDraft {
    /// The installment.
    pub installment: InstallmentId,
    /// How much, in major units.
    pub amount: Decimal,
}

impl Command for RecordReceipt {
    const MUTATION: &'static str = "recordReceipt";

    async fn decide(&self, desk: &mut Desk<'_>) -> Result<Vec<Change>, Failure> {
        let new = self.checked(desk)?;
        let ledger = ledgers::lock(desk.db, desk.account, self.payment, About::Payment).await?;
        let mut ledger =
            ledger.ok_or_else(|| Rejection::not_found(["paymentId"], "there is no payment with this id"))?;
        ledger.expect_version(self.expected_version)?;
        if let Some(reference) = &self.external_reference
            && let Some(first) = ledgers::receipt_with_reference(desk.db, desk.account, reference).await?
        {
            let message = format!("the receipt {} has this external reference already", first.global());
            let reason = Reason::Duplicate { existing: Existing::Receipt(first) };
            return Err(Rejection::new(["externalReference"], message, reason).into());
        }
        Ok(vec![desk.record(|scribe| ledger.record_receipt(scribe, &new))?])
    }
}

impl RecordReceipt {
    /// What can be said without the payment.
    fn checked(&self, desk: &Desk<'_>) -> Result<NewReceipt, Vec<Rejection>> {
        let mut rejections = Vec::new();
        let amount = i64::try_from(self.amount.minor).unwrap_or_else(|_| {
            rejections.push(Rejection::invalid(["amount", "amount"], "more than a payment can hold"));
            0
        });
        rejections.extend(text::check("method", &self.method, text::SHORT).err());
        if let Some(reference) = &self.external_reference {
            rejections.extend(text::check("externalReference", reference, text::NAME).err());
        }
        if self.received_at > desk.at + AHEAD {
            rejections.push(Rejection::invalid(["receivedAt"], "is more than a day ahead"));
        }
        let mut explicit = Vec::new();
        for (place, draft) in self.allocations.iter().flatten().enumerate() {
            let path = ["allocations".to_owned(), place.to_string(), "amount".to_owned()];
            match Money::from_decimal(draft.amount, self.amount.currency) {
                // More than 64 bits is more than is outstanding, which the ledger says better.
                Ok(money) => explicit.push((draft.installment, i64::try_from(money.minor).unwrap_or(i64::MAX))),
                Err(error) => rejections.push(Rejection::invalid(path, error.to_string())),
            }
        }
        if !rejections.is_empty() {
            return Err(rejections);
        }
        let allocate = if self.allocations.is_some() { Allocate::Explicit(explicit) } else { Allocate::OldestDueFirst };
        Ok(NewReceipt {
            amount,
            currency: self.amount.currency,
            received_at: self.received_at,
            method: self.method.clone(),
            external_reference: self.external_reference.clone(),
            allocate,
            allow_credit: self.allow_credit,
            fx: self.fx.clone(),
        })
    }
}

/// A receipt was a mistake, or bounced.
#[derive(Clone, Debug)]
pub struct ReverseReceipt {
    /// The receipt.
    pub receipt: ReceiptId,
    /// The version of the payment that the caller has seen.
    pub expected_version: Option<i32>,
    /// Why.
    pub reason: String,
}

impl Command for ReverseReceipt {
    const MUTATION: &'static str = "reverseReceipt";

    async fn decide(&self, desk: &mut Desk<'_>) -> Result<Vec<Change>, Failure> {
        text::check("reason", &self.reason, text::LONG)?;
        let mut ledger = lock(desk, self.receipt).await?;
        ledger.expect_version(self.expected_version)?;
        Ok(vec![desk.record(|scribe| ledger.reverse_receipt(scribe, self.receipt, &self.reason))?])
    }
}

/// Money is given back.
#[derive(Clone, Debug)]
pub struct RefundReceipt {
    /// The receipt.
    pub receipt: ReceiptId,
    /// The version of the payment that the caller has seen.
    pub expected_version: Option<i32>,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
}

impl Command for RefundReceipt {
    const MUTATION: &'static str = "refundReceipt";

    async fn decide(&self, desk: &mut Desk<'_>) -> Result<Vec<Change>, Failure> {
        text::check("reason", &self.reason, text::LONG)?;
        let mut ledger = lock(desk, self.receipt).await?;
        ledger.expect_version(self.expected_version)?;
        Ok(vec![desk.record(|scribe| ledger.refund_receipt(scribe, self.receipt, self.amount, &self.reason))?])
    }
}

/// The ledger of a receipt's payment.
async fn lock(desk: &Desk<'_>, receipt: ReceiptId) -> Result<Ledger, Failure> {
    let not_found = || Rejection::not_found(["receiptId"], "there is no receipt with this id");
    let payment = ledgers::payment_of_receipt(desk.db, desk.account, receipt).await?.ok_or_else(not_found)?;
    let ledger = ledgers::lock(desk.db, desk.account, payment, About::Receipt(receipt)).await?;
    Ok(ledger.ok_or_else(not_found)?)
}
