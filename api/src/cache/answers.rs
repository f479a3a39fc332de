//! How a batch is answered: memory, Redis, whoever reads the same already, the database.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Inner;
use super::encoding::{KeyBytes, key_bytes};
use super::flights::{Passenger, Pilot, Ticket};
use super::generations::{Moment, Place};
use super::memory::{AnyAnswer, Size};
use super::policy::{Depends, Policy};
use super::shared::Claims;
use super::tag::Tag;
use crate::error::Result;
use crate::loaders::{Key, Source};
use crate::store::Served;
use crate::telemetry::traces::{Span, count};

/// Answers every key of a batch.
///
/// # Errors
/// When the database has to be asked, and does not answer.
pub async fn answer<K: Key>(source: &Source, keys: &[K]) -> Result<(HashMap<K, K::Value>, Served)> {
    let cached = match (&source.cache.0, K::CACHE) {
        (Some(inner), Some(policy)) if inner.hears.load(Ordering::SeqCst) => Some((inner, policy)),
        _ => None,
    };
    let Some((inner, policy)) = cached else {
        let answers = K::load(source, keys).await?;
        return Ok((answers, Served { database: keys.len(), ..Served::default() }));
    };
    let (answers, served) = Batch { inner, policy, source }.answer(keys).await?;
    let counts = [
        ("memory", served.memory),
        ("shared", served.shared),
        ("joined", served.joined),
        ("database", served.database),
    ];
    for (from, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        inner.metrics.answers.with_label_values(&[K::LOADER, from]).inc_by(count as u64);
    }
    Ok((answers, served))
}

/// A batch on its way.
struct Batch<'a, K: Key> {
    inner: &'a Inner,
    policy: Policy<K>,
    source: &'a Source,
}

/// A key that is read here, for all who wait for it.
struct Wanted<'a, K: Key> {
    key: K,
    bytes: KeyBytes,
    pilot: Pilot<'a>,
}

impl<'a, K: Key> Batch<'a, K> {
    async fn answer(&self, keys: &[K]) -> Result<(HashMap<K, K::Value>, Served)> {
        let mut answers = HashMap::with_capacity(keys.len());
        let mut served = Served::default();
        let mut wanted: Vec<Wanted<'a, K>> = Vec::new();
        let mut joined: Vec<(K, Passenger)> = Vec::new();
        // Keys that are not kept are read all the same, and nobody waits for them.
        let mut direct: Vec<K> = Vec::new();
        for key in keys {
            if !(self.policy.kept)(key) {
                direct.push(key.clone());
                continue;
            }
            let bytes = key_bytes(self.source.account, key);
            if let Some(value) = self.in_memory(&bytes) {
                answers.insert(key.clone(), value);
                served.memory += 1;
                continue;
            }
            match self.inner.flights.board(&bytes) {
                Ticket::Pilot(pilot) => wanted.push(Wanted { key: key.clone(), bytes, pilot }),
                Ticket::Passenger(passenger) => joined.push((key.clone(), passenger)),
            }
        }
        Span::current().event("cache", || {
            [
                count("dermaga.from.memory", served.memory),
                count("dermaga.missing", wanted.len() + direct.len()),
                count("dermaga.read_by_others", joined.len()),
            ]
        });
        // Before anything is read: a change from here on refuses what is read.
        let began = self.inner.generations.now();
        let claims = self.ask_shared(&mut wanted, began, &mut answers).await;
        served.shared = answers.len() - served.memory;
        served.database = wanted.len() + direct.len();
        if served.database > 0 {
            direct.extend(wanted.iter().map(|wanted| wanted.key.clone()));
            let read = K::load(self.source, &direct).await?;
            // What others changed was heard of here, or is not in this memory for long. Redis is read by servers that have
            // made a change and not told this one yet: nothing goes there that a standby may have been without.
            let claims = claims.filter(|_| !self.source.reader.has_read_standby());
            self.keep(wanted, &read, began, claims);
            answers.extend(read);
        }
        // Only now: others may wait for what was read here.
        let mut alone: Vec<K> = Vec::new();
        for (key, passenger) in joined {
            match passenger.arrive().await.and_then(|answer| value_of::<K>(&answer)) {
                Some(value) => {
                    answers.insert(key, value);
                    served.joined += 1;
                }
                None => alone.push(key),
            }
        }
        if !alone.is_empty() {
            served.database += alone.len();
            answers.extend(K::load(self.source, &alone).await?);
        }
        Ok((answers, served))
    }

    fn in_memory(&self, bytes: &KeyBytes) -> Option<K::Value> {
        value_of::<K>(&self.inner.memory.get(bytes, &self.inner.generations)?)
    }

    /// Takes from Redis what is there, and leaves in `wanted` what is not, with the right to fill it.
    async fn ask_shared(
        &self,
        wanted: &mut Vec<Wanted<'a, K>>,
        began: Moment,
        answers: &mut HashMap<K, K::Value>,
    ) -> Option<Claims> {
        let (Some(shared), Depends::Key(tag_of), Some(codec)) =
            (&self.inner.shared, self.policy.depends, self.policy.codec)
        else {
            return None;
        };
        if wanted.is_empty() {
            return None;
        }
        let account = self.source.account;
        let asked: Vec<(&KeyBytes, Tag)> =
            wanted.iter().map(|wanted| (&wanted.bytes, tag_of(&wanted.key, account))).collect();
        let (found, claims) = shared.ask(&asked).await?;
        let places: Vec<Place> = asked.iter().map(|(_, tag)| Place::from(tag)).collect();
        let mut missing = Vec::new();
        for ((wanted, text), place) in std::mem::take(wanted).into_iter().zip(found).zip(places) {
            let value = text.and_then(|text| {
                // That there is nothing is never written there.
                let value = (codec.read)(&text).filter(|value| !(self.policy.absent)(value));
                if value.is_none() {
                    shared.misread();
                }
                value
            });
            match value {
                Some(value) => {
                    answers.insert(wanted.key, value.clone());
                    self.keep_one(&wanted.bytes, wanted.pilot, value, began, place);
                }
                None => missing.push(wanted),
            }
        }
        *wanted = missing;
        Some(claims)
    }

    /// Keeps what was read, here and in Redis.
    fn keep(&self, wanted: Vec<Wanted<'_, K>>, read: &HashMap<K, K::Value>, began: Moment, claims: Option<Claims>) {
        let account = self.source.account;
        let mut fills = Vec::new();
        for Wanted { key, bytes, pilot } in wanted {
            // A loader that left a key out has a fault that is told elsewhere; its pilot sends the others away.
            let Some(value) = read.get(&key) else { continue };
            let tag = match self.policy.depends {
                Depends::Key(tag) => tag(&key, account),
                Depends::Answer(tag) => tag(&key, account, value),
            };
            let current = self.keep_one(&bytes, pilot, value.clone(), began, Place::from(&tag));
            if current
                && claims.is_some()
                && !(self.policy.absent)(value)
                && let Some(text) = self.policy.codec.and_then(|codec| (codec.write)(value))
            {
                fills.push((bytes, tag, text));
            }
        }
        if let (Some(shared), Some(claims)) = (&self.inner.shared, claims) {
            shared.fill(&fills, &claims);
        }
    }

    /// Keeps one answer in memory unless it was overtaken, and tells whoever waits for it.
    fn keep_one(&self, bytes: &KeyBytes, pilot: Pilot<'_>, value: K::Value, began: Moment, place: Place) -> bool {
        let Inner { generations, memory, metrics, .. } = self.inner;
        let began = generations.stamp(began);
        let current = generations.is_current(began, place);
        let answer: AnyAnswer = Arc::new(value);
        if current {
            let value = answer.downcast_ref::<K::Value>();
            let size =
                value.map(|value| Size { weight: (self.policy.weight)(value), absent: (self.policy.absent)(value) });
            if let Some(size) = size {
                memory.keep(bytes, Arc::clone(&answer), began, place, size);
                metrics.fills.inc();
            }
        } else {
            metrics.late_fills.inc();
        }
        pilot.land(current.then_some(answer));
        current
    }
}

fn value_of<K: Key>(answer: &AnyAnswer) -> Option<K::Value> {
    // Keys of one loader have one type of answer.
    answer.downcast_ref::<K::Value>().cloned()
}
