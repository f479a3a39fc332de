//! Accounts and tokens on the command line, and a server that they let people in to.

use std::io::Write;
use std::net::TcpStream;

use dermaga_tests::{Backend, Cli, each_database, read_answer};
use serde_json::{Value, json};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/samples/ecb-sample.csv");
const SECRET: &str = "hunter2 hunter2 hunter2 hunter2 hunter2";
const CONFIGURATION: &str = "auth_secret = \"hunter2 hunter2 hunter2 hunter2 hunter2\"
auth_issuer = \"https://issuer.test\"\nauth_audience = \"dermaga\"\n";

each_database! {
    /// An operator opens an account, makes a token and is let in; nothing that is printed holds the secret.
    async fn an_account_and_a_token_let_somebody_in(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        cli.write("dermaga.toml", CONFIGURATION);
        cli.succeed(&["import", "rates", "--source", "ecb", SAMPLE]);
        let text = cli.succeed(&["account", "create", "kopi-1"]);
        assert_eq!(text, "opened the account kopi-1: time zone Asia/Jakarta, currency IDR\n");
        let text =
            cli.succeed(&["account", "create", "a", "--time-zone", "Europe/Oslo", "--base-currency", "NOK"]);
        assert_eq!(text, "opened the account a: time zone Europe/Oslo, currency NOK\n");
        let token = cli.succeed(&["token", "--account", "kopi-1", "--subject", "budi", "--role", "CLERK"]);
        let token = token.trim();

        let (mut running, port) = cli.serve(&[]);
        let viewer = json!({"subject": "budi", "account": "kopi-1", "role": "CLERK"});
        let (status, answer) = ask(port, Some(token));
        assert_eq!((status, &answer["data"]), (200, &json!({"viewer": viewer, "payments": {"totalCount": 0}})));
        for bad in [None, Some("x"), Some(&token[1..])] {
            assert_eq!(ask(port, bad).0, 401, "{bad:?}");
        }
        running.signal("TERM");
        let log = running.end().1.join("\n");
        assert!(log.contains("with sign-in") && log.contains("HS256 with a secret"), "{log}");
        assert!(!log.contains("local mode") && !log.contains("hunter2"), "{log}");
        // The start has made no demo account, for it would belong to whoever can sign its name.
        let list = cli.succeed(&["account", "list"]);
        let list: Vec<_> = list.lines().map(|line| line.rsplit_once('\t').unwrap().0).collect();
        assert_eq!(list, ["a\tEurope/Oslo\tNOK", "kopi-1\tAsia/Jakarta\tIDR"]);
        // Unless it is asked for.
        (running, _) = cli.serve(&["--demo-payments", "3"]);
        running.signal("TERM");
        running.end();
        assert!(!cli.succeed(&["account", "list"]).contains("demo"), "there are others");
    }

    /// A name is taken once, and what makes no sense is refused before anything is made.
    async fn an_account_is_opened_once(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        cli.succeed(&["account", "create", "kopi"]);
        let again = cli.run(&["account", "create", "kopi", "--base-currency", "EUR"]);
        assert_eq!((again.code, again.stdout.as_str()), (Some(1), ""));
        assert_eq!(again.stderr.lines().last(), Some("error: there is an account named kopi already"));
        let long = "x".repeat(64);
        for arguments in [
            &["account", "create", ""][..],
            &["account", "create", "Kopi"],
            &["account", "create", "kopi manis"],
            &["account", "create", "kopi_manis"],
            &["account", "create", "kopí"],
            &["account", "create", &long],
            &["account", "create", "x", "--time-zone", "Mars/Base"],
            &["account", "create", "x", "--base-currency", "idr"],
            &["account", "create", "x", "--base-currency", "XYZ"],
            &["account", "create"],
            &["account"],
        ] {
            let ended = cli.run(arguments);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        }
        assert_eq!(cli.succeed(&["account", "create", &long[1..]]).lines().count(), 1);
        assert_eq!(cli.succeed(&["account", "list"]).lines().count(), 2);
    }
}

/// A token needs the secret; what is missing is said, and what is secret is not.
#[test]
fn a_token_is_made_with_the_secret_alone() {
    let cli = Cli::new();
    let make = ["token", "--account", "kopi", "--subject", "budi", "--role", "VIEWER"];
    let without = cli.run(&make);
    assert_eq!((without.code, without.stdout.as_str()), (Some(2), ""), "{without:?}");
    assert!(without.stderr.contains("auth_secret"), "{without:?}");
    cli.write("keys.json", "{\"keys\": []}");
    let by_keys = cli.run_with(
        &make,
        &[
            ("DERMAGA_AUTH_JWKS", "keys.json"),
            ("DERMAGA_AUTH_ISSUER", "https://issuer.test"),
            ("DERMAGA_AUTH_AUDIENCE", "dermaga"),
        ],
    );
    assert_eq!((by_keys.code, by_keys.stdout.as_str()), (Some(1), ""), "{by_keys:?}");
    assert!(by_keys.stderr.contains("private key") && by_keys.stderr.contains("auth_jwks"), "{by_keys:?}");
    cli.write("dermaga.toml", CONFIGURATION);
    for arguments in [
        &["--role", "OWNER"][..],
        &["--role", "VIEWER", "--expires-in", "0"],
        &["--role", "VIEWER", "--expires-in", "31536001"],
        &["--role", "VIEWER", "--account", "Kopi"],
    ] {
        let ended = cli.run(&[&["token", "--subject", "budi", "--account", "kopi"], arguments].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
    }
    assert!(cli.succeed(&make).trim().split('.').count() == 3);
    let help = cli.run_with(
        &["token", "--help"],
        &[("DERMAGA_AUTH_SECRET", SECRET), ("DERMAGA_AUTH_JWKS", "https://user:hunter2@keys.test/")],
    );
    assert!(help.code == Some(0) && help.stdout.contains("--expires-in"), "{help:?}");
    assert!(!help.stdout.contains("hunter2"), "{help:?}");
    assert!(!cli.folder().join("test.db").exists(), "it needs no database");
}

/// With keys that cannot be read nobody could sign in: the start fails, and says where it looked.
#[test]
fn a_start_without_keys_fails() {
    let cli = Cli::new();
    cli.succeed(&["import", "rates", "--source", "ecb", SAMPLE]);
    cli.write("bad.json", "<html>");
    cli.write("empty.json", "{\"keys\": []}");
    for (from, words) in [
        ("none.json", "none.json: "),
        ("bad.json", "bad.json: this is no JSON Web Key Set"),
        ("empty.json", "empty.json: there is no key for RS256 in it"),
        // Nobody listens on port 1.
        ("https://user:hunter2@127.0.0.1:1/keys?key=hunter2", "https://127.0.0.1:1/keys: "),
    ] {
        let arguments =
            ["serve", "--listen", "127.0.0.1:0", "--auth-jwks", from, "--auth-issuer", "i", "--auth-audience", "a"];
        let ended = cli.run(&arguments);
        assert_eq!(ended.code, Some(1), "{from}: {ended:?}");
        let error = ended.stderr.lines().last().unwrap();
        assert!(error.starts_with(&format!("error: auth_jwks: {words}")), "{error}");
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    }
}

/// Asks who is asking, over a connection of its own.
fn ask(port: u16, token: Option<&str>) -> (u16, Value) {
    let body = json!({"query": "{ viewer { subject account role } payments { totalCount } }"}).to_string();
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{authorization}\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let (head, body) = read_answer(&mut stream);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(&body).unwrap())
}
