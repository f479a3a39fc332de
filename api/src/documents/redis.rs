//! The documents that replicas share.

use std::sync::Arc;

use super::Hash;
use crate::shared_store::{PREFIX, SharedStore};

/// How long a document stays after its last use, in seconds: a day, so that a client that starts once a day finds it.
pub(super) const TIME_TO_LIVE: i64 = 24 * 60 * 60;

/// The documents that replicas share. A fault is a miss.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    store: SharedStore,
    max_bytes: usize,
}

impl Shared {
    /// Documents longer than `max_bytes` are not taken, whoever wrote them.
    pub(super) fn new(store: SharedStore, max_bytes: usize) -> Self {
        Self { store, max_bytes }
    }

    /// The document with this hash. It lives for another day.
    pub(super) async fn get(&self, hash: &Hash) -> Option<Arc<str>> {
        let key = key(hash);
        // A range and not the whole, since somebody else may write there: no more is read than is used.
        let last = i64::try_from(self.max_bytes).unwrap_or(i64::MAX);
        let mut ask = redis::pipe();
        ask.cmd("GETRANGE").arg(&key).arg(0).arg(last).cmd("EXPIRE").arg(&key).arg(TIME_TO_LIVE).ignore();
        let answer = self.store.ask("document", |mut connection| async move {
            let (text,): (Vec<u8>,) = ask.query_async(&mut connection).await?;
            Ok(text)
        });
        let text = answer.await.filter(|text| !text.is_empty() && text.len() <= self.max_bytes)?;
        let text = String::from_utf8(text).ok()?;
        if Hash::of(&text) == *hash {
            return Some(text.into());
        }
        tracing::warn!(document = %hash, "a document in Redis is not the one of its hash; it is not used");
        None
    }

    /// Keeps a document for a day.
    pub(super) async fn keep(&self, hash: &Hash, text: &Arc<str>) {
        let mut set = redis::cmd("SET");
        set.arg(key(hash)).arg(text.as_bytes()).arg("EX").arg(TIME_TO_LIVE);
        self.store.ask("document", |mut connection| async move { set.query_async::<()>(&mut connection).await }).await;
    }
}

fn key(hash: &Hash) -> String {
    format!("{PREFIX}document:{hash}")
}
