//! Idempotency keys.

use chrono::{DateTime, Utc};
use entity::ids::AccountId;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sha2::{Digest, Sha256};

use super::reader::Reader;

/// Which request is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The account that sends it.
    pub account: AccountId,
    /// The field of the mutation.
    pub mutation: &'static str,
    /// The client's key.
    pub key: String,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nobody has used it; until the end of this transaction nobody else can.
    Free,
    /// Another transaction runs with it.
    Running,
    /// It was used.
    Used {
        /// SHA-256 of the request.
        request_hash: String,
        /// What came of it.
        result: String,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Claims a key for this transaction, or says what came of it.
///
/// PostgreSQL locks it with an advisory lock, which does not wait. SQLite runs one write transaction at a time.
///
/// # Errors
/// When the database does not answer.
pub async fn claim(db: &Reader, scope: &Scope) -> Result<Known, DbErr> {
    let backend = db.get_database_backend();
    let statement = if backend == DbBackend::Postgres {
        let sql = "SELECT pg_try_advisory_xact_lock($1) AS free, k.request_hash, k.result, k.created_at \
                   FROM (SELECT 1) AS one LEFT JOIN idempotency_key AS k \
                   ON k.account_id = $2 AND k.mutation = $3 AND k.key = $4";
        let values =
            [lock_number(scope).into(), scope.account.0.into(), scope.mutation.into(), scope.key.as_str().into()];
        Statement::from_sql_and_values(backend, sql, values)
    } else {
        let sql = "SELECT true AS free, request_hash, result, created_at \
                   FROM idempotency_key WHERE account_id = ? AND mutation = ? AND key = ?";
        let values = [scope.account.0.into(), scope.mutation.into(), scope.key.as_str().into()];
        Statement::from_sql_and_values(backend, sql, values)
    };
    let Some(row) = db.query_one_raw(statement).await? else { return Ok(Known::Free) };
    let request_hash: Option<String> = row.try_get("", "request_hash")?;
    if let Some(request_hash) = request_hash {
        let (result, at) = (row.try_get("", "result")?, row.try_get("", "created_at")?);
        return Ok(Known::Used { request_hash, result, at });
    }
    let free: bool = row.try_get("", "free")?;
    Ok(if free { Known::Free } else { Known::Running })
}

/// Removes at most `limit` keys from before `end`, and says how many.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_before(db: &impl ConnectionTrait, end: DateTime<Utc>, limit: u32) -> Result<u64, DbErr> {
    let backend = db.get_database_backend();
    let (end_at, count) = if backend == DbBackend::Postgres { ("$1", "$2") } else { ("?", "?") };
    let sql = format!(
        "DELETE FROM idempotency_key WHERE (account_id, mutation, key) IN \
         (SELECT account_id, mutation, key FROM idempotency_key WHERE created_at < {end_at} LIMIT {count})"
    );
    let values = [end.into(), i64::from(limit).into()];
    Ok(db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?.rows_affected())
}

/// The number that stands for a key among the advisory locks. Two keys with one number would only wait for one
/// another.
fn lock_number(scope: &Scope) -> i64 {
    let digest = Sha256::digest(format!("{}\n{}\n{}", scope.account, scope.mutation, scope.key));
    let mut bytes = [0; 8];
    for (byte, of_digest) in bytes.iter_mut().zip(digest) {
        *byte = of_digest;
    }
    i64::from_be_bytes(bytes)
}
