//! One operation of a socket, as a stream of what is to be said about it.

use actix_web::web::Data;
use futures_util::StreamExt;
use futures_util::stream::{self, LocalBoxStream, Stream};
use serde_json::Value;

use crate::app::State;
use crate::metrics::Running;
use crate::pipeline::{self, Envelope, Executed, GraphqlRequest, Peer};
use crate::telemetry::traces::Span;

/// What happened to an operation.
#[derive(Debug)]
pub(super) enum Event {
    /// An answer.
    Next(Executed),
    /// It will not run. Nothing follows.
    Failed(Value),
    /// All has been said.
    Complete,
}

/// How far an operation has come.
enum Step {
    Ready(Box<GraphqlRequest>, Span),
    Running(LocalBoxStream<'static, Executed>, Option<Running>),
    Over,
}

/// Runs an operation in a span as long as the stream is followed. Dropping it stops the operation, unless it is a mutation.
pub(super) fn events(
    state: Data<State>,
    peer: Peer,
    envelope: Envelope,
    request: Box<GraphqlRequest>,
    span: Span,
) -> impl Stream<Item = Event> {
    stream::unfold(Step::Ready(request, span), move |step| {
        let (state, peer, envelope) = (state.clone(), peer.clone(), envelope.clone());
        async move {
            let (mut answers, running) = match step {
                Step::Ready(request, span) => {
                    match span.around(pipeline::prepare(&state, &peer, envelope, *request)).await {
                        Ok(prepared) => {
                            let running = state.metrics.operation_followed("websocket", prepared.kind());
                            (prepared.stream(), running)
                        }
                        Err(refusal) => return Some((Event::Failed(refusal.errors()), Step::Over)),
                    }
                }
                Step::Running(answers, running) => (answers, running),
                Step::Over => return None,
            };
            match answers.next().await {
                // The engine finds some faults of a request only when it begins to run it.
                Some(executed) if executed.request_error => Some((Event::Failed(executed.errors()), Step::Over)),
                Some(executed) => Some((Event::Next(executed), Step::Running(answers, running))),
                None => Some((Event::Complete, Step::Over)),
            }
        }
    })
}
