//! Files of tax rates, good and bad.

use sea_orm::{DatabaseConnection, TransactionTrait};

use super::*;
use crate::import::test_support::{at, data, empty_database, refusals, shared};

async fn bring(database: &DatabaseConnection, text: &[u8]) -> Result<Report, ImportError> {
    let rates = parse(text)?;
    let tx = database.begin().await.unwrap();
    let report = import(&tx, &rates, at("2026-10-30T12:00:00Z"), &Progress::hidden()).await?;
    tx.commit().await.unwrap();
    Ok(report)
}

async fn rates(database: &DatabaseConnection) -> Vec<currency_rate::Model> {
    currency_rate::Entity::all().all(database).await.unwrap()
}

/// The shared file comes in as it is; the yen is quoted per 100, and each decree is a source.
#[tokio::test]
async fn the_shared_file_is_imported_once() {
    let file = shared("duty-id/kurs-pajak-samples.csv").unwrap_or_else(|| data("duty-id/kurs-pajak-samples.csv"));
    let text = std::fs::read(file).unwrap();
    let database = empty_database().await;
    let first = bring(&database, &text).await.unwrap().to_string();
    assert_eq!(first, "added 2 days, changed 0, left 0 as they were; added 22 rates, changed 0, left 0 as they were");
    let before = rates(&database).await;
    let second = bring(&database, &text).await.unwrap().to_string();
    assert_eq!(second, "nothing to change: 2 days and 22 rates were there already");
    assert_eq!(rates(&database).await, before);
    let yen = before.iter().find(|rate| rate.base == "JPY" && rate.rate == "11022.63").unwrap();
    assert_eq!((yen.quoted_per, yen.purpose, yen.source.as_str()), (100, Purpose::TaxDuty, "KMK 10/MK/EF.2/2025"));
    assert_eq!(yen.valid_to, "2025-08-12".parse().ok());
    let sources = rate_source::Entity::all().all(&database).await.unwrap();
    assert!(sources.iter().any(|source| source.attribution == "Source: KMK 56/KM.10/2020"), "{sources:?}");
}

/// Each wrong line is named with its reason, and nothing of the file comes in.
#[tokio::test]
async fn bad_files_are_refused_whole() {
    let database = empty_database().await;
    let header = "decree,valid_from,valid_to,currency,unit,idr";
    bring(&database, format!("{header}\nKMK 1/2026,2026-01-07,2026-01-13,USD,1,16000\n").as_bytes()).await.unwrap();
    let before = rates(&database).await;
    for (lines, expected) in [
        (vec!["KMK 2/2026,2026-01-14,2026-01-20,XXX,1,16000"], "2: currency \"XXX\" is not a known currency"),
        (vec!["KMK 2/2026,2026-01-14,2026-01-20,USD,0,16000"], "2: unit \"0\" is not a number of units"),
        (vec!["KMK 2/2026,2026-01-14,2026-01-20,USD,1,0"], "2: its idr must be more than zero"),
        (vec!["KMK 2/2026,2026-01-14,2026-01-20,USD,1,16.000,5"], "2: there are 7 columns"),
        (vec!["KMK 2/2026,2026-01-14,,USD,1,16000"], "2: its valid_to is empty"),
        (vec!["KMK 2/2026,2026-01-14,2026-01-20,IDR,1,1"], "2: IDR cannot be quoted in itself"),
        (vec![",2026-01-14,2026-01-20,USD,1,16000"], "2: its decree is empty"),
        (
            vec!["KMK 2/2026,2026-01-13,2026-01-20,USD,1,16000"],
            "2: USD: the rate of KMK 2/2026 from 2026-01-13 on overlaps that of KMK 1/2026",
        ),
        (
            vec!["KMK 2/2026,2026-01-14,2026-01-20,EUR,1,1", "KMK 3/2026,2026-01-14,2026-01-20,EUR,1,2"],
            "3: EUR from 2026-01-14 is on line 2 already",
        ),
    ] {
        let text = format!("{header}\n{}\n", lines.join("\n"));
        let refused = refusals(bring(&database, text.as_bytes()).await);
        assert!(refused.len() == 1 && refused[0].starts_with(expected), "{refused:?} instead of {expected}");
        assert_eq!(rates(&database).await, before, "{expected}");
    }
}
