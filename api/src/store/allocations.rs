//! Allocations.

use std::collections::HashMap;

use entity::AccountScoped;
use entity::allocation::{Column, Entity, Model};
use entity::ids::{AccountId, InstallmentId, ReceiptId};
use sea_orm::{ConnectionTrait, DbErr, QueryFilter, QueryOrder};

use super::keys::KeyType;
use super::page::{Page, PageRequest, SortKey};
use super::reader::Reader;
use super::{children, keys};

/// The order of allocations on an installment: as they were made.
pub const CREATION_ORDER: [SortKey; 1] = [SortKey { column: "id", descending: false }];

/// All allocations of each of these receipts, as they were made.
///
/// # Errors
/// When the database does not answer.
pub async fn of_receipts(db: &Reader, account: AccountId, receipts: &[ReceiptId]) -> Result<Vec<Model>, DbErr> {
    let wanted = keys::any_uuid(db.get_database_backend(), (Entity, Column::ReceiptId), receipts.iter().map(|id| id.0));
    Entity::of_account(account).filter(wanted).order_by_asc(Column::Id).all(db).await
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
) -> Result<HashMap<InstallmentId, Page<Model>>, DbErr> {
    let order = (CREATION_ORDER.as_slice(), request);
    let rows = Entity::of_account(account);
    children::pages(
        db,
        rows,
        Column::InstallmentId,
        installments,
        order,
        (KeyType::Uuid, |id| id.0.into(), |row| row.installment_id),
    )
    .await
}
