//! The two ways in which a payment ends without being paid: called off, or given up.

use dermaga_tests::{Backend, Changed, TestApp, each_database, new_receipt, with};
use serde_json::{Value, json};

const AMOUNTS: [&str; 3] = ["allocated", "writtenOff", "outstanding"];

async fn close(app: &TestApp, how: &str, payment: &str, version: i64) -> Changed {
    let input = json!({ "id": payment, "expectedVersion": version, "reason": "the ship sank" });
    app.change(how, input).await
}

each_database! {
    /// What was never paid can be called off: then nothing is owed, and nothing falls due.
    async fn what_nobody_paid_can_be_called_off(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let cancelled = close(&app, "cancelPayment", &debt.payment_id(), 1).await.done();
        assert_eq!(cancelled.amounts(&AMOUNTS), "0.00 0.00 0.00");
        assert_eq!((cancelled.text("/payment/status"), cancelled.version()), ("CANCELLED", 2));
        assert_eq!(cancelled.installments(), [
            "2026-11-30 VOID 0.00", "2026-12-30 VOID 0.00", "2027-01-30 VOID 0.00",
        ]);
        assert_eq!((cancelled.text("/event/type"), cancelled.text("/event/reason")),
            ("PAYMENT_CANCELLED", "the ship sank"));
        let query = format!("{{ payment(id: \"{}\") {{ nextDue {{ id }} allowedActions events {{ chainValid }} }} }}",
            debt.payment_id());
        assert_eq!(app.graphql(&query).await.at("/payment"),
            &json!({ "nextDue": null, "allowedActions": [], "events": { "chainValid": true } }));
    }

    /// Something was received or forgiven: then calling it off would lose it, and giving it up is the way.
    async fn what_was_touched_can_only_be_given_up(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let (paid, forgiven) = (app.debt("INV-1").await, app.debt("INV-2").await);
        app.change("recordReceipt", new_receipt(&paid.payment_id(), "400000")).await.done();
        let waive = json!({ "id": forgiven.installment_id(0), "expectedVersion": 1, "reason": "goodwill" });
        app.change("waiveInstallment", waive).await.done();
        for debt in [&paid, &forgiven] {
            let refused = close(&app, "cancelPayment", &debt.payment_id(), 2).await;
            assert_eq!(refused.refusals(), ["INVALID_STATE input.id"]);
            assert_eq!(refused.text("/userErrors/0/status"), "PARTIALLY_PAID");
            let allowed = refused.at("/userErrors/0/allowedActions").as_array().unwrap();
            assert!(allowed.contains(&json!("WRITE_OFF")) && !allowed.contains(&json!("CANCEL")), "{allowed:?}");
        }
        let given_up = close(&app, "writeOffPayment", &paid.payment_id(), 2).await.done();
        assert_eq!(given_up.amounts(&AMOUNTS), "400000.00 500000.00 0.00");
        assert_eq!((given_up.text("/payment/status"), given_up.text("/event/type")),
            ("WRITTEN_OFF", "PAYMENT_WRITTEN_OFF"));
        assert_eq!(given_up.installments(), Vec::<String>::new());
    }

    /// An end is an end: nothing more happens to the debt, whichever end it was.
    async fn what_has_ended_stays_so(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for (end, status) in [("cancelPayment", "CANCELLED"), ("writeOffPayment", "WRITTEN_OFF"), ("-", "PAID")] {
            let debt = app.debt(end).await;
            let id = debt.payment_id();
            match end {
                "-" => app.change("recordReceipt", new_receipt(&id, "900000")).await.done(),
                end => close(&app, end, &id, 1).await.done(),
            };
            let before = app.contents().await;
            let changing = json!({ "expectedVersion": 2, "reason": "a change of mind" });
            let plan = json!({ "even": { "count": 1, "firstDueDate": "2027-01-01" } });
            let mut changes = vec![
                ("cancelPayment", with(changing.clone(), json!({ "id": id })), "id"),
                ("writeOffPayment", with(changing.clone(), json!({ "id": id })), "id"),
                ("reschedulePayment", with(changing.clone(), json!({ "id": id, "plan": plan })), "id"),
                ("waiveInstallment", with(changing.clone(), json!({ "id": debt.installment_id(0) })), "id"),
            ];
            if status != "PAID" {
                changes.push(("recordReceipt", new_receipt(&id, "1"), "paymentId"));
            }
            for (mutation, input, field) in changes {
                let refused = app.change(mutation, input).await;
                assert_eq!(refused.refusals(), [format!("INVALID_STATE input.{field}")], "{mutation} of {status}");
                assert_eq!(refused.text("/userErrors/0/status"), status);
                assert_eq!(refused.at("/payment"), &Value::Null);
            }
            assert_eq!(app.contents().await, before);
        }
    }
}
