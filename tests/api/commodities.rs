//! Commodities: the tree of codes, and imports of it.

use std::io::Write;
use std::path::PathBuf;

use dermaga_api::import::{harmonized_system, successions};
use dermaga_api::progress::Progress;
use dermaga_api::store::{Database, DatabaseSettings};
use dermaga_tests::{Backend, TestApp, each_database};
use serde_json::{Value, json};

/// The codes of a list of commodities.
#[track_caller]
fn codes(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|node| node["code"].as_str().unwrap()).collect()
}

each_database! {
    /// A code is found as it is printed, with dots or without.
    async fn a_code_is_found_with_dots_and_without(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for written in ["180100", "1801.00", "18.01.00"] {
            let query = "query ($code: HsCode!) { commodity(code: $code) {
                id code codeFormatted level declarable nomenclature
                description indonesian: description(locale: \"id-ID\") german: description(locale: \"de\")
            } }";
            let answer = app.graphql_with(query, json!({"code": written})).await;
            assert_eq!(
                answer.at("/commodity"),
                &json!({
                    "id": "com_180100", "code": "180100", "codeFormatted": "1801.00", "level": "SUBHEADING",
                    "declarable": true, "nomenclature": "HS 2022",
                    "description": "Cocoa beans, raw or roasted",
                    "indonesian": "Biji kakao, utuh atau pecah, mentah atau disangrai",
                    "german": "Cocoa beans, raw or roasted",
                }),
                "{written}"
            );
        }
        for unknown in ["99", "180199", "18010099"] {
            let answer = app.graphql(&format!("{{ commodity(code: \"{unknown}\") {{ code }} }}")).await;
            assert_eq!(answer.at("/commodity"), &Value::Null, "{unknown}");
        }
    }

    /// Goods stand in a tree, and every level of it can be reached from every other.
    async fn ancestors_go_up_to_the_section(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let answer = app
            .graphql(
                "{ commodity(code: \"1801.00\") {
                    parent { code parent { code parent { code parent { code parent { code } } } } }
                    ancestors { code codeFormatted level declarable description }
                } }",
            )
            .await;
        assert_eq!(
            answer.at("/commodity/parent"),
            &json!({
                "code": "1801", "parent": {"code": "18", "parent": {"code": "IV", "parent": null}},
            })
        );
        let ancestors = answer.at("/commodity/ancestors");
        assert_eq!(codes(ancestors), ["1801", "18", "IV"]);
        let levels: Vec<_> = ancestors.as_array().unwrap().iter().map(|node| node["level"].as_str().unwrap()).collect();
        assert_eq!(levels, ["HEADING", "CHAPTER", "SECTION"]);
        assert_eq!(ancestors[0]["codeFormatted"], "1801");
        assert_eq!(ancestors[0]["declarable"], false);
        let section = app.graphql("{ commodity(code: \"IV\") { level ancestors { code } parent { code } } }").await;
        assert_eq!(section.at("/commodity"), &json!({"level": "SECTION", "ancestors": [], "parent": null}));
    }

    /// The codes below another come page by page: each once, in order, from both ways of asking.
    async fn children_come_in_pages(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let page = "query ($after: String) { commodity(code: \"18\") { children(first: 4, after: $after) {
            totalCount nodes { code } edges { cursor node { code } }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        } } }";
        let first = app.graphql_with(page, json!({"after": null})).await;
        let children = first.at("/commodity/children");
        assert_eq!(codes(&children["nodes"]), ["1801", "1802", "1803", "1804"]);
        assert_eq!(children["totalCount"], 6);
        assert_eq!(children["pageInfo"]["hasNextPage"], true);
        assert_eq!(children["pageInfo"]["hasPreviousPage"], false);
        assert_eq!(children["pageInfo"]["startCursor"], children["edges"][0]["cursor"]);
        assert_eq!(children["pageInfo"]["endCursor"], children["edges"][3]["cursor"]);
        let second = app.graphql_with(page, json!({"after": children["pageInfo"]["endCursor"]})).await;
        let rest = second.at("/commodity/children");
        assert_eq!(codes(&rest["nodes"]), ["1805", "1806"]);
        assert_eq!(rest["pageInfo"]["hasNextPage"], false);
        assert_eq!(rest["pageInfo"]["hasPreviousPage"], true);

        let listed = app.graphql("{ commodities(parent: \"18\") { totalCount nodes { code } } }").await;
        assert_eq!(codes(listed.at("/commodities/nodes")), ["1801", "1802", "1803", "1804", "1805", "1806"]);
        assert_eq!(listed.at("/commodities/totalCount"), 6);
        let leaf = app.graphql("{ commodity(code: \"18010010\") { children { totalCount nodes { code } } } }").await;
        assert_eq!(leaf.at("/commodity/children"), &json!({"totalCount": 0, "nodes": []}));
        let below_a_section = app.graphql("{ commodities(parent: \"IV\", first: 100) { nodes { code level } } }").await;
        assert!(codes(below_a_section.at("/commodities/nodes")).contains(&"18"));
    }

    /// No N+1: the children and ancestors of forty codes cost what those of one cost.
    async fn forty_codes_cost_what_one_costs(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let query = |first: u32| {
            format!(
                "{{ commodities(level: HEADING, first: {first}) {{ totalCount nodes {{
                    parent {{ code }} ancestors {{ code }}
                    children(first: 3) {{ totalCount nodes {{ parent {{ code }} }} }}
                }} }} }}"
            )
        };
        assert_eq!(app.statements_during(&query(40)).await, app.statements_during(&query(1)).await);
    }

    /// One level at a time, so that a form can show chapters first; all conditions hold together.
    async fn levels_are_filtered(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let count = async |arguments: &str| {
            let answer = app.graphql(&format!("{{ commodities({arguments}) {{ totalCount }} }}")).await;
            answer.at("/commodities/totalCount").as_u64().unwrap()
        };
        // As the repository's own list has it; see api/data/README.md.
        for (level, expected) in
            [("SECTION", 20), ("CHAPTER", 73), ("HEADING", 288), ("SUBHEADING", 493), ("NATIONAL", 4)]
        {
            assert_eq!(count(&format!("level: {level}")).await, expected, "{level}");
        }
        assert_eq!(count("first: 1").await, 878);
        assert_eq!(count("level: HEADING, parent: \"18\"").await, 6);
        assert_eq!(count("level: SUBHEADING, parent: \"18\"").await, 0);
        assert_eq!(count("level: HEADING, search: \"kakao\"").await, 7);
    }

    /// Only goods with a rule in force: the codes that it names and those below them.
    async fn dutiable_commodities_are_those_with_a_rule(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let found = async |arguments: &str| {
            let query = format!("{{ commodities({arguments}) {{ totalCount nodes {{ code }} }} }}");
            let answer = app.graphql(&query).await;
            let nodes = answer.at("/commodities/nodes").as_array().unwrap();
            nodes.iter().map(|node| node["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("dutiableOn: \"2026-02-01\"").await, "13019090 15111000 18010010 18010090");
        assert_eq!(found("dutiableOn: \"2023-03-31\"").await, "15111000");
        assert_eq!(found("dutiableOn: \"2020-01-01\"").await, "");
        assert_eq!(found("dutiableOn: \"2026-02-01\", search: \"kakao\"").await, "18010010 18010090");
    }

    /// A code that went is followed to those that took its place, and back, in one statement for a page of codes.
    async fn codes_are_followed_over_a_change_of_the_nomenclature(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let bring = async |text: &str| {
            let successions = successions::parse(text.as_bytes())?;
            let write = async |transaction: &_| successions::import(transaction, &successions, &Progress::hidden()).await;
            app.database.write(write).await
        };
        let file = "predecessor,successor\n1801.00,18010010\n180100,18010090\n";
        assert_eq!(bring(file).await.unwrap().added, 2);
        assert!(!bring(file).await.unwrap().is_change());
        for (line, reason) in [
            ("180100,18019999", "line 2: there is no commodity 18019999"),
            ("180100,180100", "line 2: 180100 cannot take its own place"),
            ("1801001,180100", "line 2: predecessor"),
        ] {
            let refused = bring(&format!("predecessor,successor\n{line}\n")).await.unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
        }
        let query = "{ commodity(code: \"180100\") { predecessors { code } successors { code predecessors { code } } } }";
        assert_eq!(app.graphql(query).await.at("/commodity"), &json!({"predecessors": [], "successors": [
            {"code": "18010010", "predecessors": [{"code": "180100"}]},
            {"code": "18010090", "predecessors": [{"code": "180100"}]},
        ]}));
        let page = |first: u32| format!("{{ commodities(first: {first}, parent: \"180100\") {{ nodes {{ predecessors {{ code }} }} }} }}");
        assert_eq!(app.statements_during(&page(2)).await, app.statements_during(&page(1)).await);
    }

    /// Walking all pages meets every code once, in the order of the codes.
    async fn walking_all_pages_meets_every_code_once(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let query = "query ($after: String) { commodities(first: 100, after: $after) {
            nodes { code } pageInfo { hasNextPage endCursor }
        } }";
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        for _ in 0..20 {
            let answer = app.graphql_with(query, json!({"after": after})).await;
            seen.extend(codes(answer.at("/commodities/nodes")).into_iter().map(str::to_owned));
            after = answer.at("/commodities/pageInfo/endCursor").clone();
            if answer.at("/commodities/pageInfo/hasNextPage") == false {
                break;
            }
        }
        assert_eq!(seen.len(), 878);
        assert!(seen.is_sorted_by(|one, other| one < other), "{seen:?}");
    }

    /// The public file has 6,939 codes, or 143 where only the sample is there; a second import changes nothing.
    async fn the_public_file_is_imported_once(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let database = Database::open(&DatabaseSettings::new(url)).await.unwrap();
        database.migrate().await.unwrap();
        let (file, codes, sections) = public_file();
        // Not through `println!`, which the test runner swallows when all goes well.
        std::io::stderr().write_all(format!("read {}\n", file.display()).as_bytes()).unwrap();
        let nomenclature = harmonized_system::read(&file, None).unwrap();
        assert_eq!(nomenclature.len(), codes);
        let import = async || {
            database
                .write(async |transaction| {
                    harmonized_system::import(transaction, &nomenclature, &Progress::hidden()).await
                })
                .await
                .unwrap()
        };
        let first = import().await;
        assert_eq!((first.added, first.changed, first.unchanged), (codes as u64, 0, 0), "{first}");
        let second = import().await;
        assert!(!second.is_change(), "{second}");
        assert_eq!(
            second.to_string(),
            format!("nothing to change: {codes} codes and {sections} sections were there already")
        );
        database.close().await;
    }

    /// The public file over the curated list: its codes come in, and Indonesian names that were there stay.
    async fn the_public_file_keeps_indonesian_names(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let nomenclature = harmonized_system::read(&public_file().0, None).unwrap();
        let report = app
            .database
            .write(async |transaction| harmonized_system::import(transaction, &nomenclature, &Progress::hidden()).await)
            .await
            .unwrap();
        assert!(report.added > 0 && report.changed > 0, "{report}");
        let answer = app
            .graphql(
                "{ commodity(code: \"180100\") { description indonesian: description(locale: \"id\") }
                   found: commodities(search: \"biji kakao\") { nodes { code } }
                   unroasted: commodities(search: \"cocoa beans whole\") { nodes { code } } }",
            )
            .await;
        assert_eq!(
            answer.at("/commodity"),
            &json!({
                "description": "Cocoa beans; whole or broken, raw or roasted",
                "indonesian": "Biji kakao, utuh atau pecah, mentah atau disangrai",
            })
        );
        assert!(codes(answer.at("/found/nodes")).contains(&"180100"));
        assert!(codes(answer.at("/unroasted/nodes")).contains(&"180100"));
    }
}

/// The public file beside the repository, or its chapters 09, 15 and 18: its codes and sections.
fn public_file() -> (PathBuf, usize, usize) {
    let beside = dermaga_tests::data_folder().map(|folder| folder.join("hs/harmonized-system.csv"));
    match beside.filter(|file| file.is_file()) {
        Some(file) => (file, 6_939, 21),
        None => (concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/samples/hs-sample.csv").into(), 143, 3),
    }
}
