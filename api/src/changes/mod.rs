//! What changes payments: each mutation, from its decoded input to the rows that it leaves.
//!
//! A change is decided by [`crate::domain::ledger`] on rows that are locked, and written with its event and its
//! idempotency key in one transaction: all of it, or nothing. The same request under the same key is answered with
//! what came of the first; a refusal leaves nothing behind, not even its key, so that it may be sent again.

mod close;
mod create;
mod forget;
mod receipt;
mod reschedule;
mod running;
mod waive;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::idempotency_key;
use entity::ids::{AccountId, PaymentId, ReceiptId, RefundId};
use sea_orm::{ConnectionTrait, DbErr};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use close::{CancelPayment, WriteOffPayment};
pub use create::{CreatePayment, CreatePayments, PaymentDraft, PaymentLineDraft};
pub use forget::{forget, forget_keys};
pub use receipt::{AllocationDraft, RecordReceipt, RefundReceipt, ReverseReceipt};
pub use reschedule::ReschedulePayment;
pub use running::RunningKeys;
pub use waive::WaiveInstallment;

use crate::cache::{Cache, Cause, Tag};
use crate::clock::Clock;
use crate::domain::ledger::{Change, Scribe};
use crate::domain::rejection::{Reason, Rejection};
use crate::error::Error;
use crate::payment_feed::PaymentFeed;
use crate::store::idempotency_keys::{self, Known, Scope};
use crate::store::{Database, Meter, Reader, Transient, Writes, Written, ledgers};

/// Makes changes. One for the whole server.
#[derive(Clone, Debug)]
pub struct Changes {
    database: Database,
    clock: Clock,
    running: RunningKeys,
    feed: PaymentFeed,
    cache: Cache,
}

/// Who asks for a change.
#[derive(Clone, Debug)]
pub struct Author {
    /// The account whose payments are changed.
    pub account: AccountId,
    /// The subject of the token.
    pub actor: String,
    /// Where the account's days begin.
    pub time_zone: Tz,
    /// The request.
    pub request_id: String,
    /// Counts the statements of the operation.
    pub meter: Arc<Meter>,
    /// Where the operation notes the position of its commits.
    pub written: Written,
}

/// A request to change something.
pub trait Command: Sync {
    /// The field of the mutation.
    const MUTATION: &'static str;

    /// Decides what is to be written, on rows that it locks. May run more than once.
    fn decide(&self, desk: &mut Desk<'_>) -> impl Future<Output = Result<Vec<Change>, Failure>>;
}

/// Where a command decides: the transaction, and whose it is.
pub struct Desk<'a> {
    /// The transaction.
    pub db: &'a Reader,
    /// The account whose payments are changed.
    pub account: AccountId,
    /// What time it is; the same all through the transaction.
    pub at: DateTime<Utc>,
    author: &'a Author,
    clock: &'a Clock,
}

/// How a request is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Under an idempotency key, with the hash of the request.
    Keyed {
        /// The client's key.
        key: String,
        /// SHA-256 of the request, in hexadecimal.
        request_hash: String,
    },
    /// Decided and not written.
    DryRun,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Done {
    /// It was written, or would have been.
    Changed(Vec<Change>),
    /// It was written before, under the same key.
    Replayed(Made),
}

/// What a request made, for whoever sends it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The payments, in the order of the input, each with the version that it had then.
    pub payments: Vec<(Uuid, i32)>,
    /// The receipt that was recorded, reversed or refunded.
    pub receipt: Option<Uuid>,
    /// The refund.
    pub refund: Option<Uuid>,
}

impl Made {
    fn of(changes: &[Change]) -> Self {
        let one = changes.first();
        let receipt = one.and_then(|change| change.new_receipt.as_ref().or(change.changed_receipt.as_ref()));
        Self {
            payments: changes.iter().map(|change| (change.payment.id.0, change.payment.version)).collect(),
            receipt: receipt.map(|row| row.id.0),
            refund: one.and_then(|change| change.refund.as_ref()).map(|row| row.id.0),
        }
    }

    /// The payments.
    pub fn payments(&self) -> impl Iterator<Item = PaymentId> {
        self.payments.iter().map(|(id, _)| PaymentId(*id))
    }

    /// The payment and the sequence of the event, of a request that changed one payment.
    pub fn event(&self) -> Option<(PaymentId, i32)> {
        self.payments.first().map(|(id, version)| (PaymentId(*id), *version))
    }

    /// The receipt.
    pub fn receipt(&self) -> Option<ReceiptId> {
        self.receipt.map(ReceiptId)
    }

    /// The refund.
    pub fn refund(&self) -> Option<RefundId> {
        self.refund.map(RefundId)
    }
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller can do something about it.
    #[error("refused")]
    Rejected(Vec<Rejection>),
    /// The caller cannot.
    #[error(transparent)]
    Error(Error),
    /// Nothing was to be changed.
    #[error("a dry run")]
    DryRun(Vec<Change>),
    /// The same was done before.
    #[error("a replay")]
    Replay(Made),
    /// The database still holds the key for an attempt of this very request whose connection was lost.
    #[error("an attempt before has not ended")]
    Lingering,
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::Error(error.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(vec![rejection])
    }
}

impl From<Vec<Rejection>> for Failure {
    fn from(rejections: Vec<Rejection>) -> Self {
        Self::Rejected(rejections)
    }
}

impl Transient for Failure {
    fn is_transient(&self) -> bool {
        match self {
            Self::Error(error) => error.is_transient(),
            Self::Lingering => true,
            Self::Rejected(_) | Self::DryRun(_) | Self::Replay(_) => false,
        }
    }
}

impl Desk<'_> {
    /// Makes one change, recorded now in the name of the author.
    pub fn record<T>(&self, change: impl FnOnce(&mut Scribe<'_>) -> T) -> T {
        let mut ids = || self.clock.new_id();
        change(&mut Scribe {
            at: self.at,
            actor: &self.author.actor,
            request_id: Some(&self.author.request_id),
            ids: &mut ids,
        })
    }

    /// Where the account's days begin.
    pub fn time_zone(&self) -> Tz {
        self.author.time_zone
    }
}

impl Changes {
    /// Changes in a database, told to `cache` and to whoever follows `feed`.
    pub fn new(database: Database, clock: Clock, feed: PaymentFeed, cache: Cache) -> Self {
        Self { database, clock, running: RunningKeys::default(), feed, cache }
    }

    /// Runs a request.
    ///
    /// # Errors
    /// What is wrong with the input, or with us.
    pub async fn run<C: Command>(&self, author: &Author, mode: &Mode, command: &C) -> Result<Done, Failure> {
        let scope = match mode {
            Mode::DryRun => None,
            Mode::Keyed { key, .. } => Some(Scope { account: author.account, mutation: C::MUTATION, key: key.clone() }),
        };
        let _running = match &scope {
            None => None,
            Some(scope) => Some(self.running.start(scope.clone()).ok_or_else(in_progress)?),
        };
        let attempts = AtomicU32::new(0);
        let outcome = self
            .database
            .change(&author.meter, async |db| {
                let first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
                let outcome = self.attempt(db, author, mode, scope.as_ref(), command).await;
                match outcome {
                    // In this process nobody else has the key, so after a first attempt it is most likely our own.
                    Err(Failure::Lingering) if first => Err(in_progress().into()),
                    outcome => outcome,
                }
            })
            .await;
        match outcome {
            Ok(changes) => {
                let ids = || changes.iter().map(|change| change.payment.id);
                self.note_position(author).await;
                self.cache.changed(&Tag::of_payments(author.account, ids()), Cause::Own).await;
                self.feed.changed(ids());
                Ok(Done::Changed(changes))
            }
            Err(Failure::DryRun(changes)) => Ok(Done::Changed(changes)),
            Err(Failure::Lingering) => Err(in_progress().into()),
            Err(Failure::Replay(made)) => {
                // Perhaps made on another server, or here by an attempt whose answer was lost: nobody has told of it yet.
                self.note_position(author).await;
                self.cache.changed(&Tag::of_payments(author.account, made.payments()), Cause::Own).await;
                self.feed.changed(made.payments());
                Ok(Done::Replayed(made))
            }
            Err(failure) => {
                // Whether a commit came through that was not answered is not known here.
                if matches!(failure, Failure::Error(_)) {
                    self.database.wrote_anything();
                    self.cache.flush().await;
                }
                Err(failure)
            }
        }
    }

    /// From here on the account reads where its change is visible.
    async fn note_position(&self, author: &Author) {
        if let Some(position) = self.database.wrote(author.account).await {
            author.written.note(position);
        }
    }

    async fn attempt<C: Command>(
        &self,
        db: &Reader,
        author: &Author,
        mode: &Mode,
        scope: Option<&Scope>,
        command: &C,
    ) -> Result<Vec<Change>, Failure> {
        let at = self.clock.now();
        let key = match (mode, scope) {
            (Mode::Keyed { request_hash, .. }, Some(scope)) => {
                claim(db, scope, request_hash).await?;
                Some((scope, request_hash))
            }
            _ => None,
        };
        let mut desk = Desk { db, account: author.account, at, author, clock: &self.clock };
        let changes = command.decide(&mut desk).await?;
        let Some((scope, request_hash)) = key else { return Err(Failure::DryRun(changes)) };
        let mut writes = Writes::new(db.get_database_backend());
        ledgers::write(&mut writes, &changes);
        let row = idempotency_key::Model {
            account_id: scope.account,
            mutation: scope.mutation.to_owned(),
            key: scope.key.clone(),
            request_hash: request_hash.clone(),
            result: serde_json::to_string(&Made::of(&changes)).map_err(Error::internal)?,
            created_at: at,
        };
        writes.insert::<idempotency_key::Entity>([&row]);
        writes.send(db).await?;
        Ok(changes)
    }
}

/// Goes on when the key is free.
async fn claim(db: &Reader, scope: &Scope, wanted: &str) -> Result<(), Failure> {
    match idempotency_keys::claim(db, scope).await? {
        Known::Free => Ok(()),
        Known::Running => Err(Failure::Lingering),
        Known::Used { request_hash, result, .. } if request_hash == wanted => {
            Err(Failure::Replay(serde_json::from_str(&result).map_err(Error::internal)?))
        }
        Known::Used { at, .. } => Err(Rejection::new(
            ["idempotencyKey"],
            "this key was used for another request: take a new one",
            Reason::KeyReused { first_used_at: at },
        )
        .into()),
    }
}

/// A second is longer than nearly every change takes.
fn in_progress() -> Rejection {
    Rejection::new(
        ["idempotencyKey"],
        "a request with this key still runs: send the same again in a moment",
        Reason::KeyInProgress { retry_after_seconds: 1 },
    )
}

impl std::fmt::Debug for Desk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("account", &self.account).field("at", &self.at).finish_non_exhaustive()
    }
}
