//! What the README shows.

use std::path::Path;

use dermaga_tests::{Backend, TestApp, each_database};
use serde_json::Value;

/// The text of the first fenced block of a language.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("\n```").unwrap().0
}

each_database! {
    /// The first query that a newcomer sends gets the answer that the README promises.
    async fn the_first_query_answers_as_shown(backend: Backend) {
        let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
        let app = TestApp::spawn(backend).await.with_demo_payments(1_000).await;
        let shown: Value = serde_json::from_str(block(&readme, "json")).unwrap();
        let answer = app.graphql(block(&readme, "graphql")).await;
        assert_eq!(*answer.data(), shown["data"], "{:#}", answer.body);
    }
}
