//! The currencies of the demo: those with a reference rate on the anchor day.

use super::buyers;
use super::dice::Dice;
use crate::domain::currency::Currency;

/// A currency in which payments are made out.
#[derive(Debug)]
pub(super) struct DemoCurrency {
    /// ISO 4217 code.
    pub code: &'static str,
    /// Its share of the payments, in thousandths.
    pub share: u64,
    /// What a US dollar cost on the anchor day, in thousandths of a major unit. Roughly: prices start from it.
    pub per_dollar: i64,
    /// Minor units in a major unit.
    pub minor_per_major: i64,
    /// The smallest amount that is paid in practice, in minor units.
    pub settlement_unit: i64,
    /// Who pays in it.
    pub buyers: &'static [&'static str],
}

impl DemoCurrency {
    /// US cents as minor units of this currency, roughly.
    pub(super) fn convert_cents(&self, cents: i64) -> i64 {
        cents.saturating_mul(self.per_dollar).saturating_mul(self.minor_per_major) / 100_000
    }

    /// Whether an amount is worth less than so many US dollars, roughly.
    pub(super) fn below_dollars(&self, amount: i64, dollars: i64) -> bool {
        amount < self.convert_cents(dollars.saturating_mul(100))
    }

    /// The currency. All of the demo's are listed, as a test makes sure.
    pub(super) fn currency(&self) -> Currency {
        Currency::from_code(self.code).unwrap_or_else(Currency::idr)
    }

    /// Whether this is the exporter's own currency.
    pub(super) fn is_domestic(&self) -> bool {
        self.code == IDR.code
    }
}

/// The rupiah, in which more than half of the payments are.
pub(super) const IDR: DemoCurrency = DemoCurrency {
    code: "IDR",
    share: 550,
    per_dollar: 18_148_000,
    minor_per_major: 100,
    // Nobody pays sen.
    settlement_unit: 100,
    buyers: buyers::INDONESIA,
};

/// All of them.
pub(super) const ALL: &[DemoCurrency] = &[
    IDR,
    foreign("USD", 180, 1_000, 100, buyers::UNITED_STATES),
    foreign("EUR", 70, 895, 100, buyers::EURO_AREA),
    foreign("SGD", 50, 1_278, 100, buyers::SINGAPORE),
    foreign("JPY", 40, 157_251, 1, buyers::JAPAN),
    foreign("CNY", 30, 6_653, 100, buyers::CHINA),
    foreign("AUD", 20, 1_424, 100, buyers::AUSTRALIA),
    foreign("MYR", 20, 4_057, 100, buyers::MALAYSIA),
    foreign("GBP", 8, 746, 100, buyers::UNITED_KINGDOM),
    foreign("CHF", 6, 823, 100, buyers::SWITZERLAND),
    foreign("HKD", 7, 7_846, 100, buyers::HONG_KONG),
    foreign("INR", 6, 94_955, 100, buyers::INDIA),
    foreign("KRW", 7, 1_335_267, 1, buyers::SOUTH_KOREA),
    foreign("THB", 6, 33_730, 100, buyers::THAILAND),
];

const fn foreign(
    code: &'static str,
    share: u64,
    per_dollar: i64,
    minor_per_major: i64,
    buyers: &'static [&'static str],
) -> DemoCurrency {
    DemoCurrency { code, share, per_dollar, minor_per_major, settlement_unit: 1, buyers }
}

/// One of them, by its share.
pub(super) fn draw(dice: &mut Dice) -> &'static DemoCurrency {
    let mut shares = [(0, &IDR); ALL.len()];
    for (slot, currency) in shares.iter_mut().zip(ALL) {
        *slot = (currency.share, currency);
    }
    dice.weighted(&shares, &IDR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::calendar::ANCHOR;
    use crate::domain::decimal::Decimal;

    #[test]
    fn shares_are_thousandths() {
        assert_eq!(ALL.iter().map(|currency| currency.share).sum::<u64>(), 1000);
    }

    #[test]
    fn digits_are_those_of_the_list_of_currencies() {
        for demo in ALL {
            let listed = Currency::from_code(demo.code).unwrap();
            assert_eq!(demo.minor_per_major, 10_i64.pow(u32::from(listed.minor_units())), "{}", demo.code);
            let unpaid = u32::from(listed.minor_units() - listed.settlement_digits());
            assert_eq!(demo.settlement_unit, 10_i64.pow(unpaid), "{}", demo.code);
        }
    }

    #[test]
    fn buyers_are_many_and_each_is_named_once() {
        let mut names: Vec<_> = ALL.iter().flat_map(|currency| currency.buyers).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count >= 60, "{count}");
        assert!(ALL.iter().all(|currency| !currency.buyers.is_empty()));
    }

    /// Whatever is shown in another currency is converted with the rates of the anchor day.
    #[test]
    fn every_currency_has_a_compiled_in_rate_on_the_anchor_day() {
        let file = std::io::Cursor::new(crate::import::ecb::SHIPPED);
        let mut rates = zip::ZipArchive::new(file).unwrap();
        let mut reader = csv::Reader::from_reader(rates.by_index(0).unwrap());
        let codes = reader.headers().unwrap().clone();
        // The newest day comes first.
        let newest = reader.records().next().unwrap().unwrap();
        assert_eq!(newest[0], ANCHOR.to_string());
        for currency in ALL.iter().filter(|currency| currency.code != "EUR") {
            let column = codes.iter().position(|code| code == currency.code).unwrap();
            assert!(Decimal::parse(&newest[column]).is_ok(), "{}", currency.code);
        }
    }

    #[test]
    fn dollars_become_other_currencies() {
        assert_eq!(IDR.convert_cents(100), 1_814_800);
        assert!(IDR.below_dollars(1_814_799, 1));
        assert!(!IDR.below_dollars(1_814_800, 1));
    }
}
