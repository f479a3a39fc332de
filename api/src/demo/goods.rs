//! What the exporter sells, in families that go on one invoice together.

/// A good with a usual price and usual quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Good {
    /// Its subheading in the compiled-in commodities.
    pub code: &'static str,
    /// The exporter's words for it.
    pub name: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// The range of its price for a unit, in US cents.
    pub cents: (i64, i64),
    /// Quantities are multiples of this many hundredths of a unit.
    pub step: i64,
    /// The range of a full order, in steps.
    pub steps: (i64, i64),
}

const fn good(
    code: &'static str,
    name: &'static str,
    unit: &'static str,
    cents: (i64, i64),
    step: i64,
    steps: (i64, i64),
) -> Good {
    Good { code, name, unit, cents, step, steps }
}

/// The good that stands in for an empty list, which there is none of.
pub(super) const COFFEE: Good =
    good("090111", "Gayo arabica green coffee, grade 1", "t", (520_000, 760_000), 50, (10, 80));

/// Families of goods, each with its weight.
pub(super) const FAMILIES: &[(u64, &[Good])] = &[
    (
        24,
        &[
            COFFEE,
            good("090111", "Lampung robusta green coffee, EK-1", "t", (340_000, 480_000), 50, (10, 120)),
            good("180100", "Sulawesi cocoa beans, fermented", "t", (480_000, 720_000), 50, (10, 80)),
            good("180400", "Cocoa butter, natural", "t", (900_000, 1_400_000), 25, (8, 60)),
            good("090411", "Lampung black pepper, ASTA", "t", (620_000, 780_000), 25, (8, 60)),
            good("090611", "Kerinci cinnamon sticks", "kg", (380, 620), 2_500, (40, 400)),
            good("090710", "Cloves, hand picked", "kg", (680, 920), 2_500, (20, 240)),
            good("090811", "Banda nutmeg, ABCD", "kg", (720, 980), 2_500, (20, 240)),
            good("330129", "Patchouli oil, light", "kg", (5_200, 7_800), 2_500, (2, 40)),
        ],
    ),
    (
        16,
        &[
            good("030617", "Frozen vannamei shrimp, headless 31/40", "kg", (640, 920), 10_000, (20, 200)),
            good("030343", "Frozen skipjack tuna, whole round", "t", (135_000, 190_000), 50, (20, 200)),
            good("160414", "Canned tuna chunks in brine, 48 x 185 g", "cartons", (3_600, 4_900), 5_000, (10, 60)),
            good("121221", "Dried seaweed, Eucheuma cottonii", "t", (120_000, 185_000), 50, (10, 100)),
        ],
    ),
    (
        12,
        &[
            good("151110", "Crude palm oil", "t", (92_000, 118_000), 2_500, (4, 40)),
            good("151190", "RBD palm olein", "t", (98_000, 124_000), 2_500, (4, 40)),
            good("382600", "Palm biodiesel, B100", "t", (112_000, 142_000), 2_500, (4, 40)),
            good("080111", "Desiccated coconut, fine grade", "kg", (190, 310), 2_500, (80, 800)),
            good("080132", "Cashew kernels, W320", "kg", (680, 890), 2_268, (50, 400)),
        ],
    ),
    (
        14,
        &[
            good("940360", "Teak dining table, 180 cm", "pcs", (24_000, 46_000), 100, (10, 160)),
            good("940153", "Rattan armchair with cushion", "pcs", (5_500, 11_500), 1_000, (4, 60)),
            good("440922", "Merbau decking, 19 x 90 mm", "m3", (145_000, 210_000), 10, (60, 400)),
            good("441231", "Meranti plywood, 18 mm", "m3", (52_000, 74_000), 25, (80, 480)),
            good("440290", "Hardwood charcoal, lump", "t", (42_000, 68_000), 50, (20, 160)),
        ],
    ),
    (
        16,
        &[
            good("610910", "Cotton T-shirts, screen printed", "pcs", (240, 480), 10_000, (10, 240)),
            good("611020", "Cotton cardigans, knitted", "pcs", (720, 1_350), 5_000, (6, 100)),
            good("620342", "Men's cotton chino trousers", "pcs", (780, 1_450), 5_000, (6, 120)),
            good("640319", "Leather football boots", "pairs", (1_600, 2_900), 5_000, (4, 80)),
            good("640411", "Canvas running shoes", "pairs", (980, 1_850), 5_000, (8, 160)),
            good("420292", "Woven travel bags", "pcs", (650, 1_400), 5_000, (4, 60)),
        ],
    ),
    (
        7,
        &[
            good("400122", "Natural rubber, SIR 20", "t", (165_000, 215_000), 100, (20, 200)),
            good("401110", "Passenger car tyres, 195/65 R15", "pcs", (2_900, 4_600), 5_000, (6, 80)),
            good("401512", "Nitrile examination gloves, box of 100", "boxes", (280, 420), 50_000, (4, 60)),
        ],
    ),
    (
        6,
        &[
            good("470329", "Bleached hardwood kraft pulp", "t", (52_000, 68_000), 500, (10, 100)),
            good("480256", "Copier paper, A4, 80 g/m2", "reams", (230, 340), 100_000, (4, 60)),
            good("480300", "Tissue base paper, jumbo reels", "t", (88_000, 112_000), 50, (20, 160)),
            good("481910", "Corrugated cartons, five-ply", "pcs", (42, 95), 100_000, (5, 80)),
        ],
    ),
    (
        5,
        &[
            good("270112", "Bituminous coal, 5,800 kcal/kg GAR", "t", (7_800, 11_200), 10_000, (10, 75)),
            good("740311", "Copper cathodes, grade A", "t", (880_000, 1_080_000), 25, (20, 160)),
            good("800110", "Tin ingots, 99.9 %", "t", (2_900_000, 3_600_000), 10, (20, 200)),
            good("750110", "Nickel matte, 75 % Ni", "t", (1_180_000, 1_460_000), 25, (20, 160)),
        ],
    ),
];

/// Ports from which the goods leave.
pub(super) const PORTS: &[&str] =
    &["Tanjung Priok", "Tanjung Perak", "Belawan", "Tanjung Emas", "Makassar", "Panjang", "Teluk Bayur", "Bitung"];

/// Cities to which goods go by land.
pub(super) const CITIES: &[&str] =
    &["Jakarta", "Surabaya", "Medan", "Bandung", "Semarang", "Makassar", "Denpasar", "Balikpapan"];

#[cfg(test)]
mod tests {
    use super::*;

    /// A line refers to the commodity, so an unknown code would stop every load.
    #[test]
    fn every_code_is_a_listed_subheading() {
        let mut reader = csv::Reader::from_reader(include_str!("../../data/commodities.csv").as_bytes());
        let listed: Vec<_> =
            reader.records().map(Result::unwrap).filter(|row| &row[5] == "6").map(|row| row[1].to_owned()).collect();
        for good in FAMILIES.iter().flat_map(|(_, family)| *family) {
            assert!(listed.iter().any(|code| code == good.code), "{good:?}");
        }
    }

    #[test]
    fn ranges_and_steps_make_sense() {
        let goods: Vec<_> = FAMILIES.iter().flat_map(|(_, family)| *family).collect();
        assert!(goods.len() >= 40, "{}", goods.len());
        for good in goods {
            assert!(0 < good.cents.0 && good.cents.0 < good.cents.1, "{good:?}");
            assert!(good.step > 0 && 0 < good.steps.0 && good.steps.0 < good.steps.1, "{good:?}");
        }
    }
}
