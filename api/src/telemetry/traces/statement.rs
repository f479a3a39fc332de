//! Spans of statements: what was asked of the database, and no value of it.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::CharIndices;

use opentelemetry::KeyValue;
use sea_orm::DbBackend;

use super::{Span, SpanKind};

/// Bytes of a statement's text at the most.
const MAX_BYTES: usize = 2_000;

/// What a statement may do, as it begins.
const OPERATIONS: [&str; 8] = ["SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "ROLLBACK", "ANALYZE"];

/// The span of a statement that is about to be sent.
pub fn begin(backend: DbBackend, sql: &str) -> Span {
    let parent = Span::current();
    if !parent.is_recorded() {
        return Span::default();
    }
    let text = text(sql);
    let (operation, table) = (operation(&text), table(&text));
    let name = table.map_or(Cow::Borrowed(operation), |table| format!("{operation} {table}").into());
    let span = parent.part(SpanKind::Client, || name);
    let system = if backend == DbBackend::Postgres { "postgresql" } else { "sqlite" };
    span.set(|| [KeyValue::new("db.system.name", system), KeyValue::new("db.operation.name", operation)]);
    if let Some(table) = table {
        span.set(|| [KeyValue::new("db.collection.name", table.to_owned())]);
    }
    span.set(|| [KeyValue::new("db.query.text", text.clone())]);
    span
}

/// The text of a statement without values: each literal and each parameter is a `?`, and a list of them is one. Some
/// statements are sent with their values in them, and those are what people search for.
fn text(sql: &str) -> String {
    let mut text = String::new();
    let mut rest = sql.char_indices().peekable();
    while let Some((at, char)) = rest.next() {
        if text.len() >= MAX_BYTES {
            text.push('…');
            break;
        }
        let is_word = text.chars().next_back().is_some_and(is_of_word);
        match char {
            '\'' => {
                let is_escaped = without_prefix(&mut text);
                skip_quoted(&mut rest, is_escaped);
                push_value(&mut text);
            }
            '"' => {
                text.push('"');
                while let Some((_, char)) = rest.next() {
                    text.push(char);
                    if char == '"' {
                        match rest.next_if(|(_, next)| *next == '"') {
                            Some((_, second)) => text.push(second),
                            None => break,
                        }
                    }
                }
            }
            '$' if sql[at + 1..].starts_with(|next: char| next.is_ascii_digit()) => {
                while rest.next_if(|(_, next)| next.is_ascii_digit()).is_some() {}
                push_value(&mut text);
            }
            '?' => push_value(&mut text),
            '0'..='9' if !is_word => {
                while rest.next_if(|(_, next)| next.is_ascii_alphanumeric() || *next == '.').is_some() {}
                push_value(&mut text);
            }
            ')' => {
                text.push(')');
                if text.ends_with("(?), (?)") {
                    text.truncate(text.len() - ", (?)".len());
                }
            }
            char if char.is_whitespace() => {
                if !text.ends_with(' ') {
                    text.push(' ');
                }
            }
            char => text.push(char),
        }
    }
    text
}

fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Takes the letter away that makes a literal of what follows, as in `E'…'` and `x'…'`. Answers whether a backslash
/// escapes in it.
fn without_prefix(text: &mut String) -> bool {
    let mut last = text.chars().rev();
    match (last.next(), last.next()) {
        (Some(prefix), before) if prefix.is_ascii_alphabetic() && !before.is_some_and(is_of_word) => {
            text.pop();
            prefix.eq_ignore_ascii_case(&'e')
        }
        _ => false,
    }
}

/// Goes behind the end of a literal. One that does not end is all that is left.
fn skip_quoted(rest: &mut Peekable<CharIndices<'_>>, is_escaped: bool) {
    while let Some((_, char)) = rest.next() {
        match char {
            '\\' if is_escaped => {
                rest.next();
            }
            '\'' if rest.next_if(|(_, next)| *next == '\'').is_none() => return,
            _ => {}
        }
    }
}

/// A value, unless it continues a list of them.
fn push_value(text: &mut String) {
    if text.ends_with("?, ") {
        text.truncate(text.len() - ", ".len());
    } else {
        text.push('?');
    }
}

/// What a statement does: the first word, or of one with common table expressions the one that follows them, unless it is
/// they that write.
fn operation(text: &str) -> &'static str {
    let mut depth = 0_i32;
    for word in text.split(' ') {
        let inner = word.strip_prefix('(');
        let known = OPERATIONS.into_iter().find(|known| inner.unwrap_or(word).eq_ignore_ascii_case(known));
        if let Some(known) = known.filter(|known| if inner.is_some() { *known != "SELECT" } else { depth == 0 }) {
            return known;
        }
        for byte in word.bytes() {
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
        }
    }
    "OTHER"
}

/// The first table that a statement names: not the keys that it was given, which are `k`.
fn table(text: &str) -> Option<&str> {
    let mut words = text.split(' ');
    while let Some(word) = words.next() {
        if !["FROM", "INTO", "UPDATE", "JOIN"].iter().any(|before| word.eq_ignore_ascii_case(before)) {
            continue;
        }
        let name = words.clone().next().unwrap_or_default();
        let name = name.trim_end_matches([')', ',', ';', '…']).trim_matches('"');
        let is_table = !name.is_empty() && !["k", "LATERAL"].contains(&name) && name.chars().all(is_of_word);
        if is_table {
            return Some(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people search for, owe and are called never leaves by way of a trace.
    #[test]
    fn a_text_has_no_values() {
        for (sql, shown) in [
            (
                "SELECT * FROM \"payment\" WHERE \"id\" IN ($1, $2, $13) LIMIT 5",
                "SELECT * FROM \"payment\" WHERE \"id\" IN (?) LIMIT ?",
            ),
            ("SELECT 'O''Hara', 1.5e3, -2 FROM t1", "SELECT ?, -? FROM t1"),
            ("s.document @@ '(''kopi'':*)'::tsquery", "s.document @@ ?::tsquery"),
            ("name = E'it\\'s secret' AND b = 1", "name = ? AND b = ?"),
            ("data = x'00ff', note = 'a", "data = ?, note = ?"),
            (
                "WITH k (n, id) AS (VALUES (?, ?), (?, ?), (?, ?))\n  SELECT 1",
                "WITH k (n, id) AS (VALUES (?)) SELECT ?",
            ),
            ("SELECT \"a'b\"\"c\" FROM t WHERE d = 'e'", "SELECT \"a'b\"\"c\" FROM t WHERE d = ?"),
        ] {
            assert_eq!(text(sql), shown, "{sql}");
        }
        let long = text(&format!("SELECT {}", "column_name, ".repeat(10_000)));
        assert!(long.len() < MAX_BYTES + 20 && long.ends_with('…'), "{}", long.len());
    }

    #[test]
    fn a_statement_is_named_by_what_it_does() {
        let name = |sql: &str| {
            let text = text(sql);
            format!("{} {}", operation(&text), table(&text).unwrap_or("-"))
        };
        assert_eq!(name("SELECT a FROM \"payment\" WHERE b = 1"), "SELECT payment");
        assert_eq!(
            name(
                "WITH k (n, id) AS (SELECT u.n, u.id FROM unnest($1::bigint[]) WITH ORDINALITY AS u (id, n)) \
                  SELECT p.* FROM k JOIN payment p ON p.id = k.id"
            ),
            "SELECT payment"
        );
        assert_eq!(name("INSERT INTO \"receipt\" (\"id\") SELECT 1"), "INSERT receipt");
        assert_eq!(
            name("WITH w1 AS (INSERT INTO \"payment\" (\"id\") SELECT n.id FROM f($1) n RETURNING 1) SELECT ARRAY[1]"),
            "INSERT payment"
        );
        assert_eq!(name("SELECT id FROM (SELECT 1 AS id FROM \"payment\" FOR UPDATE) AS l"), "SELECT payment");
        assert_eq!(name("UPDATE payment SET a = 1"), "UPDATE payment");
        assert_eq!(name("SELECT * FROM (SELECT \"x\" FROM \"installment\") AS l"), "SELECT installment");
        assert_eq!(name("BEGIN"), "BEGIN -");
        assert_eq!(name("PRAGMA data_version"), "OTHER -");
    }
}
