//! Loading into SQLite, whose constraints check what was generated.

use chrono::{TimeZone, Utc};
use entity::commodity::{self, Level};
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use super::super::goods;
use super::*;
use crate::store::DatabaseSettings;

/// Tables, the demo account and the commodities of the lines; the rest of the tree is not needed.
async fn prepared(url: &str) -> (Database, AccountId) {
    let database = Database::open(&DatabaseSettings::new(url)).await.unwrap();
    database.migrate().await.unwrap();
    let account = ensure_account(&database, Utc.with_ymd_and_hms(2026, 10, 30, 3, 0, 0).unwrap()).await.unwrap();
    let codes: HashSet<_> = goods::FAMILIES.iter().flat_map(|(_, family)| *family).map(|good| good.code).collect();
    database
        .write(async |transaction| {
            for code in codes {
                let section = commodity::Model {
                    code: code.to_owned(),
                    level: Level::Section,
                    parent_code: None,
                    section: "I".to_owned(),
                    description_en: String::new(),
                    description_id: None,
                    nomenclature: "HS 2022".to_owned(),
                };
                section.into_active_model().reset_all().insert(transaction).await?;
            }
            Ok::<_, DbErr>(())
        })
        .await
        .unwrap();
    (database, account)
}

async fn sqlite(folder: &tempfile::TempDir) -> (Database, AccountId) {
    prepared(&format!("sqlite://{}", folder.path().join("demo.sqlite").display())).await
}

async fn stored<E: AccountScoped>(database: &Database, account: AccountId) -> Vec<E::Model> {
    database.write(async |transaction| E::of_account(account).all(transaction).await).await.unwrap()
}

/// Compares what is stored with what was made, and counts it.
async fn same<'a, E: AccountScoped>(
    database: &Database,
    account: AccountId,
    made: impl Iterator<Item = &'a E::Model>,
) -> u64
where
    E::Model: std::fmt::Debug + 'a,
{
    let mut stored: Vec<_> = stored::<E>(database, account).await.iter().map(|row| format!("{row:?}")).collect();
    let mut made: Vec<_> = made.map(|row| format!("{row:?}")).collect();
    stored.sort_unstable();
    made.sort_unstable();
    assert_eq!(stored, made);
    made.len() as u64
}

#[tokio::test]
async fn what_is_loaded_is_what_was_generated() {
    let folder = tempfile::tempdir().unwrap();
    let (database, account) = sqlite(&folder).await;
    let generator = Generator::new(1, account);
    let mut heard = Vec::new();
    let report = load(&database, &generator, 2100, &mut |done| heard.push(done)).await.unwrap();
    assert_eq!(heard, [2000, 2100]);

    let made: Vec<_> = (0..2100).map(|n| generator.payment(n)).collect();
    let mut rows = 0;
    rows += same::<payment::Entity>(&database, account, made.iter().map(|demo| &demo.payment)).await;
    rows += same::<installment_plan::Entity>(&database, account, made.iter().flat_map(|demo| &demo.plans)).await;
    rows += same::<installment::Entity>(&database, account, made.iter().flat_map(|demo| &demo.installments)).await;
    rows += same::<receipt::Entity>(&database, account, made.iter().flat_map(|demo| &demo.receipts)).await;
    rows += same::<allocation::Entity>(&database, account, made.iter().flat_map(|demo| &demo.allocations)).await;
    rows += same::<refund::Entity>(&database, account, made.iter().flat_map(|demo| &demo.refunds)).await;
    rows += same::<payment_line::Entity>(&database, account, made.iter().flat_map(|demo| &demo.lines)).await;
    rows += same::<payment_event::Entity>(&database, account, made.iter().flat_map(|demo| &demo.events)).await;
    assert_eq!(report, LoadReport { added: 2100, present: 0, rows });
}

/// A second load completes the first, and leaves alone what a user changed meanwhile.
#[tokio::test]
async fn a_load_adds_only_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (database, account) = sqlite(&folder).await;
    let generator = Generator::new(1, account);
    let first = load(&database, &generator, 10, &mut |_| {}).await.unwrap();
    assert_eq!((first.added, first.present), (10, 0));

    let mut changed = generator.payment(4).payment.into_active_model();
    changed.description = sea_orm::Set(Some("changed by hand".to_owned()));
    database.write(async |transaction| changed.update(transaction).await).await.unwrap();

    let second = load(&database, &generator, 25, &mut |_| {}).await.unwrap();
    assert_eq!((second.added, second.present), (15, 10));
    let third = load(&database, &generator, 25, &mut |_| {}).await.unwrap();
    assert_eq!(third, LoadReport { added: 0, present: 25, rows: 0 });
    let fewer = load(&database, &generator, 5, &mut |_| {}).await.unwrap();
    assert_eq!(fewer, LoadReport { added: 0, present: 5, rows: 0 });

    let payments = stored::<payment::Entity>(&database, account).await;
    assert_eq!(payments.len(), 25);
    let by_hand = |payment: &&payment::Model| payment.description.as_deref() == Some("changed by hand");
    assert_eq!(payments.iter().filter(by_hand).count(), 1);

    let other = load(&database, &Generator::new(2, account), 5, &mut |_| {}).await.unwrap();
    assert_eq!((other.added, other.present), (5, 0));
}

/// A batch that fails leaves nothing of itself.
#[tokio::test]
async fn a_load_without_commodities_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("demo.sqlite").display());
    let database = Database::open(&DatabaseSettings::new(url)).await.unwrap();
    database.migrate().await.unwrap();
    let now = Utc.with_ymd_and_hms(2026, 10, 30, 3, 0, 0).unwrap();
    let account = ensure_account(&database, now).await.unwrap();
    load(&database, &Generator::new(1, account), 3, &mut |_| {}).await.unwrap_err();
    assert!(stored::<payment::Entity>(&database, account).await.is_empty());
}

#[tokio::test]
async fn the_account_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let (database, account) = sqlite(&folder).await;
    assert_eq!(account, ACCOUNT_ID);
    let later = Utc.with_ymd_and_hms(2026, 10, 31, 3, 0, 0).unwrap();
    assert_eq!(ensure_account(&database, later).await.unwrap(), ACCOUNT_ID);
    let found = database.write(async |transaction| accounts::by_name(transaction, "demo").await).await.unwrap();
    let found = found.unwrap();
    assert_eq!((found.base_currency.as_str(), found.time_zone.as_str()), ("IDR", "Asia/Jakarta"));
    assert_eq!(found.created_at.to_rfc3339(), "2026-10-30T03:00:00+00:00");
}
