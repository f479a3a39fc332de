//! Idempotency keys: what came of a mutation, for whoever sends it again.

use sea_orm::entity::prelude::*;

use crate::AccountScoped;
use crate::ids::AccountId;

/// A mutation that was committed. Written in the transaction of the change itself.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_key")]
pub struct Model {
    /// The account that sent it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The field of the mutation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mutation: String,
    /// The client's key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// SHA-256 of the request, in hexadecimal: a key stands for one request.
    pub request_hash: String,
    /// What came of it: JSON of the ids.
    pub result: String,
    /// When it was committed.
    pub created_at: DateTimeUtc,
}

impl AccountScoped for Entity {
    const ACCOUNT: Column = Column::AccountId;
}

impl ActiveModelBehavior for ActiveModel {}
