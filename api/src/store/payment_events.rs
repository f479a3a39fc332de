//! Payment events.

use std::collections::HashMap;
use std::sync::Arc;

use entity::AccountScoped;
use entity::ids::{AccountId, PaymentId};
use entity::payment_event::{Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, QueryFilter, QueryOrder, QuerySelect};

use super::children::{self, ParentColumn};
use super::keys::{self, KeyType};
use super::page::{Page, PageRequest, SortKey};
use super::reader::Reader;

/// The payment above.
const PARENT: ParentColumn<Entity, PaymentId> = ParentColumn {
    column: Column::PaymentId,
    key: KeyType::Uuid,
    value: |id| id.0.into(),
    of: |row| row.payment_id,
    read: children::by_name,
};

/// The order of events in a payment.
pub const ORDER: [SortKey; 1] = [SortKey { column: "sequence", descending: false }];

/// The same page of each of these payments, in one statement.
///
/// # Errors
/// When the database does not answer.
pub async fn pages_of_payments(
    db: &Reader,
    account: AccountId,
    payments: &[PaymentId],
    request: &PageRequest,
) -> Result<HashMap<PaymentId, Page<Arc<Model>>>, DbErr> {
    let rows = Entity::of_account(account);
    children::pages(db, rows, &PARENT, payments, &ORDER, request).await
}

/// All events of each of these payments, in order.
///
/// # Errors
/// When the database does not answer.
pub async fn of_payments(db: &Reader, account: AccountId, payments: &[PaymentId]) -> Result<Vec<Model>, DbErr> {
    let wanted = keys::any_uuid(db.get_database_backend(), (Entity, Column::PaymentId), payments.iter().map(|id| id.0));
    let rows = Entity::of_account(account).filter(wanted);
    rows.order_by_asc(Column::PaymentId).order_by_asc(Column::Sequence).all(db).await
}

/// At most `limit` events of a payment after a sequence, in order.
///
/// # Errors
/// When the database does not answer.
pub async fn after(
    db: &Reader,
    account: AccountId,
    payment: PaymentId,
    sequence: i32,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::of_account(account)
        .filter(Column::PaymentId.eq(payment))
        .filter(Column::Sequence.gt(sequence))
        .order_by_asc(Column::Sequence)
        .limit(limit)
        .all(db)
        .await
}
