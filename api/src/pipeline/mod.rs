//! From a GraphQL request to its answer, whatever carried it.
//!
//! Every transport does the same three things: it finds out who is asking, calls [`prepare`], and then either
//! runs what came out once or follows it as a stream. What a document may ask for, who may ask it and what it
//! costs is decided here and nowhere else. This module must never know which transport it serves.

pub mod errors;
mod profile;
mod refusal;
mod report;
mod request;
mod run;
mod sampler;
mod shape;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::Request;
use async_graphql::parser::types::OperationType;

pub use profile::{Profile, Stages};
pub use refusal::Refusal;
pub use request::GraphqlRequest;
pub use run::Executed;
pub use sampler::Sampler;

use crate::app::State;
use crate::cache::Cache;
use crate::documents::Hash;
use crate::error::code;
use crate::graphql::context::{Caller, Cost, Patience, RequestContext, Role};
use crate::graphql::repeats::Repeats;
use crate::graphql::spans::Traced;
use crate::graphql::timing::Stopwatch;
use crate::loaders::{Loads, Source};
use crate::metrics::Running;
use crate::store::{Meter, Position, Written};
use crate::telemetry::traces::{Span, SpanKind};
use report::Subject;

/// Who sends a request, and from where.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Who it is.
    pub caller: Caller,
    /// The address of the connection.
    pub address: IpAddr,
}

/// What a transport says about a request beside the request itself.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The id of the request, in the log and in the answer.
    pub request_id: String,
    /// Whether the transport may only read, as GET may.
    pub read_only: bool,
    /// Whether the client asks for a profile. Only administrators get one.
    pub profile: bool,
    /// A position of the log that the client was told by some server: it reads nothing older.
    pub at_least: Option<Position>,
}

/// An operation that may run: parsed, measured, paid for.
pub struct Prepared {
    request: Request,
    operation: Operation,
}

/// What is known of an operation while it runs.
struct Operation {
    state: Arc<State>,
    kind: OperationType,
    loads: Arc<Loads>,
    caller: Caller,
    meter: Arc<Meter>,
    written: Written,
    stopwatch: Stopwatch,
    patience: Patience,
    cost: Cost,
    subject: Subject,
    envelope: Envelope,
    keep: Option<(Hash, Arc<str>)>,
    public: bool,
    /// Whether its profile is logged.
    sampled: bool,
    /// In what it is run; nothing where there is no trace.
    span: Span,
    /// What its own spans say and are parts of, where it is recorded.
    traced: Option<Arc<Traced>>,
    started: Instant,
    /// How long writing the newest answer took.
    serialise: Duration,
    ended: bool,
    _running: Running,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("kind", &self.operation.kind)
            .field("cost", &self.operation.cost)
            .finish_non_exhaustive()
    }
}

/// Makes an operation ready to run, or says why it will not. Refusals are counted here.
///
/// # Errors
/// When the document is not found, asks for too much, is not allowed, or costs more than is left.
pub async fn prepare(
    state: &Arc<State>,
    peer: &Peer,
    envelope: Envelope,
    request: GraphqlRequest,
) -> Result<Prepared, Refusal> {
    let started = Instant::now();
    let result = admit(state, peer, envelope, request, started).await;
    if let Err(refusal) = &result {
        state.metrics.refused(refusal.error.code, started.elapsed());
    }
    result
}

async fn admit(
    state: &Arc<State>,
    peer: &Peer,
    mut envelope: Envelope,
    request: GraphqlRequest,
    started: Instant,
) -> Result<Prepared, Refusal> {
    let resolved = state.documents.resolve(&request).await?;
    let parsing = Span::begin(SpanKind::Internal, || "graphql parse".into());
    let admitted = state.guard.admit(&resolved.text, request.operation_name.as_deref(), &request.variables);
    let admitted = admitted.inspect_err(|refusal| parsing.failed(refusal.code))?;
    drop(parsing);
    let kind = admitted.kind;
    let caller = &peer.caller;
    if kind == OperationType::Mutation && envelope.read_only {
        let status = actix_web::http::StatusCode::METHOD_NOT_ALLOWED;
        return Err(Refusal::http(status, code::BAD_REQUEST, "a mutation must be sent with POST"));
    }
    if kind == OperationType::Mutation && caller.role < Role::Clerk {
        return Err(Refusal::document(code::FORBIDDEN, "this role may only read"));
    }
    let budget =
        state.quotas.spend(caller, peer.address, admitted.cost).await.map_err(|exceeded| Refusal::quota(&exceeded))?;
    let cost = Cost { requested: admitted.cost, budget };
    envelope.profile &= caller.role == Role::Admin;
    let meter = Arc::new(Meter::default());
    let source = source(state, kind, caller, Arc::clone(&meter), envelope.at_least);
    let loads = Loads::new(source);
    let loads = Arc::new(if state.batching { loads } else { loads.one_by_one() });
    let stopwatch = Stopwatch::default();
    let written = Written::default();
    let patience = Patience::default();
    // The engine takes the variables, and they may be asked for when it is done.
    let reported = state.slow_operation.is_some() || state.sampler.is_on();
    let shape = reported.then(|| shape::shape(&request.variables, &admitted.document)).flatten();
    let mut prepared = Request::new(resolved.text.as_ref()).variables(request.variables);
    prepared.operation_name = request.operation_name;
    let repeats = Repeats::of(&admitted.document);
    prepared.set_parsed_query(admitted.document);
    if !state.guard.allows_introspection() {
        prepared = prepared.disable_introspection();
    }
    let mut prepared = prepared
        .data(RequestContext {
            caller: caller.clone(),
            loads: Arc::clone(&loads),
            clock: state.clock.clone(),
            max_page_size: state.max_page_size,
            duty_rounding: state.duty_rounding,
            cost,
            rates: state.rates.clone(),
            request_id: envelope.request_id.clone(),
            changes: state.changes.clone(),
            payments: state.payments.clone(),
            assistant: state.assistant.clone(),
            patience: patience.clone(),
            written: written.clone(),
        })
        .data(stopwatch.clone())
        .data(repeats);
    let span = Span::current();
    let traced = span.is_recorded().then(|| {
        let hash = resolved.keep.unwrap_or_else(|| Hash::of(&resolved.text));
        Arc::new(Traced::new(kind, hash, &span))
    });
    if let Some(traced) = &traced {
        prepared = prepared.data(Arc::clone(traced));
    }
    let operation = Operation {
        state: Arc::clone(state),
        kind,
        loads,
        caller: caller.clone(),
        meter,
        written,
        stopwatch,
        patience,
        cost,
        keep: resolved.keep.map(|hash| (hash, Arc::clone(&resolved.text))),
        subject: Subject { name: admitted.name, text: resolved.text, variables: shape },
        public: admitted.public && envelope.read_only && !envelope.profile,
        envelope,
        sampled: false,
        span,
        traced,
        started,
        serialise: Duration::ZERO,
        ended: false,
        _running: state.metrics.operation_started(),
    };
    Ok(Prepared { request: prepared, operation })
}

/// Where an operation reads. One that changes something reads from the primary alone.
fn source(
    state: &State,
    kind: OperationType,
    caller: &Caller,
    meter: Arc<Meter>,
    at_least: Option<Position>,
) -> Source {
    let reader = match kind {
        OperationType::Mutation => state.database.reader(meter),
        OperationType::Query | OperationType::Subscription => {
            state.database.operation_reader(meter, caller.account, at_least)
        }
    };
    // What the client has written on another server may be in the cache as it was before.
    let unheard =
        at_least.zip(state.database.standby()).is_some_and(|(position, standby)| !standby.has_heard(position));
    let cache = if unheard { Cache::off() } else { state.cache.clone() };
    Source { reader, account: caller.account, cache }
}
