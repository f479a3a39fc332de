//! Payment lines.

use entity::AccountScoped;
use entity::ids::{AccountId, PaymentId};
use entity::payment_line::{Column, Entity, Model};
use sea_orm::{ConnectionTrait, DbErr, QueryFilter, QueryOrder};

use super::keys;
use super::reader::Reader;

/// All lines of each of these payments, by position.
///
/// # Errors
/// When the database does not answer.
pub async fn of_payments(db: &Reader, account: AccountId, payments: &[PaymentId]) -> Result<Vec<Model>, DbErr> {
    let wanted = keys::any_uuid(db.get_database_backend(), (Entity, Column::PaymentId), payments.iter().map(|id| id.0));
    Entity::of_account(account).filter(wanted).order_by_asc(Column::Position).all(db).await
}
