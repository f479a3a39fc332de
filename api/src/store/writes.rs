//! Rows on their way into tables: as many rows as there are, in a fixed number of statements.
//!
//! The rows of a table travel as one parameter, a JSON array, so that the text of a statement never depends on how
//! many there are. PostgreSQL runs all parts of a [`Writes`] as one statement, which is one round trip; SQLite, to
//! which there is no trip, runs one after the other. Either way each part says how many rows it wrote, and one that
//! missed a row fails the transaction.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic, Iterable, ModelTrait, Statement};
use serde_json::{Map, Value as Json};

use super::reader::Reader;

/// So many rows PostgreSQL is told to expect, when there are no more.
const FEW: usize = 8;

/// Writes that belong together, in the order in which they refer to one another.
#[derive(Debug)]
pub struct Writes {
    backend: DbBackend,
    parts: Vec<Part>,
}

/// A part that wrote fewer rows than it was given: somebody else was there first, or a row is not there.
#[derive(Debug, thiserror::Error)]
#[error("{table}: {written} rows written, not {expected}")]
struct Missed {
    table: &'static str,
    written: i64,
    expected: usize,
}

#[derive(Debug)]
struct Part {
    table: &'static str,
    /// With `?` where the JSON goes.
    sql: String,
    rows: String,
    expected: usize,
}

impl Writes {
    /// Nothing yet, for a database of this kind.
    pub fn new(backend: DbBackend) -> Self {
        Self { backend, parts: Vec::new() }
    }

    /// Adds rows.
    pub fn insert<'a, E: EntityTrait>(&mut self, rows: impl IntoIterator<Item = &'a E::Model>)
    where
        E::Model: 'a,
    {
        let table = E::default().table_name();
        let columns: Vec<E::Column> = E::Column::iter().collect();
        let names = names(&columns, "");
        self.push::<E>(rows, &columns, |source| {
            format!("INSERT INTO \"{table}\" ({names}) SELECT {names} FROM {source}")
        });
    }

    /// Changes some columns of rows, found by their id and account.
    pub fn update<'a, E: EntityTrait>(&mut self, changed: &[E::Column], rows: impl IntoIterator<Item = &'a E::Model>)
    where
        E::Model: 'a,
    {
        self.update_if::<E>(changed, "", rows);
    }

    /// Changes some columns of rows for which `condition`, on the table and on the new row `n`, holds as well.
    pub fn update_if<'a, E: EntityTrait>(
        &mut self,
        changed: &[E::Column],
        condition: &str,
        rows: impl IntoIterator<Item = &'a E::Model>,
    ) where
        E::Model: 'a,
    {
        let table = E::default().table_name();
        let columns: Vec<E::Column> = E::Column::iter().collect();
        let set = changed.iter().map(|column| format!("\"{0}\" = n.\"{0}\"", column.as_str())).collect::<Vec<_>>();
        let set = set.join(", ");
        self.push::<E>(rows, &columns, |source| {
            format!(
                "UPDATE \"{table}\" SET {set} FROM {source} \
                 WHERE \"{table}\".id = n.id AND \"{table}\".account_id = n.account_id{condition}"
            )
        });
    }

    /// Removes rows, found by their id and account.
    pub fn delete<'a, E: EntityTrait>(&mut self, rows: impl IntoIterator<Item = &'a E::Model>)
    where
        E::Model: 'a,
    {
        let table = E::default().table_name();
        let columns: Vec<E::Column> = E::Column::iter().collect();
        self.push::<E>(rows, &columns, |source| {
            format!("DELETE FROM \"{table}\" WHERE (id, account_id) IN (SELECT n.id, n.account_id FROM {source})")
        });
    }

    fn push<'a, E: EntityTrait>(
        &mut self,
        rows: impl IntoIterator<Item = &'a E::Model>,
        columns: &[E::Column],
        sql: impl FnOnce(&str) -> String,
    ) where
        E::Model: 'a,
    {
        let mut uuids = Vec::new();
        let rows: Vec<Json> = rows
            .into_iter()
            .map(|row| {
                let mut fields = Map::new();
                uuids.clear();
                for column in columns {
                    let value = row.get(*column);
                    uuids.push(matches!(value, Value::Uuid(_)));
                    fields.insert(column.as_str().to_owned(), json(value));
                }
                Json::Object(fields)
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        let table = E::default().table_name();
        let source = match self.backend {
            DbBackend::Postgres => {
                let set = format!("json_populate_recordset(NULL::\"{table}\", ?::json)");
                // PostgreSQL takes the rows of a function for a hundred, for which it may read a whole table.
                if rows.len() <= FEW {
                    format!("(SELECT * FROM {set} LIMIT {FEW}) AS n")
                } else {
                    format!("{set} AS n")
                }
            }
            _ => {
                let fields = columns.iter().zip(&uuids).map(|(column, is_uuid)| {
                    let name = column.as_str();
                    // SQLite keeps a UUID as its sixteen bytes.
                    if *is_uuid {
                        format!("unhex(value ->> '{name}') AS \"{name}\"")
                    } else {
                        format!("value ->> '{name}' AS \"{name}\"")
                    }
                });
                format!("(SELECT {} FROM json_each(?)) AS n", fields.collect::<Vec<_>>().join(", "))
            }
        };
        let expected = rows.len();
        self.parts.push(Part { table, sql: sql(&source), rows: Json::Array(rows).to_string(), expected });
    }

    /// Writes it all.
    ///
    /// # Errors
    /// When the database refuses a row or does not answer, or a row was not there to be changed.
    pub async fn send(self, db: &Reader) -> Result<(), DbErr> {
        if self.parts.is_empty() {
            return Ok(());
        }
        if self.backend == DbBackend::Postgres {
            return self.send_at_once(db).await;
        }
        for part in self.parts {
            let statement = Statement::from_sql_and_values(self.backend, &part.sql, [part.rows.into()]);
            let written = db.execute_raw(statement).await?.rows_affected();
            check(part.table, i64::try_from(written).unwrap_or(i64::MAX), part.expected)?;
        }
        Ok(())
    }

    async fn send_at_once(self, db: &Reader) -> Result<(), DbErr> {
        let parts: Vec<String> = (1..)
            .zip(&self.parts)
            .map(|(n, part)| format!("w{n} AS ({} RETURNING 1)", part.sql.replacen('?', &format!("${n}"), 1)))
            .collect();
        let counts: Vec<String> = (1..=parts.len()).map(|n| format!("(SELECT count(*) FROM w{n})")).collect();
        let sql = format!("WITH {} SELECT ARRAY[{}]", parts.join(", "), counts.join(", "));
        let values: Vec<Value> = self.parts.iter().map(|part| part.rows.as_str().into()).collect();
        let row = db.query_one_raw(Statement::from_sql_and_values(self.backend, sql, values)).await?;
        let written: Vec<i64> = row.map_or_else(|| Ok(Vec::new()), |row| row.try_get_by_index(0))?;
        for (at, part) in self.parts.iter().enumerate() {
            check(part.table, written.get(at).copied().unwrap_or(0), part.expected)?;
        }
        Ok(())
    }
}

fn check(table: &'static str, written: i64, expected: usize) -> Result<(), DbErr> {
    if usize::try_from(written).is_ok_and(|written| written == expected) {
        return Ok(());
    }
    Err(DbErr::Custom(Missed { table, written, expected }.to_string()))
}

fn names<C: IdenStatic>(columns: &[C], prefix: &str) -> String {
    columns.iter().map(|column| format!("{prefix}\"{}\"", column.as_str())).collect::<Vec<_>>().join(", ")
}

/// A value as JSON, in the form that the driver of SQLite gives it and PostgreSQL reads.
fn json(value: Value) -> Json {
    match value {
        Value::Uuid(value) => value.map(|id| id.simple().to_string()).into(),
        Value::String(value) => value.into(),
        Value::BigInt(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::ChronoDate(value) => value.map(|day| day.to_string()).into(),
        Value::ChronoDateTimeUtc(value) => {
            value.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)).into()
        }
        // No table here has a column of another kind. A null in it makes the database refuse the row.
        _ => Json::Null,
    }
}

#[cfg(test)]
mod tests;
