//! In how many names each word stands, for the plan of a search; on PostgreSQL an index that finds the words of titles
//! without a look at the rows; on SQLite one that knows which rows have words that begin with a letter or two.
//!
//! The index is made anew and empty: the server fills it at its start, and counts. An older replica that serves meanwhile
//! finds what is there, and takes the words of titles for any others.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::m20261122_000011_index_commodity_words::{self as before, COMMODITY_SEARCH, TABLES, index_on_sqlite};
use crate::{ddl, tell};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        before::Migration.down(manager).await?;
        ddl::run(manager, COMMODITY_SEARCH).await?;
        ddl::run(manager, COMMODITY_VOCABULARY).await?;
        let index = match manager.get_database_backend() {
            DbBackend::Postgres => INDEX_ON_POSTGRES.to_owned(),
            _ => index_on_sqlite(SHORT_BEGINNINGS),
        };
        ddl::run(manager, &index).await?;
        tell::of_changes(manager, TABLES, "commodities").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        before::Migration.down(manager).await?;
        before::Migration.up(manager).await
    }
}

const COMMODITY_VOCABULARY: &str = "
-- All words of `commodity_search`, and some that are there no longer; in about how many rows each stands, and in how
-- many titles of them.
CREATE TABLE commodity_vocabulary (
    word {text} NOT NULL PRIMARY KEY,
    in_titles {bigint} NOT NULL DEFAULT 0,
    in_names {bigint} NOT NULL DEFAULT 0
) {keyed_table};
";

/// Without lists of their own, beginnings of words are found by going through all words that begin so.
const SHORT_BEGINNINGS: &str = "prefix = '1 2 3', ";

/// Words of titles stand there as they are and once more with a sign before them. With a weight in its place, as before,
/// the index finds a word wherever it is, and each row has to be read to see its weight.
const INDEX_ON_POSTGRES: &str = "
ALTER TABLE commodity_search ADD COLUMN document tsvector NOT NULL GENERATED ALWAYS AS (array_to_tsvector(
    string_to_array(title, ' ') || string_to_array(details, ' ')
    || string_to_array(CASE title WHEN '' THEN '' ELSE '=' || replace(title, ' ', ' =') END, ' ')
)) STORED;

-- Without a list of rows that are put into the index later: until then each search would read it.
CREATE INDEX commodity_search_document ON commodity_search USING gin (document) WITH (fastupdate = off);
";
