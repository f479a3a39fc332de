//! Pages of payments: every row once, in order, whatever the order, the sizes and the direction.

use std::cmp::Ordering;

use chrono::{Days, TimeDelta};
use dermaga_tests::{Backend, NOW, TestApp, each_database, insert_payments};
use entity::{installment, payment};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::sample::{select, subsequence};

use crate::walk::{List, Seeded};

each_database! {
    /// The promise of a list: all its rows, each once, in the order asked for, forwards and backwards.
    async fn every_payment_comes_once_in_every_order(backend: Backend) {
        let mut seeded = Seeded::new();
        let app = TestApp::spawn(backend).await;
        let rows = insert(&app, &seeded.value(&vec(shape(), 60))).await;
        let mut cases = single_orders();
        cases.extend(seeded.value(&vec(orders(), 40)));
        for order in cases {
            let filter = seeded.value(&select(FILTERS));
            let expected = sorted(&rows, &order, filter.1);
            let sizes = seeded.value(&vec(1..=9_usize, 8));
            let list = payments(&app, &order, filter.0);
            list.is_on_one_page(&expected, &["first: 100", "last: 100"]).await;
            list.walk(&expected, &sizes, false).await;
            list.walk(&expected, &sizes, true).await;
            list.between_two_cursors(&expected, sizes[0]).await;
        }
    }

    /// Who reads on is not disturbed by what comes in before: nothing is shown twice, nothing is left out.
    async fn rows_that_come_in_before_the_cursor_shift_nothing(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let amounts = [300, 100, 200, 100, 300, 200, 100, 200, 300, 100];
        let known: Vec<_> = amounts.iter().map(|amount| app.payment().installments(&[*amount]).rows()).collect();
        insert_payments(&app.database, known.clone()).await;
        let mut rows: Vec<_> = known.into_iter().map(|(payment, _)| payment).collect();
        let order = [Order { field: Field::Amount, descending: false, nulls_first: false }];
        let list = payments(&app, &order, "");
        let expected = sorted(&rows, &order, |_| true);

        let first = list.page("first: 5").await;
        assert_eq!(first.ids, expected[..5]);
        let cursor = first.end_cursor.unwrap();
        for amount in [1, 100] {
            rows.push(app.payment().installments(&[amount]).create(&app.database).await);
        }
        let second = list.page(&format!("first: 5, after: \"{cursor}\"")).await;
        assert_eq!(second.ids, expected[5..]);
        // What came in is there for who looks back, and what comes in beyond the cursor is met on the way.
        rows.push(app.payment().installments(&[200]).create(&app.database).await);
        let expected = sorted(&rows, &order, |_| true);
        let behind = list.page(&format!("last: 100, before: \"{cursor}\"")).await;
        assert_eq!(behind.ids, expected[..6]);
        let ahead = list.page(&format!("first: 100, after: \"{cursor}\"")).await;
        assert_eq!(ahead.ids, expected[7..]);
    }

    /// A row that goes while its cursor is in a client's hand takes nothing with it.
    async fn a_cursor_outlives_its_row(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let mut ids = Vec::new();
        for day in 1..=5 {
            let row = app.payment().created_at(NOW - TimeDelta::days(day)).create(&app.database).await;
            ids.push(format!("pay_{}", row.id.0.simple()));
        }
        let list = payments(&app, &[], "");
        let cursor = list.page("first: 2").await.end_cursor.unwrap();
        app.database
            .write(async |transaction| {
                use sea_orm::ConnectionTrait;
                let second = "(SELECT id FROM payment ORDER BY created_at DESC LIMIT 1 OFFSET 1)";
                transaction.execute_unprepared(&format!("DELETE FROM installment WHERE payment_id = {second}")).await?;
                transaction.execute_unprepared(&format!("DELETE FROM payment WHERE id = {second}")).await?;
                Ok::<_, sea_orm::DbErr>(())
            })
            .await
            .unwrap();
        assert_eq!(list.page(&format!("first: 5, after: \"{cursor}\"")).await.ids, ids[2..]);
        assert_eq!(list.page(&format!("last: 5, before: \"{cursor}\"")).await.ids, ids[..1]);
    }

    /// Arguments that make no page are refused with a code, and a cursor of another list is not taken for this one's.
    async fn what_makes_no_page_is_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for _ in 0..3 {
            app.payment().create(&app.database).await;
        }
        let cursor = payments(&app, &[], "").page("first: 1").await.end_cursor.unwrap();
        for (arguments, code) in [
            ("first: 0".to_owned(), "INVALID_PAGE"),
            ("first: 101".to_owned(), "INVALID_PAGE"),
            ("last: -1".to_owned(), "INVALID_PAGE"),
            ("first: 1, last: 1".to_owned(), "INVALID_PAGE"),
            ("after: \"\"".to_owned(), "INVALID_CURSOR"),
            ("before: \"bm9uZQ\"".to_owned(), "INVALID_CURSOR"),
            (format!("after: \"{cursor}\", orderBy: [{{field: CREATED_AT}}]"), "INVALID_CURSOR"),
            (format!("after: \"{cursor}\", where: {{currency: {{eq: \"IDR\"}}}}"), "INVALID_CURSOR"),
            ("orderBy: [{field: AMOUNT}, {field: AMOUNT, direction: DESC}]".to_owned(), "BAD_USER_INPUT"),
            (
                "orderBy: [{field: AMOUNT}, {field: CREATED_AT}, {field: REFERENCE}, {field: OUTSTANDING}]".to_owned(),
                "BAD_USER_INPUT",
            ),
        ] {
            let answer = app.graphql(&format!("{{ payments({arguments}) {{ nodes {{ id }} }} }}")).await;
            assert_eq!(answer.codes(), [code], "{arguments}");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    CreatedAt,
    Amount,
    Outstanding,
    NextDueDate,
    Reference,
}

const FIELDS: [Field; 5] = [Field::CreatedAt, Field::Amount, Field::Outstanding, Field::NextDueDate, Field::Reference];

#[derive(Clone, Copy, Debug)]
struct Order {
    field: Field,
    descending: bool,
    nulls_first: bool,
}

type Filter = (&'static str, fn(&payment::Model) -> bool);

const FILTERS: &[Filter] = &[
    ("", |_| true),
    ("", |_| true),
    ("{currency: {eq: \"USD\"}}", |row| row.currency == "USD"),
    ("{nextDueDate: {isNull: true}}", |row| row.next_due_date.is_none()),
    ("{not: {status: {eq: PAID}}}", |row| row.status != payment::Status::Paid),
    ("{or: [{currency: {eq: \"JPY\"}}, {nextDueDate: {isNull: true}}]}", |row| {
        row.currency == "JPY" || row.next_due_date.is_none()
    }),
    ("{or: []}", |_| false),
];

/// The page's list of payments in an order, of which a filter as GraphQL wants some.
fn payments<'a>(app: &'a TestApp, order: &[Order], filter: &str) -> List<'a> {
    let orders: Vec<_> = order.iter().map(Order::written).collect();
    let filter = if filter.is_empty() { String::new() } else { format!(", where: {filter}") };
    let orders = if orders.is_empty() { String::new() } else { format!(", orderBy: [{}]", orders.join(", ")) };
    List::new(app, format!("{{ payments(PAGE{orders}{filter}) {{ ROWS }} }}"), "/payments")
}

impl Order {
    fn written(&self) -> String {
        let field = match self.field {
            Field::CreatedAt => "CREATED_AT",
            Field::Amount => "AMOUNT",
            Field::Outstanding => "OUTSTANDING",
            Field::NextDueDate => "NEXT_DUE_DATE",
            Field::Reference => "REFERENCE",
        };
        let direction = if self.descending { "DESC" } else { "ASC" };
        let nulls = if self.nulls_first { "FIRST" } else { "LAST" };
        format!("{{field: {field}, direction: {direction}, nulls: {nulls}}}")
    }

    fn compare(&self, a: &payment::Model, b: &payment::Model) -> Ordering {
        let ascending = match self.field {
            Field::CreatedAt => a.created_at.cmp(&b.created_at),
            Field::Amount => (&a.currency, a.amount).cmp(&(&b.currency, b.amount)),
            Field::Outstanding => (&a.currency, a.outstanding).cmp(&(&b.currency, b.outstanding)),
            Field::Reference => a.reference.cmp(&b.reference),
            Field::NextDueDate => match (a.next_due_date, b.next_due_date) {
                (Some(a), Some(b)) => a.cmp(&b),
                // Where nulls stand does not turn around with the direction.
                (a, b) if self.nulls_first => return a.is_some().cmp(&b.is_some()),
                (a, b) => return a.is_none().cmp(&b.is_none()),
            },
        };
        if self.descending { ascending.reverse() } else { ascending }
    }
}

/// The ids of the rows that a filter lets through, in order.
fn sorted(rows: &[payment::Model], order: &[Order], keep: fn(&payment::Model) -> bool) -> Vec<String> {
    let mut rows: Vec<_> = rows.iter().filter(|row| keep(row)).collect();
    // Equal rows stand by id, in the direction of the last order.
    let last = order.last().is_some_and(|order| order.descending);
    rows.sort_by(|a, b| {
        let by_id = if last { b.id.cmp(&a.id) } else { a.id.cmp(&b.id) };
        order.iter().map(|order| order.compare(a, b)).find(|order| order.is_ne()).unwrap_or(by_id)
    });
    rows.iter().map(|row| format!("pay_{}", row.id.0.simple())).collect()
}

/// Each field alone, in each direction, and with nulls at each end.
fn single_orders() -> Vec<Vec<Order>> {
    let of = |field, descending, nulls_first| vec![Order { field, descending, nulls_first }];
    FIELDS
        .into_iter()
        .flat_map(|field| [false, true].map(|descending| [false, true].map(|first| of(field, descending, first))))
        .flatten()
        .collect()
}

/// Two or three fields, each in its own direction.
fn orders() -> impl Strategy<Value = Vec<Order>> {
    let fields = subsequence(FIELDS.to_vec(), 2..=3).prop_shuffle();
    (fields, any::<[bool; 3]>(), any::<[bool; 3]>()).prop_map(|(fields, descending, nulls_first)| {
        fields
            .into_iter()
            .zip(descending.into_iter().zip(nulls_first))
            .map(|(field, (descending, nulls_first))| Order { field, descending, nulls_first })
            .collect()
    })
}

/// What a payment is made of. Few values each, so that many sort keys are equal.
type Shape = (&'static str, i64, i64, u64, i64, &'static str);

fn shape() -> impl Strategy<Value = Shape> {
    (
        select(&["IDR", "USD", "JPY"][..]),
        select(&[100_i64, 200, i64::MAX - 7][..]),
        // Percent that has arrived.
        select(&[0_i64, 50, 100][..]),
        0..3_u64,
        select(&[0_i64, 1, 1_000, 1_000_000][..]),
        select(&["INV-", "inv-", "É", "~", "\u{10000}"][..]),
    )
}

async fn insert(app: &TestApp, shapes: &[Shape]) -> Vec<payment::Model> {
    let rows: Vec<_> = shapes.iter().enumerate().map(|(at, shape)| made(app, at, *shape)).collect();
    insert_payments(&app.database, rows.clone()).await;
    rows.into_iter().map(|(payment, _)| payment).collect()
}

fn made(app: &TestApp, at: usize, shape: Shape) -> (payment::Model, Vec<installment::Model>) {
    let (currency, amount, percent, due, micros, prefix) = shape;
    let mut builder = app
        .payment()
        .currency(currency)
        .installments(&[amount])
        .reference(&format!("{prefix}{at}"))
        .created_at(NOW - TimeDelta::microseconds(micros));
    if percent == 100 {
        builder = builder.paid();
    }
    let (mut payment, mut installments) = builder.rows();
    payment.next_due_date = payment.next_due_date.map(|day| day + Days::new(due));
    installments[0].due_date = installments[0].due_date + Days::new(due);
    if percent == 50 {
        payment.allocated = amount / 2;
        payment.received = amount / 2;
        payment.outstanding = amount - amount / 2;
        payment.status = payment::Status::PartiallyPaid;
        installments[0].allocated = payment.allocated;
        installments[0].outstanding = payment.outstanding;
        installments[0].status = installment::Status::PartiallyPaid;
    }
    (payment, installments)
}
