//! Whose fault it is, and the code that the client sees.
//!
//! A caller's mistake carries a code and words for the caller. Everything else keeps its cause chain for
//! the log and shows the caller a code alone. The conversion to a GraphQL error is in
//! [`crate::http::response`] and nowhere else.

use std::error::Error as StdError;
use std::sync::Arc;

use crate::store;

/// The codes that stand in `extensions.code`.
pub mod code {
    /// The document is not GraphQL.
    pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
    /// The document does not fit the schema, or a variable does not fit its type.
    pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
    /// The HTTP request holds no GraphQL request.
    pub const BAD_REQUEST: &str = "BAD_REQUEST";
    /// A token is missing, malformed, expired or not meant for here.
    pub const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
    /// Signed in, and not allowed to do this; or sent by a page of a site that is not allowed to.
    pub const FORBIDDEN: &str = "FORBIDDEN";
    /// The operation asks for too much: fields, aliases, directives, depth or cost.
    pub const TOO_COMPLEX: &str = "OPERATION_TOO_COMPLEX";
    /// The schema cannot be asked for here.
    pub const INTROSPECTION_DISABLED: &str = "INTROSPECTION_DISABLED";
    /// No document is kept under this hash: send it with its text.
    pub const PERSISTED_QUERY_NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
    /// Documents are not kept here.
    pub const PERSISTED_QUERY_NOT_SUPPORTED: &str = "PERSISTED_QUERY_NOT_SUPPORTED";
    /// The hash is not that of the text.
    pub const PERSISTED_QUERY_HASH_MISMATCH: &str = "PERSISTED_QUERY_HASH_MISMATCH";
    /// Only documents of the manifest are run, and this is none.
    pub const UNTRUSTED_DOCUMENT: &str = "UNTRUSTED_DOCUMENT";
    /// Too much was asked for in this window. Try again later.
    pub const RATE_LIMITED: &str = "RATE_LIMITED";
    /// The operation took too long and was stopped.
    pub const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
    /// An argument's value is of the right type and still makes no sense.
    pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
    /// A cursor is malformed, or from a list with another order, filter or parent.
    pub const INVALID_CURSOR: &str = "INVALID_CURSOR";
    /// `first` or `last` is out of range, or both are given.
    pub const INVALID_PAGE: &str = "INVALID_PAGE";
    /// A global id is malformed.
    pub const INVALID_ID: &str = "INVALID_ID";
    /// A decimal is not one, or has too many digits.
    pub const INVALID_DECIMAL: &str = "INVALID_DECIMAL";
    /// A date or a time is malformed or does not exist.
    pub const INVALID_DATE: &str = "INVALID_DATE";
    /// No such ISO 4217 code.
    pub const UNKNOWN_CURRENCY: &str = "UNKNOWN_CURRENCY";
    /// An idempotency key is too short, too long, or not printable ASCII.
    pub const INVALID_IDEMPOTENCY_KEY: &str = "INVALID_IDEMPOTENCY_KEY";
    /// A whole number is malformed or has more than 64 bits.
    pub const INVALID_BIG_INT: &str = "INVALID_BIG_INT";
    /// What an argument names does not exist, or belongs to another account.
    pub const NOT_FOUND: &str = "NOT_FOUND";
    /// A commodity code is malformed.
    pub const INVALID_HS_CODE: &str = "INVALID_HS_CODE";
    /// Something failed here. The request id leads to the log.
    pub const INTERNAL: &str = "INTERNAL_SERVER_ERROR";
    /// The database did not answer, or has no room for what is to be written. Try again later.
    pub const UNAVAILABLE: &str = "SERVICE_UNAVAILABLE";
}

/// A failure, and whose fault it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The caller asked for what cannot be.
    #[error("{message}")]
    Caller {
        /// One of [`code`].
        code: &'static str,
        /// Words for the caller.
        message: String,
    },
    /// The database did not answer, or has no room for what is to be written.
    #[error("the database is not available")]
    Unavailable(#[source] Arc<dyn StdError + Send + Sync>),
    /// A fault of this program or of its data.
    #[error("internal error")]
    Internal(#[source] Arc<dyn StdError + Send + Sync>),
}

/// A result that fails with [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The caller's mistake.
    pub fn caller(code: &'static str, message: impl Into<String>) -> Self {
        Self::Caller { code, message: message.into() }
    }

    /// A fault of this program or of its data.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(Arc::from(cause.into()))
    }

    /// What the client sees in `extensions.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Caller { code, .. } => code,
            Self::Unavailable(_) => code::UNAVAILABLE,
            Self::Internal(_) => code::INTERNAL,
        }
    }

    /// Whether it is one of many of the same outage, which was logged when it began.
    pub fn is_refused(&self) -> bool {
        let Self::Unavailable(cause) = self else { return false };
        cause.downcast_ref::<sea_orm::DbErr>().is_some_and(store::is_refused)
    }

    /// The error and its causes on one line, for a log.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error and its causes on one line, each cause once.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        // Some libraries repeat their cause in their own words.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = next.source();
    }
    text
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        let is_conn = matches!(error, sea_orm::DbErr::Conn(_));
        if is_conn || store::is_unreachable(&error) || store::is_exhausted(&error) {
            Self::Unavailable(Arc::new(error))
        } else {
            Self::Internal(Arc::new(error))
        }
    }
}
