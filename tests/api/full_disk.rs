//! A SQLite database that has no room for what is to be written.

use std::sync::Arc;

use dermaga_api::error::{Error, Result, code};
use dermaga_api::store::{Database, DatabaseSettings, Reader};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// How many notes another process sees.
async fn notes(url: &str) -> i64 {
    let database = sea_orm::Database::connect(url).await.unwrap();
    let ask = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) FROM note");
    let row = database.query_one_raw(ask).await.unwrap().unwrap();
    database.close().await.unwrap();
    row.try_get_by_index(0).unwrap()
}

async fn change(database: &Database, work: impl AsyncFn(&Reader) -> Result<()>) -> Result<()> {
    database.change(&Arc::default(), work).await
}

/// SQLite ends a transaction by itself when there is no room, which the driver does not notice. What is acknowledged
/// afterwards must be committed, and not be a part of the transaction that the driver believes in.
#[tokio::test]
async fn what_is_acknowledged_after_a_full_disk_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("full.db").display());
    let database = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
    let run = async |sql: &'static str| {
        change(&database, async |db| db.execute_unprepared(sql).await.map(drop).map_err(Error::from)).await
    };
    run("CREATE TABLE note (text BLOB NOT NULL)").await.unwrap();
    let full = change(&database, async |db| {
        // No more pages than there are.
        db.execute_unprepared("PRAGMA max_page_count = 1").await?;
        db.execute_unprepared("INSERT INTO note VALUES (zeroblob(1000000))").await?;
        Ok(())
    });
    let full = full.await.unwrap_err();
    assert_eq!(full.code(), code::UNAVAILABLE, "{}", full.chain());
    assert!(full.chain().contains("full"), "{}", full.chain());
    // One that is rolled back would have been rolled back to its beginning inside the other one, and left that open.
    let refused = change(&database, async |db| {
        db.execute_unprepared("INSERT INTO note VALUES (zeroblob(1))").await?;
        Err(Error::caller(code::BAD_USER_INPUT, "no"))
    });
    assert_eq!(refused.await.unwrap_err().code(), code::BAD_USER_INPUT);
    assert_eq!(notes(&url).await, 0);
    run("INSERT INTO note VALUES (zeroblob(1))").await.unwrap();
    assert_eq!(notes(&url).await, 1);
    // The limit went with the connection.
    run("INSERT INTO note VALUES (zeroblob(1000000))").await.unwrap();
    assert_eq!(notes(&url).await, 2);
    database.close().await;
}
