//! The search for commodities.

use dermaga_api::import::harmonized_system;
use dermaga_api::progress::Progress;
use dermaga_api::seed;
use dermaga_tests::{Answer, Backend, TestApp, each_database};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

const SEARCH: &str = "
    query ($search: String, $first: Int = 100, $after: String, $level: HsLevel, $parent: HsCode) {
        commodities(search: $search, first: $first, after: $after, level: $level, parent: $parent) {
            totalCount
            edges { cursor score matchedOn node { code } }
            pageInfo { hasNextPage endCursor }
        }
    }";

/// What is searched, how many are found, and the first of them.
///
/// A query must find the same on both databases, in the same order, today and in the next release. Each was looked at
/// beside `api/data/commodities.csv`.
const FOUND: &[(&str, usize, &[&str])] = &[
    ("1801", 4, &["1801", "180100", "18010010", "18010090"]),
    ("1801.00", 3, &["180100", "18010010", "18010090"]),
    (" 18.01 ", 4, &["1801", "180100"]),
    ("18", 20, &["18", "1801", "180100", "18010010", "18010090", "1802", "180200", "1803", "180310"]),
    ("180199", 0, &[]),
    (
        "cocoa",
        20,
        &["18", "1801", "1804", "1803", "18010010", "1805", "1704", "18010090", "180400", "1806", "180610", "180690"],
    ),
    (
        "kakao",
        20,
        &["18", "1801", "1804", "1803", "18010010", "1805", "1704", "18010090", "1806", "180610", "180690", "1802"],
    ),
    ("biji kakao", 4, &["1801", "18010010", "18010090", "180100"]),
    ("BIJI Kakao", 4, &["1801", "18010010", "18010090", "180100"]),
    ("  kakao,   biji  ", 4, &["1801", "18010010", "18010090", "180100"]),
    ("roasted coffee", 1, &["090121"]),
    ("coffee roasted", 1, &["090121"]),
    ("minyak kelapa sawit", 5, &["1511", "151110", "15111000", "151190", "1513"]),
    ("chocolate", 6, &["18", "1806", "180690", "180631", "180632", "180620"]),
    ("live fish", 3, &["0301", "030111", "030119"]),
    ("tea", 8, &["0902", "2101", "210120", "090210", "090220", "090230", "090240", "09"]),
    ("karet alam", 5, &["4001", "400110", "400129", "400121", "400122"]),
    ("kopi", 8, &["0901", "09", "090121", "2101", "090112", "210111", "090111", "210112"]),
    ("builders'", 1, &["4418"]),
    ("2 kg", 3, &["180631", "180632", "180620"]),
    ("100%", 4, &["970390", "970191", "520851", "520852"]),
    ("1801 cocoa", 0, &[]),
    ("zzz", 0, &[]),
    ("café", 0, &[]),
    ("o'brien", 0, &[]),
    ("'; DROP TABLE commodity; --", 0, &[]),
    // Misspelt, and half typed.
    ("cofee", 8, &["0901", "09", "090121", "2101", "090112", "210111", "090111", "210112"]),
    ("coffe", 8, &["0901", "09", "090121", "2101", "090112", "210111", "090111", "210112"]),
    ("rubbber gloves", 4, &["4015", "401519", "401512", "611610"]),
    ("choclat", 6, &["18", "1806", "180690", "180631", "180632", "180620"]),
    ("minyak sawi", 7, &["1511", "151110", "15111000", "151321", "151329", "151190", "1513"]),
    ("kelappa sawit", 6, &["1511", "151110", "15111000", "151190", "1513", "140490"]),
    ("tembakaw", 7, &["2401", "24", "2403", "240110", "240120", "240319", "IV"]),
    ("shrmps", 4, &["160529", "030617", "160521", "230990"]),
    ("frozen shr", 1, &["030617"]),
    ("kayu lapis", 5, &["4412", "441210", "441231", "441234", "441233"]),
    ("batu bara", 8, &["270111", "270112", "270120", "2701", "270119", "270400", "2702", "68"]),
    ("nickel ore", 2, &["2604", "260400"]),
];

async fn search(app: &TestApp, text: &str) -> Answer {
    app.graphql_with(SEARCH, json!({"search": text})).await
}

/// Imports one line of a file of codes, and lets the server hear of it.
async fn import(app: &TestApp, line: &str) {
    let file = format!("section,hscode,description,description_id,parent,level\n{line}\n");
    let codes = harmonized_system::parse(file.as_bytes(), None).unwrap();
    app.database
        .write(async |transaction| harmonized_system::import(transaction, &codes, &Progress::hidden()).await)
        .await
        .unwrap();
    app.cache.flush().await;
}

#[track_caller]
fn codes(answer: &Answer) -> Vec<&str> {
    let edges = answer.at("/commodities/edges").as_array().unwrap();
    edges.iter().map(|edge| edge["node"]["code"].as_str().unwrap()).collect()
}

each_database! {
    /// A committed list of queries finds what it always found, on both databases.
    async fn the_list_of_queries_finds_what_it_found(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let mut wrong = String::new();
        for (text, total, best) in FOUND {
            let answer = search(&app, text).await;
            let found = codes(&answer);
            assert_eq!(answer.at("/commodities/totalCount"), found.len(), "{text}");
            if found.len() != *total || !found.starts_with(best) {
                let found: Vec<_> = found.into_iter().take(12).collect();
                wrong += &format!("\n    (\"{text}\", {}, &{found:?}),", answer.at("/commodities/totalCount"));
            }
        }
        assert!(wrong.is_empty(), "found is:{wrong}");
    }

    /// The score falls along the list, and says how a code fits: its title, anywhere, the beginnings of its words, or
    /// words that are spelt nearly so.
    async fn scores_say_how_well_it_fits(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for (text, code, score, kind) in [
            ("1801", "1801", "1.0", "CODE"),
            ("1801", "180100", "0.5", "CODE"),
            ("chocolate", "1806", "1.0", "LEXICAL"),
            ("roasted beans", "180100", "0.9", "LEXICAL"),
            ("choc", "1806", "0.8", "LEXICAL"),
            ("roast bea", "180100", "0.7", "LEXICAL"),
            ("choclate", "1806", "0.5", "FUZZY"),
            ("roastd beans", "180100", "0.4", "FUZZY"),
            ("choclate foo", "1806", "0.3", "FUZZY"),
            ("roastd bea", "180100", "0.2", "FUZZY"),
        ] {
            let answer = search(&app, text).await;
            let edges = answer.at("/commodities/edges").as_array().unwrap();
            let edge = edges.iter().find(|edge| edge["node"]["code"] == code);
            let edge = edge.unwrap_or_else(|| panic!("{code} is not among what {text} finds"));
            assert_eq!(edge["score"].to_string(), score, "{text} in {code}");
            assert_eq!(edge["matchedOn"], json!([kind]), "{text} in {code}");
            let scores: Vec<_> = edges.iter().map(|edge| edge["score"].as_f64().unwrap()).collect();
            assert!(scores.is_sorted_by(|one, other| one >= other), "{text}: {scores:?}");
        }
    }

    /// What an import changes is found by its new name and no longer by its old one; so it is after a start that makes
    /// other words of names.
    async fn a_changed_name_is_found_at_once(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        assert_eq!(codes(&search(&app, "iridescent").await), [""; 0]);
        import(&app, "IV,1801,Iridescent beans,,18,4").await;
        assert_eq!(codes(&search(&app, "iridescent").await), ["1801"]);
        assert_eq!(codes(&search(&app, "irridescent").await), ["1801"]);
        import(&app, "IV,1801,Cocoa beans,,18,4").await;
        assert_eq!(codes(&search(&app, "iridescent").await), [""; 0]);

        let other = "UPDATE commodity_search SET revision = 0, title = 'plutonium', details = '' WHERE code = '1801'";
        app.database.write(async |transaction| transaction.execute_unprepared(other).await).await.unwrap();
        app.cache.flush().await;
        assert!(!codes(&search(&app, "cocoa beans").await).contains(&"1801"));
        seed::commodities(&app.database, &Progress::hidden()).await.unwrap();
        app.cache.flush().await;
        assert!(codes(&search(&app, "cocoa beans").await).contains(&"1801"));
    }

    /// An empty search box, or one with signs alone, filters nothing, and what was not searched has no score.
    async fn a_blank_search_is_no_search(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for text in [Value::Null, json!(""), json!("   "), json!("\t\n"), json!("%"), json!("_"), json!("'\"")] {
            let answer = app.graphql_with(SEARCH, json!({"search": text, "first": 2})).await;
            assert_eq!(answer.at("/commodities/totalCount"), 878, "{text:?}");
            assert_eq!(codes(&answer), ["03", "0301"], "{text:?}");
            assert_eq!(answer.at("/commodities/edges/0/score"), &Value::Null);
            assert_eq!(answer.at("/commodities/edges/0/matchedOn"), &Value::Null);
        }
    }

    /// The signs of LIKE patterns, quotes and control characters are punctuation and nothing else.
    async fn signs_are_not_patterns(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let found = async |text: &str| codes(&search(&app, text).await).join(" ");
        let plain = found("cocoa").await;
        for text in ["%cocoa%", "cocoa % _", "_cocoa", "\"cocoa\"", "'cocoa'", "cocoa\\", "cocoa\u{0}", "cocoa;--"] {
            assert_eq!(found(text).await, plain, "{text:?}");
        }
        // As patterns these would find more.
        for (text, words) in [("chocol%cocoa", "chocol cocoa"), ("cofee_", "cofee"), ("c%oco%b%an", "c oco b an")] {
            assert_eq!(found(text).await, found(words).await, "{text:?}");
        }
        // In the search languages of the databases these would mean something.
        for text in ["cocoa OR beef", "cocoa NOT beans", "title : cocoa", "cocoa & !beans", "cocoa:B", "NEAR(cocoa beans)"] {
            let words = text.replace(|sign: char| !sign.is_alphanumeric(), " ").to_lowercase();
            assert_eq!(found(text).await, found(&words).await, "{text:?}");
        }
    }

    /// A text that no search box sends is refused in words.
    async fn long_searches_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let letters = "é".repeat(100);
        assert_eq!(search(&app, &letters).await.at("/commodities/totalCount"), 0, "200 bytes are allowed");
        for text in ["é".repeat(101), "a".repeat(201), " ".repeat(201), "b c d e f g h i j".into()] {
            let answer = search(&app, &text).await;
            assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{text:?}");
        }
    }

    /// An import between two pages changes how many there are and not which list it is.
    async fn a_cursor_outlives_an_import(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let first = app.graphql_with(SEARCH, json!({"search": "kakao", "first": 5})).await;
        import(&app, "IV,180199,Iridescent shells,,1801,6").await;
        let after = first.at("/commodities/pageInfo/endCursor");
        let second = app.graphql_with(SEARCH, json!({"search": "kakao", "first": 5, "after": after})).await;
        let all = search(&app, "kakao").await;
        assert_eq!([codes(&first), codes(&second)].concat(), codes(&all)[..10]);
    }

    /// Pages of a search cut one list: together they are all of it, each once.
    async fn pages_of_a_search_make_up_the_list(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let all = codes(&search(&app, "kakao").await).join(" ");
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        for _ in 0..10 {
            let answer = app.graphql_with(SEARCH, json!({"search": "kakao", "first": 5, "after": after})).await;
            seen.extend(codes(&answer).into_iter().map(str::to_owned));
            after = answer.at("/commodities/pageInfo/endCursor").clone();
            if answer.at("/commodities/pageInfo/hasNextPage") == false {
                break;
            }
        }
        assert_eq!(seen.join(" "), all);
        let below = json!({"search": "kakao", "parent": "18", "level": "HEADING"});
        assert_eq!(codes(&app.graphql_with(SEARCH, below).await), ["1801", "1804", "1803", "1805", "1806", "1802"]);
    }
}
