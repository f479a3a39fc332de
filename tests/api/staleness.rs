//! The cache is never stale, whatever happens. A longer run: `cargo run -p dermaga-tests --example staleness -- --help`.

use std::time::Duration;

use dermaga_tests::staleness::{self, Check, Layer, Report};
use dermaga_tests::{Backend, each_database, say};

each_database! {
    /// Two servers, writers through both and beside them, connections cut, Redis and servers killed: what a server has
    /// acknowledged is in every answer that it gives later, and what others write comes before long.
    async fn what_was_acknowledged_is_in_every_later_answer(backend: Backend) {
        let check = Check { backend, layer: Layer::On, time: Duration::from_secs(30), accidents: true };
        let Some(report) = staleness::run(&check).await else { return };
        say(&format!("{backend:?}: {report}"));
        assert_eq!(report.stale, 0, "{:?}", report.example);
        assert!(report.reads > 500 && report.writes > 50, "{report}");
        let from = |name: &str| report.from.get(name).copied().unwrap_or_default();
        assert!(from("memory") > 0 && from("shared") > 0 && from("database") > 0, "{report}");
        assert!(longest_unseen(&report) < Duration::from_secs(10), "{report}");
    }
}

/// The same with a standby that is read, stands still and is killed: it makes nothing stale either.
#[tokio::test]
async fn a_standby_makes_nothing_stale() {
    let check =
        Check { backend: Backend::Postgres, layer: Layer::Standby, time: Duration::from_secs(30), accidents: true };
    let Some(report) = staleness::run(&check).await else { return };
    say(&format!("with a standby: {report}"));
    assert_eq!(report.stale, 0, "{:?}", report.example);
    assert!(report.reads > 500 && report.writes > 50 && report.on_standby > 0, "{report}");
    assert!(longest_unseen(&report) < Duration::from_secs(10), "{report}");
}

/// For how long a write through another server or beside them was not seen. A pulse that is not heard is given up after
/// three seconds; then nothing is answered from memory, nor read on a standby.
fn longest_unseen(report: &Report) -> Duration {
    report.foreign.iter().chain(&report.elsewhere).max().copied().unwrap_or_default()
}
