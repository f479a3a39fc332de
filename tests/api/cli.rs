//! The command line of the real binary: what each command says, and with which status it ends.

use std::path::Path;

use dermaga_api::store::{Database, DatabaseSettings};
use dermaga_tests::{Backend, Cli, each_database};
use entity::AccountScoped;
use migration::Migrator;
use sea_orm_migration::MigratorTrait;

/// The sample of the ECB's history: with rates there, a start does not bring in the whole history.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/samples/ecb-sample.csv");

/// `schema.graphql` is what the code says; `dermaga schema > schema.graphql` writes it.
#[test]
fn the_committed_schema_is_what_the_binary_writes() {
    let cli = Cli::new();
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql")).unwrap();
    assert!(cli.succeed(&["schema"]) == committed, "run `cargo run -- schema > schema.graphql`");
    assert!(!cli.folder().join("test.db").exists(), "it needs no database");
}

/// Whoever composes a supergraph can do so without a running server.
#[test]
fn the_schema_of_the_subgraph_is_written_too() {
    let cli = Cli::new();
    let of_subgraph = dermaga_api::graphql::subgraph::sdl();
    assert!(of_subgraph.contains("@key"), "{of_subgraph}");
    for arguments in
        [&["schema", "--subgraph"][..], &["schema", "--subgraph", "true"], &["--subgraph", "true", "schema"]]
    {
        assert!(cli.succeed(arguments) == of_subgraph, "{arguments:?}");
    }
    assert!(!cli.succeed(&["schema", "--subgraph", "false"]).contains("@key"));
    assert_eq!(cli.run(&["schema", "--subgraph", "maybe"]).code, Some(2));
}

/// Help and version are answers, not errors, and no secret of the environment is shown.
#[test]
fn help_and_version_are_answers() {
    let cli = Cli::over("postgres://root:hunter2@localhost/x");
    let help = cli.run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for word in [
        "serve",
        "migrate",
        "demo",
        "verify",
        "import",
        "schema",
        "health",
        "--listen",
        "DERMAGA_LISTEN",
        "DATABASE_URL",
    ] {
        assert!(help.stdout.contains(word), "{word} in {}", help.stdout);
    }
    assert!(!help.stdout.contains("hunter2"), "{}", help.stdout);
    let version = cli.run(&["--version"]);
    let expected = concat!("dermaga ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((version.code, version.stdout.as_str()), (Some(0), expected));
    assert_eq!(cli.run(&["import", "rates", "--help"]).code, Some(0));
}

/// A command line that makes no sense is told apart from a failure by its status.
#[test]
fn a_command_line_without_sense_ends_with_2() {
    let cli = Cli::new();
    for arguments in [
        &["--colour"][..],
        &["colour"],
        &["serve", "extra"],
        &["demo", "--payments", "many"],
        &["verify", "demo"],
        &["import"],
        &["import", "rates", "x.csv"],
        &["import", "rates", "--source", "bank", "x.csv"],
        &["health", "--url", "ftp://localhost"],
    ] {
        let ended = cli.run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{arguments:?}: {ended:?}");
    }
    assert!(!cli.folder().join("test.db").exists());
}

/// An operator fixes all mistakes at once, wherever they were made; nothing is touched before.
#[test]
fn all_bad_settings_are_named_at_once() {
    let cli = Cli::over("mysql://root:secret@host/x");
    let file = cli.write("bad.toml", "graphiql = \"maybe\"\nmax_page_size = 0\nworkers = 4\n");
    let ended = cli.run_with(
        &["migrate", "--config", file.to_str().unwrap(), "--listen", "everywhere", "--shutdown-timeout", "0"],
        &[("DERMAGA_WORKERS", "-1"), ("DERMAGA_LOG_FORMAT", "xml"), ("DERMAGA_DEMO_PAYMENTS", "1e3")],
    );
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for name in [
        "listen",
        "database_url",
        "shutdown_timeout",
        "workers",
        "log_format",
        "demo_payments",
        "graphiql",
        "max_page_size",
    ] {
        assert!(ended.stderr.contains(&format!("{name}: ")), "{name} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    let good = Cli::new();
    let ended = good.run(&["migrate", "--log", "dermaga_api=colour"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

/// A misspelt key does nothing, which is worse than an error; so is a file that is not there.
#[test]
fn an_unknown_key_is_refused() {
    let cli = Cli::new();
    for (name, content, word) in [
        ("key.toml", "databse_url = \"sqlite://x.db\"\n", "databse_url"),
        ("syntax.toml", "listen = \n", "syntax.toml"),
        ("type.toml", "workers = [1]\n", "type.toml"),
    ] {
        let file = cli.write(name, content);
        let ended = cli.run(&["migrate", "--config", file.to_str().unwrap()]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(word), "{ended:?}");
    }
    let ended = cli.run(&["migrate", "--config", "none.toml"]);
    assert!(ended.code == Some(2) && ended.stderr.contains("none.toml"), "{ended:?}");
    cli.write("dermaga.toml", "colour = 1\n");
    assert_eq!(cli.run(&["migrate"]).code, Some(2), "the file in the folder is read without being named");
    assert!(!cli.folder().join("test.db").exists());
}

/// A flag wins over the environment, the environment over the file.
#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let cli = Cli::over("");
    let url = |name: &str| format!("sqlite://{}", cli.folder().join(name).display());
    let file = cli.write("own.toml", format!("database_url = \"{}\"\n", url("file.db")));
    let file = file.to_str().unwrap();
    let there = |name: &str| cli.folder().join(name).exists();
    let (environment, flag) = (url("environment.db"), url("flag.db"));
    let ended =
        cli.run_with(&["migrate", "--config", file, "--database-url", &flag], &[("DATABASE_URL", &environment)]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!((there("flag.db"), there("environment.db"), there("file.db")), (true, false, false));
    let ended = cli.run_with(&["migrate"], &[("DATABASE_URL", &environment), ("DERMAGA_CONFIG", file)]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!((there("environment.db"), there("file.db")), (true, false));
}

/// A database that cannot be is said to be so in words, and nothing is made instead.
#[test]
fn a_database_that_cannot_be_written_is_named() {
    let cli = Cli::new();
    cli.write("a-file", "");
    std::fs::create_dir(cli.folder().join("a-folder")).unwrap();
    for (path, words) in [("none/test.db", "none"), ("a-file/test.db", "a-file"), ("a-folder", "a-folder")] {
        let url = format!("sqlite://{}", cli.folder().join(path).display());
        for command in ["migrate", "serve", "demo"] {
            let ended = Cli::over(&url).run(&[command, "--listen", "127.0.0.1:0"]);
            assert_eq!(ended.code, Some(1), "{command} {path}: {ended:?}");
            assert!(ended.stdout.is_empty(), "{ended:?}");
            let error = ended.stderr.lines().last().unwrap();
            assert!(error.starts_with("error: ") && error.contains(words), "{command} {path}: {error}");
        }
    }
    let noise = cli.write("noise.db", vec![b'x'; 8_192]);
    let ended = Cli::over(&format!("sqlite://{}", noise.display())).run(&["migrate"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(std::fs::read(noise).unwrap(), vec![b'x'; 8_192], "what is no database stays as it is");
}

each_database! {
    /// Bringing the tables up to date twice is bringing them up to date.
    async fn migrating_twice_changes_nothing(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        let all = format!("{} migrations ran; the tables are up to date\n", Migrator::migrations().len());
        assert_eq!(cli.succeed(&["migrate"]), all);
        assert_eq!(cli.succeed(&["migrate"]), "0 migrations ran; the tables are up to date\n");
    }

    /// The same seed makes the same payments, once.
    async fn demo_payments_are_made_once(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = prepared(&url);
        let first = cli.succeed(&["demo", "--payments", "50", "--seed", "7"]);
        assert!(first.starts_with("50 payments added, 0 were there; "), "{first}");
        let before = everything(&url).await;
        assert_eq!(before[0].lines().count(), 50);
        let second = cli.succeed(&["demo", "--payments", "50", "--seed", "7"]);
        assert_eq!(second, "0 payments added, 50 were there; 0 rows\n");
        assert!(everything(&url).await == before, "the second run changed rows");
        // More of the same seed keeps the first ones; another seed makes others beside them.
        let more = cli.succeed(&["demo", "--payments", "60", "--seed", "7"]);
        assert!(more.starts_with("10 payments added, 50 were there; "), "{more}");
        let other = cli.succeed(&["demo", "--payments", "5", "--seed", "8"]);
        assert!(other.starts_with("5 payments added, 0 were there; "), "{other}");
        assert_eq!(everything(&url).await[0].lines().count(), 65);
    }
}

/// What is shown on one database can be compared with the other: the same seed makes the same rows on both.
#[tokio::test]
async fn a_seed_makes_the_same_on_both_databases() {
    if !Backend::postgres_is_there() {
        return;
    }
    let mut rows = Vec::new();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let (url, _guard) = backend.empty_url().await;
        prepared(&url).succeed(&["demo", "--payments", "50", "--seed", "7"]);
        rows.push(everything(&url).await);
    }
    assert!(rows[0][0].lines().count() == 50 && rows[0].iter().all(|table| !table.is_empty()));
    for (sqlite, postgres) in rows[0].iter().zip(&rows[1]) {
        for (one, other) in sqlite.lines().zip(postgres.lines()) {
            assert_eq!(one, other);
        }
        assert_eq!(sqlite.lines().count(), postgres.lines().count());
    }
}

/// A command line over a database that has the sample rates.
fn prepared(url: &str) -> Cli {
    let cli = Cli::over(url);
    assert!(Path::new(SAMPLE).is_file());
    cli.succeed(&["import", "rates", "--source", "ecb", SAMPLE]);
    cli
}

/// All rows of the demo account, table by table, each as a line, in one order.
async fn everything(url: &str) -> [String; 8] {
    use entity::{allocation, installment, installment_plan, payment, payment_event, payment_line, receipt, refund};
    async fn rows<E>(database: &Database) -> String
    where
        E: AccountScoped<Model: std::fmt::Debug + Send + Sync>,
    {
        let account = dermaga_api::demo::ACCOUNT_ID;
        let rows = database.write(async |transaction| E::of_account(account).all(transaction).await).await.unwrap();
        let mut lines: Vec<String> = rows.iter().map(|row| format!("{row:?}\n")).collect();
        lines.sort();
        lines.concat()
    }
    let database = Database::open(&DatabaseSettings::new(url)).await.unwrap();
    let all = [
        rows::<payment::Entity>(&database).await,
        rows::<installment::Entity>(&database).await,
        rows::<installment_plan::Entity>(&database).await,
        rows::<payment_line::Entity>(&database).await,
        rows::<receipt::Entity>(&database).await,
        rows::<allocation::Entity>(&database).await,
        rows::<refund::Entity>(&database).await,
        rows::<payment_event::Entity>(&database).await,
    ];
    database.close().await;
    all
}
