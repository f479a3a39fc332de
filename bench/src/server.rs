//! The server that is measured.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cpu;

/// A server in a process of its own: a build of Dermaga, or what it is compared with.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
}

impl Server {
    /// Starts it over a database, with more options, and waits until it listens.
    ///
    /// # Panics
    /// When there is no release build, or it does not start.
    pub fn start(database_url: &str, options: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--demo-ticker", "0"])
            .args(options)
            .env("DATABASE_URL", database_url)
            .env("DERMAGA_LOG", "info")
            .env("DERMAGA_LOG_FORMAT", "json")
            .current_dir(std::env::temp_dir());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it can be started");
        let log = child.stderr.take().expect("its log is read");
        let port = port_in(log).expect("it says where it listens");
        Self { child, address: format!("http://127.0.0.1:{port}") }
    }

    /// Starts another server, and waits until it has written a line of JSON with its `port`.
    ///
    /// # Errors
    /// When it does not start, or ends before it listens.
    pub fn launch(mut command: Command) -> Result<Self, String> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child =
            command.stdout(Stdio::piped()).spawn().map_err(|error| format!("{program} does not start: {error}"))?;
        let port = child.stdout.take().and_then(port_in);
        // From here on it is ended when it is dropped.
        let mut server = Self { child, address: String::new() };
        let Some(port) = port else {
            let status = server.child.wait().map_err(|error| error.to_string())?;
            return Err(format!("{program} ended before it listened, with {status}; what it wrote stands above"));
        };
        server.address = format!("http://127.0.0.1:{port}");
        Ok(server)
    }

    /// CPU time that it has used, with its children.
    pub fn cpu(&self) -> Duration {
        cpu::of_family(self.child.id()).unwrap_or_default()
    }

    /// Bytes of memory that it keeps.
    pub fn resident(&self) -> f64 {
        cpu::resident(self.child.id()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port in the first line of JSON that has one. The lines after it are read and dropped.
fn port_in(output: impl Read + Send + 'static) -> Option<u64> {
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(&line).ok()?;
        line.get("server.port").or(line.get("port"))?.as_u64()
    });
    // They must be read for as long as it writes.
    std::thread::spawn(move || lines.for_each(drop));
    port
}

/// The build beside this program, or for a bench target the release build, whatever that itself was built with.
///
/// # Panics
/// When there is none.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a process has a file");
    let beside = own.with_file_name("dermaga");
    if beside.is_file() {
        return beside;
    }
    let target = own.ancestors().nth(3).expect("it lies in target/PROFILE/deps");
    let binary = target.join("release").join("dermaga");
    assert!(binary.is_file(), "no {}: cargo build --release", binary.display());
    binary
}

/// Brings the build beside this program up to date, where this program was started by `cargo run`; otherwise what is
/// there is measured.
///
/// # Errors
/// When it cannot be built.
pub fn build() -> Result<(), String> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    // The folder of a profile has its name, but for that of `dev`.
    let profile =
        own.parent().and_then(|folder| folder.file_name()).and_then(|name| name.to_str()).unwrap_or("release");
    let profile = if profile == "debug" { "dev" } else { profile };
    let built =
        Command::new(cargo).args(["build", "--locked", "--package", "dermaga-api", "--profile", profile]).status();
    match built {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the server cannot be built: {status}")),
        Err(error) => Err(format!("cargo does not start: {error}")),
    }
}
