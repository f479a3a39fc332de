//! How answers travel: compressed, kept by caches, several at once.

use std::io::Read;

use dermaga_tests::{Backend, TestApp, each_database};
use reqwest::Response;
use serde_json::{Value, json};

fn header(response: &Response, name: &str) -> String {
    let values: Vec<_> = response.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
    values.join(", ")
}

async fn get(app: &TestApp, query: &str, headers: &[(&str, &str)]) -> Response {
    let url = reqwest::Url::parse_with_params(&format!("{}/graphql", app.address), [("query", query)]).unwrap();
    let mut request = app.client().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn post_array(app: &TestApp, items: &Value) -> (u16, Value) {
    let response = app.client().post(format!("{}/graphql", app.address)).json(items).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

each_database! {
    /// A front end's list of commodities is the same for everybody: caches may keep it, and ask whether it changed.
    async fn public_data_is_kept_by_caches(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for query in [
            "{ commodity(code: \"18\") { code description } }",
            "{ currencies { code } }",
            "{ currencyRate(base: \"EUR\", quote: \"IDR\", date: \"2026-10-30\") { __typename } }",
            "{ __typename }",
        ] {
            let response = get(&app, query, &[]).await;
            assert_eq!(response.status(), 200, "{query}");
            assert_eq!(header(&response, "cache-control"), "public, max-age=300", "{query}");
            let tag = header(&response, "etag");
            assert!(tag.starts_with("W/\""), "{query}: {tag}");
            let body = response.text().await.unwrap();
            assert!(!body.contains("errors"), "{body}");
            let again = get(&app, query, &[("if-none-match", &tag)]).await;
            assert_eq!(again.status(), 304, "{query}");
            assert_eq!(header(&again, "etag"), tag);
            assert_eq!(again.text().await.unwrap(), "");
            let changed = get(&app, query, &[("if-none-match", "W/\"other\"")]).await;
            assert_eq!(changed.text().await.unwrap(), body);
        }
    }

    /// What belongs to an account, or depends on who asks and when, is kept by nobody.
    async fn account_data_is_not(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for query in [
            "{ viewer { account } }",
            "{ payments { totalCount } }",
            "{ commodity(code: \"18\") { code } viewer { account } }",
            "{ ...f } fragment f on Query { viewer { account } }",
            "{ ... { viewer { account } } }",
            "{ currencyRate(base: \"EUR\", quote: \"IDR\") { __typename } }",
            "{ node(id: \"com_18\") { id } }",
            "{ previewInstallmentPlan(amount: {amount: \"100\", currency: \"IDR\"}, plan: {even: {count: 2, firstDueDate: \"2027-01-31\"}}) { count } }",
            "{ colour }",
            "{",
            // An error may be gone with the next try.
            "{ commodities(first: 0) { totalCount } }",
        ] {
            let response = get(&app, query, &[]).await;
            assert_eq!(header(&response, "cache-control"), "private, no-store", "{query}");
            assert_eq!(header(&response, "etag"), "", "{query}");
        }
        let url = format!("{}/graphql", app.address);
        let body = json!({"query": "{ currencies { code } }"});
        let posted = app.client().post(&url).json(&body).send().await.unwrap();
        assert_eq!(header(&posted, "cache-control"), "private, no-store", "a POST is no cache's business");
    }
}

/// Long answers are compressed with the coding that the client likes best, short ones not at all.
#[tokio::test]
async fn long_answers_are_compressed() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let query = "{ currencies { code name } }";
    let plain = get(&app, query, &[]).await;
    assert_eq!(header(&plain, "content-encoding"), "");
    let plain = plain.bytes().await.unwrap();
    for (accept, coding) in
        [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("gzip;q=0.1, br;q=0.9", "br"), ("identity", "")]
    {
        let response = get(&app, query, &[("accept-encoding", accept)]).await;
        assert_eq!(header(&response, "content-encoding"), coding, "{accept}");
        assert!(header(&response, "vary").to_ascii_lowercase().contains("accept-encoding") || coding.is_empty());
        let bytes = response.bytes().await.unwrap();
        if coding == "gzip" {
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(bytes.as_ref()).read_to_end(&mut text).unwrap();
            assert_eq!(text, plain);
        }
        assert!(coding.is_empty() || bytes.len() * 2 < plain.len(), "{accept}: {} of {}", bytes.len(), plain.len());
    }
    let short = get(&app, "{ __typename }", &[("accept-encoding", "gzip")]).await;
    assert_eq!(header(&short, "content-encoding"), "");
    assert_eq!(short.text().await.unwrap(), "{\"data\":{\"__typename\":\"Query\"}}");
}

/// What a compressed body unpacks to is not known before, so none is read.
#[tokio::test]
async fn compressed_bodies_are_refused() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let request = app.client().post(format!("{}/graphql", app.address)).header("content-encoding", "gzip");
    let response = request.json(&json!({"query": "{ __typename }"})).send().await.unwrap();
    assert_eq!(response.status(), 415);
}

/// Several requests in one body are off by default, and few when on; one that is bad spoils no other.
#[tokio::test]
async fn arrays_are_answered_in_order_when_allowed() {
    let one = json!({"query": "{ viewer { account } }"});
    let off = TestApp::spawn(Backend::Sqlite).await;
    assert_eq!(post_array(&off, &json!([one])).await.0, 400);

    let on = TestApp::builder(Backend::Sqlite).settings(|settings| settings.max_batch = Some("4".to_owned()));
    let on = on.spawn().await;
    let (status, answers) = post_array(
        &on,
        &json!([one, {"query": "{"}, 7, {"query": "query($n: Int) { payments(first: $n) { totalCount } }", "variables": {"n": 1}}]),
    )
    .await;
    assert_eq!(status, 200);
    assert_eq!(answers[0], json!({"data": {"viewer": {"account": "demo"}}}));
    assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "GRAPHQL_PARSE_FAILED");
    assert_eq!(answers[2]["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    assert_eq!(answers[3], json!({"data": {"payments": {"totalCount": 0}}}));
    for bad in [json!([]), json!([one, one, one, one, one])] {
        let (status, answer) = post_array(&on, &bad).await;
        assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (400, &json!("BAD_REQUEST")), "{bad}");
    }
    // A single request stays one.
    assert_eq!(post_array(&on, &one).await.1, answers[0]);
}

/// Metrics and health need not be where everybody can ask for them.
#[tokio::test]
async fn operators_may_have_a_port_of_their_own() {
    let builder = TestApp::builder(Backend::Sqlite);
    let app = builder.settings(|settings| settings.operations_listen = Some("127.0.0.1:0".to_owned())).spawn().await;
    let port = app.operations_port.unwrap();
    for path in ["/metrics", "/health/live", "/health/ready"] {
        assert_eq!(app.get(path).await.status(), 404, "{path}");
        let url = format!("http://127.0.0.1:{port}{path}");
        assert_eq!(app.client().get(url).send().await.unwrap().status(), 200, "{path}");
    }
    let url = format!("http://127.0.0.1:{port}/graphql?query=%7B__typename%7D");
    assert_eq!(app.client().get(url).send().await.unwrap().status(), 404);
}
