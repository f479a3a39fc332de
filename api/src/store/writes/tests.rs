use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use entity::account;
use entity::ids::AccountId;
use entity::{AccountScoped, receipt};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::*;
use crate::store::{Database, DatabaseSettings, accounts};

async fn database() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let database = Database::open(&DatabaseSettings::new(url)).await.unwrap();
    database.migrate().await.unwrap();
    (folder, database)
}

/// A row that travelled as JSON is kept byte for byte like one that the driver bound, or it would be sorted and
/// compared as something else.
#[tokio::test]
async fn a_row_is_kept_as_the_driver_keeps_it() {
    let (_folder, database) = database().await;
    for micros in [0, 120_000, 123_456] {
        let row = |name: &str| account::Model {
            id: AccountId(Uuid::now_v7()),
            name: name.to_owned(),
            base_currency: "IDR".to_owned(),
            time_zone: "Asia/Jakarta".to_owned(),
            created_at: DateTime::from_timestamp_micros(1_793_361_600_000_000 + micros).unwrap(),
        };
        let (bound, sent) = (row("bound"), row("sent"));
        let found = database
            .change(&Arc::default(), async |db| {
                account::Entity::insert(bound.clone().into_active_model().reset_all()).exec(db).await?;
                let mut writes = Writes::new(db.get_database_backend());
                writes.insert::<account::Entity>([&sent]);
                writes.send(db).await?;
                let sql = "SELECT typeof(id) || length(id) || created_at FROM account ORDER BY name";
                let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
                let texts: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get_by_index(0)).collect();
                db.execute_unprepared("DELETE FROM account").await?;
                texts
            })
            .await
            .unwrap();
        assert_eq!(found[0], found[1]);
    }
}

/// A row that is not there any more must not be taken for a change that was made.
#[tokio::test]
async fn a_row_that_is_missing_fails_the_transaction() {
    let (_folder, database) = database().await;
    let account = account::Model {
        id: AccountId(Uuid::now_v7()),
        name: "a".to_owned(),
        base_currency: "IDR".to_owned(),
        time_zone: "Asia/Jakarta".to_owned(),
        created_at: DateTime::UNIX_EPOCH,
    };
    database.write(async |db| accounts::create(db, account.clone()).await).await.unwrap();
    let row = receipt::Model {
        id: entity::ids::ReceiptId(Uuid::now_v7()),
        account_id: account.id,
        payment_id: entity::ids::PaymentId(Uuid::now_v7()),
        currency: "IDR".to_owned(),
        amount: 1,
        unallocated: 0,
        refunded: 0,
        received_at: DateTime::UNIX_EPOCH,
        method: "CASH".to_owned(),
        external_reference: None,
        fx_quote: None,
        fx_rate: None,
        fx_effective_date: NaiveDate::from_ymd_opt(2026, 1, 1),
        fx_purpose: None,
        fx_source: None,
        reversed_at: None,
        created_at: DateTime::UNIX_EPOCH,
    };
    let outcome = database
        .change(&Arc::default(), async |db| {
            let mut writes = Writes::new(db.get_database_backend());
            writes.update::<receipt::Entity>(&[receipt::Column::Refunded], [&row]);
            writes.send(db).await
        })
        .await;
    assert!(outcome.unwrap_err().to_string().contains("receipt: 0 rows written, not 1"));
    let rows = database.write(async |db| receipt::Entity::of_account(account.id).all(db).await).await.unwrap();
    assert!(rows.is_empty());
}
