//! Comparing texts in SQL, byte by byte on both databases.

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, SimpleExpr};
use sea_orm::{DbBackend, Value};

/// `text` starts with `prefix`, byte by byte.
pub(super) fn starts_with(text: SimpleExpr, prefix: &str) -> SimpleExpr {
    // No text in the database holds the last code point, so nothing sorts between the prefix and this.
    text.clone().gte(prefix).and(text.lt(format!("{prefix}{}", char::MAX)))
}

/// `text` contains `part`, byte by byte.
pub(super) fn contains(backend: DbBackend, text: SimpleExpr, part: impl Into<Value>) -> SimpleExpr {
    let position = if backend == DbBackend::Postgres { "strpos" } else { "instr" };
    Expr::expr(Func::cust(Alias::new(position)).args([text, Expr::val(part.into())])).gt(0)
}
