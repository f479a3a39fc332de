//! Triggers that tell that something in a table changed, under a name for all of it. On PostgreSQL alone.

use sea_orm_migration::prelude::SchemaManager;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};

/// Makes them, one for each table.
pub(crate) async fn of_changes(manager: &SchemaManager<'_>, tables: &[&str], name: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        for table in tables {
            let trigger = format!(
                "CREATE TRIGGER {table}_tell AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION dermaga_tell_name('{name}')"
            );
            manager.get_connection().execute_unprepared(&trigger).await?;
        }
    }
    Ok(())
}

/// Removes them.
pub(crate) async fn no_more(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        for table in tables {
            let trigger = format!("DROP TRIGGER {table}_tell ON {table}");
            manager.get_connection().execute_unprepared(&trigger).await?;
        }
    }
    Ok(())
}
