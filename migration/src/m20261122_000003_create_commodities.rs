//! The commodity tree.
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
CREATE TABLE commodity (
    code {text} NOT NULL PRIMARY KEY,
    level {text} NOT NULL
        CONSTRAINT commodity_level_known CHECK (level IN ('SECTION', 'CHAPTER', 'HEADING', 'SUBHEADING', 'NATIONAL')),
    parent_code {text} REFERENCES commodity (code),
    section {text} NOT NULL,
    description_en {text} NOT NULL,
    description_id {text},
    nomenclature {text} NOT NULL,
    CONSTRAINT commodity_parent_unless_section CHECK ((parent_code IS NULL) = (level = 'SECTION'))
) {table};

CREATE INDEX commodity_parent ON commodity (parent_code, code);

CREATE INDEX commodity_level ON commodity (level, code);
"#;

const DOWN: &str = "
DROP TABLE commodity;
";
