//! Giving money back: it opens no debt, and uses up what was paid too much first.

use dermaga_tests::{Backend, Changed, TestApp, each_database, money, new_receipt, rupiah, with};
use serde_json::{Value, json};

const AMOUNTS: [&str; 4] = ["outstanding", "received", "refunded", "credit"];

/// A payment that was paid with IDR 1,000,000: a hundred thousand too much.
async fn overpaid(app: &TestApp) -> Changed {
    let debt = app.debt("INV-1").await;
    let receipt = with(new_receipt(&debt.payment_id(), "1000000"), json!({ "allowCredit": true }));
    app.change("recordReceipt", receipt).await.done()
}

async fn refund(app: &TestApp, receipt: &Changed, amount: Value) -> Changed {
    let input = json!({ "receiptId": receipt.receipt_id(), "amount": amount, "reason": "paid too much" });
    app.change("refundReceipt", input).await
}

each_database! {
    /// The credit goes first, then what had paid the debt, which stays paid.
    async fn credit_is_given_back_first(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let paid = overpaid(&app).await;
        let first = refund(&app, &paid, rupiah("60000")).await.done();
        assert_eq!(first.amounts(&AMOUNTS), "0.00 1000000.00 60000.00 40000.00");
        assert_eq!((first.text("/payment/status"), first.text("/payment/refundStatus")), ("PAID", "PARTIAL"));
        assert_eq!((first.text("/refund/amount/amount"), first.text("/refund/reason")), ("60000.00", "paid too much"));
        assert_eq!((first.text("/event/type"), first.version()), ("RECEIPT_REFUNDED", 3));
        assert_eq!(first.event("after")["refund"]["id"], *first.at("/refund/id"));
        let second = refund(&app, &paid, rupiah("100000")).await.done();
        assert_eq!(second.amounts(&AMOUNTS), "0.00 1000000.00 160000.00 0.00");
        let last = refund(&app, &paid, rupiah("840000")).await.done();
        assert_eq!(last.amounts(&AMOUNTS), "0.00 1000000.00 1000000.00 0.00");
        assert_eq!((last.text("/payment/status"), last.text("/payment/refundStatus")), ("PAID", "FULL"));

        let query = format!("{{ payment(id: \"{}\") {{
            refunds(first: 2) {{
                nodes {{ id amount {{ amount }} reason createdAt receipt {{ id }} }} pageInfo {{ hasNextPage endCursor }}
            }}
        }} }}", paid.payment_id());
        let read = app.graphql(&query).await;
        let row = |of: &Changed, amount: &str| json!({
            "id": of.at("/refund/id"), "amount": { "amount": amount }, "reason": "paid too much",
            "createdAt": "2026-10-30T12:00:00Z", "receipt": { "id": paid.receipt_id() },
        });
        assert_eq!(read.at("/payment/refunds/nodes"), &json!([row(&first, "60000.00"), row(&second, "100000.00")]));
        assert_eq!(read.at("/payment/refunds/pageInfo/hasNextPage"), &json!(true));
        let node = app.graphql(&format!("{{ node(id: {}) {{ ... on Refund {{ reason }} }} }}", last.at("/refund/id"))).await;
        assert_eq!(node.text("/node/reason"), "paid too much");
    }

    /// No more is given back than came, in no other money than it came in, and nothing of what bounced.
    async fn no_more_is_given_back_than_came(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let paid = overpaid(&app).await;
        refund(&app, &paid, rupiah("999999")).await.done();
        let debt = app.debt("INV-2").await;
        let bounced = app.change("recordReceipt", new_receipt(&debt.payment_id(), "5")).await.done();
        let reverse = json!({ "receiptId": bounced.receipt_id(), "reason": "bounced" });
        app.change("reverseReceipt", reverse).await.done();
        let before = app.contents().await;
        for (receipt, amount, refusal) in [
            (&paid, rupiah("1.01"), "AMOUNT_EXCEEDS_OUTSTANDING input.amount.amount"),
            (&paid, rupiah(&"9".repeat(20)), "AMOUNT_EXCEEDS_OUTSTANDING input.amount.amount"),
            (&paid, rupiah("0"), "INVALID input.amount.amount"),
            (&paid, rupiah("-1"), "INVALID input.amount.amount"),
            (&paid, rupiah("0.001"), "INVALID input.amount.amount"),
            (&paid, money("1", "USD"), "CURRENCY_MISMATCH input.amount.currency"),
            (&bounced, rupiah("1"), "INVALID_STATE input.receiptId"),
        ] {
            let refused = refund(&app, receipt, amount.clone()).await;
            assert_eq!(refused.refusals(), [refusal], "{amount}");
            assert_eq!((refused.at("/refund"), refused.at("/payment")), (&Value::Null, &Value::Null));
        }
        assert_eq!(app.contents().await, before);
        let refused = refund(&app, &paid, rupiah("2")).await;
        assert_eq!(refused.at("/userErrors/0/outstanding"), &money("1.00", "IDR"));
        refund(&app, &paid, rupiah("1")).await.done();
        assert_eq!(refund(&app, &paid, rupiah("0.01")).await.refusals(), ["AMOUNT_EXCEEDS_OUTSTANDING input.amount.amount"]);
    }
}
