//! A new payment.

use chrono_tz::Tz;
use entity::ids::{AccountId, InstallmentId, InstallmentPlanId, PaymentId, PaymentLineId};
use entity::{installment, installment_plan, payment, payment_event, payment_line};

use super::event::{self, GENESIS};
use super::{Change, Draft, Ledger, Scribe};
use crate::domain::currency::Currency;
use crate::domain::decimal::Decimal;
use crate::domain::hs_code::HsCode;
use crate::domain::plan::Plan;

/// What is known of a payment before it exists.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// Whose money it is.
    pub account: AccountId,
    /// The account's own name for it.
    pub reference: String,
    /// Who owes it.
    pub payer_name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The currency of every amount.
    pub currency: Currency,
    /// What is owed, more than 0.
    pub amount: i64,
    /// Where due dates are judged.
    pub time_zone: Tz,
    /// How it is split; the parts add up to the amount.
    pub plan: Plan,
    /// The goods.
    pub lines: Vec<NewLine>,
}

/// A line of goods of a new payment.
#[derive(Clone, Debug)]
pub struct NewLine {
    /// Its HS code.
    pub commodity: Option<HsCode>,
    /// The goods in the exporter's words.
    pub description: String,
    /// How many units.
    pub quantity: Decimal,
    /// What is counted.
    pub unit: String,
    /// Price of one unit.
    pub unit_price: i64,
    /// Price of the line.
    pub total: i64,
}

impl Ledger {
    /// The ledger of a new payment. Nothing of it can be refused any more.
    pub fn create(scribe: &mut Scribe<'_>, new: &NewPayment) -> (Self, Change) {
        let id = PaymentId((scribe.ids)());
        let payment = payment::Model {
            id,
            account_id: new.account,
            reference: new.reference.clone(),
            payer_name: new.payer_name.clone(),
            description: new.description.clone(),
            currency: new.currency.code().to_owned(),
            amount: new.amount,
            allocated: 0,
            waived: 0,
            written_off: 0,
            outstanding: new.amount,
            received: 0,
            refunded: 0,
            credit: 0,
            status: payment::Status::Open,
            time_zone: new.time_zone.name().to_owned(),
            next_due_date: None,
            version: 1,
            head_hash: GENESIS.to_owned(),
            created_at: scribe.at,
            updated_at: scribe.at,
        };
        let mut ledger = Self {
            payment,
            currency: new.currency,
            revision: 0,
            installments: Vec::new(),
            receipts: Vec::new(),
            allocations: Vec::new(),
        };
        let mut draft = Draft::new(payment_event::Kind::PaymentCreated, None);
        ledger.add_plan(&new.plan, scribe, &mut draft);
        draft.lines = (1..).zip(&new.lines).map(|(position, line)| ledger.line(position, line, scribe)).collect();
        ledger.payment.next_due_date = ledger.next_due_date();
        let event = event::event(None, &ledger, &draft, scribe);
        ledger.payment.head_hash.clone_from(&event.hash);
        let change = draft.into_change(ledger.payment.clone(), true, event);
        (ledger, change)
    }

    /// Adds the next revision of the plan, and its installments.
    pub(super) fn add_plan(&mut self, plan: &Plan, scribe: &mut Scribe<'_>, draft: &mut Draft) {
        self.revision += 1;
        let revision = installment_plan::Model {
            id: InstallmentPlanId((scribe.ids)()),
            account_id: self.payment.account_id,
            payment_id: self.payment.id,
            revision: self.revision,
            frequency: plan.frequency,
            count: i32::try_from(plan.parts.len()).unwrap_or(i32::MAX),
            remainder: plan.remainder,
            rounding_unit: plan.rounding_unit,
            created_at: scribe.at,
        };
        draft.plan = Some(revision);
        for part in &plan.parts {
            draft.new_installments.push(installment::Model {
                id: InstallmentId((scribe.ids)()),
                account_id: self.payment.account_id,
                payment_id: self.payment.id,
                plan_revision: self.revision,
                sequence: part.sequence,
                kind: part.kind,
                due_date: part.due_date,
                currency: self.payment.currency.clone(),
                amount: part.amount,
                planned_amount: part.amount,
                allocated: 0,
                waived: 0,
                outstanding: part.amount,
                status: installment::Status::Pending,
                settled_at: None,
            });
        }
        self.installments.extend(draft.new_installments.iter().cloned());
        self.installments.sort_by_key(|row| (row.due_date, row.sequence, row.id));
    }

    fn line(&self, position: i32, line: &NewLine, scribe: &mut Scribe<'_>) -> payment_line::Model {
        payment_line::Model {
            id: PaymentLineId((scribe.ids)()),
            account_id: self.payment.account_id,
            payment_id: self.payment.id,
            position,
            commodity_code: line.commodity.as_ref().map(|code| code.as_str().to_owned()),
            description: line.description.clone(),
            quantity: line.quantity.to_string(),
            unit: line.unit.clone(),
            currency: self.payment.currency.clone(),
            unit_price: line.unit_price,
            total: line.total,
        }
    }
}
