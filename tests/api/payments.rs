//! Payments.

use dermaga_tests::{Backend, TestApp, each_database};

each_database! {
    /// No N+1: what an operation costs depends on what it asks for, and not on how much there is.
    async fn statements_depend_on_the_shape_only(backend: Backend) {
        let app = TestApp::builder(backend).settings(|settings| {
            settings.max_page_size = Some("1000".to_owned());
            settings.max_cost = Some("10000000".to_owned());
            // A thousand payments with all that is below them take a while without optimisation.
            settings.operation_timeout = Some("60".to_owned());
        });
        let app = app.spawn().await.with_demo_payments(1_000).await;
        // Where a payment has nothing below it there is nothing to load: the single one must have everything.
        let partly_paid = app
            .graphql("{ payments(first: 100, where: {status: {eq: PARTIALLY_PAID}}) { nodes { reference receipts { nodes { allocations { amount { amount } } } } } } }")
            .await;
        let reference = partly_paid
            .at("/payments/nodes")
            .as_array()
            .unwrap()
            .iter()
            .find(|payment| payment.pointer("/receipts/nodes/0/allocations/0").is_some())
            .map(|payment| payment["reference"].as_str().unwrap().to_owned())
            .unwrap();
        let query = |arguments: &str| {
            format!(
                "{{ payments({arguments}) {{
                    totalCount
                    nodes {{
                        amount {{ converted(into: \"SEK\", on: \"2026-10-30\") {{ to {{ amount }} }} }}
                        nextDue {{ dueDate }}
                        installments(first: 3) {{
                            totalCount
                            nodes {{ payment {{ reference }} allocations {{ nodes {{ receipt {{ method }} }} }} }}
                        }}
                        receipts {{ nodes {{ allocations {{ amount {{ amount }} }} }} }}
                        plan {{ count }}
                        lines {{ commodity {{ ancestors {{ code }} }} }}
                    }}
                }} }}"
            )
        };
        let one = app.statements_during(&query(&format!("first: 1, where: {{reference: {{eq: \"{reference}\"}}}}"))).await;
        for first in [50, 1_000] {
            assert_eq!(app.statements_during(&query(&format!("first: {first}"))).await, one, "{first} payments");
        }
    }
}
