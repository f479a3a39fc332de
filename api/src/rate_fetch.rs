//! Reference rates, fetched on a schedule from wherever a file in the format of the ECB is published.
//!
//! A fetch asks only for what has changed, tries again a few times, and imports what it got as the command line does.
//! All replicas may fetch: one at a time imports, the others find nothing to change. What changed is told in the same
//! transaction, so that every replica's subscribers hear of it once.

use std::time::Duration;

use reqwest::header::{ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Client, StatusCode, Url};

use crate::cache::{Cache, Cause, Tag};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::import::{MAX_BYTES, ecb};
use crate::metrics::{Fetched, Metrics};
use crate::progress::Progress;
use crate::rate_feed::RateFeed;
use crate::shutdown::Stopping;
use crate::store::{Database, rates};
use crate::telemetry::traces::{self, Span, SpanKind};

/// How long one try may take in all.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often a fetch is tried.
const TRIES: u32 = 4;

/// How long is waited before the second try; twice as long before each next one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Where the file is, and how often it is fetched.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// The URL, which may hold a password.
    pub url: Url,
    /// The time between two fetches.
    pub every: Duration,
}

impl std::fmt::Debug for FetchSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FetchSettings").field("every", &self.every).finish_non_exhaustive()
    }
}

/// Fetches rates until the server stops.
#[derive(Debug)]
pub struct RateFetch {
    settings: FetchSettings,
    client: Client,
    database: Database,
    clock: Clock,
    feed: RateFeed,
    cache: Cache,
    metrics: Metrics,
    /// What the last file was marked with.
    seen: Seen,
}

/// What a file is marked with, to be sent back.
#[derive(Clone, Debug, Default)]
struct Seen {
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

impl RateFetch {
    /// A fetch that has not run.
    ///
    /// # Errors
    /// When there is no way to make requests.
    pub fn new(
        settings: FetchSettings,
        database: Database,
        clock: Clock,
        feed: RateFeed,
        cache: Cache,
        metrics: Metrics,
    ) -> Result<Self> {
        // No connection is kept: the next request is an hour away.
        let client = Client::builder().timeout(TIMEOUT).pool_max_idle_per_host(0).build().map_err(Error::internal)?;
        Ok(Self { settings, client, database, clock, feed, cache, metrics, seen: Seen::default() })
    }

    /// Fetches at once and then again and again.
    pub async fn run(mut self, stopping: Stopping) {
        let work = async {
            loop {
                self.fetch().await;
                tokio::time::sleep(self.settings.every).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = stopping.begun() => {}
        }
    }

    /// One fetch, with its tries.
    async fn fetch(&mut self) {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=TRIES {
            let span = Span::root(SpanKind::Internal, "fetch rates", None);
            let outcome = span.clone().around(self.attempt()).await;
            if outcome.is_err() {
                span.failed("fetch");
            }
            match outcome {
                Ok(outcome) => return self.metrics.rates_fetched(outcome),
                Err(error) => {
                    self.metrics.rates_fetched(Fetched::Failed);
                    tracing::warn!(attempt, cause = %error.chain(), "fetching rates failed");
                }
            }
            if attempt < TRIES {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
    }

    async fn attempt(&mut self) -> Result<Fetched> {
        let Some((file, seen)) = self.ask().await? else { return Ok(Fetched::NotModified) };
        // A file of 27 years takes a while, and others wait on this thread.
        let parsed = tokio::task::spawn_blocking(move || ecb::parse(&file)).await.map_err(Error::internal)?;
        let history = parsed.map_err(Error::internal)?;
        let newest = history.days().last().map(|day| day.date);
        let now = self.clock.now();
        let report = self
            .database
            .write(async |transaction| {
                rates::lock_imports(transaction).await?;
                let imported = ecb::import(transaction, &history, now, &Progress::hidden()).await;
                let report = imported.map_err(Error::internal)?;
                if let Some(day) = newest.filter(|_| report.is_change()) {
                    rates::announce(transaction, day).await?;
                }
                Ok::<_, Error>(report)
            })
            .await?;
        // Only now: what was not imported must be sent again.
        self.seen = seen;
        if !report.is_change() {
            return Ok(Fetched::Unchanged);
        }
        tracing::info!(added = report.added, changed = report.changed, "rates were fetched");
        self.database.wrote_anything();
        self.cache.changed(&[Tag::Rates], Cause::Own).await;
        if let Some(day) = newest {
            self.feed.changed_here(&self.database, &self.metrics, day).await;
        }
        Ok(Fetched::Changed)
    }

    /// The file, unless it is the one that was seen.
    async fn ask(&self) -> Result<Option<(Vec<u8>, Seen)>> {
        let mut request = self.client.get(self.settings.url.clone());
        if let Some(etag) = &self.seen.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(modified) = &self.seen.modified {
            request = request.header(IF_MODIFIED_SINCE, modified);
        }
        // The URL may hold a password.
        let failed = |error: reqwest::Error| Error::internal(error.without_url());
        let mut response = traces::send(request).await.map_err(failed)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return Ok(None),
            other => return Err(Error::internal(format!("the answer has the status {}", other.as_u16()))),
        }
        let header = |name| response.headers().get(name).cloned();
        let seen = Seen { etag: header(ETAG), modified: header(LAST_MODIFIED) };
        let mut file = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if (file.len() + chunk.len()) as u64 > MAX_BYTES {
                return Err(Error::internal(format!("the answer is longer than {MAX_BYTES} bytes")));
            }
            file.extend_from_slice(&chunk);
        }
        Ok(Some((file, seen)))
    }
}
