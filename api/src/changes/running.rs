//! The idempotency keys with which something runs in this process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::idempotency_keys::Scope;

/// Keys in use. The database keeps replicas apart; this answers at once, and on SQLite too.
#[derive(Clone, Debug, Default)]
pub struct RunningKeys(Arc<Mutex<HashSet<Scope>>>);

/// A key in use, until it is dropped.
#[derive(Debug)]
pub struct RunningKey {
    keys: RunningKeys,
    scope: Scope,
}

impl RunningKeys {
    /// Takes a key; `None` when it is taken.
    pub fn start(&self, scope: Scope) -> Option<RunningKey> {
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.clone());
        new.then(|| RunningKey { keys: self.clone(), scope })
    }
}

impl Drop for RunningKey {
    fn drop(&mut self) {
        self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.scope);
    }
}
