//! What waits to be written to a socket: a queue with an end, filled by the socket's loop, emptied by the connection.
//!
//! The WebSocket library's own session hands messages over one by one, whatever their size, and cannot say whether
//! anything was written. This queue counts bytes, knows whether the peer reads, and can be emptied.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_web::body::BoxBody;
use actix_web::web::Bytes;
use futures_util::Stream;

/// Bytes that may wait. One answer more than that is taken, however long it is.
const MAX_BYTES: usize = 1_048_576;

/// Frames that may wait.
const MAX_FRAMES: usize = 256;

/// Bytes that the connection gets at a time: it buffers what it gets, and should not hold what is counted here.
const CHUNK: usize = 16_384;

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// The first frame has been written in part, so that the rest of it must follow.
    begun: bool,
    /// Nothing more will come.
    ended: bool,
    /// Nobody takes anything any more.
    gone: bool,
    connection: Option<Waker>,
    socket: Option<Waker>,
}

impl Queue {
    fn has_room(&self) -> bool {
        self.bytes < MAX_BYTES && self.frames.len() < MAX_FRAMES
    }

    fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
        wake(&mut self.connection);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// The end that is filled. When it is dropped the connection closes, once all is written.
#[derive(Debug)]
pub(super) struct Outbox(Rc<RefCell<Queue>>);

/// The end that is written, as the body of the answer to the upgrade.
pub(super) struct OutboxBody {
    queue: Rc<RefCell<Queue>>,
    /// The library's own body. Dropped, it tells the library's stream of messages that the connection is closed.
    _library: BoxBody,
}

impl Outbox {
    /// An empty queue, and the body that writes it.
    pub(super) fn new(library: BoxBody) -> (Self, OutboxBody) {
        let queue = Rc::new(RefCell::new(Queue::default()));
        (Self(Rc::clone(&queue)), OutboxBody { queue, _library: library })
    }

    /// Adds a frame. Ask [`Outbox::has_room`] before anything is made that has to go in here.
    pub(super) fn push(&self, frame: Bytes) {
        let mut queue = self.0.borrow_mut();
        if !queue.ended && !queue.gone {
            queue.push(frame);
        }
    }

    /// Whether more may go in.
    pub(super) fn has_room(&self) -> bool {
        self.0.borrow().has_room()
    }

    /// Waits until more may go in, or until there is nobody to take it.
    pub(super) async fn room(&self) {
        self.until(|queue| queue.gone || queue.has_room()).await;
    }

    /// Waits until the connection is gone.
    pub(super) async fn gone(&self) {
        self.until(|queue| queue.gone).await;
    }

    async fn until(&self, condition: impl Fn(&Queue) -> bool) {
        poll_fn(|context| {
            let mut queue = self.0.borrow_mut();
            if condition(&queue) {
                return Poll::Ready(());
            }
            queue.socket = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends with this frame. What waits is written before it, unless the peer does not read: then it is forgotten,
    /// so that a stalled connection holds next to nothing.
    pub(super) fn finish(&self, last: Bytes) {
        let mut queue = self.0.borrow_mut();
        if queue.ended || queue.gone {
            return;
        }
        if !queue.has_room() {
            let keep = usize::from(queue.begun);
            queue.frames.truncate(keep);
            queue.bytes = queue.frames.iter().map(Bytes::len).sum();
        }
        queue.push(last);
        queue.ended = true;
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let mut queue = self.0.borrow_mut();
        queue.ended = true;
        wake(&mut queue.connection);
    }
}

impl Stream for OutboxBody {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut queue = self.queue.borrow_mut();
        let Some(mut frame) = queue.frames.pop_front() else {
            if queue.ended {
                return Poll::Ready(None);
            }
            queue.connection = Some(context.waker().clone());
            return Poll::Pending;
        };
        let chunk = frame.split_to(frame.len().min(CHUNK));
        queue.bytes -= chunk.len();
        queue.begun = !frame.is_empty();
        if queue.begun {
            queue.frames.push_front(frame);
        }
        wake(&mut queue.socket);
        Poll::Ready(Some(Ok(chunk)))
    }
}

impl Drop for OutboxBody {
    fn drop(&mut self) {
        let mut queue = self.queue.borrow_mut();
        queue.gone = true;
        queue.frames.clear();
        wake(&mut queue.socket);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::StreamExt;

    use super::*;

    fn pair() -> (Outbox, OutboxBody) {
        Outbox::new(BoxBody::new(()))
    }

    /// Reads what is there.
    fn read(body: &mut OutboxBody) -> Vec<usize> {
        let mut chunks = Vec::new();
        while let Some(Some(Ok(chunk))) = body.next().now_or_never() {
            chunks.push(chunk.len());
        }
        chunks
    }

    /// A few long frames or many short ones: either fills the queue, and reading makes room.
    #[test]
    fn the_queue_is_bounded_in_bytes_and_frames() {
        let (outbox, mut body) = pair();
        outbox.push(Bytes::from(vec![0; MAX_BYTES - 1]));
        assert!(outbox.has_room());
        outbox.push(Bytes::from_static(b"x"));
        assert!(!outbox.has_room());
        assert!(outbox.room().now_or_never().is_none());
        assert!(body.next().now_or_never().is_some());
        assert!(outbox.room().now_or_never().is_some());
        read(&mut body);
        for _ in 0..MAX_FRAMES {
            assert!(outbox.has_room());
            outbox.push(Bytes::from_static(b"x"));
        }
        assert!(!outbox.has_room());
    }

    /// A stalled peer costs the rest of the frame that it has begun to read, and a close frame.
    #[test]
    fn a_full_queue_is_forgotten_at_the_end() {
        let (outbox, mut body) = pair();
        outbox.push(Bytes::from(vec![0; CHUNK + 10]));
        outbox.push(Bytes::from(vec![0; MAX_BYTES]));
        assert!(body.next().now_or_never().is_some());
        outbox.finish(Bytes::from_static(b"bye"));
        outbox.push(Bytes::from_static(b"too late"));
        drop(outbox);
        assert_eq!(read(&mut body), [10, 3]);
        assert!(matches!(body.next().now_or_never(), Some(None)));
    }

    /// What waits in a queue that is not full is written before the end.
    #[test]
    fn an_orderly_end_writes_everything() {
        let (outbox, mut body) = pair();
        outbox.push(Bytes::from_static(b"one"));
        outbox.finish(Bytes::from_static(b"bye!"));
        assert_eq!(read(&mut body), [3, 4]);
        assert!(matches!(body.next().now_or_never(), Some(None)));
    }

    /// The loop of a socket learns that the connection is gone.
    #[test]
    fn a_dropped_body_is_noticed() {
        let (outbox, body) = pair();
        assert!(outbox.gone().now_or_never().is_none());
        drop(body);
        assert!(outbox.gone().now_or_never().is_some());
    }
}
