//! What mutations take.
//!
//! Ids, amounts and lists are read into commands here. What is wrong with them is said with its path in the input;
//! what only the database knows is said later.

use async_graphql::{Enum, ID, InputObject};
use entity::ids::{InstallmentId, PaymentId, ReceiptId};

use super::plan::PlanInput;
use crate::changes::{
    AllocationDraft, CancelPayment, CreatePayment, CreatePayments, PaymentDraft, PaymentLineDraft, RecordReceipt,
    RefundReceipt, ReschedulePayment, ReverseReceipt, WaiveInstallment, WriteOffPayment,
};
use crate::domain::rejection::Rejection;
use crate::graphql::id::GlobalId;
use crate::graphql::scalars::{DateTime, Decimal, HsCode, IdempotencyKey};
use crate::graphql::types::money::MoneyInput;

/// A command, or all that is wrong with its input.
pub type Read<C> = Result<C, Vec<Rejection>>;

/// How a request is to be run, whatever it asks for.
#[derive(Clone, Debug, InputObject)]
pub struct Terms {
    /// Names this request: sent again with the same key, it is not done again.
    pub idempotency_key: IdempotencyKey,
    /// Whether to check and compute everything and write nothing, the key included.
    #[graphql(default)]
    pub dry_run: bool,
    /// Given back in the payload.
    pub client_mutation_id: Option<String>,
}

/// A new payment.
#[derive(Clone, Debug, InputObject)]
pub struct CreatePaymentInput {
    /// How it is to be run.
    #[graphql(flatten)]
    pub terms: Terms,
    /// What is to be created.
    #[graphql(flatten)]
    pub payment: NewPaymentInput,
}

/// Some new payments: all of them, or none.
#[derive(Clone, Debug, InputObject)]
pub struct CreatePaymentsInput {
    /// How it is to be run.
    #[graphql(flatten)]
    pub terms: Terms,
    /// The payments, from 1 to 500, with at most 20,000 installments together.
    pub payments: Vec<NewPaymentInput>,
}

/// A payment that does not exist yet.
#[derive(Clone, Debug, InputObject)]
pub struct NewPaymentInput {
    /// The account's own name for it, such as an invoice number; unique in the account. At most 200 characters.
    pub reference: String,
    /// What is owed: more than 0, with no more digits after the point than the currency has.
    pub amount: MoneyInput,
    /// Who owes it. At most 200 characters. Null: not said.
    pub payer_name: Option<String>,
    /// What it is for. At most 2,000 characters. Null: not said.
    pub description: Option<String>,
    /// The IANA time zone in which due dates are judged.
    #[graphql(default = "Asia/Jakarta")]
    pub time_zone: String,
    /// The goods paid for, at most 200 lines. Null: not said.
    pub lines: Option<Vec<PaymentLineInput>>,
    /// How it is split. Null: one installment of kind `BALANCE`, due today in its time zone.
    pub plan: Option<PlanInput>,
}

/// A line of goods.
#[derive(Clone, Debug, InputObject)]
pub struct PaymentLineInput {
    /// The goods as customs sees them. Null: not said, or no goods.
    pub hs_code: Option<HsCode>,
    /// The goods in the exporter's words. At most 2,000 characters.
    pub description: String,
    /// How many units, more than 0.
    pub quantity: Decimal,
    /// What is counted, such as `kg` or `t`. At most 64 characters.
    pub unit: String,
    /// The price of one unit, in major units of the payment's currency. The price of the line is rounded once, half to
    /// even, to what the currency has after the point.
    pub unit_price: Decimal,
}

/// A new plan for what is outstanding of a payment.
#[derive(Clone, Debug, InputObject)]
pub struct ReschedulePaymentInput {
    /// How it is to be run.
    #[graphql(flatten)]
    pub terms: Terms,
    /// The payment.
    pub id: ID,
    /// The version of the payment that was looked at. Another one is a `VersionConflict`.
    pub expected_version: i32,
    /// How to split what is outstanding.
    pub plan: PlanInput,
    /// Why, for the record. At most 2,000 characters.
    pub reason: String,
}

/// Which installments a receipt pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum AllocationOrder {
    /// Those that fall due first.
    OldestDueFirst,
    /// Those that `allocations` names.
    Explicit,
}

/// Money that arrived.
#[derive(Clone, Debug, InputObject)]
pub struct RecordReceiptInput {
    /// How it is to be run.
    #[graphql(flatten)]
    pub terms: Terms,
    /// The payment that it is for.
    pub payment_id: ID,
    /// The version of the payment that was looked at. Another one is a `VersionConflict`. Null: any.
    pub expected_version: Option<i32>,
    /// What arrived, in the payment's currency.
    pub amount: MoneyInput,
    /// When it arrived, at most a day ahead.
    pub received_at: DateTime,
    /// How it arrived, such as `BANK_TRANSFER`. At most 64 characters.
    pub method: String,
    /// The bank's or the payer's own name for it. A second receipt of the account with the same is refused. At most
    /// 200 characters. Null: none.
    pub external_reference: Option<String>,
    /// Which installments it pays.
    #[graphql(default_with = "AllocationOrder::OldestDueFirst")]
    pub order: AllocationOrder,
    /// How much goes on which installment; with `EXPLICIT` and no other order.
    pub allocations: Option<Vec<AllocationInput>>,
    /// Whether a part may stay on no installment, as credit.
    #[graphql(default)]
    pub allow_credit: bool,
    /// Whether to refuse the receipt when no rate into the account's base currency is known that could be frozen on
    /// it. Otherwise it is recorded without one.
    #[graphql(default)]
    pub require_rate: bool,
}

/// So much on one installment.
#[derive(Clone, Debug, InputObject)]
pub struct AllocationInput {
    /// An installment of the payment.
    pub installment_id: ID,
    /// How much, in major units of the payment's currency.
    pub amount: Decimal,
}

/// A receipt that bounced or was a mistake.
#[derive(Clone, Debug, InputObject)]
pub struct ReverseReceiptInput {
    /// How it is to be run.
    #[graphql(flatten)]
    pub terms: Terms,
    /// The receipt.
    pub receipt_id: ID,
    /// The version of the payment that was looked at. Another one is a `VersionConflict`. Null: any.
    pub expected_version: Option<i32>,
    /// Why, for the record. At most 2,000 characters.
    pub reason: String,
}

/// Money to be given back.
#[derive(Clone, Debug, InputObject)]
pub struct RefundReceiptInput {
    /// How it is to be run.
    #[graphql(flatten)]
    pub terms: Terms,
    /// The receipt that it is given back of.
    pub receipt_id: ID,
    /// The version of the payment that was looked at. Another one is a `VersionConflict`. Null: any.
    pub expected_version: Option<i32>,
    /// How much, at most what is left of the receipt.
    pub amount: MoneyInput,
    /// Why, for the record. At most 2,000 characters.
    pub reason: String,
}

/// An installment to be forgiven, or a part of one.
#[derive(Clone, Debug, InputObject)]
pub struct WaiveInstallmentInput {
    /// How it is to be run.
    #[graphql(flatten)]
    pub terms: Terms,
    /// The installment.
    pub id: ID,
    /// The version of the payment that was looked at. Another one is a `VersionConflict`.
    pub expected_version: i32,
    /// How much, in major units. Null: all that is outstanding of it.
    pub amount: Option<Decimal>,
    /// Why, for the record. At most 2,000 characters.
    pub reason: String,
}

/// A payment to be cancelled or written off.
#[derive(Clone, Debug, InputObject)]
pub struct ClosePaymentInput {
    /// How it is to be run.
    #[graphql(flatten)]
    pub terms: Terms,
    /// The payment.
    pub id: ID,
    /// The version of the payment that was looked at. Another one is a `VersionConflict`.
    pub expected_version: i32,
    /// Why, for the record. At most 2,000 characters.
    pub reason: String,
}

impl NewPaymentInput {
    fn draft(self) -> Read<PaymentDraft> {
        let amount = self.amount.read().map_err(|rejection| vec![rejection.under(["amount"])])?;
        let line = |line: PaymentLineInput| PaymentLineDraft {
            commodity: line.hs_code.map(|code| code.0),
            description: line.description,
            quantity: line.quantity.0,
            unit: line.unit,
            unit_price: line.unit_price.0,
        };
        Ok(PaymentDraft {
            reference: self.reference,
            amount,
            payer_name: self.payer_name,
            description: self.description,
            time_zone: self.time_zone,
            lines: self.lines.unwrap_or_default().into_iter().map(line).collect(),
            plan: self.plan.map(PlanInput::terms),
        })
    }
}

impl CreatePaymentInput {
    /// The command that this asks for.
    ///
    /// # Errors
    /// All that is wrong with it at first sight.
    pub fn command(self) -> Read<CreatePayment> {
        Ok(CreatePayment(CreatePayments { payments: vec![self.payment.draft()?], in_bulk: false }))
    }
}

impl CreatePaymentsInput {
    /// The command that this asks for.
    ///
    /// # Errors
    /// All that is wrong with it at first sight.
    pub fn command(self) -> Read<CreatePayments> {
        let mut payments = Vec::with_capacity(self.payments.len());
        let mut rejections = Vec::new();
        for (place, payment) in self.payments.into_iter().enumerate() {
            let under = ["payments".to_owned(), place.to_string()];
            match payment.draft() {
                Ok(draft) => payments.push(draft),
                Err(found) => rejections.extend(found.into_iter().map(|rejection| rejection.under(under.clone()))),
            }
        }
        if rejections.is_empty() { Ok(CreatePayments { payments, in_bulk: true }) } else { Err(rejections) }
    }
}

impl ReschedulePaymentInput {
    /// The command that this asks for.
    ///
    /// # Errors
    /// All that is wrong with it at first sight.
    pub fn command(self) -> Read<ReschedulePayment> {
        Ok(ReschedulePayment {
            payment: payment_id("id", &self.id)?,
            expected_version: self.expected_version,
            plan: self.plan.terms(),
            reason: self.reason,
        })
    }
}

impl RecordReceiptInput {
    /// The command that this asks for, without the rate to freeze.
    ///
    /// # Errors
    /// All that is wrong with it at first sight.
    pub fn command(self) -> Read<RecordReceipt> {
        let mut rejections = Vec::new();
        let payment = payment_id("paymentId", &self.payment_id).map_err(|found| rejections.extend(found)).ok();
        let amount = self.amount.read().map_err(|found| rejections.push(found.under(["amount"]))).ok();
        let explicit = self.order == AllocationOrder::Explicit;
        if explicit != self.allocations.is_some() {
            let message = if explicit { "must be given with the order EXPLICIT" } else { "need the order EXPLICIT" };
            rejections.push(Rejection::invalid(["allocations"], message));
        }
        let mut allocations = Vec::new();
        for (place, allocation) in self.allocations.into_iter().flatten().enumerate() {
            let field = vec!["allocations".to_owned(), place.to_string(), "installmentId".to_owned()];
            match installment_id(field, &allocation.installment_id) {
                Ok(installment) => allocations.push(AllocationDraft { installment, amount: allocation.amount.0 }),
                Err(found) => rejections.extend(found),
            }
        }
        match (payment, amount) {
            (Some(payment), Some(amount)) if rejections.is_empty() => Ok(RecordReceipt {
                payment,
                expected_version: self.expected_version,
                amount,
                received_at: self.received_at.microsecond(),
                method: self.method,
                external_reference: self.external_reference,
                allocations: explicit.then_some(allocations),
                allow_credit: self.allow_credit,
                fx: None,
            }),
            _ => Err(rejections),
        }
    }
}

impl ReverseReceiptInput {
    /// The command that this asks for.
    ///
    /// # Errors
    /// All that is wrong with it at first sight.
    pub fn command(self) -> Read<ReverseReceipt> {
        let receipt = receipt_id("receiptId", &self.receipt_id)?;
        Ok(ReverseReceipt { receipt, expected_version: self.expected_version, reason: self.reason })
    }
}

impl RefundReceiptInput {
    /// The command that this asks for.
    ///
    /// # Errors
    /// All that is wrong with it at first sight.
    pub fn command(self) -> Read<RefundReceipt> {
        let receipt = receipt_id("receiptId", &self.receipt_id)?;
        let amount = self.amount.read().map_err(|rejection| vec![rejection.under(["amount"])])?;
        Ok(RefundReceipt { receipt, expected_version: self.expected_version, amount, reason: self.reason })
    }
}

impl WaiveInstallmentInput {
    /// The command that this asks for.
    ///
    /// # Errors
    /// All that is wrong with it at first sight.
    pub fn command(self) -> Read<WaiveInstallment> {
        Ok(WaiveInstallment {
            installment: installment_id(vec!["id".to_owned()], &self.id)?,
            expected_version: self.expected_version,
            amount: self.amount.map(|amount| amount.0),
            reason: self.reason,
        })
    }
}

impl ClosePaymentInput {
    /// The cancellation that this asks for.
    ///
    /// # Errors
    /// All that is wrong with it at first sight.
    pub fn cancellation(self) -> Read<CancelPayment> {
        let payment = payment_id("id", &self.id)?;
        Ok(CancelPayment { payment, expected_version: self.expected_version, reason: self.reason })
    }

    /// The write-off that this asks for.
    ///
    /// # Errors
    /// All that is wrong with it at first sight.
    pub fn write_off(self) -> Read<WriteOffPayment> {
        let payment = payment_id("id", &self.id)?;
        Ok(WriteOffPayment { payment, expected_version: self.expected_version, reason: self.reason })
    }
}

fn payment_id(field: &str, id: &ID) -> Read<PaymentId> {
    GlobalId::payment(id).map_err(|_| vec![Rejection::invalid([field], "is not the id of a payment")])
}

fn receipt_id(field: &str, id: &ID) -> Read<ReceiptId> {
    match GlobalId::parse(id) {
        Ok(GlobalId::Receipt(id)) => Ok(id),
        _ => Err(vec![Rejection::invalid([field], "is not the id of a receipt")]),
    }
}

fn installment_id(field: Vec<String>, id: &ID) -> Read<InstallmentId> {
    match GlobalId::parse(id) {
        Ok(GlobalId::Installment(id)) => Ok(id),
        _ => Err(vec![Rejection::invalid(field, "is not the id of an installment")]),
    }
}
