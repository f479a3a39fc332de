//! All rows of an account, checked against one another.

use std::collections::{HashMap, HashSet};

use dermaga_api::domain::ledger::check::{PaymentRows, faults};
use dermaga_api::store::Database;
use entity::ids::{AccountId, PaymentId};
use entity::{
    AccountScoped, allocation, installment, installment_plan, payment, payment_event, payment_line, receipt, refund,
};
use sea_orm::QueryOrder;

/// What was found.
#[derive(Debug)]
pub(crate) struct Report {
    /// What is wrong, in words.
    pub(crate) faults: Vec<String>,
    /// How many payments there are.
    pub(crate) payments: usize,
    rows: Vec<PaymentRows>,
}

impl Report {
    /// The row of a payment.
    pub(crate) fn row(&self, id: PaymentId) -> &payment::Model {
        &self.rows.iter().find(|rows| rows.payment.id == id).expect("the payment is there").payment
    }

    /// Receipts by their ids as clients see them, with their amounts in minor units.
    pub(crate) fn receipts(&self) -> HashMap<String, i64> {
        self.all_receipts().map(|row| (row.id.global(), row.amount)).collect()
    }

    /// Receipts that were reversed.
    pub(crate) fn reversed(&self) -> HashSet<String> {
        self.all_receipts().filter(|row| row.reversed_at.is_some()).map(|row| row.id.global()).collect()
    }

    /// How often a payment was rescheduled.
    pub(crate) fn reschedules(&self) -> u32 {
        let events = self.rows.iter().flat_map(|rows| &rows.events);
        let count = events.filter(|event| event.kind == payment_event::Kind::PaymentRescheduled).count();
        u32::try_from(count).unwrap()
    }

    fn all_receipts(&self) -> impl Iterator<Item = &receipt::Model> {
        self.rows.iter().flat_map(|rows| &rows.receipts)
    }
}

/// Reads all rows of an account, in one transaction, and checks them.
pub(crate) async fn verify(database: &Database, account: AccountId) -> Report {
    let meter = std::sync::Arc::default();
    let read = database.snapshot(&meter, async |db| {
        Ok::<_, sea_orm::DbErr>((
            payment::Entity::of_account(account).order_by_asc(payment::Column::Id).all(db).await?,
            by(
                installment_plan::Entity::of_account(account)
                    .order_by_asc(installment_plan::Column::Revision)
                    .all(db)
                    .await?,
                |row| row.payment_id,
            ),
            by(
                installment::Entity::of_account(account)
                    .order_by_asc(installment::Column::DueDate)
                    .order_by_asc(installment::Column::Sequence)
                    .order_by_asc(installment::Column::Id)
                    .all(db)
                    .await?,
                |row| row.payment_id,
            ),
            by(receipt::Entity::of_account(account).order_by_asc(receipt::Column::Id).all(db).await?, |row| {
                row.payment_id
            }),
            allocation::Entity::of_account(account).order_by_asc(allocation::Column::Id).all(db).await?,
            by(refund::Entity::of_account(account).order_by_asc(refund::Column::Id).all(db).await?, |row| {
                row.payment_id
            }),
            by(
                payment_line::Entity::of_account(account).order_by_asc(payment_line::Column::Position).all(db).await?,
                |row| row.payment_id,
            ),
            by(
                payment_event::Entity::of_account(account)
                    .order_by_asc(payment_event::Column::Sequence)
                    .all(db)
                    .await?,
                |row| row.payment_id,
            ),
        ))
    });
    let (payments, mut plans, mut installments, mut receipts, allocations, mut refunds, mut lines, mut events) =
        read.await.unwrap();
    let of_receipt: HashMap<_, _> =
        receipts.iter().flat_map(|(payment, rows)| rows.iter().map(|row| (row.id, *payment))).collect();
    let mut allocations = by(allocations, |row| of_receipt[&row.receipt_id]);
    let rows: Vec<PaymentRows> = payments
        .into_iter()
        .map(|payment| PaymentRows {
            plans: plans.remove(&payment.id).unwrap_or_default(),
            installments: installments.remove(&payment.id).unwrap_or_default(),
            receipts: receipts.remove(&payment.id).unwrap_or_default(),
            allocations: allocations.remove(&payment.id).unwrap_or_default(),
            refunds: refunds.remove(&payment.id).unwrap_or_default(),
            lines: lines.remove(&payment.id).unwrap_or_default(),
            events: events.remove(&payment.id).unwrap_or_default(),
            payment,
        })
        .collect();
    let found = rows.iter().flat_map(|rows| {
        let reference = &rows.payment.reference;
        faults(rows).into_iter().map(move |fault| format!("{reference}: {}: {}", fault.rule.code(), fault.message))
    });
    Report { faults: found.collect(), payments: rows.len(), rows }
}

fn by<M>(rows: Vec<M>, parent: impl Fn(&M) -> PaymentId) -> HashMap<PaymentId, Vec<M>> {
    let mut lists: HashMap<PaymentId, Vec<M>> = HashMap::new();
    for row in rows {
        lists.entry(parent(&row)).or_default().push(row);
    }
    lists
}
