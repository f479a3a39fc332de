//! Receipts.

use std::collections::HashMap;

use entity::AccountScoped;
use entity::ids::{AccountId, PaymentId, ReceiptId};
use entity::receipt::{Column, Entity, Model};
use sea_orm::{ConnectionTrait, DbErr, QueryFilter};

use super::keys::KeyType;
use super::page::{Page, PageRequest, SortKey};
use super::reader::Reader;
use super::{children, keys};

/// The order of receipts in a payment: as they arrived, made distinct.
pub const ARRIVAL_ORDER: [SortKey; 2] =
    [SortKey { column: "received_at", descending: false }, SortKey { column: "id", descending: false }];

/// Receipts with these ids, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &Reader, account: AccountId, ids: &[ReceiptId]) -> Result<Vec<Model>, DbErr> {
    let wanted = keys::any_uuid(db.get_database_backend(), (Entity, Column::Id), ids.iter().map(|id| id.0));
    Entity::of_account(account).filter(wanted).all(db).await
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
) -> Result<HashMap<PaymentId, Page<Model>>, DbErr> {
    let order = (ARRIVAL_ORDER.as_slice(), request);
    let rows = Entity::of_account(account);
    children::pages(
        db,
        rows,
        Column::PaymentId,
        payments,
        order,
        (KeyType::Uuid, |id| id.0.into(), |row| row.payment_id),
    )
    .await
}
