//! One reading for all who miss the same key at the same time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::encoding::KeyBytes;
use super::memory::AnyAnswer;

/// What became of a reading.
#[derive(Clone)]
enum Landing {
    /// It is under way.
    Flying,
    /// It was read, and still counted when it was.
    Landed(AnyAnswer),
    /// It failed, was given up, or was overtaken by a change: whoever waits reads for itself.
    Lost,
}

/// Readings under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<KeyBytes, watch::Receiver<Landing>>>);

/// A key that is to be read.
pub(super) enum Ticket<'a> {
    /// By whoever asked.
    Pilot(Pilot<'a>),
    /// By somebody else already.
    Passenger(Passenger),
}

/// Reads a key for all who wait. Dropped without [`Pilot::land`], it sends them off to read for themselves.
pub(super) struct Pilot<'a> {
    flights: &'a Flights,
    key: KeyBytes,
    sender: watch::Sender<Landing>,
}

/// Waits for another's reading.
pub(super) struct Passenger(watch::Receiver<Landing>);

impl Flights {
    /// Joins the reading of a key, or begins it.
    pub(super) fn board(&self, key: &KeyBytes) -> Ticket<'_> {
        let mut flights = self.lock();
        if let Some(receiver) = flights.get(key) {
            return Ticket::Passenger(Passenger(receiver.clone()));
        }
        let (sender, receiver) = watch::channel(Landing::Flying);
        flights.insert(key.clone(), receiver);
        Ticket::Pilot(Pilot { flights: self, key: key.clone(), sender })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyBytes, watch::Receiver<Landing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pilot<'_> {
    /// Gives the answer to all who wait; `None` when it does not count any more.
    pub(super) fn land(self, answer: Option<AnyAnswer>) {
        // First out of the list: whoever comes now looks into memory, and then reads for itself.
        self.flights.lock().remove(&self.key);
        self.sender.send_replace(answer.map_or(Landing::Lost, Landing::Landed));
    }
}

impl Drop for Pilot<'_> {
    fn drop(&mut self) {
        if matches!(*self.sender.borrow(), Landing::Flying) {
            self.flights.lock().remove(&self.key);
            self.sender.send_replace(Landing::Lost);
        }
    }
}

impl Passenger {
    /// Waits for the answer; `None` when whoever waits has to read for itself.
    pub(super) async fn arrive(mut self) -> Option<AnyAnswer> {
        let landing = self.0.wait_for(|landing| !matches!(landing, Landing::Flying)).await.ok()?;
        match &*landing {
            Landing::Landed(answer) => Some(AnyAnswer::clone(answer)),
            Landing::Flying | Landing::Lost => None,
        }
    }
}

impl std::fmt::Debug for Flights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Flights").field(&self.lock().len()).finish()
    }
}
