//! The rows of one payment that a change needs, locked until the transaction ends; and writing what it made.
//!
//! Whoever changes a payment, or anything below it, holds the lock of the payment's row. SQLite has one writer at a
//! time and needs none.

use entity::ids::{AccountId, InstallmentId, PaymentId, ReceiptId};
use entity::{
    AccountScoped, allocation, commodity, installment, installment_plan, payment, payment_event, payment_line, receipt,
    refund,
};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, QueryFilter, QueryOrder, QuerySelect};

use super::reader::Reader;
use super::writes::Writes;
use super::{commodities, keys};
use crate::domain::currency::Currency;
use crate::domain::ledger::{Change, Ledger};

/// What a change is about, beside the payment and all that is outstanding of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Nothing more.
    Payment,
    /// A receipt, its allocations, and what it paid.
    Receipt(ReceiptId),
    /// An installment.
    Installment(InstallmentId),
}

/// Locks a payment and reads what a change to it needs. `None` when the account has no such payment.
///
/// # Errors
/// When the database does not answer.
pub async fn lock(db: &Reader, account: AccountId, id: PaymentId, about: About) -> Result<Option<Ledger>, DbErr> {
    let locked = payment::Entity::of_account(account).filter(payment::Column::Id.eq(id)).lock_exclusive();
    let Some(payment) = locked.one(db).await? else { return Ok(None) };
    let Some(currency) = Currency::from_code(&payment.currency) else {
        return Err(DbErr::Custom(format!("payment {id} is in an unknown currency")));
    };
    let (receipts, allocations) = match about {
        About::Receipt(receipt) => (
            receipt::Entity::of_account(account).filter(receipt::Column::Id.eq(receipt)).all(db).await?,
            allocation::Entity::of_account(account)
                .filter(allocation::Column::ReceiptId.eq(receipt))
                .order_by_asc(allocation::Column::Id)
                .all(db)
                .await?,
        ),
        About::Payment | About::Installment(_) => (Vec::new(), Vec::new()),
    };
    let mut wanted = Condition::any().add(installment::Column::Outstanding.gt(0));
    match about {
        About::Payment => {}
        About::Installment(id) => wanted = wanted.add(installment::Column::Id.eq(id)),
        About::Receipt(_) => {
            let ids = allocations.iter().map(|row| row.installment_id.0);
            let column = (installment::Entity, installment::Column::Id);
            wanted = wanted.add(keys::any_uuid(db.get_database_backend(), column, ids));
        }
    }
    let installments = installment::Entity::of_account(account)
        .filter(installment::Column::PaymentId.eq(id))
        .filter(wanted)
        .order_by_asc(installment::Column::DueDate)
        .order_by_asc(installment::Column::Sequence)
        .order_by_asc(installment::Column::Id)
        .all(db)
        .await?;
    // Only a new plan asks for the revision, and it knows how.
    Ok(Some(Ledger { payment, currency, revision: 0, installments, receipts, allocations }))
}

/// The newest revision of a payment's plan; 0 when there is none.
///
/// # Errors
/// When the database does not answer.
pub async fn revision(db: &Reader, account: AccountId, id: PaymentId) -> Result<i32, DbErr> {
    let newest: Option<Option<i32>> = installment_plan::Entity::of_account(account)
        .filter(installment_plan::Column::PaymentId.eq(id))
        .select_only()
        .expr(Expr::col(installment_plan::Column::Revision).max())
        .into_tuple()
        .one(db)
        .await?;
    Ok(newest.flatten().unwrap_or(0))
}

/// The payment of a receipt.
///
/// # Errors
/// When the database does not answer.
pub async fn payment_of_receipt(db: &Reader, account: AccountId, id: ReceiptId) -> Result<Option<PaymentId>, DbErr> {
    receipt::Entity::of_account(account)
        .filter(receipt::Column::Id.eq(id))
        .select_only()
        .column(receipt::Column::PaymentId)
        .into_tuple()
        .one(db)
        .await
}

/// The payment of an installment.
///
/// # Errors
/// When the database does not answer.
pub async fn payment_of_installment(
    db: &Reader,
    account: AccountId,
    id: InstallmentId,
) -> Result<Option<PaymentId>, DbErr> {
    installment::Entity::of_account(account)
        .filter(installment::Column::Id.eq(id))
        .select_only()
        .column(installment::Column::PaymentId)
        .into_tuple()
        .one(db)
        .await
}

/// The receipt of the account with an external reference.
///
/// # Errors
/// When the database does not answer.
pub async fn receipt_with_reference(
    db: &Reader,
    account: AccountId,
    reference: &str,
) -> Result<Option<ReceiptId>, DbErr> {
    receipt::Entity::of_account(account)
        .filter(receipt::Column::ExternalReference.eq(reference))
        .select_only()
        .column(receipt::Column::Id)
        .into_tuple()
        .one(db)
        .await
}

/// Which of these commodity codes exist.
///
/// # Errors
/// When the database does not answer.
pub async fn known_commodities(db: &Reader, codes: &[String]) -> Result<Vec<commodity::Model>, DbErr> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    commodities::by_codes(db, codes).await
}

/// Adds what changes made to `writes`: each table once, however many changes there are.
pub fn write(writes: &mut Writes, changes: &[Change]) {
    let (created, changed): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.created);
    writes.insert::<payment::Entity>(created.iter().map(|change| &change.payment));
    writes.update_if::<payment::Entity>(
        &[
            payment::Column::Allocated,
            payment::Column::Waived,
            payment::Column::WrittenOff,
            payment::Column::Outstanding,
            payment::Column::Received,
            payment::Column::Refunded,
            payment::Column::Credit,
            payment::Column::Status,
            payment::Column::NextDueDate,
            payment::Column::Version,
            payment::Column::HeadHash,
            payment::Column::UpdatedAt,
        ],
        // The lock keeps others out; this proves it.
        " AND payment.version = n.version - 1",
        changed.iter().map(|change| &change.payment),
    );
    writes.insert::<installment_plan::Entity>(changes.iter().filter_map(|change| change.plan.as_ref()));
    writes.update::<installment::Entity>(
        &[
            installment::Column::Amount,
            installment::Column::Allocated,
            installment::Column::Waived,
            installment::Column::Outstanding,
            installment::Column::Status,
            installment::Column::SettledAt,
        ],
        changes.iter().flat_map(|change| &change.changed_installments),
    );
    writes.insert::<installment::Entity>(changes.iter().flat_map(|change| &change.new_installments));
    writes.insert::<receipt::Entity>(changes.iter().filter_map(|change| change.new_receipt.as_ref()));
    writes.update::<receipt::Entity>(
        &[receipt::Column::Unallocated, receipt::Column::Refunded, receipt::Column::ReversedAt],
        changes.iter().filter_map(|change| change.changed_receipt.as_ref()),
    );
    writes.delete::<allocation::Entity>(changes.iter().flat_map(|change| &change.freed_allocations));
    writes.insert::<allocation::Entity>(changes.iter().flat_map(|change| &change.new_allocations));
    writes.insert::<refund::Entity>(changes.iter().filter_map(|change| change.refund.as_ref()));
    writes.insert::<payment_line::Entity>(changes.iter().flat_map(|change| &change.lines));
    writes.insert::<payment_event::Entity>(changes.iter().map(|change| &change.event));
}
