//! What a change leaves behind: an event, sealed with the hash of the one before.
//!
//! `before` and `after` hold what changed and nothing else, as JSON with sorted keys: amounts as decimals in major
//! units, ids as clients see them. The hash is SHA-256 of the compact JSON array
//! `[prevHash, account, payment, sequence, at, type, actor, requestId, reason, before, after]`, where `at` is in UTC
//! with six digits of the second and `before` and `after` are strings. Anybody can compute it again.

use std::collections::BTreeMap;

use entity::{allocation, installment, installment_plan, payment, payment_event, receipt, refund};
use sea_orm::ActiveEnum;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Draft, Ledger, Scribe};
use crate::domain::currency::Currency;
use crate::domain::money::Money;

/// The hash before the first event.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Keys and values, sorted by key.
pub(super) type Fields = BTreeMap<&'static str, Value>;

/// The event of a change. `before` is the ledger as it was, `None` when the payment is new.
pub(super) fn event(
    before: Option<&Ledger>,
    after: &Ledger,
    draft: &Draft,
    scribe: &Scribe<'_>,
) -> payment_event::Model {
    let (old, new) = snapshots(before, after, draft);
    let mut event = payment_event::Model {
        payment_id: after.payment.id,
        sequence: after.payment.version,
        account_id: after.payment.account_id,
        at: after.payment.updated_at,
        kind: draft.kind,
        actor: scribe.actor.to_owned(),
        request_id: scribe.request_id.map(str::to_owned),
        reason: draft.reason.clone(),
        before: before.is_some().then(|| text(&old)),
        after: text(&new),
        prev_hash: before.map_or(GENESIS, |ledger| ledger.payment.head_hash.as_str()).to_owned(),
        hash: String::new(),
    };
    event.hash = hash_of(&event);
    event
}

/// The hash that an event must have.
pub fn hash_of(event: &payment_event::Model) -> String {
    // Nothing is copied: this runs for every event that is written, and for every one that is verified.
    let sealed = (
        &event.prev_hash,
        event.account_id.0.simple().to_string(),
        event.payment_id.global(),
        event.sequence,
        event.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        event.kind.to_value(),
        &event.actor,
        &event.request_id,
        &event.reason,
        &event.before,
        &event.after,
    );
    // Texts and numbers: nothing that JSON cannot hold.
    let digest = Sha256::digest(serde_json::to_vec(&sealed).unwrap_or_default());
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        use std::fmt::Write;
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether these are all events of a payment, in order, each sealed with the one before, and the payment is as one of
/// them left it: as the last one, unless it was changed again between the reading of the one and of the others.
pub fn is_chain<'a>(payment: &payment::Model, events: impl IntoIterator<Item = &'a payment_event::Model>) -> bool {
    let (mut head, payment) = ((0, GENESIS), (payment.version, payment.head_hash.as_str()));
    let mut met = false;
    for event in events {
        if event.sequence != head.0 + 1 || event.prev_hash != head.1 || hash_of(event) != event.hash {
            return false;
        }
        head = (event.sequence, &event.hash);
        met |= head == payment;
    }
    met
}

/// What changed, as it was and as it is.
fn snapshots(before: Option<&Ledger>, after: &Ledger, draft: &Draft) -> (Fields, Fields) {
    let currency = after.currency;
    let (mut old, mut new) = (Fields::new(), Fields::new());
    let payment_before = before.map(|ledger| payment_fields(&ledger.payment, currency));
    put(&mut old, &mut new, "payment", payment_before, payment_fields(&after.payment, currency));

    let mut lists: [Vec<Value>; 2] = Default::default();
    for row in &draft.changed_installments {
        let known = before.and_then(|ledger| ledger.installments.iter().find(|known| known.id == row.id));
        let (was, is) = changed(known.map(|row| installment_fields(row, currency)), installment_fields(row, currency));
        for (list, mut fields) in lists.iter_mut().zip([was, is]) {
            fields.insert("id", row.id.global().into());
            list.push(value(fields));
        }
    }
    let [mut was, mut is] = lists;
    is.extend(draft.new_installments.iter().map(|row| value(new_installment_fields(row, currency))));
    list(&mut old, "installments", std::mem::take(&mut was));
    list(&mut new, "installments", std::mem::take(&mut is));

    if let Some(plan) = &draft.plan {
        new.insert("plan", value(plan_fields(plan, currency)));
    }
    if let Some(row) = &draft.new_receipt {
        new.insert("receipt", value(new_receipt_fields(row, currency)));
    }
    if let Some(row) = &draft.changed_receipt {
        let known = before.and_then(|ledger| ledger.receipts.iter().find(|known| known.id == row.id));
        let (mut was, mut is) = changed(known.map(|row| receipt_fields(row, currency)), receipt_fields(row, currency));
        for fields in [&mut was, &mut is] {
            fields.insert("id", row.id.global().into());
        }
        old.insert("receipt", value(was));
        new.insert("receipt", value(is));
    }
    list(&mut new, "allocations", allocations(&draft.new_allocations, currency));
    list(&mut old, "allocations", allocations(&draft.freed_allocations, currency));
    if let Some(row) = &draft.refund {
        new.insert("refund", value(refund_fields(row, currency)));
    }
    let lines = draft.lines.iter().map(|line| {
        json!({
            "commodity": line.commodity_code, "description": line.description, "quantity": line.quantity,
            "total": amount(line.total, currency), "unit": line.unit, "unitPrice": amount(line.unit_price, currency),
        })
    });
    list(&mut new, "lines", lines.collect());
    (old, new)
}

/// The amounts and the state of a payment: what changes can change. Of a new payment everything else as well.
pub(super) fn payment_fields(row: &payment::Model, currency: Currency) -> Fields {
    let mut fields = Fields::from([
        ("allocated", amount(row.allocated, currency)),
        ("waived", amount(row.waived, currency)),
        ("writtenOff", amount(row.written_off, currency)),
        ("outstanding", amount(row.outstanding, currency)),
        ("received", amount(row.received, currency)),
        ("refunded", amount(row.refunded, currency)),
        ("credit", amount(row.credit, currency)),
        ("status", row.status.to_value().into()),
        ("nextDueDate", row.next_due_date.map(|day| day.to_string()).into()),
    ]);
    // These never change, so they are told once: where there is nothing to compare with.
    fields.extend([
        ("amount", amount(row.amount, currency)),
        ("currency", row.currency.as_str().into()),
        ("reference", row.reference.as_str().into()),
        ("payerName", row.payer_name.as_deref().into()),
        ("description", row.description.as_deref().into()),
        ("timeZone", row.time_zone.as_str().into()),
    ]);
    fields
}

fn installment_fields(row: &installment::Model, currency: Currency) -> Fields {
    Fields::from([
        ("amount", amount(row.amount, currency)),
        ("allocated", amount(row.allocated, currency)),
        ("waived", amount(row.waived, currency)),
        ("outstanding", amount(row.outstanding, currency)),
        ("status", row.status.to_value().into()),
    ])
}

/// All that is told of an installment.
pub(super) fn new_installment_fields(row: &installment::Model, currency: Currency) -> Fields {
    let mut fields = installment_fields(row, currency);
    fields.extend([
        ("id", row.id.global().into()),
        ("sequence", row.sequence.into()),
        ("kind", row.kind.to_value().into()),
        ("dueDate", row.due_date.to_string().into()),
    ]);
    fields
}

pub(super) fn plan_fields(row: &installment_plan::Model, currency: Currency) -> Fields {
    Fields::from([
        ("revision", row.revision.into()),
        ("count", row.count.into()),
        ("frequency", row.frequency.to_value().into()),
        ("remainder", row.remainder.map(|remainder| remainder.to_value()).into()),
        ("roundingUnit", amount(row.rounding_unit, currency)),
    ])
}

pub(super) fn refund_fields(row: &refund::Model, currency: Currency) -> Fields {
    Fields::from([("id", row.id.global().into()), ("amount", amount(row.amount, currency))])
}

fn receipt_fields(row: &receipt::Model, currency: Currency) -> Fields {
    Fields::from([
        ("unallocated", amount(row.unallocated, currency)),
        ("refunded", amount(row.refunded, currency)),
        ("reversed", row.reversed_at.is_some().into()),
    ])
}

/// All that is told of a receipt.
pub(super) fn new_receipt_fields(row: &receipt::Model, currency: Currency) -> Fields {
    let mut fields = receipt_fields(row, currency);
    fields.extend([
        ("id", row.id.global().into()),
        ("amount", amount(row.amount, currency)),
        ("receivedAt", row.received_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true).into()),
        ("method", row.method.as_str().into()),
        ("externalReference", row.external_reference.as_deref().into()),
    ]);
    if let Some(rate) = &row.fx_rate {
        let day = row.fx_effective_date.map(|day| day.to_string());
        let purpose = row.fx_purpose.map(|purpose| purpose.to_value());
        fields.insert(
            "fx",
            json!({ "effectiveDate": day, "purpose": purpose, "quote": row.fx_quote, "rate": rate, "source": row.fx_source }),
        );
    }
    fields
}

fn allocations(rows: &[allocation::Model], currency: Currency) -> Vec<Value> {
    let one = |row: &allocation::Model| json!({ "amount": amount(row.amount, currency), "installment": row.installment_id.global() });
    rows.iter().map(one).collect()
}

/// What differs between the two, on both sides; everything when there was nothing before.
fn changed(before: Option<Fields>, after: Fields) -> (Fields, Fields) {
    let Some(mut before) = before else { return (Fields::new(), after) };
    let after: Fields = after.into_iter().filter(|(key, value)| before.get(key) != Some(value)).collect();
    before.retain(|key, _| after.contains_key(key));
    (before, after)
}

fn put(old: &mut Fields, new: &mut Fields, key: &'static str, before: Option<Fields>, after: Fields) {
    let is_new = before.is_none();
    let (was, is) = changed(before, after);
    if !is_new {
        old.insert(key, value(was));
    }
    new.insert(key, value(is));
}

fn list(fields: &mut Fields, key: &'static str, values: Vec<Value>) {
    if !values.is_empty() {
        fields.insert(key, values.into());
    }
}

fn value(fields: Fields) -> Value {
    Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn text(fields: &Fields) -> String {
    // Keys and values are texts, numbers and lists of them: nothing that JSON cannot hold.
    serde_json::to_string(fields).unwrap_or_default()
}

fn amount(minor: i64, currency: Currency) -> Value {
    Money { minor: minor.into(), currency }.amount().to_string().into()
}
