//! Tenancy, over the whole schema: nothing of another account is in any answer, and nothing that names something of
//! it is answered otherwise than what names nothing.
//!
//! The schema says where a client can name something: every argument that is, or holds, an `ID` or a text. Each such
//! place, a door, needs a recipe that says how to knock; without one the test fails. So a field that is added cannot be
//! forgotten.

use std::collections::{BTreeMap, BTreeSet};

use dermaga_api::demo::{self, Generator};
use dermaga_tests::{Backend, MUTATIONS, NOW, Session, TestApp, each_database, new_payment, new_receipt, rupiah, with};
use entity::idempotency_key;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::payment_details::insert;
use crate::tenancy_recipes::{List, Recipe, fill, recipe};
use crate::tenancy_schema::{Schema, items};

/// The seed of the other account's payments; it stands in their references, `INV/2025/9/000001`.
const OTHER_SEED: u64 = 9;

/// The external reference of a receipt of the other account.
const OTHERS_TRANSFER: &str = "their transfer";

/// A key that the other account has used, for each mutation.
const OTHERS_KEY: &str = "their idempotency key";

each_database! {
    /// What another account has, and what nobody has, are answered alike, at every door of the schema.
    async fn what_others_have_is_what_nobody_has(backend: Backend) {
        let (app, theirs) = two_accounts(backend).await;
        let schema = Schema::of(&app).await;
        schema.check_ids();
        let doors = schema.doors();
        let untaught: Vec<_> = doors.iter().filter(|(field, path)| recipe(field, path).is_none()).collect();
        assert!(untaught.is_empty(), "teach this test about {untaught:#?}");
        let (ours, other) = (app.session("demo", "CLERK"), app.session("other", "CLERK"));
        let own = Belongings::of(&ours).await;
        // What was asked, and what the answer was.
        let mut asked = BTreeMap::new();
        for (field, path) in &doors {
            let knocks = match recipe(field, path).unwrap() {
                Recipe::Public => continue,
                Recipe::Id(document) => {
                    let knock = |id: &String| Knock::new(document, path, id, &unknown(id));
                    theirs.ids.iter().map(|id| knock(id).of_owners(&own, &theirs)).collect()
                }
                Recipe::Reference(document) => {
                    let unknown = "INV/2025/Z/999999";
                    theirs.references.iter().map(|known| Knock::new(document, path, known, unknown)).collect()
                }
                Recipe::ExternalReference(document) => {
                    let knock = Knock::new(document, path, OTHERS_TRANSFER, "nobody's transfer");
                    vec![knock.of_owners(&own, &theirs)]
                }
                Recipe::Key(document) => vec![Knock::new(document, path, OTHERS_KEY, "nobody's key")],
                Recipe::Cursor(list, document) => Knock::cursors(document, path, &own.cursors[&list], &theirs.cursors[&list]),
            };
            let mut found = false;
            for knock in knocks {
                let (answer, nothing) = (raw(&ours, &knock.known).await, raw(&ours, &knock.unknown).await);
                let blind = |answer: &str, value: &str| answer.replace(value, "…");
                let expected = blind(&nothing, &knock.unknown_value);
                assert_eq!(blind(&answer, &knock.value), expected, "{field}({path}:) {}", knock.known);
                // A stream may have nothing more to tell its owner, who would wait.
                if !found {
                    let (owner, nothing) = (raw(&other, &knock.owner).await, raw(&other, &knock.unknown).await);
                    found = !owner.contains("\"errors\"")
                        && blind(&owner, &knock.value) != blind(&nothing, &knock.unknown_value);
                }
                asked.insert(knock.known, answer);
            }
            assert!(found, "the recipe for {field}({path}:) finds nothing for its owner either");
        }
        for document in schema.everything() {
            let answer = raw(&ours, &document).await;
            assert!(answer.starts_with("200 ") && !answer.contains("\"errors\""), "{document}: {answer}");
            theirs.are_not_in(&answer);
            asked.insert(document, answer);
        }
        // The last word: nothing changes in any of the answers when the other account's rows are gone.
        forget_the_other(&app).await;
        assert!(raw(&other, "{ payments { totalCount } }").await.contains(":0"));
        for (document, answer) in &asked {
            theirs.are_not_in(&answer_only(document, answer));
            assert_eq!(&raw(&ours, document).await, answer, "{document}");
        }
        assert!(asked.len() > 100, "only {} documents were sent", asked.len());
    }

    /// Ids of many owners in one list: only one's own are found, in their places, and the others cost nothing else.
    async fn ids_of_many_owners_do_not_mix(backend: Backend) {
        let (app, theirs) = two_accounts(backend).await;
        let ours = Belongings::of(&app.session("demo", "CLERK")).await;
        let session = app.session("demo", "CLERK");
        let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        let nodes = |ids: &[String]| ids.iter().filter(|id| ["pay", "ins", "rec", "ref"].contains(&&id[..3])).cloned().collect::<Vec<_>>();
        let (own, foreign) = (nodes(&ours.ids), nodes(&theirs.ids));
        assert!(own.len() > 5 && foreign.len() > 5);
        let mixed: Vec<String> = own.iter().zip(&foreign).flat_map(|(own, foreign)| [own.clone(), foreign.clone()])
            .chain(["com_030111".to_owned()]).collect();
        let answer = session.graphql_with(query, json!({ "ids": mixed })).await;
        for (id, node) in mixed.iter().zip(answer.at("/nodes").as_array().unwrap()) {
            let expected = if foreign.contains(id) { Value::Null } else { json!({ "id": id }) };
            assert_eq!(node, &expected, "{id}");
        }
        let query = "query ($ids: [ID!]!) { payments(first: 100, where: {id: {in: $ids}}) { nodes { id } } }";
        let payments = |ids: &[String]| ids.iter().filter(|id| id.starts_with("pay_")).cloned().collect::<BTreeSet<_>>();
        let ids: Vec<_> = payments(&own).union(&payments(&foreign)).cloned().collect();
        let answer = session.graphql_with(query, json!({ "ids": ids })).await;
        let found = answer.at("/payments/nodes").as_array().unwrap();
        let found: BTreeSet<_> = found.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, payments(&own));
    }
}

/// Two accounts with payments from different seeds, and what the other one's are called.
async fn two_accounts(backend: Backend) -> (TestApp, Belongings) {
    let wide = |settings: &mut dermaga_api::config::Settings| {
        settings.introspection = Some("true".to_owned());
        for (setting, value) in [
            (&mut settings.max_cost, "1000000000"),
            (&mut settings.max_fields, "100000"),
            (&mut settings.max_tokens, "100000"),
            (&mut settings.max_depth, "30"),
            (&mut settings.max_nesting, "100"),
        ] {
            *setting = Some(value.to_owned());
        }
    };
    let app = TestApp::builder(backend).signed_in().settings(wide).spawn().await.with_demo_payments(30).await;
    let account = app.other_account("other").await;
    demo::load(&app.database, &Generator::new(OTHER_SEED, account), 30, &mut |_| {}).await.unwrap();
    for (account, transfer) in [("demo", "our transfer"), ("other", OTHERS_TRANSFER)] {
        have_a_history(&app.session(account, "CLERK"), account, transfer).await;
    }
    for (mutation, _) in MUTATIONS {
        let row = idempotency_key::Model {
            account_id: account,
            mutation: mutation.to_owned(),
            key: OTHERS_KEY.to_owned(),
            request_hash: "0".repeat(64),
            result: "{}".to_owned(),
            created_at: NOW,
        };
        insert(&app, [row]).await;
    }
    let theirs = Belongings::of(&app.session("other", "CLERK")).await;
    assert!(theirs.references.iter().all(|reference| reference.contains("/9/")), "{:?}", theirs.references);
    (app, theirs)
}

/// Makes two payments, of which one has receipts, refunds and, with them, events; the newest of the account is open.
async fn have_a_history(session: &Session<'_>, account: &str, transfer: &str) {
    let seed = if account == "demo" { 1 } else { OTHER_SEED };
    for at in [1, 2] {
        let new = new_payment(&format!("INV/2026/{seed}/00099{at}"));
        let debt = session.change("createPayment", new).await.done();
        let reference = format!("{transfer}{}", if at == 1 { " before" } else { "" });
        let receipt = with(new_receipt(&debt.payment_id(), "5"), json!({ "externalReference": reference }));
        let receipt = session.change("recordReceipt", receipt).await.done();
        let refund = json!({ "receiptId": receipt.receipt_id(), "amount": rupiah("1"), "reason": "a gift" });
        session.change("refundReceipt", refund).await.done();
    }
}

/// Takes the other account's rows away.
async fn forget_the_other(app: &TestApp) {
    for table in [
        "idempotency_key",
        "payment_event",
        "refund",
        "allocation",
        "receipt",
        "installment",
        "installment_plan",
        "payment_line",
        "payment",
    ] {
        let sql = format!("DELETE FROM {table} WHERE account_id <> (SELECT id FROM account WHERE name = 'demo')");
        app.database.write(async |transaction| transaction.execute_unprepared(&sql).await).await.unwrap();
    }
    app.cache.flush().await;
}

/// What names something of an account: a few of each kind to knock with, and all ids.
struct Belongings {
    /// An open payment.
    open: String,
    ids: Vec<String>,
    references: Vec<String>,
    cursors: BTreeMap<List, Vec<Cursor>>,
    all_ids: Vec<String>,
}

/// A cursor, and the id of what its list is a list of; of nothing for a list at the root.
#[derive(Clone)]
struct Cursor {
    of: String,
    text: String,
}

impl Belongings {
    async fn of(session: &Session<'_>) -> Self {
        let query = "{ payments(first: 100) { edges { cursor node {
            id reference lines { id }
            installments { pageInfo { startCursor } nodes {
                id allocations { pageInfo { startCursor } nodes { receipt { id } } }
            } }
            receipts { pageInfo { startCursor } nodes { id } }
            refunds { pageInfo { startCursor } nodes { id } }
            events { pageInfo { startCursor } }
        } } } }";
        let answer = session.graphql(query).await;
        let mut cursors: BTreeMap<List, Vec<Cursor>> = BTreeMap::new();
        let (mut kinds, mut references) = ([const { Vec::new() }; 5], Vec::new());
        let id = |of: &Value| of["id"].as_str().unwrap().to_owned();
        for edge in items(answer.at("/payments/edges")) {
            let payment = &edge["node"];
            let mut note = |list, of: &str, cursor: &Value| {
                if let Some(text) = cursor.as_str() {
                    cursors.entry(list).or_default().push(Cursor { of: of.to_owned(), text: text.to_owned() });
                }
            };
            note(List::Payments, "", &edge["cursor"]);
            for (list, name) in [
                (List::Installments, "installments"),
                (List::Receipts, "receipts"),
                (List::Refunds, "refunds"),
                (List::Events, "events"),
            ] {
                note(list, &id(payment), &payment[name]["pageInfo"]["startCursor"]);
            }
            for installment in items(&payment["installments"]["nodes"]) {
                let cursor = &installment["allocations"]["pageInfo"]["startCursor"];
                note(List::Allocations, &id(installment), cursor);
            }
            kinds[0].push(id(payment));
            kinds[1].extend(items(&payment["installments"]["nodes"]).iter().map(id));
            kinds[2].extend(items(&payment["receipts"]["nodes"]).iter().map(id));
            kinds[3].extend(items(&payment["lines"]).iter().map(id));
            kinds[4].extend(items(&payment["refunds"]["nodes"]).iter().map(id));
            references.push(payment["reference"].as_str().unwrap().to_owned());
        }
        let ids = kinds.iter().flat_map(|ids| two_of(ids)).collect();
        let cursors = cursors.into_iter().map(|(list, all)| (list, two_of(&all))).collect();
        // The newest, since they come in that order.
        Self { open: kinds[0][0].clone(), ids, references: two_of(&references), cursors, all_ids: kinds.concat() }
    }

    #[track_caller]
    fn are_not_in(&self, answer: &str) {
        for id in &self.all_ids {
            assert!(!answer.contains(id), "{id} in {answer}");
        }
        assert!(!answer.contains(&format!("/{OTHER_SEED}/0")), "{answer}");
    }
}

/// The first and the middle one.
fn two_of<T: Clone>(all: &[T]) -> Vec<T> {
    assert!(all.len() > 1);
    vec![all[0].clone(), all[all.len() / 2].clone()]
}

/// What is sent to a door.
struct Knock {
    /// Names something of the other account.
    known: String,
    /// Names nothing.
    unknown: String,
    /// Is sent by the other account, which must find something.
    owner: String,
    value: String,
    unknown_value: String,
}

impl Knock {
    fn new(document: &str, path: &str, value: &str, unknown: &str) -> Self {
        let known = fill(document, path, value);
        Self {
            owner: known.clone(),
            known,
            unknown: fill(document, path, unknown),
            value: value.to_owned(),
            unknown_value: unknown.to_owned(),
        }
    }

    /// With `OWN` as who asks has it.
    fn of_owners(self, ours: &Belongings, theirs: &Belongings) -> Self {
        Self {
            known: self.known.replace("OWN", &ours.open),
            unknown: self.unknown.replace("OWN", &ours.open),
            owner: self.owner.replace("OWN", &theirs.open),
            ..self
        }
    }

    /// Their cursors, compared with our own of another list of the same kind. The root's lists are all alike: there
    /// only the last word tells, since any cursor is a place among one's own rows.
    fn cursors(document: &str, path: &str, ours: &[Cursor], theirs: &[Cursor]) -> Vec<Self> {
        let send = |parent: &Cursor, cursor: &Cursor| fill(&document.replace("PARENT", &parent.of), path, &cursor.text);
        let nested = document.contains("PARENT");
        let knocks = theirs.iter().map(|their| {
            let another = if nested { &ours[1] } else { their };
            Self {
                known: send(&ours[0], their),
                // As the other account this is a list that it does not have, or the list without a cursor.
                unknown: if nested { send(&ours[0], another) } else { send(&ours[0], their) },
                owner: if nested { send(their, their) } else { fill(document, "first", "").replace("\"\"", "5") },
                value: their.text.clone(),
                unknown_value: another.text.clone(),
            }
        });
        knocks.collect()
    }
}

/// An id of the same kind that nobody has.
fn unknown(id: &str) -> String {
    let (kind, _) = id.split_once('_').unwrap_or(("", ""));
    format!("{kind}_{}", Uuid::now_v7().simple())
}

/// Status, media type and body, to the byte.
async fn raw(session: &Session<'_>, document: &str) -> String {
    if document.starts_with("subscription") {
        return first_of_stream(session, document).await;
    }
    let response = session.post(&json!({ "query": document })).await;
    let status = response.status().as_u16();
    let media = response.headers()["content-type"].to_str().unwrap().to_owned();
    format!("{status} {media} {}", response.text().await.unwrap())
}

/// Status, and the first event with data of a stream that may have no end.
async fn first_of_stream(session: &Session<'_>, document: &str) -> String {
    let mut response = session.stream(&json!({ "query": document })).await;
    let mut text = format!("{} ", response.status().as_u16());
    loop {
        if let Some((before, after)) = text.split_once("data: ")
            && let Some((data, _)) = after.split_once('\n')
        {
            return format!("{before}{data}");
        }
        let chunk = response.chunk().await.unwrap().expect("an event comes");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

/// The answer without what was sent, which an error may repeat.
fn answer_only(document: &str, answer: &str) -> String {
    document.split('"').skip(1).step_by(2).fold(answer.to_owned(), |answer, sent| answer.replace(sent, "…"))
}
