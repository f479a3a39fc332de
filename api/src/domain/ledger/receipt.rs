//! Money that arrives, bounces or is given back.

use chrono::{DateTime, NaiveDate, Utc};
use entity::currency_rate::Purpose;
use entity::ids::{AllocationId, InstallmentId, ReceiptId, RefundId};
use entity::payment_event::Kind;
use entity::{allocation, installment, payment, receipt, refund};

use super::{Change, Draft, Ledger, Scribe, installment_status};
use crate::domain::currency::Currency;
use crate::domain::money::Money;
use crate::domain::rejection::Rejection;

/// Money that arrived.
#[derive(Clone, Debug)]
pub struct NewReceipt {
    /// How much, more than 0, in minor units.
    pub amount: i64,
    /// In which currency.
    pub currency: Currency,
    /// When.
    pub received_at: DateTime<Utc>,
    /// How, such as `BANK_TRANSFER`.
    pub method: String,
    /// The bank's or the payer's own name for it.
    pub external_reference: Option<String>,
    /// What it is for.
    pub allocate: Allocate,
    /// Whether a part may stay on no installment.
    pub allow_credit: bool,
    /// The rate into the account's base currency.
    pub fx: Option<Fx>,
}

/// Which installments a receipt pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allocate {
    /// Those that fall due first.
    OldestDueFirst,
    /// So much on each of these.
    Explicit(Vec<(InstallmentId, i64)>),
}

/// A rate that is frozen on a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fx {
    /// The account's base currency.
    pub quote: Currency,
    /// Units of it for one of the receipt's currency: an exact decimal in text.
    pub rate: String,
    /// The day that it is from.
    pub effective_date: NaiveDate,
    /// What it is for.
    pub purpose: Purpose,
    /// Code of who published it.
    pub source: String,
}

impl Ledger {
    /// Records money that arrived and puts it on installments.
    ///
    /// # Errors
    /// When the payment is closed, the currency is another, the amount is more than what is outstanding without
    /// credit being allowed, or an allocation does not fit.
    pub fn record_receipt(&mut self, scribe: &mut Scribe<'_>, new: &NewReceipt) -> Result<Change, Rejection> {
        if matches!(self.payment.status, payment::Status::Cancelled | payment::Status::WrittenOff) {
            self.expect_open("paymentId", "paid")?;
        }
        if new.currency != self.currency {
            let message = format!("the payment is in {}, not in {}", self.currency.code(), new.currency.code());
            return Err(Rejection::currency_mismatch(["amount", "currency"], message));
        }
        if new.amount <= 0 {
            return Err(Rejection::invalid(["amount", "amount"], "must be more than 0"));
        }
        let Some(received) = self.payment.received.checked_add(new.amount) else {
            return Err(Rejection::invalid(["amount", "amount"], "more than a payment can hold in all"));
        };
        let takes = match &new.allocate {
            Allocate::OldestDueFirst => self.oldest_first(new)?,
            Allocate::Explicit(wanted) => self.explicit(new, wanted)?,
        };

        let before = self.clone();
        let mut draft = Draft::new(Kind::ReceiptRecorded, None);
        let id = ReceiptId((scribe.ids)());
        let mut allocated = 0;
        for (at, amount) in takes {
            let Some(row) = self.installments.get_mut(at) else { continue };
            allocated += amount;
            row.allocated += amount;
            row.outstanding -= amount;
            row.status = installment_status(row);
            if row.outstanding == 0 {
                row.settled_at = Some(new.received_at);
            }
            draft.changed_installments.push(row.clone());
            draft.new_allocations.push(allocation::Model {
                id: AllocationId((scribe.ids)()),
                account_id: row.account_id,
                receipt_id: id,
                installment_id: row.id,
                currency: row.currency.clone(),
                amount,
            });
        }
        let unallocated = new.amount - allocated;
        let fx = new.fx.as_ref();
        let receipt = receipt::Model {
            id,
            account_id: self.payment.account_id,
            payment_id: self.payment.id,
            currency: self.payment.currency.clone(),
            amount: new.amount,
            unallocated,
            refunded: 0,
            received_at: new.received_at,
            method: new.method.clone(),
            external_reference: new.external_reference.clone(),
            fx_quote: fx.map(|fx| fx.quote.code().to_owned()),
            fx_rate: fx.map(|fx| fx.rate.clone()),
            fx_effective_date: fx.map(|fx| fx.effective_date),
            fx_purpose: fx.map(|fx| fx.purpose),
            fx_source: fx.map(|fx| fx.source.clone()),
            reversed_at: None,
            created_at: scribe.at,
        };
        self.payment.received = received;
        self.payment.allocated += allocated;
        self.payment.outstanding -= allocated;
        self.payment.credit += unallocated;
        self.receipts.push(receipt.clone());
        self.allocations.extend(draft.new_allocations.iter().cloned());
        draft.new_receipt = Some(receipt);
        Ok(self.seal(&before, draft, scribe))
    }

    /// Positions of installments and how much each takes: those that fall due first.
    fn oldest_first(&self, new: &NewReceipt) -> Result<Vec<(usize, i64)>, Rejection> {
        if new.amount > self.payment.outstanding && !new.allow_credit {
            return Err(self.exceeds(["amount", "amount"], new.amount, self.payment.outstanding));
        }
        let mut rest = new.amount;
        let mut takes = Vec::new();
        for (at, row) in self.installments.iter().enumerate() {
            let amount = rest.min(row.outstanding);
            if amount > 0 {
                takes.push((at, amount));
                rest -= amount;
            }
        }
        Ok(takes)
    }

    /// Positions of installments and how much each takes: as the caller says.
    fn explicit(&self, new: &NewReceipt, wanted: &[(InstallmentId, i64)]) -> Result<Vec<(usize, i64)>, Rejection> {
        let mut takes: Vec<(usize, i64)> = Vec::new();
        let mut sum: i64 = 0;
        for (place, (id, amount)) in wanted.iter().enumerate() {
            let place = place.to_string();
            let path = |last: &'static str| ["allocations".to_owned(), place.clone(), last.to_owned()];
            let at = self.installments.iter().position(|row| row.id == *id);
            let Some((at, row)) = at.and_then(|at| Some((at, self.installments.get(at)?))) else {
                let message = "no installment of this payment with something outstanding has this id";
                return Err(Rejection::not_found(path("installmentId"), message));
            };
            if takes.iter().any(|(taken, _)| *taken == at) {
                return Err(Rejection::invalid(path("installmentId"), "this installment is named twice"));
            }
            if *amount <= 0 {
                return Err(Rejection::invalid(path("amount"), "must be more than 0"));
            }
            if *amount > row.outstanding {
                return Err(self.exceeds(path("amount"), *amount, row.outstanding));
            }
            // Each is at most what is outstanding, and together that is at most the payment's amount.
            sum += amount;
            takes.push((at, *amount));
        }
        if sum > new.amount {
            let message = format!(
                "the allocations add up to {}, more than the receipt's {}",
                self.money(sum).amount(),
                self.money(new.amount).amount()
            );
            return Err(Rejection::invalid(["allocations"], message));
        }
        if sum < new.amount && !new.allow_credit {
            let message = format!(
                "the allocations leave {} on no installment: allow credit or allocate it",
                self.money(new.amount - sum).amount()
            );
            return Err(Rejection::invalid(["allocations"], message));
        }
        Ok(takes)
    }

    pub(super) fn exceeds(
        &self,
        field: impl IntoIterator<Item = impl Into<String>>,
        amount: i64,
        outstanding: i64,
    ) -> Rejection {
        let outstanding = self.money(outstanding);
        let message = format!("{} is more than the outstanding {}", self.money(amount).amount(), outstanding.amount());
        Rejection::exceeds_outstanding(field, message, outstanding)
    }

    /// Undoes a receipt, which opens again what it had paid.
    ///
    /// # Errors
    /// When it was reversed or refunded before.
    pub fn reverse_receipt(
        &mut self,
        scribe: &mut Scribe<'_>,
        id: ReceiptId,
        reason: &str,
    ) -> Result<Change, Rejection> {
        let receipt = self.receipt(id)?;
        if receipt.reversed_at.is_some() {
            return Err(self.invalid_state("receiptId", "this receipt was reversed already"));
        }
        if receipt.refunded > 0 {
            return Err(
                self.invalid_state("receiptId", "money of this receipt was given back, so it cannot be reversed")
            );
        }

        let before = self.clone();
        let mut draft = Draft::new(Kind::ReceiptReversed, Some(reason));
        let (freed, kept) = std::mem::take(&mut self.allocations).into_iter().partition(|row| row.receipt_id == id);
        self.allocations = kept;
        draft.freed_allocations = freed;
        let mut reopened = 0;
        for freed in &draft.freed_allocations {
            reopened += freed.amount;
            let row = self.installments.iter_mut().find(|row| row.id == freed.installment_id);
            if let Some(row) = row {
                row.allocated -= freed.amount;
                row.outstanding += freed.amount;
                row.settled_at = None;
                row.status = installment_status(row);
                draft.changed_installments.push(row.clone());
            }
        }
        self.payment.received -= receipt.amount;
        self.payment.allocated -= reopened;
        self.payment.credit -= receipt.unallocated;
        if self.payment.status == payment::Status::WrittenOff {
            self.payment.written_off += reopened;
        } else {
            self.payment.outstanding += reopened;
        }
        let at = scribe.at;
        draft.changed_receipt = self.change_receipt(id, |row| {
            row.reversed_at = Some(at);
            row.unallocated = 0;
        });
        Ok(self.seal(&before, draft, scribe))
    }

    /// Gives back a part of a receipt: what is on no installment first. It opens no debt.
    ///
    /// # Errors
    /// When it was reversed, the currency is another, or more is to be given back than is left of it.
    pub fn refund_receipt(
        &mut self,
        scribe: &mut Scribe<'_>,
        id: ReceiptId,
        amount: Money,
        reason: &str,
    ) -> Result<Change, Rejection> {
        let receipt = self.receipt(id)?;
        if receipt.reversed_at.is_some() {
            return Err(
                self.invalid_state("receiptId", "this receipt was reversed: nothing of it is here to give back")
            );
        }
        if amount.currency != self.currency {
            let message = format!("the receipt is in {}, not in {}", self.currency.code(), amount.currency.code());
            return Err(Rejection::currency_mismatch(["amount", "currency"], message));
        }
        let left = receipt.amount - receipt.refunded;
        if amount.minor <= 0 {
            return Err(Rejection::invalid(["amount", "amount"], "must be more than 0"));
        }
        let Some(amount) = i64::try_from(amount.minor).ok().filter(|amount| *amount <= left) else {
            let left = self.money(left);
            let message = format!("at most {} of this receipt can be given back", left.amount());
            return Err(Rejection::exceeds_outstanding(["amount", "amount"], message, left));
        };

        let before = self.clone();
        let mut draft = Draft::new(Kind::ReceiptRefunded, Some(reason));
        let after = self.change_receipt(id, |row| row.refunded += amount);
        let credit = |row: &receipt::Model| (row.unallocated - row.refunded).max(0);
        self.payment.credit -= credit(&receipt) - after.as_ref().map_or(0, credit);
        self.payment.refunded += amount;
        draft.changed_receipt = after;
        draft.refund = Some(refund::Model {
            id: RefundId((scribe.ids)()),
            account_id: self.payment.account_id,
            payment_id: self.payment.id,
            receipt_id: id,
            currency: self.payment.currency.clone(),
            amount,
            reason: reason.to_owned(),
            created_at: scribe.at,
        });
        Ok(self.seal(&before, draft, scribe))
    }

    /// Forgives what is outstanding of an installment, or so much of it.
    ///
    /// # Errors
    /// When the payment is closed, nothing of the installment is outstanding, or less is.
    pub fn waive_installment(
        &mut self,
        scribe: &mut Scribe<'_>,
        id: InstallmentId,
        amount: Option<Money>,
        reason: &str,
    ) -> Result<Change, Rejection> {
        self.expect_open("id", "forgiven")?;
        let row = self.installments.iter().find(|row| row.id == id);
        let row = row.ok_or_else(|| Rejection::not_found(["id"], "there is no installment with this id"))?;
        if row.outstanding == 0 {
            return Err(self.invalid_state("id", "nothing of this installment is outstanding"));
        }
        let amount = match amount {
            None => row.outstanding,
            Some(money) if money.minor <= 0 => return Err(Rejection::invalid(["amount"], "must be more than 0")),
            Some(money) => match i64::try_from(money.minor) {
                Ok(amount) if amount <= row.outstanding => amount,
                _ => {
                    return Err(self.exceeds(
                        ["amount"],
                        i64::try_from(money.minor).unwrap_or(i64::MAX),
                        row.outstanding,
                    ));
                }
            },
        };

        let before = self.clone();
        let mut draft = Draft::new(Kind::InstallmentWaived, Some(reason));
        let at = scribe.at;
        let changed = self.installments.iter_mut().find(|row| row.id == id).map(|row: &mut installment::Model| {
            row.waived += amount;
            row.outstanding -= amount;
            row.status = installment_status(row);
            if row.outstanding == 0 {
                row.settled_at = Some(at);
            }
            row.clone()
        });
        draft.changed_installments.extend(changed);
        self.payment.waived += amount;
        self.payment.outstanding -= amount;
        Ok(self.seal(&before, draft, scribe))
    }

    fn receipt(&self, id: ReceiptId) -> Result<receipt::Model, Rejection> {
        let row = self.receipts.iter().find(|row| row.id == id).cloned();
        row.ok_or_else(|| Rejection::not_found(["receiptId"], "there is no receipt with this id"))
    }

    fn change_receipt(&mut self, id: ReceiptId, change: impl FnOnce(&mut receipt::Model)) -> Option<receipt::Model> {
        let row = self.receipts.iter_mut().find(|row| row.id == id)?;
        change(row);
        Some(row.clone())
    }
}
