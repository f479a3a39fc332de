//! Bringing the tables up to date, while other servers start, and while some are of another version.

use std::collections::HashSet;
use std::sync::Arc;

use migration::Migrator;
use sea_orm::sqlx::{self, ConnectOptions, Connection, PgConnection};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use sea_orm_migration::MigratorTrait;

use super::database::Database;
use crate::error::{Error, Result};

/// The advisory lock under which one server at a time prepares a PostgreSQL database.
const TURN: i64 = 0x0064_6572_6d61_6761;

/// One's turn to prepare the database. Others wait until it has ended, or its process has.
#[derive(Debug)]
pub struct Turn(Option<PgConnection>);

impl Turn {
    /// Lets the next one begin.
    ///
    /// # Errors
    /// When the database has gone; the turn has ended then, too.
    pub async fn end(self) -> Result<()> {
        match self.0 {
            Some(connection) => connection.close().await.map_err(Error::internal),
            None => Ok(()),
        }
    }
}

impl Database {
    /// Waits for one's turn to prepare the database. A SQLite file has one server, and no turns.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn turn(&self) -> Result<Turn> {
        if self.backend() != DbBackend::Postgres {
            return Ok(Turn(None));
        }
        // A connection of its own: the pool may have no more than the one that the migrations need.
        let mut connection = self.postgres_options().connect().await.map_err(Error::internal)?;
        let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(TURN);
        lock.execute(&mut connection).await.map_err(Error::internal)?;
        Ok(Turn(Some(connection)))
    }

    /// Brings the tables up to date. Returns how many migrations ran.
    ///
    /// # Errors
    /// When a migration fails, or some are missing on a database that a newer version has migrated.
    pub async fn migrate(&self) -> Result<usize> {
        let ran = self.run_migrations().await?;
        self.prepare_vectors().await?;
        Ok(ran)
    }

    async fn run_migrations(&self) -> Result<usize> {
        let applied = self.applied_migrations().await?;
        let ours = names();
        let pending = ours.iter().filter(|name| !applied.contains(*name)).count();
        if pending == 0 {
            return Ok(0);
        }
        if let Some(unknown) = applied.iter().find(|name| !ours.contains(*name)) {
            let why = format!(
                "the database has the migration {unknown}, which this version does not know, and lacks {pending} that it knows"
            );
            return Err(Error::internal(why));
        }
        // On SQLite by one connection: another one may still know a trigger that was just dropped, and refuses to make one
        // of that name.
        Migrator::up(self.writing(), None).await?;
        tracing::info!(migrations = pending, "the tables are up to date");
        Ok(pending)
    }

    /// How many migrations have not run. Those that only a newer version knows do not count: migrations expand first, so
    /// that this version can go on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pending_migrations(&self) -> Result<usize> {
        let applied = self.applied_migrations().await?;
        Ok(names().iter().filter(|name| !applied.contains(*name)).count())
    }

    async fn applied_migrations(&self) -> Result<HashSet<String>> {
        let there = match self.backend() {
            DbBackend::Postgres => "SELECT 1 AS there FROM pg_class WHERE oid = to_regclass('seaql_migrations')",
            _ => "SELECT 1 AS there FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
        };
        let db = self.reader(Arc::default());
        if db.query_one_raw(Statement::from_string(self.backend(), there)).await?.is_none() {
            return Ok(HashSet::new());
        }
        let versions = Statement::from_string(self.backend(), "SELECT version FROM seaql_migrations");
        let rows = db.query_all_raw(versions).await?;
        Ok(rows.iter().map(|row| row.try_get("", "version")).collect::<std::result::Result<_, _>>()?)
    }
}

/// The names of the migrations that this version knows.
fn names() -> HashSet<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}
