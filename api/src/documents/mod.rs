//! Documents that clients need not send: persisted by hash, or trusted by a manifest.

use std::sync::Arc;

use crate::pipeline::{GraphqlRequest, Refusal};

/// Where documents are looked up.
#[derive(Debug, Default)]
pub struct Documents;

/// The text of a document.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The text.
    pub text: Arc<str>,
    /// The hash under which it is to be kept, once it has proved valid.
    pub keep: Option<String>,
}

impl Documents {
    /// The document that a request means.
    ///
    /// # Errors
    /// When there is none.
    #[allow(clippy::unused_async, reason = "asks a shared store once there is one")]
    pub async fn resolve(&self, request: &GraphqlRequest) -> Result<Resolved, Refusal> {
        match &request.query {
            Some(text) => Ok(Resolved { text: text.as_str().into(), keep: None }),
            None => Err(Refusal::malformed("query must be a string")),
        }
    }

    /// Keeps a document that proved valid.
    #[allow(clippy::unused_async, reason = "tells a shared store once there is one")]
    pub async fn keep(&self, _hash: &str, _text: &Arc<str>) {}
}
