//! Rows that are read by the places of their columns.
//!
//! SeaORM looks each column up by its name, for each row anew, and makes a text of its own of each value of an enum. For
//! lists of hundreds of rows that was a tenth of what the server did.

use std::cell::RefCell;

use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::sqlite::SqliteRow;
use sea_orm::sqlx::{Decode, Postgres, Row, Sqlite, Type};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr, EntityTrait, QueryResult, QueryTrait, RuntimeErr, Select};

/// A row of an entity out of a statement that asks for all its columns, in their order, before anything else.
pub trait Placed: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// When a value is missing or of another type.
    fn placed(row: &QueryResult) -> Result<Self, DbErr>;
}

/// All rows that a query finds.
///
/// # Errors
/// When the database does not answer, or a value is of another type.
pub async fn all<E>(query: Select<E>, db: &impl ConnectionTrait) -> Result<Vec<E::Model>, DbErr>
where
    E: EntityTrait,
    E::Model: Placed,
{
    let rows = db.query_all_raw(query.build(db.get_database_backend())).await?;
    rows.iter().map(E::Model::placed).collect()
}

thread_local! {
    /// The name of a value of an enum, which SeaORM wants as a `String`.
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A row as its driver has it. SeaORM's own way to a value asks which driver that is for each anew, and carries errors
/// that are many times its size.
#[derive(Clone, Copy)]
pub(crate) enum Values<'r> {
    Postgres(&'r PgRow),
    Sqlite(&'r SqliteRow),
}

impl<'r> Values<'r> {
    pub(crate) fn of(row: &'r QueryResult) -> Result<Self, DbErr> {
        match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
            (Some(row), _) => Ok(Self::Postgres(row)),
            (_, Some(row)) => Ok(Self::Sqlite(row)),
            (None, None) => Err(DbErr::Type("a row of neither database".to_owned())),
        }
    }

    /// The value in a place.
    pub(crate) fn at<T>(self, place: usize) -> Result<T, DbErr>
    where
        T: Decode<'r, Postgres> + Type<Postgres> + Decode<'r, Sqlite> + Type<Sqlite>,
    {
        let value = match self {
            Self::Postgres(row) => row.try_get(place),
            Self::Sqlite(row) => row.try_get(place),
        };
        value.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }

    /// The value of an enum in a place, without a text of its own.
    pub(crate) fn name<T: ActiveEnum<Value = String>>(self, place: usize) -> Result<T, DbErr> {
        self.name_or_null(place)?.ok_or_else(|| DbErr::Type(format!("there is no value in place {place}")))
    }

    /// The value of an enum in a place, if there is one.
    pub(crate) fn name_or_null<T: ActiveEnum<Value = String>>(self, place: usize) -> Result<Option<T>, DbErr> {
        let Some(text): Option<&str> = self.at(place)? else { return Ok(None) };
        TEXT.with_borrow_mut(|kept| {
            text.clone_into(kept);
            T::try_from_value(kept).map(Some)
        })
    }
}
