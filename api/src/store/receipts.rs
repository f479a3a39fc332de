//! Receipts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::AccountScoped;
use entity::ids::{AccountId, PaymentId, ReceiptId};
use entity::placed::{self, Placed};
use entity::receipt::{Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, QueryFilter, QuerySelect};

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
    read: Model::placed,
};

/// The order of receipts in a payment: as they arrived, made distinct.
pub const ARRIVAL_ORDER: [SortKey; 2] =
    [SortKey { column: "received_at", descending: false }, SortKey { column: "id", descending: false }];

/// Receipts with these ids, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &Reader, account: AccountId, ids: &[ReceiptId]) -> Result<Vec<Model>, DbErr> {
    let wanted = keys::any_uuid(db.get_database_backend(), (Entity, Column::Id), ids.iter().map(|id| id.0));
    placed::all(Entity::of_account(account).filter(wanted), db).await
}

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
    children::pages(db, rows, &PARENT, payments, &ARRIVAL_ORDER, request).await
}

/// Those of these payments that have a receipt that was neither reversed nor refunded.
///
/// # Errors
/// When the database does not answer.
pub async fn reversible(db: &Reader, account: AccountId, payments: &[PaymentId]) -> Result<HashSet<PaymentId>, DbErr> {
    let column = (Entity, Column::PaymentId);
    let rows: Vec<PaymentId> = Entity::of_account(account)
        .filter(keys::any_uuid(db.get_database_backend(), column, payments.iter().map(|id| id.0)))
        .filter(Column::ReversedAt.is_null())
        .filter(Column::Refunded.eq(0))
        .select_only()
        .column(Column::PaymentId)
        .distinct()
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}
