//! New payments, one or hundreds.

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;
use entity::installment::Kind;

use super::{Command, Desk, Failure};
use crate::domain::decimal::Decimal;
use crate::domain::hs_code::HsCode;
use crate::domain::ledger::{Change, Ledger, NewLine, NewPayment};
use crate::domain::money::Money;
use crate::domain::plan::{ExplicitPart, Plan, PlanTerms, plan};
use crate::domain::rejection::{Existing, Reason, Rejection};
use crate::domain::text;
use crate::store::{ledgers, payments};

/// Payments in one request.
const MAX_PAYMENTS: usize = 500;

/// Lines of goods on one payment.
const MAX_LINES: usize = 200;

/// Installments in one request, over all its payments.
const MAX_INSTALLMENTS: usize = 20_000;

/// Payments are to be created: all of them, or none.
#[derive(Clone, Debug)]
pub struct CreatePayments {
    /// The payments.
    pub payments: Vec<PaymentDraft>,
    /// Whether paths name the payment's place in a list, as in `payments.2.amount`.
    pub in_bulk: bool,
}

/// A payment as a client describes it.
#[derive(Clone, Debug)]
pub struct PaymentDraft {
    /// The account's own name for it.
    pub reference: String,
    /// What is owed.
    pub amount: Money,
    /// Who owes it.
    pub payer_name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// IANA time zone in which due dates are judged.
    pub time_zone: String,
    /// The goods.
    pub lines: Vec<PaymentLineDraft>,
    /// How it is split; `None` for all at once, today.
    pub plan: Option<PlanTerms>,
}

/// A line of goods as a client describes it.
#[derive(Clone, Debug)]
pub struct PaymentLineDraft {
    /// Its HS code.
    pub commodity: Option<HsCode>,
    /// The goods in the exporter's words.
    pub description: String,
    /// How many units.
    pub quantity: Decimal,
    /// What is counted.
    pub unit: String,
    /// Price of one unit, in major units of the payment's currency.
    pub unit_price: Decimal,
}

/// `createPayment`, a list of one under its own name: keys of the two mutations are apart.
#[derive(Clone, Debug)]
pub struct CreatePayment(pub CreatePayments);

impl Command for CreatePayment {
    const MUTATION: &'static str = "createPayment";

    async fn decide(&self, desk: &mut Desk<'_>) -> Result<Vec<Change>, Failure> {
        self.0.decide(desk).await
    }
}

impl Command for CreatePayments {
    const MUTATION: &'static str = "createPayments";

    async fn decide(&self, desk: &mut Desk<'_>) -> Result<Vec<Change>, Failure> {
        let (new, mut rejections) = self.checked(desk);
        rejections.extend(self.taken(desk).await?);
        rejections.extend(self.unknown_commodities(desk).await?);
        if !rejections.is_empty() {
            return Err(rejections.into());
        }
        Ok(new.iter().map(|new| desk.record(|scribe| Ledger::create(scribe, new)).1).collect())
    }
}

impl CreatePayments {
    /// Where the payment at `place` stands in the input.
    fn at(&self, place: usize, rejection: Rejection) -> Rejection {
        if self.in_bulk { rejection.under(["payments".to_owned(), place.to_string()]) } else { rejection }
    }

    /// What can be said without the database.
    fn checked(&self, desk: &Desk<'_>) -> (Vec<NewPayment>, Vec<Rejection>) {
        let mut rejections = Vec::new();
        if self.in_bulk && (self.payments.is_empty() || self.payments.len() > MAX_PAYMENTS) {
            let message = format!("between 1 and {MAX_PAYMENTS} payments can be created at once");
            return (Vec::new(), vec![Rejection::invalid(["payments"], message)]);
        }
        let mut references = HashMap::new();
        let mut new = Vec::with_capacity(self.payments.len());
        for (place, draft) in self.payments.iter().enumerate() {
            if let Some(first) = references.insert(draft.reference.as_str(), place) {
                let message = format!("payment {first} of this list has this reference too");
                rejections.push(self.at(place, Rejection::invalid(["reference"], message)));
            }
            match draft.checked(desk) {
                Ok(payment) => new.push(payment),
                Err(found) => rejections.extend(found.into_iter().map(|rejection| self.at(place, rejection))),
            }
        }
        if new.iter().map(|payment| payment.plan.parts.len()).sum::<usize>() > MAX_INSTALLMENTS {
            let message = format!("at most {MAX_INSTALLMENTS} installments can be created at once");
            rejections.push(Rejection::invalid(["payments"], message));
        }
        (new, rejections)
    }

    /// References that the account has already.
    async fn taken(&self, desk: &Desk<'_>) -> Result<Vec<Rejection>, Failure> {
        let references: Vec<_> = self.payments.iter().map(|draft| draft.reference.clone()).collect();
        let found = payments::by_references(desk.db, desk.account, &references).await?;
        let found: HashMap<_, _> = found.iter().map(|row| (row.reference.as_str(), row.id)).collect();
        let taken = self.payments.iter().enumerate().filter_map(|(place, draft)| {
            let first = *found.get(draft.reference.as_str())?;
            let message = format!("the payment {} has this reference already", first.global());
            let reason = Reason::Duplicate { existing: Existing::Payment(first) };
            Some(self.at(place, Rejection::new(["reference"], message, reason)))
        });
        Ok(taken.collect())
    }

    /// Lines whose code the nomenclature does not have.
    async fn unknown_commodities(&self, desk: &Desk<'_>) -> Result<Vec<Rejection>, Failure> {
        let lines = || {
            self.payments.iter().enumerate().flat_map(|(place, draft)| {
                let codes = draft.lines.iter().enumerate();
                codes.filter_map(move |(line, of)| Some((place, line, of.commodity.as_ref()?.as_str())))
            })
        };
        let codes: HashSet<_> = lines().map(|(_, _, code)| code.to_owned()).collect();
        let known = ledgers::known_commodities(desk.db, &codes.into_iter().collect::<Vec<_>>()).await?;
        let known: HashSet<_> = known.iter().map(|row| row.code.as_str()).collect();
        let unknown = lines().filter(|(_, _, code)| !known.contains(code)).map(|(place, line, _)| {
            let field = ["lines".to_owned(), line.to_string(), "hsCode".to_owned()];
            self.at(place, Rejection::not_found(field, "the nomenclature has no such code"))
        });
        Ok(unknown.collect())
    }
}

impl PaymentDraft {
    fn checked(&self, desk: &Desk<'_>) -> Result<NewPayment, Vec<Rejection>> {
        let mut rejections = Vec::new();
        rejections.extend(text::check("reference", &self.reference, text::NAME).err());
        if let Some(name) = &self.payer_name {
            rejections.extend(text::check("payerName", name, text::NAME).err());
        }
        if let Some(description) = &self.description {
            rejections.extend(text::check("description", description, text::LONG).err());
        }
        let time_zone: Option<Tz> = self.time_zone.parse().ok();
        if time_zone.is_none() {
            rejections.push(Rejection::invalid(["timeZone"], "is no IANA time zone, such as Asia/Jakarta"));
        }
        let amount = i64::try_from(self.amount.minor).ok().filter(|amount| *amount > 0);
        if amount.is_none() {
            let message = if self.amount.minor <= 0 { "must be more than 0" } else { "is too large" };
            rejections.push(Rejection::invalid(["amount", "amount"], message));
        }
        let today = desk.at.with_timezone(&time_zone.unwrap_or(desk.time_zone())).date_naive();
        let at_once = || {
            PlanTerms::Explicit(vec![ExplicitPart {
                amount: self.amount.amount(),
                due_date: today,
                kind: Kind::Balance,
            }])
        };
        let plan = amount.and_then(|_| {
            let terms = self.plan.clone().unwrap_or_else(at_once);
            plan(self.amount, &terms)
                .map_err(|found| rejections.extend(found.into_iter().map(|rejection| rejection.under(["plan"]))))
                .ok()
        });
        let lines = self.lines(&mut rejections);
        match (amount, time_zone, plan) {
            (Some(amount), Some(time_zone), Some(plan)) if rejections.is_empty() => {
                Ok(self.new_payment(desk, amount, time_zone, plan, lines))
            }
            _ => Err(rejections),
        }
    }

    fn new_payment(&self, desk: &Desk<'_>, amount: i64, time_zone: Tz, plan: Plan, lines: Vec<NewLine>) -> NewPayment {
        NewPayment {
            account: desk.account,
            reference: self.reference.clone(),
            payer_name: self.payer_name.clone(),
            description: self.description.clone(),
            currency: self.amount.currency,
            amount,
            time_zone,
            plan,
            lines,
        }
    }

    fn lines(&self, rejections: &mut Vec<Rejection>) -> Vec<NewLine> {
        if self.lines.len() > MAX_LINES {
            rejections.push(Rejection::invalid(["lines"], format!("at most {MAX_LINES} lines can be given")));
            return Vec::new();
        }
        let mut lines = Vec::with_capacity(self.lines.len());
        for (place, draft) in self.lines.iter().enumerate() {
            match draft.checked(self.amount) {
                Ok(line) => lines.push(line),
                Err(found) => {
                    let under = ["lines".to_owned(), place.to_string()];
                    rejections.extend(found.into_iter().map(|rejection| rejection.under(under.clone())));
                }
            }
        }
        lines
    }
}

impl PaymentLineDraft {
    fn checked(&self, of: Money) -> Result<NewLine, Vec<Rejection>> {
        let mut rejections = Vec::new();
        rejections.extend(text::check("description", &self.description, text::LONG).err());
        rejections.extend(text::check("unit", &self.unit, text::SHORT).err());
        if self.quantity.is_negative() || self.quantity.is_zero() {
            rejections.push(Rejection::invalid(["quantity"], "must be more than 0"));
        }
        let minor = |amount: Money| i64::try_from(amount.minor).ok().filter(|minor| *minor >= 0);
        let unit_price = match Money::from_decimal(self.unit_price, of.currency) {
            Ok(price) => minor(price),
            Err(error) => {
                rejections.push(Rejection::invalid(["unitPrice"], error.to_string()));
                Some(0)
            }
        };
        // Rounded once, half to even, to what the currency has after the point.
        let digits = of.currency.minor_units();
        let product = self.quantity.checked_mul(self.unit_price).map(|total| total.round_half_even(digits));
        let total = product.and_then(|total| minor(Money::from_decimal(total, of.currency).ok()?));
        match (unit_price, total) {
            (Some(unit_price), Some(total)) if rejections.is_empty() => Ok(NewLine {
                commodity: self.commodity,
                description: self.description.clone(),
                quantity: self.quantity,
                unit: self.unit.clone(),
                unit_price,
                total,
            }),
            _ => {
                if rejections.is_empty() {
                    rejections.push(Rejection::invalid(["unitPrice"], "is negative, or too large"));
                }
                Err(rejections)
            }
        }
    }
}
