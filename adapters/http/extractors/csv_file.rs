//! Reads a CSV file as spreadsheet programs save it. Excel separates cells by a semicolon or a tab where the comma is
//! the decimal sign, may name the separator in a first line `sep=;`, and writes UTF-8, UTF-16 or Windows-1252.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The separators of cells that are tried, the standard one first (RFC 4180).
const SEPARATORS: [u8; 3] = *b",;\t";

/// The text of a CSV file.
pub(crate) struct CsvFile<'a> {
    text: Cow<'a, str>,
    /// The separator that the file names.
    named: Option<u8>,
    /// The number of lines before the heading.
    skipped: u64,
}

/// The rows under the heading, with the line of each.
pub(crate) struct CsvRows<'a> {
    columns: Vec<usize>,
    /// The number of cells in the heading.
    width: usize,
    /// Where the last row begins, if it opens a quotation mark that nothing closes: the file was cut off.
    unclosed: Option<usize>,
    records: csv::StringRecordsIntoIter<&'a [u8]>,
    skipped: u64,
    line: u64,
}

/// A row: its line in the file, and its cells in the wanted columns. The cells are `None` if the row can't be read.
pub(crate) type CsvRow = (u64, Option<Vec<String>>);

impl<'a> CsvFile<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let text = decoded(bytes);
        // Old spreadsheet programs end a line with a carriage return alone. The parser counts lines by line feeds.
        let text = match text.contains('\r') {
            true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
            false => text,
        };
        let first = text.lines().next().unwrap_or_default();
        let Some(named) = named_separator(first) else { return Self { text, named: None, skipped: 0 } };
        let rest = text.get(first.len()..).unwrap_or_default();
        let rest = rest.strip_prefix('\n').unwrap_or(rest).to_owned();
        Self { text: Cow::Owned(rest), named: Some(named), skipped: 1 }
    }

    /// The rows below a heading that names each of these columns once, in any order and among others. Returns `None`
    /// if the heading does not.
    pub(crate) fn rows(&'a self, names: &[&str]) -> Option<CsvRows<'a>> {
        let tried = self.named.map_or_else(|| SEPARATORS.to_vec(), |named| vec![named]);
        tried.into_iter().find_map(|separator| self.rows_between(separator, names))
    }

    fn rows_between(&'a self, separator: u8, names: &[&str]) -> Option<CsvRows<'a>> {
        let mut builder = csv::ReaderBuilder::new();
        builder.trim(csv::Trim::All).flexible(true).delimiter(separator);
        let mut reader = builder.from_reader(self.text.as_bytes());
        let heading = reader.headers().ok()?;
        let column = |name: &&str| {
            // If a heading occurs twice, it is not clear which column is meant.
            let mut places = (0..).zip(heading).filter(|(_, said)| said.eq_ignore_ascii_case(name));
            places.next().filter(|_| places.next().is_none()).map(|(place, _)| place)
        };
        let columns = names.iter().map(column).collect::<Option<Vec<usize>>>()?;
        let width = heading.len();
        let unclosed = unclosed_row(&self.text, separator);
        // The heading is the first line of the text.
        Some(CsvRows {
            width,
            unclosed,
            columns,
            records: reader.into_records(),
            skipped: self.skipped,
            line: 1,
        })
    }
}

impl Iterator for CsvRows<'_> {
    type Item = CsvRow;

    fn next(&mut self) -> Option<CsvRow> {
        loop {
            let record = self.records.next()?;
            self.line += 1;
            let Ok(record) = record else { return Some((self.line + self.skipped, None)) };
            // A quoted cell may hold line ends.
            let line = record.position().map_or(self.line, csv::Position::line) + self.skipped;
            // Spreadsheet programs save empty rows below the table.
            if record.iter().all(str::is_empty) {
                continue;
            }
            // A cell too many shifts the others.
            let too_many = record.iter().skip(self.width).any(|cell| !cell.is_empty());
            let begins = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or_default();
            if too_many || self.unclosed.is_some_and(|unclosed| begins >= unclosed) {
                return Some((line, None));
            }
            let cell = |column: &usize| plain_cell(record.get(*column).unwrap_or_default());
            return Some((line, Some(self.columns.iter().map(cell).collect())));
        }
    }
}

/// Where the row begins that opens a quotation mark which nothing closes. Returns `None` if there is none.
fn unclosed_row(text: &str, separator: u8) -> Option<usize> {
    let (mut row, mut in_quotes, mut begins_cell) = (0, false, true);
    for (at, byte) in text.bytes().enumerate() {
        let turns = byte == b'"' && (in_quotes || begins_cell);
        in_quotes ^= turns;
        if byte == b'\n' && !in_quotes {
            row = at + 1;
        }
        // Two quotation marks within a quoted cell are one.
        let begins = turns || byte == separator || byte == b'\n';
        begins_cell = !in_quotes && begins;
    }
    in_quotes.then_some(row)
}

/// The text of a file. A byte order mark tells the encoding. Without one, the bytes tell it: every second byte of
/// ASCII in UTF-16 is zero, and text in Windows-1252 is hardly ever valid UTF-8.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let encoding = match (Encoding::for_bom(bytes), bytes) {
        (Some((encoding, _)), _) => encoding,
        (None, [0, ..]) => UTF_16BE,
        (None, [_, 0, ..]) => UTF_16LE,
        (None, _) if std::str::from_utf8(bytes).is_ok() => UTF_8,
        (None, _) => WINDOWS_1252,
    };
    encoding.decode(bytes).0
}

/// The separator in a line such as `sep=;`.
fn named_separator(line: &str) -> Option<u8> {
    let line = line.trim_matches(' ').trim_matches('"');
    let (name, separator) = line.split_at_checked(4)?;
    match separator.as_bytes() {
        [separator] if name.eq_ignore_ascii_case("sep=") => Some(*separator),
        _ => None,
    }
}

/// A cell without the formula by which people keep spreadsheet programs from reading a number: `="0012"`.
fn plain_cell(cell: &str) -> String {
    let inner = cell.strip_prefix("=\"").and_then(|cell| cell.strip_suffix('"'));
    inner.unwrap_or(cell).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(bytes: &[u8]) -> Option<Vec<(u64, Vec<String>)>> {
        let file = CsvFile::of(bytes);
        let rows = file.rows(&["terminal", "site"])?;
        Some(rows.map(|(line, cells)| (line, cells.unwrap_or_default())).collect())
    }

    fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_row_with_an_open_quotation_mark_or_a_cell_too_many_is_broken() {
        let broken = |text: &str| {
            let file = CsvFile::of(text.as_bytes());
            let rows = file.rows(&["terminal", "site"]).unwrap();
            rows.filter(|(_, cells)| cells.is_none()).map(|(line, _)| line).collect::<Vec<_>>()
        };
        for text in [
            "terminal;site\n1;\"Rue \"\"du\"\" Pont\"\n2;Rue 5\" tuyau\n",
            "terminal;site\n1;\"Rue\nNeuve\"\n2;Gare;\n",
        ] {
            assert_eq!(broken(text), Vec::<u64>::new(), "{text}");
        }
        assert_eq!(broken("terminal;site\n1;Gare\n2;\"Rue\n3;Pont\n"), [3]);
        assert_eq!(broken("terminal;site\n1;Gare\n2;\"Rue"), [3]);
        assert_eq!(broken("terminal;site\n1;Gare;zz\n2;Pont\n"), [2]);
    }

    #[test]
    fn a_file_is_read_in_whatever_form_a_spreadsheet_program_saves_it() {
        let plain = "terminal,site\n1850,Café\n";
        let windows =
            "terminal;site\r\n1850;Caf\u{e9}\r\n".chars().map(|c| u8::try_from(u32::from(c)).unwrap());
        let marked = format!("\u{feff}{}", plain.replace(',', "\t"));
        let files: [Vec<u8>; 13] = [
            plain.into(),
            plain.replace(',', ";").into(),
            plain.replace(',', "\t").into(),
            plain.replace('\n', "\r\n").into(),
            plain.replace('\n', "\r").into(),
            format!("\u{feff}{}", plain.replace(',', ";").replace('\n', "\r\n")).into(),
            utf_16(&marked, u16::to_le_bytes),
            utf_16(&marked, u16::to_be_bytes),
            utf_16(plain, u16::to_le_bytes),
            utf_16(plain, u16::to_be_bytes),
            windows.collect(),
            "Terminal ; note;SITE\n\"1850\";\"a;b\";\"Café\"\n".into(),
            "terminal,site\n=\"1850\",Café\n,\n\n,,,\n".into(),
        ];
        for file in files {
            let read = rows(&file);
            assert_eq!(read, Some(vec![(2, vec!["1850".to_owned(), "Café".to_owned()])]), "{file:?}");
        }
    }

    #[test]
    fn a_first_line_that_names_the_separator_counts_as_a_line() {
        for first in ["sep=;\r\n", "SEP=;\n", "\u{feff}sep=;\n", "\"sep=;\"\r\n"] {
            let read = rows(format!("{first}terminal;site\n1;a, b\n\"2\n\";c\n3;d\n").as_bytes()).unwrap();
            let lines: Vec<u64> = read.iter().map(|(line, _)| *line).collect();
            assert_eq!(
                (lines, read[0].1.as_slice()),
                (vec![3, 4, 6], ["1".to_owned(), "a, b".to_owned()].as_slice())
            );
        }
        assert_eq!(rows(b"sep=|\nterminal|site\n1|a\n").unwrap().len(), 1);
        assert_eq!(rows(b"sep=,\nterminal;site\n1;a\n"), None, "the file says otherwise");
    }

    #[test]
    fn a_heading_without_the_columns_or_with_one_twice_is_none() {
        for file in [
            "",
            "1850,a\n",
            "terminal\n1\n",
            "terminal,site,site\n",
            "terminal;site;Terminal\n",
            "terminal site\n",
        ] {
            assert_eq!(rows(file.as_bytes()), None, "{file:?}");
        }
    }
}
