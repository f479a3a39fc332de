//! What a client may not ask: each case with its code and its HTTP status, and a server that goes on answering.

use crate::bad_documents::post;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dermaga_tests::{Answer, Backend, TestApp, each_database};
use serde_json::{Value, json};

/// A request that must be refused.
struct Case {
    query: String,
    variables: Value,
    code: &'static str,
    status: u16,
}

/// Nothing runs: with `application/graphql-response+json` the status says so.
fn refused(query: impl Into<String>, code: &'static str) -> Case {
    Case { query: query.into(), variables: Value::Null, code, status: 400 }
}

/// A field fails, or its arguments do when they are read: the answer is a GraphQL answer without data.
fn failed(query: impl Into<String>, code: &'static str) -> Case {
    Case { status: 200, ..refused(query, code) }
}

impl Case {
    fn with(self, variables: Value) -> Self {
        Self { variables, ..self }
    }
}

/// Words that tell a client how the server is made.
const INTERNALS: [&str; 14] = [
    "select ",
    " from k",
    "sqlite",
    "postgres",
    "sqlx",
    "sea_orm",
    "sea-orm",
    "pest",
    ".rs",
    "/src/",
    "panicked",
    "constraint",
    "syntax error at",
    "stack backtrace",
];

/// An error has a code, few and short words, and tells nothing of the inside.
#[track_caller]
fn assert_discreet(answer: &Answer, what: &str) {
    let errors = answer.body["errors"].as_array().unwrap_or_else(|| panic!("no errors for {what}: {:#}", answer.body));
    assert!((1..=5).contains(&errors.len()), "{} errors for {what}", errors.len());
    for error in errors {
        let message = error["message"].as_str().unwrap();
        assert!(!message.is_empty() && message.chars().count() <= 300, "{what}: {message}");
        let lower = message.to_lowercase();
        for inside in INTERNALS {
            assert!(!lower.contains(inside), "{what}: {message:?} tells of {inside:?}");
        }
        assert!(error["extensions"]["code"].is_string(), "{what}: {error}");
    }
}

async fn assert_all_refused(app: &TestApp, cases: Vec<Case>) {
    for case in cases {
        let answer = post(app, &json!({"query": case.query, "variables": case.variables})).await;
        let start: String = case.query.chars().take(200).collect();
        let what = format!("{start} with {:.200}", case.variables.to_string());
        assert_discreet(&answer, &what);
        assert!(answer.codes().iter().all(|code| *code == case.code), "{what}: {:#}", answer.body);
        assert_eq!(answer.status, case.status, "{what}: {:#}", answer.body);
        assert_eq!(answer.body.get("data").is_some(), case.status == 200, "{what}: {:#}", answer.body);
        assert_alive(app, &what).await;
    }
}

/// A good question is still answered.
async fn assert_alive(app: &TestApp, after: &str) {
    let answer =
        post(app, &json!({"query": "{ payments(first: 1) { nodes { reference } } viewer { account } }"})).await;
    assert_eq!(answer.status, 200, "after {after}");
    assert_eq!(answer.at("/viewer/account"), "demo", "after {after}");
}

/// A filter with `not` in `not`.
fn nested_not(depth: usize) -> String {
    format!("{}status: {{eq: OPEN}}{}", "not: {".repeat(depth), "}".repeat(depth))
}

fn rate(arguments: &str) -> String {
    format!("{{ currencyRate({arguments}) {{ __typename }} }}")
}

fn convert(amount: &str, currency: &str) -> String {
    let money = format!("amount: {amount}, currency: \"{currency}\"");
    format!("{{ convert(amount: {{{money}}}, to: \"IDR\", date: \"2026-10-30\") {{ to {{ amount }} }} }}")
}

each_database! {
    /// An id is one that the server gave out, or an error with a code; an unknown one is null and no error.
    async fn ids(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let node = "query ($id: ID!) { node(id: $id) { id } }";
        let zeros = "0".repeat(32);
        let mut cases = Vec::new();
        let malformed = [
            String::new(),
            "pay".into(),
            "pay_".into(),
            "pay_1".into(),
            format!("xyz_{zeros}"),
            format!("pay_{zeros}0"),
            format!("PAY_{zeros}"),
            format!("pay_{}", "g".repeat(32)),
            "com_18x".into(),
            "com_1801000000".into(),
            "ins_00000000-0000-0000-0000-000000000000".into(),
            "pay_\u{0}".into(),
            "💥".repeat(50),
            "a".repeat(10_000),
            "' OR 1=1 --".into(),
        ];
        for id in &malformed {
            cases.push(failed(node, "INVALID_ID").with(json!({"id": id})));
        }
        cases.push(failed("{ nodes(ids: [\"com_1801\", \"nonsense\"]) { id } }", "INVALID_ID"));
        cases.push(
            failed("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", "INVALID_PAGE")
                .with(json!({"ids": vec!["com_18"; 101]})),
        );
        cases.push(failed(format!("{{ payment(id: \"ins_{zeros}\") {{ id }} }}"), "INVALID_ID"));
        cases.push(failed("{ payments(where: {id: {in: [\"com_18\"]}}) { totalCount } }", "INVALID_ID"));
        cases.push(failed("{ payment { id } }", "BAD_USER_INPUT"));
        cases.push(failed(format!("{{ payment(id: \"pay_{zeros}\", reference: \"A\") {{ id }} }}"), "BAD_USER_INPUT"));
        assert_all_refused(&app, cases).await;

        let unknown = [format!("pay_{zeros}"), format!("ins_{zeros}"), format!("rec_{zeros}"), "com_99".into()];
        let answer =
            app.graphql_with("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": unknown})).await;
        assert_eq!(answer.at("/nodes"), &json!([null, null, null, null]));
        let answer = app.graphql("{ payment(reference: \"no such reference\") { id } }").await;
        assert_eq!(answer.at("/payment"), &Value::Null);
    }

    /// A page has a size, one end to count from, and a cursor of its own list.
    async fn pages_and_cursors(backend: Backend) {
        let app = TestApp::spawn(backend).await.with_demo_payments(20).await;
        let end = async |list: &str| {
            let answer = app.graphql(&format!("{{ {list} {{ pageInfo {{ endCursor }} }} }}")).await;
            let name = list.split('(').next().unwrap();
            answer.text(&format!("/{name}/pageInfo/endCursor")).to_owned()
        };
        let newest = end("payments(first: 2)").await;
        let by_reference = end("payments(first: 2, orderBy: [{field: REFERENCE}])").await;
        let ascending = end("payments(first: 2, orderBy: [{field: CREATED_AT}])").await;
        let filtered = end("payments(first: 2, where: {currency: {in: [\"IDR\", \"USD\"]}})").await;
        let commodity = end("commodities(first: 2)").await;
        let below = app.graphql("{ commodity(code: \"18\") { children(first: 2) { pageInfo { endCursor } } } }").await;
        let child = below.text("/commodity/children/pageInfo/endCursor").to_owned();

        let payments = |arguments: &str| format!("{{ payments({arguments}) {{ nodes {{ id }} }} }}");
        let mut cases = Vec::new();
        for size in ["0", "101", "-1", "2147483647", "-2147483648"] {
            cases.push(failed(payments(&format!("first: {size}")), "INVALID_PAGE"));
            cases.push(failed(payments(&format!("last: {size}")), "INVALID_PAGE"));
            cases.push(failed(format!("{{ commodities(first: {size}) {{ nodes {{ id }} }} }}"), "INVALID_PAGE"));
            let children = format!("{{ commodity(code: \"18\") {{ children(first: {size}) {{ nodes {{ id }} }} }} }}");
            cases.push(failed(children, "INVALID_PAGE"));
        }
        cases.push(failed(payments("first: 1, last: 1"), "INVALID_PAGE"));
        for size in ["2147483648", "-2147483649", "1.5", "\"1\""] {
            cases.push(refused(payments(&format!("first: {size}")), "GRAPHQL_VALIDATION_FAILED"));
        }
        let forged = |parts: Value| URL_SAFE_NO_PAD.encode(parts.to_string());
        let zeros = "0".repeat(32);
        let malformed = [
            String::new(),
            "?".into(),
            "AAAA".into(),
            "W10".into(),
            "===".into(),
            "💥".into(),
            "A".repeat(3_000),
            newest[1..].to_owned(),
            format!("{newest}A"),
            newest.to_lowercase(),
            forged(json!({})),
            forged(json!([1, 2])),
        ];
        for cursor in &malformed {
            let query = "query ($after: String) { payments(after: $after) { nodes { id } } }";
            cases.push(failed(query, "INVALID_CURSOR").with(json!({"after": cursor})));
            let query = "query ($before: String) { payments(before: $before) { nodes { id } } }";
            cases.push(failed(query, "INVALID_CURSOR").with(json!({"before": cursor})));
        }
        // Right in shape and fingerprint, and with values that no list has.
        for (order, values) in [
            ("REFERENCE", json!(["a\u{0}b"])),
            ("REFERENCE", json!([])),
            ("NEXT_DUE_DATE", json!(["0", "-99999-01-01", zeros])),
            ("NEXT_DUE_DATE", json!(["0", "2026-02-30", zeros])),
            ("CREATED_AT", json!(["2026-10-30", zeros])),
            ("CREATED_AT", json!(["2026-10-30T00:00:00Z", "0"])),
            ("AMOUNT", json!(["IDR", "9223372036854775808", zeros])),
            ("AMOUNT", json!(["I\u{0}", "1", zeros])),
        ] {
            let list = format!("orderBy: [{{field: {order}}}]");
            let good = end(&format!("payments(first: 2, {list})")).await;
            let mut parts: Vec<Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(good).unwrap()).unwrap();
            parts.truncate(1);
            parts.extend(values.as_array().unwrap().iter().cloned());
            let cursor = forged(Value::from(parts));
            cases.push(failed(payments(&format!("{list}, after: \"{cursor}\"")), "INVALID_CURSOR"));
        }
        // Each of these is a good cursor of another list.
        for (arguments, cursor) in [
            ("first: 2", &by_reference),
            ("first: 2", &ascending),
            ("first: 2", &filtered),
            ("first: 2", &commodity),
            ("orderBy: [{field: REFERENCE}]", &newest),
            ("where: {currency: {in: [\"IDR\"]}}", &filtered),
            ("where: {currency: {in: [\"IDR\"]}}", &newest),
        ] {
            cases.push(failed(payments(&format!("{arguments}, after: \"{cursor}\"")), "INVALID_CURSOR"));
        }
        for arguments in [
            format!("after: \"{newest}\""),
            format!("after: \"{child}\""),
            format!("search: \"a\", after: \"{commodity}\""),
        ] {
            cases.push(failed(format!("{{ commodities({arguments}) {{ nodes {{ id }} }} }}"), "INVALID_CURSOR"));
        }
        for cursor in [&child, &commodity] {
            let query =
                format!("{{ commodity(code: \"09\") {{ children(after: \"{cursor}\") {{ nodes {{ id }} }} }} }}");
            cases.push(failed(query, "INVALID_CURSOR"));
        }
        assert_all_refused(&app, cases).await;
    }

    /// Currencies, days and codes of goods are checked before anything runs.
    async fn scalars(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let mut cases = Vec::new();
        for code in ["idr", "IDRX", "ID", "", "XXX", "Rp", "ID\u{0}", "İDR"] {
            let query = "query ($c: CurrencyCode!) { currencyRate(base: $c, quote: \"USD\") { __typename } }";
            cases.push(refused(query, "UNKNOWN_CURRENCY").with(json!({"c": code})));
            cases.push(refused(rate(&format!("base: \"EUR\", quote: {}", json!(code))), "UNKNOWN_CURRENCY"));
        }
        for value in ["360", "IDR", "true", "[\"IDR\"]", "{a: 1}"] {
            cases.push(refused(rate(&format!("base: {value}, quote: \"USD\"")), "UNKNOWN_CURRENCY"));
        }
        for date in [
            "2026-02-30",
            "2026-13-01",
            "2026-00-10",
            "2026-1-1",
            "26-10-30",
            "20261030",
            "+2026-10-3",
            "0000-01-01",
            "10000-01-01",
            "-2026-10-30",
            "2026-10-30T00:00:00Z",
            "today",
            "",
            " 2026-10-30",
            "２０２６-10-30",
        ] {
            let query = rate(&format!("base: \"EUR\", quote: \"USD\", date: \"{date}\""));
            cases.push(refused(query, "INVALID_DATE"));
        }
        cases.push(refused(rate("base: \"EUR\", quote: \"USD\", date: 20261030"), "INVALID_DATE"));
        for time in ["2026-10-30", "2026-10-30T09:15:00", "10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "now", ""] {
            let query = format!("{{ payments(where: {{createdAt: {{gte: \"{time}\"}}}}) {{ totalCount }} }}");
            cases.push(refused(query, "INVALID_DATE"));
        }
        for code in ["1", "180", "18010", "1801000000", "18,01", "XXII", "iv", "18.", ".18", "18..01", "", "1801\u{0}"]
        {
            let query = "query ($c: HsCode!) { commodity(code: $c) { code } }";
            cases.push(refused(query, "INVALID_HS_CODE").with(json!({"c": code})));
        }
        assert_all_refused(&app, cases).await;
        // The ends of what a date may be are days like any other.
        for date in ["0001-01-01", "9999-12-31"] {
            let answer = app.graphql(&rate(&format!("base: \"EUR\", quote: \"USD\", date: \"{date}\""))).await;
            assert_eq!(answer.text("/currencyRate/__typename"), "RateUnavailable", "{date}");
        }
    }

    /// Money is a decimal in a text, with no more digits than its currency has and no more than can be written down.
    async fn amounts(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let mut cases = Vec::new();
        let nines = "9".repeat(40);
        let fraction = format!("\"0.{}\"", "1".repeat(40));
        let long = format!("\"{nines}\"");
        for decimal in [
            "\"1e3\"",
            "\"1E3\"",
            "\"NaN\"",
            "\"Infinity\"",
            "\"-Infinity\"",
            "\"\"",
            "\"1,5\"",
            "\"1.\"",
            "\".5\"",
            "\"+1\"",
            "\" 1\"",
            "\"0x10\"",
            "\"1_000\"",
            "\"--1\"",
            "\"１\"",
            "1",
            "1.5",
            "1e3",
            "true",
            &long,
            &fraction,
        ] {
            cases.push(refused(convert(decimal, "USD"), "INVALID_DECIMAL"));
        }
        cases.push(
            refused(
                "query ($a: Decimal!) { convert(amount: {amount: $a, currency: \"USD\"}, to: \"IDR\") { rounding } }",
                "INVALID_DECIMAL",
            )
            .with(json!({"a": 1.5})),
        );
        for (amount, currency) in
            [("\"1.001\"", "USD"), ("\"0.5\"", "JPY"), ("\"1.0001\"", "KWD"), ("\"0.001\"", "IDR")]
        {
            cases.push(failed(convert(amount, currency), "BAD_USER_INPUT"));
        }
        cases.push(refused("{ payments(where: {amount: {gt: 5}}) { totalCount } }", "INVALID_DECIMAL"));
        assert_all_refused(&app, cases).await;
        // Trailing zeros are no precision, and the largest amount that can be asked converts.
        let answer = app.graphql(&convert("\"1.00000\"", "JPY")).await;
        assert!(answer.at("/convert/to/amount").is_string());
        let answer = app.graphql(&convert("\"99999999999999999999\"", "EUR")).await;
        assert_eq!(answer.text("/convert/to/amount"), "2027516999999999999979724.83");
        let answer = app
            .graphql("{ payments(where: {amount: {lt: \"99999999999999999999.999999999999\"}}) { totalCount } }")
            .await;
        assert_eq!(answer.at("/payments/totalCount"), 0);
    }

    /// A filter or an order that costs more than it is worth is refused in words.
    async fn filters_and_orders(backend: Backend) {
        let app = TestApp::spawn(backend).await.with_demo_payments(5).await;
        let payments = |arguments: &str| format!("{{ payments({arguments}) {{ totalCount }} }}");
        let listed = "query ($refs: [String!]) { payments(where: {reference: {in: $refs}}) { totalCount } }";
        let references = |count: usize| json!({"refs": (0..count).map(|n| n.to_string()).collect::<Vec<_>>()});
        let any = "query ($any: [PaymentWhere!]) { payments(where: {or: $any}) { totalCount } }";
        let wheres = |count: usize| json!({"any": vec![json!({"status": {"eq": "OPEN"}}); count]});
        assert_all_refused(
            &app,
            vec![
                failed(payments(&format!("where: {{{}}}", nested_not(9))), "BAD_USER_INPUT"),
                failed(payments(&format!("where: {{{}}}", nested_not(30))), "BAD_USER_INPUT"),
                failed(listed, "BAD_USER_INPUT").with(references(1_001)),
                failed(any, "BAD_USER_INPUT").with(wheres(101)),
                failed(any, "BAD_USER_INPUT").with(wheres(1_000)),
                failed(any, "BAD_USER_INPUT")
                    .with(json!({"any": [{"or": wheres(60)["any"]}, {"and": wheres(60)["any"]}]})),
                failed(any, "BAD_USER_INPUT")
                    .with(json!({"any": vec![json!({"reference": {"in": vec!["A"; 1_000]}}); 2]})),
                failed(payments("orderBy: [{field: AMOUNT}, {field: AMOUNT, direction: DESC}]"), "BAD_USER_INPUT"),
                failed(
                    payments(
                        "orderBy: [{field: AMOUNT}, {field: REFERENCE}, {field: CREATED_AT}, {field: OUTSTANDING}]",
                    ),
                    "BAD_USER_INPUT",
                ),
                refused(payments("orderBy: [{field: COLOUR}]"), "GRAPHQL_VALIDATION_FAILED"),
                refused(payments("where: {colour: {eq: \"red\"}}"), "GRAPHQL_VALIDATION_FAILED"),
            ],
        )
        .await;
        // What is just allowed works.
        assert_eq!(app.graphql(&payments(&format!("where: {{{}}}", nested_not(8)))).await.status, 200);
        assert_eq!(app.graphql_with(listed, references(1_000)).await.at("/payments/totalCount"), 0);
        app.graphql_with(any, wheres(100)).await.data();
        // A list of statuses is a set.
        let status = "query ($s: [InstallmentStatus!]) { payments { nodes {
            installments(where: {status: $s}) { totalCount }
        } } }";
        app.graphql_with(status, json!({"s": vec!["PAID"; 40_000]})).await.data();
    }

    /// A text may hold any character: what no database can store is found nowhere, and is not a fault of the server.
    async fn strange_texts(backend: Backend) {
        let app = TestApp::spawn(backend).await.with_demo_payments(5).await;
        let long = "x".repeat(50_000);
        for text in ["\u{0}", "a\u{0}b", "\u{10FFFF}", "%", "_", "\\", "'", "\"", "💥", "\u{202e}", &long] {
            let by_reference =
                app.graphql_with("query ($t: String) { payment(reference: $t) { id } }", json!({"t": text})).await;
            assert_eq!(by_reference.at("/payment"), &Value::Null, "{text:.20?}");
            for how in ["eq", "startsWith", "contains"] {
                let query =
                    format!("query ($t: String) {{ payments(where: {{reference: {{{how}: $t}}}}) {{ totalCount }} }}");
                let answer = app.graphql_with(&query, json!({"t": text})).await;
                assert_eq!(answer.at("/payments/totalCount"), 0, "{how} {text:.20?}");
            }
        }
    }
}
