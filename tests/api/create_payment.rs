//! Creating a payment: all that a client says of it is there afterwards, and nothing of a refused one.

use dermaga_tests::{Backend, TestApp, each_database, money, new_payment, rupiah, with};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// What the longest plan must not cost more than the shortest. SQLite, to which there is no round trip, is sent one
/// statement for each table.
fn statements_of_a_creation(backend: Backend) -> u64 {
    match backend {
        // BEGIN, the key, the reference, the write, COMMIT.
        Backend::Postgres | Backend::Pgvector => 5,
        // The same, with the payment, its plan, its installments, its event and the key one by one.
        Backend::Sqlite => 9,
    }
}

each_database! {
    /// What is created can be read, each value as it was sent, under the id that was answered.
    async fn a_payment_is_created_whole(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let lines = json!([
            { "hsCode": "0301.11", "description": "Live fish", "quantity": "12.5", "unit": "kg", "unitPrice": "70000" },
            { "description": "Ice", "quantity": "0.333", "unit": "box", "unitPrice": "0.15" },
        ]);
        let more = json!({
            "payerName": "PT Samudra", "description": "Fish\nand ice", "timeZone": "Asia/Jayapura", "lines": lines,
            "clientMutationId": "form 7",
        });
        let created = app.change("createPayment", with(new_payment("INV-1"), more)).await.done();
        assert_eq!(created.amounts(&["amount", "outstanding", "received"]), "900000.00 900000.00 0.00");
        assert_eq!((created.text("/payment/status"), created.version()), ("OPEN", 1));
        assert_eq!(created.installments(), [
            "2026-11-30 PENDING 300000.00", "2026-12-30 PENDING 300000.00", "2027-01-30 PENDING 300000.00",
        ]);
        assert_eq!((created.at("/replayed"), created.at("/dryRun")), (&json!(false), &json!(false)));
        assert_eq!(created.text("/clientMutationId"), "form 7");

        let query = format!("{{ payment(id: \"{}\") {{
            reference payerName description timeZone createdAt updatedAt
            nextDue {{ dueDate }}
            plan {{ revision frequency count remainder roundingUnit previous {{ revision }} }}
            installments {{ totalCount nodes {{ id sequence }} }}
            lines {{ commodity {{ code }} description quantity unit unitPrice {{ amount }} total {{ amount }} }}
            events {{ nodes {{ sequence type actor reason before prevHash hash }} chainValid }}
        }} }}", created.payment_id());
        let answer = app.graphql(&query).await;
        let read = answer.at("/payment");
        assert_eq!(read["reference"], "INV-1");
        assert_eq!((&read["payerName"], &read["description"]), (&json!("PT Samudra"), &json!("Fish\nand ice")));
        assert_eq!((&read["timeZone"], &read["createdAt"]), (&json!("Asia/Jayapura"), &json!("2026-10-30T12:00:00Z")));
        assert_eq!((&read["nextDue"]["dueDate"], &read["updatedAt"]), (&json!("2026-11-30"), &read["createdAt"]));
        assert_eq!(read["plan"], json!({
            "revision": 1, "frequency": "MONTHLY", "count": 3, "remainder": "LAST", "roundingUnit": "1.00",
            "previous": null,
        }));
        let ids = read["installments"]["nodes"].as_array().unwrap().iter().map(|row| row["id"].clone());
        assert_eq!(ids.collect::<Vec<_>>(), created.installment_ids());
        // 0.333 × 0.15 is 0.04995, which is nearer to 0.05.
        assert_eq!(read["lines"], json!([
            {
                "commodity": { "code": "030111" }, "description": "Live fish", "quantity": "12.5", "unit": "kg",
                "unitPrice": { "amount": "70000.00" }, "total": { "amount": "875000.00" },
            },
            {
                "commodity": null, "description": "Ice", "quantity": "0.333", "unit": "box",
                "unitPrice": { "amount": "0.15" }, "total": { "amount": "0.05" },
            },
        ]));
        let hash = created.text("/event/hash");
        assert_eq!(read["events"], json!({ "chainValid": true, "nodes": [{
            "sequence": "1", "type": "PAYMENT_CREATED", "actor": "local", "reason": null, "before": null,
            "prevHash": "0".repeat(64), "hash": hash,
        }] }));
        assert!(hash.len() == 64 && created.text("/event/requestId").len() > 8);
    }

    /// Without a plan all of it is due today, and today is a day of the payment's own time zone.
    async fn without_a_plan_it_is_due_today(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for (zone, today) in [(None, "2026-10-30"), (Some("Pacific/Auckland"), "2026-10-31")] {
            let mut input = json!({ "reference": format!("INV-{today}"), "amount": money("10.01", "USD") });
            if let Some(zone) = zone {
                input["timeZone"] = zone.into();
            }
            let created = app.change("createPayment", input).await.done();
            assert_eq!(created.installments(), [format!("{today} PENDING 10.01")]);
            assert_eq!(created.text("/installments/0/kind"), "BALANCE");
            assert_eq!(created.text("/payment/timeZone"), zone.unwrap_or("Asia/Jakarta"));
        }
    }

    /// A deposit, percentages and amounts one by one are the plans that the preview shows.
    async fn every_kind_of_plan_can_be_agreed_to(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let plans = [
            (
                json!({ "even": { "count": 2, "firstDueDate": "2027-01-31", "deposit": "100000.50", "remainder": "FIRST" } }),
                ["2027-01-31 PENDING 100000.50", "2027-02-28 PENDING 450000.50", "2027-03-31 PENDING 450000.00"],
            ),
            (
                json!({ "percentages": { "items": [
                    { "percent": "33.33", "dueDate": "2027-01-01" }, { "percent": "33.33", "dueDate": "2027-02-01" },
                    { "percent": "33.34", "dueDate": "2027-03-01" },
                ] } }),
                ["2027-01-01 PENDING 333300.00", "2027-02-01 PENDING 333301.00", "2027-03-01 PENDING 333400.00"],
            ),
            (
                json!({ "explicit": [
                    { "amount": "1", "dueDate": "2027-03-01", "kind": "BALANCE" },
                    { "amount": "1000000", "dueDate": "2027-01-01" }, { "amount": "0", "dueDate": "2027-02-01" },
                ] }),
                ["", "", ""],
            ),
        ];
        for (at, (plan, expected)) in plans.into_iter().enumerate() {
            let amount = if at == 0 { "1000001" } else { "1000001.00" };
            let input = json!({ "reference": format!("INV-{at}"), "amount": rupiah(amount), "plan": plan });
            let created = app.change("createPayment", input).await;
            if expected[0].is_empty() {
                assert_eq!(created.refusals(), ["INVALID input.plan.explicit.2.amount"]);
            } else {
                assert_eq!(created.done().installments(), expected);
            }
        }
    }

    /// A thousand installments are as few statements as one.
    async fn a_long_plan_costs_what_a_short_one_does(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for count in [1, 2, 1_000] {
            let plan = json!({ "even": { "count": count, "firstDueDate": "2027-01-31", "frequency": "WEEKLY" } });
            let more = json!({ "reference": format!("INV-{count}"), "plan": plan });
            let created = app.change("createPayment", with(new_payment("-"), more)).await.done();
            assert_eq!(created.installment_ids().len(), count);
            assert_eq!(created.statements(), statements_of_a_creation(backend), "{count} installments");
        }
    }

    /// A reference names one payment of the account: the second is told which.
    async fn a_reference_is_taken_once(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let first = app.debt("INV-1").await;
        let before = app.contents().await;
        let second = app.change("createPayment", new_payment("INV-1")).await;
        assert_eq!(second.refusals(), ["DUPLICATE input.reference"]);
        assert_eq!(second.at("/userErrors/0/existing/id"), &json!(first.payment_id()));
        assert_eq!((second.at("/payment"), second.at("/event")), (&Value::Null, &Value::Null));
        assert_eq!(app.contents().await, before);
    }

    /// Two who ask first at once are not both answered that nobody was there.
    async fn a_reference_is_taken_once_in_a_rush(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let rush = join_all((0..8).map(|_| app.change("createPayment", new_payment("INV-1")))).await;
        let (won, lost): (Vec<_>, Vec<_>) = rush.iter().partition(|created| created.refusals().is_empty());
        assert_eq!((won.len(), lost.len()), (1, 7));
        for lost in lost {
            assert_eq!(lost.refusals(), ["DUPLICATE input.reference"]);
            assert_eq!(lost.text("/userErrors/0/existing/id"), won[0].payment_id());
        }
        assert_eq!(app.contents().await["payment"], 1);
    }
}
