//! News that a payment has changed, on its way to whoever follows its events.
//!
//! The news is only that there is something to read: events are read from the database, in order, so that news that is
//! lost or told twice harms nobody. This server tells of its own changes at once, and of those of others when it hears
//! of them from the database ([`crate::store::watch`]). A follower looks again now and then in any case.

use std::sync::Arc;
use std::time::Duration;

use entity::ids::PaymentId;
use tokio::sync::broadcast;

/// How much news a follower may be behind; beyond it, it looks at once.
const BACKLOG: usize = 256;

/// How long a follower waits for news before it looks in any case.
const PATIENCE: Duration = Duration::from_secs(10);

/// Payments that changed; `None` when some news may have been lost.
type News = Option<Arc<[PaymentId]>>;

/// Where changes are told and followed.
#[derive(Clone, Debug)]
pub struct PaymentFeed {
    sender: broadcast::Sender<News>,
}

/// News of one payment.
#[derive(Debug)]
pub struct Follower {
    payment: PaymentId,
    receiver: broadcast::Receiver<News>,
}

impl Default for PaymentFeed {
    fn default() -> Self {
        Self::new()
    }
}

impl PaymentFeed {
    /// A feed that nobody follows yet.
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG) }
    }

    /// Tells everybody who follows these payments here.
    pub fn changed(&self, payments: impl IntoIterator<Item = PaymentId>) {
        // An error means that nobody follows here.
        let _ = self.sender.send(Some(payments.into_iter().collect()));
    }

    /// Tells all followers to look: any payment may have changed.
    pub fn anything_changed(&self) {
        let _ = self.sender.send(None);
    }

    /// News of a payment from now on.
    pub fn follow(&self, payment: PaymentId) -> Follower {
        Follower { payment, receiver: self.sender.subscribe() }
    }
}

impl Follower {
    /// Waits until there may be something new of the payment.
    pub async fn news(&mut self) {
        let news = async {
            loop {
                match self.receiver.recv().await {
                    Ok(Some(ids)) if !ids.contains(&self.payment) => {}
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                    // The feed lives as long as the server.
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _ = tokio::time::timeout(PATIENCE, news).await;
    }
}
