//! Full-text search of commodities: FTS5 on SQLite, `tsvector` on PostgreSQL, over the same words.
//!
//! The words are made by the server, so that both databases find the same; an empty index is filled at its next start.
//! An older replica does not know the new tables and does not miss them; what it imports is indexed at the next start.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use crate::{ddl, tell};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, COMMODITY_SEARCH).await?;
        ddl::run(manager, COMMODITY_VOCABULARY).await?;
        let index = match manager.get_database_backend() {
            DbBackend::Postgres => UP_ON_POSTGRES.to_owned(),
            _ => index_on_sqlite(""),
        };
        ddl::run(manager, &index).await?;
        tell::of_changes(manager, TABLES, "commodities").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            ddl::run(manager, "DROP TABLE commodity_words;").await?;
        }
        ddl::run(manager, DOWN).await
    }
}

pub(crate) const TABLES: &[&str] = &["commodity_search", "commodity_vocabulary"];

pub(crate) const COMMODITY_SEARCH: &str = "
-- `id` is in the order in which commodities that fit equally well are shown.
-- `title` holds the words of the names up to their first comma or the like, `details` all other words.
CREATE TABLE commodity_search (
    id {bigint} NOT NULL PRIMARY KEY,
    code {text} NOT NULL CONSTRAINT commodity_search_code UNIQUE REFERENCES commodity (code) ON DELETE CASCADE,
    revision integer NOT NULL,
    title {text} NOT NULL,
    details {text} NOT NULL
) {table};
";

const COMMODITY_VOCABULARY: &str = "
-- All words of `commodity_search`, and some that are there no longer.
CREATE TABLE commodity_vocabulary (
    word {text} NOT NULL PRIMARY KEY
) {keyed_table};
";

const UP_ON_POSTGRES: &str = r#"
ALTER TABLE commodity_search ADD COLUMN document tsvector NOT NULL GENERATED ALWAYS AS (
    setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', details), 'B')
) STORED;

-- Without a list of rows that are put into the index later: until then each search would read it.
CREATE INDEX commodity_search_document ON commodity_search USING gin (document) WITH (fastupdate = off);
"#;

/// The index keeps no copy of the texts. It has to be told what stood there before.
pub(crate) fn index_on_sqlite(options: &str) -> String {
    INDEX_ON_SQLITE.replace("{options}", options)
}

const INDEX_ON_SQLITE: &str = r#"
CREATE VIRTUAL TABLE commodity_words USING fts5 (
    title, details, content = 'commodity_search', content_rowid = 'id', {options}tokenize = 'unicode61 remove_diacritics 0'
);

CREATE TRIGGER commodity_search_added AFTER INSERT ON commodity_search BEGIN
    INSERT INTO commodity_words (rowid, title, details) VALUES (new.id, new.title, new.details); END;

CREATE TRIGGER commodity_search_removed AFTER DELETE ON commodity_search BEGIN
    INSERT INTO commodity_words (commodity_words, rowid, title, details)
        VALUES ('delete', old.id, old.title, old.details); END;

CREATE TRIGGER commodity_search_changed AFTER UPDATE ON commodity_search BEGIN
    INSERT INTO commodity_words (commodity_words, rowid, title, details)
        VALUES ('delete', old.id, old.title, old.details); INSERT INTO commodity_words (rowid, title, details)
        VALUES (new.id, new.title, new.details); END;
"#;

const DOWN: &str = "
DROP TABLE commodity_vocabulary;
DROP TABLE commodity_search;
";
