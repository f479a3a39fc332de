//! Buckets that replicas share.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use redis::Script;

use super::{Level, Outcome, micros};
use crate::config::Quota;
use crate::shared_store::{PREFIX, SharedStore};

/// Buckets that replicas share. One script looks at both and spends from both, so that replicas cannot overspend
/// between the two. It asks for one Redis server; a cluster would keep the two buckets on different ones.
#[derive(Clone)]
pub(super) struct Shared {
    store: SharedStore,
    script: Arc<Script>,
}

impl Shared {
    pub(super) fn new(store: SharedStore) -> Self {
        Self { store, script: Arc::new(Script::new(include_str!("spend.lua"))) }
    }

    /// Spends from both buckets or from none. `None` for a fault; then it may have been spent or not.
    pub(super) async fn spend(
        &self,
        quota: Quota,
        keys: &[String; 2],
        cost: u64,
        now: DateTime<Utc>,
    ) -> Option<Outcome> {
        let script = Arc::clone(&self.script);
        let [subject, address] = keys.each_ref().map(|key| format!("{PREFIX}quota:{key}"));
        let answer = self.store.ask("quota", |mut connection| async move {
            script
                .key(subject)
                .key(address)
                .arg(micros(now))
                .arg(quota.micros())
                .arg(quota.cost)
                .arg(cost)
                .invoke_async::<(bool, u64, i64, u64, i64)>(&mut connection)
                .await
        });
        let (spent, subject, subject_at, address, address_at) = answer.await?;
        let levels = [Level { spent: subject, at: subject_at }, Level { spent: address, at: address_at }];
        Some(Outcome { spent, levels })
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("store", &self.store).finish_non_exhaustive()
    }
}
