//! What operators rely on: the file of defaults, and mistakes that are named.

use std::path::Path;
use std::time::Duration;

use super::Settings;

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
        slow_operation: Some("1s".to_owned()),
        profile_sample: Some("0.1".to_owned()),
        ..Settings::default()
    };
    let message = settings.check().unwrap_err().to_string();
    for name in ["listen", "database_url", "max_page_size", "graphiql", "slow_operation", "profile_sample"] {
        assert!(message.contains(name), "{name} in {message}");
    }
    assert!(!message.contains("secret"), "{message}");
}

/// Traces are off by default, and a receiver that cannot be meant is named without its password.
#[test]
fn traces_need_a_receiver() {
    let with = |endpoint: &str, sample: &str| Settings {
        otlp_endpoint: Some(endpoint.to_owned()),
        trace_sample: Some(sample.to_owned()),
        ..Settings::default()
    };
    assert_eq!(Settings::default().check().unwrap().traces, None);
    assert_eq!(with("", "1").check().unwrap().traces, None);
    let traces = with("http://localhost:4318", "0.25").check().unwrap().traces.unwrap();
    assert_eq!((traces.endpoint.as_str(), traces.service.as_str()), ("http://localhost:4318/", "dermaga"));
    assert!((0.24..0.26).contains(&traces.sample));
    for (endpoint, sample) in [("localhost:4318", "1"), ("http://a:secret@host", "1"), ("http://host", "2")] {
        let message = with(endpoint, sample).check().unwrap_err().to_string();
        assert!(message.contains("otlp_endpoint") || message.contains("trace_sample"), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
}

/// A standby of nothing is a mistake, and so is one that is no PostgreSQL.
#[test]
fn a_standby_stands_beside_postgresql() {
    let with = |database: Option<&str>, read: &str| {
        let settings = Settings {
            database_url: database.map(str::to_owned),
            database_read_url: Some(read.to_owned()),
            ..Settings::default()
        };
        settings.check().map_err(|error| error.to_string())
    };
    let primary = Some("postgres://primary/dermaga");
    let config = with(primary, "postgres://standby/dermaga").unwrap();
    assert!(config.database.standby.is_none(), "what only starts, imports or checks does not read it");
    assert_eq!(config.serving_database().standby.unwrap().max_lag, Duration::from_secs(10));
    for (database, read, words) in [
        (None, "postgres://standby/dermaga", "SQLite has no replicas"),
        (Some("sqlite://dermaga.db"), "postgres://standby/dermaga", "SQLite has no replicas"),
        (primary, "sqlite://secret.db", "expected postgres://"),
    ] {
        let message = with(database, read).unwrap_err();
        assert!(message.contains("database_read_url") && message.contains(words), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
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
