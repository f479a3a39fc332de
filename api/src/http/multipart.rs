//! Subscriptions as Apollo's clients and routers speak them: an answer of many parts.
//!
//! A part is read when the delimiter after it has come, so each is written together with that.

use std::time::Duration;

use serde_json::json;

use super::live::Beat;
use crate::error::code;
use crate::pipeline::errors::ShownError;

/// What the answer is.
pub(super) const CONTENT_TYPE: &str = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0";

/// The delimiter before the first part.
pub(super) const FIRST: &str = "\r\n--graphql";

/// How often a silent stream shows that it lives, as Apollo's router does.
pub(super) const IDLE_EVERY: Duration = Duration::from_secs(5);

/// The part of a beat.
pub(super) fn write(beat: &Beat) -> String {
    match beat {
        Beat::Answer(executed) => part(&format!("{{\"payload\":{}}}", executed.body())),
        Beat::Idle => part("{}"),
        Beat::Stopping => {
            let error = ShownError::new(code::UNAVAILABLE, "the server stops; try again");
            format!("{}--\r\n", part(&json!({"payload": null, "errors": [error.json()]}).to_string()))
        }
        Beat::End => "--\r\n".to_owned(),
    }
}

fn part(body: &str) -> String {
    format!("\r\ncontent-type: application/json\r\n\r\n{body}{FIRST}")
}
