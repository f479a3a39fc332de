//! What is known of a connection: whether its client is still there.
//!
//! The HTTP library reads no further while a request is answered, so that it notices a client's going only when it
//! writes. A duplicate of the socket's descriptor tells at once.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::io;
use std::net::TcpStream as StdStream;
use std::os::fd::AsFd;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use tokio::io::Interest;

/// A duplicate of a connection's descriptor, watched from the first request on. It is never read from.
struct Watch {
    duplicate: Cell<Option<StdStream>>,
    watched: OnceCell<Option<TcpStream>>,
}

/// How long a client may leave unread what it is sent. The HTTP library would wait for ever; the kernel ends the
/// connection. A client that reads a little from time to time may go on.
#[cfg(target_os = "linux")]
const UNREAD: Duration = Duration::from_secs(30);

/// Prepares a new connection.
pub(crate) fn opened(connection: &dyn Any, extensions: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    // Without this, answers to pipelined requests wait 40 ms for an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(cause = %error, "a connection stays without TCP_NODELAY");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD)) {
        tracing::debug!(cause = %error, "a connection may stay unread for ever");
    }
    match stream.as_fd().try_clone_to_owned() {
        Ok(descriptor) => {
            let duplicate = Cell::new(Some(StdStream::from(descriptor)));
            extensions.insert(Watch { duplicate, watched: OnceCell::new() });
        }
        Err(error) => tracing::debug!(cause = %error, "a connection's end will be noticed late"),
    }
}

/// Waits until the client has gone, or has at least said that it will send no more, as proxies have it too.
pub(super) async fn hung_up(http: &HttpRequest) {
    let watch = http.conn_data::<Watch>();
    let watched = watch.and_then(|watch| {
        let start = || TcpStream::from_std(watch.duplicate.take()?).ok();
        watch.watched.get_or_init(start).as_ref()
    });
    let Some(watched) = watched else { return std::future::pending().await };
    while watched.ready(Interest::READABLE).await.is_ok_and(|ready| !ready.is_read_closed()) {
        // The next request waits to be read by whoever owns the connection; here it only has to be forgotten.
        let _ = watched.try_io::<()>(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
    }
}
