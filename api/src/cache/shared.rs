//! Answers in Redis, which all replicas share.
//!
//! Each tag has a *version* there: a random text. An answer is kept with the version that its tag had before the
//! database was read, and counts only while the tag still has that version. A change deletes the version; the next
//! reader makes a new one. So an answer that comes late, after a change, carries a version that is no more and is
//! never served, and a version that is evicted only makes answers worthless.
//!
//! Redis may lose or forget things while a replica cannot see it. So a replica that has newly reached Redis, or whose
//! word of a change did not arrive, first deletes the version on which all answers depend.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{Script, cmd, pipe};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::encoding::KeyBytes;
use super::metrics::CacheMetrics;
use super::tag::Tag;
use crate::shared_store::{Asked, PREFIX, SharedStore};

/// The label of its calls in the metrics.
const PURPOSE: &str = "cache";

/// The version on which every answer depends.
const EVERYTHING: &str = "everything";

/// Fills on their way at the most. More of them are dropped: Redis is slow then, and a fill is only a favour.
const FILLS: usize = 64;

/// The level.
pub(super) struct SharedLevel {
    store: SharedStore,
    read: Script,
    ttl: Duration,
    prefix: String,
    state: Mutex<State>,
    fills: Arc<Semaphore>,
    metrics: CacheMetrics,
}

/// What this replica knows of what Redis knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// How often word of a change did not arrive.
    owed: u64,
    /// The connection on which everything was deleted, and what was owed then.
    settled: Option<(u64, u64)>,
}

/// The versions that tags had before the database was read: with them the answers may be filled in.
#[derive(Debug)]
pub(super) struct Claims {
    versions: HashMap<Tag, String>,
    /// The connection on which they were read.
    link: u64,
}

/// Versions, and answers with theirs.
type Answered = (Vec<String>, Vec<Option<Vec<u8>>>);

impl SharedLevel {
    pub(super) fn new(store: SharedStore, ttl: Duration, metrics: &CacheMetrics) -> Self {
        // The release is part of it: how answers are written may change with any.
        let prefix = format!("{PREFIX}cache:{}:", env!("CARGO_PKG_VERSION"));
        Self {
            store,
            read: Script::new(include_str!("read.lua")),
            ttl,
            prefix,
            state: Mutex::default(),
            fills: Arc::new(Semaphore::new(FILLS)),
            metrics: metrics.clone(),
        }
    }

    /// The answers to these keys, in their order, and the right to fill in those that are missing. One round trip.
    /// `None` when Redis cannot be asked.
    pub(super) async fn ask(&self, asked: &[(&KeyBytes, Tag)]) -> Option<(Vec<Option<Vec<u8>>>, Claims)> {
        let link = self.settle().await?;
        let mut seen = HashSet::with_capacity(asked.len());
        let tags: Vec<Tag> = asked.iter().map(|(_, tag)| *tag).filter(|tag| seen.insert(*tag)).collect();
        let mut call = self.read.prepare_invoke();
        call.key(self.key(EVERYTHING));
        for tag in &tags {
            call.key(self.key(&tag.name()));
        }
        for (key, _) in asked {
            call.key(self.answer_key(key));
        }
        let version = uuid::Uuid::now_v7().simple().to_string();
        call.arg(tags.len() + 1).arg(version).arg(2 * self.ttl.as_secs().max(1));
        let read = async |mut link| call.invoke_async::<Answered>(&mut link).await;
        let (_, answer) = self.store.ask_on(Some(link), PURPOSE, read).await;
        let (versions, texts) = answer?;
        let (everything, versions) = versions.split_first()?;
        let versions = versions.iter().map(|version| format!("{everything}.{version}"));
        let claims: HashMap<Tag, String> = tags.into_iter().zip(versions).collect();
        let found = asked.iter().zip(texts).map(|((_, tag), text)| {
            // The version, an end of line, the answer.
            let text = text?;
            let (version, answer) = text.split_at_checked(text.iter().position(|byte| *byte == b'\n')?)?;
            (claims.get(tag)?.as_bytes() == version).then(|| answer.get(1..).unwrap_or_default().to_vec())
        });
        let found = found.collect();
        Some((found, Claims { versions: claims, link }))
    }

    /// Fills in answers, without being waited for.
    pub(super) fn fill(&self, answers: &[(KeyBytes, Tag, Vec<u8>)], claims: &Claims) {
        if answers.is_empty() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.fills).try_acquire_owned() else {
            self.metrics.shared_fills.with_label_values(&["dropped"]).inc_by(answers.len() as u64);
            return;
        };
        self.metrics.shared_fills.with_label_values(&["sent"]).inc_by(answers.len() as u64);
        let mut pipeline = pipe();
        for (key, tag, answer) in answers {
            let Some(version) = claims.versions.get(tag) else { continue };
            let mut text = Vec::with_capacity(version.len() + 1 + answer.len());
            text.extend_from_slice(version.as_bytes());
            text.push(b'\n');
            text.extend_from_slice(answer);
            pipeline.cmd("SET").arg(self.answer_key(key)).arg(text).arg("EX").arg(self.ttl.as_secs().max(1)).ignore();
        }
        let (store, link) = (self.store.clone(), claims.link);
        self.store.spawn(async move {
            let write = async |mut link| pipeline.query_async::<()>(&mut link).await;
            // What does not arrive is missed and read again.
            let _ = store.ask_on(Some(link), PURPOSE, write).await;
            drop(permit);
        });
    }

    /// Makes answers that depend on these worthless. When Redis does not hear of it, nothing there is believed until
    /// all of it was made worthless.
    pub(super) async fn forget(&self, tags: &[Tag]) {
        let keys: Vec<String> = tags.iter().map(|tag| self.key(&tag.name())).collect();
        self.delete(keys).await;
    }

    /// Makes all answers worthless.
    pub(super) async fn forget_all(&self) {
        self.delete(vec![self.key(EVERYTHING)]).await;
    }

    async fn delete(&self, keys: Vec<String>) {
        // Deleting needs no room: a full Redis does it too.
        let command = async |mut link| cmd("DEL").arg(keys).query_async::<()>(&mut link).await;
        let (asked, _) = self.store.ask_on(None, PURPOSE, command).await;
        if asked != Asked::Answered {
            self.lock().owed += 1;
        }
    }

    /// Makes sure that nothing is left in Redis of which this replica does not know whether it still holds.
    /// Returns the connection on which answers may be believed.
    async fn settle(&self) -> Option<u64> {
        let link = self.store.link()?;
        let State { owed, settled } = *self.lock();
        if settled == Some((link, owed)) {
            return Some(link);
        }
        let key = self.key(EVERYTHING);
        let command = async |mut link| cmd("DEL").arg(key).query_async::<()>(&mut link).await;
        let (asked, _) = self.store.ask_on(Some(link), PURPOSE, command).await;
        if asked != Asked::Answered {
            return None;
        }
        let mut state = self.lock();
        state.settled = Some((link, owed));
        // What came in between is owed anew.
        (state.owed == owed).then_some(link)
    }

    /// Something in Redis was not what this release writes.
    pub(super) fn misread(&self) {
        self.metrics.shared_fills.with_label_values(&["misread"]).inc();
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Filters may be long: a hash is short, and no two keys have the same.
    fn answer_key(&self, key: &KeyBytes) -> Vec<u8> {
        let mut name = self.prefix.clone().into_bytes();
        name.extend_from_slice(b"answer:");
        name.extend_from_slice(&Sha256::digest(key));
        name
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SharedLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedLevel").field("state", &*self.lock()).finish_non_exhaustive()
    }
}
