//! Lists below many parents, in one statement each.

use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query, Value};
use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, FromQueryResult, IdenStatic, Iterable, QueryFilter, QuerySelect, QueryTrait,
    Select,
};

use super::keys::{self, KeyType};
use super::page::{Page, PageRequest, SortKey};
use super::reader::Reader;

/// The column of a row that holds its parent.
pub(super) struct ParentColumn<E: EntityTrait, P> {
    /// The column.
    pub(super) column: E::Column,
    /// Its type.
    pub(super) key: KeyType,
    /// What it holds for a parent.
    pub(super) value: fn(&P) -> Value,
    /// The parent of a row.
    pub(super) of: fn(&E::Model) -> P,
}

/// The same page of the list below each of `parents`. A parent with an empty list is answered too.
pub(super) async fn pages<E, P>(
    db: &Reader,
    rows: Select<E>,
    parent: &ParentColumn<E, P>,
    parents: &[P],
    order: &[SortKey],
    request: &PageRequest,
) -> Result<HashMap<P, Page<E::Model>>, DbErr>
where
    E: EntityTrait,
    E::Model: FromQueryResult,
    P: Clone + Eq + Hash,
{
    let backend = db.get_database_backend();
    let sort = order
        .iter()
        .map(|key| {
            let direction = if request.order(key) == Order::Desc { " DESC" } else { "" };
            format!("{}{direction}", key.column)
        })
        .collect::<Vec<_>>()
        .join(", ");
    let parent_name = parent.column.as_str();
    let numbered = rows
        .filter(keys::any_of(
            backend,
            (E::default(), parent.column),
            parent.key,
            parents.iter().map(parent.value).collect(),
        ))
        .filter(request.condition(order))
        .expr_as(Expr::cust(format!("row_number() OVER (PARTITION BY {parent_name} ORDER BY {sort})")), "place")
        .into_query();
    let (page, place) = (Alias::new("page"), Alias::new("place"));
    let fetch = i64::try_from(request.fetch_limit()).unwrap_or(i64::MAX);
    let query = Query::select()
        .columns(E::Column::iter().map(|column| (page.clone(), column)))
        .from_subquery(numbered, page.clone())
        .and_where(Expr::col((page.clone(), place.clone())).lte(fetch))
        .order_by((page.clone(), parent.column), Order::Asc)
        .order_by((page, place), Order::Asc)
        .to_owned();
    let found = E::Model::find_by_statement(backend.build(&query)).all(db).await?;
    let mut lists: HashMap<P, Vec<E::Model>> = parents.iter().map(|parent| (parent.clone(), Vec::new())).collect();
    for row in found {
        lists.entry((parent.of)(&row)).or_default().push(row);
    }
    Ok(lists.into_iter().map(|(parent, rows)| (parent, request.cut(rows))).collect())
}
