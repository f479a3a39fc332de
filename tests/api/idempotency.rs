//! Idempotency: a request that is sent again is not done again, whenever and wherever it is sent again.

use std::pin::pin;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use dermaga_api::changes::forget;
use dermaga_tests::{Backend, Changed, TestApp, change_body, each_database, new_payment, new_receipt, with};
use futures_util::future::{join_all, select};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use serde_json::{Value, json};

use crate::changes::{every_change, whole_story};
use crate::deadlines::until_waiting;

const KEY: &str = "b7c1c5e2-9f0e-4a53";

/// What a payload says was made, as far as a replay says it too.
fn made(changed: &Changed) -> Value {
    let payload = changed.at("");
    let kept = ["payment", "payments", "receipt", "refund", "event", "dryRun", "userErrors"];
    kept.iter().map(|name| payload[name].clone()).collect()
}

/// Holds what every change of a payment needs, until it is given back.
async fn hold_payments(app: &TestApp) -> DatabaseTransaction {
    let connection = sea_orm::Database::connect(&app.database_url).await.unwrap();
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let held = connection.begin_with_options(options).await.unwrap();
    if held.get_database_backend() == DbBackend::Postgres {
        held.execute_unprepared("SELECT 1 FROM payment FOR UPDATE").await.unwrap();
    }
    held
}

each_database! {
    /// The point of it all: a client that never saw the answer sends the same again, and gets it.
    async fn the_same_request_is_done_once(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        every_change(async |mutation, input| {
            let input = with(input, json!({ "idempotencyKey": format!("{KEY} {}", app.contents().await["versions"]) }));
            let first = app.change(mutation, input.clone()).await.done();
            assert_eq!(first.at("/replayed"), &json!(false), "{mutation}");
            let (contents, story) = (app.contents().await, whole_story(&app).await);
            let again = app.change(mutation, input).await.done();
            assert_eq!(again.at("/replayed"), &json!(true), "{mutation}");
            assert_eq!(made(&again), made(&first), "{mutation}");
            assert_eq!((app.contents().await, whole_story(&app).await), (contents, story), "{mutation}");
            first
        })
        .await;
    }

    /// Keys are not kept for ever: after their time the same key is a new one, and not an hour before.
    async fn a_key_is_forgotten_after_its_time(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let receipt = with(new_receipt(&debt.payment_id(), "100"), json!({ "idempotencyKey": KEY }));
        let first = app.change("recordReceipt", receipt.clone()).await.done();
        let (clock, retention) = (app.clock.clock(), TimeDelta::hours(72));
        app.clock.advance(72 * 3600 - 1);
        assert_eq!(forget(&app.database, &clock, retention).await.unwrap(), 0);
        let again = app.change("recordReceipt", receipt.clone()).await.done();
        assert_eq!((again.at("/replayed"), again.receipt_id()), (&json!(true), first.receipt_id()));

        app.clock.advance(2);
        // The key of the payment, and that of the receipt.
        assert_eq!(forget(&app.database, &clock, retention).await.unwrap(), 2);
        let new = app.change("recordReceipt", receipt).await.done();
        assert_eq!(new.at("/replayed"), &json!(false));
        assert_ne!(new.receipt_id(), first.receipt_id());
    }

    /// A replay tells what was done then, and how the payment is now: what somebody else did since is not hidden.
    async fn a_replay_shows_the_payment_as_it_is_now(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let input = with(new_receipt(&debt.payment_id(), "300000"), json!({ "idempotencyKey": KEY }));
        let first = app.change("recordReceipt", input.clone()).await.done();
        app.change("recordReceipt", new_receipt(&debt.payment_id(), "600000")).await.done();
        let again = app.change("recordReceipt", input).await.done();
        assert_eq!((again.version(), again.text("/payment/status")), (3, "PAID"));
        assert_eq!((again.at("/event"), again.at("/receipt")), (first.at("/event"), first.at("/receipt")));
        assert_eq!(again.installments(), Vec::<String>::new());
    }

    /// A client's library may write the members in another order, or number its requests: it asks for the same.
    async fn how_it_is_written_does_not_matter(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let id = debt.payment_id();
        let money = "amount: {amount: \"1\", currency: \"IDR\"}";
        let rest = "receivedAt: \"2026-10-30T11:00:00Z\", method: \"CASH\"";
        let key = format!("idempotencyKey: \"{KEY}\"");
        let amount = "amount: {currency: \"IDR\", amount: \"1\"}";
        let mut ids = Vec::new();
        for input in [
            format!("{key}, paymentId: \"{id}\", {money}, {rest}"),
            format!("{rest}, {amount}, paymentId: \"{id}\", {key}, clientMutationId: \"1\""),
        ] {
            let document = format!("mutation {{ recordReceipt(input: {{{input}}}) {{ receipt {{ id }} replayed }} }}");
            ids.push(app.graphql(&document).await.text("/recordReceipt/receipt/id").to_owned());
        }
        let variables = json!({
            "idempotencyKey": KEY, "clientMutationId": "2", "method": "CASH", "receivedAt": "2026-10-30T11:00:00Z",
            "amount": { "amount": "1", "currency": "IDR" }, "paymentId": id,
        });
        let last = app.change("recordReceipt", variables).await.done();
        assert_eq!((last.at("/replayed"), last.text("/clientMutationId")), (&json!(true), "2"));
        assert_eq!(ids, [last.receipt_id(), last.receipt_id()]);
        assert_eq!(app.contents().await["receipt"], 1);
    }

    /// A key stands for one request: another one under it is a mistake of the client, and is told so.
    async fn another_request_needs_another_key(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let input = with(new_receipt(&debt.payment_id(), "1"), json!({ "idempotencyKey": KEY }));
        app.change("recordReceipt", input.clone()).await.done();
        app.clock.advance(3_600);
        let before = app.contents().await;
        for other in [
            json!({ "amount": { "amount": "2", "currency": "IDR" } }),
            json!({ "externalReference": "BCA 17" }),
            json!({ "paymentId": format!("pay_{}", "0".repeat(32)) }),
        ] {
            let refused = app.change("recordReceipt", with(input.clone(), other)).await;
            assert_eq!(refused.refusals(), ["IDEMPOTENCY_KEY_REUSED input.idempotencyKey"]);
            assert_eq!(refused.text("/userErrors/0/firstUsedAt"), "2026-10-30T12:00:00Z");
            assert_eq!(refused.at("/userErrors/0/retryAfterSeconds"), &Value::Null);
            assert_eq!((refused.at("/receipt"), refused.at("/replayed")), (&Value::Null, &json!(false)));
        }
        assert_eq!(app.contents().await, before);
    }

    /// Keys of different mutations and of different accounts have nothing to do with one another.
    async fn a_key_is_free_elsewhere(backend: Backend) {
        let app = TestApp::builder(backend).signed_in().spawn().await;
        app.other_account("other").await;
        let keyed = |input: Value| with(input, json!({ "idempotencyKey": KEY }));
        let debt = app.change("createPayment", keyed(new_payment("INV-1"))).await.done();
        let bulk = keyed(json!({ "payments": [new_payment("INV-2")] }));
        assert_eq!(app.change("createPayments", bulk).await.done().at("/replayed"), &json!(false));
        let receipt = keyed(new_receipt(&debt.payment_id(), "1"));
        assert_eq!(app.change("recordReceipt", receipt).await.done().at("/replayed"), &json!(false));
        let other = app.session("other", "CLERK");
        for reference in ["INV-1", "INV-9"] {
            let theirs = other.change("createPayment", keyed(new_payment(reference))).await;
            if reference == "INV-1" {
                let theirs = theirs.done();
                assert_eq!(theirs.at("/replayed"), &json!(false));
                assert_ne!(theirs.payment_id(), debt.payment_id());
            } else {
                assert_eq!(theirs.refusals(), ["IDEMPOTENCY_KEY_REUSED input.idempotencyKey"]);
            }
        }
        // Two people of one account are one: whoever sends it.
        let colleague = app.session_with(&app.token().claim("sub", "colleague").build());
        let again = colleague.change("createPayment", keyed(new_payment("INV-1"))).await.done();
        assert_eq!((again.payment_id(), again.at("/replayed")), (debt.payment_id(), &json!(true)));
    }

    /// A mistake does not use up the key: the client corrects it and sends the rest as it was.
    async fn a_refused_request_leaves_no_key(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let before = app.contents().await;
        let input = with(new_receipt(&debt.payment_id(), "900001"), json!({ "idempotencyKey": KEY }));
        for _ in 0..2 {
            let refused = app.change("recordReceipt", input.clone()).await;
            assert_eq!(refused.refusals(), ["AMOUNT_EXCEEDS_OUTSTANDING input.amount.amount"]);
        }
        assert_eq!(app.contents().await, before);
        let corrected = with(new_receipt(&debt.payment_id(), "900000"), json!({ "idempotencyKey": KEY }));
        assert_eq!(app.change("recordReceipt", corrected).await.done().at("/replayed"), &json!(false));
        assert_eq!(app.contents().await["idempotency_key"], before["idempotency_key"] + 1);
    }

    /// A dry run answers what the change would, and leaves neither rows nor its key.
    async fn a_dry_run_writes_nothing(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        every_change(async |mutation, input| {
            let (contents, story) = (app.contents().await, whole_story(&app).await);
            let input = with(input, json!({ "idempotencyKey": KEY }));
            let dry = app.change(mutation, with(input.clone(), json!({ "dryRun": true }))).await.done();
            assert_eq!((dry.at("/dryRun"), dry.at("/replayed")), (&json!(true), &json!(false)), "{mutation}");
            assert_eq!((app.contents().await, whole_story(&app).await), (contents, story), "{mutation}");
            // The key is the same each time, and is free for what is written, which has one of its own.
            let fresh = with(input, json!({ "idempotencyKey": dermaga_tests::new_key() }));
            let done = app.change(mutation, fresh).await.done();
            if mutation != "createPayments" {
                assert_eq!(dry.at("/event"), &Value::Null);
                let amounts = ["amount", "outstanding", "allocated", "received", "refunded", "credit", "waived", "writtenOff"];
                assert_eq!(dry.amounts(&amounts), done.amounts(&amounts), "{mutation}");
                assert_eq!(dry.at("/payment/status"), done.at("/payment/status"), "{mutation}");
                assert_eq!(dry.version(), done.version(), "{mutation}");
            }
            if mutation != "createPayments" && mutation != "refundReceipt" {
                assert_eq!(dry.installments(), done.installments(), "{mutation}");
            }
            done
        })
        .await;
    }

    /// While the first still runs, nobody knows what will come of it: the second is told to come again.
    async fn a_request_that_still_runs_is_not_started_again(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        the_second_waits_for_the_first(&app, &app, &debt.payment_id()).await;
    }

    /// Many at once, as from a client that has lost its patience: one is done.
    async fn a_rush_of_the_same_is_done_once(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let input = with(new_receipt(&debt.payment_id(), "1"), json!({ "idempotencyKey": KEY }));
        let rush = join_all((0..10).map(|_| app.change("recordReceipt", input.clone()))).await;
        let done = rush.iter().filter(|one| one.refusals().is_empty());
        let (again, first): (Vec<_>, Vec<_>) = done.partition(|one| one.at("/replayed") == &json!(true));
        assert_eq!(first.len(), 1);
        assert!(again.iter().all(|one| one.receipt_id() == first[0].receipt_id()));
        for refused in rush.iter().filter(|one| !one.refusals().is_empty()) {
            assert_eq!(refused.refusals(), ["IDEMPOTENCY_IN_PROGRESS input.idempotencyKey"]);
        }
        assert_eq!(app.contents().await["receipt"], 1);
    }
}

/// Sends the same to both servers while neither can go on: one of them answers at once, the other when it may go on.
async fn the_second_waits_for_the_first(one: &TestApp, other: &TestApp, payment: &str) {
    let input = with(new_receipt(payment, "1"), json!({ "idempotencyKey": KEY }));
    let held = hold_payments(one).await;
    let first = pin!(one.change("recordReceipt", input.clone()));
    let second = pin!(other.change("recordReceipt", input.clone()));
    let (refused, waiting) = select(first, second).await.factor_first();
    assert_eq!(refused.refusals(), ["IDEMPOTENCY_IN_PROGRESS input.idempotencyKey"]);
    assert_eq!(refused.at("/userErrors/0/retryAfterSeconds"), &json!(1));
    assert_eq!(refused.at("/userErrors/0/firstUsedAt"), &Value::Null);
    held.rollback().await.unwrap();
    let first = waiting.await.done();
    assert_eq!(first.at("/replayed"), &json!(false));
    for app in [one, other] {
        let again = app.change("recordReceipt", input.clone()).await.done();
        assert_eq!((again.at("/replayed"), again.receipt_id()), (&json!(true), first.receipt_id()));
    }
    assert_eq!(one.contents().await["receipt"], 1);
}

/// A load balancer sends the second to another replica.
#[tokio::test]
async fn replicas_know_each_others_keys() {
    if !Backend::postgres_is_there() {
        return;
    }
    let app = TestApp::spawn(Backend::Postgres).await;
    let replica = TestApp::builder(Backend::Postgres).beside(&app).spawn().await;
    let debt = app.debt("INV-1").await;
    the_second_waits_for_the_first(&app, &replica, &debt.payment_id()).await;
    // The same at once on both, many times: each is done once, and nothing fails.
    for at in 0..20 {
        let input = with(new_receipt(&debt.payment_id(), "1"), json!({ "idempotencyKey": format!("{KEY} {at}") }));
        let (one, other) =
            tokio::join!(app.change("recordReceipt", input.clone()), replica.change("recordReceipt", input.clone()));
        let again = app.change("recordReceipt", input).await.done();
        for either in [one, other] {
            match either.refusals().as_slice() {
                [] => assert_eq!(either.receipt_id(), again.receipt_id()),
                refusals => assert_eq!(refusals, ["IDEMPOTENCY_IN_PROGRESS input.idempotencyKey"]),
            }
        }
    }
    assert_eq!(app.contents().await["receipt"], 21);
}

/// A client that was told that it took too long sends the same again: what went on meanwhile is not done twice.
#[tokio::test]
async fn what_took_too_long_goes_on_and_is_done_once() {
    let Some(app) = crate::deadlines::spawn_with("1").await else { return };
    let debt = app.debt("INV-1").await;
    let input = with(new_receipt(&debt.payment_id(), "1"), json!({ "idempotencyKey": KEY }));
    let held = hold_payments(&app).await;
    let late = app.send(&change_body("recordReceipt", input.clone())).await;
    assert_eq!(late.codes(), ["DEADLINE_EXCEEDED"]);
    let refused = app.change("recordReceipt", input.clone()).await;
    assert_eq!(refused.refusals(), ["IDEMPOTENCY_IN_PROGRESS input.idempotencyKey"]);
    let database = sea_orm::Database::connect(&app.database_url).await.unwrap();
    until_waiting(&database, 1).await;
    held.rollback().await.unwrap();
    // As it was told, the client comes again until the first has ended.
    let start = Instant::now();
    let again = loop {
        let again = app.change("recordReceipt", input.clone()).await;
        if again.refusals().is_empty() {
            break again;
        }
        assert_eq!(again.refusals(), ["IDEMPOTENCY_IN_PROGRESS input.idempotencyKey"]);
        assert!(start.elapsed() < Duration::from_secs(20), "the first does not end");
    };
    assert_eq!((again.at("/replayed"), again.version()), (&json!(true), 2));
    assert_eq!(app.contents().await["receipt"], 1);
}
