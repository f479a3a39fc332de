//! One scenario, asked of one server by so many clients: what it took.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::client::{Client, closed_loop};
use crate::database::Database;
use crate::scenario::{Scenario, Subjects};
use crate::server::Server;

/// How many clients ask at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Its name in reports.
    pub name: &'static str,
    /// Clients, each of which waits for its answer before it asks again.
    pub clients: usize,
}

/// One after another, five at once, and as many as a busy server has.
pub const LOADS: [Load; 3] =
    [Load { name: "one", clients: 1 }, Load { name: "five", clients: 5 }, Load { name: "high", clients: 32 }];

/// The server that is asked, with what stands behind it.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The server.
    pub server: &'a Server,
    /// Its database.
    pub database: &'a Database,
    /// What is asked about.
    pub subjects: Arc<Subjects>,
}

/// What was seen of one scenario under one load. Times of a request are as its client saw them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The scenario.
    pub scenario: String,
    /// The load.
    pub load: String,
    /// Requests that were answered.
    pub requests: usize,
    /// Of them those without errors, from 0 to 1.
    pub success: f64,
    /// Requests a second.
    pub throughput: f64,
    /// Milliseconds that half of the requests took at the most.
    pub p50_ms: f64,
    /// Milliseconds that 90 of 100 took at the most.
    pub p90_ms: f64,
    /// Milliseconds that 99 of 100 took at the most.
    pub p99_ms: f64,
    /// Milliseconds of the longest.
    pub max_ms: f64,
    /// SQL statements for each request.
    pub statements: f64,
    /// Calls of batch functions for each request.
    pub batches: f64,
    /// Keys of those calls for each request.
    pub keys: f64,
    /// Keys that were not read from the database, from 0 to 1.
    pub hits: f64,
    /// Microseconds of CPU in the server for each request.
    pub server_cpu_us: f64,
    /// Microseconds of CPU in PostgreSQL for each request; 0 on SQLite, which is a part of the server.
    pub database_cpu_us: f64,
    /// Megabytes that the server kept at the end.
    pub resident_mb: f64,
}

impl Measurement {
    /// Microseconds of CPU for each request, everything together.
    pub fn cpu_us(&self) -> f64 {
        self.server_cpu_us + self.database_cpu_us
    }
}

/// Asks for `seconds` after having asked for a quarter of that without looking.
///
/// # Panics
/// When the server does not answer.
pub async fn measure(subject: &Subject<'_>, scenario: Scenario, load: Load, seconds: f64) -> Measurement {
    let clients: Vec<_> = (0..load.clients).map(|_| Client::new(&subject.server.address)).collect();
    let seen: Arc<Mutex<Vec<(Duration, bool)>>> = Arc::default();
    let work = |offset: usize| {
        let (clients, subjects, seen) = (clients.clone(), Arc::clone(&subject.subjects), Arc::clone(&seen));
        move |number: usize, turn: usize| {
            let (client, subjects, seen) = (clients[number].clone(), Arc::clone(&subjects), Arc::clone(&seen));
            async move {
                let started = Instant::now();
                let succeeded = scenario.request(&client, &subjects, number, turn + offset).await;
                seen.lock().unwrap_or_else(PoisonError::into_inner).push((started.elapsed(), succeeded));
            }
        }
    };
    closed_loop(load.clients, Duration::from_secs_f64(seconds / 4.0), work(0)).await;
    seen.lock().unwrap_or_else(PoisonError::into_inner).clear();

    let before = clients[0].metrics().await;
    let (cpu, database_cpu) = (subject.server.cpu(), subject.database.cpu());
    let (requests, took) = closed_loop(load.clients, Duration::from_secs_f64(seconds), work(1_000_000)).await;
    let (cpu, database_cpu) = (subject.server.cpu() - cpu, subject.database.cpu() - database_cpu);
    let after = clients[0].metrics().await;

    let rise = |name: &str| -> f64 {
        let sum = |of: &std::collections::HashMap<String, f64>| -> f64 {
            of.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| value).sum()
        };
        sum(&after) - sum(&before)
    };
    let answers = |from: &str| rise(&format!("dermaga_cache_answers_total{{from=\"{from}\""));
    let hits = answers("memory") + answers("shared") + answers("joined");
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut times: Vec<Duration> = seen.iter().map(|(took, _)| *took).collect();
    times.sort_unstable();
    let at = |part: f64| {
        let place = (times.len() as f64 * part) as usize;
        times.get(place.min(times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    let each = |used: f64| used / requests.max(1) as f64;
    Measurement {
        scenario: scenario.name.to_owned(),
        load: load.name.to_owned(),
        requests,
        success: seen.iter().filter(|(_, succeeded)| *succeeded).count() as f64 / seen.len().max(1) as f64,
        throughput: requests as f64 / took.as_secs_f64(),
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        max_ms: at(1.0),
        statements: each(rise("dermaga_operation_statements_sum")),
        batches: each(rise("dermaga_batch_keys_count")),
        keys: each(rise("dermaga_batch_keys_sum")),
        hits: hits / (hits + answers("database")).max(1.0),
        server_cpu_us: each(cpu.as_secs_f64() * 1e6),
        database_cpu_us: each(database_cpu.as_secs_f64() * 1e6),
        resident_mb: subject.server.resident() / 1_048_576.0,
    }
}

/// The median of each figure over some rounds of the same scenario and load.
pub fn median(rounds: &[Measurement]) -> Measurement {
    let of = |figure: fn(&Measurement) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(figure).collect();
        all.sort_unstable_by(f64::total_cmp);
        let middle = all.len() / 2;
        match all.len() {
            0 => 0.0,
            count if count % 2 == 1 => all[middle],
            _ => f64::midpoint(all[middle - 1], all[middle]),
        }
    };
    let first = rounds.first().cloned().unwrap_or_default();
    Measurement {
        scenario: first.scenario,
        load: first.load,
        requests: rounds.iter().map(|round| round.requests).sum(),
        success: of(|round| round.success),
        throughput: of(|round| round.throughput),
        p50_ms: of(|round| round.p50_ms),
        p90_ms: of(|round| round.p90_ms),
        p99_ms: of(|round| round.p99_ms),
        max_ms: of(|round| round.max_ms),
        statements: of(|round| round.statements),
        batches: of(|round| round.batches),
        keys: of(|round| round.keys),
        hits: of(|round| round.hits),
        server_cpu_us: of(|round| round.server_cpu_us),
        database_cpu_us: of(|round| round.database_cpu_us),
        resident_mb: of(|round| round.resident_mb),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(p50_ms: f64, requests: usize) -> Measurement {
        Measurement { p50_ms, requests, ..Measurement::default() }
    }

    #[test]
    fn a_median_is_in_the_middle_and_requests_are_all_of_them() {
        let rounds = [round(3.0, 10), round(1.0, 20), round(2.0, 30)];
        assert_eq!((median(&rounds).p50_ms, median(&rounds).requests), (2.0, 60));
        assert_eq!(median(&rounds[..2]).p50_ms, 2.0);
        assert_eq!(median(&[]), Measurement::default());
    }
}
