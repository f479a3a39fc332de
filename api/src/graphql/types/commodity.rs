//! Commodities.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::Datelike;
use entity::commodity;

use super::duty_measure::{DutyMeasure, MeasureKind};
use super::price_point::PricePoint;
use crate::domain;
use crate::error::{Error, Result};
use crate::graphql::context::ContextExt;
use crate::graphql::id::GlobalId;
use crate::graphql::pagination::{Edge, KeyKind, List, PageArguments, PageInfo};
use crate::graphql::scalars::{Date, HsCode};
use crate::loaders::commodities::{
    CommodityChildCountKey, CommodityChildrenKey, CommodityCountKey, CommodityKey, CommodityPageKey,
    CommoditySuccessionKey,
};
use crate::store::commodities::{CommodityFilter, Match, RANK_BEST, Search};
use crate::store::commodity_search::{self, Tier};
use crate::store::page::KeyValue;
use crate::store::prices::PriceSpan;
use crate::store::successions::Direction;

/// Level of a commodity in the Harmonized System.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "commodity::Level")]
pub enum HsLevel {
    /// One of the 21 sections, in Roman numerals.
    Section,
    /// Two digits.
    Chapter,
    /// Four digits.
    Heading,
    /// Six digits, the last level that all countries share.
    Subheading,
    /// Eight digits, a country's own.
    National,
}

/// What of a commodity fitted a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum MatchKind {
    /// Its code starts with the digits that were searched.
    Code,
    /// The words that were searched stand in its names.
    Lexical,
    /// Words that are spelt nearly like those that were searched stand in its names.
    Fuzzy,
}

/// Goods as customs sees them: a node of the Harmonized System.
#[derive(Clone, Debug)]
pub struct Commodity(Arc<commodity::Model>);

/// Goods as customs sees them: a node of the Harmonized System.
#[Object]
impl Commodity {
    /// Global id.
    pub async fn id(&self) -> ID {
        GlobalId::Commodity(self.0.code.clone()).encode()
    }

    /// The code without dots.
    async fn code(&self) -> Result<HsCode> {
        Ok(HsCode(self.parsed_code()?))
    }

    /// The code with its dots, as people write it: `1801.00`.
    async fn code_formatted(&self) -> Result<String> {
        Ok(self.parsed_code()?.formatted())
    }

    /// The level in the tree.
    async fn level(&self) -> HsLevel {
        self.0.level.into()
    }

    /// The name of the goods.
    async fn description(
        &self,
        #[graphql(
            default = "en",
            desc = "The language: English (`en`) or Indonesian (`id`). English where no Indonesian name is held."
        )]
        locale: String,
    ) -> &str {
        let indonesian = locale.get(..2).is_some_and(|language| language.eq_ignore_ascii_case("id"))
            && locale.as_bytes().get(2).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        match &self.0.description_id {
            Some(name) if indonesian => name,
            _ => &self.0.description_en,
        }
    }

    /// The nomenclature and its year, such as `HS 2022`.
    async fn nomenclature(&self) -> &str {
        &self.0.nomenclature
    }

    /// Whether goods can be declared under this code: it is a subheading or a national code.
    async fn declarable(&self) -> bool {
        matches!(self.0.level, commodity::Level::Subheading | commodity::Level::National)
    }

    /// The commodity above. Null for a section.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<Commodity>> {
        Self::with_code(ctx, self.0.parent_code.clone()?).await.transpose()
    }

    /// All commodities above, the nearest first: heading, chapter, section.
    async fn ancestors(&self, ctx: &Context<'_>) -> Result<Vec<Commodity>> {
        // Codes hold those of their ancestors, so one batch finds them all.
        let mut codes = Vec::new();
        let mut below = self.parsed_code()?;
        while let Some(above) = below.parent_digits() {
            codes.push(above.as_str().to_owned());
            below = above;
        }
        if !below.is_section() {
            codes.push(self.0.section.clone());
        }
        let found = ctx.load_many(codes.into_iter().map(CommodityKey)).await?;
        Ok(found.into_iter().flatten().map(Self::new).collect())
    }

    /// The commodities directly below, by code.
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "How many, at most 100.")] first: i32,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
    ) -> Result<CommodityChildConnection> {
        CommodityChildConnection::of(ctx, &self.0.code, first, after).await
    }

    /// The duties and levies on its goods that apply on a day: those that name its code or one above it.
    async fn measures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day. Null: the account's current day.")] as_of: Option<Date>,
        #[graphql(desc = "Only of these kinds. Null: of all.")] kinds: Option<Vec<MeasureKind>>,
    ) -> Result<Vec<DutyMeasure>> {
        let on = as_of.map_or(ctx.request()?.today(), |day| day.0);
        DutyMeasure::of_code(ctx, &self.0.code, on, kinds).await
    }

    /// The codes whose place it took when the nomenclature changed, by code.
    async fn predecessors(&self, ctx: &Context<'_>) -> Result<Vec<Commodity>> {
        self.succession(ctx, Direction::Predecessors).await
    }

    /// The codes that took its place when the nomenclature changed, by code.
    async fn successors(&self, ctx: &Context<'_>) -> Result<Vec<Commodity>> {
        self.succession(ctx, Direction::Successors).await
    }

    /// Market prices of its goods by month: of series of its code or of one above it.
    async fn prices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of the series with this name. Null: of all.")] series: Option<String>,
        #[graphql(desc = "Only from the month of this day on. Null: from the first.")] from: Option<Date>,
        #[graphql(desc = "Only up to this day. Null: up to the last.")] to: Option<Date>,
    ) -> Result<Vec<PricePoint>> {
        let from = from.map(|day| day.0.with_day(1).unwrap_or(day.0));
        let span = PriceSpan { series, from, to: to.map(|day| day.0) };
        PricePoint::of_code(ctx, &self.0.code, span).await
    }
}

impl Commodity {
    /// A commodity out of its row.
    pub fn new(row: Arc<commodity::Model>) -> Self {
        Self(row)
    }

    /// The commodity with this code.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn with_code(ctx: &Context<'_>, code: String) -> Result<Option<Self>> {
        Ok(ctx.load(CommodityKey(code)).await?.map(Self::new))
    }

    async fn succession(&self, ctx: &Context<'_>, direction: Direction) -> Result<Vec<Self>> {
        let found = ctx.load(CommoditySuccessionKey { code: self.0.code.clone(), direction }).await?;
        Ok(found.iter().cloned().map(Self).collect())
    }

    fn parsed_code(&self) -> Result<domain::hs_code::HsCode> {
        domain::hs_code::HsCode::parse(&self.0.code).map_err(Error::internal)
    }
}

/// One found commodity with its position in the list.
#[derive(Clone, Debug, SimpleObject)]
pub struct CommodityEdge {
    /// The position; valid in the list that it came from.
    pub cursor: String,
    /// The commodity.
    pub node: Commodity,
    /// How well it fits the search, from 0 to 1. Null when nothing was searched.
    pub score: Option<f64>,
    /// What of it fitted. Null when nothing was searched.
    pub matched_on: Option<Vec<MatchKind>>,
}

/// A page of commodities: the best match first when something was searched, otherwise by code.
#[derive(Clone, Debug)]
pub struct CommodityConnection {
    filter: CommodityFilter,
    edges: Vec<CommodityEdge>,
    info: PageInfo,
}

/// A page of commodities: the best match first when something was searched, otherwise by code.
#[Object]
impl CommodityConnection {
    /// The commodities with their cursors and scores.
    async fn edges(&self) -> &[CommodityEdge] {
        &self.edges
    }

    /// The commodities.
    async fn nodes(&self) -> Vec<Commodity> {
        self.edges.iter().map(|edge| edge.node.clone()).collect()
    }

    /// Where the page stands.
    async fn page_info(&self) -> PageInfo {
        self.info.clone()
    }

    /// How many commodities there are on all pages. Counted only when it is selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let count = ctx.load(CommodityCountKey(self.filter.clone())).await?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl CommodityConnection {
    /// One page of the commodities that `filter` finds.
    ///
    /// # Errors
    /// When the arguments make no page, or the rows cannot be loaded.
    pub async fn load(ctx: &Context<'_>, filter: CommodityFilter, arguments: PageArguments) -> Result<Self> {
        let list = List::new("commodities", vec![KeyKind::Int, KeyKind::Text], &filter.shape());
        let request = list.request(&arguments, 20, ctx.request()?.max_page_size)?;
        let page = ctx.load(CommodityPageKey { filter: filter.clone(), request }).await?;
        let edges: Vec<_> = page.rows.iter().map(|found| CommodityEdge::new(&list, &filter, found)).collect();
        let info = PageInfo::new(&page, edges.iter().map(|edge| edge.cursor.as_str()));
        Ok(Self { filter, edges, info })
    }
}

impl CommodityEdge {
    fn new(list: &List, filter: &CommodityFilter, found: &Match) -> Self {
        let position = [KeyValue::Int(found.rank), KeyValue::Text(found.commodity.code.clone())];
        let (score, kind) = match filter.search {
            None => (None, None),
            Some(Search::Code(_)) => (Some(if found.rank == RANK_BEST { 1.0 } else { 0.5 }), Some(MatchKind::Code)),
            Some(Search::Words(..)) => {
                let (tier, corrected) = commodity_search::tier(found.rank);
                let score = match (tier, corrected) {
                    (Tier::Title, false) => 1.0,
                    (Tier::Words, false) => 0.9,
                    (Tier::TitlePrefix, false) => 0.8,
                    (Tier::Prefix, false) => 0.7,
                    (Tier::Title, true) => 0.5,
                    (Tier::Words, true) => 0.4,
                    (Tier::TitlePrefix, true) => 0.3,
                    (Tier::Prefix, true) => 0.2,
                };
                (Some(score), Some(if corrected { MatchKind::Fuzzy } else { MatchKind::Lexical }))
            }
        };
        Self {
            cursor: list.cursor(&position),
            node: Commodity::new(Arc::new(found.commodity.clone())),
            score,
            matched_on: kind.map(|kind| vec![kind]),
        }
    }
}

/// A page of the commodities directly below another, by code.
#[derive(Clone, Debug)]
pub struct CommodityChildConnection {
    parent: String,
    edges: Vec<Edge<Commodity>>,
    info: PageInfo,
}

/// A page of the commodities directly below another, by code.
#[Object]
impl CommodityChildConnection {
    /// The commodities with their cursors.
    async fn edges(&self) -> &[Edge<Commodity>] {
        &self.edges
    }

    /// The commodities.
    async fn nodes(&self) -> Vec<Commodity> {
        self.edges.iter().map(|edge| edge.node.clone()).collect()
    }

    /// Where the page stands.
    async fn page_info(&self) -> PageInfo {
        self.info.clone()
    }

    /// How many there are on all pages. Counted only when it is selected.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let count = ctx.load(CommodityChildCountKey(self.parent.clone())).await?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl CommodityChildConnection {
    async fn of(ctx: &Context<'_>, parent: &str, first: i32, after: Option<String>) -> Result<Self> {
        let list = List::new("commodity_children", vec![KeyKind::Text], &parent);
        let max = ctx.request()?.max_page_size;
        let arguments = PageArguments { first: Some(first), after, ..PageArguments::default() };
        let request = list.request(&arguments, max, max)?;
        let page = ctx.load(CommodityChildrenKey { parent: parent.to_owned(), request }).await?;
        let edges =
            list.edges(&page, |row| vec![KeyValue::Text(row.code.clone())], |row| Ok(Commodity::new(Arc::clone(row))))?;
        let info = PageInfo::new(&page, edges.iter().map(|edge| edge.cursor.as_str()));
        Ok(Self { parent: parent.to_owned(), edges, info })
    }
}
