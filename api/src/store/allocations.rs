//! Allocations.

use std::collections::HashMap;
use std::sync::Arc;

use entity::AccountScoped;
use entity::allocation::{Column, Entity, Model};
use entity::ids::{AccountId, InstallmentId, ReceiptId};
use entity::placed::{self, Placed};
use sea_orm::{ConnectionTrait, DbErr, QueryFilter, QueryOrder};

use super::children::{self, ParentColumn};
use super::keys::{self, KeyType};
use super::page::{Page, PageRequest, SortKey};
use super::reader::Reader;

/// The installment above.
const PARENT: ParentColumn<Entity, InstallmentId> = ParentColumn {
    column: Column::InstallmentId,
    key: KeyType::Uuid,
    value: |id| id.0.into(),
    of: |row| row.installment_id,
    read: Model::placed,
};

/// The order of allocations on an installment: as they were made.
pub const CREATION_ORDER: [SortKey; 1] = [SortKey { column: "id", descending: false }];

/// All allocations of each of these receipts, as they were made.
///
/// # Errors
/// When the database does not answer.
pub async fn of_receipts(db: &Reader, account: AccountId, receipts: &[ReceiptId]) -> Result<Vec<Model>, DbErr> {
    let wanted = keys::any_uuid(db.get_database_backend(), (Entity, Column::ReceiptId), receipts.iter().map(|id| id.0));
    placed::all(Entity::of_account(account).filter(wanted).order_by_asc(Column::Id), db).await
}

/// The same page of each of these installments, in one statement.
///
/// # Errors
/// When the database does not answer.
pub async fn pages_of_installments(
    db: &Reader,
    account: AccountId,
    installments: &[InstallmentId],
    request: &PageRequest,
) -> Result<HashMap<InstallmentId, Page<Arc<Model>>>, DbErr> {
    let rows = Entity::of_account(account);
    children::pages(db, rows, &PARENT, installments, &CREATION_ORDER, request).await
}
