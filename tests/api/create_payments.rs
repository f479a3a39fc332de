//! Creating payments in bulk: all of them or none, at the price of a few.

use dermaga_tests::{Backend, Changed, TestApp, each_database, new_payment, rupiah, with};
use serde_json::{Value, json};

/// The input of so many payments, `BULK-0` and so on.
fn bulk(count: usize) -> Vec<Value> {
    (0..count).map(|at| new_payment(&format!("BULK-{at}"))).collect()
}

async fn create(app: &TestApp, payments: Vec<Value>) -> Changed {
    app.change("createPayments", json!({ "payments": payments })).await
}

fn references(created: &Changed) -> Vec<&str> {
    let payments = created.at("/payments").as_array().unwrap();
    payments.iter().map(|payment| payment["reference"].as_str().unwrap()).collect()
}

each_database! {
    /// The answer is in the order of the input, so that a program can match the two.
    async fn payments_keep_their_order(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let input = json!({ "payments": bulk(20), "idempotencyKey": "import of Monday" });
        let created = app.change("createPayments", input.clone()).await.done();
        assert_eq!(references(&created), bulk(20).iter().map(|input| &input["reference"]).collect::<Vec<_>>());
        let counts = app.contents().await;
        let count = |table: &str| counts[table];
        assert_eq!((count("payment"), count("installment"), count("payment_event")), (20, 60, 20));
        assert_eq!(count("idempotency_key"), 1);
        let again = app.change("createPayments", input).await.done();
        assert_eq!((again.at("/payments"), again.at("/replayed")), (created.at("/payments"), &json!(true)));
        assert_eq!(app.contents().await, counts);
    }

    /// One that is wrong stops all: each mistake is told, with the payment that it is in, and nothing is written.
    async fn all_of_them_or_none(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let there = app.debt("THERE").await;
        let before = app.contents().await;

        let mut payments = bulk(5);
        payments[2]["reference"] = "THERE".into();
        let refused = create(&app, payments).await;
        assert_eq!(refused.at("/userErrors/0/field"), &json!(["input", "payments", "2", "reference"]));
        assert_eq!(refused.refusals(), ["DUPLICATE input.payments.2.reference"]);
        assert_eq!(refused.text("/userErrors/0/existing/id"), there.payment_id());
        assert_eq!(refused.at("/payments"), &json!([]));

        let mut payments = bulk(6);
        payments[0]["amount"] = rupiah("-5");
        payments[1]["amount"] = rupiah("0.001");
        payments[3]["reference"] = "BULK-2".into();
        payments[4] = with(payments[4].clone(), json!({ "timeZone": "Java/Bandung", "payerName": "a\u{0}b" }));
        payments[5]["plan"] = json!({ "even": { "count": 0, "firstDueDate": "2027-01-01" } });
        // What cannot be read at all is told before the rest is looked at.
        assert_eq!(create(&app, payments.clone()).await.refusals(), ["INVALID input.payments.1.amount.amount"]);
        payments[1]["amount"] = rupiah("1");
        payments[1]["plan"] = json!({ "explicit": [{ "amount": "2", "dueDate": "2027-01-01" }] });
        let refused = create(&app, payments).await;
        assert_eq!(refused.refusals(), [
            "INVALID input.payments.0.amount.amount",
            "PLAN_SUM_MISMATCH input.payments.1.plan.explicit",
            "INVALID input.payments.3.reference",
            "INVALID input.payments.4.payerName",
            "INVALID input.payments.4.timeZone",
            "INVALID input.payments.5.plan.even.count",
        ]);
        assert_eq!(app.contents().await, before);
    }

    /// Five hundred payments are as few statements as two.
    async fn many_cost_what_few_do(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let few = create(&app, bulk(2)).await.done();
        let many = bulk(502).split_off(2);
        let many = create(&app, many).await.done();
        assert_eq!((references(&few).len(), references(&many).len()), (2, 500));
        assert_eq!((few.statements(), many.statements()), match backend {
            Backend::Postgres | Backend::Pgvector => (5, 5),
            Backend::Sqlite => (9, 9),
        });
        // Nor more when there is something to look up in each.
        let lines = json!([{ "hsCode": "0301", "description": "Fish", "quantity": "1", "unit": "t", "unitPrice": "9" }]);
        let with_lines = |count: usize| {
            let payments = (0..count).map(|at| new_payment(&format!("LINES-{count}-{at}")));
            payments.map(|payment| with(payment, json!({ "lines": lines }))).collect::<Vec<_>>()
        };
        let few = create(&app, with_lines(1)).await.done().statements();
        let many = create(&app, with_lines(500)).await.done().statements();
        assert_eq!((few, many), match backend {
            // The codes.
            Backend::Postgres | Backend::Pgvector => (6, 6),
            // And the lines.
            Backend::Sqlite => (11, 11),
        });
    }

    /// A request has an end: no more payments, and no more installments together, than one transaction should hold.
    async fn there_is_an_end_to_many(backend: Backend) {
        // An unoptimised server on a busy machine takes its time for the most that there may be.
        let patient = |settings: &mut dermaga_api::config::Settings| {
            settings.operation_timeout = Some("120".to_owned());
        };
        let app = TestApp::builder(backend).settings(patient).spawn().await;
        let before = app.contents().await;
        for count in [0, 501] {
            assert_eq!(create(&app, bulk(count)).await.refusals(), ["INVALID input.payments"], "{count} payments");
        }
        let mut payments = bulk(21);
        for payment in &mut payments {
            payment["plan"] = json!({ "even": { "count": 1_000, "firstDueDate": "2027-01-31", "frequency": "WEEKLY" } });
        }
        assert_eq!(create(&app, payments.clone()).await.refusals(), ["INVALID input.payments"]);
        assert_eq!(app.contents().await, before);
        payments.truncate(20);
        create(&app, payments).await.done();
        assert_eq!(app.contents().await["installment"], 20_000);
    }
}
