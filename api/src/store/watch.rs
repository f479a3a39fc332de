//! Hears of what others change in the database: other replicas, other programs, people with a prompt.
//!
//! On PostgreSQL triggers tell of changed rows with `NOTIFY` (see the migration that makes them). A connection of its
//! own listens; since a broken connection may look like silence, this server sends itself a pulse through the database
//! and takes the connection for lost when it does not hear it. On SQLite a counter of the file shows that another
//! process has written, and not what.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use entity::ids::{AccountId, PaymentId};
use sea_orm::DbBackend;
use sea_orm::sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use super::database::Database;
use super::rates;
use super::standby::Position;
use crate::error::{Error, Result};
use crate::shutdown::Served;

/// The channel of the triggers.
const CHANNEL: &str = "dermaga_changed";

/// How often a pulse is sent.
const PULSE: Duration = Duration::from_secs(1);

/// How long a pulse may take before the connection counts as lost.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long is waited before it is listened again.
const PAUSE: Duration = Duration::from_millis(500);

/// How often a SQLite file is looked at: for so long another process's write may not be seen.
const LOOK: Duration = Duration::from_millis(50);

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Payments of one account changed, or what belongs to them. Lists of the account changed in any case.
    Payments(AccountId, Vec<PaymentId>),
    /// Commodities changed, or what is published about them.
    Commodities,
    /// Currency rates or their sources changed.
    Rates,
    /// Prompts, texts of regulations or their vectors changed.
    Sources,
    /// The reference rates of a day were stored.
    NewRates(NaiveDate),
    /// Anything may have changed.
    Everything,
    /// The database cannot be heard any more.
    Lost,
    /// The database can be heard from now on. What happened before was not heard.
    Regained,
    /// A pulse was heard, so long after it was sent.
    Pulse(Duration),
}

/// Tells `hear` of changes until no request runs any more: the cache believes itself right as long as nobody says that it
/// does not hear.
pub async fn watch<F: Future<Output = ()>>(database: Database, served: Served, hear: impl Fn(News) -> F) {
    // Before all others: whoever reads once the cache has dropped something must not be led to a standby without it.
    let hear = |news: News| {
        if let Some(standby) = database.standby() {
            standby.hear(&news);
        }
        hear(news)
    };
    let watching = async {
        match database.backend() {
            DbBackend::Postgres => watch_postgres(&database, &hear).await,
            _ => watch_sqlite(&database, &hear).await,
        }
    };
    tokio::select! {
        () = watching => {}
        () = served.ended() => {}
    }
}

async fn watch_postgres<F: Future<Output = ()>>(database: &Database, hear: &impl Fn(News) -> F) {
    // One connection listens, the other sends the pulse: neither waits for requests, nor do requests for them.
    let options = PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE);
    let pool = options.connect_lazy_with((*database.postgres_options()).clone());
    loop {
        if let Err(error) = listen(database, &pool, hear).await {
            tracing::warn!(cause = %error.chain(), "the database cannot be heard; trying again");
        }
        hear(News::Lost).await;
        sleep(PAUSE).await;
    }
}

async fn listen<F: Future<Output = ()>>(database: &Database, pool: &PgPool, hear: &impl Fn(News) -> F) -> Result<()> {
    let mut listener = PgListener::connect_with(pool).await.map_err(Error::internal)?;
    listener.listen_all([CHANNEL, rates::CHANNEL]).await.map_err(Error::internal)?;
    hear(News::Regained).await;
    let name = Uuid::now_v7().simple().to_string();
    let own_pulse = format!("pulse {name}");
    let mut sent: Option<(Instant, Option<Position>)> = None;
    let mut pulse = interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut next = pin!(listener.try_recv());
        let heard = loop {
            tokio::select! {
                heard = &mut next => break heard.map_err(Error::internal)?,
                _ = pulse.tick() => match sent {
                    Some((at, _)) if at.elapsed() > PATIENCE => return Err(Error::internal("no pulse was heard")),
                    Some(_) => {}
                    None => {
                        let at = Instant::now();
                        sent = Some((at, send_pulse(pool, &own_pulse, database.standby().is_some()).await?));
                    }
                },
            }
        };
        // The driver says so when it has lost the connection.
        let Some(heard) = heard else { return Err(Error::internal("the connection was lost")) };
        if heard.channel() == rates::CHANNEL {
            if let Ok(day) = heard.payload().parse() {
                hear(News::NewRates(day)).await;
            }
        } else if heard.payload() == own_pulse {
            if let Some((at, position)) = sent.take() {
                // Notifications come in the order of the commits, so all from before the pulse have come.
                if let (Some(standby), Some(position)) = (database.standby(), position) {
                    standby.heard_up_to(position);
                }
                hear(News::Pulse(at.elapsed())).await;
            }
        } else if let Some(news) = read(heard.payload()) {
            hear(news).await;
        }
    }
}

/// Sends a pulse; with the position of the log before it, where that is asked for.
async fn send_pulse(pool: &PgPool, text: &str, with_position: bool) -> Result<Option<Position>> {
    let notify = match with_position {
        true => "SELECT pg_current_wal_insert_lsn()::text, pg_notify($1, $2)",
        false => "SELECT NULL::text, pg_notify($1, $2)",
    };
    let notify = sea_orm::sqlx::query_scalar(notify).bind(CHANNEL).bind(text).fetch_one(pool);
    let position: Option<String> = match tokio::time::timeout(PATIENCE, notify).await {
        Ok(sent) => sent.map_err(Error::internal)?,
        Err(_) => return Err(Error::internal("no pulse could be sent")),
    };
    position.map(|position| position.parse().map_err(Error::internal)).transpose()
}

/// What a notification tells. `None` for another server's pulse.
fn read(payload: &str) -> Option<News> {
    let mut words = payload.split(' ');
    let news = match words.next()? {
        "pulse" => return None,
        "commodities" => News::Commodities,
        "rates" => News::Rates,
        "sources" => News::Sources,
        "payments" => {
            let account = words.next().and_then(|id| Uuid::try_parse(id).ok());
            let payments = words.next().map(|ids| ids.split(',').filter_map(|id| Uuid::try_parse(id).ok()));
            match account {
                Some(account) => {
                    News::Payments(AccountId(account), payments.into_iter().flatten().map(PaymentId).collect())
                }
                None => News::Everything,
            }
        }
        // Of a newer release, perhaps: better too much than too little.
        _ => News::Everything,
    };
    Some(news)
}

async fn watch_sqlite<F: Future<Output = ()>>(database: &Database, hear: &impl Fn(News) -> F) {
    let mut seen = None;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let start = Instant::now();
        match database.writes_of_others().await {
            Ok(now) => {
                match seen.replace(now) {
                    // From the first look on nothing is missed, and before it nothing was kept.
                    None => hear(News::Regained).await,
                    Some(before) if before == now => {}
                    Some(_) => {
                        hear(News::Everything).await;
                        tracing::debug!("another process has written to the database");
                    }
                }
                hear(News::Pulse(start.elapsed())).await;
            }
            Err(error) => {
                tracing::warn!(cause = %error.chain(), "the database cannot be looked at; trying again");
                if seen.take().is_some() {
                    hear(News::Lost).await;
                }
                sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the triggers write is understood; what nobody understands drops everything.
    #[test]
    fn notifications_are_read() {
        let account = "0192dafba80070008000646564000001";
        let one = "0192dafba80070008000000000000001";
        let id = |text: &str| Uuid::try_parse(text).unwrap();
        assert_eq!(
            read(&format!("payments {account} {one},{one}")),
            Some(News::Payments(AccountId(id(account)), vec![PaymentId(id(one)); 2]))
        );
        assert_eq!(read(&format!("payments {account}")), Some(News::Payments(AccountId(id(account)), Vec::new())));
        assert_eq!(read("rates"), Some(News::Rates));
        assert_eq!(read("commodities"), Some(News::Commodities));
        assert_eq!(read("sources"), Some(News::Sources));
        assert_eq!(read("pulse 1"), None);
        for strange in ["payments", "payments x", "everything", "", "tariffs 5"] {
            assert_eq!(read(strange), Some(News::Everything), "{strange:?}");
        }
    }
}
