//! The codes of the Harmonized System, from the public file of its 2022 edition or one like it.
//!
//! A code is stored only below its parent, so that the tree is whole at all times. Sections are not codes of
//! such a file: they come from a list of their own, the one compiled in if no other is given. An Indonesian
//! name that is stored is kept when the file has none.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use entity::commodity::{self, Column, Level};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::report::Refusals;
use super::{Counts, ImportError, Report, Subject, input};
use crate::domain::hs_code::{HsCode, HsLevel};
use crate::progress::Progress;
use crate::store::commodity_search;

mod format;

pub use format::parse;

/// The nomenclature that is stored with each code.
pub const NOMENCLATURE: &str = "HS 2022";

const WHAT: &str = "commodity codes";
/// Rows compared and written at a time, of 8 columns each: SQLite takes 32,766 values in a statement.
const ROWS_AT_A_TIME: usize = 500;

/// What a file of commodity codes and a list of sections say.
#[derive(Clone, Debug)]
pub struct Nomenclature {
    codes: Vec<Line>,
    sections: Sections,
}

/// One code and its names.
#[derive(Clone, Debug)]
struct Line {
    number: u64,
    code: HsCode,
    section: HsCode,
    names: Names,
}

#[derive(Clone, Debug)]
struct Names {
    english: String,
    indonesian: Option<String>,
    /// The Indonesian name where neither the file nor the database has one.
    spare_indonesian: Option<String>,
}

/// The names of sections.
#[derive(Clone, Debug)]
struct Sections {
    names: HashMap<HsCode, Names>,
    /// Whether these names replace stored ones. The compiled-in names do not.
    replace: bool,
}

impl Nomenclature {
    /// How many codes there are, sections not counted.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}

/// Reads a file of codes, and a list of sections where one is given, and checks every line; see [`parse`].
pub fn read(codes: &Path, sections: Option<&Path>) -> Result<Nomenclature, ImportError> {
    let sections = sections.map(input::read).transpose()?;
    parse(&input::read(codes)?, sections.as_deref())
}

/// Stores the codes that are new or other than stored, and the sections above them.
///
/// # Errors
///
/// [`ImportError::Refused`] when the parent of a code is neither in the file nor stored, or is in another
/// section; nothing is written then.
pub async fn import(
    tx: &DatabaseTransaction,
    nomenclature: &Nomenclature,
    progress: &Progress,
) -> Result<Report, ImportError> {
    check_parents(tx, &nomenclature.codes).await?;
    let sections = nomenclature.sections_used();
    let mut codes: Vec<&Line> = nomenclature.codes.iter().collect();
    // A parent is stored before its children, or in the same statement.
    codes.sort_unstable_by_key(|line| (line.code.level(), line.code));

    let mut task = progress.start("Importing commodity codes", codes.len() as u64);
    let (mut of_sections, mut of_codes) = (Counts::default(), Counts::default());
    let replace = nomenclature.sections.replace;
    store(tx, sections.iter().map(|(code, names)| (*code, *code, *names)), replace, &mut of_sections).await?;
    for chunk in codes.chunks(ROWS_AT_A_TIME) {
        let chunk_of_names = chunk.iter().map(|line| (line.code, line.section, &line.names));
        store(tx, chunk_of_names, true, &mut of_codes).await?;
        task.advance(chunk.len() as u64);
    }
    // A count that is stored anew is told to every server, as any other change is.
    if [&of_sections, &of_codes].iter().any(|counts| counts.added + counts.changed > 0) {
        commodity_search::count_words(tx).await?;
    }
    task.finish();
    Ok(Report::new(Subject::Commodities { sections: of_sections }, of_codes))
}

/// Fills an empty table: imports `codes`, the text of a file of codes, or does nothing and answers `None`
/// when there is any commodity. An operator's own import is never overwritten by what is compiled in.
pub async fn seed(tx: &DatabaseTransaction, codes: &str, progress: &Progress) -> Result<Option<Report>, ImportError> {
    let any = commodity::Entity::all().select_only().column(Column::Code).limit(1);
    if any.into_tuple::<String>().one(tx).await?.is_some() {
        return Ok(None);
    }
    import(tx, &parse(codes.as_bytes(), None)?, progress).await.map(Some)
}

impl Nomenclature {
    /// The sections above the codes, each once.
    fn sections_used(&self) -> Vec<(HsCode, &Names)> {
        let used: HashSet<HsCode> = self.codes.iter().map(|line| line.section).collect();
        // `parse` has refused the lines of a section that has no name.
        let mut used: Vec<_> = used.iter().filter_map(|code| self.sections.names.get_key_value(code)).collect();
        used.sort_unstable_by_key(|(code, _)| **code);
        used.into_iter().map(|(code, names)| (*code, names)).collect()
    }
}

/// Refuses the codes whose parent is nowhere, or in another section.
async fn check_parents(tx: &DatabaseTransaction, codes: &[Line]) -> Result<(), ImportError> {
    let mut sections: HashMap<HsCode, HsCode> = codes.iter().map(|line| (line.code, line.section)).collect();
    let mut missing: Vec<HsCode> = codes.iter().filter_map(|line| line.code.parent_digits()).collect();
    missing.retain(|parent| !sections.contains_key(parent));
    missing.sort_unstable();
    missing.dedup();
    for chunk in missing.chunks(ROWS_AT_A_TIME) {
        for stored in stored(tx, chunk.iter().copied()).await?.into_values() {
            if let (Ok(code), Ok(section)) = (HsCode::parse(&stored.code), HsCode::parse(&stored.section)) {
                sections.insert(code, section);
            }
        }
    }

    let mut refusals = Refusals::default();
    for line in codes {
        let Some(parent) = line.code.parent_digits() else { continue };
        match sections.get(&parent) {
            None => {
                let reason = format!("{}: its parent {parent} is neither in the file nor stored", line.code);
                refusals.add(line.number, reason);
            }
            Some(section) if *section != line.section => {
                let reason =
                    format!("{} is in section {}, but its parent {parent} in {section}", line.code, line.section);
                refusals.add(line.number, reason);
            }
            Some(_) => {}
        }
    }
    refusals.unless_any(WHAT, ())
}

/// Stores what is new or, if `replace` says so, other than stored: codes with their sections and names.
async fn store<'a>(
    tx: &DatabaseTransaction,
    codes: impl Iterator<Item = (HsCode, HsCode, &'a Names)> + Clone,
    replace: bool,
    counts: &mut Counts,
) -> Result<(), DbErr> {
    let mut stored = stored(tx, codes.clone().map(|(code, ..)| code)).await?;
    let mut rows = Vec::new();
    for (code, section, names) in codes {
        let stored = stored.remove(code.as_str());
        let wanted = wanted(code, section, names, stored.as_ref());
        match stored {
            None => counts.added += 1,
            Some(stored) if replace && stored != wanted => counts.changed += 1,
            Some(_) => {
                counts.unchanged += 1;
                continue;
            }
        }
        rows.push(wanted);
    }
    if !rows.is_empty() {
        // Another import may have stored the same code since it was looked up.
        let there = OnConflict::column(Column::Code)
            .update_columns([
                Column::Level,
                Column::ParentCode,
                Column::Section,
                Column::DescriptionEn,
                Column::DescriptionId,
                Column::Nomenclature,
            ])
            .to_owned();
        let stored = rows.iter().cloned().map(|row| commodity::ActiveModel::from(row).reset_all());
        commodity::Entity::insert_many(stored).on_conflict(there).exec_without_returning(tx).await?;
        commodity_search::index(tx, &rows).await?;
    }
    Ok(())
}

async fn stored(
    tx: &DatabaseTransaction,
    codes: impl Iterator<Item = HsCode>,
) -> Result<HashMap<String, commodity::Model>, DbErr> {
    let codes = codes.map(|code| code.as_str().to_owned());
    let rows = commodity::Entity::all().filter(Column::Code.is_in(codes)).all(tx).await?;
    Ok(rows.into_iter().map(|row| (row.code.clone(), row)).collect())
}

/// The row that should be there, given what is there.
fn wanted(code: HsCode, section: HsCode, names: &Names, stored: Option<&commodity::Model>) -> commodity::Model {
    let parent = match code.level() {
        HsLevel::Section => None,
        HsLevel::Chapter => Some(section),
        HsLevel::Heading | HsLevel::Subheading | HsLevel::National => code.parent_digits(),
    };
    let english = names.english.clone();
    let stored_indonesian = stored.and_then(|stored| stored.description_id.clone());
    let indonesian = names.indonesian.clone().or(stored_indonesian).or_else(|| names.spare_indonesian.clone());
    commodity::Model {
        code: code.to_string(),
        level: level(code),
        parent_code: parent.map(|parent| parent.to_string()),
        section: section.to_string(),
        description_en: english,
        description_id: indonesian,
        nomenclature: NOMENCLATURE.to_owned(),
    }
}

fn level(code: HsCode) -> Level {
    match code.level() {
        HsLevel::Section => Level::Section,
        HsLevel::Chapter => Level::Chapter,
        HsLevel::Heading => Level::Heading,
        HsLevel::Subheading => Level::Subheading,
        HsLevel::National => Level::National,
    }
}

#[cfg(test)]
mod tests;
