//! What a caller may spend, counted in one process and across replicas.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::DateTime;
use dermaga_api::clock::Clock;
use dermaga_api::config::{Quota, RedisUrl};
use dermaga_api::domain::currency::Currency;
use dermaga_api::graphql::context::{Caller, Role};
use dermaga_api::metrics::Metrics;
use dermaga_api::quota::{Exceeded, Quotas};
use dermaga_api::shared_store::SharedStore;
use dermaga_tests::{Answer, Backend, NOW, RedisServer, TestApp};
use entity::ids::AccountId;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

const QUERY: &str = "{ viewer { account } }";
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A server with a quota of so many times [`QUERY`] in a minute.
async fn with_quota(times: u64, redis: Option<&RedisServer>) -> TestApp {
    let cost = spent_by_query().await * times;
    let url = redis.map(RedisServer::url);
    let builder = TestApp::builder(Backend::Sqlite).settings(|settings| {
        settings.quota_cost = Some(cost.to_string());
        settings.redis_url = url;
    });
    builder.spawn().await
}

/// What [`QUERY`] costs.
async fn spent_by_query() -> u64 {
    let app =
        TestApp::builder(Backend::Sqlite).settings(|settings| settings.quota_cost = Some("1000000".to_owned())).spawn();
    app.await.graphql(QUERY).await.body["extensions"]["cost"]["requested"].as_u64().unwrap()
}

fn remaining(answer: &Answer) -> u64 {
    answer.body["extensions"]["cost"]["remaining"].as_u64().unwrap_or_else(|| panic!("no cost in {:#}", answer.body))
}

fn caller(account: u128, subject: &str) -> Caller {
    Caller {
        subject: subject.to_owned(),
        account: AccountId(Uuid::from_u128(account)),
        account_name: "somebody".to_owned(),
        time_zone: "UTC".parse().unwrap(),
        base_currency: Currency::eur(),
        role: Role::Viewer,
        expires_at: None,
    }
}

/// Counts ten in a minute, with the hand of its clock.
async fn quotas(redis: Option<&RedisServer>) -> (Quotas, Arc<AtomicI64>) {
    let micros = Arc::new(AtomicI64::new(NOW.timestamp_micros()));
    let told = Arc::clone(&micros);
    let clock = Clock::told_by(move || DateTime::from_timestamp_micros(told.load(Ordering::SeqCst)).unwrap());
    let store = match redis {
        Some(redis) => Some({
            let (url, patience) = (RedisUrl(redis.url()), Duration::from_secs(20));
            SharedStore::open(&url, patience, &Metrics::new().unwrap()).await.unwrap()
        }),
        None => None,
    };
    (Quotas::new(Quota { cost: 10, window: Duration::from_secs(60) }, store, clock), micros)
}

/// Runs a test on the counters of a process, and on those in Redis where it is there.
async fn on_both(test: impl AsyncFn(Quotas, Arc<AtomicI64>)) {
    let (local, micros) = quotas(None).await;
    test(local, micros).await;
    if let Some(redis) = RedisServer::start() {
        let (shared, micros) = quotas(Some(&redis)).await;
        test(shared, micros).await;
    }
}

/// A client sees its budget shrink in each answer and can ask for it; without a quota there is none.
#[tokio::test]
async fn the_budget_is_shown() {
    let document = "{ cost { requested limit remaining resetAt } }";
    let app = TestApp::spawn(Backend::Sqlite).await;
    let answer = app.graphql(document).await;
    let requested = answer.at("/cost/requested").as_u64().unwrap();
    assert!(requested > 0);
    let none = json!({"requested": requested, "limit": null, "remaining": null, "resetAt": null});
    assert_eq!(answer.at("/cost"), &none);
    assert!(answer.body["extensions"].get("cost").is_none(), "{:#}", answer.body);

    // So much that what is spent here comes back in whole seconds: 60 of 6,000 in 0.6 s each.
    let app =
        TestApp::builder(Backend::Sqlite).settings(|settings| settings.quota_cost = Some("6000".to_owned())).spawn();
    let app = app.await;
    let first = app.graphql(document).await;
    let second = app.graphql(document).await;
    for (answer, times) in [(&first, 1), (&second, 2)] {
        let cost = answer.at("/cost");
        assert_eq!(cost["limit"], 6_000);
        assert_eq!(cost["remaining"], 6_000 - times * requested);
        let reset: chrono::DateTime<chrono::Utc> = cost["resetAt"].as_str().unwrap().parse().unwrap();
        assert_eq!((reset - NOW).num_milliseconds(), i64::try_from(times * requested * 10).unwrap());
        let shown = &answer.body["extensions"]["cost"];
        assert_eq!((&shown["requested"], &shown["limit"]), (&cost["requested"], &cost["limit"]));
        assert_eq!(shown["remaining"], cost["remaining"]);
    }
}

/// A spent quota is told in the way of HTTP and in that of GraphQL, and the time to come back is the right one.
#[tokio::test]
async fn what_is_spent_is_429_with_a_time_to_come_back() {
    let app = with_quota(2, None).await;
    let cost = remaining(&app.graphql(QUERY).await);
    assert_eq!(remaining(&app.graphql(QUERY).await), 0);
    for accept in ["application/json", "application/graphql-response+json"] {
        let request = app.client().post(format!("{}/graphql", app.address)).header("accept", accept);
        let response = request.json(&json!({"query": QUERY})).send().await.unwrap();
        assert_eq!(response.status(), 429);
        // Half of the window brings back half of the quota.
        assert_eq!(response.headers()["retry-after"], "30");
        assert_eq!(response.headers()["content-type"], format!("{accept}; charset=utf-8"));
        assert_eq!(response.headers()["cache-control"], "private, no-store");
        let body: Value = response.json().await.unwrap();
        let expected = json!({"code": "RATE_LIMITED", "remaining": 0, "retryAfterSeconds": 30});
        assert_eq!(body["errors"][0]["extensions"], expected);
        assert!(body.get("data").is_none());
    }
    // `Retry-After` is true: not a second earlier.
    app.clock.advance(29);
    assert_eq!(app.graphql(QUERY).await.status, 429);
    app.clock.advance(1);
    assert_eq!(app.graphql(QUERY).await.status, 200);
    assert_eq!(app.graphql(QUERY).await.status, 429);
    app.clock.advance(600);
    assert_eq!(remaining(&app.graphql(QUERY).await), cost, "never more than the quota");
}

/// What the guard refuses has cost nothing; what fails validation has cost the work.
#[tokio::test]
async fn refusals_are_free_and_failures_are_not() {
    let app = with_quota(100, None).await;
    let full = remaining(&app.graphql(QUERY).await);
    let unknown = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0".repeat(64)}}});
    let deep = format!("{{{}", "a{".repeat(50));
    for body in [json!({"query": "{"}), json!({"query": deep}), json!({}), json!([]), unknown] {
        assert_eq!(app.send(&body).await.codes().len(), 1);
    }
    let cost = spent_by_query().await;
    assert_eq!(remaining(&app.graphql(QUERY).await), full - cost);
    let invalid = app.graphql("{ colour }").await;
    assert_eq!(invalid.codes(), ["GRAPHQL_VALIDATION_FAILED"]);
    assert!(remaining(&invalid) < full - cost, "{:#}", invalid.body);
}

/// Whoever changes the address is still the same subject.
#[tokio::test]
async fn another_address_is_no_way_around() {
    let app = with_quota(1, None).await;
    assert_eq!(app.graphql(QUERY).await.status, 200);
    let elsewhere = reqwest::Client::builder().no_proxy().local_address(IpAddr::from([127, 0, 0, 2])).build().unwrap();
    let request = elsewhere.post(format!("{}/graphql", app.address)).json(&json!({"query": QUERY}));
    assert_eq!(request.send().await.unwrap().status(), 429);
}

/// Both the subject and the address have to have enough, and when one has not the other pays nothing.
#[tokio::test]
async fn subjects_and_addresses_are_apart() {
    on_both(async |quotas, _| {
        let address = |last| IpAddr::from([192, 0, 2, last]);
        let (anna, budi) = (caller(1, "anna"), caller(1, "budi"));
        assert_eq!(quotas.spend(&anna, address(1), 10).await.unwrap().unwrap().remaining, 0);
        assert!(quotas.spend(&anna, address(2), 1).await.is_err(), "the subject has spent all");
        assert!(quotas.spend(&budi, address(1), 1).await.is_err(), "so has the address");
        // The same name in another account is somebody else, and the refusals above have cost nobody anything.
        assert_eq!(quotas.spend(&budi, address(2), 4).await.unwrap().unwrap().remaining, 6);
        assert_eq!(quotas.spend(&caller(2, "anna"), address(2), 4).await.unwrap().unwrap().remaining, 2);
        let Err(Exceeded::Spent { budget, .. }) = quotas.spend(&budi, address(2), 3).await else { panic!() };
        assert_eq!(budget.remaining, 2, "what the poorer of the two has left");
        // Two addresses of one /64 are one.
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(quotas.spend(&caller(3, "a"), v6("2001:db8::1"), 10).await.is_ok());
        assert!(quotas.spend(&caller(3, "b"), v6("2001:db8::ffff:1"), 1).await.is_err());
        assert!(quotas.spend(&caller(3, "b"), v6("2001:db8:0:1::1"), 1).await.is_ok());
    })
    .await;
}

/// What was spent flows back evenly, to the same microsecond in a process and in Redis.
#[tokio::test]
async fn what_was_spent_flows_back() {
    on_both(async |quotas, micros| {
        let anna = caller(1, "anna");
        let pass = |time: i64| micros.fetch_add(time, std::sync::atomic::Ordering::SeqCst);
        assert!(quotas.spend(&anna, ADDRESS, 10).await.is_ok());
        pass(5_999_999);
        let Err(Exceeded::Spent { budget, retry_after }) = quotas.spend(&anna, ADDRESS, 1).await else { panic!() };
        assert_eq!((budget.remaining, retry_after), (0, Duration::from_secs(1)));
        pass(1);
        let budget = quotas.spend(&anna, ADDRESS, 1).await.unwrap().unwrap();
        assert_eq!((budget.remaining, (budget.reset_at - NOW).num_seconds()), (0, 66));
        // Half of one is not lost between two that are refused.
        pass(3_000_000);
        assert!(quotas.spend(&anna, ADDRESS, 1).await.is_err());
        pass(3_000_000);
        assert!(quotas.spend(&anna, ADDRESS, 1).await.is_ok());
        let Err(Exceeded::Spent { retry_after, .. }) = quotas.spend(&anna, ADDRESS, 10).await else { panic!() };
        assert_eq!(retry_after, Duration::from_secs(60));
        pass(3_600_000_000);
        assert_eq!(quotas.spend(&anna, ADDRESS, 1).await.unwrap().unwrap().remaining, 9);
        let never = Exceeded::Never { cost: 11, limit: 10 };
        assert_eq!(quotas.spend(&anna, ADDRESS, 11).await, Err(never));
        assert_eq!(quotas.spend(&anna, ADDRESS, 0).await.unwrap().unwrap().remaining, 9);
    })
    .await;
}

/// An operation beyond the whole quota is told so, and not to come back: its client would come back for ever.
#[test]
fn too_much_for_any_window_is_no_matter_of_time() {
    let refusal = dermaga_api::pipeline::Refusal::quota(&Exceeded::Never { cost: 11, limit: 10 });
    assert_eq!((refusal.status, refusal.retry_after), (None, None));
    assert_eq!(refusal.error.code, "OPERATION_TOO_COMPLEX");
    assert!(refusal.errors().to_string().contains("costs 11, which is more than the whole quota of 10"));
}

/// 64 at once, over and over: exactly as many pass as the quota has.
#[tokio::test]
async fn nobody_overspends_at_the_same_time() {
    let app = with_quota(20, None).await;
    let answers = join_all((0..64).map(|_| app.graphql(QUERY))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 20);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 44);
}

/// Three replicas over one Redis are one: together they let through exactly what one would.
#[tokio::test]
async fn replicas_cannot_overspend() {
    let Some(redis) = RedisServer::start() else { return };
    let apps =
        [with_quota(20, Some(&redis)).await, with_quota(20, Some(&redis)).await, with_quota(20, Some(&redis)).await];
    let answers = join_all((0..96).map(|number| apps[number % 3].graphql(QUERY))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 20);
    for app in &apps {
        app.clock.advance(30);
    }
    let answers = join_all((0..96).map(|number| apps[number % 3].graphql(QUERY))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 10, "half of a window later, half of it");
    let mut connection = redis.connection().await;
    let keys: Vec<String> = redis::AsyncCommands::keys(&mut connection, "*").await.unwrap();
    assert_eq!(keys.len(), 2, "{keys:?}");
    for key in &keys {
        let lives: i64 = redis::AsyncCommands::pttl(&mut connection, key).await.unwrap();
        assert!((1..=60_000).contains(&lives), "{key} lives for {lives} ms");
    }
}

/// When Redis is gone each replica counts for itself: nobody is locked out, and nobody is let loose.
#[tokio::test]
async fn without_redis_each_counts_for_itself() {
    let Some(mut redis) = RedisServer::start() else { return };
    let app = with_quota(5, Some(&redis)).await;
    assert_eq!(app.graphql(QUERY).await.status, 200);
    redis.kill();
    let answers = join_all((0..16).map(|_| app.graphql(QUERY))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 5);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 11);
}

/// Something else in the place of a bucket is as good as nothing, and locks nobody out.
#[tokio::test]
async fn other_values_in_redis_lock_nobody_out() {
    let Some(redis) = RedisServer::start() else { return };
    let (quotas, _) = quotas(Some(&redis)).await;
    let anna = caller(1, "anna");
    assert!(quotas.spend(&anna, ADDRESS, 1).await.is_ok());
    let mut connection = redis.connection().await;
    let keys: Vec<String> = redis::AsyncCommands::keys(&mut connection, "*").await.unwrap();
    assert_eq!(keys.len(), 2, "{keys:?}");
    for value in ["x", "", "1", "-1:5", "10:9000000000000000", "99999999999999999999:1", "1e3:1"] {
        for key in &keys {
            let _: () = redis::AsyncCommands::set(&mut connection, key, value).await.unwrap();
        }
        assert_eq!(quotas.spend(&anna, ADDRESS, 1).await.unwrap().unwrap().remaining, 9, "{value}");
    }
    for key in &keys {
        let _: () = redis::AsyncCommands::del(&mut connection, key).await.unwrap();
        let _: () = redis::AsyncCommands::rpush(&mut connection, key, "x").await.unwrap();
    }
    // An error of Redis: counted here, from a full bucket.
    assert_eq!(quotas.spend(&anna, ADDRESS, 1).await.unwrap().unwrap().remaining, 9);
    assert_eq!(quotas.spend(&anna, ADDRESS, 1).await.unwrap().unwrap().remaining, 8);
}
