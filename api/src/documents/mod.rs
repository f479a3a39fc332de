//! Documents that clients need not send: persisted by hash, or trusted by a manifest.
//!
//! What comes out of here is only a text. It passes the guard and the validation like any other, on every use: this
//! module must never vouch for a document.

mod hash;
mod manifest;
mod memory;
mod redis;

use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;

pub use hash::Hash;
pub use manifest::ManifestError;

use crate::clock::Clock;
use crate::error::code;
use crate::guard::Guard;
use crate::pipeline::{GraphqlRequest, Refusal};
use crate::shared_store::SharedStore;
use manifest::Manifest;
use memory::Memory;
use redis::Shared;

/// After this time a document that is in use here is told to the other replicas again, lest it expires among them.
const SHARE_AGAIN: TimeDelta = TimeDelta::hours(12);

/// Where documents are looked up.
#[derive(Debug)]
pub struct Documents(Mode);

#[derive(Debug)]
enum Mode {
    /// Clients send texts.
    Off,
    /// Clients may send the hash of a text that was sent before.
    Persisted(Persisted),
    /// Clients send what the manifest has, and nothing else.
    Trusted(Manifest),
}

#[derive(Debug)]
struct Persisted {
    memory: Memory,
    shared: Option<Shared>,
    clock: Clock,
}

/// The text of a document.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The text.
    pub text: Arc<str>,
    /// The hash under which it is to be kept, once it has proved valid.
    pub keep: Option<Hash>,
}

/// How a request names a document.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// By the hash of its text.
    Hash(Hash),
    /// By an id that a manifest may have.
    Id(String),
}

impl Documents {
    /// Every request brings its own text.
    pub fn off() -> Self {
        Self(Mode::Off)
    }

    /// Keeps up to `count` documents, and shares them when there is a store to share them in. Documents of more
    /// than `max_bytes` are not taken from there.
    pub fn persisted(count: usize, shared: Option<SharedStore>, max_bytes: usize, clock: Clock) -> Self {
        if count == 0 {
            return Self::off();
        }
        let shared = shared.map(|store| Shared::new(store, max_bytes));
        Self(Mode::Persisted(Persisted { memory: Memory::new(count), shared, clock }))
    }

    /// Runs the documents of a manifest and nothing else.
    ///
    /// # Errors
    /// When the file is not understood, or one of its documents could never run.
    pub fn trusted(manifest: &Path, guard: &Guard) -> Result<Self, ManifestError> {
        let manifest = Manifest::load(manifest, guard)?;
        tracing::info!(documents = manifest.len(), "only the documents of the manifest are run");
        Ok(Self(Mode::Trusted(manifest)))
    }

    /// The document that a request means.
    ///
    /// # Errors
    /// When there is none, or the request names it wrongly.
    pub async fn resolve(&self, request: &GraphqlRequest) -> Result<Resolved, Refusal> {
        let name = name(request, matches!(self.0, Mode::Trusted(_)))?;
        // Some clients send an empty text in place of none.
        let text = request.query.as_deref().filter(|text| name.is_none() || !text.is_empty());
        if text.is_none() && name.is_none() {
            return Err(Refusal::malformed("query must be a string"));
        }
        match &self.0 {
            Mode::Off => off(text, name.as_ref()),
            Mode::Persisted(persisted) => persisted.resolve(text, name.as_ref()).await,
            Mode::Trusted(manifest) => trusted(manifest, text, name.as_ref()),
        }
    }

    /// Keeps a document that proved valid.
    pub async fn keep(&self, hash: &Hash, text: &Arc<str>) {
        let Mode::Persisted(persisted) = &self.0 else { return };
        persisted.memory.keep(*hash, text, persisted.clock.now());
        if let Some(shared) = &persisted.shared {
            shared.keep(hash, text).await;
        }
    }
}

impl Persisted {
    async fn resolve(&self, text: Option<&str>, name: Option<&Name>) -> Result<Resolved, Refusal> {
        if let Some(text) = text {
            let hash = Hash::of(text);
            matching(hash, name)?;
            let keep = matches!(name, Some(Name::Hash(_))).then_some(hash);
            return Ok(Resolved { text: text.into(), keep });
        }
        let found = match name {
            Some(Name::Hash(hash)) => self.find(hash).await,
            _ => None,
        };
        // Apollo Client knows the error by its code or by these words, urql by these words alone.
        found
            .map(|text| Resolved { text, keep: None })
            .ok_or_else(|| Refusal::document(code::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound"))
    }

    async fn find(&self, hash: &Hash) -> Option<Arc<str>> {
        let now = self.clock.now();
        if let Some(entry) = self.memory.get(hash) {
            if let Some(shared) = self.shared.as_ref().filter(|_| now - entry.shared_at >= SHARE_AGAIN) {
                // First, so that those who ask meanwhile do not do the same.
                self.memory.keep(*hash, &entry.text, now);
                shared.keep(hash, &entry.text).await;
            }
            return Some(entry.text);
        }
        let text = self.shared.as_ref()?.get(hash).await?;
        self.memory.keep(*hash, &text, now);
        Some(text)
    }
}

/// Clients know the error by these words, as above.
fn off(text: Option<&str>, name: Option<&Name>) -> Result<Resolved, Refusal> {
    match (text, name) {
        (Some(text), None | Some(Name::Id(_))) => Ok(Resolved { text: text.into(), keep: None }),
        _ => Err(Refusal::document(code::PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")),
    }
}

fn trusted(manifest: &Manifest, text: Option<&str>, name: Option<&Name>) -> Result<Resolved, Refusal> {
    let found = match (text, name) {
        (Some(text), name) => {
            let hash = Hash::of(text);
            matching(hash, name)?;
            manifest.with_hash(&hash)
        }
        (None, Some(Name::Hash(hash))) => manifest.with_hash(hash),
        (None, Some(Name::Id(id))) => manifest.with_id(id),
        (None, None) => None,
    };
    let words = "only documents of the manifest are run here, and this is none of them";
    found
        .map(|text| Resolved { text: Arc::clone(text), keep: None })
        .ok_or_else(|| Refusal::document(code::UNTRUSTED_DOCUMENT, words))
}

/// Refuses a text that is not the one of the hash beside it.
fn matching(hash: Hash, name: Option<&Name>) -> Result<(), Refusal> {
    match name {
        Some(Name::Hash(named)) if *named != hash => Err(Refusal::document(
            code::PERSISTED_QUERY_HASH_MISMATCH,
            "the hash is not the SHA-256 of the document's text",
        )),
        _ => Ok(()),
    }
}

/// How a request names its document, if it does. Where the manifest's ids are `opaque`, those of Apollo's extension
/// may be of any kind, as its tools have it.
fn name(request: &GraphqlRequest, opaque: bool) -> Result<Option<Name>, Refusal> {
    let bad = |what: &str| Refusal::malformed(format!("extensions.persistedQuery.{what}"));
    match request.extensions.get("persistedQuery") {
        None | Some(Value::Null) => {}
        Some(persisted) => {
            if persisted.get("version").and_then(Value::as_u64) != Some(1) {
                return Err(bad("version must be 1"));
            }
            let text = persisted.get("sha256Hash").and_then(Value::as_str);
            let hash = text.and_then(Hash::parse).map(Name::Hash);
            let id = text.filter(|_| opaque).map(|text| Name::Id(text.to_owned()));
            return hash.or(id).map(Some).ok_or_else(|| bad("sha256Hash must be 64 hexadecimal digits"));
        }
    }
    let Some(id) = request.document_id.as_deref() else { return Ok(None) };
    if let Some(digits) = id.strip_prefix("sha256:") {
        let hash = Hash::parse(digits).map(Name::Hash);
        return hash
            .map(Some)
            .ok_or_else(|| Refusal::malformed("documentId must be sha256: and 64 hexadecimal digits"));
    }
    Ok(Some(Hash::parse(id).map_or_else(|| Name::Id(id.to_owned()), Name::Hash)))
}
