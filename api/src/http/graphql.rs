//! `/graphql` over plain HTTP.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use async_graphql::parser::types::OperationType;
use futures_util::StreamExt;
use uuid::Uuid;

use super::response::{self, MediaType};
use super::traced::traced;
use super::{live, websocket};
use crate::app::State;
use crate::config::TransportLimits;
use crate::error::code;
use crate::pipeline::{self, Envelope, Executed, GraphqlRequest, Peer, Prepared, Refusal};
use crate::store::standby::NoPosition;

/// The header that asks for a profile.
pub(super) const PROFILE: &str = "x-dermaga-profile";

/// A request in a JSON body.
pub async fn post(http: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    traced(&http, answer_post(&http, payload, &state)).await
}

async fn answer_post(http: &HttpRequest, payload: Payload, state: &Data<State>) -> HttpResponse {
    let request_id = new_request_id();
    let Some(media) = MediaType::accepted(http) else { return not_acceptable(&request_id) };
    let request = match read_body(http, payload, &state.transport).await {
        Ok(body) if state.transport.batch > 0 && body.trim_ascii_start().starts_with(b"[") => {
            return batch(http, state, request_id, &body).await;
        }
        Ok(body) => GraphqlRequest::from_json(&body),
        Err(refusal) => Err(refusal),
    };
    answer(http, state, media, request_id, request).await
}

/// The requests of a JSON array, side by side, each with loads of its own. The answers are in their order.
async fn batch(http: &HttpRequest, state: &Data<State>, request_id: String, body: &[u8]) -> HttpResponse {
    let requests = match GraphqlRequest::batch_from_json(body, state.transport.batch) {
        Ok(requests) => requests,
        Err(refusal) => return refused(state, MediaType::Json, &request_id, &refusal),
    };
    let peer = match peer(http, state).await {
        Ok(peer) => peer,
        Err(refusal) => return refused(state, MediaType::Json, &request_id, &refusal),
    };
    let whole = match envelope(http, &request_id) {
        Ok(envelope) => envelope,
        Err(refusal) => return refused(state, MediaType::Json, &request_id, &refusal),
    };
    let answers = requests.into_iter().enumerate().map(async |(at, request)| {
        let mut envelope = whole.clone();
        envelope.request_id = format!("{request_id}-{at}");
        let prepared =
            async { executable(pipeline::prepare(state, &peer, envelope, request?).await?, MediaType::Json) };
        match prepared.await {
            Ok(prepared) => prepared.run().await,
            Err(refusal) => Executed::refused(&refusal),
        }
    });
    let answers = futures_util::future::join_all(answers).await;
    response::batch(&request_id, &answers)
}

/// A query in the query string.
pub async fn get(http: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    if websocket::is_asked_for(&http) {
        return websocket::open(&http, payload, &state);
    }
    traced(&http, answer_get(&http, &state)).await
}

async fn answer_get(http: &HttpRequest, state: &Data<State>) -> HttpResponse {
    let request_id = new_request_id();
    let Some(media) = MediaType::accepted(http) else { return not_acceptable(&request_id) };
    let request = GraphqlRequest::from_query_string(http.query_string());
    answer(http, state, media, request_id, request).await
}

/// Any other method.
pub async fn method_not_allowed() -> HttpResponse {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let refusal = Refusal::http(status, code::BAD_REQUEST, "only GET and POST are served here");
    let mut response = response::refused(MediaType::Json, &new_request_id(), &refusal);
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, POST"));
    response
}

fn not_acceptable(request_id: &str) -> HttpResponse {
    let message = "only application/graphql-response+json, application/json, text/event-stream and \
        multipart/mixed;subscriptionSpec=1.0 can be sent";
    let refusal = Refusal::http(StatusCode::NOT_ACCEPTABLE, code::BAD_REQUEST, message);
    response::refused(MediaType::Json, request_id, &refusal)
}

/// The id of a request, in the log and in the answer.
pub(super) fn new_request_id() -> String {
    Uuid::now_v7().to_string()
}

/// Who sends a request.
pub(super) async fn peer(http: &HttpRequest, state: &State) -> Result<Peer, Refusal> {
    let mut authorizations = http.headers().get_all(header::AUTHORIZATION);
    let authorization = match (authorizations.next(), authorizations.next()) {
        // Of several, each program on the way may take another one.
        (Some(_), Some(_)) => Some(""),
        (one, _) => one.map(|value| value.to_str().unwrap_or_default()),
    };
    let caller = state.authenticator.caller(authorization).await?;
    Ok(Peer { caller, address: address(http) })
}

/// The address of the connection.
pub(super) fn address(http: &HttpRequest) -> IpAddr {
    http.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip())
}

async fn read_body(http: &HttpRequest, mut payload: Payload, limits: &TransportLimits) -> Result<Vec<u8>, Refusal> {
    let bad = |status, message: &str| Refusal::http(status, code::BAD_REQUEST, message);
    let content_type =
        http.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json"));
    }
    if http.headers().get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must not be compressed"));
    }
    let mut body = Vec::new();
    let read = async {
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| bad(StatusCode::BAD_REQUEST, "the body ended too early"))?;
            if body.len() + chunk.len() > limits.body_bytes {
                let message = format!("the body is longer than {} bytes", limits.body_bytes);
                return Err(bad(StatusCode::PAYLOAD_TOO_LARGE, &message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(())
    };
    match tokio::time::timeout(limits.body_timeout, read).await {
        Ok(result) => result.map(|()| body),
        Err(_) => Err(bad(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

fn envelope(http: &HttpRequest, request_id: &str) -> Result<Envelope, Refusal> {
    let position = http.headers().get(response::POSITION).map(|value| value.to_str().unwrap_or_default().parse());
    let at_least = position.transpose().map_err(|error: NoPosition| {
        Refusal::http(StatusCode::BAD_REQUEST, code::BAD_REQUEST, format!("{}: {error}", response::POSITION))
    })?;
    Ok(Envelope {
        request_id: request_id.to_owned(),
        read_only: http.method() != actix_web::http::Method::POST,
        profile: http.headers().get(PROFILE).is_some_and(|value| value == "1"),
        at_least,
    })
}

async fn answer(
    http: &HttpRequest,
    state: &Data<State>,
    media: MediaType,
    request_id: String,
    request: Result<GraphqlRequest, Refusal>,
) -> HttpResponse {
    let (envelope, request) = match envelope(http, &request_id).and_then(|envelope| Ok((envelope, request?))) {
        Ok(both) => both,
        Err(refusal) => return refused(state, media, &request_id, &refusal),
    };
    let peer = match peer(http, state).await {
        Ok(peer) => peer,
        Err(refusal) => return refused(state, media, &request_id, &refusal),
    };
    let prepared = pipeline::prepare(state, &peer, envelope, request).await;
    match prepared.and_then(|prepared| executable(prepared, media)) {
        Ok(prepared) if media.streams(prepared.kind()) => live::answer(media, &request_id, state, prepared),
        Err(refusal) if media.streams_refusal(&refusal) => live::refused(media, &request_id, state, &refusal),
        // The library drops this future when the client hangs up.
        Ok(prepared) => response::executed(http, media, &request_id, &prepared.run().await),
        Err(refusal) => {
            let mut response = response::refused(media, &request_id, &refusal);
            if refusal.status == Some(StatusCode::METHOD_NOT_ALLOWED) {
                response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
            }
            response
        }
    }
}

/// Refuses a request before it is looked at as GraphQL.
fn refused(state: &State, media: MediaType, request_id: &str, refusal: &Refusal) -> HttpResponse {
    state.metrics.refused(refusal.error.code, Duration::ZERO);
    response::refused(media, request_id, refusal)
}

/// What an answer of that type can serve.
fn executable(prepared: Prepared, media: MediaType) -> Result<Prepared, Refusal> {
    if prepared.kind() == OperationType::Subscription && !media.streams(OperationType::Subscription) {
        let message = "subscriptions are served as text/event-stream, as multipart/mixed and over WebSocket";
        return Err(Refusal::document(code::BAD_REQUEST, message));
    }
    Ok(prepared)
}
