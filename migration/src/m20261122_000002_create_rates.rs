//! Currency rates and who published them.
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
CREATE TABLE rate_source (
    code {text} NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    url {text},
    attribution {text} NOT NULL,
    retrieved_at {timestamp} NOT NULL
) {table};

-- The key is in the order of the one question asked: the last quote of a pair up to a day.
CREATE TABLE currency_rate (
    purpose {text} NOT NULL
        CONSTRAINT currency_rate_purpose_known CHECK (purpose IN ('REFERENCE', 'TAX_DUTY', 'BANK_BUY', 'BANK_SELL')),
    base {text} NOT NULL,
    quote {text} NOT NULL,
    effective_date {date} NOT NULL,
    source {text} NOT NULL REFERENCES rate_source (code),
    rate {text} NOT NULL,
    quoted_per integer NOT NULL CONSTRAINT currency_rate_quoted_per_positive CHECK (quoted_per > 0),
    valid_to {date},
    CONSTRAINT currency_rate_pair_differs CHECK (base <> quote),
    PRIMARY KEY (purpose, base, quote, effective_date, source)
) {keyed_table};

-- An import compares what it read with what is there, some days at a time.
CREATE INDEX currency_rate_source_date ON currency_rate (source, effective_date);
"#;

const DOWN: &str = "
DROP TABLE currency_rate;
DROP TABLE rate_source;
";
