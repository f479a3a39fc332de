//! Vectors that the database compares, against those that memory does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};
use dermaga_api::assistant::metrics::AssistantMetrics;
use dermaga_api::assistant::search::{Query, Search};
use dermaga_api::assistant::vectors::Vector;
use dermaga_api::cache::Cache;
use dermaga_api::config::Settings;
use dermaga_api::loaders::{Loads, Source, operation};
use dermaga_api::metrics::Metrics;
use dermaga_api::store::embeddings;
use dermaga_api::store::vectors::Comparison;
use dermaga_api::store::{Database, DatabaseSettings};
use dermaga_tests::{Backend, say};
use entity::embedding::{self, Kind};
use entity::ids::AccountId;
use entity::{regulation, regulation_chunk};
use proptest::test_runner::{RngAlgorithm, TestRng};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, Statement};

const MODEL: &str = "it's random";
const DIMENSION: usize = 384;
const CHUNKS: usize = 2_000;
const QUERIES: usize = 1_000;
/// How many chunks are ordered by their vectors.
const DEPTH: usize = 50;

/// Numbers without a pattern, the same on every run.
struct Random(TestRng);

impl Random {
    fn new() -> Self {
        Self(TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    }

    fn below(&mut self, bound: usize) -> usize {
        use proptest::prelude::Rng;
        usize::try_from(self.0.next_u32()).unwrap() % bound
    }

    fn vector(&mut self) -> Vector {
        let numbers: Vec<f32> =
            (0..DIMENSION).map(|_| f32::from(i16::try_from(self.below(2_001)).unwrap() - 1_000)).collect();
        Vector::new(&numbers).unwrap()
    }

    fn day(&mut self) -> NaiveDate {
        NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + Days::new(self.below(1_000) as u64)
    }
}

/// Chunks with vectors, in force on some days alone; on the first days few are. Some have the same vector.
async fn fill(database: &Database, random: &mut Random) {
    let same = random.vector();
    let mut chunks = Vec::new();
    let mut vectors = Vec::new();
    for number in 0..CHUNKS {
        let id = format!("PMK 1/2020#{number}");
        let (one, two) = (random.day(), random.day());
        chunks.push(regulation_chunk::Model {
            id: id.clone(),
            regulation: "PMK 1/2020".to_owned(),
            sequence: i32::try_from(number).unwrap() + 1,
            article: None,
            text: format!("text {number}"),
            valid_from: Some(one.min(two)),
            valid_to: (number % 5 > 0).then_some(one.max(two)),
            revision: "1".to_owned(),
        });
        vectors.push(embedding::Model {
            kind: Kind::Chunk,
            subject: id,
            model: MODEL.to_owned(),
            dimension: i32::try_from(DIMENSION).unwrap(),
            revision: "1".to_owned(),
            vector: if number < 20 { same.clone() } else { random.vector() }.to_bytes(),
        });
    }
    let rule = regulation::Model {
        number: "PMK 1/2020".to_owned(),
        title: "Random".to_owned(),
        issued_on: None,
        in_force_from: None,
        in_force_to: None,
        url: None,
    };
    let comparison = database.comparison();
    let write = async |transaction: &sea_orm::DatabaseTransaction| {
        regulation::Entity::insert(rule.into_active_model().reset_all()).exec_without_returning(transaction).await?;
        for chunks in chunks.chunks(500) {
            let rows = chunks.iter().map(|row| row.clone().into_active_model().reset_all());
            regulation_chunk::Entity::insert_many(rows).exec_without_returning(transaction).await?;
        }
        for vectors in vectors.chunks(500) {
            embeddings::put(transaction, vectors.to_vec(), comparison).await?;
        }
        Ok::<_, sea_orm::DbErr>(())
    };
    database.write(write).await.unwrap();
    database.analyze().await.unwrap();
}

async fn search(comparison: Comparison) -> Search {
    let settings = Settings { assistant_embedding_model: Some(MODEL.to_owned()), ..Settings::default() };
    let config = settings.check().unwrap();
    let metrics = Metrics::new().unwrap();
    // Nobody writes meanwhile: what is indexed once stays so.
    let cache = Cache::new(config.cache.as_ref().unwrap(), None, &metrics).unwrap();
    cache.regained().await;
    Search::new(&config.assistant, comparison, &cache, Arc::new(AssistantMetrics::new(&metrics).unwrap()))
}

async fn found(search: &Search, source: &Source, vector: &Vector, on: NaiveDate) -> Vec<(String, f64)> {
    let loads = Loads::new(source.clone());
    let text = format!("{vector:?}");
    let query = Query { text: &text, words: &[], vector: Some(vector), floor: 0, limit: DEPTH };
    let hits = operation::run(&loads, search.chunks(&loads, &query, on)).await.unwrap();
    hits.all().map(|found| (found.chunk.id.clone(), found.similarity)).collect()
}

/// A thousand random questions on random days: by its index, the database finds what a comparison with every vector
/// finds, in the same order.
#[tokio::test]
async fn the_index_finds_what_memory_finds() {
    if !Backend::Pgvector.is_there() {
        return;
    }
    let mut random = Random::new();
    let (url, _guard) = Backend::Pgvector.empty_url().await;
    let database = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
    database.migrate().await.unwrap();
    assert_eq!(database.comparison(), Comparison::Database);
    database.index_vectors(MODEL, DIMENSION).await.unwrap();
    fill(&database, &mut random).await;
    // So few would be compared one by one, which is exact anyhow.
    let name = url.rsplit('/').next().unwrap();
    let writer = sea_orm::Database::connect(&url).await.unwrap();
    for setting in ["enable_seqscan", "enable_sort", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan"] {
        writer.execute_unprepared(&format!("ALTER DATABASE {name} SET {setting} = off")).await.unwrap();
    }
    database.close().await;
    let database = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
    let source =
        Source { reader: database.reader(Arc::default()), account: AccountId(uuid::Uuid::nil()), cache: Cache::off() };
    let plain = Memory::load(&source).await;
    let by_database = search(Comparison::Database).await;
    let mut few = 0;
    let mut took = Duration::ZERO;
    for number in 0..QUERIES {
        let (vector, on) = (random.vector(), random.day());
        let wanted = plain.nearest(&vector, on);
        let start = Instant::now();
        let found = found(&by_database, &source, &vector, on).await;
        took += start.elapsed();
        assert_eq!(
            found.iter().map(|(id, _)| id).collect::<Vec<_>>(),
            wanted.iter().collect::<Vec<_>>(),
            "question {number} on {on}"
        );
        few += usize::from(found.len() < DEPTH);
    }
    assert!((1..QUERIES / 10).contains(&few), "{few} searches found all that is in force, which was little");
    let early = NaiveDate::from_ymd_opt(2020, 1, 2).unwrap();
    let used = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname LIKE 'embedding_nearest_%'";
    let start = Instant::now();
    loop {
        writer.execute_unprepared("SELECT pg_stat_clear_snapshot()").await.unwrap();
        let row = writer.query_one_raw(Statement::from_string(DbBackend::Postgres, used)).await.unwrap().unwrap();
        let scans: i64 = row.try_get("", "idx_scan").unwrap();
        if scans > 0 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "the index is not used");
        // A connection says what it did with a later statement.
        found(&by_database, &source, &random.vector(), early).await;
    }
    say(&format!(
        "{QUERIES} searches of {CHUNKS} vectors by the index: {:?} each",
        took / u32::try_from(QUERIES).unwrap()
    ));
}

/// What memory finds, said in another way than by the server's search: every vector, one by one.
struct Memory(Vec<(regulation_chunk::Model, Vector)>);

impl Memory {
    async fn load(source: &Source) -> Self {
        let rows = dermaga_api::store::regulation_chunks::all(&source.reader, Some(MODEL)).await.unwrap();
        Self(rows.into_iter().map(|row| (row.chunk, Vector::from_bytes(&row.vector.unwrap()).unwrap())).collect())
    }

    fn nearest(&self, question: &Vector, on: NaiveDate) -> Vec<String> {
        let in_force = self.0.iter().filter(|(chunk, _)| {
            chunk.valid_from.is_none_or(|from| from <= on) && chunk.valid_to.is_none_or(|to| to >= on)
        });
        let mut all: Vec<_> =
            in_force.map(|(chunk, vector)| (question.similarity(vector).unwrap(), &chunk.id)).collect();
        all.sort_by(|(one, first), (two, second)| two.total_cmp(one).then(first.cmp(second)));
        all.into_iter().take(DEPTH).map(|(_, id)| id.clone()).collect()
    }
}

/// The search in memory finds the same as the plain comparison, too.
#[tokio::test]
async fn memory_finds_the_nearest() {
    let mut random = Random::new();
    let (url, _guard) = Backend::Sqlite.empty_url().await;
    let database = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
    database.migrate().await.unwrap();
    assert_eq!(database.comparison(), Comparison::Memory);
    fill(&database, &mut random).await;
    let source =
        Source { reader: database.reader(Arc::default()), account: AccountId(uuid::Uuid::nil()), cache: Cache::off() };
    let plain = Memory::load(&source).await;
    let by_memory = search(Comparison::Memory).await;
    for number in 0..20 {
        let (vector, on) = (random.vector(), random.day());
        let found = found(&by_memory, &source, &vector, on).await;
        assert_eq!(
            found.into_iter().map(|(id, _)| id).collect::<Vec<_>>(),
            plain.nearest(&vector, on),
            "question {number} on {on}"
        );
    }
}

/// A role that owns no table, as servers may have where somebody else migrates, starts and has the database compare.
#[tokio::test]
async fn a_role_that_defines_nothing_can_start() {
    if !Backend::Pgvector.is_there() {
        return;
    }
    let (url, _guard) = Backend::Pgvector.empty_url().await;
    let owner = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
    owner.migrate().await.unwrap();
    let role = format!("{}_server", url.rsplit('/').next().unwrap());
    let other = sea_orm::Database::connect(&url).await.unwrap();
    let grant = format!("CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}");
    other.execute_unprepared(&grant).await.unwrap();
    let (scheme, rest) = url.split_once("://").unwrap();
    let url = format!("{scheme}://{role}@{}", rest.split_once('@').unwrap().1);
    let server = Database::open(&DatabaseSettings::new(url)).await.unwrap();
    assert_eq!(server.migrate().await.unwrap(), 0);
    assert_eq!(server.comparison(), Comparison::Database);
}

/// Vectors that are older than the extension are made comparable at the next start.
#[tokio::test]
async fn vectors_from_before_the_extension_are_compared() {
    if !Backend::Pgvector.is_there() {
        return;
    }
    let (url, _guard) = Backend::Pgvector.empty_url().await;
    let database = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
    database.migrate().await.unwrap();
    fill(&database, &mut Random::new()).await;
    let other = sea_orm::Database::connect(&url).await.unwrap();
    other.execute_unprepared("ALTER TABLE embedding DROP COLUMN nearest; DROP EXTENSION vector CASCADE").await.unwrap();
    let restarted = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
    restarted.look_for_vectors().await.unwrap();
    assert_eq!(restarted.comparison(), Comparison::Memory);
    restarted.migrate().await.unwrap();
    assert_eq!(restarted.comparison(), Comparison::Database);
    let count = "SELECT count(nearest) AS n FROM embedding";
    let row = other.query_one_raw(Statement::from_string(DbBackend::Postgres, count)).await.unwrap().unwrap();
    let comparable: i64 = row.try_get("", "n").unwrap();
    assert_eq!(usize::try_from(comparable).unwrap(), CHUNKS);
}
