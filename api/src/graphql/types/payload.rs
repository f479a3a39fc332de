//! What mutations answer with.

use std::sync::Arc;

use async_graphql::{Context, SimpleObject};

use super::installment::Installment;
use super::payment::Payment;
use super::payment_event::PaymentEvent;
use super::receipt::Receipt;
use super::refund::Refund;
use super::user_error::UserError;
use crate::changes::{Done, Made};
use crate::domain::ledger::Change;
use crate::domain::rejection::Rejection;
use crate::error::{Error, Result};
use crate::graphql::Query;
use crate::graphql::context::ContextExt;
use crate::loaders::payment_events::PaymentEventsKey;
use crate::loaders::payments::PaymentKey;
use crate::loaders::receipts::ReceiptKey;
use crate::loaders::refunds::RefundKey;
use crate::store::page::{KeyValue, PageRequest};

/// What came of a mutation.
#[derive(Debug)]
pub struct Outcome {
    done: Option<Done>,
    user_errors: Vec<UserError>,
    dry_run: bool,
    client_mutation_id: Option<String>,
}

impl Outcome {
    /// Something was done, or would have been.
    pub fn of(done: Done, dry_run: bool, client_mutation_id: Option<String>) -> Self {
        Self { done: Some(done), user_errors: Vec::new(), dry_run, client_mutation_id }
    }

    /// Nothing was done.
    pub fn refused(rejections: Vec<Rejection>, dry_run: bool, client_mutation_id: Option<String>) -> Self {
        let user_errors = rejections.into_iter().map(UserError::from).collect();
        Self { done: None, user_errors, dry_run, client_mutation_id }
    }

    fn into_common(self) -> Common {
        Common {
            replayed: matches!(self.done, Some(Done::Replayed(_))),
            dry_run: self.dry_run,
            user_errors: self.user_errors,
            client_mutation_id: self.client_mutation_id,
            query: Query,
        }
    }

    /// The one change, when it was made just now.
    fn change(&self) -> Option<&Change> {
        match &self.done {
            Some(Done::Changed(changes)) => changes.first(),
            _ => None,
        }
    }

    /// What was made before.
    fn made(&self) -> Option<&Made> {
        match &self.done {
            Some(Done::Replayed(made)) => Some(made),
            _ => None,
        }
    }

    /// The payment: as the change left it, or as it is now when the change was made before.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Option<Payment>> {
        if let Some(change) = self.change() {
            return Payment::new(Arc::new(change.payment.clone())).map(Some);
        }
        match self.made().and_then(|made| made.payments().next()) {
            Some(id) => ctx.load(PaymentKey(id)).await?.map(Payment::new).transpose(),
            None => Ok(None),
        }
    }

    /// The event of the change.
    async fn event(&self, ctx: &Context<'_>) -> Result<Option<PaymentEvent>> {
        if let Some(change) = self.change().filter(|_| !self.dry_run) {
            return Ok(Some(PaymentEvent(Arc::new(change.event.clone()))));
        }
        let Some((payment, sequence)) = self.made().and_then(Made::event) else { return Ok(None) };
        let after = vec![KeyValue::Int(i64::from(sequence) - 1)];
        let request = PageRequest::forward(1, Some(after));
        let page = ctx.load(PaymentEventsKey { payment, request }).await?;
        Ok(page.rows.first().map(|row| PaymentEvent(Arc::clone(row))))
    }

    async fn receipt(&self, ctx: &Context<'_>) -> Result<Option<Receipt>> {
        if let Some(row) =
            self.change().and_then(|change| change.new_receipt.as_ref().or(change.changed_receipt.as_ref()))
        {
            return Receipt::new(Arc::new(row.clone())).map(Some);
        }
        match self.made().and_then(Made::receipt) {
            Some(id) => ctx.load(ReceiptKey(id)).await?.map(Receipt::new).transpose(),
            None => Ok(None),
        }
    }

    async fn refund(&self, ctx: &Context<'_>) -> Result<Option<Refund>> {
        if let Some(row) = self.change().and_then(|change| change.refund.as_ref()) {
            return Refund::new(Arc::new(row.clone())).map(Some);
        }
        match self.made().and_then(Made::refund) {
            Some(id) => ctx.load(RefundKey(id)).await?.map(Refund::new).transpose(),
            None => Ok(None),
        }
    }

    /// Installments that are new or changed, as they fall due.
    fn installments(&self) -> Result<Vec<Installment>> {
        let Some(change) = self.change() else { return Ok(Vec::new()) };
        let mut rows: Vec<_> = change.changed_installments.iter().chain(&change.new_installments).collect();
        rows.sort_by_key(|row| (row.due_date, row.sequence, row.id));
        rows.into_iter().map(|row| Installment::new(Arc::new(row.clone()))).collect()
    }
}

/// What every payload has.
#[derive(Debug, SimpleObject)]
struct Common {
    /// What is wrong. Nothing was changed when this is not empty.
    user_errors: Vec<UserError>,
    /// Whether this was done before, under the same idempotency key.
    replayed: bool,
    /// Whether nothing was to be written.
    dry_run: bool,
    /// What the input held. Null when it held none.
    client_mutation_id: Option<String>,
    /// Everything that can be read, as it is after the change.
    query: Query,
}

/// What came of a change to a payment.
#[derive(Debug, SimpleObject)]
pub struct PaymentPayload {
    /// The payment as it is since the change, or, on a replay, as it is now. On a dry run its amounts and its state are
    /// as they would be, and the lists below it as they are. Null when there are user errors.
    payment: Option<Payment>,
    /// The installments that the change made or changed, as they fall due, also on a dry run. Empty on a replay.
    installments: Vec<Installment>,
    /// The event that records the change. Null when there are user errors, and on a dry run.
    event: Option<PaymentEvent>,
    /// What every payload has.
    #[graphql(flatten)]
    common: Common,
}

impl PaymentPayload {
    pub(in crate::graphql) async fn load(ctx: &Context<'_>, outcome: Outcome) -> Result<Self> {
        Ok(Self {
            payment: outcome.payment(ctx).await?,
            installments: outcome.installments()?,
            event: outcome.event(ctx).await?,
            common: outcome.into_common(),
        })
    }
}

/// What came of creating some payments.
#[derive(Debug, SimpleObject)]
pub struct PaymentsPayload {
    /// The payments, in the order of the input: as they were created, or, on a replay, as they are now. On a dry run
    /// they exist nowhere else. Empty when there are user errors.
    payments: Vec<Payment>,
    /// What every payload has.
    #[graphql(flatten)]
    common: Common,
}

impl PaymentsPayload {
    pub(in crate::graphql) async fn load(ctx: &Context<'_>, outcome: Outcome) -> Result<Self> {
        let payments = match &outcome.done {
            None => Vec::new(),
            Some(Done::Changed(changes)) => {
                let payments = changes.iter().map(|change| Payment::new(Arc::new(change.payment.clone())));
                payments.collect::<Result<_>>()?
            }
            Some(Done::Replayed(made)) => {
                let rows = ctx.load_many(made.payments().map(PaymentKey)).await?;
                let row = |row: Option<_>| row.ok_or_else(|| Error::internal("a payment that was created is gone"));
                rows.into_iter().map(|found| Payment::new(row(found)?)).collect::<Result<_>>()?
            }
        };
        Ok(Self { payments, common: outcome.into_common() })
    }
}

/// What came of recording or reversing a receipt.
#[derive(Debug, SimpleObject)]
pub struct ReceiptPayload {
    /// The receipt as it is since the change, or, on a replay, as it is now. Null when there are user errors.
    receipt: Option<Receipt>,
    /// Its payment, like the receipt. On a dry run its amounts and its state are as they would be, and the lists below
    /// it as they are. Null when there are user errors.
    payment: Option<Payment>,
    /// The installments that the change changed, as they fall due, also on a dry run. Empty on a replay.
    installments: Vec<Installment>,
    /// The event that records the change. Null when there are user errors, and on a dry run.
    event: Option<PaymentEvent>,
    /// What every payload has.
    #[graphql(flatten)]
    common: Common,
}

impl ReceiptPayload {
    pub(in crate::graphql) async fn load(ctx: &Context<'_>, outcome: Outcome) -> Result<Self> {
        Ok(Self {
            receipt: outcome.receipt(ctx).await?,
            payment: outcome.payment(ctx).await?,
            installments: outcome.installments()?,
            event: outcome.event(ctx).await?,
            common: outcome.into_common(),
        })
    }
}

/// What came of a refund.
#[derive(Debug, SimpleObject)]
pub struct RefundPayload {
    /// The refund. Null when there are user errors.
    refund: Option<Refund>,
    /// The receipt that it is of, as it is since, or, on a replay, as it is now. Null when there are user errors.
    receipt: Option<Receipt>,
    /// The payment of the receipt, like the receipt. Null when there are user errors.
    payment: Option<Payment>,
    /// The event that records the change. Null when there are user errors, and on a dry run.
    event: Option<PaymentEvent>,
    /// What every payload has.
    #[graphql(flatten)]
    common: Common,
}

impl RefundPayload {
    pub(in crate::graphql) async fn load(ctx: &Context<'_>, outcome: Outcome) -> Result<Self> {
        Ok(Self {
            refund: outcome.refund(ctx).await?,
            receipt: outcome.receipt(ctx).await?,
            payment: outcome.payment(ctx).await?,
            event: outcome.event(ctx).await?,
            common: outcome.into_common(),
        })
    }
}
