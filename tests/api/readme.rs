//! What the README shows.

use std::path::Path;

use dermaga_tests::{Backend, TestApp, each_database};
use serde_json::Value;

/// The texts of the fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect()
}

each_database! {
    /// What a newcomer sends gets the answer that the README promises.
    async fn queries_are_answered_as_shown(backend: Backend) {
        let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
        let app = TestApp::spawn(backend).await.with_demo_payments(1_000).await;
        let (queries, answers) = (blocks(&readme, "graphql"), blocks(&readme, "json"));
        assert_eq!((queries.len(), answers.len()), (2, 2));
        for (query, shown) in queries.into_iter().zip(answers) {
            let shown: Value = serde_json::from_str(shown).unwrap();
            let answer = app.graphql(query).await;
            assert_eq!(*answer.data(), shown["data"], "{:#}", answer.body);
        }
    }
}
