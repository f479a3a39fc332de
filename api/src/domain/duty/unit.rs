//! Units of mass, converted exactly.
//!
//! A unit that is not known here is refused: a duty on the wrong quantity is worse than none.

use num_rational::BigRational;

use crate::domain::decimal::Decimal;
use crate::domain::ratio;

/// A unit of mass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MassUnit {
    /// A thousandth of a kilogram.
    Gram,
    /// The unit of the metric system.
    Kilogram,
    /// 1,000 kilograms. Tariffs write `MT`, Indonesian documents `ton`.
    Tonne,
    /// 31.1034768 grams, for gold and silver.
    TroyOunce,
}

/// How each unit may be written, in lower case. The first is how it is written here.
const SPELLINGS: [(MassUnit, &[&str]); 4] = [
    (MassUnit::Gram, &["g", "gram", "grams"]),
    (MassUnit::Kilogram, &["kg", "kilogram", "kilograms", "kgs"]),
    (MassUnit::Tonne, &["t", "mt", "tonne", "tonnes", "ton", "metric ton", "metric tons"]),
    (MassUnit::TroyOunce, &["troy oz", "troy ounce", "troy ounces", "oz t", "ozt"]),
];

impl MassUnit {
    /// Reads a unit in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<MassUnit> {
        let text = text.trim().to_lowercase();
        SPELLINGS.iter().find(|(_, spellings)| spellings.contains(&text.as_str())).map(|(unit, _)| *unit)
    }

    /// How it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            MassUnit::Gram => "g",
            MassUnit::Kilogram => "kg",
            MassUnit::Tonne => "t",
            MassUnit::TroyOunce => "troy oz",
        }
    }

    /// How many grams it has.
    fn grams(self) -> Decimal {
        match self {
            MassUnit::Gram => Decimal::ONE,
            MassUnit::Kilogram => Decimal::new(1_000, 0),
            MassUnit::Tonne => Decimal::new(1_000_000, 0),
            MassUnit::TroyOunce => Decimal::new(311_034_768, 7),
        }
    }

    /// `quantity` of this unit in another, as an exact fraction.
    #[must_use]
    pub fn convert(self, quantity: &BigRational, into: MassUnit) -> BigRational {
        quantity * ratio::from_decimal(self.grams()) / ratio::from_decimal(into.grams())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [MassUnit; 4] = [MassUnit::Gram, MassUnit::Kilogram, MassUnit::Tonne, MassUnit::TroyOunce];

    /// What a unit is called on a tariff, an invoice or in a form.
    #[test]
    fn units_are_read_as_people_write_them() {
        for (text, unit) in [
            ("kg", Some(MassUnit::Kilogram)),
            ("KG", Some(MassUnit::Kilogram)),
            (" MT ", Some(MassUnit::Tonne)),
            ("ton", Some(MassUnit::Tonne)),
            ("Troy Ounce", Some(MassUnit::TroyOunce)),
            // An avoirdupois ounce is another thing, and so is a cubic metre.
            ("oz", None),
            ("m3", None),
            ("pcs", None),
            ("", None),
        ] {
            assert_eq!(MassUnit::parse(text), unit, "{text:?}");
        }
        for unit in ALL {
            assert_eq!(MassUnit::parse(unit.symbol()), Some(unit));
        }
    }

    /// The troy ounce is 31.1034768 g by definition, and nothing of it is lost.
    #[test]
    fn a_troy_ounce_is_exact() {
        let kilogram = MassUnit::TroyOunce.convert(&ratio::from_decimal(Decimal::ONE), MassUnit::Kilogram);
        assert_eq!(kilogram, ratio::from_decimal(Decimal::parse("0.0311034768").unwrap()));
        let ounces = MassUnit::Kilogram.convert(&ratio::from_decimal(Decimal::ONE), MassUnit::TroyOunce);
        assert_eq!(ratio::to_significant(&ounces, 12).to_string(), "32.1507465686");
    }

    proptest! {
        #[test]
        fn there_and_back_is_the_same_quantity(mantissa in 1_i128..1_000_000_000_000, scale in 0_u8..9,
                                               from in 0_usize..4, into in 0_usize..4) {
            let quantity = ratio::from_decimal(Decimal::new(mantissa, scale));
            let there = ALL[from].convert(&quantity, ALL[into]);
            prop_assert_eq!(ALL[into].convert(&there, ALL[from]), quantity);
        }
    }
}
