//! All rows of an account, checked against one another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use dermaga_api::domain::ledger::check::{PaymentRows, faults};
use dermaga_api::store::{Database, payment_rows};
use entity::ids::{AccountId, PaymentId};
use entity::{payment, payment_event, receipt};

/// What was found.
#[derive(Debug)]
pub(crate) struct Report {
    /// What is wrong, in words.
    pub(crate) faults: Vec<String>,
    /// How many payments there are.
    pub(crate) payments: usize,
    rows: Vec<PaymentRows>,
}

impl Report {
    /// The row of a payment.
    pub(crate) fn row(&self, id: PaymentId) -> &payment::Model {
        &self.rows.iter().find(|rows| rows.payment.id == id).expect("the payment is there").payment
    }

    /// Receipts by their ids as clients see them, with their amounts in minor units.
    pub(crate) fn receipts(&self) -> HashMap<String, i64> {
        self.all_receipts().map(|row| (row.id.global(), row.amount)).collect()
    }

    /// Receipts that were reversed.
    pub(crate) fn reversed(&self) -> HashSet<String> {
        self.all_receipts().filter(|row| row.reversed_at.is_some()).map(|row| row.id.global()).collect()
    }

    /// How often a payment was rescheduled.
    pub(crate) fn reschedules(&self) -> usize {
        let events = self.rows.iter().flat_map(|rows| &rows.events);
        events.filter(|event| event.kind == payment_event::Kind::PaymentRescheduled).count()
    }

    fn all_receipts(&self) -> impl Iterator<Item = &receipt::Model> {
        self.rows.iter().flat_map(|rows| &rows.receipts)
    }
}

/// Reads all rows of an account, in one transaction, and checks them.
pub(crate) async fn verify(database: &Database, account: AccountId) -> Report {
    let meter = Arc::default();
    // More payments than any test makes.
    let read = database.snapshot(&meter, async |db| payment_rows::after(db, account, None, 10_000).await);
    let rows = read.await.unwrap();
    let found = rows.iter().flat_map(|rows| {
        let reference = &rows.payment.reference;
        faults(rows).into_iter().map(move |fault| format!("{reference}: {}: {}", fault.rule.code(), fault.message))
    });
    Report { faults: found.collect(), payments: rows.len(), rows }
}
