//! Market prices of commodities by month, and which codes took the place of which.
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
CREATE TABLE price_series (
    name {text} NOT NULL PRIMARY KEY,
    source {text} NOT NULL REFERENCES rate_source (code)
) {table};

-- The codes whose goods a series prices; those below them are meant too.
CREATE TABLE price_series_commodity (
    commodity {text} NOT NULL REFERENCES commodity (code),
    series {text} NOT NULL REFERENCES price_series (name),
    PRIMARY KEY (commodity, series)
) {keyed_table};

CREATE TABLE commodity_price (
    series {text} NOT NULL REFERENCES price_series (name),
    month {date} NOT NULL,
    unit {text} NOT NULL,
    price {text} NOT NULL,
    PRIMARY KEY (series, month)
) {keyed_table};

CREATE TABLE commodity_succession (
    predecessor {text} NOT NULL REFERENCES commodity (code),
    successor {text} NOT NULL REFERENCES commodity (code),
    CONSTRAINT commodity_succession_of_another CHECK (predecessor <> successor),
    PRIMARY KEY (predecessor, successor)
) {keyed_table};

CREATE INDEX commodity_succession_successor ON commodity_succession (successor, predecessor);
"#;

const DOWN: &str = "
DROP TABLE commodity_succession;
DROP TABLE commodity_price;
DROP TABLE price_series_commodity;
DROP TABLE price_series;
";
