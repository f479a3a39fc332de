//! Events: whether the chain is whole, and whether the rows are what it made of them.

use std::collections::BTreeMap;

use entity::payment_event::Kind;
use entity::{payment, payment_event};
use sea_orm::ActiveEnum;
use serde_json::{Map, Value};

use super::{Check, Rule};
use crate::domain::ledger::event::{self, Fields, GENESIS, hash_of};

/// What the events say, by the id of what they say it of.
#[derive(Default)]
struct Told {
    payment: Map<String, Value>,
    plans: BTreeMap<String, Map<String, Value>>,
    installments: BTreeMap<String, Map<String, Value>>,
    receipts: BTreeMap<String, Map<String, Value>>,
    refunds: BTreeMap<String, Map<String, Value>>,
}

impl Check<'_> {
    pub(super) fn history(&mut self) {
        self.kinds();
        // What is left out of a broken chain would show in every row.
        if self.chain()
            && let Some(told) = self.tell_again()
        {
            self.compare(&told);
        }
    }

    /// Whether every event is there.
    fn chain(&mut self) -> bool {
        let (payment, events) = (&self.rows.payment, &self.rows.events);
        let mut complete = true;
        let (mut next, mut head) = (1, GENESIS);
        for event in events {
            let sequence = event.sequence;
            if sequence > next {
                self.tell(Rule::Chain, Missing(next, sequence - 1));
                complete = false;
            } else if event.prev_hash != head {
                let what = if sequence == 1 { "does not start from zeros" } else { "does not follow the one before" };
                self.tell(Rule::Chain, format_args!("event {sequence} {what}"));
            }
            if hash_of(event) != event.hash {
                self.tell(Rule::Chain, format_args!("event {sequence} is not what its hash says"));
            }
            (next, head) = (sequence.saturating_add(1), event.hash.as_str());
        }
        let last = next - 1;
        if last < payment.version {
            self.tell(Rule::Chain, Missing(next, payment.version));
            complete = false;
        } else if last > payment.version {
            self.tell(
                Rule::Chain,
                format_args!("there are events up to {last}, and the version is {}", payment.version),
            );
        }
        if head != payment.head_hash {
            self.tell(Rule::Chain, "the payment's head hash is not that of its last event");
        }
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            if events.windows(2).any(|pair| pair[1].at < pair[0].at) {
                self.tell(Rule::Chain, "an event is earlier than the one before");
            }
            if (first.at, last.at) != (payment.created_at, payment.updated_at) {
                self.tell(Rule::History, "the payment was created or changed at other times than its events say");
            }
        }
        complete
    }

    /// What happens once, and the flags that no amount tells.
    fn kinds(&mut self) {
        let rows = self.rows;
        let count = |kind| rows.events.iter().filter(|event| event.kind == kind).count();
        for event in &rows.events {
            let first = event.sequence == 1;
            if first != (event.kind == Kind::PaymentCreated) || first != event.before.is_none() {
                let message = format!("event {} is a {} out of place", event.sequence, event.kind.to_value());
                self.tell(Rule::Chain, message);
            }
        }
        for (kind, is, state) in [
            (Kind::PaymentCancelled, rows.payment.status == payment::Status::Cancelled, "cancelled"),
            (Kind::PaymentWrittenOff, rows.payment.written_off > 0, "written off"),
        ] {
            match count(kind) {
                0 if is => self.tell(Rule::Status, format_args!("the payment is {state}, and no event says so")),
                0 => {}
                _ if !is => self.tell(Rule::Status, format_args!("the payment was {state} and is not")),
                1 => {}
                _ => self.tell(Rule::History, format_args!("the payment was {state} more than once")),
            }
        }
    }

    /// Goes through the events once more. `None` when one of them cannot be read.
    fn tell_again(&mut self) -> Option<Told> {
        let rows = self.rows;
        let mut told = Told::default();
        for event in &rows.events {
            let Some(after) = serde_json::from_str::<Value>(&event.after).ok().filter(Value::is_object) else {
                self.tell(Rule::Chain, format_args!("event {} cannot be read", event.sequence));
                return None;
            };
            told.hear(&after);
            if event.kind == Kind::PaymentRescheduled {
                self.spread(event, &after, &told);
            }
        }
        Some(told)
    }

    /// A new plan spreads what was outstanding: no more, no less.
    fn spread(&mut self, event: &payment_event::Model, after: &Value, told: &Told) {
        let revision = after.pointer("/plan/revision").and_then(Value::as_i64);
        let made = self.rows.installments.iter().filter(|row| Some(i64::from(row.plan_revision)) == revision);
        let planned: i128 = made.map(|row| i128::from(row.planned_amount)).sum();
        let planned = self.major(planned).to_string();
        let outstanding = told.payment.get("outstanding").and_then(Value::as_str).unwrap_or("nothing");
        if planned != outstanding {
            let sequence = event.sequence;
            let message = format!("the plan of event {sequence} spread {planned}, and {outstanding} was outstanding");
            self.tell(Rule::Plan, message);
        }
    }

    fn compare(&mut self, told: &Told) {
        let (rows, currency) = (self.rows, self.currency);
        self.same("the payment", Some(&told.payment), Some(event::payment_fields(&rows.payment, currency)));
        let plans = rows.plans.iter().map(|row| (row.revision.to_string(), event::plan_fields(row, currency)));
        self.same_all("plan revision ", &told.plans, plans.collect());
        let installments =
            rows.installments.iter().map(|row| (row.id.global(), event::new_installment_fields(row, currency)));
        self.same_all("", &told.installments, installments.collect());
        let receipts = rows.receipts.iter().map(|row| (row.id.global(), event::new_receipt_fields(row, currency)));
        self.same_all("", &told.receipts, receipts.collect());
        let refunds = rows.refunds.iter().map(|row| (row.id.global(), event::refund_fields(row, currency)));
        self.same_all("", &told.refunds, refunds.collect());
    }

    fn same_all(
        &mut self,
        kind: &str,
        told: &BTreeMap<String, Map<String, Value>>,
        mut there: BTreeMap<String, Fields>,
    ) {
        for (id, told) in told {
            self.same(&format!("{kind}{id}"), Some(told), there.remove(id));
        }
        for (id, fields) in there {
            self.same(&format!("{kind}{id}"), None, Some(fields));
        }
    }

    fn same(&mut self, what: &str, told: Option<&Map<String, Value>>, there: Option<Fields>) {
        let (told, there) = match (told, there) {
            (Some(told), Some(there)) => (told, there),
            (Some(_), None) => return self.tell(Rule::History, format_args!("{what} is lost: only events know of it")),
            _ => return self.tell(Rule::History, format_args!("no event made {what}")),
        };
        let gone = told.keys().filter(|key| !there.contains_key(key.as_str()));
        let differing = there.iter().filter(|(key, value)| told.get(**key) != Some(*value)).map(|(key, _)| *key);
        let keys: Vec<&str> = differing.chain(gone.map(String::as_str)).collect();
        for key in keys {
            let rule = if key == "fx" { Rule::FrozenRate } else { Rule::History };
            let (is, was) = (there.get(key).unwrap_or(&Value::Null), told.get(key).unwrap_or(&Value::Null));
            self.tell(rule, format_args!("{key} of {what} is {is}, and by the events {was}"));
        }
    }
}

impl Told {
    fn hear(&mut self, after: &Value) {
        add(&mut self.payment, after.get("payment"));
        if let Some(plan) = after.get("plan") {
            add(self.plans.entry(plan["revision"].to_string()).or_default(), Some(plan));
        }
        let installments = after.get("installments").and_then(Value::as_array);
        for (list, values) in [
            (&mut self.installments, installments.map(Vec::as_slice).unwrap_or_default()),
            (&mut self.receipts, after.get("receipt").map(std::slice::from_ref).unwrap_or_default()),
            (&mut self.refunds, after.get("refund").map(std::slice::from_ref).unwrap_or_default()),
        ] {
            for value in values {
                let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
                add(list.entry(id.to_owned()).or_default(), Some(value));
            }
        }
    }
}

fn add(known: &mut Map<String, Value>, news: Option<&Value>) {
    if let Some(Value::Object(news)) = news {
        known.extend(news.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// Events that are not there.
struct Missing(i32, i32);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(first, last) = self;
        if first == last {
            write!(f, "event {first} is missing")
        } else {
            write!(f, "events {first} to {last} are missing")
        }
    }
}
