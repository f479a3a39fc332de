//! The text of regulations in chunks, with their vectors.

use std::collections::HashMap;
use std::sync::Arc;

use entity::regulation_chunk::{self, Column, Entity};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QuerySelect, Statement};

use super::children::{self, ParentColumn};
use super::keys::{self, KeyType};
use super::page::{Page, PageRequest, SortKey};
use super::reader::Reader;

/// The regulation of a chunk.
const REGULATION: ParentColumn<Entity, String> = ParentColumn {
    column: Column::Regulation,
    key: KeyType::Text,
    value: |number| number.as_str().into(),
    of: |row| row.regulation.clone(),
    read: children::by_name,
};

/// The order of the chunks of a regulation: that of its text.
pub const ORDER: [SortKey; 1] = [SortKey { column: "sequence", descending: false }];

/// A chunk with its vector under one model, and the title of its regulation.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct ChunkRow {
    /// The chunk.
    #[sea_orm(nested)]
    pub chunk: regulation_chunk::Model,
    /// What the regulation is about.
    pub title: String,
    /// The vector; `None` where none is held for the chunk as it is.
    pub vector: Option<Vec<u8>>,
}

/// All chunks, by id, each with its vector under a model; without one where no model is named.
///
/// # Errors
/// When the database does not answer.
pub async fn all(db: &Reader, model: Option<&str>) -> Result<Vec<ChunkRow>, DbErr> {
    let sql = "SELECT c.id, c.regulation, c.sequence, c.article, c.text, c.valid_from, c.valid_to, c.revision,
            r.title, e.vector
         FROM regulation_chunk c
         JOIN regulation r ON r.number = c.regulation
         LEFT JOIN embedding e ON e.kind = 'CHUNK' AND e.subject = c.id AND e.model = $1 AND e.revision = c.revision
         ORDER BY c.id";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [model.into()]);
    ChunkRow::find_by_statement(statement).all(db).await
}

/// The chunks with these ids, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &Reader, ids: &[String]) -> Result<Vec<regulation_chunk::Model>, DbErr> {
    let wanted = keys::any_text(db.get_database_backend(), (Entity, Column::Id), ids.iter().map(String::as_str));
    Entity::all().filter(wanted).all(db).await
}

/// The same page of chunks of each of these regulations, in their order, in one statement.
///
/// # Errors
/// When the database does not answer.
pub async fn pages_of_regulations(
    db: &Reader,
    numbers: &[String],
    request: &PageRequest,
) -> Result<HashMap<String, Page<Arc<regulation_chunk::Model>>>, DbErr> {
    children::pages(db, Entity::all(), &REGULATION, numbers, &ORDER, request).await
}

/// Whether there is any row.
///
/// # Errors
/// When the database does not answer.
pub async fn any(db: &Reader) -> Result<bool, DbErr> {
    let first: Option<String> = Entity::all().select_only().column(Column::Id).limit(1).into_tuple().one(db).await?;
    Ok(first.is_some())
}
