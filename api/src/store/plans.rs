//! Installment plans.

use entity::AccountScoped;
use entity::ids::{AccountId, PaymentId};
use entity::installment_plan::{Column, Entity, Model};
use sea_orm::{ConnectionTrait, DbErr, QueryFilter, QueryOrder};

use super::keys;
use super::reader::Reader;

/// All plan revisions of each of these payments, the newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_payments(db: &Reader, account: AccountId, payments: &[PaymentId]) -> Result<Vec<Model>, DbErr> {
    let wanted = keys::any_uuid(db.get_database_backend(), (Entity, Column::PaymentId), payments.iter().map(|id| id.0));
    Entity::of_account(account).filter(wanted).order_by_desc(Column::Revision).all(db).await
}
