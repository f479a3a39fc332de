//! Commodities.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use entity::commodity::{Column, Entity, Level, Model};
use sea_orm::sea_query::{
    Alias, Asterisk, CaseStatement, Condition, Expr, ExprTrait, Query, SelectStatement, SimpleExpr,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryFilter, QuerySelect, QueryTrait};
use serde::{Deserialize, Serialize};

use super::children::{self, ParentColumn};
use super::commodity_search;
use super::keys::{self, KeyType};
use super::page::{KeyValue, Page, PageRequest, SortKey};
use super::reader::Reader;
use super::text::starts_with;
use crate::domain::words::{Estimate, Term};

/// The commodity above.
const PARENT: ParentColumn<Entity, String> = ParentColumn {
    column: Column::ParentCode,
    key: KeyType::Text,
    value: |code| code.as_str().into(),
    of: |row| row.parent_code.clone().unwrap_or_default(),
    read: children::by_name,
};

/// The order of a list of commodities: the best match first, then by code.
pub const MATCH_ORDER: [SortKey; 2] =
    [SortKey { column: "match_rank", descending: false }, SortKey { column: "code", descending: false }];

/// Which commodities are wanted. The default wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CommodityFilter {
    /// Directly below this code.
    pub parent: Option<String>,
    /// On this level.
    pub level: Option<Level>,
    /// Found by these words or by the start of a code.
    pub search: Option<Search>,
    /// Named by a rule of export duty in force on this day, or below one that is.
    pub dutiable_on: Option<NaiveDate>,
}

/// What was typed into a search box.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Search {
    /// The code starts with these digits.
    Code(String),
    /// Each of these stands in a name, never none; and how many names that may be.
    Words(Vec<Term>, Estimate),
}

/// How well a commodity fits a search; smaller is better. See [`commodity_search::tier`] for words.
pub type Rank = i64;

/// The code is the one searched, or nothing was searched.
pub const RANK_BEST: Rank = 0;
/// The code starts with the digits searched.
pub const RANK_BELOW: Rank = 1;

/// A commodity with how well it fits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Match {
    /// The commodity.
    pub commodity: Model,
    /// How well it fits; [`RANK_BEST`] where nothing was searched.
    pub rank: Rank,
}

impl CommodityFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::all();
        if let Some(parent) = &self.parent {
            condition = condition.add(Column::ParentCode.eq(parent));
        }
        if let Some(level) = self.level {
            condition = condition.add(Column::Level.eq(level));
        }
        if let Some(day) = self.dutiable_on {
            condition = condition.add(Expr::cust(format!(
                "EXISTS (SELECT 1 FROM duty_measure_commodity x JOIN duty_measure m ON m.code = x.measure
                  WHERE m.kind = 'EXPORT_DUTY' AND m.valid_from <= '{day}' AND (m.valid_to IS NULL OR m.valid_to >= '{day}')
                    AND substr(commodity.code, 1, length(x.commodity)) = x.commodity)"
            )));
        }
        match &self.search {
            Some(Search::Code(digits)) => condition.add(starts_with(Expr::col(Column::Code), digits)),
            // Words join the table with what the index finds.
            Some(Search::Words(..)) | None => condition,
        }
    }

    /// The commodities, each with its `match_rank`: in parts that follow each other.
    fn ranked(&self, backend: DbBackend, request: &PageRequest) -> Vec<SelectStatement> {
        let select = Entity::all().filter(self.condition());
        match &self.search {
            Some(Search::Words(terms, estimate)) => {
                let estimate = self.is_search_alone().then_some(estimate);
                commodity_search::ranked(backend, &select.into_query(), terms, estimate, request).into()
            }
            Some(Search::Code(digits)) => {
                let rank: SimpleExpr =
                    CaseStatement::new().case(Expr::col(Column::Code).eq(digits), RANK_BEST).finally(RANK_BELOW).into();
                vec![select.expr_as(rank.cast_as(Alias::new("bigint")), "match_rank").into_query()]
            }
            None => vec![select.expr_as(Expr::val(RANK_BEST).cast_as(Alias::new("bigint")), "match_rank").into_query()],
        }
    }

    /// What makes one list of commodities another, for cursors: what is wanted, however it may be found.
    pub fn shape(&self) -> impl std::fmt::Debug + '_ {
        let (code, terms) = match &self.search {
            Some(Search::Code(code)) => (Some(code), None),
            Some(Search::Words(terms, _)) => (None, Some(terms)),
            None => (None, None),
        };
        (&self.parent, self.level, code, terms, self.dutiable_on)
    }

    /// Whether nothing but the search says what is wanted.
    fn is_search_alone(&self) -> bool {
        matches!(self, Self { parent: None, level: None, dutiable_on: None, search: _ })
    }

    /// Whether nothing can be found: a word is like none that is known.
    fn finds_nothing(&self) -> bool {
        let unknown = |term: &Term| matches!(term, Term::Corrected(words) if words.is_empty());
        matches!(&self.search, Some(Search::Words(terms, _)) if terms.iter().any(unknown))
    }
}

/// Commodities with these codes, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn by_codes(db: &Reader, codes: &[String]) -> Result<Vec<Model>, DbErr> {
    let wanted = keys::any_text(db.get_database_backend(), (Entity, Column::Code), codes.iter().map(String::as_str));
    Entity::all().filter(wanted).all(db).await
}

#[derive(Debug, FromQueryResult)]
struct MatchRow {
    #[sea_orm(nested)]
    commodity: Model,
    match_rank: i64,
}

/// One page of commodities.
///
/// # Errors
/// When the database does not answer.
pub async fn page(db: &Reader, filter: &CommodityFilter, request: &PageRequest) -> Result<Page<Match>, DbErr> {
    if filter.finds_nothing() {
        return Ok(request.cut(Vec::new()));
    }
    let backend = db.get_database_backend();
    // Without a search the rank is the same for all; leaving it out lets an index give the order.
    let keys = if filter.search.is_some() { &MATCH_ORDER[..] } else { &MATCH_ORDER[1..] };
    let request = &PageRequest {
        after: request.after.clone().map(|position| strip(position, keys)),
        before: request.before.clone().map(|position| strip(position, keys)),
        ..request.clone()
    };
    let mut parts = filter.ranked(backend, request);
    if request.from_end {
        parts.reverse();
    }
    let mut rows = Vec::new();
    for part in parts {
        let left = request.fetch_limit().saturating_sub(rows.len() as u64);
        if left == 0 {
            break;
        }
        let mut query = Query::select();
        query.column(Asterisk).from_subquery(part, Alias::new("ranked"));
        query.cond_where(request.condition(keys)).limit(left);
        for key in keys {
            query.order_by(Alias::new(key.column), request.order(key));
        }
        let statement = match &filter.search {
            Some(Search::Words(..)) => commodity_search::statement(backend, &query),
            Some(Search::Code(_)) | None => backend.build(&query),
        };
        let found = MatchRow::find_by_statement(statement).all(db).await?;
        rows.extend(found.into_iter().map(|row| Match { commodity: row.commodity, rank: row.match_rank }));
    }
    Ok(request.cut(rows))
}

/// The last values of a position, as many as there are keys.
fn strip(mut position: Vec<KeyValue>, keys: &[SortKey]) -> Vec<KeyValue> {
    position.drain(..position.len().saturating_sub(keys.len()));
    position
}

/// How many commodities there are.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &Reader, filter: &CommodityFilter) -> Result<i64, DbErr> {
    if filter.finds_nothing() {
        return Ok(0);
    }
    let backend = db.get_database_backend();
    let commodities = Entity::all().filter(filter.condition()).into_query();
    let mut query = match &filter.search {
        Some(Search::Words(terms, _)) if filter.is_search_alone() => commodity_search::indexed(backend, terms),
        Some(Search::Words(terms, _)) => commodity_search::found(backend, &commodities, terms),
        Some(Search::Code(_)) | None => commodities,
    };
    query.clear_selects().expr_as(Expr::cust("count(*)"), Alias::new("n"));
    let statement = match &filter.search {
        Some(Search::Words(..)) => commodity_search::statement(backend, &query),
        Some(Search::Code(_)) | None => backend.build(&query),
    };
    let row = db.query_one_raw(statement).await?;
    row.map_or(Ok(0), |row| row.try_get("", "n"))
}

/// The same page below each of these codes, in one statement.
///
/// # Errors
/// When the database does not answer.
pub async fn pages_of_parents(
    db: &Reader,
    parents: &[String],
    request: &PageRequest,
) -> Result<HashMap<String, Page<Arc<Model>>>, DbErr> {
    children::pages(db, Entity::all(), &PARENT, parents, &MATCH_ORDER[1..], request).await
}

/// How many commodities stand directly below each of these codes.
///
/// # Errors
/// When the database does not answer.
pub async fn counts_of_parents(db: &Reader, parents: &[String]) -> Result<HashMap<String, i64>, DbErr> {
    let wanted =
        keys::any_text(db.get_database_backend(), (Entity, Column::ParentCode), parents.iter().map(String::as_str));
    let rows: Vec<(String, i64)> = Entity::all()
        .filter(wanted)
        .select_only()
        .column(Column::ParentCode)
        .expr(Expr::cust("count(*)"))
        .group_by(Column::ParentCode)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}
