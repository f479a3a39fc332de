//! Why a socket is closed.

use std::borrow::Cow;

/// Bytes that the reason of a close frame may have: 125 of a control frame, less two of the code.
const REASON_BYTES: usize = 123;

/// Why a socket is closed: a code for machines and a reason for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

impl Close {
    /// The client said goodbye.
    pub(super) const NORMAL: Self = Self::new(1_000, "");
    /// The server stops.
    pub(super) const GOING_AWAY: Self = Self::new(1_001, "The server is stopping");
    /// The client breaks the rules of WebSocket itself.
    pub(super) const PROTOCOL_ERROR: Self = Self::new(1_002, "Protocol error");
    /// A text is not one.
    pub(super) const NOT_UTF8: Self = Self::new(1_007, "Text must be UTF-8");
    /// A message is longer than a body may be.
    pub(super) const TOO_LONG: Self = Self::new(1_009, "Message too long");
    /// The client does not read what it asked for. It may come back.
    pub(super) const TOO_SLOW: Self = Self::new(1_013, "Answers are not read fast enough");
    /// A message that the protocol does not know.
    pub(super) const INVALID: Self = Self::new(4_400, "Invalid message received");
    /// An operation before the connection was acknowledged.
    pub(super) const UNAUTHORIZED: Self = Self::new(4_401, "Unauthorized");
    /// A token that does not let its bearer in.
    pub(super) const FORBIDDEN: Self = Self::new(4_403, "Forbidden");
    /// A client that speaks another protocol.
    pub(super) const SUBPROTOCOL: Self = Self::new(4_406, "Subprotocol not acceptable");
    /// No `connection_init` in time.
    pub(super) const INIT_TIMEOUT: Self = Self::new(4_408, "Connection initialisation timeout");
    /// A second `connection_init`.
    pub(super) const TOO_MANY_INITS: Self = Self::new(4_429, "Too many initialisation requests");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// A message that the protocol does not know, and what is wrong with it in words of this program.
    pub(super) fn invalid(why: &str) -> Self {
        Self { code: Self::INVALID.code, reason: format!("Invalid message received: {why}").into() }
    }

    /// A message that is the server's to send.
    pub(super) fn unexpected(kind: &str) -> Self {
        Self { code: Self::INVALID.code, reason: format!("Unexpected message of type {kind} received").into() }
    }

    /// An id that is in use.
    pub(super) fn duplicate(id: &str) -> Self {
        Self { code: 4_409, reason: format!("Subscriber for {id} already exists").into() }
    }

    /// As much of the reason as a close frame holds.
    pub(super) fn reason(&self) -> &str {
        &self.reason[..self.reason.floor_char_boundary(REASON_BYTES)]
    }

    /// The code as a label. All of them are listed above, so they are few.
    pub(super) fn label(&self) -> String {
        self.code.to_string()
    }
}
