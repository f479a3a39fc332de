//! The real binary, driven as an operator drives it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long a test waits for a line that must come. A first start in a slow build takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder of its own in which commands run, with a SQLite file in it unless another database is named.
#[derive(Debug)]
pub struct Cli {
    folder: TempDir,
    database_url: String,
}

/// What a command that has ended said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The exit status; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its results.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    /// `None` once its end is waited for.
    child: Option<Child>,
    lines: Receiver<String>,
    seen: Vec<String>,
}

/// The binary beside the test's own executable, brought up to date once for each test process.
///
/// Cargo builds no binary for the tests of another package, and an old one would test old code.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let own = std::env::current_exe().unwrap();
        let folder = own.ancestors().nth(2).unwrap();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // All targets, so that the dependencies have the features with which the tests were built.
        cargo.args(["build", "--quiet", "--locked", "--workspace", "--all-targets"]);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        // Cargo told this test of the package that it belongs to. Build scripts watch these variables, and with other
        // values half of the dependencies would be built again, here and the next time elsewhere.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        let status = cargo.arg("--target-dir").arg(folder.parent().unwrap()).status().unwrap();
        assert!(status.success(), "`cargo build --workspace` failed");
        folder.join(format!("dermaga{}", std::env::consts::EXE_SUFFIX))
    };
    BUILT.get_or_init(build).clone()
}

impl Cli {
    /// Over a SQLite file that is not there yet.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database_url = format!("sqlite://{}", folder.path().join("test.db").display());
        Self { folder, database_url }
    }

    /// Over this database.
    pub fn over(database_url: &str) -> Self {
        Self { database_url: database_url.to_owned(), ..Self::new() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The URL of the database.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// A file in the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[])
    }

    /// Runs a command to its end, with these variables in its environment.
    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let id = child.id();
        let (sender, output) = channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        // A server that should have refused to start would run for ever.
        let Ok(output) = output.recv_timeout(PATIENCE) else {
            signal(id, "KILL");
            panic!("it does not end: {arguments:?}");
        };
        let output = output.unwrap();
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed, and returns its results.
    #[track_caller]
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.stdout
    }

    /// Starts a command.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_reading(arguments, |_| true)
    }

    /// Starts a command whose log is read as long as `goes_on` says of a line, and whose pipe is closed then.
    pub fn start_reading(&self, arguments: &[&str], goes_on: impl Fn(&str) -> bool + Send + 'static) -> Running {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        // Ends with the process at the latest: the pipe is closed then.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let last = !goes_on(&line);
                if sender.send(line).is_err() || last {
                    break;
                }
            }
        });
        Running { child: Some(child), lines, seen: Vec::new() }
    }

    /// Starts a server on a free port, and waits until it listens.
    pub fn serve(&self, arguments: &[&str]) -> (Running, u16) {
        let mut running = self.start(&[&["serve", "--listen", "127.0.0.1:0", "--workers", "1"], arguments].concat());
        let port = running.port();
        (running, port)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        // Nothing of the developer's own settings.
        command.env_clear().env("DATABASE_URL", &self.database_url).env("DERMAGA_LOG_FORMAT", "json");
        command
    }
}

impl Default for Cli {
    fn default() -> Self {
        Self::new()
    }
}

impl Running {
    /// Waits for the line that says on which port it listens.
    #[track_caller]
    pub fn port(&mut self) -> u16 {
        let line = self.line_with("\"server.port\":");
        let line: Value = serde_json::from_str(&line).unwrap();
        let port = line["server.port"].as_u64().and_then(|port| u16::try_from(port).ok());
        port.unwrap_or_else(|| panic!("no port in {line}"))
    }

    /// Waits for a line of its log that contains `text`.
    #[track_caller]
    pub fn line_with(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no line with {text:?} came: {:#?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {text:?}: {:#?}", self.seen),
            }
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        signal(self.child.as_ref().expect("it runs").id(), name);
    }

    /// Waits for its end: the exit status, and all that it logged.
    #[track_caller]
    pub fn end(mut self) -> (Option<i32>, Vec<String>) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {:#?}", self.seen),
            }
        }
        // Its log has ended; it may go on all the same.
        let mut child = self.child.take().expect("it runs");
        let id = child.id();
        let (sender, ended) = channel();
        std::thread::spawn(move || sender.send(child.wait()));
        let Ok(status) = ended.recv_timeout(PATIENCE) else {
            signal(id, "KILL");
            panic!("it does not end: {:#?}", self.seen);
        };
        (status.unwrap().code(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended long ago.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sends a signal to a process that was started here and not waited for yet.
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status().unwrap();
    assert!(status.success(), "kill -{name} failed");
}

/// Reads one HTTP answer to its end: the head, and as much of the body as it says there is.
pub fn read_answer(stream: &mut impl Read) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = reader.read_line(&mut head).unwrap();
        assert!(read > 0, "the answer ended in its head: {head:?}");
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}
