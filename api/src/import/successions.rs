//! Which codes took the place of which when the nomenclature changed: `predecessor,successor`, one pair a line. A code
//! that was split or merged has several lines. Both codes must be there already.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use entity::{commodity, commodity_succession};
use sea_orm::{ColumnTrait, DatabaseTransaction, QueryFilter, QuerySelect};

use super::input::quoted;
use super::report::Refusals;
use super::table::{Row, read_rows};
use super::{Counts, ImportError, MAX_BYTES, Report, Subject, input, rows};
use crate::domain::hs_code::HsCode;
use crate::progress::Progress;

const WHAT: &str = "successions of codes";
/// Codes looked up at a time.
const AT_A_TIME: usize = 500;

/// What a file of successions says.
#[derive(Clone, Debug)]
pub struct Successions {
    /// Each pair with its line.
    pairs: Vec<(u64, commodity_succession::Model)>,
}

/// Reads a file of successions and checks every line; see [`parse`].
///
/// # Errors
/// When the file cannot be read, or lines are wrong.
pub fn read(path: &Path) -> Result<Successions, ImportError> {
    parse(&input::read(path)?)
}

/// Reads successions from a CSV file.
///
/// # Errors
/// [`ImportError::Refused`] with every line that is wrong by itself or repeats another.
pub fn parse(bytes: &[u8]) -> Result<Successions, ImportError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ImportError::TooLarge);
    }
    let (mut refusals, mut pairs, mut seen) = (Refusals::default(), Vec::new(), HashMap::new());
    read_rows(bytes, &["predecessor", "successor"], &mut refusals, |line, row| {
        let (predecessor, successor) = (read_code(row, "predecessor")?, read_code(row, "successor")?);
        if predecessor == successor {
            return Err(format!("{predecessor} cannot take its own place"));
        }
        if let Some(earlier) = seen.insert((predecessor.clone(), successor.clone()), line) {
            return Err(format!("{predecessor} and {successor} are on line {earlier} already"));
        }
        pairs.push((line, commodity_succession::Model { predecessor, successor }));
        Ok(())
    });
    refusals.unless_any(WHAT, Successions { pairs })
}

fn read_code(row: &Row<'_>, column: &str) -> Result<String, String> {
    let cell = row.cell(column);
    let code = HsCode::parse(cell).map_err(|fault| format!("{column} {}: {fault}", quoted(cell)))?;
    Ok(code.to_string())
}

/// Stores the pairs that are new.
///
/// # Errors
/// [`ImportError::Refused`] when a code is not stored; nothing is written then.
pub async fn import(
    tx: &DatabaseTransaction,
    successions: &Successions,
    progress: &Progress,
) -> Result<Report, ImportError> {
    let mut task = progress.start("Importing successions of codes", successions.pairs.len() as u64);
    let codes = successions.pairs.iter().flat_map(|(_, pair)| [&pair.predecessor, &pair.successor]);
    let codes: BTreeSet<&str> = codes.map(String::as_str).collect();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for some in codes.into_iter().collect::<Vec<_>>().chunks(AT_A_TIME) {
        let query = commodity::Entity::all().select_only().column(commodity::Column::Code);
        let of_codes = commodity::Column::Code.is_in(some.iter().copied());
        let found: Vec<String> = query.filter(of_codes).into_tuple().all(tx).await?;
        known.extend(found);
    }
    let mut refusals = Refusals::default();
    for (line, pair) in &successions.pairs {
        for code in [&pair.predecessor, &pair.successor].into_iter().filter(|code| !known.contains(*code)) {
            refusals.add(*line, format!("there is no commodity {code}; import its code first"));
        }
    }
    refusals.unless_any(WHAT, ())?;
    let there = commodity_succession::Entity::all().all(tx).await?;
    let there: HashMap<_, _> = there.into_iter().map(|pair| (key(&pair), pair)).collect();
    let mut counts = Counts::default();
    let wanted = successions.pairs.iter().map(|(_, pair)| pair.clone()).collect();
    let changed = rows::changed(wanted, &there, key, &mut counts);
    rows::put::<commodity_succession::Entity>(tx, changed).await?;
    task.advance(successions.pairs.len() as u64);
    task.finish();
    let groups = Counts::default();
    Ok(Report::new(Subject::Listed { noun: "succession", group: "code", groups }, counts))
}

fn key(pair: &commodity_succession::Model) -> (String, String) {
    (pair.predecessor.clone(), pair.successor.clone())
}
