//! Which way a statement goes. No server is needed: what the servers would say is put in by hand.

use std::future::{Ready, pending, ready};

use futures_util::FutureExt;
use sea_orm::{ConnAcquireErr, DbErr};
use uuid::Uuid;

use super::*;
use crate::store::breaker::Breaker;

fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

/// A standby that is read, and has replayed the log up to there.
fn standby(replayed: u64) -> Standby {
    let settings = StandbySettings { url: "postgres://127.0.0.1:1/none".to_owned(), max_lag: Duration::from_secs(1) };
    let gate = Gate::new(1, Duration::from_secs(1), Breaker::none()).unwrap();
    let standby = Standby::open(&settings, &DatabaseSettings::new("postgres://127.0.0.1:1/none"), &gate).unwrap();
    standby.hear(&News::Regained);
    settle(&standby, 10);
    let since = Instant::now();
    standby.0.standing.send_replace(Standing { session: 1, since, replayed: Position(replayed), out: None });
    standby
}

/// The primary says where it is.
fn settle(standby: &Standby, position: u64) {
    let mut needed = lock(&standby.0.needed);
    let asked = needed.last();
    needed.settle(asked, Position(position));
}

fn answered(number: u32) -> Ready<Result<u32, DbErr>> {
    ready(Ok(number))
}

/// News comes before its position, and from then on the standby has to have it.
#[tokio::test]
async fn news_leads_to_the_primary_until_it_is_replayed() {
    let standby = standby(20);
    let goes = |number| standby.session_for(account(number), Position::default());
    assert_eq!(goes(1), Ok(1));
    standby.hear(&News::Payments(account(1), Vec::new()));
    assert_eq!((goes(1), goes(2)), (Err(Reason::Unknown), Ok(1)));
    settle(&standby, 30);
    assert_eq!((goes(1), goes(2)), (Err(Reason::Behind), Ok(1)));
    standby.0.standing.send_modify(|standing| standing.replayed = Position(30));
    assert_eq!(goes(1), Ok(1));
    for news in [News::Rates, News::Commodities, News::Sources, News::Everything] {
        standby.hear(&news);
        assert_eq!(goes(2), Err(Reason::Unknown), "{news:?}");
        settle(&standby, 30);
        assert_eq!(goes(2), Ok(1));
    }
    standby.hear(&News::Lost);
    assert_eq!(goes(2), Err(Reason::Unknown));
}

/// What a client has seen elsewhere is needed too, by that client alone.
#[tokio::test]
async fn a_position_is_needed_by_who_names_it() {
    let standby = standby(20);
    assert_eq!(standby.session_for(account(1), Position(20)), Ok(1));
    assert_eq!(standby.session_for(account(1), Position(21)), Err(Reason::Behind));
    assert_eq!(standby.session_for(account(1), Position::default()), Ok(1));
    assert!(!standby.has_heard(Position(21)));
    standby.heard_up_to(Position(21));
    assert!(standby.has_heard(Position(21)) && !standby.has_heard(Position(22)));
    // Positions from before a failover say nothing of those after it.
    standby.hear(&News::Lost);
    assert!(!standby.has_heard(Position(1)));
}

/// An operation that has read from the primary reads nothing older afterwards, until it begins afresh.
#[tokio::test]
async fn an_operation_goes_one_way() {
    let standby = standby(20);
    let route = standby.route(account(1), Position::default());
    let way = route.choose().unwrap();
    assert_eq!(way.run(answered(1)).await.unwrap().unwrap(), 1);
    assert!(route.has_read_standby());
    standby.hear(&News::Payments(account(1), Vec::new()));
    assert!(route.choose().is_none());
    settle(&standby, 15);
    assert!(route.choose().is_none(), "it stays");
    assert!(standby.route(account(1), Position::default()).choose().is_some());
    route.begin_afresh();
    assert!(route.choose().is_some());
}

/// A standby that fails, or is left out while it is waited for, costs no answer: the primary is asked. What is wrong
/// with a statement itself is told.
#[tokio::test]
async fn a_statement_is_not_lost_with_the_standby() {
    let standby = standby(20);
    let fresh = || standby.route(account(1), Position::default());
    let route = fresh();
    let lost: Result<u32, _> = Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
    assert!(route.choose().unwrap().run(ready(lost)).await.is_none());
    assert!(route.choose().is_none());

    let route = fresh();
    let wrong: Result<u32, _> = Err(DbErr::Custom("no such column".to_owned()));
    assert!(route.choose().unwrap().run(ready(wrong)).await.unwrap().is_err());

    let route = fresh();
    let way = route.choose().unwrap();
    let leave_out = async {
        tokio::task::yield_now().await;
        standby.0.standing.send_modify(|standing| standing.session += 1);
    };
    let (result, ()) = tokio::join!(way.run(pending::<Result<u32, DbErr>>()), leave_out);
    assert!(result.is_none());

    // An answer of before is not believed after.
    let route = fresh();
    let way = route.choose().unwrap();
    standby.0.standing.send_modify(|standing| standing.session += 1);
    assert!(way.run(answered(1)).await.is_none());
}

/// A pool that has no connection in time is as good as no standby, until the standby is connected to anew. Waiting for
/// other statements at the gate is no sign of that.
#[tokio::test]
async fn a_pool_without_connections_is_noticed() {
    let standby = standby(20);
    let route = || standby.route(account(1), Position::default());
    let lost = || ready(Err::<u32, _>(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)));
    let busy = route();
    assert!(busy.choose().unwrap().run(lost()).await.is_none());
    assert!(!standby.is_starved());

    let starved = route();
    let way = starved.choose().unwrap();
    let entered = way.enter().await.unwrap();
    assert!(way.run(lost()).await.is_none());
    drop(entered);
    assert!(standby.is_starved());
    standby.0.standing.send_modify(|standing| standing.session += 1);
    assert!(!standby.is_starved());
}

/// A connection from before the standby was left out may be dead, and one from after it is not.
#[test]
fn connections_live_as_long_as_a_session() {
    let minute = Duration::from_secs(60);
    let since = Instant::now().checked_sub(minute).unwrap();
    let standing = Standing { session: 1, since, replayed: Position(20), out: None };
    assert!(!standing.has_outlived(Duration::ZERO));
    assert!(standing.has_outlived(2 * minute));
}

/// A change here is needed at once; without a primary that says where it is, for as long as that takes.
#[tokio::test]
async fn an_own_change_is_needed_at_once() {
    let standby = standby(20);
    assert_eq!(standby.wrote(account(1)).await, None, "nobody can be asked");
    assert_eq!(standby.session_for(account(1), Position::default()), Err(Reason::Unknown));
    assert_eq!(standby.session_for(account(2), Position::default()), Ok(1));
    standby.wrote_anything();
    assert_eq!(standby.session_for(account(2), Position::default()), Err(Reason::Unknown));

    // What nobody waits for can be asked after together with what comes next.
    assert!(standby.0.urgent.notified().now_or_never().is_none());

    standby.0.asks.store(true, Ordering::SeqCst);
    let says = async {
        standby.0.news.notified().await;
        assert!(standby.0.urgent.notified().now_or_never().is_some());
        let asked = lock(&standby.0.needed).last();
        standby.0.settled.send_replace((asked, Position(40)));
    };
    let (position, ()) = tokio::join!(standby.wrote(account(1)), says);
    assert_eq!(position, Some(Position(40)));
}
