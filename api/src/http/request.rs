//! A GraphQL request out of an HTTP request.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web::Query;
use async_graphql::Variables;
use serde::Deserialize;

use crate::error::code;

/// What a client asks: a document, which operation of it, and its variables.
#[derive(Clone, Debug)]
pub(super) struct GraphqlRequest {
    pub(super) query: String,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
}

/// Why an HTTP request holds no GraphQL request.
#[derive(Clone, Debug)]
pub(super) struct Malformed {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Malformed {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, code: code::BAD_REQUEST, message: message.into() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    query: Option<serde_json::Value>,
    operation_name: Option<serde_json::Value>,
    variables: Option<serde_json::Value>,
    extensions: Option<serde_json::Value>,
}

impl GraphqlRequest {
    /// Reads the JSON object of a POST.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, Malformed> {
        let bad = |message: &str| Malformed::new(StatusCode::BAD_REQUEST, message);
        let value: serde_json::Value = serde_json::from_slice(body).map_err(|_| bad("the body is not JSON"))?;
        if !value.is_object() {
            return Err(bad("the body is not a JSON object"));
        }
        let parameters = serde_json::from_value(value).map_err(|_| bad("the body is not a GraphQL request"))?;
        Self::from_parameters(parameters)
    }

    /// Reads the parameters of a GET.
    pub(super) fn from_query_string(text: &str) -> Result<Self, Malformed> {
        let bad = |message: &str| Malformed::new(StatusCode::BAD_REQUEST, message);
        let fields = Query::<HashMap<String, String>>::from_query(text)
            .map_err(|_| bad("the query string is not understood"))?
            .into_inner();
        let json = |name: &str| {
            let text = fields.get(name).filter(|text| !text.is_empty());
            text.map(|text| serde_json::from_str(text).map_err(|_| bad(&format!("{name} is not JSON")))).transpose()
        };
        Self::from_parameters(Parameters {
            query: fields.get("query").map(|text| text.as_str().into()),
            operation_name: fields
                .get("operationName")
                .filter(|text| !text.is_empty())
                .map(|text| text.as_str().into()),
            variables: json("variables")?,
            extensions: json("extensions")?,
        })
    }

    fn from_parameters(parameters: Parameters) -> Result<Self, Malformed> {
        use serde_json::Value;
        let bad = |message: &str| Malformed::new(StatusCode::BAD_REQUEST, message);
        let query = match parameters.query {
            Some(Value::String(text)) => text,
            _ => return Err(bad("query must be a string")),
        };
        let operation_name = match parameters.operation_name {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name),
            Some(_) => return Err(bad("operationName must be a string")),
        };
        let variables = match parameters.variables {
            None | Some(Value::Null) => Variables::default(),
            Some(object @ Value::Object(_)) => Variables::from_json(object),
            Some(_) => return Err(bad("variables must be an object")),
        };
        if !matches!(parameters.extensions, None | Some(Value::Null | Value::Object(_))) {
            return Err(bad("extensions must be an object"));
        }
        Ok(Self { query, operation_name, variables })
    }
}
