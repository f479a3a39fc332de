//! What the layer promises, on a loader whose readings a test can hold up.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use entity::ids::{AccountId, PaymentId};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::*;
use crate::loaders::{Key, Source};
use crate::store::{Database, DatabaseSettings, Meter, Served};

/// A table of one row: its value, and how often it was read.
#[derive(Debug)]
struct Table {
    value: AtomicU32,
    readings: Mutex<Vec<usize>>,
    /// A reading has seen the value and waits for a permit.
    reading: Semaphore,
    go_on: Semaphore,
}

/// A key of the table, whose answer depends on the payment with that number.
#[derive(Clone, Debug)]
struct RowKey(u128, Arc<Table>);

impl PartialEq for RowKey {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for RowKey {}

impl Hash for RowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Key for RowKey {
    type Value = Option<Arc<i64>>;
    const LOADER: &'static str = "row";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|key, _| tag(key.0)).only(|key| key.0 < 1_000));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let Some(Self(_, table)) = keys.first() else { return Ok(HashMap::new()) };
        let value = table.value.load(Ordering::SeqCst);
        table.readings.lock().unwrap().push(keys.len());
        table.reading.add_permits(1);
        table.go_on.acquire().await.unwrap().forget();
        // Each account has a row of its own.
        let of = |key: &Self| {
            (value > 0).then(|| Arc::new(i64::from(value) + (source.account.0.as_u128() << 32) as i64 + key.0 as i64))
        };
        Ok(keys.iter().map(|key| (key.clone(), of(key))).collect())
    }
}

fn tag(number: u128) -> Tag {
    Tag::Payment(PaymentId(Uuid::from_u128(number)))
}

struct Layer {
    source: Source,
    table: Arc<Table>,
}

impl Layer {
    /// A layer that answers, over a table whose readings go on at once.
    async fn new() -> Self {
        let layer = Self::held().await;
        layer.table.go_on.add_permits(1_000);
        layer
    }

    /// The same over a table whose readings wait.
    async fn held() -> Self {
        let database = Database::open(&DatabaseSettings::new("sqlite::memory:")).await.unwrap();
        let settings =
            CacheSettings { entries: 100, bytes: 1 << 20, ttl: Duration::from_secs(60), keep_late_fills: false };
        let cache = Cache::new(&settings, None, &Metrics::new().unwrap()).unwrap();
        cache.regained().await;
        let table = Table {
            value: AtomicU32::new(1),
            readings: Mutex::default(),
            reading: Semaphore::new(0),
            go_on: Semaphore::new(0),
        };
        let reader = database.reader(Arc::new(Meter::default()));
        Self { source: Source { reader, account: AccountId(Uuid::nil()), cache }, table: Arc::new(table) }
    }

    async fn ask(&self, numbers: &[u128]) -> (Vec<Option<i64>>, Served) {
        let keys: Vec<_> = numbers.iter().map(|number| RowKey(*number, Arc::clone(&self.table))).collect();
        let (answers, served) = answer(&self.source, &keys).await.unwrap();
        (keys.iter().map(|key| answers[key].as_deref().copied()).collect(), served)
    }

    fn readings(&self) -> Vec<usize> {
        self.table.readings.lock().unwrap().clone()
    }

    async fn until_read(&self) {
        self.table.reading.acquire().await.unwrap().forget();
    }
}

const fn served(memory: usize, joined: usize, database: usize) -> Served {
    Served { memory, shared: 0, joined, database }
}

/// What was read is not read again, and only what is missing is.
#[tokio::test]
async fn what_was_read_is_kept() {
    let layer = Layer::new().await;
    assert_eq!(layer.ask(&[1, 2]).await, (vec![Some(2), Some(3)], served(0, 0, 2)));
    assert_eq!(layer.ask(&[2, 3, 1]).await, (vec![Some(3), Some(4), Some(2)], served(2, 0, 1)));
    assert_eq!(layer.readings(), [2, 1]);
    // What is not to be kept is read each time.
    for _ in 0..2 {
        assert_eq!(layer.ask(&[5_000]).await.1, served(0, 0, 1));
    }
}

/// That there is nothing is an answer too, until there is something.
#[tokio::test]
async fn absence_is_kept_until_it_ends() {
    let layer = Layer::new().await;
    layer.table.value.store(0, Ordering::SeqCst);
    assert_eq!(layer.ask(&[1]).await, (vec![None], served(0, 0, 1)));
    layer.table.value.store(7, Ordering::SeqCst);
    assert_eq!(layer.ask(&[1]).await, (vec![None], served(1, 0, 0)));
    layer.source.cache.changed(&[tag(1)], Cause::Own).await;
    assert_eq!(layer.ask(&[1]).await, (vec![Some(8)], served(0, 0, 1)));
}

/// A change drops what depends on it and nothing else; a flush drops all.
#[tokio::test]
async fn a_change_drops_what_depends_on_it() {
    let layer = Layer::new().await;
    layer.ask(&[1, 2]).await;
    layer.table.value.store(10, Ordering::SeqCst);
    layer.source.cache.changed(&[tag(2)], Cause::Heard).await;
    assert_eq!(layer.ask(&[1, 2]).await, (vec![Some(2), Some(12)], served(1, 0, 1)));
    layer.source.cache.flush().await;
    assert_eq!(layer.ask(&[1, 2]).await, (vec![Some(11), Some(12)], served(0, 0, 2)));
}

/// The lease: a reader that was overtaken by a change keeps nothing, though it ends long after the change.
#[tokio::test]
async fn a_late_fill_is_refused() {
    let layer = Layer::held().await;
    let late = async {
        let (answers, _) = layer.ask(&[1]).await;
        // It began before the change: it may be told what was true then.
        assert_eq!(answers, [Some(2)]);
    };
    let change = async {
        layer.until_read().await;
        layer.table.value.store(20, Ordering::SeqCst);
        layer.source.cache.changed(&[tag(1)], Cause::Own).await;
        layer.table.go_on.add_permits(10);
    };
    tokio::join!(late, change);
    assert_eq!(layer.ask(&[1]).await, (vec![Some(21)], served(0, 0, 1)));
    assert_eq!(layer.ask(&[1]).await, (vec![Some(21)], served(1, 0, 0)));
}

/// All who miss the same key at the same time wait for one reading.
#[tokio::test]
async fn one_reads_for_all() {
    let layer = Layer::held().await;
    let asked = (0..50).map(|_| layer.ask(&[1]));
    let reading = async {
        layer.until_read().await;
        layer.table.go_on.add_permits(1);
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(asked), reading);
    assert!(answers.iter().all(|(values, _)| values == &[Some(2)]));
    assert_eq!(answers.iter().filter(|(_, from)| *from == served(0, 1, 0)).count(), 49);
    assert_eq!(layer.readings(), [1]);
}

/// Who joins a reading that a change has overtaken reads again: its own write may be what overtook it.
#[tokio::test]
async fn nobody_is_told_what_a_change_has_overtaken() {
    let layer = Layer::held().await;
    let first = layer.ask(&[1]);
    let second = async {
        layer.until_read().await;
        layer.table.value.store(30, Ordering::SeqCst);
        layer.source.cache.changed(&[tag(1)], Cause::Own).await;
        // Acknowledged. The first reading is still under way.
        let joined = layer.ask(&[1]);
        layer.table.go_on.add_permits(10);
        joined.await
    };
    let (_, joined) = tokio::join!(first, second);
    assert_eq!(joined, (vec![Some(31)], served(0, 0, 1)));
}

/// A reader that is given up leaves nobody waiting.
#[tokio::test]
async fn a_reader_that_is_given_up_strands_nobody() {
    let layer = Layer::held().await;
    let mut doomed = Box::pin(layer.ask(&[1]));
    tokio::select! {
        _ = &mut doomed => panic!("it waits"),
        () = layer.until_read() => {}
    }
    let waiting = layer.ask(&[1]);
    let give_up = async {
        drop(doomed);
        layer.table.go_on.add_permits(10);
    };
    let (answered, ()) = tokio::join!(waiting, give_up);
    assert_eq!(answered.0, [Some(2)]);
}

/// While the database cannot be heard nothing is answered from memory, and nothing kept.
#[tokio::test]
async fn a_layer_that_cannot_hear_says_nothing() {
    let layer = Layer::new().await;
    layer.ask(&[1]).await;
    layer.source.cache.lost();
    layer.table.value.store(40, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(layer.ask(&[1]).await, (vec![Some(41)], served(0, 0, 1)));
    }
    layer.table.value.store(50, Ordering::SeqCst);
    layer.source.cache.regained().await;
    assert_eq!(layer.ask(&[1]).await, (vec![Some(51)], served(0, 0, 1)));
    assert_eq!(layer.ask(&[1]).await, (vec![Some(51)], served(1, 0, 0)));
}

/// The same key of two accounts is two keys.
#[tokio::test]
async fn accounts_share_nothing() {
    let layer = Layer::new().await;
    let other = Layer {
        source: Source { account: AccountId(Uuid::from_u128(1)), ..layer.source.clone() },
        table: Arc::clone(&layer.table),
    };
    let (ours, theirs) = (layer.ask(&[1]).await, other.ask(&[1]).await);
    assert_ne!(ours.0, theirs.0);
    assert_eq!((ours.1, theirs.1), (served(0, 0, 1), served(0, 0, 1)));
    assert_eq!(other.ask(&[1]).await, (theirs.0, served(1, 0, 0)));
}

/// No more is kept than there is room for, and the oldest goes.
#[tokio::test]
async fn there_are_bounds() {
    let layer = Layer::new().await;
    for number in 0..900 {
        layer.ask(&[number]).await;
    }
    let inner = layer.source.cache.0.as_ref().unwrap();
    let (entries, bytes) = inner.memory.used();
    // Parts have their own bounds, rounded up.
    assert!((50..=112).contains(&entries) && bytes < 1 << 20, "{entries} entries, {bytes} bytes");
    assert_eq!(layer.ask(&[899]).await.1, served(1, 0, 0));
}
