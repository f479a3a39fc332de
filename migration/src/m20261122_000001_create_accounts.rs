//! Accounts.
//!
//! An older replica does not know the new tables and does not miss them.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::ddl;

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await
    }
}

const UP: &str = r#"
CREATE TABLE account (
    id {uuid} NOT NULL PRIMARY KEY,
    name {text} NOT NULL CONSTRAINT account_name_key UNIQUE,
    base_currency {text} NOT NULL,
    time_zone {text} NOT NULL,
    created_at {timestamp} NOT NULL
) {table};
"#;

const DOWN: &str = "
DROP TABLE account;
";
