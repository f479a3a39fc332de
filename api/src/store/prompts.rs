//! Prompts, with their vectors.

use entity::prompt;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QuerySelect, Statement};

use super::keys;
use super::reader::Reader;

/// A prompt with its vector under one model.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct PromptRow {
    /// The prompt.
    #[sea_orm(nested)]
    pub prompt: prompt::Model,
    /// The vector; `None` where none is held for the prompt as it is.
    pub vector: Option<Vec<u8>>,
}

/// The prompts that are offered, by name, each with its vector under a model.
///
/// # Errors
/// When the database does not answer.
pub async fn active(db: &Reader, model: &str) -> Result<Vec<PromptRow>, DbErr> {
    let sql = "SELECT p.name, p.title, p.template, p.category, p.revision, p.active, e.vector
         FROM prompt p
         LEFT JOIN embedding e ON e.kind = 'PROMPT' AND e.subject = p.name AND e.model = $1
            AND e.revision = CAST(p.revision AS text)
         WHERE p.active
         ORDER BY p.name";
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [model.into()]);
    PromptRow::find_by_statement(statement).all(db).await
}

/// The prompts with these names, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn by_names(db: &Reader, names: &[String]) -> Result<Vec<prompt::Model>, DbErr> {
    let column = (prompt::Entity, prompt::Column::Name);
    let wanted = keys::any_text(db.get_database_backend(), column, names.iter().map(String::as_str));
    prompt::Entity::all().filter(wanted).all(db).await
}

/// Whether there is any row.
///
/// # Errors
/// When the database does not answer.
pub async fn any(db: &Reader) -> Result<bool, DbErr> {
    let query = prompt::Entity::all().select_only().column(prompt::Column::Name);
    let first: Option<String> = query.limit(1).into_tuple().one(db).await?;
    Ok(first.is_some())
}
