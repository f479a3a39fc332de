//! Puts demo payments into a database.
//!
//! A batch is one transaction, so a load that is killed leaves whole batches, and the next one adds the
//! rest. Payments are made ahead on a blocking thread while the database writes.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use entity::ids::AccountId;
use entity::{
    AccountScoped, account, allocation, installment, installment_plan, payment, payment_event, payment_line, receipt,
    refund,
};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, IdenStatic, Iterable, ModelTrait, QueryFilter,
    QuerySelect, Statement,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::calendar;
use super::generator::Generator;
use crate::domain::ledger::check::PaymentRows;
use crate::error::{Error, Result};
use crate::import::ecb;
use crate::store::{Database, accounts, keys};

#[cfg(test)]
mod tests;

/// The id of the demo account, the same in every database.
pub const ACCOUNT_ID: AccountId = AccountId(Uuid::from_u128(0x0192_dafb_a800_7000_8000_6465_6d6f_0001));

/// The name of the demo account.
pub const ACCOUNT_NAME: &str = "demo";

/// Payments in one transaction. SQLite writes a page once in a transaction however many rows touch it.
const BATCH: usize = 2000;

/// Batches made ahead.
const AHEAD: usize = 2;

/// Bind parameters in one statement at the most. Fewer than either database allows, since neither is
/// faster with more, and a statement of the same shape is prepared once.
const PARAMETERS: usize = 4000;

/// SQLite keeps 2 MB of pages by default, less than one batch touches. 128 MB stay with the one connection.
const WIDE_CACHE: &str = "PRAGMA cache_size = -131072";

/// What a load did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Payments that were added.
    pub added: u64,
    /// Payments of this seed that were there already.
    pub present: u64,
    /// Rows that were added, in all tables.
    pub rows: u64,
}

/// Makes the demo account when there is none, and returns its id.
///
/// # Errors
/// When the database does not answer.
pub async fn ensure_account(database: &Database, now: DateTime<Utc>) -> Result<AccountId> {
    database
        .write(async |transaction| {
            if let Some(account) = accounts::by_name(transaction, ACCOUNT_NAME).await? {
                return Ok(account.id);
            }
            let account = account::Model {
                id: ACCOUNT_ID,
                name: ACCOUNT_NAME.to_owned(),
                base_currency: "IDR".to_owned(),
                time_zone: "Asia/Jakarta".to_owned(),
                created_at: now,
            };
            Ok(accounts::create(transaction, account).await?)
        })
        .await
}

/// Makes sure that the first `payments` payments of the generator are in the database.
///
/// Those that are there are left alone. `progress` hears how many are done, after each batch.
///
/// # Errors
/// When the database does not answer, or does not know the account or the commodities of the lines.
pub async fn load(
    database: &Database,
    generator: &Generator,
    payments: u64,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<LoadReport> {
    // Receipts name the source of their rate.
    database.write(async |transaction| ecb::ensure_source(transaction, calendar::end()).await).await?;
    let (sender, mut batches) = mpsc::channel(AHEAD);
    let maker = tokio::task::spawn_blocking({
        let generator = generator.clone();
        move || make(&generator, payments, &sender)
    });
    let mut report = LoadReport::default();
    while let Some(batch) = batches.recv().await {
        let done = database.write(async |transaction| add(transaction, generator.account(), batch).await).await?;
        report.added += done.added;
        report.present += done.present;
        report.rows += done.rows;
        progress(report.added + report.present);
    }
    maker.await.map_err(Error::internal)?;
    database.analyze().await?;
    Ok(report)
}

/// Sends all payments in batches, until nobody takes them any more.
///
/// The oldest come first. Ids rise with time, so that rows are added near the end of an index and not all
/// over it, which makes a load of a million payments many times faster.
fn make(generator: &Generator, payments: u64, batches: &mpsc::Sender<Vec<PaymentRows>>) {
    let mut order: Vec<_> = (0..payments).map(|n| (generator.created_at(n), n)).collect();
    order.sort_unstable();
    for numbers in order.chunks(BATCH) {
        let batch = numbers.iter().map(|(_, n)| generator.payment(*n)).collect();
        if batches.blocking_send(batch).is_err() {
            return;
        }
    }
}

/// Adds those payments of a batch that are missing.
async fn add(transaction: &DatabaseTransaction, account: AccountId, mut batch: Vec<PaymentRows>) -> Result<LoadReport> {
    if transaction.get_database_backend() == DbBackend::Sqlite {
        transaction.execute_unprepared(WIDE_CACHE).await?;
    }
    let total = batch.len() as u64;
    let present = present(transaction, account, &batch).await?;
    batch.retain(|demo| !present.contains(&demo.payment.reference));
    let added = batch.len() as u64;

    let mut rows = Tables::default();
    for demo in batch {
        rows.take(demo);
    }
    Ok(LoadReport { added, present: total - added, rows: rows.insert(transaction).await? })
}

/// Which references of the batch the account has.
async fn present(
    transaction: &DatabaseTransaction,
    account: AccountId,
    batch: &[PaymentRows],
) -> Result<HashSet<String>, DbErr> {
    let references = batch.iter().map(|demo| demo.payment.reference.as_str());
    let column = (payment::Entity, payment::Column::Reference);
    let found: Vec<String> = payment::Entity::of_account(account)
        .filter(keys::any_text(transaction.get_database_backend(), column, references))
        .select_only()
        .column(payment::Column::Reference)
        .into_tuple()
        .all(transaction)
        .await?;
    Ok(found.into_iter().collect())
}

/// The rows of a batch by table, in the order in which they refer to one another.
#[derive(Default)]
struct Tables {
    payments: Vec<payment::Model>,
    plans: Vec<installment_plan::Model>,
    installments: Vec<installment::Model>,
    receipts: Vec<receipt::Model>,
    allocations: Vec<allocation::Model>,
    refunds: Vec<refund::Model>,
    lines: Vec<payment_line::Model>,
    events: Vec<payment_event::Model>,
}

impl Tables {
    fn take(&mut self, demo: PaymentRows) {
        self.payments.push(demo.payment);
        self.plans.extend(demo.plans);
        self.installments.extend(demo.installments);
        self.receipts.extend(demo.receipts);
        self.allocations.extend(demo.allocations);
        self.refunds.extend(demo.refunds);
        self.lines.extend(demo.lines);
        self.events.extend(demo.events);
    }

    async fn insert(self, transaction: &DatabaseTransaction) -> Result<u64, DbErr> {
        Ok(insert::<payment::Entity>(transaction, &self.payments).await?
            + insert::<installment_plan::Entity>(transaction, &self.plans).await?
            + insert::<installment::Entity>(transaction, &self.installments).await?
            + insert::<receipt::Entity>(transaction, &self.receipts).await?
            + insert::<allocation::Entity>(transaction, &self.allocations).await?
            + insert::<refund::Entity>(transaction, &self.refunds).await?
            + insert::<payment_line::Entity>(transaction, &self.lines).await?
            + insert::<payment_event::Entity>(transaction, &self.events).await?)
    }
}

/// Inserts rows, many in one statement. The text is built once for each shape; the query builder would build
/// it for each statement.
async fn insert<E: EntityTrait>(transaction: &DatabaseTransaction, rows: &[E::Model]) -> Result<u64, DbErr> {
    let backend = transaction.get_database_backend();
    let columns: Vec<_> = E::Column::iter().collect();
    let rows_at_once = (PARAMETERS / columns.len().max(1)).max(1);
    let mut shape = (0, String::new());
    let mut inserted = 0;
    for chunk in rows.chunks(rows_at_once) {
        if shape.0 != chunk.len() {
            shape = (chunk.len(), insert_sql::<E>(backend, chunk.len()));
        }
        let values = chunk.iter().flat_map(|row| columns.iter().map(|column| row.get(*column)));
        let statement = Statement::from_sql_and_values(backend, &shape.1, values);
        inserted += transaction.execute_raw(statement).await?.rows_affected();
    }
    Ok(inserted)
}

/// `INSERT INTO table (…) VALUES (…), …` with a parameter for each value.
fn insert_sql<E: EntityTrait>(backend: DbBackend, rows: usize) -> String {
    let columns: Vec<_> = E::Column::iter().map(|column| format!("\"{}\"", column.as_str())).collect();
    // SQLite takes a numbered parameter for a named one, and looks for the name among all before it.
    let parameter = |number: usize| match backend {
        DbBackend::Postgres => format!("${number}"),
        _ => "?".to_owned(),
    };
    let row = |row: usize| {
        let first = row * columns.len() + 1;
        let parameters: Vec<_> = (first..first + columns.len()).map(parameter).collect();
        format!("({})", parameters.join(", "))
    };
    let values: Vec<_> = (0..rows).map(row).collect();
    format!("INSERT INTO \"{}\" ({}) VALUES {}", E::default().table_name(), columns.join(", "), values.join(", "))
}
