//! Errors as clients see them: the only place where an error becomes visible.

use async_graphql::{Pos, Response, ServerError};
use serde_json::{Map, Value, json};

use crate::error::{Error, code};
use crate::telemetry::traces;

/// More errors than this help nobody.
const MAX_ERRORS: usize = 5;

/// Longest error message, in characters.
const MAX_MESSAGE: usize = 300;

/// In how many seconds it may be worth asking again when the database is not available.
pub const RETRY_AFTER: u64 = 1;

/// An error as a client sees it.
#[derive(Clone, Debug)]
pub struct ShownError {
    /// Its code.
    pub code: &'static str,
    json: Value,
}

impl ShownError {
    /// An error that is about the request and not about a field.
    pub fn new(code: &'static str, message: &str) -> Self {
        Self { code, json: json!({"message": cut(message), "extensions": {"code": code}}) }
    }

    /// The same with one more entry in its extensions.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.json["extensions"][name] = value;
        self
    }

    /// The same with what leads to the log, and to the trace where there is one.
    #[must_use]
    pub fn with_ids(self, request_id: &str) -> Self {
        let named = self.with("requestId", request_id.into());
        match traces::current() {
            Some((trace, _)) => named.with("traceId", trace.to_string().into()),
            None => named,
        }
    }

    /// The same with a place in the document.
    #[must_use]
    pub fn at(mut self, position: Option<Pos>) -> Self {
        if let Some(at) = position {
            self.json["locations"] = json!([{"line": at.line, "column": at.column}]);
        }
        self
    }

    /// What the client gets.
    pub fn json(&self) -> &Value {
        &self.json
    }
}

/// The codes that the scalars give their errors.
const SCALAR_CODES: [&str; 6] = [
    code::INVALID_DECIMAL,
    code::INVALID_DATE,
    code::UNKNOWN_CURRENCY,
    code::INVALID_HS_CODE,
    code::INVALID_IDEMPOTENCY_KEY,
    code::INVALID_BIG_INT,
];

/// The errors of an answer as the client sees them. Faults of ours are logged here, once, with their causes.
pub fn shown_errors(errors: &[ServerError], request_id: &str) -> Vec<ShownError> {
    errors.iter().take(MAX_ERRORS).map(|error| shown_error(error, request_id)).collect()
}

fn shown_error(error: &ServerError, request_id: &str) -> ShownError {
    let (code, message) = match error.source::<Error>() {
        Some(ours @ Error::Caller { message, .. }) => (ours.code(), message.clone()),
        Some(ours) => {
            if !ours.is_refused() {
                tracing::error!(request_id, code = ours.code(), cause = %ours.chain(), "a resolver failed");
            }
            let words = match ours {
                Error::Unavailable(_) => "the database is not available; try again later",
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
        if let Some((trace, _)) = traces::current() {
            extensions.insert("traceId".to_owned(), trace.to_string().into());
        }
    }
    if code == code::UNAVAILABLE {
        extensions.insert("retryAfterSeconds".to_owned(), RETRY_AFTER.into());
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

/// Whether the request itself was at fault, so that nothing ran.
pub fn is_request_error(response: &Response) -> bool {
    response.data == async_graphql::Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}
