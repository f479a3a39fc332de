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
                    search_text: String::new(),
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

async fn stored<E: AccountScoped>(database: &Database, account: AccountId) -> Vec<E::Model>
where
    E::Column: sea_orm::ColumnTrait,
{
    use sea_orm::QueryOrder;
    let key = E::Column::iter().next().unwrap();
    database.write(async |transaction| E::of_account(account).order_by_asc(key).all(transaction).await).await.unwrap()
}

fn by_id<T>(mut rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> Vec<T> {
    rows.sort_by_key(id);
    rows
}

#[tokio::test]
async fn what_is_loaded_is_what_was_generated() {
    let folder = tempfile::tempdir().unwrap();
    let (database, account) = sqlite(&folder).await;
    let generator = Generator::new(1, account);
    let mut heard = Vec::new();
    let report = load(&database, &generator, 1200, &mut |done| heard.push(done)).await.unwrap();
    assert_eq!(heard, [500, 1000, 1200]);

    let mut made = Tables::default();
    (0..1200).for_each(|n| made.take(generator.payment(n)));
    let rows = made.payments.len() + made.plans.len() + made.installments.len();
    let rows = rows + made.receipts.len() + made.allocations.len() + made.lines.len();
    assert_eq!(report, LoadReport { added: 1200, present: 0, rows: rows as u64 });

    assert_eq!(stored::<payment::Entity>(&database, account).await, by_id(made.payments, |row| row.id.0));
    assert_eq!(stored::<installment_plan::Entity>(&database, account).await, by_id(made.plans, |row| row.id.0));
    assert_eq!(stored::<installment::Entity>(&database, account).await, by_id(made.installments, |row| row.id.0));
    assert_eq!(stored::<receipt::Entity>(&database, account).await, by_id(made.receipts, |row| row.id.0));
    assert_eq!(stored::<allocation::Entity>(&database, account).await, by_id(made.allocations, |row| row.id.0));
    assert_eq!(stored::<payment_line::Entity>(&database, account).await, by_id(made.lines, |row| row.id.0));
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

/// Not a test but a measurement, of `DEMO_URL` and `DEMO_PAYMENTS`.
#[tokio::test]
#[ignore = "measures"]
async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let url = std::env::var("DEMO_URL")
        .unwrap_or_else(|_| format!("sqlite://{}", folder.path().join("demo.sqlite").display()));
    let payments = std::env::var("DEMO_PAYMENTS").unwrap().parse().unwrap();
    let (database, account) = prepared(&url).await;
    let generator = Generator::new(1, account);
    let start = std::time::Instant::now();
    let mut last = (0, start.elapsed());
    let report = load(&database, &generator, payments, &mut |done| {
        if done - last.0 >= 10_000 {
            let now = start.elapsed();
            println!("{done}: {} payments/s", u128::from(done - last.0) * 1000 / (now - last.1).as_millis());
            last = (done, now);
        }
    })
    .await
    .unwrap();
    println!("{report:?} in {:?}", start.elapsed());
}
