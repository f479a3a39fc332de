//! Server-sent events, as the distinct-connections mode of the graphql-sse protocol has them: one operation, one
//! connection.

use std::time::Duration;

use super::live::Beat;

/// What the answer is.
pub(super) const CONTENT_TYPE: &str = "text/event-stream; charset=utf-8";

/// A comment at once: some browsers show a connection as open only when something has come.
pub(super) const FIRST: &str = ":\n\n";

/// How often a silent stream shows that it lives. Proxies close what is silent for longer than a minute or less.
pub(super) const IDLE_EVERY: Duration = Duration::from_secs(12);

/// The event of a beat. The JSON is on one line, since line breaks are escaped in its strings and stand nowhere
/// else.
pub(super) fn write(beat: &Beat) -> String {
    match beat {
        Beat::Answer(executed) => format!("event: next\ndata: {}\n\n", executed.body()),
        // Without the end of the operation, a client knows that it must come back.
        Beat::Idle | Beat::Stopping => FIRST.to_owned(),
        // A browser passes no event on that has no data line.
        Beat::End => "event: complete\ndata: \n\n".to_owned(),
    }
}
