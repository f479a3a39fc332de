//! What an answer depends on.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use entity::ids::{AccountId, PaymentId};

/// Something that can change. An answer depends on one of these, and is dropped when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    /// A payment, with everything that belongs to it.
    Payment(PaymentId),
    /// Any payment of an account: what lists and sums depend on.
    Payments(AccountId),
    /// The commodities, and what is published about them: duties, prices, regulations.
    Commodities,
    /// The currency rates and their sources.
    Rates,
    /// What the assistant searches: prompts, the text of regulations, and their vectors.
    Sources,
}

impl Tag {
    /// The tags of changed payments of one account.
    pub fn of_payments(account: AccountId, payments: impl IntoIterator<Item = PaymentId>) -> Vec<Self> {
        let mut tags = vec![Self::Payments(account)];
        tags.extend(payments.into_iter().map(Self::Payment));
        tags
    }

    /// The name in Redis.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Payment(id) => format!("payment:{}", id.0.simple()),
            Self::Payments(account) => format!("payments:{}", account.0.simple()),
            Self::Commodities => "commodities".to_owned(),
            Self::Rates => "rates".to_owned(),
            Self::Sources => "sources".to_owned(),
        }
    }

    /// A number that stands for it in this process.
    pub(super) fn number(&self) -> u64 {
        // Without a random seed: whoever makes tags collide gains nothing, it only drops more than it must.
        BuildHasherDefault::<DefaultHasher>::default().hash_one(self)
    }
}
