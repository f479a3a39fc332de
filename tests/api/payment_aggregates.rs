//! Sums over payments: exact, of all pages, and paid for only when they are asked for.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use dermaga_tests::{Backend, TestApp, each_database, insert_payments};
use entity::payment::Status;
use entity::{installment, payment};
use serde_json::{Value, json};

each_database! {
    /// The totals of a report are those of the rows, by currency and by status, for any filter and on any page.
    async fn sums_are_those_of_the_rows(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let rows = mixed(&app).await;
        let filters: [Filter; 5] = [
            ("null", |_| true),
            ("{currency: {in: [\"IDR\", \"JPY\"]}}", |row| row.currency == "IDR" || row.currency == "JPY"),
            ("{not: {nextDueDate: {isNull: true}}}", |row| row.next_due_date.is_some()),
            ("{reference: {contains: \"3\"}}", |row| row.reference.contains('3')),
            ("{or: []}", |_| false),
        ];
        for (filter, keep) in filters {
            let rows: Vec<_> = rows.iter().filter(|(row, _)| keep(row)).collect();
            let query = format!("{{ payments(first: 1, where: {filter}) {{ aggregates {{ {SUMS} }} }} }}");
            let answer = app.graphql(&query).await;
            let by_status: Vec<_> = STATUSES
                .into_iter()
                .map(|(status, name)| {
                    let rows: Vec<_> = rows.iter().copied().filter(|(row, _)| row.status == status).collect();
                    json!({ "status": name, "count": rows.len(), "byCurrency": sums(&rows) })
                })
                .filter(|group| group["count"] != 0)
                .collect();
            let expected = json!({ "count": rows.len(), "byCurrency": sums(&rows), "byStatus": by_status });
            assert_eq!(answer.at("/payments/aggregates"), &expected, "{filter}");
        }
    }

    /// A 64-bit sum of rupiah would overflow long before the ledger does.
    async fn sums_beyond_64_bits_are_exact(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let due = "2026-10-01";
        let mut rows = Vec::new();
        for at in 0..5 {
            rows.push(app.payment().installments(&[i64::MAX - 10 - at]).first_due(due).rows());
            rows.push(app.payment().installments(&[i64::MAX - 20 - at]).first_due(due).paid().rows());
        }
        insert_payments(&app.database, rows.clone()).await;
        let sums_and_more = format!("{SUMS} converted(into: \"USD\") {{ amount }}");
        let answer = app.graphql(&format!("{{ payments(first: 1) {{ aggregates {{ {sums_and_more} }} }} }}")).await;
        let rows: Vec<_> = rows.iter().collect();
        assert_eq!(answer.at("/payments/aggregates/byCurrency"), &sums(&rows));
        let total: i128 = rows.iter().map(|(row, _)| i128::from(row.amount)).sum();
        assert!(total > i128::from(u64::MAX));
        // EUR 1 is USD 1.1172 and IDR 20,275.17.
        let cents = rounded(total * 11_172, 100 * 2_027_517);
        assert_eq!(answer.text("/payments/aggregates/converted/amount"), written(cents, 2));
    }

    /// Amounts of several currencies are added up unrounded: rounding each first would drift with their number.
    async fn conversion_rounds_once(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let converted = async |arguments: &str| {
            let query = format!("{{ payments {{ aggregates {{ converted({arguments}) {{ amount currency }} }} }} }}");
            app.graphql(&query).await.at("/payments/aggregates/converted").clone()
        };
        assert_eq!(converted("into: \"USD\"").await, json!({ "amount": "0.00", "currency": "USD" }), "of nothing");
        let mut known = (0, 0);
        for (euro_cents, yen) in [(5, 1), (12_345_678, 9_876_543)] {
            app.payment().currency("EUR").installments(&[euro_cents]).create(&app.database).await;
            app.payment().currency("JPY").installments(&[yen]).create(&app.database).await;
            app.cache.flush().await;
            known = (known.0 + i128::from(euro_cents), known.1 + i128::from(yen));
            // EUR 1 is USD 1.1172 and JPY 175.68.
            let cents = rounded(11_172 * (known.0 * 17_568 + known.1 * 10_000), 10_000 * 17_568);
            let expected = json!({ "amount": written(cents, 2), "currency": "USD" });
            assert_eq!(converted("into: \"USD\", on: \"2026-10-30\"").await, expected);
            assert_eq!(converted("into: \"USD\"").await, expected, "the account's current day");
        }
        // Nothing is held for the year 1990, and nothing for dinars on any day: no sum is better than half of one.
        assert_eq!(converted("into: \"USD\", on: \"1990-01-01\"").await, Value::Null);
        app.payment().currency("BHD").installments(&[1]).create(&app.database).await;
        app.cache.flush().await;
        assert_eq!(converted("into: \"USD\"").await, Value::Null);
    }

    /// A list that shows no count must not pay for one.
    async fn what_is_not_selected_costs_nothing(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        mixed(&app).await;
        for (selection, statements) in [
            ("nodes { reference }", 1),
            ("nodes { reference } aggregates { __typename }", 1),
            ("nodes { reference } pageInfo { hasNextPage } edges { cursor }", 1),
            ("nodes { reference } totalCount", 2),
            ("nodes { reference } aggregates { count }", 2),
            ("nodes { reference } aggregates { count byCurrency { amount { amount } } byStatus { count } }", 2),
            ("nodes { reference } totalCount aggregates { count }", 3),
            ("aggregates { byCurrency { overdue { amount } } }", 3),
            ("aggregates { byCurrency { overdue { amount } } byStatus { byCurrency { overdue { amount } } } }", 3),
        ] {
            let query = format!("{{ payments(first: 3) {{ {selection} }} }}");
            assert_eq!(app.statements_during(&query).await, statements, "{selection}");
        }
    }
}

type Filter = (&'static str, fn(&payment::Model) -> bool);

type Row = (payment::Model, Vec<installment::Model>);

const SUMS: &str = "count
    byCurrency { currency amount { amount } received { amount } outstanding { amount } overdue { amount } }
    byStatus { status count byCurrency {
        currency amount { amount } received { amount } outstanding { amount } overdue { amount }
    } }";

const STATUSES: [(Status, &str); 5] = [
    (Status::Open, "OPEN"),
    (Status::PartiallyPaid, "PARTIALLY_PAID"),
    (Status::Paid, "PAID"),
    (Status::Cancelled, "CANCELLED"),
    (Status::WrittenOff, "WRITTEN_OFF"),
];

/// Payments of each status in each of some currencies, with installments before, on and after the current day.
async fn mixed(app: &TestApp) -> Vec<Row> {
    let mut rows = Vec::new();
    for (at, currency) in (0..).zip(["IDR", "JPY", "BHD", "IDR"]) {
        for (status, _) in STATUSES {
            let amounts = [1_000 + at, 200 + at, 30 + at];
            let builder = app.payment().currency(currency).installments(&amounts).first_due("2026-10-23");
            let (mut row, mut parts) = if status == Status::Paid { builder.paid() } else { builder }.rows();
            row.reference = format!("{status:?}-{at}");
            row.status = status;
            match status {
                Status::PartiallyPaid => {
                    (row.allocated, row.received, row.outstanding) = (700, 750, row.amount - 700);
                    (parts[0].allocated, parts[0].outstanding) = (700, amounts[0] - 700);
                    parts[0].status = installment::Status::PartiallyPaid;
                }
                Status::Cancelled | Status::WrittenOff => {
                    row.written_off = if status == Status::WrittenOff { row.amount } else { 0 };
                    (row.outstanding, row.next_due_date) = (0, None);
                }
                Status::Open | Status::Paid => {}
            }
            rows.push((row, parts));
        }
    }
    insert_payments(&app.database, rows.clone()).await;
    rows
}

/// The sums by currency as the server should write them.
fn sums(rows: &[&Row]) -> Value {
    // The current day in Jakarta.
    let today: NaiveDate = "2026-10-30".parse().unwrap();
    let mut sums: BTreeMap<&str, [i128; 4]> = BTreeMap::new();
    for (row, parts) in rows {
        let sum = sums.entry(&row.currency).or_default();
        sum[0] += i128::from(row.amount);
        sum[1] += i128::from(row.received);
        sum[2] += i128::from(row.outstanding);
        // What stands on the installments of a written-off payment is not owed any more.
        let owed = row.outstanding > 0;
        let late = parts.iter().filter(|part| owed && part.due_date < today);
        sum[3] += late.map(|part| i128::from(part.outstanding)).sum::<i128>();
    }
    let written = |(currency, sum): (&str, [i128; 4])| {
        let digits = match currency {
            "JPY" => 0,
            "BHD" => 3,
            _ => 2,
        };
        let [amount, received, outstanding, overdue] = sum.map(|minor| json!({ "amount": written(minor, digits) }));
        json!({
            "currency": currency, "amount": amount, "received": received,
            "outstanding": outstanding, "overdue": overdue,
        })
    };
    sums.into_iter().map(written).collect()
}

/// Minor units with a point.
fn written(minor: i128, digits: u32) -> String {
    let unit = 10_i128.pow(digits);
    match digits {
        0 => minor.to_string(),
        _ => format!("{}.{:0width$}", minor / unit, minor % unit, width = digits as usize),
    }
}

/// The quotient, rounded half-even.
fn rounded(dividend: i128, divisor: i128) -> i128 {
    let (whole, rest) = (dividend / divisor, dividend % divisor);
    let up = match (2 * rest).cmp(&divisor) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => whole % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    whole + i128::from(up)
}
