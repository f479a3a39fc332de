use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const START: DateTime<Utc> = DateTime::from_timestamp(1_793_361_600, 0).expect("a time");

/// A clock and the seconds that it is ahead of [`START`].
fn clock() -> (Clock, Arc<AtomicI64>) {
    let ahead = Arc::new(AtomicI64::new(0));
    let told = Arc::clone(&ahead);
    (Clock::told_by(move || START + TimeDelta::seconds(told.load(Ordering::SeqCst))), ahead)
}

/// An Ed25519 key of this name.
fn key(kid: &str) -> Value {
    let pair = Ed25519KeyPair::generate().unwrap();
    json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": URL_SAFE_NO_PAD.encode(pair.public_key())})
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

/// A plain server on loopback that gives the answers it is sent, one to each connection; a connection waits for its
/// answer. How many there were is counted.
struct Server {
    url: reqwest::Url,
    answers: mpsc::Sender<Vec<u8>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let (answers, next) = mpsc::channel::<Vec<u8>>();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                count.fetch_add(1, Ordering::SeqCst);
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap_or(0) == 0 {
                        break;
                    }
                    head.push(byte[0]);
                }
                let Ok(answer) = next.recv() else { return };
                // Whoever asked may have gone.
                let _ = stream.write_all(&answer);
            }
        });
        Self { url, answers, asked }
    }

    fn answer(&self, answer: Vec<u8>) {
        self.answers.send(answer).unwrap();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn source(&self) -> Source {
        Source::Url(source::client(Duration::from_secs(60)).no_proxy().build().unwrap(), self.url.clone())
    }
}

/// Keys of this server, read for the first time.
async fn open(server: &Server, keys: &[Value], clock: Clock) -> Arc<Jwks> {
    server.answer(ok(&set(keys)));
    Jwks::over(server.source(), JwksAlgorithm::EdDsa, Duration::from_secs(300), clock).await.unwrap()
}

/// Which of the keys `a`, `b` and `c` are held, without asking for any.
fn held(jwks: &Jwks) -> String {
    let keys = Arc::clone(&jwks.held().keys);
    ["a", "b", "c"].into_iter().filter(|kid| keys.find(Some(kid)).is_some()).collect()
}

/// Only keys that were made for this are used; what else is in a set does no harm.
#[test]
fn keys_for_something_else_are_left_out() {
    let with = |name: &str, value: Value| {
        let mut key = key("a");
        key[name] = value;
        key
    };
    for (fits, key) in [
        (true, key("a")),
        (true, with("alg", json!("EdDSA"))),
        (true, with("use", json!("sig"))),
        (true, with("key_ops", json!(["verify"]))),
        (true, with("x5c", json!(["what", "ever"]))),
        (false, with("alg", json!("RS256"))),
        (false, with("alg", json!("HS256"))),
        (false, with("alg", json!(5))),
        (false, with("use", json!("enc"))),
        (false, with("key_ops", json!(["sign"]))),
        (false, with("kty", json!("RSA"))),
        (false, with("crv", json!("X25519"))),
        (false, with("crv", Value::Null)),
        (false, with("x", json!("AAAA"))),
        (false, with("x", json!("not base64"))),
        (false, with("x", Value::Null)),
        (false, json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"})),
        (false, json!("a")),
    ] {
        let keys = KeySet::parse(set(std::slice::from_ref(&key)).as_bytes(), JwksAlgorithm::EdDsa).unwrap();
        assert_eq!(keys.find(Some("a")).is_some(), fits, "{key}");
    }
    let rsa = |bytes: usize| {
        let n = URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        KeySet::parse(set(&[json!({"kty": "RSA", "n": n, "e": "AQAB"})]).as_bytes(), JwksAlgorithm::Rs256).unwrap()
    };
    assert!(rsa(128).is_empty() && !rsa(256).is_empty(), "an RSA key that can be broken");
    for text in ["", "null", "[]", "{}", "{\"keys\": {}}", "{\"keys\": [", "<html>"] {
        assert!(KeySet::parse(text.as_bytes(), JwksAlgorithm::EdDsa).is_err(), "{text}");
    }
}

/// A token without a key's name is for the only key there is; which of two it means cannot be guessed.
#[test]
fn a_token_may_leave_out_the_name_of_the_only_key() {
    let parse = |keys: &[Value]| KeySet::parse(set(keys).as_bytes(), JwksAlgorithm::EdDsa).unwrap();
    assert!(parse(&[key("a")]).find(None).is_some());
    assert!(parse(&[key("a"), json!({"kty": "EC"})]).find(None).is_some(), "the other cannot be used");
    assert!(parse(&[key("a"), key("b")]).find(None).is_none());
    assert!(parse(&[]).find(None).is_none());
}

/// Whoever serves the keys may be slow, broken or somebody else: the server waits for little and takes little.
#[tokio::test]
async fn only_a_plain_short_answer_is_taken() {
    let server = Server::start();
    let client = source::client(Duration::from_secs(60)).no_proxy().build().unwrap();
    let fetch = async |answer: Vec<u8>| {
        server.answer(answer);
        source::fetch(&client, &server.url).await
    };
    assert_eq!(fetch(ok("{}")).await.unwrap(), b"{}");
    let moved = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", server.url);
    let huge = "x".repeat(source::MAX_BYTES + 1);
    for (answer, words) in [
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}".to_vec(), "status 500"),
        (b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), "status 204"),
        (moved.into_bytes(), "status 302"),
        (ok(&huge), "longer than 262144 bytes"),
        (format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{huge}").into_bytes(), "longer than 262144 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec(), "body"),
        (b"garbage\r\n\r\n".to_vec(), "request"),
        (Vec::new(), "request"),
    ] {
        let error = fetch(answer).await.unwrap_err();
        assert!(error.contains(words) && !error.contains("/keys"), "{words}: {error}");
    }
    assert_eq!(server.asked(), 9, "no redirect was followed");
    // Nothing is sent: the client gives up.
    let hasty = source::client(Duration::from_millis(50)).no_proxy().build().unwrap();
    let error = source::fetch(&hasty, &server.url).await.unwrap_err();
    assert!(error.contains("timed out"), "{error}");
}

/// A source that cannot be used is named at the start, and its password and query are not.
#[tokio::test]
async fn a_source_is_named_without_its_credentials() {
    let (clock, _) = clock();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let path = file.to_str().unwrap();
    let open = async |from: &str| {
        let opened = Jwks::open(from, JwksAlgorithm::EdDsa, Duration::from_secs(300), clock.clone()).await;
        let Err(Error::Internal(cause)) = opened else { panic!("{from} was taken") };
        cause.to_string()
    };
    assert!(open(path).await.contains(path), "it is not there");
    for (text, words) in [("<html>", "no JSON Web Key Set"), ("{\"keys\": []}", "no key for EdDSA")] {
        std::fs::write(&file, text).unwrap();
        let message = open(path).await;
        assert!(message.contains(words) && message.contains(path), "{message}");
    }
    std::fs::write(&file, vec![b' '; source::MAX_BYTES + 1]).unwrap();
    assert!(open(path).await.contains("longer"));
    // Nobody listens on port 1.
    let message = open("https://user:hunter2@127.0.0.1:1/keys?key=hunter3").await;
    assert!(message.contains("https://127.0.0.1:1/keys") && !message.contains("hunter"), "{message}");
    let message = open("http://user:hunter2@127.0.0.1:1/keys").await;
    assert!(message.contains("https") && !message.contains("hunter"), "{message}");
    assert!(!open("what://user:hunter2@").await.contains("hunter"));
}

/// Keys that are due are read beside the requests, which go on with the old ones; then the new ones count.
#[tokio::test]
async fn keys_are_read_again_and_nobody_waits() {
    let server = Server::start();
    let (clock, ahead) = clock();
    let jwks = open(&server, &[key("a"), key("b")], clock).await;
    ahead.store(299, Ordering::SeqCst);
    assert!(jwks.current(Some("a")).await.find(Some("a")).is_some());
    assert!(jwks.reading.try_lock().is_ok(), "it is not due");
    ahead.store(300, Ordering::SeqCst);
    // The server gives no answer yet.
    for _ in 0..3 {
        assert!(jwks.current(Some("a")).await.find(Some("a")).is_some());
        assert!(jwks.reading.try_lock().is_err(), "being read");
    }
    server.answer(ok(&set(&[key("b"), key("c")])));
    drop(jwks.reading.lock().await);
    assert_eq!((held(&jwks).as_str(), server.asked()), ("bc", 2));
    // The one that is gone stays gone, and asks for no other reading so soon.
    assert!(jwks.current(Some("a")).await.find(Some("a")).is_none());
    assert_eq!(server.asked(), 2);
}

/// While the keys cannot be read the old ones are used; it is tried again soon, and not with each request.
#[tokio::test]
async fn old_keys_are_used_while_there_are_no_new_ones() {
    let server = Server::start();
    let (clock, ahead) = clock();
    let jwks = open(&server, &[key("a")], clock).await;
    let bad = [
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ok("<html>"),
        ok(&"x".repeat(source::MAX_BYTES + 1)),
        Vec::new(),
    ];
    let mut asked = 1;
    for (seconds, answer) in (300..).step_by(10).zip(bad) {
        ahead.store(seconds, Ordering::SeqCst);
        for _ in 0..3 {
            assert!(jwks.current(Some("a")).await.find(Some("a")).is_some());
        }
        server.answer(answer);
        drop(jwks.reading.lock().await);
        asked += 1;
        assert_eq!((held(&jwks).as_str(), server.asked()), ("a", asked));
        assert!(jwks.held().failing);
    }
    ahead.store(340, Ordering::SeqCst);
    jwks.current(Some("a")).await;
    server.answer(ok(&set(&[key("b")])));
    drop(jwks.reading.lock().await);
    assert_eq!(held(&jwks), "b");
    assert!(!jwks.held().failing);
}

/// A new key works as soon as a token names it; a flood of names that nobody knows asks six times a minute.
#[tokio::test]
async fn an_unknown_key_is_looked_for_once() {
    let server = Server::start();
    let (clock, ahead) = clock();
    let jwks = open(&server, &[key("a")], clock).await;
    for kid in ["b", "c", "d"] {
        assert!(jwks.current(Some(kid)).await.find(Some(kid)).is_none());
    }
    assert_eq!(server.asked(), 1, "the keys are less than ten seconds old");
    ahead.store(10, Ordering::SeqCst);
    server.answer(ok(&set(&[key("a"), key("b")])));
    // All of them wait for the same reading.
    let kids = ["b", "x", "b", "y", "b"];
    let found = futures_util::future::join_all(kids.map(|kid| jwks.current(Some(kid)))).await;
    let found = found.iter().zip(kids).map(|(keys, kid)| keys.find(Some(kid)).is_some());
    assert_eq!(found.collect::<Vec<_>>(), [true, false, true, false, true]);
    assert_eq!(server.asked(), 2);
    for kid in 0..1_000 {
        jwks.current(Some(&kid.to_string())).await;
    }
    assert_eq!(server.asked(), 2);
}

/// A caller that goes away while it waits does not take the reading with it.
#[tokio::test]
async fn a_reading_outlives_who_asked_for_it() {
    let server = Server::start();
    let (clock, ahead) = clock();
    let jwks = open(&server, &[key("a")], clock).await;
    ahead.store(10, Ordering::SeqCst);
    let waiting = futures_util::future::poll_immediate(jwks.current(Some("b"))).await;
    assert!(waiting.is_none(), "it waits, and is dropped");
    server.answer(ok(&set(&[key("b")])));
    drop(jwks.reading.lock().await);
    assert_eq!(held(&jwks), "b");
}

/// A clock that is set back does not keep keys that were taken away.
#[tokio::test]
async fn a_clock_that_is_set_back_makes_keys_due() {
    let server = Server::start();
    let (clock, ahead) = clock();
    let jwks = open(&server, &[key("a")], clock).await;
    ahead.store(-86_400, Ordering::SeqCst);
    jwks.current(Some("a")).await;
    server.answer(ok(&set(&[key("b")])));
    drop(jwks.reading.lock().await);
    assert_eq!(held(&jwks), "b");
}
