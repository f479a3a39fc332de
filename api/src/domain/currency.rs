//! The currencies the server knows: ISO 4217, with the digits that are really settled.
//!
//! The list is data, compiled in from `api/data/currencies.csv` and parsed once. A [`Currency`] can
//! only come out of that list, so holding one is proof that the code is known. This module must
//! never guess a currency from a symbol or accept a code in lower case.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

const SOURCE: &str = include_str!("../../data/currencies.csv");
const HEADER: [&str; 7] = ["code", "numeric", "minor_units", "settlement_digits", "name_en", "name_id", "withdrawn"];
/// ISO 4217 has nothing finer than the ten-thousandths of CLF and UYW.
const MAX_MINOR_UNITS: u8 = 4;

static REGISTRY: LazyLock<Vec<CurrencyInfo>> = LazyLock::new(|| {
    // The text is part of the binary, and `the_compiled_in_list_is_valid` reads the same bytes.
    read(SOURCE).expect("a test reads the currency list that is compiled in")
});

/// A currency of the compiled-in list. Equality, order and hash are those of the code.
#[derive(Clone, Copy)]
pub struct Currency(&'static CurrencyInfo);

/// One row of the list.
struct CurrencyInfo {
    code: String,
    numeric: String,
    minor_units: u8,
    settlement_digits: u8,
    name_en: String,
    name_id: String,
    withdrawn: Option<String>,
}

impl Currency {
    /// The currency with this ISO 4217 code: exactly three upper-case ASCII letters.
    ///
    /// `None` for any other spelling and for a code that is not in the list.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Currency> {
        let registry: &'static [CurrencyInfo] = &REGISTRY;
        let at = registry.binary_search_by(|info| info.code.as_str().cmp(code)).ok()?;
        registry.get(at).map(Currency)
    }

    /// Every currency of the list, withdrawn ones included, sorted by code.
    pub fn all() -> impl Iterator<Item = Currency> {
        REGISTRY.iter().map(Currency)
    }

    /// The euro.
    #[must_use]
    pub fn eur() -> Currency {
        Self::listed("EUR")
    }

    /// The US dollar.
    #[must_use]
    pub fn usd() -> Currency {
        Self::listed("USD")
    }

    /// The Indonesian rupiah.
    #[must_use]
    pub fn idr() -> Currency {
        Self::listed("IDR")
    }

    /// The three-letter ISO 4217 code, such as `IDR`.
    #[must_use]
    pub fn code(self) -> &'static str {
        &self.0.code
    }

    /// The ISO 4217 number as its three digits, such as `036` for AUD.
    #[must_use]
    pub fn numeric(self) -> &'static str {
        &self.0.numeric
    }

    /// Digits after the point of an amount in this currency, by ISO 4217: 2 for IDR, 0 for JPY.
    #[must_use]
    pub fn minor_units(self) -> u8 {
        self.0.minor_units
    }

    /// Digits after the point that are paid in practice: 0 for IDR. Never more than
    /// [`minor_units`](Self::minor_units).
    #[must_use]
    pub fn settlement_digits(self) -> u8 {
        self.0.settlement_digits
    }

    /// The name in Indonesian for `id` and its regions (`id-ID`), otherwise in English.
    #[must_use]
    pub fn name(self, locale: &str) -> &'static str {
        if is_indonesian(locale) { &self.0.name_id } else { &self.0.name_en }
    }

    /// The month ISO 4217 withdrew the currency, as `YYYY-MM`; `None` while it is in use. It is not
    /// the day of its last rate.
    #[must_use]
    pub fn withdrawn(self) -> Option<&'static str> {
        self.0.withdrawn.as_deref()
    }

    /// The sign written before an amount, for the locales of [`name`](Self::name): `Rp`, `€`; the
    /// code when there is no customary sign. Where `$` or `¥` could be misread, it has a prefix.
    #[must_use]
    pub fn symbol(self, locale: &str) -> &'static str {
        let indonesian = is_indonesian(locale);
        match self.code() {
            "AUD" => "A$",
            "CNY" => "CN¥",
            "EUR" => "€",
            "GBP" => "£",
            "IDR" => "Rp",
            "JPY" if indonesian => "JP¥",
            "JPY" => "¥",
            "MYR" => "RM",
            "SGD" => "S$",
            "USD" if indonesian => "US$",
            "USD" => "$",
            code => code,
        }
    }

    fn listed(code: &str) -> Currency {
        Self::from_code(code).expect("a test checks that the currencies with a name of their own are listed")
    }
}

/// Whether the language of a BCP 47 tag is Indonesian. Every other language reads as English.
pub(super) fn is_indonesian(locale: &str) -> bool {
    let language = locale.split(['-', '_']).next().unwrap_or(locale);
    language.eq_ignore_ascii_case("id")
}

impl PartialEq for Currency {
    fn eq(&self, other: &Currency) -> bool {
        self.code() == other.code()
    }
}

impl Eq for Currency {}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Currency) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Currency) -> Ordering {
        self.code().cmp(other.code())
    }
}

impl Hash for Currency {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.code().hash(state);
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// Reads the list, sorted by code, or says which line is wrong.
fn read(source: &str) -> Result<Vec<CurrencyInfo>, String> {
    let mut reader = csv::Reader::from_reader(source.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?;
    if header != HEADER.as_slice() {
        return Err(format!("the header must be {}", HEADER.join(",")));
    }
    let mut list = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        list.push(read_row(&record).ok_or_else(|| format!("line {line} is not a currency"))?);
    }
    list.sort_by(|a, b| a.code.cmp(&b.code));
    match list.windows(2).find(|pair| pair[0].code == pair[1].code) {
        Some(pair) => Err(format!("{} is listed twice", pair[0].code)),
        None => Ok(list),
    }
}

fn read_row(record: &csv::StringRecord) -> Option<CurrencyInfo> {
    let field = |at: usize| record.get(at).unwrap_or_default().to_owned();
    let info = CurrencyInfo {
        code: field(0),
        numeric: field(1),
        minor_units: field(2).parse().ok()?,
        settlement_digits: field(3).parse().ok()?,
        name_en: field(4),
        name_id: field(5),
        withdrawn: Some(field(6)).filter(|date| !date.is_empty()),
    };
    let valid = info.code.len() == 3
        && info.code.bytes().all(|byte| byte.is_ascii_uppercase())
        && info.numeric.len() == 3
        && info.numeric.bytes().all(|byte| byte.is_ascii_digit())
        && info.minor_units <= MAX_MINOR_UNITS
        && info.settlement_digits <= info.minor_units
        && !info.name_en.is_empty()
        && !info.name_id.is_empty();
    valid.then_some(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Result<Vec<CurrencyInfo>, String> {
        read(&format!("{}\n{text}\n", HEADER.join(",")))
    }

    /// `REGISTRY` relies on this instead of handling an error that cannot happen at run time.
    #[test]
    fn the_compiled_in_list_is_valid() {
        let list = read(SOURCE).map(|list| list.len());
        assert!(list.as_ref().is_ok_and(|&length| length > 10), "{list:?}");
        let named = [Currency::eur(), Currency::usd(), Currency::idr()];
        assert_eq!(format!("{named:?}"), "[EUR, USD, IDR]");
    }

    #[test]
    fn all_is_sorted_and_every_code_finds_itself() {
        let all: Vec<_> = Currency::all().collect();
        assert!(all.is_sorted_by(|a, b| a < b));
        for currency in all {
            assert_eq!(Currency::from_code(currency.code()), Some(currency));
        }
    }

    #[test]
    fn only_the_exact_code_is_known() {
        for code in ["", "us", "usd", "Usd", "USD ", " USD", "USDX", "ZZZ", "U$D", "\u{ff35}SD"] {
            assert_eq!(Currency::from_code(code), None, "{code:?}");
        }
    }

    /// Rupiah has cents by ISO 4217 that nobody pays; yen has none at all.
    #[test]
    fn digits_follow_iso_and_practice() {
        for (code, numeric, minor_units, settlement_digits) in
            [("IDR", "360", 2, 0), ("JPY", "392", 0, 0), ("USD", "840", 2, 2), ("AUD", "036", 2, 2)]
        {
            let currency = Currency::from_code(code).unwrap();
            assert_eq!(currency.numeric(), numeric, "{code}");
            assert_eq!(currency.minor_units(), minor_units, "{code}");
            assert_eq!(currency.settlement_digits(), settlement_digits, "{code}");
            assert_eq!(currency.withdrawn(), None, "{code}");
        }
    }

    /// Old rates and contracts still name them.
    #[test]
    fn withdrawn_currencies_are_known_with_their_month() {
        let kroon = Currency::from_code("EEK").unwrap();
        assert_eq!(kroon.withdrawn(), Some("2011-01"));
        for month in Currency::all().filter_map(Currency::withdrawn) {
            let (year, month) = month.split_once('-').unwrap();
            assert!(year.len() == 4 && year.parse::<u16>().is_ok(), "{year}-{month}");
            assert!((1..=12).contains(&month.parse::<u8>().unwrap()), "{year}-{month}");
        }
    }

    #[test]
    fn names_and_symbols_follow_the_locale() {
        for locale in ["id", "id-ID", "ID", "id_ID"] {
            assert_eq!(Currency::usd().symbol(locale), "US$", "{locale}");
            assert_ne!(Currency::usd().name(locale), Currency::usd().name("en"), "{locale}");
        }
        for locale in ["en", "en-US", "fr", "", "-id", "idx", "ido-ID"] {
            assert_eq!(Currency::usd().symbol(locale), "$", "{locale}");
        }
        let chf = Currency::from_code("CHF").unwrap();
        assert_eq!(chf.symbol("id"), "CHF");
    }

    #[test]
    fn a_bad_list_is_refused_with_its_line() {
        let bad = "line 2 is not a currency";
        for text in [
            "usd,840,2,2,US Dollar,Dolar AS,",
            "USD,84,2,2,US Dollar,Dolar AS,",
            "USD,840,,2,US Dollar,Dolar AS,",
            "USD,840,5,2,US Dollar,Dolar AS,",
            "USD,840,2,3,US Dollar,Dolar AS,",
            "USD,840,2,2,,Dolar AS,",
        ] {
            assert_eq!(row(text).err().as_deref(), Some(bad), "{text}");
        }
        let usd = "USD,840,2,2,US Dollar,Dolar AS,";
        assert!(row(usd).is_ok());
        assert_eq!(row(&format!("{usd}\n{usd}")).err().as_deref(), Some("USD is listed twice"));
        assert!(read("code,numeric\n").is_err());
    }
}
