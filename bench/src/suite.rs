//! Everything that `run` and `compare` measure: modes in turns, each with its scenarios, loads and fan-outs.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::client::Client;
use crate::database::Database;
use crate::fanout;
use crate::measure::{Load, Measurement, Subject, measure, median};
use crate::mode::Mode;
use crate::report::Run;
use crate::saturation;
use crate::scenario::{Scenario, Subjects};
use crate::server::Server;

/// What is measured, on what.
#[derive(Debug)]
pub struct Suite {
    /// The database of all servers.
    pub database: Database,
    /// How many payments it gets.
    pub payments: u64,
    /// What is asked.
    pub scenarios: Vec<Scenario>,
    /// By how many clients.
    pub loads: Vec<Load>,
    /// How many clients at the most are tried to find the most throughput; none where nobody wants to know.
    pub most_clients: Option<usize>,
    /// How many subscribers the fan-outs have; none without them.
    pub subscribers: Vec<usize>,
    /// Seconds of each measurement.
    pub seconds: f64,
    /// How often everything is measured.
    pub rounds: usize,
}

impl Suite {
    /// Measures the modes in turns, so that what else the machine does meets all of them. Medians are answered.
    ///
    /// # Errors
    /// When subscribers cannot follow.
    ///
    /// # Panics
    /// When a server does not start or does not answer.
    pub async fn measure(&self, modes: &[Mode]) -> Result<Vec<Run>, String> {
        let mut seen: Vec<Vec<Vec<Measurement>>> = vec![Vec::new(); modes.len()];
        let mut subjects: Option<Arc<Subjects>> = None;
        let mut followed = 0;
        for round in 1..=self.rounds {
            for (mode, seen) in modes.iter().zip(&mut seen) {
                eprintln!("round {round} of {}: {}", self.rounds, mode.name);
                let server = self.start(mode);
                let known = match &subjects {
                    Some(known) => Arc::clone(known),
                    None => Arc::new(Subjects::read(&Client::new(&server.address)).await),
                };
                subjects = Some(Arc::clone(&known));
                let subject = Subject { server: &server, database: &self.database, subjects: Arc::clone(&known) };
                let mut all = self.requests(&subject).await;
                drop(server);
                for &subscribers in &self.subscribers {
                    // A new one, so that its memory is that of the subscribers.
                    let server = self.start(mode);
                    let payment = known.followed(followed);
                    followed += 1;
                    all.push(fanout::measure(&server, &self.database, payment, subscribers, self.seconds).await?);
                }
                seen.push(all);
            }
        }
        let at = now();
        let runs = modes.iter().zip(seen).map(|(mode, rounds)| {
            let places = rounds.first().map_or(0, Vec::len);
            let measurements = (0..places)
                .map(|at| median(&rounds.iter().filter_map(|round| round.get(at).cloned()).collect::<Vec<_>>()))
                .collect();
            let setting = format!("{}, {} payments", self.database.name(), self.payments);
            Run { name: mode.name.to_owned(), at, setting, measurements }
        });
        Ok(runs.collect())
    }

    /// A server in this mode.
    fn start(&self, mode: &Mode) -> Server {
        let count = self.payments.to_string();
        let common = ["--demo-payments", &count, "--quota-cost", "0", "--max-cost", "1000000"];
        Server::start(&self.database.url, &[&common, mode.options].concat())
    }

    /// Each scenario under each load, and under the one from which on more clients get no more answers.
    async fn requests(&self, subject: &Subject<'_>) -> Vec<Measurement> {
        let mut all = Vec::new();
        for scenario in &self.scenarios {
            for load in &self.loads {
                all.push(measure(subject, *scenario, *load, self.seconds).await);
            }
            if let Some(limit) = self.most_clients {
                let step = async |clients| {
                    let load = Load { name: saturation::NAME, clients };
                    measure(subject, *scenario, load, self.seconds / 2.0).await
                };
                all.push(saturation::climb(limit, step).await);
            }
        }
        all
    }
}

/// Seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "a run has the time of the machine")]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
