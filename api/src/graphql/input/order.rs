//! Orders as they are asked for, and the keys by which the store sorts.

use async_graphql::{Enum, InputObject};
use chrono::NaiveDate;
use entity::payment;

use super::bad_input;
use crate::error::Result;
use crate::graphql::pagination::KeyKind;
use crate::store::page::{KeyValue, Position, SortKey};

/// How many orders may be given.
const MAX_ORDERS: usize = 3;

/// Smallest first or largest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SortDirection {
    /// Smallest, earliest or first in the alphabet first.
    Asc,
    /// Largest, latest or last in the alphabet first.
    Desc,
}

/// Where rows without a value stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum NullsOrder {
    /// Before all others.
    First,
    /// After all others.
    Last,
}

/// What payments can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum PaymentOrderField {
    /// When they were created.
    CreatedAt,
    /// By currency code, then by what is owed in all: amounts of different currencies do not compare.
    Amount,
    /// By currency code, then by what is still owed.
    Outstanding,
    /// The due date of the earliest installment with something outstanding.
    NextDueDate,
    /// The reference, byte by byte.
    Reference,
}

/// How payments are sorted.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct PaymentOrder {
    /// By what.
    pub field: PaymentOrderField,
    /// In which direction.
    #[graphql(default_with = "SortDirection::Asc")]
    pub direction: SortDirection,
    /// Where payments without a value stand. Only the next due date can be without one.
    #[graphql(default_with = "NullsOrder::Last")]
    pub nulls: NullsOrder,
}

/// The sort keys of a list of payments.
#[derive(Clone, Debug)]
pub struct PaymentSort {
    /// The columns; the last makes every position distinct.
    pub keys: Vec<SortKey>,
}

impl PaymentSort {
    /// The order asked for; the newest first when none is.
    ///
    /// # Errors
    /// When a field is named twice, or too many are named.
    pub fn new(orders: Option<Vec<PaymentOrder>>) -> Result<Self> {
        let newest = PaymentOrder {
            field: PaymentOrderField::CreatedAt,
            direction: SortDirection::Desc,
            nulls: NullsOrder::Last,
        };
        let orders = orders.filter(|orders| !orders.is_empty()).unwrap_or_else(|| vec![newest]);
        if orders.len() > MAX_ORDERS {
            return Err(bad_input(format!("at most {MAX_ORDERS} orders can be given")));
        }
        let mut keys: Vec<SortKey> = Vec::new();
        for (at, order) in orders.iter().enumerate() {
            if orders.iter().take(at).any(|other| other.field == order.field) {
                return Err(bad_input("orderBy names a field twice"));
            }
            let descending = order.direction == SortDirection::Desc;
            for column in columns(*order) {
                // Amount and outstanding both start with the currency.
                if keys.iter().all(|key| key.column != column) {
                    keys.push(SortKey { column, descending });
                }
            }
        }
        // A reference is unique in its account; anything else may be equal.
        if keys.iter().all(|key| key.column != "reference") {
            let descending = keys.last().is_some_and(|key| key.descending);
            keys.push(SortKey { column: "id", descending });
        }
        Ok(Self { keys })
    }

    /// The types of the keys.
    pub fn kinds(&self) -> Vec<KeyKind> {
        self.keys
            .iter()
            .map(|key| match key.column {
                "created_at" => KeyKind::Time,
                "amount" | "outstanding" => KeyKind::Int,
                "next_due_or_last" | "next_due_or_first" => KeyKind::Date,
                "id" => KeyKind::Uuid,
                _ => KeyKind::Text,
            })
            .collect()
    }

    /// The position of a payment in a list sorted by `keys`.
    pub fn position(keys: &[SortKey], row: &payment::Model) -> Position {
        let or = |day: NaiveDate| KeyValue::Date(row.next_due_date.unwrap_or(day));
        keys.iter()
            .map(|key| match key.column {
                "created_at" => KeyValue::Time(row.created_at),
                "amount" => KeyValue::Int(row.amount),
                "outstanding" => KeyValue::Int(row.outstanding),
                "next_due_or_last" => or(LAST_DAY),
                "next_due_or_first" => or(FIRST_DAY),
                "currency" => KeyValue::Text(row.currency.clone()),
                "id" => KeyValue::Uuid(row.id.0),
                _ => KeyValue::Text(row.reference.clone()),
            })
            .collect()
    }
}

/// What the database's generated columns hold where nothing is due.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(1, 1, 1).expect("a day of the calendar");
const LAST_DAY: NaiveDate = NaiveDate::from_ymd_opt(9999, 12, 31).expect("a day of the calendar");

fn columns(order: PaymentOrder) -> Vec<&'static str> {
    match order.field {
        PaymentOrderField::CreatedAt => vec!["created_at"],
        PaymentOrderField::Amount => vec!["currency", "amount"],
        PaymentOrderField::Outstanding => vec!["currency", "outstanding"],
        PaymentOrderField::Reference => vec!["reference"],
        PaymentOrderField::NextDueDate => {
            let ascending = order.direction == SortDirection::Asc;
            // Turned around, what sorted last stands first.
            if ascending == (order.nulls == NullsOrder::Last) {
                vec!["next_due_or_last"]
            } else {
                vec!["next_due_or_first"]
            }
        }
    }
}
