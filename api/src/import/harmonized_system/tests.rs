use std::path::PathBuf;

use entity::commodity::Model;
use entity::commodity_search;
use sea_orm::{DatabaseConnection, PaginatorTrait, QueryOrder, TransactionTrait};

use super::*;
use crate::import::test_support::{data, empty_database, refusals, shared};

const HEADER: &str = "section,hscode,description,parent,level\n";

/// The public file if it is beside the repository, else its chapters 09, 15 and 18.
struct PublicFile {
    path: PathBuf,
    codes: usize,
    sections: u64,
}

fn public_file() -> PublicFile {
    let file = match shared("hs/harmonized-system.csv") {
        Some(path) => PublicFile { path, codes: 6939, sections: 21 },
        None => PublicFile { path: data("samples/hs-sample.csv"), codes: 143, sections: 3 },
    };
    println!("read {}", file.path.display());
    file
}

fn curated() -> String {
    std::fs::read_to_string(data("commodities.csv")).unwrap()
}

fn rows(lines: &str) -> Nomenclature {
    parse(format!("{HEADER}{lines}").as_bytes(), None).unwrap()
}

async fn try_import(database: &DatabaseConnection, nomenclature: &Nomenclature) -> Result<Report, ImportError> {
    let tx = database.begin().await.unwrap();
    let report = import(&tx, nomenclature, &Progress::hidden()).await?;
    tx.commit().await.unwrap();
    Ok(report)
}

async fn codes(database: &DatabaseConnection) -> Vec<String> {
    let rows = commodity::Entity::all().order_by_asc(Column::Code).all(database).await.unwrap();
    rows.into_iter().map(|row| row.code).collect()
}

async fn code(database: &DatabaseConnection, code: &str) -> Model {
    let row = commodity::Entity::all().filter(Column::Code.eq(code)).one(database).await.unwrap();
    row.unwrap_or_else(|| panic!("{code} is not stored"))
}

fn counts(added: u64, changed: u64, unchanged: u64) -> Counts {
    Counts { added, changed, unchanged }
}

/// The words by which a code is found, those of the title before the stroke.
async fn words(database: &DatabaseConnection, code: &str) -> String {
    let row = commodity_search::Entity::all().filter(commodity_search::Column::Code.eq(code)).one(database).await;
    let row = row.unwrap().unwrap();
    format!("{} | {}", row.title, row.details)
}

#[tokio::test]
async fn the_public_file_is_stored_and_a_second_import_changes_nothing() {
    let database = empty_database().await;
    let file = public_file();
    let nomenclature = read(&file.path, None).unwrap();
    assert_eq!(nomenclature.len(), file.codes);

    let first = try_import(&database, &nomenclature).await.unwrap();
    let second = try_import(&database, &nomenclature).await.unwrap();

    let total = file.codes as u64;
    let sections = |counts| Subject::Commodities { sections: counts };
    let expected = Report { subject: sections(counts(file.sections, 0, 0)), added: total, ..Report::default() };
    assert_eq!(first, expected);
    let expected = Report { subject: sections(counts(0, 0, file.sections)), unchanged: total, ..Report::default() };
    assert_eq!(second, expected);
    assert!(second.to_string().starts_with("nothing to change: "), "{second}");
    assert_eq!(commodity::Entity::all().count(&database).await.unwrap(), total + file.sections);
}

#[tokio::test]
async fn a_code_is_stored_with_its_place_in_the_tree() {
    let database = empty_database().await;
    let file = "section,hscode,description,description_id,parent,level\n\
        IV,1801,Cocoa beans,Biji Kakao,18,4\n\
        IV,1801.00.10,\"Cocoa beans,  fermented \",,180100,8\n\
        IV,180100,Cocoa beans; raw,,18.01,6\n\
        IV,18,COCOA,KAKAO,,2\n\
        TOTAL,TOTAL,All,,TOTAL,5\n";
    let report = try_import(&database, &parse(file.as_bytes(), None).unwrap()).await.unwrap();

    assert_eq!((report.added, report.subject), (4, Subject::Commodities { sections: counts(1, 0, 0) }));
    assert_eq!(codes(&database).await, ["18", "1801", "180100", "18010010", "IV"]);
    let expected = Model {
        code: "1801".into(),
        level: Level::Heading,
        parent_code: Some("18".into()),
        section: "IV".into(),
        description_en: "Cocoa beans".into(),
        description_id: Some("Biji Kakao".into()),
        nomenclature: "HS 2022".into(),
    };
    assert_eq!(code(&database, "1801").await, expected);
    let chapter = code(&database, "18").await;
    assert_eq!((chapter.level, chapter.parent_code.as_deref()), (Level::Chapter, Some("IV")));
    let national = code(&database, "18010010").await;
    assert_eq!((national.level, national.parent_code.as_deref()), (Level::National, Some("180100")));
    assert_eq!(words(&database, "18010010").await, "cocoa bean | fermented");
    assert_eq!(words(&database, "1801").await, "cocoa bean biji kakao | ");
    let section = code(&database, "IV").await;
    assert_eq!((section.level, section.parent_code, section.section.as_str()), (Level::Section, None, "IV"));
    assert!(section.description_id.is_some());
}

/// Names typed by hand are the work of days; the public file has none and must not remove them.
#[tokio::test]
async fn indonesian_names_survive_an_import_of_a_file_without_them() {
    let database = empty_database().await;
    let tx = database.begin().await.unwrap();
    let seeded = seed(&tx, &curated(), &Progress::hidden()).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(seeded.added, 858);
    let before = code(&database, "1801").await;
    let in_sections = code(&database, "IV").await;

    try_import(&database, &read(&public_file().path, None).unwrap()).await.unwrap();

    let after = code(&database, "1801").await;
    assert!(before.description_id.is_some());
    assert_eq!(after.description_id, before.description_id);
    assert_ne!(after.description_en, before.description_en);
    assert!(words(&database, "1801").await.starts_with("cocoa bean biji kakao | "));
    assert_eq!(code(&database, "IV").await, in_sections);
    let without = commodity::Entity::all().filter(Column::DescriptionId.is_not_null());
    assert!(without.count(&database).await.unwrap() >= 858);
}

#[tokio::test]
async fn a_name_in_the_file_replaces_the_stored_one() {
    let database = empty_database().await;
    let file = |name| format!("section,hscode,description,description_id,parent,level\nIV,18,Cocoa,{name},,2\n");
    try_import(&database, &parse(file("Coklat").as_bytes(), None).unwrap()).await.unwrap();
    let report = try_import(&database, &parse(file("Kakao").as_bytes(), None).unwrap()).await.unwrap();

    assert_eq!((report.added, report.changed, report.unchanged), (0, 1, 0));
    assert_eq!(words(&database, "18").await, "cocoa kakao | ");
}

/// The server seeds at each start; what an operator imported since must stay.
#[tokio::test]
async fn only_an_empty_table_is_seeded() {
    let database = empty_database().await;
    try_import(&database, &rows("IV,18,Mine,TOTAL,2\n")).await.unwrap();
    let tx = database.begin().await.unwrap();
    let report = seed(&tx, &curated(), &Progress::hidden()).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(report, None);
    assert_eq!(codes(&database).await, ["18", "IV"]);
}

#[tokio::test]
async fn sections_are_named_by_their_own_file_if_there_is_one() {
    let database = empty_database().await;
    let chapter = format!("{HEADER}IV,18,Cocoa,TOTAL,2\nV,25,Salt,TOTAL,2\n");
    try_import(&database, &parse(chapter.as_bytes(), None).unwrap()).await.unwrap();
    let compiled_in = code(&database, "IV").await;

    let sections = b"\xef\xbb\xbfsection,name\nIV,Prepared foodstuffs\nXXI,Works of art\n";
    let given = parse(chapter.as_bytes(), Some(sections)).unwrap();
    let report = try_import(&database, &given).await.unwrap();
    assert_eq!(report.subject, Subject::Commodities { sections: counts(0, 1, 1) });
    let named = code(&database, "IV").await;
    assert_eq!(named.description_en, "Prepared foodstuffs");
    assert_eq!(named.description_id, compiled_in.description_id);
    assert_eq!(codes(&database).await, ["18", "25", "IV", "V"], "a section without codes is not stored");
    let elsewhere = empty_database().await;
    try_import(&elsewhere, &given).await.unwrap();
    assert_eq!(code(&elsewhere, "IV").await, named, "the file has no Indonesian name, the compiled-in list has");

    try_import(&database, &parse(chapter.as_bytes(), None).unwrap()).await.unwrap();
    assert_eq!(code(&database, "IV").await, named, "the compiled-in name does not come back");
}

/// The public file puts its last chapter into no section, where it could not be stored.
#[test]
fn chapters_left_to_users_belong_to_the_last_section() {
    let nomenclature = rows("TOTAL,99,Not specified,TOTAL,2\nTOTAL,9999,Not specified,99,4\n");
    assert!(nomenclature.codes.iter().all(|line| line.section.as_str() == "XXI"));
    let refused = refusals(parse(format!("{HEADER}TOTAL,97,Art,TOTAL,2\n").as_bytes(), None));
    assert_eq!(refused, ["2: 97: its section must be from I to XXI, not \"TOTAL\""]);
}

#[tokio::test]
async fn a_code_without_a_parent_is_refused_and_nothing_is_stored() {
    let database = empty_database().await;
    let orphans = rows("IV,18,Cocoa,TOTAL,2\nIV,180100,Cocoa beans,1801,6\nIV,1901,Malt extract,19,4\n");
    let refused = refusals(try_import(&database, &orphans).await);
    assert_eq!(
        refused,
        [
            "3: 180100: its parent 1801 is neither in the file nor stored",
            "4: 1901: its parent 19 is neither in the file nor stored"
        ]
    );
    assert_eq!(codes(&database).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_parent_may_be_stored_already_but_in_the_same_section() {
    let database = empty_database().await;
    try_import(&database, &rows("IV,18,Cocoa,TOTAL,2\n")).await.unwrap();
    let report = try_import(&database, &rows("IV,1801,Cocoa beans,18,4\n")).await.unwrap();
    assert_eq!(report.added, 1);

    let refused = refusals(try_import(&database, &rows("V,1802,Cocoa shells,18,4\n")).await);
    assert_eq!(refused, ["2: 1802 is in section V, but its parent 18 in IV"]);
}

#[test]
fn every_bad_line_is_refused_with_its_number_and_reason() {
    let file = format!(
        "{HEADER}\
        IV,18,Cocoa,TOTAL,2\n\
        IV,181,Cocoa,18,4\n\
        IV,18.01,Cocoa beans,18,6\n\
        IV,1802,Cocoa shells,17,4\n\
        IIII,1803,Cocoa paste,18,4\n\
        IV,1804,  ,18,4\n\
        IV,18,Cocoa again,TOTAL,2\n\
        IV,1805,\"Powder,\nnot sweet\",18,4\n\
        IV,1806,Chocolate\n\
        IV,IV,Food,TOTAL,2\n\
        IV,19,Cereals,V,2\n\
        IV,1807,Cocoa,,4\n\
        IV,abc,Cocoa,18,4\n\
        IV,1808,Cocoa,18,\n"
    );
    let refused = refusals(parse(file.as_bytes(), None));
    let expected = [
        "3: hscode \"181\": an HS code has 2, 4, 6 or 8 digits, not 3",
        "4: 1801: its level is its number of digits, 4, not \"6\"",
        "5: 1802: its parent is 18, not \"17\"",
        "6: 1803: its section must be from I to XXI, not \"IIII\"",
        "7: 1804: its description is empty",
        "8: 18 is on line 2 already",
        "11: there are 3 columns and not 5",
        "12: hscode IV: a section is not a code",
        "13: 19: the parent of a chapter is its section or TOTAL, not \"V\"",
        "14: 1807: its parent is 18, not \"\"",
        "15: hscode \"abc\": not an HS code",
        "16: 1808: its level is its number of digits, 4, not \"\"",
    ];
    assert_eq!(refused.len(), expected.len(), "{refused:#?}");
    for (refused, expected) in refused.iter().zip(expected) {
        assert!(refused.starts_with(expected), "{refused} instead of {expected}");
    }
}

#[test]
fn a_bad_file_of_sections_is_refused_as_such() {
    let sections = b"section,name\nI,Animals\nXXII,More\nI,Again\nII,\n";
    let error = parse(format!("{HEADER}IV,18,Cocoa,TOTAL,2\n").as_bytes(), Some(sections)).unwrap_err();
    assert!(error.to_string().starts_with("sections of commodity codes: nothing was imported"), "{error}");
    let expected =
        ["3: a section must be from I to XXI, not \"XXII\"", "4: I is there already", "5: II: its name is empty"];
    assert_eq!(refusals(Err::<(), _>(error)), expected);
}

/// More codes than fit in one statement, children before their parents.
#[tokio::test]
async fn parents_are_stored_before_their_children() {
    let database = empty_database().await;
    let mut lines = String::new();
    for heading in (0..100).rev() {
        for subheading in (0..20).rev() {
            lines += &format!("IV,18{heading:02}{subheading:02},Cocoa,18{heading:02},6\n");
        }
        lines += &format!("IV,18{heading:02},Cocoa,18,4\n");
    }
    lines += "IV,18,Cocoa,TOTAL,2\n";
    let report = try_import(&database, &rows(&lines)).await.unwrap();
    assert_eq!(report.added, 2101);
}
