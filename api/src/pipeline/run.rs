//! Running what was prepared, once or as a stream.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response};
use futures_util::stream::{BoxStream, LocalBoxStream, Stream};
use futures_util::{FutureExt, StreamExt};
use serde_json::{Map, Value, json};

use super::errors::{self, ShownError};
use super::{Operation, Prepared, Refusal, profile};
use crate::auth::Unauthenticated;
use crate::error::code;
use crate::graphql::context::Patience;
use crate::graphql::timing::Taken;
use crate::loaders::{Loads, operation};
use crate::metrics::Outcome;

/// What came of an operation, or of one event of a subscription.
#[derive(Clone, Debug)]
pub struct Executed {
    errors: Vec<ShownError>,
    data: Option<String>,
    extensions: Option<Value>,
    /// Whether the request itself was at fault, so that nothing ran.
    pub request_error: bool,
    /// Whether everybody may see the answer and keep it for a while.
    pub public: bool,
}

impl Executed {
    /// The answer to a request that is not run.
    pub fn refused(refusal: &Refusal) -> Self {
        Self::failed(refusal.error.clone(), true)
    }

    fn failed(error: ShownError, request_error: bool) -> Self {
        let data = (!request_error).then(|| "null".to_owned());
        Self { errors: vec![error], data, extensions: None, request_error, public: false }
    }

    /// In how many seconds it may be worth asking again, when some of it failed for want of the database.
    pub fn retry_after(&self) -> Option<u64> {
        self.errors.iter().any(|error| error.code == code::UNAVAILABLE).then_some(errors::RETRY_AFTER)
    }

    /// The answer as JSON: errors first, as people read them, then data, then extensions.
    pub fn body(&self) -> String {
        let mut parts = Vec::new();
        if !self.errors.is_empty() {
            parts.push(format!("\"errors\":{}", self.errors()));
        }
        if let Some(data) = &self.data {
            parts.push(format!("\"data\":{data}"));
        }
        if let Some(extensions) = &self.extensions {
            parts.push(format!("\"extensions\":{extensions}"));
        }
        format!("{{{}}}", parts.join(","))
    }

    /// The errors as JSON; an empty list when there are none.
    pub fn errors(&self) -> Value {
        self.errors.iter().map(ShownError::json).cloned().collect()
    }

    fn outcome(&self) -> Outcome {
        match (self.request_error, self.errors.is_empty()) {
            (true, _) => Outcome::Refused,
            (false, true) => Outcome::Success,
            (false, false) => Outcome::Partial,
        }
    }
}

impl Prepared {
    /// Query, mutation or subscription.
    pub fn kind(&self) -> OperationType {
        self.operation.kind
    }

    /// Runs a query or a mutation to its end. Dropping the future stops a query. A mutation goes on, since half
    /// of a write is worse than one that nobody waits for.
    pub async fn run(self) -> Executed {
        let Self { request, operation } = self;
        if operation.kind != OperationType::Mutation {
            return operation.run(request).await;
        }
        match actix_web::rt::spawn(operation.run(request)).await {
            Ok(executed) => executed,
            // Panics are caught inside; what is left is a runtime that stops.
            Err(_) => Executed::failed(ShownError::new(code::UNAVAILABLE, "the server stops; try again"), false),
        }
    }

    /// The answers of a subscription, in order; of a query or mutation its only one. The stream ends after an
    /// answer that came too late or panicked.
    pub fn stream(self) -> LocalBoxStream<'static, Executed> {
        if self.operation.kind != OperationType::Subscription {
            return futures_util::stream::once(self.run()).boxed_local();
        }
        let responses = self.operation.state.schema.execute_stream(self.request);
        self.operation.follow(responses).boxed_local()
    }
}

impl Operation {
    async fn run(mut self, request: Request) -> Executed {
        let schema = if self.envelope.profile { &self.state.timed_schema } else { &self.state.schema };
        let deadline = self.state.transport.operation_timeout;
        let run = operation::run(&self.loads, schema.execute(request));
        let executed = match patient(deadline, &self.patience, AssertUnwindSafe(run).catch_unwind()).await {
            Some(Ok(response)) => self.executed(&response, self.started),
            Some(Err(_)) => self.panicked(),
            None => self.too_late(deadline.max(self.patience.time())),
        };
        self.keep_document(&executed).await;
        self.note(&executed, self.started);
        executed
    }

    fn follow(self, responses: BoxStream<'static, Response>) -> impl Stream<Item = Executed> {
        let deadline = self.state.transport.operation_timeout;
        futures_util::stream::unfold(Some((self, responses)), move |state| async move {
            let (mut operation, mut responses) = state?;
            // What the event before loaded is old by now.
            operation.loads.reset();
            let next = operation::run(&operation.loads, responses.next());
            let next = within(deadline, &operation.loads, AssertUnwindSafe(next).catch_unwind());
            let next = tokio::select! {
                next = next => next.map_or(Next::Late, |next| next.map_or(Next::Panicked, |next| Next::Response(next.map(Box::new)))),
                () = operation.caller.expired(&operation.state.clock) => Next::Expired,
            };
            let started = Instant::now();
            let (executed, goes_on) = match next {
                Next::Response(Some(response)) => (operation.executed(&response, started), true),
                Next::Response(None) => return None,
                Next::Panicked => (operation.panicked(), false),
                Next::Late => (operation.too_late(deadline), false),
                Next::Expired => {
                    let error = ShownError::new(code::UNAUTHENTICATED, Unauthenticated::EXPIRED.message);
                    (Executed::failed(error, false), false)
                }
            };
            operation.keep_document(&executed).await;
            operation.note(&executed, started);
            Some((executed, goes_on.then_some((operation, responses))))
        })
    }

    /// Keeps a document that proved valid, for those who send its hash next time.
    async fn keep_document(&mut self, executed: &Executed) {
        if let Some((hash, text)) = self.keep.take().filter(|_| !executed.request_error) {
            self.state.documents.keep(&hash, &text).await;
        }
    }

    fn executed(&self, response: &Response, started: Instant) -> Executed {
        let request_error = errors::is_request_error(response);
        let errors = errors::shown_errors(&response.errors, &self.envelope.request_id);
        let serialising = Instant::now();
        let data =
            (!request_error).then(|| serde_json::to_string(&response.data).unwrap_or_else(|_| "null".to_owned()));
        let extensions = self.extensions(started, serialising.elapsed());
        let public = self.public && errors.is_empty();
        Executed { errors, data, extensions, request_error, public }
    }

    fn extensions(&self, started: Instant, serialise: Duration) -> Option<Value> {
        let mut extensions = Map::new();
        // What everybody may keep says nothing about who asked.
        if let Some(budget) = self.cost.budget.filter(|_| !self.public) {
            extensions.insert(
                "cost".to_owned(),
                json!({
                    "requested": self.cost.requested,
                    "limit": budget.limit,
                    "remaining": budget.remaining,
                    "resetAt": budget.reset_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                }),
            );
        }
        if self.envelope.profile {
            let taken: Taken = self.stages.taken();
            let parse = started.elapsed().saturating_sub(taken.validate + taken.execute + serialise);
            let profile = profile::profile(&self.meter, self.cost.requested, parse, taken, serialise);
            extensions.insert("profile".to_owned(), profile);
        }
        (!extensions.is_empty()).then_some(extensions.into())
    }

    fn panicked(&self) -> Executed {
        let request_id = self.envelope.request_id.as_str();
        tracing::error!(request_id, "an operation panicked");
        let words = "something failed here; the request id leads to the log";
        Executed::failed(ShownError::new(code::INTERNAL, words).with("requestId", request_id.into()), false)
    }

    fn too_late(&self, deadline: Duration) -> Executed {
        let request_id = self.envelope.request_id.as_str();
        tracing::warn!(request_id, cost = self.cost.requested, "an operation was stopped at its deadline");
        let words = format!("the operation took longer than {} s", deadline.as_secs());
        Executed::failed(ShownError::new(code::DEADLINE_EXCEEDED, &words), false)
    }

    fn note(&mut self, executed: &Executed, started: Instant) {
        for error in &executed.errors {
            self.state.metrics.error_shown(error.code);
        }
        self.ended = true;
        self.state.metrics.operation_ended(label(self.kind), executed.outcome(), started.elapsed(), &self.meter);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // A subscription ends like this when its client has had enough; anything else was given up.
        if !self.ended && self.kind != OperationType::Subscription {
            let took = self.started.elapsed();
            self.state.metrics.operation_ended(label(self.kind), Outcome::Cancelled, took, &self.meter);
        }
    }
}

fn label(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

/// What came of waiting for the next event of a subscription.
enum Next {
    /// The event, or the end of them.
    Response(Option<Box<Response>>),
    /// A resolver panicked.
    Panicked,
    /// It took too long.
    Late,
    /// The caller's token is no longer good.
    Expired,
}

/// Waits for some work no longer than `deadline`, or than the work itself asks for while it runs.
async fn patient<F: Future>(deadline: Duration, patience: &Patience, work: F) -> Option<F::Output> {
    let started = tokio::time::Instant::now();
    let mut work = pin!(work);
    loop {
        let time = deadline.max(patience.time());
        if let Ok(output) = tokio::time::timeout_at(started + time, work.as_mut()).await {
            return Some(output);
        }
        if patience.time() <= time {
            return None;
        }
    }
}

/// Waits for an event without end, and for what it loads no longer than `deadline`.
async fn within<F: Future>(deadline: Duration, loads: &Arc<Loads>, next: F) -> Option<F::Output> {
    let mut next = pin!(next);
    let mut late = None;
    poll_fn(|context| {
        if let Poll::Ready(output) = next.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        if loads.has_begun() {
            let late = late.get_or_insert_with(|| Box::pin(tokio::time::sleep(deadline)));
            return late.as_mut().poll(context).map(|()| None);
        }
        Poll::Pending
    })
    .await
}
