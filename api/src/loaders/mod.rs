//! What is batched: one file per noun, one documented key type per access path.
//!
//! A key type names what it answers and holds one batch function that answers every key it is given, empty
//! lists included, in a number of statements that does not depend on how many keys there are. Everything that
//! a resolver reads goes through here, root lists too, so that [`operation`] can tell when a level of an
//! operation has asked for all that it will ask for.

pub mod assistant;
pub mod commodities;
pub mod duty;
pub mod installments;
mod loads;
pub mod operation;
pub mod payment_events;
pub mod payments;
pub mod prices;
pub mod rates;
pub mod receipts;
pub mod refunds;
pub mod regulations;

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use entity::ids::AccountId;

pub use loads::Loads;

use crate::cache::{Cache, Policy};
use crate::error::Result;
use crate::store::Reader;

/// Where a batch function reads, and on whose behalf.
#[derive(Clone, Debug)]
pub struct Source {
    /// The database, metered for one operation.
    pub reader: Reader,
    /// The account whose rows may be seen.
    pub account: AccountId,
    /// What is asked before the database.
    pub cache: Cache,
}

/// A key of one access path, with the function that answers many of them at once.
pub trait Key: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    /// What a key is answered with; cheap to clone.
    type Value: Clone + Send + Sync + 'static;

    /// The name in profiles and metrics.
    const LOADER: &'static str;

    /// How answers are kept between operations; `None` when they are not.
    const CACHE: Option<Policy<Self>> = None;

    /// Answers every key, each once, out of the database.
    fn load(source: &Source, keys: &[Self]) -> impl Future<Output = Result<HashMap<Self, Self::Value>>>;
}

/// Answers each key with its row or with `None`.
fn one_each<K: Key<Value = Option<Arc<M>>>, M>(
    keys: &[K],
    rows: Vec<M>,
    key_of: impl Fn(&M) -> K,
) -> HashMap<K, Option<Arc<M>>> {
    let mut answers: HashMap<K, Option<Arc<M>>> = keys.iter().map(|key| (key.clone(), None)).collect();
    for row in rows {
        answers.insert(key_of(&row), Some(Arc::new(row)));
    }
    answers
}

/// Answers each key with the list of its rows, in the order of `rows`.
fn list_each<K: Key<Value = Arc<Vec<Arc<M>>>>, M>(
    keys: &[K],
    rows: Vec<M>,
    key_of: impl Fn(&M) -> K,
) -> HashMap<K, Arc<Vec<Arc<M>>>> {
    let mut lists: HashMap<K, Vec<Arc<M>>> = keys.iter().map(|key| (key.clone(), Vec::new())).collect();
    for row in rows {
        lists.entry(key_of(&row)).or_default().push(Arc::new(row));
    }
    lists.into_iter().map(|(key, list)| (key, Arc::new(list))).collect()
}

/// Gathers keys by the part that all of one statement share. How many groups there are depends on what the
/// operation says, such as two aliases with different page sizes, and not on how many rows it meets.
fn by_shape<K, S: Eq + Hash, I>(keys: &[K], split: impl Fn(&K) -> (S, I)) -> HashMap<S, Vec<I>> {
    let mut groups: HashMap<S, Vec<I>> = HashMap::new();
    for key in keys {
        let (shape, id) = split(key);
        groups.entry(shape).or_default().push(id);
    }
    groups
}
