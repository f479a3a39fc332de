//! The server is killed while it writes, again and again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dermaga_tests::writers::{self, Answered, Numbers, Write, Writers};
use dermaga_tests::{Backend, Cli, TestApp, each_database, say};

use crate::verified;

/// How often it is killed.
const KILLS: u64 = 50;

/// Clients that write meanwhile.
const CLIENTS: u64 = 4;

each_database! {
    /// What a client was told is there after any end, and what it was not told is there wholly or not at all.
    async fn what_was_acknowledged_survives_a_kill(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let mut payments = Vec::new();
        for n in 0..CLIENTS {
            // More than all of them will pay.
            payments.push(writers::payment(&app, &format!("K-{n}"), "30000000000").await);
        }
        let cli = Cli::over(&app.database_url);
        let writers = Arc::new(Writers::new());
        let mut numbers = Numbers(20_261_030);
        let mut open: Vec<Write> = Vec::new();
        for _ in 0..KILLS {
            let (server, port) = cli.serve(&["--demo-payments", "0", "--demo-ticker", "0"]);
            let address = format!("http://127.0.0.1:{port}");
            check(&app, &writers, open.len()).await;
            for write in open.drain(..) {
                assert!(matches!(writers.settle(&address, &write).await, Answered::Done(_)), "{write:?}");
            }
            check(&app, &writers, 0).await;

            let clients: Vec<_> = payments
                .iter()
                .map(|payment| tokio::spawn(write_until_it_fails(Arc::clone(&writers), address.clone(), payment.clone())))
                .collect();
            tokio::time::sleep(Duration::from_micros(1_000 + numbers.below(150_000))).await;
            server.signal("KILL");
            for client in clients {
                open.push(client.await.unwrap());
            }
            server.end();
        }
        check(&app, &writers, open.len()).await;
        let told = writers.told();
        say(&format!("{backend:?}: {KILLS} kills, {} receipts, {} replays", told.receipts.len(), told.replays));
        assert!(told.receipts.len() > 100, "{told:?}");
    }
}

/// Writes one receipt after the other. Returns the one of which nobody knows what came.
async fn write_until_it_fails(writers: Arc<Writers>, address: String, payment: String) -> Write {
    loop {
        let write = Write::receipt(&payment, 7);
        if writers.send(&address, &write, None).await == Answered::Unknown {
            return write;
        }
    }
}

/// All rows agree, and every receipt that was told is there; beside them at most those of which nobody knows.
async fn check(app: &TestApp, writers: &Writers, unknown: usize) {
    let report = verified::verify(&app.database, app.account).await;
    assert_eq!(report.faults, Vec::<String>::new());
    let stored: HashSet<String> = report.receipts().into_keys().collect();
    let told: HashSet<String> = writers.told().receipts.keys().cloned().collect();
    assert_eq!(told.difference(&stored).count(), 0, "a receipt that was acknowledged is gone");
    assert!(stored.len() - told.len() <= unknown, "{} beyond {}", stored.len(), told.len());
}
