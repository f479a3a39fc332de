//! Documents that a client sends once and names by their hash from then on, as Apollo Client and urql do it.

use dermaga_api::documents::Hash;
use dermaga_tests::{Answer, Backend, RedisServer, TestApp};
use redis::AsyncCommands;
use reqwest::Url;
use serde_json::{Value, json};

const QUERY: &str = "query Account { viewer { account } }";

fn extension(hash: &str) -> Value {
    json!({"persistedQuery": {"version": 1, "sha256Hash": hash}})
}

fn hash(text: &str) -> String {
    Hash::of(text).to_string()
}

/// Only the hash.
async fn named(app: &TestApp, text: &str) -> Answer {
    app.send(&json!({"extensions": extension(&hash(text))})).await
}

/// The hash and the text.
async fn whole(app: &TestApp, text: &str) -> Answer {
    app.send(&json!({"query": text, "extensions": extension(&hash(text))})).await
}

#[track_caller]
fn assert_found(answer: &Answer) {
    assert_eq!(answer.text("/viewer/account"), "demo");
}

#[track_caller]
fn assert_not_found(answer: &Answer) {
    assert_eq!(answer.codes(), ["PERSISTED_QUERY_NOT_FOUND"], "{:#}", answer.body);
    // urql knows the error by its message alone.
    assert_eq!(answer.body["errors"][0]["message"], "PersistedQueryNotFound");
}

async fn with_documents(count: &str) -> TestApp {
    let count = count.to_owned();
    TestApp::builder(Backend::Sqlite).settings(|settings| settings.persisted_documents = Some(count)).spawn().await
}

async fn over(redis: &str) -> TestApp {
    let url = redis.to_owned();
    TestApp::builder(Backend::Sqlite).settings(|settings| settings.redis_url = Some(url)).spawn().await
}

/// The hash alone, then with the text, then alone again: the second time it is enough, whatever its case.
#[tokio::test]
async fn the_dance_by_post() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let unknown = named(&app, QUERY).await;
    assert_eq!(unknown.status, 200);
    assert_not_found(&unknown);
    // urql says so when it sends the text; what else stands there is no matter.
    let mut extension = extension(&hash(QUERY));
    extension["persistedQuery"]["miss"] = true.into();
    assert_found(&app.send(&json!({"query": QUERY, "extensions": extension})).await);
    assert_found(&named(&app, QUERY).await);
    assert_found(&app.send(&json!({"query": "", "extensions": extension})).await);
    extension["persistedQuery"]["sha256Hash"] = hash(QUERY).to_uppercase().into();
    assert_found(&app.send(&json!({"extensions": extension, "operationName": "Account", "query": null})).await);
    assert_not_found(&named(&app, "{ viewer { account } }").await);
}

/// The same through GET, so that a CDN can keep what everybody may see; the statuses are those of the media type.
#[tokio::test]
async fn the_dance_by_get() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let query = "query($code: HsCode!) { commodity(code: $code) { code } }";
    let get = async |with_text: bool, accept: &str| {
        let extensions = extension(&hash(query)).to_string();
        let mut parameters = vec![("extensions", extensions.as_str()), ("variables", "{\"code\":\"1801\"}")];
        if with_text {
            parameters.push(("query", query));
        }
        let url = Url::parse_with_params(&format!("{}/graphql", app.address), parameters).unwrap();
        let response = app.client().get(url).header("accept", accept).send().await.unwrap();
        assert_eq!(response.headers()["vary"], "Accept, Origin");
        Answer { status: response.status().as_u16(), body: response.json().await.unwrap() }
    };
    for (accept, status) in [("application/json", 200), ("application/graphql-response+json", 400)] {
        let unknown = get(false, accept).await;
        assert_eq!(unknown.status, status);
        assert_not_found(&unknown);
    }
    assert_eq!(get(true, "application/json").await.text("/commodity/code"), "1801");
    assert_eq!(get(false, "application/graphql-response+json").await.text("/commodity/code"), "1801");
}

/// A text under the hash of another would be run for all who send that hash.
#[tokio::test]
async fn a_wrong_hash_is_refused() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let other = "{ viewer { role } }";
    for body in [
        json!({"query": QUERY, "extensions": extension(&hash(other))}),
        json!({"query": QUERY, "documentId": format!("sha256:{}", hash(other))}),
    ] {
        let answer = app.send(&body).await;
        assert_eq!(answer.codes(), ["PERSISTED_QUERY_HASH_MISMATCH"]);
    }
    assert_not_found(&named(&app, other).await);
    assert_not_found(&named(&app, QUERY).await);
}

/// What is no version 1 of the protocol is told apart from a document that is not known.
#[tokio::test]
async fn malformed_extensions_are_bad_requests() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let good = hash(QUERY);
    for persisted in [
        json!({"version": 2, "sha256Hash": good}),
        json!({"version": "1", "sha256Hash": good}),
        json!({"sha256Hash": good}),
        json!({"version": 1}),
        json!({"version": 1, "sha256Hash": 1}),
        json!({"version": 1, "sha256Hash": ""}),
        json!({"version": 1, "sha256Hash": &good[1..]}),
        json!({"version": 1, "sha256Hash": format!("g{}", &good[1..])}),
        json!([]),
        json!("x"),
        json!(true),
    ] {
        for query in [json!(null), json!(QUERY)] {
            let answer = app.send(&json!({"query": query, "extensions": {"persistedQuery": persisted}})).await;
            assert_eq!((answer.status, answer.codes()), (400, vec!["BAD_REQUEST"]), "{persisted}");
        }
    }
    for (name, value) in [("documentId", json!(1)), ("documentId", json!("sha256:0")), ("id", json!(1))] {
        let answer = app.send(&json!({name: value})).await;
        assert_eq!((answer.status, answer.codes()), (400, vec!["BAD_REQUEST"]), "{name}: {value}");
    }
    // Beside a text `id` is nobody's business; and no extension is the same as none.
    assert_found(&app.send(&json!({"query": QUERY, "id": 1, "extensions": {"persistedQuery": null}})).await);
}

/// A store of documents that cannot run would be a store for whatever somebody likes to put there.
#[tokio::test]
async fn invalid_documents_are_not_kept() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    for (text, code) in [
        ("{ colour }", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("query($a: Int!) { viewer { account } }", "GRAPHQL_VALIDATION_FAILED"),
        (&format!("{{{}", "a{".repeat(50)), "GRAPHQL_PARSE_FAILED"),
    ] {
        assert_eq!(whole(&app, text).await.codes(), [code], "{text}");
        assert_not_found(&named(&app, text).await);
    }
    // An error of a field is none of the document.
    let text = "{ payments(first: 0) { totalCount } }";
    assert_eq!(whole(&app, text).await.codes(), ["INVALID_PAGE"]);
    assert_eq!(named(&app, text).await.codes(), ["INVALID_PAGE"]);
    // Without a hash nothing is kept.
    assert_found(&app.graphql(QUERY).await);
    assert_not_found(&named(&app, QUERY).await);
}

/// Clients stop trying when they are told that it is of no use.
#[tokio::test]
async fn zero_is_off() {
    let app = with_documents("0").await;
    for answer in [named(&app, QUERY).await, whole(&app, QUERY).await] {
        assert_eq!(answer.codes(), ["PERSISTED_QUERY_NOT_SUPPORTED"]);
        assert_eq!(answer.body["errors"][0]["message"], "PersistedQueryNotSupported");
    }
    assert_found(&app.graphql(QUERY).await);
}

/// The one that was not used for the longest makes room.
#[tokio::test]
async fn the_oldest_makes_room() {
    let app = with_documents("2").await;
    let texts = ["query a { viewer { account } }", "query b { viewer { account } }", "query c { viewer { account } }"];
    assert_found(&whole(&app, texts[0]).await);
    assert_found(&whole(&app, texts[1]).await);
    assert_found(&named(&app, texts[0]).await);
    assert_found(&whole(&app, texts[2]).await);
    assert_found(&named(&app, texts[0]).await);
    assert_found(&named(&app, texts[2]).await);
    assert_not_found(&named(&app, texts[1]).await);
}

/// The draft of GraphQL over HTTP names documents by `documentId`, and Relay by `id`; what is known is known to both.
#[tokio::test]
async fn document_ids_name_what_is_kept() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let id = format!("sha256:{}", hash(QUERY));
    let get = async |parameter: &str| {
        let url = Url::parse_with_params(&format!("{}/graphql", app.address), [(parameter, &id)]).unwrap();
        let response = app.client().get(url).send().await.unwrap();
        Answer { status: response.status().as_u16(), body: response.json().await.unwrap() }
    };
    assert_not_found(&app.send(&json!({"documentId": id})).await);
    assert_not_found(&get("documentId").await);
    assert_not_found(&app.send(&json!({"documentId": "anything"})).await);
    assert_found(&app.send(&json!({"documentId": id, "query": QUERY})).await);
    for name in ["documentId", "id", "doc_id"] {
        assert_found(&app.send(&json!({name: id})).await);
        assert_found(&app.send(&json!({name: hash(QUERY)})).await);
        assert_found(&get(name).await);
    }
}

/// What one replica was sent, the others know, and so does a new one, for a day after it was last used.
#[tokio::test]
async fn replicas_share_documents() {
    let Some(redis) = RedisServer::start() else { return };
    let (one, two) = (over(&redis.url()).await, over(&redis.url()).await);
    assert_found(&whole(&one, QUERY).await);
    let key = format!("dermaga:1:document:{}", hash(QUERY));
    let mut connection = redis.connection().await;
    let day = 24 * 60 * 60;
    let lives: i64 = connection.ttl(&key).await.unwrap();
    assert!((day - 60..=day).contains(&lives), "{lives}");
    let _: () = connection.expire(&key, 100).await.unwrap();
    assert_found(&named(&two, QUERY).await);
    let lives: i64 = connection.ttl(&key).await.unwrap();
    assert!((day - 60..=day).contains(&lives), "{lives} after a use");
    // The second has it for itself now. In use there for half a day, it is told to the others again.
    let _: () = connection.del(&key).await.unwrap();
    assert_found(&named(&two, QUERY).await);
    assert_not_found(&named(&over(&redis.url()).await, QUERY).await);
    two.clock.advance(12 * 60 * 60);
    assert_found(&named(&two, QUERY).await);
    assert_found(&named(&over(&redis.url()).await, QUERY).await);
    // What is invalid is not shared either.
    assert_eq!(whole(&one, "{ colour }").await.codes(), ["GRAPHQL_VALIDATION_FAILED"]);
    let keys: Vec<String> = connection.keys("*").await.unwrap();
    assert_eq!(keys, [key]);
}

/// Somebody else may write to Redis: a text is used only under its own hash, and passes the guard like any other.
#[tokio::test]
async fn what_is_in_redis_is_not_trusted() {
    let Some(redis) = RedisServer::start() else { return };
    let app = over(&redis.url()).await;
    let mut connection = redis.connection().await;
    let key = |text: &str| format!("dermaga:1:document:{}", hash(text));
    let other: &[u8] = b"{ viewer { role } }";
    let large = format!("{{ viewer {{ account }} }}{}", " ".repeat(65_536));
    for (text, value) in [(QUERY, other), (QUERY, b"\xff\xfe"), (QUERY, b""), (&large, large.as_bytes())] {
        let _: () = connection.set(key(text), value).await.unwrap();
        assert_not_found(&named(&app, text).await);
    }
    // Under its own hash, and still not run.
    let deep = format!("{{{}", "a{".repeat(50));
    let _: () = connection.set(key(&deep), &deep).await.unwrap();
    assert_eq!(named(&app, &deep).await.codes(), ["GRAPHQL_PARSE_FAILED"]);
    // A value of another kind is an error for Redis: a miss like the others, and the next is asked for again.
    let list = "query list { viewer { account } }";
    let _: () = connection.rpush(key(list), "x").await.unwrap();
    assert_not_found(&named(&app, list).await);
    assert_found(&whole(&app, QUERY).await);
    let value: String = connection.get(key(QUERY)).await.unwrap();
    assert_eq!(value, QUERY, "the right text takes the place of the wrong one");
}
