//! The full-text index of commodities: FTS5 on SQLite, `tsvector` on PostgreSQL.
//!
//! The databases find, the words decide: both indices hold words that [`words`] made, and the order comes from which
//! words stand where and never from a database's own score, so that it is the same on both.

use std::collections::{BTreeMap, BTreeSet};

use entity::{commodity, commodity_search, commodity_vocabulary};
use sea_orm::sea_query::{
    Alias, Asterisk, Expr, ExprTrait, JoinType, OnConflict, Order, PostgresQueryBuilder, Query, SelectStatement,
    UnionType,
};
use sea_orm::{ActiveValue, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QuerySelect, Statement};

use super::page::{KeyValue, PageRequest};
use super::reader::Reader;
use crate::domain::words::{self, Estimate, KnownWord, Term, Vocabulary};

/// Rows written at a time: SQLite takes 32,766 values in a statement.
const ROWS_AT_A_TIME: usize = 2_000;

/// Where the words of a search stand, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// All of them in the title, as they are.
    Title = 0,
    /// All of them somewhere, as they are.
    Words,
    /// In the title words that begin so.
    TitlePrefix,
    /// Somewhere words that begin so.
    Prefix,
}

impl Tier {
    const ALL: [Self; 4] = [Self::Title, Self::Words, Self::TitlePrefix, Self::Prefix];

    const fn is_title(self) -> bool {
        matches!(self, Self::Title | Self::TitlePrefix)
    }

    const fn is_prefix(self) -> bool {
        matches!(self, Self::TitlePrefix | Self::Prefix)
    }
}

/// The bits of a rank below its tier: the id of the row.
const ID_BITS: u32 = 48;
/// The bits of an id below the number of words: the code as a number.
const CODE_BITS: u32 = 32;
/// Most words that an id tells apart.
const MOST_WORDS: usize = 9_999;

/// Where the words stand in a commodity of this rank, and whether some of them were corrected.
pub fn tier(rank: i64) -> (Tier, bool) {
    let place = rank >> ID_BITS;
    let tier = usize::try_from(place % 4).ok().and_then(|place| Tier::ALL.get(place));
    (tier.copied().unwrap_or(Tier::Prefix), place >= 4)
}

/// Stores the words of these commodities. After the last of them [`count_words`] is to be called.
///
/// # Errors
/// When the database does not answer.
pub async fn index(tx: &DatabaseTransaction, rows: &[commodity::Model]) -> Result<(), DbErr> {
    for rows in rows.chunks(ROWS_AT_A_TIME) {
        let indexed = rows.iter().map(row).map(|row| commodity_search::ActiveModel {
            id: ActiveValue::Set(row.id),
            code: ActiveValue::Set(row.code),
            revision: ActiveValue::Set(row.revision),
            title: ActiveValue::Set(row.title),
            details: ActiveValue::Set(row.details),
        });
        let there = OnConflict::column(commodity_search::Column::Code)
            .update_columns([
                commodity_search::Column::Id,
                commodity_search::Column::Revision,
                commodity_search::Column::Title,
                commodity_search::Column::Details,
            ])
            .to_owned();
        commodity_search::Entity::insert_many(indexed).on_conflict(there).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Stores which words there are, and in how many names each of them stands. No word is ever taken away: somebody else
/// may have stored it just now.
///
/// # Errors
/// When the database does not answer.
pub async fn count_words(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let rows: Vec<(String, String)> = commodity_search::Entity::all()
        .select_only()
        .columns([commodity_search::Column::Title, commodity_search::Column::Details])
        .into_tuple()
        .all(tx)
        .await?;
    // By the alphabet, so that two who count at the same time do not wait for each other.
    let mut counts: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (title, details) in &rows {
        let title: BTreeSet<&str> = title.split(' ').filter(|word| !word.is_empty()).collect();
        let details = details.split(' ').filter(|word| !word.is_empty());
        for word in &title {
            counts.entry(word).or_default().0 += 1;
        }
        for word in title.iter().copied().chain(details).collect::<BTreeSet<_>>() {
            counts.entry(word).or_default().1 += 1;
        }
    }
    let known: Vec<_> = counts
        .into_iter()
        .map(|(word, (in_titles, in_names))| commodity_vocabulary::ActiveModel {
            word: ActiveValue::Set(word.to_owned()),
            in_titles: ActiveValue::Set(in_titles),
            in_names: ActiveValue::Set(in_names),
        })
        .collect();
    for words in known.chunks(ROWS_AT_A_TIME) {
        let there = OnConflict::column(commodity_vocabulary::Column::Word)
            .update_columns([commodity_vocabulary::Column::InTitles, commodity_vocabulary::Column::InNames])
            .to_owned();
        commodity_vocabulary::Entity::insert_many(words.to_vec()).on_conflict(there).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Indexes commodities that are not, or were in another way. Answers how many.
///
/// # Errors
/// When the database does not answer.
pub async fn refresh(tx: &DatabaseTransaction) -> Result<usize, DbErr> {
    let missing = Query::select()
        .expr(Expr::val(1))
        .from(commodity_search::Entity)
        .and_where(
            Expr::col((commodity_search::Entity, commodity_search::Column::Code))
                .equals((commodity::Entity, commodity::Column::Code)),
        )
        .and_where(Expr::col(commodity_search::Column::Revision).eq(words::REVISION))
        .to_owned();
    let rows = sea_orm::QueryFilter::filter(commodity::Entity::all(), Expr::exists(missing).not()).all(tx).await?;
    if !rows.is_empty() {
        index(tx, &rows).await?;
        count_words(tx).await?;
    }
    Ok(rows.len())
}

/// The row that should be in the index for a commodity.
fn row(row: &commodity::Model) -> commodity_search::Model {
    let (mut title, mut details) = (Vec::new(), Vec::new());
    for name in std::iter::once(&row.description_en).chain(&row.description_id) {
        let end = name.find([',', ';', ':', '(']).unwrap_or(name.len());
        title.extend(words::words(&name[..end]));
        details.extend(words::words(&name[end..]));
    }
    commodity_search::Model {
        id: id(title.len() + details.len(), &row.code),
        code: row.code.clone(),
        revision: words::REVISION,
        title: title.join(" "),
        details: details.join(" "),
    }
}

/// The number of a row: fewer words go before more, then by code, sections last. Ordered by it a database stops when a
/// page is full.
fn id(words: usize, code: &str) -> i64 {
    let words = i64::try_from(words.min(MOST_WORDS)).unwrap_or_default();
    (words << CODE_BITS) | number(code)
}

/// A code as a number in the order of codes, below 2³²: its digits, filled up to eight, and how many they are. Of a
/// Roman numeral its letters, of which there are at most six.
fn number(code: &str) -> i64 {
    let is_digits = code.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits {
        let length = i64::try_from(code.len()).unwrap_or_default();
        return format!("{code:0<8}").parse::<i64>().map_or(0, |digits| digits * 10 + length);
    }
    let letter = |byte: u8| {
        i64::try_from("IVX".bytes().position(|known| known == byte).map_or(0, |at| at + 1)).unwrap_or_default()
    };
    let letters: Vec<i64> = code.bytes().map(letter).chain(std::iter::repeat(0)).take(6).collect();
    4_000_000_000 + letters.iter().fold(0, |sum, letter| sum * 4 + letter)
}

/// The words that occur in names of commodities.
///
/// # Errors
/// When the database does not answer.
pub async fn vocabulary(db: &Reader) -> Result<Vocabulary, DbErr> {
    let all = Query::select().expr(Expr::cust("count(*)")).from(commodity_search::Entity).to_owned();
    let rows: Vec<(String, i64, i64, i64)> = commodity_vocabulary::Entity::all()
        .select_only()
        .columns([
            commodity_vocabulary::Column::Word,
            commodity_vocabulary::Column::InTitles,
            commodity_vocabulary::Column::InNames,
        ])
        .expr_as(all, "names")
        .into_tuple()
        .all(db)
        .await?;
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    let names = rows.first().map_or(0, |(.., names)| count(*names));
    let known = rows.into_iter().map(|(word, in_titles, in_names, _)| KnownWord {
        word,
        in_titles: count(in_titles),
        in_names: count(in_names),
    });
    Ok(Vocabulary::new(known.collect(), names))
}

/// What the index holds of all commodities in which all `terms` stand.
pub(super) fn indexed(backend: DbBackend, terms: &[Term]) -> SelectStatement {
    let language = Language { backend, terms };
    language.rows(&language.expression(Tier::Prefix))
}

/// The `commodities` in which all `terms` stand.
pub(super) fn found(backend: DbBackend, commodities: &SelectStatement, terms: &[Term]) -> SelectStatement {
    let language = Language { backend, terms };
    let mut all = commodities.clone();
    language.join(&mut all, &language.expression(Tier::Prefix));
    all
}

/// The `commodities` in which all `terms` stand, each with its rank as `match_rank`, in two parts that follow each other:
/// where they stand as whole words, and where only as beginnings of words. Of each tier as many as the page can hold.
///
/// A page of frequent words is full with the first part. The other one would read all that they find only to leave it
/// out again. `estimate` is of all commodities, and given when these are all.
pub(super) fn ranked(
    backend: DbBackend,
    commodities: &SelectStatement,
    terms: &[Term],
    estimate: Option<&Estimate>,
    page: &PageRequest,
) -> [SelectStatement; 2] {
    let language = Language { backend, terms };
    let corrected = terms.iter().any(|term| matches!(term, Term::Corrected(_)));
    let id = language.id();
    let tier = |tier: Tier| {
        let worst = (tier as i64 + if corrected { 4 } else { 0 }) << ID_BITS;
        let rare = backend == DbBackend::Postgres && estimate.is_some_and(|estimate| is_rare(estimate, tier, page));
        let bounded = |found: &mut SelectStatement| {
            for (position, beyond) in [(&page.after, true), (&page.before, false)] {
                if let Some(KeyValue::Int(rank)) = position.as_ref().and_then(|position| position.first()) {
                    // Below zero it bounds nothing, and above all ids everything: as it should for worse and better tiers.
                    let bound = rank - worst;
                    found.and_where(if beyond { id.clone().gte(bound) } else { id.clone().lte(bound) });
                }
            }
            // An expression is in no index, so that the rows have to be found by their words.
            let order = if rare { id.clone().add(0) } else { id.clone() };
            found.order_by_expr(order, if page.from_end { Order::Desc } else { Order::Asc });
            // One more than the page, since the row of the position itself is still there.
            found.limit(page.fetch_limit() + 1);
        };
        let mut found = commodities.clone();
        found.expr_as(id.clone().add(worst), Alias::new("match_rank"));
        if rare {
            let mut best = language.rows(&language.only(tier));
            bounded(&mut best);
            found.join_subquery(JoinType::InnerJoin, best, Alias::new("s"), of_code());
        } else {
            language.join(&mut found, &language.only(tier));
            bounded(&mut found);
        }
        Query::select().column(Asterisk).from_subquery(found, Alias::new("tier")).to_owned()
    };
    let both = |one, other| tier(one).union(UnionType::All, tier(other)).to_owned();
    [both(Tier::Title, Tier::Words), both(Tier::TitlePrefix, Tier::Prefix)]
}

/// Whether so few rows of a tier are to be expected that reading them all and sorting them is less than reading rows in
/// their order until a page of them fits.
///
/// To find all costs about as much as there are; to walk, a page times one in so many. They cost the same where the
/// square of the hits is the page times all rows, if what fits is spread evenly. It is not: hence the factor, with
/// which the slowest of a thousand searches were fastest.
fn is_rare(estimate: &Estimate, tier: Tier, page: &PageRequest) -> bool {
    const UNEVENNESS: u64 = 5;
    let Estimate { title, words, title_prefix, prefix, names } = *estimate;
    let hits = match tier {
        Tier::Title => title,
        Tier::Words => words.saturating_sub(title),
        Tier::TitlePrefix => title_prefix.saturating_sub(title),
        Tier::Prefix => (prefix + title).saturating_sub(words + title_prefix),
    };
    hits.saturating_mul(hits) < (page.fetch_limit() + 1).saturating_mul(names).saturating_mul(UNEVENNESS)
}

/// The statement of a search. On PostgreSQL without parameters: it has to know the words and the length of the page to
/// choose between its index and the order of the ids. A plan for any of them took up to a hundred times as long.
pub(super) fn statement(backend: DbBackend, query: &SelectStatement) -> Statement {
    match backend {
        DbBackend::Postgres => Statement::from_string(backend, query.to_string(PostgresQueryBuilder)),
        _ => backend.build(query),
    }
}

/// A commodity is that of a row of the index, `s`.
fn of_code() -> Expr {
    Expr::col((Alias::new("s"), commodity_search::Column::Code)).equals((commodity::Entity, commodity::Column::Code))
}

/// The search language of a database, in which these terms are to be said.
#[derive(Clone, Copy)]
struct Language<'a> {
    backend: DbBackend,
    terms: &'a [Term],
}

impl Language<'_> {
    /// The id of a row of the index. On SQLite as the index has it, which is in this order: so it stops where it may.
    fn id(self) -> Expr {
        Expr::cust(if self.backend == DbBackend::Postgres { "s.id" } else { "commodity_words.rowid" })
    }

    /// Joins commodities with the rows of the index, as `s`, that fit an expression.
    fn join(self, commodities: &mut SelectStatement, expression: &str) {
        commodities.join_as(JoinType::InnerJoin, commodity_search::Entity, Alias::new("s"), of_code());
        if self.backend == DbBackend::Postgres {
            commodities.and_where(Expr::cust_with_values("s.document @@ $1::tsquery", [expression]));
        } else {
            let of_id = Expr::cust("commodity_words.rowid = s.id");
            commodities.join(JoinType::InnerJoin, Alias::new("commodity_words"), of_id);
            commodities.and_where(Expr::cust_with_values("commodity_words MATCH ?", [expression]));
        }
    }

    /// The rows of the index that fit an expression: on PostgreSQL their codes and ids, on SQLite nothing but that they
    /// are there.
    fn rows(self, expression: &str) -> SelectStatement {
        let mut rows = Query::select();
        if self.backend == DbBackend::Postgres {
            rows.columns([commodity_search::Column::Code, commodity_search::Column::Id])
                .from_as(commodity_search::Entity, Alias::new("s"))
                .and_where(Expr::cust_with_values("s.document @@ $1::tsquery", [expression]));
        } else {
            rows.from(Alias::new("commodity_words"))
                .and_where(Expr::cust_with_values("commodity_words MATCH ?", [expression]));
        }
        rows
    }

    /// All terms as a tier wants them, and not as a better one does.
    fn only(self, tier: Tier) -> String {
        let better: Vec<String> =
            Tier::ALL.into_iter().filter(|better| *better < tier).map(|better| self.expression(better)).collect();
        let wanted = self.expression(tier);
        match (better.is_empty(), self.backend) {
            (true, _) => wanted,
            (false, DbBackend::Postgres) => format!("({wanted}) & !({})", better.join(" | ")),
            (false, _) => format!("({wanted}) NOT ({})", better.join(" OR ")),
        }
    }

    /// All terms as a tier wants them.
    fn expression(self, tier: Tier) -> String {
        let postgres = self.backend == DbBackend::Postgres;
        let (and, or) = if postgres { (" & ", " | ") } else { (" AND ", " OR ") };
        let all: Vec<String> = self
            .terms
            .iter()
            .map(|term| match term {
                Term::Known(word) => self.word(word, tier.is_title(), tier.is_prefix()),
                Term::Corrected(words) => {
                    let any: Vec<String> = words.iter().map(|word| self.word(word, tier.is_title(), false)).collect();
                    format!("({})", any.join(or))
                }
            })
            .collect();
        let all = all.join(and);
        if tier.is_title() && !postgres { format!("title : ({all})") } else { format!("({all})") }
    }

    /// A word is made of letters and digits alone: nothing in it needs to be escaped. PostgreSQL's index has the words of
    /// titles twice, once with a sign before them.
    fn word(self, word: &str, title: bool, prefix: bool) -> String {
        if self.backend == DbBackend::Postgres {
            let title = if title { "=" } else { "" };
            let prefix = if prefix { ":*" } else { "" };
            format!("'{title}{word}'{prefix}")
        } else if prefix {
            format!("\"{word}\" *")
        } else {
            format!("\"{word}\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of equal length come in the order of their codes, as in every other list.
    #[test]
    fn numbers_are_in_the_order_of_codes() {
        let codes = [
            "01", "0101", "010121", "01012100", "010129", "0102", "18", "1801", "97", "99999999", "I", "II", "IV", "V",
        ];
        assert!(codes.is_sorted_by_key(|code| number(code)), "{:?}", codes.map(number));
        assert!(codes.is_sorted());
        for code in codes {
            assert!((0..1 << CODE_BITS).contains(&number(code)), "{code}");
        }
        assert!(number("XVIII") < 1 << CODE_BITS && number("XXI") > number("XX"));
        assert!(id(1, "XXI") < id(2, "01"));
        assert!(id(usize::MAX, "XVIII") < 1 << ID_BITS);
    }

    #[test]
    fn a_rank_says_the_tier() {
        for (at, wanted) in (0..).zip(Tier::ALL) {
            assert_eq!(tier((at << ID_BITS) + id(3, "1801")), (wanted, false));
            assert_eq!(tier(((at + 4) << ID_BITS) + id(3, "1801")), (wanted, true));
        }
    }
}
