//! Query plans: the databases look up, and read none of the large tables from end to end.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use chrono::NaiveDate;
use dermaga_api::graphql::input::order::{NullsOrder, PaymentOrder, PaymentOrderField, PaymentSort, SortDirection};
use dermaga_api::store::installments::InstallmentFilter;
use dermaga_api::store::page::{PageRequest, SortKey};
use dermaga_api::store::rates::{Pair, Side};
use dermaga_api::store::{
    Meter, Reader, allocations, installments, payment_lines, payment_rows, payments, plans, rates, receipts,
};
use dermaga_tests::{Backend, TestApp, each_database};
use entity::currency_rate::Purpose;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// The tables that grow.
const LARGE: [&str; 8] = [
    "payment",
    "installment",
    "installment_plan",
    "receipt",
    "allocation",
    "payment_line",
    "payment_event",
    "currency_rate",
];

/// Enough that reading a table from end to end costs more than looking up a page.
const PAYMENTS: u64 = 3_000;

each_database! {
    /// A page costs what it shows, in every order and from both ends, however many payments there are.
    async fn a_page_of_payments_is_looked_up(backend: Backend) {
        let app = TestApp::spawn(backend).await.with_demo_payments(PAYMENTS).await;
        app.database.analyze().await.unwrap();
        let everything = payments::everything();
        for sort in orders() {
            let db = recording(&app);
            let first = PageRequest::forward(20, None);
            let page = payments::page(&db, app.account, &everything, &sort.keys, &first).await.unwrap();
            let cursor = Some(PaymentSort::position(&sort.keys, &page.rows[19]));
            for (from_end, after, before) in
                [(true, None, None), (false, cursor.clone(), None), (true, None, cursor.clone())]
            {
                let request = PageRequest { limit: 20, from_end, after, before };
                payments::page(&db, app.account, &everything, &sort.keys, &request).await.unwrap();
            }
            let name = |key: &SortKey| format!("{}{}", key.column, if key.descending { " DESC" } else { "" });
            let what = sort.keys.iter().map(name).collect::<Vec<_>>().join(", ");
            let plans = explained(&db).await;
            assert_eq!(plans.len(), 4, "{what}");
            for (at, plan) in plans.iter().enumerate() {
                // The index gives the order too, so that 21 rows are read and not 3,000 sorted.
                assert!(plan.uses_index_of_payment() && !plan.sorts(), "{what}: {plan}");
                plan.assert_reads_no_table_whole();
                // Those with a cursor start at it, and do not walk up to it.
                assert!(at < 2 || plan.starts_at_the_cursor(), "{what}: {plan}");
            }
        }
    }

    /// Whatever has a name or a parent is found by it.
    async fn rows_are_found_by_key_and_by_parent(backend: Backend) {
        let app = TestApp::spawn(backend).await.with_demo_payments(PAYMENTS).await;
        app.database.analyze().await.unwrap();
        let db = recording(&app);
        let (account, all) = (app.account, payments::everything());
        // The oldest, to which most has happened.
        let oldest = [SortKey { column: "created_at", descending: false }, SortKey { column: "id", descending: false }];
        let page = payments::page(&db, account, &all, &oldest, &PageRequest::forward(5, None)).await.unwrap();
        let ids: Vec<_> = page.rows.iter().map(|row| row.id).collect();
        let references: Vec<_> = page.rows.iter().map(|row| row.reference.clone()).collect();
        let filter = InstallmentFilter::default();
        let first = PageRequest::forward(12, None);

        assert_eq!(payments::by_ids(&db, account, &ids).await.unwrap().len(), 5);
        assert_eq!(payments::by_references(&db, account, &references).await.unwrap().len(), 5);
        let due = installments::pages_of_payments(&db, account, &ids, &filter, &first).await.unwrap();
        let due: Vec<_> = due.values().flat_map(|page| page.rows.iter().map(|row| row.id)).collect();
        assert!(!due.is_empty());
        installments::by_ids(&db, account, &due).await.unwrap();
        installments::counts_of_payments(&db, account, &ids, &filter).await.unwrap();
        installments::overdue_of_payments(&db, account, &ids, day("2026-10-30")).await.unwrap();
        let arrived = receipts::pages_of_payments(&db, account, &ids, &first).await.unwrap();
        let arrived: Vec<_> = arrived.values().flat_map(|page| page.rows.iter().map(|row| row.id)).collect();
        assert!(!arrived.is_empty());
        receipts::by_ids(&db, account, &arrived).await.unwrap();
        allocations::of_receipts(&db, account, &arrived).await.unwrap();
        allocations::pages_of_installments(&db, account, &due, &first).await.unwrap();
        payment_lines::of_payments(&db, account, &ids).await.unwrap();
        plans::of_payments(&db, account, &ids).await.unwrap();
        // Nine statements for however many payments: a check of all of them must not be a pass for each few.
        let rows = payment_rows::after(&db, account, page.rows.first(), 4).await.unwrap();
        assert!(rows.iter().all(|rows| !rows.events.is_empty()) && rows.len() == 4);

        let plans = explained(&db).await;
        assert_eq!(plans.len(), 22);
        for plan in plans {
            plan.assert_reads_no_table_whole();
        }
    }

    /// A rate is a descent into the primary key: the thousands of days of a pair are not read for one of them.
    async fn a_rate_is_looked_up(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        lengthen_history(&app).await;
        app.database.analyze().await.unwrap();
        let db = recording(&app);
        let pairs = ["IDR", "USD", "JPY"].map(|quote| Pair { purpose: Purpose::Reference, base: "EUR", quote });
        let wanted: Vec<_> = pairs.iter().map(|pair| (pair.clone(), day("2026-10-25"))).collect();
        for side in [Side::Before, Side::After] {
            assert_eq!(rates::quotes(&db, side, &wanted).await.unwrap().len(), 3);
        }
        assert_eq!(rates::spans(&db, &pairs).await.unwrap().len(), 3);
        let plans = explained(&db).await;
        assert_eq!(plans.len(), 3);
        for plan in plans {
            plan.assert_reads_no_table_whole();
            let other_index = |step: &String| step.contains("currency_rate_source_date");
            assert!(!plan.steps.iter().any(other_index), "not by the pair: {plan}");
        }
    }
}

/// Gives each pair 5,000 days before the sample's first: about as many as the ECB has published.
async fn lengthen_history(app: &TestApp) {
    let columns = "source, purpose, base, quote, rate, quoted_per, valid_to";
    let (days, day) = match app.database.backend() {
        DbBackend::Postgres => ("generate_series(1, 5000) AS days (n)", "DATE '1998-12-31' - n"),
        _ => (
            "(WITH RECURSIVE d (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM d WHERE n < 5000) SELECT n FROM d) AS days",
            "date('1998-12-31', '-' || n || ' days')",
        ),
    };
    let sql = format!(
        "INSERT INTO currency_rate ({columns}, effective_date)
         SELECT {columns}, {day} FROM {days}, currency_rate WHERE effective_date = '2026-10-30'"
    );
    let added = app.database.write(async |transaction| transaction.execute_unprepared(&sql).await).await.unwrap();
    assert!(added.rows_affected() > 100_000);
}

/// Every order of one field.
fn orders() -> Vec<PaymentSort> {
    let fields = [
        PaymentOrderField::CreatedAt,
        PaymentOrderField::Amount,
        PaymentOrderField::Outstanding,
        PaymentOrderField::NextDueDate,
        PaymentOrderField::Reference,
    ];
    let mut orders = Vec::new();
    for field in fields {
        for direction in [SortDirection::Asc, SortDirection::Desc] {
            for nulls in [NullsOrder::First, NullsOrder::Last] {
                orders.push(PaymentSort::new(Some(vec![PaymentOrder { field, direction, nulls }])).unwrap());
            }
        }
    }
    orders
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A reader that keeps its statements.
fn recording(app: &TestApp) -> Reader {
    app.database.reader(Arc::new(Meter::recording()))
}

/// One statement with its plan, a step a line.
struct Plan {
    backend: DbBackend,
    /// The statement, for the reader of a failure.
    sql: String,
    steps: Vec<String>,
}

/// The plans of all statements that the reader has run.
async fn explained(db: &Reader) -> Vec<Plan> {
    let backend = db.get_database_backend();
    let explain = if backend == DbBackend::Postgres { "EXPLAIN" } else { "EXPLAIN QUERY PLAN" };
    let mut plans = Vec::new();
    for Statement { sql, values, .. } in db.meter().statements_run() {
        let values = values.into_iter().flat_map(|values| values.0);
        let rows = db
            .query_all_raw(Statement::from_sql_and_values(backend, format!("{explain} {sql}"), values))
            .await
            .unwrap();
        let column = if backend == DbBackend::Postgres { "QUERY PLAN" } else { "detail" };
        let steps: Vec<String> = rows.iter().map(|row| row.try_get("", column).unwrap()).collect();
        assert!(!steps.is_empty(), "no plan of {sql}");
        plans.push(Plan { backend, sql, steps });
    }
    plans
}

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.sql, self.steps.join("\n"))
    }
}

impl Plan {
    fn assert_reads_no_table_whole(&self) {
        let whole = |step: &&String| match self.backend {
            DbBackend::Postgres => LARGE.iter().any(|table| {
                let scan = format!("Seq Scan on {table}");
                step.contains(&format!("{scan} ")) || step.ends_with(&scan)
            }),
            // Tables go by their alias here. What may be read whole is what the statement itself made, and the list of
            // sources `s`. SCAN with an index reads all of the index, which is no better.
            _ => step.strip_prefix("SCAN ").is_some_and(|of| {
                !["k", "page", "s"].contains(&of) && !of.starts_with('(') && !of.ends_with(" CONSTANT ROWS")
            }),
        };
        let found = self.steps.iter().find(whole);
        assert!(found.is_none(), "a table is read from end to end: {found:?} in {self}");
    }

    /// Whether the payments come out of an index that starts with the account.
    fn uses_index_of_payment(&self) -> bool {
        self.steps.iter().any(|step| match self.backend {
            DbBackend::Postgres => {
                step.contains("Index Scan") && (step.contains("payment_by_") || step.contains("payment_reference_key"))
            }
            _ => step.starts_with("SEARCH payment USING INDEX ") && step.contains("(account_id=?"),
        })
    }

    /// Whether the index is entered at the position of a cursor.
    fn starts_at_the_cursor(&self) -> bool {
        self.steps.iter().any(|step| match self.backend {
            DbBackend::Postgres => {
                step.contains("Index Cond:") && (step.contains("AND (ROW(") || step.contains("AND (reference "))
            }
            _ => step.starts_with("SEARCH payment USING INDEX ") && step.contains("(account_id=? AND "),
        })
    }

    fn sorts(&self) -> bool {
        self.steps.iter().any(|step| step.contains("Sort") || step.contains("TEMP B-TREE"))
    }
}
