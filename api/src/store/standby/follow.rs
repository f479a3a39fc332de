//! Where the primary and the standby are: asked on a connection to each, beside the requests.

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::position::Position;
use super::{Reason, Standby, Standing, lock};
use crate::error::{Error, Result};
use crate::shutdown::Served;
use crate::store::database::Database;

/// How often the standby is asked how far it has come.
const LOOK: Duration = Duration::from_millis(100);

/// How often the primary is asked though there is no news: the lag is measured in this grain.
const TICK: Duration = Duration::from_secs(1);

/// How long more news is waited for before the primary is asked after it, unless somebody waits for the answer. Where many
/// servers write much, each would else ask after each change of all.
const GATHER: Duration = Duration::from_millis(5);

/// How long either may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How long is waited before either is connected to again.
const PAUSE: Duration = Duration::from_millis(500);

/// Behind every commit that was acknowledged before: the end of what was put into the log. Less of it is flushed while a
/// transaction is under way, and where `synchronous_commit` is off; only that is sent to a standby, so it is what the
/// lag is counted from. With the timeline, so that a failover is noticed.
const PRIMARY: &str = "SELECT pg_current_wal_insert_lsn()::text, pg_current_wal_flush_lsn()::text, \
    left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)";

/// What it has replayed is visible there. The timeline of the last checkpoint is behind after a failover; the two others
/// follow sooner, the last of them where the role may see it.
const STANDBY: &str = "SELECT pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn(), '0/0')::text, \
    greatest((SELECT timeline_id FROM pg_control_checkpoint()), \
             (SELECT min_recovery_end_timeline FROM pg_control_recovery()), \
             (SELECT received_tli FROM pg_stat_wal_receiver))";

/// What a copy of the files of a server has in common with it.
const LINEAGE: &str = "SELECT (SELECT system_identifier::text FROM pg_control_system()), \
    (SELECT oid::bigint FROM pg_database WHERE datname = current_database())";

/// A system and a database in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lineage {
    system: String,
    database: i64,
}

/// What a standby must agree with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Primary {
    lineage: Lineage,
    timeline: i32,
}

/// How far a server that is newly connected has replayed the log.
pub(super) async fn replayed(connection: &mut PgConnection) -> Result<Position, sqlx::Error> {
    let text: String =
        sqlx::query_scalar("SELECT coalesce(pg_last_wal_replay_lsn(), '0/0')::text").fetch_one(connection).await?;
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

impl Standby {
    /// Follows the primary and the standby until no request runs any more: changes wait for their position.
    pub async fn follow(self, database: Database, served: Served) {
        let primary = database.postgres_options();
        tokio::select! {
            () = self.follow_primary(&primary) => {}
            () = self.follow_standby() => {}
            () = served.ended() => {}
        }
        self.0.asks.store(false, Ordering::SeqCst);
    }

    async fn follow_primary(&self, options: &PgConnectOptions) {
        let mut said = false;
        loop {
            let Err(error) = self.ask_primary(options, &mut said).await;
            self.0.asks.store(false, Ordering::SeqCst);
            if !std::mem::replace(&mut said, true) {
                tracing::warn!(cause = %error.chain(), "the position of the primary cannot be asked; trying again");
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks the primary where it is, once for all news that came meanwhile.
    async fn ask_primary(&self, options: &PgConnectOptions, said: &mut bool) -> Result<Infallible> {
        let mut connection = in_time(options.connect()).await?;
        let lineage = lineage(&mut connection).await?;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Before the question: what is heard from now on may be behind the answer.
            let asked = lock(&self.0.needed).last();
            let (position, flushed, timeline): (String, String, String) =
                in_time(sqlx::query_as(PRIMARY).fetch_one(&mut connection)).await?;
            let position: Position = position.parse().map_err(Error::internal)?;
            let flushed = flushed.parse().map_err(Error::internal)?;
            let timeline = i32::from_str_radix(&timeline, 16).map_err(Error::internal)?;
            self.meet_primary(Primary { lineage: lineage.clone(), timeline });
            lock(&self.0.lag).primary_at(flushed, Instant::now());
            lock(&self.0.needed).settle(asked, position);
            self.0.settled.send_replace((asked, position));
            self.0.asks.store(true, Ordering::SeqCst);
            *said = false;
            if lock(&self.0.needed).is_settled() {
                tokio::select! {
                    () = self.0.news.notified() => {}
                    _ = tick.tick() => {}
                }
            }
            tokio::select! {
                () = self.0.urgent.notified() => {}
                () = sleep(GATHER) => {}
            }
        }
    }

    /// Leaves the standby out when the primary is another one than before: its positions mean something else.
    fn meet_primary(&self, met: Primary) {
        let mut primary = lock(&self.0.primary);
        if primary.as_ref() != Some(&met) {
            *primary = Some(met);
            lock(&self.0.lag).begin_anew();
            self.leave_out(Reason::Foreign);
        }
    }

    async fn follow_standby(&self) {
        // Whether it is left out, and why, as it was said last.
        let mut said = None;
        loop {
            let Err((reason, error)) = self.ask_standby(&mut said).await;
            self.leave_out(reason);
            if said.replace(Some(reason)) != Some(Some(reason)) {
                let reason = reason.label();
                tracing::warn!(reason, cause = %error.chain(), "the standby is left out; trying again");
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks the standby how far it has come, again and again.
    async fn ask_standby(&self, said: &mut Option<Option<Reason>>) -> Result<Infallible, (Reason, Error)> {
        let down = |error| (Reason::Down, error);
        let mut connection = in_time(self.0.options.connect()).await.map_err(down)?;
        let lineage = lineage(&mut connection).await.map_err(down)?;
        self.try_pool(&mut connection).await.map_err(down)?;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = look.tick() => {}
                () = self.0.doubt.notified() => {}
            }
            // It is there, and of no use: whoever comes next would wait in vain too.
            if self.is_starved() {
                return Err(down(Error::internal("no connection to it could be had in time")));
            }
            let answer = in_time(sqlx::query_as(STANDBY).fetch_one(&mut connection)).await;
            let (in_recovery, replayed, timeline): (bool, String, i32) = answer.map_err(down)?;
            if !in_recovery {
                return Err((Reason::Foreign, Error::internal("the server takes writes: it is no standby")));
            }
            let replayed: Position = replayed.parse().map_err(|error| down(Error::internal(error)))?;
            lock(&self.0.lag).replayed(replayed);
            let found = Primary { lineage: lineage.clone(), timeline };
            let out = self.take_in(&found, replayed).map_err(|error| (Reason::Foreign, error))?;
            // Not before it is known what has been replayed: what is forgotten is needed by all from now on.
            lock(&self.0.needed).forget(replayed);
            if out != Some(Reason::Unknown) && said.replace(out) != Some(out) {
                match out {
                    None => tracing::info!("the standby is read"),
                    Some(reason) => tracing::warn!(reason = reason.label(), "the standby is left out"),
                }
            }
        }
    }

    /// Makes sure that whoever reads finds a connection, while the standby is still left out.
    async fn try_pool(&self, connection: &mut PgConnection) -> Result<()> {
        // It may have come back further behind, or be another one: what the pool connects to is as far as this one.
        let replayed = in_time(replayed(connection)).await?;
        self.0.standing.send_modify(|standing| standing.replayed = replayed);
        in_time(self.0.pool.get_postgres_connection_pool().acquire()).await?;
        Ok(())
    }

    /// Notes how far the standby has come. Returns why it is left out all the same.
    fn take_in(&self, found: &Primary, replayed: Position) -> Result<Option<Reason>> {
        let late = lock(&self.0.lag).time(Instant::now()) > self.0.max_lag;
        // Held until the end: the primary must not become another one in between.
        let primary = lock(&self.0.primary);
        let out = match &*primary {
            // The primary was not reached yet.
            None => Some(Reason::Unknown),
            Some(primary) if primary.lineage != found.lineage => {
                return Err(Error::internal("the server is no standby of the primary, or has another database"));
            }
            Some(primary) if primary.timeline != found.timeline => {
                let words = format!("the primary is on timeline {}, it is on {}", primary.timeline, found.timeline);
                return Err(Error::internal(words));
            }
            Some(_) => late.then_some(Reason::Late),
        };
        self.0.standing.send_modify(|standing| *standing = Standing { replayed, out, ..*standing });
        Ok(out)
    }

    /// Nothing that the standby is asked now is believed.
    fn leave_out(&self, reason: Reason) {
        self.0.standing.send_modify(|standing| {
            let (session, since) = (standing.session + 1, Instant::now());
            *standing = Standing { session, since, out: Some(reason), ..*standing };
        });
    }
}

async fn lineage(connection: &mut PgConnection) -> Result<Lineage> {
    let (system, database) = in_time(sqlx::query_as(LINEAGE).fetch_one(connection)).await?;
    Ok(Lineage { system, database })
}

/// The answer of a server, unless it takes too long.
async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(Error::internal),
        Err(_) => Err(Error::internal("there was no answer in time")),
    }
}
