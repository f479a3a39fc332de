//! Vectors that the database compares itself: PostgreSQL with the extension pgvector. Without it, and on SQLite, memory
//! does; see [`crate::assistant::vectors`].
//!
//! What the extension needs is no migration: it may be installed later, on a database that has all of them.

use chrono::NaiveDate;
use entity::embedding;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Statement, Value};

use super::database::Database;
use super::reader::Reader;
use crate::error::{Error, Result, chain};

/// The most dimensions that an index of the extension takes.
const INDEXED_DIMENSION: usize = 2_000;

/// Vectors that are made comparable at a time.
const BATCH: u32 = 200;

/// Who compares vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// The server, which holds all of them.
    Memory,
    /// PostgreSQL, by an index.
    Database,
}

/// A chunk that the database has found near.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct NearChunk {
    /// Its id.
    pub chunk: String,
    /// Its vector, as it is stored.
    pub numbers: Vec<u8>,
}

/// Versions before this one lose results when an index is searched with a filter.
const OLDEST: (u32, u32) = (0, 8);

/// The search. An index only finds most of the nearest, and the fewer the less it looks at: it looks at as many as it
/// may, goes on until the filter has let enough through, and the order is made anew by whoever asks. `nearest` is cast
/// since models differ in their dimensions, and an index has one. Planned for each model, so that its index fits; never
/// compiled, which takes longer than the search.
const FUNCTION: &str = "
CREATE OR REPLACE FUNCTION nearest_chunks(question vector, of_model text, on_day date, wanted integer)
RETURNS TABLE (chunk text, numbers bytea) LANGUAGE plpgsql STABLE
SET hnsw.ef_search = 1000
SET hnsw.iterative_scan = 'relaxed_order'
SET hnsw.max_scan_tuples = 2147483647
SET jit = off
AS $function$
BEGIN
    RETURN QUERY EXECUTE format($statement$
        SELECT CAST(e.subject AS text), e.vector
        FROM embedding e
        JOIN regulation_chunk c ON c.id = e.subject AND c.revision = e.revision
        WHERE e.kind = 'CHUNK' AND e.model = %1$L AND e.dimension = %2$s
            AND (c.valid_from IS NULL OR c.valid_from <= $2) AND (c.valid_to IS NULL OR $2 <= c.valid_to)
        ORDER BY CAST(e.nearest AS vector(%2$s)) <=> CAST($1 AS vector(%2$s))
        LIMIT $3
    $statement$, of_model, vector_dims(question)) USING question, on_day, wanted;
END
$function$";

impl Database {
    /// Looks whether the database compares vectors, without changing anything.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look_for_vectors(&self) -> Result<()> {
        if self.backend() == DbBackend::Postgres {
            let prepared = "SELECT 1 FROM pg_attribute
                 WHERE attrelid = to_regclass('embedding') AND attname = 'nearest' AND NOT attisdropped";
            let found = self.connection().query_one_raw(Statement::from_string(self.backend(), prepared)).await?;
            self.set_comparison(if found.is_some() { Comparison::Database } else { Comparison::Memory });
        }
        Ok(())
    }

    /// Has PostgreSQL compare vectors, where its extension can be had. Otherwise memory does, and nothing fails.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn prepare_vectors(&self) -> Result<()> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        let sql =
            "SELECT coalesce(installed_version, default_version) AS version, installed_version IS NOT NULL AS installed
             FROM pg_available_extensions WHERE name = 'vector'";
        let Some(row) = self.connection().query_one_raw(Statement::from_string(self.backend(), sql)).await? else {
            return Ok(());
        };
        let version: String = row.try_get("", "version")?;
        if release(&version).is_none_or(|release| release < OLDEST) {
            tracing::warn!(version, "the extension vector is too old; memory compares vectors");
            return Ok(());
        }
        let installed: bool = row.try_get("", "installed")?;
        if !installed && let Err(error) = self.run("CREATE EXTENSION IF NOT EXISTS vector").await {
            let cause = chain(&error);
            tracing::warn!(cause, "the extension vector is there and cannot be installed; memory compares vectors");
            return Ok(());
        }
        self.look_for_vectors().await?;
        if let Err(error) = self.make_vectors_comparable().await {
            // A role that may define nothing serves with what another has defined.
            let (cause, comparison) = (chain(&error), self.comparison());
            tracing::warn!(cause, ?comparison, "vectors cannot be made comparable in the database");
        }
        Ok(())
    }

    /// Makes what the search needs, and copies the vectors that are not there yet.
    async fn make_vectors_comparable(&self) -> Result<()> {
        self.run("ALTER TABLE embedding ADD COLUMN IF NOT EXISTS nearest vector").await?;
        // A parameter of the extension is known once its library is loaded, which its first use does.
        self.write(async |transaction| {
            transaction.execute_unprepared("SELECT '[1]'::vector").await?;
            transaction.execute_unprepared(FUNCTION).await?;
            Ok::<_, DbErr>(())
        })
        .await?;
        while self.write(async |transaction| make_next_comparable(transaction).await).await? {}
        self.set_comparison(Comparison::Database);
        let models = "SELECT DISTINCT model, dimension FROM embedding WHERE kind = 'CHUNK'";
        for row in self.connection().query_all_raw(Statement::from_string(self.backend(), models)).await? {
            let (model, dimension): (String, i32) = (row.try_get("", "model")?, row.try_get("", "dimension")?);
            self.index_vectors(&model, usize::try_from(dimension).unwrap_or(usize::MAX)).await?;
        }
        Ok(())
    }

    /// Makes the index of the vectors of a model, where the database compares them and there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn index_vectors(&self, model: &str, dimension: usize) -> Result<()> {
        if self.comparison() == Comparison::Memory || dimension > INDEXED_DIMENSION {
            return Ok(());
        }
        // Statements that define take no parameters.
        let model = model.replace('\'', "''");
        let name = format!("SELECT 'embedding_nearest_' || left(md5('{model} {dimension}'), 16) AS name");
        let row = self.connection().query_one_raw(Statement::from_string(self.backend(), name)).await?;
        let name: String = row.ok_or_else(|| Error::internal("no row"))?.try_get("", "name")?;
        let sql = format!(
            "CREATE INDEX IF NOT EXISTS {name} ON embedding
             USING hnsw ((CAST(nearest AS vector({dimension}))) vector_cosine_ops) WITH (m = 16, ef_construction = 128)
             WHERE kind = 'CHUNK' AND model = '{model}' AND dimension = {dimension}"
        );
        self.run(&sql).await
    }

    async fn run(&self, sql: &str) -> Result<()> {
        self.connection().execute_unprepared(sql).await?;
        Ok(())
    }
}

/// The chunks of a model that are in force on a day and whose vectors are nearest to one, about in their order.
///
/// # Errors
/// When the database does not answer.
pub async fn nearest_chunks(
    db: &Reader,
    model: &str,
    vector: &[u8],
    on: NaiveDate,
    limit: u32,
) -> Result<Vec<NearChunk>, DbErr> {
    let sql = "SELECT chunk, numbers FROM nearest_chunks(CAST($1 AS vector), $2, $3, $4)";
    let values: [Value; 4] = [literal(vector).into(), model.into(), on.into(), limit.cast_signed().into()];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    NearChunk::find_by_statement(statement).all(db).await
}

/// Lets the database compare the vectors of rows that are stored.
pub(super) async fn make_comparable(db: &DatabaseTransaction, rows: &[embedding::Model]) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut values: Vec<Value> = Vec::with_capacity(rows.len() * 3);
    let mut list = String::new();
    for row in rows {
        let next = values.len() + 1;
        let comma = if list.is_empty() { "" } else { ", " };
        list.push_str(&format!("{comma}(${next}, ${}, ${})", next + 1, next + 2));
        values.extend([row.subject.as_str().into(), row.model.as_str().into(), literal(&row.vector).into()]);
    }
    let sql = format!(
        "UPDATE embedding SET nearest = CAST(new.vector AS vector)
         FROM (VALUES {list}) AS new (subject, model, vector)
         WHERE embedding.kind = 'CHUNK' AND embedding.subject = new.subject AND embedding.model = new.model"
    );
    db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await?;
    Ok(())
}

/// The same for some that were stored without; says whether there were any.
async fn make_next_comparable(db: &DatabaseTransaction) -> Result<bool, DbErr> {
    let sql = format!(
        "SELECT kind, subject, model, dimension, revision, vector FROM embedding
         WHERE kind = 'CHUNK' AND nearest IS NULL LIMIT {BATCH}"
    );
    let rows = embedding::Model::find_by_statement(Statement::from_string(DbBackend::Postgres, sql)).all(db).await?;
    make_comparable(db, &rows).await?;
    Ok(!rows.is_empty())
}

/// A vector as the extension reads it.
fn literal(vector: &[u8]) -> String {
    let numbers = vector.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number).to_string());
    format!("[{}]", numbers.collect::<Vec<_>>().join(","))
}

/// The first two numbers of a version.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_written_as_the_extension_reads_it() {
        let bytes: Vec<u8> = [1.0_f32, -0.25, 1e-7].iter().flat_map(|number| number.to_le_bytes()).collect();
        assert_eq!(literal(&bytes), "[1,-0.25,0.0000001]");
    }

    #[test]
    fn releases_are_compared_by_number() {
        assert!(
            release("0.10.1") > Some(OLDEST) && release("0.8.0") == Some(OLDEST) && release("0.7.4") < Some(OLDEST)
        );
        assert_eq!(release("x"), None);
    }
}
