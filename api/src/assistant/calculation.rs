//! The numbers of an answer: a quote of export duty, when a question names goods and a quantity.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;

use super::ask::Question;
use super::grounding::Draft;
use super::numbers::{numbers, quantity};
use super::outcome::Clarification;
use super::{dates, goods};
use crate::domain::decimal::Decimal;
use crate::domain::duty::quote::Step;
use crate::domain::duty::{Failure, Reason, RupiahRounding, citation};
use crate::duty_quote::{Asked, Outcome, Quote};
use crate::error::Result;
use crate::loaders::Loads;
use crate::loaders::assistant::{Product, ProductsKey};

/// What was computed.
#[derive(Clone, Debug)]
pub enum Calculation {
    /// A quote.
    Quote(Arc<Quote>),
    /// Duty and levy in foreign currency: no tax rate of the day of payment is held.
    WithoutRate(Vec<Step>, String),
    /// None: something that it needs is not held.
    Missing(String),
    /// None: the question names goods in more than one way.
    Unclear(Clarification),
    /// None: the question asks for none.
    None,
}

/// Computes what a question asks for. Says too on which day its declaration is filed.
///
/// # Errors
/// When something cannot be loaded.
pub async fn calculate(
    loads: &Loads,
    rounding: RupiahRounding,
    question: &Question,
) -> Result<(Calculation, NaiveDate)> {
    let days = dates::days(&question.text);
    let filing = days.filed.unwrap_or(question.as_of);
    let Some(quantity) = quantity(&question.text, question.language) else { return Ok((Calculation::None, filing)) };
    let products = loads.one(ProductsKey).await?;
    let named = goods::named(&question.text, &products);
    let code = question.code.clone().or_else(|| goods::code(&question.text));
    let asked = |code: Option<String>, product: Option<String>| Asked {
        code,
        product,
        quantity,
        filing,
        payment: days.paid,
        has_invoice: false,
    };
    let calculation = match (code, named) {
        (Some(code), named) => {
            let mut outcome = asked(Some(code.clone()), None).quote(loads, rounding).await?;
            if let (Outcome::Failed(Failure::Unavailable(why)), goods::Named::One(product)) = (&outcome, named)
                && why.reason == Reason::AmbiguousCode
                && why.products.contains(&product)
            {
                outcome = asked(Some(code), Some(product)).quote(loads, rounding).await?;
            }
            of_outcome(outcome, &products)
        }
        (None, goods::Named::One(product)) => {
            of_outcome(asked(None, Some(product)).quote(loads, rounding).await?, &products)
        }
        (None, goods::Named::Several(several)) => Calculation::Unclear(clarification(&products, Vec::new(), several)),
        (None, goods::Named::None) => Calculation::None,
    };
    Ok((calculation, filing))
}

fn of_outcome(outcome: Outcome, products: &[Product]) -> Calculation {
    match outcome {
        Outcome::Quote(quote) => Calculation::Quote(Arc::new(quote)),
        Outcome::WithoutRate(assessment, why) => Calculation::WithoutRate(assessment.steps, why.message),
        Outcome::Failed(Failure::Unavailable(why)) if why.reason == Reason::AmbiguousCode => {
            Calculation::Unclear(clarification(products, why.codes, why.products))
        }
        Outcome::Failed(Failure::Unavailable(why)) => Calculation::Missing(why.message),
        Outcome::Failed(Failure::TooLarge) => Calculation::Missing("the quantity is too large".to_owned()),
    }
}

fn clarification(products: &[Product], mut codes: Vec<String>, names: Vec<String>) -> Clarification {
    if codes.is_empty() {
        let named = products.iter().filter(|product| names.contains(&product.name));
        let all: BTreeSet<_> = named.flat_map(|product| &product.codes).map(|code| code.code.clone()).collect();
        codes.extend(all);
    }
    let goods = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    Clarification { question: format!("Which goods are meant{goods}?"), codes, products: names }
}

impl Calculation {
    fn steps(&self) -> &[Step] {
        match self {
            Self::Quote(quote) => &quote.paid.steps,
            Self::WithoutRate(steps, _) => steps,
            Self::Missing(_) | Self::Unclear(_) | Self::None => &[],
        }
    }

    /// The steps as a model is shown them.
    pub fn lines(&self) -> Vec<String> {
        let line = |step: &Step| {
            let basis = step.basis.as_ref().map(|basis| format!(" ({basis})")).unwrap_or_default();
            format!("{}: {} = {} {}{basis}", step.label, step.formula, step.value, step.unit)
        };
        let mut lines: Vec<_> = self.steps().iter().map(line).collect();
        if let Self::Quote(quote) = self {
            lines.push(format!("Duty and levy in rupiah: together = {} IDR", quote.paid.total));
        }
        lines.extend(self.warning().map(|warning| format!("Not computed: {warning}")));
        lines
    }

    /// The regulations that it rests on.
    pub fn basis(&self) -> Vec<String> {
        let mut basis: Vec<String> = Vec::new();
        for number in self.steps().iter().filter_map(|step| step.basis.as_deref()).flat_map(citation::numbers) {
            if !basis.contains(&number) {
                basis.push(number);
            }
        }
        basis
    }

    /// What could not be computed.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::WithoutRate(_, why) | Self::Missing(why) => Some(why.clone()),
            Self::Quote(_) | Self::Unclear(_) | Self::None => None,
        }
    }

    /// The quote.
    pub fn quote(&self) -> Option<Arc<Quote>> {
        match self {
            Self::Quote(quote) => Some(Arc::clone(quote)),
            _ => None,
        }
    }

    /// The numbers that an answer may use: those of the steps, rounded to cents too, and those of the question's
    /// quantity and code.
    pub fn numbers(&self, question: &Question) -> Vec<Decimal> {
        let mut known: Vec<Decimal> = Vec::new();
        for step in self.steps() {
            known.push(step.value);
            known.push(step.value.round_half_even(2));
            // Formulas write numbers with a point, and never group them.
            let plain =
                |text: &str| text.split_whitespace().filter_map(|word| Decimal::parse(word).ok()).collect::<Vec<_>>();
            known.extend(plain(&step.formula));
        }
        if let Self::Quote(quote) = self {
            known.extend([quote.paid.total, quote.paid.total.round_half_even(2)]);
        }
        known.extend(quantity(&question.text, question.language).map(|quantity| quantity.amount));
        let code = question.code.clone().or_else(|| goods::code(&question.text));
        known.extend(code.iter().flat_map(|code| numbers(code)).flat_map(|number| number.readings));
        known
    }
}

/// An answer without the days of its question, which may stand in it: their numbers are no amounts.
pub fn without_days(draft: &Draft, question: &Question) -> Draft {
    let days = dates::days(&question.text);
    let mut text = draft.text.clone();
    for day in [Some(question.as_of), days.filed, days.paid].into_iter().flatten() {
        text = text.replace(&day.to_string(), " ");
    }
    Draft { text, quotes: draft.quotes.clone() }
}
