//! Bands: their edges, and what makes no measure.

use proptest::prelude::*;

use super::*;

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// A band as it is written: `(2000, 2750]`, with nothing for no end.
fn band(rule: &str, interval: &str) -> Band {
    let edges = interval[1..interval.len() - 1].split_once(", ").unwrap();
    let edge = |text: &str| (!text.is_empty()).then(|| decimal(text));
    Band {
        rule: rule.to_owned(),
        low: edge(edges.0),
        low_inclusive: interval.starts_with('['),
        high: edge(edges.1),
        high_inclusive: interval.ends_with(']'),
        unit: PriceUnit::parse("USD/MT"),
        rate: Decimal::ONE,
        rate_unit: RateUnit::PercentOfHpe,
        legal_basis: "PMK 38/2024".to_owned(),
        confidence: String::new(),
        source_url: None,
    }
}

fn bands(intervals: &[&str]) -> Vec<Band> {
    ["A", "B", "C", "D"].iter().zip(intervals).map(|(rule, interval)| band(rule, interval)).collect()
}

/// Cocoa and palm oil have (low, high], gold has [low, high): a price on an edge belongs to one band.
#[test]
fn a_price_on_an_edge_belongs_to_one_band() {
    for (intervals, price, expected) in [
        (["(, 2000]", "(2000, 2750]", "(2750, ]"], "2000", Some("A")),
        (["(, 2000]", "(2000, 2750]", "(2750, ]"], "2000.000000000001", Some("B")),
        (["(, 2000]", "(2000, 2750]", "(2750, ]"], "2750", Some("B")),
        (["(, 2000]", "(2000, 2750]", "(2750, ]"], "99999", Some("C")),
        (["(, 2800)", "[2800, 3200)", "[3200, )"], "2799.99", Some("A")),
        (["(, 2800)", "[2800, 3200)", "[3200, )"], "2800", Some("B")),
        (["(, 2800)", "[2800, 3200)", "[3200, )"], "3200", Some("C")),
        (["(780, 830]", "(830, 880]", "(880, 930]"], "780", None),
        (["(780, 830]", "(830, 880]", "(880, 930]"], "930.01", None),
    ] {
        let ordered = order_bands(bands(&intervals)).unwrap();
        let found = ordered.iter().find(|band| band.holds(&ratio::from_decimal(decimal(price))));
        assert_eq!(found.map(|band| band.rule.as_str()), expected, "{price} in {intervals:?}");
    }
}

/// With a gap or an overlap a price would have no rate, or two.
#[test]
fn gaps_and_overlaps_are_refused() {
    let fault = |intervals: &[&str]| order_bands(bands(intervals)).map(drop).map_err(|fault| fault.to_string());
    assert_eq!(fault(&["(2000, ]", "(, 2000]"]), Ok(()), "the order in the file does not matter");
    assert_eq!(fault(&["(, )"]), Ok(()));
    assert_eq!(fault(&["[5, 5]", "(5, 6)"]), Ok(()), "one price can be a band");
    for (intervals, expected) in [
        (&["(, 2000]", "(2000, 2800]", "(2750, ]"][..], "C: its band overlaps that of B"),
        (&["(, 2000]", "[2000, ]"], "B: its band overlaps that of A"),
        (&["(, 2000]", "(, 3000]"], "B: its band overlaps that of A"),
        (&["(, )", "(1, 2]"], "B: its band overlaps that of A"),
        (&["(1, 2]", "(1, 2]"], "B: its band overlaps that of A"),
        (&["(, 2000)", "(2000, ]"], "B: there is a gap between its band and that of A"),
        (&["(, 2000]", "(2100, ]"], "B: there is a gap between its band and that of A"),
        (&["(5, 5]"], "A: no price lies in its band"),
        (&["(6, 5]"], "A: no price lies in its band"),
    ] {
        assert_eq!(fault(intervals).unwrap_err(), expected, "{intervals:?}");
    }
    let mut mixed = bands(&["(, 2000]", "(2000, ]"]);
    mixed[1].unit = PriceUnit::parse("USD/kg");
    assert_eq!(order_bands(mixed).unwrap_err().to_string(), "B: its band is in another unit than that of A");
}

/// What a rate is of, as the files write it, and what nobody can compute with.
#[test]
fn rate_units_are_read() {
    for (text, expected) in [
        ("% of HPE", Some("% of HPE")),
        ("% of reference price", Some("% of reference price")),
        ("% of CPO reference price", Some("% of CPO reference price")),
        ("% of export price", Some("% of export price")),
        ("USD/MT", Some("USD/t")),
        ("USD/troy oz", Some("USD/troy oz")),
        ("% of invoice", None),
        ("% of reference price (USD 71.5877/MT)", None),
        ("USD/barrel", None),
        ("XXX/MT", None),
        ("%", None),
        ("", None),
    ] {
        let read = RateUnit::parse(text).map(|unit| unit.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
        let again = read.as_deref().and_then(RateUnit::parse).map(|unit| unit.to_string());
        assert_eq!(again, read, "what is written is read again");
    }
}

proptest! {
    /// However prices are cut into bands, with whichever ends: each price between the ends lies in exactly one.
    #[test]
    fn every_price_lies_in_exactly_one_band(
        mut edges in prop::collection::btree_set(1_i128..100_000, 1..8),
        inclusive in prop::collection::vec(any::<bool>(), 8),
        price in 0_i128..110_000,
        swap in any::<prop::sample::Index>(),
    ) {
        edges.insert(100_000);
        let edges: Vec<_> = edges.into_iter().collect();
        let mut list = Vec::new();
        for (at, pair) in edges.windows(2).enumerate() {
            let mut one = band(&at.to_string(), "(1, 2]");
            (one.low, one.high) = (Some(Decimal::new(pair[0], 2)), Some(Decimal::new(pair[1], 2)));
            // The edge belongs to the band above it, or else to the one below.
            (one.low_inclusive, one.high_inclusive) = (inclusive[at], !inclusive[at + 1]);
            list.push(one);
        }
        let at = swap.index(list.len());
        list.swap(0, at);
        let ordered = order_bands(list).unwrap();
        let value = ratio::from_decimal(Decimal::new(price, 2));
        let holding = ordered.iter().filter(|band| band.holds(&value)).count();
        let (first, last) = (edges[0], edges[edges.len() - 1]);
        let expected = match price {
            _ if price < first || price > last => 0,
            _ if price == first => usize::from(inclusive[0]),
            _ if price == last => usize::from(!inclusive[edges.len() - 1]),
            _ => 1,
        };
        prop_assert_eq!(holding, expected);
    }
}
