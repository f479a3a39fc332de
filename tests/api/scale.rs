//! `benchmark scale`: a database that is made larger, and pages that stay what they were.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use dermaga_api::demo::ACCOUNT_ID;
use dermaga_api::store::installments::{self, InstallmentFilter};
use dermaga_api::store::{Database, DatabaseSettings, Reader};
use dermaga_bench::client::Client;
use dermaga_bench::scale::{grow, read_pages};
use dermaga_tests::{Backend, Cli, each_database};
use entity::{AccountScoped, payment};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

const PAYMENTS: u64 = 700;
const GROWN: u64 = 3_000;

each_database! {
    /// What the benchmark compares is the same page, found by the same indexes, or it compares nothing.
    async fn pages_stay_the_same_among_copies(backend: Backend) {
        let (url, _folder) = backend.empty_url().await;
        let cli = Cli::over(&url);
        let served = |payments: u64| {
            let payments = payments.to_string();
            let (running, port) =
                cli.serve(&["--demo-payments", &payments, "--demo-ticker", "0", "--max-cost", "1000000"]);
            (running, Client::new(&format!("http://127.0.0.1:{port}")))
        };
        let (running, client) = served(PAYMENTS);
        let (pages, shown) = read_pages(&client, PAYMENTS).await.unwrap();
        drop(running);
        let database = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
        let indexes_before = indexes(&database.reader(Arc::default())).await;
        database.close().await;

        grow(&url, GROWN, &shown).await.unwrap();

        let (_running, client) = served(0);
        assert_eq!(pages.len(), 6);
        for page in &pages {
            page.check(&client).await.unwrap();
        }
        let database = Database::open(&DatabaseSettings::new(&url)).await.unwrap();
        let db = database.reader(Arc::default());
        assert_eq!(indexes(&db).await, indexes_before);

        let rows = payment::Entity::of_account(ACCOUNT_ID).all(&db).await.unwrap();
        assert_eq!(rows.len() as u64, GROWN);
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let installments =
            installments::counts_of_payments(&db, ACCOUNT_ID, &ids, &InstallmentFilter::default()).await.unwrap();
        let by_reference: HashMap<&str, &payment::Model> =
            rows.iter().map(|row| (row.reference.as_str(), row)).collect();
        let mut copies = 0;
        for row in &rows {
            // Ids rise with the time of creation, as those of the server do.
            let millis = i64::try_from(row.id.0.as_u128() >> 80).unwrap();
            assert_eq!((row.id.0.get_version_num(), millis), (7, row.created_at.timestamp_millis()), "{row:?}");
            let Some((reference, _)) = row.reference.split_once('-') else { continue };
            let original = by_reference[reference];
            let expected = payment::Model {
                id: row.id,
                reference: row.reference.clone(),
                created_at: row.created_at,
                updated_at: original.updated_at.max(row.created_at),
                ..original.clone()
            };
            assert_eq!(*row, expected);
            assert!(row.created_at > original.created_at && !shown.contains(&original.id.0), "{row:?}");
            assert_eq!(installments[&row.id], installments[&original.id], "{row:?}");
            copies += 1;
        }
        assert_eq!(copies, GROWN - PAYMENTS);
        database.close().await;
    }
}

/// What makes the indexes that are no part of a constraint.
async fn indexes(db: &Reader) -> BTreeSet<String> {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => "SELECT indexdef AS sql FROM pg_indexes WHERE schemaname = 'public'",
        _ => "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    };
    let rows = db.query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "sql").unwrap()).collect()
}
