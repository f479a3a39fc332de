//! GraphQL over HTTP: methods, media types, statuses and headers.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use dermaga_tests::{Backend, TestApp, each_database};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const GRAPHQL: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

async fn send(
    app: &TestApp,
    method: Method,
    content_type: &str,
    accept: &str,
    body: impl Into<reqwest::Body>,
) -> Response {
    let request = app.client().request(method, format!("{}/graphql", app.address));
    request.header("content-type", content_type).header("accept", accept).body(body).send().await.unwrap()
}

async fn post(app: &TestApp, accept: &str, query: &str) -> Response {
    send(app, Method::POST, JSON, accept, json!({"query": query}).to_string()).await
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn json_of(response: Response) -> Value {
    response.json().await.unwrap()
}

/// The code of the only error.
async fn code(response: Response) -> String {
    let body = json_of(response).await;
    assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{body:#}");
    body["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
}

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.address.trim_start_matches("http://")).await.unwrap()
}

each_database! {
    /// Other media types can be sent by any web page without asking; JSON alone cannot.
    async fn only_json_is_read(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let query = json!({"query": "{ viewer { account } }"}).to_string();
        for media in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/graphql",
            "application/jsonx",
            "",
        ] {
            let response = send(&app, Method::POST, media, GRAPHQL, query.clone()).await;
            assert_eq!(response.status(), 415, "{media}");
            assert_eq!(code(response).await, "BAD_REQUEST");
        }
        for media in ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=UTF-8"] {
            assert_eq!(send(&app, Method::POST, media, GRAPHQL, query.clone()).await.status(), 200, "{media}");
        }
    }

    /// A body is one JSON object with a query; anything else is told apart from a bad document by its code.
    async fn a_body_is_an_object(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let mut bodies: Vec<Vec<u8>> =
            ["", "nonsense", "{", "[]", "\"{ viewer { account } }\"", "1", "null", "true", "{}", "\u{feff}{}"]
                .map(|text| text.as_bytes().to_vec())
                .to_vec();
        bodies.push(b"{\"query\": \"\xff\"}".to_vec());
        for value in [
            json!([{"query": "{ viewer { account } }"}]),
            json!({"query": null}),
            json!({"query": 1}),
            json!({"query": ["{ viewer { account } }"]}),
            json!({"query": "{ viewer { account } }", "variables": []}),
            json!({"query": "{ viewer { account } }", "variables": "{}"}),
            json!({"query": "{ viewer { account } }", "operationName": 1}),
            json!({"query": "{ viewer { account } }", "extensions": "x"}),
        ] {
            bodies.push(value.to_string().into_bytes());
        }
        for bytes in bodies {
            for accept in [GRAPHQL, JSON] {
                let response = send(&app, Method::POST, JSON, accept, bytes.clone()).await;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                assert_eq!(response.status(), 400, "{text}");
                assert_eq!(code(response).await, "BAD_REQUEST", "{text}");
            }
        }
        let mut nulls = json!({"variables": null, "operationName": null, "extensions": null, "other": 1});
        nulls["query"] = json!("{ viewer { account } }");
        assert_eq!(send(&app, Method::POST, JSON, GRAPHQL, nulls.to_string()).await.status(), 200);
    }

    /// A megabyte is enough for any question; what is longer is not kept in memory.
    async fn long_bodies_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let body = |bytes: usize| {
            let start = json!({"query": "{ viewer { account } }"}).to_string();
            format!("{start}{}", " ".repeat(bytes - start.len()))
        };
        assert_eq!(send(&app, Method::POST, JSON, GRAPHQL, body(1_048_576)).await.status(), 200);
        let response = send(&app, Method::POST, JSON, GRAPHQL, body(1_048_577)).await;
        assert_eq!(response.status(), 413);
        assert_eq!(code(response).await, "BAD_REQUEST");
        assert_eq!(post(&app, JSON, "{ viewer { account } }").await.status(), 200);
    }

    /// What is answered before all of it was sent ends the connection: the rest would be read for nothing, however long.
    async fn a_body_that_is_not_read_ends_the_connection(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let chunked = |start: &str, fields: &str| {
            format!("{start} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n{fields}\r\n")
        };
        let json = "Content-Type: application/json\r\n";
        for (head, status) in [
            (chunked("POST /graphql", "Content-Type: text/plain\r\n"), 415),
            (chunked("POST /graphql", &format!("{json}Content-Encoding: gzip\r\n")), 415),
            (chunked("POST /graphql", &format!("{json}Accept: text/html\r\n")), 406),
            (chunked("POST /graphql", &format!("{json}Origin: https://elsewhere.example\r\n")), 403),
            (chunked("DELETE /graphql", ""), 405),
            (chunked("POST /nowhere", ""), 404),
            (chunked("GET /health/live", ""), 200),
        ] {
            let mut stream = connect(&app).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(b"5\r\nhello\r\n").await.unwrap();
            let mut text = String::new();
            let end = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut text)).await;
            assert!(end.is_ok(), "the connection goes on after {head}{text}");
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{head}{text}");
            assert!(text.contains("\r\nconnection: close\r\n"), "{head}{text}");
        }
        // A body in chunks that was read is nothing special.
        let mut stream = connect(&app).await;
        let query = json!({"query": "{ viewer { account } }"}).to_string();
        let body = format!("{:x}\r\n{query}\r\n0\r\n\r\n", query.len());
        for _ in 0..2 {
            stream.write_all(chunked("POST /graphql", json).as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
            let mut text = String::new();
            while !text.ends_with("}}}") {
                let byte = stream.read_u8().await.unwrap();
                text.push(char::from(byte));
            }
            assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        }
    }

    /// Queries can be links; they take the same parameters as a body.
    async fn get_runs_queries(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let get = async |parameters: &[(&str, &str)]| {
            let url = format!("{}/graphql", app.address);
            let query: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
            let request = app.client().get(format!("{url}?{}", query.join("&"))).header("accept", GRAPHQL);
            request.send().await.unwrap()
        };
        let query = "query a($code: HsCode!) { commodity(code: $code) { code } } query b { viewer { account } }";
        let response = get(&[("query", query), ("operationName", "a"), ("variables", "{\"code\": \"18.01\"}")]).await;
        assert_eq!(response.status(), 200);
        assert_eq!(json_of(response).await, json!({"data": {"commodity": {"code": "1801"}}}));
        let empty = get(&[("query", "{ viewer { account } }"), ("operationName", ""), ("variables", "")]).await;
        assert_eq!(empty.status(), 200);
        for parameters in [
            &[][..],
            &[("operationName", "a")],
            &[("query", query), ("variables", "{")],
            &[("query", query), ("variables", "[]")],
            &[("query", query), ("variables", "1")],
            &[("query", query), ("extensions", "[]")],
        ] {
            let response = get(parameters).await;
            assert_eq!(response.status(), 400, "{parameters:?}");
            assert_eq!(code(response).await, "BAD_REQUEST", "{parameters:?}");
        }
        let deep = format!("{{a{}", "{a".repeat(2_000));
        assert_eq!(code(get(&[("query", &deep)]).await).await, "GRAPHQL_PARSE_FAILED");
    }

    /// A link must never change anything, whatever the schema will hold one day.
    async fn get_runs_no_mutation(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for query in ["mutation { x }", "query a { viewer { account } } mutation b { x }"] {
            let url = format!("{}/graphql?operationName=b&query={}", app.address, percent(query));
            let response =
                app.client().get(url.replace("operationName=b&query=mutation", "query=mutation")).send().await.unwrap();
            assert_eq!(response.status(), 405, "{query}");
            assert_eq!(header(&response, "allow"), "POST");
            assert_eq!(code(response).await, "BAD_REQUEST");
        }
        // There is no mutation yet: with POST it is the document that is at fault.
        let response = post(&app, GRAPHQL, "mutation { x }").await;
        assert_eq!(response.status(), 400);
        assert_eq!(json_of(response).await["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    }

    /// Methods that mean nothing here are refused with those that do, as JSON.
    async fn other_methods_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let response = send(&app, method.clone(), JSON, JSON, "{}").await;
            assert_eq!(response.status(), 405, "{method}");
            assert_eq!(header(&response, "allow"), "GET, POST", "{method}");
            assert!(header(&response, "content-type").starts_with(JSON), "{method}");
            assert_eq!(code(response).await, "BAD_REQUEST", "{method}");
        }
        assert_eq!(app.get("/nothing/here").await.status(), 404);
    }

    /// The media type decides whether a request error is an HTTP error: old clients read errors from a 200.
    async fn accept_decides_the_status_of_a_request_error(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for (accept, status, media) in [
            (GRAPHQL, 400, GRAPHQL),
            (JSON, 200, JSON),
            ("*/*", 200, JSON),
            ("application/*", 200, JSON),
            ("application/json;q=0.5, application/graphql-response+json", 400, GRAPHQL),
            ("application/graphql-response+json;q=0.5, application/json", 200, JSON),
            ("application/graphql-response+json;q=0, application/json;q=0.1", 200, JSON),
            ("text/html, application/graphql-response+json; charset=utf-8; q=0.9, */*;q=0.1", 400, GRAPHQL),
            ("Application/GraphQL-Response+JSON", 400, GRAPHQL),
        ] {
            for bad in ["{ colour }", "{"] {
                let response = post(&app, accept, bad).await;
                assert_eq!(response.status(), status, "{accept}");
                assert_eq!(header(&response, "content-type"), format!("{media}; charset=utf-8"), "{accept}");
                let body = json_of(response).await;
                assert!(body.get("data").is_none() && body["errors"].is_array(), "{accept}: {body:#}");
            }
            assert_eq!(post(&app, accept, "{ viewer { account } }").await.status(), 200, "{accept}");
            // A field that fails is an answer in either.
            let partial = post(&app, accept, "{ viewer { account } payments(first: 0) { totalCount } }").await;
            assert_eq!(partial.status(), 200, "{accept}");
            assert_eq!(json_of(partial).await["data"], Value::Null, "{accept}");
        }
        let url = format!("{}/graphql", app.address);
        for accept in ["text/html", "application/xml, text/*", "application/json;q=0", "application/json;q=0.000"] {
            for method in [Method::POST, Method::GET] {
                let request = app.client().request(method, format!("{url}?query=%7B__typename%7D"));
                let request = request.header("accept", accept).header("content-type", JSON);
                let response = request.body("{\"query\": \"{ __typename }\"}").send().await.unwrap();
                assert_eq!(response.status(), 406, "{accept}");
                assert_eq!(code(response).await, "BAD_REQUEST", "{accept}");
            }
        }
    }

    /// No cache keeps the payments of an account, and no browser guesses what an answer is.
    async fn every_answer_carries_its_headers(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let mut ids = HashSet::new();
        for response in [
            post(&app, JSON, "{ viewer { account } }").await,
            post(&app, GRAPHQL, "{ viewer { account } }").await,
            post(&app, GRAPHQL, "{ colour }").await,
            post(&app, JSON, "{").await,
            post(&app, "text/html", "{ viewer { account } }").await,
            send(&app, Method::POST, "text/plain", JSON, "{}").await,
            send(&app, Method::POST, JSON, JSON, "[]").await,
            send(&app, Method::PUT, JSON, JSON, "{}").await,
            app.get("/graphql?query=%7Bviewer%7Baccount%7D%7D").await,
        ] {
            assert_eq!(header(&response, "vary"), "Accept, Origin");
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            assert_eq!(header(&response, "cache-control"), "private, no-store");
            let id = header(&response, "x-request-id").to_owned();
            assert!(uuid::Uuid::try_parse(&id).is_ok(), "{id}");
            assert!(ids.insert(id), "each request has an id of its own");
        }
    }

    /// A profile says what an operation cost, for who asks for it.
    async fn a_profile_is_answered_when_asked_for(backend: Backend) {
        let app = TestApp::spawn(backend).await.with_demo_payments(5).await;
        let query = "{ viewer { account } payments(first: 5) { nodes {
            installments(first: 2) { totalCount nodes { id } pageInfo { hasNextPage } }
        } } }";
        let url = format!("{}/graphql", app.address);
        for asked in [None, Some("0"), Some("true")] {
            let mut request = app.client().post(&url).json(&json!({"query": query}));
            if let Some(value) = asked {
                request = request.header("x-dermaga-profile", value);
            }
            let answer = json_of(request.send().await.unwrap()).await;
            assert!(
                answer["data"]["payments"].is_object() && answer.get("extensions").is_none(),
                "{asked:?}: {answer:#}"
            );
        }
        app.cache.flush().await;
        let answer = app.graphql(query).await;
        let profile = &answer.body["extensions"]["profile"];
        let batches = profile["batches"].as_array().unwrap().iter();
        let batches: BTreeMap<_, _> =
            batches.map(|batch| (batch["loader"].as_str().unwrap(), &batch["keys"])).collect();
        let (one, five) = (json!(1), json!(5));
        let expected = [("payment_page", &one), ("payment_installments", &five), ("payment_installment_count", &five)];
        assert_eq!(batches, BTreeMap::from(expected), "{profile:#}");
        assert_eq!(profile["statements"], 3);
        // Five payments, five counts, and of each payment's installments one more than the page shows.
        let pages = answer.at("/payments/nodes").as_array().unwrap().iter().map(|payment| &payment["installments"]);
        let shown = |page: &Value| {
            page["nodes"].as_array().unwrap().len() + usize::from(page["pageInfo"]["hasNextPage"] == true)
        };
        assert_eq!(profile["rows"], 10 + pages.map(shown).sum::<usize>(), "{profile:#}");
        let times = profile["microseconds"].as_object().unwrap();
        let names: HashSet<_> = times.keys().map(String::as_str).collect();
        assert_eq!(names, HashSet::from(["parse", "validate", "execute", "database", "serialise"]));
        assert!(times.values().all(Value::is_u64), "{profile:#}");
        for busy in ["parse", "validate", "execute", "database"] {
            assert!(times[busy].as_u64().unwrap() > 0, "{busy} of {profile:#}");
        }
        assert!(
            profile["batches"].as_array().unwrap().iter().all(|batch| batch["microseconds"].is_u64()),
            "{profile:#}"
        );
        let idle = app.graphql("{ viewer { account } }").await;
        assert_eq!(idle.body["extensions"]["profile"]["statements"], 0);
        assert_eq!(idle.body["extensions"]["profile"]["batches"], json!([]));
    }
}

/// A value in a query string.
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
