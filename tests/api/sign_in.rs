//! Sign-in: which tokens let somebody in, and what all the others are told.

use std::path::Path;

use dermaga_tests::{AUDIENCE, Backend, SECRET, SigningKey, TestApp, TestAppBuilder, each_database};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

const WHO: &str = "{ viewer { subject account role } }";

each_database! {
    /// Somebody with a good token is who it says, in the account that it names, and sees nothing of another.
    async fn a_token_says_who_is_asking(backend: Backend) {
        let app = signed_in(backend).await;
        let other = app.other_account("other").await;
        app.payment().reference("OURS").create(&app.database).await;
        app.payment().account(other).reference("THEIRS").create(&app.database).await;
        let query = "{ viewer { subject account role } payments { nodes { reference } } }";
        for (account, role, reference) in [("demo", "VIEWER", "OURS"), ("other", "CLERK", "THEIRS")] {
            let answer = app.session(account, role).graphql(query).await;
            let viewer = json!({"subject": "tester", "account": account, "role": role});
            assert_eq!(answer.data(), &json!({"viewer": viewer, "payments": {"nodes": [{"reference": reference}]}}));
            assert!(answer.body.get("extensions").is_none(), "only administrators get a profile");
        }
        assert!(app.graphql(query).await.body["extensions"]["profile"].is_object());
    }

    /// A body, a status and a challenge that a client library understands, whichever media type it asked for.
    async fn nobody_comes_in_without_a_token(backend: Backend) {
        let app = signed_in(backend).await;
        for media in ["application/json", "application/graphql-response+json"] {
            let body = json!({ "query": WHO });
            let request = app.client().post(format!("{}/graphql", app.address)).header("accept", media).json(&body);
            let response = request.send().await.unwrap();
            assert_eq!((response.status().as_u16(), challenges(&response)), (401, vec!["Bearer"]));
            let body: Value = response.json().await.unwrap();
            let error = json!({"message": "no token was sent", "extensions": {"code": "UNAUTHENTICATED"}});
            assert_eq!(body, json!({ "errors": [error] }), "{media}");
        }
        let response = app.get("/graphql?query=%7B__typename%7D").await;
        assert_eq!((response.status().as_u16(), challenges(&response)), (401, vec!["Bearer"]));
        assert_eq!(app.get("/health/live").await.status(), 200, "nobody signs in to ask whether it is well");
    }

    /// A subject may be any text that people have for names, as long as it is one.
    async fn subjects_are_texts(backend: Backend) {
        let app = signed_in(backend).await;
        let longest = "é".repeat(255);
        for subject in ["x", "budi@example.id", "Ayu \"Tuti\" \u{1f600}", &longest] {
            let session = app.session_with(&app.token().claim("sub", subject).build());
            assert_eq!(session.graphql(WHO).await.text("/viewer/subject"), subject);
        }
        for bad in [json!(""), json!("é".repeat(256)), json!(5), json!(null), json!(["x"])] {
            refused(&app, &app.token().claim("sub", bad).build(), "not valid").await;
        }
    }

    /// Clocks differ a little, tokens do not last for ever. The clock is the server's own.
    async fn tokens_are_good_for_their_time(backend: Backend) {
        let app = signed_in(backend).await;
        let now = dermaga_tests::NOW.timestamp();
        // The leeway is 30 seconds.
        for (good, token) in [
            (Ok(()), app.token().expires_in(1)),
            (Ok(()), app.token().expires_in(-29)),
            (Err("expired"), app.token().expires_in(-30)),
            (Err("expired"), app.token().expires_in(-31)),
            (Err("expired"), app.token().claim("exp", 0)),
            (Err("expired"), app.token().claim("exp", -1)),
            (Ok(()), app.token().claim("exp", json!(1_793_361_601.5))),
            (Err("not valid"), app.token().claim("exp", json!(1e300))),
            (Err("not valid"), app.token().claim("exp", i64::MAX)),
            (Err("not valid"), app.token().claim("exp", (now + 60).to_string())),
            (Err("not valid"), app.token().claim("exp", Value::Null)),
            (Err("not valid"), app.token().without("exp")),
            (Ok(()), app.token().claim("nbf", now)),
            (Ok(()), app.token().claim("nbf", now + 30)),
            (Err("not yet valid"), app.token().claim("nbf", now + 31)),
            (Err("not valid"), app.token().claim("nbf", "soon")),
            (Err("expired"), app.token().expires_in(-60).claim("nbf", now + 60)),
        ] {
            check(&app, &token.build(), good).await;
        }
        let token = app.token().expires_in(60).build();
        app.clock.advance(89);
        check(&app, &token, Ok(())).await;
        app.clock.advance(1);
        check(&app, &token, Err("expired")).await;
        // Only who could sign learns that a token was good once.
        let forged = app.token().expires_in(-60).sign(&SigningKey::Hmac(vec![b'x'; 32]));
        refused(&app, &forged, "not valid").await;
    }

    /// A token for another service, or from another one, is nothing here.
    async fn tokens_must_be_meant_for_here(backend: Backend) {
        let app = signed_in(backend).await;
        for (good, token) in [
            (true, app.token().claim("aud", json!([AUDIENCE]))),
            (true, app.token().claim("aud", json!(["another", AUDIENCE]))),
            (false, app.token().claim("aud", "another")),
            (false, app.token().claim("aud", AUDIENCE.to_uppercase())),
            (false, app.token().claim("aud", json!(["another"]))),
            (false, app.token().claim("aud", json!([]))),
            (false, app.token().claim("aud", json!([[AUDIENCE]]))),
            (false, app.token().claim("aud", json!({ AUDIENCE: true }))),
            (false, app.token().without("aud")),
            (false, app.token().claim("iss", "https://issuer.test/")),
            (false, app.token().claim("iss", json!([dermaga_tests::ISSUER]))),
            (false, app.token().without("iss")),
            (false, app.token().role("OWNER")),
            (false, app.token().role("admin")),
            (false, app.token().role("")),
            (false, app.token().claim("role", json!(["ADMIN"]))),
            (false, app.token().without("role")),
            (false, app.token().without("account")),
            (false, app.token().without("sub")),
        ] {
            check(&app, &token.build(), if good { Ok(()) } else { Err("not valid") }).await;
        }
    }

    /// Whether there is an account cannot be told from outside, and a new one is served soon after it is opened.
    async fn an_unknown_account_is_like_a_bad_token(backend: Backend) {
        let app = signed_in(backend).await;
        let token = |name: &str| app.token().account(name).build();
        for name in ["late", "", "Demo", "demo ", "d\u{e9}mo", "' OR ''='", &"x".repeat(64), "demo\0"] {
            refused(&app, &token(name), "not valid").await;
        }
        app.other_account("late").await;
        refused(&app, &token("late"), "not valid").await;
        app.clock.advance(5);
        check(&app, &token("late"), Ok(())).await;
    }

    /// Nobody signs for somebody else, whatever is changed in a token.
    async fn a_token_must_be_signed_with_the_secret(backend: Backend) {
        let app = signed_in(backend).await;
        let secret = SigningKey::Hmac(SECRET.into());
        let good = app.token().role("VIEWER").sign(&secret);
        check(&app, &good, Ok(())).await;
        let admin = app.token().sign(&secret);
        let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (viewer, admin) = (parts(&good), parts(&admin));
        let short = &viewer[2][..viewer[2].len() - 2];
        let bad = [
            format!("{}.{}.{}", viewer[0], admin[1], viewer[2]),
            format!("{}.{}.", viewer[0], viewer[1]),
            format!("{}.{}", viewer[0], viewer[1]),
            format!("{}.{}.{short}", viewer[0], viewer[1]),
            format!("{good}="),
            format!("{good}.{}", viewer[2]),
            format!(".{good}"),
            app.token().sign(&SigningKey::Hmac(SECRET.to_uppercase().into())),
            app.token().sign(&SigningKey::Hmac(Vec::new())),
            app.token().sign(&SigningKey::Nothing),
            app.token().header("alg", "None").sign(&SigningKey::Nothing),
            app.token().header("alg", "NONE").sign(&secret),
            app.token().header("alg", "HS384").sign(&secret),
            app.token().header("alg", "hs256").sign(&secret),
            app.token().header("alg", Value::Null).sign(&secret),
            app.token().header("alg", json!(["HS256"])).sign(&secret),
            app.token().sign(&SigningKey::ed25519()),
            app.token().header("alg", "HS256").sign(&SigningKey::ed25519()),
            app.token().header("crit", json!(["exp"])).sign(&secret),
            app.token().header("crit", json!([])).sign(&secret),
        ];
        for token in bad {
            refused(&app, &token, "not valid").await;
        }
        // What the header says beside is of no interest; above all, no key is taken from there.
        let other = SigningKey::ed25519();
        let with_key = app.token().header("jwk", other.jwk("x")).header("jku", "https://evil.test/keys");
        check(&app, &with_key.sign(&secret), Ok(())).await;
        refused(&app, &with_key.sign(&other), "not valid").await;
    }

    /// What is no token at all is refused as one, however large, and none of it comes back.
    async fn garbage_is_refused(backend: Backend) {
        let app = signed_in(backend).await;
        let good = app.token().build();
        let pad = |bytes: usize| {
            let with = |filler: &str| app.token().claim("filler", filler).build();
            with(&"x".repeat((bytes - with("").len()) * 3 / 4))
        };
        let (fits, huge) = (pad(8_192), pad(8_200));
        assert!((8_188..=8_192).contains(&fits.len()) && huge.len() > 8_192, "{} {}", fits.len(), huge.len());
        check(&app, &fits, Ok(())).await;
        for token in ["", ".", "..", "...", "x", "a.b.c", "e30.e30.", "e30.e30.e30", &huge, &"x".repeat(30_000)] {
            refused(&app, token, "not valid").await;
        }
        for authorization in [
            good.clone(),
            format!("Basic {good}"),
            format!("Bearer {good} {good}"),
            format!("Bearer {good}, Bearer {good}"),
            format!("Bearer,{good}"),
            format!("Bearer \"{good}\""),
            "Bearer".to_owned(),
            String::new(),
        ] {
            let response = send(&app, &[authorization.as_bytes()]).await;
            assert_eq!(response.status(), 401, "{authorization}");
            let text = response.text().await.unwrap();
            assert!(text.contains("the token is not valid") && !text.contains("eyJ"), "{text}");
        }
        assert_eq!(send(&app, &[format!("bEARER {good}").as_bytes()]).await.status(), 200);
        assert_eq!(send(&app, &[b"Bearer \xff\xfe"]).await.status(), 401);
        // Two of them are none, even the same one twice.
        let bearer = format!("Bearer {good}");
        for second in [bearer.as_bytes(), b"Bearer x", b"Basic x"] {
            assert_eq!(send(&app, &[bearer.as_bytes(), second]).await.status(), 401);
            assert_eq!(send(&app, &[second, bearer.as_bytes()]).await.status(), 401);
        }
    }

    /// A viewer looks and does not touch: refused before anything of the document is run.
    async fn a_viewer_cannot_write(backend: Backend) {
        let app = signed_in(backend).await;
        for document in ["mutation { x }", "query Q { __typename } mutation M { x }"] {
            let body = json!({ "query": document, "operationName": document.contains('Q').then_some("M") });
            assert_eq!(app.session("demo", "VIEWER").send(&body).await.codes(), ["FORBIDDEN"]);
            // There is no such mutation; that others are told so shows that they got further.
            for role in ["CLERK", "ADMIN"] {
                assert_ne!(app.session("demo", role).send(&body).await.codes(), ["FORBIDDEN"], "{role}");
            }
        }
        app.session("demo", "VIEWER").graphql(WHO).await.data();
    }

    /// A browser signs in on its own page: sign-in takes GraphiQL away, and whether the schema can be asked for.
    async fn sign_in_closes_what_is_for_trying_out(backend: Backend) {
        let app = signed_in(backend).await;
        assert_eq!(app.get("/").await.status(), 404);
    }

    /// A token is not thrown away because the database does not answer: that is nobody's fault who asks.
    async fn a_database_that_fails_is_not_the_tokens_fault(backend: Backend) {
        let app = signed_in(backend).await;
        let token = app.token().build();
        check(&app, &token, Ok(())).await;
        execute(&app, "ALTER TABLE account RENAME TO gone").await;
        check(&app, &token, Ok(())).await;
        app.clock.advance(30);
        let answer = app.session_with(&token).graphql(WHO).await;
        assert_eq!((answer.status, answer.codes()), (503, vec!["SERVICE_UNAVAILABLE"]));
        assert_eq!(answer.body["errors"][0]["extensions"]["retryAfterSeconds"], 1);
        // A bad one is bad all the same.
        refused(&app, "x", "not valid").await;
        execute(&app, "ALTER TABLE gone RENAME TO account").await;
        check(&app, &token, Ok(())).await;
    }

    /// Keys come and go. A new one works at once, one that is taken away stops working when the keys are due.
    async fn keys_of_a_file_rotate(backend: Backend) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        let (first, second) = (SigningKey::ed25519(), SigningKey::ed25519());
        write_keys(&file, &[first.jwk("first")]);
        let app = by_keys(backend, &file, "EdDSA").spawn().await;
        let token = |kid: &str, key: &SigningKey| app.token().expires_in(86_400).header("kid", kid).sign(key);
        let (by_first, by_second) = (token("first", &first), token("second", &second));
        check(&app, &by_first, Ok(())).await;
        check(&app, &app.token().sign(&first), Ok(())).await;
        check(&app, &by_second, Err("not valid")).await;
        // Added.
        write_keys(&file, &[first.jwk("first"), second.jwk("second")]);
        check(&app, &by_second, Err("not valid")).await;
        app.clock.advance(10);
        check(&app, &by_second, Ok(())).await;
        check(&app, &by_first, Ok(())).await;
        // Of two, which one is meant?
        check(&app, &app.token().sign(&first), Err("not valid")).await;
        check(&app, &token("second", &first), Err("not valid")).await;
        // Taken away. Whoever comes when the keys are due may be let in by the old ones, the next is not; a token
        // with an unknown key waits until they are read.
        write_keys(&file, &[second.jwk("second")]);
        app.clock.advance(59);
        check(&app, &by_first, Ok(())).await;
        app.clock.advance(1);
        check(&app, &by_first, Ok(())).await;
        check(&app, &token("third", &first), Err("not valid")).await;
        check(&app, &by_first, Err("not valid")).await;
        check(&app, &by_second, Ok(())).await;
        // Broken, then gone: the last good keys stay.
        for broken in ["<html>", ""] {
            std::fs::write(&file, broken).unwrap();
            app.clock.advance(60);
            check(&app, &token("third", &first), Err("not valid")).await;
            check(&app, &by_second, Ok(())).await;
        }
        std::fs::remove_file(&file).unwrap();
        app.clock.advance(60);
        check(&app, &token("third", &first), Err("not valid")).await;
        check(&app, &by_second, Ok(())).await;
    }

    /// The configuration says which algorithm, so that a public key cannot be taken for a secret.
    async fn the_algorithm_is_pinned(backend: Backend) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        let (rsa, other, ed) = (SigningKey::rsa(), SigningKey::rsa(), SigningKey::ed25519());
        write_keys(&file, &[rsa.jwk("rsa"), ed.jwk("ed"), json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0"})]);
        let app = by_keys(backend, &file, "RS256").spawn().await;
        let token = |kid: &str| app.token().header("kid", kid);
        check(&app, &token("rsa").sign(&rsa), Ok(())).await;
        check(&app, &app.token().sign(&rsa), Ok(())).await;
        let public = |bytes: &[u8]| SigningKey::Hmac(bytes.to_owned());
        let jwk = rsa.jwk("rsa");
        for bad in [
            token("rsa").sign(&public(&rsa.rsa_public_der())),
            token("rsa").sign(&public(jwk["n"].as_str().unwrap().as_bytes())),
            token("rsa").header("alg", "RS256").sign(&public(&rsa.rsa_public_der())),
            token("rsa").sign(&SigningKey::Nothing),
            token("rsa").sign(&other),
            token("rsa").header("alg", "RS512").sign(&rsa),
            token("rsa").header("alg", "PS256").sign(&rsa),
            token("ed").sign(&ed),
            token("ed").header("alg", "RS256").sign(&ed),
            token("oct").sign(&SigningKey::Hmac(b"secret".to_vec())),
            token("none").sign(&rsa),
            token("").sign(&rsa),
        ] {
            refused(&app, &bad, "not valid").await;
        }
        let app = by_keys(backend, &file, "EdDSA").spawn().await;
        check(&app, &app.token().header("kid", "ed").sign(&ed), Ok(())).await;
        refused(&app, &app.token().header("kid", "rsa").sign(&rsa), "not valid").await;
    }
}

async fn execute(app: &TestApp, sql: &str) {
    app.database.write(async |transaction| transaction.execute_unprepared(sql).await).await.unwrap();
}

async fn signed_in(backend: Backend) -> TestApp {
    TestApp::builder(backend).signed_in().spawn().await
}

/// With the public keys of a file, which are due after a minute.
fn by_keys(backend: Backend, file: &Path, algorithm: &str) -> TestAppBuilder {
    TestApp::builder(backend).signed_in().settings(|settings| {
        settings.auth_secret = None;
        settings.auth_jwks = Some(file.to_str().unwrap().to_owned());
        settings.auth_algorithm = Some(algorithm.to_owned());
        settings.auth_jwks_refresh = Some("60".to_owned());
    })
}

fn write_keys(file: &Path, keys: &[Value]) {
    std::fs::write(file, json!({ "keys": keys }).to_string()).unwrap();
}

async fn send(app: &TestApp, authorizations: &[&[u8]]) -> reqwest::Response {
    let mut request = app.client().post(format!("{}/graphql", app.address)).json(&json!({ "query": WHO }));
    for authorization in authorizations {
        request = request.header("authorization", *authorization);
    }
    request.send().await.unwrap()
}

fn challenges(response: &reqwest::Response) -> Vec<&str> {
    response.headers().get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

/// The token lets somebody in, or is refused with these words.
#[track_caller]
fn check<'a>(app: &'a TestApp, token: &'a str, expected: Result<(), &'a str>) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let response = send(app, &[format!("Bearer {token}").as_bytes()]).await;
        let status = response.status().as_u16();
        let challenges = challenges(&response).join(", ");
        let body: Value = response.json().await.unwrap();
        match expected {
            Ok(()) => assert_eq!((status, body.get("errors")), (200, None), "at {caller}: {token}"),
            Err(words) => {
                assert_eq!(status, 401, "at {caller}: {body} for {token}");
                assert_eq!(challenges, "Bearer error=\"invalid_token\"");
                let message = if words.starts_with("not") { format!("is {words}") } else { format!("has {words}") };
                let error = json!({
                    "message": format!("the token {message}"), "extensions": {"code": "UNAUTHENTICATED"}
                });
                assert_eq!(body, json!({ "errors": [error] }), "at {caller}: {token}");
            }
        }
    }
}

#[track_caller]
fn refused<'a>(app: &'a TestApp, token: &'a str, words: &'a str) -> impl Future<Output = ()> + 'a {
    check(app, token, Err(words))
}
