//! Conditions on payments, as data.

use chrono::{DateTime, NaiveDate, Utc};
use entity::payment::{Column, Status};
use sea_orm::sea_query::{Alias, CaseStatement, Condition, Expr, ExprTrait, Func, SimpleExpr};
use sea_orm::{ColumnTrait, DbBackend};
use uuid::Uuid;

use super::keys;
use super::text::{contains, starts_with};

/// Which payments are wanted. An empty filter wants all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PaymentFilter {
    /// All of these hold.
    All(Vec<PaymentFilter>),
    /// One of these holds.
    Any(Vec<PaymentFilter>),
    /// This does not hold.
    Not(Box<PaymentFilter>),
    /// The id is one of these.
    Id(Vec<Uuid>),
    /// The reference fits.
    Reference(TextMatch),
    /// The currency is one of these.
    Currency(Vec<String>),
    /// The status is one of these.
    Status(Vec<Status>),
    /// An amount compares so.
    Amount(AmountColumn, Comparison, AmountBound),
    /// Something was due before this day and is still outstanding.
    OverdueAsOf(NaiveDate),
    /// The next due date compares so.
    NextDue(Comparison, NaiveDate),
    /// Whether nothing is due.
    NextDueIsNull(bool),
    /// The time of creation compares so.
    CreatedAt(Comparison, DateTime<Utc>),
}

/// How a text fits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TextMatch {
    /// It is one of these.
    OneOf(Vec<String>),
    /// It starts with this, to the letter.
    StartsWith(String),
    /// It contains this; ASCII letters fit in either case.
    Contains(String),
}

/// Which amount is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AmountColumn {
    /// What is owed in all.
    Amount,
    /// What is still owed.
    Outstanding,
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
}

/// A number to compare amounts with, in the minor units of every exponent that a currency may have.
///
/// An amount in yen and one in rupiah are both compared with the number as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AmountBound {
    /// The number in hundredths: what most currencies count in.
    pub usual: i64,
    /// Currencies that count in something else, with the number in their minor units.
    pub others: Vec<(Vec<&'static str>, i64)>,
}

impl PaymentFilter {
    /// The filter as SQL.
    pub fn condition(&self, backend: DbBackend) -> Condition {
        match self {
            Self::All(parts) => parts.iter().fold(Condition::all(), |all, part| all.add(part.condition(backend))),
            // Of no alternatives none holds; an empty `any` in SQL would hold always.
            Self::Any(parts) if parts.is_empty() => Condition::all().add(Expr::val(1).eq(0)),
            Self::Any(parts) => parts.iter().fold(Condition::any(), |any, part| any.add(part.condition(backend))),
            Self::Not(part) => Condition::all().add(not(SimpleExpr::from(part.condition(backend)))),
            other => Condition::all().add(other.term(backend)),
        }
    }

    fn term(&self, backend: DbBackend) -> SimpleExpr {
        match self {
            Self::Id(ids) => keys::any_uuid(backend, column("id"), ids.iter().copied()),
            Self::Reference(text) => text_match(backend, "reference", text),
            Self::Currency(codes) => keys::any_text(backend, column("currency"), codes.iter().map(String::as_str)),
            Self::Status(statuses) => Column::Status.is_in(statuses.iter().copied()),
            Self::Amount(amount, comparison, bound) => {
                let name = match amount {
                    AmountColumn::Amount => "amount",
                    AmountColumn::Outstanding => "outstanding",
                };
                compare(Expr::col(column(name)), *comparison, bound.expression())
            }
            Self::OverdueAsOf(day) => Expr::col(column("next_due_date")).lt(*day),
            Self::NextDue(comparison, day) => compare(Expr::col(column("next_due_date")), *comparison, Expr::val(*day)),
            Self::NextDueIsNull(true) => Expr::col(column("next_due_date")).is_null(),
            Self::NextDueIsNull(false) => Expr::col(column("next_due_date")).is_not_null(),
            Self::CreatedAt(comparison, at) => compare(Expr::col(column("created_at")), *comparison, Expr::val(*at)),
            Self::All(_) | Self::Any(_) | Self::Not(_) => self.condition(backend).into(),
        }
    }
}

impl AmountBound {
    fn expression(&self) -> SimpleExpr {
        if self.others.is_empty() {
            return Expr::val(self.usual);
        }
        self.others
            .iter()
            .fold(CaseStatement::new(), |case, (codes, bound)| {
                case.case(Expr::col(column("currency")).is_in(codes.iter().copied()), Expr::val(*bound))
            })
            .finally(Expr::val(self.usual))
            .into()
    }
}

/// A column of `payment`, named with its table since aggregates join others.
fn column(name: &'static str) -> (Alias, Alias) {
    (Alias::new("payment"), Alias::new(name))
}

/// `NOT` that holds where its operand is null: "not overdue" includes what is never due.
fn not(operand: SimpleExpr) -> SimpleExpr {
    Expr::expr(Func::coalesce([operand, Expr::val(false)])).not()
}

fn compare(left: SimpleExpr, comparison: Comparison, right: SimpleExpr) -> SimpleExpr {
    match comparison {
        Comparison::Eq => left.eq(right),
        Comparison::Gt => left.gt(right),
        Comparison::Gte => left.gte(right),
        Comparison::Lt => left.lt(right),
        Comparison::Lte => left.lte(right),
    }
}

fn text_match(backend: DbBackend, name: &'static str, text: &TextMatch) -> SimpleExpr {
    match text {
        TextMatch::StartsWith(part) | TextMatch::Contains(part) if !keys::storable(part) => Expr::val(1).eq(0),
        TextMatch::OneOf(values) => keys::any_text(backend, column(name), values.iter().map(String::as_str)),
        // A range, which an index answers, where LIKE would depend on the collation.
        TextMatch::StartsWith(prefix) => starts_with(Expr::col(column(name)), prefix),
        TextMatch::Contains(part) => {
            contains(backend, Expr::expr(Func::lower(Expr::col(column(name)))), part.to_ascii_lowercase())
        }
    }
}
