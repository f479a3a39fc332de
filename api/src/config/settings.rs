//! The settings as they are given: texts, any of them missing.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The file that is read when no other is named.
pub const DEFAULT_FILE: &str = "dermaga.toml";

/// The settings as they were given: texts, any of them missing.
///
/// `dermaga.default.toml` in the repository describes each with its default.
#[derive(Clone, Default, clap::Args, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port to listen on. Only loopback addresses are served without sign-in [default: 127.0.0.1:8080]
    #[arg(long, env = "DERMAGA_LISTEN", value_name = "ADDRESS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Address and port of /metrics, /health and /log-filter, away from the public ones [default: as listen, without
    /// /log-filter]
    #[arg(long, env = "DERMAGA_OPERATIONS_LISTEN", value_name = "ADDRESS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub operations_listen: Option<String>,
    /// The database: sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME [default: sqlite://dermaga.db]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// A streaming replica (standby) of the PostgreSQL of database_url, to which reads go: postgres://…
    /// [default: none, everything is read from the primary]
    #[arg(long, env = "DATABASE_READ_URL", value_name = "URL", hide_env_values = true, global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub database_read_url: Option<String>,
    /// Seconds that the standby may be behind; it is left out while it is further behind [default: 10]
    #[arg(long, env = "DERMAGA_DATABASE_READ_MAX_LAG", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub database_read_max_lag: Option<String>,
    /// Database connections at the most, to each server [default: 10]
    #[arg(long, env = "DERMAGA_DATABASE_MAX_CONNECTIONS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub database_max_connections: Option<String>,
    /// Seconds that a request waits for a database connection [default: 5]
    #[arg(long, env = "DERMAGA_DATABASE_ACQUIRE_TIMEOUT", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub database_acquire_timeout: Option<String>,
    /// Database connections that are kept open though idle [default: 0]
    #[arg(long, env = "DERMAGA_DATABASE_MIN_CONNECTIONS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub database_min_connections: Option<String>,
    /// Seconds after which an idle database connection is closed [default: 600]
    #[arg(long, env = "DERMAGA_DATABASE_IDLE_TIMEOUT", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub database_idle_timeout: Option<String>,
    /// Seconds after which a database connection is closed, however busy [default: 1800]
    #[arg(long, env = "DERMAGA_DATABASE_MAX_LIFETIME", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub database_max_lifetime: Option<String>,
    /// Redis, which replicas share for cached answers, persisted documents and quotas: redis://HOST:PORT or
    /// redis+unix:///FILE
    /// [default: none, each replica has its own]
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true, global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub redis_url: Option<String>,
    /// Milliseconds that a request waits for Redis before it goes on without [default: 200]
    #[arg(long, env = "DERMAGA_REDIS_TIMEOUT", value_name = "MILLISECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub redis_timeout: Option<String>,
    /// Whether answers of the database are kept and given again until they change: on or off [default: on]
    #[arg(long, env = "DERMAGA_CACHE", value_name = "SWITCH", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    /// Answers that are kept in memory at the most [default: 100000]
    #[arg(long, env = "DERMAGA_CACHE_ENTRIES", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub cache_entries: Option<String>,
    /// Bytes that they may take, as estimated [default: 67108864]
    #[arg(long, env = "DERMAGA_CACHE_BYTES", value_name = "BYTES", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub cache_bytes: Option<String>,
    /// Seconds for which an answer is kept though nothing changed, here and in Redis [default: 300]
    #[arg(long, env = "DERMAGA_CACHE_TTL", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub cache_ttl: Option<String>,
    /// Loads the keys of an operation in batches. Off it is what servers do that do not: for benchmarks, which say what
    /// batching is worth: on or off [default: on]
    #[arg(long, env = "DERMAGA_BATCHING", value_name = "SWITCH", global = true, hide = true)]
    #[serde(skip)]
    pub batching: Option<String>,
    /// Keeps answers that were overtaken by a change, which makes them wrong. For the checker of staleness, which must
    /// find it: on or off [default: off]
    #[arg(long, env = "DERMAGA_CACHE_LATE_FILLS", value_name = "SWITCH", global = true, hide = true)]
    #[serde(skip)]
    pub cache_late_fills: Option<String>,
    /// How many payments the demo account has after the first start; 0 for none [default: 1000, with sign-in 0]
    #[arg(long, env = "DERMAGA_DEMO_PAYMENTS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub demo_payments: Option<String>,
    /// Seconds between the made-up rates that rateUpdated sends in local mode; 0 for none [default: 5, with sign-in 0]
    #[arg(long, env = "DERMAGA_DEMO_TICKER", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub demo_ticker: Option<String>,
    /// Where reference rates are fetched, in the format of the ECB's files: an http or https URL [default: none]
    #[arg(long, env = "DERMAGA_RATES_URL", value_name = "URL", hide_env_values = true, global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub rates_url: Option<String>,
    /// Seconds between two fetches of rates [default: 3600]
    #[arg(long, env = "DERMAGA_RATES_EVERY", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub rates_every: Option<String>,
    /// Where the models of the assistant are, a server with the API of OpenAI: http://… or https://… [default: none, search by words alone]
    #[arg(long, env = "DERMAGA_ASSISTANT_URL", value_name = "URL", hide_env_values = true, global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_url: Option<String>,
    /// The key that is sent to it [default: none]
    #[arg(long, env = "DERMAGA_ASSISTANT_KEY", value_name = "SECRET", hide_env_values = true, global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_key: Option<String>,
    /// The model that answers [default: gpt-4o-mini]
    #[arg(long, env = "DERMAGA_ASSISTANT_CHAT_MODEL", value_name = "NAME", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_chat_model: Option<String>,
    /// The model that makes vectors of texts; after a change run dermaga embed [default: text-embedding-3-small]
    #[arg(long, env = "DERMAGA_ASSISTANT_EMBEDDING_MODEL", value_name = "NAME", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_embedding_model: Option<String>,
    /// Seconds that a question may take, all calls included [default: 30]
    #[arg(long, env = "DERMAGA_ASSISTANT_DEADLINE", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_deadline: Option<String>,
    /// Tokens of an answer at the most [default: 300]
    #[arg(long, env = "DERMAGA_ASSISTANT_MAX_TOKENS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_max_tokens: Option<String>,
    /// How freely the model chooses its words, in hundredths: 0 to 200 [default: 10]
    #[arg(long, env = "DERMAGA_ASSISTANT_TEMPERATURE", value_name = "NUMBER", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_temperature: Option<String>,
    /// How similar a source has to be to a question, in hundredths: 0 to 100 [default: 35]
    #[arg(long, env = "DERMAGA_ASSISTANT_MIN_SIMILARITY", value_name = "NUMBER", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_min_similarity: Option<String>,
    /// Pieces of regulations that the model is shown for a question [default: 6]
    #[arg(long, env = "DERMAGA_ASSISTANT_SOURCES", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_sources: Option<String>,
    /// Failures in a row after which the models are not asked for a while [default: 5]
    #[arg(long, env = "DERMAGA_ASSISTANT_BREAKER_FAILURES", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_breaker_failures: Option<String>,
    /// Seconds for which they are not asked then [default: 30]
    #[arg(long, env = "DERMAGA_ASSISTANT_BREAKER_PAUSE", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_breaker_pause: Option<String>,
    /// Tokens that an account may use on a day (UTC); 0 for no limit [default: 0]
    #[arg(long, env = "DERMAGA_ASSISTANT_DAILY_TOKENS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_daily_tokens: Option<String>,
    /// What an account may spend on a day (UTC), in millionths of a US dollar; 0 for no limit [default: 0]
    #[arg(long, env = "DERMAGA_ASSISTANT_DAILY_COST", value_name = "MICROS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_daily_cost: Option<String>,
    /// What a million tokens of questions and sources cost, in US dollars [default: 0]
    #[arg(long, env = "DERMAGA_ASSISTANT_PROMPT_PRICE", value_name = "DOLLARS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_prompt_price: Option<String>,
    /// What a million tokens of answers cost, in US dollars [default: 0]
    #[arg(long, env = "DERMAGA_ASSISTANT_COMPLETION_PRICE", value_name = "DOLLARS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_completion_price: Option<String>,
    /// Answers, and vectors of questions, that are kept at the most [default: 1000]
    #[arg(long, env = "DERMAGA_ASSISTANT_CACHE_ENTRIES", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_cache_entries: Option<String>,
    /// Seconds for which they are kept though no source changed [default: 3600]
    #[arg(long, env = "DERMAGA_ASSISTANT_CACHE_TTL", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub assistant_cache_ttl: Option<String>,
    /// Sign-in by HS256 tokens: the shared secret, at least 32 bytes [default: none]
    #[arg(long, env = "DERMAGA_AUTH_SECRET", value_name = "SECRET", hide_env_values = true, global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub auth_secret: Option<String>,
    /// Sign-in by RS256 or EdDSA tokens: where the public keys are, an https URL or a file [default: none]
    #[arg(long, env = "DERMAGA_AUTH_JWKS", value_name = "URL_OR_FILE", hide_env_values = true, global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub auth_jwks: Option<String>,
    /// The algorithm that tokens must have with auth_jwks: RS256 or EdDSA [default: RS256]
    #[arg(long, env = "DERMAGA_AUTH_ALGORITHM", value_name = "ALGORITHM", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub auth_algorithm: Option<String>,
    /// The issuer (iss) that tokens must name; needed for sign-in
    #[arg(long, env = "DERMAGA_AUTH_ISSUER", value_name = "TEXT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub auth_issuer: Option<String>,
    /// The audience (aud) that tokens must name; needed for sign-in
    #[arg(long, env = "DERMAGA_AUTH_AUDIENCE", value_name = "TEXT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub auth_audience: Option<String>,
    /// Seconds by which clocks may differ [default: 30]
    #[arg(long, env = "DERMAGA_AUTH_LEEWAY", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub auth_leeway: Option<String>,
    /// Seconds after which the public keys are read again [default: 300]
    #[arg(long, env = "DERMAGA_AUTH_JWKS_REFRESH", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub auth_jwks_refresh: Option<String>,
    /// Other sites whose pages may send requests, separated by commas, as `https://app.example` [default: none]
    #[arg(long, env = "DERMAGA_ALLOWED_ORIGINS", value_name = "ORIGINS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub allowed_origins: Option<String>,
    /// Whether the schema can be asked for: true or false [default: true, with sign-in false]
    #[arg(long, env = "DERMAGA_INTROSPECTION", value_name = "BOOL", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub introspection: Option<String>,
    /// Whether the GraphiQL page is served at /: true or false [default: true, with sign-in false]
    #[arg(long, env = "DERMAGA_GRAPHIQL", value_name = "BOOL", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub graphiql: Option<String>,
    /// Whether the schema is an Apollo Federation subgraph: true or false [default: false]
    #[arg(long, env = "DERMAGA_SUBGRAPH", value_name = "BOOL", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub subgraph: Option<String>,
    /// How many documents are kept for clients that send a hash in their place; 0 for none [default: 1000]
    #[arg(long, env = "DERMAGA_PERSISTED_DOCUMENTS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub persisted_documents: Option<String>,
    /// Hours for which a mutation is not done again under its idempotency key, at least 24 [default: 72]
    #[arg(long, env = "DERMAGA_IDEMPOTENCY_RETENTION", value_name = "HOURS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub idempotency_retention: Option<String>,
    /// A JSON file of documents by their SHA-256 hash; nothing else is run then [default: none]
    #[arg(long, env = "DERMAGA_TRUSTED_DOCUMENTS", value_name = "FILE", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub trusted_documents: Option<String>,
    /// The cost that one subject or address may spend in a window; 0 for no limit [default: 0, with sign-in 1000000]
    #[arg(long, env = "DERMAGA_QUOTA_COST", value_name = "COST", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub quota_cost: Option<String>,
    /// Seconds in a window [default: 60]
    #[arg(long, env = "DERMAGA_QUOTA_WINDOW", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub quota_window: Option<String>,
    /// Rows that a page may have at the most [default: 100]
    #[arg(long, env = "DERMAGA_MAX_PAGE_SIZE", value_name = "ROWS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_page_size: Option<String>,
    /// How export duty and levy are rounded to whole rupiah: none, nearest, up or down [default: none]
    #[arg(long, env = "DERMAGA_DUTY_ROUNDING", value_name = "ROUNDING", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub duty_rounding: Option<String>,
    /// The cost of one operation at the most; a field costs 1, times the rows it is asked for [default: 20000]
    #[arg(long, env = "DERMAGA_MAX_COST", value_name = "COST", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<String>,
    /// Levels of fields in one operation at the most [default: 20]
    #[arg(long, env = "DERMAGA_MAX_DEPTH", value_name = "LEVELS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<String>,
    /// Fields in one operation at the most, each spread of a fragment counted [default: 2000]
    #[arg(long, env = "DERMAGA_MAX_FIELDS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_fields: Option<String>,
    /// Aliases in one operation at the most [default: 100]
    #[arg(long, env = "DERMAGA_MAX_ALIASES", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_aliases: Option<String>,
    /// Directives in one operation at the most [default: 50]
    #[arg(long, env = "DERMAGA_MAX_DIRECTIVES", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_directives: Option<String>,
    /// Bytes in one document at the most [default: 65536]
    #[arg(long, env = "DERMAGA_MAX_DOCUMENT_BYTES", value_name = "BYTES", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_document_bytes: Option<String>,
    /// Tokens in one document at the most [default: 1000]
    #[arg(long, env = "DERMAGA_MAX_TOKENS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<String>,
    /// Brackets inside brackets in one document at the most [default: 40]
    #[arg(long, env = "DERMAGA_MAX_NESTING", value_name = "LEVELS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_nesting: Option<String>,
    /// Operations in one document at the most [default: 10]
    #[arg(long, env = "DERMAGA_MAX_OPERATIONS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_operations: Option<String>,
    /// Bytes in one body or WebSocket message at the most [default: 1048576]
    #[arg(long, env = "DERMAGA_MAX_BODY_BYTES", value_name = "BYTES", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_body_bytes: Option<String>,
    /// Requests in one JSON array at the most; 0 for no arrays [default: 0]
    #[arg(long, env = "DERMAGA_MAX_BATCH", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_batch: Option<String>,
    /// Running operations on one WebSocket at the most [default: 100]
    #[arg(long, env = "DERMAGA_MAX_SUBSCRIPTIONS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub max_subscriptions: Option<String>,
    /// Seconds that a connection may be idle between two requests [default: 5]
    #[arg(long, env = "DERMAGA_KEEP_ALIVE", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<String>,
    /// Seconds that a client may take to send its body [default: 10]
    #[arg(long, env = "DERMAGA_BODY_TIMEOUT", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub body_timeout: Option<String>,
    /// Seconds that a WebSocket may wait before its connection_init [default: 10]
    #[arg(long, env = "DERMAGA_CONNECTION_INIT_TIMEOUT", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub connection_init_timeout: Option<String>,
    /// Seconds that one operation may run [default: 10]
    #[arg(long, env = "DERMAGA_OPERATION_TIMEOUT", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub operation_timeout: Option<String>,
    /// Threads that answer requests; 0 for one per core [default: 0]
    #[arg(long, env = "DERMAGA_WORKERS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub workers: Option<String>,
    /// Seconds that running requests get to end after SIGTERM or Ctrl-C [default: 30]
    #[arg(long, env = "DERMAGA_SHUTDOWN_TIMEOUT", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub shutdown_timeout: Option<String>,
    /// Milliseconds from which on an operation is logged as slow; 0 for none [default: 1000]
    #[arg(long, env = "DERMAGA_SLOW_OPERATION", value_name = "MILLISECONDS", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub slow_operation: Option<String>,
    /// One in how many operations is profiled, and its profile logged; 0 for none [default: 0]
    #[arg(long, env = "DERMAGA_PROFILE_SAMPLE", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub profile_sample: Option<String>,
    /// Where traces are sent, by OTLP over HTTP: http://HOST:4318 [default: none, no traces]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", hide_env_values = true, global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub otlp_endpoint: Option<String>,
    /// The name of this program in traces [default: dermaga]
    #[arg(long, env = "OTEL_SERVICE_NAME", value_name = "NAME", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub otlp_service_name: Option<String>,
    /// The share of requests that are traced where their sender has not decided it: "0.1" for a tenth [default: 1]
    #[arg(long, env = "DERMAGA_TRACE_SAMPLE", value_name = "SHARE", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub trace_sample: Option<String>,
    /// What is logged, by module: info, debug, dermaga_api=debug,warn …
    /// [default: info,actix_server=warn,sea_orm_migration=warn]
    #[arg(long, env = "DERMAGA_LOG", value_name = "FILTER", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// How the log is written: text, json, or auto for text on a terminal and JSON elsewhere [default: auto]
    #[arg(long, env = "DERMAGA_LOG_FORMAT", value_name = "FORMAT", global = true)]
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub log_format: Option<String>,
}

/// Shows which are set, and no value: some are secret.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self.table().map(|table| table.keys().cloned().collect()).unwrap_or_default();
        f.debug_tuple("Settings").field(&names).finish()
    }
}

/// Why the settings of a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("the configuration file {0} cannot be read: {1}")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The file is not TOML, or has an unknown key.
    #[error("the configuration file {0} is not understood: {1}")]
    Syntax(PathBuf, #[source] Box<toml::de::Error>),
}

impl Settings {
    /// Fills what is missing from the file: the one named, or [`DEFAULT_FILE`] if it is there.
    ///
    /// # Errors
    /// When the file cannot be read or is not understood.
    pub fn with_file(self, named: Option<&Path>) -> Result<Self, FileError> {
        let path = named.unwrap_or_else(|| Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return Ok(self),
            Err(error) => return Err(FileError::Unreadable(path.to_owned(), error)),
        };
        let syntax = |error| FileError::Syntax(path.to_owned(), Box::new(error));
        let file: Self = toml::from_str(&text).map_err(syntax)?;
        let mut all = file.table().map_err(syntax)?;
        all.extend(self.table().map_err(syntax)?);
        all.try_into().map_err(syntax)
    }

    /// What is set, by name.
    fn table(&self) -> Result<toml::Table, toml::de::Error> {
        toml::Table::try_from(self).map_err(serde::de::Error::custom)
    }
}

/// A text, a number, a truth value or a list of texts of a file, as a text.
fn scalar<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let unexpected = || serde::de::Error::custom("expected a text, a whole number, true, false or a list of texts");
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => Ok(Some(text)),
        toml::Value::Integer(number) => Ok(Some(number.to_string())),
        toml::Value::Boolean(truth) => Ok(Some(truth.to_string())),
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| Some(texts.join(","))).ok_or_else(unexpected)
        }
        _ => Err(unexpected()),
    }
}
