//! The schema as a subgraph: what a gateway asks, and that nobody else sees any of it.

use dermaga_api::graphql;
use dermaga_tests::{Answer, Backend, PaymentBuilder, TestApp, each_database, insert_payments};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::nodes::{id, other_account, seen};
use crate::payment_details::{insert, receipt_of, refund_of, story};

/// What a gateway sends, with some field of everything that has a key.
const ENTITIES: &str = "
    query ($representations: [_Any!]!) {
        _entities(representations: $representations) {
            __typename
            ... on Payment { id reference }
            ... on Installment { id sequence }
            ... on Receipt { id externalReference }
            ... on Refund { id reason }
            ... on Commodity { id code }
            ... on CurrencyRate { base quote requestedDate purpose rate effectiveDate }
        }
    }";

async fn subgraph(backend: Backend) -> TestApp {
    TestApp::builder(backend).settings(|settings| settings.subgraph = Some("true".to_owned())).spawn().await
}

async fn entities(app: &TestApp, representations: &[Value]) -> Answer {
    app.graphql_with(ENTITIES, json!({ "representations": representations })).await
}

fn by(typename: &str, field: &str, value: impl Into<Value>) -> Value {
    json!({ "__typename": typename, field: value.into() })
}

fn rate(quote: &str, day: &str) -> Value {
    json!({
        "__typename": "CurrencyRate", "base": "EUR", "quote": quote, "requestedDate": day, "purpose": "REFERENCE",
    })
}

each_database! {
    /// The schema that a gateway composes is the one that was built, and it is a whole one.
    async fn a_subgraph_says_what_it_adds(backend: Backend) {
        let app = subgraph(backend).await;
        let answer = app.graphql("{ _service { sdl } }").await;
        let sdl = answer.text("/_service/sdl");
        assert_eq!(sdl, graphql::subgraph::sdl());
        for line in [
            "type Payment implements Node @key(fields: \"id\") @key(fields: \"reference\") {",
            "type Installment implements Node @key(fields: \"id\") {",
            "type Receipt implements Node @key(fields: \"id\") {",
            "type Refund implements Node @key(fields: \"id\") {",
            "type Commodity implements Node @key(fields: \"id\") @key(fields: \"code\") {",
            "type CurrencyRate @key(fields: \"base quote requestedDate purpose\") {",
            "type PageInfo @shareable {",
            "type Subscription {",
            "extend schema @link(",
            "\"An amount owed to the account, usually paid in installments.\"",
        ] {
            assert!(sdl.lines().any(|other| other == line), "no line {line} in\n{sdl}");
        }
        // What every subgraph has is not a part of any, and `node` would stand for that of all.
        for word in ["_service", "_entities", "_Any", "_Entity", "_Service", "\tnode(", "\tnodes("] {
            assert!(!sdl.contains(word), "{word} in\n{sdl}");
        }
        // Nor can they be asked for.
        let node = app.graphql("{ node(id: \"com_01\") { id } }").await;
        assert_eq!(node.codes(), ["GRAPHQL_VALIDATION_FAILED"]);
        assert_eq!(app.graphql("{ viewer { subject } }").await.text("/viewer/subject"), "local");
    }

    /// Each key leads to its thing, in the order asked for, gaps and repetitions included.
    async fn each_key_leads_to_its_thing(backend: Backend) {
        let app = subgraph(backend).await;
        let (payment, parts, receipts) = story(&app).await;
        let payment_id = id("pay", payment.id.0);
        let found_payment = json!({ "__typename": "Payment", "id": payment_id, "reference": "P" });
        let found_commodity = json!({ "__typename": "Commodity", "id": "com_030111", "code": "030111" });
        let part = |at: usize| {
            let id = id("ins", parts[at].id.0);
            json!({ "__typename": "Installment", "id": id, "sequence": at + 1 })
        };
        let receipt_id = id("rec", receipts[0].id.0);
        let refund = refund_of(&receipts[0], 100);
        insert(&app, [refund.clone()]).await;
        let refund_id = id("ref", refund.id.0);
        // A Saturday is answered with the Friday before, as `currencyRate` does when it is not told otherwise.
        let mut saturday = rate("USD", "2026-10-24");
        let (asked_rate, asked_part) = (saturday.clone(), part(3));
        saturday["effectiveDate"] = "2026-10-23".into();
        let friday = "{ currencyRate(base: \"EUR\", quote: \"USD\", date: \"2026-10-23\") {
            ... on CurrencyRate { rate }
        } }";
        let known = app.graphql(friday).await;
        saturday["rate"] = known.at("/currencyRate/rate").clone();
        let cases = [
            (by("Payment", "reference", "P"), found_payment.clone()),
            (by("Installment", "id", asked_part["id"].clone()), asked_part),
            (by("Commodity", "code", "0301.11"), found_commodity.clone()),
            (by("Payment", "reference", "unknown"), Value::Null),
            (asked_rate, saturday),
            (by("Payment", "id", payment_id.as_str()), found_payment.clone()),
            (by("Receipt", "id", receipt_id.as_str()),
             json!({ "__typename": "Receipt", "id": receipt_id, "externalReference": "B-2" })),
            (by("Refund", "id", refund_id.as_str()),
             json!({ "__typename": "Refund", "id": refund_id, "reason": refund.reason })),
            (by("Refund", "id", id("ref", Uuid::now_v7())), Value::Null),
            (by("Commodity", "id", "com_99"), Value::Null),
            (by("Commodity", "id", "com_030111"), found_commodity),
            (rate("USD", "1990-01-01"), Value::Null),
            (by("Payment", "reference", "P"), found_payment),
            (by("Installment", "id", part(0)["id"].clone()), part(0)),
        ];
        let (asked, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let answer = entities(&app, &asked).await;
        assert_eq!(answer.at("/_entities"), &Value::from(expected));
        assert_eq!(entities(&app, &[]).await.at("/_entities"), &json!([]));
        // A gateway asks for no profile, so that another copy of the schema serves it.
        let body = json!({ "query": ENTITIES, "variables": { "representations": asked } });
        let plain = app.client().post(format!("{}/graphql", app.address)).json(&body).send().await.unwrap();
        assert_eq!(plain.json::<Value>().await.unwrap()["data"], answer.body["data"]);
    }

    /// A mistake in one place of a list is an error of that place: the others belong to other users' answers.
    async fn one_mistake_spoils_nothing_else(backend: Backend) {
        let app = subgraph(backend).await;
        let asked = [
            by("Commodity", "code", "030111"),
            by("Commodity", "code", "not a code"),
            by("Commodity", "id", "com_030111"),
            by("Viewer", "subject", "local"),
            json!("Payment"),
            by("Payment", "id", "P"),
            by("CurrencyRate", "base", "EUR"),
        ];
        let answer = entities(&app, &asked).await;
        assert_eq!(answer.status, 200);
        let found = json!({ "__typename": "Commodity", "id": "com_030111", "code": "030111" });
        let nothing = Value::Null;
        let expected = json!([found, nothing, found, nothing, nothing, nothing, nothing]);
        assert_eq!(answer.body["data"]["_entities"], expected);
        assert_eq!(answer.codes(), ["BAD_USER_INPUT"; 5]);
        let errors = answer.body["errors"].as_array().unwrap();
        let mut places: Vec<_> = errors.iter().map(|error| error["path"].clone()).collect();
        places.sort_by_key(|path| path[1].as_u64());
        assert_eq!(places, [1, 3, 4, 5, 6].map(|at| json!(["_entities", at])));
        let words: Vec<_> = errors.iter().map(|error| error["message"].as_str().unwrap()).collect();
        assert!(!words.iter().any(|words| words.contains("not a code")), "{words:?}");
        // Nothing is loaded for a request that asks for too much.
        let many = vec![by("Commodity", "id", "com_01"); 101];
        let refused = entities(&app, &many).await;
        assert_eq!((refused.codes(), &refused.body["data"]), (vec!["INVALID_PAGE"], &Value::Null));
        assert_eq!(refused.statements(), 0);
        assert_eq!(entities(&app, &many[1..]).await.statements(), 1);
        assert_eq!(app.graphql("{ _entities { __typename } }").await.codes(), ["GRAPHQL_VALIDATION_FAILED"]);
    }

    /// One statement for each way to a type, whether one thing is named or a hundred.
    async fn a_list_of_representations_is_one_batch(backend: Backend) {
        let app = subgraph(backend).await;
        let ways = a_hundred_of_each(&app).await;
        for way in &ways {
            for count in [1, 50, 100] {
                app.cache.flush().await;
                let answer = entities(&app, &way[..count]).await;
                let found = answer.at("/_entities").as_array().unwrap();
                assert!(found.len() == count && found.iter().all(Value::is_object), "{:?}", way[0]);
                assert_eq!(answer.statements(), 1, "{count} of {:?}", way[0]);
            }
        }
        // By id and by code is one way. By id and by reference are two.
        let mixed: Vec<_> = (0..12).flat_map(|at| ways.iter().map(move |way| way[at].clone())).collect();
        app.cache.flush().await;
        assert_eq!(entities(&app, &mixed).await.statements(), 7);
        let query = "query ($representations: [_Any!]!) {
            _entities(representations: $representations) {
                ... on Payment { plan { count } installments { nodes { payment { reference } } } }
            }
        }";
        for count in [1, 100] {
            app.cache.flush().await;
            let answer = app.graphql_with(query, json!({ "representations": ways[0][..count] })).await;
            // The payments, their plans, their installments; the payments again come from the same operation.
            assert_eq!(answer.statements(), 3);
        }
    }

    /// Another account's things must look like things that nobody has, or keys could be tried out.
    async fn another_accounts_things_are_like_unknown_ones(backend: Backend) {
        let app = subgraph(backend).await;
        story(&app).await;
        let theirs = other_account(&app).await.ids;
        let ask = |ids: [Uuid; 3], reference: &str| {
            let [payment, installment, receipt] = ids;
            [
                by("Payment", "id", id("pay", payment)),
                by("Installment", "id", id("ins", installment)),
                by("Receipt", "id", id("rec", receipt)),
                by("Payment", "reference", reference),
            ]
        };
        let answer = entities(&app, &ask(theirs, "THEIRS")).await;
        assert_eq!(answer.at("/_entities"), &json!([null, null, null, null]));
        let unknown = entities(&app, &ask([(); 3].map(|()| Uuid::now_v7()), "NOBODY'S")).await;
        assert_eq!(seen(&answer), seen(&unknown));
    }

    /// Nobody who did not ask for a subgraph gets any of it.
    async fn an_ordinary_server_is_no_subgraph(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for query in ["{ _service { sdl } }", "{ _entities(representations: []) { __typename } }"] {
            let answer = app.graphql(query).await;
            assert_eq!(answer.codes(), ["GRAPHQL_VALIDATION_FAILED"], "{query}");
        }
        let answer = app.graphql("{ __schema { types { name fields { name } } directives { name } } }").await;
        let all = answer.data().to_string();
        for word in ["_Any", "_Entity", "_Service", "_service", "_entities", "\"key\"", "shareable"] {
            assert!(!all.contains(word), "{word} in {all}");
        }
        let sdl = graphql::sdl(false);
        assert!(!["@key", "@shareable", "@link", "_Any", "_service"].iter().any(|word| sdl.contains(word)), "{sdl}");
    }
}

/// By each key a hundred different representations.
async fn a_hundred_of_each(app: &TestApp) -> [Vec<Value>; 8] {
    let rows: Vec<_> = (0..100).map(|_| app.payment()).map(PaymentBuilder::rows).collect();
    insert_payments(&app.database, rows.clone()).await;
    let receipts: Vec<_> = rows.iter().map(|(payment, _)| receipt_of(payment, 100, 100, None)).collect();
    insert(app, receipts.clone()).await;
    let refunds: Vec<_> = receipts.iter().map(|receipt| refund_of(receipt, 1)).collect();
    insert(app, refunds.clone()).await;
    let codes = app.graphql("{ commodities(first: 100) { nodes { code } } }").await;
    let codes: Vec<String> = codes.at("/commodities/nodes").as_array().unwrap().iter().map(code).collect();
    let friday = chrono::NaiveDate::from_ymd_opt(2026, 10, 30).unwrap();
    let days = (0..100).map(|at| (["USD", "IDR", "JPY", "GBP"][at % 4], friday - chrono::Days::new(at as u64 / 4)));
    [
        rows.iter().map(|(payment, _)| by("Payment", "id", id("pay", payment.id.0))).collect(),
        rows.iter().map(|(payment, _)| by("Payment", "reference", payment.reference.as_str())).collect(),
        rows.iter().map(|(_, parts)| by("Installment", "id", id("ins", parts[0].id.0))).collect(),
        receipts.iter().map(|receipt| by("Receipt", "id", id("rec", receipt.id.0))).collect(),
        refunds.iter().map(|refund| by("Refund", "id", id("ref", refund.id.0))).collect(),
        codes.iter().map(|code| by("Commodity", "id", format!("com_{code}"))).collect(),
        codes.iter().rev().map(|code| by("Commodity", "code", code.as_str())).collect(),
        days.map(|(quote, day)| rate(quote, &day.to_string())).collect(),
    ]
}

fn code(node: &Value) -> String {
    node["code"].as_str().unwrap().to_owned()
}
