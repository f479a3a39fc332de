//! News that a payment has changed, on its way to whoever follows its events.
//!
//! The news is only that there is something to read: events are read from the database, in order, so that news that is
//! lost or told twice harms nobody. In one process it is a broadcast. Replicas over PostgreSQL tell one another with
//! `NOTIFY`, sent after the commit and for many payments at once: inside the transaction it would make all commits of
//! the database wait for one another. A follower looks again now and then in any case.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entity::ids::PaymentId;
use sea_orm::sqlx::postgres::{PgListener, PgPool};
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::shutdown::Stopping;

/// The channel between replicas.
const CHANNEL: &str = "dermaga_payment_changed";

/// How much news a follower may be behind; beyond it, it looks at once.
const BACKLOG: usize = 256;

/// Ids in one notification, whose payload is at most 8,000 bytes.
const IDS: usize = 200;

/// How long a follower waits for news before it looks in any case.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long is waited before the channel is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// Payments that changed; `None` when some news may have been lost.
type News = Option<Arc<[PaymentId]>>;

/// Where changes are told and followed.
#[derive(Clone, Debug)]
pub struct PaymentFeed {
    sender: broadcast::Sender<News>,
    outbox: Option<Arc<Outbox>>,
}

/// What other replicas are still to be told.
#[derive(Debug, Default)]
struct Outbox {
    ids: Mutex<BTreeSet<Uuid>>,
    filled: Notify,
}

/// News of one payment.
#[derive(Debug)]
pub struct Follower {
    payment: PaymentId,
    receiver: broadcast::Receiver<News>,
}

impl PaymentFeed {
    /// A feed for this process alone.
    pub fn local() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG), outbox: None }
    }

    /// A feed for all replicas over one PostgreSQL database. Its tasks end when the server stops.
    pub fn shared(pool: &PgPool, stopping: &Stopping) -> Self {
        let outbox = Arc::new(Outbox::default());
        let feed = Self { sender: broadcast::Sender::new(BACKLOG), outbox: Some(Arc::clone(&outbox)) };
        let (announcing, listening) = (stopping.clone(), stopping.clone());
        let (to_announce, to_listen) = (pool.clone(), pool.clone());
        actix_web::rt::spawn(async move {
            tokio::select! {
                () = announce(&to_announce, &outbox) => {}
                () = announcing.begun() => {}
            }
        });
        let sender = feed.sender.clone();
        actix_web::rt::spawn(async move {
            tokio::select! {
                () = listen(&to_listen, &sender) => {}
                () = listening.begun() => {}
            }
        });
        feed
    }

    /// Tells everybody who follows these payments, here and on other replicas.
    pub fn changed(&self, payments: impl IntoIterator<Item = PaymentId>) {
        let ids: Arc<[PaymentId]> = payments.into_iter().collect();
        if let Some(outbox) = &self.outbox {
            outbox.ids.lock().unwrap_or_else(PoisonError::into_inner).extend(ids.iter().map(|id| id.0));
            outbox.filled.notify_one();
        }
        // An error means that nobody follows here.
        let _ = self.sender.send(Some(ids));
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

/// Tells other replicas what fills the outbox.
async fn announce(pool: &PgPool, outbox: &Outbox) {
    loop {
        outbox.filled.notified().await;
        let ids = std::mem::take(&mut *outbox.ids.lock().unwrap_or_else(PoisonError::into_inner));
        let texts: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
        for some in texts.chunks(IDS) {
            let notify = sea_orm::sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(some.join(","));
            if let Err(error) = notify.execute(pool).await {
                // Followers elsewhere look for themselves before long.
                tracing::warn!(error = %crate::error::chain(&error), "telling other replicas failed");
            }
        }
    }
}

/// Hears what other replicas tell.
async fn listen(pool: &PgPool, sender: &broadcast::Sender<News>) {
    loop {
        if let Err(error) = hear(pool, sender).await {
            tracing::warn!(error = %error.chain(), "listening to other replicas failed; trying again");
        }
        let _ = sender.send(None);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(pool: &PgPool, sender: &broadcast::Sender<News>) -> Result<()> {
    let mut listener = PgListener::connect_with(pool).await.map_err(Error::internal)?;
    listener.listen(CHANNEL).await.map_err(Error::internal)?;
    // What was told before is not heard any more.
    let _ = sender.send(None);
    loop {
        let news = listener.try_recv().await.map_err(Error::internal)?;
        let news = news.map(|news| {
            let ids = news.payload().split(',').filter_map(|id| Uuid::try_parse(id).ok());
            ids.map(PaymentId).collect()
        });
        let _ = sender.send(news);
    }
}
