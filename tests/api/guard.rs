//! What a document may ask for, seen from outside.

use dermaga_tests::{Backend, TestApp, each_database};
use serde_json::json;

use crate::bad_documents::post;

const TOO_COMPLEX: &str = "OPERATION_TOO_COMPLEX";

/// What GraphiQL and most tools send to know the schema.
const INTROSPECTION: &str = include_str!("../../api/src/guard/introspection.graphql");

/// Sends a document that is refused with a code, and gives the words.
async fn refused(app: &TestApp, query: &str, code: &str) -> String {
    let answer = post(app, &json!({"query": query})).await;
    assert_eq!((answer.status, answer.codes()), (400, vec![code]), "{query}: {:#}", answer.body);
    assert!(answer.body.get("data").is_none(), "{query}: {:#}", answer.body);
    answer.body["errors"][0]["message"].as_str().unwrap().to_owned()
}

fn doubled(levels: usize) -> String {
    let fragments =
        (0..levels).map(|n| format!("fragment f{n} on Viewer {{ ...f{0} ...f{0} }} ", n + 1)).collect::<String>();
    format!("{{ viewer {{ ...f0 }} }} {fragments} fragment f{levels} on Viewer {{ account }}")
}

each_database! {
    /// Large pages of small things and small pages of large things pass; pages of pages of pages do not.
    async fn an_operation_has_a_cost(backend: Backend) {
        let app = TestApp::builder(backend).spawn().await.with_demo_payments(60).await;
        let screen = "{ payments(first: 50) { totalCount aggregates { byCurrency { currency amount { formatted } } } nodes {
            reference payerName status
            amount { amount currency formatted converted(into: \"EUR\") { to { formatted } rate { rate effectiveDate } } }
            outstanding { formatted converted(into: \"EUR\") { to { formatted } } }
            installments(first: 3) { nodes { sequence dueDate status amount { formatted } outstanding { formatted } } }
            lines {
                description quantity unit commodity { codeFormatted description(locale: \"id\") }
                unitPrice { formatted converted(into: \"EUR\") { to { formatted } } }
                total { formatted converted(into: \"EUR\") { to { formatted } } }
            }
        } } }";
        assert_eq!(app.graphql(screen).await.at("/payments/nodes").as_array().unwrap().len(), 50);
        let deep = "{ payments(first: 100) { nodes { installments(first: 100) { nodes {
            allocations(first: 100) { nodes { amount { amount } } } } } } } }";
        let words = refused(&app, deep, TOO_COMPLEX).await;
        assert!(words.ends_with("points of cost; at most 20000 may be asked for"), "{words}");
        assert_eq!(app.graphql(&deep.replace("100", "10")).await.codes(), Vec::<&str>::new());
    }

    /// What is twice as large with each line is refused at once, and the server goes on.
    async fn fragments_are_counted_as_often_as_they_are_spread(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for levels in [22, 35] {
            let words = refused(&app, &doubled(levels), TOO_COMPLEX).await;
            assert!(words.starts_with("there are "), "{words}");
        }
        assert_eq!(post(&app, &json!({"query": doubled(5)})).await.at("/viewer/account"), "demo");
    }

    /// Each limit is a setting.
    async fn limits_are_settings(backend: Backend) {
        let app = TestApp::builder(backend)
            .settings(|settings| {
                settings.max_aliases = Some("1".to_owned());
                settings.max_depth = Some("2".to_owned());
                settings.max_fields = Some("4".to_owned());
                settings.max_directives = Some("1".to_owned());
                settings.max_operations = Some("1".to_owned());
                settings.max_cost = Some("30".to_owned());
            })
            .spawn()
            .await;
        for fits in ["{ a: viewer { account } }", "{ viewer { a: account role @skip(if: true) subject } }"] {
            assert_eq!(post(&app, &json!({"query": fits})).await.status, 200, "{fits}");
        }
        for (query, words) in [
            ("{ a: viewer { b: account } }", "there are 2 aliases; at most 1 may be asked for"),
            ("{ currencyRate(base: \"EUR\", quote: \"IDR\") { ... on CurrencyRate { source { name } } } }",
             "there are 3 levels of fields; at most 2 may be asked for"),
            ("{ viewer { account role subject ... { role } } }",
             "there are 6 fields and fragments, each counted as often as it is spread; at most 4 may be asked for"),
            ("{ viewer { account @skip(if: true) role @skip(if: true) } }",
             "there are 2 directives; at most 1 may be asked for"),
            ("{ currencies { code name numeric } }", "there are 31 points of cost; at most 30 may be asked for"),
        ] {
            assert_eq!(refused(&app, query, TOO_COMPLEX).await, words);
        }
        let two = json!({"query": "query a { viewer { account } } query b { viewer { role } }", "operationName": "a"});
        assert_eq!(post(&app, &two).await.codes(), [TOO_COMPLEX]);
    }

    /// Tools get the schema where it may be had; elsewhere nobody does, whatever way is taken.
    async fn introspection_can_be_switched_off(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let schema = app.graphql(INTROSPECTION).await;
        assert!(schema.at("/__schema/types").as_array().unwrap().len() > 50);
        let app = TestApp::builder(backend).settings(|settings| settings.introspection = Some("false".to_owned()));
        let app = app.spawn().await;
        for query in [
            INTROSPECTION,
            "{ ...f } fragment f on Query { ... { schema: __schema { types { name } } } }",
        ] {
            let words = refused(&app, query, "INTROSPECTION_DISABLED").await;
            assert!(words.contains("introspection is off"), "{words}");
        }
        // A type may be null: there none is known.
        let answer = app.graphql("{ __type(name: \"Query\") { name fields { name } } ...f } fragment f on Query { x: __type(name: \"ID\") { name } }").await;
        assert_eq!(*answer.data(), json!({"__type": null, "x": null}));
        assert_eq!(app.graphql("{ __typename viewer { __typename } }").await.at("/viewer/__typename"), "Viewer");
    }

    /// A list of a type that does not exist makes the engine fail at its default value. It must not get there.
    async fn variables_of_unknown_types_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let words =
            refused(&app, "query ($v: [Colour] = [1]) { viewer { account } }", "GRAPHQL_VALIDATION_FAILED").await;
        assert_eq!(words, "the variable $v is of a type that is not known");
    }
}
