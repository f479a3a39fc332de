//! What an operator sees: health, metrics, and the GraphiQL page.

use std::collections::BTreeMap;

use dermaga_tests::{Backend, TestApp, each_database};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

/// The metrics of a server: each sample by its name with its labels, as it is written.
#[derive(Debug)]
struct Scrape {
    samples: BTreeMap<String, String>,
    types: BTreeMap<String, String>,
}

impl Scrape {
    /// Reads the text format, of which every line must be understood.
    async fn of(app: &TestApp) -> Self {
        let response = app.get("/metrics").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let text = response.text().await.unwrap();
        assert!(text.ends_with('\n'), "{text}");
        let (mut scrape, mut helped) = (Self { samples: BTreeMap::new(), types: BTreeMap::new() }, Vec::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(help.ends_with('.') || name.starts_with("process_"), "{line}");
                helped.push(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(helped.iter().any(|helped| helped == name), "{name} has no help");
                assert!(scrape.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
                let family = name.split('{').next().unwrap();
                let base =
                    ["_bucket", "_sum", "_count"].iter().find_map(|end| family.strip_suffix(end)).unwrap_or(family);
                let known =
                    scrape.types.contains_key(family) || scrape.types.get(base).is_some_and(|kind| kind == "histogram");
                assert!(known, "{line} has no type");
                assert!(scrape.samples.insert(name.to_owned(), value.to_owned()).is_none(), "{name} twice");
            }
        }
        scrape
    }

    /// A count; 0 where there is no such sample yet.
    fn count(&self, name: &str) -> u64 {
        self.samples.get(name).map_or(0, |value| value.parse().unwrap_or_else(|_| panic!("{name} is {value}")))
    }

    /// What has risen, by sample, among the counters and histogram counts of Dermaga's own.
    fn rise_since(&self, earlier: &Self) -> BTreeMap<&str, u64> {
        let counts = self.samples.keys().filter(|name| name.contains("_total{") || name.contains("_count{"));
        // What the cache does depends on whether there is one.
        let own = counts.filter(|name| name.starts_with("dermaga_") && !name.starts_with("dermaga_cache_"));
        own.map(|name| (name.as_str(), self.count(name) - earlier.count(name))).filter(|(_, rise)| *rise > 0).collect()
    }
}

/// Nothing is answered from the cache, so that the numbers are those of the database.
async fn post(app: &TestApp, body: &Value) {
    app.cache.flush().await;
    let response = app.client().post(format!("{}/graphql", app.address)).json(body).send().await.unwrap();
    assert!(response.status().is_success() || response.status() == 400, "{}", response.status());
}

each_database! {
    /// A container is restarted when it is dead, and gets no requests before its database is ready.
    async fn health_tells_live_from_ready(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let ask = async |path: &str| {
            let response = app.get(path).await;
            assert_eq!(response.headers()["cache-control"], "no-store");
            (response.status().as_u16(), response.json::<Value>().await.unwrap())
        };
        assert_eq!(ask("/health/live").await, (200, json!({"status": "live"})));
        let ready = json!({"status": "ready", "database": "ok", "migrations": "ok"});
        assert_eq!(ask("/health/ready").await, (200, ready));
        let last = "DELETE FROM seaql_migrations WHERE version = (SELECT max(version) FROM seaql_migrations)";
        app.database.write(async |transaction| transaction.execute_unprepared(last).await).await.unwrap();
        let not_ready = json!({"status": "not ready", "database": "ok", "migrations": "1 pending"});
        assert_eq!(ask("/health/ready").await, (503, not_ready));
        assert_eq!(ask("/health/live").await.0, 200);
    }

    /// Alerts are sums over these numbers: each rises by what was sent, and by nothing else.
    async fn metrics_rise_by_what_was_sent(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let before = Scrape::of(&app).await;
        for _ in 0..3 {
            post(&app, &json!({"query": "{ currencyRate(base: \"EUR\", quote: \"USD\") { __typename } }"})).await;
        }
        post(&app, &json!({"query": "{ commodity(code: \"180100\") { ancestors { code } } }"})).await;
        post(&app, &json!({"query": "{ payments(first: 0) { totalCount } }"})).await;
        post(&app, &json!({"query": "{ colour }"})).await;
        post(&app, &json!({"query": "{"})).await;
        post(&app, &json!({"query": "["})).await;
        post(&app, &json!([])).await;
        app.get("/health/live").await;
        let after = Scrape::of(&app).await;
        let expected = BTreeMap::from([
            ("dermaga_operations_total{outcome=\"success\",type=\"query\"}", 4),
            ("dermaga_operations_total{outcome=\"partial\",type=\"query\"}", 1),
            ("dermaga_operations_total{outcome=\"refused\",type=\"query\"}", 1),
            ("dermaga_operations_total{outcome=\"refused\",type=\"invalid\"}", 3),
            ("dermaga_operation_duration_seconds_count{type=\"query\"}", 6),
            ("dermaga_operation_duration_seconds_count{type=\"invalid\"}", 3),
            ("dermaga_operation_statements_count{type=\"query\"}", 5),
            ("dermaga_operation_rows_count{type=\"query\"}", 5),
            ("dermaga_errors_total{code=\"INVALID_PAGE\"}", 1),
            ("dermaga_errors_total{code=\"GRAPHQL_VALIDATION_FAILED\"}", 1),
            ("dermaga_errors_total{code=\"GRAPHQL_PARSE_FAILED\"}", 2),
            ("dermaga_errors_total{code=\"BAD_REQUEST\"}", 1),
            ("dermaga_batch_keys_count{loader=\"currency_rate\"}", 3),
            // The code itself, then its three ancestors together.
            ("dermaga_batch_keys_count{loader=\"commodity\"}", 2),
        ]);
        assert_eq!(after.rise_since(&before), expected);
        assert_eq!(after.count("dermaga_batch_keys_sum{loader=\"commodity\"}"), 4);
        assert_eq!(after.count("dermaga_operation_statements_sum{type=\"query\"}"), 5);
        let again = Scrape::of(&app).await;
        assert!(again.rise_since(&after).is_empty(), "a scrape counts nothing");
        // The code itself and its three ancestors are a row each.
        post(&app, &json!({"query": "{ commodity(code: \"180100\") { ancestors { code } } }"})).await;
        let rows = "dermaga_operation_rows_sum{type=\"query\"}";
        assert_eq!(Scrape::of(&app).await.count(rows) - again.count(rows), 4);
    }

    /// A histogram adds up, and what the process and its connections do is there too.
    async fn metrics_are_whole(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        post(&app, &json!({"query": "{ payments { totalCount } }"})).await;
        let scrape = Scrape::of(&app).await;
        for (name, kind) in [
            ("dermaga_operations_total", "counter"),
            ("dermaga_operation_duration_seconds", "histogram"),
            ("dermaga_operation_statements", "histogram"),
            ("dermaga_operation_rows", "histogram"),
            ("dermaga_batch_keys", "histogram"),
            ("dermaga_database_connections", "gauge"),
            ("dermaga_build_info", "gauge"),
            ("process_cpu_seconds_total", "counter"),
            ("process_resident_memory_bytes", "gauge"),
            ("process_open_fds", "gauge"),
        ] {
            assert_eq!(scrape.types.get(name).map(String::as_str), Some(kind), "{name}");
        }
        let bucket = "dermaga_operation_duration_seconds_bucket{type=\"query\",le=";
        let buckets: Vec<_> = scrape.samples.keys().filter(|name| name.starts_with(bucket)).collect();
        assert_eq!(buckets.len(), 15, "{buckets:?}");
        assert_eq!(scrape.count(&format!("{bucket}\"+Inf\"}}")), 1);
        assert!(scrape.count(&format!("{bucket}\"0.0005\"}}")) <= scrape.count(&format!("{bucket}\"10\"}}")));
        let (open, idle) =
            ("dermaga_database_connections{state=\"open\"}", "dermaga_database_connections{state=\"idle\"}");
        assert!((1..=4).contains(&scrape.count(open)) && scrape.count(idle) <= scrape.count(open), "{scrape:#?}");
        assert!(scrape.count("process_resident_memory_bytes") > 1_000_000);
        assert_eq!(scrape.count(concat!("dermaga_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}")), 1);
    }

    /// A client cannot make labels: an operation's name and what it asks for are nowhere in the metrics.
    async fn clients_make_no_labels(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for number in 0..20 {
            let query = format!("query colour{number} {{ a{number}: viewer {{ account }} }}");
            post(&app, &json!({"query": query, "operationName": format!("colour{number}")})).await;
            post(&app, &json!({"query": format!("{{ colour{number} }}")})).await;
        }
        let scrape = Scrape::of(&app).await;
        assert!(scrape.samples.keys().all(|name| !name.contains("colour")), "{scrape:#?}");
        assert_eq!(scrape.count("dermaga_operations_total{outcome=\"success\",type=\"query\"}"), 20);
    }

    /// The page works offline: it and all that it names come from here, packed or not, and nothing from elsewhere.
    async fn graphiql_is_served_whole(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let page = app.get("/").await;
        assert_eq!(page.status(), 200);
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers()["cache-control"], "no-cache");
        let html = page.text().await.unwrap();
        assert!(html.contains("<title>Dermaga · GraphiQL</title>"), "{html}");
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("\"//"), "{html}");
        let names = html.split(['"', '\'']).filter(|text| text.starts_with("/assets/"));
        let mut paths: Vec<String> = names.map(str::to_owned).collect();
        assert!(paths.len() >= 3, "{paths:?}");
        paths.push("/".to_owned());
        for path in paths {
            let get = async |encoding: &str| {
                let request = app.client().get(format!("{}{path}", app.address)).header("accept-encoding", encoding);
                request.send().await.unwrap()
            };
            let plain = get("identity").await;
            let packed = get("br, gzip;q=0.8").await;
            for response in [&plain, &packed] {
                let headers = response.headers();
                assert_eq!(response.status(), 200, "{path}");
                assert_eq!(headers["vary"], "Accept-Encoding", "{path}");
                assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
                assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
                let policy = headers["content-security-policy"].to_str().unwrap();
                assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"), "{policy}");
                assert!(!policy.contains("http") && !policy.contains("unsafe-eval"), "{policy}");
                if path != "/" {
                    assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable", "{path}");
                }
                let kind = headers["content-type"].to_str().unwrap();
                let expected = match path.rsplit('.').next() {
                    Some("js") => "text/javascript; charset=utf-8",
                    Some("css") => "text/css; charset=utf-8",
                    Some("svg") => "image/svg+xml",
                    _ => "text/html; charset=utf-8",
                };
                assert_eq!(kind, expected, "{path}");
            }
            assert!(plain.headers().get("content-encoding").is_none(), "{path}");
            assert_eq!(packed.headers()["content-encoding"], "gzip", "{path}");
            assert!(get("gzip;q=0").await.headers().get("content-encoding").is_none(), "{path}");
            assert_packed(&packed.bytes().await.unwrap(), &plain.bytes().await.unwrap(), &path);
        }
        for path in
            ["/assets/none.js", "/assets/", "/assets/..%2f..%2findex.html", "/assets/../Cargo.toml", "/index.html"]
        {
            assert_eq!(app.get(path).await.status(), 404, "{path}");
        }
    }

    /// An operator can leave the page out; the API stays.
    async fn graphiql_can_be_off(backend: Backend) {
        let app =
            TestApp::builder(backend).settings(|settings| settings.graphiql = Some("false".to_owned())).spawn().await;
        assert_eq!(app.get("/").await.status(), 404);
        assert_eq!(app.get("/assets/icon-CF9lvN1j.svg").await.status(), 404);
        assert_eq!(app.graphql("{ viewer { account } }").await.text("/viewer/account"), "demo");
    }
}

/// A gzip file ends with the checksum and the length of what is packed in it.
#[track_caller]
fn assert_packed(packed: &[u8], plain: &[u8], what: &str) {
    assert_eq!(&packed[..2], [0x1f, 0x8b], "{what}");
    assert!(packed.len() < plain.len(), "{what}");
    let number = |at: usize| u32::from_le_bytes(packed[at..at + 4].try_into().unwrap());
    assert_eq!(usize::try_from(number(packed.len() - 4)).unwrap(), plain.len(), "{what}");
    assert_eq!(number(packed.len() - 8), crc32(plain), "{what}");
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}
