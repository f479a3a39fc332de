//! The queue between resolvers and batch functions.
//!
//! A resolver puts its keys here and waits; [`super::operation::run`] takes what is queued and hands it to the
//! loaders. The loads belong to the operation: a resolver that is dropped, because a sibling failed, drops
//! nothing but its own wait. (`dataloader` alone panics every sibling when the future that drives a batch is
//! dropped.)

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dataloader::BatchFn;
use dataloader::cached::Loader;
use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;

use super::{Key, Source};
use crate::cache;
use crate::error::{Error, Result};
use crate::store::{Batch, Meter, Served};
use crate::telemetry::microseconds;
use crate::telemetry::traces::{self, Span, SpanKind, count};

/// All loads of one operation. Each key is loaded at most once.
pub struct Loads {
    source: Source,
    queues: Mutex<HashMap<TypeId, Arc<dyn AnyQueue>>>,
    batching: bool,
    begun: AtomicBool,
    /// Whose levels they are in a trace, and how many there were.
    span: Mutex<Span>,
    levels: AtomicU32,
}

impl Loads {
    /// An empty queue for a new operation.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            queues: Mutex::default(),
            batching: true,
            begun: AtomicBool::new(false),
            span: Mutex::default(),
            levels: AtomicU32::new(0),
        }
    }

    /// The same without batches and without a memory of what was loaded: a statement for each key of each resolver.
    /// For benchmarks, which say what batching is worth.
    #[must_use]
    pub fn one_by_one(self) -> Self {
        Self { batching: false, ..self }
    }

    /// Counts what the operation runs.
    pub fn meter(&self) -> &Arc<Meter> {
        self.source.reader.meter()
    }

    /// Where it reads, and on whose behalf.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Forgets what was loaded, for the next event of a subscription.
    pub fn reset(&self) {
        lock(&self.queues).clear();
        self.begun.store(false, Ordering::Relaxed);
        self.source.reader.begin_afresh();
    }

    /// Makes the levels from now on parts of a span. Without one they are parts of that in which the operation runs.
    pub fn trace_below(&self, span: Span) {
        *lock(&self.span) = span;
        self.levels.store(0, Ordering::Relaxed);
    }

    /// Whether anything was loaded since the last reset.
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Loads one key, together with all others that are asked for meanwhile.
    ///
    /// # Errors
    /// The error of the batch, shared by all who asked.
    pub async fn one<K: Key>(&self, key: K) -> Result<K::Value> {
        let answer = self.queue::<K>().push(key);
        answer.await.unwrap_or_else(|_| Err(abandoned(K::LOADER)))
    }

    /// Loads some keys; the answers are in the order of the keys.
    ///
    /// # Errors
    /// The first error of a batch.
    pub async fn many<K: Key>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<K::Value>> {
        let queue = self.queue::<K>();
        // All are queued before the first is awaited.
        let answers: Vec<_> = keys.into_iter().map(|key| queue.push(key)).collect();
        let mut values = Vec::with_capacity(answers.len());
        for answer in answers {
            values.push(answer.await.unwrap_or_else(|_| Err(abandoned(K::LOADER)))?);
        }
        Ok(values)
    }

    /// One batch for each loader that has keys queued; without batching, one for each key.
    pub(super) fn take_batches(&self) -> Vec<LocalBoxFuture<'static, ()>> {
        let queues: Vec<_> = lock(&self.queues).values().cloned().collect();
        let batches: Vec<_> = if self.batching {
            queues.into_iter().filter_map(AnyQueue::take_batch).collect()
        } else {
            queues.into_iter().flat_map(AnyQueue::take_keys).collect()
        };
        self.begun.fetch_or(!batches.is_empty(), Ordering::Relaxed);
        if !traces::are_on() || batches.is_empty() {
            return batches;
        }
        // It ends with the last of its batches.
        let level = self.level(batches.len());
        batches
            .into_iter()
            .map(|batch| -> LocalBoxFuture<'static, ()> { Box::pin(level.clone().around(batch)) })
            .collect()
    }

    /// The span of a level; nothing where there is no trace.
    fn level(&self, batches: usize) -> Span {
        let parent = lock(&self.span).clone();
        let parent = if parent.is_recorded() { parent } else { Span::current() };
        let number = self.levels.fetch_add(1, Ordering::Relaxed) + 1;
        let level = parent.part(SpanKind::Internal, || format!("level {number}").into());
        level.set(|| [count("dermaga.batches", batches)]);
        level
    }

    fn queue<K: Key>(&self) -> Arc<Queue<K>> {
        let mut queues = lock(&self.queues);
        let queue =
            queues.entry(TypeId::of::<K>()).or_insert_with(|| Arc::new(Queue::<K>::new(self.source.clone()))).clone();
        drop(queues);
        // The entry was made for exactly this type; a second queue would only batch worse.
        queue.into_any().downcast().unwrap_or_else(|_| Arc::new(Queue::new(self.source.clone())))
    }
}

impl std::fmt::Debug for Loads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loads").field("source", &self.source).finish_non_exhaustive()
    }
}

type Waiting<K> = Vec<(K, oneshot::Sender<Result<<K as Key>::Value>>)>;

struct Queue<K: Key> {
    source: Source,
    loader: Loader<K, Result<K::Value>, Batches>,
    waiting: Mutex<Waiting<K>>,
}

impl<K: Key> Queue<K> {
    fn new(source: Source) -> Self {
        // The queue has gathered the batch already: no yielding for more keys, and no cut at 200.
        let batches = Batches { source: source.clone() };
        let loader = Loader::new(batches).with_yield_count(0).with_max_batch_size(usize::MAX);
        Self { source, loader, waiting: Mutex::default() }
    }

    fn push(&self, key: K) -> oneshot::Receiver<Result<K::Value>> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).push((key, sender));
        receiver
    }
}

/// A queue of keys of some type.
trait AnyQueue: Send + Sync {
    fn take_batch(self: Arc<Self>) -> Option<LocalBoxFuture<'static, ()>>;
    fn take_keys(self: Arc<Self>) -> Vec<LocalBoxFuture<'static, ()>>;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<K: Key> AnyQueue for Queue<K> {
    fn take_batch(self: Arc<Self>) -> Option<LocalBoxFuture<'static, ()>> {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        if waiting.is_empty() {
            return None;
        }
        let loader = self.loader.clone();
        Some(Box::pin(async move {
            let keys: HashSet<K> = waiting.iter().map(|(key, _)| key.clone()).collect();
            let answers = loader.try_load_many(keys.into_iter().collect()).await;
            for (key, sender) in waiting {
                let answer = match &answers {
                    Ok(answers) => answers.get(&key).cloned().unwrap_or_else(|| Err(abandoned(K::LOADER))),
                    Err(error) => Err(Error::internal(format!("loader {}: {error}", K::LOADER))),
                };
                // Nobody waits any more when the resolver was dropped; the answer stays for others.
                let _ = sender.send(answer);
            }
        }))
    }

    fn take_keys(self: Arc<Self>) -> Vec<LocalBoxFuture<'static, ()>> {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        let alone = waiting.into_iter().map(|(key, sender)| -> LocalBoxFuture<'static, ()> {
            let mut batches = Batches { source: self.source.clone() };
            Box::pin(async move {
                let answer = batches.load(std::slice::from_ref(&key)).await.remove(&key);
                let _ = sender.send(answer.unwrap_or_else(|| Err(abandoned(K::LOADER))));
            })
        });
        alone.collect()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// Answers batches of a key type: from the cache, and for the rest by its batch function.
struct Batches {
    source: Source,
}

impl<K: Key> BatchFn<K, Result<K::Value>> for Batches {
    async fn load(&mut self, keys: &[K]) -> HashMap<K, Result<K::Value>> {
        let start = Instant::now();
        let span = Span::begin(SpanKind::Internal, || format!("batch {}", K::LOADER).into());
        let answered = span.clone().around(cache::answer(&self.source, keys)).await;
        let (answers, served) = match answered {
            Ok((answers, served)) => (Ok(answers), served),
            Err(error) => {
                span.failed(error.code());
                (Err(error), Served::default())
            }
        };
        span.set(|| {
            [
                count("dermaga.keys", keys.len()),
                count("dermaga.from.memory", served.memory),
                count("dermaga.from.shared", served.shared),
                count("dermaga.from.joined", served.joined),
                count("dermaga.from.database", served.database),
            ]
        });
        let batch = Batch { loader: K::LOADER, keys: keys.len(), took: start.elapsed(), served };
        tracing::debug!(loader = K::LOADER, keys = keys.len(), took = microseconds(batch.took), "a batch was answered");
        self.source.reader.meter().record_batch(batch);
        match answers {
            Ok(answers) => answers.into_iter().map(|(key, value)| (key, Ok(value))).collect(),
            Err(error) => keys.iter().map(|key| (key.clone(), Err(error.clone()))).collect(),
        }
    }
}

fn abandoned(loader: &str) -> Error {
    Error::internal(format!("loader {loader} left a key without an answer"))
}

/// A panic in one resolver must not make the queues unusable for its siblings.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
