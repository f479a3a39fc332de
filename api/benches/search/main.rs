//! The search for commodities over 20,000 codes: how long a page takes, without any cache.
//!
//!     cargo bench --profile client -p dermaga-api --bench search -- [--database-url postgres://…]
//!
//! The codes are those that are shipped and made-up national ones below them, named with words that are shipped. The
//! database must be empty; SQLite in a temporary folder without one.

#![allow(
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a report for a person to read; nothing is left to save when it fails"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use dermaga_api::domain::words;
use dermaga_api::import::harmonized_system;
use dermaga_api::progress::Progress;
use dermaga_api::seed;
use dermaga_api::store::commodities::{self, CommodityFilter, Search};
use dermaga_api::store::page::PageRequest;
use dermaga_api::store::{Database, DatabaseSettings, commodity_search};
use entity::commodity::{self, Level};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Measures the search.
#[derive(Parser)]
struct Options {
    /// An empty PostgreSQL database.
    #[arg(long)]
    database_url: Option<String>,
    /// How many codes.
    #[arg(long, default_value_t = 20_000)]
    codes: usize,
    /// How often each search is asked.
    #[arg(long, default_value_t = 200)]
    times: usize,
    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Words as they are, beginnings, rare and frequent ones, several, misspelt, in both languages.
const SEARCHES: &[&str] = &[
    "cocoa",
    "cocoa beans",
    "biji kakao",
    "palm oil",
    "minyak kelapa sawit",
    "other",
    "oth",
    "o",
    "or",
    "frozen shrimp",
    "roast",
    "kayu lapis",
    "choclat",
    "rubbber gloves",
    "kelappa sawit",
    "tembakaw",
    "xylophonist",
    "not in containers",
];

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let folder = tempfile::tempdir().unwrap();
    let url = options
        .database_url
        .clone()
        .unwrap_or_else(|| format!("sqlite://{}", folder.path().join("search.db").display()));
    let database = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
    database.migrate().await.unwrap();
    seed::commodities(&database, &Progress::hidden()).await.unwrap();
    let reader = database.reader(Arc::default());
    let shipped = commodity::Entity::all();
    let shipped = shipped.all(&reader).await.unwrap();
    let file = national(&shipped, options.codes.saturating_sub(shipped.len()));
    let codes = harmonized_system::parse(file.as_bytes(), None).unwrap();
    let started = Instant::now();
    database
        .write(async |transaction| harmonized_system::import(transaction, &codes, &Progress::hidden()).await)
        .await
        .unwrap();
    println!("{} codes imported in {:.1} s", codes.len(), started.elapsed().as_secs_f64());
    database.analyze().await.unwrap();

    let started = Instant::now();
    let vocabulary = commodity_search::vocabulary(&reader).await.unwrap();
    println!("{} known words read in {:.1} ms", vocabulary.words().len(), millis(started.elapsed()));
    println!("{:<24} {:>6} {:>8} {:>8} {:>8}", "ms", "found", "p50", "p99", "most");
    let mut all = Vec::new();
    for text in SEARCHES {
        let mut took = Vec::new();
        let mut found = 0;
        for _ in 0..options.times {
            let started = Instant::now();
            let terms: Vec<_> = words::search_words(text).into_iter().map(|word| vocabulary.term(word)).collect();
            let estimate = vocabulary.estimate(&terms);
            let filter = CommodityFilter { search: Some(Search::Words(terms, estimate)), ..CommodityFilter::default() };
            let page = commodities::page(&reader, &filter, &PageRequest::forward(20, None)).await.unwrap();
            took.push(started.elapsed());
            if found == 0 && !page.rows.is_empty() {
                found = commodities::count(&reader, &filter).await.unwrap();
            }
        }
        println!("{text:<24} {found:>6} {}", spread(&mut took));
        all.append(&mut took);
    }
    println!("{:<31} {}", "all", spread(&mut all));
}

/// A file of codes below the subheadings, eight digits each.
fn national(shipped: &[commodity::Model], count: usize) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let above: Vec<_> = shipped.iter().filter(|row| row.level == Level::Subheading).collect();
    let words: Vec<&str> = shipped.iter().flat_map(|row| row.description_en.split_whitespace()).collect();
    let mut file = String::from("section,hscode,description,parent,level\n");
    for at in 0..count {
        let parent = above[at % above.len()];
        let more: Vec<&str> =
            (0..random.random_range(2..6)).filter_map(|_| words.choose(&mut random).copied()).collect();
        // Not the national codes that are shipped, which end in 00 to 10 and in 90.
        let code = format!("{}{:02}", parent.code, 11 + at / above.len());
        let name = format!("{} {}", parent.description_en, more.join(" ")).replace('"', "");
        file += &format!("{},{code},\"{name}\",{},8\n", parent.section, parent.code);
    }
    file
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn spread(took: &mut [Duration]) -> String {
    took.sort_unstable();
    let at = |percent: usize| millis(took[(took.len() * percent / 100).min(took.len() - 1)]);
    format!("{:>8.2} {:>8.2} {:>8.2}", at(50), at(99), at(100))
}
