//! Dispatch on stall: when an operation can go no further without its loads, and not before.
//!
//! One future drives the execution and the batches of an operation. While the execution still wakes itself it
//! has more to ask, so it is polled again. Once it is pending, nothing woke it meanwhile and no batch is under
//! way, every key that its current level needs is queued: each loader gets one batch with all of them. There
//! is no timer, no count of yields and no task per key; the statements are the fewest possible, and the same
//! on every run.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::AtomicWaker;

use super::Loads;

/// How often a busy operation is polled before others on the same thread get a turn.
const POLLS_PER_TURN: usize = 64;

/// Notes that a wake-up came, and passes it on.
#[derive(Default)]
struct Signal {
    woken: AtomicBool,
    outer: AtomicWaker,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.outer.wake();
    }
}

/// Runs an operation to its end, with its loads batched by level.
pub async fn run<F: Future>(loads: &Loads, operation: F) -> F::Output {
    // Tokio makes a task that has done much wait for its next turn, and wakes it only then: that would look
    // like a stall with half of a level's keys queued. Turns are given up below instead.
    let mut operation = pin!(tokio::task::unconstrained(operation));
    let mut batches = FuturesUnordered::new();
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    poll_fn(move |outer| {
        signal.outer.register(outer.waker());
        let mut context = Context::from_waker(&waker);
        for _ in 0..POLLS_PER_TURN {
            signal.woken.store(false, Ordering::SeqCst);
            if let Poll::Ready(output) = operation.as_mut().poll(&mut context) {
                return Poll::Ready(output);
            }
            while let Poll::Ready(Some(())) = batches.poll_next_unpin(&mut context) {}
            if signal.woken.load(Ordering::SeqCst) {
                continue;
            }
            // A batch under way may lead to more keys for the same loaders; they go out together.
            if !batches.is_empty() {
                return Poll::Pending;
            }
            let next = loads.take_batches();
            if next.is_empty() {
                return Poll::Pending;
            }
            batches.extend(next);
        }
        outer.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests;
