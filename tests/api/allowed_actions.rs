//! `allowedActions` says what would be accepted, and nothing else, in every state that a payment can reach.

use std::collections::BTreeSet;

use dermaga_tests::{Backend, Changed, TestApp, each_database, new_receipt, rupiah, with};
use proptest::prelude::any;
use serde_json::{Value, json};

use crate::walk::Seeded;

/// A payment as its next change needs it.
struct Seen {
    id: String,
    version: i64,
    allowed: BTreeSet<String>,
    installments: Vec<String>,
    receipts: Vec<String>,
}

impl Seen {
    async fn of(app: &TestApp, id: &str) -> Self {
        let query = format!(
            "{{ payment(id: \"{id}\") {{
                version allowedActions installments(first: 100) {{ nodes {{ id }} }} receipts(first: 100) {{ nodes {{ id }} }}
            }} }}"
        );
        let answer = app.graphql(&query).await;
        let texts = |pointer: &str| {
            let nodes = answer.at(pointer).as_array().unwrap().iter();
            nodes.map(|node| node["id"].as_str().unwrap().to_owned()).collect()
        };
        let allowed = answer.at("/payment/allowedActions").as_array().unwrap().iter();
        Self {
            id: id.to_owned(),
            version: answer.at("/payment/version").as_i64().unwrap(),
            allowed: allowed.map(|action| action.as_str().unwrap().to_owned()).collect(),
            installments: texts("/payment/installments/nodes"),
            receipts: texts("/payment/receipts/nodes"),
        }
    }

    /// Sensible changes of each kind: of a kind that needs something below the payment, one for each such thing.
    fn changes(&self, amount: &str) -> Vec<(&'static str, &'static str, Value)> {
        let at = |more: Value| with(json!({ "expectedVersion": self.version, "reason": "a test" }), more);
        let plan = json!({ "even": { "count": 1, "firstDueDate": "2027-01-31" } });
        let mut changes = vec![
            ("RESCHEDULE", "reschedulePayment", at(json!({ "id": self.id, "plan": plan }))),
            ("RECORD_RECEIPT", "recordReceipt", with(new_receipt(&self.id, amount), json!({ "allowCredit": true }))),
            ("CANCEL", "cancelPayment", at(json!({ "id": self.id }))),
            ("WRITE_OFF", "writeOffPayment", at(json!({ "id": self.id }))),
        ];
        for id in &self.receipts {
            changes.push(("REVERSE_RECEIPT", "reverseReceipt", at(json!({ "receiptId": id }))));
            changes.push(("REFUND", "refundReceipt", at(json!({ "receiptId": id, "amount": rupiah("0.01") }))));
        }
        for id in &self.installments {
            changes.push(("WAIVE", "waiveInstallment", at(json!({ "id": id, "amount": "0.01" }))));
        }
        changes
    }

    /// The actions of which a dry run of at least one change is accepted.
    async fn accepted(&self, app: &TestApp) -> BTreeSet<String> {
        let mut accepted = BTreeSet::new();
        for (action, mutation, input) in self.changes("0.01") {
            let dry: Changed = app.change(mutation, with(input, json!({ "dryRun": true }))).await;
            match dry.refusals().as_slice() {
                [] => {
                    accepted.insert(action.to_owned());
                }
                [refusal] => {
                    let about_the_state = ["INVALID_STATE ", "AMOUNT_EXCEEDS_OUTSTANDING "];
                    assert!(about_the_state.iter().any(|code| refusal.starts_with(code)), "{action}: {refusal}");
                }
                more => panic!("{action}: {more:?}"),
            }
        }
        accepted
    }
}

each_database! {
    /// A button that does nothing, or one that is missing, is a fault of the server: in random stories of payments,
    /// what is allowed is what is accepted, after each change.
    async fn what_is_allowed_is_what_is_accepted(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let mut seeded = Seeded::new();
        let mut states = BTreeSet::new();
        let mut story = 0;
        // A few stories may all be alike; many cannot.
        while story < 4 || (states.len() <= 2 && story < 40) {
            story += 1;
            let debt = app.debt(&format!("INV-{story}")).await;
            for _ in 0..8 {
                let seen = Seen::of(&app, &debt.payment_id()).await;
                assert_eq!(seen.accepted(&app).await, seen.allowed, "{} at version {}", seen.id, seen.version);
                states.insert(seen.allowed.clone());
                let amount = ["100000", "300000", "900000", "0.01"][seeded.value(&(0..4_usize))];
                let changes = seen.changes(amount);
                let (_, mutation, input) = changes[seeded.value(&any::<proptest::sample::Index>()).index(changes.len())].clone();
                // It may be refused: then the payment is as it was.
                app.change(mutation, input).await.refusals();
            }
        }
        assert!(states.len() > 2, "only {states:?} were seen");
    }

    /// Each state with a name has its actions.
    async fn each_state_has_its_actions(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let ended = |id: &str| json!({ "id": id, "expectedVersion": 1, "reason": "a test" });
        for (state, actions) in [
            ("OPEN", vec!["RESCHEDULE", "RECORD_RECEIPT", "WAIVE", "CANCEL", "WRITE_OFF"]),
            ("PARTIALLY_PAID", vec!["RESCHEDULE", "RECORD_RECEIPT", "REVERSE_RECEIPT", "REFUND", "WAIVE", "WRITE_OFF"]),
            ("PAID", vec!["RECORD_RECEIPT", "REVERSE_RECEIPT", "REFUND"]),
            ("CANCELLED", vec![]),
            ("WRITTEN_OFF", vec![]),
        ] {
            let id = app.debt(state).await.payment_id();
            let change = match state {
                "PARTIALLY_PAID" => Some(("recordReceipt", new_receipt(&id, "5"))),
                "PAID" => Some(("recordReceipt", new_receipt(&id, "900000"))),
                "CANCELLED" => Some(("cancelPayment", ended(&id))),
                "WRITTEN_OFF" => Some(("writeOffPayment", ended(&id))),
                _ => None,
            };
            if let Some((mutation, input)) = change {
                app.change(mutation, input).await.done();
            }
            let answer = app.graphql(&format!("{{ payment(id: \"{id}\") {{ status allowedActions }} }}")).await;
            assert_eq!(answer.at("/payment"), &json!({ "status": state, "allowedActions": actions }));
        }
    }
}
