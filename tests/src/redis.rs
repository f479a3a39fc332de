//! A Redis server for one test.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Once;

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use crate::cli::signal;

/// A Redis server on a socket in a temporary folder; killed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    program: PathBuf,
    /// With its output, which is kept open. `None` while it is killed.
    running: Option<(Child, BufReader<ChildStdout>)>,
}

impl RedisServer {
    /// A server that answers; `None` where there is no `redis-server`, which is said once.
    ///
    /// # Panics
    /// When `TEST_REDIS_SERVER` names a program and that does not start.
    pub fn start() -> Option<Self> {
        let mut server = Self::stopped()?;
        server.restart();
        Some(server)
    }

    /// A server that does not run yet; `None` where there is no `redis-server`.
    pub fn stopped() -> Option<Self> {
        let named = std::env::var_os("TEST_REDIS_SERVER").filter(|program| !program.is_empty()).map(PathBuf::from);
        let Some(program) = named.or_else(in_path) else {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                // Not through `eprintln!`, which the test runner swallows when all goes well.
                let note = "left out: the tests on Redis, for there is no redis-server; tests/run installs it\n";
                std::io::stderr().write_all(note.as_bytes()).unwrap();
            });
            return None;
        };
        Some(Self { folder: tempfile::tempdir().unwrap(), program, running: None })
    }

    /// Starts it, empty, at the same place.
    pub fn restart(&mut self) {
        self.kill();
        let mut child = Command::new(&self.program)
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(self.socket())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.program.display()));
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.to_lowercase().contains("ready to accept connections") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "redis-server ended before it was ready");
        }
        self.running = Some((child, output));
    }

    /// What goes into the setting `redis_url`.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Ends it at once, without a word to those who are connected.
    pub fn kill(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// Keeps it from answering; connections stay open.
    pub fn pause(&self) {
        signal(self.id(), "STOP");
    }

    /// Lets it answer again.
    pub fn resume(&self) {
        signal(self.id(), "CONT");
    }

    /// A connection of the test's own.
    pub async fn connection(&self) -> MultiplexedConnection {
        redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    fn id(&self) -> u32 {
        self.running.as_ref().expect("it runs").0.id()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|program| program.is_file())
}
