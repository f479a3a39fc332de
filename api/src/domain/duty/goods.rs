//! Which goods are meant, and which measures apply to them on a day.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;

use super::measure::{Kind, Measure, product_key};
use super::{Reason, Unavailable};

/// Goods, and what applies to them on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goods {
    /// The goods, in the words of the regulation, or of who asked where no measure names them.
    pub product: String,
    /// The duty; `None` when no measure is held, on any day.
    pub duty: Option<Arc<Measure>>,
    /// The levy.
    pub levy: Option<Arc<Measure>>,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
}

/// What is known of the goods. `code` is without dots; `product` names them where the code does not say enough.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// The code.
    pub code: Option<&'a str>,
    /// The goods in words.
    pub product: Option<&'a str>,
}

/// How a measure's codes stand to the code that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// It names the code, or one above it.
    Names { part: bool },
    /// It names a code below it.
    Below,
    /// It names other codes.
    Elsewhere,
    /// It names none.
    NoCodes,
}

impl Goods {
    /// The goods that are described, out of the measures that may concern them.
    ///
    /// # Errors
    /// When the description fits none, several, or none on that day.
    pub fn find(asked: Described<'_>, measures: &[Arc<Measure>], on: NaiveDate) -> Result<Goods, Unavailable> {
        let key = asked.product.map(product_key);
        let named = asked.product.unwrap_or_default();
        let fits = |measure: &Measure| key.as_ref().is_none_or(|key| product_key(&measure.product) == *key);
        let Some(code) = asked.code else {
            return Self::of_product(named, measures.iter().filter(|measure| fits(measure)), on, Vec::new());
        };
        let stands = |wanted: fn(Stand) -> bool| {
            measures.iter().filter(move |measure| wanted(stand(measure, code))).collect::<Vec<_>>()
        };
        let below = stands(|stand| stand == Stand::Below);
        let here = stands(|stand| matches!(stand, Stand::Names { .. }));
        if here.is_empty() && below.is_empty() {
            return Self::without_code(code, named, key.as_deref(), measures, on);
        }
        if !below.iter().filter(|measure| fits(measure)).all(|measure| here.contains(measure)) {
            let message = format!("{code} stands for several codes: choose one of those below it");
            return Err(Unavailable {
                codes: codes(&below, |named| named.starts_with(code)),
                ..Unavailable::new(Reason::AmbiguousCode, message)
            });
        }
        // What applied to other goods under the code on other days is not to be chosen from.
        let today: Vec<_> = here.iter().copied().filter(|measure| measure.is_valid_on(on)).collect();
        let choice = if today.is_empty() { &here } else { &today };
        let chosen: Vec<_> = choice.iter().copied().filter(|measure| fits(measure)).collect();
        let different: BTreeSet<_> = chosen.iter().map(|measure| product_key(&measure.product)).collect();
        let whole = chosen.iter().any(|measure| stand(measure, code) == Stand::Names { part: false });
        let ambiguous = |message| Unavailable {
            products: products(choice.iter().copied()),
            ..Unavailable::new(Reason::AmbiguousCode, message)
        };
        // A levy may name the same goods without their code.
        let same = |product: &str| {
            let key = product_key(product);
            let of = |measure: &&Arc<Measure>| {
                product_key(&measure.product) == key
                    && matches!(stand(measure, code), Stand::Names { .. } | Stand::NoCodes)
            };
            measures.iter().filter(of).collect::<Vec<_>>()
        };
        match (&key, different.len()) {
            (Some(_), 0) => {
                Err(ambiguous(format!("under {code} no rule names {named:?}: name the goods as a rule does")))
            }
            (Some(_), _) => {
                let taken = vec![format!("That the goods are {named:?} is taken from the request.")];
                Self::of_product(named, same(named), on, taken)
            }
            (None, 1) if whole => {
                Self::of_product(named, same(chosen.first().map_or("", |measure| &measure.product)), on, Vec::new())
            }
            (None, 1) => Err(ambiguous(format!("only some goods under {code} are meant by a rule: name the goods"))),
            (None, _) => Err(ambiguous(format!("goods under {code} have different rules: name the goods"))),
        }
    }

    /// Goods under a code that no measure names.
    fn without_code(
        code: &str,
        named: &str,
        key: Option<&str>,
        measures: &[Arc<Measure>],
        on: NaiveDate,
    ) -> Result<Goods, Unavailable> {
        let Some(key) = key else {
            let message = format!("no rule that is held names {code}");
            return Err(Unavailable::new(Reason::NotDutiable, message));
        };
        let fits: Vec<_> = measures.iter().filter(|measure| product_key(&measure.product) == key).collect();
        if fits.iter().any(|measure| stand(measure, code) == Stand::Elsewhere) {
            let message = format!("the rules of {named:?} name other codes than {code}");
            return Err(Unavailable {
                codes: codes(&fits, |_| true),
                ..Unavailable::new(Reason::AmbiguousCode, message)
            });
        }
        let taken = vec![format!("The rules of {named:?} name no code: {code} was not compared with them.")];
        Self::of_product(named, fits, on, taken)
    }

    /// Goods whose measures are all of one product, or none.
    fn of_product<'a>(
        named: &str,
        measures: impl IntoIterator<Item = &'a Arc<Measure>>,
        on: NaiveDate,
        mut assumptions: Vec<String>,
    ) -> Result<Goods, Unavailable> {
        let measures: Vec<_> = measures.into_iter().collect();
        let product = measures.first().map_or_else(|| named.to_owned(), |measure| measure.product.clone());
        let of = |kind| measures.iter().copied().filter(move |measure| measure.kind == kind);
        let on_day = |kind| of(kind).find(|measure| measure.is_valid_on(on)).cloned();
        let duty = on_day(Kind::ExportDuty);
        if duty.is_none()
            && let Some(held) = span(of(Kind::ExportDuty))
        {
            let message = format!("no duty rule of {product:?} is held for {on}: rules are held {held}");
            return Err(Unavailable::new(Reason::RuleNotHeld, message));
        }
        for (kind, what) in [(Kind::ExportBan, "forbidden"), (Kind::ExportPermit, "allowed with a permit only")] {
            if let Some(measure) = on_day(kind) {
                let basis = measure.bands.first().map_or("", |band| &band.legal_basis);
                assumptions.push(format!(
                    "Exports of {product:?} are {what} on {on} ({basis}); the duty is computed all the same."
                ));
            }
        }
        Ok(Goods { product, duty, levy: on_day(Kind::ExportLevy), assumptions })
    }
}

fn stand(measure: &Measure, code: &str) -> Stand {
    if measure.codes.is_empty() {
        return Stand::NoCodes;
    }
    let mut names = measure.codes.iter().filter(|named| code.starts_with(&named.code)).peekable();
    if names.peek().is_some() {
        return Stand::Names { part: names.all(|named| named.part) };
    }
    let below = measure.codes.iter().any(|named| named.code.starts_with(code));
    if below { Stand::Below } else { Stand::Elsewhere }
}

fn codes(measures: &[&Arc<Measure>], wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let all = measures.iter().flat_map(|measure| &measure.codes).map(|named| named.code.clone());
    all.filter(|code| wanted(code)).collect::<BTreeSet<_>>().into_iter().collect()
}

fn products<'a>(measures: impl IntoIterator<Item = &'a Arc<Measure>>) -> Vec<String> {
    measures.into_iter().map(|measure| measure.product.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// From when to when there are measures, in words.
fn span<'a>(measures: impl Iterator<Item = &'a Arc<Measure>>) -> Option<String> {
    let spans: Vec<_> = measures.map(|measure| (measure.valid_from, measure.valid_to)).collect();
    let first = spans.iter().map(|(from, _)| from).min()?;
    let last = spans.iter().map(|(_, to)| *to).collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max());
    Some(match last {
        Some(last) => format!("from {first} to {last}"),
        None => format!("from {first} on"),
    })
}
