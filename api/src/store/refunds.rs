//! Refunds.

use std::collections::HashMap;
use std::sync::Arc;

use entity::AccountScoped;
use entity::ids::{AccountId, PaymentId, RefundId};
use entity::refund::{Column, Entity, Model};
use sea_orm::{ConnectionTrait, DbErr, QueryFilter};

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

/// The order of refunds in a payment: as they were made, made distinct.
pub const CREATION_ORDER: [SortKey; 2] =
    [SortKey { column: "created_at", descending: false }, SortKey { column: "id", descending: false }];

/// Refunds with these ids, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &Reader, account: AccountId, ids: &[RefundId]) -> Result<Vec<Model>, DbErr> {
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
) -> Result<HashMap<PaymentId, Page<Arc<Model>>>, DbErr> {
    let rows = Entity::of_account(account);
    children::pages(db, rows, &PARENT, payments, &CREATION_ORDER, request).await
}
