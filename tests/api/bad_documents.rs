//! Documents that are no good questions, and some that would end a server without a guard.

use dermaga_tests::{Answer, Backend, TestApp, each_database};
use serde_json::{Value, json};

const PARSE: &str = "GRAPHQL_PARSE_FAILED";
const BAD: &str = "BAD_REQUEST";
const VALIDATION: &str = "GRAPHQL_VALIDATION_FAILED";

/// Posts a body; with this media type the status tells whether the request was good.
pub(crate) async fn post(app: &TestApp, body: &Value) -> Answer {
    let request = app.client().post(format!("{}/graphql", app.address)).json(body);
    let response = request.header("accept", "application/graphql-response+json").send().await.unwrap();
    Answer { status: response.status().as_u16(), body: response.json().await.unwrap() }
}

async fn assert_refused(app: &TestApp, body: &Value, code: &str) {
    let answer = post(app, body).await;
    let what: String = body.to_string().chars().take(200).collect();
    assert_eq!(answer.status, 400, "{what}: {:#}", answer.body);
    assert!(answer.body.get("data").is_none(), "{what}: {:#}", answer.body);
    let codes = answer.codes();
    assert!((1..=5).contains(&codes.len()), "{} errors for {what}", codes.len());
    assert!(codes.iter().all(|found| *found == code), "{what}: {:#}", answer.body);
    for error in answer.body["errors"].as_array().unwrap() {
        let message = error["message"].as_str().unwrap();
        assert!(message.chars().count() <= 300, "{what}: {message}");
        for inside in ["pest", "-->", " | ", "expected ", ".rs", "Positioned", "async_graphql"] {
            let told = message.contains(inside) && code == PARSE;
            assert!(!told, "{what}: {message:?} tells of the parser");
        }
    }
    let alive = post(app, &json!({"query": "{ viewer { account } }"})).await;
    assert_eq!(alive.at("/viewer/account"), "demo", "after {what}");
}

/// A text of `depth` nested brackets in each place where a document may have brackets.
fn nested(depth: usize) -> Vec<String> {
    let lists = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let objects = format!("{}1{}", "{a:".repeat(depth), "}".repeat(depth));
    let parentheses = format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    let mut all = vec![format!("{}viewer{}", "{viewer".repeat(depth), "}".repeat(depth))];
    for value in [lists, objects, parentheses] {
        all.push(format!("query ($v: [Int] = {value}) {{ viewer {{ account }} }}"));
        all.push(format!("{{ payments(where: {value}) {{ totalCount }} }}"));
        all.push(format!("{{ viewer @include(if: {value}) {{ account }} }}"));
        all.push(format!("query @x(y: {value}) {{ viewer {{ account }} }}"));
        all.push(format!("fragment f on Viewer @x(y: {value}) {{ account }} {{ viewer {{ ...f }} }}"));
    }
    // Never closed.
    for open in ["[", "{", "("] {
        all.push(open.repeat(depth));
        all.push(format!("{{ payments(where: {}", open.repeat(depth)));
    }
    all
}

each_database! {
    /// What is no document, or does not fit the schema, is refused with a code and a place.
    async fn documents_that_make_no_sense(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let document = |text: &str| json!({"query": text});
        for text in [
            "",
            " ",
            "# a comment",
            "{",
            "}",
            "{ viewer { account }",
            "{ viewer(",
            "{ 1 }",
            "viewer",
            "\u{0}",
            "{ viewer { account } } }",
        ] {
            assert_refused(&app, &document(text), PARSE).await;
        }
        for text in [
            "{ \"viewer\" }",
            "{ viewer { account: } }",
            "{ payment(reference: \"open) { id } }",
            "query ($a) { viewer { account } }",
            "{ a: b: c }",
        ] {
            assert_refused(&app, &document(text), PARSE).await;
        }
        for text in [
            "{ colour }",
            "{ viewer }",
            "{ viewer { account { x } } }",
            "{ viewer { colour } }",
            "{ payments(colour: 1) { totalCount } }",
            "{ currencyRate(base: \"EUR\") { __typename } }",
            "query ($id: ID!) { node(id: $id) { id } }",
            "query ($id: Colour) { node(id: $id) { id } }",
            "{ node(id: $id) { id } }",
            "{ viewer @colour { account } }",
            "{ viewer { ...f } }",
            "{ viewer { ... on Payment { id } } }",
            "{ viewer { account account: role } }",
            "{ viewer { account } } { viewer { account } }",
            "mutation { payments { totalCount } }",
            "query a { viewer { account } } query a { viewer { role } }",
        ] {
            // The parser already refuses some; either way it is the document that is at fault.
            let answer = post(&app, &document(text)).await;
            let code = if answer.codes().first() == Some(&PARSE) { PARSE } else { VALIDATION };
            assert_refused(&app, &document(text), code).await;
        }
    }

    /// One answer cannot hold the events of a subscription; the error says what can.
    async fn subscriptions_need_a_stream(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        assert_refused(&app, &json!({"query": "subscription { rateUpdated(quotes: [\"IDR\"]) { rate } }"}), BAD).await;
    }

    /// Which operation is meant has to be clear.
    async fn operations_have_to_be_named(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let two = "query a { viewer { account } } query b { viewer { role } }";
        assert_refused(&app, &json!({"query": two}), VALIDATION).await;
        assert_refused(&app, &json!({"query": two, "operationName": "c"}), VALIDATION).await;
        assert_refused(&app, &json!({"query": two, "operationName": ""}), VALIDATION).await;
        assert_refused(&app, &json!({"query": "query a { viewer { account } }", "operationName": "b"}), VALIDATION)
            .await;
        let named = post(&app, &json!({"query": two, "operationName": "b"})).await;
        assert_eq!(named.data(), &json!({"viewer": {"role": "ADMIN"}}));
    }

    /// Variables have the types that they say, and all that are needed are there.
    async fn variables_fit_their_types(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let query =
            "query ($first: Int!, $where: PaymentWhere) { payments(first: $first, where: $where) { totalCount } }";
        for variables in [
            json!(null),
            json!({}),
            json!({"first": null}),
            json!({"where": null}),
            json!({"first": "1"}),
            json!({"first": 1.5}),
            json!({"first": 2_147_483_648_u32}),
            json!({"first": [1, 2]}),
            json!({"first": 1, "where": {"reference": {"contains": 1}}}),
            json!({"first": 1, "where": {"colour": 1}}),
            json!({"first": 1, "where": 1}),
            json!({"first": 1, "where": {"status": {"eq": "COLOUR"}}}),
        ] {
            assert_refused(&app, &json!({"query": query, "variables": variables}), VALIDATION).await;
        }
        let good = post(&app, &json!({"query": query, "variables": {"first": 1, "unused": [1]}})).await;
        assert_eq!(good.at("/payments/totalCount"), 0);
    }

    /// A document of 65 KB, or of a thousand and one words, is not read.
    async fn long_documents_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let padded = |bytes: usize| {
            let query = "{ viewer { account } }";
            format!("{query}{}", " ".repeat(bytes - query.len()))
        };
        assert_eq!(post(&app, &json!({"query": padded(65_536)})).await.at("/viewer/account"), "demo");
        assert_refused(&app, &json!({"query": padded(65_537)}), PARSE).await;
        assert_refused(&app, &json!({"query": padded(66_560)}), PARSE).await;
        // A thousand words, two of them brackets.
        let names = |count: usize| format!("{{ {} }}", "__typename ".repeat(count));
        assert_eq!(post(&app, &json!({"query": names(998)})).await.status, 200);
        assert_refused(&app, &json!({"query": names(999)}), PARSE).await;
        let errors = format!("{{ {} }}", (0..300).map(|n| format!("colour{n} ")).collect::<String>());
        assert_refused(&app, &json!({"query": errors}), VALIDATION).await;
    }

    /// Deep nesting overflows the parser's stack, which no process survives: it must not reach the parser.
    async fn deep_documents_are_refused_and_the_server_lives(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for depth in [41, 1_000, 2_000, 5_000, 20_000] {
            for text in nested(depth) {
                assert_refused(&app, &json!({"query": text}), PARSE).await;
            }
        }
        // What is just allowed reaches validation, which finds that it fits nothing.
        let deep = format!("{{ payments(where: {}1{}) {{ totalCount }} }}", "[".repeat(38), "]".repeat(38));
        let answer = post(&app, &json!({"query": deep})).await;
        assert_eq!(answer.codes(), [VALIDATION], "{:#}", answer.body);
    }

    /// Values in variables are JSON, whose depth has a bound too.
    async fn deep_variables_are_refused_and_the_server_lives(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for depth in [100, 128, 5_000, 100_000] {
            for (open, close) in [("[", "]"), ("{\"and\":[", "]}")] {
                let deep = format!("{}{}", open.repeat(depth), close.repeat(depth));
                let body = format!(
                    "{{\"query\": \"query ($w: PaymentWhere) {{ payments(where: $w) {{ totalCount }} }}\",
                       \"variables\": {{\"w\": {deep}}}}}"
                );
                let request = app.client().post(format!("{}/graphql", app.address)).body(body);
                let response = request.header("content-type", "application/json").send().await.unwrap();
                let answer = Answer { status: response.status().as_u16(), body: response.json().await.unwrap() };
                assert_eq!(answer.codes().len(), 1, "{depth} of {open}: {:#}", answer.body);
                let alive = post(&app, &json!({"query": "{ viewer { account } }"})).await;
                assert_eq!(alive.at("/viewer/account"), "demo", "after {depth} of {open}");
            }
        }
    }

    /// Fragments that lead back to themselves end in an error and not in a loop.
    async fn fragment_cycles_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for text in [
            "{ ...a } fragment a on Query { ...a }",
            "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
            "{ ...a } fragment a on Query { ...b } fragment b on Query { ...c } fragment c on Query { ...a }",
            "fragment a on Query { ... on Query { ...a } } { viewer { account } }",
            "{ commodity(code: \"18\") { ...b } } fragment b on Commodity { children { nodes { ...b } } }",
        ] {
            assert_refused(&app, &json!({"query": text}), VALIDATION).await;
        }
    }
}
