//! Payments made by hand, for tests that need to know each value.

use chrono::{DateTime, NaiveDate, Utc};
use dermaga_api::store::Database;
use entity::ids::{AccountId, InstallmentId, PaymentId};
use entity::{installment, payment};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use crate::app::NOW;

/// A payment to be made: open, IDR 1,000,000, in one installment due in 30 days, unless said otherwise.
#[derive(Clone, Debug)]
pub struct PaymentBuilder {
    account: AccountId,
    reference: String,
    currency: String,
    amounts: Vec<i64>,
    first_due: Option<NaiveDate>,
    created_at: DateTime<Utc>,
    paid: bool,
}

impl PaymentBuilder {
    pub(crate) fn new(account: AccountId) -> Self {
        Self {
            account,
            reference: format!("T-{}", Uuid::now_v7().simple()),
            currency: "IDR".to_owned(),
            amounts: vec![100_000_000],
            first_due: NaiveDate::from_ymd_opt(2026, 11, 29),
            created_at: NOW,
            paid: false,
        }
    }

    /// With this reference.
    pub fn reference(mut self, reference: &str) -> Self {
        reference.clone_into(&mut self.reference);
        self
    }

    /// For another account.
    pub fn account(mut self, account: AccountId) -> Self {
        self.account = account;
        self
    }

    /// In this currency.
    pub fn currency(mut self, code: &str) -> Self {
        code.clone_into(&mut self.currency);
        self
    }

    /// With installments of these amounts in minor units, due a week apart.
    pub fn installments(mut self, amounts: &[i64]) -> Self {
        amounts.clone_into(&mut self.amounts);
        self
    }

    /// The first installment is due on this day.
    pub fn first_due(mut self, day: &str) -> Self {
        self.first_due = Some(day.parse().unwrap());
        self
    }

    /// Created at this time.
    pub fn created_at(mut self, at: DateTime<Utc>) -> Self {
        self.created_at = at;
        self
    }

    /// Paid in full, so that nothing is due any more.
    pub fn paid(mut self) -> Self {
        self.paid = true;
        self
    }

    /// The rows, not written yet.
    pub fn rows(self) -> (payment::Model, Vec<installment::Model>) {
        let id = PaymentId(Uuid::now_v7());
        let amount = self.amounts.iter().sum();
        let settled = |whole: i64| if self.paid { (whole, 0) } else { (0, whole) };
        let (allocated, outstanding) = settled(amount);
        let first_due = self.first_due.unwrap();
        let payment = payment::Model {
            id,
            account_id: self.account,
            reference: self.reference,
            payer_name: None,
            description: None,
            currency: self.currency.clone(),
            amount,
            allocated,
            waived: 0,
            written_off: 0,
            outstanding,
            received: allocated,
            refunded: 0,
            credit: 0,
            status: if self.paid { payment::Status::Paid } else { payment::Status::Open },
            time_zone: "Asia/Jakarta".to_owned(),
            next_due_date: (!self.paid).then_some(first_due),
            version: 1,
            head_hash: dermaga_api::domain::ledger::GENESIS.to_owned(),
            created_at: self.created_at,
            updated_at: self.created_at,
        };
        let installments = (1..)
            .zip(&self.amounts)
            .map(|(sequence, amount)| {
                let (allocated, outstanding) = settled(*amount);
                installment::Model {
                    id: InstallmentId(Uuid::now_v7()),
                    account_id: self.account,
                    payment_id: id,
                    plan_revision: 1,
                    sequence,
                    kind: installment::Kind::Installment,
                    due_date: first_due + chrono::Days::new(7 * u64::try_from(sequence - 1).unwrap()),
                    currency: self.currency.clone(),
                    amount: *amount,
                    planned_amount: *amount,
                    allocated,
                    waived: 0,
                    outstanding,
                    status: if self.paid { installment::Status::Paid } else { installment::Status::Pending },
                    settled_at: self.paid.then_some(self.created_at),
                }
            })
            .collect();
        (payment, installments)
    }

    /// Writes the payment and returns it.
    pub async fn create(self, database: &Database) -> payment::Model {
        let (payment, installments) = self.rows();
        insert_payments(database, vec![(payment.clone(), installments)]).await;
        payment
    }
}

/// Writes payments with their installments.
pub async fn insert_payments(database: &Database, rows: Vec<(payment::Model, Vec<installment::Model>)>) {
    database
        .write(async |transaction| {
            for (payment, installments) in rows {
                payment.into_active_model().reset_all().insert(transaction).await?;
                let installments = installments.into_iter().map(|row| row.into_active_model().reset_all());
                installment::Entity::insert_many(installments).exec_without_returning(transaction).await?;
            }
            Ok::<_, sea_orm::DbErr>(())
        })
        .await
        .unwrap();
}
