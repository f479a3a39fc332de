//! Keyset pages: cut where the last page ended, by comparing sort keys, never by counting rows.
//!
//! A page deep in a list costs what the first one costs, and a row that comes or goes elsewhere moves
//! nothing. A sort key is never null; columns that may be null are sorted by a generated column beside them.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, Order, Value};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A position in a list: the values of its sort keys, in order.
pub type Position = Vec<KeyValue>;

/// One value of a sort key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyValue {
    /// Compared byte by byte.
    Text(String),
    /// Compared as a number.
    Int(i64),
    /// Compared as a day.
    Date(NaiveDate),
    /// Compared as an instant.
    Time(DateTime<Utc>),
    /// Compared byte by byte.
    Uuid(Uuid),
}

impl KeyValue {
    fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Int(number) => Value::from(*number),
            Self::Date(day) => Value::from(*day),
            Self::Time(at) => Value::from(*at),
            Self::Uuid(id) => Value::from(*id),
        }
    }
}

/// A column that orders a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// The column; never null.
    pub column: &'static str,
    /// Largest first.
    pub descending: bool,
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// How many rows at the most.
    pub limit: u64,
    /// Count from the end of the list.
    pub from_end: bool,
    /// Only what comes after this position.
    pub after: Option<Position>,
    /// Only what comes before this position.
    pub before: Option<Position>,
}

/// A part of many a key, which is hashed some ten times; most pages are first pages.
impl Hash for PageRequest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { limit, from_end, after, before } = self;
        (limit, from_end, after.is_some() || before.is_some()).hash(state);
        if !self.is_first_page() {
            (after, before).hash(state);
        }
    }
}

/// A part of a list, in the list's order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Something comes before them.
    pub has_previous: bool,
    /// Something comes after them.
    pub has_next: bool,
}

impl<T> Page<T> {
    /// The same page of something made from each row.
    pub fn map<U>(self, of: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(of).collect(), has_previous: self.has_previous, has_next: self.has_next }
    }
}

impl PageRequest {
    /// The first `limit` rows after a position.
    pub fn forward(limit: u64, after: Option<Position>) -> Self {
        Self { limit, from_end: false, after, before: None }
    }

    /// Cuts `rows`, which were fetched with [`PageRequest::fetch_limit`], to the page.
    pub fn cut<T>(&self, mut rows: Vec<T>) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        if self.from_end {
            rows.reverse();
            // The row that a cursor came from lies beyond it.
            Page { rows, has_previous: more, has_next: self.before.is_some() }
        } else {
            Page { rows, has_previous: self.after.is_some(), has_next: more }
        }
    }

    /// Whether it starts at the beginning of the list or ends at its end.
    pub fn is_first_page(&self) -> bool {
        self.after.is_none() && self.before.is_none()
    }

    /// How many rows to fetch: one more than wanted tells whether there are more.
    pub fn fetch_limit(&self) -> u64 {
        self.limit.saturating_add(1)
    }

    /// The rows within the bounds of the request.
    pub fn condition(&self, keys: &[SortKey]) -> Condition {
        let mut condition = Condition::all();
        if let Some(position) = &self.after {
            condition = condition.add(beyond(keys, position, false));
        }
        if let Some(position) = &self.before {
            condition = condition.add(beyond(keys, position, true));
        }
        condition
    }

    /// The order in which to fetch `key`.
    pub fn order(&self, key: &SortKey) -> Order {
        if key.descending == self.from_end { Order::Asc } else { Order::Desc }
    }

    /// Applies the request to a query.
    pub fn apply<E: EntityTrait>(&self, query: Select<E>, keys: &[SortKey]) -> Select<E> {
        let query = query.filter(self.condition(keys)).limit(self.fetch_limit());
        keys.iter().fold(query, |query, key| query.order_by(Expr::col(Alias::new(key.column)), self.order(key)))
    }
}

/// The rows strictly beyond `position`, forwards or backwards.
fn beyond(keys: &[SortKey], position: &[KeyValue], backwards: bool) -> Condition {
    let column = |key: &SortKey| Expr::col(Alias::new(key.column));
    let same_direction = keys.windows(2).all(|pair| pair[0].descending == pair[1].descending);
    if same_direction && let Some(first) = keys.first() {
        // One comparison of rows: both databases answer it from an index on the keys.
        let columns = Expr::tuple(keys.iter().map(column));
        let values = Expr::tuple(position.iter().map(|value| Expr::val(value.value())));
        let smaller = first.descending != backwards;
        return Condition::all().add(if smaller { columns.lt(values) } else { columns.gt(values) });
    }
    // Mixed directions: (a beyond x) or (a = x and b beyond y) or …
    let mut condition = Condition::any();
    for (at, (key, value)) in keys.iter().zip(position).enumerate() {
        let smaller = key.descending != backwards;
        let mut term = Condition::all();
        for (key, value) in keys.iter().zip(position).take(at) {
            term = term.add(column(key).eq(value.value()));
        }
        let value = value.value();
        condition = condition.add(term.add(if smaller { column(key).lt(value) } else { column(key).gt(value) }));
    }
    // Says again about the first key what the terms imply, so that an index on it bounds the scan.
    match (keys.first(), position.first()) {
        (Some(key), Some(value)) => {
            let smaller = key.descending != backwards;
            let value = value.value();
            let bound = if smaller { column(key).lte(value) } else { column(key).gte(value) };
            Condition::all().add(bound).add(condition)
        }
        _ => condition,
    }
}
