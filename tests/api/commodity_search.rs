//! The search for commodities.

use dermaga_tests::{Answer, Backend, TestApp, each_database};
use serde_json::{Value, json};

const SEARCH: &str = "
    query ($search: String, $first: Int = 100, $after: String, $level: HsLevel, $parent: HsCode) {
        commodities(search: $search, first: $first, after: $after, level: $level, parent: $parent) {
            totalCount
            edges { cursor score matchedOn node { code } }
            pageInfo { hasNextPage endCursor }
        }
    }";

/// What is searched, how many are found, the first of them, and how many of those are best matches.
///
/// Written down by hand from `api/data/commodities.csv`: a query must find the same on both databases, in the
/// same order, today and in the next release.
const FOUND: &[(&str, usize, &[&str])] = &[
    ("1801", 4, &["1801", "180100", "18010010", "18010090"]),
    ("1801.00", 3, &["180100", "18010010", "18010090"]),
    (" 18.01 ", 4, &["1801", "180100"]),
    ("18", 20, &["18", "1801", "180100", "18010010", "18010090", "1802", "180200", "1803", "180310"]),
    ("180199", 0, &[]),
    (
        "cocoa",
        20,
        &[
            "18", "1801", "180100", "18010010", "18010090", "1802", "180200", "1803", "180310", "180320", "1804",
            "180400", "180500", "180610", "1704", "170490",
        ],
    ),
    ("kakao", 20, &["18", "1704", "170490", "1801", "180100", "18010010", "18010090", "1802", "180200"]),
    ("biji kakao", 4, &["1801", "180100", "18010010", "18010090"]),
    ("BIJI Kakao", 4, &["1801", "180100"]),
    ("  kakao,   biji  ", 4, &["1801", "180100"]),
    ("roasted coffee", 1, &["090121"]),
    ("coffee roasted", 1, &["090121"]),
    ("minyak kelapa sawit", 5, &["1511", "151110", "15111000", "151190", "1513"]),
    ("chocolate", 6, &["1806", "180620", "180631", "180632", "18", "180690"]),
    ("live fish", 3, &["0301", "030111", "030119"]),
    ("tea", 11, &["0902", "210120", "09", "090210"]),
    ("karet alam", 5, &["4001", "400121", "400122", "400129", "400110"]),
    ("kopi", 9, &["09", "0901", "090121", "210111", "090111"]),
    ("builders'", 1, &["4418"]),
    ("2 kg", 3, &["180620", "180631", "180632"]),
    ("100%", 4, &["520851", "520852", "970191", "970390"]),
    ("1801 cocoa", 0, &[]),
    ("zzz", 0, &[]),
    ("café", 0, &[]),
    ("o'brien", 0, &[]),
    ("'; DROP TABLE commodity; --", 0, &[]),
];

async fn search(app: &TestApp, text: &str) -> Answer {
    app.graphql_with(SEARCH, json!({"search": text})).await
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
        for (text, total, best) in FOUND {
            let answer = search(&app, text).await;
            assert_eq!(answer.at("/commodities/totalCount"), total, "{text}");
            let found = codes(&answer);
            assert_eq!(found.len(), *total, "{text}");
            assert_eq!(&found[..best.len()], *best, "{text}");
        }
    }

    /// What fits best comes first, then by code: two people who search the same see the same list.
    async fn the_best_match_comes_first_in_a_stable_order(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for text in ["cocoa", "kakao", "18", "oil", "coa"] {
            let answer = search(&app, text).await;
            let edges = answer.at("/commodities/edges").as_array().unwrap().clone();
            let keys: Vec<_> = edges
                .iter()
                .map(|edge| {
                    // 1, 0.75 and 0.5 have an exact text.
                    let score = edge["score"].to_string();
                    let rank = ["1.0", "0.75", "0.5"].iter().position(|known| *known == score);
                    let rank = rank.unwrap_or_else(|| panic!("an unknown score: {edge}"));
                    (rank, edge["node"]["code"].as_str().unwrap().to_owned())
                })
                .collect();
            assert!(keys.is_sorted_by(|one, other| one < other), "{text}: {keys:?}");
            assert!(keys.first().unwrap().0 < keys.last().unwrap().0, "{text} has better and worse matches");
            let kind = if text == "18" { "CODE" } else { "LEXICAL" };
            assert!(edges.iter().all(|edge| edge["matchedOn"] == json!([kind])), "{text}: {edges:#?}");
            let again = search(&app, text).await;
            assert_eq!(again.at("/commodities/edges"), &Value::from(edges), "{text}");
        }
    }

    /// The score says how: the code itself or the start of a name, the start of a word, or the middle of one.
    async fn scores_say_how_well_it_fits(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for (text, code, score) in [
            ("1801", "1801", "1.0"),
            ("1801", "180100", "0.5"),
            ("chocolate", "1806", "1.0"),
            ("chocolate", "18", "0.75"),
            ("biji", "1801", "1.0"),
            ("kakao", "1801", "0.75"),
            ("akao", "1801", "0.5"),
        ] {
            let answer = search(&app, text).await;
            let edges = answer.at("/commodities/edges").as_array().unwrap();
            let edge = edges.iter().find(|edge| edge["node"]["code"] == code).unwrap();
            assert_eq!(edge["score"].to_string(), score, "{text} in {code}");
        }
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
        // As patterns these would find cocoa; as words they find what has both.
        for (text, words) in [("chocol%cocoa", "chocol cocoa"), ("cofee_", "cofee"), ("%ocolat%", "ocolat")] {
            assert_eq!(found(text).await, found(words).await, "{text:?}");
        }
        assert_eq!(found("c%oco%b%an").await, found("c oco b an").await);
        assert_eq!(found("coc_abeans").await, "");
    }

    /// A text that no search box sends is refused in words.
    async fn long_searches_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let letters = "é".repeat(100);
        assert_eq!(search(&app, &letters).await.at("/commodities/totalCount"), 0, "200 bytes are allowed");
        for text in ["é".repeat(101), "a".repeat(201), " ".repeat(201), "a ".repeat(9)] {
            let answer = search(&app, &text).await;
            assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{text:?}");
        }
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
        assert_eq!(codes(&app.graphql_with(SEARCH, below).await), ["1801", "1802", "1803", "1804", "1805", "1806"]);
    }
}
