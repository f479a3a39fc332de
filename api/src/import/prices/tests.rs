//! Files of market prices, good and bad.

use sea_orm::{DatabaseConnection, PaginatorTrait, TransactionTrait};

use super::*;
use crate::import::harmonized_system;
use crate::import::test_support::{at, empty_database, refusals, shared};

const COMMODITIES: &str = include_str!("../../../data/commodities.csv");

async fn bring(database: &DatabaseConnection, text: &[u8]) -> Result<Report, ImportError> {
    let prices = parse(text)?;
    let tx = database.begin().await.unwrap();
    let report = import(&tx, &prices, at("2026-10-30T12:00:00Z"), &Progress::hidden()).await?;
    tx.commit().await.unwrap();
    Ok(report)
}

/// The shared file comes in as it is, once, and is what is compiled in.
#[tokio::test]
async fn the_shared_file_is_imported_once() {
    let shipped = input::unzip_csv(SHIPPED).unwrap();
    if let Some(file) = shared("commodity-prices/worldbank-pink-sheet-monthly.csv") {
        assert!(std::fs::read(file).unwrap() == shipped, "what is compiled in is what is beside the repository");
    }
    let database = empty_database().await;
    let tx = database.begin().await.unwrap();
    harmonized_system::seed(&tx, COMMODITIES, &Progress::hidden()).await.unwrap();
    tx.commit().await.unwrap();
    let first = bring(&database, SHIPPED).await.unwrap().to_string();
    assert_eq!(
        first,
        "added 8120 prices, changed 0, left 0 as they were; added 25 price lists, changed 0, left 0 as they were"
    );
    let second = bring(&database, &shipped).await.unwrap().to_string();
    assert_eq!(second, "nothing to change: 8120 prices and 25 price lists were there already");
    // Lead, logs and zinc have no code in the list that is compiled in.
    let links = price_series_commodity::Entity::all().count(&database).await.unwrap();
    assert_eq!(links, 24);
    assert_eq!(links_of("Palm oil"), ["1511"]);
}

fn links_of(series: &str) -> Vec<String> {
    let links = links().unwrap().into_iter().filter(|link| link.series == series);
    links.map(|link| link.commodity).collect()
}

/// Each wrong line is named with its reason, and nothing of the file comes in.
#[tokio::test]
async fn bad_files_are_refused_whole() {
    let database = empty_database().await;
    for (lines, expected) in [
        (vec!["2026-13,Cocoa,$/kg,1"], "2: \"2026-13\" is not a month"),
        (vec!["2026-1,Cocoa,$/kg,1"], "2: \"2026-1\" is not a month"),
        (vec!["2026-01,,$/kg,1"], "2: its series is empty"),
        (vec!["2026-01,Cocoa,,1"], "2: its unit is empty"),
        (vec!["2026-01,Cocoa,$/kg,0"], "2: its price_usd must be more than zero"),
        (vec!["2026-01,Cocoa,$/kg,1", "2026-01,Cocoa,$/kg,2"], "3: Cocoa of 2026-01 is on line 2 already"),
    ] {
        let text = format!("month,series,unit,price_usd\n{}\n", lines.join("\n"));
        let refused = refusals(bring(&database, text.as_bytes()).await);
        assert!(refused.len() == 1 && refused[0].starts_with(expected), "{refused:?} instead of {expected}");
    }
    assert_eq!(commodity_price::Entity::all().count(&database).await.unwrap(), 0);
}
