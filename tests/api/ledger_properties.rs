//! The invariants of payments over random sequences of changes, on real databases.
//!
//! A failure prints its seed and the shortest sequence that still fails; `DERMAGA_TEST_SEED` runs it again.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use dermaga_api::cache::Cache;
use dermaga_api::changes::{
    AllocationDraft, Author, CancelPayment, Changes, Command, CreatePayment, CreatePayments, Done, Failure, Mode,
    PaymentDraft, RecordReceipt, RefundReceipt, ReschedulePayment, ReverseReceipt, WaiveInstallment, WriteOffPayment,
};
use dermaga_api::clock::Clock;
use dermaga_api::domain::currency::Currency;
use dermaga_api::domain::ledger::Change;
use dermaga_api::domain::money::Money;
use dermaga_api::domain::plan::{EvenTerms, PercentPart, PlanTerms};
use dermaga_api::domain::rejection::Reason;
use dermaga_api::payment_feed::PaymentFeed;
use dermaga_api::store::{Database, Written, accounts};
use dermaga_tests::{Backend, NOW, TestApp, each_database};
use entity::ids::{AccountId, InstallmentId, PaymentId, ReceiptId};
use entity::installment_plan::{Frequency, Remainder};
use entity::{account, payment};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use uuid::Uuid;

/// Changes in a sequence, and sequences: together 10,000 changes for each database.
const LENGTH: usize = 50;
const SEQUENCES: u32 = 240;

/// Something that a client asks for. Numbers choose among what there is by then; parts are thousandths of what is
/// outstanding, of a receipt or of an installment, so that some of them are too much.
#[derive(Clone, Debug)]
enum Step {
    Create {
        amount: i64,
        currency: usize,
        parts: i32,
        unit: i64,
    },
    Receive {
        payment: usize,
        part: i64,
        credit: bool,
        explicit: bool,
        reference: Option<u8>,
    },
    Reverse {
        receipt: usize,
    },
    Refund {
        receipt: usize,
        part: i64,
    },
    Waive {
        installment: usize,
        part: Option<i64>,
    },
    Reschedule {
        payment: usize,
        shares: u8,
        stale: bool,
    },
    Cancel {
        payment: usize,
    },
    WriteOff {
        payment: usize,
    },
    /// The last request that was accepted is sent again.
    Again,
    /// Another request is sent under the key of the last one that was accepted.
    ReuseKey {
        payment: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..1000_usize;
    let amount = prop_oneof![1..5_000_i64, 100_000..100_000_000_i64, Just(i64::MAX), Just(999)];
    prop_oneof![
        3 => (amount, 0..3_usize, 1..7, prop_oneof![Just(0), 1..2_000_i64])
            .prop_map(|(amount, currency, parts, unit)| Step::Create { amount, currency, parts, unit }),
        12 => (at(), 1..1_200_i64, any::<bool>(), any::<bool>(), proptest::option::of(0..40_u8)).prop_map(
            |(payment, part, credit, explicit, reference)| Step::Receive { payment, part, credit, explicit, reference }
        ),
        4 => at().prop_map(|receipt| Step::Reverse { receipt }),
        4 => (at(), 1..1_200_i64).prop_map(|(receipt, part)| Step::Refund { receipt, part }),
        3 => (at(), proptest::option::of(1..1_200_i64)).prop_map(|(installment, part)| Step::Waive { installment, part }),
        3 => (at(), 1..5_u8, proptest::bool::weighted(0.2))
            .prop_map(|(payment, shares, stale)| Step::Reschedule { payment, shares, stale }),
        1 => at().prop_map(|payment| Step::Cancel { payment }),
        1 => at().prop_map(|payment| Step::WriteOff { payment }),
        2 => Just(Step::Again),
        1 => at().prop_map(|payment| Step::ReuseKey { payment }),
    ]
}

/// What a client knows, and what it was told in all.
struct Client<'a> {
    changes: &'a Changes,
    author: Author,
    payments: Vec<payment::Model>,
    installments: Vec<(InstallmentId, usize)>,
    receipts: Vec<Told>,
    references: HashMap<u8, ReceiptId>,
    keys: u32,
    last: Option<(String, RecordReceipt)>,
}

/// A receipt, as a client was told of it.
struct Told {
    id: ReceiptId,
    payment: usize,
    amount: i64,
    refunded: i64,
    reversed: bool,
}

impl Client<'_> {
    async fn send<C: Command>(&mut self, command: &C) -> Result<Change, Vec<Reason>> {
        self.keys += 1;
        let key = format!("property-{}", self.keys);
        self.send_as(&key, command).await
    }

    async fn send_as<C: Command>(&mut self, key: &str, command: &C) -> Result<Change, Vec<Reason>> {
        let mode = Mode::Keyed { key: key.to_owned(), request_hash: "one".to_owned() };
        match self.changes.run(&self.author, &mode, command).await {
            Ok(Done::Changed(mut made)) => {
                assert_eq!(made.len(), 1);
                let change = made.remove(0);
                if let Some(known) = self.payments.iter_mut().find(|known| known.id == change.payment.id) {
                    assert_eq!(change.payment.version, known.version + 1);
                    *known = change.payment.clone();
                }
                let of = self.payments.iter().position(|known| known.id == change.payment.id);
                let of = of.unwrap_or(self.payments.len());
                self.installments.extend(change.new_installments.iter().map(|row| (row.id, of)));
                Ok(change)
            }
            Ok(Done::Replayed(_)) => panic!("a new key was taken for an old one"),
            Err(Failure::Rejected(rejections)) => {
                Err(rejections.into_iter().map(|rejection| rejection.reason).collect())
            }
            Err(failure) => panic!("{failure:?}"),
        }
    }

    fn payment(&self, choice: usize) -> Option<(usize, payment::Model)> {
        let at = choice.checked_rem(self.payments.len())?;
        Some((at, self.payments[at].clone()))
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Create { amount, currency, parts, unit } => self.create(*amount, *currency, *parts, *unit).await,
            Step::Receive { payment, part, credit, explicit, reference } => {
                self.receive(*payment, *part, (*credit, *explicit), *reference).await;
            }
            Step::Reverse { receipt } => {
                let Some(at) = receipt.checked_rem(self.receipts.len()) else { return };
                let command = ReverseReceipt {
                    receipt: self.receipts[at].id,
                    expected_version: None,
                    reason: "bounced".to_owned(),
                };
                let done = self.send(&command).await.is_ok();
                let told = &mut self.receipts[at];
                assert_eq!(done, !told.reversed && told.refunded == 0);
                told.reversed |= done;
            }
            Step::Refund { receipt, part } => {
                let Some(at) = receipt.checked_rem(self.receipts.len()) else { return };
                let (_, of) = self.payment(self.receipts[at].payment).unwrap();
                let amount = portion(self.receipts[at].amount, *part);
                let command = RefundReceipt {
                    receipt: self.receipts[at].id,
                    expected_version: Some(of.version),
                    amount: money(amount, &of),
                    reason: "returned".to_owned(),
                };
                let done = self.send(&command).await.is_ok();
                let told = &mut self.receipts[at];
                assert_eq!(done, !told.reversed && amount <= told.amount - told.refunded);
                if done {
                    told.refunded += amount;
                }
            }
            Step::Waive { installment, part } => {
                let Some(at) = installment.checked_rem(self.installments.len()) else { return };
                let (id, of) = self.installments[at];
                let (_, payment) = self.payment(of).unwrap();
                let amount = part.map(|part| money(portion(payment.amount / 3, part), &payment).amount());
                let reason = "goodwill".to_owned();
                let command = WaiveInstallment { installment: id, expected_version: payment.version, amount, reason };
                let _ = self.send(&command).await;
            }
            Step::Reschedule { payment, shares, stale } => {
                let Some((_, payment)) = self.payment(*payment) else { return };
                let command = ReschedulePayment {
                    payment: payment.id,
                    expected_version: payment.version + i32::from(*stale),
                    plan: shares_of(*shares),
                    reason: "agreed".to_owned(),
                };
                let refused = self.send(&command).await.err();
                let conflict = |reason: &Reason| matches!(reason, Reason::VersionConflict { .. });
                assert_eq!(*stale, refused.is_some_and(|reasons| reasons.iter().any(conflict)));
            }
            Step::Cancel { payment } => {
                let Some((_, payment)) = self.payment(*payment) else { return };
                let version = payment.version;
                let command =
                    CancelPayment { payment: payment.id, expected_version: version, reason: "mistake".to_owned() };
                let done = self.send(&command).await.is_ok();
                let untouched = payment.received == 0 && payment.waived == 0;
                assert_eq!(done, payment.status == payment::Status::Open && untouched);
            }
            Step::WriteOff { payment } => {
                let Some((_, payment)) = self.payment(*payment) else { return };
                let version = payment.version;
                let command =
                    WriteOffPayment { payment: payment.id, expected_version: version, reason: "bad".to_owned() };
                let done = self.send(&command).await.is_ok();
                assert_eq!(done, payment.outstanding > 0);
            }
            Step::Again => {
                let Some((key, command)) = self.last.clone() else { return };
                let mode = Mode::Keyed { key, request_hash: "one".to_owned() };
                let done = self.changes.run(&self.author, &mode, &command).await.unwrap();
                assert!(matches!(done, Done::Replayed(_)), "{done:?}");
            }
            Step::ReuseKey { payment } => {
                let (Some((key, command)), Some((_, payment))) = (self.last.clone(), self.payment(*payment)) else {
                    return;
                };
                let other = RecordReceipt { payment: payment.id, ..command };
                let mode = Mode::Keyed { key, request_hash: "another".to_owned() };
                match self.changes.run(&self.author, &mode, &other).await {
                    Err(Failure::Rejected(reasons)) => {
                        assert!(matches!(reasons[0].reason, Reason::KeyReused { .. }));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    async fn create(&mut self, amount: i64, currency: usize, parts: i32, unit: i64) {
        let currency = Currency::from_code(["IDR", "USD", "JPY"][currency]).unwrap();
        let amount = Money { minor: amount.into(), currency };
        let unit = (unit > 0).then(|| Money { minor: unit.into(), currency }.amount());
        let remainder = [Remainder::Last, Remainder::First, Remainder::Spread][usize::try_from(parts).unwrap() % 3];
        let draft = PaymentDraft {
            reference: format!("INV-{}", self.payments.len()),
            amount,
            payer_name: None,
            description: None,
            time_zone: "Asia/Jakarta".to_owned(),
            lines: Vec::new(),
            plan: Some(PlanTerms::Even(EvenTerms {
                count: parts,
                first_due_date: first_due(),
                frequency: Frequency::Monthly,
                deposit: None,
                remainder,
                rounding_unit: unit,
            })),
        };
        let command = CreatePayment(CreatePayments { payments: vec![draft], in_bulk: false });
        if let Ok(change) = self.send(&command).await {
            self.payments.push(change.payment);
        }
    }

    async fn receive(&mut self, payment: usize, part: i64, how: (bool, bool), reference: Option<u8>) {
        let Some((at, payment)) = self.payment(payment) else { return };
        let (credit, explicit) = how;
        let amount = portion(payment.outstanding.max(payment.amount / 10), part);
        let of_payment = self.installments.iter().filter(|(_, of)| *of == at);
        let draft = |(id, _): &(InstallmentId, usize)| AllocationDraft {
            installment: *id,
            amount: money((amount / 3).max(1), &payment).amount(),
        };
        let command = RecordReceipt {
            payment: payment.id,
            expected_version: None,
            amount: money(amount, &payment),
            received_at: NOW,
            method: "BANK_TRANSFER".to_owned(),
            external_reference: reference.map(|number| format!("TT-{number}")),
            allocations: explicit.then(|| of_payment.rev().take(2).map(draft).collect()),
            allow_credit: credit,
            fx: None,
        };
        let outcome = self.send(&command).await;
        if let Some(first) = reference.and_then(|number| self.references.get(&number)) {
            let reasons = outcome.expect_err("a reference that is taken");
            let duplicate = |reason: &Reason| matches!(reason, Reason::Duplicate { existing } if *existing == dermaga_api::domain::rejection::Existing::Receipt(*first));
            assert!(reasons.iter().any(duplicate), "{reasons:?}");
            return;
        }
        if let Ok(change) = outcome {
            let receipt = change.new_receipt.unwrap();
            assert!(receipt.unallocated == 0 || credit);
            if let Some(number) = reference {
                self.references.insert(number, receipt.id);
            }
            self.last = Some((format!("property-{}", self.keys), command));
            self.receipts.push(Told { id: receipt.id, payment: at, amount, refunded: 0, reversed: false });
        } else if !explicit && amount <= payment.outstanding && payment.received.checked_add(amount).is_some() {
            panic!("a receipt that fits was refused: {payment:?} {amount}");
        }
    }
}

fn first_due() -> NaiveDate {
    NOW.date_naive() + TimeDelta::days(30)
}

fn money(minor: i64, of: &payment::Model) -> Money {
    Money { minor: minor.into(), currency: Currency::from_code(&of.currency).unwrap() }
}

/// Thousandths of an amount, at least 1.
fn portion(amount: i64, thousandths: i64) -> i64 {
    i64::try_from(i128::from(amount) * i128::from(thousandths) / 1000).unwrap_or(i64::MAX).max(1)
}

fn shares_of(count: u8) -> PlanTerms {
    let percents: &[&str] = match count {
        1 => &["100"],
        2 => &["33.3", "66.7"],
        3 => &["33.33", "33.33", "33.34"],
        _ => &["10", "20", "30", "40"],
    };
    let part = |(at, percent): (u64, &&str)| PercentPart {
        percent: dermaga_api::domain::decimal::Decimal::parse(percent).unwrap(),
        due_date: first_due() + chrono::Days::new(at * 10),
    };
    PlanTerms::Percentages((0..).zip(percents).map(part).collect())
}

/// One sequence, for an account of its own.
async fn run(database: &Database, changes: &Changes, steps: &[Step]) {
    let account = AccountId(Uuid::now_v7());
    let row = account::Model {
        id: account,
        name: format!("p-{}", account.0.simple()),
        base_currency: "IDR".to_owned(),
        time_zone: "Asia/Jakarta".to_owned(),
        created_at: NOW,
    };
    database.write(async |db| accounts::create(db, row.clone()).await).await.unwrap();
    let author = Author {
        account,
        actor: "property".to_owned(),
        time_zone: chrono_tz::Asia::Jakarta,
        request_id: "property".to_owned(),
        meter: Arc::default(),
        written: Written::default(),
    };
    let mut client = Client {
        changes,
        author,
        payments: Vec::new(),
        installments: Vec::new(),
        receipts: Vec::new(),
        references: HashMap::new(),
        keys: 0,
        last: None,
    };
    for step in steps {
        client.take(step).await;
    }

    let report = super::verified::verify(database, account).await;
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(report.payments, client.payments.len());
    for (at, known) in client.payments.iter().enumerate() {
        let stored = report.row(PaymentId(known.id.0));
        assert_eq!(stored, known, "what a client was told is what is stored");
        let told = || client.receipts.iter().filter(|told| told.payment == at);
        let received: i64 = told().filter(|told| !told.reversed).map(|told| told.amount).sum();
        let refunded: i64 = told().map(|told| told.refunded).sum();
        assert_eq!((stored.received, stored.refunded), (received, refunded));
    }
}

async fn properties(backend: Backend) {
    let app = TestApp::spawn(backend).await;
    let changes = Changes::new(app.database.clone(), Clock::fixed(NOW), PaymentFeed::new(), Cache::off());
    let given = std::env::var("DERMAGA_TEST_SEED").ok().and_then(|text| Uuid::try_parse(&text).ok());
    let seed = given.unwrap_or_else(Uuid::now_v7);
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(seed.as_bytes());
    let config = Config { cases: SEQUENCES, max_shrink_iters: 300, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let steps = proptest::collection::vec(step(), LENGTH);
    let handle = tokio::runtime::Handle::current();
    let outcome = tokio::task::spawn_blocking(move || {
        let _app = &app;
        runner.run(&steps, |steps| {
            let work = std::panic::AssertUnwindSafe(|| handle.block_on(run(&app.database, &changes, &steps)));
            std::panic::catch_unwind(work).map_err(|cause| {
                let words = cause.downcast_ref::<String>().map_or("a panic", String::as_str);
                TestCaseError::fail(words.to_owned())
            })
        })
    });
    match outcome.await.unwrap() {
        Ok(()) => {}
        Err(TestError::Fail(why, steps)) => panic!("DERMAGA_TEST_SEED={seed}: {why}\n{steps:#?}"),
        Err(TestError::Abort(why)) => panic!("DERMAGA_TEST_SEED={seed}: {why}"),
    }
}

each_database! {
    /// Whatever clients ask for in whatever order, the rows of a payment say one and the same.
    async fn invariants_hold_over_random_sequences(backend: Backend) {
        properties(backend).await;
    }
}
