//! How what would go on for ever learns that the server stops.

use std::future::Future;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use tokio::sync::watch;

/// Says when the server begins to stop. Streams end then; without it they would hold the stop up to its time-out.
#[derive(Clone, Debug)]
pub struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Whether the server has begun to stop.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the server begins to stop.
    pub async fn begun(&self) {
        // An error means that the server is no more.
        let _ = self.0.clone().wait_for(|begun| *begun).await;
    }
}

/// Says when the last request has ended. What requests rely on goes on until then.
#[derive(Clone, Debug)]
pub struct Served(watch::Receiver<bool>);

impl Served {
    /// Waits until no request runs any more.
    pub async fn ended(&self) {
        // An error means that the server is no more.
        let _ = self.0.clone().wait_for(|ended| *ended).await;
    }
}

/// Stops a server from elsewhere.
#[derive(Clone, Debug)]
pub struct Stopper {
    begun: Arc<watch::Sender<bool>>,
    server: ServerHandle,
}

impl Stopper {
    /// Stops `server`, after all who wait at [`Stopping`] have heard of it.
    pub(crate) fn new(begun: Arc<watch::Sender<bool>>, server: ServerHandle) -> Self {
        Self { begun, server }
    }

    /// Stops it: at once, or when the requests that run have ended. The command is given here; what can be awaited
    /// is only its end.
    pub fn stop(&self, graceful: bool) -> impl Future<Output = ()> + use<> {
        self.begun.send_replace(true);
        self.server.stop(graceful)
    }
}

/// A switch, and what follows it.
pub(crate) fn switch() -> (Arc<watch::Sender<bool>>, Stopping) {
    let (sender, receiver) = watch::channel(false);
    (Arc::new(sender), Stopping(receiver))
}

/// The switch of the end, and what follows it.
pub(crate) fn last_switch() -> (watch::Sender<bool>, Served) {
    let (sender, receiver) = watch::channel(false);
    (sender, Served(receiver))
}
