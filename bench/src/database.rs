//! The database of a benchmark: new, and gone at the end.

use std::time::Duration;

use sea_orm::{ConnectionTrait, Database as Connect, DbBackend, DbErr, Statement};
use tempfile::TempDir;

use crate::cpu;

/// A database of its own on SQLite, or on the PostgreSQL server that was named.
#[derive(Debug)]
pub struct Database {
    /// Where the server finds it.
    pub url: String,
    server: Option<Server>,
    _folder: Option<TempDir>,
}

/// The PostgreSQL server.
#[derive(Debug)]
struct Server {
    admin_url: String,
    name: String,
    /// The process above all others, when it runs on this machine.
    process: Option<u32>,
}

impl Database {
    /// A SQLite file in a temporary folder.
    ///
    /// # Panics
    /// When there is no room for it.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("bench.db").display());
        Self { url, server: None, _folder: Some(folder) }
    }

    /// A new database beside the one that `admin_url` names.
    ///
    /// # Errors
    /// When the server does not answer, or lets no database be made.
    pub async fn postgres(admin_url: &str) -> Result<Self, String> {
        let name = format!("dermaga_bench_{}", uuid::Uuid::now_v7().simple());
        let (server, _) = admin_url.rsplit_once('/').ok_or("a database URL has a path")?;
        let url = format!("{server}/{name}");
        let problem = |error: DbErr| format!("PostgreSQL: {error}");
        let admin = Connect::connect(admin_url).await.map_err(problem)?;
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.map_err(problem)?;
        let pid = Statement::from_string(DbBackend::Postgres, "SELECT pg_backend_pid() AS pid");
        let row = admin.query_one_raw(pid).await.map_err(problem)?.ok_or("a backend has an id")?;
        let backend: i32 = row.try_get("", "pid").map_err(problem)?;
        let process = u32::try_from(backend).ok().and_then(cpu::parent);
        Ok(Self { url, server: Some(Server { admin_url: admin_url.to_owned(), name, process }), _folder: None })
    }

    /// Brings the planner's statistics up to date, so that no server meets better ones than another.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn analyze(&self) -> Result<(), String> {
        let database = Connect::connect(&self.url).await.map_err(|error| error.to_string())?;
        let statement = if self.server.is_some() { "VACUUM ANALYZE" } else { "ANALYZE" };
        database.execute_unprepared(statement).await.map(drop).map_err(|error| error.to_string())
    }

    /// Bytes that it takes on disk.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn size(&self) -> Result<f64, String> {
        let database = Connect::connect(&self.url).await.map_err(|error| error.to_string())?;
        let bytes = if self.server.is_some() {
            "SELECT pg_database_size(current_database()) AS bytes"
        } else {
            "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()"
        };
        let bytes = Statement::from_string(database.get_database_backend(), bytes);
        let row = database.query_one_raw(bytes).await.map_err(|error| error.to_string())?.ok_or("a size is a row")?;
        row.try_get::<i64>("", "bytes").map(|bytes| bytes as f64).map_err(|error| error.to_string())
    }

    /// A name for reports.
    pub fn name(&self) -> &'static str {
        if self.server.is_some() { "PostgreSQL" } else { "SQLite" }
    }

    /// CPU time that the PostgreSQL server has used; zero when it is elsewhere, and on SQLite, which has no process.
    pub fn cpu(&self) -> Duration {
        self.server.as_ref().and_then(|server| cpu::of_family(server.process?)).unwrap_or_default()
    }

    /// Removes it.
    pub async fn remove(self) {
        let Some(server) = self.server else { return };
        let Ok(admin) = Connect::connect(&server.admin_url).await else { return };
        // What is left behind is a database with a telling name.
        let _ = admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", server.name)).await;
    }
}
