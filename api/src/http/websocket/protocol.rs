//! The protocol `graphql-transport-ws` as a machine: a message goes in, what is to be done comes out.
//!
//! It knows no socket, no clock and no task, so that a test is a list of messages. It must never repeat to a client
//! what a parser said.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::close::Close;
use crate::error::code;
use crate::pipeline::errors::ShownError;
use crate::pipeline::{Executed, GraphqlRequest};

/// The name of the protocol in the handshake.
pub(super) const NAME: &str = "graphql-transport-ws";

/// Bytes of an operation's id. It is kept while the operation runs and sent with each of its answers.
const MAX_ID_BYTES: usize = 1_024;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Action {
    /// Nothing.
    Nothing,
    /// Send this message.
    Send(String),
    /// Find out who this is; then [`Protocol::acknowledge`].
    SignIn(Option<String>),
    /// Run this operation, and say [`Protocol::ended`] when it did.
    Start(String, Box<GraphqlRequest>),
    /// Stop this operation.
    Stop(String),
    /// Close the socket.
    Close(Close),
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody said who they are.
    New,
    /// It is being found out.
    SigningIn,
    /// Operations may come.
    Acknowledged,
}

/// The state of a connection.
#[derive(Debug)]
pub(super) struct Protocol {
    phase: Phase,
    running: HashSet<String>,
    limit: usize,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Credentials<'a> {
    #[serde(rename = "Authorization", borrow)]
    upper: Option<&'a RawValue>,
    #[serde(rename = "authorization", borrow)]
    lower: Option<&'a RawValue>,
}

impl Protocol {
    /// A new connection, on which `limit` operations may run at a time.
    pub(super) fn new(limit: usize) -> Self {
        Self { phase: Phase::New, running: HashSet::new(), limit }
    }

    /// Whether the client has not said yet who it is.
    pub(super) fn awaits_init(&self) -> bool {
        self.phase == Phase::New
    }

    /// What a message asks for.
    pub(super) fn receive(&mut self, text: &str) -> Action {
        self.understand(text).unwrap_or_else(Action::Close)
    }

    fn understand(&mut self, text: &str) -> Result<Action, Close> {
        // An array would be taken for a message whose fields have lost their names.
        if !text.trim_start().starts_with('{') {
            return Err(Close::INVALID);
        }
        // Payloads stay texts: each is measured before anything makes values of it.
        let message: Message<'_> = serde_json::from_str(text).map_err(|_| Close::INVALID)?;
        let payload = message.payload.map(RawValue::get).filter(|text| *text != "null");
        match message.kind.as_ref() {
            "connection_init" => self.init(payload),
            "ping" => Ok(Action::Send(pong(object(payload)?))),
            "pong" => object(payload).map(|_| Action::Nothing),
            "subscribe" => self.subscribe(identifier(message.id)?, payload),
            "complete" => {
                let id = identifier(message.id)?;
                Ok(if self.running.remove(&id) { Action::Stop(id) } else { Action::Nothing })
            }
            kind @ ("connection_ack" | "next" | "error") => Err(Close::unexpected(kind)),
            _ => Err(Close::INVALID),
        }
    }

    fn init(&mut self, payload: Option<&str>) -> Result<Action, Close> {
        let authorization = match object(payload)? {
            Some(payload) => authorization(payload)?,
            None => None,
        };
        if self.phase != Phase::New {
            return Err(Close::TOO_MANY_INITS);
        }
        self.phase = Phase::SigningIn;
        Ok(Action::SignIn(authorization))
    }

    fn subscribe(&mut self, id: String, payload: Option<&str>) -> Result<Action, Close> {
        let payload = object(payload)?.ok_or_else(|| Close::invalid("the payload must be an object"))?;
        let request = GraphqlRequest::from_json(payload.as_bytes())
            .map_err(|refusal| Close::invalid(refusal.error.json()["message"].as_str().unwrap_or_default()))?;
        // The extensions may name a document that is kept here.
        if request.query.is_none() && request.extensions.is_empty() {
            return Err(Close::invalid("query must be a string"));
        }
        if self.phase != Phase::Acknowledged {
            return Err(Close::UNAUTHORIZED);
        }
        if self.running.contains(&id) {
            return Err(Close::duplicate(&id));
        }
        if self.running.len() >= self.limit {
            let words = format!("at most {} operations run at a time on one connection", self.limit);
            let error = ShownError::new(code::RATE_LIMITED, &words);
            return Ok(Action::Send(failed(&id, &json!([error.json()]))));
        }
        self.running.insert(id.clone());
        Ok(Action::Start(id, Box::new(request)))
    }

    /// It is known who the client is: what to tell it.
    pub(super) fn acknowledge(&mut self) -> &'static str {
        self.phase = Phase::Acknowledged;
        r#"{"type":"connection_ack"}"#
    }

    /// An operation has ended: its id is free again.
    pub(super) fn ended(&mut self, id: &str) {
        self.running.remove(id);
    }
}

/// An answer of an operation.
pub(super) fn next(id: &str, executed: &Executed) -> String {
    format!(r#"{{"id":{},"type":"next","payload":{}}}"#, quoted(id), executed.body())
}

/// An operation that will not run.
pub(super) fn failed(id: &str, errors: &Value) -> String {
    format!(r#"{{"id":{},"type":"error","payload":{errors}}}"#, quoted(id))
}

/// The end of an operation.
pub(super) fn complete(id: &str) -> String {
    format!(r#"{{"id":{},"type":"complete"}}"#, quoted(id))
}

fn pong(payload: Option<&str>) -> String {
    match payload {
        Some(payload) => format!(r#"{{"type":"pong","payload":{payload}}}"#),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

fn quoted(id: &str) -> Value {
    Value::String(id.to_owned())
}

/// A payload that is an object or not there.
fn object(payload: Option<&str>) -> Result<Option<&str>, Close> {
    match payload {
        Some(text) if !text.starts_with('{') => Err(Close::invalid("the payload must be an object")),
        other => Ok(other),
    }
}

fn identifier(id: Option<&RawValue>) -> Result<String, Close> {
    let id = id.map(RawValue::get).unwrap_or_default();
    match serde_json::from_str::<String>(id) {
        Ok(id) if !id.is_empty() && id.len() <= MAX_ID_BYTES => Ok(id),
        _ => Err(Close::invalid("the id must be a short text")),
    }
}

/// The token that a client sends in its first message, as browsers cannot set headers on a WebSocket.
fn authorization(payload: &str) -> Result<Option<String>, Close> {
    let credentials: Credentials<'_> = serde_json::from_str(payload).map_err(|_| Close::INVALID)?;
    let given = credentials.upper.or(credentials.lower).map(RawValue::get).filter(|text| *text != "null");
    // What is no text is no token: it must not fall back to another way of signing in.
    Ok(given.map(|text| serde_json::from_str(text).unwrap_or_default()))
}

#[cfg(test)]
mod tests;
