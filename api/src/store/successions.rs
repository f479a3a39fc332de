//! Which codes took the place of which.

use entity::commodity;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::keys::{self, KeyType};
use super::reader::Reader;

/// In which direction of time one looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the codes that took a code's place.
    Successors,
    /// To the codes whose place a code took.
    Predecessors,
}

#[derive(Debug, FromQueryResult)]
struct Found {
    n: i64,
    #[sea_orm(nested)]
    commodity: commodity::Model,
}

/// The successors or predecessors of each of these codes, with the place of the code, by code.
///
/// # Errors
/// When the database does not answer.
pub async fn of_codes(
    db: &Reader,
    direction: Direction,
    codes: &[String],
) -> Result<Vec<(usize, commodity::Model)>, DbErr> {
    let (here, there) = match direction {
        Direction::Successors => ("predecessor", "successor"),
        Direction::Predecessors => ("successor", "predecessor"),
    };
    let rows: Vec<Vec<Value>> = codes.iter().map(|code| vec![code.as_str().into()]).collect();
    let sql = format!(
        "SELECT k.n, c.code, c.level, c.parent_code, c.section, c.description_en, c.description_id, c.nomenclature
         FROM k
         JOIN commodity_succession s ON s.{here} = k.code
         JOIN commodity c ON c.code = s.{there}
         ORDER BY c.code"
    );
    let statement = keys::over_keys(db.get_database_backend(), &[("code", KeyType::Text)], &rows, &sql);
    let found = Found::find_by_statement(statement).all(db).await?;
    Ok(found.into_iter().filter_map(|row| Some((usize::try_from(row.n - 1).ok()?, row.commodity))).collect())
}
