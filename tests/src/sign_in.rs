//! Sign-in for tests: a secret, keys, tokens good and bad, and a clock that can be moved.
//!
//! Tokens are put together by hand and signed by the cryptographic library itself, so that a test can make any that
//! somebody could send.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use aws_lc_rs::{hmac, rand, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use dermaga_api::clock::Clock;
use dermaga_api::store::accounts;
use entity::account;
use entity::ids::AccountId;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::app::{NOW, TestApp, TestAppBuilder};

/// The secret of [`TestAppBuilder::signed_in`].
pub const SECRET: &str = "a secret for tests, of more than 32 bytes";

/// The issuer that tokens must name there.
pub const ISSUER: &str = "https://issuer.test";

/// The audience that tokens must name there.
pub const AUDIENCE: &str = "dermaga-test";

/// What a server takes for the time. It stands still until it is moved.
#[derive(Clone, Debug, Default)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Moves it on, or back.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The clock that a server is given.
    pub fn clock(&self) -> Clock {
        let ahead = Arc::clone(&self.0);
        Clock::told_by(move || NOW + TimeDelta::seconds(ahead.load(Ordering::SeqCst)))
    }
}

/// What signs a token.
#[derive(Debug)]
pub enum SigningKey {
    /// HS256 with these bytes.
    Hmac(Vec<u8>),
    /// EdDSA.
    Ed25519(Box<Ed25519KeyPair>),
    /// RS256.
    Rsa(Box<RsaKeyPair>),
    /// Nothing: the signature is empty.
    Nothing,
}

impl SigningKey {
    /// A new Ed25519 key.
    pub fn ed25519() -> Self {
        Self::Ed25519(Box::new(Ed25519KeyPair::generate().unwrap()))
    }

    /// A new RSA key of 2,048 bits.
    pub fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap()))
    }

    /// The public half as a member of a JSON Web Key Set.
    ///
    /// # Panics
    /// When there is none.
    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Ed25519(pair) => {
                let x = URL_SAFE_NO_PAD.encode(pair.public_key());
                json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x})
            }
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
                json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": n, "e": e})
            }
            Self::Hmac(_) | Self::Nothing => panic!("it has no public half"),
        }
    }

    /// The public half as DER bytes (PKCS #1), which a careless server would take for a secret.
    ///
    /// # Panics
    /// When it is no RSA key.
    pub fn rsa_public_der(&self) -> Vec<u8> {
        let Self::Rsa(pair) = self else { panic!("it is no RSA key") };
        pair.public_key().as_ref().to_owned()
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "HS256",
            Self::Ed25519(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
            Self::Nothing => "none",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Hmac(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_owned(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_owned(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Nothing => Vec::new(),
        }
    }
}

/// A token to be made: a good one for the demo account's administrator for an hour, unless said otherwise.
#[derive(Clone, Debug)]
pub struct TokenBuilder {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl TokenBuilder {
    pub(crate) fn new() -> Self {
        let Value::Object(claims) = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "tester", "account": "demo", "role": "ADMIN",
            "exp": NOW.timestamp() + 3_600,
        }) else {
            unreachable!()
        };
        Self { header: Map::new(), claims }
    }

    /// For this account.
    pub fn account(self, name: &str) -> Self {
        self.claim("account", name)
    }

    /// With this role, such as `VIEWER`.
    pub fn role(self, role: &str) -> Self {
        self.claim("role", role)
    }

    /// With `exp` so many seconds after [`NOW`].
    pub fn expires_in(self, seconds: i64) -> Self {
        self.claim("exp", NOW.timestamp() + seconds)
    }

    /// With another claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Without a claim.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// With another member in its header; `alg` is that of the key unless it is given here.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// The token, signed with this key.
    pub fn sign(&self, key: &SigningKey) -> String {
        let mut header = self.header.clone();
        header.entry("alg").or_insert_with(|| key.algorithm().into());
        let part = |part: &Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(part.clone()).to_string());
        let message = format!("{}.{}", part(&header), part(&self.claims));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// The token, signed with [`SECRET`].
    pub fn build(&self) -> String {
        self.sign(&SigningKey::Hmac(SECRET.into()))
    }

    /// The token with its scheme, as it stands in `Authorization`.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.build())
    }
}

/// Somebody who is signed in to a [`TestApp`].
#[derive(Clone, Debug)]
pub struct Session<'a> {
    app: &'a TestApp,
    authorization: String,
}

impl Session<'_> {
    /// Sends a document.
    pub async fn graphql(&self, query: &str) -> Answer {
        self.send(&json!({ "query": query })).await
    }

    /// Sends a document with variables.
    pub async fn graphql_with(&self, query: &str, variables: Value) -> Answer {
        self.send(&json!({ "query": query, "variables": variables })).await
    }

    /// Posts a JSON body.
    pub async fn send(&self, body: &Value) -> Answer {
        self.app.send_as(Some(&self.authorization), body).await
    }

    /// Posts a JSON body and returns the whole answer, headers included.
    pub async fn post(&self, body: &Value) -> reqwest::Response {
        let request = self.app.client().post(format!("{}/graphql", self.app.address)).json(body);
        request.header("authorization", &self.authorization).send().await.unwrap()
    }

    /// Posts a JSON body and returns the answer as a stream of events.
    pub async fn stream(&self, body: &Value) -> reqwest::Response {
        let request = self.app.client().post(format!("{}/graphql", self.app.address)).json(body);
        let request = request.header("accept", "text/event-stream").header("authorization", &self.authorization);
        request.send().await.unwrap()
    }

    /// What it sends as `Authorization`.
    pub fn authorization(&self) -> &str {
        &self.authorization
    }
}

impl TestAppBuilder {
    /// With sign-in by [`SECRET`], and no limit on what may be spent.
    pub fn signed_in(self) -> Self {
        self.settings(|settings| {
            settings.auth_secret = Some(SECRET.to_owned());
            settings.auth_issuer = Some(ISSUER.to_owned());
            settings.auth_audience = Some(AUDIENCE.to_owned());
            settings.quota_cost = Some("0".to_owned());
        })
    }
}

impl TestApp {
    /// A token to be made.
    pub fn token(&self) -> TokenBuilder {
        TokenBuilder::new()
    }

    /// Somebody with this role in this account.
    pub fn session(&self, account: &str, role: &str) -> Session<'_> {
        self.session_with(&self.token().account(account).role(role).build())
    }

    /// Somebody with this token.
    pub fn session_with(&self, token: &str) -> Session<'_> {
        Session { app: self, authorization: format!("Bearer {token}") }
    }

    /// Opens another account, in Jakarta and in rupiah.
    pub async fn other_account(&self, name: &str) -> AccountId {
        self.account_in(name, "IDR").await
    }

    /// Opens another account, in Jakarta, whose books are in this currency.
    pub async fn account_in(&self, name: &str, base_currency: &str) -> AccountId {
        let row = account::Model {
            id: AccountId(Uuid::now_v7()),
            name: name.to_owned(),
            base_currency: base_currency.to_owned(),
            time_zone: "Asia/Jakarta".to_owned(),
            created_at: NOW,
        };
        self.database.write(async |transaction| accounts::create(transaction, row).await).await.unwrap()
    }
}
