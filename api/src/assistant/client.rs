//! Calls of a server with the API of OpenAI: OpenAI itself, Ollama, vLLM, llama.cpp and others.
//!
//! What is sent is strictly what the API has; what comes back is read leniently, since servers leave out ids, indexes
//! and counts. A call ends at its deadline, whatever happens. Nothing of what a server says of a failure goes further
//! than the log, and keys go nowhere at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::backoff;
use super::breaker::{Breaker, BreakerSettings};
use super::dice::Dice;
use super::metrics::{AssistantMetrics, Called};
use super::settings::{AssistantSettings, Endpoint};
use super::wire;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::telemetry::traces::{self, KeyValue, Span, SpanKind, count};

/// Calls in all: the first, and three more.
const TRIES: u32 = 4;

/// Bytes of an answer at the most.
const MAX_BYTES: usize = 32 << 20;

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Vectors of texts.
    Embedding,
    /// An answer.
    Chat,
}

impl Kind {
    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Chat => "chat",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Embedding => "embeddings",
            Self::Chat => "chat/completions",
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No server is configured.
    #[error("no server is configured")]
    NotConfigured,
    /// It did not answer in time.
    #[error("the server did not answer in time")]
    Late,
    /// It cannot be reached, or broke off.
    #[error("the server cannot be reached")]
    Unreachable,
    /// It has failed again and again, and is not asked for a while.
    #[error("the server has failed again and again")]
    Resting(Duration),
    /// It is asked for too much, by this server or by others.
    #[error("the server is busy")]
    Busy(Option<Duration>),
    /// Nothing is left to be spent there.
    #[error("nothing is left to be spent at the server")]
    OutOfQuota,
    /// It refused the request.
    #[error("the server refused the request with status {0}")]
    Refused(u16),
    /// It failed.
    #[error("the server failed with status {0}")]
    Failed(u16),
    /// It answered with what cannot be understood.
    #[error("the answer of the server cannot be understood")]
    Unreadable,
}

impl CallError {
    /// The code that a client may see.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotConfigured => "NOT_CONFIGURED",
            Self::Late => "TIMEOUT",
            Self::Unreachable => "UNREACHABLE",
            Self::Resting(_) => "RESTING",
            Self::Busy(_) => "BUSY",
            Self::OutOfQuota => "OUT_OF_QUOTA",
            Self::Refused(_) => "REFUSED",
            Self::Failed(_) => "FAILED",
            Self::Unreadable => "UNREADABLE",
        }
    }

    /// After what time it is worth asking again, where that is known.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Resting(left) => Some(left),
            Self::Busy(asked) => asked,
            _ => None,
        }
    }

    /// Whether the same call may succeed when it is made again.
    fn is_transient(self) -> bool {
        match self {
            Self::Busy(_) | Self::Unreachable => true,
            Self::Failed(status) | Self::Refused(status) => matches!(status, 408 | 409 | 500..=599),
            _ => false,
        }
    }

    /// Whether it speaks against asking this server any more.
    fn is_failure(self) -> bool {
        matches!(self, Self::Late | Self::Unreachable | Self::Failed(_) | Self::Unreadable)
    }
}

/// Vectors, in the order of their texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// The numbers of each.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens that were read.
    pub tokens: u64,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The words.
    pub text: String,
    /// Tokens that were read.
    pub prompt_tokens: u64,
    /// Tokens that were written.
    pub completion_tokens: u64,
    /// Tokens of those that were read for which the server had kept what it needed.
    pub cached_tokens: u64,
    /// The model that answered.
    pub model: Option<String>,
}

/// A way to call a server.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    bases: Vec<Url>,
    /// Whether the second base is the right one.
    second: AtomicBool,
    authorization: Option<HeaderValue>,
    embedding: Breaker,
    chat: Breaker,
    dice: Dice,
    metrics: Arc<AssistantMetrics>,
}

impl Client {
    /// Calls this server.
    ///
    /// # Errors
    /// When the key cannot be sent, or there is no way to make requests.
    pub fn new(
        endpoint: &Endpoint,
        settings: &AssistantSettings,
        clock: &Clock,
        dice: Dice,
        metrics: Arc<AssistantMetrics>,
    ) -> Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.deadline)
            .build()
            .map_err(Error::internal)?;
        let authorization = endpoint.key.as_ref().map(|key| {
            let value = HeaderValue::from_str(&format!("Bearer {}", key.expose()));
            let mut value = value.map_err(|_| Error::internal("assistant_key: a key has no line breaks"))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        });
        let rest = BreakerSettings { failures: settings.breaker_failures, pause: settings.breaker_pause };
        let breaker = || Breaker::new(rest, clock.clone());
        Ok(Self {
            http,
            bases: bases(&endpoint.url),
            second: AtomicBool::new(false),
            authorization: authorization.transpose()?,
            embedding: breaker(),
            chat: breaker(),
            dice,
            metrics,
        })
    }

    /// The vectors of some texts.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn embed(&self, model: &str, texts: &[String], deadline: Instant) -> Result<Embedded, CallError> {
        let request = wire::embedding_request(model, texts);
        let read = |body: &[u8]| wire::read_embeddings(body, texts.len());
        let span = self.generation(Kind::Embedding, model);
        let embedded = span.clone().around(self.call(Kind::Embedding, &request, read, deadline)).await;
        let embedded = embedded.inspect_err(|error| span.failed(error.code()))?;
        span.set(|| [count("gen_ai.usage.input_tokens", embedded.tokens)]);
        self.metrics.used("embedding", embedded.tokens);
        Ok(embedded)
    }

    /// An answer to some messages.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn chat(&self, request: &wire::Asked<'_>, deadline: Instant) -> Result<Completion, CallError> {
        let span = self.generation(Kind::Chat, request.model);
        let request = wire::chat_request(request);
        let completion = span.clone().around(self.call(Kind::Chat, &request, wire::read_completion, deadline)).await;
        let completion = completion.inspect_err(|error| span.failed(error.code()))?;
        span.set(|| {
            [
                count("gen_ai.usage.input_tokens", completion.prompt_tokens),
                count("gen_ai.usage.output_tokens", completion.completion_tokens),
            ]
        });
        if let Some(model) = &completion.model {
            span.set(|| [KeyValue::new("gen_ai.response.model", traces::bounded(model))]);
        }
        self.metrics.used("prompt", completion.prompt_tokens);
        self.metrics.used("completion", completion.completion_tokens);
        Ok(completion)
    }

    /// The span of a call with all of its tries. It says which model and how many tokens, and no word of either side.
    fn generation(&self, kind: Kind, model: &str) -> Span {
        let operation = match kind {
            Kind::Embedding => "embeddings",
            Kind::Chat => "chat",
        };
        let span = Span::begin(SpanKind::Client, || format!("{operation} {model}").into());
        span.set(|| {
            let base = self.bases.first();
            [
                KeyValue::new("gen_ai.operation.name", operation),
                // Its API, whoever serves it.
                KeyValue::new("gen_ai.provider.name", "openai"),
                KeyValue::new("gen_ai.request.model", model.to_owned()),
                KeyValue::new("server.address", base.and_then(Url::host_str).unwrap_or_default().to_owned()),
            ]
        });
        span
    }

    async fn call<T>(
        &self,
        kind: Kind,
        request: &(impl Serialize + Sync),
        read: impl Fn(&[u8]) -> Option<T>,
        deadline: Instant,
    ) -> Result<T, CallError> {
        let breaker = match kind {
            Kind::Embedding => &self.embedding,
            Kind::Chat => &self.chat,
        };
        let mut attempt = 1;
        loop {
            let outcome = match breaker.enter() {
                Ok(()) => {
                    let sent = timeout_at(deadline, self.send(kind, request)).await.unwrap_or(Err(CallError::Late));
                    let outcome = sent.and_then(|body| read(&body).ok_or(CallError::Unreadable));
                    match &outcome {
                        Err(error) if error.is_failure() => breaker.failed(),
                        _ => breaker.succeeded(),
                    }
                    outcome
                }
                Err(left) => Err(CallError::Resting(left)),
            };
            self.metrics.breaker(kind.name(), breaker.state());
            let error = match outcome {
                Ok(value) => {
                    self.metrics.called(kind.name(), Called::Answered);
                    return Ok(value);
                }
                Err(error) => error,
            };
            let called = if matches!(error, CallError::Resting(_)) { Called::Skipped } else { Called::Failed };
            self.metrics.called(kind.name(), called);
            let left = deadline.saturating_duration_since(Instant::now());
            let again = error.is_transient() && attempt < TRIES;
            let pause =
                again.then(|| backoff::pause(attempt + 1, self.dice.roll(), error.retry_after(), left)).flatten();
            let Some(pause) = pause else {
                tracing::warn!(kind = kind.name(), attempt, cause = %error, "a call of a model failed");
                return Err(error);
            };
            tracing::debug!(kind = kind.name(), attempt, cause = %error, "a call of a model is made again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn send(&self, kind: Kind, request: &impl Serialize) -> Result<Vec<u8>, CallError> {
        let second = self.second.load(Ordering::Relaxed) && self.bases.len() > 1;
        let first = self.bases.get(usize::from(second)).ok_or(CallError::NotConfigured)?;
        match self.send_to(first, kind, request).await {
            // Without the version in its path, perhaps.
            Err(CallError::Refused(404)) if !second && self.bases.len() > 1 => {
                let base = self.bases.get(1).ok_or(CallError::NotConfigured)?;
                let answer = self.send_to(base, kind, request).await;
                self.second.store(answer.is_ok(), Ordering::Relaxed);
                answer
            }
            answer => answer,
        }
    }

    async fn send_to(&self, base: &Url, kind: Kind, request: &impl Serialize) -> Result<Vec<u8>, CallError> {
        let url = base.join(kind.path()).map_err(|_| CallError::NotConfigured)?;
        let mut call = self.http.post(url).json(request);
        if let Some(authorization) = &self.authorization {
            call = call.header(AUTHORIZATION, authorization.clone());
        }
        let mut response = traces::send(call).await.map_err(|_| CallError::Unreachable)?;
        let status = response.status();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| backoff::retry_after(value.to_str().ok()?));
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|_| CallError::Unreachable)? {
            if body.len() + part.len() > MAX_BYTES {
                return Err(CallError::Unreadable);
            }
            body.extend_from_slice(&part);
        }
        if status.is_success() {
            return Ok(body);
        }
        Err(match status {
            _ if wire::is_out_of_quota(&body) => CallError::OutOfQuota,
            StatusCode::TOO_MANY_REQUESTS => CallError::Busy(asked),
            status if status.is_server_error() && asked.is_some() => CallError::Busy(asked),
            status if status.is_server_error() => CallError::Failed(status.as_u16()),
            status => CallError::Refused(status.as_u16()),
        })
    }
}

/// Where the API may be below a base URL: as it is given when it names a version, and else with and without one.
fn bases(url: &Url) -> Vec<Url> {
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    let path = base.path().trim_end_matches('/').to_owned();
    let with = |path: &str| {
        let mut base = base.clone();
        base.set_path(path);
        base
    };
    let last = path.rsplit('/').next().unwrap_or_default();
    let versioned =
        last.strip_prefix('v').is_some_and(|number| number.starts_with(|digit: char| digit.is_ascii_digit()));
    if versioned {
        return vec![with(&format!("{path}/"))];
    }
    vec![with(&format!("{path}/v1/")), with(&format!("{path}/"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_looked_for_with_and_without_a_version() {
        let of = |url: &str| bases(&url.parse().unwrap()).iter().map(Url::to_string).collect::<Vec<_>>();
        assert_eq!(of("http://h:1"), ["http://h:1/v1/", "http://h:1/"]);
        assert_eq!(of("http://h/v1"), ["http://h/v1/"]);
        assert_eq!(of("http://h/v1/"), ["http://h/v1/"]);
        assert_eq!(of("https://h/api/v3?x=1"), ["https://h/api/v3/"]);
        assert_eq!(of("https://h/ai/"), ["https://h/ai/v1/", "https://h/ai/"]);
    }

    /// What is worth a second call, and what is not.
    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (error, transient, failure) in [
            (CallError::Failed(500), true, true),
            (CallError::Failed(503), true, true),
            (CallError::Refused(408), true, false),
            (CallError::Refused(409), true, false),
            (CallError::Busy(None), true, false),
            (CallError::Unreachable, true, true),
            (CallError::Refused(400), false, false),
            (CallError::Refused(401), false, false),
            (CallError::OutOfQuota, false, false),
            (CallError::Late, false, true),
            (CallError::Unreadable, false, true),
            (CallError::Resting(Duration::ZERO), false, false),
        ] {
            assert_eq!((error.is_transient(), error.is_failure()), (transient, failure), "{error:?}");
        }
    }
}
