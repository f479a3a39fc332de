//! A PostgreSQL server and a standby that streams from it, for one test.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tempfile::TempDir;

use crate::databases::fill;
use crate::say;

/// The database on both.
const NAME: &str = "dermaga";

/// What is set on both. Nothing here has to survive a crash of the machine.
const CONFIGURATION: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
fsync = off
full_page_writes = off
";

/// A primary with Dermaga's tables and first data, and its standby; stopped and removed when dropped.
#[derive(Debug)]
pub struct Replication {
    programs: PathBuf,
    /// Who runs the servers, where it is not who runs the tests: PostgreSQL refuses to run as root.
    user: Option<&'static str>,
    primary: Server,
    standby: Server,
    /// Removed last.
    folder: TempDir,
}

/// One of the servers.
#[derive(Debug)]
struct Server {
    folder: PathBuf,
    port: u16,
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Replication {
    /// Both servers, running. `None` where `TEST_POSTGRES_PROGRAMS` does not say where PostgreSQL's programs are, which
    /// is said once.
    ///
    /// # Panics
    /// When the programs are not there, or the servers do not start.
    pub async fn start() -> Option<Self> {
        let named = std::env::var_os("TEST_POSTGRES_PROGRAMS").filter(|folder| !folder.is_empty());
        let Some(programs) = named.map(PathBuf::from) else {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                say("left out: the tests on a standby, for TEST_POSTGRES_PROGRAMS is not set; tests/run sets it");
            });
            return None;
        };
        for program in ["initdb", "pg_ctl", "pg_basebackup"] {
            assert!(programs.join(program).is_file(), "TEST_POSTGRES_PROGRAMS: no {program} in {}", programs.display());
        }
        let folder = tempfile::tempdir().unwrap();
        let as_root = folder.path().metadata().unwrap().uid() == 0;
        let user = as_root.then(|| if succeeds(Command::new("id").arg("postgres")) { "postgres" } else { "nobody" });
        let server = |name| Server { folder: folder.path().join(name), port: free_port() };
        let (primary, standby) = (server("primary"), server("standby"));
        let pair = Self { programs, user, primary, standby, folder };
        pair.make_primary();
        let connection = sea_orm::Database::connect(pair.primary.url("postgres")).await.unwrap();
        connection.execute_unprepared(&format!("CREATE DATABASE {NAME}")).await.unwrap();
        connection.close().await.unwrap();
        fill(&pair.primary_url()).await;
        pair.make_standby();
        Some(pair)
    }

    fn make_primary(&self) {
        let folder = &self.primary.folder;
        self.make_folder(folder);
        // C.UTF-8 sorts by code point, as SQLite does.
        let mut initdb = self.program("initdb");
        initdb.arg("--pgdata").arg(folder).args(["--username", "postgres", "--auth", "trust", "--encoding", "UTF8"]);
        self.must(initdb.args(["--locale", "C.UTF-8", "--no-sync", "--no-instructions"]));
        let file = folder.join("postgresql.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}{CONFIGURATION}port = {}\n", self.primary.port)).unwrap();
        self.start_server(&self.primary);
    }

    fn make_standby(&self) {
        let folder = &self.standby.folder;
        self.make_folder(folder);
        let mut copy = self.program("pg_basebackup");
        copy.args(["--host", "127.0.0.1", "--port", &self.primary.port.to_string(), "--username", "postgres"]);
        copy.args(["--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast", "--no-sync", "--pgdata"]);
        self.must(copy.arg(folder));
        let file = folder.join("postgresql.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        // The last line counts.
        std::fs::write(&file, format!("{text}port = {}\n", self.standby.port)).unwrap();
        self.start_server(&self.standby);
    }

    /// The URL of the database on the primary.
    pub fn primary_url(&self) -> String {
        self.primary.url(NAME)
    }

    /// The URL of the database on the standby.
    pub fn standby_url(&self) -> String {
        self.standby.url(NAME)
    }

    /// Keeps the standby from replaying what it receives. It still answers.
    pub async fn pause(&self) {
        let standby = self.connect_standby().await;
        standby.execute_unprepared("SELECT pg_wal_replay_pause()").await.unwrap();
        let start = Instant::now();
        // Asked for is not done.
        while value::<String>(&standby, "SELECT pg_get_wal_replay_pause_state()").await != "paused" {
            assert!(start.elapsed() < Duration::from_secs(20), "the standby does not pause");
        }
    }

    /// Lets it replay again.
    pub async fn resume(&self) {
        self.connect_standby().await.execute_unprepared("SELECT pg_wal_replay_resume()").await.unwrap();
    }

    /// How many connections of others to the standby have last run a statement with this in it.
    pub async fn connections_that_ran(&self, words: &str) -> i64 {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() \
             AND datname = '{NAME}' AND query LIKE '%{words}%'"
        );
        value(&self.connect_standby().await, &sql).await
    }

    /// Ends the standby at once, without a word to those who are connected.
    pub fn kill_standby(&self) {
        self.must(self.program("pg_ctl").arg("--pgdata").arg(&self.standby.folder).args([
            "--mode",
            "immediate",
            "stop",
        ]));
    }

    /// Starts it again.
    pub fn start_standby(&self) {
        self.start_server(&self.standby);
    }

    async fn connect_standby(&self) -> DatabaseConnection {
        sea_orm::Database::connect(self.standby_url()).await.unwrap()
    }

    fn make_folder(&self, folder: &Path) {
        std::fs::create_dir(folder).unwrap();
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
        if let Some(user) = self.user {
            // The way there is this user's alone.
            std::fs::set_permissions(self.folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
            self.must(Command::new("chown").arg(user).arg(folder));
        }
    }

    fn start_server(&self, server: &Server) {
        // Not through a pipe, which the server would keep open.
        let log = server.folder.join("server.log");
        let mut start = self.program("pg_ctl");
        start.arg("--pgdata").arg(&server.folder).arg("--log").arg(log);
        self.must(start.args(["--wait", "--timeout", "60", "start"]));
    }

    /// One of PostgreSQL's programs, run by who may.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--"]).arg(program);
                command
            }
        };
        // Where that user may be.
        command.current_dir(self.folder.path());
        command
    }

    /// Runs a program that must succeed.
    fn must(&self, command: &mut Command) {
        let log = self.folder.path().join("programs.log");
        let file = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let status = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).status();
        let succeeded = status.as_ref().is_ok_and(std::process::ExitStatus::success);
        assert!(succeeded, "{command:?}: {status:?}\n{}", std::fs::read_to_string(&log).unwrap_or_default());
    }
}

impl Drop for Replication {
    fn drop(&mut self) {
        for server in [&self.standby, &self.primary] {
            // One that a test has ended, or that never started, is not there to be stopped.
            let mut stop = self.program("pg_ctl");
            stop.arg("--pgdata").arg(&server.folder).args(["--mode", "immediate", "stop"]);
            succeeds(&mut stop);
        }
    }
}

/// The one value of a statement.
async fn value<T: sea_orm::TryGetable>(connection: &DatabaseConnection, sql: &str) -> T {
    let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
