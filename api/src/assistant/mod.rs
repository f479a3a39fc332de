//! The assistant: answers a question about exporting goods from what is stored, and says what the answer rests on.
//!
//! It may never give a number that [`duty_quote`](crate::duty_quote) has not computed or a source does not hold, never
//! show words of a source that do not stand in it, and never tell a client what another server said of a failure.
//! `docs/assistant.md` has its flow, `docs/decisions/0015-assistant.md` the reasons.

pub mod ask;
pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod calculation;
pub mod chunker;
pub mod client;
pub mod dates;
pub mod dice;
pub mod embedding;
pub mod evaluation;
pub mod goods;
pub mod grounding;
pub mod index;
pub mod kept;
pub mod metrics;
pub mod numbers;
pub mod outcome;
pub mod prompt;
pub mod retrieval;
pub mod scope;
pub mod search;
pub mod settings;
pub mod similarity;
pub mod text;
pub mod vectors;
pub mod wire;

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

pub use ask::{Progress, Question};
pub use outcome::Outcome;
pub use settings::AssistantSettings;

use self::ask::Work;
use self::budget::Budget;
use self::client::{CallError, Client};
use self::dice::Dice;
use self::embedding::Embedder;
use self::kept::{Flights, Kept};
use self::metrics::AssistantMetrics;
use self::outcome::{FoundChunk, FoundPrompt, Verdict};
use self::search::{Query, Search};
use self::vectors::Vector;
use crate::cache::{Cache, Mark, Tag};
use crate::clock::Clock;
use crate::domain::duty::RupiahRounding;
use crate::error::{Error, Result};
use crate::loaders::{Loads, Source, operation};
use crate::metrics::Metrics;
use crate::store::Database;
use crate::telemetry::traces::{KeyValue, Span, SpanKind};

/// What an answer depends on: sources, regulations, rules, prices and rates.
const TAGS: [Tag; 3] = [Tag::Sources, Tag::Commodities, Tag::Rates];

/// By how much whoever waits for an outcome waits longer than it may take.
const GRACE: std::time::Duration = std::time::Duration::from_millis(50);

/// The assistant. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Assistant(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: AssistantSettings,
    client: Option<Arc<Client>>,
    embedder: Embedder,
    search: Search,
    budget: Budget,
    database: Database,
    cache: Cache,
    clock: Clock,
    rounding: RupiahRounding,
    metrics: Arc<AssistantMetrics>,
    answers: Kept<Question, (Mark, Arc<Outcome>)>,
    by_id: Kept<Uuid, Arc<Outcome>>,
    flights: Flights<Question, Progress>,
}

/// What each way to search has found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchLegs {
    /// By words.
    pub words: Vec<FoundChunk>,
    /// By vectors; `None` where no model made one of the question.
    pub vectors: Option<Vec<FoundChunk>>,
    /// By both.
    pub both: Vec<FoundChunk>,
}

/// What to search sources for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSearch {
    /// The words.
    pub text: String,
    /// How many at the most.
    pub limit: usize,
    /// The least similarity, in thousandths; `None` for that of the settings.
    pub min_similarity: Option<u32>,
}

/// A question that was asked.
#[derive(Clone, Debug)]
pub struct Asking {
    progress: watch::Receiver<Progress>,
    /// Whether its outcome was there already.
    pub cached: bool,
    deadline: Instant,
}

impl Assistant {
    /// An assistant that has answered nothing.
    ///
    /// # Errors
    /// When its metrics are registered already, or the server of its models cannot be called.
    pub fn new(
        settings: &AssistantSettings,
        rounding: RupiahRounding,
        database: &Database,
        cache: &Cache,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self> {
        let metrics = Arc::new(AssistantMetrics::new(metrics)?);
        let client = settings
            .endpoint
            .as_ref()
            .map(|endpoint| Client::new(endpoint, settings, clock, Dice::system(), Arc::clone(&metrics)).map(Arc::new));
        let client = client.transpose()?;
        Ok(Self(Arc::new(Inner {
            embedder: Embedder::new(client.clone(), settings, Arc::clone(&metrics)),
            search: Search::new(settings, database.comparison(), cache, Arc::clone(&metrics)),
            budget: Budget::new(settings, clock.clone()),
            answers: Kept::new(settings.cache_entries, settings.cache_ttl),
            by_id: Kept::new(settings.cache_entries, settings.cache_ttl),
            flights: Flights::default(),
            settings: settings.clone(),
            client,
            database: database.clone(),
            cache: cache.clone(),
            clock: clock.clone(),
            rounding,
            metrics,
        })))
    }

    /// What it may do.
    pub fn settings(&self) -> &AssistantSettings {
        &self.0.settings
    }

    /// The way to its models; `None` when none is configured.
    pub fn client(&self) -> Option<&Arc<Client>> {
        self.0.client.as_ref()
    }

    /// The index of what is stored now.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn index(&self, loads: &Loads) -> Result<Arc<index::Index>> {
        self.0.search.index(loads).await
    }

    /// The vector of a question; `None` where there is none, so that words alone are searched.
    pub async fn vector(&self, question: &str) -> Option<Arc<Vector>> {
        let deadline = Instant::now() + self.0.settings.deadline / 3;
        self.0.embedder.vector(question, deadline).await.ok()
    }

    /// The model with whose vectors is searched; `None` where words alone are.
    pub fn vector_model(&self) -> Option<&str> {
        self.0.client.as_ref().map(|_| self.0.settings.embedding_model.as_str())
    }

    /// Chunks in force on a day that are about something.
    ///
    /// # Errors
    /// When the sources cannot be loaded.
    pub async fn search_chunks(
        &self,
        loads: &Loads,
        search: &SourceSearch,
        on: chrono::NaiveDate,
    ) -> Result<Vec<FoundChunk>> {
        let (vector, words) = (self.vector(&search.text).await, text::words(&search.text));
        let query = self.query(search, &words, vector.as_deref());
        Ok(self.0.search.chunks(loads, &query, on).await?.good.clone())
    }

    /// Prompts that are like a question.
    ///
    /// # Errors
    /// When the prompts cannot be loaded.
    pub async fn search_prompts(&self, loads: &Loads, search: &SourceSearch) -> Result<Vec<FoundPrompt>> {
        let (vector, words) = (self.vector(&search.text).await, text::words(&search.text));
        let query = self.query(search, &words, vector.as_deref());
        Ok(self.0.search.prompts(loads, &query).await?.good.clone())
    }

    /// What each way to search finds for a question, for an evaluation: without a least similarity.
    ///
    /// # Errors
    /// When the sources cannot be loaded.
    pub async fn search_legs(&self, loads: &Loads, question: &Question) -> Result<SearchLegs> {
        let (vector, words) = (self.vector(&question.text).await, text::words(&question.text));
        let limit = self.0.settings.sources;
        let search = async |words: &[String], vector: Option<&Vector>| {
            let query = Query { text: &question.text, words, vector, floor: 0, limit };
            let hits = self.0.search.chunks(loads, &query, question.as_of).await?;
            Ok::<_, Error>(hits.all().take(limit).cloned().collect::<Vec<_>>())
        };
        let vectors = match vector.as_deref() {
            Some(vector) => Some(search(&[], Some(vector)).await?),
            None => None,
        };
        Ok(SearchLegs { words: search(&words, None).await?, vectors, both: search(&words, vector.as_deref()).await? })
    }

    fn query<'a>(&self, search: &'a SourceSearch, words: &'a [String], vector: Option<&'a Vector>) -> Query<'a> {
        let floor = self.0.settings.floor(search.min_similarity);
        Query { text: &search.text, words, vector, floor, limit: search.limit }
    }

    /// An answer that was given not long ago.
    pub fn answer(&self, id: Uuid) -> Option<Arc<Outcome>> {
        self.0.by_id.get(&id)
    }

    /// Asks a question. What is the same and asked at the same time is asked once, for all who wait.
    pub fn ask(&self, source: Source, question: &Question) -> Asking {
        // What an account has used today is told to nobody, so a standby may be without it.
        let source = Source { reader: source.reader.from_primary(), ..source };
        let question = Question { text: question.text.trim().to_owned(), ..question.clone() };
        let key = Question { text: text::normal(&question.text), ..question.clone() };
        let deadline = Instant::now() + self.0.settings.deadline;
        if let Some(outcome) = self.0.kept(&key) {
            self.0.metrics.looked_up("answer", "hit");
            let (_, progress) = watch::channel(Progress { sources: None, done: Some(Ok(outcome)) });
            return Asking { progress, cached: true, deadline };
        }
        let inner = Arc::clone(&self.0);
        let own_key = key.clone();
        let (progress, joined) = self.0.flights.board(&key, Progress::default(), |tell| async move {
            let span = Span::begin(SpanKind::Internal, || "assistant".into());
            span.around(inner.work(source, &question, own_key, &tell)).await;
        });
        self.0.metrics.looked_up("answer", if joined { "joined" } else { "miss" });
        Asking { progress, cached: false, deadline }
    }
}

impl Inner {
    fn kept(&self, key: &Question) -> Option<Arc<Outcome>> {
        let (mark, outcome) = self.answers.get(key)?;
        self.cache.is_current(mark, &TAGS).then_some(outcome)
    }

    async fn work(&self, source: Source, question: &Question, key: Question, tell: &watch::Sender<Progress>) {
        // It may have landed between the look and the start.
        if let Some(outcome) = self.kept(&key) {
            tell.send_modify(|progress| progress.done = Some(Ok(outcome)));
            return;
        }
        let mark = self.cache.mark();
        let started = Instant::now();
        let deadline = started + self.settings.deadline;
        let loads = Loads::new(source);
        let bill = RefCell::new(None);
        let work = Work { inner: self, loads: &loads, question, tell, bill: &bill, started, deadline };
        let verdict = ask::in_time(deadline, operation::run(&loads, work.run())).await;
        let verdict = match bill.take() {
            Some(bill) => bill.settle(self).await.and(verdict),
            None => verdict,
        };
        self.metrics.stage("whole", started.elapsed());
        let done = verdict.map(|(verdict, keep)| {
            self.metrics.outcome(verdict.name());
            Span::current().set(|| [KeyValue::new("dermaga.outcome", verdict.name())]);
            let is_answer = matches!(verdict, Verdict::Answer(_));
            let sources = tell.borrow().sources.clone();
            let outcome = Arc::new(ask::outcome(self.clock.new_id(), verdict, sources.as_ref()));
            if let Some(mark) = mark.filter(|_| keep) {
                self.answers.keep(&key, (mark, Arc::clone(&outcome)));
            }
            if is_answer {
                self.by_id.keep(&outcome.id, Arc::clone(&outcome));
            }
            outcome
        });
        tell.send_modify(|progress| progress.done = Some(done));
    }
}

impl Asking {
    /// What comes of it, in time.
    ///
    /// # Errors
    /// When something that it needs cannot be loaded.
    pub async fn outcome(mut self) -> Result<Arc<Outcome>> {
        let deadline = self.deadline + GRACE;
        let landed = timeout_at(deadline, self.progress.wait_for(|progress| progress.done.is_some())).await;
        match landed.map(|progress| progress.map(|progress| progress.done.clone())) {
            Ok(Ok(Some(done))) => done,
            Ok(Ok(None) | Err(_)) => Err(Error::internal("a question was given up")),
            Err(_) => Ok(Arc::new(ask::outcome(Uuid::nil(), ask::unavailable(CallError::Late), None))),
        }
    }

    /// The sources, once they are found; none where it ends before.
    pub async fn sources(&mut self) -> Vec<outcome::FoundChunk> {
        let found = |progress: &Progress| progress.sources.is_some() || progress.done.is_some();
        let Ok(Ok(progress)) = timeout_at(self.deadline + GRACE, self.progress.wait_for(found)).await else {
            return Vec::new();
        };
        match (&progress.sources, &progress.done) {
            (Some(sources), _) => sources.as_ref().clone(),
            (None, Some(Ok(outcome))) => outcome.sources.clone(),
            _ => Vec::new(),
        }
    }
}
