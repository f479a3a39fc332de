//! A GraphQL request as clients send it.

use std::collections::HashMap;

use actix_web::web::Query;
use async_graphql::Variables;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Refusal;

/// Most JSON values in one request. A parsed value takes many times the bytes of its text, so that a megabyte of
/// zeros would become a hundred. Five hundred payments with their lines and plans have some ten thousand values.
const MAX_VALUES: usize = 50_000;

/// What a client asks: a document, which operation of it, and its variables.
#[derive(Clone, Debug)]
pub struct GraphqlRequest {
    /// The text of the document. `None` when it is named by its hash or id.
    pub query: Option<String>,
    /// The id of a document that is not sent: `documentId`, or without a text what Relay calls `id` or `doc_id`.
    pub document_id: Option<String>,
    /// Which operation of the document.
    pub operation_name: Option<String>,
    /// The variables.
    pub variables: Variables,
    /// What else the client says.
    pub extensions: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters<'a> {
    #[serde(borrow)]
    query: Option<&'a RawValue>,
    #[serde(borrow)]
    operation_name: Option<&'a RawValue>,
    #[serde(borrow)]
    variables: Option<&'a RawValue>,
    #[serde(borrow)]
    extensions: Option<&'a RawValue>,
    #[serde(borrow)]
    document_id: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "doc_id")]
    doc_id: Option<&'a RawValue>,
}

impl GraphqlRequest {
    /// Reads a JSON object.
    ///
    /// # Errors
    /// When it is none, or holds no GraphQL request.
    pub fn from_json(body: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(body).map_err(|_| Refusal::malformed("the body is not UTF-8"))?;
        if values(text) > MAX_VALUES {
            return Err(Refusal::malformed(format!("the request has more than {MAX_VALUES} values")));
        }
        if !text.trim_start().starts_with('{') {
            let message = if serde_json::from_str::<&RawValue>(text).is_ok() {
                "the body is not a JSON object"
            } else {
                "the body is not JSON"
            };
            return Err(Refusal::malformed(message));
        }
        let parameters: Parameters<'_> =
            serde_json::from_str(text).map_err(|_| Refusal::malformed("the body is not JSON"))?;
        Self::from_parameters(&parameters)
    }

    /// Reads a JSON array of at most `most` objects. One that holds no GraphQL request fails alone.
    ///
    /// # Errors
    /// When it is no array, or too long.
    pub fn batch_from_json(body: &[u8], most: usize) -> Result<Vec<Result<Self, Refusal>>, Refusal> {
        let text = std::str::from_utf8(body).map_err(|_| Refusal::malformed("the body is not UTF-8"))?;
        if values(text) > MAX_VALUES {
            return Err(Refusal::malformed(format!("the request has more than {MAX_VALUES} values")));
        }
        let items: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|_| Refusal::malformed("the body is not JSON"))?;
        if items.is_empty() || items.len() > most {
            return Err(Refusal::malformed(format!("an array holds from 1 to {most} requests")));
        }
        Ok(items.into_iter().map(|item| Self::from_json(item.get().as_bytes())).collect())
    }

    /// Reads the parameters of a query string.
    ///
    /// # Errors
    /// When they are no GraphQL request.
    pub fn from_query_string(text: &str) -> Result<Self, Refusal> {
        let fields = Query::<HashMap<String, String>>::from_query(text)
            .map_err(|_| Refusal::malformed("the query string is not understood"))?
            .into_inner();
        let field = |name: &str| fields.get(name).filter(|text| !text.is_empty()).map(String::as_str);
        let query = fields.get("query").cloned();
        let other = || field("id").or_else(|| field("doc_id")).filter(|_| query.is_none());
        Ok(Self {
            document_id: field("documentId").or_else(other).map(str::to_owned),
            query,
            operation_name: field("operationName").map(str::to_owned),
            variables: field("variables").map(|text| object("variables", text)).transpose()?.unwrap_or_default(),
            extensions: field("extensions").map(|text| object("extensions", text)).transpose()?.unwrap_or_default(),
        })
    }

    fn from_parameters(parameters: &Parameters<'_>) -> Result<Self, Refusal> {
        let given =
            |value: Option<&'_ RawValue>| value.map(RawValue::get).filter(|text| *text != "null").map(str::to_owned);
        let string = |name: &str, value| {
            let text = given(value);
            text.map(|text| {
                serde_json::from_str::<String>(&text)
                    .map_err(|_| Refusal::malformed(format!("{name} must be a string")))
            })
            .transpose()
        };
        let query = string("query", parameters.query)?;
        // Beside a text, `id` is whatever the client likes, as any member that nobody has defined.
        let other = || [parameters.id, parameters.doc_id].into_iter().find_map(|id| string("id", id).ok().flatten());
        let document_id = string("documentId", parameters.document_id)?;
        Ok(Self {
            document_id: if query.is_none() { document_id.or_else(other) } else { document_id },
            query,
            operation_name: string("operationName", parameters.operation_name)?,
            variables: given(parameters.variables)
                .map(|text| object("variables", &text))
                .transpose()?
                .unwrap_or_default(),
            extensions: given(parameters.extensions)
                .map(|text| object("extensions", &text))
                .transpose()?
                .unwrap_or_default(),
        })
    }
}

/// A JSON object.
fn object<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, Refusal> {
    if !text.trim_start().starts_with('{') || values(text) > MAX_VALUES {
        return Err(Refusal::malformed(format!("{name} must be an object of at most {MAX_VALUES} values")));
    }
    serde_json::from_str(text).map_err(|_| Refusal::malformed(format!("{name} is not JSON")))
}

/// About how many values a JSON text has: each but the first stands behind a comma, a colon or an open bracket.
fn values(text: &str) -> usize {
    let (mut count, mut quoted, mut escaped) = (1, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b':' | b'[' | b'{' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is inside strings is no structure.
    #[test]
    fn values_are_counted_outside_strings() {
        assert_eq!(values("1"), 1);
        assert_eq!(values(r#"{"a": [1, 2]}"#), 5);
        assert_eq!(values(r#""[,:{\",,,""#), 1);
    }

    /// A megabyte of zeros is refused before it is parsed.
    #[test]
    fn many_values_are_refused() {
        let body = format!(r#"{{"query": "{{ a }}", "variables": {{"a": [{}0]}}}}"#, "0,".repeat(MAX_VALUES));
        assert!(GraphqlRequest::from_json(body.as_bytes()).is_err());
        let body = format!(r#"{{"query": "{{ a }}", "variables": {{"a": [{}0]}}}}"#, "0,".repeat(1_000));
        assert!(GraphqlRequest::from_json(body.as_bytes()).is_ok());
    }
}
