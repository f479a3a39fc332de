//! Every setting, with its unit, its default and where it may come from.
//!
//! A flag wins over the environment, the environment over the configuration file, the file over the default.
//! Unknown keys are refused, and every bad value is reported by name, all at once.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::store::DatabaseSettings;

/// The file that is read when no other is named.
pub const DEFAULT_FILE: &str = "dermaga.toml";

/// The settings as they were given: texts, any of them missing.
///
/// `dermaga.default.toml` in the repository describes each with its default.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port to listen on. Only loopback addresses are served without sign-in [default: 127.0.0.1:8080]
    #[arg(long, env = "DERMAGA_LISTEN", value_name = "ADDRESS", global = true)]
    pub listen: Option<String>,
    /// The database: sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME [default: sqlite://dermaga.db]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// How many payments the demo account has after the first start; 0 for none [default: 1000]
    #[arg(long, env = "DERMAGA_DEMO_PAYMENTS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar")]
    pub demo_payments: Option<String>,
    /// Database connections at the most [default: 10]
    #[arg(long, env = "DERMAGA_DATABASE_MAX_CONNECTIONS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar")]
    pub database_max_connections: Option<String>,
    /// Seconds that a request waits for a database connection [default: 5]
    #[arg(long, env = "DERMAGA_DATABASE_ACQUIRE_TIMEOUT", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar")]
    pub database_acquire_timeout: Option<String>,
    /// Rows that a page may have at the most [default: 100]
    #[arg(long, env = "DERMAGA_MAX_PAGE_SIZE", value_name = "ROWS", global = true)]
    #[serde(deserialize_with = "scalar")]
    pub max_page_size: Option<String>,
    /// Threads that answer requests; 0 for one per core [default: 0]
    #[arg(long, env = "DERMAGA_WORKERS", value_name = "COUNT", global = true)]
    #[serde(deserialize_with = "scalar")]
    pub workers: Option<String>,
    /// Seconds that running requests get to end after SIGTERM or Ctrl-C [default: 30]
    #[arg(long, env = "DERMAGA_SHUTDOWN_TIMEOUT", value_name = "SECONDS", global = true)]
    #[serde(deserialize_with = "scalar")]
    pub shutdown_timeout: Option<String>,
    /// Whether the GraphiQL page is served at /: true or false [default: true]
    #[arg(long, env = "DERMAGA_GRAPHIQL", value_name = "BOOL", global = true)]
    #[serde(deserialize_with = "scalar")]
    pub graphiql: Option<String>,
    /// What is logged, by module: info, debug, dermaga_api=debug,warn …
    /// [default: info,actix_server=warn,sea_orm_migration=warn]
    #[arg(long, env = "DERMAGA_LOG", value_name = "FILTER", global = true)]
    pub log: Option<String>,
    /// How the log is written: text, json, or auto for text on a terminal and JSON elsewhere [default: auto]
    #[arg(long, env = "DERMAGA_LOG_FORMAT", value_name = "FORMAT", global = true)]
    pub log_format: Option<String>,
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How to reach the database.
    pub database: DatabaseSettings,
    /// How many payments the demo account has.
    pub demo_payments: u64,
    /// Rows in a page at the most.
    pub max_page_size: u32,
    /// Threads that answer requests.
    pub workers: usize,
    /// How long running requests get to end.
    pub shutdown_timeout: Duration,
    /// Whether GraphiQL is served.
    pub graphiql: bool,
    /// What is logged.
    pub log: String,
    /// How the log is written.
    pub log_format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {0} cannot be read: {1}")]
    File(PathBuf, #[source] std::io::Error),
    /// The file is not TOML, or has an unknown key.
    #[error("the configuration file {0} is not understood: {1}")]
    Syntax(PathBuf, #[source] Box<toml::de::Error>),
    /// Some values are bad.
    #[error("{}", .0.join("\n"))]
    Values(Vec<String>),
}

impl Settings {
    /// Fills what is missing from the file: the one named, or [`DEFAULT_FILE`] if it is there.
    ///
    /// # Errors
    /// When the file cannot be read or is not understood.
    pub fn with_file(self, named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or_else(|| Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return Ok(self),
            Err(error) => return Err(ConfigError::File(path.to_owned(), error)),
        };
        let file: Self =
            toml::from_str(&text).map_err(|error| ConfigError::Syntax(path.to_owned(), Box::new(error)))?;
        Ok(Self {
            listen: self.listen.or(file.listen),
            database_url: self.database_url.or(file.database_url),
            demo_payments: self.demo_payments.or(file.demo_payments),
            database_max_connections: self.database_max_connections.or(file.database_max_connections),
            database_acquire_timeout: self.database_acquire_timeout.or(file.database_acquire_timeout),
            max_page_size: self.max_page_size.or(file.max_page_size),
            workers: self.workers.or(file.workers),
            shutdown_timeout: self.shutdown_timeout.or(file.shutdown_timeout),
            graphiql: self.graphiql.or(file.graphiql),
            log: self.log.or(file.log),
            log_format: self.log_format.or(file.log_format),
        })
    }

    /// Checks all values.
    ///
    /// # Errors
    /// All bad values, each with its name.
    pub fn check(self) -> Result<Config, ConfigError> {
        let mut problems = Problems::default();
        let listen: SocketAddr = problems.parse("listen", self.listen, "127.0.0.1:8080", |_| true, "ADDRESS:PORT");
        if !listen.ip().is_loopback() {
            problems.0.push(format!(
                "listen: {listen} is not a loopback address, and without sign-in only loopback is served"
            ));
        }
        let url = self.database_url.unwrap_or_else(|| "sqlite://dermaga.db".to_owned());
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            // The URL itself may hold a password, so it is not repeated.
            problems.0.push("database_url: expected sqlite://FILE or postgres://…".to_owned());
        }
        let mut database = DatabaseSettings::new(url);
        let connections = "a number from 1 to 1000";
        database.max_connections = problems.parse(
            "database_max_connections",
            self.database_max_connections,
            "10",
            |count| (1..=1_000).contains(count),
            connections,
        );
        let seconds = "a number of seconds from 1 to 3600";
        let in_range = |seconds: &u64| (1..=3_600).contains(seconds);
        database.acquire_timeout = Duration::from_secs(problems.parse(
            "database_acquire_timeout",
            self.database_acquire_timeout,
            "5",
            in_range,
            seconds,
        ));
        let at_most = |count: &u64| *count <= 100_000_000;
        let config = Config {
            listen,
            database,
            demo_payments: problems.parse(
                "demo_payments",
                self.demo_payments,
                "1000",
                at_most,
                "a number up to 100000000",
            ),
            max_page_size: problems.parse(
                "max_page_size",
                self.max_page_size,
                "100",
                |rows| (1..=10_000).contains(rows),
                "a number from 1 to 10000",
            ),
            workers: problems.parse("workers", self.workers, "0", |count| *count <= 1_024, "a number up to 1024"),
            shutdown_timeout: Duration::from_secs(problems.parse(
                "shutdown_timeout",
                self.shutdown_timeout,
                "30",
                in_range,
                seconds,
            )),
            graphiql: problems.parse("graphiql", self.graphiql, "true", |_| true, "true or false"),
            log: self.log.unwrap_or_else(|| "info,actix_server=warn,sea_orm_migration=warn".to_owned()),
            log_format: match self.log_format.as_deref() {
                None | Some("auto") => LogFormat::Auto,
                Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                Some(other) => {
                    problems.0.push(format!("log_format: expected auto, text or json, found {other:?}"));
                    LogFormat::Auto
                }
            },
        };
        if problems.0.is_empty() { Ok(config) } else { Err(ConfigError::Values(problems.0)) }
    }
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    /// The value, or the default when it is missing. A bad one is noted, and the default stands in for it.
    fn parse<T>(
        &mut self,
        name: &str,
        given: Option<String>,
        default: &'static str,
        valid: impl Fn(&T) -> bool,
        expected: impl Display,
    ) -> T
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Debug,
    {
        let parsed = given.as_deref().map(|text| text.trim().parse::<T>().ok().filter(&valid));
        if let Some(Some(value)) = parsed {
            return value;
        }
        if let Some(text) = given {
            self.0.push(format!("{name}: expected {expected}, found {text:?}"));
        }
        default.parse().expect("the defaults are valid, which a test checks")
    }
}

/// A text, a number or a truth value of a file, as a text.
fn scalar<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => Ok(Some(text)),
        toml::Value::Integer(number) => Ok(Some(number.to_string())),
        toml::Value::Boolean(truth) => Ok(Some(truth.to_string())),
        _ => Err(serde::de::Error::custom("expected a text, a whole number, true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file that the repository shows users is understood, and says the defaults.
    #[test]
    fn the_default_file_holds_the_defaults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dermaga.default.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        // Every setting stands in it behind a `#`.
        let uncommented: String = text
            .lines()
            .filter_map(|line| line.strip_prefix("#"))
            .filter(|line| !line.starts_with(' '))
            .fold(String::new(), |all, line| all + line + "\n");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.toml");
        std::fs::write(&file, &uncommented).unwrap();
        let from_file = Settings::default().with_file(Some(&file)).unwrap();
        assert_eq!(uncommented.lines().filter(|line| line.contains(" = ")).count(), 11, "{uncommented}");
        let default = format!("{:?}", Settings::default().check().unwrap());
        assert_eq!(format!("{:?}", from_file.check().unwrap()), default);
        assert_eq!(format!("{:?}", Settings::default().with_file(Some(&path)).unwrap().check().unwrap()), default);
    }

    /// An operator fixes all mistakes at once.
    #[test]
    fn every_bad_value_is_named() {
        let settings = Settings {
            listen: Some("0.0.0.0:8080".to_owned()),
            database_url: Some("mysql://root:secret@host".to_owned()),
            max_page_size: Some("0".to_owned()),
            graphiql: Some("maybe".to_owned()),
            ..Settings::default()
        };
        let message = settings.check().unwrap_err().to_string();
        for name in ["listen", "database_url", "max_page_size", "graphiql"] {
            assert!(message.contains(name), "{name} in {message}");
        }
        assert!(!message.contains("secret"), "{message}");
    }

    /// A misspelt key does nothing, which is worse than an error.
    #[test]
    fn unknown_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bad.toml");
        std::fs::write(&file, "databse_url = \"sqlite://x.db\"\n").unwrap();
        let error = Settings::default().with_file(Some(&file)).unwrap_err();
        assert!(error.to_string().contains("databse_url"), "{error}");
        assert!(Settings::default().with_file(Some(&folder.path().join("none.toml"))).is_err());
    }
}
