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
    /// SQL statements for each request. 0, as the three below it, where nothing counts them: beside peers.
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

/// Requests of some clients, each with the time that it took.
#[derive(Debug)]
pub struct Asked {
    requests: usize,
    succeeded: usize,
    took: Duration,
    /// In ascending order.
    times: Vec<Duration>,
}

/// Asks for `seconds`. `request` is given the number of the client and how often it has asked already, and answers
/// whether it succeeded.
///
/// # Panics
/// When `request` does.
pub async fn ask<W>(clients: usize, seconds: f64, request: impl Fn(usize, usize) -> W) -> Asked
where
    W: Future<Output = bool> + Send + 'static,
{
    let seen: Arc<Mutex<Vec<(Duration, bool)>>> = Arc::default();
    let work = |number, turn| {
        let (request, seen) = (request(number, turn), Arc::clone(&seen));
        async move {
            let started = Instant::now();
            let succeeded = request.await;
            seen.lock().unwrap_or_else(PoisonError::into_inner).push((started.elapsed(), succeeded));
        }
    };
    let (requests, took) = closed_loop(clients, Duration::from_secs_f64(seconds), work).await;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut times: Vec<Duration> = seen.iter().map(|(took, _)| *took).collect();
    times.sort_unstable();
    Asked { requests, succeeded: seen.iter().filter(|(_, succeeded)| *succeeded).count(), took, times }
}

impl Asked {
    /// What one request took of each, with the processor time that server and database spent on all of them.
    pub fn measurement(&self, server_cpu: Duration, database_cpu: Duration) -> Measurement {
        Measurement {
            requests: self.requests,
            success: self.succeeded as f64 / self.requests.max(1) as f64,
            throughput: self.requests as f64 / self.took.as_secs_f64(),
            p50_ms: self.at(0.5),
            p90_ms: self.at(0.9),
            p99_ms: self.at(0.99),
            max_ms: self.at(1.0),
            server_cpu_us: self.each(server_cpu.as_secs_f64() * 1e6),
            database_cpu_us: self.each(database_cpu.as_secs_f64() * 1e6),
            ..Measurement::default()
        }
    }

    /// Milliseconds that this part of the requests took at the most.
    fn at(&self, part: f64) -> f64 {
        let place = (self.times.len() as f64 * part) as usize;
        self.times.get(place.min(self.times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }

    fn each(&self, used: f64) -> f64 {
        used / self.requests.max(1) as f64
    }
}

/// Asks for `seconds` after having asked for a quarter of that without looking.
///
/// # Panics
/// When the server does not answer.
pub async fn measure(subject: &Subject<'_>, scenario: Scenario, load: Load, seconds: f64) -> Measurement {
    let clients: Vec<_> = (0..load.clients).map(|_| Client::new(&subject.server.address)).collect();
    let request = |number: usize, turn: usize| {
        let (client, subjects) = (clients[number].clone(), Arc::clone(&subject.subjects));
        async move { scenario.request(&client, &subjects, number, turn).await }
    };
    ask(load.clients, seconds / 4.0, request).await;

    let before = clients[0].metrics().await;
    let (cpu, database_cpu) = (subject.server.cpu(), subject.database.cpu());
    let asked = ask(load.clients, seconds, |number, turn| request(number, turn + 1_000_000)).await;
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
    Measurement {
        scenario: scenario.name.to_owned(),
        load: load.name.to_owned(),
        statements: asked.each(rise("dermaga_operation_statements_sum")),
        batches: asked.each(rise("dermaga_batch_keys_count")),
        keys: asked.each(rise("dermaga_batch_keys_sum")),
        hits: hits / (hits + answers("database")).max(1.0),
        resident_mb: subject.server.resident() / 1_048_576.0,
        ..asked.measurement(cpu, database_cpu)
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
