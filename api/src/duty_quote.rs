//! A quote of export duty: what [`domain::duty`](crate::domain::duty) computes, from what is stored.
//!
//! All quotes of an operation load their rules, prices and rates together.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::domain::currency::Currency;
use crate::domain::duty::goods::Described;
use crate::domain::duty::quote::{InRupiah, other_products};
use crate::domain::duty::{
    self, Assessment, Failure, Goods, Quantity, Reason, RupiahRounding, Unavailable, product_key,
};
use crate::error::Result;
use crate::loaders::Loads;
use crate::loaders::commodities::CommodityKey;
use crate::loaders::duty::{MeasuresKey, PublishedKey, TaxRateKey};
use crate::loaders::rates::FoundRate;

/// What a quote is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The code of the goods, without dots.
    pub code: Option<String>,
    /// The goods in words.
    pub product: Option<String>,
    /// How much is exported.
    pub quantity: Quantity,
    /// The day of filing.
    pub filing: NaiveDate,
    /// The day of payment; `None` for that of filing.
    pub payment: Option<NaiveDate>,
    /// Whether there is an invoice, which changes nothing but a remark.
    pub has_invoice: bool,
}

/// A quote.
#[derive(Clone, Debug)]
pub struct Quote {
    /// The goods, in the words of the rule.
    pub product: String,
    /// Duty and levy in the currency of the published prices.
    pub assessment: Box<Assessment>,
    /// What is paid.
    pub paid: Box<InRupiah>,
    /// The tax rate.
    pub rate: Arc<FoundRate>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A quote.
    Quote(Quote),
    /// Duty and levy in the currency of the published prices, and no rate at which they are paid.
    WithoutRate(Box<Assessment>, Unavailable),
    /// Neither.
    Failed(Failure),
}

impl Outcome {
    /// The quote, or why there is none.
    ///
    /// # Errors
    /// Why there is none.
    pub fn into_quote(self) -> Result<Quote, Failure> {
        match self {
            Self::Quote(quote) => Ok(quote),
            Self::WithoutRate(_, why) => Err(why.into()),
            Self::Failed(failure) => Err(failure),
        }
    }
}

impl Asked {
    /// Computes it.
    ///
    /// # Errors
    /// When something cannot be loaded.
    pub async fn quote(&self, loads: &Loads, rounding: RupiahRounding) -> Result<Outcome> {
        let goods = match self.goods(loads).await? {
            Ok(goods) => goods,
            Err(why) => return Ok(Outcome::Failed(why.into())),
        };
        let mut products = other_products(&goods);
        products.push(product_key(&goods.product));
        let keys = products.into_iter().map(|product| PublishedKey { product, on: self.filing });
        let published = loads.many(keys.collect::<Vec<_>>()).await?;
        let published: Vec<_> = published.iter().flat_map(|list| list.iter().cloned()).collect();
        let mut assessment = match duty::assess(&goods, self.quantity, self.filing, &published) {
            Ok(assessment) => assessment,
            Err(failure) => return Ok(Outcome::Failed(failure)),
        };
        let paid_on = self.payment.unwrap_or(self.filing);
        if self.payment.is_none() {
            assessment.assumptions.push("The duty is paid on the day of filing.".to_owned());
        }
        if self.has_invoice {
            assessment.assumptions.push("The price on the invoice is not in the formula.".to_owned());
        }
        let currency = assessment.currency;
        let Some(rate) = loads.one(TaxRateKey { currency, on: paid_on }).await? else {
            let message = format!("no tax rate of {currency} in rupiah is held for {paid_on}");
            return Ok(Outcome::WithoutRate(Box::new(assessment), Unavailable::new(Reason::NoRate, message)));
        };
        let decree = (currency != Currency::idr()).then(|| rate.source.code.clone());
        let paid = assessment.in_rupiah(&rate.quotation.rate, decree, paid_on, rounding);
        let assessment = Box::new(assessment);
        Ok(match paid {
            Ok(paid) => Outcome::Quote(Quote { product: goods.product, assessment, paid: Box::new(paid), rate }),
            Err(failure) => Outcome::Failed(failure),
        })
    }

    async fn goods(&self, loads: &Loads) -> Result<Result<Goods, Unavailable>> {
        let key = MeasuresKey { code: self.code.clone(), product: self.product.as_deref().map(product_key) };
        let measures = loads.one(key).await?;
        let described = Described { code: self.code.as_deref(), product: self.product.as_deref() };
        let found = Goods::find(described, &measures, self.filing);
        if let (Err(why), Some(code)) = (&found, &self.code)
            && why.reason == Reason::NotDutiable
            && loads.one(CommodityKey(code.clone())).await?.is_none()
        {
            let message = format!("there is no commodity {code} here, and so no rule of it");
            return Ok(Err(Unavailable::new(Reason::RuleNotHeld, message)));
        }
        Ok(found)
    }
}
