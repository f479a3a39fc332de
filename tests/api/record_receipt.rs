//! Recording money that arrived: what it pays, what is left of it, and the rate that is frozen on it.

use std::sync::Arc;

use dermaga_tests::{Backend, Changed, TestApp, each_database, money, new_payment, new_receipt, with};
use entity::{AccountScoped, receipt};
use futures_util::future::join_all;

use serde_json::{Value, json};

const AMOUNTS: [&str; 4] = ["allocated", "outstanding", "received", "credit"];

async fn record(app: &TestApp, payment: &Changed, amount: &str, more: Value) -> Changed {
    app.change("recordReceipt", with(new_receipt(&payment.payment_id(), amount), more)).await
}

/// An allocation as an input takes it.
fn on(installment: &str, amount: &str) -> Value {
    json!({ "installmentId": installment, "amount": amount })
}

/// The only receipt in the database.
async fn only_receipt(app: &TestApp) -> receipt::Model {
    let rows = receipt::Entity::of_account(app.account).all(&app.database.reader(Arc::default())).await.unwrap();
    let [row] = <[_; 1]>::try_from(rows).unwrap();
    row
}

each_database! {
    /// What falls due first is paid first, to the last rupiah.
    async fn the_oldest_debt_is_paid_first(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let first = record(&app, &debt, "500000", json!({ "externalReference": "BCA 17" })).await.done();
        assert_eq!(first.amounts(&AMOUNTS), "500000.00 400000.00 500000.00 0.00");
        assert_eq!((first.text("/payment/status"), first.version()), ("PARTIALLY_PAID", 2));
        assert_eq!(first.installments(), ["2026-11-30 PAID 0.00", "2026-12-30 PARTIALLY_PAID 100000.00"]);
        assert_eq!(first.installment_ids(), debt.installment_ids()[..2]);
        let receipt = json!({
            "id": first.receipt_id(), "amount": { "amount": "500000.00" }, "receivedAt": "2026-10-30T11:00:00Z",
            "method": "BANK_TRANSFER", "externalReference": "BCA 17", "unallocated": { "amount": "0.00" },
            "reversedAt": null,
        });
        assert_eq!(first.at("/receipt"), &receipt);

        let event = first.event("after");
        assert_eq!((first.text("/event/type"), first.text("/event/sequence")), ("RECEIPT_RECORDED", "2"));
        assert_eq!(first.text("/event/prevHash"), debt.text("/event/hash"));
        assert_eq!(event["receipt"]["id"], first.receipt_id());
        assert_eq!(event["payment"]["status"], "PARTIALLY_PAID");
        assert_eq!(first.event("before")["payment"]["status"], "OPEN");
        assert_eq!(event["allocations"], json!([
            { "installment": debt.installment_id(0), "amount": "300000.00" },
            { "installment": debt.installment_id(1), "amount": "200000.00" },
        ]));

        let last = record(&app, &debt, "400000.00", json!({})).await.done();
        assert_eq!(last.amounts(&AMOUNTS), "900000.00 0.00 900000.00 0.00");
        assert_eq!(last.text("/payment/status"), "PAID");
        let query = format!("{{ payment(id: \"{}\") {{
            nextDue {{ id }} installments {{ nodes {{ settledAt status }} }}
            receipts {{ nodes {{ externalReference allocations {{ amount {{ amount }} }} }} }}
        }} }}", debt.payment_id());
        let read = app.graphql(&query).await;
        assert_eq!(read.at("/payment/nextDue"), &Value::Null);
        let paid = json!({ "settledAt": "2026-10-30T11:00:00Z", "status": "PAID" });
        assert_eq!(read.at("/payment/installments/nodes"), &json!([paid, paid, paid]));
        assert_eq!(read.at("/payment/receipts/nodes/0/allocations").as_array().unwrap().len(), 2);
    }

    /// Who pays says what for, when it is not what falls due first.
    async fn a_receipt_may_say_what_it_is_for(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let (debt, other) = (app.debt("INV-1").await, app.debt("INV-2").await);
        let [one, two, three] = [0, 1, 2].map(|at| debt.installment_id(at));
        let before = app.contents().await;
        for (amount, allocations, refusal) in [
            ("3", json!([on(&one, "1"), on(&two, "1")]), "INVALID input.allocations"),
            ("1", json!([on(&one, "1"), on(&two, "1")]), "INVALID input.allocations"),
            ("2", json!([on(&one, "1"), on(&one, "1")]), "INVALID input.allocations.1.installmentId"),
            ("1", json!([on(&one, "1"), on(&two, "0")]), "INVALID input.allocations.1.amount"),
            ("1", json!([on(&one, "-1"), on(&two, "2")]), "INVALID input.allocations.0.amount"),
            ("1", json!([on(&one, "1.001")]), "INVALID input.allocations.0.amount"),
            ("300000.01", json!([on(&one, "300000.01")]), "AMOUNT_EXCEEDS_OUTSTANDING input.allocations.0.amount"),
            ("1", json!([on(&one, &"9".repeat(20))]), "AMOUNT_EXCEEDS_OUTSTANDING input.allocations.0.amount"),
            ("1", json!([on(&other.installment_id(0), "1")]), "NOT_FOUND input.allocations.0.installmentId"),
            ("1", json!([on(&debt.payment_id(), "1")]), "INVALID input.allocations.0.installmentId"),
            ("1", json!([]), "INVALID input.allocations"),
            ("1", Value::Null, "INVALID input.allocations"),
        ] {
            let more = json!({ "order": "EXPLICIT", "allocations": allocations });
            assert_eq!(record(&app, &debt, amount, more).await.refusals(), [refusal], "{allocations}");
        }
        let needs_order = json!({ "allocations": [on(&one, "1")] });
        assert_eq!(record(&app, &debt, "1", needs_order).await.refusals(), ["INVALID input.allocations"]);
        assert_eq!(app.contents().await, before);

        let explicit = json!({ "order": "EXPLICIT", "allocations": [on(&three, "300000"), on(&one, "0.01")] });
        let paid = record(&app, &debt, "300000.01", explicit).await.done();
        assert_eq!(paid.installments(), ["2026-11-30 PARTIALLY_PAID 299999.99", "2027-01-30 PAID 0.00"]);
        let again = json!({ "order": "EXPLICIT", "allocations": [on(&three, "0.01")] });
        let refused = record(&app, &debt, "0.01", again).await;
        assert_eq!(refused.refusals(), ["NOT_FOUND input.allocations.0.installmentId"]);
    }

    /// More than is owed is a mistake, unless it is said to be none: then the rest stays as credit.
    async fn what_is_beyond_the_debt_is_refused_or_stays_as_credit(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let before = app.contents().await;
        let refused = record(&app, &debt, "900000.01", json!({})).await;
        assert_eq!(refused.refusals(), ["AMOUNT_EXCEEDS_OUTSTANDING input.amount.amount"]);
        assert_eq!(refused.at("/userErrors/0/outstanding"), &money("900000.00", "IDR"));
        assert_eq!(app.contents().await, before);

        let paid = record(&app, &debt, "900000.01", json!({ "allowCredit": true })).await.done();
        assert_eq!(paid.amounts(&AMOUNTS), "900000.00 0.00 900000.01 0.01");
        assert_eq!((paid.text("/payment/status"), paid.text("/receipt/unallocated/amount")), ("PAID", "0.01"));
        // Money goes on arriving for what is paid.
        let more = record(&app, &debt, "5", json!({ "allowCredit": true })).await.done();
        assert_eq!((more.amounts(&AMOUNTS).as_str(), more.version()), ("900000.00 0.00 900005.01 5.01", 3));
        assert_eq!(more.installments(), Vec::<String>::new());
        let none = json!({ "allowCredit": true, "order": "EXPLICIT", "allocations": [] });
        assert_eq!(record(&app, &debt, "5", none).await.done().amounts(&["credit"]), "10.01");
        // As many bits as there are for all that arrives, and no more.
        let most = record(&app, &debt, "92233720368547758.07", json!({ "allowCredit": true })).await;
        assert_eq!(most.refusals(), ["INVALID input.amount.amount"]);
    }

    /// The rate of the day on which it arrived is written down with it, and never looked up again.
    async fn a_receipt_keeps_the_rate_of_its_day(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let dollars = with(new_payment("INV-1"), json!({ "amount": money("900", "USD") }));
        let debt = app.change("createPayment", dollars).await.done();
        // A Saturday in London, still; its rate is Friday's.
        let saturday = json!({ "amount": money("300", "USD"), "receivedAt": "2026-10-24T23:30:00+07:00" });
        let paid = record(&app, &debt, "-", saturday).await.done();
        let query = "{ currencyRate(base: \"USD\", quote: \"IDR\", date: \"2026-10-24\") {
            ... on CurrencyRate { rate effectiveDate source { code } }
        } }";
        let answer = app.graphql(query).await;
        let known = answer.at("/currencyRate");
        assert_eq!(known["effectiveDate"], "2026-10-23");
        let row = only_receipt(&app).await;
        assert_eq!((row.fx_quote.as_deref(), row.fx_rate.as_deref()), (Some("IDR"), known["rate"].as_str()));
        assert_eq!(row.fx_effective_date.unwrap().to_string(), "2026-10-23");
        assert_eq!(row.fx_source.as_deref(), known["source"]["code"].as_str());
        let fx = json!({
            "quote": "IDR", "rate": known["rate"], "effectiveDate": "2026-10-23", "purpose": "REFERENCE",
            "source": known["source"]["code"],
        });
        assert_eq!(paid.event("after")["receipt"]["fx"], fx);
        app.change("reverseReceipt", json!({ "receiptId": paid.receipt_id(), "reason": "bounced" })).await.done();
        let reversed = only_receipt(&app).await;
        assert_eq!((reversed.fx_rate, reversed.fx_effective_date), (row.fx_rate, row.fx_effective_date));
    }

    /// A frozen rate is shown to its last digit, which may be further from the point than a client's own may be.
    async fn a_frozen_rate_is_shown_as_it_was(backend: Backend) {
        let app = TestApp::builder(backend).signed_in().spawn().await;
        for (currency, base) in [("USD", "IDR"), ("JPY", "IDR"), ("AUD", "IDR"), ("GBP", "IDR"), ("IDR", "GBP")] {
            let account = format!("{currency}-{base}").to_lowercase();
            app.account_in(&account, base).await;
            let session = app.session(&account, "CLERK");
            let new = with(new_payment("INV-1"), json!({ "amount": money("900", currency) }));
            let debt = session.change("createPayment", new).await.done();
            let receipt = with(new_receipt(&debt.payment_id(), "-"), json!({ "amount": money("300", currency) }));
            session.change("recordReceipt", receipt).await.done();
            let rate = "base quote rate effectiveDate purpose source { code }";
            let query = format!(
                "{{ currencyRate(base: \"{currency}\", quote: \"{base}\", date: \"2026-10-30\") {{
                    ... on CurrencyRate {{ {rate} }}
                }} payments {{ nodes {{ receipts {{ nodes {{ fx {{ {rate} }} }} }} }} }} }}"
            );
            let answer = session.graphql(&query).await;
            assert_eq!(answer.at("/payments/nodes/0/receipts/nodes/0/fx"), answer.at("/currencyRate"), "{account}");
        }
    }

    /// A receipt in the currency of the books needs no rate; another one may be recorded without, unless it must not.
    async fn a_rate_is_needed_only_where_it_is_asked_for(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let rupiah = app.debt("INV-1").await;
        let paid = record(&app, &rupiah, "1", json!({ "requireRate": true })).await.done();
        assert_eq!(paid.event("after")["receipt"]["fx"], Value::Null);
        // The reference rates have none for the dirham of the Emirates.
        let dirhams = with(new_payment("INV-2"), json!({ "amount": money("900", "AED") }));
        let debt = app.change("createPayment", dirhams).await.done();
        let before = app.contents().await;
        let input = json!({ "amount": money("1", "AED"), "requireRate": true });
        let refused = record(&app, &debt, "-", input.clone()).await;
        assert_eq!(refused.refusals(), ["RATE_UNAVAILABLE input.amount.currency"]);
        assert_eq!(app.contents().await, before);
        let paid = record(&app, &debt, "-", with(input, json!({ "requireRate": false }))).await.done();
        assert_eq!(paid.event("after")["receipt"]["fx"], Value::Null);
    }

    /// A transfer that is told of twice, by two people or two programs, is one transfer.
    async fn an_external_reference_is_taken_once(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let (debt, other) = (app.debt("INV-1").await, app.debt("INV-2").await);
        let first = record(&app, &debt, "5", json!({ "externalReference": "BCA 17" })).await.done();
        let before = app.contents().await;
        for payment in [&debt, &other] {
            let second = record(&app, payment, "7", json!({ "externalReference": "BCA 17" })).await;
            assert_eq!(second.refusals(), ["DUPLICATE input.externalReference"]);
            assert_eq!(second.text("/userErrors/0/existing/id"), first.receipt_id());
            assert_eq!(second.at("/receipt"), &Value::Null);
        }
        assert_eq!(app.contents().await, before);
        // Also when it was reversed: it arrived once.
        app.change("reverseReceipt", json!({ "receiptId": first.receipt_id(), "reason": "typed twice" })).await.done();
        let again = record(&app, &debt, "5", json!({ "externalReference": "BCA 17" })).await;
        assert_eq!(again.refusals(), ["DUPLICATE input.externalReference"]);
    }

    /// All at once, on two payments: one is the first.
    async fn an_external_reference_is_taken_once_in_a_rush(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debts = [app.debt("INV-1").await, app.debt("INV-2").await];
        let rush = (0..8).map(|at| record(&app, &debts[at % 2], "5", json!({ "externalReference": "BCA 17" })));
        let rush = join_all(rush).await;
        let (won, lost): (Vec<_>, Vec<_>) = rush.iter().partition(|receipt| receipt.refusals().is_empty());
        assert_eq!((won.len(), lost.len()), (1, 7));
        for lost in lost {
            assert_eq!(lost.text("/userErrors/0/existing/id"), won[0].receipt_id(), "{:#}", lost.answer.body);
        }
        assert_eq!(app.contents().await["receipt"], 1);
    }

    /// However many pay at once, no more is taken than is owed, and each change has its own version and event.
    async fn receipts_at_once_never_overpay(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let rush = join_all((0..12).map(|_| record(&app, &debt, "100000", json!({})))).await;
        let (won, lost): (Vec<_>, Vec<_>) = rush.iter().partition(|receipt| receipt.refusals().is_empty());
        assert_eq!((won.len(), lost.len()), (9, 3));
        for lost in lost {
            assert_eq!(lost.refusals(), ["AMOUNT_EXCEEDS_OUTSTANDING input.amount.amount"]);
        }
        let mut versions: Vec<_> = won.iter().map(|receipt| receipt.version()).collect();
        versions.sort_unstable();
        assert_eq!(versions, (2..=10).collect::<Vec<_>>());
        let query = format!("{{ payment(id: \"{}\") {{
            status allocated {{ amount }} version events {{ chainValid }}
            installments {{ nodes {{ received {{ amount }} }} }}
        }} }}", debt.payment_id());
        let read = app.graphql(&query).await;
        let full = json!({ "received": { "amount": "300000.00" } });
        assert_eq!(read.at("/payment"), &json!({
            "status": "PAID", "allocated": { "amount": "900000.00" }, "version": 10, "events": { "chainValid": true },
            "installments": { "nodes": [full, full, full] },
        }));
    }

    /// A receipt is a few round trips, however many installments it pays.
    async fn a_receipt_is_a_few_statements(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let plan = json!({ "even": { "count": 900, "firstDueDate": "2027-01-31", "frequency": "WEEKLY" } });
        let long = with(new_payment("INV-1"), json!({ "plan": plan }));
        let debts = [app.debt("INV-2").await, app.change("createPayment", long).await.done()];
        let mut statements = Vec::new();
        for (debt, reference) in debts.iter().zip(["A-1", "A-2"]) {
            let more = json!({ "externalReference": reference });
            statements.push(record(&app, debt, "900000", more).await.done().statements());
        }
        match backend {
            // BEGIN, the key, the payment, its installments, the external reference, the write, COMMIT.
            Backend::Postgres | Backend::Pgvector => assert_eq!(statements, [7, 7]),
            // The same, and the payment, its installments, the receipt, its allocations, the event and the key apart.
            Backend::Sqlite => assert_eq!(statements, [12, 12]),
        }
        // A rate to be frozen is one more, and so the most that there are.
        let dollars = with(new_payment("INV-3"), json!({ "amount": money("900", "USD") }));
        let debt = app.change("createPayment", dollars).await.done();
        let input = json!({ "amount": money("300", "USD"), "externalReference": "A-3" });
        let most = record(&app, &debt, "-", input).await.done().statements();
        assert!(most <= if backend == Backend::Postgres { 8 } else { 13 }, "{most}");
    }
}
