//! Installments and plans.

use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::{Context, Enum, ID, Object};
use entity::{installment, installment_plan};

use super::money::{Money, currency_of_row};
use super::payment::Payment;
use super::receipt::AllocationConnection;
use crate::domain::currency::Currency;
use crate::domain::decimal;
use crate::error::{Error, Result};
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::graphql::pagination::{Edge, KeyKind, List, PageArguments, PageInfo};
use crate::graphql::rows::{Ready, Row, Rows, Writer};
use crate::graphql::scalars::{Date, DateTime, Decimal};
use crate::loaders::installments::{PaymentInstallmentCountKey, PaymentInstallmentsKey};
use crate::loaders::payments::PaymentKey;
use crate::store::installments::InstallmentFilter;
use crate::store::page::{KeyValue, Page, Position};

/// How far an installment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "installment::Status")]
pub enum InstallmentStatus {
    /// Nothing has arrived.
    Pending,
    /// Some has arrived.
    PartiallyPaid,
    /// All has arrived.
    Paid,
    /// The rest was forgiven.
    Waived,
    /// Replaced by a newer plan.
    Void,
}

/// What part of a plan an installment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "installment::Kind")]
pub enum InstallmentKind {
    /// Paid up front.
    Deposit,
    /// A regular part.
    Installment,
    /// The final part, when it was agreed apart from the rest.
    Balance,
}

/// A part of a payment with its own due date.
#[derive(Clone, Debug)]
pub struct Installment {
    row: Arc<installment::Model>,
    currency: Currency,
}

/// A part of a payment with its own due date.
#[Object]
impl Installment {
    /// Global id.
    pub async fn id(&self) -> ID {
        GlobalId::Installment(self.row.id).encode()
    }

    /// The payment that this is a part of.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment> {
        self.fetch_payment(ctx).await
    }

    /// Its place in its plan, from 1.
    async fn sequence(&self) -> i32 {
        self.row.sequence
    }

    /// The revision of the plan that made it, from 1.
    async fn plan_revision(&self) -> i32 {
        self.row.plan_revision
    }

    /// What part of the plan it is.
    async fn kind(&self) -> InstallmentKind {
        self.row.kind.into()
    }

    /// The day on which it falls due.
    async fn due_date(&self) -> Date {
        Date(self.row.due_date)
    }

    /// What is due in all.
    async fn amount(&self) -> Money {
        Money::of(self.row.amount, self.currency)
    }

    /// What its plan gave it. More than `amount` when a later plan closed it at what it held.
    async fn planned_amount(&self) -> Money {
        Money::of(self.row.planned_amount, self.currency)
    }

    /// What was put on it out of receipts.
    async fn received(&self) -> Money {
        Money::of(self.row.allocated, self.currency)
    }

    /// What was forgiven.
    async fn waived(&self) -> Money {
        Money::of(self.row.waived, self.currency)
    }

    /// What is still due.
    async fn outstanding(&self) -> Money {
        Money::of(self.row.outstanding, self.currency)
    }

    /// How far it has come.
    async fn status(&self) -> InstallmentStatus {
        self.row.status.into()
    }

    /// Whether it was due before a day and something is still outstanding, on a payment that is still open.
    async fn is_overdue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day. Null: the current day in the payment's time zone.")] as_of: Option<Date>,
    ) -> Result<bool> {
        Ok(self.overdue_days(ctx, as_of).await? > 0)
    }

    /// For how many days it has been overdue; 0 when it is not.
    async fn days_overdue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day. Null: the current day in the payment's time zone.")] as_of: Option<Date>,
    ) -> Result<i32> {
        self.overdue_days(ctx, as_of).await
    }

    /// When nothing was outstanding any more. Null while something is.
    async fn settled_at(&self) -> Option<DateTime> {
        self.row.settled_at.map(DateTime)
    }

    /// Which receipts paid it, as they arrived.
    async fn allocations(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many, at most 100.")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Result<AllocationConnection> {
        AllocationConnection::of_installment(ctx, self.row.id, first, after).await
    }
}

impl Ready for Installment {
    fn ready(&self, field: &Field, to: &mut Writer<'_>) -> bool {
        let row = &*self.row;
        let money = |minor: i64, to: &mut Writer<'_>| to.object(&Money::of(minor, self.currency), field);
        match field.name.node.as_str() {
            "id" => to.plain(GlobalId::Installment(row.id)),
            "sequence" => to.scalar(row.sequence),
            "planRevision" => to.scalar(row.plan_revision),
            "kind" => to.name(InstallmentKind::from(row.kind)),
            "dueDate" => to.plain(Date(row.due_date)),
            "amount" => money(row.amount, to),
            "plannedAmount" => money(row.planned_amount, to),
            "received" => money(row.allocated, to),
            "waived" => money(row.waived, to),
            "outstanding" => money(row.outstanding, to),
            "status" => to.name(InstallmentStatus::from(row.status)),
            "settledAt" => to.plain_or_null(row.settled_at.map(DateTime)),
            _ => false,
        }
    }
}

impl Installment {
    /// An installment out of its row.
    ///
    /// # Errors
    /// When the row's currency is unknown.
    pub fn new(row: Arc<installment::Model>) -> Result<Self> {
        Ok(Self { currency: currency_of_row(&row.currency)?, row })
    }

    async fn fetch_payment(&self, ctx: &Context<'_>) -> Result<Payment> {
        let payment = ctx.load(PaymentKey(self.row.payment_id)).await?;
        Payment::new(payment.ok_or_else(|| Error::internal("an installment without its payment"))?)
    }

    async fn overdue_days(&self, ctx: &Context<'_>, as_of: Option<Date>) -> Result<i32> {
        if self.row.outstanding == 0 {
            return Ok(0);
        }
        let payment = self.fetch_payment(ctx).await?;
        if !payment.is_open() {
            return Ok(0);
        }
        let day = payment.day(ctx, as_of)?;
        Ok(i32::try_from((day - self.row.due_date).num_days()).unwrap_or(i32::MAX).max(0))
    }
}

/// A page of the installments of a payment, in due-date order.
#[derive(Clone, Debug)]
pub struct InstallmentConnection {
    payment: entity::ids::PaymentId,
    filter: InstallmentFilter,
    page: Arc<Page<Arc<installment::Model>>>,
}

/// A page of the installments of a payment, in due-date order.
#[Object]
impl InstallmentConnection {
    /// The installments with their cursors.
    async fn edges(&self) -> Result<Rows<Edge<Row<Installment>>>> {
        self.edges_of_page().map(Rows)
    }

    /// The installments.
    async fn nodes(&self) -> Result<Rows<Installment>> {
        self.installments().map(Rows)
    }

    /// Where the page stands.
    async fn page_info(&self) -> PageInfo {
        self.info()
    }

    /// How many installments fit the filter on all pages. Counted only when it is selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let key = PaymentInstallmentCountKey { payment: self.payment, filter: self.filter.clone() };
        Ok(i32::try_from(ctx.load(key).await?).unwrap_or(i32::MAX))
    }
}

impl Ready for InstallmentConnection {
    fn ready(&self, field: &Field, to: &mut Writer<'_>) -> bool {
        match field.name.node.as_str() {
            "edges" => self.edges_of_page().is_ok_and(|edges| to.list(&edges, field)),
            "nodes" => self.installments().is_ok_and(|installments| to.list(&installments, field)),
            "pageInfo" => to.object(&self.info(), field),
            _ => false,
        }
    }
}

impl InstallmentConnection {
    /// One page of a payment's installments.
    ///
    /// # Errors
    /// When the arguments make no page, or the rows cannot be loaded.
    pub async fn of_payment(
        ctx: &Context<'_>,
        payment: entity::ids::PaymentId,
        filter: InstallmentFilter,
        arguments: PageArguments,
    ) -> Result<Self> {
        let max = ctx.request()?.max_page_size;
        let request = arguments.request(max, max, || Self::list(payment, &filter))?;
        let page = ctx.load(PaymentInstallmentsKey { payment, filter: filter.clone(), request }).await?;
        Ok(Self { payment, filter, page })
    }

    fn edges_of_page(&self) -> Result<Vec<Edge<Row<Installment>>>> {
        let list = Self::list(self.payment, &self.filter);
        list.edges(&self.page, |row| due_position(row), |row| Installment::new(Arc::clone(row)).map(Row))
    }

    fn installments(&self) -> Result<Vec<Installment>> {
        self.page.rows.iter().map(|row| Installment::new(Arc::clone(row))).collect()
    }

    fn info(&self) -> PageInfo {
        Self::list(self.payment, &self.filter).info(&self.page, |row| due_position(row))
    }

    fn list(payment: entity::ids::PaymentId, filter: &InstallmentFilter) -> List {
        List::new("installments", vec![KeyKind::Date, KeyKind::Int, KeyKind::Uuid], &(payment, filter))
    }
}

fn due_position(row: &installment::Model) -> Position {
    vec![KeyValue::Date(row.due_date), KeyValue::Int(row.sequence.into()), KeyValue::Uuid(row.id.0)]
}

/// How far apart the due dates of a plan are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "installment_plan::Frequency")]
pub enum PlanFrequency {
    /// Every seven days.
    Weekly,
    /// Every fourteen days.
    Biweekly,
    /// Every month; the 31st becomes the last day of a shorter month.
    Monthly,
    /// Every three months; the 31st becomes the last day of a shorter month.
    Quarterly,
    /// Dates were given one by one.
    Custom,
}

/// Where the remainder of an even split goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "installment_plan::Remainder")]
pub enum RemainderPolicy {
    /// On the last installment.
    Last,
    /// On the first installment.
    First,
    /// One rounding unit each from the first; what is below one unit on the last.
    Spread,
}

/// How a payment was split into installments.
#[derive(Clone, Debug)]
pub struct InstallmentPlan {
    /// All revisions, the newest first.
    revisions: Arc<Vec<Arc<installment_plan::Model>>>,
    at: usize,
    row: Arc<installment_plan::Model>,
    currency: Currency,
}

/// How a payment was split into installments.
#[Object]
impl InstallmentPlan {
    /// 1 for the first plan, rising by one with each new plan.
    async fn revision(&self) -> i32 {
        self.row.revision
    }

    /// How far apart the due dates are.
    async fn frequency(&self) -> PlanFrequency {
        self.row.frequency.into()
    }

    /// How many installments this revision made.
    async fn count(&self) -> i32 {
        self.row.count
    }

    /// Where the remainder went. Null when the amounts were given one by one.
    async fn remainder(&self) -> Option<RemainderPolicy> {
        self.row.remainder.map(RemainderPolicy::from)
    }

    /// Installments are multiples of this amount, in major units, but for the remainder.
    async fn rounding_unit(&self) -> Decimal {
        Decimal(decimal::Decimal::new(self.row.rounding_unit.into(), self.currency.minor_units()))
    }

    /// The plan that this one replaced. Null for the first plan.
    async fn previous(&self) -> Option<InstallmentPlan> {
        Self::at(&self.revisions, self.at + 1, self.currency)
    }
}

impl InstallmentPlan {
    /// The plan at a place in the list of revisions, the newest first.
    pub fn at(revisions: &Arc<Vec<Arc<installment_plan::Model>>>, at: usize, currency: Currency) -> Option<Self> {
        let row = Arc::clone(revisions.get(at)?);
        Some(Self { revisions: Arc::clone(revisions), at, row, currency })
    }
}
