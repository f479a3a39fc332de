//! An HTTP answer out of a GraphQL one: the only place where an error becomes what a client sees.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use async_graphql::{Response, ServerError};
use serde_json::{Map, Value, json};

use super::request::Malformed;
use crate::error::{Error, code};

/// More errors than this help nobody.
const MAX_ERRORS: usize = 5;

/// Longest error message, in characters.
const MAX_MESSAGE: usize = 300;

/// The media type in which the answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/graphql-response+json`: the status tells whether the request was good.
    GraphqlResponse,
    /// `application/json`: the status is 200 whenever there is a GraphQL answer.
    Json,
}

impl MediaType {
    /// What the client accepts best; `None` when it accepts neither.
    pub fn accepted(request: &HttpRequest) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        let values: Vec<_> =
            request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).collect();
        if values.is_empty() {
            return Some(Self::Json);
        }
        for range in values.iter().flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/graphql-response+json" => Self::GraphqlResponse,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => continue,
            };
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
            if quality > 0 && best.is_none_or(|(other, _)| quality > other) {
                best = Some((quality, kind));
            }
        }
        best.map(|(_, kind)| kind)
    }

    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// `0.85` as 850. What is not a quality counts as 1, as most servers have it.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = format!("{fraction:0<3}").chars().take(3).collect();
    match (whole, digits.parse::<u16>()) {
        ("0", Ok(fraction)) => fraction,
        _ => 1_000,
    }
}

/// An error as a client sees it.
#[derive(Clone, Debug)]
pub struct ShownError {
    /// Its code.
    pub code: &'static str,
    json: Value,
}

/// The codes that the scalars give their errors.
const SCALAR_CODES: [&str; 4] =
    [code::INVALID_DECIMAL, code::INVALID_DATE, code::UNKNOWN_CURRENCY, code::INVALID_HS_CODE];

/// The errors of an answer as the client sees them. Faults of ours are logged here, once, with their causes.
pub fn shown_errors(errors: &[ServerError], request_id: &str) -> Vec<ShownError> {
    errors.iter().take(MAX_ERRORS).map(|error| shown_error(error, request_id)).collect()
}

fn shown_error(error: &ServerError, request_id: &str) -> ShownError {
    let (code, message) = match error.source::<Error>() {
        Some(ours @ Error::Caller { message, .. }) => (ours.code(), message.clone()),
        Some(ours) => {
            tracing::error!(request_id, code = ours.code(), cause = %ours.chain(), "a resolver failed");
            let words = match ours {
                Error::Unavailable(_) => "the database did not answer; try again later",
                _ => "something failed here; the request id leads to the log",
            };
            (ours.code(), words.to_owned())
        }
        // The engine's own errors: a scalar's carries its code, all others come from validation.
        None => (scalar_code(error).unwrap_or(code::VALIDATION_FAILED), error.message.clone()),
    };
    let mut extensions = Map::from_iter([("code".to_owned(), code.into())]);
    if matches!(code, code::INTERNAL | code::UNAVAILABLE) {
        extensions.insert("requestId".to_owned(), request_id.into());
    }
    let mut shown = Map::from_iter([("message".to_owned(), cut(&message).into())]);
    if !error.locations.is_empty() {
        let locations: Vec<_> =
            error.locations.iter().map(|at| json!({"line": at.line, "column": at.column})).collect();
        shown.insert("locations".to_owned(), locations.into());
    }
    if !error.path.is_empty() {
        shown.insert("path".to_owned(), serde_json::to_value(&error.path).unwrap_or_default());
    }
    shown.insert("extensions".to_owned(), extensions.into());
    ShownError { code, json: shown.into() }
}

fn scalar_code(error: &ServerError) -> Option<&'static str> {
    let value = error.extensions.as_ref()?.get("code")?;
    let async_graphql::Value::String(text) = value else { return None };
    SCALAR_CODES.into_iter().find(|code| code == text)
}

/// The first characters of a message.
fn cut(message: &str) -> String {
    message.chars().take(MAX_MESSAGE).collect()
}

/// An error that is about the request and not about a field.
pub fn request_error(code: &'static str, message: &str, request_id: Option<&str>) -> ShownError {
    let mut extensions = Map::from_iter([("code".to_owned(), code.into())]);
    if let Some(id) = request_id {
        extensions.insert("requestId".to_owned(), id.into());
    }
    ShownError { code, json: json!({"message": cut(message), "extensions": extensions}) }
}

/// The body of an answer: errors first, as people read them, then data, then extensions.
pub fn body(data: Option<&str>, errors: &[ShownError], extensions: Option<&Value>) -> String {
    let mut parts = Vec::new();
    if !errors.is_empty() {
        let errors: Vec<_> = errors.iter().map(|error| &error.json).collect();
        parts.push(format!("\"errors\":{}", json!(errors)));
    }
    if let Some(data) = data {
        parts.push(format!("\"data\":{data}"));
    }
    if let Some(extensions) = extensions {
        parts.push(format!("\"extensions\":{extensions}"));
    }
    format!("{{{}}}", parts.join(","))
}

/// Whether the request itself was at fault, so that nothing ran.
pub fn is_request_error(response: &Response) -> bool {
    response.data == async_graphql::Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// The answer to a GraphQL request that was understood as HTTP.
pub fn answer(media: MediaType, request_error: bool, request_id: &str, body: String) -> HttpResponse {
    let status =
        if request_error && media == MediaType::GraphqlResponse { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    headed(status, media, request_id).body(body)
}

/// The answer to an HTTP request that holds no GraphQL request.
pub(super) fn malformed(media: MediaType, request_id: &str, problem: &Malformed) -> HttpResponse {
    let error = request_error(problem.code, &problem.message, None);
    headed(problem.status, media, request_id).body(body(None, &[error], None))
}

fn headed(status: StatusCode, media: MediaType, request_id: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, media.header()))
        .insert_header((header::VARY, "Accept, Origin"))
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(("x-request-id", request_id));
    response
}
