//! A database is a channel of answers here: each question waits for what a test has to say.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, sqlx};
use tokio::sync::{Mutex, mpsc};

use super::{Breaker, is_refused};

/// A breaker whose questions are answered by what is sent, and how many were asked.
fn asked_by_hand() -> (Breaker, mpsc::UnboundedSender<bool>, Arc<AtomicUsize>) {
    let (answer, answers) = mpsc::unbounded_channel();
    let answers = Arc::new(Mutex::new(answers));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let breaker = Breaker::with(Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let answers = Arc::clone(&answers);
        Box::pin(async move { answers.lock().await.recv().await.unwrap_or(false) })
    }));
    (breaker, answer, asked)
}

fn lost() -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(sqlx::Error::WorkerCrashed.into()))
}

async fn good(breaker: &Breaker) -> Result<u8, DbErr> {
    breaker.guard(async { Ok(1) }).await
}

/// Waits until somebody asks for the `n`th time.
async fn until_asked(asked: &AtomicUsize, n: usize) {
    while asked.load(Ordering::SeqCst) < n {
        tokio::task::yield_now().await;
    }
}

/// Waits until the breaker is open, or is not.
async fn until_open(breaker: &Breaker, wanted: bool) {
    let mut open = breaker.0.as_ref().unwrap().open.subscribe();
    open.wait_for(|open| *open == wanted).await.unwrap();
}

/// Whoever waits when the database turns out to be gone is let go, and nobody waits until it is back.
#[tokio::test]
async fn it_opens_for_all_and_closes_again() {
    let (breaker, answer, asked) = asked_by_hand();
    assert_eq!(good(&breaker).await, Ok(1));
    let waiting = tokio::spawn({
        let breaker = breaker.clone();
        async move { breaker.guard(pending::<Result<u8, DbErr>>()).await }
    });
    assert!(!is_refused(&breaker.guard(async { Err::<u8, _>(lost()) }).await.unwrap_err()));
    until_asked(&asked, 1).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    answer.send(false).unwrap();
    assert!(is_refused(&waiting.await.unwrap().unwrap_err()));
    assert!(is_refused(&good(&breaker).await.unwrap_err()));
    assert!(breaker.has_outlived(Duration::ZERO), "no connection is good while it is open");
    // One question in vain, and one that is answered.
    answer.send(false).unwrap();
    answer.send(true).unwrap();
    until_open(&breaker, false).await;
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert!(breaker.has_outlived(Duration::from_secs(60)), "made before it was away");
    assert!(!breaker.has_outlived(Duration::ZERO), "made since");
}

/// Whoever waits for long has the database asked, and goes on waiting when it answers: a lock is no outage.
#[tokio::test]
async fn slow_work_asks_and_goes_on() {
    let (breaker, answer, asked) = asked_by_hand();
    let (finish, finished) = tokio::sync::oneshot::channel();
    let waiting = tokio::spawn({
        let breaker = breaker.clone();
        async move { breaker.guard(async { Ok::<u8, DbErr>(finished.await.unwrap()) }).await }
    });
    until_asked(&asked, 1).await;
    answer.send(true).unwrap();
    until_asked(&asked, 2).await;
    assert_eq!(good(&breaker).await, Ok(1));
    finish.send(7).unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(7));
}

/// What others hear from the database proves more than a question in vain, so the breaker stays closed.
#[tokio::test]
async fn an_answer_to_anybody_keeps_it_closed() {
    let (breaker, answer, asked) = asked_by_hand();
    let _ = breaker.guard(async { Err::<u8, _>(lost()) }).await;
    until_asked(&asked, 1).await;
    assert_eq!(good(&breaker).await, Ok(1));
    answer.send(false).unwrap();
    // The one who asked has ended when another one can begin.
    let _ = breaker.guard(async { Err::<u8, _>(lost()) }).await;
    while asked.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
        let _ = breaker.guard(async { Err::<u8, _>(lost()) }).await;
    }
    assert_eq!(good(&breaker).await, Ok(1));
}

/// A lost connection says that those made before it may be lost as well. That all are in use says nothing of the kind.
#[tokio::test]
async fn a_lost_connection_makes_older_ones_suspect() {
    let (breaker, _answer, _asked) = asked_by_hand();
    let exhausted = DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
    let _ = breaker.guard(async { Err::<u8, _>(exhausted) }).await;
    assert!(!breaker.has_outlived(Duration::from_secs(60)));
    let _ = breaker.guard(async { Err::<u8, _>(lost()) }).await;
    assert!(breaker.has_outlived(Duration::from_secs(60)));
}

/// The one who asks may end with the thread that ran it. Then the next who comes has another one ask.
#[test]
fn another_one_asks_when_the_first_has_gone() {
    let (breaker, answer, asked) = asked_by_hand();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime().block_on(async {
        let _ = breaker.guard(async { Err::<u8, _>(lost()) }).await;
        answer.send(false).unwrap();
        until_open(&breaker, true).await;
    });
    runtime().block_on(async {
        assert!(is_refused(&good(&breaker).await.unwrap_err()));
        answer.send(true).unwrap();
        until_open(&breaker, false).await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    });
}

/// A permit to ask is no answer, and is not waited for once nobody answers.
#[tokio::test]
async fn what_is_not_the_databases_proves_nothing() {
    let (breaker, answer, asked) = asked_by_hand();
    let _ = breaker.guard(async { Err::<u8, _>(lost()) }).await;
    until_asked(&asked, 1).await;
    assert_eq!(breaker.unless_open(async { Ok(1) }).await, Ok(1));
    let waiting = tokio::spawn({
        let breaker = breaker.clone();
        async move { breaker.unless_open(pending::<Result<u8, DbErr>>()).await }
    });
    answer.send(false).unwrap();
    until_open(&breaker, true).await;
    assert!(is_refused(&waiting.await.unwrap().unwrap_err()));
    assert!(is_refused(&breaker.unless_open(async { Ok(1) }).await.unwrap_err()));
}

/// A statement whose client has gone leaves a connection behind that is not taken back unasked; one that ended does not.
#[tokio::test]
async fn what_was_dropped_is_known_when_its_connection_comes_back() {
    let (breaker, _answer, _asked) = asked_by_hand();
    let start = Instant::now();
    let is_suspect = || breaker.0.as_ref().unwrap().unfinished.is_recent_at(start);
    assert_eq!(good(&breaker).await, Ok(1));
    assert!(!is_suspect());
    assert_eq!(breaker.guard(pending::<Result<u8, DbErr>>()).now_or_never(), None);
    assert!(is_suspect());
}

/// SQLite has nobody to ask.
#[tokio::test]
async fn without_a_question_nothing_is_refused() {
    let breaker = Breaker::none();
    assert!(breaker.guard(async { Err::<u8, _>(lost()) }).await.is_err());
    assert_eq!(good(&breaker).await, Ok(1));
    assert!(!breaker.has_outlived(Duration::MAX));
}
