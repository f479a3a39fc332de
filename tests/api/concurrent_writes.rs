//! Many clients write to the same few payments at once, while connections die.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dermaga_tests::writers::{self, Answered, Numbers, Write, Writers};
use dermaga_tests::{Backend, TestApp, each_database, say};
use sea_orm::ConnectionTrait;
use tokio::sync::Mutex;

use crate::verified;

const CLIENTS: u64 = 64;
const PAYMENTS: usize = 12;

/// How long they write.
const TIME: Duration = Duration::from_secs(30);

each_database! {
    /// A check and a write with nothing in between is what keeps two receipts from paying one rupiah twice; it is
    /// proved by those who try.
    async fn nothing_is_lost_or_done_twice(backend: Backend) {
        let app = TestApp::builder(backend).settings(|settings| {
            settings.database_max_connections = Some("16".to_owned());
            settings.workers = Some("2".to_owned());
        }).spawn().await;
        let mut payments = Vec::new();
        for n in 0..PAYMENTS {
            payments.push(writers::payment(&app, &format!("C-{n}"), "3000000").await);
        }
        let payments = Arc::new(payments);
        let writers = Arc::new(Writers::new());
        let receipts = Arc::new(Mutex::new(Vec::new()));
        let versions = Arc::new(Mutex::new(HashMap::new()));
        let end = Instant::now() + TIME;
        let clients: Vec<_> = (1..=CLIENTS)
            .map(|seed| {
                let client = Client {
                    address: app.address.clone(),
                    writers: Arc::clone(&writers),
                    payments: Arc::clone(&payments),
                    receipts: Arc::clone(&receipts),
                    versions: Arc::clone(&versions),
                    numbers: Numbers(seed * 7_919),
                };
                tokio::spawn(client.write_until(end))
            })
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        let killer = tokio::spawn(kill_connections(app.database.clone(), Arc::clone(&stop)));
        for client in clients {
            client.await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        killer.await.unwrap();

        let report = verified::verify(&app.database, app.account).await;
        assert_eq!(report.faults, Vec::<String>::new());
        let told = writers.told();
        assert_eq!(report.receipts(), told.receipts, "each receipt that was told is stored once, and no other");
        assert_eq!(report.reversed(), told.reversed);
        assert_eq!(report.reschedules(), told.rescheduled.len());
        // Otherwise nothing of the above was put to the test.
        assert!(told.receipts.len() > 100 && told.reversed.len() > 5 && told.refused > 5 && !told.rescheduled.is_empty(), "{told:?}");
        say(&format!(
            "{backend:?}: {} receipts, {} reversals, {} reschedules, {} refused, {} replays",
            told.receipts.len(), told.reversed.len(), told.rescheduled.len(), told.refused, told.replays,
        ));
    }
}

/// One of many.
struct Client {
    address: String,
    writers: Arc<Writers>,
    payments: Arc<Vec<String>>,
    receipts: Arc<Mutex<Vec<String>>>,
    versions: Arc<Mutex<HashMap<String, i64>>>,
    numbers: Numbers,
}

impl Client {
    async fn write_until(mut self, end: Instant) {
        while Instant::now() < end {
            let write = self.choose().await;
            // Some clients hang up before they hear the answer, and some send everything twice.
            if self.numbers.below(10) == 0 {
                let patience = Duration::from_micros(self.numbers.below(20_000));
                self.writers.send(&self.address, &write, Some(patience)).await;
            }
            if let Answered::Done(payload) = self.writers.settle(&self.address, &write).await {
                // The latest version that somebody was told, which somebody else may have changed by now.
                let payment = payload["payment"]["id"].as_str().unwrap().to_owned();
                self.versions.lock().await.insert(payment, payload["payment"]["version"].as_i64().unwrap());
                if let Some(id) = payload["receipt"]["id"].as_str() {
                    self.receipts.lock().await.push(id.to_owned());
                }
            }
            if self.numbers.below(20) == 0 {
                self.writers.settle(&self.address, &write).await;
            }
        }
    }

    async fn choose(&mut self) -> Write {
        let payment = &self.payments[usize::try_from(self.numbers.below(self.payments.len() as u64)).unwrap()];
        match self.numbers.below(10) {
            0..=2 => {
                let mut receipts = self.receipts.lock().await;
                let at = self.numbers.below(receipts.len().max(1) as u64);
                if receipts.is_empty() {
                    return Write::receipt(payment, 1);
                }
                Write::reversal(&receipts.swap_remove(usize::try_from(at).unwrap()))
            }
            3 => {
                let version = self.versions.lock().await.get(payment).copied().unwrap_or(1);
                Write::reschedule(payment, version, &["25", "75"])
            }
            _ => Write::receipt(payment, 1 + i64::try_from(self.numbers.below(40_000)).unwrap()),
        }
    }
}

/// PostgreSQL ends some connection of the server again and again. SQLite has none that could end.
async fn kill_connections(database: dermaga_api::store::Database, stop: Arc<AtomicBool>) {
    if database.backend() != sea_orm::DbBackend::Postgres {
        return;
    }
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle in transaction' \
               ORDER BY random() LIMIT 1";
    let mut interval = tokio::time::interval(Duration::from_millis(50));
    while !stop.load(Ordering::Relaxed) {
        interval.tick().await;
        let reader = database.reader(Arc::default());
        reader.execute_unprepared(sql).await.unwrap();
    }
}
