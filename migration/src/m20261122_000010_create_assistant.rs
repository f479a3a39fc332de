//! What the assistant searches: prompts, the text of regulations in chunks, and their vectors; and what it has used.
//!
//! An older replica does not know the new tables and does not miss them. When it hears that they changed, which it
//! does not understand, it drops all that it keeps.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::{ddl, tell};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await?;
        tell::of_changes(manager, TABLES, "sources").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await
    }
}

/// Tables whose changes are told. What was used is no source.
const TABLES: &[&str] = &["prompt", "regulation_chunk", "embedding"];

const UP: &str = r#"
CREATE TABLE prompt (
    name {text} NOT NULL PRIMARY KEY,
    title {text} NOT NULL,
    template {text} NOT NULL,
    category {text},
    revision integer NOT NULL CONSTRAINT prompt_revision_positive CHECK (revision > 0),
    active {boolean} NOT NULL
) {table};

-- `id` is the regulation's number with the sequence behind it. `revision` is a hash of the text.
CREATE TABLE regulation_chunk (
    id {text} NOT NULL PRIMARY KEY,
    regulation {text} NOT NULL REFERENCES regulation (number),
    sequence integer NOT NULL CONSTRAINT regulation_chunk_sequence_positive CHECK (sequence > 0),
    article {text},
    text {text} NOT NULL,
    valid_from {date},
    valid_to {date},
    revision {text} NOT NULL,
    CONSTRAINT regulation_chunk_valid_in_order CHECK (valid_to >= valid_from),
    CONSTRAINT regulation_chunk_place UNIQUE (regulation, sequence)
) {table};

-- The vector of a text under a model: numbers of 32 bits, the lowest byte first. It counts while the text has the
-- revision that it was made of.
CREATE TABLE embedding (
    kind {text} NOT NULL CONSTRAINT embedding_kind_known CHECK (kind IN ('PROMPT', 'CHUNK')),
    subject {text} NOT NULL,
    model {text} NOT NULL,
    dimension integer NOT NULL CONSTRAINT embedding_dimension_positive CHECK (dimension > 0),
    revision {text} NOT NULL,
    vector {bytes} NOT NULL,
    CONSTRAINT embedding_vector_is_whole CHECK (length(vector) = 4 * dimension),
    PRIMARY KEY (kind, subject, model)
) {table};

-- What the questions of an account have used on a day (UTC). Costs are in millionths of a US dollar.
CREATE TABLE assistant_use (
    account_id {uuid} NOT NULL REFERENCES account (id),
    day {date} NOT NULL,
    calls {bigint} NOT NULL CONSTRAINT assistant_use_calls_not_negative CHECK (calls >= 0),
    tokens {bigint} NOT NULL CONSTRAINT assistant_use_tokens_not_negative CHECK (tokens >= 0),
    cost_micros {bigint} NOT NULL CONSTRAINT assistant_use_cost_not_negative CHECK (cost_micros >= 0),
    PRIMARY KEY (account_id, day)
) {keyed_table};
"#;

const DOWN: &str = "
DROP TABLE assistant_use;
DROP TABLE embedding;
DROP TABLE regulation_chunk;
DROP TABLE prompt;
";
