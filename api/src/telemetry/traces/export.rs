//! Sends spans to their receiver: OTLP over HTTP, as protobuf.
//!
//! A thread of the library gathers them, and hands each batch to [`Sender`], which is the only one to speak of a receiver
//! that fails: once, and then from time to time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use reqwest::Url;
use tokio::runtime::Handle;

/// How long a request to the receiver may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection to the receiver may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of an answer at the most. A good one has a few.
const MAX_BYTES: usize = 64 << 10;

/// How often a receiver that goes on failing is spoken of.
const REMIND_EVERY: Duration = Duration::from_secs(600);

/// What sends batches of spans to the receiver at a URL.
pub(super) fn exporter(endpoint: &Url) -> Result<SpanExporter, String> {
    let mut url = endpoint.clone();
    url.set_path(&format!("{}/v1/traces", endpoint.path().trim_end_matches('/')));
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    let client = client.map_err(|error| error.to_string())?;
    let sender = Sender { client, runtime: Handle::current(), failing: Arc::default() };
    SpanExporter::builder()
        .with_http()
        .with_http_client(sender)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .with_endpoint(url)
        .build()
        .map_err(|error| format!("otlp_endpoint: {error}"))
}

/// Sends requests by the runtime of this program: the thread that asks for it has none.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    runtime: Handle,
    failing: Arc<Mutex<Option<Failing>>>,
}

/// A receiver that fails.
#[derive(Debug)]
struct Failing {
    times: u64,
    told: Instant,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let call = call(self.client.clone(), request);
        let answer = self.runtime.spawn(call).await.map_err(|_| "the server stops".to_owned()).flatten();
        match &answer {
            Ok(answer) if answer.status().is_success() => self.succeeded(),
            Ok(answer) => self.failed(&format!("the answer has the status {}", answer.status().as_u16())),
            Err(cause) => self.failed(cause),
        }
        answer.map_err(HttpError::from)
    }
}

impl Sender {
    fn succeeded(&self) {
        if let Some(Failing { times, .. }) = self.failing.lock().unwrap_or_else(PoisonError::into_inner).take() {
            tracing::info!(times, "traces can be sent again");
        }
    }

    fn failed(&self, cause: &str) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match &mut *failing {
            None => {
                *failing = Some(Failing { times: 1, told: now });
                tracing::warn!(cause, "traces cannot be sent; they are dropped until they can");
            }
            Some(failing) => {
                failing.times += 1;
                if now.duration_since(failing.told) >= REMIND_EVERY {
                    failing.told = now;
                    tracing::warn!(cause, times = failing.times, "traces still cannot be sent");
                }
            }
        }
    }
}

/// Makes a request. A failure is told in words, without the URL.
async fn call(client: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    let words = |error: reqwest::Error| crate::error::chain(&error.without_url());
    let request = reqwest::Request::try_from(request).map_err(words)?;
    let mut received = client.execute(request).await.map_err(words)?;
    let mut body = Vec::new();
    while let Some(part) = received.chunk().await.map_err(words)? {
        if body.len() + part.len() > MAX_BYTES {
            return Err(format!("the answer is longer than {MAX_BYTES} bytes"));
        }
        body.extend_from_slice(&part);
    }
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = received.status();
    *answer.headers_mut() = std::mem::take(received.headers_mut());
    Ok(answer)
}
