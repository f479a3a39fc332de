//! Spans of the stages of a request, where it is traced: validation and execution. Beside [`super::timing`], in the same
//! schema.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation};
use async_graphql::parser::types::OperationType;
use async_graphql::{Response, ServerError, ValidationResult};

use super::context::RequestContext;
use crate::documents::Hash;
use crate::error::Error;
use crate::telemetry::traces::{KeyValue, Span, SpanContext, SpanKind, bounded};

/// What the spans of an operation say and are parts of. Put one into the data of a request to have them made.
#[derive(Debug)]
pub struct Traced {
    kind: OperationType,
    hash: Hash,
    /// What asked for a subscription. It ends when the subscription has begun.
    asked_in: Mutex<Span>,
    /// The cause of all that comes of a subscription.
    cause: Option<SpanContext>,
    /// The newest event of a subscription, until it is answered.
    event: Mutex<Span>,
}

impl Traced {
    /// An operation that was asked for in `span`.
    pub fn new(kind: OperationType, hash: Hash, span: &Span) -> Self {
        let subscription = kind == OperationType::Subscription;
        Self {
            kind,
            hash,
            asked_in: Mutex::new(if subscription { span.clone() } else { Span::default() }),
            cause: span.ids().filter(|_| subscription),
            event: Mutex::default(),
        }
    }

    /// The event that was made last, to be answered in it.
    pub fn event(&self) -> Span {
        take(&self.event)
    }

    fn executing(&self, name: Option<&str>) -> Span {
        let span = match self.kind {
            OperationType::Subscription => Span::root(SpanKind::Internal, "graphql event", self.cause.clone()),
            OperationType::Query | OperationType::Mutation => {
                Span::begin(SpanKind::Internal, || "graphql execute".into())
            }
        };
        span.set(|| {
            [
                KeyValue::new("graphql.operation.type", self.kind.to_string()),
                KeyValue::new("graphql.document.hash", self.hash.to_string()),
            ]
        });
        if let Some(name) = name {
            span.set(|| [KeyValue::new("graphql.operation.name", bounded(name))]);
        }
        span
    }
}

/// Makes an extension for each request.
#[derive(Clone, Copy, Debug)]
pub struct Spans;

impl ExtensionFactory for Spans {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(SpansExtension)
    }
}

struct SpansExtension;

#[async_trait::async_trait]
impl Extension for SpansExtension {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let Some(traced) = ctx.data_opt::<Arc<Traced>>() else { return next.run(ctx).await };
        let asked_in = take(&traced.asked_in);
        let parent = if asked_in.is_recorded() { asked_in } else { Span::current() };
        let span = parent.part(SpanKind::Internal, || "graphql validate".into());
        let result = next.run(ctx).await;
        if result.is_err() {
            span.failed("invalid");
        }
        result
    }

    async fn execute(&self, ctx: &ExtensionContext<'_>, name: Option<&str>, next: NextExecute<'_>) -> Response {
        let Some(traced) = ctx.data_opt::<Arc<Traced>>() else { return next.run(ctx, name).await };
        let span = traced.executing(name);
        let loads = ctx.data_opt::<RequestContext>().map(|request| &request.loads);
        if let Some(loads) = loads {
            loads.trace_below(span.clone());
        }
        let response = span.clone().around(next.run(ctx, name)).await;
        if let Some(loads) = loads {
            loads.trace_below(Span::default());
        }
        if let Some(error) = response.errors.first() {
            span.failed(error.source::<Error>().map_or("graphql", Error::code));
        }
        if traced.kind == OperationType::Subscription {
            *traced.event.lock().unwrap_or_else(PoisonError::into_inner) = span;
        }
        response
    }
}

fn take(span: &Mutex<Span>) -> Span {
    std::mem::take(&mut *span.lock().unwrap_or_else(PoisonError::into_inner))
}
