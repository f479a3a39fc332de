//! Forgiving an installment, or a part of one.

use dermaga_tests::{Backend, Changed, TestApp, each_database, money, new_receipt};
use serde_json::{Value, json};

const AMOUNTS: [&str; 3] = ["allocated", "waived", "outstanding"];

async fn waive(app: &TestApp, installment: &str, version: i64, amount: Value) -> Changed {
    let input = json!({ "id": installment, "expectedVersion": version, "amount": amount, "reason": "goodwill" });
    app.change("waiveInstallment", input).await
}

each_database! {
    /// What is forgiven is owed no more, and it is not money that arrived.
    async fn what_is_forgiven_is_owed_no_more(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        app.change("recordReceipt", new_receipt(&debt.payment_id(), "100000")).await.done();
        let part = waive(&app, &debt.installment_id(0), 2, json!("50000.50")).await.done();
        assert_eq!(part.amounts(&AMOUNTS), "100000.00 50000.50 749999.50");
        assert_eq!(part.installments(), ["2026-11-30 PARTIALLY_PAID 149999.50"]);
        assert_eq!((part.text("/event/type"), part.text("/event/reason")), ("INSTALLMENT_WAIVED", "goodwill"));
        // Without an amount it is all of it.
        let rest = waive(&app, &debt.installment_id(0), 3, Value::Null).await.done();
        assert_eq!(rest.amounts(&AMOUNTS), "100000.00 200000.00 600000.00");
        assert_eq!(rest.installments(), ["2026-11-30 WAIVED 0.00"]);
        for (at, version) in [(1, 4), (2, 5)] {
            waive(&app, &debt.installment_id(at), version, Value::Null).await.done();
        }
        let query = format!("{{ payment(id: \"{}\") {{ status nextDue {{ id }} waived {{ amount }} received {{ amount }} }} }}",
            debt.payment_id());
        let read = app.graphql(&query).await;
        assert_eq!(read.at("/payment"), &json!({
            "status": "PAID", "nextDue": null, "waived": { "amount": "800000.00" }, "received": { "amount": "100000.00" },
        }));
    }

    /// No more is forgiven than is owed, and nothing of what is not owed.
    async fn no_more_is_forgiven_than_is_owed(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        app.change("recordReceipt", new_receipt(&debt.payment_id(), "400000")).await.done();
        let [paid, partly, untouched] = [0, 1, 2].map(|at| debt.installment_id(at));
        let before = app.contents().await;
        for (installment, amount, refusal) in [
            (&partly, json!("200000.01"), "AMOUNT_EXCEEDS_OUTSTANDING input.amount"),
            (&partly, json!("9".repeat(20)), "AMOUNT_EXCEEDS_OUTSTANDING input.amount"),
            (&untouched, json!("0"), "INVALID input.amount"),
            (&untouched, json!("-1"), "INVALID input.amount"),
            (&untouched, json!("0.001"), "INVALID input.amount"),
            (&paid, Value::Null, "INVALID_STATE input.id"),
        ] {
            assert_eq!(waive(&app, installment, 2, amount.clone()).await.refusals(), [refusal], "{amount}");
        }
        let refused = waive(&app, &partly, 2, json!("200000.01")).await;
        assert_eq!(refused.at("/userErrors/0/outstanding"), &money("200000.00", "IDR"));
        assert_eq!(app.contents().await, before);
    }
}
