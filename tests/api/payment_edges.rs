//! Values at the edge of what a filter may hold.

use chrono::TimeDelta;
use dermaga_tests::{Backend, NOW, TestApp, each_database};
use serde_json::json;

each_database! {
    /// A text may hold a character that no row can: that finds nothing, and is no fault of the server.
    async fn a_null_character_finds_nothing(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        app.payment().reference("A").create(&app.database).await;
        for how in ["eq", "startsWith", "contains"] {
            let query = "query ($where: PaymentWhere) { payments(where: $where) { nodes { id } } }";
            let answer = app.graphql_with(query, json!({ "where": { "reference": { how: "A\0" } } })).await;
            assert_eq!(answer.at("/payments/nodes"), &json!([]), "{how}");
        }
        let query = "query ($reference: String) { payment(reference: $reference) { id } }";
        let answer = app.graphql_with(query, json!({ "reference": "A\0" })).await;
        assert_eq!(answer.at("/payment"), &json!(null));
    }

    /// The largest amount that a row can hold is below a bound that is larger still.
    async fn the_largest_amount_compares(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        app.payment().reference("MAX").installments(&[i64::MAX]).create(&app.database).await;
        for (filter, finds) in [
            ("eq: \"92233720368547758.07\"", true),
            ("gte: \"92233720368547758.07\"", true),
            ("lte: \"92233720368547758.07\"", true),
            ("gt: \"92233720368547758.06\"", true),
            ("lt: \"92233720368547758.08\"", true),
            ("lte: \"92233720368547758.08\"", true),
            ("lt: \"92233720368547758.07\"", false),
            ("gt: \"92233720368547758.07\"", false),
            ("eq: \"92233720368547758.08\"", false),
            ("gte: \"92233720368547758.08\"", false),
            ("gte: \"99999999999999999999\"", false),
            ("gte: \"92233720368547758.071\"", false),
        ] {
            let query = format!("{{ payments(where: {{amount: {{{filter}}}}}) {{ totalCount }} }}");
            assert_eq!(app.graphql(&query).await.at("/payments/totalCount"), i32::from(finds), "{filter}");
        }
    }

    /// Both databases keep microseconds; a bound between two of them falls on neither.
    async fn instants_compare_exactly(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for (reference, after) in [("A", 0), ("B", 1), ("C", 1_000_000)] {
            let at = NOW + TimeDelta::microseconds(after);
            app.payment().reference(reference).created_at(at).create(&app.database).await;
        }
        for (filter, expected) in [
            ("gte: \"2026-10-30T12:00:00Z\"", "A B C"),
            ("gte: \"2026-10-30T12:00:00.000001Z\"", "B C"),
            ("gte: \"2026-10-30T12:00:00.0000005Z\"", "B C"),
            ("gte: \"2026-10-30T12:00:00.0000015Z\"", "C"),
            ("lt: \"2026-10-30T12:00:00.0000005Z\"", "A"),
            ("lt: \"2026-10-30T12:00:00.0000015Z\"", "A B"),
            ("lt: \"2026-10-30T12:00:00.999999999Z\"", "A B"),
            ("gte: \"0001-01-01T00:00:00Z\"", "A B C"),
            ("lt: \"9999-12-31T23:59:59.9999999Z\"", "A B C"),
        ] {
            let query = format!(
                "{{ payments(orderBy: [{{field: REFERENCE}}], where: {{createdAt: {{{filter}}}}}) {{
                    nodes {{ reference }}
                }} }}"
            );
            let answer = app.graphql(&query).await;
            let rows = answer.at("/payments/nodes").as_array().unwrap();
            let found: Vec<_> = rows.iter().map(|row| row["reference"].as_str().unwrap()).collect();
            assert_eq!(found.join(" "), expected, "{filter}");
        }
        // The years that these fall in, in UTC, have no four digits.
        for beyond in ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"] {
            let query = format!("{{ payments(where: {{createdAt: {{lt: \"{beyond}\"}}}}) {{ nodes {{ id }} }} }}");
            assert_eq!(app.graphql(&query).await.codes(), ["INVALID_DATE"], "{beyond}");
        }
    }
}
