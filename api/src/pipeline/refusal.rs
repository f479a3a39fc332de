//! Why a request is not run.

use std::time::Duration;

use actix_web::http::StatusCode;
use serde_json::Value;

use super::errors::{RETRY_AFTER, ShownError};
use crate::auth::{Reason, Unauthenticated};
use crate::error::code;
use crate::{guard, quota};

/// Why a request is not run.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP status, whatever media type the answer has. `None` when the request was understood as HTTP and
    /// its document is at fault: then the media type decides.
    pub status: Option<StatusCode>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// What `WWW-Authenticate` asks for.
    pub challenge: Option<&'static str>,
    /// What the client is shown.
    pub error: ShownError,
}

impl Refusal {
    /// The HTTP request holds no GraphQL request.
    pub fn malformed(message: impl AsRef<str>) -> Self {
        Self::http(StatusCode::BAD_REQUEST, code::BAD_REQUEST, message)
    }

    /// Something that HTTP has a status for.
    pub fn http(status: StatusCode, code: &'static str, message: impl AsRef<str>) -> Self {
        Self {
            status: Some(status),
            retry_after: None,
            challenge: None,
            error: ShownError::new(code, message.as_ref()),
        }
    }

    /// The document is at fault.
    pub fn document(code: &'static str, message: impl AsRef<str>) -> Self {
        Self { status: None, retry_after: None, challenge: None, error: ShownError::new(code, message.as_ref()) }
    }

    /// The caller spent too much, or wants to.
    pub fn quota(exceeded: &quota::Exceeded) -> Self {
        let (budget, retry_after) = match *exceeded {
            quota::Exceeded::Spent { budget, retry_after } => (budget, retry_after),
            // Not to be tried again, so it is not said to be a matter of time.
            quota::Exceeded::Never { cost, limit } => {
                let message = format!("the operation costs {cost}, which is more than the whole quota of {limit}");
                return Self::document(code::TOO_COMPLEX, message);
            }
        };
        let message = format!("the quota of {} is spent; try again later", budget.limit);
        let error = ShownError::new(code::RATE_LIMITED, &message)
            .with("remaining", budget.remaining.into())
            .with("retryAfterSeconds", retry_after.as_secs().into());
        let status = Some(StatusCode::TOO_MANY_REQUESTS);
        Self { status, retry_after: Some(retry_after), challenge: None, error }
    }

    /// The errors as JSON.
    pub fn errors(&self) -> Value {
        Value::Array(vec![self.error.json().clone()])
    }
}

impl From<Unauthenticated> for Refusal {
    fn from(unauthenticated: Unauthenticated) -> Self {
        let message = unauthenticated.message;
        let refused = |challenge| Self {
            challenge: Some(challenge),
            ..Self::http(StatusCode::UNAUTHORIZED, code::UNAUTHENTICATED, message)
        };
        match unauthenticated.reason {
            // RFC 6750: a request without a token is not told of an error.
            Reason::NoToken => refused("Bearer"),
            Reason::BadToken => refused("Bearer error=\"invalid_token\""),
            Reason::Unavailable => {
                let error = ShownError::new(code::UNAVAILABLE, message);
                Self {
                    status: Some(StatusCode::SERVICE_UNAVAILABLE),
                    retry_after: Some(Duration::from_secs(RETRY_AFTER)),
                    challenge: None,
                    error: error.with("retryAfterSeconds", RETRY_AFTER.into()),
                }
            }
        }
    }
}

impl From<guard::Refusal> for Refusal {
    fn from(refusal: guard::Refusal) -> Self {
        let error = ShownError::new(refusal.code, &refusal.message);
        Self { status: None, retry_after: None, challenge: None, error: error.at(refusal.position) }
    }
}
