//! Versions: nobody changes a payment that is not as they saw it.

use dermaga_tests::{Backend, TestApp, each_database, new_receipt, with};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::changes::every_change;

each_database! {
    /// A form that was open while somebody else worked is sent back with the payment as it is, and nothing is written.
    async fn a_stale_version_is_a_conflict(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let conflicts = std::cell::Cell::new(0);
        every_change(async |mutation, input| {
            if let Some(version) = input["expectedVersion"].as_i64() {
                let before = app.contents().await;
                for stale in [version - 1, version + 1, -1, i64::from(i32::MAX)] {
                    let input = with(input.clone(), json!({ "expectedVersion": stale }));
                    let refused = app.change(mutation, input).await;
                    assert_eq!(refused.refusals(), ["VERSION_CONFLICT input.expectedVersion"], "{mutation}");
                    assert_eq!(refused.at("/userErrors/0/currentVersion"), &json!(version));
                    let current = refused.at("/userErrors/0/current");
                    let query = format!("{{ payment(id: {}) {{ id version status outstanding {{ amount }} }} }}", current["id"]);
                    assert_eq!(app.graphql(&query).await.at("/payment"), current, "{mutation}");
                    assert_eq!(refused.at("/payment"), &Value::Null);
                }
                assert_eq!(app.contents().await, before, "{mutation}");
                conflicts.set(conflicts.get() + 1);
            }
            app.change(mutation, input).await
        })
        .await;
        assert_eq!(conflicts.get(), 8);
    }

    /// Of many who have seen the same version one is the first, whatever each wants to do.
    async fn one_of_many_is_the_first(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let debt = app.debt("INV-1").await;
        let seen = json!({ "expectedVersion": 1, "reason": "in a rush" });
        let id = debt.payment_id();
        let plan = json!({ "even": { "count": 4, "firstDueDate": "2027-01-31" } });
        let rush = [
            ("recordReceipt", with(new_receipt(&id, "5"), json!({ "expectedVersion": 1 }))),
            ("recordReceipt", with(new_receipt(&id, "6"), json!({ "expectedVersion": 1 }))),
            ("cancelPayment", with(seen.clone(), json!({ "id": id }))),
            ("writeOffPayment", with(seen.clone(), json!({ "id": id }))),
            ("reschedulePayment", with(seen.clone(), json!({ "id": id, "plan": plan }))),
            ("waiveInstallment", with(seen.clone(), json!({ "id": debt.installment_id(1) }))),
        ];
        let rush = join_all(rush.map(|(mutation, input)| app.change(mutation, input))).await;
        let won: Vec<_> = rush.iter().filter(|change| change.refusals().is_empty()).collect();
        assert_eq!(won.len(), 1, "{rush:#?}");
        for lost in rush.iter().filter(|change| !change.refusals().is_empty()) {
            assert_eq!(lost.refusals(), ["VERSION_CONFLICT input.expectedVersion"]);
            assert_eq!(lost.at("/userErrors/0/currentVersion"), &json!(2));
        }
        let query = format!("{{ payment(id: \"{id}\") {{ version events {{ chainValid nodes {{ type }} }} }} }}");
        let read = app.graphql(&query).await;
        assert_eq!((read.at("/payment/version"), read.at("/payment/events/chainValid")), (&json!(2), &json!(true)));
        assert_eq!(read.at("/payment/events/nodes/1/type"), won[0].at("/event/type"));
    }
}
