//! Even splits.

use entity::installment_plan::Remainder;

/// Splits `amount` evenly into `count` parts; the remainder goes where `remainder` says.
///
/// Each part is `floor(amount / count / unit) * unit`. What is left over, and so also what of the
/// amount is no whole unit, goes to the last or to the first part. `SPREAD` puts one unit each on
/// the parts from the first, and what is below one unit on the last.
///
/// The parts add up to `amount`. They are multiples of `unit`, but for the one that bears the
/// remainder, and zero where there is not enough. A `count` of zero is taken as one, and a `unit`
/// below one as one.
///
/// | amount | count | unit | remainder | parts |
/// | --- | --- | --- | --- | --- |
/// | 100 | 3 | 10 | LAST | 30, 30, 40 |
/// | 100 | 3 | 10 | FIRST | 40, 30, 30 |
/// | 999 | 7 | 100 | SPREAD | 200, 200, 100, 100, 100, 100, 199 |
#[must_use]
pub fn split(amount: i64, count: usize, unit: i64, remainder: Remainder) -> Vec<i64> {
    let (count, unit) = (count.max(1), unit.max(1));
    let parts = i64::try_from(count).unwrap_or(i64::MAX);
    // All products are at most the amount.
    let each = amount / parts / unit * unit;
    let mut amounts = vec![each; count];
    let mut rest = amount - each * parts;
    match remainder {
        Remainder::Last => {}
        Remainder::First => {
            if let Some(first) = amounts.first_mut() {
                *first += std::mem::take(&mut rest);
            }
        }
        Remainder::Spread => {
            for part in &mut amounts {
                if rest < unit {
                    break;
                }
                *part += unit;
                rest -= unit;
            }
        }
    }
    if let Some(last) = amounts.last_mut() {
        *last += rest;
    }
    amounts
}
