//! The loop of one socket: messages in, answers out, and the clocks that end it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::web::Data;
use actix_ws::{Message, MessageStream, ProtocolError};
use futures_util::future::{FusedFuture, LocalBoxFuture};
use futures_util::stream::{AbortHandle, SelectAll, Stream, abortable};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, MissedTickBehavior};

use super::close::Close;
use super::frames::{self, Fragments};
use super::operation::{self, Event};
use super::outbox::Outbox;
use super::protocol::{self, Action, Protocol};
use crate::app::State;
use crate::auth::Unauthenticated;
use crate::clock::Clock;
use crate::graphql::context::Caller;
use crate::http::graphql::new_request_id;
use crate::pipeline::{Envelope, GraphqlRequest, Peer};
use crate::telemetry::traces::{KeyValue, Span, SpanContext, SpanKind};

/// How often a peer is asked whether it is there. One that says nothing for two of these is not.
const PING_EVERY: Duration = Duration::from_secs(15);

/// How long a full outbox may stay full.
const STALL: Duration = Duration::from_secs(10);

/// A socket, before its first message.
pub(super) struct Socket {
    pub(super) state: Data<State>,
    pub(super) outbox: Outbox,
    /// The `Authorization` of the handshake.
    pub(super) authorization: Option<String>,
    pub(super) address: IpAddr,
    /// Whether the client asks for profiles.
    pub(super) profile: bool,
    /// Whose trace the handshake was a part of. Operations have traces of their own, and link to it.
    pub(super) cause: Option<SpanContext>,
}

/// What happens to an operation, with its id.
type Named = Pin<Box<dyn Stream<Item = (String, Event)>>>;

/// The operations that run, and how to stop each.
#[derive(Default)]
struct Operations {
    events: SelectAll<Named>,
    handles: HashMap<String, AbortHandle>,
}

/// Somebody is being asked who they are.
type SigningIn = LocalBoxFuture<'static, Result<Caller, Unauthenticated>>;

/// What is known of a connection while it lives.
struct Connection {
    socket: Socket,
    protocol: Protocol,
    operations: Operations,
    fragments: Fragments,
    signing_in: futures_util::future::Fuse<SigningIn>,
    peer: Option<Peer>,
    heard: Instant,
}

/// Why the loop ends.
enum End {
    /// Say why, then close.
    Close(Close),
    /// There is nobody to say anything to.
    Gone,
}

impl Socket {
    /// Serves the socket to its end.
    pub(super) async fn serve(self, messages: MessageStream) {
        let state = self.state.clone();
        let _open = state.metrics.websocket_opens();
        let mut connection = Connection {
            protocol: Protocol::new(state.transport.subscriptions),
            socket: self,
            operations: Operations::default(),
            fragments: Fragments::default(),
            signing_in: futures_util::future::Fuse::terminated(),
            peer: None,
            heard: Instant::now(),
        };
        let end = connection.run(messages).await;
        // Whatever runs is stopped before the peer hears of the end.
        connection.operations = Operations::default();
        match end {
            End::Close(close) => connection.socket.close(&close),
            End::Gone => state.metrics.websocket_closes("gone"),
        }
    }

    /// Says why, and closes.
    pub(super) fn close(&self, close: &Close) {
        self.state.metrics.websocket_closes(&close.label());
        self.outbox.finish(frames::close(close));
    }
}

impl Connection {
    async fn run(&mut self, mut messages: MessageStream) -> End {
        let state = self.socket.state.clone();
        let mut stopping = pin!(state.stopping.begun());
        let mut no_init = pin!(tokio::time::sleep(state.transport.connection_init_timeout));
        let mut pings = tokio::time::interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        loop {
            // Nothing is asked for, of the client or of an operation, that could not be written down.
            if !self.socket.outbox.has_room() {
                tokio::select! {
                    () = self.socket.outbox.room() => {}
                    () = &mut stopping => return End::Close(Close::GOING_AWAY),
                    () = tokio::time::sleep(STALL) => return End::Close(Close::TOO_SLOW),
                }
                // What the peer said meanwhile was not heard.
                self.heard = Instant::now();
            }
            let end = tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.hear(message),
                    None => Some(End::Gone),
                },
                Some((id, event)) = self.operations.events.next() => {
                    self.tell(&id, &event);
                    None
                }
                caller = &mut self.signing_in, if !self.signing_in.is_terminated() => self.signed_in(caller),
                () = expired(self.peer.as_ref(), &state.clock) => Some(End::Close(Close::FORBIDDEN)),
                () = &mut no_init, if self.protocol.awaits_init() => Some(End::Close(Close::INIT_TIMEOUT)),
                _ = pings.tick() => self.ping(),
                () = &mut stopping => Some(End::Close(Close::GOING_AWAY)),
                () = self.socket.outbox.gone() => Some(End::Gone),
            };
            if let Some(end) = end {
                return end;
            }
            // Others on this thread get their turn: an answer may have taken long to make, and the next is ready.
            tokio::task::yield_now().await;
        }
    }

    /// A message from the peer, or what is wrong with it.
    fn hear(&mut self, message: Result<Message, ProtocolError>) -> Option<End> {
        self.heard = Instant::now();
        let limit = self.socket.state.transport.body_bytes;
        match message {
            Ok(Message::Text(text)) => self.act(&text),
            Ok(Message::Binary(_)) => Some(End::Close(Close::INVALID)),
            Ok(Message::Continuation(frame)) => match self.fragments.add(frame, limit) {
                Ok(whole) => whole.and_then(|text| self.act(&text)),
                Err(close) => Some(End::Close(close)),
            },
            Ok(Message::Ping(payload)) => {
                self.socket.outbox.push(frames::pong(&payload));
                None
            }
            Ok(Message::Pong(_) | Message::Nop) => None,
            Ok(Message::Close(_)) => Some(End::Close(Close::NORMAL)),
            Err(ProtocolError::Overflow) => Some(End::Close(Close::TOO_LONG)),
            Err(ProtocolError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                Some(End::Close(Close::NOT_UTF8))
            }
            Err(ProtocolError::Io(error)) if is_cut(&error) => Some(End::Gone),
            Err(_) => Some(End::Close(Close::PROTOCOL_ERROR)),
        }
    }

    fn act(&mut self, text: &str) -> Option<End> {
        match self.protocol.receive(text) {
            Action::Nothing => {}
            Action::Send(message) => self.send(&message),
            Action::SignIn(authorization) => self.sign_in(authorization),
            Action::Start(id, request) => self.start(id, request),
            Action::Stop(id) => self.operations.stop(&id),
            Action::Close(close) => return Some(End::Close(close)),
        }
        None
    }

    /// Finds out who this is: who the message says, or else who the handshake said.
    fn sign_in(&mut self, authorization: Option<String>) {
        let state = self.socket.state.clone();
        let authorization = authorization.or_else(|| self.socket.authorization.clone());
        let signing_in = async move { state.authenticator.caller(authorization.as_deref()).await };
        self.signing_in = signing_in.boxed_local().fuse();
    }

    fn signed_in(&mut self, caller: Result<Caller, Unauthenticated>) -> Option<End> {
        match caller {
            Ok(caller) => {
                self.peer = Some(Peer { caller, address: self.socket.address });
                let message = self.protocol.acknowledge();
                self.send(message);
                None
            }
            Err(_) => Some(End::Close(Close::FORBIDDEN)),
        }
    }

    fn start(&mut self, id: String, request: Box<GraphqlRequest>) {
        let Some(peer) = self.peer.clone() else { return };
        let envelope = Envelope {
            request_id: new_request_id(),
            read_only: false,
            profile: self.socket.profile,
            // Its changes go through this server, which knows of them.
            at_least: None,
        };
        let span = Span::root(SpanKind::Server, "websocket operation", self.socket.cause.clone());
        span.set(|| [KeyValue::new("network.protocol.name", "websocket"), KeyValue::new("url.path", "/graphql")]);
        let events = operation::events(self.socket.state.clone(), peer, envelope, request, span);
        self.operations.start(id, events);
    }

    /// Passes on what happened to an operation.
    fn tell(&mut self, id: &str, event: &Event) {
        let (message, ended) = match event {
            Event::Next(executed) => (protocol::next(id, executed), false),
            Event::Failed(errors) => (protocol::failed(id, errors), true),
            Event::Complete => (protocol::complete(id), true),
        };
        if ended {
            self.protocol.ended(id);
            self.operations.handles.remove(id);
        }
        self.send(&message);
    }

    fn ping(&mut self) -> Option<End> {
        if self.heard.elapsed() >= 2 * PING_EVERY {
            return Some(End::Gone);
        }
        self.socket.outbox.push(frames::ping());
        None
    }

    fn send(&self, message: &str) {
        self.socket.outbox.push(frames::text(message));
    }
}

impl Operations {
    fn start(&mut self, id: String, events: impl Stream<Item = Event> + 'static) {
        let name = id.clone();
        let (events, handle) = abortable(events.map(move |event| (name.clone(), event)));
        self.events.push(Box::pin(events));
        self.handles.insert(id, handle);
    }

    /// Stops an operation: nothing more is heard of it, and it is dropped in the next turn of the loop.
    fn stop(&mut self, id: &str) {
        if let Some(handle) = self.handles.remove(id) {
            handle.abort();
        }
    }
}

/// Whether the connection ended in the middle of something.
fn is_cut(error: &std::io::Error) -> bool {
    error.get_ref().and_then(|cause| cause.downcast_ref::<PayloadError>()).is_some()
}

/// Until the token of the caller is no longer good.
async fn expired(peer: Option<&Peer>, clock: &Clock) {
    match peer {
        Some(peer) => peer.caller.expired(clock).await,
        None => std::future::pending().await,
    }
}
