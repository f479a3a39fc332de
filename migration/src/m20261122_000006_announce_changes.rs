//! Triggers that tell of changes, for the caches of all servers: on PostgreSQL, whoever writes.
//!
//! They tell once for each statement, with `NOTIFY dermaga_changed`: which payments of which account, or that
//! commodities or rates changed. PostgreSQL drops what one transaction tells twice. An older replica does not listen
//! and caches nothing. SQLite has no such thing and needs none: see `store/watch.rs`.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::tell;

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let connection = manager.get_connection();
        for function in FUNCTIONS {
            connection.execute_unprepared(function).await?;
        }
        for (table, told) in TABLES {
            for trigger in triggers(table, told) {
                connection.execute_unprepared(&trigger).await?;
            }
        }
        tell::of_changes(manager, COMMODITIES, "commodities").await?;
        tell::of_changes(manager, RATES, "rates").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        // The triggers go with their functions.
        let names = "dermaga_tell_payments_changed(), dermaga_tell_payments_updated(), dermaga_tell_parts_changed(), \
                     dermaga_tell_parts_updated(), dermaga_tell_accounts_changed(), dermaga_tell_accounts_updated(), \
                     dermaga_tell_name(), dermaga_tell_payments(uuid[], uuid[])";
        manager.get_connection().execute_unprepared(&format!("DROP FUNCTION {names} CASCADE")).await?;
        Ok(())
    }
}

/// What is told of a table.
enum Told {
    /// The payments themselves.
    Payments,
    /// The payments that rows are a part of.
    Parts,
    /// The accounts alone: the row does not say of which payment it is.
    Accounts,
}

const TABLES: &[(&str, Told)] = &[
    ("payment", Told::Payments),
    ("payment_line", Told::Parts),
    ("installment_plan", Told::Parts),
    ("installment", Told::Parts),
    ("receipt", Told::Parts),
    ("refund", Told::Parts),
    ("payment_event", Told::Parts),
    ("allocation", Told::Accounts),
];

/// Tables of which only the name of their subject is told.
const COMMODITIES: &[&str] = &["commodity"];
const RATES: &[&str] = &["currency_rate", "rate_source"];

/// The triggers of a table. Rows that an update moves from one payment to another concern both.
fn triggers(table: &str, told: &Told) -> Vec<String> {
    let (changed, updated) = match told {
        Told::Payments => ("dermaga_tell_payments_changed()", "dermaga_tell_payments_updated()"),
        Told::Parts => ("dermaga_tell_parts_changed()", "dermaga_tell_parts_updated()"),
        Told::Accounts => ("dermaga_tell_accounts_changed()", "dermaga_tell_accounts_updated()"),
    };
    let trigger = |event: &str, rows: &str, function: &str| {
        format!(
            "CREATE TRIGGER {table}_tell_{} AFTER {event} ON {table} {rows} \
             FOR EACH STATEMENT EXECUTE FUNCTION {function}",
            event.to_lowercase()
        )
    };
    vec![
        trigger("INSERT", "REFERENCING NEW TABLE AS changed", changed),
        trigger("UPDATE", "REFERENCING NEW TABLE AS changed OLD TABLE AS was", updated),
        trigger("DELETE", "REFERENCING OLD TABLE AS changed", changed),
        trigger("TRUNCATE", "", "dermaga_tell_name('everything')"),
    ]
}

const FUNCTIONS: &[&str] = &[
    // A payload has room for 8,000 bytes: 200 ids. Whoever changes more than 5,000 payments at once drops everything.
    "CREATE FUNCTION dermaga_tell_payments(accounts uuid[], payments uuid[]) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        IF cardinality(payments) > 5000 THEN
            PERFORM pg_notify('dermaga_changed', 'everything');
        ELSE
            PERFORM pg_notify('dermaga_changed', 'payments ' || replace(account::text, '-', '') || ' '
                || string_agg(replace(payment::text, '-', ''), ',' ORDER BY payment))
            FROM (
                SELECT account, payment, (row_number() OVER (PARTITION BY account ORDER BY payment) - 1) / 200 AS part
                FROM (SELECT DISTINCT account, payment FROM unnest(accounts, payments) AS told (account, payment)) AS one
            ) AS parts
            GROUP BY account, part;
        END IF;
    END $$",
    "CREATE FUNCTION dermaga_tell_payments_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        PERFORM dermaga_tell_payments(array_agg(account_id), array_agg(id)) FROM changed;
        RETURN NULL;
    END $$",
    "CREATE FUNCTION dermaga_tell_payments_updated() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        PERFORM dermaga_tell_payments(array_agg(account_id), array_agg(id))
        FROM (SELECT account_id, id FROM changed UNION SELECT account_id, id FROM was) AS both_sides;
        RETURN NULL;
    END $$",
    "CREATE FUNCTION dermaga_tell_parts_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        PERFORM dermaga_tell_payments(array_agg(account_id), array_agg(payment_id))
        FROM (SELECT DISTINCT account_id, payment_id FROM changed) AS whose;
        RETURN NULL;
    END $$",
    "CREATE FUNCTION dermaga_tell_parts_updated() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        PERFORM dermaga_tell_payments(array_agg(account_id), array_agg(payment_id))
        FROM (SELECT account_id, payment_id FROM changed UNION SELECT account_id, payment_id FROM was) AS whose;
        RETURN NULL;
    END $$",
    "CREATE FUNCTION dermaga_tell_accounts_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        PERFORM pg_notify('dermaga_changed', 'payments ' || replace(account_id::text, '-', ''))
        FROM (SELECT DISTINCT account_id FROM changed) AS whose;
        RETURN NULL;
    END $$",
    "CREATE FUNCTION dermaga_tell_accounts_updated() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        PERFORM pg_notify('dermaga_changed', 'payments ' || replace(account_id::text, '-', ''))
        FROM (SELECT account_id FROM changed UNION SELECT account_id FROM was) AS whose;
        RETURN NULL;
    END $$",
    "CREATE FUNCTION dermaga_tell_name() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('dermaga_changed', TG_ARGV[0]);
        RETURN NULL;
    END $$",
];
