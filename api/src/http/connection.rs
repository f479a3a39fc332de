//! How a connection is set up.

use std::any::Any;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;

/// How long a client may leave unread what it is sent. The HTTP library would wait for ever; the kernel ends the
/// connection. A client that reads a little from time to time may go on.
#[cfg(target_os = "linux")]
const UNREAD: Duration = Duration::from_secs(30);

/// Prepares a new connection.
pub(crate) fn opened(connection: &dyn Any, _extensions: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    // Without this, answers to pipelined requests wait 40 ms for an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(cause = %error, "a connection stays without TCP_NODELAY");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD)) {
        tracing::debug!(cause = %error, "a connection may stay unread for ever");
    }
}
