//! Pages of the other lists: installments, commodities and those below them.

use std::collections::BTreeSet;

use chrono::Days;
use dermaga_tests::{Backend, TestApp, each_database, insert_payments};
use entity::commodity::{self, Level};
use entity::{installment, payment};
use proptest::collection::vec;

use crate::walk::{List, Page, ROWS, Seeded};

each_database! {
    /// Installments of two plans share due dates and places; still each comes once, and only those of its payment.
    async fn every_installment_comes_once(backend: Backend) {
        let mut seeded = Seeded::new();
        let app = TestApp::spawn(backend).await;
        let rows: Vec<_> = ["A", "B", "C"].map(|name| replanned(&app, name)).into();
        insert_payments(&app.database, rows.clone()).await;
        let sizes = seeded.value(&vec(1..=7_usize, 5));
        for (payment, installments) in &rows {
            for (filter, statuses) in FILTERS {
                let expected = sorted(installments, statuses);
                assert!(expected.len() > 10, "{filter} leaves too little");
                let document = format!(
                    "{{ payment(reference: \"{}\") {{ installments(PAGE{filter}) {{ ROWS }} }} }}",
                    payment.reference
                );
                let list = List::new(&app, document, "/payment/installments");
                list.is_on_one_page(&expected, &["first: 100"]).await;
                list.walk(&expected, &sizes, false).await;
            }
        }
    }

    /// Many payments' installments are one statement; each payment's page must still be cut for itself.
    async fn pages_of_many_payments_are_cut_apart(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let mut rows: Vec<_> = ["A", "B", "C"].map(|name| replanned(&app, name)).into();
        // One that has less than a page, and one with exactly one.
        rows.push(app.payment().reference("D").installments(&[5, 5]).rows());
        rows.push(app.payment().reference("E").installments(&[5; 4]).rows());
        insert_payments(&app.database, rows.clone()).await;
        let query = format!(
            "{{ payments(orderBy: [{{field: REFERENCE}}]) {{ nodes {{ installments(first: 4) {{ {ROWS} }} }} }} }}"
        );
        let answer = app.graphql(&query).await;
        for (at, (payment, installments)) in rows.iter().enumerate() {
            let page = Page::read(&answer, &format!("/payments/nodes/{at}/installments"));
            let expected = sorted(installments, ALL);
            assert_eq!(page.ids, expected[..expected.len().min(4)], "{}", payment.reference);
            assert_eq!((page.has_previous, page.has_next), (false, expected.len() > 4), "{}", payment.reference);
        }
        // A cursor of one payment's list is no position in another's.
        let cursor = Page::read(&answer, "/payments/nodes/0/installments").end_cursor.unwrap();
        let other = "{ payment(reference: \"B\") { installments(after: \"CURSOR\") { nodes { id } } } }";
        let other = other.replace("CURSOR", &cursor);
        assert_eq!(app.graphql(&other).await.codes(), ["INVALID_CURSOR"]);
    }

    /// The tree of commodities is read through pages alone, with a search and without.
    async fn every_commodity_comes_once(backend: Backend) {
        let mut seeded = Seeded::new();
        let app = TestApp::builder(backend).settings(|settings| settings.max_page_size = Some("1000".to_owned()));
        let app = app.spawn().await;
        let rows = commodities(&app).await;
        for (arguments, keep) in SEARCHES {
            let query = format!("{{ commodities(first: 1000{arguments}) {{ totalCount nodes {{ id }} }} }}");
            let answer = app.graphql(&query).await;
            let nodes = answer.at("/commodities/nodes").as_array().unwrap();
            let expected: Vec<_> = nodes.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
            // Which come first is what `commodity_search.rs` is about; without a search it is the code.
            assert!(arguments.contains("search") || expected.is_sorted(), "{arguments}");
            let found: BTreeSet<_> = expected.iter().cloned().collect();
            let all: BTreeSet<_> = rows.iter().filter(|row| keep(row)).map(|row| format!("com_{}", row.code)).collect();
            assert_eq!(found, all, "{arguments}");
            assert!(all.len() > 3 && all.len() < 1_000, "{arguments} finds {}", all.len());
            assert_eq!(answer.at("/commodities/totalCount"), all.len(), "{arguments}");
            let list = List::new(&app, format!("{{ commodities(PAGE{arguments}) {{ ROWS }} }}"), "/commodities");
            list.is_on_one_page(&expected, &["first: 1000"]).await;
            let most = found.len() / 2 + 1;
            list.walk(&expected, &seeded.value(&vec(most / 4 + 1..=most, 4)), false).await;
        }
    }

    /// The children of a commodity are paged like everything else.
    async fn every_child_of_a_commodity_comes_once(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let rows = commodities(&app).await;
        let below = |parent: &commodity::Model| -> Vec<String> {
            let children = rows.iter().filter(|row| row.parent_code.as_ref() == Some(&parent.code));
            children.map(|row| format!("com_{}", row.code)).collect()
        };
        let parent = rows.iter().max_by_key(|row| below(row).len()).unwrap();
        let mut expected = below(parent);
        expected.sort();
        assert!(expected.len() > 5, "{} has too few", parent.code);
        let document = format!("{{ commodity(code: \"{}\") {{ children(PAGE) {{ ROWS }} }} }}", parent.code);
        let list = List::new(&app, document, "/commodity/children");
        list.is_on_one_page(&expected, &["first: 100"]).await;
        list.walk(&expected, &[1, 3, 2], false).await;
    }
}

const ALL: &[installment::Status] =
    &[installment::Status::Pending, installment::Status::Paid, installment::Status::Void];

const FILTERS: &[(&str, &[installment::Status])] = &[
    ("", ALL),
    (", where: {status: [PENDING, PAID]}", &[installment::Status::Pending, installment::Status::Paid]),
    (", where: {status: [VOID]}", &[installment::Status::Void]),
];

/// A payment whose first plan of 12 was replaced by a second of 12, on the same three due dates.
fn replanned(app: &TestApp, reference: &str) -> (payment::Model, Vec<installment::Model>) {
    let (payment, mut installments) = app.payment().reference(reference).installments(&[100; 24]).rows();
    let first = installments[0].due_date;
    for (at, row) in (0..).zip(&mut installments) {
        row.plan_revision = 1 + at / 12;
        // The later, the earlier due: the order of the rows is not the order of the ids.
        row.sequence = 12 - at % 12;
        row.due_date = first + Days::new(u64::try_from(row.sequence).unwrap() / 4);
        if row.plan_revision == 1 {
            row.status = installment::Status::Void;
            row.outstanding = 0;
        } else if row.sequence < 3 {
            row.status = installment::Status::Paid;
            row.allocated = row.amount;
            row.outstanding = 0;
        }
    }
    (payment, installments)
}

fn sorted(rows: &[installment::Model], statuses: &[installment::Status]) -> Vec<String> {
    let mut rows: Vec<_> = rows.iter().filter(|row| statuses.contains(&row.status)).collect();
    rows.sort_by_key(|row| (row.due_date, row.sequence, row.id));
    rows.iter().map(|row| format!("ins_{}", row.id.0.simple())).collect()
}

async fn commodities(app: &TestApp) -> Vec<commodity::Model> {
    commodity::Entity::all().all(&app.database.reader(std::sync::Arc::default())).await.unwrap()
}

type Search = (&'static str, fn(&commodity::Model) -> bool);

/// Arguments, and what they find.
const SEARCHES: &[Search] = &[
    ("", |_| true),
    (", level: HEADING", |row| row.level == Level::Heading),
    (", parent: \"09\"", |row| row.parent_code.as_deref() == Some("09")),
    (", search: \"Ikan\"", |row| has(row, "ikan")),
    (", search: \"or fresh\", level: SUBHEADING", |row| row.level == Level::Subheading && has(row, "fresh")),
    (", search: \"03.\"", |row| row.code.starts_with("03")),
    (", search: \" -- \"", |_| true),
];

/// A word of its names begins so.
fn has(row: &commodity::Model, beginning: &str) -> bool {
    let names = format!("{} {}", row.description_en, row.description_id.as_deref().unwrap_or_default()).to_lowercase();
    names.split(|letter: char| !letter.is_alphanumeric()).any(|word| word.starts_with(beginning))
}
