//! Fields that are resolved from a row at once say what their resolvers say.

use dermaga_tests::{Backend, TestApp, each_database};
use serde_json::{Value, json};

/// Every field of a type that needs no argument: scalars as they are, money with all that is in it.
async fn fields(app: &TestApp, of: &str) -> Vec<String> {
    let query = "query ($name: String!) { __type(name: $name) { fields { name args { type { kind } }
        type { kind name ofType { kind name } } } } }";
    let answer = app.graphql_with(query, json!({ "name": of })).await;
    let field = |field: &Value| {
        let name = field["name"].as_str().unwrap();
        let of = if field["type"]["kind"] == "NON_NULL" { &field["type"]["ofType"] } else { &field["type"] };
        match (of["kind"].as_str().unwrap(), of["name"].as_str().unwrap_or_default()) {
            ("SCALAR" | "ENUM", _) => Some(name.to_owned()),
            ("OBJECT", "Money") => {
                Some(format!("{name} {{ __typename amount currency minorUnits settlementDigits formatted }}"))
            }
            _ => None,
        }
    };
    answer.at("/__type/fields").as_array().unwrap().iter().filter_map(field).collect()
}

/// An answer as it is sent.
async fn raw(app: &TestApp, query: &str) -> String {
    let request = app.client().post(format!("{}/graphql", app.address)).json(&json!({ "query": query }));
    request.send().await.unwrap().text().await.unwrap()
}

each_database! {
    /// The same selection, written out, in fragments, and with a directive, which leaves an object to the engine.
    async fn every_field_is_the_same_by_row_and_by_resolver(backend: Backend) {
        let builder = TestApp::builder(backend).settings(|settings| settings.max_cost = Some("1000000".to_owned()));
        let app = builder.spawn().await.with_demo_payments(12).await;
        let (of_payment, of_installment) = (fields(&app, "Payment").await, fields(&app, "Installment").await);
        assert!(of_payment.len() > 15 && of_installment.len() > 10, "{of_payment:?} {of_installment:?}");
        let (payment, installment) = (of_payment.join("\n"), of_installment.join("\n"));
        let page_info = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }";
        let written = |sign: &str| format!("{{ payments(first: 12) {{
            nodes {{ __typename {sign} {payment} installments {{
                __typename {sign} {page_info} nodes {{ __typename {sign} {installment} }} edges {{ cursor {sign} node {{ {installment} __typename {sign} }} }} }} }}
            edges {{ cursor node {{ id {sign} {payment} installments {{ totalCount }} }} }} }} }}");
        let fragments = format!("{{ payments(first: 12) {{
            nodes {{ ... {{ ...P }} ... on Node {{ id }} installments {{
                __typename {page_info} nodes {{ ...I ... on Installment {{ id }} }} edges {{ cursor node {{ ...J __typename }} }} }} }}
            edges {{ cursor node {{ id ...Q installments {{ totalCount }} }} }} }} }}
            fragment P on Payment {{ __typename {payment} }}
            fragment Q on Payment {{ {payment} }}
            fragment J on Installment {{ {installment} }}
            fragment I on Installment {{ __typename {installment} }}");
        let by_row = app.graphql(&written("")).await;
        assert_eq!(by_row.at("/payments/nodes").as_array().unwrap().len(), 12);
        // The order of the fields is that of the selection, whatever of it was ready.
        let by_row = raw(&app, &written("")).await;
        assert_eq!(by_row, raw(&app, &written("@include(if: true)")).await);
        assert_eq!(by_row, raw(&app, &fragments).await);
    }

    /// Aliases, directives, one field twice and fields with arguments, which are no plain reading of a row.
    async fn other_selections_are_left_to_the_engine(backend: Backend) {
        let app = TestApp::spawn(backend).await.with_demo_payments(3).await;
        let answer = app.graphql_with("query ($no: Boolean!) { payments(first: 3) { nodes {
            number: reference version @skip(if: $no) status @include(if: $no)
            amount { amount } amount { currency } total: amount { words: formatted(locale: \"en\") amount }
            installments(first: 1) { nodes { due: dueDate outstanding { amount } outstanding { minorUnits } } }
        } } }", json!({ "no": true })).await;
        for payment in answer.at("/payments/nodes").as_array().unwrap() {
            let keys: Vec<_> = payment.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["amount", "installments", "number", "status", "total"]);
            assert_eq!(payment["amount"]["amount"], payment["total"]["amount"]);
            assert!(payment["amount"]["currency"].is_string() && payment["total"]["words"].is_string());
            let installment = &payment["installments"]["nodes"][0];
            assert!(installment["due"].is_string() && installment["outstanding"]["minorUnits"].is_number(), "{installment}");
            assert!(installment["outstanding"]["amount"].is_string());
        }
    }
}
