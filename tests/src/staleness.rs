//! Looks for stale answers: two servers over one database, writers through both, a writer with plain SQL beside them,
//! readers everywhere, and accidents. With a standby, too, that servers read.
//!
//! A payment's version says which of the servers' writes an answer has seen, and its description, which only the plain
//! SQL changes, which of those. What a server has acknowledged must be in every answer that it is asked for later;
//! for what others wrote is measured how long it was not seen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::cli::{Cli, Running};
use crate::databases::Backend;
use crate::redis::RedisServer;
use crate::replication::Replication;
use crate::writers::{self, Answered, Numbers, Write, Writers};

/// Few enough that they are read and written at the same time all the time.
const PAYMENTS: usize = 12;

/// Servers over one database.
const SERVERS: usize = 2;

/// Readers and writers of each server.
const READERS: u64 = 4;
const WRITERS: u64 = 2;

/// What the servers ask before the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The cache.
    On,
    /// The cache, and a standby that is read; over PostgreSQL alone.
    Standby,
    /// Nothing.
    Off,
    /// The cache, with its guard against late fills taken out. It must be found wrong.
    Unguarded,
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Over which database.
    pub backend: Backend,
    /// With what in between.
    pub layer: Layer,
    /// For how long.
    pub time: Duration,
    /// Whether connections are cut, and Redis, servers and the standby killed.
    pub accidents: bool,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Report {
    /// Answers that were looked at.
    pub reads: u64,
    /// Where their keys came from: memory, shared, joined, database.
    pub from: BTreeMap<String, u64>,
    /// Statements that the servers, as they ran at the end, had read on the standby.
    pub on_standby: u64,
    /// Writes that a server acknowledged.
    pub writes: u64,
    /// Answers that lacked what the same server had acknowledged before it was asked.
    pub stale: u64,
    /// The first of them.
    pub example: Option<String>,
    /// For how long each write of plain SQL was missing in some answer.
    pub foreign: Vec<Duration>,
    /// The same of writes through the other server.
    pub elsewhere: Vec<Duration>,
    /// What happened meanwhile, and how often.
    pub accidents: BTreeMap<&'static str, u64>,
}

/// A write, and for how long it was missing somewhere.
#[derive(Clone, Debug)]
struct Noted {
    value: i64,
    at: Instant,
    missing: Duration,
}

/// What is known of one payment.
#[derive(Debug, Default)]
struct Known {
    /// The last version that each server has acknowledged.
    acknowledged: [i64; SERVERS],
    /// Those of one server are foreign to the other.
    by_server: [Vec<Noted>; SERVERS],
    foreign: Vec<Noted>,
}

struct Field {
    ids: Vec<String>,
    known: Vec<Mutex<Known>>,
    report: Mutex<Report>,
    addresses: Vec<Mutex<String>>,
    over: AtomicBool,
    client: reqwest::Client,
}

const FIELDS: &str = "id version description";

/// Runs a check. `None` where something that it needs is not there.
pub async fn run(check: &Check) -> Option<Report> {
    if check.backend == Backend::Postgres && !Backend::postgres_is_there() {
        return None;
    }
    let mut redis = RedisServer::start()?;
    let (standby, app) = match check.layer {
        Layer::Standby => {
            let pair = Arc::new(Replication::start().await?);
            let app = TestApp::builder(Backend::Postgres).over(&pair.primary_url()).spawn().await;
            (Some(pair), app)
        }
        _ => (None, TestApp::spawn(check.backend).await),
    };
    let mut ids = Vec::new();
    for n in 0..PAYMENTS {
        ids.push(writers::payment(&app, &format!("S-{n}"), "30000000000").await);
    }
    let launch = Launch {
        cli: Arc::new(Cli::over(&app.database_url)),
        layer: check.layer,
        standby: standby.as_deref().map(Replication::standby_url),
    };
    let mut servers: Vec<Running> = Vec::new();
    let mut addresses = Vec::new();
    for _ in 0..SERVERS {
        let (server, address) = start(&launch, redis.url()).await;
        servers.push(server);
        addresses.push(Mutex::new(address));
    }
    let field = Arc::new(Field {
        known: ids.iter().map(|_| Mutex::default()).collect(),
        ids,
        report: Mutex::default(),
        addresses,
        over: AtomicBool::new(false),
        client: reqwest::Client::builder().no_proxy().build().unwrap(),
    });
    let writers = Arc::new(Writers::new());
    let mut tasks = tokio::task::JoinSet::new();
    for server in 0..SERVERS {
        for n in 0..READERS {
            tasks.spawn(read(Arc::clone(&field), server, Numbers(1_000 + n * 2 + server as u64)));
        }
        for n in 0..WRITERS {
            tasks.spawn(write(
                Arc::clone(&field),
                Arc::clone(&writers),
                server,
                Numbers(2_000 + n * 2 + server as u64),
            ));
        }
    }
    let foreign = {
        let (field, database) = (Arc::clone(&field), app.database.clone());
        tokio::spawn(async move { write_plain_sql(&field, &database).await })
    };
    let end = Instant::now() + check.time;
    let mut numbers = Numbers(20_261_122);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(200 + numbers.below(600))).await;
        if check.accidents {
            accident(&field, &app, &launch, standby.as_ref(), &mut redis, &mut servers, &mut numbers).await;
        }
    }
    field.over.store(true, Ordering::SeqCst);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    foreign.await.unwrap();
    let mut report = std::mem::take(&mut *lock(&field.report));
    for address in &field.addresses {
        let address = lock(address).clone();
        report.on_standby += read_on_standby(&field.client, &address).await;
    }
    for known in &field.known {
        let known = lock(known);
        report.foreign.extend(known.foreign.iter().map(|noted| noted.missing));
        report.elsewhere.extend(known.by_server.iter().flatten().map(|noted| noted.missing));
    }
    Some(report)
}

/// What servers are started with.
#[derive(Clone)]
struct Launch {
    cli: Arc<Cli>,
    layer: Layer,
    /// The URL of the standby.
    standby: Option<String>,
}

/// How many statements a server has read on the standby.
async fn read_on_standby(client: &reqwest::Client, address: &str) -> u64 {
    const READS: &str = "dermaga_standby_reads_total{from=\"standby\",reason=\"visible\"} ";
    let text = client.get(format!("{address}/metrics")).send().await.unwrap().text().await.unwrap();
    text.lines().find_map(|line| line.strip_prefix(READS)).map_or(0, |count| count.parse().unwrap())
}

/// Starts a server. On a thread of its own: whoever writes meanwhile holds a lock that the server waits for.
async fn start(launch: &Launch, redis_url: String) -> (Running, String) {
    let Launch { cli, layer, standby } = launch.clone();
    let start = move || {
        let mut options = vec!["--demo-payments", "0", "--demo-ticker", "0", "--redis-url", &redis_url];
        options.extend(match layer {
            Layer::On | Layer::Standby => ["--cache", "on"],
            Layer::Off => ["--cache", "off"],
            Layer::Unguarded => ["--cache-late-fills", "on"],
        });
        if let Some(url) = &standby {
            options.extend(["--database-read-url", url]);
        }
        let (server, port) = cli.serve(&options);
        (server, format!("http://127.0.0.1:{port}"))
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

/// Something goes wrong.
async fn accident(
    field: &Field,
    app: &TestApp,
    launch: &Launch,
    standby: Option<&Arc<Replication>>,
    redis: &mut RedisServer,
    servers: &mut [Running],
    numbers: &mut Numbers,
) {
    let name = match (numbers.below(10), standby) {
        (0 | 3 | 5, Some(standby)) => {
            standby.pause().await;
            tokio::time::sleep(Duration::from_millis(600)).await;
            standby.resume().await;
            "the standby stood still"
        }
        (7, Some(standby)) => {
            let standby = Arc::clone(standby);
            let restart = move || {
                standby.kill_standby();
                standby.start_standby();
            };
            tokio::task::spawn_blocking(restart).await.unwrap();
            "the standby was killed"
        }
        (0 | 1, _) => {
            redis.restart();
            "Redis lost everything"
        }
        (2 | 3, _) => {
            redis.pause();
            tokio::time::sleep(Duration::from_millis(400)).await;
            redis.resume();
            "Redis hung"
        }
        (4..=6, _) if app.backend == Backend::Postgres => {
            cut(app, "AND query ILIKE 'LISTEN%'").await;
            "a listener was cut"
        }
        (7 | 8, _) if app.backend == Backend::Postgres => {
            cut(app, "").await;
            "all connections were cut"
        }
        _ => {
            let at = usize::try_from(numbers.below(SERVERS as u64)).unwrap();
            servers[at].signal("KILL");
            let (server, address) = start(launch, redis.url()).await;
            servers[at] = server;
            *lock(&field.addresses[at]) = address;
            "a server was killed"
        }
    };
    *lock(&field.report).accidents.entry(name).or_default() += 1;
}

/// Ends connections of the servers, and of nobody else.
async fn cut(app: &TestApp, which: &str) {
    let own = "SELECT pid FROM pg_stat_activity WHERE application_name = 'staleness'";
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid NOT IN ({own}) {which}"
    );
    let connection = sea_orm::Database::connect(&app.database_url).await.unwrap();
    // It may end itself.
    let _ = connection.execute_unprepared(&sql).await;
    let _ = connection.close().await;
}

/// Asks a server again and again, and looks for what it lacks.
async fn read(field: Arc<Field>, server: usize, mut numbers: Numbers) {
    while !field.over.load(Ordering::SeqCst) {
        let id = &field.ids[usize::try_from(numbers.below(PAYMENTS as u64)).unwrap()];
        let query = match numbers.below(4) {
            0 => format!("{{ payments(first: 50) {{ nodes {{ {FIELDS} }} }} }}"),
            1 => format!("{{ nodes(ids: [\"{id}\"]) {{ ... on Payment {{ {FIELDS} }} }} }}"),
            _ => format!("{{ payment(id: \"{id}\") {{ {FIELDS} receipts(first: 1) {{ nodes {{ id }} }} }} }}"),
        };
        let floors: Vec<i64> = field.known.iter().map(|known| lock(known).acknowledged[server]).collect();
        let began = Instant::now();
        let address = lock(&field.addresses[server]).clone();
        let request = field.client.post(format!("{address}/graphql")).header("x-dermaga-profile", "1");
        let Ok(answer) = request.json(&json!({ "query": query })).send().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let Ok(answer) = answer.json::<Value>().await else { continue };
        let data = &answer["data"];
        let one = std::slice::from_ref(&data["payment"]);
        let lists = [data["payments"]["nodes"].as_array(), data["nodes"].as_array()];
        let seen = lists.into_iter().flatten().flatten().chain(one).filter(|payment| payment.is_object());
        for payment in seen {
            let at = field.ids.iter().position(|id| payment["id"] == **id).expect("there are no other payments");
            let version = payment["version"].as_i64().unwrap();
            let value = payment["description"].as_str().map_or(0, |text| text.parse().unwrap());
            {
                let mut known = lock(&field.known[at]);
                missing(&mut known.foreign, value, began);
                missing(&mut known.by_server[1 - server], version, began);
            }
            if version < floors[at] {
                let mut report = lock(&field.report);
                report.stale += 1;
                let floor = floors[at];
                report.example.get_or_insert_with(|| {
                    format!("server {server}: {query} saw version {version}, {floor} was acknowledged; {answer}")
                });
            }
        }
        let mut report = lock(&field.report);
        report.reads += 1;
        for batch in answer["extensions"]["profile"]["batches"].as_array().into_iter().flatten() {
            for (from, count) in batch["from"].as_object().into_iter().flatten() {
                *report.from.entry(from.clone()).or_default() += count.as_u64().unwrap();
            }
        }
    }
}

/// Notes that an answer, asked for at `began`, has seen writes up to `value` and no more.
fn missing(noted: &mut [Noted], value: i64, began: Instant) {
    for write in noted.iter_mut().rev() {
        if write.value <= value {
            return;
        }
        write.missing = write.missing.max(began.saturating_duration_since(write.at));
    }
}

/// Records receipts through a server.
async fn write(field: Arc<Field>, writers: Arc<Writers>, server: usize, mut numbers: Numbers) {
    while !field.over.load(Ordering::SeqCst) {
        let at = usize::try_from(numbers.below(PAYMENTS as u64)).unwrap();
        let address = lock(&field.addresses[server]).clone();
        let receipt = Write::receipt(&field.ids[at], 1);
        let answered = writers.send(&address, &receipt, None).await;
        if let Answered::Done(payload) = answered {
            let version = payload["payment"]["version"].as_i64().unwrap();
            let mut known = lock(&field.known[at]);
            known.acknowledged[server] = known.acknowledged[server].max(version);
            let noted = Noted { value: version, at: Instant::now(), missing: Duration::ZERO };
            known.by_server[server].push(noted);
            known.by_server[server].sort_by_key(|noted| noted.value);
            drop(known);
            lock(&field.report).writes += 1;
        }
        tokio::time::sleep(Duration::from_millis(numbers.below(20))).await;
    }
}

/// Changes payments as somebody with a prompt does.
async fn write_plain_sql(field: &Field, database: &dermaga_api::store::Database) {
    let mut numbers = Numbers(3_000);
    while !field.over.load(Ordering::SeqCst) {
        let at = usize::try_from(numbers.below(PAYMENTS as u64)).unwrap();
        let value = lock(&field.known[at]).foreign.last().map_or(1, |noted| noted.value + 1);
        let (_, hex) = field.ids[at].split_once('_').unwrap();
        let literal =
            if database.backend() == sea_orm::DbBackend::Postgres { format!("'{hex}'") } else { format!("x'{hex}'") };
        let sql = format!("UPDATE payment SET description = '{value}' WHERE id = {literal}");
        let written = database.write(async |transaction| transaction.execute_unprepared(&sql).await).await;
        // One that was cut may have been written all the same: the next one writes the same value.
        if written.is_ok() {
            let noted = Noted { value, at: Instant::now(), missing: Duration::ZERO };
            lock(&field.known[at]).foreign.push(noted);
        }
        tokio::time::sleep(Duration::from_millis(numbers.below(60))).await;
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} reads, keys from {:?}; {} writes; {:?}", self.reads, self.from, self.writes, self.accidents)?;
        writeln!(f, "  statements read on the standby, since the servers were started last: {}", self.on_standby)?;
        writeln!(f, "  stale after acknowledgement on the same server: {}", self.stale)?;
        writeln!(f, "  plain SQL was missing for {}", Spread(&self.foreign))?;
        write!(f, "  writes through the other server were missing for {}", Spread(&self.elsewhere))
    }
}

/// Median, 99th percentile and maximum.
struct Spread<'a>(&'a [Duration]);

impl std::fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut all = self.0.to_vec();
        all.sort_unstable();
        let at = |part: usize| all.get((all.len().saturating_sub(1)) * part / 100).copied().unwrap_or_default();
        write!(f, "{:?} (p50), {:?} (p99), {:?} (max) of {}", at(50), at(99), at(100), all.len())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
