//! What the dispatch promises: exact batches, and loads that outlive the resolvers that asked for them.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use entity::ids::AccountId;
use futures_util::future::{join, join_all, try_join};
use tokio::sync::Notify;
use uuid::Uuid;

use super::super::{Key, Loads, Source};
use super::run;
use crate::cache::Cache;
use crate::error::Result;
use crate::store::{Database, DatabaseSettings, Meter};

/// What the batch functions of a test saw and waited for.
#[derive(Debug, Default)]
struct Gate {
    started: Notify,
    go_on: Notify,
    batches: Mutex<Vec<usize>>,
}

/// A number that is answered with itself doubled, once the gate is open.
#[derive(Clone, Debug)]
struct Gated(u32, Arc<Gate>);

/// A number that is answered with itself, at once.
#[derive(Clone, Debug)]
struct Plain(u32, Arc<Gate>);

macro_rules! number_key {
    ($name:ident) => {
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }
        impl Eq for $name {}
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }
    };
}
number_key!(Gated);
number_key!(Plain);

impl Key for Gated {
    type Value = u32;
    const LOADER: &'static str = "gated";

    async fn load(_: &Source, keys: &[Self]) -> Result<HashMap<Self, u32>> {
        if let Some(Self(_, gate)) = keys.first() {
            gate.started.notify_one();
            gate.go_on.notified().await;
        }
        Ok(keys.iter().map(|key| (key.clone(), key.0 * 2)).collect())
    }
}

impl Key for Plain {
    type Value = u32;
    const LOADER: &'static str = "plain";

    async fn load(_: &Source, keys: &[Self]) -> Result<HashMap<Self, u32>> {
        if let Some(Self(_, gate)) = keys.first() {
            gate.batches.lock().unwrap().push(keys.len());
        }
        Ok(keys.iter().map(|key| (key.clone(), key.0)).collect())
    }
}

async fn loads() -> Loads {
    let database = Database::open(&DatabaseSettings::new("sqlite::memory:")).await.unwrap();
    let reader = database.reader(Arc::new(Meter::default()));
    Loads::new(Source { reader, account: AccountId(Uuid::nil()), cache: Cache::off() })
}

/// A sibling's failure drops a resolver while its batch is under way. With `dataloader` alone the resolver that
/// asked first drives the batch, and all who wait for the same batch fail with it.
#[tokio::test]
async fn a_dropped_resolver_drops_nothing_but_its_own_wait() {
    let (loads, gate) = (loads().await, Arc::new(Gate::default()));
    let doomed = async {
        let fails_while_the_batch_runs = async {
            gate.started.notified().await;
            Err::<(), ()>(())
        };
        let asks_first = async { loads.one(Gated(1, Arc::clone(&gate))).await.map_err(|_| ()) };
        assert!(try_join(asks_first, fails_while_the_batch_runs).await.is_err());
        gate.go_on.notify_one();
    };
    let survivor = loads.one(Gated(2, Arc::clone(&gate)));
    let ((), answer) = run(&loads, join(doomed, survivor)).await;
    assert_eq!(answer.unwrap(), 4);
}

/// All keys of a level are one batch, however many there are: a runtime that makes busy tasks pause would cut it.
#[tokio::test]
async fn a_level_is_one_batch() {
    let (loads, gate) = (loads().await, Arc::new(Gate::default()));
    let resolver = |n: u32| {
        let (loads, gate) = (&loads, Arc::clone(&gate));
        async move {
            let first = loads.one(Plain(n, Arc::clone(&gate))).await.unwrap();
            loads.one(Plain(first + 5_000, gate)).await.unwrap()
        }
    };
    let answers = run(&loads, join_all((0..5_000).map(resolver))).await;
    assert_eq!(answers, (5_000..10_000).collect::<Vec<_>>());
    assert_eq!(*gate.batches.lock().unwrap(), [5_000, 5_000]);
}

/// Two branches whose loads end at different times meet again at the next level: the statements do not depend
/// on which answer came first.
#[tokio::test]
async fn branches_wait_for_each_other() {
    let (loads, gate) = (loads().await, Arc::new(Gate::default()));
    let slow = async {
        let n = loads.one(Gated(1, Arc::clone(&gate))).await.unwrap();
        loads.one(Plain(n + 100, Arc::clone(&gate))).await.unwrap()
    };
    let quick = async {
        let n = loads.one(Plain(7, Arc::clone(&gate))).await.unwrap();
        // The slow branch goes on only when this one has stalled with its key queued.
        let opens_the_gate = async {
            tokio::task::yield_now().await;
            gate.go_on.notify_one();
        };
        join(loads.one(Plain(n + 200, Arc::clone(&gate))), opens_the_gate).await.0.unwrap()
    };
    assert_eq!(run(&loads, join(slow, quick)).await, (102, 207));
    assert_eq!(*gate.batches.lock().unwrap(), [1, 2]);
}

/// A key that was loaded is not loaded again in the same operation.
#[tokio::test]
async fn a_key_is_loaded_once() {
    let (loads, gate) = (loads().await, Arc::new(Gate::default()));
    let operation = async {
        let keys = [1, 2, 1, 1].map(|n| Plain(n, Arc::clone(&gate)));
        assert_eq!(loads.many(keys).await.unwrap(), [1, 2, 1, 1]);
        loads.one(Plain(2, Arc::clone(&gate))).await.unwrap()
    };
    assert_eq!(run(&loads, operation).await, 2);
    assert_eq!(*gate.batches.lock().unwrap(), [2]);
}

/// Why the loads belong to the operation: the crate on its own fails every sibling of a dropped resolver. Should
/// this ever pass no more, the crate has changed and the detour may go.
#[tokio::test]
async fn the_crate_alone_fails_the_siblings() {
    struct Doubles(Arc<Gate>);
    impl dataloader::BatchFn<u32, u32> for Doubles {
        async fn load(&mut self, keys: &[u32]) -> HashMap<u32, u32> {
            self.0.started.notify_one();
            self.0.go_on.notified().await;
            keys.iter().map(|key| (*key, key * 2)).collect()
        }
    }
    let gate = Arc::new(Gate::default());
    let loader = dataloader::cached::Loader::new(Doubles(Arc::clone(&gate))).with_yield_count(1);
    let doomed = async {
        let fails_while_the_batch_runs = async {
            gate.started.notified().await;
            Err::<(), ()>(())
        };
        let asks_first = async { loader.try_load(1).await.map_err(|_| ()) };
        assert!(try_join(asks_first, fails_while_the_batch_runs).await.is_err());
        gate.go_on.notify_one();
    };
    let ((), answer) = join(doomed, loader.try_load(2)).await;
    assert!(answer.is_err());
}
