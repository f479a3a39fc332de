//! Fresh databases, cheap: copies of a template that is migrated and filled once for each test process.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Once, mpsc};

use dermaga_api::clock::Clock;
use dermaga_api::progress::Progress;
use dermaga_api::store::{Database, DatabaseSettings};
use sea_orm::{ConnectionTrait, DbErr};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::app::NOW;
use crate::say;

/// One of the databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file in a temporary folder.
    Sqlite,
    /// A database of its own on the server of `TEST_POSTGRES_URL`.
    Postgres,
    /// The same on that of `TEST_PGVECTOR_URL`, where PostgreSQL has the extension that compares vectors.
    Pgvector,
}

/// A fresh database; gone when dropped.
#[derive(Debug)]
pub(crate) struct FreshDatabase {
    pub(crate) url: String,
    _guard: Option<DatabaseGuard>,
}

impl FreshDatabase {
    /// The database of another server, which outlives this one.
    pub(crate) fn of_another(url: String) -> Self {
        Self { url, _guard: None }
    }
}

/// Takes a database away when it is dropped, also by a test that panics: a file at once, one on a server soon after.
#[derive(Debug)]
pub enum DatabaseGuard {
    /// The folder of a SQLite file.
    Folder(TempDir),
    /// A database on a PostgreSQL server, which would keep ten megabytes and more for each test until the end.
    OnServer {
        /// The URL of the server's own database.
        server: String,
        /// The name of the one to be dropped.
        name: String,
    },
}

impl Drop for DatabaseGuard {
    fn drop(&mut self) {
        if let Self::OnServer { server, name } = self {
            drop_later(std::mem::take(server), std::mem::take(name));
        }
    }
}

/// Has a database dropped on a thread that does nothing else, one after the other: a test ends within a runtime that
/// must not be blocked, and nobody waits for it.
///
/// What is still queued when the process ends stays on the server, which `tests/run` throws away as a whole.
fn drop_later(server: String, name: String) {
    static QUEUE: LazyLock<mpsc::Sender<(String, String)>> = LazyLock::new(|| {
        let (sender, queue) = mpsc::channel::<(String, String)>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for (server, name) in queue {
                if let Err(error) = runtime.block_on(drop_database(&server, &name)) {
                    say(&format!("the database {name} is left behind: {error}"));
                }
            }
        });
        sender
    });
    if let Err(mpsc::SendError((_, name))) = QUEUE.send((server, name)) {
        // No panic: the test may be panicking already.
        say(&format!("the database {name} is left behind: nobody drops any more"));
    }
}

async fn drop_database(server: &str, name: &str) -> Result<(), DbErr> {
    let connection = sea_orm::Database::connect(server).await?;
    // By force: the pools of the test are gone, and their connections may not be yet.
    connection.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
    connection.close().await
}

impl Backend {
    /// Whether there is a PostgreSQL server to test on. Says once when there is none.
    pub fn postgres_is_there() -> bool {
        Self::Postgres.is_there()
    }

    /// Whether there is such a database to test on. Says once when there is none.
    pub fn is_there(self) -> bool {
        static SAID: [Once; 2] = [const { Once::new() }; 2];
        let (variable, said) = match self {
            Self::Sqlite => return true,
            Self::Postgres => ("TEST_POSTGRES_URL", &SAID[0]),
            Self::Pgvector => ("TEST_PGVECTOR_URL", &SAID[1]),
        };
        let there = self.server_url().is_some();
        if !there {
            // Not through `eprintln!`, which the test runner swallows when all goes well.
            said.call_once(|| {
                let note = format!("left out: the tests on {self:?}, for {variable} is not set; tests/run sets it\n");
                std::io::stderr().write_all(note.as_bytes()).unwrap();
            });
        }
        there
    }

    fn server_url(self) -> Option<String> {
        let variable = match self {
            Self::Sqlite => return None,
            Self::Postgres => "TEST_POSTGRES_URL",
            Self::Pgvector => "TEST_PGVECTOR_URL",
        };
        std::env::var(variable).ok().filter(|url| !url.is_empty())
    }

    /// The URL of an empty database, without tables, which is there until the guard is dropped.
    pub async fn empty_url(self) -> (String, DatabaseGuard) {
        match self {
            Self::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", folder.path().join("test.db").display());
                (url, DatabaseGuard::Folder(folder))
            }
            Self::Postgres | Self::Pgvector => self.create_database(None).await,
        }
    }

    pub(crate) async fn fresh(self) -> FreshDatabase {
        match self {
            Self::Sqlite => {
                static TEMPLATE: OnceCell<(TempDir, PathBuf)> = OnceCell::const_new();
                let (_, template) = TEMPLATE.get_or_init(sqlite_template).await;
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("test.db");
                std::fs::copy(template, &file).unwrap();
                let guard = DatabaseGuard::Folder(folder);
                FreshDatabase { url: format!("sqlite://{}", file.display()), _guard: Some(guard) }
            }
            Self::Postgres | Self::Pgvector => {
                static TEMPLATES: [OnceCell<(DatabaseGuard, String)>; 2] = [const { OnceCell::const_new() }; 2];
                let template = TEMPLATES[usize::from(self == Self::Pgvector)].get_or_init(|| self.postgres_template());
                let (_, template) = template.await;
                let (url, guard) = self.create_database(Some(template)).await;
                FreshDatabase { url, _guard: Some(guard) }
            }
        }
    }

    async fn postgres_template(self) -> (DatabaseGuard, String) {
        let (url, guard) = self.create_database(None).await;
        fill(&url).await;
        (guard, url.rsplit('/').next().unwrap().to_owned())
    }

    /// The URL of a new database on the PostgreSQL server.
    async fn create_database(self, template: Option<&str>) -> (String, DatabaseGuard) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = self.server_url().expect("the caller has asked whether it is there");
        let name = format!("dermaga_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let connection = sea_orm::Database::connect(&server).await.unwrap();
        let template = template.map(|name| format!(" TEMPLATE {name}")).unwrap_or_default();
        connection.execute_unprepared(&format!("CREATE DATABASE {name}{template}")).await.unwrap();
        connection.close().await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        (format!("{base}/{name}"), DatabaseGuard::OnServer { server, name })
    }
}

/// The folder with the full data files beside the repository, where it is there.
pub fn data_folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    folder.is_dir().then_some(folder)
}

async fn sqlite_template() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.db");
    let url = format!("sqlite://{}", file.display());
    fill(&url).await;
    (folder, file)
}

/// Tables, the curated commodities, the sample of the ECB's history and the demo account without payments.
pub(crate) async fn fill(url: &str) {
    let database = Database::open(&DatabaseSettings::new(url)).await.unwrap();
    database.migrate().await.unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/data/samples/ecb-sample.csv");
    let history = dermaga_api::import::ecb::read(&sample).unwrap();
    let (clock, progress) = (Clock::fixed(NOW), Progress::hidden());
    database
        .write(async |transaction| {
            dermaga_api::import::ecb::import(transaction, &history, clock.now(), &progress).await
        })
        .await
        .unwrap();
    // Rates are there, so the whole history is not brought in.
    dermaga_api::seed::fill(&database, Some(0), &clock, &progress).await.unwrap();
    database.close().await;
}
