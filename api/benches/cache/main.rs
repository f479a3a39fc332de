//! What an answer from memory costs over a plain map: `cargo bench -p dermaga-api --bench cache`.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dermaga_api::cache::{Cache, CacheSettings, Policy, Tag, answer};
use dermaga_api::error::Result;
use dermaga_api::loaders::{Key, Source};
use dermaga_api::metrics::Metrics;
use dermaga_api::store::{Database, DatabaseSettings, Meter};
use entity::ids::{AccountId, PaymentId};
use futures_util::FutureExt;
use uuid::Uuid;

/// Keys in a batch: a page with what is below it.
const KEYS: u128 = 100;

/// A payment, answered with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct NumberKey(PaymentId);

impl Key for NumberKey {
    type Value = Option<Arc<i64>>;
    const LOADER: &'static str = "number";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|key, _| Tag::Payment(key.0)));

    async fn load(_: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        Ok(keys.iter().map(|key| (*key, Some(Arc::new(1)))).collect())
    }
}

fn source(runtime: &tokio::runtime::Runtime) -> Source {
    let settings =
        CacheSettings { entries: 100_000, bytes: 64 << 20, ttl: Duration::from_secs(3_600), keep_late_fills: false };
    runtime.block_on(async {
        let database = Database::open(&DatabaseSettings::new("sqlite::memory:")).await.expect("a database in memory");
        let metrics = Metrics::new().expect("metrics on a new registry");
        let cache = Cache::new(&settings, None, &metrics).expect("its metrics are not there yet");
        cache.regained().await;
        Source { reader: database.reader(Arc::new(Meter::default())), account: AccountId(Uuid::nil()), cache }
    })
}

fn hits(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let source = source(&runtime);
    let keys: Vec<_> = (0..KEYS).map(|n| NumberKey(PaymentId(Uuid::from_u128(n << 64 | n)))).collect();
    // Among as many others as a busy server has.
    for n in 1..500 {
        let others: Vec<_> = (0..KEYS).map(|k| NumberKey(PaymentId(Uuid::from_u128((n * KEYS + k) << 64)))).collect();
        answer(&source, &others).now_or_never().expect("nothing waits").expect("it loads");
    }
    answer(&source, &keys).now_or_never().expect("nothing waits").expect("it loads");
    let plain: HashMap<NumberKey, Option<Arc<i64>>> = keys.iter().map(|key| (*key, Some(Arc::new(1)))).collect();

    let mut group = criterion.benchmark_group("a hundred keys");
    group.bench_function("plain map", |bencher| {
        bencher.iter_batched(
            || (),
            |()| {
                let answers: HashMap<NumberKey, Option<Arc<i64>>> =
                    keys.iter().map(|key| (*key, plain[black_box(key)].clone())).collect();
                answers
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("cache, all in memory", |bencher| {
        bencher.iter_batched(
            || (),
            |()| answer(&source, black_box(&keys)).now_or_never().expect("nothing waits").expect("it answers"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, hits);
criterion_main!(benches);
