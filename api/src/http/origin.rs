//! Which pages may send requests: those served from here, and those of sites that are allowed by name.
//!
//! A browser adds credentials and reaches addresses that its user can reach, whoever wrote the page. So a request
//! that a browser says comes from another site is refused before anything else is looked at, WebSocket upgrades
//! included. What no browser sends (neither `Origin` nor `Sec-Fetch-Site`) is no page's request.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};

use super::response::{self, MediaType};
use crate::app::State;
use crate::auth::Authenticator;
use crate::error::code;
use crate::pipeline::Refusal;

/// How long a browser may remember that it may send requests, in seconds.
const PREFLIGHT_AGE: &str = "3600";

/// The headers that front ends send with a request.
const ALLOWED_HEADERS: &str = "accept, apollo-require-preflight, apollographql-client-name, \
    apollographql-client-version, authorization, content-type, traceparent, tracestate, x-dermaga-position, \
    x-dermaga-profile";

/// The headers of an answer that a page may read.
const EXPOSED_HEADERS: &str = "etag, retry-after, x-dermaga-position, x-request-id";

/// Refuses what comes from a foreign page, and tells the browser which pages may read the answer.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<Data<State>>().cloned() else {
        return Err(actix_web::error::ErrorInternalServerError("a server without its state"));
    };
    if let Err(refusal) = check(request.headers(), &state) {
        state.metrics.error_shown(refusal.error.code);
        let response = response::refused(MediaType::Json, &super::graphql::new_request_id(), &refusal);
        return Ok(request.into_response(response));
    }
    let allowed = named(request.headers(), &state.allowed_origins).cloned();
    let mut response = match preflight(&request) {
        true => request.into_response(preflight_answer()),
        false => next.call(request).await?.map_into_boxed_body(),
    };
    if let Some(origin) = allowed {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    }
    Ok(response)
}

/// Whether a request may come from where it comes from.
fn check(headers: &HeaderMap, state: &State) -> Result<(), Refusal> {
    // Not what a proxy forwards: a page can send that itself.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let forbidden = |message| Err(Refusal::http(StatusCode::FORBIDDEN, code::FORBIDDEN, message));
    // Without sign-in the address is all that keeps others out, and a foreign name can be made to lead to it.
    if matches!(state.authenticator, Authenticator::Local(_)) && !is_loopback(host) {
        return forbidden("without sign-in this server is reached as localhost only");
    }
    if named(headers, &state.allowed_origins).is_some() {
        return Ok(());
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let same_origin = match headers.get(header::ORIGIN).map(HeaderValue::to_str) {
        None => matches!(site, None | Some(b"same-origin" | b"none")),
        // No page can forge the first; the second serves browsers that do not send it.
        Some(Ok(origin)) => site == Some(b"same-origin") || (site.is_none() && authority(origin) == Some(host)),
        Some(Err(_)) => false,
    };
    if same_origin { Ok(()) } else { forbidden("requests from pages of other sites are refused") }
}

/// The request's origin when it is allowed by name.
fn named<'a>(headers: &'a HeaderMap, allowed: &[String]) -> Option<&'a HeaderValue> {
    let mut origins = headers.get_all(header::ORIGIN);
    let only = origins.next().filter(|_| origins.next().is_none())?;
    allowed.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(only.as_bytes())).then_some(only)
}

/// `host:port` of an origin.
fn authority(origin: &str) -> Option<&str> {
    origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))
}

/// Whether a `Host` names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a browser asks for leave to send a request.
fn preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight_answer() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE))
        .insert_header((header::VARY, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that merely starts like this machine's is another machine.
    #[test]
    fn loopback_is_told_by_name_and_address() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "localhost.example", "127.0.0.1.example:80", "10.0.0.1", "[::2]:80", "evil.example:8080", "::1"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
