//! One of every mutation, so that what is true of all of them is tested on each.

use dermaga_tests::{Changed, TestApp, new_payment, new_receipt, with};
use serde_json::{Value, json};

/// Sends one of every mutation through `send`, which must let each succeed: the next one needs what it made.
pub(crate) async fn every_change(send: impl AsyncFn(&'static str, Value) -> Changed) {
    let debt = send("createPayment", new_payment("INV-1")).await.done();
    let some = send("createPayments", json!({ "payments": [new_payment("INV-2"), new_payment("INV-3")] })).await.done();
    let id = debt.payment_id();
    let at = |version: i64, more: Value| with(json!({ "expectedVersion": version, "reason": "a story" }), more);
    let receipt = with(new_receipt(&id, "500000"), json!({ "expectedVersion": 1, "externalReference": "BCA 17" }));
    let kept = send("recordReceipt", receipt).await.done();
    let amount = json!({ "amount": "1000.50", "currency": "IDR" });
    send("refundReceipt", at(2, json!({ "receiptId": kept.receipt_id(), "amount": amount }))).await.done();
    let bounced = send("recordReceipt", with(new_receipt(&id, "1"), json!({ "expectedVersion": 3 }))).await.done();
    send("reverseReceipt", at(4, json!({ "receiptId": bounced.receipt_id() }))).await.done();
    send("waiveInstallment", at(5, json!({ "id": debt.installment_id(2), "amount": "5" }))).await.done();
    let plan = json!({ "even": { "count": 2, "firstDueDate": "2027-06-01" } });
    send("reschedulePayment", at(6, json!({ "id": id, "plan": plan }))).await.done();
    send("cancelPayment", at(1, json!({ "id": some.text("/payments/0/id") }))).await.done();
    send("writeOffPayment", at(1, json!({ "id": some.text("/payments/1/id") }))).await.done();
}

/// All payments with all that is below them, as a text.
pub(crate) async fn whole_story(app: &TestApp) -> String {
    let query = "{ payments(first: 100) { nodes {
        id version status outstanding { amount } credit { amount } installments { nodes { id status } }
        receipts { nodes { id reversedAt } } refunds { nodes { id } } events { nodes { hash } chainValid }
    } } }";
    app.graphql(query).await.data().to_string()
}
