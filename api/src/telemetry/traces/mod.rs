//! Traces, as OpenTelemetry has them: where the time of a request went, across programs.
//!
//! Off unless a receiver is configured. Then a request whose trace is not sampled makes no span either, and what would
//! be said of one is not even computed: every attribute is given as a closure. Spans are made here and not by way of
//! `tracing`, so that the log and the traces never filter each other.
//!
//! Nothing that a client wrote stands in a span but the name of its operation, which is cut, and the name of the host:
//! no variables, no values of statements, no words of questions.

mod export;
mod propagation;
mod sampling;
pub mod statement;

use std::borrow::Cow;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::Either;
use opentelemetry::context::{Context, FutureExt, WithContext};
use opentelemetry::trace::{Link, SpanBuilder, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider};

pub use opentelemetry::KeyValue;
pub use opentelemetry::trace::{SpanContext, SpanKind};
pub use propagation::{Headers, incoming, send};

/// Spans that wait to be sent at the most. When the receiver is slow or gone, further ones are dropped.
const QUEUE: usize = 4_096;

/// Spans in one request to the receiver at the most.
const BATCH: usize = 512;

/// How long a span waits for others to be sent with.
const DELAY: Duration = Duration::from_secs(2);

/// How long the end of the server waits for the last spans to be sent.
const FLUSH: Duration = Duration::from_secs(5);

/// Characters of a name from outside.
const MOST_CHARACTERS: usize = 100;

/// Where traces go.
#[derive(Clone, PartialEq)]
pub struct TraceSettings {
    /// The receiver: the URL below which OTLP over HTTP has its `v1/traces`.
    pub endpoint: reqwest::Url,
    /// The share of requests that are traced when their sender says nothing of it: from 0 to 1.
    pub sample: f64,
    /// The name of this program in traces.
    pub service: String,
}

impl std::fmt::Debug for TraceSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The query of the URL may hold a key.
        f.debug_struct("TraceSettings")
            .field("sample", &self.sample)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// Makes spans, once traces are on.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Whether traces are on.
pub fn are_on() -> bool {
    TRACER.get().is_some()
}

/// Traces that are on; to be ended, so that the last spans are sent.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

/// Turns traces on, for the whole process. They are sent by the runtime of whoever calls.
///
/// # Errors
/// When the receiver cannot be called as configured, in words.
pub fn start(settings: &TraceSettings) -> Result<Traces, String> {
    let exporter = export::exporter(&settings.endpoint)?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(DELAY)
        .build();
    let resource = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", uuid::Uuid::now_v7().to_string()),
        ])
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_service_name(settings.service.clone())
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .with_sampler(Sampler::parent_based(sampling::Roots { share: settings.sample }))
        .with_resource(resource)
        .build();
    // A second start, as in tests that share a process, keeps the first.
    let _ = TRACER.set(provider.tracer("dermaga"));
    Ok(Traces(provider))
}

impl Traces {
    /// Sends what is left, within five seconds.
    pub async fn end(self) {
        // It blocks, and the sending is done by this runtime.
        let ending = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FLUSH));
        if let Ok(Err(error)) = ending.await {
            tracing::warn!(cause = %error, "the last spans were not sent");
        }
    }
}

/// The ids of the trace and of the span in which this is called: of the log and of error answers. There are none outside
/// of requests, and none of a request that is not traced and came without a trace of its own.
pub fn current() -> Option<(TraceId, SpanId)> {
    if !are_on() {
        return None;
    }
    Context::map_current(|context| {
        let span = context.span();
        let ids = span.span_context();
        ids.is_valid().then(|| (ids.trace_id(), ids.span_id()))
    })
}

/// Something that is traced; or nothing, where nothing is. Clones are the same span, which ends when the last of them is
/// dropped.
#[derive(Clone, Debug, Default)]
pub struct Span(Option<Context>);

impl Span {
    /// The span in which this is called.
    pub fn current() -> Self {
        if !are_on() {
            return Self(None);
        }
        let context = Context::current();
        Self(context.has_active_span().then_some(context))
    }

    /// A part of the span in which this is called.
    pub fn begin(kind: SpanKind, name: impl FnOnce() -> Cow<'static, str>) -> Self {
        Self::current().part(kind, name)
    }

    /// A part of this span.
    #[must_use]
    pub fn part(&self, kind: SpanKind, name: impl FnOnce() -> Cow<'static, str>) -> Self {
        match (self.recorded(), TRACER.get()) {
            (Some(parent), Some(tracer)) => {
                let span = tracer.build_with_context(SpanBuilder::from_name(name()).with_kind(kind), parent);
                Self(Some(parent.with_span(span)))
            }
            _ => Self(None),
        }
    }

    /// What is done for a request from elsewhere, of whose sender `incoming` tells. Nothing when it is not sampled; where
    /// the sender has a trace, its ids are still passed on then.
    pub fn serve(name: &'static str, incoming: Option<SpanContext>) -> Self {
        let sampled = incoming.as_ref().is_none_or(SpanContext::is_sampled);
        let parent = incoming.map_or_else(Context::new, |remote| Context::new().with_remote_span_context(remote));
        if !sampled {
            return Self(Some(parent));
        }
        Self::rooted(SpanBuilder::from_name(name).with_kind(SpanKind::Server), &parent)
    }

    /// The beginning of a trace. Where it has `cause` in another trace, it is sampled if that one is, and links to it.
    pub fn root(kind: SpanKind, name: &'static str, cause: Option<SpanContext>) -> Self {
        let links = cause.map(Link::with_context).into_iter().collect();
        Self::rooted(SpanBuilder::from_name(name).with_kind(kind).with_links(links), &Context::new())
    }

    fn rooted(builder: SpanBuilder, parent: &Context) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let context = parent.with_span(tracer.build_with_context(builder, parent));
        Self(Some(context).filter(|context| context.span().span_context().is_sampled()))
    }

    fn recorded(&self) -> Option<&Context> {
        self.0.as_ref().filter(|context| context.span().span_context().is_sampled())
    }

    /// Whether something is made of what is said about it.
    pub fn is_recorded(&self) -> bool {
        self.recorded().is_some()
    }

    /// What another trace names it by, as a cause.
    pub fn ids(&self) -> Option<SpanContext> {
        self.0.as_ref().map(|context| context.span().span_context().clone())
    }

    /// Says something about it.
    pub fn set<const N: usize>(&self, attributes: impl FnOnce() -> [KeyValue; N]) {
        if let Some(context) = self.recorded() {
            context.span().set_attributes(attributes());
        }
    }

    /// Notes that something happened during it.
    pub fn event<const N: usize>(&self, name: &'static str, attributes: impl FnOnce() -> [KeyValue; N]) {
        if let Some(context) = self.recorded() {
            context.span().add_event(name, attributes().into());
        }
    }

    /// Notes that it failed, and with which kind of error.
    pub fn failed(&self, error: impl Into<Cow<'static, str>>) {
        if let Some(context) = self.recorded() {
            let span = context.span();
            span.set_attribute(KeyValue::new("error.type", error.into()));
            span.set_status(Status::error(""));
        }
    }

    /// Does some work in it: whatever is begun meanwhile is a part of it.
    pub fn around<F: Future>(self, work: F) -> Either<WithContext<F>, F> {
        match self.0 {
            Some(context) => Either::Left(work.with_context(context)),
            None => Either::Right(work),
        }
    }
}

/// An attribute that counts something.
pub fn count(name: &'static str, number: impl TryInto<i64>) -> KeyValue {
    KeyValue::new(name, number.try_into().unwrap_or(i64::MAX))
}

/// The first characters of a name from outside.
pub fn bounded(name: &str) -> String {
    name.chars().take(MOST_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing that a client chooses makes a span as long as it likes.
    #[test]
    fn names_are_bounded() {
        assert_eq!(bounded("Payments"), "Payments");
        assert_eq!(bounded(&"é".repeat(1_000)), "é".repeat(100));
    }

    /// Without a receiver there is no span, and nobody computes what it would say.
    #[tokio::test]
    async fn nothing_is_made_while_traces_are_off() {
        let never = || -> Cow<'static, str> { panic!("a name for nothing") };
        let span = Span::begin(SpanKind::Internal, never);
        span.set::<1>(|| panic!("an attribute of nothing"));
        span.event::<1>("event", || panic!("an event of nothing"));
        span.failed("nothing");
        assert!(!span.is_recorded() && span.ids().is_none());
        assert_eq!(span.around(async { current() }).await, None);
        assert!(!Span::root(SpanKind::Internal, "root", None).is_recorded());
    }
}
