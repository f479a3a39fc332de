//! The cache as clients and operators meet it.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use dermaga_tests::{
    Answer, Backend, RedisServer, TestApp, TestAppBuilder, each_database, insert_payments, new_receipt, read_answer,
    writers,
};
use redis::AsyncCommands;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::{Value, json};

use crate::deadlines::until_waiting;

/// Where the keys of an answer came from: memory, shared, joined, database.
fn from(answer: &Answer) -> [u64; 4] {
    let batches = answer.body["extensions"]["profile"]["batches"].as_array().unwrap();
    ["memory", "shared", "joined", "database"]
        .map(|name| batches.iter().map(|batch| batch["from"][name].as_u64().unwrap()).sum())
}

/// A server with a cache, whatever the suite is run with.
fn cached(backend: Backend) -> TestAppBuilder {
    TestApp::builder(backend).settings(|settings| settings.cache = Some("on".to_owned()))
}

/// The server answers from its cache from now on.
async fn until_it_hears(app: &TestApp) {
    app.until_metric("dermaga_cache_hears", 1).await;
}

/// Asks until the answer has the wanted value at a place.
async fn until(app: &TestApp, query: &str, at: &str, wanted: &Value) {
    let start = Instant::now();
    loop {
        let answer = app.graphql(query).await;
        if answer.at(at) == wanted {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{query}: {} at {at}, not {wanted}", answer.at(at));
    }
}

each_database! {
    /// What was answered once is answered again without the database, until it changes.
    async fn what_was_answered_is_kept_until_it_changes(backend: Backend) {
        let app = cached(backend).spawn().await;
        until_it_hears(&app).await;
        let debt = app.debt("INV-1").await;
        let id = debt.payment_id();
        let query = format!(
            "{{ payment(id: \"{id}\") {{ version installments {{ nodes {{ sequence }} }} receipts {{ nodes {{ id }} }} }}
                payments(first: 10) {{ nodes {{ version }} totalCount }} }}"
        );
        app.graphql(&query).await;
        let first = app.graphql(&query).await;
        let again = app.graphql(&query).await;
        assert_eq!((again.data(), again.statements()), (first.data(), 0), "{:#}", again.body);
        assert_eq!(from(&again), [5, 0, 0, 0]);

        app.change("recordReceipt", new_receipt(&id, "100")).await.done();
        let after = app.graphql(&query).await;
        assert_eq!(after.at("/payment/version"), 2);
        assert_eq!(after.at("/payments/nodes/0/version"), 2);
        assert_eq!(after.at("/payment/receipts/nodes").as_array().unwrap().len(), 1);
    }

    /// Somebody writes with a prompt of his own: every table that answers are made of is heard of.
    async fn what_others_write_is_seen(backend: Backend) {
        let app = cached(backend).spawn().await;
        until_it_hears(&app).await;
        let debt = app.debt("INV-1").await;
        let id = debt.payment_id();
        let receipt = app.change("recordReceipt", new_receipt(&id, "100")).await.done();
        let receipt_id = receipt.receipt_id();
        let payment = format!("{{ payment(id: \"{id}\") ");
        let cases: [(&str, String, &str, Value); 8] = [
            ("UPDATE payment SET payer_name = 'Somebody'", format!("{payment} {{ payerName }} }}"), "/payment/payerName", json!("Somebody")),
            ("UPDATE payment SET payer_name = 'Nobody'", "{ payments { nodes { payerName } } }".to_owned(), "/payments/nodes/0/payerName", json!("Nobody")),
            ("UPDATE installment SET settled_at = '2026-10-30T12:00:00+00:00'", format!("{payment} {{ installments(first: 1) {{ nodes {{ settledAt }} }} }} }}"), "/payment/installments/nodes/0/settledAt", json!("2026-10-30T12:00:00Z")),
            ("UPDATE installment_plan SET count = 77", format!("{payment} {{ plan {{ count }} }} }}"), "/payment/plan/count", json!(77)),
            ("UPDATE receipt SET method = 'PIGEON'", format!("{payment} {{ receipts {{ nodes {{ method }} }} }} }}"), "/payment/receipts/nodes/0/method", json!("PIGEON")),
            ("UPDATE allocation SET amount = 7", format!("{{ node(id: \"{receipt_id}\") {{ ... on Receipt {{ allocations {{ amount {{ amount }} }} }} }} }}"), "/node/allocations/0/amount/amount", json!("0.07")),
            ("UPDATE payment_event SET actor = 'somebody'", format!("{payment} {{ events {{ nodes {{ actor }} }} }} }}"), "/payment/events/nodes/0/actor", json!("somebody")),
            ("UPDATE commodity SET description_en = 'Chocolate to be' WHERE code = '180100'", "{ commodity(code: \"1801.00\") { description } }".to_owned(), "/commodity/description", json!("Chocolate to be")),
        ];
        for (sql, query, at, wanted) in cases {
            // In memory for certain, and not for want of having been asked for.
            for _ in 0..2 {
                assert_ne!(app.graphql(&query).await.at(at), &wanted, "{sql}");
            }
            app.database.write(async |transaction| transaction.execute_unprepared(sql).await).await.unwrap();
            until(&app, &query, at, &wanted).await;
        }
        let rate = "{ currencyRate(base: \"EUR\", quote: \"USD\", date: \"2026-10-30\") { ... on CurrencyRate { rate source { name } } } }";
        app.graphql(rate).await;
        let sql = "UPDATE currency_rate SET rate = '1.25' WHERE quote = 'USD' AND effective_date = '2026-10-30'";
        app.database.write(async |transaction| transaction.execute_unprepared(sql).await).await.unwrap();
        until(&app, rate, "/currencyRate/rate", &json!("1.25")).await;
        let sql = "UPDATE rate_source SET name = 'A bank'";
        app.database.write(async |transaction| transaction.execute_unprepared(sql).await).await.unwrap();
        until(&app, rate, "/currencyRate/source/name", &json!("A bank")).await;
    }

    /// A payment that somebody else creates, changes and removes: absence and presence are both forgotten.
    async fn what_comes_and_goes_is_seen(backend: Backend) {
        let app = cached(backend).spawn().await;
        until_it_hears(&app).await;
        let (payment, installments) = app.payment().reference("THEIRS").rows();
        let query = "{ payment(reference: \"THEIRS\") { version } payments { totalCount } }";
        for _ in 0..2 {
            assert_eq!(app.graphql(query).await.data(), &json!({"payment": null, "payments": {"totalCount": 0}}));
        }
        insert_payments(&app.database, vec![(payment, installments)]).await;
        until(&app, query, "/payments/totalCount", &json!(1)).await;
        until(&app, query, "/payment/version", &json!(1)).await;
        for table in ["installment", "payment"] {
            let sql = format!("DELETE FROM {table}");
            app.database.write(async |transaction| transaction.execute_unprepared(&sql).await).await.unwrap();
        }
        until(&app, query, "/payment", &Value::Null).await;
        until(&app, query, "/payments/totalCount", &json!(0)).await;
    }

    /// A server that stops answers what it has begun to read. What others write meanwhile is still heard of.
    async fn a_server_hears_until_its_last_answer(backend: Backend) {
        let app = cached(backend).settings(|settings| settings.operations_listen = Some("127.0.0.1:0".to_owned()));
        let app = app.spawn().await;
        let metrics = format!("http://127.0.0.1:{}/metrics", app.operations_port.unwrap());
        let until_heard_twice = async || {
            let (mut before, start) = (None, Instant::now());
            loop {
                let text = app.client().get(&metrics).send().await.unwrap().text().await.unwrap();
                let line = text.lines().find_map(|line| line.strip_prefix("dermaga_cache_heard_seconds_count "));
                let heard = line.map_or(0, |count| count.parse::<u64>().unwrap());
                if heard >= *before.get_or_insert(heard) + 2 {
                    return;
                }
                assert!(start.elapsed() < Duration::from_secs(20), "the server does not hear of changes");
            }
        };
        until_heard_twice().await;
        let query = "{ payments { totalCount } }";
        for _ in 0..2 {
            assert_eq!(app.graphql(query).await.at("/payments/totalCount"), 0);
        }

        let body = json!({ "query": query }).to_string();
        let (first, rest) = body.split_at(body.len() / 2);
        let head = format!(
            "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(app.address.trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(format!("{head}{first}").as_bytes()).unwrap();
        assert!(read_answer(&mut stream).0.starts_with("HTTP/1.1 100 "));
        let meanwhile = async {
            let (payment, installments) = app.payment().reference("THEIRS").rows();
            insert_payments(&app.database, vec![(payment, installments)]).await;
            until_heard_twice().await;
            stream.write_all(rest.as_bytes()).unwrap();
            read_answer(&mut stream)
        };
        // The stop is told before anything is written.
        let ((), (head, answer)) = tokio::join!(app.stop(), meanwhile);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer, json!({"data": {"payments": {"totalCount": 1}}}));
    }

    /// The layer can be left out.
    async fn off_is_off(backend: Backend) {
        let app = TestApp::builder(backend).settings(|settings| settings.cache = Some("off".to_owned())).spawn().await;
        for _ in 0..2 {
            let answer = app.graphql("{ commodity(code: \"1801.00\") { code } }").await;
            assert_eq!((answer.statements(), from(&answer)), (1, [0, 0, 0, 1]));
        }
    }
}

/// Two replicas over PostgreSQL and one Redis: what one has read the other need not, and what one changes the other
/// hears of.
#[tokio::test]
async fn replicas_share_answers() {
    let Some((app, other, _redis)) = replicas().await else { return };
    let id = app.debt("INV-1").await.payment_id();
    let query = format!("{{ payment(id: \"{id}\") {{ version installments {{ nodes {{ sequence }} }} }} }}");
    app.graphql(&query).await;
    until_shared(&other, &query).await;
    let version = json!(2);
    app.change("recordReceipt", new_receipt(&id, "100")).await.done();
    until(&other, &query, "/payment/version", &version).await;
    assert_eq!(app.graphql(&query).await.at("/payment/version"), &version);
}

/// Redis hangs, loses everything, refuses all writes for want of room, or holds nonsense: answers stay right, and come.
#[tokio::test]
async fn trouble_with_redis_is_a_miss() {
    let Some((app, other, mut redis)) = replicas().await else { return };
    let id = app.debt("INV-1").await.payment_id();
    let query = format!("{{ payment(id: \"{id}\") {{ version }} }}");
    let mut version = 1;
    let mut change_and_see = async |what: &str| {
        app.change("recordReceipt", new_receipt(&id, "1")).await.done();
        version += 1;
        assert_eq!(app.graphql(&query).await.at("/payment/version"), &json!(version), "{what}");
        until(&other, &query, "/payment/version", &json!(version)).await;
    };
    change_and_see("all is well").await;

    redis.pause();
    change_and_see("it hangs").await;
    redis.resume();
    change_and_see("it goes on").await;

    redis.kill();
    change_and_see("it is gone").await;
    redis.restart();
    change_and_see("it is back, and empty").await;

    let mut connection = redis.connection().await;
    let () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).query_async(&mut connection).await.unwrap();
    change_and_see("it is full").await;
    let () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(0).query_async(&mut connection).await.unwrap();
    change_and_see("it has room again").await;

    // Another release, or a mistake: what nobody here writes, with a version and without.
    for nonsense in [&b"\n"[..], b"", b"{}", b"{\"id\":1}", b"null"] {
        until_filled(&[&app, &other], &query, &mut connection).await;
        let keys: Vec<Vec<u8>> = connection.keys("*answer:*").await.unwrap();
        for key in &keys {
            let text: Vec<u8> = connection.get(key).await.unwrap_or_default();
            let version = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let (with, without) = ([version, b"\n", nonsense].concat(), nonsense.to_vec());
            for text in [with, without] {
                let () = connection.set(key, text).await.unwrap();
                other.cache.forget_memory();
                assert_eq!(other.graphql(&query).await.data(), app.graphql(&query).await.data());
            }
        }
    }
    change_and_see("after nonsense").await;
}

/// While replicas are replaced, two releases share one Redis: neither reads what the other wrote, and each keeps its own.
#[tokio::test]
async fn releases_share_a_redis_and_no_answers() {
    let Some((app, other, redis)) = replicas().await else { return };
    let mut connection = redis.connection().await;
    let id = app.debt("INV-1").await.payment_id();
    let query = format!("{{ payment(id: \"{id}\") {{ version }} }}");
    until_filled(&[&app, &other], &query, &mut connection).await;
    until_shared(&app, &query).await;

    // Everything is now as another release would have written it, were its name that.
    let mut theirs = Vec::new();
    let keys: Vec<Vec<u8>> = connection.keys("dermaga:*cache:*").await.unwrap();
    for key in keys {
        let release = env!("CARGO_PKG_VERSION").as_bytes();
        let at = key.windows(release.len()).position(|part| part == release);
        let at = at.expect("the release is a part of each key");
        let renamed = [&key[..at], b"9.9.9", &key[at + release.len()..]].concat();
        let () = connection.rename(&key, &renamed).await.unwrap();
        theirs.push(renamed);
    }
    assert!(theirs.len() > 1, "an answer and the versions of its tags");
    app.cache.forget_memory();
    let answer = app.graphql(&query).await;
    assert_eq!(answer.at("/payment/version"), 1);
    assert_eq!(from(&answer)[1..], [0, 0, 1], "{:#}", answer.body);

    app.change("recordReceipt", new_receipt(&id, "100")).await.done();
    until(&other, &query, "/payment/version", &json!(2)).await;
    for key in theirs {
        let there: bool = connection.exists(&key).await.unwrap();
        assert!(there, "{} is another release's", String::from_utf8_lossy(&key));
    }
}

/// Two servers over one PostgreSQL and one Redis, with little patience for it.
async fn replicas() -> Option<(TestApp, TestApp, RedisServer)> {
    if !Backend::postgres_is_there() {
        return None;
    }
    let redis = RedisServer::start()?;
    let url = redis.url();
    let with_redis = |builder: TestAppBuilder| {
        builder.settings(|settings| {
            settings.cache = Some("on".to_owned());
            settings.redis_url = Some(url.clone());
            settings.redis_timeout = Some("500".to_owned());
        })
    };
    let app = with_redis(cached(Backend::Postgres)).spawn().await;
    let other = with_redis(cached(Backend::Postgres)).beside(&app).spawn().await;
    until_it_hears(&app).await;
    until_it_hears(&other).await;
    Some((app, other, redis))
}

/// Asks until Redis has answered something that this server never read.
async fn until_shared(app: &TestApp, query: &str) {
    let start = Instant::now();
    loop {
        let answer = app.graphql(query).await;
        let [_, shared, _, database] = from(&answer);
        if shared > 0 && database == 0 {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "nothing came from Redis: {:#}", answer.body);
        app.cache.forget_memory();
    }
}

/// Asks servers until there are answers in Redis.
async fn until_filled(servers: &[&TestApp], query: &str, redis: &mut redis::aio::MultiplexedConnection) {
    let start = Instant::now();
    loop {
        for server in servers {
            server.cache.forget_memory();
            server.graphql(query).await;
        }
        let keys: Vec<Vec<u8>> = redis.keys("*answer:*").await.unwrap();
        if !keys.is_empty() {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "nothing was filled into Redis");
    }
}

/// The one connection is taken: who waits for it is told to come again, and soon.
#[tokio::test]
async fn a_pool_without_a_free_connection_says_so() {
    if !Backend::postgres_is_there() {
        return;
    }
    let app = cached(Backend::Postgres).settings(|settings| {
        settings.database_max_connections = Some("1".to_owned());
        settings.database_acquire_timeout = Some("1".to_owned());
    });
    let app = app.spawn().await;
    let id = writers::payment(&app, "INV-1", "1000").await;
    let database = sea_orm::Database::connect(&app.database_url).await.unwrap();
    let lock = database.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE payment IN ACCESS EXCLUSIVE MODE").await.unwrap();
    app.cache.flush().await;
    let query = json!({ "query": format!("{{ payment(id: \"{id}\") {{ version }} }}") });
    let ask = || app.client().post(format!("{}/graphql", app.address)).json(&query).send();
    let held = ask();
    let refused = async {
        // The first one has the connection once the database sees it wait.
        until_waiting(&database, 1).await;
        let other = json!({ "query": "{ payments { totalCount } }" });
        let answer = app.client().post(format!("{}/graphql", app.address)).json(&other).send().await.unwrap();
        lock.rollback().await.unwrap();
        answer
    };
    let (held, refused) = tokio::join!(held, refused);
    assert_eq!(refused.headers()["retry-after"], "1");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE");
    assert_eq!(body["errors"][0]["extensions"]["retryAfterSeconds"], 1);
    let held: Value = held.unwrap().json().await.unwrap();
    assert_eq!(held["data"]["payment"]["version"], 1);
    assert!(app.metric("dermaga_database_wait_seconds_count").await > 0);
}
