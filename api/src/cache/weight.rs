//! How much memory an answer takes, about.

use std::sync::Arc;

use entity::{
    allocation, commodity, installment, installment_plan, payment, payment_event, payment_line, prompt, receipt,
    refund, regulation, regulation_chunk,
};

use crate::domain::words::{KnownWord, Vocabulary};
use crate::store::aging::Aging;
use crate::store::commodities::Match;
use crate::store::page::Page;
use crate::store::payments::{OverdueTotals, Totals};

/// What an answer takes.
pub trait Weight {
    /// Bytes, about: what stands in the value and what it points to.
    fn weight(&self) -> usize;

    /// Whether the answer is that there is nothing. Such answers are kept for a short time.
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T: Weight> Weight for Option<T> {
    fn weight(&self) -> usize {
        self.as_ref().map_or(size_of::<Self>(), Weight::weight)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Weight> Weight for Arc<T> {
    fn weight(&self) -> usize {
        // Two counters beside the value.
        2 * size_of::<usize>() + T::weight(self)
    }
}

impl<T: Weight> Weight for Vec<T> {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.iter().map(Weight::weight).sum::<usize>()
    }
}

impl<T: Weight> Weight for Page<T> {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.rows.iter().map(Weight::weight).sum::<usize>()
    }
}

/// Values that point to nothing.
macro_rules! flat {
    ($($type:ty),* $(,)?) => {$(
        impl Weight for $type {
            fn weight(&self) -> usize {
                size_of::<Self>()
            }
        }
    )*};
}

flat!(i64, bool, (chrono::NaiveDate, chrono::NaiveDate), Totals, OverdueTotals, Aging);

impl Weight for Match {
    fn weight(&self) -> usize {
        self.commodity.weight() + size_of_val(&self.rank)
    }
}

impl Weight for Vocabulary {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.words().map(|word| size_of::<KnownWord>() + word.len()).sum::<usize>()
    }
}

/// Rows, with those of their texts that vary much in length. Codes of a few letters are taken for a few bytes each.
macro_rules! rows {
    ($($module:ident: $($text:ident),*;)*) => {$(
        impl Weight for $module::Model {
            fn weight(&self) -> usize {
                let texts: [usize; 0 $(+ { let _ = stringify!($text); 1 })*] = [$(self.$text.bytes()),*];
                size_of::<Self>() + SHORT_TEXTS + texts.iter().sum::<usize>()
            }
        }
    )*};
}

/// What a currency code, a time zone and the like take together.
const SHORT_TEXTS: usize = 32;

rows! {
    payment: reference, payer_name, description, time_zone, head_hash;
    installment: ;
    installment_plan: ;
    payment_line: description, quantity, unit;
    receipt: method, external_reference, fx_rate;
    allocation: ;
    refund: reason;
    payment_event: actor, request_id, reason, before, after, prev_hash, hash;
    regulation: number, title, url;
    regulation_chunk: id, regulation, article, text, revision;
    prompt: name, title, template, category;
    commodity: description_en, description_id, nomenclature;
}

/// The bytes of a text that may be missing.
trait Bytes {
    fn bytes(&self) -> usize;
}

impl Bytes for String {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Bytes for Option<String> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, String::len)
    }
}
