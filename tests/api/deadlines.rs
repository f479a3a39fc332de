//! Operations that take too long, and clients that do not wait.

use std::time::{Duration, Instant};

use dermaga_tests::{Backend, TestApp};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait};
use serde_json::json;

const QUERY: &str = "{ payments(first: 1) { nodes { reference } } }";

/// A server whose operations may run so many seconds. Only PostgreSQL can be made to wait from outside.
pub(crate) async fn spawn_with(operation_timeout: &str) -> Option<TestApp> {
    if !Backend::postgres_is_there() {
        return None;
    }
    let builder = TestApp::builder(Backend::Postgres);
    let operation_timeout = Some(operation_timeout.to_owned());
    let builder = builder.settings(|settings| {
        settings.operation_timeout = operation_timeout;
        // Each operation waits for a statement of its own.
        settings.cache = Some("off".to_owned());
    });
    Some(builder.spawn().await)
}

/// Waits until so many statements of the server wait for a lock. Each look is a statement of its own.
pub(crate) async fn until_waiting(database: &DatabaseConnection, wanted: i64) {
    let sql = "SELECT count(*) AS n FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let start = Instant::now();
    loop {
        let row = database.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
        let waiting: i64 = row.unwrap().unwrap().try_get("", "n").unwrap();
        if waiting == wanted {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{waiting} statements wait, not {wanted}");
    }
}

/// A table that is locked keeps nobody waiting for longer than the deadline, and leaves no statement behind.
#[tokio::test]
async fn an_operation_ends_at_its_deadline() {
    let Some(app) = spawn_with("1").await else { return };
    let database = sea_orm::Database::connect(&app.database_url).await.unwrap();
    let lock = database.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE payment IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let start = Instant::now();
    let answer = app.graphql(QUERY).await;
    let took = start.elapsed();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.codes(), ["DEADLINE_EXCEEDED"], "{:#}", answer.body);
    assert!(answer.body["data"].is_null());
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(3), "{took:?}");
    // What needs no table is answered meanwhile.
    assert_eq!(app.graphql("{ viewer { account } }").await.text("/viewer/account"), "demo");
    until_waiting(&database, 0).await;
    lock.rollback().await.unwrap();
    assert_eq!(app.graphql(QUERY).await.at("/payments/nodes"), &json!([]));
}

/// How many operations run, as the server tells its operators.
async fn running(app: &TestApp) -> u64 {
    let text = app.get("/metrics").await.text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("dermaga_operations_running ")).unwrap();
    line.parse().unwrap()
}

/// Nobody waits for the answer to a query whose client is gone: it is not run on.
#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_query() {
    let Some(app) = spawn_with("60").await else { return };
    let database = sea_orm::Database::connect(&app.database_url).await.unwrap();
    let lock = database.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE payment IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let url = format!("{}/graphql", app.address);
    let request = tokio::spawn(app.client().post(&url).json(&json!({"query": QUERY})).send());
    until_waiting(&database, 1).await;
    assert_eq!(running(&app).await, 1);
    request.abort();
    let start = Instant::now();
    while running(&app).await > 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "the query runs on");
    }
    lock.rollback().await.unwrap();
    assert_eq!(app.graphql(QUERY).await.at("/payments/nodes"), &json!([]));
}
