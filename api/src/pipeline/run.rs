//! Running what was prepared, once or as a stream.

use std::cell::Cell;
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
use super::profile::{Profile, Stages};
use super::report::Report;
use super::{Operation, Prepared, Refusal};
use crate::auth::Unauthenticated;
use crate::error::code;
use crate::graphql::Schema;
use crate::graphql::context::Patience;
use crate::graphql::json::Json;
use crate::loaders::{Loads, operation};
use crate::metrics::Outcome;
use crate::store::Position;
use crate::telemetry::microseconds;
use crate::telemetry::traces::Span;

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
    /// The position of the log behind what was committed, where there is a standby.
    pub position: Option<Position>,
}

impl Executed {
    /// The answer to a request that is not run.
    pub fn refused(refusal: &Refusal) -> Self {
        Self::failed(refusal.error.clone(), true)
    }

    fn failed(error: ShownError, request_error: bool) -> Self {
        let data = (!request_error).then(|| "null".to_owned());
        Self { errors: vec![error], data, extensions: None, request_error, public: false, position: None }
    }

    /// In how many seconds it may be worth asking again, when some of it failed for want of the database.
    pub fn retry_after(&self) -> Option<u64> {
        self.errors.iter().any(|error| error.code == code::UNAVAILABLE).then_some(errors::RETRY_AFTER)
    }

    /// The answer as JSON: errors first, as people read them, then data, then extensions.
    pub fn body(&self) -> String {
        let errors = (!self.errors.is_empty()).then(|| self.errors().to_string());
        let extensions = self.extensions.as_ref().map(Value::to_string);
        let parts = [("errors", &errors), ("data", &self.data), ("extensions", &extensions)];
        // An answer may be long, and is copied once.
        let length: usize =
            parts.iter().map(|(name, part)| part.as_ref().map_or(0, |part| name.len() + part.len() + 4)).sum();
        let mut body = String::with_capacity(length + 2);
        for (name, part) in parts {
            let Some(part) = part else { continue };
            body.push(if body.is_empty() { '{' } else { ',' });
            for piece in ["\"", name, "\":", part] {
                body.push_str(piece);
            }
        }
        body.push_str(if body.is_empty() { "{}" } else { "}" });
        body
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
        let span = operation.span.clone();
        if operation.kind != OperationType::Mutation {
            return span.around(operation.run(request)).await;
        }
        match actix_web::rt::spawn(span.around(operation.run(request))).await {
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
        let responses = self.operation.schema().execute_stream(self.request);
        self.operation.follow(responses).boxed_local()
    }
}

impl Operation {
    async fn run(mut self, request: Request) -> Executed {
        self.sampled = self.state.sampler.takes();
        let deadline = self.state.transport.operation_timeout;
        let run = operation::run(&self.loads, self.schema().execute(request));
        let executed = match patient(deadline, &self.patience, AssertUnwindSafe(run).catch_unwind()).await {
            Some(Ok(response)) => self.executed(&response, self.started),
            Some(Err(_)) => self.panicked(),
            None => self.too_late(deadline.max(self.patience.time())),
        };
        self.keep_document(&executed).await;
        self.note(&executed, self.started);
        executed
    }

    /// The schema that knows of stages is only for those who ask for them.
    fn schema(&self) -> &Schema {
        if self.is_timed() { &self.state.timed_schema } else { &self.state.schema }
    }

    fn follow(mut self, responses: BoxStream<'static, Response>) -> impl Stream<Item = Executed> {
        let deadline = self.state.transport.operation_timeout;
        // What it was asked in ends now: an event may come in hours, and has a trace of its own.
        self.span = Span::default();
        futures_util::stream::unfold(Some((self, responses)), move |state| async move {
            let (mut operation, mut responses) = state?;
            // What the event before loaded is old by now.
            operation.loads.reset();
            operation.meter.reset();
            operation.sampled = operation.state.sampler.takes();
            let began = Cell::new(None);
            let next = operation::run(&operation.loads, responses.next());
            let next = within(deadline, &operation.loads, &began, AssertUnwindSafe(next).catch_unwind());
            let next = tokio::select! {
                next = next => next.map_or(Next::Late, |next| next.map_or(Next::Panicked, |next| Next::Response(next.map(Box::new)))),
                () = operation.caller.expired(&operation.state.clock) => Next::Expired,
            };
            // Before its first load an event is waited for.
            let started = began.get().unwrap_or_else(Instant::now);
            let event = operation.traced.as_ref().map(|traced| traced.event()).unwrap_or_default();
            let answer = async move {
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
            };
            event.around(answer).await
        })
    }

    /// Keeps a document that proved valid, for those who send its hash next time.
    async fn keep_document(&mut self, executed: &Executed) {
        if let Some((hash, text)) = self.keep.take().filter(|_| !executed.request_error) {
            self.state.documents.keep(&hash, &text).await;
        }
    }

    fn executed(&mut self, response: &Response, started: Instant) -> Executed {
        let request_error = errors::is_request_error(response);
        let errors = errors::shown_errors(&response.errors, &self.envelope.request_id);
        let serialising = Instant::now();
        let data = (!request_error).then(|| Json::of(&response.data).into_text());
        self.serialise = serialising.elapsed();
        let extensions = self.extensions(started);
        let public = self.public && errors.is_empty();
        Executed { errors, data, extensions, request_error, public, position: self.written.position() }
    }

    fn extensions(&self, started: Instant) -> Option<Value> {
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
        if let Some(position) = self.written.position() {
            extensions.insert("position".to_owned(), position.to_string().into());
        }
        if self.envelope.profile {
            extensions.insert("profile".to_owned(), self.profile(started.elapsed()).json());
        }
        (!extensions.is_empty()).then_some(extensions.into())
    }

    /// Whether it runs on the schema that times its stages. The events of a subscription are timed without.
    fn is_timed(&self) -> bool {
        self.envelope.profile || self.sampled || self.traced.is_some()
    }

    /// What it cost so far, or an event of it, that took so long.
    fn profile(&self, took: Duration) -> Profile {
        let stages = if self.kind == OperationType::Subscription {
            Some(Stages { execute: took.saturating_sub(self.serialise), ..Stages::default() })
        } else {
            let taken = self.stopwatch.taken();
            let parse = took.saturating_sub(taken.validate + taken.execute + self.serialise);
            self.is_timed().then_some(Stages { parse, validate: taken.validate, execute: taken.execute })
        };
        Profile::new(&self.meter, self.cost.requested, stages, self.serialise)
    }

    fn panicked(&self) -> Executed {
        let request_id = self.envelope.request_id.as_str();
        tracing::error!(request_id, "an operation panicked");
        Span::current().failed(code::INTERNAL);
        let words = "something failed here; the request id leads to the log";
        Executed::failed(ShownError::new(code::INTERNAL, words).with_ids(request_id), false)
    }

    fn too_late(&self, deadline: Duration) -> Executed {
        let request_id = self.envelope.request_id.as_str();
        tracing::warn!(request_id, cost = self.cost.requested, "an operation was stopped at its deadline");
        Span::current().failed(code::DEADLINE_EXCEEDED);
        let words = format!("the operation took longer than {} s", deadline.as_secs());
        Executed::failed(ShownError::new(code::DEADLINE_EXCEEDED, &words), false)
    }

    fn note(&mut self, executed: &Executed, started: Instant) {
        for error in &executed.errors {
            self.state.metrics.error_shown(error.code);
        }
        self.ended = true;
        let (took, outcome) = (started.elapsed(), executed.outcome());
        let (request_id, operation) = (self.envelope.request_id.as_str(), label(self.kind));
        tracing::debug!(
            request_id,
            operation,
            outcome = outcome.label(),
            took = microseconds(took),
            "an operation was answered"
        );
        self.state.metrics.operation_ended(operation, outcome, took, &self.meter);
        self.report(outcome, took, &executed.errors);
    }

    /// Tells the log of it, if it was slow or is a sample.
    fn report(&self, outcome: Outcome, took: Duration, errors: &[ShownError]) {
        let slow = self.state.slow_operation.is_some_and(|limit| took >= limit);
        if !slow && !self.sampled {
            return;
        }
        let report = Report {
            request_id: &self.envelope.request_id,
            account: self.caller.account,
            operation: label(self.kind),
            subject: &self.subject,
            profile: self.profile(took),
            took,
            outcome,
            codes: errors.iter().map(|error| error.code).collect(),
        };
        if slow {
            self.state.metrics.operation_was_slow(label(self.kind));
            report.slow();
        }
        if self.sampled {
            report.sampled();
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // A subscription ends like this when its client has had enough; anything else was given up.
        if !self.ended && self.kind != OperationType::Subscription {
            let took = self.started.elapsed();
            self.span.event("cancelled", || []);
            self.state.metrics.operation_ended(label(self.kind), Outcome::Cancelled, took, &self.meter);
            self.report(Outcome::Cancelled, took, &[]);
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

/// Waits for an event without end, and for what it loads no longer than `deadline`. Sets when that `began`.
async fn within<F: Future>(
    deadline: Duration,
    loads: &Arc<Loads>,
    began: &Cell<Option<Instant>>,
    next: F,
) -> Option<F::Output> {
    let mut next = pin!(next);
    let mut late = None;
    poll_fn(|context| {
        if let Poll::Ready(output) = next.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        if loads.has_begun() {
            let late = late.get_or_insert_with(|| {
                began.set(Some(Instant::now()));
                Box::pin(tokio::time::sleep(deadline))
            });
            return late.as_mut().poll(context).map(|()| None);
        }
        Poll::Pending
    })
    .await
}
