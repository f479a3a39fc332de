//! One scenario, asked of one server by so many clients: what it took.

use std::collections::HashMap;
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

/// What was seen of one scenario under one load. Times of a request are as its client saw them. What an older file does
/// not have is nothing.
///
/// Of a fan-out, what is said of requests is said of events: each receipt of one by one subscriber.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measurement {
    /// The scenario.
    pub scenario: String,
    /// The load.
    pub load: String,
    /// Clients that asked at once.
    pub clients: usize,
    /// Subscribers of a fan-out; 0 of everything else.
    pub subscribers: usize,
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
    /// SQL statements for each request. 0, as the four below it, where nothing counts them: beside peers.
    pub statements: f64,
    /// Rows received from the database for each request.
    pub rows: f64,
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
    /// Kilobytes by which the server grew for each subscriber of a fan-out.
    pub subscriber_kb: f64,
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
    /// So many requests in all, and the times of those that succeeded.
    pub fn of(requests: usize, mut times: Vec<Duration>, took: Duration) -> Self {
        times.sort_unstable();
        Self { requests, succeeded: times.len(), took, times }
    }

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

    let watch = Watch::start(&clients[0], subject.server, subject.database).await;
    let asked = ask(load.clients, seconds, |number, turn| request(number, turn + 1_000_000)).await;
    Measurement {
        scenario: scenario.name.to_owned(),
        load: load.name.to_owned(),
        clients: load.clients,
        ..watch.stop(&asked).await
    }
}

/// A look at the server and its database for as long as something is measured: what they count, and their CPU time.
#[derive(Debug)]
pub struct Watch<'a> {
    client: &'a Client,
    server: &'a Server,
    database: &'a Database,
    counters: HashMap<String, f64>,
    server_cpu: Duration,
    database_cpu: Duration,
}

impl<'a> Watch<'a> {
    /// Begins to look.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn start(client: &'a Client, server: &'a Server, database: &'a Database) -> Self {
        // Counters first and CPU time last, so that the reading is no part of what is measured.
        let counters = client.metrics().await;
        Self { client, server, database, counters, server_cpu: server.cpu(), database_cpu: database.cpu() }
    }

    /// What the requests since then took, without the names of scenario and load.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn stop(self, asked: &Asked) -> Measurement {
        let server_cpu = self.server.cpu() - self.server_cpu;
        let database_cpu = self.database.cpu() - self.database_cpu;
        let after = self.client.metrics().await;
        let rise = |name: &str| -> f64 {
            let sum = |of: &HashMap<String, f64>| -> f64 {
                of.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| value).sum()
            };
            sum(&after) - sum(&self.counters)
        };
        let answers = |from: &str| rise(&format!("dermaga_cache_answers_total{{from=\"{from}\""));
        let hits = answers("memory") + answers("shared") + answers("joined");
        Measurement {
            statements: asked.each(rise("dermaga_operation_statements_sum")),
            rows: asked.each(rise("dermaga_operation_rows_sum")),
            batches: asked.each(rise("dermaga_batch_keys_count")),
            keys: asked.each(rise("dermaga_batch_keys_sum")),
            hits: hits / (hits + answers("database")).max(1.0),
            resident_mb: self.server.resident() / 1_048_576.0,
            ..asked.measurement(server_cpu, database_cpu)
        }
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
        clients: middle(rounds, |round| round.clients),
        subscribers: first.subscribers,
        requests: rounds.iter().map(|round| round.requests).sum(),
        success: of(|round| round.success),
        throughput: of(|round| round.throughput),
        p50_ms: of(|round| round.p50_ms),
        p90_ms: of(|round| round.p90_ms),
        p99_ms: of(|round| round.p99_ms),
        max_ms: of(|round| round.max_ms),
        statements: of(|round| round.statements),
        rows: of(|round| round.rows),
        batches: of(|round| round.batches),
        keys: of(|round| round.keys),
        hits: of(|round| round.hits),
        server_cpu_us: of(|round| round.server_cpu_us),
        database_cpu_us: of(|round| round.database_cpu_us),
        resident_mb: of(|round| round.resident_mb),
        subscriber_kb: of(|round| round.subscriber_kb),
    }
}

/// The one in the middle, or the lower of two: a number that was there.
fn middle(rounds: &[Measurement], number: fn(&Measurement) -> usize) -> usize {
    let mut all: Vec<usize> = rounds.iter().map(number).collect();
    all.sort_unstable();
    all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or_default()
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

    /// A number of clients between two that were tried is one that nobody tried.
    #[test]
    fn clients_of_a_median_were_there() {
        let with = |clients| Measurement { clients, ..Measurement::default() };
        assert_eq!(median(&[with(64), with(16)]).clients, 16);
        assert_eq!(median(&[with(64), with(16), with(32)]).clients, 32);
    }

    #[test]
    fn what_failed_has_no_time() {
        let asked = Asked::of(4, [30, 10, 20].map(Duration::from_millis).to_vec(), Duration::from_secs(2));
        let seen = asked.measurement(Duration::from_micros(400), Duration::ZERO);
        assert_eq!((seen.requests, seen.success, seen.throughput), (4, 0.75, 2.0));
        assert_eq!((seen.p50_ms, seen.max_ms, seen.server_cpu_us), (20.0, 30.0, 100.0));
    }
}
