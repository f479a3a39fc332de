//! Which answers are worth compressing.

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, ContentEncoding, HeaderValue};
use actix_web::middleware::Next;

/// Shorter answers fit one packet anyway.
const MIN_BYTES: u64 = 1_024;

/// Keeps the compression from answers that are short, and from streams: what is compressed waits until there is
/// enough of it. Goes inside the compression, and [`unmark`] outside.
pub(super) async fn mark<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    let worth = matches!(response.response().body().size(), BodySize::Sized(bytes) if bytes >= MIN_BYTES);
    if !worth && !response.headers().contains_key(header::CONTENT_ENCODING) {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    }
    Ok(response)
}

/// Takes the mark off: `identity` is no coding that an answer may name.
pub(super) async fn unmark<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    let identity = ContentEncoding::Identity.as_str();
    if response.headers().get(header::CONTENT_ENCODING).is_some_and(|coding| coding == identity) {
        response.headers_mut().remove(header::CONTENT_ENCODING);
    }
    Ok(response)
}
