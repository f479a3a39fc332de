//! Ids: what they name, and that another account's name nothing.

use dermaga_api::store::accounts;
use dermaga_tests::{Answer, Backend, NOW, TestApp, each_database, insert_payments};
use entity::account;
use entity::ids::AccountId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::payment_details::{allocation_of, insert, receipt_of, story};

each_database! {
    /// One id, one thing, whichever way it is asked for.
    async fn an_id_names_its_thing(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let (payment, parts, receipts) = story(&app).await;
        let query = format!("{{ payment(id: \"{}\") {{ id reference }} }}", id("pay", payment.id.0));
        let by_id = app.graphql(&query).await;
        let by_reference = app.graphql("{ payment(reference: \"P\") { id reference } }").await;
        assert_eq!(by_id.at("/payment"), &json!({ "id": id("pay", payment.id.0), "reference": "P" }));
        assert_eq!(by_reference.at("/payment"), by_id.at("/payment"));
        for (id, expected) in [
            (id("pay", payment.id.0), json!({ "__typename": "Payment", "reference": "P" })),
            (id("ins", parts[1].id.0), json!({ "__typename": "Installment", "sequence": 2 })),
            (id("rec", receipts[0].id.0), json!({ "__typename": "Receipt", "externalReference": "B-2" })),
            ("com_030111".to_owned(), json!({ "__typename": "Commodity", "code": "030111" })),
        ] {
            let query = format!("{{ node(id: \"{id}\") {{ id {KINDS} }} }}");
            let mut expected = expected;
            expected["id"] = Value::from(id.as_str());
            assert_eq!(app.graphql(&query).await.at("/node"), &expected, "{id}");
        }
    }

    /// A client that refetches a list gets it as it asked: in its order, gaps and repetitions included.
    async fn nodes_keep_the_order_of_their_ids(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let (payment, parts, receipts) = story(&app).await;
        let ids = [
            id("rec", receipts[2].id.0),
            id("pay", payment.id.0),
            id("pay", Uuid::now_v7()),
            "com_XXI".to_owned(),
            id("ins", parts[3].id.0),
            id("pay", payment.id.0),
            "com_98".to_owned(),
            id("ins", parts[0].id.0),
        ];
        let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        let answer = app.graphql_with(query, json!({ "ids": ids })).await;
        let found: Vec<_> = answer.at("/nodes").as_array().unwrap().iter().map(|node| node["id"].as_str()).collect();
        let known = |at: usize| Some(ids[at].as_str());
        assert_eq!(found, [known(0), known(1), None, known(3), known(4), known(5), None, known(7)]);
        // One statement for each kind.
        assert_eq!(answer.statements(), 4);
        let none = app.graphql_with(query, json!({ "ids": [] })).await;
        assert_eq!(none.at("/nodes"), &json!([]));
    }

    /// What cannot be answered is refused with a code that says why.
    async fn questions_that_name_nothing_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let many = vec!["\"com_01\""; 101].join(", ");
        for (query, code) in [
            ("{ payment { id } }".to_owned(), "BAD_USER_INPUT"),
            (format!("{{ payment(id: \"{}\", reference: \"P\") {{ id }} }}", id("pay", Uuid::nil())), "BAD_USER_INPUT"),
            (format!("{{ payment(id: \"{}\") {{ id }} }}", id("ins", Uuid::nil())), "INVALID_ID"),
            ("{ payment(id: \"P\") { id } }".to_owned(), "INVALID_ID"),
            ("{ node(id: \"acc_1\") { id } }".to_owned(), "INVALID_ID"),
            ("{ nodes(ids: [\"com_01\", \"\"]) { id } }".to_owned(), "INVALID_ID"),
            (format!("{{ nodes(ids: [{many}]) {{ id }} }}"), "INVALID_PAGE"),
        ] {
            assert_eq!(app.graphql(&query).await.codes(), [code], "{query}");
        }
    }

    /// A field that may be null is null when it fails, so that one mistake does not cost the rest of the answer.
    async fn a_failed_field_leaves_the_others(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let query = "{ viewer { subject } node(id: \"x\") { id } payment { id } commodity(code: \"98\") { id } }";
        let answer = app.graphql(query).await;
        assert_eq!(answer.body["data"], json!({ "viewer": { "subject": "local" }, "node": null, "payment": null, "commodity": null }));
        let mut codes = answer.codes();
        codes.sort_unstable();
        assert_eq!(codes, ["BAD_USER_INPUT", "INVALID_ID"]);
    }

    /// Another account's id must look like one that nobody has, or ids could be tried out.
    async fn another_accounts_id_is_like_an_unknown_one(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        story(&app).await;
        let theirs = other_account(&app).await;
        let unknown = || Uuid::now_v7();
        let ask = [
            "{ payment(id: \"pay_ID\") { id reference } }",
            "{ node(id: \"pay_ID\") { id } }",
            "{ node(id: \"ins_ID\") { id } }",
            "{ node(id: \"rec_ID\") { id } }",
            "{ nodes(ids: [\"pay_ID\", \"ins_ID\", \"rec_ID\"]) { id } }",
            "{ payments(where: {id: {eq: \"pay_ID\"}}) { totalCount nodes { id } aggregates { count } } }",
            "{ payments(where: {not: {id: {in: [\"pay_ID\"]}}}) { totalCount nodes { reference } } }",
        ];
        for question in ask {
            for their_id in theirs.ids {
                let ask = async |id: Uuid| {
                    app.cache.flush().await;
                    app.graphql(&question.replace("ID", &id.simple().to_string())).await
                };
                let (known, unknown) = (ask(their_id).await, ask(unknown()).await);
                assert_eq!(seen(&known), seen(&unknown), "{question}");
            }
        }
        let by_reference = app.graphql("{ payment(reference: \"THEIRS\") { id } }").await;
        assert_eq!(by_reference.at("/payment"), &Value::Null);
        assert_eq!(app.graphql("{ payment(reference: \"P\") { version } }").await.at("/payment/version"), 7);
    }

    /// No list, count or sum of one account changes with what another one has.
    async fn another_accounts_rows_are_in_no_answer(backend: Backend) {
        let app = TestApp::builder(backend).settings(|settings| settings.max_cost = Some("1000000".to_owned()));
        let app = app.spawn().await;
        story(&app).await;
        let sums = "amount { amount } received { amount } outstanding { amount } overdue { amount }";
        let list = format!(
            "nodes {{
                reference overdue(asOf: \"2027-01-01\") {{ amount }} plan {{ count }} lines {{ description }}
                nextDue {{ sequence }}
                installments {{ totalCount nodes {{ sequence allocations {{ nodes {{ amount {{ amount }} }} }} }} }}
                receipts {{ nodes {{ externalReference allocations {{ amount {{ amount }} }} }} }}
            }}
            pageInfo {{ hasNextPage hasPreviousPage }}
            totalCount
            aggregates {{
                count byCurrency {{ {sums} }} byStatus {{ status count byCurrency {{ {sums} }} }}
                converted(into: \"USD\") {{ amount }}
            }}"
        );
        let questions: Vec<_> = [
            "first: 100",
            "last: 100",
            "first: 1, orderBy: [{field: REFERENCE}]",
            "first: 100, orderBy: [{field: AMOUNT}]",
            "first: 100, orderBy: [{field: OUTSTANDING, direction: DESC}]",
            "first: 100, orderBy: [{field: NEXT_DUE_DATE}]",
            "where: {or: [{reference: {in: [\"THEIRS\", \"P\"]}}, {overdueAsOf: \"2027-01-01\"}]}",
            "where: {not: {status: {eq: CANCELLED}}}",
            "where: {reference: {contains: \"T\"}}",
        ]
        .map(|arguments| format!("{{ payments({arguments}) {{ {list} }} }}"))
        .into();
        let mut before = Vec::new();
        for question in &questions {
            app.cache.flush().await;
            before.push(seen(&app.graphql(question).await));
        }
        assert_eq!(before[0]["data"]["payments"]["totalCount"], 1);
        other_account(&app).await;
        for (question, before) in questions.iter().zip(before) {
            app.cache.flush().await;
            assert_eq!(seen(&app.graphql(question).await), before, "{question}");
        }
    }
}

const KINDS: &str = "__typename ... on Payment { reference } ... on Installment { sequence }
    ... on Receipt { externalReference } ... on Commodity { code }";

pub(crate) fn id(kind: &str, of: Uuid) -> String {
    format!("{kind}_{}", of.simple())
}

/// What a client sees of an answer, but for how long it took.
pub(crate) fn seen(answer: &Answer) -> Value {
    json!({
        "status": answer.status, "data": answer.body["data"], "errors": answer.body["errors"],
        "statements": answer.statements(),
    })
}

pub(crate) struct Theirs {
    /// Of a payment, an installment and a receipt.
    pub(crate) ids: [Uuid; 3],
}

/// A second account with payments that would be in every answer, were they not somebody else's.
pub(crate) async fn other_account(app: &TestApp) -> Theirs {
    let other = account::Model {
        id: AccountId(Uuid::now_v7()),
        name: "other".to_owned(),
        base_currency: "IDR".to_owned(),
        time_zone: "Asia/Jakarta".to_owned(),
        created_at: NOW,
    };
    let account = app.database.write(async |transaction| accounts::create(transaction, other).await).await.unwrap();
    let builder = |reference: &str| {
        app.payment().account(account).reference(reference).installments(&[70, 30]).first_due("2026-10-01")
    };
    // The same reference as the first account's, too.
    let rows = vec![builder("THEIRS").rows(), builder("P").rows(), builder("T-PAID").paid().rows()];
    insert_payments(&app.database, rows.clone()).await;
    let (payment, parts) = &rows[2];
    let receipt = receipt_of(payment, 100, 0, Some("B-1"));
    insert(app, [receipt.clone()]).await;
    insert(app, [allocation_of(&receipt, parts[0].id, 70), allocation_of(&receipt, parts[1].id, 30)]).await;
    Theirs { ids: [rows[0].0.id.0, parts[0].id.0, receipt.id.0] }
}
