//! Whether a page costs the same out of few payments and out of many.
//!
//! Two databases get the same demo payments. One of them then gets copies of those payments, up to as many as wanted
//! ([`grow()`]), but no copies of those that the measured pages show, and none that stand between them. So both servers
//! answer the same pages with the same bytes, and what differs in cost is what the size of a database costs.

mod copies;
mod grow;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

pub use grow::grow;

use crate::client::Client;
use crate::database::Database;
use crate::measure::{Load, Measurement, Watch, ask, median};
use crate::report::{Figure, Run};
use crate::scenario::PAGE;
use crate::server::Server;
use crate::suite::now;

/// Payments of a page.
const PAGE_SIZE: usize = 50;

/// Payments that are asked for at once on the way to the middle.
const STEP: u64 = 100;

/// The orders, as they are called and as they are asked for.
const ORDERS: [(&str, &str); 2] = [("newest first", ""), ("by next due date", ", orderBy: [{field: NEXT_DUE_DATE}]")];

/// What must not rise with the number of payments: processor time of the server and of the database for each request.
const COST: Figure = Figure { name: "CPU µs", of: Measurement::cpu_us, more_is_better: false };

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Payments in the small database.
    pub payments: u64,
    /// Payments in the large database.
    pub to: u64,
    /// How often everything is measured.
    pub rounds: usize,
    /// Seconds of each measurement.
    pub seconds: f64,
    /// Clients that ask at once.
    pub connections: usize,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The databases, the small one first.
    pub sizes: Vec<Size>,
    /// What was measured of each, a measurement for each page.
    pub runs: Vec<Run>,
    /// What each page costs in the large database.
    pub verdicts: Vec<Verdict>,
}

/// One of the databases.
#[derive(Clone, Debug, Serialize)]
pub struct Size {
    /// Payments that it holds.
    pub payments: u64,
    /// Mebibytes that it takes on disk.
    pub mebibytes: f64,
    /// Seconds that it took to make.
    pub made_in_s: f64,
    /// Milliseconds from the start of the server to its first answer.
    pub first_answer_ms: f64,
    /// Megabytes that the server kept after that.
    pub resident_mb: f64,
}

/// What one page costs in the large database.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The page.
    pub page: String,
    /// What it costs there, to what it costs in the small one; `None` where that was too little to be seen.
    pub ratio: Option<f64>,
    /// Whether that is more than was allowed, or not known.
    pub too_much: bool,
}

impl Scale {
    /// Makes both databases, which must be new, and measures their pages in turns.
    ///
    /// `threshold` is the part by which a page may cost more in the large one.
    ///
    /// # Errors
    /// When a database cannot be filled, the servers do not answer alike, or requests fail.
    ///
    /// # Panics
    /// When a server does not start or does not answer.
    pub async fn measure(&self, small: &Database, large: &Database, threshold: f64) -> Result<Report, String> {
        let mut made_in_s = [0.0; 2];
        for (database, took) in [small, large].into_iter().zip(&mut made_in_s) {
            eprintln!("making {} payments", self.payments);
            let start = Instant::now();
            drop(serve(database, self.payments));
            database.analyze().await?;
            *took = start.elapsed().as_secs_f64();
        }
        let server = serve(small, 0);
        let (pages, shown) = read_pages(&Client::new(&server.address), self.payments).await?;
        drop(server);
        let start = Instant::now();
        grow(&large.url, self.to, &shown).await?;
        made_in_s[1] += start.elapsed().as_secs_f64();

        let sides = [Side::start(small).await, Side::start(large).await];
        for (page, side) in pages.iter().flat_map(|page| sides.iter().map(move |side| (page, side))) {
            page.check(&side.client).await?;
        }
        eprintln!("both servers give the same {} pages", pages.len());

        let mut seen: Vec<[Vec<Measurement>; 2]> = vec![Default::default(); pages.len()];
        for round in 1..=self.rounds {
            eprintln!("round {round} of {}", self.rounds);
            for (page, seen) in pages.iter().zip(&mut seen) {
                for (side, seen) in sides.iter().zip(seen) {
                    seen.push(self.measure_page(page, side).await?);
                }
            }
        }

        let (mut sizes, mut runs) = (Vec::new(), Vec::new());
        let at = now();
        for (number, (side, payments)) in sides.iter().zip([self.payments, self.to]).enumerate() {
            sizes.push(Size {
                payments,
                mebibytes: side.database.size().await? / 1_048_576.0,
                made_in_s: made_in_s[number],
                first_answer_ms: side.first_answer_ms,
                resident_mb: side.resident_mb,
            });
            runs.push(Run {
                name: format!("{payments} payments"),
                at,
                setting: format!("{}, pages of {PAGE_SIZE} payments with installments", side.database.name()),
                measurements: seen.iter().map(|sides| median(&sides[number])).collect(),
            });
        }
        let verdicts = verdicts(&runs[0], &runs[1], threshold);
        Ok(Report { sizes, runs, verdicts })
    }

    /// Asks for one page again and again, after having done so for a quarter of the time without looking.
    async fn measure_page(&self, page: &Page, side: &Side<'_>) -> Result<Measurement, String> {
        let clients: Vec<_> = (0..self.connections).map(|_| Client::new(&side.server.address)).collect();
        let request = |number: usize, _turn: usize| {
            let (client, query, variables) = (clients[number].clone(), Arc::clone(&page.query), page.variables.clone());
            async move { client.try_ask(&query, &variables).await }
        };
        ask(self.connections, self.seconds / 4.0, request).await;
        let watch = Watch::start(&side.client, &side.server, side.database).await;
        let asked = ask(self.connections, self.seconds, request).await;
        let load = Load { name: if self.connections == 1 { "one" } else { "high" }, clients: self.connections };
        let seen = Measurement {
            scenario: page.name.clone(),
            load: load.name.to_owned(),
            clients: load.clients,
            ..watch.stop(&asked).await
        };
        // What fails may be quick.
        if seen.success < 1.0 {
            return Err(format!("{}: requests failed", page.name));
        }
        Ok(seen)
    }
}

/// What each page costs in one run, to what it costs in another, and whether that is more by over `threshold`, a part of
/// one.
pub fn verdicts(small: &Run, large: &Run, threshold: f64) -> Vec<Verdict> {
    let verdict = |(small, large): (&Measurement, &Measurement)| {
        let change = COST.change(small, large);
        Verdict {
            page: small.scenario.clone(),
            ratio: change.map(|change| 1.0 + change),
            too_much: change.is_none_or(|change| COST.is_worse(change, threshold)),
        }
    };
    small.measurements.iter().zip(&large.measurements).map(verdict).collect()
}

/// A server over one of the databases.
struct Side<'a> {
    database: &'a Database,
    server: Server,
    client: Client,
    /// Milliseconds from its start to its first answer.
    first_answer_ms: f64,
    /// Megabytes that it kept then.
    resident_mb: f64,
}

impl<'a> Side<'a> {
    async fn start(database: &'a Database) -> Self {
        let start = Instant::now();
        let server = serve(database, 0);
        let client = Client::new(&server.address);
        client.ask("{ payments(first: 1) { nodes { reference } } }", &json!({})).await;
        let first_answer_ms = start.elapsed().as_secs_f64() * 1e3;
        let resident_mb = server.resident() / 1_048_576.0;
        Self { database, server, client, first_answer_ms, resident_mb }
    }
}

/// A server without a cache, which makes as many payments as are missing before it listens.
fn serve(database: &Database, payments: u64) -> Server {
    let count = payments.to_string();
    let options = ["--demo-payments", &count, "--quota-cost", "0", "--max-cost", "1000000", "--cache", "off"];
    Server::start(&database.url, &options)
}

/// A page that is asked for.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its order and its place.
    pub name: String,
    query: Arc<str>,
    variables: Value,
    /// What every server must answer.
    body: String,
}

impl Page {
    /// Reads a page. `arguments` are those of the list, with `$after` among them.
    async fn read(client: &Client, name: String, arguments: &str, after: &Value) -> Result<Self, String> {
        let query = PAGE.replace("first: 50, after: $after", arguments);
        let mut page = Self { name, query: query.into(), variables: json!({ "after": after }), body: String::new() };
        page.body = page.answer(client).await?;
        let shown = page.shown()?.len();
        if shown != PAGE_SIZE {
            return Err(format!("{} has {shown} payments, not {PAGE_SIZE}", page.name));
        }
        Ok(page)
    }

    /// Asks for it.
    ///
    /// # Errors
    /// When the answer is not the one that was read.
    pub async fn check(&self, client: &Client) -> Result<(), String> {
        let body = self.answer(client).await?;
        if body == self.body { Ok(()) } else { Err(format!("{} is not the same page everywhere", self.name)) }
    }

    async fn answer(&self, client: &Client) -> Result<String, String> {
        let body = client.answer(&self.query, &self.variables).await.map_err(|error| error.to_string())?;
        if body.contains("\"errors\":") { Err(format!("{}: {body}", self.name)) } else { Ok(body) }
    }

    /// The ids of the payments on it.
    fn shown(&self) -> Result<Vec<Uuid>, String> {
        let body: Value = serde_json::from_str(&self.body).map_err(|error| error.to_string())?;
        let nodes = body["data"]["payments"]["nodes"].as_array().ok_or("a page is a list")?;
        nodes.iter().map(|node| id(&node["id"])).collect()
    }
}

/// The first, a middle and the last page of each order, and the payments that must stay uncopied for them to stay the
/// same pages: those that they show, and the one before each middle page.
///
/// # Errors
/// When a page cannot be had, or is too short.
///
/// # Panics
/// When the server does not answer.
pub async fn read_pages(client: &Client, payments: u64) -> Result<(Vec<Page>, HashSet<Uuid>), String> {
    let (mut pages, mut shown) = (Vec::new(), HashSet::new());
    for (order, order_by) in ORDERS {
        let walk = format!(
            "query ($after: String) {{ payments(first: {STEP}, after: $after{order_by}) {{ edges {{ cursor node {{ id \
             }} }} }} }}"
        );
        let mut middle = Value::Null;
        for step in 1..=payments / 2 / STEP {
            let mut page = client.ask(&walk, &json!({ "after": middle })).await;
            let last = page["payments"]["edges"].as_array_mut().and_then(Vec::pop).ok_or("the list ends too soon")?;
            middle = last["cursor"].clone();
            if step == payments / 2 / STEP {
                shown.insert(id(&last["node"]["id"])?);
            }
        }
        for (place, size, after) in
            [("first", "first", &Value::Null), ("middle", "first", &middle), ("last", "last", &Value::Null)]
        {
            let arguments = format!("{size}: {PAGE_SIZE}, after: $after{order_by}");
            let page = Page::read(client, format!("{order}, {place}"), &arguments, after).await?;
            shown.extend(page.shown()?);
            pages.push(page);
        }
    }
    Ok((pages, shown))
}

/// A payment's own id, out of its global one.
fn id(global: &Value) -> Result<Uuid, String> {
    let id = global.as_str().and_then(|id| id.strip_prefix("pay_")).and_then(|id| Uuid::try_parse(id).ok());
    id.ok_or_else(|| format!("{global} is no id of a payment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(costs: &[(f64, f64)]) -> Run {
        let measurements = costs.iter().map(|&(server_cpu_us, database_cpu_us)| Measurement {
            scenario: "page".to_owned(),
            server_cpu_us,
            database_cpu_us,
            ..Measurement::default()
        });
        Run { name: String::new(), at: 0, setting: String::new(), measurements: measurements.collect() }
    }

    /// Server and database together: what one of them saves, the other may take.
    #[test]
    fn a_page_costs_the_same_up_to_the_threshold() {
        let small = run(&[(75.0, 25.0), (75.0, 25.0), (100.0, 0.0), (100.0, 0.0)]);
        let large = run(&[(50.0, 75.0), (50.0, 77.0), (60.0, 0.0), (200.0, 0.0)]);
        let found = verdicts(&small, &large, 0.25);
        let found: Vec<_> = found.iter().map(|verdict| (verdict.ratio, verdict.too_much)).collect();
        assert_eq!(found, [(Some(1.25), false), (Some(1.27), true), (Some(0.6), false), (Some(2.0), true)]);
    }

    /// What nobody could see is not the same.
    #[test]
    fn an_unknown_cost_is_too_much() {
        let found = verdicts(&run(&[(0.0, 0.0)]), &run(&[(10.0, 0.0)]), 0.2);
        assert_eq!(found, [Verdict { page: "page".to_owned(), ratio: None, too_much: true }]);
    }

    /// Where the page of the other benchmarks stands is said in one place, so that it can be said otherwise.
    #[test]
    fn the_arguments_of_a_page_stand_once_in_its_query() {
        assert_eq!(PAGE.matches("first: 50, after: $after").count(), 1);
    }

    #[test]
    fn ids_are_those_of_payments() {
        let uuid = Uuid::from_u128(7);
        assert_eq!(id(&json!(format!("pay_{}", uuid.simple()))), Ok(uuid));
        assert!(id(&json!(format!("ins_{}", uuid.simple()))).is_err());
        assert!(id(&Value::Null).is_err());
    }
}
