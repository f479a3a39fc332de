//! Accounts.

use entity::account;
use entity::ids::AccountId;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};

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

/// All accounts, by name.
///
/// # Errors
/// When the database does not answer.
#[allow(clippy::disallowed_methods, reason = "for the operator, who owns the database")]
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<account::Model>, DbErr> {
    account::Entity::find().order_by_asc(account::Column::Name).all(db).await
}

/// Whether an account may have this name: 1 to 63 of `a` to `z`, `0` to `9` and `-`.
pub fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
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
