//! Which answers are kept, and what each depends on.

use entity::ids::AccountId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::tag::Tag;
use super::weight::Weight;
use crate::loaders::Key;

/// How the answers of one kind of key are kept.
pub struct Policy<K: Key> {
    pub(super) depends: Depends<K>,
    pub(super) weight: fn(&K::Value) -> usize,
    pub(super) absent: fn(&K::Value) -> bool,
    pub(super) kept: fn(&K) -> bool,
    pub(super) codec: Option<Codec<K>>,
}

/// What the answer to a key depends on.
pub(super) enum Depends<K: Key> {
    /// The key says it, before anything is read.
    Key(fn(&K, AccountId) -> Tag),
    /// Only the answer says it.
    Answer(fn(&K, AccountId, &K::Value) -> Tag),
}

impl<K: Key> Clone for Depends<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Key> Copy for Depends<K> {}

/// How answers are written for Redis.
pub struct Codec<K: Key> {
    pub(super) write: fn(&K::Value) -> Option<Vec<u8>>,
    pub(super) read: fn(&[u8]) -> Option<K::Value>,
}

impl<K: Key> Clone for Codec<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Key> Copy for Codec<K> {}

impl<K: Key> Policy<K>
where
    K::Value: Weight,
{
    /// Answers that depend on what the key names. They may be shared through Redis.
    pub const fn by_key(tag: fn(&K, AccountId) -> Tag) -> Self {
        Self::new(Depends::Key(tag))
    }

    /// Answers of which only they themselves say what they depend on.
    pub const fn by_answer(tag: fn(&K, AccountId, &K::Value) -> Tag) -> Self {
        Self::new(Depends::Answer(tag))
    }

    const fn new(depends: Depends<K>) -> Self {
        Self { depends, weight: Weight::weight, absent: Weight::is_absent, kept: |_| true, codec: None }
    }

    /// Keeps the answers of some keys only.
    #[must_use]
    pub const fn only(mut self, kept: fn(&K) -> bool) -> Self {
        self.kept = kept;
        self
    }
}

impl<K: Key> Policy<K>
where
    K::Value: Serialize + DeserializeOwned,
{
    /// Shares answers through Redis as well. JSON: an answer of another release is no answer, and a person can read
    /// what is there.
    #[must_use]
    pub const fn shared(mut self) -> Self {
        self.codec = Some(Codec {
            write: |value| serde_json::to_vec(value).ok(),
            read: |text| serde_json::from_slice(text).ok(),
        });
        self
    }
}
