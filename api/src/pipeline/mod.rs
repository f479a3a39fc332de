//! From a GraphQL request to its answer, whatever carried it.
//!
//! Every transport does the same three things: it finds out who is asking, calls [`prepare`], and then either
//! runs what came out once or follows it as a stream. What a document may ask for, who may ask it and what it
//! costs is decided here and nowhere else. This module must never know which transport it serves.

pub mod errors;
mod profile;
mod refusal;
mod request;
mod run;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use async_graphql::Request;
use async_graphql::parser::types::OperationType;

pub use refusal::Refusal;
pub use request::GraphqlRequest;
pub use run::Executed;

use crate::app::State;
use crate::documents::Hash;
use crate::error::code;
use crate::graphql::context::{Caller, Cost, Patience, RequestContext, Role};
use crate::graphql::timing::Stages;
use crate::loaders::{Loads, Source};
use crate::metrics::Running;
use crate::store::Meter;

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
    stages: Stages,
    patience: Patience,
    cost: Cost,
    envelope: Envelope,
    keep: Option<(Hash, Arc<str>)>,
    public: bool,
    started: Instant,
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
    let admitted = state.guard.admit(&resolved.text, request.operation_name.as_deref(), &request.variables)?;
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
    let source = Source {
        reader: state.database.reader(Arc::clone(&meter)),
        account: caller.account,
        cache: state.cache.clone(),
    };
    let loads = Loads::new(source);
    let loads = Arc::new(if state.batching { loads } else { loads.one_by_one() });
    let stages = Stages::default();
    let patience = Patience::default();
    let mut prepared = Request::new(resolved.text.as_ref()).variables(request.variables);
    prepared.operation_name = request.operation_name;
    prepared.set_parsed_query(admitted.document);
    if !state.guard.allows_introspection() {
        prepared = prepared.disable_introspection();
    }
    let prepared = prepared
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
        })
        .data(stages.clone());
    let operation = Operation {
        state: Arc::clone(state),
        kind,
        loads,
        caller: caller.clone(),
        meter,
        stages,
        patience,
        cost,
        keep: resolved.keep.map(|hash| (hash, resolved.text)),
        public: admitted.public && envelope.read_only && !envelope.profile,
        envelope,
        started,
        ended: false,
        _running: state.metrics.operation_started(),
    };
    Ok(Prepared { request: prepared, operation })
}
