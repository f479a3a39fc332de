//! Triggers that tell of changed duties, prices and regulations, like those of payments. On PostgreSQL alone.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::tell;

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        tell::of_changes(manager, TABLES, "commodities").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        tell::no_more(manager, TABLES).await
    }
}

const TABLES: &[&str] = &[
    "regulation",
    "regulation_amendment",
    "duty_measure",
    "duty_measure_commodity",
    "duty_band",
    "reference_price",
    "price_series",
    "price_series_commodity",
    "commodity_price",
    "commodity_succession",
];
