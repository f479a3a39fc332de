//! What the WebSocket library leaves to its users: frames to be written, and messages put together from frames.

use actix_web::web::{Bytes, BytesMut};
use actix_ws::Item;

use super::close::Close;

/// The first byte of a whole frame: that bit, and the kind of the frame.
const FINAL: u8 = 0x80;

/// Up to here the length of a frame fits into its second byte; this and the next value announce longer ones.
const SHORT: usize = 125;

/// The length stands in two more bytes.
const TWO_BYTES: u8 = 126;

/// The length stands in eight more bytes.
const EIGHT_BYTES: u8 = 127;

/// The kinds of frames that a server writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text = 1,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// A message.
pub(super) fn text(message: &str) -> Bytes {
    frame(Kind::Text, message.as_bytes())
}

/// A question whether the peer is there.
pub(super) fn ping() -> Bytes {
    frame(Kind::Ping, b"")
}

/// The answer to the peer's ping.
pub(super) fn pong(payload: &[u8]) -> Bytes {
    frame(Kind::Pong, &payload[..payload.len().min(SHORT)])
}

/// The last frame of a socket.
pub(super) fn close(close: &Close) -> Bytes {
    let mut payload = close.code.to_be_bytes().to_vec();
    payload.extend_from_slice(close.reason().as_bytes());
    frame(Kind::Close, &payload)
}

fn frame(kind: Kind, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    frame.extend_from_slice(&[FINAL | kind as u8]);
    match (payload.len(), u16::try_from(payload.len())) {
        (0..=SHORT, Ok(length)) => frame.extend_from_slice(&length.to_be_bytes()[1..]),
        (_, Ok(length)) => {
            frame.extend_from_slice(&[TWO_BYTES]);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        (length, Err(_)) => {
            frame.extend_from_slice(&[EIGHT_BYTES]);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame.freeze()
}

/// A message that comes in several frames.
///
/// The library's own aggregation keeps each frame apart, some forty bytes for a frame with one byte in it. Here
/// they become one text as they come.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    bytes: Vec<u8>,
    text: bool,
}

impl Fragments {
    /// Adds a frame; the whole message with its last one.
    ///
    /// # Errors
    /// When the message is longer than `limit`, is no text, or is not UTF-8.
    pub(super) fn add(&mut self, frame: Item, limit: usize) -> Result<Option<String>, Close> {
        let (bytes, last) = match frame {
            Item::FirstText(bytes) => {
                self.text = true;
                (bytes, false)
            }
            Item::FirstBinary(bytes) => {
                self.text = false;
                (bytes, false)
            }
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        if self.bytes.len() + bytes.len() > limit {
            return Err(Close::TOO_LONG);
        }
        self.bytes.extend_from_slice(&bytes);
        if !last {
            return Ok(None);
        }
        let whole = std::mem::take(&mut self.bytes);
        if !self.text {
            return Err(Close::INVALID);
        }
        String::from_utf8(whole).map(Some).map_err(|_| Close::NOT_UTF8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three ways in which a length is written.
    #[test]
    fn lengths_are_written_as_the_standard_says() {
        assert_eq!(&text("ab")[..], b"\x81\x02ab");
        assert_eq!(&text(&"a".repeat(125))[..2], b"\x81\x7d");
        assert_eq!(&text(&"a".repeat(126))[..4], b"\x81\x7e\x00\x7e");
        assert_eq!(&text(&"a".repeat(65_535))[..4], b"\x81\x7e\xff\xff");
        assert_eq!(&text(&"a".repeat(65_536))[..10], b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00");
        assert_eq!(text(&"a".repeat(65_536)).len(), 65_546);
    }

    /// A control frame holds 125 bytes at the most, whatever the other side sent or is called.
    #[test]
    fn control_frames_are_short() {
        assert_eq!(&ping()[..], b"\x89\x00");
        assert_eq!(&pong(b"x")[..], b"\x8a\x01x");
        assert_eq!(pong(&[b'x'; 200]).len(), 127);
        assert_eq!(&close(&Close::GOING_AWAY)[..4], b"\x88\x18\x03\xe9");
        let long = Close { code: 4_409, reason: "é".repeat(100).into() };
        let frame = close(&long);
        assert_eq!(frame.len(), 2 + 2 + 122, "cut between two characters");
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }

    /// Frames make one message; what is too long is noticed before its end, what is binary at its end.
    #[test]
    fn fragments_become_one_message() {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        let mut fragments = Fragments::default();
        assert_eq!(fragments.add(Item::FirstText(bytes("a")), 5), Ok(None));
        assert_eq!(fragments.add(Item::Continue(bytes("b")), 5), Ok(None));
        assert_eq!(fragments.add(Item::Last(bytes("c")), 5), Ok(Some("abc".to_owned())));
        assert_eq!(fragments.add(Item::FirstText(bytes("abc")), 5), Ok(None));
        assert_eq!(fragments.add(Item::Continue(bytes("def")), 5), Err(Close::TOO_LONG));
        let mut fragments = Fragments::default();
        assert_eq!(fragments.add(Item::FirstBinary(bytes("a")), 5), Ok(None));
        assert_eq!(fragments.add(Item::Last(bytes("b")), 5), Err(Close::INVALID));
        let mut fragments = Fragments::default();
        assert_eq!(fragments.add(Item::FirstText(Bytes::from_static(b"\xc3")), 5), Ok(None));
        assert_eq!(fragments.add(Item::Last(Bytes::from_static(b"x")), 5), Err(Close::NOT_UTF8));
    }
}
