//! What it costs that keys are gathered level by level, beside the batch functions themselves, which do nothing here.
//!
//!     cargo bench --profile client -p dermaga-api --bench batches

#![allow(missing_docs, reason = "a benchmark's name says what it measures")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dermaga_api::cache::Cache;
use dermaga_api::error::Result;
use dermaga_api::loaders::{Key, Loads, Source, operation};
use dermaga_api::store::{Database, DatabaseSettings, Meter};
use entity::ids::AccountId;
use futures_util::FutureExt;
use futures_util::future::join_all;
use uuid::Uuid;

/// Levels of lists in lists.
const LEVELS: u64 = 3;

/// A number, answered with itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct NumberKey(u64);

impl Key for NumberKey {
    type Value = u64;
    const LOADER: &'static str = "number";

    async fn load(_: &Source, keys: &[Self]) -> Result<HashMap<Self, u64>> {
        Ok(keys.iter().map(|key| (*key, key.0)).collect())
    }
}

fn levels(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let source = runtime.block_on(async {
        let database = Database::open(&DatabaseSettings::new("sqlite::memory:")).await.expect("a database in memory");
        let reader = database.reader(Arc::new(Meter::default()));
        Source { reader, account: AccountId(Uuid::nil()), cache: Cache::off() }
    });
    let mut group = criterion.benchmark_group("three levels");
    for rows in [1, 50, 1_000] {
        group.throughput(Throughput::Elements(rows * LEVELS));
        group.bench_with_input(BenchmarkId::from_parameter(rows), &rows, |bench, rows| {
            bench.iter(|| {
                let loads = Loads::new(source.clone());
                let row = |row: u64| {
                    let loads = &loads;
                    async move {
                        let mut sum = 0;
                        for level in 0..LEVELS {
                            sum += loads.one(NumberKey(level * 10_000 + row)).await.expect("it loads");
                        }
                        sum
                    }
                };
                let all = join_all((0..*rows).map(row));
                black_box(operation::run(&loads, all).now_or_never().expect("nothing waits"))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, levels);
criterion_main!(benches);
