//! Regulations: their titles and dates, from a file, and their numbers, from whatever cites them.
//!
//! The file has `number`, `title`, and perhaps `issued_on`, `in_force_from`, `in_force_to`, `amends` (numbers, with
//! semicolons between them), `url` and `text`. Numbers are kept in their short form; see [`citation`]. A text takes the
//! place of the whole text that is there, in chunks; a line without one leaves it as it is, and its days follow the
//! regulation's.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use entity::regulation::{self, Column};
use entity::regulation_amendment;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter};

use super::input::quoted;
use super::report::Refusals;
use super::table::{Row, read_rows};
use super::{Counts, ImportError, Report, Subject, cells, input, rows};
use crate::domain::duty::citation;
use crate::progress::Progress;

mod chunks;

const WHAT: &str = "regulations";
/// Numbers looked up at a time.
const AT_A_TIME: usize = 500;
/// The longest text of a regulation, in characters. A long one with its annexes has some hundred thousand.
const LONGEST: usize = 2_000_000;

/// What a file of regulations says.
#[derive(Clone, Debug)]
pub struct Regulations {
    regulations: Vec<regulation::Model>,
    amendments: Vec<regulation_amendment::Model>,
    /// The whole text of some, by number.
    texts: HashMap<String, String>,
}

/// Reads a file and checks every line; see [`parse`].
///
/// # Errors
/// When the file cannot be read, or lines are wrong.
pub fn read(path: &Path) -> Result<Regulations, ImportError> {
    parse(&input::read(path)?)
}

/// Reads regulations from a CSV file.
///
/// # Errors
/// [`ImportError::Refused`] with every line that is wrong.
pub fn parse(bytes: &[u8]) -> Result<Regulations, ImportError> {
    let (mut refusals, mut seen) = (Refusals::default(), HashMap::new());
    let mut all = Regulations { regulations: Vec::new(), amendments: Vec::new(), texts: HashMap::new() };
    read_rows(bytes, &["number", "title"], &mut refusals, |line, row| {
        let (regulation, amends) = read_row(row)?;
        if let Some(earlier) = seen.insert(regulation.number.clone(), line) {
            return Err(format!("{} is on line {earlier} already", regulation.number));
        }
        if let Some(text) = cells::long_text(row, "text", LONGEST)? {
            all.texts.insert(regulation.number.clone(), text);
        }
        let of = |amends| regulation_amendment::Model { regulation: regulation.number.clone(), amends };
        all.amendments.extend(amends.into_iter().map(of));
        all.regulations.push(regulation);
        Ok(())
    });
    refusals.unless_any(WHAT, all)
}

fn read_row(row: &Row<'_>) -> Result<(regulation::Model, BTreeSet<String>), String> {
    let known = |cell: &str| {
        citation::number(cell).ok_or_else(|| format!("{} is not the number of a regulation", quoted(cell)))
    };
    let number = known(&row.words("number"))?;
    let amends = row.cell("amends").split(';').map(str::trim).filter(|cell| !cell.is_empty());
    let amends = amends.map(known).collect::<Result<BTreeSet<_>, _>>()?;
    if amends.contains(&number) {
        return Err(format!("{number} cannot amend itself"));
    }
    let regulation = regulation::Model {
        number,
        title: cells::text(row, "title")?,
        issued_on: cells::optional_day(row, "issued_on")?,
        in_force_from: cells::optional_day(row, "in_force_from")?,
        in_force_to: cells::optional_day(row, "in_force_to")?,
        url: cells::url(row, "url")?,
    };
    if let Some(from) = regulation.in_force_from {
        cells::in_order(from, regulation.in_force_to)?;
    }
    Ok((regulation, amends))
}

/// Stores the regulations that are new or other than stored.
///
/// # Errors
/// When the database fails; nothing is to be committed then.
pub async fn import(
    tx: &DatabaseTransaction,
    regulations: &Regulations,
    progress: &Progress,
) -> Result<Report, ImportError> {
    let mut task = progress.start("Importing regulations", regulations.regulations.len() as u64);
    let (mut counts, mut of_chunks) = (Counts::default(), Counts::default());
    for some in regulations.regulations.chunks(AT_A_TIME) {
        let stored = stored(tx, some.iter().map(|one| one.number.as_str())).await?;
        let changed = rows::changed(some.to_vec(), &stored, |one| one.number.clone(), &mut counts);
        rows::put::<regulation::Entity>(tx, changed).await?;
        chunks::bring(tx, some, &regulations.texts, &mut of_chunks).await?;
        task.advance(some.len() as u64);
    }
    ensure(tx, regulations.amendments.iter().map(|one| one.amends.clone())).await?;
    let mut of_amendments = Counts::default();
    let there = regulation_amendment::Entity::all().all(tx).await?;
    let there: HashMap<_, _> = there.into_iter().map(|one| (pair(&one), one)).collect();
    let changed = rows::changed(regulations.amendments.clone(), &there, pair, &mut of_amendments);
    rows::put::<regulation_amendment::Entity>(tx, changed).await?;
    task.finish();
    let subject = if regulations.texts.is_empty() && !of_chunks.is_change() {
        Subject::Listed { noun: "regulation", group: "amendment", groups: of_amendments }
    } else {
        // Amendments with texts count as a change of the regulation that they are of.
        counts.changed += of_amendments.added + of_amendments.changed;
        Subject::Listed { noun: "regulation", group: "chunk", groups: of_chunks }
    };
    Ok(Report::new(subject, counts))
}

/// Stores the texts alone, and the regulations that are not there yet: what is known of the others stays.
///
/// # Errors
/// When the database fails; nothing is to be committed then.
pub async fn import_texts(
    tx: &DatabaseTransaction,
    regulations: &Regulations,
    progress: &Progress,
) -> Result<Report, ImportError> {
    let mut task = progress.start("Importing texts of regulations", regulations.regulations.len() as u64);
    let (mut counts, mut of_chunks) = (Counts::default(), Counts::default());
    for some in regulations.regulations.chunks(AT_A_TIME) {
        let stored = stored(tx, some.iter().map(|one| one.number.as_str())).await?;
        let wanted = some.iter().map(|one| stored.get(&one.number).unwrap_or(one).clone()).collect::<Vec<_>>();
        let new = rows::changed(wanted.clone(), &stored, |one| one.number.clone(), &mut counts);
        rows::put::<regulation::Entity>(tx, new).await?;
        chunks::bring(tx, &wanted, &regulations.texts, &mut of_chunks).await?;
        task.advance(some.len() as u64);
    }
    task.finish();
    Ok(Report::new(Subject::Listed { noun: "regulation", group: "chunk", groups: of_chunks }, counts))
}

fn pair(one: &regulation_amendment::Model) -> (String, String) {
    (one.regulation.clone(), one.amends.clone())
}

/// Stores the numbers that are not there yet, with nothing else known of them.
pub(super) async fn ensure(tx: &DatabaseTransaction, numbers: impl IntoIterator<Item = String>) -> Result<(), DbErr> {
    let numbers: BTreeSet<String> = numbers.into_iter().collect();
    let mut new = numbers.into_iter().map(|number| {
        let title = number.clone();
        let row =
            regulation::Model { number, title, issued_on: None, in_force_from: None, in_force_to: None, url: None };
        row.into_active_model().reset_all()
    });
    loop {
        let some: Vec<_> = new.by_ref().take(AT_A_TIME).collect();
        if some.is_empty() {
            return Ok(());
        }
        let there = OnConflict::column(Column::Number).do_nothing().to_owned();
        regulation::Entity::insert_many(some).on_conflict(there).exec_without_returning(tx).await?;
    }
}

async fn stored<'a>(
    tx: &DatabaseTransaction,
    numbers: impl Iterator<Item = &'a str>,
) -> Result<HashMap<String, regulation::Model>, DbErr> {
    let rows = regulation::Entity::all().filter(Column::Number.is_in(numbers)).all(tx).await?;
    Ok(rows.into_iter().map(|row| (row.number.clone(), row)).collect())
}
