//! Overdue: what was due before a day, where the day is the payment's own.

use dermaga_tests::{Backend, TestApp, each_database, insert_payments};
use entity::payment;
use serde_json::{Value, json};

use crate::payment_details::story;

each_database! {
    /// On the due date itself nothing is overdue yet; what is paid never is again.
    async fn a_payment_is_overdue_from_the_day_after(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        story(&app).await;
        // Due on 16, 23 and 30 October and 6 November; the first is paid, of the second 80,000 is left.
        for (day, overdue, days) in [
            ("\"2026-10-16\"", "0.00", [0, 0, 0, 0]),
            ("\"2026-10-17\"", "0.00", [0, 0, 0, 0]),
            ("\"2026-10-23\"", "0.00", [0, 0, 0, 0]),
            ("\"2026-10-24\"", "80000.00", [0, 1, 0, 0]),
            ("\"2026-10-30\"", "80000.00", [0, 7, 0, 0]),
            ("null", "80000.00", [0, 7, 0, 0]),
            ("\"2026-10-31\"", "330000.00", [0, 8, 1, 0]),
            ("\"2027-01-01\"", "580000.00", [0, 70, 63, 56]),
        ] {
            let query = format!(
                "{{ payment(reference: \"P\") {{
                    isOverdue(asOf: {day}) overdue(asOf: {day}) {{ amount currency }}
                    installments {{ nodes {{ isOverdue(asOf: {day}) daysOverdue(asOf: {day}) }} }}
                    nextDue {{ sequence }}
                }} }}"
            );
            let nodes: Vec<_> = days.map(|days| json!({ "isOverdue": days > 0, "daysOverdue": days })).into();
            let expected = json!({
                "isOverdue": overdue != "0.00",
                "overdue": { "amount": overdue, "currency": "IDR" },
                "installments": { "nodes": nodes },
                "nextDue": { "sequence": 2 },
            });
            assert_eq!(app.graphql(&query).await.at("/payment"), &expected, "{day}");
        }
    }

    /// It is 30 October in Jakarta and in Los Angeles, and 31 October on Kiritimati: who owes there is late first.
    async fn the_day_is_that_of_the_payments_time_zone(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let zones = ["America/Los_Angeles", "Asia/Jakarta", "Pacific/Kiritimati"];
        let mut rows = Vec::new();
        for zone in zones {
            for day in ["2026-10-29", "2026-10-30", "2026-10-31"] {
                let (mut row, parts) = app.payment().reference(&format!("{zone} {day}")).first_due(day).rows();
                row.time_zone = zone.to_owned();
                rows.push((row, parts));
            }
        }
        insert_payments(&app.database, rows).await;
        let query = "{ payments(orderBy: [{field: REFERENCE}]) { nodes {
            reference isOverdue overdue { amount } nextDue { isOverdue daysOverdue }
        } } }";
        let answer = app.graphql(query).await;
        let expected: Vec<Value> = zones
            .into_iter()
            .flat_map(|zone| [(zone, "2026-10-29", 1), (zone, "2026-10-30", 0), (zone, "2026-10-31", -1)])
            .map(|(zone, day, late)| {
                let days = (late + i32::from(zone == "Pacific/Kiritimati")).max(0);
                json!({
                    "reference": format!("{zone} {day}"),
                    "isOverdue": days > 0,
                    "overdue": { "amount": if days > 0 { "1000000.00" } else { "0.00" } },
                    "nextDue": { "isOverdue": days > 0, "daysOverdue": days },
                })
            })
            .collect();
        assert_eq!(answer.at("/payments/nodes"), &Value::from(expected));
        // As of a given day the time zone has no say.
        let given = app.graphql("{ payments { nodes { isOverdue(asOf: \"2026-10-31\") } } }").await;
        let late = given.at("/payments/nodes").as_array().unwrap().iter().filter(|row| row["isOverdue"] == true);
        assert_eq!(late.count(), 6);
    }

    /// What was paid, called off or given up is not overdue, whatever its installments still say.
    async fn a_closed_payment_is_never_overdue(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let builder = |reference: &str| app.payment().reference(reference).first_due("2026-01-01");
        let (mut cancelled, cancelled_parts) = builder("CANCELLED").rows();
        (cancelled.status, cancelled.outstanding, cancelled.next_due_date) = (payment::Status::Cancelled, 0, None);
        let (mut given_up, given_up_parts) = builder("WRITTEN_OFF").rows();
        (given_up.status, given_up.outstanding, given_up.next_due_date) = (payment::Status::WrittenOff, 0, None);
        given_up.written_off = given_up.amount;
        let rows = vec![builder("PAID").paid().rows(), (cancelled, cancelled_parts), (given_up, given_up_parts)];
        insert_payments(&app.database, rows).await;
        let query = "{ payments { nodes {
            isOverdue overdue { amount } nextDue { sequence } installments { nodes { isOverdue daysOverdue } }
        } } }";
        let nothing = json!({
            "isOverdue": false, "overdue": { "amount": "0.00" }, "nextDue": null,
            "installments": { "nodes": [{ "isOverdue": false, "daysOverdue": 0 }] },
        });
        assert_eq!(app.graphql(query).await.at("/payments/nodes"), &json!([nothing, nothing, nothing]));
    }
}
