//! Keys as bytes.
//!
//! Memory and Redis hold answers of all kinds of keys side by side, so each key becomes its loader's name, the account
//! and what its `Hash` writes. Derived `Hash` writes everything that derived `Eq` compares, texts with an end mark and
//! lists with their length, so that different keys are different bytes.

use std::hash::{Hash, Hasher};

use entity::ids::AccountId;

use crate::loaders::Key;

/// A key of any kind.
pub(super) type KeyBytes = Box<[u8]>;

/// The bytes of a key.
pub(super) fn key_bytes<K: Key>(account: AccountId, key: &K) -> KeyBytes {
    let mut bytes = Bytes(Vec::with_capacity(96));
    K::LOADER.hash(&mut bytes);
    account.hash(&mut bytes);
    key.hash(&mut bytes);
    bytes.0.into_boxed_slice()
}

/// Keeps what is hashed instead of hashing it.
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        // Nothing asks for it.
        0
    }
}
