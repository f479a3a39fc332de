//! A manifest of the only documents that run.

use dermaga_api::documents::Hash;
use dermaga_tests::{Answer, Backend, TestApp};
use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;

const QUERY: &str = "query Account { viewer { account } }";
const OTHER: &str = "{ viewer { account } }";

fn hash(text: &str) -> String {
    Hash::of(text).to_string()
}

/// A server with this manifest, or why it does not start.
async fn with_manifest(manifest: &str) -> Result<(TestApp, TempDir), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manifest.json");
    std::fs::write(&file, manifest).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let builder = TestApp::builder(Backend::Sqlite).settings(|settings| settings.trusted_documents = Some(file));
    builder.try_spawn().await.map(|app| (app, folder))
}

fn extension(hash: &str) -> Value {
    json!({"persistedQuery": {"version": 1, "sha256Hash": hash}})
}

#[track_caller]
fn assert_runs(answer: &Answer) {
    assert_eq!(answer.text("/viewer/account"), "demo");
}

/// However a client names one of them, it runs, from a manifest of either form.
#[tokio::test]
async fn documents_run_by_every_name() {
    let id = "md5-of-relay";
    let apollo = json!({
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [
            {"id": hash(QUERY), "name": "Account", "type": "query", "body": QUERY},
            {"id": id, "name": "Account", "type": "query", "body": QUERY},
        ],
    });
    for manifest in [json!({hash(QUERY): QUERY, id: QUERY}), apollo] {
        let (app, _folder) = with_manifest(&manifest.to_string()).await.unwrap();
        for body in [
            json!({"query": QUERY}),
            json!({"query": QUERY, "operationName": "Account", "id": "whatever"}),
            json!({"extensions": extension(&hash(QUERY))}),
            json!({"extensions": extension(&hash(QUERY).to_uppercase())}),
            json!({"query": QUERY, "extensions": extension(&hash(QUERY))}),
            // Apollo's tools let an application make ids of its own, and send them in place of a hash.
            json!({"extensions": extension(id)}),
            json!({"documentId": format!("sha256:{}", hash(QUERY))}),
            json!({"documentId": hash(QUERY)}),
            json!({"documentId": id}),
            json!({"id": id}),
            json!({"doc_id": id}),
        ] {
            assert_runs(&app.send(&body).await);
        }
        let url = Url::parse_with_params(&format!("{}/graphql", app.address), [("documentId", id)]).unwrap();
        assert_eq!(app.client().get(url).send().await.unwrap().status(), 200);
    }
}

/// Nothing else runs: no other text, no other name, and not the question for the schema.
#[tokio::test]
async fn nothing_else_runs() {
    let (app, _folder) = with_manifest(&json!({hash(QUERY): QUERY}).to_string()).await.unwrap();
    for body in [
        json!({"query": OTHER}),
        json!({"query": format!("{QUERY} ")}),
        json!({"query": "{ __schema { types { name } } }"}),
        json!({"query": "{ __typename }"}),
        json!({"query": "{"}),
        json!({"query": ""}),
        json!({"query": OTHER, "documentId": "x"}),
        json!({"extensions": extension(&hash(OTHER))}),
        json!({"extensions": extension("x")}),
        json!({"query": OTHER, "extensions": extension(&hash(OTHER))}),
        json!({"documentId": "x"}),
        json!({"id": "x"}),
    ] {
        for _ in 0..2 {
            let answer = app.send(&body).await;
            assert_eq!((answer.status, answer.codes()), (200, vec!["UNTRUSTED_DOCUMENT"]), "{body}");
            assert!(answer.body.get("data").is_none(), "{body}");
        }
    }
    let answer = app.send(&json!({"query": QUERY, "extensions": extension(&hash(OTHER))})).await;
    assert_eq!(answer.codes(), ["PERSISTED_QUERY_HASH_MISMATCH"]);
    for body in
        [json!({}), json!({"documentId": "sha256:x"}), json!({"extensions": {"persistedQuery": {"version": 2}}})]
    {
        let answer = app.send(&body).await;
        assert_eq!((answer.status, answer.codes()), (400, vec!["BAD_REQUEST"]), "{body}");
    }
    assert_runs(&app.send(&json!({"extensions": extension(&hash(QUERY))})).await);
}

/// A mistake in the manifest is found when the server starts, and not by the first user of that page.
#[tokio::test]
async fn bad_manifests_stop_the_start() {
    let deep = format!("{{{}", "a{".repeat(50));
    for (manifest, words) in [
        ("{".to_owned(), "not JSON"),
        ("[]".to_owned(), "no object"),
        (json!({hash(QUERY): OTHER}).to_string(), hash(QUERY).as_str()),
        (json!({"good": QUERY, "deep": deep}).to_string(), "\"deep\" could never run"),
        (json!({"good": QUERY, "text": "{ a"}).to_string(), "\"text\" could never run"),
    ] {
        let error = with_manifest(&manifest).await.map(|_| ()).unwrap_err();
        assert!(error.contains("trusted_documents") && error.contains(words), "{error}");
    }
    let missing =
        TestApp::builder(Backend::Sqlite).settings(|settings| settings.trusted_documents = Some("/none".to_owned()));
    let error = missing.try_spawn().await.map(|_| ()).unwrap_err();
    assert!(error.contains("/none") && error.contains("cannot be read"), "{error}");
}
