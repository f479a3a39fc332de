//! What an operation cost, for `extensions.profile`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::graphql::timing::Taken;
use crate::store::{Meter, Served};

/// The profile of an operation. Times are in microseconds; `execute` includes the waiting for the database, and
/// `database` adds up statements that may have run side by side.
pub(super) fn profile(meter: &Meter, cost: u64, parse: Duration, stages: Taken, serialise: Duration) -> Value {
    let batches: Vec<_> = meter
        .batches()
        .iter()
        .map(|batch| {
            let Served { memory, shared, joined, database } = batch.served;
            json!({
                "loader": batch.loader,
                "keys": batch.keys,
                "from": {"memory": memory, "shared": shared, "joined": joined, "database": database},
                "microseconds": microseconds(batch.took),
            })
        })
        .collect();
    json!({
        "cost": cost,
        "statements": meter.statements(),
        "rows": meter.rows(),
        "batches": batches,
        "microseconds": {
            "parse": microseconds(parse),
            "validate": microseconds(stages.validate),
            "execute": microseconds(stages.execute),
            "database": microseconds(meter.database_time()),
            "serialise": microseconds(serialise),
        },
    })
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
