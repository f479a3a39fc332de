//! Prompts: questions that the assistant is known to answer well.
//!
//! The file has `name`, `title`, `category` and `template`, and perhaps `active`, which is true where it is left out. A
//! prompt that changes gets the next revision.

use std::collections::HashMap;
use std::path::Path;

use entity::prompt::{self, Column};
use sea_orm::{ColumnTrait, DatabaseTransaction, QueryFilter};

use super::input::quoted;
use super::report::Refusals;
use super::table::{Row, read_rows};
use super::{Counts, ImportError, Report, Subject, cells, input, rows};
use crate::progress::Progress;

const WHAT: &str = "prompts";
/// Prompts looked up at a time.
const AT_A_TIME: usize = 500;
/// The longest template, in characters.
const LONGEST: usize = 4_000;

/// What a file of prompts says; the revisions are those of prompts that are new.
#[derive(Clone, Debug)]
pub struct Prompts(Vec<prompt::Model>);

/// Reads a file and checks every line; see [`parse`].
///
/// # Errors
/// When the file cannot be read, or lines are wrong.
pub fn read(path: &Path) -> Result<Prompts, ImportError> {
    parse(&input::read(path)?)
}

/// Reads prompts from a CSV file.
///
/// # Errors
/// [`ImportError::Refused`] with every line that is wrong.
pub fn parse(bytes: &[u8]) -> Result<Prompts, ImportError> {
    let (mut refusals, mut seen, mut all) = (Refusals::default(), HashMap::new(), Vec::new());
    read_rows(bytes, &["name", "title", "category", "template"], &mut refusals, |line, row| {
        let prompt = read_row(row)?;
        if let Some(earlier) = seen.insert(prompt.name.clone(), line) {
            return Err(format!("{} is on line {earlier} already", quoted(&prompt.name)));
        }
        all.push(prompt);
        Ok(())
    });
    refusals.unless_any(WHAT, Prompts(all))
}

fn read_row(row: &Row<'_>) -> Result<prompt::Model, String> {
    let name = cells::text(row, "name")?;
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !plain || name.len() > 100 {
        return Err(format!("name {} is not made of at most 100 small letters, digits and hyphens", quoted(&name)));
    }
    let active = match row.cell("active") {
        "" => true,
        _ => cells::flag(row, "active")?,
    };
    let template = cells::long_text(row, "template", LONGEST)?.ok_or("its template is empty")?;
    let (title, category) = (cells::text(row, "title")?, cells::optional_text(row, "category")?);
    Ok(prompt::Model { name, title, template, category, revision: 1, active })
}

/// Stores the prompts that are new or other than stored.
///
/// # Errors
/// When the database fails; nothing is to be committed then.
pub async fn import(tx: &DatabaseTransaction, prompts: &Prompts, progress: &Progress) -> Result<Report, ImportError> {
    let mut task = progress.start("Importing prompts", prompts.0.len() as u64);
    let mut counts = Counts::default();
    for some in prompts.0.chunks(AT_A_TIME) {
        let names = some.iter().map(|one| one.name.as_str());
        let stored = prompt::Entity::all().filter(Column::Name.is_in(names)).all(tx).await?;
        let stored: HashMap<_, _> = stored.into_iter().map(|row| (row.name.clone(), row)).collect();
        let mut wanted = some.to_vec();
        for prompt in &mut wanted {
            if let Some(there) = stored.get(&prompt.name) {
                prompt.revision = there.revision;
                if prompt != there {
                    prompt.revision += 1;
                }
            }
        }
        let changed = rows::changed(wanted, &stored, |one| one.name.clone(), &mut counts);
        rows::put::<prompt::Entity>(tx, changed).await?;
        task.advance(some.len() as u64);
    }
    task.finish();
    Ok(Report::new(Subject::One { noun: "prompt" }, counts))
}

#[cfg(test)]
mod tests {
    use sea_orm::{EntityTrait, TransactionTrait};

    use super::*;
    use crate::import::test_support::{empty_database, refusals};

    const FILE: &str = "name,title,category,template\ncocoa-duty,Duty on cocoa,duty,\"How much duty is due on\n{quantity} of cocoa beans?\"\n";

    async fn bring(database: &sea_orm::DatabaseConnection, file: &str) -> String {
        let tx = database.begin().await.unwrap();
        let report = import(&tx, &parse(file.as_bytes()).unwrap(), &Progress::hidden()).await.unwrap();
        tx.commit().await.unwrap();
        report.to_string()
    }

    #[tokio::test]
    async fn a_prompt_that_changes_gets_the_next_revision() {
        let database = empty_database().await;
        assert_eq!(bring(&database, FILE).await, "added 1 prompt, changed 0, left 0 as they were");
        assert_eq!(bring(&database, FILE).await, "nothing to change: 1 prompt was there already");
        let other = "name,title,category,template,active\ncocoa-duty,Duty on cocoa,duty,x,false\n";
        assert_eq!(bring(&database, other).await, "added 0 prompts, changed 1, left 0 as they were");
        #[allow(clippy::disallowed_methods, reason = "a test looks at the table")]
        let row = prompt::Entity::find().one(&database).await.unwrap().unwrap();
        assert_eq!((row.revision, row.active, row.template.as_str()), (2, false, "x"));
    }

    #[test]
    fn every_bad_line_is_named() {
        let file = "name,title,category,template\nCocoa,t,c,x\na,t,c,\na,,c,x\nb,t,c,x\nb,t,c,x\n";
        let expected = [
            "2: name \"Cocoa\" is not made of at most 100 small letters, digits and hyphens",
            "3: its template is empty",
            "4: its title is empty",
            "6: \"b\" is on line 5 already",
        ];
        assert_eq!(refusals(parse(file.as_bytes())), expected);
        assert_eq!(refusals(parse(b"name,title\na,b\n")), ["1: the header lacks category, template"]);
    }
}
