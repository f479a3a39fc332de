//! Reads the public file of the Harmonized System: `section,hscode,description,parent,level`, and for
//! Indonesian names `description_id`. Columns are found by their names, and others are ignored.

use std::collections::HashMap;

use super::{Line, Names, Nomenclature, Sections, WHAT};
use crate::domain::hs_code::HsCode;
use crate::import::input::quoted;
use crate::import::report::Refusals;
use crate::import::table::{Row, read_rows};
use crate::import::{ImportError, MAX_BYTES};

const SECTIONS: &str = include_str!("../../../data/sections.csv");
const SECTIONS_WHAT: &str = "sections of commodity codes";

/// What the public file calls its root, and the section of the codes that it puts in none.
const ROOT: &str = "TOTAL";
/// The nomenclature ends with the chapters 98 and 99, left to those who use it, in its last section.
const FREE_CHAPTERS: [&str; 2] = ["98", "99"];
const LAST_SECTION: &str = "XXI";

/// Reads codes from a CSV file, and the names of sections from another (`section,name` and for Indonesian
/// `name_id`); those that it lacks are in the list that is compiled in.
///
/// # Errors
///
/// [`ImportError::Refused`] with every line that is wrong by itself or repeats another. Whether the
/// parents of all codes exist is checked by [`import`](super::import), which knows what is stored.
pub fn parse(codes: &[u8], sections: Option<&[u8]>) -> Result<Nomenclature, ImportError> {
    if codes.len().max(sections.map_or(0, <[u8]>::len)) as u64 > MAX_BYTES {
        return Err(ImportError::TooLarge);
    }
    let mut names = read_sections(SECTIONS.as_bytes())?;
    if let Some(sections) = sections {
        for (section, mut given) in read_sections(sections)? {
            given.spare_indonesian = names.remove(&section).and_then(|names| names.indonesian);
            names.insert(section, given);
        }
    }
    Ok(Nomenclature { codes: read_codes(codes)?, sections: Sections { names, replace: sections.is_some() } })
}

fn read_codes(bytes: &[u8]) -> Result<Vec<Line>, ImportError> {
    let (mut refusals, mut codes, mut seen) = (Refusals::default(), Vec::new(), HashMap::new());
    read_rows(bytes, &["section", "hscode", "description", "parent", "level"], &mut refusals, |number, row| {
        if row.cell("hscode") == ROOT {
            return Ok(());
        }
        let line = read_code(number, row)?;
        match seen.insert(line.code, number) {
            None => codes.push(line),
            Some(earlier) => return Err(format!("{} is on line {earlier} already", line.code)),
        }
        Ok(())
    });
    refusals.unless_any(WHAT, codes)
}

fn read_code(number: u64, row: &Row<'_>) -> Result<Line, String> {
    let written = row.cell("hscode");
    let code = HsCode::parse(written).map_err(|fault| format!("hscode {}: {fault}", quoted(written)))?;
    if code.is_section() {
        return Err(format!("hscode {code}: a section is not a code; put it into the file of sections"));
    }
    let digits = code.as_str().len();
    let level = row.cell("level");
    if level != digits.to_string() {
        return Err(format!("{code}: its level is its number of digits, {digits}, not {}", quoted(level)));
    }
    let section = read_section_of(code, row.cell("section"))?;
    check_parent(code, section, row.cell("parent"))?;
    let names = read_names(row, "description", "description_id").map_err(|fault| format!("{code}: {fault}"))?;
    Ok(Line { number, code, section, names })
}

fn read_section_of(code: HsCode, written: &str) -> Result<HsCode, String> {
    let is_free = code.as_str().get(..2).is_some_and(|chapter| FREE_CHAPTERS.contains(&chapter));
    let name = if written == ROOT && is_free { LAST_SECTION } else { written };
    let section = HsCode::parse(name).ok().filter(HsCode::is_section);
    section.ok_or_else(|| format!("{code}: its section must be from I to XXI, not {}", quoted(written)))
}

/// A chapter may name its section, the root, or nothing; any other code must name the code it begins with.
fn check_parent(code: HsCode, section: HsCode, written: &str) -> Result<(), String> {
    match code.parent_digits() {
        None if ["", ROOT, section.as_str()].contains(&written) => Ok(()),
        None => Err(format!("{code}: the parent of a chapter is its section or {ROOT}, not {}", quoted(written))),
        Some(parent) if HsCode::parse(written) == Ok(parent) => Ok(()),
        Some(parent) => Err(format!("{code}: its parent is {parent}, not {}", quoted(written))),
    }
}

fn read_sections(bytes: &[u8]) -> Result<HashMap<HsCode, Names>, ImportError> {
    let (mut refusals, mut sections) = (Refusals::default(), HashMap::new());
    read_rows(bytes, &["section", "name"], &mut refusals, |_, row| {
        let written = row.cell("section");
        let section = HsCode::parse(written).ok().filter(HsCode::is_section);
        let section = section.ok_or_else(|| format!("a section must be from I to XXI, not {}", quoted(written)))?;
        let names = read_names(row, "name", "name_id").map_err(|fault| format!("{section}: {fault}"))?;
        match sections.insert(section, names) {
            None => Ok(()),
            Some(_) => Err(format!("{section} is there already")),
        }
    });
    refusals.unless_any(SECTIONS_WHAT, sections)
}

fn read_names(row: &Row<'_>, english: &str, indonesian: &str) -> Result<Names, String> {
    let indonesian = Some(row.words(indonesian)).filter(|name| !name.is_empty());
    match row.words(english) {
        name if name.is_empty() => Err(format!("its {english} is empty")),
        name => Ok(Names { english: name, indonesian, spare_indonesian: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `import` relies on every section having a name.
    #[test]
    fn the_compiled_in_list_has_all_sections_in_both_languages() {
        let sections = read_sections(SECTIONS.as_bytes()).unwrap();
        assert_eq!(sections.len(), 21);
        assert!(sections.values().all(|names| names.indonesian.is_some()));
    }
}
