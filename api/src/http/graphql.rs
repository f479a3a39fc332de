//! `/graphql` over HTTP.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Request, Response, Variables};
use futures_util::{FutureExt, StreamExt};
use uuid::Uuid;

use super::request::{GraphqlRequest, Malformed};
use super::response::{self, MediaType, ShownError};
use super::{guard, profile};
use crate::app::State;
use crate::error::code;
use crate::graphql::context::{RequestContext, Role};
use crate::graphql::timing::Stages;
use crate::loaders::{Loads, Source, operation};
use crate::metrics::Outcome;
use crate::store::Meter;

/// Longest body, in bytes.
const MAX_BODY: usize = 1_024 * 1_024;

/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request in a JSON body.
pub async fn post(http: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let request_id = Uuid::now_v7().to_string();
    let Some(media) = MediaType::accepted(&http) else { return not_acceptable(&request_id) };
    let request = match read_body(&http, payload).await {
        Ok(body) => GraphqlRequest::from_json(&body),
        Err(problem) => Err(problem),
    };
    serve(&http, &state, media, &request_id, request).await
}

/// A query in the query string.
pub async fn get(http: HttpRequest, state: Data<State>) -> HttpResponse {
    let request_id = Uuid::now_v7().to_string();
    let Some(media) = MediaType::accepted(&http) else { return not_acceptable(&request_id) };
    let request = GraphqlRequest::from_query_string(http.query_string());
    serve(&http, &state, media, &request_id, request).await
}

/// Any other method.
pub async fn method_not_allowed() -> HttpResponse {
    let problem = Malformed::new(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST are served here");
    let mut response = response::malformed(MediaType::Json, &Uuid::now_v7().to_string(), &problem);
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, POST"));
    response
}

fn not_acceptable(request_id: &str) -> HttpResponse {
    let message = "only application/graphql-response+json and application/json can be sent";
    response::malformed(MediaType::Json, request_id, &Malformed::new(StatusCode::NOT_ACCEPTABLE, message))
}

async fn read_body(http: &HttpRequest, mut payload: Payload) -> Result<Vec<u8>, Malformed> {
    let content_type =
        http.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Malformed::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json"));
    }
    let mut body = Vec::new();
    let read = async {
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Malformed::new(StatusCode::BAD_REQUEST, "the body ended too early"))?;
            if body.len() + chunk.len() > MAX_BODY {
                let message = format!("the body is longer than {MAX_BODY} bytes");
                return Err(Malformed::new(StatusCode::PAYLOAD_TOO_LARGE, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(())
    };
    match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(result) => result.map(|()| body),
        Err(_) => Err(Malformed::new(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

async fn serve(
    http: &HttpRequest,
    state: &State,
    media: MediaType,
    request_id: &str,
    request: Result<GraphqlRequest, Malformed>,
) -> HttpResponse {
    let start = Instant::now();
    let meter = Arc::new(Meter::default());
    let mut kind = "invalid";
    let (outcome, answer) = match request {
        Err(problem) => {
            state.metrics.error_shown(problem.code);
            (Outcome::Refused, response::malformed(media, request_id, &problem))
        }
        Ok(request) => match parse(http, &request) {
            Err(refusal) => {
                state.metrics.error_shown(refusal.error().code);
                (Outcome::Refused, refusal.answer(media, request_id))
            }
            Ok((document, operation)) => {
                kind = operation;
                execute(http, state, media, request_id, request, document, start.elapsed(), &meter).await
            }
        },
    };
    state.metrics.operation_ended(kind, outcome, start.elapsed(), &meter);
    answer
}

/// Why a document is not executed.
enum Refusal {
    /// As GraphQL: the document is at fault.
    Document(ShownError),
    /// As HTTP: the method is.
    Method(Malformed),
}

impl Refusal {
    fn error(&self) -> ShownError {
        match self {
            Self::Document(error) => error.clone(),
            Self::Method(problem) => response::request_error(problem.code, &problem.message, None),
        }
    }

    fn answer(&self, media: MediaType, request_id: &str) -> HttpResponse {
        match self {
            Self::Document(error) => {
                response::answer(media, true, request_id, response::body(None, std::slice::from_ref(error), None))
            }
            Self::Method(problem) => {
                let mut answer = response::malformed(media, request_id, problem);
                answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
                answer
            }
        }
    }
}

/// The parsed document, and the type of the operation to run.
fn parse(http: &HttpRequest, request: &GraphqlRequest) -> Result<(ExecutableDocument, &'static str), Refusal> {
    let refused = |message: &str| Refusal::Document(response::request_error(code::PARSE_FAILED, message, None));
    guard::check(&request.query).map_err(|message| refused(&message))?;
    let document = async_graphql::parser::parse_query(&request.query).map_err(|error| {
        let at = error.positions().next();
        let place = at.map_or(String::new(), |at| format!(" at line {}, column {}", at.line, at.column));
        refused(&format!("the document is not GraphQL{place}"))
    })?;
    let operation = match &document.operations {
        DocumentOperations::Single(operation) => Some(operation),
        DocumentOperations::Multiple(operations) => match &request.operation_name {
            Some(name) => operations.get(name.as_str()),
            None => None,
        },
    };
    let kind = match operation.map(|operation| operation.node.ty) {
        Some(OperationType::Query) => "query",
        Some(OperationType::Mutation) => "mutation",
        Some(OperationType::Subscription) => "subscription",
        // The engine says what is wrong with the name.
        None => "invalid",
    };
    if let Some(name) = operation.and_then(|operation| missing_variable(&operation.node, &request.variables)) {
        let message = format!("the variable ${name} is needed and not given");
        return Err(Refusal::Document(response::request_error(code::VALIDATION_FAILED, &message, None)));
    }
    if kind == "mutation" && http.method() != actix_web::http::Method::POST {
        let problem = Malformed::new(StatusCode::METHOD_NOT_ALLOWED, "a mutation must be sent with POST");
        return Err(Refusal::Method(problem));
    }
    Ok((document, kind))
}

/// A variable that must not be null and is. The engine looks at a variable only where it is used, and takes a
/// missing one for a missing argument.
fn missing_variable<'a>(operation: &'a OperationDefinition, variables: &Variables) -> Option<&'a str> {
    let missing = operation.variable_definitions.iter().map(|definition| &definition.node).find(|definition| {
        let needed = !definition.var_type.node.nullable;
        needed
            && match variables.get(&definition.name.node) {
                Some(value) => *value == async_graphql::Value::Null,
                None => definition.default_value.is_none(),
            }
    });
    missing.map(|definition| definition.name.node.as_str())
}

#[allow(clippy::too_many_arguments, reason = "the parts of one request, used once")]
async fn execute(
    http: &HttpRequest,
    state: &State,
    media: MediaType,
    request_id: &str,
    request: GraphqlRequest,
    document: ExecutableDocument,
    parse_time: Duration,
    meter: &Arc<Meter>,
) -> (Outcome, HttpResponse) {
    let caller = state.caller.clone();
    let profiled = caller.role == Role::Admin && http.headers().get(profile::HEADER).is_some_and(|value| value == "1");
    let source = Source { reader: state.database.reader(Arc::clone(meter)), account: caller.account };
    let loads = Arc::new(Loads::new(source));
    let stages = Stages::default();
    let mut prepared = Request::new(request.query).variables(request.variables);
    prepared.operation_name = request.operation_name;
    prepared.set_parsed_query(document);
    prepared = prepared
        .data(RequestContext {
            caller,
            loads: Arc::clone(&loads),
            clock: state.clock.clone(),
            max_page_size: state.max_page_size,
        })
        .data(stages.clone());
    let schema = if profiled { &state.timed_schema } else { &state.schema };
    let run = operation::run(&loads, schema.execute(prepared));
    let result: Response = match AssertUnwindSafe(run).catch_unwind().await {
        Ok(result) => result,
        Err(_) => {
            tracing::error!(request_id, "an operation panicked");
            let words = "something failed here; the request id leads to the log";
            let error = response::request_error(code::INTERNAL, words, Some(request_id));
            state.metrics.error_shown(error.code);
            let body = response::body(Some("null"), &[error], None);
            return (Outcome::Partial, response::answer(media, false, request_id, body));
        }
    };
    let refused = response::is_request_error(&result);
    let errors = response::shown_errors(&result.errors, request_id);
    for error in &errors {
        state.metrics.error_shown(error.code);
    }
    let serialising = Instant::now();
    let data = (!refused).then(|| serde_json::to_string(&result.data).unwrap_or_else(|_| "null".to_owned()));
    let serialise_time = serialising.elapsed();
    let extensions = profiled
        .then(|| serde_json::json!({"profile": profile::profile(meter, parse_time, stages.taken(), serialise_time)}));
    let body = response::body(data.as_deref(), &errors, extensions.as_ref());
    let outcome = match (refused, errors.is_empty()) {
        (true, _) => Outcome::Refused,
        (false, true) => Outcome::Success,
        (false, false) => Outcome::Partial,
    };
    (outcome, response::answer(media, refused, request_id, body))
}
