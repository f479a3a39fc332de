//! The schema as clients see it.

use dermaga_tests::{Backend, TestApp};
use serde_json::Value;

const TYPE: &str = "name kind ofType { name kind ofType { name kind ofType { name kind } } }";

/// The committed schema is what reviewers and clients read; it must be the one that is served.
#[test]
fn the_committed_schema_is_the_one_served() {
    let committed = include_str!("../../schema.graphql");
    let served = dermaga_api::graphql::sdl(false);
    let change = committed.lines().zip(served.lines()).zip(1..).find(|((committed, served), _)| committed != served);
    assert!(
        committed == served,
        "schema.graphql is not what the code says, first at {change:?}; cargo run -- schema > schema.graphql",
    );
}

/// The schema is the manual: whatever a client can name says what it is. No database is asked, so one is enough.
#[tokio::test]
async fn everything_in_the_schema_is_described() {
    assert_described(&types(&TestApp::spawn(Backend::Sqlite).await).await);
}

/// So it is for those who compose it with others.
#[tokio::test]
async fn everything_in_the_subgraph_is_described() {
    let builder = TestApp::builder(Backend::Sqlite).settings(|settings| settings.subgraph = Some("true".to_owned()));
    let types = types(&builder.spawn().await).await;
    for name in ["_Any", "_Entity", "_Service", "Payment"] {
        assert!(types.iter().any(|kind| kind["name"] == name), "{name}");
    }
    assert_described(&types);
}

fn assert_described(types: &[Value]) {
    let mut silent = Vec::new();
    let mut named = 0;
    for kind in types {
        let name = kind["name"].as_str().unwrap();
        let mut check = |path: String, thing: &Value| {
            named += 1;
            if thing["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
                silent.push(path);
            }
        };
        check(name.to_owned(), kind);
        for list in ["fields", "inputFields", "enumValues"] {
            for member in items(&kind[list]) {
                let path = format!("{name}.{}", member["name"].as_str().unwrap());
                check(path.clone(), member);
                for argument in items(&member["args"]) {
                    check(format!("{path}({}:)", argument["name"].as_str().unwrap()), argument);
                }
            }
        }
    }
    assert!(named > 300, "only {named} things were looked at");
    assert_eq!(silent, Vec::<String>::new(), "without a description");
}

/// Money and rates through a float would lose digits. How well a commodity fits a search is no amount.
#[tokio::test]
async fn nothing_but_a_search_score_is_a_float() {
    let mut floats = Vec::new();
    for kind in &types(&TestApp::spawn(Backend::Sqlite).await).await {
        for list in ["fields", "inputFields"] {
            for member in items(&kind[list]) {
                let path = format!("{}.{}", kind["name"].as_str().unwrap(), member["name"].as_str().unwrap());
                for argument in items(&member["args"]) {
                    if innermost(&argument["type"]) == "Float" {
                        floats.push(format!("{path}({}:)", argument["name"].as_str().unwrap()));
                    }
                }
                if innermost(&member["type"]) == "Float" {
                    floats.push(path);
                }
            }
        }
    }
    floats.sort_unstable();
    // None of them is an amount.
    assert_eq!(
        floats,
        [
            "AskInput.minSimilarity",
            "Citation.similarity",
            "CommodityEdge.score",
            "PromptMatch.similarity",
            "Query.searchPrompts(minSimilarity:)",
            "Query.searchRegulations(minSimilarity:)",
            "Refusal.bestSimilarity",
            "Refusal.threshold",
        ]
    );
}

/// The scalars of the GraphQL specification itself.
const BUILT_IN: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

/// All types of the running server but the built-in ones.
async fn types(app: &TestApp) -> Vec<Value> {
    let query = format!(
        "{{ __schema {{ types {{
            name description
            fields(includeDeprecated: true) {{
                name description type {{ {TYPE} }} args {{ name description type {{ {TYPE} }} }}
            }}
            inputFields {{ name description type {{ {TYPE} }} }}
            enumValues(includeDeprecated: true) {{ name description }}
        }} }} }}"
    );
    let answer = app.graphql(&query).await;
    let types = items(answer.at("/__schema/types"));
    let built_in = |name: &str| name.starts_with("__") || BUILT_IN.contains(&name);
    types.iter().filter(|kind| !built_in(kind["name"].as_str().unwrap())).cloned().collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The name of a type without its lists and exclamation marks.
fn innermost(of: &Value) -> &str {
    of["name"].as_str().unwrap_or_else(|| innermost(&of["ofType"]))
}
