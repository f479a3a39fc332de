//! The span of a request.

use std::future::Future;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};

use crate::telemetry::traces::{self, Headers, KeyValue, Span, bounded, count};

/// Answers a request in a span of its own, which is a part of what its sender says in `traceparent`. It ends when the
/// answer is there, or when a mutation does for which nobody waits any more; of a query that is streamed with that, of a
/// subscription as soon as it has begun.
pub(super) async fn traced(http: &HttpRequest, work: impl Future<Output = HttpResponse>) -> HttpResponse {
    // The route has no other methods, and names have to be few.
    let name = if http.method() == actix_web::http::Method::POST { "POST /graphql" } else { "GET /graphql" };
    let span = Span::serve(name, traces::incoming(Headers(http.headers())));
    // No query string: it holds variables.
    span.set(|| {
        let host = http.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        [
            KeyValue::new("http.request.method", http.method().to_string()),
            KeyValue::new("http.route", "/graphql"),
            KeyValue::new("url.path", "/graphql"),
            KeyValue::new("url.scheme", "http"),
            KeyValue::new("server.address", bounded(host)),
        ]
    });
    let response = span.clone().around(work).await;
    let status = response.status();
    span.set(|| [count("http.response.status_code", status.as_u16())]);
    if status.is_server_error() {
        span.failed(status.as_u16().to_string());
    }
    response
}
