//! What is logged, asked for and changed while the server runs. Only on a port of the operators' own: who may ask for
//! more lines may fill a disk, and what libraries write at `debug` and `trace` is not known here.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};

use super::graphql::new_request_id;
use super::response::{self, MediaType};
use crate::error::code;
use crate::pipeline::Refusal;
use crate::telemetry::{LogFilter, Replacement};

/// Bytes of a filter at the most.
const MAX_BYTES: usize = 1_024;

/// The filter that counts.
pub(super) async fn get(log: Data<LogFilter>) -> HttpResponse {
    present(&log)
}

/// Puts the filter of the body in its place, and answers it.
pub(super) async fn put(log: Data<LogFilter>, body: Payload) -> HttpResponse {
    let body = match body.to_bytes_limited(MAX_BYTES).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return refused(StatusCode::BAD_REQUEST, "the body ended too early"),
        Err(_) => {
            return refused(StatusCode::PAYLOAD_TOO_LARGE, &format!("the filter is longer than {MAX_BYTES} bytes"));
        }
    };
    let Ok(text) = str::from_utf8(&body) else { return refused(StatusCode::BAD_REQUEST, "the filter is not UTF-8") };
    let filter: Replacement = match text.parse() {
        Ok(filter) => filter,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match log.replace(filter) {
        Ok(()) => present(&log),
        Err(_) => gone(),
    }
}

fn present(log: &LogFilter) -> HttpResponse {
    let Ok(text) = log.text() else { return gone() };
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"));
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response.body(text + "\n")
}

fn refused(status: StatusCode, message: &str) -> HttpResponse {
    let refusal = Refusal::http(status, code::BAD_REQUEST, message);
    response::refused(MediaType::Json, &new_request_id(), &refusal)
}

/// The log has ended, as it does with the process.
fn gone() -> HttpResponse {
    let refusal = Refusal::http(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, "there is no log any more");
    response::refused(MediaType::Json, &new_request_id(), &refusal)
}
