//! GraphQL over WebSocket: the protocol `graphql-transport-ws`, for queries, mutations and subscriptions.
//!
//! What a message means is decided in [`protocol`], which knows no socket; what is written waits in an [`outbox`],
//! which has an end; [`socket`] is the loop between the two.

mod close;
mod frames;
mod operation;
mod outbox;
mod protocol;
mod socket;

use actix_web::body::{BodyStream, BoxBody};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::graphql::{self, PROFILE};
use super::response::{self, MediaType};
use crate::app::State;
use crate::error::code;
use crate::pipeline::Refusal;
use crate::telemetry::traces::{self, Headers};
use close::Close;
use outbox::Outbox;
use socket::Socket;

/// Whether a request wants to become a WebSocket.
pub(super) fn is_asked_for(http: &HttpRequest) -> bool {
    let mut upgrades = http.headers().get_all(header::UPGRADE).filter_map(|value| value.to_str().ok());
    upgrades.any(|value| value.split(',').any(|name| name.trim().eq_ignore_ascii_case("websocket")))
}

/// Answers the handshake, and serves the socket on this thread from then on.
pub(super) fn open(http: &HttpRequest, payload: Payload, state: &Data<State>) -> HttpResponse {
    // The library's own session is not used: see `outbox`.
    let Ok((response, _, messages)) = actix_ws::handle_with_protocols(http, payload, &[protocol::NAME]) else {
        let refusal = Refusal::http(StatusCode::BAD_REQUEST, code::BAD_REQUEST, "the WebSocket handshake is malformed");
        return response::refused(MediaType::Json, &graphql::new_request_id(), &refusal);
    };
    let negotiated = response.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL);
    let mut outbox = None;
    let response = response.map_body(|_, library| {
        let (ours, body) = Outbox::new(library);
        outbox = Some(ours);
        BoxBody::new(BodyStream::new(body))
    });
    if let Some(outbox) = outbox {
        let authorization = http.headers().get(header::AUTHORIZATION);
        let socket = Socket {
            state: state.clone(),
            outbox,
            authorization: authorization.map(|value| value.to_str().unwrap_or_default().to_owned()),
            address: graphql::address(http),
            profile: http.headers().get(PROFILE).is_some_and(|value| value == "1"),
            cause: traces::incoming(Headers(http.headers())),
        };
        if negotiated {
            // A frame that is longer than a message may be is refused by what it says of its length.
            let messages = messages.max_frame_size(state.transport.body_bytes);
            actix_web::rt::spawn(socket.serve(messages));
        } else {
            // A plain refusal would look like a network that fails, and clients would try again without end.
            socket.close(&Close::SUBPROTOCOL);
        }
    }
    response
}
