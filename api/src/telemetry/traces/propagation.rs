//! Traces across programs: the headers `traceparent` and `tracestate` of W3C Trace Context, in and out.

use actix_web::http::header::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use reqwest::{RequestBuilder, Response};

use super::{Span, SpanKind};

/// The headers of a request that came in.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(pub &'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(actix_web::http::header::HeaderName::as_str).collect()
    }
}

/// The span of whoever sent a request with these headers; `None` while traces are off, without one, and for one that is
/// malformed.
pub fn incoming(headers: Headers<'_>) -> Option<SpanContext> {
    if !super::are_on() {
        return None;
    }
    extract(headers)
}

fn extract(headers: Headers<'_>) -> Option<SpanContext> {
    let mut all = headers.0.get_all("traceparent");
    // Of several, each program on the way may take another one.
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    if !is_well_formed(one.to_str().ok()?) {
        return None;
    }
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
    let remote = context.span().span_context().clone();
    remote.is_valid().then_some(remote)
}

/// Whether the parts have their lengths, which the library leaves open.
fn is_well_formed(traceparent: &str) -> bool {
    let mut parts = traceparent.trim().split('-');
    let lengths = [2, 32, 16, 2];
    let all = lengths.into_iter().all(|length| {
        let part = parts.next().unwrap_or_default();
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    });
    // Later versions may have more parts.
    all && (parts.next().is_none() || !traceparent.starts_with("00"))
}

/// Sends a request in a span of its own, and tells the receiver of it. The span ends when the head of the answer has come;
/// what is in the URL beside host and path stays out of it.
///
/// # Errors
/// When there is no answer.
pub async fn send(request: RequestBuilder) -> reqwest::Result<Response> {
    let (client, request) = request.build_split();
    let mut request = request?;
    let span = Span::begin(SpanKind::Client, || request.method().to_string().into());
    span.set(|| {
        let url = request.url();
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = i64::from(url.port_or_known_default().unwrap_or_default());
        let shown = format!("{}://{host}:{port}{}", url.scheme(), url.path());
        [
            KeyValue::new("http.request.method", request.method().to_string()),
            KeyValue::new("server.address", host),
            KeyValue::new("server.port", port),
            KeyValue::new("url.full", shown),
        ]
    });
    let own = if span.is_recorded() { span.clone() } else { Span::current() };
    if let Some(context) = &own.0 {
        let headers = request.headers_mut();
        TraceContextPropagator::new().inject_context(context, &mut HeaderInjector(headers));
        if headers.get("tracestate").is_some_and(reqwest::header::HeaderValue::is_empty) {
            headers.remove("tracestate");
        }
    }
    let answer = client.execute(request).await;
    match &answer {
        Ok(answer) => {
            let status = answer.status();
            span.set(|| [KeyValue::new("http.response.status_code", i64::from(status.as_u16()))]);
            if status.is_client_error() || status.is_server_error() {
                span.failed(status.as_u16().to_string());
            }
        }
        Err(error) => span.failed(if error.is_timeout() { "timeout" } else { "unreachable" }),
    }
    answer
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(lines: &[(&'static str, &str)]) -> Option<SpanContext> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        extract(Headers(&headers))
    }

    #[test]
    fn the_sender_is_read() {
        let remote = read(&[("traceparent", GOOD), ("tracestate", "vendor=1")]).unwrap();
        assert_eq!(remote.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(remote.span_id().to_string(), "b7ad6b7169203331");
        assert_eq!(remote.trace_state().header(), "vendor=1");
        assert!(remote.is_sampled() && remote.is_remote());
        assert!(!read(&[("traceparent", &GOOD.replace("-01", "-00"))]).unwrap().is_sampled());
        assert!(read(&[("traceparent", &format!("{}-x", GOOD.replacen("00", "01", 1)))]).is_some());
        assert_eq!(read(&[("traceparent", GOOD), ("tracestate", "nonsense")]).unwrap().trace_state().header(), "");
    }

    /// As if there were none: a request is not refused for it.
    #[test]
    fn what_is_malformed_is_ignored() {
        for bad in [
            "",
            "00",
            "00-1-1-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(read(&[("traceparent", bad)]).is_none(), "{bad}");
        }
        assert!(read(&[]).is_none());
        assert!(read(&[("traceparent", GOOD), ("traceparent", GOOD)]).is_none());
    }
}
