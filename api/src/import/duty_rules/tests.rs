//! Files of rules, good and bad, over an empty database in memory.

use proptest::prelude::*;
use sea_orm::{DatabaseConnection, PaginatorTrait, TransactionTrait};

use super::*;
use crate::import::harmonized_system;
use crate::import::test_support::{data, empty_database, refusals, shared};

const COMMODITIES: &str = include_str!("../../../data/commodities.csv");

/// A database with the codes that are compiled in.
async fn database() -> DatabaseConnection {
    let database = empty_database().await;
    let tx = database.begin().await.unwrap();
    harmonized_system::seed(&tx, COMMODITIES, &Progress::hidden()).await.unwrap();
    tx.commit().await.unwrap();
    database
}

/// Imports and commits, or leaves no trace.
async fn bring(database: &DatabaseConnection, rules: &DutyRules) -> Result<Report, ImportError> {
    let tx = database.begin().await.unwrap();
    let report = import(&tx, rules, &Progress::hidden()).await?;
    tx.commit().await.unwrap();
    Ok(report)
}

async fn bands(database: &DatabaseConnection) -> Vec<duty_band::Model> {
    duty_band::Entity::all().all(database).await.unwrap()
}

/// The file beside the repository, or the same one that the repository carries.
fn file(name: &str) -> std::path::PathBuf {
    shared(&format!("duty-id/{name}")).unwrap_or_else(|| data(&format!("duty-id/{name}")))
}

const HEADER: &str = "rule_id,commodity,hs,kind,lo_usd,lo_inclusive,hi_usd,hi_inclusive,band_unit,rate,rate_unit,\
    valid_from,valid_to,legal_basis,confidence,measure";

/// A line with these cells; those that are not given are those of a good rule.
fn line(changes: &[(&str, &str)]) -> String {
    let good = [
        ("rule_id", "R1"),
        ("commodity", "Cocoa beans"),
        ("hs", "18010010"),
        ("kind", "AD_VALOREM"),
        ("rate", "5"),
        ("rate_unit", "% of HPE"),
        ("valid_from", "2026-01-01"),
        ("legal_basis", "PMK 38/2024"),
    ];
    let cell = |column: &str| {
        let find =
            |list: &[(&str, &str)]| list.iter().find(|(name, _)| *name == column).map(|(_, cell)| (*cell).to_owned());
        find(changes).or_else(|| find(&good)).unwrap_or_default()
    };
    HEADER.split(',').map(|column| cell(column.trim())).collect::<Vec<_>>().join(",")
}

fn table(lines: &[String]) -> String {
    format!("{HEADER}\n{}\n", lines.join("\n"))
}

/// The shared files come in as they are, and a second time change nothing.
#[tokio::test]
async fn the_shared_files_are_imported_once() {
    let database = database().await;
    for (name, first, second) in [
        (
            "export-duty-rules.csv",
            "added 21 rules, changed 0, left 0 as they were; added 8 measures, changed 0, left 0 as they were",
            "nothing to change: 21 rules and 8 measures were there already",
        ),
        (
            "palm-levy-groups.csv",
            "added 9 rules, changed 0, left 0 as they were; added 9 measures, changed 0, left 0 as they were",
            "nothing to change: 9 rules and 9 measures were there already",
        ),
    ] {
        let rules = read(&file(name)).unwrap();
        assert_eq!(bring(&database, &rules).await.unwrap().to_string(), first);
        let before = bands(&database).await;
        assert_eq!(bring(&database, &rules).await.unwrap().to_string(), second);
        assert_eq!(bands(&database).await, before);
    }
    let numbers = entity::regulation::Entity::all().count(&database).await.unwrap();
    assert_eq!(numbers, 6, "each regulation that is cited is there, once");
}

/// A newer file closes an older measure, changes a rate and leaves alone what it does not have.
#[tokio::test]
async fn a_newer_file_changes_what_it_changes() {
    let database = database().await;
    let text = std::fs::read_to_string(file("export-duty-rules.csv")).unwrap();
    bring(&database, &parse(text.as_bytes()).unwrap()).await.unwrap();
    let newer = text.replace(",7.5,% of HPE,2025-10-22,,", ",8,% of HPE,2025-10-22,,");
    let report = bring(&database, &parse(newer.as_bytes()).unwrap()).await.unwrap();
    assert_eq!((report.added, report.changed, report.unchanged), (0, 1, 20), "{report}");
    let one = table(&[line(&[("rule_id", "NEW"), ("commodity", "Tea"), ("hs", "0902")])]);
    let report = bring(&database, &parse(one.as_bytes()).unwrap()).await.unwrap();
    assert_eq!((report.added, report.changed, report.unchanged), (1, 0, 0), "{report}");
    assert_eq!(bands(&database).await.len(), 22);
}

/// Each wrong line is named with its reason, and nothing of the file comes in.
#[tokio::test]
async fn bad_files_are_refused_whole() {
    let database = database().await;
    let good = table(&[line(&[("rule_id", "OLD"), ("valid_from", "2025-01-01"), ("valid_to", "2025-12-31")])]);
    bring(&database, &parse(good.as_bytes()).unwrap()).await.unwrap();
    let before = bands(&database).await;
    let band = |rule, low, high, closed: &'static str| {
        line(&[
            ("rule_id", rule),
            ("lo_usd", low),
            ("hi_usd", high),
            ("hi_inclusive", closed),
            ("band_unit", "USD/MT reference price"),
        ])
    };
    for (lines, expected) in [
        (vec![band("A", "", "10", "true"), band("B", "9", "", "false")], "3: B: its band overlaps that of A"),
        (vec![band("A", "", "10", "true"), band("B", "11", "", "false")], "3: B: there is a gap between"),
        (vec![band("A", "", "10", "false"), band("B", "10", "", "false")], "3: B: there is a gap between"),
        (vec![line(&[("hs", "18010099")])], "2: R1: there is no commodity 18010099"),
        (vec![line(&[("hs", "1801001")])], "2: R1: hs \"1801001\": an HS code has 2, 4, 6 or 8 digits"),
        (vec![line(&[("rate_unit", "% of invoice")])], "2: R1: rate_unit \"% of invoice\" is not known"),
        (vec![line(&[("rate_unit", "USD/barrel"), ("kind", "SPECIFIC")])], "2: R1: rate_unit \"USD/barrel\""),
        (vec![line(&[("lo_usd", "1"), ("band_unit", "USD/barrel")])], "2: R1: band_unit \"USD/barrel\""),
        (vec![line(&[("lo_usd", "1")])], "2: R1: its band has no band_unit"),
        (vec![line(&[("rate", "101")])], "2: R1: its rate is more than 100 %"),
        (vec![line(&[("rate", "-1")])], "2: R1: rate \"-1\": it must not be negative"),
        (vec![line(&[("rate", "1e3")])], "2: R1: rate \"1e3\": a decimal must not have an exponent"),
        (vec![line(&[("kind", "SPECIFIC")])], "2: R1: a SPECIFIC rate is an amount"),
        (vec![line(&[("kind", "OTHER")])], "2: R1: kind must be AD_VALOREM or SPECIFIC"),
        (vec![line(&[("measure", "TAX")])], "2: R1: measure \"TAX\" is not one of"),
        (vec![line(&[("valid_from", "2026-02-30")])], "2: R1: valid_from \"2026-02-30\" is not a date"),
        (vec![line(&[("valid_to", "2025-12-31")])], "2: R1: it ends on 2025-12-31, before it begins"),
        (vec![line(&[("lo_inclusive", "yes")])], "2: R1: lo_inclusive must be true or false"),
        (vec![line(&[("rule_id", "")])], "2: its rule_id is empty"),
        (vec![line(&[]), line(&[])], "3: R1 is on line 2 already"),
        (vec![line(&[("valid_from", "2025-06-01")])], "2: Cocoa beans: the measure from 2025-06-01 on overlaps"),
        (
            vec![line(&[]), line(&[("rule_id", "R2"), ("valid_from", "2026-05-01")])],
            "3: Cocoa beans: the measure from 2026-05-01 on overlaps that from 2026-01-01 without an end",
        ),
        (vec![line(&[("rule_id", "OLD")])], "2: OLD is the name of a rule of duty.cocoa-beans.2025-01-01 already"),
    ] {
        let text = table(&lines);
        let result = match parse(text.as_bytes()) {
            Ok(rules) => bring(&database, &rules).await.map(drop),
            Err(error) => Err(error),
        };
        let refused = refusals(result);
        assert!(refused.len() == 1 && refused[0].starts_with(expected), "{refused:?} instead of {expected}");
        assert_eq!(bands(&database).await, before, "{expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever stands in a file, it is read or refused in words.
    #[test]
    fn no_file_makes_it_panic(cells in prop::collection::vec("[ -~]{0,12}", 16), text in "\\PC{0,200}") {
        let line = cells.iter().map(|cell| cell.replace([',', '"'], "")).collect::<Vec<_>>().join(",");
        let _ = parse(table(&[line]).as_bytes());
        let _ = parse(text.as_bytes());
    }
}
