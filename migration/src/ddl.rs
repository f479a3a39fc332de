//! One DDL text for both databases.
//!
//! The few words in which the databases differ are placeholders. SQLite tables are `STRICT`, so that a
//! float or a text can never end up in a column of money.

use sea_orm_migration::prelude::SchemaManager;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};

/// Placeholder, PostgreSQL, SQLite.
const DIALECT: &[(&str, &str, &str)] = &[
    ("{uuid}", "uuid", "blob"),
    ("{bigint}", "bigint", "integer"),
    ("{timestamp}", "timestamptz", "text"),
    ("{date}", "date", "text"),
    ("{boolean}", "boolean", "integer"),
    ("{bytes}", "bytea", "blob"),
    // Sorted and compared byte by byte on both, whatever the locale of the PostgreSQL cluster.
    ("{text}", "text COLLATE \"C\"", "text"),
    ("{first_date}", "DATE '0001-01-01'", "'0001-01-01'"),
    ("{last_date}", "DATE '9999-12-31'", "'9999-12-31'"),
    ("{table}", "", "STRICT"),
    // Found only by its primary key: without a second copy of that key.
    ("{keyed_table}", "", "STRICT, WITHOUT ROWID"),
];

/// Runs each statement of `sql` (separated by `;` at a line's end), with the placeholders filled in.
pub(crate) async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let postgres = manager.get_database_backend() == DbBackend::Postgres;
    let mut text = sql.to_owned();
    for (placeholder, on_postgres, on_sqlite) in DIALECT {
        text = text.replace(placeholder, if postgres { on_postgres } else { on_sqlite });
    }
    for statement in text.split(";\n").map(str::trim).filter(|s| !s.is_empty()) {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
