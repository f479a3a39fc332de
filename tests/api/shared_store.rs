//! Redis slow, gone, back and mad: a bounded wait once, and never an error for a client.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use dermaga_api::config::RedisUrl;
use dermaga_api::metrics::Metrics;
use dermaga_api::shared_store::SharedStore;
use dermaga_tests::{Backend, RedisServer, TestApp};
use futures_util::future::join_all;
use serde_json::json;

/// How long a call waits here: more than by default, so that what a busy machine takes for itself is well below.
const WAIT: Duration = Duration::from_millis(600);

struct Asker {
    store: SharedStore,
    metrics: Metrics,
}

impl Asker {
    async fn new(url: &str) -> Self {
        let metrics = Metrics::new().unwrap();
        Self { store: SharedStore::open(&RedisUrl(url.to_owned()), WAIT, &metrics).await.unwrap(), metrics }
    }

    /// Asks for something that is always there.
    async fn time(&self) -> Option<(u64, u64)> {
        self.store
            .ask("test", |mut connection| async move { redis::cmd("TIME").query_async(&mut connection).await })
            .await
    }

    /// The samples about Redis, such as `answered 1` and `up 0`.
    fn counts(&self) -> Vec<String> {
        let text = self.metrics.render(dermaga_api::store::Pool { open: 0, idle: 0 }).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("dermaga_redis_calls_total") || line.starts_with("dermaga_redis_up"));
        lines
            .map(|line| line.replace("dermaga_redis_calls_total{outcome=\"", "").replace("\",purpose=\"test\"}", ""))
            .collect()
    }
}

/// A server that talks like Redis until it is asked for the time, and nonsense from then on; or nonsense at once.
fn nonsense(polite: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the process: nobody waits for it.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4_096];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    let asked = String::from_utf8_lossy(&buffer[..read]).to_uppercase();
                    let mut answer = "+OK\r\n".repeat(asked.matches("SETINFO").count());
                    answer.push_str(&"+PONG\r\n".repeat(asked.matches("PING").count()));
                    let answer = if polite && !asked.contains("TIME\r\n") {
                        answer
                    } else {
                        "HTTP/1.1 400 Bad\r\n\r\n\0\u{ff}".to_owned()
                    };
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("redis://{address}")
}

/// Redis that stops answering costs all who wait for it one bounded wait, and nobody after them anything.
#[tokio::test]
async fn a_redis_that_hangs_is_waited_for_once() {
    let Some(redis) = RedisServer::start() else { return };
    let asker = Asker::new(&redis.url()).await;
    assert!(asker.time().await.is_some());
    redis.pause();
    let started = Instant::now();
    let late = async {
        // Somebody who gives up half-way, and asks again: the others' wait is over when the first one's is.
        assert!(tokio::time::timeout(WAIT / 2, asker.time()).await.is_err());
        asker.time().await
    };
    assert_eq!(tokio::join!(asker.time(), late), (None, None));
    let waited = started.elapsed();
    assert!((WAIT..WAIT * 3 / 2).contains(&waited), "{waited:?}");
    let answers = join_all((0..16).map(|_| asker.time())).await;
    assert!(answers.iter().all(Option::is_none));
    assert!(started.elapsed() - waited < WAIT / 2, "nobody waits a second time");
    assert_eq!(asker.counts(), ["answered 1", "failed 1", "skipped 17", "dermaga_redis_up 0"]);
    redis.resume();
    asker.store.until_up().await;
    assert!(asker.time().await.is_some());
    assert_eq!(asker.counts(), ["answered 2", "failed 1", "skipped 17", "dermaga_redis_up 1"]);
}

/// Redis that is killed is noticed at once, and found again when it is back, empty.
#[tokio::test]
async fn a_redis_that_is_killed_is_found_again() {
    let Some(mut redis) = RedisServer::start() else { return };
    let asker = Asker::new(&redis.url()).await;
    assert!(asker.time().await.is_some());
    redis.kill();
    let started = Instant::now();
    assert!(asker.time().await.is_none());
    assert!(asker.time().await.is_none());
    assert!(started.elapsed() < WAIT);
    redis.restart();
    asker.store.until_up().await;
    assert!(asker.time().await.is_some());
}

/// The server starts without Redis, and takes it in when it comes.
#[tokio::test]
async fn a_redis_that_comes_late_is_found() {
    let Some(mut redis) = RedisServer::stopped() else { return };
    let asker = Asker::new(&redis.url()).await;
    assert!(asker.time().await.is_none());
    assert_eq!(asker.counts(), ["skipped 1", "dermaga_redis_up 0"]);
    redis.restart();
    asker.store.until_up().await;
    assert!(asker.time().await.is_some());
}

/// What is no Redis at all, or stops being one, is like none.
#[tokio::test]
async fn nonsense_is_like_no_answer() {
    let asker = Asker::new(&nonsense(false)).await;
    assert!(asker.time().await.is_none());
    assert_eq!(asker.counts(), ["skipped 1", "dermaga_redis_up 0"]);
    let asker = Asker::new(&nonsense(true)).await;
    let started = Instant::now();
    assert!(asker.time().await.is_none());
    assert!(started.elapsed() < WAIT);
    assert!(asker.time().await.is_none());
    assert_eq!(asker.counts(), ["failed 1", "skipped 1", "dermaga_redis_up 0"]);
}

/// An error in time is a miss of that call: others are not kept from asking.
#[tokio::test]
async fn an_error_reply_breaks_nothing() {
    let Some(redis) = RedisServer::start() else { return };
    let asker = Asker::new(&redis.url()).await;
    let wrong = asker
        .store
        .ask("test", |mut connection| async move { redis::cmd("NONSENSE").query_async::<()>(&mut connection).await });
    assert_eq!(wrong.await, None);
    assert!(asker.time().await.is_some());
    assert_eq!(asker.counts(), ["answered 1", "refused 1", "dermaga_redis_up 1"]);
}

/// Whatever Redis does, a client gets its answer: over a hanging, a killed and a mad one.
#[tokio::test]
async fn clients_get_their_answers_all_the_same() {
    let document = "query Account { viewer { account } }";
    let hash = dermaga_api::documents::Hash::of(document).to_string();
    let whole = json!({"query": document, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash}}});
    let over = async |url: String| {
        let settings = |settings: &mut dermaga_api::config::Settings| {
            settings.redis_url = Some(url);
            settings.quota_cost = Some("100000".to_owned());
            settings.redis_timeout = Some(WAIT.as_millis().to_string());
        };
        TestApp::builder(Backend::Sqlite).settings(settings).spawn().await
    };
    for polite in [false, true] {
        let app = over(nonsense(polite)).await;
        assert_eq!(app.send(&whole).await.text("/viewer/account"), "demo");
    }
    let Some(mut redis) = RedisServer::start() else { return };
    let app = over(redis.url()).await;
    assert_eq!(app.send(&whole).await.text("/viewer/account"), "demo");
    redis.pause();
    let started = Instant::now();
    assert_eq!(app.send(&whole).await.text("/viewer/account"), "demo");
    let waited = started.elapsed();
    assert!((WAIT..WAIT * 2).contains(&waited), "{waited:?}");
    println!("waited {waited:?} with a time-out of {WAIT:?}");
    redis.kill();
    let started = Instant::now();
    assert_eq!(app.send(&whole).await.text("/viewer/account"), "demo");
    assert!(started.elapsed() < WAIT, "nobody waits a second time");
    let metrics = app.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("dermaga_redis_calls_total{outcome=\"failed\",purpose=\"quota\"} 1"), "{metrics}");
    assert!(metrics.contains("dermaga_redis_up 0"), "{metrics}");
}
