//! `dermaga verify`: what somebody changed behind the ledger's back is found, and named.

use std::collections::{BTreeSet, HashSet};

use dermaga_api::demo::{ACCOUNT_ID, Generator};
use dermaga_api::domain::ledger::check::PaymentRows;
use dermaga_api::store::{Database, DatabaseSettings};
use dermaga_tests::{Backend, Cli, each_database};
use entity::{installment, payment};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/samples/ecb-sample.csv");
const SEED: u64 = 7;
const PAYMENTS: u64 = 700;

/// A change that no mutation makes.
struct Corruption {
    what: &'static str,
    /// Which payments it can be done to.
    fits: fn(&PaymentRows) -> bool,
    /// `{…}` are ids; see [`fill`].
    sql: &'static str,
    /// The rule and the words of one of the faults.
    told: (&'static str, &'static str),
}

const fn change(
    what: &'static str,
    fits: fn(&PaymentRows) -> bool,
    sql: &'static str,
    told: (&'static str, &'static str),
) -> Corruption {
    Corruption { what, fits, sql, told }
}

fn untouched(rows: &PaymentRows) -> bool {
    rows.payment.status == payment::Status::Open && rows.events.len() == 1
}

fn paid(rows: &PaymentRows) -> bool {
    rows.receipts.len() > 2 && rows.allocations.len() > 2 && rows.refunds.is_empty() && rows.plans.len() == 1
}

fn paid_from_abroad(rows: &PaymentRows) -> bool {
    paid(rows) && rows.receipts[0].fx_rate.is_some()
}

fn refunded(rows: &PaymentRows) -> bool {
    !rows.refunds.is_empty()
}

fn rescheduled(rows: &PaymentRows) -> bool {
    rows.plans.len() > 1 && rows.installments.iter().any(|row| row.status == installment::Status::Void)
}

const CORRUPTIONS: [Corruption; 19] = [
    change(
        "the amount of an installment",
        untouched,
        "UPDATE installment SET amount = amount + 100, outstanding = outstanding + 100 WHERE id = {installment}",
        ("INSTALLMENTS_ADD_UP", "the payment's amount is "),
    ),
    change(
        "the amount of a payment",
        untouched,
        "UPDATE payment SET amount = amount + 100, outstanding = outstanding + 100 WHERE id = {payment}",
        ("PLAN", "the first plan spread "),
    ),
    change(
        "called off without an event",
        untouched,
        "UPDATE payment SET status = 'CANCELLED', outstanding = 0 WHERE id = {payment}",
        ("STATUS", "the payment is cancelled, and no event says so"),
    ),
    change(
        "an installment made void",
        untouched,
        "UPDATE installment SET status = 'VOID', outstanding = 0 WHERE id = {installment}",
        ("PLAN", "is void, and no later plan replaces it"),
    ),
    change(
        "another due date",
        untouched,
        "UPDATE payment SET next_due_date = '2031-02-03' WHERE id = {payment}",
        ("STATUS", "the next due date is 2031-02-03, and by the installments "),
    ),
    change(
        "a lost allocation",
        paid,
        "DELETE FROM allocation WHERE id = {allocation}",
        ("RECEIPT_ADDS_UP", "but its amount less its allocations is "),
    ),
    change(
        "a lost event",
        paid,
        "DELETE FROM payment_event WHERE payment_id = {payment} AND sequence = 2",
        ("CHAIN", "event 2 is missing"),
    ),
    change(
        "the first event lost",
        paid,
        "DELETE FROM payment_event WHERE payment_id = {payment} AND sequence = 1",
        ("CHAIN", "event 1 is missing"),
    ),
    change(
        "all events lost",
        paid,
        "DELETE FROM payment_event WHERE payment_id = {payment}",
        ("CHAIN", "events 1 to "),
    ),
    change(
        "other words in an event",
        paid,
        "UPDATE payment_event SET after = replace(after, '\"PARTIALLY_PAID\"', '\"PAID\"')
         WHERE payment_id = {payment} AND sequence = 2",
        ("CHAIN", "event 2 is not what its hash says"),
    ),
    change(
        "two hashes exchanged",
        paid,
        "UPDATE payment_event SET hash = (SELECT other.hash FROM payment_event other
             WHERE other.payment_id = payment_event.payment_id AND other.sequence = 3 - payment_event.sequence)
         WHERE payment_id = {payment} AND sequence < 3",
        ("CHAIN", "event 2 does not follow the one before"),
    ),
    change(
        "another head",
        paid,
        "UPDATE payment SET head_hash = replace(head_hash, substr(head_hash, 1, 8), 'deadbeef') WHERE id = {payment}",
        ("CHAIN", "the payment's head hash is not that of its last event"),
    ),
    change(
        "a version too many",
        untouched,
        "UPDATE payment SET version = 2 WHERE id = {payment}",
        ("CHAIN", "event 2 is missing"),
    ),
    change(
        "something unallocated",
        paid,
        "UPDATE receipt SET unallocated = 100 WHERE id = {receipt}",
        ("RECEIPT_ADDS_UP", "the unallocated of {receipt} is "),
    ),
    change(
        "another rate",
        paid_from_abroad,
        "UPDATE receipt SET fx_rate = '17' WHERE id = {receipt}",
        ("FROZEN_RATE", "fx of {receipt} is "),
    ),
    change(
        "more received",
        paid,
        "UPDATE payment SET received = received + 100 WHERE id = {payment}",
        ("CREDIT", "the payment's received is "),
    ),
    change(
        "a refund too many",
        refunded,
        "INSERT INTO refund SELECT {new}, account_id, payment_id, receipt_id, currency, amount, reason, created_at
         FROM refund WHERE id = {refund}",
        ("CREDIT", "the payment's refunded is "),
    ),
    change(
        "something held by what a later plan replaced",
        rescheduled,
        "UPDATE installment SET allocated = 100 WHERE id = {void}",
        ("INSTALLMENT_ADDS_UP", "{void} is void and holds something"),
    ),
    change(
        "a line of another account",
        paid,
        "UPDATE payment_line SET account_id = (SELECT id FROM account WHERE name = 'other') WHERE payment_id = {payment}",
        ("ONE_PAYMENT", "line 1 is of another account"),
    ),
];

/// Puts the ids of a payment into a text, each as `show` shows it.
fn fill(text: &str, rows: &PaymentRows, show: impl Fn(&str, Uuid) -> String) -> String {
    let void = rows.installments.iter().find(|row| row.status == installment::Status::Void);
    let ids = [
        ("{payment}", "pay", Some(rows.payment.id.0)),
        ("{installment}", "ins", rows.installments.first().map(|row| row.id.0)),
        ("{void}", "ins", void.map(|row| row.id.0)),
        ("{receipt}", "rec", rows.receipts.first().map(|row| row.id.0)),
        ("{allocation}", "", rows.allocations.first().map(|row| row.id.0)),
        ("{refund}", "ref", rows.refunds.first().map(|row| row.id.0)),
        ("{new}", "ref", Some(Uuid::from_u128(1))),
    ];
    ids.into_iter().fold(text.to_owned(), |text, (name, prefix, id)| match id {
        Some(id) => text.replace(name, &show(prefix, id)),
        None => text,
    })
}

fn literal(backend: Backend, id: Uuid) -> String {
    match backend {
        Backend::Sqlite => format!("x'{}'", id.simple()),
        Backend::Postgres | Backend::Pgvector => format!("'{id}'"),
    }
}

async fn run(url: &str, statements: &[String]) {
    let database = Database::open(&DatabaseSettings::new(url)).await.unwrap();
    database
        .write(async |transaction| {
            for sql in statements {
                transaction.execute_unprepared(sql).await?;
            }
            Ok::<_, sea_orm::DbErr>(())
        })
        .await
        .unwrap();
    database.close().await;
}

/// A database with demo payments and another account.
fn prepared(url: &str, payments: u64) -> Cli {
    let cli = Cli::over(url);
    cli.succeed(&["import", "rates", "--source", "ecb", SAMPLE]);
    cli.succeed(&["demo", "--payments", &payments.to_string(), "--seed", &SEED.to_string()]);
    cli.succeed(&["account", "create", "other"]);
    cli
}

each_database! {
    /// What is sound passes, in all accounts or in one of them.
    async fn sound_payments_pass(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = prepared(&url, 400);
        let generator = Generator::new(SEED, ACCOUNT_ID);
        let events: usize = (0..400).map(|n| generator.payment(n).events.len()).sum();
        let expected = format!("400 payments checked, {events} events checked, 0 faults\n");
        assert_eq!(cli.succeed(&["verify"]), expected);
        assert_eq!(cli.succeed(&["verify", "--account", "demo"]), expected);
        let nothing = "0 payments checked, 0 events checked, 0 faults\n";
        assert_eq!(cli.succeed(&["verify", "--account", "other"]), nothing);
        let ended = cli.run(&["verify", "--account", "nobody"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        assert!(ended.stderr.contains("nobody"), "{ended:?}");
    }

    /// Each corruption is found and named, on the payment to which it was done and on no other.
    async fn what_was_changed_is_found_and_named(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = prepared(&url, PAYMENTS);
        let generator = Generator::new(SEED, ACCOUNT_ID);
        let all: Vec<_> = (0..PAYMENTS).map(|n| generator.payment(n)).collect();
        let mut free: Vec<&PaymentRows> = all.iter().collect();
        let mut take = |what: &str, fits: fn(&PaymentRows) -> bool| {
            let at = free.iter().position(|rows| fits(rows)).unwrap_or_else(|| panic!("no payment for {what}"));
            free.remove(at)
        };
        // Some of it the database would refuse; a file can be changed without it.
        let mut statements = vec![match backend {
            Backend::Sqlite => "PRAGMA ignore_check_constraints = 1".to_owned(),
            Backend::Postgres | Backend::Pgvector => "ALTER TABLE installment DROP CONSTRAINT installment_adds_up".to_owned(),
        }];
        let mut expected = Vec::new();
        for corruption in &CORRUPTIONS {
            let rows = take(corruption.what, corruption.fits);
            statements.push(fill(corruption.sql, rows, |_, id| literal(backend, id)));
            let (rule, words) = corruption.told;
            let words = fill(words, rows, |prefix, id| format!("{prefix}_{}", id.simple()));
            expected.push((corruption.what, rows, rule, words));
        }
        // An allocation that leads from one payment to another is told of both.
        let (one, other) = (take("from", paid), take("to", paid));
        let (from, to) = (one.allocations[0].id.0, other.installments[0].id.0);
        let (from, to) = (literal(backend, from), literal(backend, to));
        statements.push(format!("UPDATE allocation SET installment_id = {to} WHERE id = {from}"));
        expected.push(("from", one, "ONE_PAYMENT", "is on an installment of another payment".to_owned()));
        expected.push(("to", other, "ONE_PAYMENT", "comes from a receipt of another payment".to_owned()));
        run(&url, &statements).await;

        let ended = cli.run(&["verify"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let mut lines: Vec<&str> = ended.stdout.lines().collect();
        let summary = lines.pop().unwrap();
        assert!(summary.starts_with("700 payments checked, "), "{summary}");
        assert!(summary.ends_with(&format!(" events checked, {} faults", lines.len())), "{summary}");
        assert_eq!(ended.stderr.lines().last(), Some(&*format!("error: {} faults were found", lines.len())));
        let faults: Vec<Vec<&str>> = lines.iter().map(|line| line.split('\t').collect()).collect();
        assert!(faults.iter().all(|fault| fault.len() == 5 && fault[0] == "demo"), "{faults:#?}");
        for (what, rows, rule, words) in &expected {
            let told = faults.iter().any(|fault| {
                fault[1] == rows.payment.id.global()
                    && fault[2] == rows.payment.reference
                    && fault[3] == *rule
                    && fault[4].contains(words.as_str())
            });
            let own: Vec<_> = faults.iter().filter(|fault| fault[1] == rows.payment.id.global()).collect();
            assert!(told, "{what}: {rule} {words} is not in {own:#?}");
        }
        let named: BTreeSet<&str> = faults.iter().map(|fault| fault[2]).collect();
        let changed: BTreeSet<&str> = expected.iter().map(|(_, rows, ..)| rows.payment.reference.as_str()).collect();
        assert_eq!(named, changed);
        // Whoever asks for another account does not hear of it.
        assert_eq!(cli.run(&["verify", "--account", "other"]).code, Some(0));
    }

    /// What is looked at is not changed, and what is not there is not made.
    async fn verifying_only_reads(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        // No file, or a database without tables.
        let ended = cli.run(&["verify"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""), "{ended:?}");
        assert_eq!(cli.succeed(&["migrate"]).split(' ').nth(1), Some("migrations"));
        let nothing = "0 payments checked, 0 events checked, 0 faults\n";
        let file = url.strip_prefix("sqlite://");
        let before = file.map(|file| std::fs::read(file).unwrap());
        assert_eq!(cli.succeed(&["verify"]), nothing);
        assert_eq!(file.map(|file| std::fs::read(file).unwrap()), before);
    }
}

/// A database that does not answer is no database with faults.
#[test]
fn what_cannot_be_looked_at_has_a_status_of_its_own() {
    let cli = Cli::over("postgres://127.0.0.1:1/none");
    let ended = cli.run(&["verify"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""), "{ended:?}");
    let cli = Cli::new();
    let ended = cli.run(&["verify"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("there is no database file "), "{ended:?}");
    assert_eq!(std::fs::read_dir(cli.folder()).unwrap().count(), 0, "nothing is made");
}

/// No two receipts of an account have the same external reference, even where nothing enforces it.
#[tokio::test]
async fn a_shared_reference_is_told() {
    if !Backend::postgres_is_there() {
        return;
    }
    let (url, _guard) = Backend::Postgres.empty_url().await;
    let cli = prepared(&url, 20);
    let sql = [
        "ALTER TABLE receipt DROP CONSTRAINT receipt_external_reference_key",
        "UPDATE receipt SET external_reference = 'TT-1' WHERE id IN (SELECT id FROM receipt ORDER BY id LIMIT 2)",
    ];
    run(&url, &sql.map(str::to_owned)).await;
    let ended = cli.run(&["verify"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let rules: HashSet<_> = ended.stdout.lines().filter_map(|line| line.split('\t').nth(3)).collect();
    assert_eq!(rules, HashSet::from(["HISTORY", "UNIQUE_REFERENCE"]), "{ended:?}");
    let shared = ended.stdout.lines().find(|line| line.contains("UNIQUE_REFERENCE")).unwrap();
    assert!(shared.contains(" and rec_") && shared.ends_with("have the external reference \"TT-1\""), "{shared}");
}
