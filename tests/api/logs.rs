//! The log of a running server: what a line has, what is told of slow operations and of samples, and what never is.

use chrono::{DateTime, Utc};
use dermaga_api::documents::Hash;
use dermaga_tests::{Backend, Cli, Running, each_database};
use serde_json::{Value, json};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/samples/ecb-sample.csv");
const SECRET: &str = "hunter2 hunter2 hunter2 hunter2 hunter2";
const CHANGED: &str = "the log filter was changed";
const SLOW: &str = "an operation was slow";
const PROFILE: &str = "the profile of an operation";

/// Half a thousand payments with what belongs to them, so that no machine answers it in a millisecond.
const LARGE: &str = "query Overview($first: Int!, $where: PaymentWhere) {
    a: payments(first: $first) { ...Page }
    b: payments(first: $first, orderBy: [{field: AMOUNT}]) { ...Page }
    c: payments(first: $first, orderBy: [{field: REFERENCE}]) { ...Page }
    d: payments(first: $first, where: $where) { ...Page }
} fragment Page on PaymentConnection { nodes {
    reference payerName amount { formatted } lines { description commodity { description(locale: \"id\") } }
    installments(first: 10) { nodes { dueDate outstanding { formatted } } }
} }";

/// A server that operators reach on a port of their own.
struct Server {
    running: Running,
    port: u16,
    operations_port: u16,
    token: Option<String>,
    client: reqwest::Client,
}

impl Server {
    /// Over a database with the sample rates.
    async fn start(cli: &Cli, arguments: &[&str]) -> Self {
        cli.succeed(&["import", "rates", "--source", "ecb", SAMPLE]);
        let address = "127.0.0.1:0";
        let all = [&["serve", "--listen", address, "--operations-listen", address, "--workers", "1"], arguments];
        let mut running = cli.start(&all.concat());
        let line: Value = serde_json::from_str(&running.line_with("\"server.port\":")).unwrap();
        let port = |value: &Value| u16::try_from(value.as_u64().unwrap()).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let operations_port = port(&line["dermaga"]["operations_port"]);
        Self { running, port: port(&line["server.port"]), operations_port, token: None, client }
    }

    /// Sends an operation: its request id, and the answer.
    async fn ask(&self, body: &Value) -> (String, Value) {
        let mut request = self.client.post(format!("http://127.0.0.1:{}/graphql", self.port)).json(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        (id, response.json().await.unwrap())
    }

    /// Asks the operators' port.
    async fn operations(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.operations_port);
        let response = self.client.get(url).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    /// Sets the filter of the log: the status, and what is answered.
    async fn set_filter(&self, filter: impl Into<reqwest::Body>) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}/log-filter", self.operations_port);
        let response = self.client.put(url).body(filter).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Stops it, and reads all that it logged.
    fn end(self) -> (Vec<Value>, String) {
        let process = self.running.id();
        self.running.signal("TERM");
        let (code, lines) = self.running.end();
        assert_eq!(code, Some(0), "{lines:#?}");
        (lines.iter().map(|line| entry(line, process)).collect(), lines.join("\n"))
    }
}

/// A line of the log, which must have what every line has.
#[track_caller]
fn entry(line: &str, process: u32) -> Value {
    let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let text = |name: &str| entry[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}"));
    let time = text("@timestamp");
    assert!(time.parse::<DateTime<Utc>>().is_ok() && time.len() == "2026-10-30T12:00:00.000Z".len(), "{time}");
    assert!(["error", "warn", "info", "debug", "trace"].contains(&text("log.level")), "{line}");
    assert!(!text("message").is_empty() && !text("log.logger").is_empty(), "{line}");
    assert_eq!((text("service.name"), text("service.version")), ("dermaga", env!("CARGO_PKG_VERSION")));
    assert_eq!((text("ecs.version"), &entry["process.pid"]), ("8.11.0", &json!(process)));
    entry
}

/// The entries with this message.
fn with<'a>(entries: &'a [Value], message: &str) -> Vec<&'a Value> {
    entries.iter().filter(|entry| entry["message"] == message).collect()
}

/// The names of the times that a line has.
fn stages(entry: &Value) -> Vec<&str> {
    let times = entry["dermaga"]["microseconds"].as_object().unwrap();
    assert!(times.values().all(Value::is_u64), "{entry:#}");
    let mut names: Vec<_> = times.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

each_database! {
    /// Every line that a server writes, from its first start to its end, is one object with the names of ECS.
    async fn a_log_is_lines_of_json(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        let arguments = ["--demo-payments", "5", "--profile-sample", "1", "--slow-operation", "0"];
        let server = Server::start(&cli, &arguments).await;
        let (request_id, answer) = server.ask(&json!({"query": "{ viewer { account } }"})).await;
        assert_eq!(answer["data"]["viewer"]["account"], "demo");
        let (entries, log) = server.end();
        let work: Vec<_> = with(&entries, "work is getting on").iter().map(|entry| &entry["dermaga"]["work"]).collect();
        assert!(work.iter().any(|work| work.as_str().unwrap().starts_with("Making demo payments")), "{log}");
        let ids: Vec<_> = entries.iter().filter_map(|entry| entry["http.request.id"].as_str()).collect();
        assert_eq!(ids, [request_id], "{log}");
        assert_eq!(entries.last().unwrap()["message"], "stopped");
    }

    /// While something goes wrong, an operator looks at one part of the server more closely, and needs no restart.
    async fn the_level_of_a_module_is_changed_while_the_server_runs(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        let server = Server::start(&cli, &["--demo-payments", "5", "--log", "info"]).await;
        let query = json!({"query": "{ payments(first: 5) { nodes { reference } } }"});
        assert_eq!(server.operations("/log-filter").await, "info\n");
        server.ask(&query).await;
        assert_eq!(server.set_filter("info,dermaga_api::loaders=debug").await.0, 200);
        assert!(server.operations("/log-filter").await.contains("dermaga_api::loaders=debug"));
        server.ask(&query).await;
        assert_eq!(server.set_filter("info").await, (200, "info\n".to_owned()));
        server.ask(&query).await;
        assert_eq!(server.set_filter(" off ").await, (200, "off\n".to_owned()));
        server.ask(&query).await;
        assert_eq!(server.set_filter("info").await.0, 200);

        let (entries, log) = server.end();
        let changes: Vec<_> = with(&entries, CHANGED).iter().map(|entry| entry["dermaga"]["new"].clone()).collect();
        assert_eq!(changes.len(), 4, "{log}");
        assert_eq!(changes[1..], ["info", "off", "info"], "{log}");
        assert_eq!(with(&entries, CHANGED)[0]["dermaga"]["old"], "info");
        let changed: Vec<_> = (0..entries.len()).filter(|at| entries[*at]["message"] == CHANGED).collect();
        let debug: Vec<_> = (0..entries.len()).filter(|at| entries[*at]["log.level"] == "debug").collect();
        assert!(!debug.is_empty(), "{log}");
        assert!(debug.iter().all(|at| (changed[0]..changed[1]).contains(at)), "{log}");
        for at in debug {
            assert_eq!(entries[at]["log.logger"], "dermaga_api::loaders::loads", "no other module: {log}");
            assert_eq!(entries[at]["message"], "a batch was answered");
            assert!(entries[at]["event.duration"].is_u64(), "{log}");
        }
        assert_eq!(changed[3], changed[2] + 1, "nothing was logged while the log was off: {log}");
    }

    /// An operator finds what was slow and why, and nothing of what a caller said or owns.
    async fn a_slow_operation_is_logged_without_its_values(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        let sign_in = format!("auth_secret = \"{SECRET}\"\nauth_issuer = \"https://issuer.test\"\n");
        cli.write("dermaga.toml", sign_in + "auth_audience = \"dermaga\"\n");
        let mut server = Server::start(&cli, &["--demo-payments", "100", "--slow-operation", "1", "--max-cost", "1000000"]).await;
        let subject = "budi@example.org";
        let token = cli.succeed(&["token", "--account", "demo", "--subject", subject, "--role", "ADMIN"]);
        server.token = Some(token.trim().to_owned());
        let variables = json!({"first": 100, "where": {"reference": {"startsWith": "INV/zanzibar"}}, "other": "zanzibar"});
        let (request_id, answer) = server.ask(&json!({"query": LARGE, "variables": variables})).await;
        assert_eq!(answer["data"]["a"]["nodes"].as_array().map(Vec::len), Some(100), "{answer:#}");
        let metrics = server.operations("/metrics").await;
        assert!(metrics.contains("dermaga_slow_operations_total{type=\"query\"} 1\n"), "{metrics}");

        let (entries, log) = server.end();
        let slow = with(&entries, SLOW);
        let [slow] = slow.as_slice() else { panic!("one was slow: {log}") };
        assert_eq!((&slow["log.level"], &slow["http.request.id"]), (&json!("warn"), &json!(request_id)));
        assert!(slow["event.duration"].as_u64().unwrap() >= 1_000_000, "{slow:#}");
        assert!(uuid::Uuid::try_parse(slow["organization.id"].as_str().unwrap()).is_ok(), "{slow:#}");
        assert!(slow.get("error.code").is_none() && slow.get("error.message").is_none(), "{slow:#}");
        let (own, hash) = (&slow["dermaga"], Hash::of(LARGE).to_string());
        for (name, value) in [
            ("operation", "query"),
            ("operation_name", "Overview"),
            ("document", hash.as_str()),
            ("variables", "{first: number, where: {reference: {startsWith: string}}}"),
            ("outcome", "success"),
        ] {
            assert_eq!(own[name], value, "{slow:#}");
        }
        for (name, least) in [("cost", 1_000), ("statements", 3), ("rows", 300), ("batch_count", 3)] {
            assert!(own[name].as_u64().unwrap() >= least, "{name} in {slow:#}");
        }
        let batches = own["batches"].as_array().unwrap();
        assert!((3..=10).contains(&batches.len()), "{slow:#}");
        let times: Vec<_> = batches.iter().map(|batch| batch["microseconds"].as_u64().unwrap()).collect();
        assert!(times.is_sorted_by(|one, next| one >= next), "{times:?}");
        assert!(batches.iter().all(|batch| batch["loader"].is_string() && batch["keys"].is_u64()), "{slow:#}");
        assert_eq!(stages(slow), ["database", "serialise"], "it ran as ever, and was not timed");
        for said in ["zanzibar", "INV/", subject, token.trim(), "Bearer", "hunter2", "payerName"] {
            assert!(!log.contains(said), "{said} in {log}");
        }
    }

    /// In production some operations are profiled though nobody asked; their callers see nothing of it.
    async fn a_sample_of_profiles_is_logged(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let arguments = ["--demo-payments", "5", "--profile-sample", "1", "--slow-operation", "0"];
        let cli = Cli::over(&url);
        let server = Server::start(&cli, &arguments).await;
        let mut ids = Vec::new();
        let mut payment = Value::Null;
        for query in [
            "{ payments(first: 1) { nodes { id lines { description } } } }",
            "query Wrong { payments(first: 0) { totalCount } }",
            "{ colour }",
        ] {
            let (id, answer) = server.ask(&json!({"query": query})).await;
            assert!(answer.get("extensions").is_none(), "{answer:#}");
            ids.push(id);
            payment = if payment.is_null() { answer["data"]["payments"]["nodes"][0]["id"].clone() } else { payment };
        }
        let query = format!("subscription Follow {{ paymentEvents(paymentId: {payment}, afterSequence: \"0\") {{ type }} }}");
        let url = format!("http://127.0.0.1:{}/graphql", server.port);
        let request = server.client.post(url).header("accept", "text/event-stream").json(&json!({"query": query}));
        let (mut response, mut text) = (request.send().await.unwrap(), String::new());
        while !text.contains("\"type\":\"PAYMENT_CREATED\"") {
            text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().expect(&text)).unwrap());
        }
        drop(response);

        let (entries, log) = server.end();
        assert!(with(&entries, SLOW).is_empty(), "{log}");
        let samples = with(&entries, PROFILE);
        let (events, samples): (Vec<&Value>, Vec<&Value>) =
            samples.into_iter().partition(|sample| sample["dermaga"]["operation"] == "subscription");
        let logged: Vec<_> = samples.iter().map(|sample| sample["http.request.id"].as_str().unwrap()).collect();
        assert_eq!(logged, ids, "each once: {log}");
        let what = |sample: &Value| {
            let own = &sample["dermaga"];
            (own["outcome"].clone(), own["operation_name"].clone(), sample["error.code"].clone())
        };
        let expected = [
            (json!("success"), Value::Null, Value::Null),
            (json!("partial"), json!("Wrong"), json!(["INVALID_PAGE"])),
            (json!("refused"), Value::Null, json!(["GRAPHQL_VALIDATION_FAILED"])),
        ];
        assert_eq!(samples.iter().map(|sample| what(sample)).collect::<Vec<_>>(), expected);
        assert_eq!(samples[0]["dermaga"]["batch_count"], 2, "{log}");
        assert_eq!(what(events.first().expect(&log)), (json!("success"), json!("Follow"), Value::Null));
        for sample in samples.iter().chain(&events) {
            assert_eq!(sample["log.level"], "info");
            assert_eq!(stages(sample), ["database", "execute", "parse", "serialise", "validate"], "{sample:#}");
        }
    }
}

/// What is no filter changes nothing, and neither does who may not.
#[tokio::test]
async fn only_operators_change_the_filter_and_only_to_a_filter() {
    let cli = Cli::new();
    let server = Server::start(&cli, &["--demo-payments", "0", "--log", "warn,dermaga_api=info"]).await;
    let before = server.operations("/log-filter").await;
    let too_long = "info,".repeat(300);
    for (bad, status) in [
        ("debgu".as_bytes(), 400),
        ("".as_bytes(), 400),
        ("info,dermaga_api=loud".as_bytes(), 400),
        ("dermaga_api".as_bytes(), 400),
        (&[0xff][..], 400),
        (too_long.as_bytes(), 413),
    ] {
        let (answered, text) = server.set_filter(bad.to_vec()).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((answered, &answer["errors"][0]["extensions"]["code"]), (status, &json!("BAD_REQUEST")), "{text}");
    }
    let url = |port: u16| format!("http://127.0.0.1:{port}/log-filter");
    let foreign = server.client.put(url(server.operations_port)).header("origin", "https://elsewhere.example");
    assert_eq!(foreign.body("off").send().await.unwrap().status(), 403);
    assert_eq!(server.client.get(url(server.port)).send().await.unwrap().status(), 404);
    assert_eq!(server.client.put(url(server.port)).body("off").send().await.unwrap().status(), 404);
    assert_eq!(server.operations("/log-filter").await, before);
    let (entries, log) = server.end();
    assert!(with(&entries, CHANGED).is_empty(), "{log}");

    // Where operators have no port of their own, nobody has this.
    let cli = Cli::new();
    cli.succeed(&["import", "rates", "--source", "ecb", SAMPLE]);
    let (_running, port) = cli.serve(&["--demo-payments", "0"]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.get(format!("http://127.0.0.1:{port}/metrics")).send().await.unwrap().status(), 200);
    assert_eq!(client.get(url(port)).send().await.unwrap().status(), 404);
    assert_eq!(client.put(url(port)).body("off").send().await.unwrap().status(), 404);
}
