//! Everything that belongs to payments, for whoever checks it: so many payments in a fixed number of statements.

use std::collections::HashMap;

use entity::ids::{AccountId, InstallmentId, PaymentId, ReceiptId};
use entity::{
    AccountScoped, allocation, installment, installment_plan, payment, payment_event, payment_line, receipt, refund,
};
use sea_orm::sea_query::{Expr, IntoColumnRef, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::page::{KeyValue, PageRequest, SortKey};
use super::reader::Reader;
use super::{keys, payments};
use crate::domain::ledger::check::PaymentRows;

/// As they were created, which an index of each account has.
const CREATION_ORDER: [SortKey; 2] =
    [SortKey { column: "created_at", descending: false }, SortKey { column: "id", descending: false }];

/// The first `limit` payments of an account that were created after `last`, with all of their rows.
///
/// # Errors
/// When the database does not answer.
pub async fn after(
    db: &Reader,
    account: AccountId,
    last: Option<&payment::Model>,
    limit: u64,
) -> Result<Vec<PaymentRows>, DbErr> {
    let position = last.map(|row| vec![KeyValue::Time(row.created_at), KeyValue::Uuid(row.id.0)]);
    let request = PageRequest::forward(limit, position);
    let page = payments::page(db, account, &payments::everything(), &CREATION_ORDER, &request).await?;
    let ids: Vec<_> = page.rows.iter().map(|row| row.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut below = Below::read(db, &ids).await?;
    Ok(page.rows.into_iter().map(|payment| below.take(payment)).collect())
}

/// Receipts of an account that share an external reference: the reference and their ids.
///
/// # Errors
/// When the database does not answer.
pub async fn shared_references(
    db: &Reader,
    account: AccountId,
) -> Result<Vec<(String, Vec<(PaymentId, ReceiptId)>)>, DbErr> {
    use receipt::Column;
    let shared: Vec<String> = receipt::Entity::of_account(account)
        .filter(Column::ExternalReference.is_not_null())
        .select_only()
        .column(Column::ExternalReference)
        .group_by(Column::ExternalReference)
        .having(Expr::cust("count(*) > 1"))
        .order_by_asc(Column::ExternalReference)
        .into_tuple()
        .all(db)
        .await?;
    let mut found = Vec::new();
    for reference in shared {
        let receipts: Vec<(PaymentId, ReceiptId)> = receipt::Entity::of_account(account)
            .filter(Column::ExternalReference.eq(reference.as_str()))
            .select_only()
            .columns([Column::PaymentId, Column::Id])
            .order_by_asc(Column::Id)
            .into_tuple()
            .all(db)
            .await?;
        found.push((reference, receipts));
    }
    Ok(found)
}

/// The rows below some payments, by payment.
struct Below {
    plans: HashMap<PaymentId, Vec<installment_plan::Model>>,
    installments: HashMap<PaymentId, Vec<installment::Model>>,
    receipts: HashMap<PaymentId, Vec<receipt::Model>>,
    allocations: HashMap<PaymentId, Vec<allocation::Model>>,
    refunds: HashMap<PaymentId, Vec<refund::Model>>,
    lines: HashMap<PaymentId, Vec<payment_line::Model>>,
    events: HashMap<PaymentId, Vec<payment_event::Model>>,
}

impl Below {
    /// The payments are of one account. What is below them is read whatever account it says that it is of: a row of
    /// another one is a fault, and must be seen.
    #[allow(clippy::disallowed_methods, reason = "a row that says that it is of another account is to be found too")]
    async fn read(db: &Reader, ids: &[PaymentId]) -> Result<Self, DbErr> {
        let below = Parents { backend: db.get_database_backend(), ids };
        let plans = installment_plan::Entity::find()
            .filter(below.of((installment_plan::Entity, installment_plan::Column::PaymentId)))
            .order_by_asc(installment_plan::Column::Revision)
            .all(db)
            .await?;
        let installments = installment::Entity::find()
            .filter(below.of((installment::Entity, installment::Column::PaymentId)))
            .order_by_asc(installment::Column::DueDate)
            .order_by_asc(installment::Column::Sequence)
            .order_by_asc(installment::Column::Id)
            .all(db)
            .await?;
        let receipts = receipt::Entity::find()
            .filter(below.of((receipt::Entity, receipt::Column::PaymentId)))
            .order_by_asc(receipt::Column::Id)
            .all(db)
            .await?;
        let refunds = refund::Entity::find()
            .filter(below.of((refund::Entity, refund::Column::PaymentId)))
            .order_by_asc(refund::Column::Id)
            .all(db)
            .await?;
        let lines = payment_line::Entity::find()
            .filter(below.of((payment_line::Entity, payment_line::Column::PaymentId)))
            .order_by_asc(payment_line::Column::Position)
            .all(db)
            .await?;
        let events = payment_event::Entity::find()
            .filter(below.of((payment_event::Entity, payment_event::Column::PaymentId)))
            .order_by_asc(payment_event::Column::Sequence)
            .all(db)
            .await?;

        // From either side: an allocation may name a receipt of one payment and an installment of another.
        let receipt_ids = Query::select()
            .column(receipt::Column::Id)
            .from(receipt::Entity)
            .and_where(below.of((receipt::Entity, receipt::Column::PaymentId)))
            .to_owned();
        let installment_ids = Query::select()
            .column(installment::Column::Id)
            .from(installment::Entity)
            .and_where(below.of((installment::Entity, installment::Column::PaymentId)))
            .to_owned();
        let of_receipts = allocation::Entity::find()
            .filter(allocation::Column::ReceiptId.in_subquery(receipt_ids))
            .order_by_asc(allocation::Column::Id)
            .all(db)
            .await?;
        let of_installments = allocation::Entity::find()
            .filter(allocation::Column::InstallmentId.in_subquery(installment_ids))
            .order_by_asc(allocation::Column::Id)
            .all(db)
            .await?;
        Ok(Self {
            allocations: by_payment_of_either(of_receipts, of_installments, &receipts, &installments),
            plans: by_payment(plans, |row| row.payment_id),
            installments: by_payment(installments, |row| row.payment_id),
            receipts: by_payment(receipts, |row| row.payment_id),
            refunds: by_payment(refunds, |row| row.payment_id),
            lines: by_payment(lines, |row| row.payment_id),
            events: by_payment(events, |row| row.payment_id),
        })
    }

    fn take(&mut self, payment: payment::Model) -> PaymentRows {
        let id = payment.id;
        PaymentRows {
            payment,
            plans: self.plans.remove(&id).unwrap_or_default(),
            installments: self.installments.remove(&id).unwrap_or_default(),
            receipts: self.receipts.remove(&id).unwrap_or_default(),
            allocations: self.allocations.remove(&id).unwrap_or_default(),
            refunds: self.refunds.remove(&id).unwrap_or_default(),
            lines: self.lines.remove(&id).unwrap_or_default(),
            events: self.events.remove(&id).unwrap_or_default(),
        }
    }
}

/// Payments whose rows are asked for.
struct Parents<'a> {
    backend: DbBackend,
    ids: &'a [PaymentId],
}

impl Parents<'_> {
    fn of(&self, column: impl IntoColumnRef) -> Expr {
        keys::any_uuid(self.backend, column, self.ids.iter().map(|id| id.0))
    }
}

fn by_payment<T>(rows: Vec<T>, of: impl Fn(&T) -> PaymentId) -> HashMap<PaymentId, Vec<T>> {
    let mut lists: HashMap<PaymentId, Vec<T>> = HashMap::new();
    for row in rows {
        lists.entry(of(&row)).or_default().push(row);
    }
    lists
}

/// An allocation belongs to the payment of its receipt, and to that of its installment: the same, if all is well.
fn by_payment_of_either(
    of_receipts: Vec<allocation::Model>,
    of_installments: Vec<allocation::Model>,
    receipts: &[receipt::Model],
    installments: &[installment::Model],
) -> HashMap<PaymentId, Vec<allocation::Model>> {
    let receipts: HashMap<ReceiptId, PaymentId> = receipts.iter().map(|row| (row.id, row.payment_id)).collect();
    let installments: HashMap<InstallmentId, PaymentId> =
        installments.iter().map(|row| (row.id, row.payment_id)).collect();
    let mut lists = by_payment(of_receipts, |row| receipts.get(&row.receipt_id).copied().unwrap_or(NOBODY));
    for row in of_installments {
        let of_installment = installments.get(&row.installment_id).copied().unwrap_or(NOBODY);
        if receipts.get(&row.receipt_id) != Some(&of_installment) {
            lists.entry(of_installment).or_default().push(row);
        }
    }
    lists
}

/// Where rows go that nobody asked for.
const NOBODY: PaymentId = PaymentId(uuid::Uuid::nil());
