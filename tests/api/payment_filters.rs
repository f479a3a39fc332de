//! Filters of payments and installments: what the server finds is what the rows say.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use dermaga_tests::{Backend, NOW, TestApp, each_database, insert_payments};
use entity::{installment, payment};
use payment::Model;
use proptest::prelude::{Strategy, any};
use proptest::sample::select;

use crate::walk::Seeded;

each_database! {
    /// Each condition alone, with the rows that a careless one gets wrong.
    async fn each_condition_finds_what_it_says(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let rows = known_rows(&app).await;
        for (filter, expected) in CONDITIONS {
            let found = found(&app, filter).await;
            assert_eq!(found.join(" "), *expected, "{filter}");
        }
        // Every known row is in some answer and missing in another, or the table above shows nothing of it.
        for row in &rows {
            let named = |(_, expected): &&(&str, &str)| expected.split(' ').any(|name| name == row.reference);
            let times = CONDITIONS.iter().filter(named).count();
            assert!(times > 3 && times < CONDITIONS.len(), "{}", row.reference);
        }
    }

    /// A payment is found by its ids, and by no other's; a text that is no id is an error and finds not nothing.
    async fn ids_find_their_payments(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let rows = known_rows(&app).await;
        let id = |at: usize| format!("\"pay_{}\"", rows[at].id.0.simple());
        let unknown = "\"pay_00000000000070008000000000000000\"";
        for (filter, expected) in [
            (format!("{{id: {{eq: {}}}}}", id(1)), vec![rows[1].reference.as_str()]),
            (format!("{{id: {{in: [{}, {unknown}, {}]}}}}", id(3), id(2)), vec!["INV-2", "INV-3"]),
            (format!("{{id: {{eq: {}, in: [{}, {}]}}}}", id(3), id(2), id(3)), vec!["INV-3"]),
            (format!("{{id: {{eq: {}, in: [{}]}}}}", id(3), id(2)), vec![]),
            (format!("{{id: {{eq: {unknown}}}}}"), vec![]),
            ("{id: {in: []}}".to_owned(), vec![]),
        ] {
            assert_eq!(found(&app, &filter).await, expected, "{filter}");
        }
        for bad in ["\"\"", "\"pay_1\"", "\"ins_00000000000070008000000000000000\""] {
            let query = format!("{{ payments(where: {{id: {{in: [{bad}]}}}}) {{ nodes {{ id }} }} }}");
            assert_eq!(app.graphql(&query).await.codes(), ["INVALID_ID"], "{bad}");
        }
    }

    /// However conditions are put together, the database judges each row as one would by hand.
    async fn any_combination_is_judged_as_by_hand(backend: Backend) {
        let mut seeded = Seeded::new();
        let app = TestApp::spawn(backend).await;
        let rows = known_rows(&app).await;
        let (mut all, mut none) = (0, 0);
        for _ in 0..80 {
            let condition = seeded.value(&condition());
            let filter = condition.written();
            let mut expected: Vec<_> =
                rows.iter().filter(|row| condition.holds(row)).map(|row| row.reference.clone()).collect();
            expected.sort();
            all += usize::from(expected.len() == rows.len());
            none += usize::from(expected.is_empty());
            assert_eq!(found(&app, &filter).await, expected, "{filter}");
        }
        assert!(all + none < 60, "{all} find all and {none} find nothing: that tells too little");
    }

    /// The filter of installments, against the rows.
    async fn installments_are_filtered(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let (mut payment, mut installments) = app.payment().installments(&[10; 5]).first_due("2026-10-16").rows();
        let settle = |row: &mut installment::Model, status, allocated, waived, outstanding| {
            (row.status, row.allocated, row.waived, row.outstanding) = (status, allocated, waived, outstanding);
        };
        settle(&mut installments[0], installment::Status::Paid, 10, 0, 0);
        settle(&mut installments[1], installment::Status::PartiallyPaid, 4, 0, 6);
        settle(&mut installments[2], installment::Status::Waived, 0, 10, 0);
        settle(&mut installments[4], installment::Status::Void, 0, 0, 0);
        payment.reference = "P".to_owned();
        insert_payments(&app.database, vec![(payment, installments)]).await;
        // Due on the 16th, 23rd and 30th of October, and on the 6th and 13th of November.
        for (filter, expected) in [
            ("null", "1 2 3 4 5"),
            ("{}", "1 2 3 4 5"),
            ("{status: [PENDING]}", "4"),
            ("{status: [PAID, WAIVED, VOID]}", "1 3 5"),
            ("{status: []}", ""),
            ("{status: null}", "1 2 3 4 5"),
            ("{dueDate: {eq: \"2026-10-23\"}}", "2"),
            ("{dueDate: {gte: \"2026-10-23\", lte: \"2026-10-30\"}}", "2 3"),
            ("{dueDate: {gte: \"2026-10-24\"}}", "3 4 5"),
            ("{dueDate: {lte: \"2026-10-29\"}}", "1 2"),
            ("{dueDate: {isNull: true}}", ""),
            ("{dueDate: {isNull: true}, status: [PAID]}", ""),
            ("{dueDate: {isNull: false}}", "1 2 3 4 5"),
            ("{overdueAsOf: \"2026-10-23\"}", ""),
            ("{overdueAsOf: \"2026-10-24\"}", "2"),
            ("{overdueAsOf: \"2027-01-01\"}", "2 4"),
            ("{overdueAsOf: \"2027-01-01\", status: [PENDING, PAID]}", "4"),
        ] {
            let query = format!(
                "{{ payment(reference: \"P\") {{
                    installments(where: {filter}) {{ totalCount nodes {{ sequence }} }}
                }} }}"
            );
            let answer = app.graphql(&query).await;
            let rows = answer.at("/payment/installments/nodes").as_array().unwrap();
            let sequences: Vec<_> = rows.iter().map(|row| row["sequence"].to_string()).collect();
            assert_eq!(sequences.join(" "), expected, "{filter}");
            assert_eq!(answer.at("/payment/installments/totalCount"), rows.len(), "{filter}");
        }
    }

    /// A filter that no honest client sends is refused before it costs anything.
    async fn filters_without_measure_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let query = "query ($where: PaymentWhere) { payments(where: $where) { nodes { id } } }";
        let nested = |depth| (0..depth).fold(serde_json::json!({}), |inner, _| serde_json::json!({ "not": inner }));
        let listed = |values| serde_json::json!({ "reference": { "in": vec!["x"; values] } });
        let either = |parts| serde_json::json!({ "or": vec![serde_json::json!({}); parts] });
        for (filter, codes) in [
            (nested(8), &[][..]),
            (nested(9), &["BAD_USER_INPUT"]),
            (listed(1_000), &[]),
            (listed(1_001), &["BAD_USER_INPUT"]),
            (either(1_001), &["BAD_USER_INPUT"]),
        ] {
            let answer = app.graphql_with(query, serde_json::json!({ "where": filter })).await;
            assert_eq!(answer.codes(), codes, "{filter}");
        }
    }
}

/// The references of the payments that a filter finds, sorted; their number must agree with both counts.
async fn found(app: &TestApp, filter: &str) -> Vec<String> {
    let query = format!(
        "{{ payments(first: 100, where: {filter}) {{ totalCount aggregates {{ count }} nodes {{ reference }} }} }}"
    );
    let answer = app.graphql(&query).await;
    let rows = answer.at("/payments/nodes").as_array().unwrap();
    assert_eq!(answer.at("/payments/totalCount"), rows.len(), "totalCount of {filter}");
    assert_eq!(answer.at("/payments/aggregates/count"), rows.len(), "count of {filter}");
    let mut references: Vec<_> = rows.iter().map(|row| row["reference"].as_str().unwrap().to_owned()).collect();
    references.sort();
    references
}

/// Reference, currency, amount in minor units, percent paid, due date, seconds before [`NOW`].
const ROWS: [(&str, &str, i64, i64, &str, i64); 8] = [
    ("INV-1", "IDR", 100_000, 0, "2026-10-29", 0),
    ("inv-2", "IDR", 100_001, 50, "2026-10-30", 10),
    ("INV-2", "USD", 100_000, 100, "2026-10-30", 20),
    ("INV-3", "USD", 99_999, 50, "2026-11-29", 30),
    ("INV_3", "JPY", 1_000, 0, "2026-10-30", 40),
    ("INV%3", "JPY", 999, 100, "2026-10-01", 50),
    ("ÄB-\\'\"", "BHD", 1_000_000, 0, "2026-12-31", 60),
    ("äb-1", "BHD", 1_000_001, 50, "2026-10-01", 70),
];

const CONDITIONS: &[(&str, &str)] = &[
    ("null", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{}", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{reference: {eq: \"INV-2\"}}", "INV-2"),
    ("{reference: {eq: \"INV-4\"}}", ""),
    ("{reference: {eq: null, in: null}}", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{reference: {in: [\"INV_3\", \"inv-2\", \"none\"]}}", "INV_3 inv-2"),
    ("{reference: {in: []}}", ""),
    ("{reference: {eq: \"INV_3\", in: [\"INV-3\"]}}", ""),
    ("{reference: {startsWith: \"INV\"}}", "INV%3 INV-1 INV-2 INV-3 INV_3"),
    ("{reference: {startsWith: \"INV_\"}}", "INV_3"),
    ("{reference: {startsWith: \"INV%\"}}", "INV%3"),
    ("{reference: {startsWith: \"Ä\"}}", "ÄB-\\'\""),
    ("{reference: {startsWith: \"\"}}", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{reference: {contains: \"nV-\"}}", "INV-1 INV-2 INV-3 inv-2"),
    ("{reference: {contains: \"_\"}}", "INV_3"),
    ("{reference: {contains: \"%\"}}", "INV%3"),
    ("{reference: {contains: \"äB\"}}", "äb-1"),
    ("{reference: {contains: \"\\\\'\\\"\"}}", "ÄB-\\'\""),
    ("{reference: {contains: \"\"}}", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{reference: {startsWith: \"INV\", contains: \"3\"}}", "INV%3 INV-3 INV_3"),
    ("{currency: {eq: \"JPY\"}}", "INV%3 INV_3"),
    ("{currency: {in: [\"JPY\", \"BHD\", \"EUR\"]}}", "INV%3 INV_3 ÄB-\\'\" äb-1"),
    ("{currency: {in: []}}", ""),
    // 1,000 in rupiah, dollars and yen; 1,000.001 in dinars.
    ("{amount: {eq: \"1000\"}}", "INV-1 INV-2 INV_3 ÄB-\\'\""),
    ("{amount: {gt: \"1000\"}}", "inv-2 äb-1"),
    ("{amount: {gte: \"1000.001\"}}", "inv-2 äb-1"),
    ("{amount: {gt: \"1000.001\"}}", "inv-2"),
    ("{amount: {lt: \"1000\"}}", "INV%3 INV-3"),
    ("{amount: {lte: \"999.995\"}}", "INV%3 INV-3"),
    ("{amount: {lt: \"999.99\"}}", "INV%3"),
    ("{amount: {gte: \"999.5\", lte: \"1000\"}}", "INV-1 INV-2 INV-3 INV_3 ÄB-\\'\""),
    ("{amount: {eq: \"999.5\"}}", ""),
    ("{amount: {gt: \"-1\"}}", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{amount: {lt: \"99999999999999999999.999999999999\"}}", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{amount: {gt: \"99999999999999999999.999999999999\"}}", ""),
    ("{outstanding: {eq: \"0\"}}", "INV%3 INV-2"),
    ("{outstanding: {eq: \"500.01\"}}", "inv-2"),
    ("{outstanding: {gt: \"500\", lt: \"1000\"}}", "inv-2 äb-1"),
    ("{status: {eq: PAID}}", "INV%3 INV-2"),
    ("{status: {in: [OPEN, PAID]}}", "INV%3 INV-1 INV-2 INV_3 ÄB-\\'\""),
    ("{status: {in: []}}", ""),
    ("{status: {eq: CANCELLED}}", ""),
    ("{overdueAsOf: \"2026-10-30\"}", "INV-1 äb-1"),
    ("{overdueAsOf: \"2026-10-31\"}", "INV-1 INV_3 inv-2 äb-1"),
    ("{overdueAsOf: \"2026-10-01\"}", ""),
    ("{nextDueDate: {isNull: true}}", "INV%3 INV-2"),
    ("{nextDueDate: {isNull: false}}", "INV-1 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{nextDueDate: {eq: \"2026-10-30\"}}", "INV_3 inv-2"),
    ("{nextDueDate: {gte: \"2026-10-30\", lte: \"2026-11-29\"}}", "INV-3 INV_3 inv-2"),
    ("{nextDueDate: {isNull: true, gte: \"2026-01-01\"}}", ""),
    ("{createdAt: {gte: \"2026-10-30T11:59:40Z\"}}", "INV-1 INV-2 inv-2"),
    ("{createdAt: {lt: \"2026-10-30T11:59:00.000001Z\"}}", "ÄB-\\'\" äb-1"),
    ("{createdAt: {lt: \"2026-10-30T18:59:00+07:00\"}}", "äb-1"),
    ("{createdAt: {gte: \"2026-10-30T18:59:10+07:00\", lt: \"2026-10-30T18:59:30+07:00\"}}", "INV%3 INV_3"),
    ("{createdAt: {isNull: true}}", ""),
    ("{createdAt: {isNull: false}}", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    // What is never due is not overdue, and so it is among those that are not.
    ("{not: {overdueAsOf: \"2026-10-31\"}}", "INV%3 INV-2 INV-3 ÄB-\\'\""),
    ("{not: {nextDueDate: {gte: \"2026-10-30\"}}}", "INV%3 INV-1 INV-2 äb-1"),
    ("{not: {not: {nextDueDate: {gte: \"2026-10-30\"}}}}", "INV-3 INV_3 inv-2 ÄB-\\'\""),
    ("{not: {}}", ""),
    ("{and: []}", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{or: []}", ""),
    ("{not: {or: []}}", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{or: null, and: null, not: null}", "INV%3 INV-1 INV-2 INV-3 INV_3 inv-2 ÄB-\\'\" äb-1"),
    ("{or: [{currency: {eq: \"USD\"}}, {status: {eq: PAID}}]}", "INV%3 INV-2 INV-3"),
    ("{and: [{currency: {eq: \"USD\"}}, {status: {eq: PAID}}]}", "INV-2"),
    ("{currency: {eq: \"USD\"}, or: [{status: {eq: PAID}}, {status: {eq: OPEN}}]}", "INV-2"),
];

async fn known_rows(app: &TestApp) -> Vec<Model> {
    let rows = ROWS.map(|(reference, currency, amount, percent, due, seconds)| {
        let builder = app
            .payment()
            .reference(reference)
            .currency(currency)
            .installments(&[amount])
            .first_due(due)
            .created_at(NOW - TimeDelta::seconds(seconds));
        let (mut payment, mut installments) = if percent == 100 { builder.paid() } else { builder }.rows();
        if percent == 50 {
            let arrived = amount / 2;
            (payment.allocated, payment.received, payment.outstanding) = (arrived, arrived, amount - arrived);
            payment.status = payment::Status::PartiallyPaid;
            (installments[0].allocated, installments[0].outstanding) = (arrived, amount - arrived);
            installments[0].status = installment::Status::PartiallyPaid;
        }
        (payment, installments)
    });
    insert_payments(&app.database, rows.to_vec()).await;
    rows.into_iter().map(|(payment, _)| payment).collect()
}

/// A filter that can be written down and judged by hand.
#[derive(Clone, Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    StartsWith(&'static str),
    Contains(&'static str),
    Currencies(Vec<&'static str>),
    /// Of the amount (or of what is outstanding), in thousandths.
    Amount(bool, &'static str, i128),
    Overdue(NaiveDate),
    NextDue(&'static str, NaiveDate),
    NextDueIsNull(bool),
    CreatedAt(&'static str, DateTime<Utc>),
}

fn condition() -> impl Strategy<Value = Condition> {
    use proptest::collection::vec;
    use proptest::prop_oneof;
    let day = || (0..40_u64).prop_map(|days| NaiveDate::from_ymd_opt(2026, 9, 30).unwrap() + chrono::Days::new(days));
    let amount = select(&[0, 499_995, 500_000, 999_000, 999_990, 999_995, 1_000_000, 1_000_001, 1_000_010][..]);
    let leaf = prop_oneof![
        select(&["", "I", "INV", "INV-", "INV_", "ä", "in"][..]).prop_map(Condition::StartsWith),
        select(&["", "3", "-", "_", "%", "nv", "B"][..]).prop_map(Condition::Contains),
        vec(select(&["IDR", "USD", "JPY", "BHD"][..]), 0..3).prop_map(Condition::Currencies),
        (any::<bool>(), select(&["eq", "gt", "gte", "lt", "lte"][..]), amount)
            .prop_map(|(whole, how, bound)| Condition::Amount(whole, how, bound)),
        day().prop_map(Condition::Overdue),
        (select(&["eq", "gte", "lte"][..]), day()).prop_map(|(how, day)| Condition::NextDue(how, day)),
        any::<bool>().prop_map(Condition::NextDueIsNull),
        (select(&["gte", "lt"][..]), 0..80_i64)
            .prop_map(|(how, seconds)| Condition::CreatedAt(how, NOW - TimeDelta::seconds(seconds))),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Condition::All),
            vec(inner.clone(), 0..4).prop_map(Condition::Any),
            inner.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

impl Condition {
    fn written(&self) -> String {
        let list = |parts: &[Self]| parts.iter().map(Self::written).collect::<Vec<_>>().join(", ");
        let inner = match self {
            Self::All(parts) => format!("and: [{}]", list(parts)),
            Self::Any(parts) => format!("or: [{}]", list(parts)),
            Self::Not(part) => format!("not: {}", part.written()),
            Self::StartsWith(prefix) => format!("reference: {{startsWith: \"{prefix}\"}}"),
            Self::Contains(part) => format!("reference: {{contains: \"{part}\"}}"),
            Self::Currencies(codes) => format!("currency: {{in: {codes:?}}}"),
            Self::Amount(whole, how, bound) => {
                let name = if *whole { "amount" } else { "outstanding" };
                format!("{name}: {{{how}: \"{}.{:03}\"}}", bound / 1_000, bound % 1_000)
            }
            Self::Overdue(day) => format!("overdueAsOf: \"{day}\""),
            Self::NextDue(how, day) => format!("nextDueDate: {{{how}: \"{day}\"}}"),
            Self::NextDueIsNull(null) => format!("nextDueDate: {{isNull: {null}}}"),
            Self::CreatedAt(how, at) => format!("createdAt: {{{how}: \"{}\"}}", at.to_rfc3339()),
        };
        format!("{{{inner}}}")
    }

    fn holds(&self, row: &Model) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(row)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(row)),
            Self::Not(part) => !part.holds(row),
            Self::StartsWith(prefix) => row.reference.starts_with(prefix),
            Self::Contains(part) => row.reference.to_ascii_lowercase().contains(&part.to_ascii_lowercase()),
            Self::Currencies(codes) => codes.contains(&row.currency.as_str()),
            Self::Amount(whole, how, bound) => {
                let minor = if *whole { row.amount } else { row.outstanding };
                let thousandths = match row.currency.as_str() {
                    "JPY" => 1_000,
                    "BHD" => 1,
                    _ => 10,
                };
                compares(how, &(i128::from(minor) * thousandths), bound)
            }
            Self::Overdue(day) => row.next_due_date.is_some_and(|due| due < *day),
            Self::NextDue(how, day) => row.next_due_date.is_some_and(|due| compares(how, &due, day)),
            Self::NextDueIsNull(null) => row.next_due_date.is_none() == *null,
            Self::CreatedAt(how, at) => compares(how, &row.created_at, at),
        }
    }
}

fn compares<T: Ord>(how: &str, value: &T, bound: &T) -> bool {
    match how {
        "eq" => value == bound,
        "gt" => value > bound,
        "gte" => value >= bound,
        "lt" => value < bound,
        "lte" => value <= bound,
        other => unreachable!("{other}"),
    }
}
