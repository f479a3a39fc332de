//! What the two kinds of streamed HTTP answers share: answers as they come, and signs of life between them.
//!
//! The connection asks for the next piece when it has written most of the last ones, some 32 KB, so a slow reader
//! holds back the operation itself and nothing is queued here.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use futures_util::stream::{self, LocalBoxStream, Stream, StreamExt};

use super::response::{self, MediaType};
use super::{event_stream, multipart};
use crate::app::State;
use crate::metrics::Running;
use crate::pipeline::{Executed, Prepared, Refusal};
use crate::shutdown::Stopping;

/// What happens on a stream.
#[derive(Debug)]
pub(super) enum Beat {
    /// An answer.
    Answer(Executed),
    /// Nothing for a while.
    Idle,
    /// The server stops before the operation does. Nothing follows.
    Stopping,
    /// The operation has ended. Nothing follows.
    End,
}

/// Streams the answers of an operation.
pub(super) fn answer(media: MediaType, request_id: &str, state: &State, prepared: Prepared) -> HttpResponse {
    let running = state.metrics.operation_followed(media.transport(), prepared.kind());
    respond(media, request_id, state, prepared.stream(), running)
}

/// Streams why there will be no other answers. A status would be all that the browser's `EventSource` shows of it.
pub(super) fn refused(media: MediaType, request_id: &str, state: &State, refusal: &Refusal) -> HttpResponse {
    let only = stream::iter([Executed::refused(refusal)]).boxed_local();
    respond(media, request_id, state, only, None)
}

fn respond(
    media: MediaType,
    request_id: &str,
    state: &State,
    answers: LocalBoxStream<'static, Executed>,
    running: Option<Running>,
) -> HttpResponse {
    let stopping = state.stopping.clone();
    let (content_type, first, every) = match media {
        MediaType::Multipart => (multipart::CONTENT_TYPE, multipart::FIRST, multipart::IDLE_EVERY),
        _ => (event_stream::CONTENT_TYPE, event_stream::FIRST, event_stream::IDLE_EVERY),
    };
    let write = match media {
        MediaType::Multipart => multipart::write,
        _ => event_stream::write,
    };
    let first = stream::iter([Bytes::from_static(first.as_bytes())]);
    let rest = beats(answers, running, every, stopping).map(move |beat| Bytes::from(write(&beat)));
    let mut response = response::headed(StatusCode::OK, content_type, request_id);
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // A proxy that buffers waits for more. Compression would too, and leaves streams alone.
        .insert_header(("x-accel-buffering", "no"));
    response.streaming(first.chain(rest).map(Ok::<_, Infallible>))
}

/// Answers with signs of life between them.
fn beats(
    answers: LocalBoxStream<'static, Executed>,
    running: Option<Running>,
    every: Duration,
    stopping: Stopping,
) -> impl Stream<Item = Beat> {
    stream::unfold(Some((answers, running)), move |state| {
        let stopping = stopping.clone();
        async move {
            let (mut answers, running) = state?;
            let beat = tokio::select! {
                biased;
                () = stopping.begun() => Beat::Stopping,
                answer = answers.next() => answer.map_or(Beat::End, Beat::Answer),
                () = tokio::time::sleep(every) => Beat::Idle,
            };
            let goes_on = matches!(beat, Beat::Answer(_) | Beat::Idle);
            Some((beat, goes_on.then_some((answers, running))))
        }
    })
}
