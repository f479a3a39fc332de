//! A CSV file whose columns are found by their names, with the line number of each row.

use super::input::without_bom;
use super::report::Refusals;

/// One row below the header.
pub(super) struct Row<'a> {
    record: &'a csv::StringRecord,
    header: &'a csv::StringRecord,
}

impl Row<'_> {
    /// The cell of a column without the blanks around it; empty where the file has no such column.
    pub(super) fn cell(&self, column: &str) -> &str {
        let at = self.header.iter().position(|name| name == column);
        at.and_then(|at| self.record.get(at)).unwrap_or_default().trim()
    }

    /// The cell of a column of words, each blank or line break in it a single space.
    pub(super) fn words(&self, column: &str) -> String {
        self.cell(column).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Hands each row and its line number to `read`, and refuses the line when `read` fails.
///
/// Refuses the header if it lacks one of the columns or names a column twice, and each row that is not
/// UTF-8 or has another number of cells than the header: the last one, when a file was cut short.
pub(super) fn read_rows(
    bytes: &[u8],
    columns: &[&str],
    refusals: &mut Refusals,
    mut read: impl FnMut(u64, &Row<'_>) -> Result<(), String>,
) {
    let bytes = without_bom(bytes);
    let mut lines = Lines { bytes, line: 1, counted: 0 };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut header: Option<csv::StringRecord> = None;
    let mut rows = 0_u64;
    for record in reader.byte_records() {
        let Ok(record) = record else { break };
        let line = lines.number_at(record.position());
        let Ok(record) = csv::StringRecord::from_byte_record(record) else {
            refusals.add(line, "the line is not UTF-8 text");
            if header.is_none() {
                return;
            }
            continue;
        };
        let Some(header) = &header else {
            if let Err(reason) = check_header(&record, columns) {
                return refusals.add(line, reason);
            }
            header = Some(record);
            continue;
        };
        rows += 1;
        let result = if record.len() == header.len() {
            read(line, &Row { record: &record, header })
        } else {
            let (found, wanted) = (record.len(), header.len());
            Err(format!("there are {found} columns and not {wanted} as in the header; the line may be cut"))
        };
        if let Err(reason) = result {
            refusals.add(line, reason);
        }
    }
    if rows == 0 {
        refusals.add(1, "there is nothing below the header; the file may be cut short");
    }
}

/// Counts lines. The reader's own count is behind after `\r\n` and after blank lines.
struct Lines<'a> {
    bytes: &'a [u8],
    line: u64,
    counted: usize,
}

impl Lines<'_> {
    /// The line on which the record begins that the reader found from `position` on.
    fn number_at(&mut self, position: Option<&csv::Position>) -> u64 {
        let from = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(self.counted);
        let rest = self.bytes.get(from..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = self.bytes.get(self.counted..from + blank).unwrap_or_default();
        self.line += passed.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.counted = from + blank;
        self.line
    }
}

fn check_header(header: &csv::StringRecord, columns: &[&str]) -> Result<(), String> {
    let lacking: Vec<&str> =
        columns.iter().copied().filter(|column| !header.iter().any(|name| name == *column)).collect();
    if !lacking.is_empty() {
        return Err(format!("the header lacks {}", lacking.join(", ")));
    }
    match header.iter().enumerate().find(|(at, name)| header.iter().take(*at).any(|earlier| earlier == *name)) {
        Some((_, name)) => Err(format!("the header has {name:?} twice")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::test_support::refusals;

    fn read(text: &[u8]) -> Result<Vec<(u64, String)>, Vec<String>> {
        let (mut refused, mut rows) = (Refusals::default(), Vec::new());
        read_rows(text, &["code", "name"], &mut refused, |line, row| {
            rows.push((line, format!("{}={}", row.cell("code"), row.words("name"))));
            Ok(())
        });
        refused.unless_any("table", rows).map_err(|error| refusals(Err::<(), _>(error)))
    }

    #[test]
    fn columns_are_found_by_name_and_lines_are_counted_through_breaks_and_blanks() {
        let rows = read(b"\xef\xbb\xbfname,x,code\r\na,,1\n\r\n\n\"b \n  c\",, 2 \r\nd,,3").unwrap();
        assert_eq!(rows, [(2, "1=a".to_owned()), (5, "2=b c".to_owned()), (7, "3=d".to_owned())]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (text, expected) in [
            (&b""[..], "1: there is nothing below the header"),
            (b"code,name\n", "1: there is nothing below the header"),
            (b"<html>\n</html>\n", "1: the header lacks code, name"),
            (b"code\n1\n", "1: the header lacks name"),
            (b"code,name,code\n1,a,2\n", "1: the header has \"code\" twice"),
            (b"code,na\xff\n1,a\n", "1: the line is not UTF-8 text"),
            (b"code,name\n1,a\n2,\xff\n", "3: the line is not UTF-8 text"),
            (b"code,name\n1,a\n2", "3: there are 1 columns and not 2"),
            (b"code,name\n1,\"a\n2,b\n", "2: "),
        ] {
            match read(text) {
                Err(refused) => {
                    assert!(
                        refused.len() == 1 && refused[0].starts_with(expected),
                        "{refused:?} instead of {expected}"
                    );
                }
                Ok(rows) => assert_eq!(rows.len(), 1, "an open quote reaches to the end: {rows:?}"),
            }
        }
    }
}
