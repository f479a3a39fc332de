//! Many keys in one statement.
//!
//! PostgreSQL gets one array parameter per column, so that a single prepared statement serves every batch
//! size. SQLite has no arrays; it gets a list, and prepares a statement in microseconds.

use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{ArrayType, Expr, ExprTrait, IntoColumnRef, Value};
use sea_orm::{DbBackend, Statement};
use uuid::Uuid;

/// The type of a key column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// A UUID.
    Uuid,
    /// Text.
    Text,
    /// A calendar day.
    Date,
}

impl KeyType {
    fn array(self) -> ArrayType {
        match self {
            Self::Uuid => ArrayType::Uuid,
            Self::Text => ArrayType::String,
            Self::Date => ArrayType::ChronoDate,
        }
    }

    fn postgres(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Text => "text",
            Self::Date => "date",
        }
    }
}

/// `column` is one of `values`.
pub fn any_of(backend: DbBackend, column: impl IntoColumnRef, key: KeyType, values: Vec<Value>) -> Expr {
    if backend == DbBackend::Postgres {
        Expr::col(column).eq(PgFunc::any(array(key, values)))
    } else {
        Expr::col(column).is_in(values)
    }
}

/// `values` as one parameter of PostgreSQL.
pub fn array(key: KeyType, values: Vec<Value>) -> Expr {
    Expr::val(Value::Array(key.array(), Some(Box::new(values))))
}

/// `column` is one of these UUIDs.
pub fn any_uuid(backend: DbBackend, column: impl IntoColumnRef, values: impl IntoIterator<Item = Uuid>) -> Expr {
    any_of(backend, column, KeyType::Uuid, values.into_iter().map(Value::from).collect())
}

/// `column` is one of these texts.
pub fn any_text<'a>(backend: DbBackend, column: impl IntoColumnRef, values: impl IntoIterator<Item = &'a str>) -> Expr {
    let storable = values.into_iter().filter(|text| storable(text));
    any_of(backend, column, KeyType::Text, storable.map(Value::from).collect())
}

/// Whether a row may hold this text. PostgreSQL refuses a statement with a null character in a text.
pub fn storable(text: &str) -> bool {
    !text.contains('\0')
}

/// A statement over a table of composite keys.
///
/// `columns` names and types the key's columns, `rows` holds one row of values per key; `sql` follows
/// `WITH k (n, <columns>) AS (…)`, where `n` counts the keys from 1.
pub fn over_keys(backend: DbBackend, columns: &[(&str, KeyType)], rows: &[Vec<Value>], sql: &str) -> Statement {
    let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let (table, values) = if backend == DbBackend::Postgres {
        let arrays = columns
            .iter()
            .enumerate()
            .map(|(at, (_, key))| {
                let column = rows.iter().filter_map(|row| row.get(at).cloned()).collect();
                Value::Array(key.array(), Some(Box::new(column)))
            })
            .collect::<Vec<_>>();
        let parameters = columns
            .iter()
            .enumerate()
            .map(|(at, (_, key))| format!("${}::{}[]", at + 1, key.postgres()))
            .collect::<Vec<_>>()
            .join(", ");
        let table = format!(
            "SELECT u.n, {} FROM unnest({parameters}) WITH ORDINALITY AS u ({names}, n)",
            columns.iter().map(|(name, _)| format!("u.{name}")).collect::<Vec<_>>().join(", "),
        );
        (table, arrays)
    } else {
        let row = format!("({})", vec!["?"; columns.len() + 1].join(", "));
        let table = format!("VALUES {}", vec![row; rows.len()].join(", "));
        let values = rows
            .iter()
            .zip(1_i64..)
            .flat_map(|(row, n)| std::iter::once(Value::from(n)).chain(row.iter().cloned()))
            .collect();
        (table, values)
    };
    Statement::from_sql_and_values(backend, format!("WITH k (n, {names}) AS ({table}) {sql}"), values)
}
