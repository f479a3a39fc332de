//! Checks what is stored: the rows of every payment against each other, its events and their hashes.

use std::io::Write;
use std::sync::Arc;

use clap::Args;
use entity::{account, payment};

use super::{Failure, say};
use crate::config::Config;
use crate::domain::ledger::check::{Fault, PaymentRows, Rule, faults};
use crate::error::{Error, Result};
use crate::progress::{Progress, Task};
use crate::store::{Database, Meter, accounts, payment_rows, payments};

/// Payments that are read at once, on one state of the database.
const BATCH: u64 = 300;

/// What is to be checked.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The name of the only account to check [default: all accounts]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    payments: u64,
    events: u64,
    faults: u64,
}

impl Verify {
    /// Does it.
    pub(super) async fn run(self, config: &Config, progress: &Progress) -> Result<(), Failure> {
        let database = Database::open_to_read(&config.database).await.map_err(Failure::Unverified)?;
        let meter = Arc::default();
        let all = accounts::all(&database.reader(Arc::clone(&meter))).await.map_err(unverified)?;
        let wanted: Vec<_> =
            all.into_iter().filter(|row| self.account.as_ref().is_none_or(|name| *name == row.name)).collect();
        if let Some(name) = self.account.filter(|_| wanted.is_empty()) {
            return Err(Failure::Usage(format!("there is no account named {name:?}")));
        }
        let found = check(&database, &meter, &wanted, progress).await.map_err(Failure::Unverified)?;
        let Found { payments, events, faults } = found;
        say(&mut std::io::stdout(), &format!("{payments} payments checked, {events} events checked, {faults} faults"));
        if faults > 0 { Err(Failure::Faults(format!("{faults} faults were found"))) } else { Ok(()) }
    }
}

fn unverified(error: impl Into<Error>) -> Failure {
    Failure::Unverified(error.into())
}

async fn check(
    database: &Database,
    meter: &Arc<Meter>,
    accounts: &[account::Model],
    progress: &Progress,
) -> Result<Found> {
    let reader = database.reader(Arc::clone(meter));
    let mut total = 0;
    for account in accounts {
        total += u64::try_from(payments::count(&reader, account.id, &payments::everything()).await?).unwrap_or(0);
    }
    let mut task = progress.start("Verifying payments", total);
    let mut found = Found::default();
    for account in accounts {
        let mut last: Option<payment::Model> = None;
        loop {
            let batch = database
                .snapshot(meter, async |db| payment_rows::after(db, account.id, last.as_ref(), BATCH).await)
                .await?;
            let Some(newest) = batch.last() else { break };
            last = Some(newest.payment.clone());
            // Hashing takes longer than reading; signals and timers are not to wait for it.
            let checked =
                tokio::task::spawn_blocking(|| batch.into_iter().map(|rows| (faults(&rows), rows)).collect::<Vec<_>>());
            for (faults, rows) in checked.await.map_err(Error::internal)? {
                found.add(&rows, &faults);
                let lines: Vec<_> = faults.iter().map(|fault| line(account, Some(&rows.payment), fault)).collect();
                tell(&task, &lines);
                task.advance(1);
            }
        }
        let shared = database.snapshot(meter, async |db| payment_rows::shared_references(db, account.id).await).await?;
        for (reference, receipts) in shared {
            found.faults += 1;
            let ids: Vec<_> = receipts.iter().map(|(_, receipt)| receipt.global()).collect();
            let message = format!("{} have the external reference {reference:?}", ids.join(" and "));
            tell(&task, &[line(account, None, &Fault { rule: Rule::UniqueReference, message })]);
        }
    }
    task.finish();
    Ok(found)
}

impl Found {
    fn add(&mut self, rows: &PaymentRows, faults: &[Fault]) {
        self.payments += 1;
        self.events += rows.events.len() as u64;
        self.faults += faults.len() as u64;
    }
}

/// A fault as one line: account, payment, its reference, rule and message, with tabs between them.
fn line(account: &account::Model, payment: Option<&payment::Model>, fault: &Fault) -> String {
    let (id, reference) = payment.map_or_else(Default::default, |row| (row.id.global(), row.reference.as_str()));
    let fields = [account.name.as_str(), &id, reference, fault.rule.code(), &fault.message];
    // What was changed behind our back may hold anything, and must not look like another fault.
    fields.map(|field| field.replace(char::is_control, "\u{fffd}")).join("\t")
}

fn tell(task: &Task, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    task.aside(|| {
        let mut out = std::io::stdout().lock();
        // A closed pipe ends nothing: the status still says what was found.
        let _ = lines.iter().try_for_each(|line| writeln!(out, "{line}"));
    });
}
