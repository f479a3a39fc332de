//! Undoing a receipt: what it had paid is owed again.

use dermaga_tests::{Backend, Changed, TestApp, each_database, new_receipt, with};
use serde_json::{Value, json};

const AMOUNTS: [&str; 5] = ["allocated", "outstanding", "received", "credit", "writtenOff"];

async fn record(app: &TestApp, payment: &str, amount: &str, more: Value) -> Changed {
    app.change("recordReceipt", with(new_receipt(payment, amount), more)).await.done()
}

async fn reverse(app: &TestApp, receipt: &Changed) -> Changed {
    let input = json!({ "receiptId": receipt.receipt_id(), "reason": "the transfer bounced" });
    app.change("reverseReceipt", input).await
}

each_database! {
    /// A receipt that bounced leaves the debt as it was, and its own row.
    async fn what_was_paid_is_owed_again(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let paid = record(&app, &debt.payment_id(), "500000", json!({})).await;
        let all = record(&app, &debt.payment_id(), "500000", json!({ "allowCredit": true })).await;
        assert_eq!(all.amounts(&AMOUNTS), "900000.00 0.00 1000000.00 100000.00 0.00");
        let reversed = reverse(&app, &paid).await.done();
        assert_eq!(reversed.amounts(&AMOUNTS), "400000.00 500000.00 500000.00 100000.00 0.00");
        assert_eq!((reversed.text("/payment/status"), reversed.version()), ("PARTIALLY_PAID", 4));
        assert_eq!(reversed.installments(), ["2026-11-30 PENDING 300000.00", "2026-12-30 PARTIALLY_PAID 200000.00"]);
        assert_eq!(reversed.text("/receipt/reversedAt"), "2026-10-30T12:00:00Z");
        assert_eq!((reversed.text("/event/type"), reversed.text("/event/reason")),
            ("RECEIPT_REVERSED", "the transfer bounced"));
        assert_eq!(reversed.event("before")["allocations"].as_array().unwrap().len(), 2);
        let rest = reverse(&app, &all).await.done();
        assert_eq!(rest.amounts(&AMOUNTS), "0.00 900000.00 0.00 0.00 0.00");
        assert_eq!(rest.text("/payment/status"), "OPEN");

        let query = format!("{{ payment(id: \"{}\") {{
            nextDue {{ dueDate }} events {{ chainValid }} installments {{ nodes {{ status settledAt }} }}
            receipts {{ nodes {{ amount {{ amount }} unallocated {{ amount }} allocations {{ amount {{ amount }} }} }} }}
        }} }}", debt.payment_id());
        let read = app.graphql(&query).await;
        let pending = json!({ "status": "PENDING", "settledAt": null });
        let row = json!({ "amount": { "amount": "500000.00" }, "unallocated": { "amount": "0.00" }, "allocations": [] });
        assert_eq!(read.at("/payment"), &json!({
            "nextDue": { "dueDate": "2026-11-30" }, "events": { "chainValid": true },
            "installments": { "nodes": [pending, pending, pending] }, "receipts": { "nodes": [row, row] },
        }));
    }

    /// Money leaves once: what was reversed or given back cannot be taken back again.
    async fn a_receipt_is_undone_once(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let paid = record(&app, &debt.payment_id(), "500000", json!({})).await;
        let refunded = record(&app, &debt.payment_id(), "1", json!({})).await;
        reverse(&app, &paid).await.done();
        let refund = json!({
            "receiptId": refunded.receipt_id(), "amount": { "amount": "0.01", "currency": "IDR" }, "reason": "a gift",
        });
        app.change("refundReceipt", refund).await.done();
        let before = app.contents().await;
        for receipt in [&paid, &refunded] {
            let refused = reverse(&app, receipt).await;
            assert_eq!(refused.refusals(), ["INVALID_STATE input.receiptId"]);
            assert_eq!(refused.text("/userErrors/0/status"), "PARTIALLY_PAID");
            assert_eq!(refused.at("/receipt"), &Value::Null);
        }
        assert_eq!(app.contents().await, before);
    }

    /// A payment that was given up stays given up: what bounces is given up as well.
    async fn what_was_given_up_stays_given_up(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let paid = record(&app, &debt.payment_id(), "200000", json!({})).await;
        let input = json!({ "id": debt.payment_id(), "expectedVersion": 2, "reason": "bankrupt" });
        app.change("writeOffPayment", input).await.done();
        let reversed = reverse(&app, &paid).await.done();
        assert_eq!(reversed.amounts(&AMOUNTS), "0.00 0.00 0.00 0.00 900000.00");
        assert_eq!(reversed.text("/payment/status"), "WRITTEN_OFF");
    }

    /// An installment that a newer plan closed at what it held is owed again on its old day.
    async fn what_an_old_plan_held_is_owed_again(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let paid = record(&app, &debt.payment_id(), "100000", json!({})).await;
        let plan = json!({ "even": { "count": 2, "firstDueDate": "2027-06-01" } });
        let input = json!({ "id": debt.payment_id(), "expectedVersion": 2, "reason": "a bad harvest", "plan": plan });
        app.change("reschedulePayment", input).await.done();
        let reversed = reverse(&app, &paid).await.done();
        assert_eq!(reversed.installments(), ["2026-11-30 PENDING 100000.00"]);
        assert_eq!(reversed.amounts(&AMOUNTS), "0.00 900000.00 0.00 0.00 0.00");
        assert_eq!(reversed.text("/payment/status"), "OPEN");
        let again = record(&app, &debt.payment_id(), "900000", json!({})).await;
        assert_eq!(again.installments(), [
            "2026-11-30 PAID 0.00", "2027-06-01 PAID 0.00", "2027-07-01 PAID 0.00",
        ]);
    }
}
