//! What an operation costs.

use async_graphql::Object;

use crate::graphql::context::Cost;
use crate::graphql::scalars::DateTime;

/// What an operation costs, and what is left of the caller's quota.
#[derive(Clone, Copy, Debug)]
pub struct CostInfo(pub Cost);

/// What an operation costs, and what is left of the caller's quota. The same stands in `extensions.cost` of an
/// answer that is for the caller alone, where a quota is set.
#[Object]
impl CostInfo {
    /// What the whole operation costs: 1 for a field, times the rows that it is asked for.
    async fn requested(&self) -> i32 {
        int(self.0.requested)
    }

    /// What may be spent in a window. Null where no quota is set.
    async fn limit(&self) -> Option<i32> {
        self.0.budget.map(|budget| int(budget.limit))
    }

    /// What is left of the quota after this operation. Null where no quota is set.
    async fn remaining(&self) -> Option<i32> {
        self.0.budget.map(|budget| int(budget.remaining))
    }

    /// When the whole quota is there again, if nothing more is spent. Null where no quota is set.
    async fn reset_at(&self) -> Option<DateTime> {
        self.0.budget.map(|budget| DateTime(budget.reset_at))
    }
}

/// A count as an `Int`. A cost beyond is as good as endless.
fn int(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
