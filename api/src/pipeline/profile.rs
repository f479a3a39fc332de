//! What an operation cost: what `extensions.profile` answers, and what the log is told.

use std::cmp::Reverse;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::store::{Batch, Meter, Served};
use crate::telemetry::microseconds;

/// The profile of an operation, or of one event of a subscription.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What it cost the caller.
    pub cost: u64,
    /// SQL statements.
    pub statements: u64,
    /// Rows that they answered.
    pub rows: u64,
    /// Calls of batch functions, in the order in which they ended.
    pub batches: Vec<Batch>,
    /// The time of all statements, which may have run side by side.
    pub database: Duration,
    /// How long the stages took; `None` where they were not timed.
    pub stages: Option<Stages>,
    /// Writing the answer.
    pub serialise: Duration,
}

/// How long the stages of an operation took that only [`crate::graphql::timed_schema`] tells from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// Finding, measuring, paying and reading: everything before the document is checked.
    pub parse: Duration,
    /// Checking the document against the schema.
    pub validate: Duration,
    /// Running the resolvers, waiting for the database included.
    pub execute: Duration,
}

impl Profile {
    /// The profile of what the meter has counted.
    pub fn new(meter: &Meter, cost: u64, stages: Option<Stages>, serialise: Duration) -> Self {
        Self {
            cost,
            statements: meter.statements(),
            rows: meter.rows(),
            batches: meter.batches(),
            database: meter.database_time(),
            stages,
            serialise,
        }
    }

    /// As it stands in `extensions.profile`.
    pub fn json(&self) -> Value {
        json!({
            "cost": self.cost,
            "statements": self.statements,
            "rows": self.rows,
            "batches": self.batches.iter().map(batch).collect::<Value>(),
            "microseconds": self.times(),
        })
    }

    /// The `count` batches that took longest, those first.
    pub fn slowest_batches(&self, count: usize) -> Value {
        let mut batches: Vec<&Batch> = self.batches.iter().collect();
        batches.sort_by_key(|batch| Reverse(batch.took));
        batches.into_iter().take(count).map(batch).collect()
    }

    /// The times by stage, in microseconds, as far as they are known.
    pub fn times(&self) -> Value {
        let mut times = Map::new();
        if let Some(Stages { parse, validate, execute }) = self.stages {
            times.insert("parse".to_owned(), microseconds(parse).into());
            times.insert("validate".to_owned(), microseconds(validate).into());
            times.insert("execute".to_owned(), microseconds(execute).into());
        }
        times.insert("database".to_owned(), microseconds(self.database).into());
        times.insert("serialise".to_owned(), microseconds(self.serialise).into());
        times.into()
    }
}

fn batch(batch: &Batch) -> Value {
    let Served { memory, shared, joined, database } = batch.served;
    json!({
        "loader": batch.loader,
        "keys": batch.keys,
        "from": {"memory": memory, "shared": shared, "joined": joined, "database": database},
        "microseconds": microseconds(batch.took),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taking(milliseconds: u64) -> Batch {
        let took = Duration::from_millis(milliseconds);
        Batch { loader: "payment", keys: 1, took, served: Served { database: 1, ..Served::default() } }
    }

    /// A line of the log has room for some batches; those that explain the time are among them.
    #[test]
    fn the_slowest_batches_come_first() {
        let meter = Meter::default();
        for milliseconds in [2, 9, 1, 9, 5] {
            meter.record_batch(taking(milliseconds));
        }
        let profile = Profile::new(&meter, 7, None, Duration::ZERO);
        let times = |batches: &Value| -> Vec<u64> {
            batches.as_array().unwrap().iter().map(|batch| batch["microseconds"].as_u64().unwrap()).collect()
        };
        assert_eq!(times(&profile.slowest_batches(3)), [9_000, 9_000, 5_000]);
        assert_eq!(times(&profile.json()["batches"]), [2_000, 9_000, 1_000, 9_000, 5_000], "in their order");
    }

    /// What was not timed is missing, and not nought.
    #[test]
    fn stages_are_named_only_when_they_were_timed() {
        let profile = Profile::new(&Meter::default(), 7, None, Duration::from_micros(3));
        assert_eq!(profile.times(), json!({"database": 0, "serialise": 3}));
        let stages = Stages { execute: Duration::from_micros(8), ..Stages::default() };
        let profile = Profile { stages: Some(stages), ..profile };
        let times = json!({"parse": 0, "validate": 0, "execute": 8, "database": 0, "serialise": 3});
        assert_eq!(profile.times(), times);
    }

    /// An event of a subscription is told apart from those before it.
    #[test]
    fn a_meter_begins_anew() {
        let meter = Meter::default();
        meter.record_batch(taking(2));
        meter.reset();
        assert!(Profile::new(&meter, 7, None, Duration::ZERO).batches.is_empty());
    }
}
