//! The server: built from a configuration, then run until it is stopped.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use chrono::NaiveDate;
use entity::currency_rate::Purpose;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::assistant::Assistant;
use crate::auth::Authenticator;
use crate::cache::{Cache, Cause, Tag};
use crate::changes::{self, Changes};
use crate::clock::Clock;
use crate::config::{Config, TransportLimits};
use crate::demo::Ticker;
use crate::documents::Documents;
use crate::domain::currency::Currency;
use crate::domain::duty::RupiahRounding;
use crate::error::{Error, Result};
use crate::graphql::{Schema, schema, sdl, timed_schema};
use crate::guard::Guard;
use crate::http;
use crate::metrics::Metrics;
use crate::payment_feed::PaymentFeed;
use crate::pipeline::Sampler;
use crate::quota::Quotas;
use crate::rate_feed::RateFeed;
use crate::rate_fetch::RateFetch;
use crate::seed::DEMO_SEED;
use crate::shared_store::SharedStore;
use crate::shutdown::{self, Stopper, Stopping};
use crate::store::Database;
use crate::store::rates::{self as stored_rates, Pair};
use crate::store::watch::{self as database_watch, News};
use crate::telemetry::LogFilter;

/// What all requests share.
pub struct State {
    /// The database.
    pub database: Database,
    /// The schema.
    pub schema: Schema,
    /// The schema that times its stages, and traces them.
    pub timed_schema: Schema,
    /// What Prometheus is told.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
    /// Finds out who is asking.
    pub authenticator: Authenticator,
    /// What a document may ask for.
    pub guard: Guard,
    /// Documents that clients need not send.
    pub documents: Documents,
    /// What a caller may spend.
    pub quotas: Quotas,
    /// Rates as they are published.
    pub rates: RateFeed,
    /// What is asked before the database.
    pub cache: Cache,
    /// Where payments are changed.
    pub changes: Changes,
    /// News of payments.
    pub payments: PaymentFeed,
    /// Answers questions.
    pub assistant: Assistant,
    /// What one connection may take.
    pub transport: TransportLimits,
    /// The other sites whose pages may send requests.
    pub allowed_origins: Vec<String>,
    /// How many rows a page may have.
    pub max_page_size: u32,
    /// Loads the keys of an operation in batches, which benchmarks leave out.
    pub batching: bool,
    /// How duty and levy are rounded to whole rupiah.
    pub duty_rounding: RupiahRounding,
    /// How long an operation takes that is logged as slow; `None` where none is.
    pub slow_operation: Option<Duration>,
    /// Which operations are profiled for the log.
    pub sampler: Sampler,
    /// When the server begins to stop.
    pub stopping: Stopping,
}

/// A server that listens already.
pub struct Application {
    port: u16,
    operations_port: Option<u16>,
    server: Server,
    operations: Option<Server>,
    database: Database,
    cache: Cache,
    /// What runs beside the requests until the server begins to stop, or until the last request has ended.
    tasks: Vec<JoinHandle<()>>,
    stop: Arc<watch::Sender<bool>>,
    /// Ends the tasks that requests rely on.
    end: watch::Sender<bool>,
}

impl Application {
    /// Opens the port: before anything else, so that a port in use leaves nothing behind.
    ///
    /// # Errors
    /// When the address is in use or is not this machine's.
    pub fn listen(config: &Config) -> Result<TcpListener> {
        TcpListener::bind(config.listen)
            .map_err(|error| Error::internal(format!("cannot listen on {}: {error}", config.listen)))
    }

    /// Builds the server over a database whose migrations have run. What is logged can be changed through `log` on the
    /// operators' port, if they have one of their own.
    ///
    /// # Errors
    /// When sign-in lacks its keys or local mode its demo account, the manifest of trusted documents is bad, or the
    /// server cannot start.
    pub async fn build(
        config: &Config,
        listener: TcpListener,
        database: Database,
        clock: Clock,
        log: Option<LogFilter>,
    ) -> Result<Self> {
        let port = listener.local_addr().map_err(Error::internal)?.port();
        let authenticator = Authenticator::new(config.sign_in.as_ref(), &database, &clock).await?;
        let rates = RateFeed::new();
        if let Some(every) = config.demo_ticker {
            let ticker = Ticker::new(&database, clock.clone(), DEMO_SEED).await?;
            actix_web::rt::spawn(ticker.run(rates.clone(), every));
        }
        let metrics = Metrics::new()?;
        let sdl = sdl(config.subgraph);
        let guard =
            Guard::new(config.limits, &sdl, config.max_page_size, config.introspection).map_err(Error::internal)?;
        let shared = match &config.redis {
            Some(url) => Some(SharedStore::open(url, config.redis_timeout, &metrics).await?),
            None => None,
        };
        let documents = match &config.trusted_documents {
            Some(file) => Documents::trusted(file, &guard)
                .map_err(|error| Error::internal(format!("trusted_documents: {}: {error}", file.display())))?,
            None => {
                let (count, max_bytes) = (config.persisted_documents, config.limits.bytes);
                Documents::persisted(count, shared.clone(), max_bytes, clock.clone())
            }
        };
        let shared_cache = shared.clone();
        let quotas = match config.quota {
            Some(quota) => Quotas::new(quota, shared, clock.clone()),
            None => Quotas::unlimited(),
        };
        let (stop, stopping) = shutdown::switch();
        let (end, served) = shutdown::last_switch();
        let payments = PaymentFeed::new();
        let cache = match &config.cache {
            Some(settings) => Cache::new(settings, shared_cache, &metrics)?,
            None => Cache::off(),
        };
        let (new_rates, told_rates) = mpsc::unbounded_channel();
        let hearing = Hearing { cache: cache.clone(), payments: payments.clone(), new_rates };
        let watching = database_watch::watch(database.clone(), served.clone(), move |news| hearing.clone().hear(news));
        let telling = rates.clone().tell(told_rates, database.clone(), metrics.clone(), stopping.clone());
        let mut tasks = vec![actix_web::rt::spawn(watching), actix_web::rt::spawn(telling)];
        let forgetting =
            changes::forget_keys(database.clone(), clock.clone(), config.idempotency_retention, stopping.clone());
        tasks.push(actix_web::rt::spawn(forgetting));
        if let Some(standby) = database.standby() {
            standby.register(&metrics)?;
            tasks.push(actix_web::rt::spawn(standby.clone().follow(database.clone(), served.clone())));
        }
        metrics.added(database.transactions().clone())?;
        metrics.added(database.waits().clone())?;
        let euro = Pair { purpose: Purpose::Reference, base: Currency::eur().code(), quote: Currency::usd().code() };
        if let Some(day) = stored_rates::newest(&database.reader(Arc::default()), euro).await? {
            metrics.newest_rate_is_from(day);
        }
        if let Some(fetch) = &config.rates_fetch {
            let (feed, cache, metrics) = (rates.clone(), cache.clone(), metrics.clone());
            let fetch = RateFetch::new(fetch.clone(), database.clone(), clock.clone(), feed, cache, metrics)?;
            tasks.push(actix_web::rt::spawn(fetch.run(stopping.clone())));
        }
        database.look_for_vectors().await?;
        let assistant = Assistant::new(&config.assistant, config.duty_rounding, &database, &cache, &clock, &metrics)?;
        let state = Data::new(State {
            database: database.clone(),
            schema: schema(config.subgraph),
            timed_schema: timed_schema(config.subgraph),
            metrics,
            clock: clock.clone(),
            authenticator,
            guard,
            documents,
            quotas,
            rates,
            changes: Changes::new(database.clone(), clock.clone(), payments.clone(), cache.clone()),
            cache: cache.clone(),
            payments,
            assistant,
            transport: config.transport,
            allowed_origins: config.allowed_origins.clone(),
            max_page_size: config.max_page_size,
            batching: config.batching,
            duty_rounding: config.duty_rounding,
            slow_operation: config.slow_operation,
            sampler: Sampler::new(config.profile_sample),
            stopping,
        });
        let operations = match config.operations_listen {
            Some(address) => Some(operations_server(address, state.clone(), log)?),
            None => None,
        };
        let (operations, operations_port) = operations.unzip();
        let (graphiql, shared) = (config.graphiql, operations.is_none());
        let mut server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .configure(|routes| http::routes(routes, graphiql, shared))
                .wrap(from_fn(http::unread::end_connection))
        })
        // The caller of this function decides what stops the server, and always lets requests end.
        .disable_signals()
        // A client that hangs up wants no answer: whatever runs for it is dropped. Writes run elsewhere.
        .h1_allow_half_closed(false)
        .keep_alive(config.transport.keep_alive)
        .shutdown_timeout(config.shutdown_timeout.as_secs());
        if config.workers > 0 {
            server = server.workers(config.workers);
        }
        let server = server.on_connect(http::connection::opened);
        let server = server.listen(listener).map_err(Error::internal)?.run();
        Ok(Self { port, operations_port, server, operations, database, cache, tasks, stop, end })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of metrics and health, when they have one of their own.
    pub fn operations_port(&self) -> Option<u16> {
        self.operations_port
    }

    /// What is asked before the database.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// A way to stop it from elsewhere.
    pub fn handle(&self) -> Stopper {
        Stopper::new(Arc::clone(&self.stop), self.server.handle())
    }

    /// Serves until it is stopped through its handle, then closes the database.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn run_until_stopped(self) -> Result<()> {
        let operations = self.operations.map(|server| {
            let handle = server.handle();
            actix_web::rt::spawn(server);
            handle
        });
        let result = self.server.await.map_err(Error::internal);
        // Last, so that the end can be watched.
        if let Some(operations) = operations {
            operations.stop(false).await;
        }
        // Connections can only be given back while there is a runtime.
        self.stop.send_replace(true);
        self.end.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::warn!(cause = %error, "a task beside the requests failed");
            }
        }
        self.database.close().await;
        result
    }
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application").field("port", &self.port).finish_non_exhaustive()
    }
}

/// Who is told of what others change in the database.
#[derive(Clone)]
struct Hearing {
    cache: Cache,
    payments: PaymentFeed,
    new_rates: mpsc::UnboundedSender<NaiveDate>,
}

impl Hearing {
    async fn hear(self, news: News) {
        match news {
            News::Payments(account, ids) => {
                self.cache.changed(&Tag::of_payments(account, ids.iter().copied()), Cause::Heard).await;
                self.payments.changed(ids);
            }
            News::Commodities => self.cache.changed(&[Tag::Commodities], Cause::Heard).await,
            News::Rates => self.cache.changed(&[Tag::Rates], Cause::Heard).await,
            News::Sources => self.cache.changed(&[Tag::Sources], Cause::Heard).await,
            News::NewRates(day) => {
                // Read elsewhere: a database that is busy must not keep this from hearing. An error means the end.
                let _ = self.new_rates.send(day);
            }
            News::Everything => {
                self.cache.flush().await;
                self.payments.anything_changed();
            }
            News::Lost => self.cache.lost(),
            News::Regained => {
                self.cache.regained().await;
                self.payments.anything_changed();
            }
            News::Pulse(lag) => self.cache.heard_after(lag),
        }
    }
}

/// Metrics, health and the log's filter on a port of their own.
fn operations_server(address: SocketAddr, state: Data<State>, log: Option<LogFilter>) -> Result<(Server, u16)> {
    let failed = |error| Error::internal(format!("cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let app = move || {
        let log = log.clone();
        let app = App::new().app_data(state.clone()).configure(http::operations_routes);
        let app = app.configure(|routes| {
            if let Some(log) = log {
                http::log_routes(routes, log);
            }
        });
        app.wrap(from_fn(http::unread::end_connection))
    };
    let server = HttpServer::new(app).disable_signals().workers(1).listen(listener).map_err(failed)?.run();
    Ok((server, port))
}
