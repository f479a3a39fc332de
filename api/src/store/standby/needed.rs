//! What the standby must have replayed before it may answer, and for whom.
//!
//! News of a change comes without its position. From the news until the primary was asked where its log is, the position
//! is unknown, and nothing that depends on it is read on the standby. The primary is asked after the news, and the news
//! came after the commit, so its answer is behind the commit.

use std::collections::HashMap;

use entity::ids::AccountId;

use super::Reason;
use super::position::Position;

/// So many accounts are told apart. Where more of them wait for the standby, all do.
const MAX_ACCOUNTS: usize = 10_000;

/// What was the last news when the primary was asked: its answer is good for all news up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What one account, or everybody, waits for.
#[derive(Clone, Copy, Debug, Default)]
struct Need {
    /// Behind every change whose position is known.
    position: Position,
    /// The last change whose position is not.
    unknown: Option<Ticket>,
}

impl Need {
    fn settle(&mut self, asked: Ticket, position: Position) {
        if self.unknown.is_some_and(|news| news <= asked) {
            *self = Self { position, unknown: None };
        }
    }

    fn check(&self, replayed: Position) -> Result<(), Reason> {
        match self.unknown {
            Some(_) => Err(Reason::Unknown),
            None if replayed < self.position => Err(Reason::Behind),
            None => Ok(()),
        }
    }
}

/// What the standby must have replayed.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// The last news.
    last: Ticket,
    /// The last news that the primary was asked after.
    asked: Ticket,
    /// Whether the database tells of changes. While it does not, there may be some that nobody knows of.
    hears: bool,
    everybody: Need,
    accounts: HashMap<AccountId, Need>,
}

impl Needed {
    /// Something changed: of one account, or of what everybody reads.
    pub(super) fn changed(&mut self, account: Option<AccountId>) -> Ticket {
        self.last = Ticket(self.last.0 + 1);
        let crowded = self.accounts.len() >= MAX_ACCOUNTS;
        let need = match account {
            Some(account) if !crowded || self.accounts.contains_key(&account) => {
                self.accounts.entry(account).or_default()
            }
            _ => {
                // What everybody waits for is behind what each waits for.
                self.accounts.clear();
                &mut self.everybody
            }
        };
        need.unknown = Some(self.last);
        self.last
    }

    /// The database cannot be heard.
    pub(super) fn lost(&mut self) {
        self.hears = false;
    }

    /// The database can be heard, and what happened before is not known.
    pub(super) fn regained(&mut self) {
        self.changed(None);
        self.hears = true;
    }

    /// The news so far, to be noted before the primary is asked.
    pub(super) fn last(&self) -> Ticket {
        self.last
    }

    /// Whether the primary was asked after all news.
    pub(super) fn is_settled(&self) -> bool {
        self.asked >= self.last
    }

    /// The primary's log was at `position` after the news up to `asked`.
    pub(super) fn settle(&mut self, asked: Ticket, position: Position) {
        self.asked = self.asked.max(asked);
        self.everybody.settle(asked, position);
        self.accounts.values_mut().for_each(|need| need.settle(asked, position));
    }

    /// Forgets whoever waits for nothing more. A standby that comes back further behind is without it again, so from now
    /// on everybody waits for it, which costs nothing as long as the standby goes forward.
    pub(super) fn forget(&mut self, replayed: Position) {
        let everybody = &mut self.everybody.position;
        self.accounts.retain(|_, need| {
            let waits = need.check(replayed).is_err();
            if !waits {
                *everybody = need.position.max(*everybody);
            }
            waits
        });
    }

    /// Whether a standby that has replayed so much may answer an account.
    pub(super) fn check(&self, account: AccountId, replayed: Position) -> Result<(), Reason> {
        if !self.hears {
            return Err(Reason::Unknown);
        }
        self.everybody.check(replayed)?;
        self.accounts.get(&account).map_or(Ok(()), |need| need.check(replayed))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn account(number: u128) -> AccountId {
        AccountId(Uuid::from_u128(number))
    }

    /// One that hears, and knows where everything is.
    fn settled() -> Needed {
        let mut needed = Needed::default();
        needed.regained();
        needed.settle(needed.last(), Position(10));
        needed
    }

    /// Before anything was heard, nothing is known: nobody may read.
    #[test]
    fn nothing_is_read_before_the_first_news() {
        let mut needed = Needed::default();
        assert_eq!(needed.check(account(1), Position(u64::MAX)), Err(Reason::Unknown));
        needed.regained();
        assert_eq!(needed.check(account(1), Position(u64::MAX)), Err(Reason::Unknown));
        needed.settle(needed.last(), Position(10));
        assert_eq!(needed.check(account(1), Position(9)), Err(Reason::Behind));
        assert_eq!(needed.check(account(1), Position(10)), Ok(()));
        needed.lost();
        assert_eq!(needed.check(account(1), Position(10)), Err(Reason::Unknown));
    }

    /// One account's change is nothing to another; a change of what all read is.
    #[test]
    fn accounts_wait_for_themselves() {
        let mut needed = settled();
        needed.changed(Some(account(1)));
        assert_eq!(needed.check(account(1), Position(99)), Err(Reason::Unknown));
        assert_eq!(needed.check(account(2), Position(10)), Ok(()));
        needed.settle(needed.last(), Position(20));
        assert_eq!(needed.check(account(1), Position(19)), Err(Reason::Behind));
        assert_eq!(needed.check(account(1), Position(20)), Ok(()));
        assert_eq!(needed.check(account(2), Position(10)), Ok(()));
        needed.changed(None);
        assert_eq!(needed.check(account(2), Position(99)), Err(Reason::Unknown));
    }

    /// The race that matters: what is heard while the primary is asked is not covered by its answer.
    #[test]
    fn an_answer_is_good_for_earlier_news_only() {
        let mut needed = settled();
        needed.changed(Some(account(1)));
        let asked = needed.last();
        needed.changed(Some(account(1)));
        needed.changed(Some(account(2)));
        needed.settle(asked, Position(20));
        assert!(!needed.is_settled());
        for number in [1, 2] {
            assert_eq!(needed.check(account(number), Position(99)), Err(Reason::Unknown));
        }
        needed.settle(needed.last(), Position(30));
        assert!(needed.is_settled());
        assert_eq!(needed.check(account(1), Position(29)), Err(Reason::Behind));
        assert_eq!(needed.check(account(1), Position(30)), Ok(()));
    }

    /// There is a bound, and whoever is not told apart any more still waits.
    #[test]
    fn accounts_are_bounded() {
        let mut needed = settled();
        for number in 0..MAX_ACCOUNTS as u128 {
            needed.changed(Some(account(number)));
        }
        needed.settle(needed.last(), Position(20));
        needed.changed(Some(account(u128::MAX)));
        assert!(needed.accounts.is_empty());
        assert_eq!(needed.check(account(7), Position(99)), Err(Reason::Unknown));
        needed.settle(needed.last(), Position(30));
        assert_eq!(needed.check(account(7), Position(29)), Err(Reason::Behind));

        needed.changed(Some(account(1)));
        needed.settle(needed.last(), Position(40));
        needed.forget(Position(39));
        assert_eq!(needed.accounts.len(), 1);
        needed.forget(Position(40));
        assert!(needed.accounts.is_empty());
    }

    /// What the standby had is needed again when it comes back without it: after a crash, or from an older backup.
    #[test]
    fn what_is_forgotten_is_still_needed() {
        let mut needed = settled();
        needed.changed(Some(account(1)));
        needed.settle(needed.last(), Position(20));
        needed.forget(Position(100));
        assert!(needed.accounts.is_empty());
        assert_eq!(needed.check(account(1), Position(19)), Err(Reason::Behind));
        assert_eq!(needed.check(account(1), Position(20)), Ok(()));
    }
}
