//! Payments.

use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::{Context, Enum, ID, Object};
use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::payment;

use super::aggregates::PaymentAggregates;
use super::installment::{Installment, InstallmentConnection, InstallmentPlan};
use super::money::{Money, currency_of_row};
use super::payment_event::PaymentEventConnection;
use super::payment_line::PaymentLine;
use super::receipt::ReceiptConnection;
use super::refund::RefundConnection;
use crate::domain::currency::Currency;
use crate::domain::ledger;
use crate::error::{Error, Result, code};
use crate::graphql::context::{ContextExt, Role};
use crate::graphql::id::GlobalId;
use crate::graphql::input::filter::InstallmentWhere;
use crate::graphql::input::order::PaymentSort;
use crate::graphql::pagination::{Edge, List, PageArguments, PageInfo};
use crate::graphql::rows::{Ready, Row, Rows, Writer};
use crate::graphql::scalars::{Date, DateTime};
use crate::loaders::installments::{PaymentInstallmentsKey, PaymentOverdueKey};
use crate::loaders::payments::{
    PaymentCountKey, PaymentKey, PaymentLinesKey, PaymentPageKey, PaymentPlansKey, PaymentReferenceKey,
};
use crate::loaders::receipts::PaymentReversibleKey;
use crate::store::installments::InstallmentFilter;
use crate::store::page::{Page, PageRequest, SortKey};
use crate::store::payment_filter::PaymentFilter;

/// How far a payment has come. Being overdue is not a status: it depends on the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "payment::Status")]
pub enum PaymentStatus {
    /// Nothing has arrived.
    Open,
    /// Some has arrived or was waived.
    PartiallyPaid,
    /// Nothing is outstanding.
    Paid,
    /// Called off before anything arrived.
    Cancelled,
    /// The rest was given up.
    WrittenOff,
}

/// What can be done to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "ledger::Action")]
pub enum PaymentAction {
    /// Split what is outstanding anew.
    Reschedule,
    /// Record money that arrived.
    RecordReceipt,
    /// Undo a receipt, which reopens the debt.
    ReverseReceipt,
    /// Give money back, which does not reopen the debt.
    Refund,
    /// Forgive a part of what is outstanding.
    Waive,
    /// Call it off.
    Cancel,
    /// Give up what is outstanding.
    WriteOff,
}

/// How much of what arrived was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum RefundStatus {
    /// Nothing.
    None,
    /// Some of it.
    Partial,
    /// All of it.
    Full,
}

/// An amount owed to the account, usually paid in installments.
#[derive(Clone, Debug)]
pub struct Payment {
    row: Arc<payment::Model>,
    currency: Currency,
}

/// An amount owed to the account, usually paid in installments.
#[Object]
impl Payment {
    /// Global id.
    pub async fn id(&self) -> ID {
        GlobalId::Payment(self.row.id).encode()
    }

    /// The account's own name for it, such as an invoice number; unique in the account.
    async fn reference(&self) -> &str {
        &self.row.reference
    }

    /// Who owes it. Null when not given.
    async fn payer_name(&self) -> Option<&str> {
        self.row.payer_name.as_deref()
    }

    /// What it is for. Null when not given.
    async fn description(&self) -> Option<&str> {
        self.row.description.as_deref()
    }

    /// What is owed in all.
    async fn amount(&self) -> Money {
        self.money(self.row.amount)
    }

    /// What was put on installments out of receipts.
    async fn allocated(&self) -> Money {
        self.money(self.row.allocated)
    }

    /// What was forgiven.
    async fn waived(&self) -> Money {
        self.money(self.row.waived)
    }

    /// What was given up when the payment was written off.
    async fn written_off(&self) -> Money {
        self.money(self.row.written_off)
    }

    /// What is still owed.
    async fn outstanding(&self) -> Money {
        self.money(self.row.outstanding)
    }

    /// What arrived and was not reversed.
    async fn received(&self) -> Money {
        self.money(self.row.received)
    }

    /// What was given back of it. It does not reopen the debt.
    async fn refunded(&self) -> Money {
        self.money(self.row.refunded)
    }

    /// What arrived beyond what was owed.
    async fn credit(&self) -> Money {
        self.money(self.row.credit)
    }

    /// How far it has come.
    async fn status(&self) -> PaymentStatus {
        self.row.status.into()
    }

    /// How much of what arrived was given back.
    async fn refund_status(&self) -> RefundStatus {
        match self.row.refunded {
            0 => RefundStatus::None,
            refunded if refunded < self.row.received => RefundStatus::Partial,
            _ => RefundStatus::Full,
        }
    }

    /// What the caller may do to it now. Empty for whoever may only read.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<PaymentAction>> {
        self.fetch_allowed_actions(ctx).await
    }

    /// Whether an installment was due before a day and something of it is still outstanding.
    async fn is_overdue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day. Null: the current day in the payment's time zone.")] as_of: Option<Date>,
    ) -> Result<bool> {
        let day = self.day(ctx, as_of)?;
        Ok(self.row.next_due_date.is_some_and(|due| due < day))
    }

    /// What is outstanding of the installments that were due before a day.
    async fn overdue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day. Null: the current day in the payment's time zone.")] as_of: Option<Date>,
    ) -> Result<Money> {
        let day = self.day(ctx, as_of)?;
        let overdue = match self.row.next_due_date {
            Some(due) if due < day => ctx.load(PaymentOverdueKey { payment: self.row.id, as_of: day }).await?,
            _ => 0,
        };
        Ok(self.money(overdue))
    }

    /// The earliest installment with something outstanding. Null when nothing is due any more.
    async fn next_due(&self, ctx: &Context<'_>) -> Option<Result<Installment>> {
        self.fetch_next_due(ctx).await.transpose()
    }

    /// The IANA time zone in which due dates are judged.
    async fn time_zone(&self) -> &str {
        &self.row.time_zone
    }

    /// How the payment was split. Null when it was not.
    async fn plan(&self, ctx: &Context<'_>) -> Option<Result<InstallmentPlan>> {
        self.fetch_plan(ctx).await.transpose()
    }

    /// The installments, in due-date order.
    async fn installments(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 12, desc = "How many, at most 100.")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(name = "where", desc = "Which installments. Null: all.")] filter: Option<InstallmentWhere>,
    ) -> Result<Row<InstallmentConnection>> {
        let filter = filter.map(InstallmentWhere::filter).unwrap_or_default();
        let arguments = PageArguments { first: Some(first), after, ..PageArguments::default() };
        InstallmentConnection::of_payment(ctx, self.row.id, filter, arguments).await.map(Row)
    }

    /// The receipts, as they arrived.
    async fn receipts(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many, at most 100.")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Result<ReceiptConnection> {
        ReceiptConnection::of_payment(ctx, self.row.id, first, after).await
    }

    /// What was given back, as it was.
    async fn refunds(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many, at most 100.")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Result<RefundConnection> {
        RefundConnection::of_payment(ctx, self.row.id, first, after).await
    }

    /// Every change, in order.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many, at most 100.")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Result<PaymentEventConnection> {
        PaymentEventConnection::of_payment(ctx, &self.row, first, after).await
    }

    /// The goods paid for, by position. Empty when none were given.
    async fn lines(&self, ctx: &Context<'_>) -> Result<Vec<PaymentLine>> {
        let rows = ctx.load(PaymentLinesKey(self.row.id)).await?;
        Ok(rows.iter().map(|row| PaymentLine::new(Arc::clone(row), self.currency)).collect())
    }

    /// Rises by one with each change; starts at 1.
    async fn version(&self) -> i32 {
        self.row.version
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

impl Ready for Payment {
    fn ready(&self, field: &Field, to: &mut Writer<'_>) -> bool {
        let row = &*self.row;
        let money = |minor: i64, to: &mut Writer<'_>| to.object(&self.money(minor), field);
        match field.name.node.as_str() {
            "id" => to.plain(GlobalId::Payment(row.id)),
            "reference" => to.scalar(&row.reference),
            "payerName" => to.scalar(&row.payer_name),
            "description" => to.scalar(&row.description),
            "amount" => money(row.amount, to),
            "allocated" => money(row.allocated, to),
            "waived" => money(row.waived, to),
            "writtenOff" => money(row.written_off, to),
            "outstanding" => money(row.outstanding, to),
            "received" => money(row.received, to),
            "refunded" => money(row.refunded, to),
            "credit" => money(row.credit, to),
            "status" => to.name(PaymentStatus::from(row.status)),
            "timeZone" => to.scalar(&row.time_zone),
            "version" => to.scalar(row.version),
            "createdAt" => to.plain(DateTime(row.created_at)),
            "updatedAt" => to.plain(DateTime(row.updated_at)),
            _ => false,
        }
    }
}

impl Payment {
    /// A payment out of its row.
    ///
    /// # Errors
    /// When the row's currency is unknown.
    pub fn new(row: Arc<payment::Model>) -> Result<Self> {
        Ok(Self { currency: currency_of_row(&row.currency)?, row })
    }

    /// The payment with an id or a reference, whichever is given.
    ///
    /// # Errors
    /// When both or none are given, the id is malformed, or the payment cannot be loaded.
    pub async fn named(ctx: &Context<'_>, id: Option<ID>, reference: Option<String>) -> Result<Option<Self>> {
        let row = match (id, reference) {
            (Some(id), None) => ctx.load(PaymentKey(GlobalId::payment(&id)?)).await?,
            (None, Some(reference)) => ctx.load(PaymentReferenceKey(reference)).await?,
            _ => return Err(Error::caller(code::BAD_USER_INPUT, "give either id or reference")),
        };
        row.map(Self::new).transpose()
    }

    /// Whether something can still fall due.
    pub fn is_open(&self) -> bool {
        matches!(self.row.status, payment::Status::Open | payment::Status::PartiallyPaid)
    }

    /// The day asked for, or the current one in the payment's time zone.
    ///
    /// # Errors
    /// When the payment's time zone is unknown.
    pub fn day(&self, ctx: &Context<'_>, as_of: Option<Date>) -> Result<NaiveDate> {
        if let Some(day) = as_of {
            return Ok(day.0);
        }
        let zone: Tz = self.row.time_zone.parse().map_err(Error::internal)?;
        Ok(ctx.request()?.clock.today(zone))
    }

    /// What the caller may do to it now.
    ///
    /// # Errors
    /// When receipts cannot be loaded.
    pub async fn fetch_allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<PaymentAction>> {
        if ctx.request()?.caller.role < Role::Clerk {
            return Ok(Vec::new());
        }
        // Without a refund, whatever was received can be reversed; with one it depends on the receipts.
        let has_reversible = match (self.row.received, self.row.refunded) {
            (0, _) => false,
            (_, 0) => true,
            _ => ctx.load(PaymentReversibleKey(self.row.id)).await?,
        };
        Ok(ledger::actions(&self.row, has_reversible).into_iter().map(Into::into).collect())
    }

    async fn fetch_next_due(&self, ctx: &Context<'_>) -> Result<Option<Installment>> {
        if self.row.next_due_date.is_none() {
            return Ok(None);
        }
        let filter = InstallmentFilter { unsettled: true, ..InstallmentFilter::default() };
        let request = PageRequest::forward(1, None);
        let page = ctx.load(PaymentInstallmentsKey { payment: self.row.id, filter, request }).await?;
        page.rows.first().map(|row| Installment::new(Arc::clone(row))).transpose()
    }

    async fn fetch_plan(&self, ctx: &Context<'_>) -> Result<Option<InstallmentPlan>> {
        let revisions = ctx.load(PaymentPlansKey(self.row.id)).await?;
        Ok(InstallmentPlan::at(&revisions, 0, self.currency))
    }

    fn money(&self, minor: i64) -> Money {
        Money::of(minor, self.currency)
    }
}

/// A page of payments.
#[derive(Clone, Debug)]
pub struct PaymentConnection {
    filter: Arc<PaymentFilter>,
    list: List,
    order: Arc<Vec<SortKey>>,
    page: Arc<Page<Arc<payment::Model>>>,
}

/// A page of payments.
#[Object]
impl PaymentConnection {
    /// The payments with their cursors.
    async fn edges(&self) -> Result<Rows<Edge<Row<Payment>>>> {
        let position = |row: &Arc<payment::Model>| PaymentSort::position(&self.order, row);
        self.list.edges(&self.page, position, |row| Payment::new(Arc::clone(row)).map(Row)).map(Rows)
    }

    /// The payments.
    async fn nodes(&self) -> Result<Rows<Payment>> {
        self.page.rows.iter().map(|row| Payment::new(Arc::clone(row))).collect::<Result<_>>().map(Rows)
    }

    /// Where the page stands.
    async fn page_info(&self) -> PageInfo {
        self.list.info(&self.page, |row| PaymentSort::position(&self.order, row))
    }

    /// How many payments fit the filter on all pages. Counted only when it is selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let count = ctx.load(PaymentCountKey(Arc::clone(&self.filter))).await?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// Sums over all pages. Computed only when they are selected.
    async fn aggregates(&self) -> PaymentAggregates {
        PaymentAggregates::new(Arc::clone(&self.filter))
    }
}

impl PaymentConnection {
    /// One page of the account's payments.
    ///
    /// # Errors
    /// When the arguments make no page, or the rows cannot be loaded.
    pub async fn load(
        ctx: &Context<'_>,
        filter: PaymentFilter,
        sort: PaymentSort,
        arguments: PageArguments,
    ) -> Result<Self> {
        let filter = Arc::new(filter);
        let list = List::new("payments", sort.kinds(), &(&sort.keys, &filter));
        let request = list.request(&arguments, 20, ctx.request()?.max_page_size)?;
        let order = Arc::new(sort.keys);
        let key = PaymentPageKey { filter: Arc::clone(&filter), order: Arc::clone(&order), request };
        let page = ctx.load(key).await?;
        Ok(Self { filter, list, order, page })
    }
}
