//! A new plan for what is outstanding.

use dermaga_tests::{Backend, Changed, TestApp, each_database, new_payment, new_receipt, with};
use serde_json::{Value, json};

async fn reschedule(app: &TestApp, payment: &Changed, version: i64, plan: Value) -> Changed {
    let id = payment.payment_id();
    let input = json!({ "id": id, "expectedVersion": version, "plan": plan, "reason": "a bad harvest" });
    app.change("reschedulePayment", input).await
}

fn weekly(count: usize) -> Value {
    json!({ "even": { "count": count, "firstDueDate": "2027-06-01", "frequency": "WEEKLY" } })
}

each_database! {
    /// Untouched installments become void, a partly paid one closes at what it holds, and the old plan can be read.
    async fn what_is_outstanding_is_spread_anew(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        app.change("recordReceipt", new_receipt(&debt.payment_id(), "400000")).await.done();
        let spread = reschedule(&app, &debt, 2, weekly(2)).await.done();
        assert_eq!(spread.amounts(&["amount", "allocated", "outstanding"]), "900000.00 400000.00 500000.00");
        assert_eq!((spread.text("/payment/status"), spread.version()), ("PARTIALLY_PAID", 3));
        assert_eq!(spread.installments(), [
            "2026-12-30 PAID 0.00", "2027-01-30 VOID 0.00",
            "2027-06-01 PENDING 250000.00", "2027-06-08 PENDING 250000.00",
        ]);
        assert_eq!(spread.text("/installments/0/amount/amount"), "100000.00");
        assert_eq!((spread.text("/event/type"), spread.text("/event/reason")), ("PAYMENT_RESCHEDULED", "a bad harvest"));
        assert_eq!(spread.event("after")["plan"]["revision"], 2);

        let query = format!("{{ payment(id: \"{}\") {{
            nextDue {{ dueDate }}
            plan {{ revision frequency count previous {{ revision frequency count previous {{ revision }} }} }}
            installments {{ nodes {{ status amount {{ amount }} }} }}
        }} }}", debt.payment_id());
        let read = app.graphql(&query).await;
        assert_eq!(read.at("/payment/nextDue/dueDate"), "2027-06-01");
        let first = json!({ "revision": 1, "frequency": "MONTHLY", "count": 3, "previous": null });
        let second = json!({ "revision": 2, "frequency": "WEEKLY", "count": 2, "previous": first });
        assert_eq!(read.at("/payment/plan"), &second);
        // What is not void adds up to the payment.
        let rows = read.at("/payment/installments/nodes").as_array().unwrap().iter();
        let amounts = rows.filter(|row| row["status"] != "VOID").map(|row| row["amount"]["amount"].as_str().unwrap());
        assert_eq!(amounts.collect::<Vec<_>>(), ["300000.00", "100000.00", "250000.00", "250000.00"]);
        let third = reschedule(&app, &debt, 3, weekly(1)).await.done();
        assert_eq!(third.event("after")["plan"]["revision"], 3);
    }

    /// A plan is refused with the place of each mistake, and the payment keeps its own.
    async fn a_bad_plan_changes_nothing(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let before = app.contents().await;
        let explicit = json!({ "explicit": [{ "amount": "899999.99", "dueDate": "2027-01-01" }] });
        let refused = reschedule(&app, &debt, 1, explicit).await;
        assert_eq!(refused.refusals(), ["PLAN_SUM_MISMATCH input.plan.explicit"]);
        assert_eq!(refused.text("/userErrors/0/expected/amount"), "900000.00");
        assert_eq!(refused.text("/userErrors/0/actual/amount"), "899999.99");
        for count in [0, 10_000] {
            assert_eq!(reschedule(&app, &debt, 1, weekly(count)).await.refusals(), ["INVALID input.plan.even.count"]);
        }
        assert_eq!(app.contents().await, before);
    }

    /// From one installment to a thousand and back, a new plan is the same few statements.
    async fn a_long_plan_costs_what_a_short_one_does(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let short = app.debt("INV-1").await;
        let long = app.change("createPayment", with(new_payment("INV-2"), json!({ "plan": weekly(1_000) }))).await.done();
        let mut statements = Vec::new();
        for (debt, version, count) in [(&short, 1, 1), (&short, 2, 1_000), (&long, 1, 1_000), (&long, 2, 1)] {
            statements.push(reschedule(&app, debt, version, weekly(count)).await.done().statements());
        }
        match backend {
            // BEGIN, the key, the payment, its installments, its revision, the write, COMMIT.
            Backend::Postgres | Backend::Pgvector => assert_eq!(statements, [7; 4]),
            // The same, and the payment, the plan, old and new installments, the event and the key apart.
            Backend::Sqlite => assert_eq!(statements, [12; 4]),
        }
    }
}
