//! Clients that write, whatever happens to the server, and remember what they were told.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::TestApp;

/// Longer than any write takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What clients were told, by the ids of receipts and payments as they see them.
#[derive(Debug, Default)]
pub struct Told {
    /// Receipts that were recorded, with their amounts in minor units of rupiah.
    pub receipts: HashMap<String, i64>,
    /// Receipts that were reversed.
    pub reversed: HashSet<String>,
    /// The keys of requests that rescheduled a payment: a replay tells of the same again.
    pub rescheduled: HashSet<String>,
    /// Requests that were answered as replays.
    pub replays: u32,
    /// Requests that were refused.
    pub refused: u32,
}

/// A request that may be sent any number of times.
#[derive(Clone, Debug)]
pub struct Write {
    query: &'static str,
    field: &'static str,
    input: Value,
    /// In minor units, of a receipt.
    amount: i64,
}

/// What a client knows of a write after having sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It was done: the payload.
    Done(Value),
    /// It was refused, with this code.
    Refused(String),
    /// Nobody knows.
    Unknown,
}

/// Some clients of one server at a time.
#[derive(Debug)]
pub struct Writers {
    client: reqwest::Client,
    told: Mutex<Told>,
}

const PAYLOAD: &str =
    "payment { id version } replayed userErrors { code message ... on VersionConflict { currentVersion } }";

impl Write {
    /// Money arrives.
    pub fn receipt(payment: &str, rupiah: i64) -> Self {
        let query = "mutation ($input: RecordReceiptInput!) { recordReceipt(input: $input) { receipt { id } \
                     payment { id version } replayed userErrors { code message } } }";
        let input = json!({
            "idempotencyKey": key(),
            "paymentId": payment,
            "amount": { "amount": rupiah.to_string(), "currency": "IDR" },
            "receivedAt": "2026-10-30T09:00:00Z",
            "method": "BANK_TRANSFER",
            "externalReference": key(),
        });
        Self { query, field: "recordReceipt", input, amount: rupiah * 100 }
    }

    /// A receipt bounces.
    pub fn reversal(receipt: &str) -> Self {
        let query = "mutation ($input: ReverseReceiptInput!) { reverseReceipt(input: $input) { receipt { id } \
                     payment { id version } replayed userErrors { code message } } }";
        let input = json!({ "idempotencyKey": key(), "receiptId": receipt, "reason": "bounced" });
        Self { query, field: "reverseReceipt", input, amount: 0 }
    }

    /// What is outstanding is spread anew.
    pub fn reschedule(payment: &str, version: i64, shares: &[&str]) -> Self {
        static QUERY: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
            format!("mutation ($input: ReschedulePaymentInput!) {{ reschedulePayment(input: $input) {{ {PAYLOAD} }} }}")
        });
        let items: Vec<_> = shares
            .iter()
            .enumerate()
            .map(|(at, percent)| json!({ "percent": percent, "dueDate": format!("2027-01-{:02}", at + 1) }))
            .collect();
        let input = json!({
            "idempotencyKey": key(),
            "id": payment,
            "expectedVersion": version,
            "plan": { "percentages": { "items": items } },
            "reason": "agreed",
        });
        Self { query: &QUERY, field: "reschedulePayment", input, amount: 0 }
    }
}

impl Writers {
    /// Clients that were told nothing yet.
    pub fn new() -> Self {
        Self { client: reqwest::Client::builder().no_proxy().build().unwrap(), told: Mutex::default() }
    }

    /// What they were told.
    pub fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a write once, and gives up after `patience`.
    pub async fn send(&self, address: &str, write: &Write, patience: Option<Duration>) -> Answered {
        let body = json!({ "query": write.query, "variables": { "input": write.input } });
        let request = async {
            let answer = self.client.post(format!("{address}/graphql")).json(&body).send().await.ok()?;
            answer.json::<Value>().await.ok()
        };
        let answer = tokio::time::timeout(patience.unwrap_or(PATIENCE), request).await.ok().flatten();
        let Some(answer) = answer else { return Answered::Unknown };
        let payload = &answer["data"][write.field];
        if payload.is_null() {
            // An error that nobody expected: what came of it is not known.
            return Answered::Unknown;
        }
        match payload["userErrors"][0]["code"].as_str() {
            Some("IDEMPOTENCY_IN_PROGRESS") => Answered::Unknown,
            Some(code) => {
                self.told().refused += 1;
                Answered::Refused(code.to_owned())
            }
            None => {
                self.note(write, payload);
                Answered::Done(payload.clone())
            }
        }
    }

    /// Sends a write until it is known what came of it.
    pub async fn settle(&self, address: &str, write: &Write) -> Answered {
        for _ in 0..1_000 {
            match self.send(address, write, None).await {
                Answered::Unknown => tokio::task::yield_now().await,
                known => return known,
            }
        }
        panic!("it never became known what came of {write:?}");
    }

    fn note(&self, write: &Write, payload: &Value) {
        let mut told = self.told();
        if payload["replayed"] == true {
            told.replays += 1;
        }
        match write.field {
            "recordReceipt" => {
                let id = payload["receipt"]["id"].as_str().unwrap().to_owned();
                told.receipts.insert(id, write.amount);
            }
            "reverseReceipt" => {
                told.reversed.insert(payload["receipt"]["id"].as_str().unwrap().to_owned());
            }
            _ => {
                told.rescheduled.insert(write.input["idempotencyKey"].as_str().unwrap().to_owned());
            }
        }
    }
}

impl Default for Writers {
    fn default() -> Self {
        Self::new()
    }
}

/// Creates a payment of so many rupiah in six installments, and returns its id.
pub async fn payment(app: &TestApp, reference: &str, rupiah: &str) -> String {
    let input = json!({
        "idempotencyKey": key(),
        "reference": reference,
        "amount": { "amount": rupiah, "currency": "IDR" },
        "plan": { "even": { "count": 6, "firstDueDate": "2026-11-30" } },
    });
    let query = "mutation ($input: CreatePaymentInput!) { createPayment(input: $input) { payment { id } } }";
    app.graphql_with(query, json!({ "input": input })).await.text("/createPayment/payment/id").to_owned()
}

fn key() -> String {
    Uuid::now_v7().to_string()
}

/// Numbers that look random, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        // xorshift64*: enough to choose with.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}
