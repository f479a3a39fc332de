//! A server for one test.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use dermaga_api::app::Application;
use dermaga_api::cache::Cache;
use dermaga_api::clock::Clock;
use dermaga_api::config::{Config, Settings};
use dermaga_api::demo::Generator;
use dermaga_api::shutdown::Stopper;
use dermaga_api::store::Database;
use entity::ids::AccountId;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::databases::{Backend, FreshDatabase};
use crate::rows::PaymentBuilder;
use crate::sign_in::{TestClock, TokenBuilder};

/// What time it is in every test: noon in London on the last day of the shipped rates, a Friday; evening in Jakarta.
pub const NOW: DateTime<Utc> = DateTime::from_timestamp(1_793_361_600, 0).expect("2026-10-30T12:00:00Z");

/// A running server with its database.
#[derive(Debug)]
pub struct TestApp {
    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub address: String,
    /// The port of metrics and health, when they have one of their own.
    pub operations_port: Option<u16>,
    /// The database that it serves.
    pub database: Database,
    /// The URL of that database.
    pub database_url: String,
    /// What it asks before the database.
    pub cache: Cache,
    /// The account that it serves.
    pub account: AccountId,
    /// Which database it is.
    pub backend: Backend,
    /// What the server takes for the time; it starts on [`NOW`] and stands still until it is moved.
    pub clock: TestClock,
    /// What its own requests send as `Authorization`: with sign-in a token of the demo account's administrator.
    pub(crate) authorization: Option<String>,
    client: reqwest::Client,
    handle: Stopper,
    thread: Option<JoinHandle<()>>,
    _fresh: FreshDatabase,
}

/// A server to be started.
#[derive(Debug)]
pub struct TestAppBuilder {
    backend: Backend,
    settings: Settings,
    /// A database that is there, such as that of another server, to be shared with it.
    shared_url: Option<String>,
}

impl TestApp {
    /// A server with the default settings over a fresh database: commodities and sample rates, no payments.
    pub async fn spawn(backend: Backend) -> Self {
        Self::builder(backend).spawn().await
    }

    /// A server with other settings.
    pub fn builder(backend: Backend) -> TestAppBuilder {
        let settings = Settings {
            listen: Some("127.0.0.1:0".to_owned()),
            workers: Some("1".to_owned()),
            database_max_connections: Some("4".to_owned()),
            demo_ticker: Some("0".to_owned()),
            // A busy machine must not look like a fault, unless a test is about faults.
            redis_timeout: Some("20000".to_owned()),
            log: Some("error".to_owned()),
            // Nor must it be counted as one.
            slow_operation: Some("0".to_owned()),
            // The whole suite passes with `DERMAGA_CACHE=off` too.
            cache: std::env::var("DERMAGA_CACHE").ok(),
            ..Settings::default()
        };
        TestAppBuilder { backend, settings, shared_url: None }
    }

    /// Adds the first `count` payments of the demo's generator.
    pub async fn with_demo_payments(self, count: u64) -> Self {
        let generator = Generator::new(dermaga_api::seed::DEMO_SEED, self.account);
        dermaga_api::demo::load(&self.database, &generator, count, &mut |_| {}).await.unwrap();
        self
    }

    /// A payment to be made.
    pub fn payment(&self) -> PaymentBuilder {
        PaymentBuilder::new(self.account)
    }

    /// Sends a document, asking for a profile.
    pub async fn graphql(&self, query: &str) -> Answer {
        self.send(&json!({ "query": query })).await
    }

    /// Sends a document with variables, asking for a profile.
    pub async fn graphql_with(&self, query: &str, variables: Value) -> Answer {
        self.send(&json!({ "query": query, "variables": variables })).await
    }

    /// Posts a JSON body.
    pub async fn send(&self, body: &Value) -> Answer {
        self.send_as(self.authorization.as_deref(), body).await
    }

    /// Posts a JSON body with this `Authorization`.
    pub(crate) async fn send_as(&self, authorization: Option<&str>, body: &Value) -> Answer {
        let mut request =
            self.client.post(format!("{}/graphql", self.address)).header("x-dermaga-profile", "1").json(body);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send().await.unwrap();
        Answer { status: response.status().as_u16(), body: response.json().await.unwrap() }
    }

    /// How many SQL statements a document takes when nothing is cached; it must not fail.
    pub async fn statements_during(&self, query: &str) -> u64 {
        self.cache.flush().await;
        let answer = self.graphql(query).await;
        answer.data();
        answer.statements()
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.address)).send().await.unwrap()
    }

    /// Stops the server as SIGTERM does: what runs may end.
    pub async fn stop(&self) {
        self.handle.stop(true).await;
    }

    /// The value of a metric, named with its labels; 0 when it is not there yet.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until a metric has a value. Each look is a request of its own.
    pub async fn until_metric(&self, name: &str, wanted: u64) {
        let start = Instant::now();
        loop {
            let value = self.metric(name).await;
            if value == wanted {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{name} is {value}, not {wanted}");
        }
    }

    /// Waits until the server has heard of everything that was written before.
    pub async fn until_heard(&self) {
        const HEARD: &str = "dermaga_cache_heard_seconds_count";
        let before = self.metric(HEARD).await;
        let start = Instant::now();
        // The next may have been under way before the write; the one after it is not.
        while self.metric(HEARD).await < before + 2 {
            assert!(start.elapsed() < Duration::from_secs(20), "the server does not hear of changes");
        }
    }

    /// The HTTP client.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

impl TestAppBuilder {
    /// Changes the settings.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Over the database of another server: another replica of it.
    pub fn beside(mut self, other: &TestApp) -> Self {
        self.shared_url = Some(other.database_url.clone());
        self
    }

    /// Over a database that is there and filled.
    pub fn over(mut self, url: &str) -> Self {
        self.shared_url = Some(url.to_owned());
        self
    }

    /// Starts the server.
    pub async fn spawn(self) -> TestApp {
        self.try_spawn().await.expect("the server starts")
    }

    /// Starts the server, or says why it does not.
    pub async fn try_spawn(self) -> Result<TestApp, String> {
        let fresh = match self.shared_url {
            Some(url) => FreshDatabase::of_another(url),
            None => self.backend.fresh().await,
        };
        let mut settings = self.settings;
        settings.database_url = Some(fresh.url.clone());
        let config = settings.check().unwrap();
        let database = Database::open(&config.database).await.unwrap();
        let (sender, started) = mpsc::channel();
        let server_config = config.clone();
        let clock = TestClock::new();
        let server_clock = clock.clock();
        let thread = std::thread::spawn(move || serve(&server_config, server_clock, &sender));
        let Ready { port, operations_port, cache, handle } =
            started.recv().expect("the server says what came of it")?;
        let reader = database.reader(std::sync::Arc::default());
        let account = dermaga_api::store::accounts::by_name(&reader, "demo").await.unwrap().unwrap();
        Ok(TestApp {
            address: format!("http://127.0.0.1:{port}"),
            operations_port,
            database,
            database_url: fresh.url.clone(),
            cache,
            account: account.id,
            backend: self.backend,
            clock,
            authorization: config.sign_in.is_some().then(|| TokenBuilder::new().bearer()),
            // A connection of its own for each request: one that is kept may be closed by the server just when the
            // next request goes out, after whatever a test did in between.
            client: reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap(),
            handle,
            thread: Some(thread),
            _fresh: fresh,
        })
    }
}

/// A server that has started, or why it did not.
type Started = Result<Ready, String>;

struct Ready {
    port: u16,
    operations_port: Option<u16>,
    cache: Cache,
    handle: Stopper,
}

/// Runs the server on this thread until it is stopped.
fn serve(config: &Config, clock: Clock, started: &mpsc::Sender<Started>) {
    actix_web::rt::System::new().block_on(async {
        let listener = Application::listen(config).unwrap();
        let database = Database::open(&config.serving_database()).await.unwrap();
        match Application::build(config, listener, database, clock, None).await {
            Ok(application) => {
                let ready = Ready {
                    port: application.port(),
                    operations_port: application.operations_port(),
                    cache: application.cache().clone(),
                    handle: application.handle(),
                };
                started.send(Ok(ready)).unwrap();
                application.run_until_stopped().await.unwrap();
            }
            Err(error) => started.send(Err(error.chain())).unwrap(),
        }
    });
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // The command is sent at once; what is awaited elsewhere is only its end.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the server panicked");
        }
    }
}
