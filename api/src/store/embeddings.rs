//! Vectors: which are missing, and writing them.

use entity::embedding::{self, Column, Entity, Kind};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult, IntoActiveModel,
    Statement,
};

use super::reader::Reader;
use super::vectors::{self, Comparison};

/// A text without a vector.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Missing {
    /// What it is of.
    pub kind: Kind,
    /// The prompt's name, or the chunk's id.
    pub subject: String,
    /// Its revision.
    pub revision: String,
    /// The words.
    pub text: String,
}

/// The texts of which no vector is held under a model, for the text as it is.
const MISSING: &str = "FROM (
        SELECT 'PROMPT' AS kind, p.name AS subject, CAST(p.revision AS text) AS revision,
            p.title || '\n' || p.template AS text
        FROM prompt p WHERE p.active
        UNION ALL
        SELECT 'CHUNK', c.id, c.revision, r.title || '\n' || c.text
        FROM regulation_chunk c JOIN regulation r ON r.number = c.regulation
     ) t
     LEFT JOIN embedding e ON e.kind = t.kind AND e.subject = t.subject AND e.model = $1 AND e.revision = t.revision
     WHERE e.subject IS NULL";

/// How many texts have no vector under a model.
///
/// # Errors
/// When the database does not answer.
pub async fn count_missing(db: &Reader, model: &str) -> Result<u64, DbErr> {
    let sql = format!("SELECT count(*) AS n {MISSING}");
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [model.into()]);
    let row = db.query_one_raw(statement).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get("", "n"))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Some of the texts without a vector under a model.
///
/// # Errors
/// When the database does not answer.
pub async fn missing(db: &Reader, model: &str, limit: u32) -> Result<Vec<Missing>, DbErr> {
    let sql =
        format!("SELECT t.kind, t.subject, t.revision, t.text {MISSING} ORDER BY t.kind, t.subject LIMIT {limit}");
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [model.into()]);
    Missing::find_by_statement(statement).all(db).await
}

/// Stores vectors; one that is there for the same text and model is replaced.
///
/// # Errors
/// When the database does not answer.
pub async fn put(db: &DatabaseTransaction, rows: Vec<embedding::Model>, comparison: Comparison) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let comparable: Vec<_> = match comparison {
        Comparison::Database => rows.iter().filter(|row| row.kind == Kind::Chunk).cloned().collect(),
        Comparison::Memory => Vec::new(),
    };
    let there = OnConflict::columns([Column::Kind, Column::Subject, Column::Model])
        .update_columns([Column::Dimension, Column::Revision, Column::Vector])
        .to_owned();
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
    Entity::insert_many(rows).on_conflict(there).exec_without_returning(db).await?;
    vectors::make_comparable(db, &comparable).await
}

/// Removes vectors of a model that are of no text as it is now. Returns how many.
///
/// # Errors
/// When the database does not answer.
pub async fn remove_orphans(db: &DatabaseTransaction, model: &str) -> Result<u64, DbErr> {
    let sql = "DELETE FROM embedding WHERE model = $1
            AND NOT (kind = 'PROMPT' AND EXISTS (SELECT 1 FROM prompt p WHERE p.name = subject
                AND CAST(p.revision AS text) = embedding.revision))
            AND NOT (kind = 'CHUNK' AND EXISTS (SELECT 1 FROM regulation_chunk c WHERE c.id = subject
                AND c.revision = embedding.revision))";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [model.into()]);
    Ok(db.execute_raw(statement).await?.rows_affected())
}
