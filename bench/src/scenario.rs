//! What clients ask for: the operations of front ends, over the payments of the demo.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Client;

/// One thing that clients do again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What it is, for reports.
    pub about: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    One,
    Page,
    Lines,
    Deep,
    Search,
    Quote,
    Mix,
}

/// All scenarios.
pub const ALL: &[Scenario] = &[
    Scenario { name: "payment", about: "one payment with its installments and receipts", kind: Kind::One },
    Scenario { name: "page", about: "50 payments with their installments", kind: Kind::Page },
    Scenario { name: "lines", about: "20 payments with lines, commodities and converted amounts", kind: Kind::Lines },
    Scenario {
        name: "deep",
        about: "10 payments, installments, allocations, receipts, allocations again",
        kind: Kind::Deep,
    },
    Scenario { name: "search", about: "commodities by words, with those above them", kind: Kind::Search },
    Scenario { name: "quote", about: "export duty of one quantity, with every step", kind: Kind::Quote },
    Scenario { name: "mix", about: "95 reads of single payments and pages to 5 receipts", kind: Kind::Mix },
];

/// One payment with its installments and receipts.
pub const ONE: &str = "query ($id: ID!) { payment(id: $id) { reference version amount { amount } outstanding { amount } \
                   nextDue { dueDate } installments(first: 12) { nodes { sequence dueDate status amount { amount \
                   currency } outstanding { amount currency } } } receipts(first: 20) { nodes { amount { amount } \
                   receivedAt } } } }";
/// 50 payments with their installments.
pub const PAGE: &str = "query ($after: String) { payments(first: 50, after: $after) { nodes { id reference status payerName \
                    createdAt amount { amount currency } outstanding { amount currency } installments(first: 12) { \
                    nodes { id sequence dueDate status amount { amount currency } outstanding { amount currency } } } } } }";
const LINES: &str = "query ($after: String) { payments(first: 20, after: $after) { nodes { reference amount { amount \
                     currency converted(into: \"USD\") { to { amount } rate { rate } } } lines { description quantity \
                     unit total { amount } commodity { code description parent { code description } } } } } }";
const DEEP: &str = "query ($after: String) { payments(first: 10, after: $after) { nodes { reference installments(first: \
                    6) { nodes { sequence allocations(first: 5) { nodes { amount { amount } receipt { method \
                    allocations { amount { amount } installment { sequence } } } } } } } } } }";
/// Commodities by words, with those above them.
pub const SEARCH: &str = "query ($search: String!) { commodities(search: $search, first: 20) { edges { score node { code \
                      description ancestors { code description } } } } }";
const QUOTE: &str = "query ($quantity: Decimal!) { exportDutyQuote(input: {hsCode: \"1801.00.10\", quantity: $quantity, unit: \"t\", \
                     filingDate: \"2026-02-10\", paymentDate: \"2025-08-08\"}) { ... on ExportDutyQuote { dutyForeign { amount \
                     } totalIdr { rounded { amount } } isEstimate steps { label formula value unit citation } } } }";
/// A receipt.
pub(crate) const RECORD: &str = "mutation ($input: RecordReceiptInput!) { recordReceipt(input: $input) { payment { version } \
                      userErrors { message } } }";
const WORDS: &[&str] =
    &["cocoa beans", "minyak kelapa sawit", "coffee", "karet alam", "frozen shrimp", "choclat", "kayu", "nickel ore"];

/// What the scenarios ask about.
#[derive(Clone, Debug, Default)]
pub struct Subjects {
    /// Payments in rupiah with something outstanding.
    open: Vec<String>,
    /// Cursors of pages all over the list.
    cursors: Vec<Value>,
}

impl Subjects {
    /// Reads them from a server.
    ///
    /// # Panics
    /// When it does not answer, or has too few payments.
    pub async fn read(client: &Client) -> Self {
        let query = "query ($after: String) { payments(first: 100, after: $after) { edges { cursor node { id status \
                     amount { currency } } } pageInfo { hasNextPage endCursor } } }";
        let mut subjects = Self { open: Vec::new(), cursors: vec![Value::Null] };
        let mut after = Value::Null;
        loop {
            let page = client.ask(query, &json!({ "after": after })).await["payments"].take();
            let edges = page["edges"].as_array().expect("a list");
            for edge in edges {
                let node = &edge["node"];
                let open = node["status"] == "OPEN" || node["status"] == "PARTIALLY_PAID";
                if let Some(id) = node["id"].as_str().filter(|_| open && node["amount"]["currency"] == "IDR") {
                    subjects.open.push(id.to_owned());
                }
            }
            after = page["pageInfo"]["endCursor"].clone();
            // The longest page has 50 payments; what comes after the cursor must be as many.
            if page["pageInfo"]["hasNextPage"] != true || subjects.open.len() > 5_000 {
                assert!(subjects.open.len() >= 20, "too few payments: {}", subjects.open.len());
                return subjects;
            }
            subjects.cursors.push(after.clone());
        }
    }

    fn payment(&self, dice: usize) -> &str {
        // Four of five requests are for one payment in five, as people look again at what they looked at.
        let hot = (self.open.len() / 5).max(1);
        let place = if dice % 10 < 8 { dice / 10 % hot } else { dice / 10 % self.open.len() };
        &self.open[place]
    }

    /// A payment to be followed: for each number another, as far as there are others, and from the far end of the list,
    /// where few requests of the scenarios go.
    pub fn followed(&self, number: usize) -> &str {
        &self.open[self.open.len() - 1 - number % self.open.len()]
    }

    fn cursor(&self, dice: usize) -> &Value {
        let last = self.cursors.len().saturating_sub(1).max(1);
        &self.cursors[dice % last]
    }
}

impl Scenario {
    /// The scenario of this name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|scenario| scenario.name == name)
    }

    /// One request; the same for the same client and turn. Answers whether it succeeded.
    pub async fn request(self, client: &Client, subjects: &Subjects, number: usize, turn: usize) -> bool {
        // A step of a prime length goes through everything in no obvious order.
        let dice = (number * 7_919 + turn * 104_729) % 1_000_003;
        let page = |query| (query, json!({ "after": subjects.cursor(dice) }));
        let one = || (ONE, json!({ "id": subjects.payment(dice) }));
        let (query, variables) = match self.kind {
            Kind::One => one(),
            Kind::Page => page(PAGE),
            Kind::Lines => page(LINES),
            Kind::Deep => page(DEEP),
            Kind::Search => (SEARCH, json!({ "search": WORDS[dice % WORDS.len()] })),
            Kind::Quote => (QUOTE, json!({ "quantity": format!("{}.{}", dice % 400 + 1, dice % 10) })),
            Kind::Mix => match dice % 100 {
                0..5 => (RECORD, json!({ "input": receipt(subjects.payment(dice / 100)) })),
                5..20 => page(PAGE),
                _ => one(),
            },
        };
        client.try_ask(query, &variables).await
    }
}

/// What records one rupiah for a payment.
pub(crate) fn receipt(payment: &str) -> Value {
    json!({
        "idempotencyKey": Uuid::now_v7().to_string(), "paymentId": payment,
        "amount": { "amount": "1", "currency": "IDR" }, "receivedAt": "2026-10-30T09:00:00Z", "method": "CASH",
    })
}
