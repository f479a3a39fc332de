//! An HTTP answer out of a GraphQL one.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ETag, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use async_graphql::parser::types::OperationType;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::pipeline::{Executed, Refusal};

/// The media type in which the answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/graphql-response+json`: the status tells whether the request was good.
    GraphqlResponse,
    /// `application/json`: the status is 200 whenever there is a GraphQL answer.
    Json,
    /// `text/event-stream`: any operation, its answers as events.
    EventStream,
    /// `multipart/mixed;subscriptionSpec=1.0`: a subscription's answers as parts, all else as JSON.
    Multipart,
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
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters: Vec<_> = parts.collect();
            let kind = match kind.as_str() {
                "application/graphql-response+json" => Self::GraphqlResponse,
                "application/json" | "application/*" | "*/*" => Self::Json,
                "text/event-stream" => Self::EventStream,
                // The same type stands for answers in instalments, which are not sent here.
                "multipart/mixed" if parameters.iter().any(|part| is_subscription(part)) => Self::Multipart,
                _ => continue,
            };
            let quality = parameters.iter().find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
            if quality > 0 && best.is_none_or(|(other, _)| quality > other) {
                best = Some((quality, kind));
            }
        }
        best.map(|(_, kind)| kind)
    }

    /// Whether the answers of such an operation are streamed.
    pub fn streams(self, kind: OperationType) -> bool {
        match self {
            Self::EventStream => true,
            Self::Multipart => kind == OperationType::Subscription,
            Self::GraphqlResponse | Self::Json => false,
        }
    }

    /// Whether a refusal is streamed: when the document is at fault. All else has a status.
    pub fn streams_refusal(self, refusal: &Refusal) -> bool {
        self == Self::EventStream && refusal.status.is_none()
    }

    /// What carries the answers, in metrics.
    pub(super) fn transport(self) -> &'static str {
        match self {
            Self::EventStream => "event_stream",
            Self::Multipart => "multipart",
            Self::GraphqlResponse | Self::Json => "http",
        }
    }

    /// The type of an answer that is not streamed.
    fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json | Self::EventStream | Self::Multipart => "application/json; charset=utf-8",
        }
    }
}

/// Whether a parameter asks for Apollo's subscriptions.
fn is_subscription(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    name.eq_ignore_ascii_case("subscriptionSpec") && value.trim_matches('"') == "1.0"
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

/// The header with a position of the log: behind a change in its answer, and in a request to read nothing older.
pub(super) const POSITION: &str = "x-dermaga-position";

/// How long everybody may keep an answer of public reference data, in seconds.
const PUBLIC_AGE: u32 = 300;

/// The answer to a GraphQL request that was understood as HTTP.
pub(super) fn executed(http: &HttpRequest, media: MediaType, request_id: &str, executed: &Executed) -> HttpResponse {
    let body = executed.body();
    if executed.public {
        return public(http, media, request_id, body);
    }
    let refused = executed.request_error && media == MediaType::GraphqlResponse;
    let status = if refused { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let mut response = headed(status, media.content_type(), request_id);
    if let Some(seconds) = executed.retry_after() {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    if let Some(position) = executed.position {
        response.insert_header((POSITION, position.to_string()));
    }
    response.body(body)
}

/// An answer that caches may keep and ask about.
fn public(http: &HttpRequest, media: MediaType, request_id: &str, body: String) -> HttpResponse {
    // Weak, since a compressed answer carries the same tag.
    let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(body.as_bytes())[..16]);
    let tag = EntityTag::new_weak(hash);
    let known = match IfNoneMatch::parse(http) {
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Ok(IfNoneMatch::Any) | Err(_) => false,
    };
    let mut response =
        headed(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK }, media.content_type(), request_id);
    response.insert_header((header::CACHE_CONTROL, format!("public, max-age={PUBLIC_AGE}"))).insert_header(ETag(tag));
    if known { response.finish() } else { response.body(body) }
}

/// The answers to the requests of an array.
pub(super) fn batch(request_id: &str, answers: &[Executed]) -> HttpResponse {
    let bodies: Vec<String> = answers.iter().map(Executed::body).collect();
    let mut response = headed(StatusCode::OK, MediaType::Json.content_type(), request_id);
    if let Some(position) = answers.iter().filter_map(|answer| answer.position).max() {
        response.insert_header((POSITION, position.to_string()));
    }
    response.body(format!("[{}]", bodies.join(",")))
}

/// The answer to a request that is not run.
pub(super) fn refused(media: MediaType, request_id: &str, refusal: &Refusal) -> HttpResponse {
    let status = refusal.status.unwrap_or(match media {
        MediaType::GraphqlResponse => StatusCode::BAD_REQUEST,
        MediaType::Json | MediaType::EventStream | MediaType::Multipart => StatusCode::OK,
    });
    let mut response = headed(status, media.content_type(), request_id);
    if let Some(time) = refusal.retry_after {
        response.insert_header((header::RETRY_AFTER, time.as_secs().max(1)));
    }
    if let Some(challenge) = refusal.challenge {
        response.insert_header((header::WWW_AUTHENTICATE, challenge));
    }
    response.body(Executed::refused(refusal).body())
}

/// The headers that every answer has.
pub(super) fn headed(status: StatusCode, content_type: &'static str, request_id: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::VARY, "Accept, Origin"))
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(("x-request-id", request_id));
    response
}
