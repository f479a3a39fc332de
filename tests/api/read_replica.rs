//! Reads on a standby: a real primary, a real standby that streams from it, and lag that is made by pausing its replay.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dermaga_tests::{Answer, Backend, Replication, TestApp, TestAppBuilder, change_body, new_payment, new_receipt};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

/// What answers on the standby.
const STANDBY: &str = "from=\"standby\",reason=\"visible\"";

/// The header of a position.
const POSITION: &str = "x-dermaga-position";

/// A server that reads on the standby, and does not take it for late in the course of a test.
fn server(pair: &Replication) -> TestAppBuilder {
    TestApp::builder(Backend::Postgres).over(&pair.primary_url()).settings(|settings| {
        settings.database_read_url = Some(pair.standby_url());
        settings.database_read_max_lag = Some("3600".to_owned());
        settings.cache = Some("on".to_owned());
    })
}

/// The same without a cache: each answer is read.
fn uncached(pair: &Replication) -> TestAppBuilder {
    server(pair).settings(|settings| settings.cache = Some("off".to_owned()))
}

/// How many statements went a way, such as [`STANDBY`].
async fn reads(app: &TestApp, way: &str) -> u64 {
    app.metric(&format!("dermaga_standby_reads_total{{{way}}}")).await
}

/// How many statements of queries were read anywhere.
async fn all_reads(app: &TestApp) -> u64 {
    let text = app.get("/metrics").await.text().await.unwrap();
    let counts = text.lines().filter(|line| line.starts_with("dermaga_standby_reads_total{"));
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// A metric that is no whole number.
async fn seconds(app: &TestApp, name: &str) -> f64 {
    let text = app.get("/metrics").await.text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// Asks until an answer comes from the standby, and returns it. The memory is emptied before each question.
async fn until_read_there(app: &TestApp, ask: impl AsyncFn() -> Answer) -> Answer {
    let start = Instant::now();
    loop {
        app.cache.forget_memory();
        let before = reads(app, STANDBY).await;
        let answer = ask().await;
        answer.data();
        if reads(app, STANDBY).await > before {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "nothing is read on the standby");
    }
}

fn version_of(id: &str) -> String {
    format!("{{ payment(id: \"{id}\") {{ version receipts {{ nodes {{ id }} }} }} }}")
}

/// Queries are read on the standby, and changes with their payloads on the primary.
#[tokio::test]
async fn queries_are_read_on_the_standby() {
    let Some(pair) = Replication::start().await else { return };
    let app = server(&pair).spawn().await;
    app.until_metric("dermaga_standby_used", 1).await;
    let id = app.debt("INV-1").await.payment_id();
    let query = version_of(&id);
    // Its own change comes back to it as news, after which it does not know for a moment what is needed.
    app.until_heard().await;
    let answer = until_read_there(&app, async || app.graphql(&query).await).await;
    assert_eq!(answer.at("/payment/version"), 1);
    // The standby says so itself.
    assert!(pair.connections_that_ran("receipt").await > 0);

    let (all, there) = (all_reads(&app).await, reads(&app, STANDBY).await);
    app.cache.forget_memory();
    let answer = app.graphql(&query).await;
    assert!(answer.statements() > 1);
    assert_eq!(all_reads(&app).await - all, answer.statements());
    assert_eq!(reads(&app, STANDBY).await - there, answer.statements(), "{:#}", answer.body);

    let all = all_reads(&app).await;
    let paid = app.change("recordReceipt", new_receipt(&id, "100")).await.done();
    assert_eq!(paid.version(), 2);
    assert_eq!(all_reads(&app).await, all, "a change goes to the primary, and what it returns comes from there");
}

/// The standby stands still: whoever wrote reads the write at once, and others go on reading there.
#[tokio::test]
async fn a_client_sees_its_own_write_at_once() {
    let Some(pair) = Replication::start().await else { return };
    let app = server(&pair).signed_in().spawn().await;
    app.other_account("other").await;
    let (ours, theirs) = (app.session("demo", "ADMIN"), app.session("other", "ADMIN"));
    let id = ours.change("createPayment", new_payment("INV-1")).await.done().payment_id();
    let query = version_of(&id);
    let list = "{ payments { totalCount } }";
    until_read_there(&app, async || ours.graphql(&query).await).await;
    until_read_there(&app, async || theirs.graphql(list).await).await;

    pair.pause().await;
    for version in 2..5 {
        ours.change("recordReceipt", new_receipt(&id, "100")).await.done();
        let there = reads(&app, STANDBY).await;
        let answer = ours.graphql(&query).await;
        assert_eq!(answer.at("/payment/version"), version);
        assert_eq!(answer.at("/payment/receipts/nodes").as_array().unwrap().len(), version - 1);
        assert_eq!(reads(&app, STANDBY).await, there, "the standby does not have it");
    }
    // Once nothing is unknown any more, it is known that the standby is behind.
    app.until_heard().await;
    app.cache.forget_memory();
    let behind = reads(&app, "from=\"primary\",reason=\"behind\"").await;
    assert_eq!(ours.graphql(&query).await.at("/payment/version"), 4);
    assert!(reads(&app, "from=\"primary\",reason=\"behind\"").await > behind);

    let there = reads(&app, STANDBY).await;
    app.cache.forget_memory();
    assert_eq!(theirs.graphql(list).await.at("/payments/totalCount"), 0);
    assert!(reads(&app, STANDBY).await > there, "nothing of theirs has changed");

    pair.resume().await;
    let answer = until_read_there(&app, async || ours.graphql(&query).await).await;
    assert_eq!(answer.at("/payment/version"), 4);
}

/// What another server or a prompt has written is seen when it was heard of, and never again as it was before: the
/// cache does not take the old row of a standby for the new one.
#[tokio::test]
async fn the_cache_keeps_nothing_that_the_standby_is_without() {
    let Some(pair) = Replication::start().await else { return };
    let (app, other) = (server(&pair).spawn().await, server(&pair).spawn().await);
    let id = app.debt("INV-1").await.payment_id();
    let query = version_of(&id);
    until_read_there(&other, async || other.graphql(&query).await).await;
    let rate = "{ currencyRate(base: \"EUR\", quote: \"USD\", date: \"2026-10-30\") { ... on CurrencyRate { rate } } }";
    until_read_there(&other, async || other.graphql(rate).await).await;

    pair.pause().await;
    app.change("recordReceipt", new_receipt(&id, "100")).await.done();
    let sql = "UPDATE currency_rate SET rate = '1.25' WHERE quote = 'USD' AND effective_date = '2026-10-30'";
    app.database.write(async |transaction| transaction.execute_unprepared(sql).await).await.unwrap();
    other.until_heard().await;
    let there = reads(&other, STANDBY).await;
    // From the database, from memory, and from the database again.
    for forget in [false, false, true] {
        if forget {
            other.cache.forget_memory();
        }
        let answer = other.graphql(&query).await;
        assert_eq!(answer.at("/payment/version"), 2);
        assert_eq!(answer.at("/payment/receipts/nodes").as_array().unwrap().len(), 1);
        assert_eq!(other.graphql(rate).await.at("/currencyRate/rate"), "1.25");
    }
    assert_eq!(reads(&other, STANDBY).await, there);

    pair.resume().await;
    for _ in 0..2 {
        assert_eq!(other.graphql(&query).await.at("/payment/version"), 2);
    }
    let answer = until_read_there(&other, async || other.graphql(&query).await).await;
    assert_eq!(answer.at("/payment/version"), 2);
}

/// A change tells its position. A server that is shown it answers with the change, before it has heard of it.
#[tokio::test]
async fn a_position_is_good_on_every_server() {
    let Some(pair) = Replication::start().await else { return };
    let (app, other) = (server(&pair).spawn().await, server(&pair).spawn().await);
    let id = app.debt("INV-1").await.payment_id();
    let query = json!({ "query": version_of(&id) });
    until_read_there(&other, async || other.send(&query).await).await;
    pair.pause().await;
    let ask = async |app: &TestApp, position: &str| {
        let request = app.client().post(format!("{}/graphql", app.address)).header(POSITION, position);
        let response = request.json(&query).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    for version in 2..12 {
        // In the memory of the other one, as it was before.
        other.send(&query).await;
        let body = change_body("recordReceipt", new_receipt(&id, "1"));
        let changed = app.client().post(format!("{}/graphql", app.address)).json(&body).send().await.unwrap();
        let position = changed.headers()[POSITION].to_str().unwrap().to_owned();
        assert_eq!(changed.json::<Value>().await.unwrap()["extensions"]["position"], *position);
        let (_, answer) = ask(&other, &position).await;
        assert_eq!(answer["data"]["payment"]["version"], version, "{answer:#}");
    }
    // A query tells none, and what is none is refused.
    let read = app.client().post(format!("{}/graphql", app.address)).json(&query).send().await.unwrap();
    assert!(!read.headers().contains_key(POSITION));
    let (status, answer) = ask(&other, "yesterday").await;
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (400, &json!("BAD_REQUEST")));
}

/// A change that is sent again under its key tells a position too: the first answer may not have come.
#[tokio::test]
async fn a_replay_tells_a_position() {
    let Some(pair) = Replication::start().await else { return };
    let (app, other) = (server(&pair).spawn().await, server(&pair).spawn().await);
    // Whether the primary can be asked shows in that the standby is read.
    app.until_metric("dermaga_standby_used", 1).await;
    other.until_metric("dermaga_standby_used", 1).await;
    let body = change_body("createPayment", new_payment("INV-1"));
    let first = app.send(&body).await;
    let again = other.send(&body).await;
    assert_eq!(again.at("/change/replayed"), true);
    let position = |answer: &Answer| answer.body["extensions"]["position"].as_str().unwrap().to_owned();
    assert!(!position(&first).is_empty() && !position(&again).is_empty());
}

/// The standby dies under load: no request fails. It comes back: it is read again, and nothing was lost sight of.
#[tokio::test]
async fn a_standby_that_is_killed_fails_nobody() {
    let Some(pair) = Replication::start().await else { return };
    let pair = Arc::new(pair);
    let app = uncached(&pair).spawn().await;
    let id = app.debt("INV-1").await.payment_id();
    let query = version_of(&id);
    until_read_there(&app, async || app.graphql(&query).await).await;

    let load = async || {
        // Some before, some meanwhile, some after.
        let mut answered = 0;
        while answered < 50 || app.metric("dermaga_standby_used").await == 1 {
            assert_eq!(app.graphql(&query).await.at("/payment/version"), 1);
            answered += 1;
        }
    };
    let doomed = Arc::clone(&pair);
    let kill = tokio::task::spawn_blocking(move || doomed.kill_standby());
    let ((), (), (), killed) = tokio::join!(load(), load(), load(), kill);
    killed.unwrap();
    assert_eq!(app.get("/health/ready").await.status(), 200);
    app.change("recordReceipt", new_receipt(&id, "100")).await.done();
    let down = reads(&app, "from=\"primary\",reason=\"down\"").await;
    assert_eq!(app.graphql(&query).await.at("/payment/version"), 2);
    assert!(reads(&app, "from=\"primary\",reason=\"down\"").await > down);

    pair.start_standby();
    app.until_metric("dermaga_standby_used", 1).await;
    let answer = until_read_there(&app, async || app.graphql(&query).await).await;
    assert_eq!(answer.at("/payment/version"), 2);
}

/// A standby that is further behind than it may be is left out, for as long as it is, and its lag is told.
#[tokio::test]
async fn a_late_standby_is_left_out() {
    let Some(pair) = Replication::start().await else { return };
    let app = uncached(&pair).settings(|settings| settings.database_read_max_lag = Some("1".to_owned())).spawn().await;
    let list = "{ payments { totalCount } }";
    until_read_there(&app, async || app.graphql(list).await).await;
    pair.pause().await;
    // The pulse of the server is written to the log too.
    app.until_metric("dermaga_standby_used", 0).await;
    assert!(seconds(&app, "dermaga_standby_lag_seconds").await > 1.0);
    assert!(app.metric("dermaga_standby_lag_bytes").await > 0);
    let there = reads(&app, STANDBY).await;
    app.graphql(list).await.data();
    assert_eq!(reads(&app, STANDBY).await, there);
    assert!(reads(&app, "from=\"primary\",reason=\"late\"").await > 0);

    pair.resume().await;
    app.until_metric("dermaga_standby_used", 1).await;
    until_read_there(&app, async || app.graphql(list).await).await;
}

/// What is no standby of the primary is never read: the primary itself, another database of it, or nothing at all.
/// The server starts and is ready all the same.
#[tokio::test]
async fn only_a_standby_of_the_primary_is_read() {
    let Some(pair) = Replication::start().await else { return };
    let elsewhere = pair.standby_url().replace("/dermaga", "/postgres");
    for (url, reason) in
        [(pair.primary_url(), "foreign"), (elsewhere, "foreign"), ("postgres://127.0.0.1:1/none".to_owned(), "down")]
    {
        let app = uncached(&pair).settings(|settings| settings.database_read_url = Some(url.clone())).spawn().await;
        assert_eq!(app.get("/health/ready").await.status(), 200);
        let way = format!("from=\"primary\",reason=\"{reason}\"");
        let start = Instant::now();
        while reads(&app, &way).await == 0 {
            assert_eq!(app.graphql("{ payments { totalCount } }").await.at("/payments/totalCount"), 0);
            assert!(start.elapsed() < Duration::from_secs(20), "{url} is not left out as {reason}");
        }
        assert_eq!((reads(&app, STANDBY).await, app.metric("dermaga_standby_used").await), (0, 0));
    }
}

/// Followers of a payment are told of each change by a server whose standby stands still.
#[tokio::test]
async fn events_are_not_late() {
    let Some(pair) = Replication::start().await else { return };
    let app = server(&pair).spawn().await;
    let id = app.debt("INV-1").await.payment_id();
    until_read_there(&app, async || app.graphql(&version_of(&id)).await).await;
    pair.pause().await;
    let subscription =
        format!("subscription {{ paymentEvents(paymentId: \"{id}\", afterSequence: \"1\") {{ sequence }} }}");
    let request = app.client().post(format!("{}/graphql", app.address)).header("accept", "text/event-stream");
    let mut stream = request.json(&json!({ "query": subscription })).send().await.unwrap();
    for version in 2..5 {
        app.change("recordReceipt", new_receipt(&id, "1")).await.done();
        let event = next_event(&mut stream).await;
        assert_eq!(event["data"]["paymentEvents"]["sequence"], json!(version.to_string()), "{event:#}");
    }
}

/// The data of the next event of a stream.
async fn next_event(stream: &mut reqwest::Response) -> Value {
    let mut text = String::new();
    let read = async {
        loop {
            text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().expect("the stream goes on")).unwrap());
            let data = text.split("\n\n").find_map(|event| event.lines().find_map(|line| line.strip_prefix("data: {")));
            if let Some(data) = data.filter(|_| text.ends_with("\n\n")) {
                return serde_json::from_str(&format!("{{{data}")).unwrap();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("an event comes in time")
}
