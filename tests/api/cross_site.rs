//! Requests that pages of other sites make a browser send.

use dermaga_tests::{Backend, TestApp, TestAppBuilder};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const QUERY: &str = "{ viewer { account } }";
const APP: &str = "https://app.example";

async fn spawn() -> TestApp {
    allowing(TestApp::builder(Backend::Sqlite)).spawn().await
}

fn allowing(builder: TestAppBuilder) -> TestAppBuilder {
    builder.settings(|settings| settings.allowed_origins = Some(format!("{APP}, http://localhost:3000")))
}

async fn send(app: &TestApp, method: Method, headers: &[(&str, &str)]) -> Response {
    let url = format!("{}/graphql", app.address);
    let mut request = match method {
        Method::POST => app.client().post(&url).json(&json!({"query": QUERY})),
        _ => app.client().request(method, format!("{url}?query=%7B__typename%7D")),
    };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Any web page can make a browser send requests to an address that its user can reach.
#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let app = spawn().await;
    let own = app.address.as_str();
    let host = own.trim_start_matches("http://");
    let other_port = "http://127.0.0.1:1";
    let foreign: &[&[(&str, &str)]] = &[
        &[("origin", "https://evil.example")],
        &[("origin", "https://app.example.evil.example")],
        &[("origin", "https://app.example:444")],
        &[("origin", "http://app.example")],
        &[("origin", "null")],
        &[("origin", "")],
        &[("origin", other_port)],
        &[("origin", own), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "unheard-of")],
        &[("origin", APP), ("origin", "https://evil.example")],
        &[("host", "evil.example"), ("origin", "http://evil.example")],
        &[("host", "evil.example"), ("x-forwarded-host", "localhost")],
        &[("host", "localhost.evil.example")],
    ];
    for headers in foreign {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let response = send(&app, method.clone(), headers).await;
            assert_eq!(response.status(), 403, "{method} {headers:?}");
            assert_eq!(header(&response, "access-control-allow-origin"), None, "{headers:?}");
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["errors"][0]["extensions"]["code"], "FORBIDDEN", "{headers:?}");
        }
    }
    let good: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", own)],
        &[("origin", own), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-origin")],
        &[("origin", APP)],
        &[("origin", APP), ("sec-fetch-site", "cross-site")],
        &[("origin", "HTTPS://APP.EXAMPLE")],
        &[("origin", "http://localhost:3000")],
        &[("host", host)],
        &[("host", "localhost:80")],
        // A proxy in front may change the host; what the browser says of itself it cannot.
        &[("host", "localhost:80"), ("origin", own), ("sec-fetch-site", "same-origin")],
    ];
    for headers in good {
        for method in [Method::GET, Method::POST] {
            let response = send(&app, method.clone(), headers).await;
            assert_eq!(response.status(), 200, "{method} {headers:?}");
        }
    }
}

/// A browser asks before it sends JSON to another site, and lets a page read the answer only when told to.
#[tokio::test]
async fn allowed_pages_are_told_so() {
    let app = spawn().await;
    let asks = [("origin", APP), ("access-control-request-method", "POST")];
    let response = send(&app, Method::OPTIONS, &asks).await;
    assert_eq!(response.status(), 204);
    assert_eq!(header(&response, "access-control-allow-origin"), Some(APP));
    assert_eq!(header(&response, "access-control-allow-methods"), Some("GET, POST"));
    let allowed = header(&response, "access-control-allow-headers").unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("content-type"), "{allowed}");
    assert!(header(&response, "vary").unwrap().contains("Origin"));
    assert_eq!(header(&response, "access-control-allow-credentials"), None);

    // Refusals can be read too, or a page could not show what is wrong.
    for (accept, status) in [("application/json", 200), ("text/html", 406)] {
        let response = send(&app, Method::POST, &[("origin", APP), ("accept", accept)]).await;
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "access-control-allow-origin"), Some(APP), "{accept}");
        assert!(header(&response, "access-control-expose-headers").unwrap().contains("x-request-id"));
    }
    // Nobody else is told anything.
    for origin in ["https://evil.example", app.address.as_str()] {
        let response = send(&app, Method::POST, &[("origin", origin)]).await;
        assert_eq!(header(&response, "access-control-allow-origin"), None, "{origin}");
    }
}

/// Without a list no other site is let in, and plain OPTIONS is no question of a browser.
#[tokio::test]
async fn nobody_is_allowed_by_default() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    assert_eq!(send(&app, Method::POST, &[("origin", APP)]).await.status(), 403);
    assert_eq!(send(&app, Method::OPTIONS, &[]).await.status(), 405);
    assert_eq!(send(&app, Method::OPTIONS, &[("origin", &app.address)]).await.status(), 405);
}

/// Every answer carries the headers that keep a browser from framing it or guessing what it is.
#[tokio::test]
async fn answers_carry_security_headers() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    for path in ["/", "/graphql?query=%7B__typename%7D", "/graphql", "/nothing"] {
        let response = app.get(path).await;
        assert_eq!(header(&response, "x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(header(&response, "x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(header(&response, "referrer-policy"), Some("no-referrer"), "{path}");
    }
}
