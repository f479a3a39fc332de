//! Accounts.

use entity::account;
use entity::ids::AccountId;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};

/// The account of this name.
///
/// # Errors
/// When the database does not answer.
#[allow(clippy::disallowed_methods, reason = "this finds the account that scopes take")]
pub async fn by_name(db: &impl ConnectionTrait, name: &str) -> Result<Option<account::Model>, DbErr> {
    account::Entity::find().filter(account::Column::Name.eq(name)).one(db).await
}

/// Whether there is any account.
///
/// # Errors
/// When the database does not answer.
#[allow(clippy::disallowed_methods, reason = "asks for no account's data")]
pub async fn any(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    Ok(account::Entity::find().one(db).await?.is_some())
}

/// Opens an account.
///
/// # Errors
/// When the name is taken, or the database does not answer.
pub async fn create(db: &impl ConnectionTrait, account: account::Model) -> Result<AccountId, DbErr> {
    let id = account.id;
    account.into_active_model().reset_all().insert(db).await?;
    Ok(id)
}
