//! The way of one operation's reads: to the standby or to the primary, decided for each statement.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity::ids::AccountId;
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr};
use tokio::sync::OwnedSemaphorePermit;

use super::position::Position;
use super::{Reason, Standby};
use crate::store::transaction::{is_given_up, is_unreachable};

/// The way of one operation. Clones are the same one.
#[derive(Clone, Debug)]
pub(in crate::store) struct Route {
    standby: Standby,
    account: AccountId,
    /// What the caller has seen elsewhere.
    at_least: Position,
    progress: Arc<Progress>,
}

/// Where an operation has read so far.
#[derive(Debug, Default)]
struct Progress {
    /// The primary: what is read next must not be older, so the operation stays there.
    primary: AtomicBool,
    /// The standby.
    standby: AtomicBool,
}

/// One statement on the standby.
pub(in crate::store) struct Way<'a> {
    route: &'a Route,
    /// The standby counts as long as it is not left out.
    session: u64,
    /// Whether the gate was passed: then there are connections enough, and the pool has one or can make one.
    entered: AtomicBool,
}

impl Route {
    pub(super) fn new(standby: Standby, account: AccountId, at_least: Position) -> Self {
        Self { standby, account, at_least, progress: Arc::default() }
    }

    /// The way to the standby; `None` when the next statement is one for the primary.
    pub(in crate::store) fn choose(&self) -> Option<Way<'_>> {
        let held = self.progress.primary.load(Ordering::SeqCst);
        let chosen = if held { Err(Reason::Kept) } else { self.standby.session_for(self.account, self.at_least) };
        match chosen {
            Ok(session) => Some(Way { route: self, session, entered: AtomicBool::new(false) }),
            Err(reason) => {
                self.to_primary(reason);
                None
            }
        }
    }

    /// Begins something new, which may read older data than what was before it.
    pub(in crate::store) fn begin_afresh(&self) {
        self.progress.primary.store(false, Ordering::SeqCst);
    }

    /// Whether anything was read from the standby.
    pub(in crate::store) fn has_read_standby(&self) -> bool {
        self.progress.standby.load(Ordering::SeqCst)
    }

    fn to_primary(&self, reason: Reason) {
        self.progress.primary.store(true, Ordering::SeqCst);
        self.standby.0.metrics.read_from_primary(reason);
    }
}

impl Way<'_> {
    /// Waits for a connection. It is free again when the permit is dropped.
    pub(in crate::store) async fn enter(&self) -> Result<(OwnedSemaphorePermit, &DatabaseConnection), DbErr> {
        let inner = &self.route.standby.0;
        let permit = inner.gate.enter().await?;
        self.entered.store(true, Ordering::SeqCst);
        Ok((permit, &inner.pool))
    }

    /// Runs a statement there; `None` when the standby has not answered it and the primary is to be asked.
    pub(in crate::store) async fn run<T>(
        &self,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Option<Result<T, DbErr>> {
        let (route, session) = (self.route, self.session);
        route.progress.standby.store(true, Ordering::SeqCst);
        let result = tokio::select! {
            biased;
            // A standby that has gone may keep a statement waiting for long, and one that has come back may be behind.
            () = route.standby.left(session) => None,
            result = route.standby.0.unfinished.watch(statement) => Some(result),
        };
        match result {
            Some(Err(error)) if is_unreachable(&error) || is_given_up(&error) => {
                tracing::debug!(cause = %crate::error::chain(&error), "the standby did not answer; asking the primary");
                let in_vain = matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
                if in_vain && self.entered.load(Ordering::SeqCst) {
                    route.standby.starve(session);
                }
                route.standby.0.doubt.notify_one();
            }
            None => {}
            Some(result) => {
                route.standby.0.metrics.read_from_standby();
                return Some(result);
            }
        }
        route.to_primary(Reason::Failed);
        None
    }
}
