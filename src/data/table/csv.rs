//! Reads tables from CSV files.
//!
//! The crate `csv-core` finds the records. It takes a quote out of place as text, and one that is not closed
//! as closed at the end of the file; [`Quotes`] refuses both.

use std::path::Path;

use csv_core::{ReadRecordResult, ReaderBuilder};
use memchr::memchr;

use super::{
    Row, Table, check_names,
    quotes::{Fault, Quotes},
};
use crate::{
    data::source::Source,
    error::Error,
    memory::{push, reserve_more},
    simd::pages,
};

/// The most bytes in the cells of one row or of the header, and one more for each cell: 8 MiB.
pub const MAX_ROW_BYTES: usize = 8 << 20;

/// The number of bytes read at once.
const PIECE: usize = 16 << 10;

/// The settings of the reader of CSV files (RFC 4180).
///
/// The first row is the header: the names of the columns. Cells are separated by commas, or another
/// [delimiter](Self::delimiter), and may be enclosed in double quotes. Within the quotes, delimiters and
/// line ends are text, and two quotes in a row are one. Lines end with `\n`, `\r\n` or `\r`. Empty lines
/// are skipped; in a table with one column, a missing cell is therefore written as `""` or `NA`. Cells
/// are kept as they are, with the blanks around them.
///
/// The text is UTF-8, and a byte-order mark in front of it is skipped.
///
/// ```
/// use thinnet::data::table::Csv;
///
/// let table = Csv::new().from_bytes(b"age,city\n31,\"Washington, D.C.\"\n,Oslo\n")?;
/// assert_eq!(table.names(), ["age", "city"]);
/// assert_eq!(table.cell(0, 1)?, "Washington, D.C.");
///
/// let error = Csv::new().from_bytes(b"age,city\n31,Oslo,Norway\n").unwrap_err().to_string();
/// assert_eq!(error, "line 2: 3 cells: expected 2, as in the header");
/// assert_eq!(Csv::new().delimiter(b';').from_bytes(b"a;b\n1,5;x\n")?.cell(0, 0)?, "1,5");
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csv {
    delimiter: u8,
}

impl Default for Csv {
    fn default() -> Self {
        Self::new()
    }
}

impl Csv {
    /// Cells are separated by commas.
    pub fn new() -> Self {
        Self { delimiter: b',' }
    }

    /// Sets the byte between cells, for example `b';'` or `b'\t'`.
    #[must_use]
    pub fn delimiter(self, delimiter: u8) -> Self {
        Self { delimiter }
    }

    /// Reads a file, plain or gzipped (told apart by the first byte, not the name).
    ///
    /// Memory is reserved by the length of the file and its first rows, and grows with what has been read,
    /// as [`Table`] states. A gzipped file may need at most 256
    /// MiB plus 256 bytes for each of its own. The whole table is held in memory: larger ones are out of
    /// scope.
    ///
    /// # Errors
    /// - The file cannot be read, or there is not enough memory.
    /// - The delimiter is a quote, a line end, 0 or not ASCII.
    /// - The text is not UTF-8, or contains a byte 0, as UTF-16 does.
    /// - The header is missing, a name in it is empty, or two are equal; or no rows follow it.
    /// - A row has not one cell per column, or more than [`MAX_ROW_BYTES`] bytes.
    /// - A quote is inside a cell without quotes, is followed by text, or is not closed.
    ///
    /// The error has the line.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Table, Error> {
        self.of(Source::open(path.as_ref())?)
    }

    /// Like [`Self::read`], from the bytes of a file.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn from_bytes(&self, bytes: &[u8]) -> Result<Table, Error> {
        self.of(Source::of_bytes(bytes, None))
    }

    fn of(&self, source: Source<'_>) -> Result<Table, Error> {
        let delimiter = self.delimiter;
        if matches!(delimiter, b'"' | b'\n' | b'\r' | 0) || !delimiter.is_ascii() {
            return Err(Error::Delimiter { delimiter });
        }
        Reader::new(source.unpacked()?, delimiter).read(PIECE)
    }
}

struct Reader<'a> {
    source: Source<'a>,
    records: csv_core::Reader,
    quotes: Quotes,
    /// Whether a part of the current row has been read.
    in_row: bool,
    /// Whether the pieces that have parts of the current row are in ASCII, without a byte 0.
    is_ascii: bool,
    /// Whether the last byte was `\r`: a `\n` behind it is part of the same line end.
    after_return: bool,
    /// The line on which the current row starts, or the next one, from 1.
    line: u64,
    /// Empty until the header has been read.
    names: Vec<String>,
    text: Vec<u8>,
    ends: Vec<u32>,
    rows: Vec<Row>,
    /// The start of the current row in `text`, and of its cells in `ends`.
    start: usize,
    first: usize,
}

impl<'a> Reader<'a> {
    fn new(source: Source<'a>, delimiter: u8) -> Self {
        let mut records = ReaderBuilder::new().delimiter(delimiter).build();
        // It would skip a byte-order mark in what it reads first, which need not be the start of the file.
        records.read_record(b"\n", &mut [0], &mut [0]);
        Self {
            source,
            records,
            quotes: Quotes::new(delimiter),
            in_row: false,
            is_ascii: true,
            after_return: false,
            line: 1,
            names: Vec::new(),
            text: Vec::new(),
            ends: Vec::new(),
            rows: Vec::new(),
            start: 0,
            first: 0,
        }
    }

    /// Reads the file in pieces of this many bytes, at least 4.
    fn read(mut self, piece: usize) -> Result<Table, Error> {
        let mut buffer = vec![0; piece];
        // A byte ends at most one cell.
        let mut ends = vec![0; piece];
        if let Some((from, to)) = self.byte_order_mark(&mut buffer)? {
            self.take(&buffer[from..to], &mut ends)?;
            self.expect(to);
        }
        loop {
            let read = self.source.some(&mut buffer)?;
            if read == 0 {
                break;
            }
            self.take(&buffer[..read], &mut ends)?;
        }
        self.finish(&mut ends)
    }

    /// Reads the first piece. Returns the range of it that follows a byte-order mark.
    fn byte_order_mark(&mut self, buffer: &mut [u8]) -> Result<Option<(usize, usize)>, Error> {
        let mut read = 0;
        while read < 3 {
            match self.source.some(&mut buffer[read..])? {
                0 => break,
                more => read += more,
            }
        }
        match &buffer[..read] {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                Err(self.refuse("the byte-order mark of UTF-16: expected text in UTF-8"))
            }
            [0xef, 0xbb, 0xbf, ..] if read > 3 => Ok(Some((3, read))),
            [] | [0xef, 0xbb, 0xbf] => Ok(None),
            _ => Ok(Some((0, read))),
        }
    }

    /// Makes room for the rest of the file, if its length is known and it goes on like the first `read`
    /// bytes. Then lists are not moved, and their memory comes in large pages.
    fn expect(&mut self, read: usize) {
        let Some(length) = self.source.left() else { return };
        let rest = |of: usize| {
            ((of as u64).saturating_mul(length) / read as u64).saturating_sub(of as u64)
        };
        expect(&mut self.text, rest(read));
        let (cells, rows) = (rest(self.ends.len()), rest(self.rows.len()));
        expect(&mut self.ends, cells + cells / 16);
        expect(&mut self.rows, rows + rows / 16);
    }

    /// Makes room for what the next `bytes` bytes can become.
    fn make_room(&mut self, bytes: usize) -> Result<(), Error> {
        // Lists double. They are moved one at a time, during which the old memory is there too.
        let [text, cells, rows] = [self.text.len(), self.ends.len(), self.rows.len()];
        let [text, cells, rows] = [text as u64, 4 * cells as u64, 16 * rows as u64];
        let memory = 2 * (text + cells + rows) + text.max(cells).max(rows);
        self.source.bears(0, memory, "the table")?;
        reserve_more("text of a table", &mut self.text, bytes)?;
        // The last row may end without a line end.
        reserve_more("cells of a table", &mut self.ends, bytes + 1)?;
        reserve_more("rows of a table", &mut self.rows, 1)
    }

    /// Takes the next bytes of the file.
    fn take(&mut self, mut piece: &[u8], ends: &mut [usize]) -> Result<(), Error> {
        self.make_room(piece.len())?;
        let mut length = self.text.len();
        self.text.resize(length + piece.len(), 0);
        // Most pieces have no quotes, and are in ASCII: then their rows need no checks.
        let has_quotes = memchr(b'"', piece).is_some() || !self.quotes.is_plain();
        let is_ascii = piece.is_ascii() && memchr(0, piece).is_none();
        self.is_ascii &= is_ascii;
        loop {
            if !self.in_row {
                piece = self.skip_empty_lines(piece);
            }
            if piece.is_empty() {
                break;
            }
            let (result, read, written, ended) =
                self.records.read_record(piece, &mut self.text[length..], ends);
            let (bytes, rest) = piece.split_at(read);
            if has_quotes {
                self.check_quotes(bytes, length)?;
            } else {
                self.quotes.skip(bytes);
            }
            self.ends.extend(ends[..ended].iter().map(|&end| end as u32));
            (piece, length, self.in_row) = (rest, length + written, true);
            if let ReadRecordResult::Record = result {
                self.end_row(length)?;
                self.is_ascii = is_ascii;
                self.after_return = bytes.ends_with(b"\r");
            }
        }
        self.text.truncate(length);
        self.check_length(length)
    }

    /// Skips the rest of a line end, and empty lines.
    fn skip_empty_lines<'p>(&mut self, mut piece: &'p [u8]) -> &'p [u8] {
        while let [byte @ (b'\r' | b'\n'), rest @ ..] = piece {
            let is_return = *byte == b'\r';
            self.line += u64::from(is_return || !self.after_return);
            (self.after_return, piece) = (is_return, rest);
        }
        self.after_return &= piece.is_empty();
        piece
    }

    fn check_quotes(&mut self, bytes: &[u8], length: usize) -> Result<(), Error> {
        let Some(Fault { cells, from, at }) = self.quotes.check(bytes) else { return Ok(()) };
        let cell = self.ends.len() - self.first + cells + 1;
        let line = self.line + self.quotes.line_ends();
        let reason = if self.quotes.is_behind_quote() {
            format!(
                "{:?} follows the closing quote of cell {cell}: expected a delimiter {:?} or a line end \
                 (a quote within quotes is written twice)",
                first_char(&bytes[at..]),
                char::from(self.quotes.delimiter())
            )
        } else {
            // The cell may start in an earlier piece.
            let earlier = match from {
                Some(_) => &[][..],
                None => &self.text[self.start + self.last_end()..length],
            };
            let cell_text = [earlier, &bytes[from.unwrap_or(0)..at]].concat();
            format!(
                "a quote inside cell {cell}, which starts with {:?}: expected quotes around the whole \
                 cell, and each quote within it written twice",
                shown(&cell_text)
            )
        };
        Err(self.source.refuse(format!("line {line}: {reason}")))
    }

    /// Where the last cell of the current row that has ended does so.
    fn last_end(&self) -> usize {
        self.ends[self.first..].last().map_or(0, |&end| end as usize)
    }

    /// Checks the length of the current row, whose text ends at `length`.
    fn check_length(&self, length: usize) -> Result<(), Error> {
        if length - self.start + self.ends.len() - self.first > MAX_ROW_BYTES {
            return Err(self.too_long(length));
        }
        Ok(())
    }

    /// Ends a row, whose text ends at `length`.
    fn end_row(&mut self, length: usize) -> Result<(), Error> {
        self.check_length(length)?;
        self.check_text(length)?;
        let cells = self.ends.len() - self.first;
        if self.names.is_empty() {
            self.take_names(length)?;
        } else if cells == self.names.len() {
            let (start, line) = (self.start, self.line);
            push("rows of a table", &mut self.rows, Row { start, line })?;
        } else {
            let expected = self.names.len();
            let cells = if cells == 1 { "1 cell".to_owned() } else { format!("{cells} cells") };
            return Err(self.refuse(&format!("{cells}: expected {expected}, as in the header")));
        }
        (self.start, self.first, self.in_row) = (length, self.ends.len(), false);
        self.line += 1 + self.quotes.end_row();
        Ok(())
    }

    /// Checks the text of the current row: cell by cell, so that each is a text of its own.
    fn check_text(&self, length: usize) -> Result<(), Error> {
        if self.is_ascii {
            return Ok(());
        }
        let row = &self.text[self.start..length];
        let mut start = 0;
        for (i, &end) in self.ends[self.first..].iter().enumerate() {
            let cell = &row[start..end as usize];
            let bad = match std::str::from_utf8(cell) {
                Ok(_) => cell.iter().position(|&byte| byte == 0),
                Err(error) => Some(error.valid_up_to()),
            };
            if let Some(bad) = bad {
                let column = match self.names.get(i) {
                    Some(name) => format!("column `{name}`"),
                    None => format!("cell {}", i + 1),
                };
                let hint = if cell[bad] == 0 { " (is it UTF-16?)" } else { "" };
                return Err(self.refuse(&format!(
                    "{column}: byte {:#04x} in {:?}: expected text in UTF-8{hint}",
                    cell[bad],
                    shown(cell)
                )));
            }
            start = end as usize;
        }
        Ok(())
    }

    /// Takes the current row as the header.
    fn take_names(&mut self, length: usize) -> Result<(), Error> {
        let mut start = 0;
        let mut names = Vec::new();
        let row = &self.text[self.start..length];
        for &end in &self.ends {
            names.push(String::from_utf8_lossy(&row[start..end as usize]).into_owned());
            start = end as usize;
        }
        check_names(&names).map_err(|reason| self.refuse(&reason))?;
        self.names = names;
        self.ends.clear();
        Ok(())
    }

    fn finish(mut self, ends: &mut [usize]) -> Result<Table, Error> {
        if let Some(line_ends) = self.quotes.open() {
            let opened = self.line + line_ends;
            return Err(self.source.refuse(format!(
                "line {opened}: a quote is not closed: expected another before the end of the file"
            )));
        }
        if self.in_row {
            // The last row has no line end.
            let (_, _, _, ended) = self.records.read_record(&[], &mut [], ends);
            self.make_room(ended)?;
            self.ends.extend(ends[..ended].iter().map(|&end| end as u32));
            self.end_row(self.text.len())?;
        }
        if self.names.is_empty() {
            return Err(self
                .source
                .refuse("an empty file: expected a header of column names, and rows"));
        }
        if self.rows.is_empty() {
            return Err(self.source.refuse("a header without rows: expected at least one row"));
        }
        let Self { source, names, text, ends, rows, .. } = self;
        // Every cell was checked.
        let text = String::from_utf8(text)
            .map_err(|error| source.refuse(format!("{error}: expected text in UTF-8")))?;
        Ok(Table { path: source.path().map(Path::to_owned), names, text, ends, rows })
    }

    fn too_long(&self, length: usize) -> Error {
        let quote = match self.quotes.open() {
            Some(line_ends) => {
                format!(" (a quote opened on line {} is not closed)", self.line + line_ends)
            }
            None => String::new(),
        };
        self.refuse(&format!(
            "a row of more than {MAX_ROW_BYTES} bytes that starts with {:?}: expected shorter rows{quote}",
            shown(&self.text[self.start..length])
        ))
    }

    /// An error in the current row.
    fn refuse(&self, reason: &str) -> Error {
        self.source.refuse(format!("line {}: {reason}", self.line))
    }
}

/// Makes room for this many more elements, if there is enough memory.
fn expect<T>(list: &mut Vec<T>, more: u64) {
    if usize::try_from(more).is_ok_and(|more| list.try_reserve_exact(more).is_ok()) {
        pages::ask_for_huge(list.spare_capacity_mut());
    }
}

/// The start of a text, for errors.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(80)]).chars().take(20).collect()
}

/// The first character of a text.
fn first_char(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(4)]).chars().take(1).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;

    fn cells(table: &Table) -> Vec<Vec<String>> {
        let columns = table.names().len();
        let cell = |row, column| table.cell(row, column).unwrap().to_owned();
        let row = |row| (0..columns).map(|column| cell(row, column)).collect();
        (0..table.rows()).map(row).collect()
    }

    fn refused(text: impl AsRef<[u8]>) -> String {
        Csv::new().from_bytes(text.as_ref()).unwrap_err().to_string()
    }

    fn in_pieces(text: &[u8], piece: usize) -> Result<Table, Error> {
        Reader::new(Source::of_bytes(text, None), b',').read(piece)
    }

    /// The records that the crate `csv` finds.
    fn by_crate(text: &[u8], delimiter: u8) -> Vec<Vec<String>> {
        let mut builder = ::csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(delimiter);
        let records = builder.from_reader(text).into_records();
        records.map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// What is accepted is what the crate `csv` reads, in pieces of any size. That crate does not
        /// refuse quotes out of place.
        #[test]
        fn records_are_those_of_the_crate_csv(
            header in "[abc\u{e9}]{1,3}(,[def]{1,3}){0,2}",
            rows in "([a,\"\r\n\u{e9}]|,|a,b\n|\"a\"|\"b\"\"c\"|\r\n){0,24}",
            piece in 4_usize..40,
        ) {
            let text = format!("{header}\n{rows}");
            let whole = Csv::new().from_bytes(text.as_bytes());
            let parts = in_pieces(text.as_bytes(), piece);
            match (&whole, &parts) {
                (Ok(table), Ok(parts)) => {
                    prop_assert!(table == parts);
                    let mut expected = by_crate(text.as_bytes(), b',');
                    prop_assert_eq!(table.names(), &expected.remove(0)[..]);
                    prop_assert_eq!(cells(table), expected);
                }
                (Err(whole), Err(parts)) => {
                    // The line; a character that is quoted may be cut by the end of a piece.
                    let line = |error: &Error| error.to_string().split(':').next().map(str::to_owned);
                    prop_assert_eq!(line(whole), line(parts));
                }
                _ => prop_assert!(false, "{whole:?} / {parts:?}"),
            }
        }

        /// Whatever another program writes is read back, with any delimiter.
        #[test]
        fn written_tables_are_read_back(
            rows in (1_usize..5).prop_flat_map(|columns| {
                let row = prop::collection::vec("[ab;,\t\"\r\n \u{e9}\u{1f600}]{0,4}", columns);
                prop::collection::vec(row, 1..6)
            }),
            delimiter in prop::sample::select(&[b',', b';', b'\t', b'|'][..]),
            always in any::<bool>(),
        ) {
            let style = if always { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary };
            let mut to = ::csv::WriterBuilder::new()
                .delimiter(delimiter)
                .quote_style(style)
                .from_writer(Vec::new());
            let names: Vec<String> = (0..rows[0].len()).map(|i| format!("name {i}")).collect();
            to.write_record(&names).unwrap();
            rows.iter().for_each(|row| to.write_record(row).unwrap());
            let text = to.into_inner().unwrap();
            let table = Csv::new().delimiter(delimiter).from_bytes(&text).unwrap();
            prop_assert_eq!(table.names(), &names[..]);
            prop_assert_eq!(cells(&table), rows);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Csv::new().from_bytes(&bytes);
            let _ = Csv::new().from_bytes(&[b"a,b\n", &bytes[..]].concat());
        }
    }

    #[test]
    fn a_file_may_have_a_byte_order_mark_or_be_gzipped() {
        let text = "a,b\r\n1,\"x\ny\"\r\n\r\n2,\u{e9}";
        let gzipped = {
            let mut to = GzEncoder::new(Vec::new(), Compression::default());
            to.write_all(text.as_bytes()).unwrap();
            to.finish().unwrap()
        };
        let expected = [["1", "x\ny"], ["2", "\u{e9}"]];
        for bytes in [text.as_bytes(), &gzipped, format!("\u{feff}{text}\n").as_bytes()] {
            let table = Csv::new().from_bytes(bytes).unwrap();
            assert_eq!(
                (table.names(), cells(&table)),
                (
                    &["a", "b"].map(str::to_owned)[..],
                    expected.map(|row| row.map(str::to_owned).to_vec()).to_vec()
                )
            );
            // The lines of the file, which errors name.
            assert_eq!(table.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 5]);
        }
        // Elsewhere, it is text.
        for text in ["\n\u{feff}a\n1\n", "\u{feff}\u{feff}a\n1\n"] {
            assert_eq!(Csv::new().from_bytes(text.as_bytes()).unwrap().names(), ["\u{feff}a"]);
        }
    }

    #[test]
    fn broken_files_are_refused_with_the_line() {
        for (text, words) in [
            ("", "an empty file: expected a header of column names, and rows"),
            ("\u{feff}", "an empty file: expected a header of column names, and rows"),
            ("\n\n", "an empty file: expected a header of column names, and rows"),
            ("a,b\n", "a header without rows: expected at least one row"),
            ("a,b", "a header without rows: expected at least one row"),
            ("a,a\n1,2\n", "line 1: two columns are named `a`: expected different names"),
            (
                "\n,b\n1,2\n",
                "line 2: column 1 has an empty name: expected a name for every column (in R: \
                 write.csv(..., row.names = FALSE))",
            ),
            ("a,b\n1,2\n\n3\n", "line 4: 1 cell: expected 2, as in the header"),
            ("a,b\n1,2,\n", "line 2: 3 cells: expected 2, as in the header"),
            ("a,b\n1,\"x\n\ny\"\n1", "line 5: 1 cell: expected 2, as in the header"),
            (
                "a,b\n1,x\"y\n",
                "line 2: a quote inside cell 2, which starts with \"x\": expected quotes around the \
                 whole cell, and each quote within it written twice",
            ),
            (
                "a,b\n\"1\"\u{e9},2\n",
                "line 2: \"\u{e9}\" follows the closing quote of cell 1: expected a delimiter ',' or a \
                 line end (a quote within quotes is written twice)",
            ),
            (
                "a,b\n1,2\n1,\"2\n3,4\n",
                "line 3: a quote is not closed: expected another before the end of the file",
            ),
        ] {
            assert_eq!(refused(text), words);
        }
    }

    #[test]
    fn text_is_in_utf_8() {
        let utf_16: Vec<u8> = "a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let words = "the byte-order mark of UTF-16: expected text in UTF-8";
        assert_eq!(refused([&[0xff, 0xfe], &utf_16[..]].concat()), format!("line 1: {words}"));
        assert_eq!(
            refused(&utf_16),
            "line 1: cell 1: byte 0x00 in \"a\\0\": expected text in UTF-8 (is it UTF-16?)"
        );
        // Latin-1.
        assert_eq!(
            refused(b"a,b\n1,2\n1,caf\xe9\n"),
            "line 3: column `b`: byte 0xe9 in \"caf\u{fffd}\": expected text in UTF-8"
        );
        // Two halves of a character in neighbouring cells.
        assert!(refused(b"a,b\n\xc3,\xa9\n").starts_with("line 2: column `a`: byte 0xc3"));
    }

    #[test]
    fn rows_have_a_largest_length() {
        let long = "x".repeat(10 << 20);
        let words = "a row of more than 8388608 bytes that starts with \"1xxx";
        let error = refused(format!("a,b\n1,2\n1,{long}\n"));
        assert!(error.starts_with(&format!("line 3: {words}")), "{error}");
        // Also one without text, and one within quotes.
        let error = refused(format!("a,b\n1,2\n{}\n", ",".repeat(10 << 20)));
        assert!(error.starts_with("line 3: a row of more than 8388608 bytes"), "{error}");
        let error = refused(format!("a,b\n1,\"2\n{}", "1,2\n".repeat(3 << 20)));
        assert!(error.contains("(a quote opened on line 2 is not closed)"), "{error}");
        let most = "x".repeat(MAX_ROW_BYTES - 3);
        let table = Csv::new().from_bytes(format!("a,b\n1,{most}").as_bytes()).unwrap();
        assert_eq!(table.cell(0, 1).unwrap(), most);
    }

    #[test]
    fn a_short_gzipped_file_may_not_take_all_memory() {
        let mut to = GzEncoder::new(Vec::new(), Compression::best());
        to.write_all(b"a\n").unwrap();
        let block = "1\n".repeat(1 << 16);
        // 16 million rows, which would take 336 MB.
        for _ in 0..256 {
            to.write_all(block.as_bytes()).unwrap();
        }
        let error = refused(to.finish().unwrap());
        assert!(error.contains("the table would take") && error.contains("gunzip"), "{error}");
    }

    #[test]
    fn delimiters_are_checked() {
        for delimiter in [b'"', b'\n', b'\r', 0, 0xe9] {
            let error = Csv::new().delimiter(delimiter).from_bytes(b"a\n1\n").unwrap_err();
            assert!(matches!(error, Error::Delimiter { delimiter: of } if of == delimiter));
        }
    }
}
