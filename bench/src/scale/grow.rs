//! Makes a database of some payments one of many, by copies that the database makes of its own rows.
//!
//! Payments and their installments are copied; receipts, plans, lines and events are not, for a page of payments with
//! installments reads none of them. Both databases run the same statements, but for how an id is put together.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use entity::{installment, payment};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, EntityTrait, IdenStatic, Iterable,
    Statement, TransactionTrait,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::copies::{later, shares};

/// Payments copied in one transaction.
const BATCH: usize = 50_000;

/// In how many parts the work is told of.
const PARTS: u64 = 10;

/// The words in which the databases differ.
struct Dialect {
    /// Makes a connection write fast. What is lost in a crash is thrown away.
    settings: &'static [&'static str],
    /// What only a superuser may do, and is left out where nobody is one.
    superuser_settings: &'static [&'static str],
    /// The ids and times of the copies of one batch, and what is added to their references.
    copies: &'static str,
    /// Fills that table from one parameter, a JSON array.
    fill: &'static str,
    /// Empties it.
    empty: &'static str,
    /// An id of an installment: the time of its payment's copy, and the rest of the original's id.
    installment_id: &'static str,
    /// The indexes that are no part of a constraint, with what makes them.
    indexes: &'static str,
    /// After everything was written.
    finish: &'static [&'static str],
    /// Of these, too, what only a superuser may do.
    superuser_finish: &'static [&'static str],
}

const SQLITE: Dialect = Dialect {
    settings: &[
        "PRAGMA journal_mode = OFF",
        "PRAGMA synchronous = OFF",
        "PRAGMA foreign_keys = OFF",
        // In KiB.
        "PRAGMA cache_size = -1048576",
        "PRAGMA threads = 2",
    ],
    superuser_settings: &[],
    copies: "CREATE TEMP TABLE copies (id blob PRIMARY KEY, original blob, created_at text, suffix text)",
    fill: "INSERT INTO copies \
           SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3 FROM json_each(?)",
    empty: "DELETE FROM copies",
    installment_id: "unhex(substr(hex(c.id), 1, 12) || substr(hex(o.id), 13))",
    indexes: "SELECT name, sql FROM sqlite_master \
              WHERE type = 'index' AND tbl_name IN ('payment', 'installment') AND sql IS NOT NULL",
    finish: &["ANALYZE"],
    superuser_finish: &[],
};

const POSTGRES: Dialect = Dialect {
    settings: &[
        "SET synchronous_commit = off",
        "SET maintenance_work_mem = '512MB'",
        "SET work_mem = '128MB'",
        // It would begin just when pages are measured, and its CPU time would be theirs.
        "ALTER TABLE payment SET (autovacuum_enabled = false)",
        "ALTER TABLE installment SET (autovacuum_enabled = false)",
    ],
    // Foreign keys are not looked at, and nobody is told of changes.
    superuser_settings: &["SET session_replication_role = replica"],
    copies: "CREATE TEMP TABLE copies (id uuid PRIMARY KEY, original uuid, created_at timestamptz, suffix text)",
    fill: "INSERT INTO copies SELECT (value ->> 0)::uuid, (value ->> 1)::uuid, (value ->> 2)::timestamptz, value ->> 3 \
           FROM json_array_elements($1::json)",
    empty: "TRUNCATE copies",
    installment_id: "(left(c.id::text, 13) || substr(o.id::text, 14))::uuid",
    indexes: "SELECT c.relname::text AS name, pg_get_indexdef(i.indexrelid) AS sql \
              FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
              WHERE i.indrelid IN ('payment'::regclass, 'installment'::regclass) \
              AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)",
    finish: &["VACUUM ANALYZE"],
    // Else it writes back what was loaded while pages are measured.
    superuser_finish: &["CHECKPOINT"],
};

/// What is read of a payment that is copied.
struct Original {
    id: Uuid,
    created_at: DateTime<Utc>,
}

/// Adds copies until there are `to` payments, of all that are there but the spared ones, and brings the planner's
/// statistics up to date. Nobody else may use the database meanwhile. What goes wrong leaves it in pieces.
///
/// # Errors
/// When the database does not answer or refuses a row, or so many copies have no room between the payments.
pub async fn grow(url: &str, to: u64, spared: &HashSet<Uuid>) -> Result<(), String> {
    let mut options = ConnectOptions::new(url.to_owned());
    // Settings and temporary tables are those of one connection, which must last.
    options.max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None).sqlx_logging(false);
    let problem = |error: DbErr| format!("the database cannot be made larger: {error}");
    let database = Database::connect(options).await.map_err(problem)?;
    add(&database, to, spared).await.map_err(problem)?;
    database.close().await.map_err(problem)
}

async fn add(database: &DatabaseConnection, to: u64, spared: &HashSet<Uuid>) -> Result<(), DbErr> {
    let dialect = match database.get_database_backend() {
        DbBackend::Postgres => &POSTGRES,
        _ => &SQLITE,
    };
    all(database, dialect.settings).await?;
    as_superuser(database, dialect.superuser_settings).await;
    let indexes = drop_indexes(database, dialect).await?;
    all(database, &[dialect.copies]).await?;
    for table in ["payment", "installment"] {
        all(database, &[&format!("CREATE TEMP TABLE original_{table} AS SELECT * FROM {table}")]).await?;
    }
    all(
        database,
        &[
            "CREATE UNIQUE INDEX original_payment_id ON original_payment (id)",
            "CREATE INDEX original_installment_payment ON original_installment (payment_id)",
        ],
    )
    .await?;
    if database.get_database_backend() == DbBackend::Postgres {
        // Temporary tables have no statistics but those that somebody makes.
        all(database, &["ANALYZE original_payment", "ANALYZE original_installment"]).await?;
    }

    copy(database, dialect, to, spared).await?;

    eprintln!("making {} indexes again", indexes.len());
    for index in &indexes {
        all(database, &[index]).await?;
    }
    all(database, dialect.finish).await?;
    as_superuser(database, dialect.superuser_finish).await;
    Ok(())
}

/// Copies payments with their installments, the oldest first, so that rows are added side by side and not all over
/// the tables.
async fn copy(database: &DatabaseConnection, dialect: &Dialect, to: u64, spared: &HashSet<Uuid>) -> Result<(), DbErr> {
    let originals = originals(database).await?;
    let ids: Vec<Uuid> = originals.iter().map(|original| original.id).collect();
    let wanted = to.saturating_sub(originals.len() as u64);
    let shares = shares(&ids, spared, wanted).map_err(DbErr::Custom)?;

    let mut rows = shares
        .iter()
        .filter_map(|share| Some((share, originals.get(share.original)?)))
        .flat_map(|(share, original)| (1..=share.count).map(move |number| row(original, share.shift(number), number)));
    let (mut copied, mut told) = (0, 0);
    loop {
        let batch: Vec<Value> = rows.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(());
        }
        copied += batch.len() as u64;
        add_batch(database, dialect, batch).await?;
        if copied * PARTS / wanted > told {
            told = copied * PARTS / wanted;
            eprintln!("{copied} of {wanted} payments copied");
        }
    }
}

/// What a copy has of its own, as a row of the JSON array.
fn row(original: &Original, shift: u64, number: u64) -> Value {
    let at = original.created_at + TimeDelta::milliseconds(i64::try_from(shift).unwrap_or(i64::MAX));
    let id = later(original.id, shift).simple().to_string();
    // As the driver of SQLite writes it: the column is compared as text.
    let at = at.to_rfc3339_opts(SecondsFormat::AutoSi, false);
    json!([id, original.id.simple().to_string(), at, format!("-{number}")])
}

async fn add_batch(database: &DatabaseConnection, dialect: &Dialect, batch: Vec<Value>) -> Result<(), DbErr> {
    let expected = batch.len() as u64;
    let batch = Value::Array(batch).to_string();
    let transaction = database.begin().await?;
    transaction.execute_unprepared(dialect.empty).await?;
    let fill = Statement::from_sql_and_values(transaction.get_database_backend(), dialect.fill, [batch.into()]);
    transaction.execute_raw(fill).await?;
    let payments = insert::<payment::Entity>(
        "id",
        &[
            ("id", "c.id"),
            ("reference", "o.reference || c.suffix"),
            ("created_at", "c.created_at"),
            ("updated_at", "CASE WHEN o.updated_at > c.created_at THEN o.updated_at ELSE c.created_at END"),
        ],
    );
    let copied = transaction.execute_unprepared(&payments).await?.rows_affected();
    if copied != expected {
        return Err(DbErr::Custom(format!("{copied} payments were copied, not {expected}")));
    }
    let installments =
        insert::<installment::Entity>("payment_id", &[("id", dialect.installment_id), ("payment_id", "c.id")]);
    transaction.execute_unprepared(&installments).await?;
    transaction.commit().await
}

/// Copies what belongs to the originals of the copies: all columns but the generated ones, some of them changed.
/// `payment` is the column with the payment's id.
fn insert<E: EntityTrait>(payment: &str, changed: &[(&str, &str)]) -> String {
    let table = E::default().table_name();
    let columns: Vec<&str> = E::Column::iter().map(|column| column.as_str()).collect();
    let names: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
    let values: Vec<String> = columns
        .iter()
        .map(|column| match changed.iter().find(|(name, _)| name == column) {
            Some((_, value)) => (*value).to_owned(),
            None => format!("o.\"{column}\""),
        })
        .collect();
    // On SQLite a cross join is one that keeps the order of the tables: copies first, originals by the index.
    format!(
        "INSERT INTO {table} ({}) SELECT {} FROM copies c CROSS JOIN original_{table} o WHERE o.{payment} = c.original \
         ORDER BY c.id",
        names.join(", "),
        values.join(", ")
    )
}

/// All payments, in the order of their ids.
async fn originals(database: &DatabaseConnection) -> Result<Vec<Original>, DbErr> {
    let all = Statement::from_string(database.get_database_backend(), "SELECT id, created_at FROM payment ORDER BY id");
    let rows = database.query_all_raw(all).await?;
    rows.iter()
        .map(|row| Ok(Original { id: row.try_get("", "id")?, created_at: row.try_get("", "created_at")? }))
        .collect()
}

/// Drops the indexes that are quicker to make again than to add to, and answers what makes them.
async fn drop_indexes(database: &DatabaseConnection, dialect: &Dialect) -> Result<Vec<String>, DbErr> {
    let all_indexes = Statement::from_string(database.get_database_backend(), dialect.indexes);
    let mut made_by = Vec::new();
    for index in database.query_all_raw(all_indexes).await? {
        let name: String = index.try_get("", "name")?;
        made_by.push(index.try_get("", "sql")?);
        all(database, &[&format!("DROP INDEX {name}")]).await?;
    }
    Ok(made_by)
}

async fn all(database: &DatabaseConnection, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        database.execute_unprepared(statement).await?;
    }
    Ok(())
}

/// Runs what makes it quicker and the figures steadier, as far as this role may.
async fn as_superuser(database: &DatabaseConnection, statements: &[&str]) {
    for statement in statements {
        if let Err(refused) = database.execute_unprepared(statement).await {
            eprintln!("left out: {statement}: {refused}");
        }
    }
}
