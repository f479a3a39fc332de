//! Files of reference prices, good and bad.

use sea_orm::{DatabaseConnection, TransactionTrait};

use super::*;
use crate::import::test_support::{data, empty_database, refusals, shared};

async fn bring(database: &DatabaseConnection, text: &[u8]) -> Result<Report, ImportError> {
    let prices = parse(text)?;
    let tx = database.begin().await.unwrap();
    let report = import(&tx, &prices, &Progress::hidden()).await?;
    tx.commit().await.unwrap();
    Ok(report)
}

async fn figures(database: &DatabaseConnection) -> Vec<reference_price::Model> {
    let mut all = reference_price::Entity::all().all(database).await.unwrap();
    all.sort_by_key(|figure| (figure.product.clone(), figure.valid_from, format!("{:?}", figure.kind)));
    all
}

/// The shared file comes in as it is: prices, export prices, and duties and levies as they are printed.
#[tokio::test]
async fn the_shared_file_is_imported_once() {
    let file = shared("duty-id/observed-export-duty.csv").unwrap_or_else(|| data("duty-id/observed-export-duty.csv"));
    let text = std::fs::read(file).unwrap();
    let database = empty_database().await;
    let first = bring(&database, &text).await.unwrap().to_string();
    assert_eq!(
        first,
        "added 29 figures, changed 0, left 0 as they were; added 10 periods, changed 0, left 0 as they were"
    );
    let before = figures(&database).await;
    let second = bring(&database, &text).await.unwrap().to_string();
    assert_eq!(second, "nothing to change: 29 figures and 10 periods were there already");
    assert_eq!(figures(&database).await, before);

    let found = |product: &str, from: &str, kind| {
        let from = from.parse().unwrap();
        before.iter().find(|one| (one.product.as_str(), one.valid_from, one.kind) == (product, from, kind)).unwrap()
    };
    let levy = found("CPO", "2026-02-01", Kind::Levy);
    assert_eq!((levy.amount.as_deref(), levy.rate.as_deref()), (Some("91.8472"), Some("10")), "the levy as printed");
    assert_eq!(levy.rate_unit.as_deref(), Some("% of reference price"));
    let hpe = found("Cocoa beans", "2026-02-01", Kind::Hpe);
    assert_eq!(
        (hpe.amount.as_deref(), hpe.unit.as_str(), hpe.decree.as_deref()),
        (Some("5350"), "t", Some("Kepmendag 66/2026"))
    );
    assert_eq!(found("CPO", "2026-02-01", Kind::Reference).decree, None);
}

/// Each wrong line is named with its reason, and nothing of the file comes in.
#[tokio::test]
async fn bad_files_are_refused_whole() {
    let database = empty_database().await;
    let header = "product,valid_from,valid_to,reference_price_usd_mt,export_duty,export_duty_unit,levy,levy_unit,reference_price,price_unit";
    bring(&database, format!("{header}\nCPO,2026-01-01,2026-01-31,900,,,,,,\n").as_bytes()).await.unwrap();
    let before = figures(&database).await;
    for (lines, expected) in [
        (vec!["CPO,2026-02-01,2026-02-28,,,,,,,"], "2: it has neither a price nor a duty nor a levy"),
        (vec!["CPO,2026-02-01,2026-02-28,0,,,,,,"], "2: its reference price must be more than zero"),
        (vec!["CPO,2026-02-01,2026-02-28,1,,,,,1,USD/MT"], "2: it has two reference prices"),
        (vec!["CPO,2026-02-01,2026-02-28,,,,,,1,USD/barrel"], "2: price_unit \"USD/barrel\" is not a price"),
        (vec!["CPO,2026-02-01,2026-02-28,1,7,% of wine,,,,"], "2: export_duty_unit \"% of wine\" is not known"),
        (
            vec!["CPO,2026-02-01,2026-02-28,1,7,% of HPE (USD x/MT),,,,"],
            "2: export_duty_unit \"% of HPE (USD x/MT)\" is not",
        ),
        (vec!["CPO,2026-02-01,2026-02-28,1,,,107,% of HPE,,"], "2: its levy is more than 100 %"),
        (vec!["CPO,2026-02-28,2026-02-01,1,,,,,,"], "2: it ends on 2026-02-01, before it begins"),
        (vec!["CPO,2026-02-01,,1,,,,,,"], "2: its valid_to is empty"),
        (
            vec!["CPO,2026-02-01,2026-02-28,1,,,,,,", "cpo,2026-02-01,2026-03-28,2,,,,,,"],
            "3: cpo from 2026-02-01 is on line 2",
        ),
        (
            vec!["CPO,2026-02-01,2026-02-28,1,,,,,,", "CPO,2026-02-28,2026-03-28,2,,,,,,"],
            "3: cpo: the period from 2026-02-28 on overlaps",
        ),
        (
            vec!["CPO,2026-01-31,2026-02-28,1,,,,,,"],
            "2: cpo: the period from 2026-01-31 on overlaps that from 2026-01-01",
        ),
    ] {
        let text = format!("{header}\n{}\n", lines.join("\n"));
        let refused = refusals(bring(&database, text.as_bytes()).await);
        assert!(refused.len() == 1 && refused[0].starts_with(expected), "{refused:?} instead of {expected}");
        assert_eq!(figures(&database).await, before, "{expected}");
    }
}

/// Gold is priced by the ounce.
#[tokio::test]
async fn other_units_have_a_column() {
    let database = empty_database().await;
    let text =
        "product,valid_from,valid_to,reference_price,price_unit\nGold dore,2026-01-01,2026-01-31,4200.5,USD/troy oz\n";
    bring(&database, text.as_bytes()).await.unwrap();
    assert_eq!(figures(&database).await[0].unit, "troy oz");
}
