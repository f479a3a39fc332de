//! The tables: how they come and go, and what they refuse.

use std::collections::BTreeSet;

use dermaga_api::store::{Database, DatabaseSettings};
use dermaga_tests::{Backend, Cli, TestApp, each_database};
use entity::ids::PaymentId;
use migration::Migrator;
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use sea_orm_migration::MigratorTrait;

/// One connection, as a server migrates SQLite by: of several, one may still know what another has dropped.
async fn alone(url: &str) -> DatabaseConnection {
    sea_orm::Database::connect(ConnectOptions::new(url).max_connections(1).to_owned()).await.unwrap()
}

each_database! {
    /// A release that is taken back leaves nothing behind, and can be put out again.
    async fn up_down_and_up_again_is_up(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        // Makes the file, with the settings of the server.
        let database = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
        assert_eq!(database.migrate().await.unwrap(), Migrator::migrations().len());
        let connection = alone(&url).await;
        let first = schema(&connection).await;
        assert!(first.len() > 50, "a schema of {} things is not all of it", first.len());

        Migrator::down(&connection, None).await.unwrap();
        assert_eq!(tables(&connection).await, ["seaql_migrations"]);
        assert_eq!(database.pending_migrations().await.unwrap(), Migrator::migrations().len());

        Migrator::up(&connection, None).await.unwrap();
        assert_eq!(schema(&connection).await, first);
        assert_eq!(database.pending_migrations().await.unwrap(), 0);
    }

    /// While a release is put out, and when it is taken back, servers of the version before serve and start.
    async fn an_older_version_goes_on(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_of_the_future', 1)";
        update(&app.database, newer).await.unwrap();
        assert_eq!(app.get("/health/ready").await.status().as_u16(), 200);
        assert_eq!(app.database.migrate().await.unwrap(), 0);
        // Two histories have come together: nobody can say what to do.
        update(&app.database, "DELETE FROM seaql_migrations WHERE version LIKE '%000001_create_accounts'").await.unwrap();
        let error = app.database.migrate().await.unwrap_err().chain().to_string();
        assert!(error.contains("m29991231_000001_of_the_future") && error.contains("lacks 1"), "{error}");
    }

    /// A migration undone alone undoes no more than itself: what an operator does when the last one went wrong.
    async fn each_migration_undoes_itself(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let database = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
        let connection = alone(&url).await;
        for step in 1..=Migrator::migrations().len() {
            let before = schema(&connection).await;
            Migrator::up(&connection, Some(1)).await.unwrap();
            let after = schema(&connection).await;
            // SQLite needs no triggers that tell of changes.
            let name = Migrator::migrations()[step - 1].name().to_owned();
            let needless = backend == Backend::Sqlite && name.contains("_announce_");
            assert!(after != before || needless, "{name} makes nothing");
            Migrator::down(&connection, Some(1)).await.unwrap();
            // The migrator's own table comes with the first migration and stays.
            let left = schema(&connection).await.into_iter().filter(|thing| !thing.contains("seaql_migrations"));
            let before = before.into_iter().filter(|thing| !thing.contains("seaql_migrations"));
            assert_eq!(left.collect::<Vec<_>>(), before.collect::<Vec<_>>(), "migration {step}");
            Migrator::up(&connection, Some(1)).await.unwrap();
        }
        assert_eq!(database.pending_migrations().await.unwrap(), 0);
    }

    /// The last line of defence: whatever the code above does, a row whose amounts contradict each other is refused.
    async fn rows_that_contradict_themselves_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let payment = app.payment().installments(&[600, 400]).create(&app.database).await;
        insert_receipts(&app.database, payment.id).await;
        for (table, constraints, change) in BAD_ROWS {
            // One row is changed, so that the unique keys are judged too.
            let first = match *table {
                "receipt" => "received_at = (SELECT min(received_at) FROM receipt)",
                "installment" => "sequence = 1",
                _ => "version = 1",
            };
            let error = update(&app.database, &format!("UPDATE {table} SET {change} WHERE {first}")).await;
            let message = error.expect_err(&format!("{table} takes {change}")).to_string();
            assert!(constraints.iter().any(|name| message.contains(name)), "{table} {change}: {message}");
        }
        // The rows are good as they are: it was the change that was refused.
        for table in ["payment", "installment", "receipt"] {
            assert!(update(&app.database, &format!("UPDATE {table} SET amount = amount")).await.unwrap() > 0);
        }
    }

    /// The same for the tables around them, on the rows of the demo.
    async fn rows_beside_payments_are_refused_too(backend: Backend) {
        let app = TestApp::spawn(backend).await.with_demo_payments(60).await;
        // Of these the shipped data has none.
        let amendment = "INSERT INTO regulation_amendment (regulation, amends) SELECT min(number), max(number) FROM regulation";
        let succession =
            "INSERT INTO commodity_succession (predecessor, successor) SELECT min(code), max(code) FROM commodity";
        let vector = if backend == Backend::Sqlite { "x'00000000'" } else { "'\\x00000000'" };
        let vector = format!("INSERT INTO embedding (kind, subject, model, dimension, revision, vector) VALUES ('CHUNK', 'x', 'm', 1, 'r', {vector})");
        let use_of_a_day = "INSERT INTO assistant_use (account_id, day, calls, tokens, cost_micros)
            SELECT id, (SELECT min(valid_from) FROM duty_measure), 0, 0, 0 FROM account";
        for sql in [amendment, succession, vector.as_str(), use_of_a_day] {
            assert_eq!(update(&app.database, sql).await.unwrap(), 1);
        }
        for (table, constraints, change) in BAD_ROWS_BESIDE {
            let error = update(&app.database, &format!("UPDATE {table} SET {change}")).await;
            let message = error.expect_err(&format!("{table} takes {change}")).to_string();
            assert!(constraints.iter().any(|name| message.contains(name)), "{table} {change}: {message}");
            let (column, _) = change.split_once(" = ").unwrap();
            let unchanged = format!("UPDATE {table} SET {column} = {column}");
            assert!(update(&app.database, &unchanged).await.unwrap() > 0, "{table} has no row");
        }
    }

    /// A constraint without a row that it refuses is a constraint that nobody has seen work.
    async fn every_check_has_a_row_that_it_refuses(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let connection = sea_orm::Database::connect(&app.database_url).await.unwrap();
        let mut declared = BTreeSet::new();
        for table in tables(&connection).await {
            declared.extend(checks(&connection, &table).await);
        }
        let tried: BTreeSet<String> =
            BAD_ROWS.iter().chain(BAD_ROWS_BESIDE).filter_map(|(_, names, _)| names.first()).filter(|name| !name.ends_with("_key"))
                .map(|name| (*name).to_owned()).collect();
        assert_eq!(declared, tried);
    }
}

/// A table, the constraint that is meant (after it those that the row must break as well), and the change.
const BAD_ROWS: &[(&str, &[&str], &str)] = &[
    ("payment", &["payment_amount_positive"], "amount = 0, outstanding = 0"),
    ("payment", &["payment_allocated_in_range"], "allocated = -1, waived = 1"),
    ("payment", &["payment_allocated_in_range", "payment_adds_up"], "allocated = amount + 1"),
    ("payment", &["payment_waived_in_range"], "waived = -1, allocated = 1"),
    ("payment", &["payment_written_off_in_range"], "written_off = -1, allocated = 1"),
    (
        "payment",
        &["payment_outstanding_in_range", "payment_status_follows_amounts"],
        "outstanding = -1, allocated = amount, waived = 1, status = 'PAID'",
    ),
    ("payment", &["payment_received_not_negative", "payment_refunded_in_range"], "received = -1"),
    ("payment", &["payment_refunded_in_range"], "refunded = 1"),
    ("payment", &["payment_credit_not_negative"], "credit = -1"),
    ("payment", &["payment_version_positive"], "version = 0"),
    ("payment", &["payment_adds_up"], "allocated = 1"),
    ("payment", &["payment_adds_up"], "status = 'CANCELLED'"),
    ("payment", &["payment_adds_up"], "status = 'CANCELLED', outstanding = 0, received = 1"),
    ("payment", &["payment_status_follows_amounts"], "status = 'PAID'"),
    ("payment", &["payment_status_follows_amounts"], "status = 'PARTIALLY_PAID'"),
    ("payment", &["payment_status_follows_amounts"], "outstanding = 0, allocated = amount"),
    ("payment", &["payment_status_follows_amounts"], "outstanding = 0, written_off = amount, status = 'PAID'"),
    ("payment", &["payment_status_follows_amounts"], "outstanding = 0, allocated = amount, status = 'WRITTEN_OFF'"),
    ("payment", &["payment_status_follows_amounts"], "status = 'OVERDUE'"),
    ("installment", &["installment_sequence_positive"], "sequence = 0"),
    ("installment", &["installment_sequence_key", "installment.sequence"], "sequence = 2"),
    ("installment", &["installment_kind_known"], "kind = 'TIP'"),
    ("installment", &["installment_amount_positive"], "amount = 0, outstanding = 0, status = 'PAID'"),
    (
        "installment",
        &["installment_allocated_in_range", "installment_status_follows_amounts"],
        "allocated = -1, waived = 1",
    ),
    ("installment", &["installment_waived_in_range"], "waived = -1, allocated = 1, status = 'PARTIALLY_PAID'"),
    ("installment", &["installment_adds_up"], "outstanding = amount + 1"),
    ("installment", &["installment_adds_up"], "status = 'VOID'"),
    ("installment", &["installment_status_follows_amounts"], "status = 'PAID'"),
    ("installment", &["installment_status_follows_amounts"], "outstanding = 0, allocated = amount"),
    ("installment", &["installment_status_follows_amounts"], "outstanding = 0, waived = amount, status = 'PAID'"),
    ("installment", &["installment_status_follows_amounts"], "status = 'LATE'"),
    ("receipt", &["receipt_amount_positive"], "amount = 0, unallocated = 0"),
    ("receipt", &["receipt_unallocated_in_range"], "unallocated = -1"),
    ("receipt", &["receipt_unallocated_in_range"], "unallocated = amount + 1"),
    ("receipt", &["receipt_refunded_in_range"], "refunded = -1"),
    ("receipt", &["receipt_refunded_in_range"], "refunded = amount + 1"),
    ("receipt", &["receipt_external_reference_key", "receipt.external_reference"], "external_reference = 'BANK-2'"),
];

/// The same for tables of which every row is changed.
const BAD_ROWS_BESIDE: &[(&str, &[&str], &str)] = &[
    ("refund", &["refund_amount_positive"], "amount = 0"),
    ("payment_event", &["payment_event_sequence_positive"], "sequence = 0"),
    ("payment_event", &["payment_event_kind_known"], "kind = 'PAYMENT_FORGOTTEN'"),
    ("allocation", &["allocation_amount_positive"], "amount = 0"),
    ("installment_plan", &["installment_plan_revision_positive"], "revision = 0"),
    ("installment_plan", &["installment_plan_frequency_known"], "frequency = 'DAILY'"),
    ("installment_plan", &["installment_plan_count_positive"], "count = 0"),
    ("installment_plan", &["installment_plan_remainder_known"], "remainder = 'MIDDLE'"),
    ("installment_plan", &["installment_plan_unit_positive"], "rounding_unit = 0"),
    ("payment_line", &["payment_line_position_positive"], "position = 0"),
    ("payment_line", &["payment_line_unit_price_not_negative"], "unit_price = -1"),
    ("payment_line", &["payment_line_total_not_negative"], "total = -1"),
    ("currency_rate", &["currency_rate_purpose_known"], "purpose = 'GUESS'"),
    ("currency_rate", &["currency_rate_quoted_per_positive"], "quoted_per = 0"),
    ("currency_rate", &["currency_rate_pair_differs"], "base = quote"),
    ("commodity", &["commodity_level_known", "commodity_parent_unless_section"], "level = 'LEAF'"),
    ("commodity", &["commodity_parent_unless_section"], "parent_code = NULL"),
    ("regulation", &["regulation_in_force_in_order"], "in_force_from = '2026-01-02', in_force_to = '2026-01-01'"),
    ("regulation_amendment", &["regulation_amendment_of_another"], "amends = regulation"),
    ("duty_measure", &["duty_measure_kind_known"], "kind = 'IMPORT_DUTY'"),
    ("duty_measure", &["duty_measure_duty_kind_known"], "duty_kind = 'FLAT'"),
    ("duty_measure", &["duty_measure_valid_in_order"], "valid_to = '0001-01-01'"),
    ("duty_band", &["duty_band_sequence_positive"], "sequence = 0"),
    ("duty_band", &["duty_band_edges_have_a_unit"], "low = '1', band_unit = NULL"),
    ("reference_price", &["reference_price_kind_known"], "kind = 'GUESS'"),
    ("reference_price", &["reference_price_valid_in_order"], "valid_to = '0001-01-01'"),
    ("reference_price", &["reference_price_rate_has_a_unit"], "rate = '1', rate_unit = NULL"),
    ("reference_price", &["reference_price_says_something"], "amount = NULL, rate = NULL, rate_unit = NULL"),
    ("commodity_succession", &["commodity_succession_of_another"], "predecessor = successor"),
    ("prompt", &["prompt_revision_positive"], "revision = 0"),
    ("regulation_chunk", &["regulation_chunk_sequence_positive"], "sequence = -sequence"),
    ("regulation_chunk", &["regulation_chunk_valid_in_order"], "valid_to = '0001-01-01'"),
    ("embedding", &["embedding_kind_known"], "kind = 'PICTURE'"),
    ("embedding", &["embedding_dimension_positive", "embedding_vector_is_whole"], "dimension = 0"),
    ("embedding", &["embedding_vector_is_whole"], "dimension = 2"),
    ("assistant_use", &["assistant_use_calls_not_negative"], "calls = -1"),
    ("assistant_use", &["assistant_use_tokens_not_negative"], "tokens = -1"),
    ("assistant_use", &["assistant_use_cost_not_negative"], "cost_micros = -1"),
];

/// Two receipts, `BANK-1` and a day later `BANK-2`.
async fn insert_receipts(database: &Database, payment: PaymentId) {
    let columns = "id, account_id, payment_id, currency, amount, unallocated, refunded, received_at, method, \
        external_reference, created_at";
    let [first, second] = [("BANK-1", "2026-10-01"), ("BANK-2", "2026-10-02")].map(|(reference, day)| {
        // The payment's own id will do for the first receipt, its account's for the second.
        let id = if reference == "BANK-1" { "id" } else { "account_id" };
        format!(
            "INSERT INTO receipt ({columns}) SELECT {id}, account_id, id, currency, 500, 500, 0, '{day}', 'CASH',
                '{reference}', created_at FROM payment"
        )
    });
    assert_eq!(update(database, &first).await.unwrap(), 1, "{payment}");
    assert_eq!(update(database, &second).await.unwrap(), 1);
}

async fn update(database: &Database, sql: &str) -> Result<u64, DbErr> {
    database.write(async |transaction| Ok(transaction.execute_unprepared(sql).await?.rows_affected())).await
}

async fn tables(connection: &DatabaseConnection) -> Vec<String> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
        _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1",
    };
    texts(connection, sql).await
}

/// Everything that the database knows of its tables, one line each.
async fn schema(connection: &DatabaseConnection) -> Vec<String> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT concat_ws(' ', table_name, column_name, ordinal_position, data_type, collation_name, is_nullable,
                column_default, generation_expression) AS thing
             FROM information_schema.columns WHERE table_schema = 'public'
             UNION ALL
             SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace
             UNION ALL
             SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
             UNION ALL
             SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
             UNION ALL
             SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
             ORDER BY 1"
        }
        // A table is one text; its lines are its columns and constraints.
        _ => "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY 1",
    };
    let things = texts(connection, sql).await;
    things.iter().flat_map(|thing| thing.lines()).map(|line| line.trim().to_owned()).collect()
}

/// The names of a table's checks.
async fn checks(connection: &DatabaseConnection, table: &str) -> Vec<String> {
    if connection.get_database_backend() == DbBackend::Postgres {
        let sql =
            format!("SELECT conname::text FROM pg_constraint WHERE contype = 'c' AND conrelid = '{table}'::regclass");
        return texts(connection, &sql).await;
    }
    let sql = format!("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{table}'");
    let text = texts(connection, &sql).await.remove(0);
    let words: Vec<&str> = text.split_whitespace().collect();
    let named = words.windows(3).filter(|words| words[0] == "CONSTRAINT" && words[2] == "CHECK");
    named.map(|words| words[1].to_owned()).collect()
}

async fn texts(connection: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Several servers that start on an empty database all come up: one prepares it, and the others wait.
#[test]
fn servers_that_start_together_all_start() {
    if !Backend::postgres_is_there() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (url, _guard) = runtime.block_on(Backend::Postgres.empty_url());
    let clis: Vec<_> = (0..3).map(|_| Cli::over(&url)).collect();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--demo-payments", "20", "--demo-ticker", "0"];
    let mut servers: Vec<_> = clis.iter().map(|cli| cli.start(&arguments)).collect();
    for server in &mut servers {
        assert_ne!(server.port(), 0);
    }
    let made = runtime.block_on(async {
        let connection = alone(&url).await;
        texts(&connection, "SELECT count(*)::text AS thing FROM payment").await
    });
    assert_eq!(made, ["20"]);
    for server in servers {
        server.signal("TERM");
        let (code, log) = server.end();
        assert_eq!(code, Some(0), "{log:#?}");
    }
}
