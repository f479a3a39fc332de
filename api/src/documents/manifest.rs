//! The only documents that may run, read from a file that the clients' build has written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;

use async_graphql::Variables;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::DocumentOperations;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Hash;
use crate::error::code;
use crate::guard::{Guard, Refusal};

/// Documents by the ids of the file and by their hashes.
#[derive(Debug)]
pub(super) struct Manifest {
    by_id: HashMap<String, Arc<str>>,
    by_hash: HashMap<Hash, Arc<str>>,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// The file is not JSON.
    #[error("the file is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// The file has another form than those that are known.
    #[error(
        "expected an object of texts by their ids, or an apollo-persisted-query-manifest of version 1 with at least \
         one document: {0}"
    )]
    Form(String),
    /// An id looks like a SHA-256 hash, and its text has another.
    #[error("{0:?} is not the SHA-256 hash of its text")]
    Hash(String),
    /// An id stands for two texts.
    #[error("{0:?} stands for two documents")]
    Twice(String),
    /// A document is not let through, so that it could never run.
    #[error("{id:?} could never run: {message}")]
    Document {
        /// The id.
        id: String,
        /// Why not.
        message: String,
    },
}

/// The manifest of Apollo's `generate-persisted-query-manifest`.
#[derive(Deserialize)]
struct Apollo {
    format: String,
    version: u64,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

impl Manifest {
    /// Reads a file and checks all that is in it.
    ///
    /// # Errors
    /// When the file is not understood, or one of its documents could never run.
    pub(super) fn load(path: &Path, guard: &Guard) -> Result<Self, ManifestError> {
        let text = std::fs::read_to_string(path).map_err(ManifestError::Unreadable)?;
        Self::read(&text, guard)
    }

    fn read(text: &str, guard: &Guard) -> Result<Self, ManifestError> {
        let documents = documents(serde_json::from_str(text).map_err(ManifestError::NotJson)?)?;
        if documents.is_empty() {
            return Err(ManifestError::Form("it has none".to_owned()));
        }
        let mut manifest = Self { by_id: HashMap::new(), by_hash: HashMap::new() };
        for (id, text) in documents {
            let hash = Hash::of(&text);
            let named = Hash::parse(&id);
            if named.is_some_and(|named| named != hash) {
                return Err(ManifestError::Hash(id));
            }
            check(&text, guard)
                .map_err(|refusal| ManifestError::Document { id: id.clone(), message: refusal.message })?;
            let text: Arc<str> = text.into();
            manifest.by_hash.insert(hash, Arc::clone(&text));
            match manifest.by_id.entry(id) {
                Entry::Occupied(entry) if *entry.get() != text => {
                    return Err(ManifestError::Twice(entry.key().clone()));
                }
                Entry::Occupied(_) => {}
                Entry::Vacant(entry) => {
                    entry.insert(text);
                }
            }
        }
        Ok(manifest)
    }

    /// The document with this hash.
    pub(super) fn with_hash(&self, hash: &Hash) -> Option<&Arc<str>> {
        self.by_hash.get(hash)
    }

    /// The document with this id.
    pub(super) fn with_id(&self, id: &str) -> Option<&Arc<str>> {
        self.by_id.get(id)
    }

    /// How many different documents there are.
    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }
}

/// The ids and texts of a manifest of either form.
fn documents(manifest: Value) -> Result<Vec<(String, String)>, ManifestError> {
    let form = |what: &str| ManifestError::Form(what.to_owned());
    let Value::Object(members) = manifest else { return Err(form("it is no object")) };
    if !members.contains_key("format") {
        return plain(members);
    }
    let apollo: Apollo =
        serde_json::from_value(members.into()).map_err(|error| ManifestError::Form(error.to_string()))?;
    if apollo.format != "apollo-persisted-query-manifest" || apollo.version != 1 {
        return Err(ManifestError::Form(format!("it is {:?} of version {}", apollo.format, apollo.version)));
    }
    Ok(apollo.operations.into_iter().map(|operation| (operation.id, operation.body)).collect())
}

fn plain(members: Map<String, Value>) -> Result<Vec<(String, String)>, ManifestError> {
    let document = |(id, text)| match text {
        Value::String(text) => Ok((id, text)),
        _ => Err(ManifestError::Form(format!("{id:?} is no text"))),
    };
    members.into_iter().map(document).collect()
}

/// Refuses what the guard would refuse on every request. What depends on variables is seen when they are there.
fn check(text: &str, guard: &Guard) -> Result<(), Refusal> {
    let admit = |name: Option<&str>| match guard.admit(text, name, &Variables::default()) {
        Err(refusal) if refusal.code != code::VALIDATION_FAILED => Err(refusal),
        _ => Ok(()),
    };
    admit(None)?;
    // It was parsed by the guard before, so it is safe to parse.
    if let Ok(document) = parse_query(text)
        && let DocumentOperations::Multiple(operations) = document.operations
    {
        for name in operations.keys() {
            admit(Some(name.as_str()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn guard(limits: Limits) -> Guard {
        Guard::new(limits, &crate::graphql::sdl(false), 100, true).unwrap()
    }
    use crate::guard::Limits;

    fn read(manifest: &Value) -> Result<Manifest, String> {
        let limits = Limits { bytes: 100, ..Limits::default() };
        Manifest::read(&manifest.to_string(), &guard(limits)).map_err(|error| error.to_string())
    }

    /// Both common forms give the same documents, under their own ids and under their hashes.
    #[test]
    fn both_forms_are_read() {
        let text = "query A { viewer { account } }";
        let hash = Hash::of(text);
        let apollo = json!({
            "format": "apollo-persisted-query-manifest",
            "version": 1,
            "operations": [{"id": hash.to_string(), "name": "A", "type": "query", "body": text}],
        });
        for manifest in [json!({hash.to_string(): text}), json!({hash.to_string().to_uppercase(): text}), apollo] {
            let manifest = read(&manifest).unwrap();
            assert_eq!((manifest.len(), manifest.with_hash(&hash).map(|text| &**text)), (1, Some(text)));
        }
        // Relay names documents by MD5, and other tools as they like.
        let manifest = read(&json!({"0123456789abcdef0123456789abcdef": text})).unwrap();
        assert!(manifest.with_id("0123456789abcdef0123456789abcdef").is_some());
        assert!(manifest.with_hash(&hash).is_some());
    }

    /// A bad entry stops the start, and is named.
    #[test]
    fn bad_manifests_are_refused() {
        let good = "{ viewer { account } }";
        let apollo = |version: u64, operations: Value| json!({"format": "apollo-persisted-query-manifest", "version": version, "operations": operations});
        for (manifest, words) in [
            (json!([]), "no object"),
            (json!({}), "none"),
            (json!({"a": 1}), "\"a\""),
            (json!({"format": "other", "version": 1, "operations": []}), "other"),
            (apollo(2, json!([])), "version 2"),
            (apollo(1, json!([])), "none"),
            (apollo(1, json!([{"id": "a"}])), "body"),
            (apollo(1, json!([{"id": "a", "body": good}, {"id": "a", "body": "{ a }"}])), "\"a\" stands for two"),
            (json!({"0".repeat(64): good}), "0000\" is not the SHA-256"),
            (json!({"a": good, "b": "{ viewer {"}), "\"b\" could never run"),
            (json!({"b": format!("{{ {} }}", "a ".repeat(60))}), "\"b\" could never run: the document is longer"),
        ] {
            let error = read(&manifest).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert!(Manifest::read("{", &guard(Limits::default())).is_err());
    }

    /// What needs variables or an operation's name is no bad entry.
    #[test]
    fn documents_that_need_more_are_good() {
        for text in ["query ($id: ID!) { node(id: $id) { id } }", "query A { a } query B { b }"] {
            assert!(read(&json!({"a": text})).is_ok(), "{text}");
        }
    }
}
