//! A write whose connection is cut, or whose statement fails, leaves all of it or nothing.

use std::sync::Arc;

use dermaga_api::cache::Cache;
use dermaga_api::changes::{
    Author, Changes, Command, CreatePayment, CreatePayments, Done, Failure, Mode, PaymentDraft, RecordReceipt,
    RefundReceipt, ReschedulePayment, ReverseReceipt,
};
use dermaga_api::clock::Clock;
use dermaga_api::domain::currency::Currency;
use dermaga_api::domain::money::Money;
use dermaga_api::domain::plan::{EvenTerms, PlanTerms};
use dermaga_api::payment_feed::PaymentFeed;
use dermaga_api::store::{Database, DatabaseSettings, Written};
use dermaga_tests::proxy::{Cut, Proxy};
use dermaga_tests::{Backend, NOW, TestApp};
use entity::ids::{AccountId, PaymentId, ReceiptId};
use entity::installment_plan::{Frequency, Remainder};
use sea_orm::{ConnectionTrait, Statement};

/// The tables that a change writes.
const TABLES: [&str; 9] = [
    "payment",
    "installment_plan",
    "installment",
    "receipt",
    "allocation",
    "refund",
    "payment_line",
    "payment_event",
    "idempotency_key",
];

fn rupiah(amount: i128) -> Money {
    Money { minor: amount * 100, currency: Currency::idr() }
}

fn plan(count: i32) -> PlanTerms {
    PlanTerms::Even(EvenTerms {
        count,
        first_due_date: NOW.date_naive(),
        frequency: Frequency::Weekly,
        deposit: None,
        remainder: Remainder::Last,
        rounding_unit: None,
    })
}

fn author(account: AccountId) -> Author {
    Author {
        account,
        actor: "cut".to_owned(),
        time_zone: chrono_tz::Asia::Jakarta,
        request_id: "cut".to_owned(),
        meter: Arc::default(),
        written: Written::default(),
    }
}

fn mode(key: &str) -> Mode {
    Mode::Keyed { key: key.to_owned(), request_hash: "one".to_owned() }
}

fn creation(reference: &str) -> CreatePayment {
    let draft = PaymentDraft {
        reference: reference.to_owned(),
        amount: rupiah(3_000_000),
        payer_name: None,
        description: None,
        time_zone: "Asia/Jakarta".to_owned(),
        lines: Vec::new(),
        plan: Some(plan(3)),
    };
    CreatePayment(CreatePayments { payments: vec![draft], in_bulk: false })
}

fn receipt(payment: PaymentId) -> RecordReceipt {
    RecordReceipt {
        payment,
        expected_version: None,
        amount: rupiah(1_500_000),
        received_at: NOW,
        method: "CASH".to_owned(),
        external_reference: None,
        allocations: None,
        allow_credit: false,
        fx: None,
    }
}

/// All rows of all tables, as text.
async fn rows(database: &Database) -> Vec<String> {
    let reader = database.reader(Arc::default());
    let mut found = Vec::new();
    for table in TABLES {
        let sql = match database.backend() {
            sea_orm::DbBackend::Postgres => format!("SELECT t::text FROM \"{table}\" t ORDER BY 1"),
            _ => {
                let sql =
                    format!("SELECT group_concat('quote(\"' || name || '\")', '||') FROM pragma_table_info('{table}')");
                let row = reader.query_one_raw(Statement::from_string(database.backend(), sql)).await.unwrap().unwrap();
                let columns: String = row.try_get_by_index(0).unwrap();
                format!("SELECT {columns} FROM \"{table}\" ORDER BY 1")
            }
        };
        let rows = reader.query_all_raw(Statement::from_string(database.backend(), sql)).await.unwrap();
        found.extend(rows.iter().map(|row| format!("{table}: {}", row.try_get_by_index::<String>(0).unwrap())));
    }
    found
}

/// Tries a command at every point where its connection can be cut, and then once more under the same key.
async fn cut_everywhere<C: Command>(app: &TestApp, proxy: &Proxy, name: &str, make: impl AsyncFn(usize) -> C) {
    let mut tried = 0;
    for how in [Cut::Before, Cut::After] {
        for n in 1.. {
            tried += 1;
            let command = make(tried).await;
            let database = open(&proxy.url).await;
            let changes = Changes::new(database.clone(), Clock::fixed(NOW), PaymentFeed::new(), Cache::off());
            let (author, mode) = (author(app.account), mode(&format!("{name}-{tried}")));
            let before = rows(&app.database).await;
            // The first statement of a connection prepares it; what is counted is the change.
            database.reader(Arc::default()).execute_unprepared("SELECT 1").await.unwrap();
            proxy.cut(n, how);
            let outcome = changes.run(&author, &mode, &command).await;
            let reached = proxy.asked() >= n;
            let after_cut = rows(&app.database).await;
            proxy.cut(0, how);
            if !reached {
                assert!(matches!(outcome, Ok(Done::Changed(_))), "{name} {how:?} {n}: {outcome:?}");
                database.close().await;
                break;
            }
            // The server may have tried again by itself; what it says is what is so.
            match &outcome {
                Ok(_) => assert_ne!(after_cut, before, "{name} {how:?} {n}"),
                Err(Failure::Error(_)) if after_cut == before => {}
                Err(failure) => panic!("{name} {how:?} {n}: {failure:?}"),
            }
            let again = changes.run(&author, &mode, &command).await.unwrap();
            assert_eq!(matches!(again, Done::Replayed(_)), outcome.is_ok(), "{name} {how:?} {n}: {again:?}");
            let report = crate::verified::verify(&app.database, app.account).await;
            assert_eq!(report.faults, Vec::<String>::new(), "{name} {how:?} {n}");
            database.close().await;
        }
    }
    assert!(tried > 8, "{name} was cut at {tried} places only");
}

async fn open(url: &str) -> Database {
    let settings = DatabaseSettings { max_connections: 1, ..DatabaseSettings::new(url) };
    Database::open(&settings).await.unwrap()
}

/// A payment made over a sound connection, and its receipt.
async fn prepared(app: &TestApp, name: &str) -> (PaymentId, ReceiptId, i32) {
    let changes = Changes::new(app.database.clone(), Clock::fixed(NOW), PaymentFeed::new(), Cache::off());
    let author = author(app.account);
    let done = changes.run(&author, &mode(&format!("create-{name}")), &creation(name)).await.unwrap();
    let Done::Changed(made) = done else { panic!("{done:?}") };
    let payment = made[0].payment.id;
    let done = changes.run(&author, &mode(&format!("receive-{name}")), &receipt(payment)).await.unwrap();
    let Done::Changed(made) = done else { panic!("{done:?}") };
    (payment, made[0].new_receipt.as_ref().unwrap().id, made[0].payment.version)
}

/// Whatever moment a connection dies in, the books are as before or as after.
#[tokio::test]
async fn a_connection_that_is_cut_leaves_all_or_nothing() {
    if !Backend::postgres_is_there() {
        return;
    }
    let app = &TestApp::spawn(Backend::Postgres).await;
    let proxy = &Proxy::before(&app.database_url).await;
    cut_everywhere(app, proxy, "create", async |n| creation(&format!("cut-{n}"))).await;
    cut_everywhere(app, proxy, "receive", async |n| receipt(prepared(app, &format!("receive-{n}")).await.0)).await;
    cut_everywhere(app, proxy, "reverse", async |n| {
        let (_, receipt, _) = prepared(app, &format!("reverse-{n}")).await;
        ReverseReceipt { receipt, expected_version: None, reason: "bounced".to_owned() }
    })
    .await;
    cut_everywhere(app, proxy, "refund", async |n| {
        let (_, receipt, _) = prepared(app, &format!("refund-{n}")).await;
        RefundReceipt { receipt, expected_version: None, amount: rupiah(10), reason: "returned".to_owned() }
    })
    .await;
    cut_everywhere(app, proxy, "reschedule", async |n| {
        let (payment, _, expected_version) = prepared(app, &format!("reschedule-{n}")).await;
        ReschedulePayment { payment, expected_version, plan: plan(4), reason: "agreed".to_owned() }
    })
    .await;
}

/// A statement that fails, whichever it is, takes all before it with it.
#[tokio::test]
async fn a_statement_that_fails_leaves_nothing() {
    let app = &TestApp::spawn(Backend::Sqlite).await;
    let mut failed = 0;
    for table in TABLES {
        for event in ["INSERT", "UPDATE", "DELETE"] {
            let name = format!("{table}-{event}");
            let (payment, paid, expected_version) = prepared(app, &name).await;
            let reason = || "why not".to_owned();
            let reschedule = ReschedulePayment { payment, expected_version, plan: plan(4), reason: reason() };
            let refund = RefundReceipt { receipt: paid, expected_version: None, amount: rupiah(1), reason: reason() };
            let reverse = ReverseReceipt { receipt: paid, expected_version: None, reason: reason() };
            let trigger = format!("BEFORE {event} ON \"{table}\"");
            failed += usize::from(fails(app, &trigger, &creation(&format!("{name}-new"))).await);
            failed += usize::from(fails(app, &trigger, &reschedule).await);
            failed += usize::from(fails(app, &trigger, &receipt(payment)).await);
            failed += usize::from(fails(app, &trigger, &reverse).await);
            let (_, paid, _) = prepared(app, &format!("{name}-refund")).await;
            failed += usize::from(fails(app, &trigger, &RefundReceipt { receipt: paid, ..refund }).await);
        }
    }
    // A creation writes five tables, a new plan and a receipt six, a reversal six with the deletion, a refund five.
    assert_eq!(failed, 28);
}

/// Runs a command while a statement fails. When it fails it must have left nothing.
async fn fails<C: Command>(app: &TestApp, when: &str, command: &C) -> bool {
    let reader = app.database.reader(Arc::default());
    let changes = Changes::new(app.database.clone(), Clock::fixed(NOW), PaymentFeed::new(), Cache::off());
    let before = rows(&app.database).await;
    let trigger = format!("CREATE TRIGGER fails {when} BEGIN SELECT RAISE(ABORT, 'it fails'); END");
    reader.execute_unprepared(&trigger).await.unwrap();
    let key = uuid::Uuid::now_v7().to_string();
    let outcome = changes.run(&author(app.account), &mode(&key), command).await;
    reader.execute_unprepared("DROP TRIGGER fails").await.unwrap();
    match outcome {
        Ok(Done::Changed(_)) => false,
        // In the state that an earlier one left, this one makes no sense.
        Err(Failure::Rejected(_)) => false,
        Err(Failure::Error(_)) => {
            assert_eq!(rows(&app.database).await, before, "{when}");
            true
        }
        other => panic!("{when}: {other:?}"),
    }
}
