//! Pages: their arguments, their cursors, and what a connection is made of.
//!
//! A cursor is a position in one list. It carries a fingerprint of the list that it came from (its name,
//! order, filter and parent), so that a cursor used elsewhere is an error and not a wrong page.

use std::fmt::Debug;

use async_graphql::parser::types::Field;
use async_graphql::{ContainerType, OutputType, SimpleObject};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat};
use uuid::Uuid;

use super::rows::{Ready, Row, Writer};
use super::types::commodity::Commodity;
use super::types::installment::Installment;
use super::types::payment::Payment;
use super::types::payment_event::PaymentEvent;
use super::types::receipt::{Allocation, Receipt};
use super::types::refund::Refund;
use super::types::regulation_chunk::RegulationChunk;
use crate::error::{Error, Result, code};
use crate::store::keys;
use crate::store::page::{KeyValue, Page, PageRequest, Position};

/// Longer texts are no cursors; the longest is a reference of 255 characters and an id.
const MAX_CURSOR_BYTES: usize = 2_048;

/// Where a page stands in its list.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
#[graphql(shareable)]
pub struct PageInfo {
    /// Whether there are rows after this page.
    pub has_next_page: bool,
    /// Whether there are rows before this page.
    pub has_previous_page: bool,
    /// The cursor of the first row of this page. Null when the page is empty.
    pub start_cursor: Option<String>,
    /// The cursor of the last row of this page; pass it as `after` for the next page. Null when the page is empty.
    pub end_cursor: Option<String>,
}

impl Ready for PageInfo {
    fn ready(&self, field: &Field, to: &mut Writer<'_>) -> bool {
        match field.name.node.as_str() {
            "hasNextPage" => to.scalar(self.has_next_page),
            "hasPreviousPage" => to.scalar(self.has_previous_page),
            "startCursor" => to.scalar(&self.start_cursor),
            "endCursor" => to.scalar(&self.end_cursor),
            _ => false,
        }
    }
}

// The attribute below takes names alone.
type PaymentRow = Row<Payment>;
type InstallmentRow = Row<Installment>;

/// One row of a page with its position in the list.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(concrete(name = "PaymentEdge", params(PaymentRow)))]
#[graphql(concrete(name = "InstallmentEdge", params(InstallmentRow)))]
#[graphql(concrete(name = "CommodityChildEdge", params(Commodity)))]
#[graphql(concrete(name = "ReceiptEdge", params(Receipt)))]
#[graphql(concrete(name = "AllocationEdge", params(Allocation)))]
#[graphql(concrete(name = "RefundEdge", params(Refund)))]
#[graphql(concrete(name = "PaymentEventEdge", params(PaymentEvent)))]
#[graphql(concrete(name = "RegulationChunkEdge", params(RegulationChunk)))]
pub struct Edge<T: OutputType> {
    /// The position of the row; valid in the list that it came from.
    pub cursor: String,
    /// The row.
    pub node: T,
}

impl<T: Ready> Ready for Edge<Row<T>>
where
    Self: ContainerType,
{
    fn ready(&self, field: &Field, to: &mut Writer<'_>) -> bool {
        match field.name.node.as_str() {
            "cursor" => to.plain_text(&self.cursor),
            "node" => to.object(&self.node.0, field),
            _ => false,
        }
    }
}

/// A list that pages are cut from: what makes a cursor its own.
#[derive(Clone, Debug)]
pub struct List {
    fingerprint: String,
    keys: Vec<KeyKind>,
}

/// The type of one sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// A day.
    Date,
    /// An instant.
    Time,
    /// A UUID.
    Uuid,
}

/// `first`, `after`, `last` and `before` as they were given.
#[derive(Clone, Debug, Default)]
pub struct PageArguments {
    /// How many from the start.
    pub first: Option<i32>,
    /// Only what comes after this cursor.
    pub after: Option<String>,
    /// How many from the end.
    pub last: Option<i32>,
    /// Only what comes before this cursor.
    pub before: Option<String>,
}

impl PageArguments {
    /// The request for a page of a list, which is made only if there is a cursor to be read.
    ///
    /// # Errors
    /// [`code::INVALID_PAGE`] and [`code::INVALID_CURSOR`].
    pub fn request(&self, default: u32, max: u32, list: impl Fn() -> List) -> Result<PageRequest> {
        let (limit, from_end) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(Error::caller(code::INVALID_PAGE, "give first or last, not both")),
            (Some(first), None) => (page_size("first", first, max)?, false),
            (None, Some(last)) => (page_size("last", last, max)?, true),
            (None, None) => (default.min(max), false),
        };
        let position = |cursor: &Option<String>| cursor.as_deref().map(|cursor| list().position(cursor)).transpose();
        Ok(PageRequest {
            limit: limit.into(),
            from_end,
            after: position(&self.after)?,
            before: position(&self.before)?,
        })
    }
}

impl List {
    /// The list called `name`, sorted by `keys`; `shape` is everything else that tells one such list from another.
    pub fn new(name: &str, keys: Vec<KeyKind>, shape: &impl Debug) -> Self {
        Self { fingerprint: fingerprint(&format!("{name} {shape:?}")), keys }
    }

    /// The request for a page of this list.
    ///
    /// # Errors
    /// [`code::INVALID_PAGE`] and [`code::INVALID_CURSOR`].
    pub fn request(&self, arguments: &PageArguments, default: u32, max: u32) -> Result<PageRequest> {
        arguments.request(default, max, || self.clone())
    }

    /// Where a page of this list stands.
    pub fn info<R>(&self, page: &Page<R>, position: impl Fn(&R) -> Position) -> PageInfo {
        let cursor = |row: Option<&R>| row.map(|row| self.cursor(&position(row)));
        PageInfo {
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: cursor(page.rows.first()),
            end_cursor: cursor(page.rows.last()),
        }
    }

    /// The cursor of a position.
    pub fn cursor(&self, position: &[KeyValue]) -> String {
        let mut parts = vec![self.fingerprint.clone()];
        parts.extend(position.iter().map(|value| match value {
            KeyValue::Text(text) => text.clone(),
            KeyValue::Int(number) => number.to_string(),
            KeyValue::Date(day) => day.to_string(),
            KeyValue::Time(at) => at.to_rfc3339_opts(SecondsFormat::Micros, true),
            KeyValue::Uuid(id) => id.simple().to_string(),
        }));
        URL_SAFE_NO_PAD.encode(serde_json::Value::from(parts).to_string())
    }

    fn position(&self, cursor: &str) -> Result<Position> {
        let malformed = || Error::caller(code::INVALID_CURSOR, "this is not a cursor that this server gave out");
        if cursor.len() > MAX_CURSOR_BYTES {
            return Err(malformed());
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| malformed())?;
        let parts: Vec<String> = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
        let (fingerprint, values) = parts.split_first().ok_or_else(malformed)?;
        if *fingerprint != self.fingerprint {
            return Err(Error::caller(
                code::INVALID_CURSOR,
                "this cursor is from a list with another order, filter or parent",
            ));
        }
        if values.len() != self.keys.len() {
            return Err(malformed());
        }
        // Both databases keep years of four digits.
        let storable = |year: i32| (1..=9_999).contains(&year);
        let value = |(kind, text): (&KeyKind, &String)| match kind {
            KeyKind::Text => keys::storable(text).then(|| KeyValue::Text(text.clone())),
            KeyKind::Int => text.parse().ok().map(KeyValue::Int),
            KeyKind::Date => text.parse().ok().filter(|day: &NaiveDate| storable(day.year())).map(KeyValue::Date),
            KeyKind::Time => {
                let at = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
                at.filter(|at| storable(at.year())).map(KeyValue::Time)
            }
            KeyKind::Uuid => Uuid::try_parse(text).ok().map(KeyValue::Uuid),
        };
        self.keys.iter().zip(values).map(value).collect::<Option<_>>().ok_or_else(malformed)
    }

    /// The rows of a page with their cursors.
    ///
    /// # Errors
    /// What `node` fails with.
    pub fn edges<R, T: OutputType>(
        &self,
        page: &Page<R>,
        position: impl Fn(&R) -> Position,
        node: impl Fn(&R) -> Result<T>,
    ) -> Result<Vec<Edge<T>>> {
        page.rows.iter().map(|row| Ok(Edge { cursor: self.cursor(&position(row)), node: node(row)? })).collect()
    }
}

impl PageInfo {
    /// Of a page whose rows have these cursors.
    pub fn new<'a, R>(page: &Page<R>, cursors: impl IntoIterator<Item = &'a str>) -> Self {
        let mut cursors = cursors.into_iter();
        let start = cursors.next();
        let end = cursors.last().or(start);
        Self {
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: start.map(str::to_owned),
            end_cursor: end.map(str::to_owned),
        }
    }
}

/// How many rows are asked for by the argument with this name.
///
/// # Errors
/// [`code::INVALID_PAGE`] when it is none, or more than `max`.
pub fn page_size(name: &str, size: i32, max: u32) -> Result<u32> {
    u32::try_from(size)
        .ok()
        .filter(|size| (1..=max).contains(size))
        .ok_or_else(|| Error::caller(code::INVALID_PAGE, format!("{name} must be from 1 to {max}, and is {size}")))
}

/// FNV-1a: short, and the same on every replica and in every release.
fn fingerprint(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(shape: &str) -> List {
        List::new("payments", vec![KeyKind::Text, KeyKind::Int, KeyKind::Uuid], &shape)
    }

    fn position() -> Position {
        vec![KeyValue::Text("INV \"1\"".to_owned()), KeyValue::Int(-3), KeyValue::Uuid(Uuid::from_u128(7))]
    }

    /// A position comes back as it went out.
    #[test]
    fn cursors_survive_the_round_trip() {
        let list = list("a");
        assert_eq!(list.position(&list.cursor(&position())).unwrap(), position());
    }

    /// A cursor of one list says nothing about another.
    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let error = list("b").position(&list("a").cursor(&position())).unwrap_err();
        assert_eq!(error.code(), code::INVALID_CURSOR);
    }

    /// Whatever bytes come in, the answer is a code.
    #[test]
    fn malformed_cursors_are_refused() {
        let list = list("a");
        let short = list.cursor(&position()[..2]);
        let long = "A".repeat(MAX_CURSOR_BYTES + 1);
        for cursor in ["", "?", "AAAA", "W10", &short, &long] {
            assert_eq!(list.position(cursor).unwrap_err().code(), code::INVALID_CURSOR, "{cursor}");
        }
    }

    /// Sizes out of range are refused, not clamped: a client that asked for 1,000 must not believe it got all.
    #[test]
    fn page_sizes_out_of_range_are_refused() {
        let request = |first, last| {
            let arguments = PageArguments { first, last, ..PageArguments::default() };
            list("a").request(&arguments, 20, 100).map(|request| (request.limit, request.from_end))
        };
        assert_eq!(request(None, None).unwrap(), (20, false));
        assert_eq!(request(Some(100), None).unwrap(), (100, false));
        assert_eq!(request(None, Some(1)).unwrap(), (1, true));
        for (first, last) in [(Some(0), None), (Some(101), None), (None, Some(-1)), (Some(1), Some(1))] {
            assert_eq!(request(first, last).unwrap_err().code(), code::INVALID_PAGE);
        }
    }
}
