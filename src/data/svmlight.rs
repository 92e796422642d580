//! svmlight files, also known as libsvm files: sparse rows as text.
//!
//! A line is a row: its target, and an entry `INDEX:VALUE` for each number that is not zero, separated by
//! blanks. What follows `#` is a comment.
//!
//! ```text
//! +1 3:0.5 17:1  # a row with two entries
//! -1 1:2.25
//! ```

mod labelled;

use std::path::Path;

use super::{CsrMatrix, source::Source};
use crate::{
    error::Error,
    memory::{push, reserve},
};

/// The longest word, in bytes: a number has fewer.
const LONGEST_WORD: usize = 256;

/// The number of bytes read at once.
const PIECE: usize = 16 << 10;

/// The start of a word that groups rows for ranking.
const QUERY: &str = "qid:";

/// The settings of the reader.
///
/// ```
/// use thinnet::data::svmlight::Svmlight;
///
/// let file = b"+1 3:0.5 17:1  # two entries\n-1 1:2.25\n";
/// let data = Svmlight::new().from_bytes(file)?;
/// // Indices start from 1, because none is 0.
/// assert_eq!((data.rows.rows(), data.rows.columns()), (2, 17));
/// assert_eq!(data.rows.view().row(0)?, (&[2, 16][..], &[0.5, 1.0][..]));
/// assert_eq!(data.targets, [1.0, -1.0]);
///
/// let error = Svmlight::new().from_bytes(b"1 5:1 4:1").unwrap_err().to_string();
/// assert!(error.contains("line 1: index 4 comes after index 5"));
/// let data = Svmlight::new().first_index(0).columns(20).sorted().from_bytes(b"1 5:1 4:2")?;
/// assert_eq!(data.rows.view().row(0)?, (&[4, 5][..], &[2.0, 1.0][..]));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Svmlight {
    first_index: Option<u32>,
    columns: Option<usize>,
    sorted: bool,
}

/// The contents of a file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SvmlightRows {
    /// The rows.
    pub rows: CsrMatrix,
    /// The number in front of each row.
    pub targets: Vec<f64>,
}

impl Svmlight {
    /// The first index is detected, there are as many columns as the largest index needs, and the indices
    /// of a row must ascend.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the index of the first column, 0 or 1. By default it is 0 if an index of the file is 0, and
    /// otherwise 1, as with scikit-learn's `zero_based="auto"`. Set it for files that belong together:
    /// by chance, one of them may not use index 0.
    #[must_use]
    pub fn first_index(self, first_index: u32) -> Self {
        Self { first_index: Some(first_index), ..self }
    }

    /// Sets the number of columns, for example that of the training rows. Larger indices are then refused.
    #[must_use]
    pub fn columns(self, columns: usize) -> Self {
        Self { columns: Some(columns), ..self }
    }

    /// Sorts the entries of each row by index. By default, rows with other orders are refused. An index
    /// that occurs twice in a row is refused in any case.
    #[must_use]
    pub fn sorted(self) -> Self {
        Self { sorted: true, ..self }
    }

    /// Reads a file, plain or gzipped (told apart by the first byte, not the name). Words
    /// `qid:NUMBER`, which group rows for ranking, are skipped.
    ///
    /// Memory grows with what has been read: 8 bytes per entry and 16 per row, and up to 2.5 times as
    /// many while it grows, because some of the old and the new memory exist at once. Lines, comments and the file can be
    /// of any length; a word can have 256 bytes. A gzipped file may need at most 256 MiB plus 256 bytes
    /// for each of its own.
    ///
    /// # Errors
    /// The file cannot be read; a setting is out of range; or a target, an index or a value is not a
    /// number, is not finite or is too large, or indices are out of order, in which case the error has
    /// the line and the word.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<SvmlightRows, Error> {
        self.of(Source::open(path.as_ref())?)
    }

    /// Like [`Self::read`], from the bytes of a file.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn from_bytes(&self, bytes: &[u8]) -> Result<SvmlightRows, Error> {
        self.of(Source::of_bytes(bytes, None))
    }

    fn of(&self, source: Source<'_>) -> Result<SvmlightRows, Error> {
        if let Some(first @ 2..) = self.first_index {
            let (what, expected) = ("first index of an svmlight file", "0 or 1");
            return Err(Error::OutOfRange { what, value: first.into(), expected });
        }
        let mut words = Words::new(source.unpacked()?);
        let mut rows = Rows::new(*self)?;
        loop {
            match words.next()? {
                Next::Word => rows.take(&words)?,
                Next::EndOfLine => rows.end_line(&words)?,
                Next::EndOfFile => {
                    rows.end_line(&words)?;
                    return rows.finish(&words);
                }
            }
        }
    }
}

/// What comes next in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A word, which is in [`Words::word`].
    Word,
    EndOfLine,
    EndOfFile,
}

/// The words of a file. A line is never held as a whole.
struct Words<'a> {
    source: Source<'a>,
    piece: Vec<u8>,
    /// How much of the piece has been read.
    read: usize,
    word: Vec<u8>,
    /// The number of the current line, from 1.
    line: u64,
    /// Whether the last byte ended a line.
    at_end: bool,
}

impl<'a> Words<'a> {
    fn new(source: Source<'a>) -> Self {
        let (piece, word) = (Vec::with_capacity(PIECE), Vec::with_capacity(LONGEST_WORD));
        Self { source, piece, read: 0, word, line: 1, at_end: false }
    }

    /// The next byte, which is not consumed; none at the end of the file.
    #[inline]
    fn peek(&mut self) -> Result<Option<u8>, Error> {
        if self.read == self.piece.len() {
            self.piece.resize(PIECE, 0);
            let read = self.source.some(&mut self.piece)?;
            self.piece.truncate(read);
            self.read = 0;
        }
        Ok(self.piece.get(self.read).copied())
    }

    /// Skips blanks and a comment, and reads a word, if another comes before the end of the line.
    fn next(&mut self) -> Result<Next, Error> {
        if std::mem::take(&mut self.at_end) {
            self.line += 1;
        }
        self.word.clear();
        let mut in_comment = false;
        while let Some(byte) = self.peek()? {
            match byte {
                b'\n' if self.word.is_empty() => {
                    self.read += 1;
                    self.at_end = true;
                    return Ok(Next::EndOfLine);
                }
                _ if in_comment => {}
                b'#' | b'\n' | b' ' | b'\t' | b'\r' if !self.word.is_empty() => {
                    return Ok(Next::Word);
                }
                b' ' | b'\t' | b'\r' => {}
                b'#' => in_comment = true,
                _ if self.word.len() == LONGEST_WORD => {
                    let start = self.text();
                    return Err(self.refuse(&format!(
                        "a word of more than {LONGEST_WORD} bytes that starts with {:?}: expected a number or \
                         INDEX:VALUE",
                        start.chars().take(20).collect::<String>()
                    )));
                }
                _ => self.word.push(byte),
            }
            self.read += 1;
        }
        Ok(if self.word.is_empty() { Next::EndOfFile } else { Next::Word })
    }

    /// The word as text.
    fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.word)
    }

    /// An error in the current line.
    fn refuse(&self, reason: &str) -> Error {
        self.source.refuse(format!("line {}: {reason}", self.line))
    }
}

/// The rows so far.
struct Rows {
    settings: Svmlight,
    targets: Vec<f64>,
    starts: Vec<usize>,
    /// Indices as they are in the file.
    indices: Vec<u32>,
    values: Vec<f32>,
    /// Whether the current line has a target.
    in_row: bool,
}

impl Rows {
    fn new(settings: Svmlight) -> Result<Self, Error> {
        let mut starts = reserve("starts of rows", 1)?;
        starts.push(0);
        Ok(Self {
            settings,
            targets: Vec::new(),
            starts,
            indices: Vec::new(),
            values: Vec::new(),
            in_row: false,
        })
    }

    /// Takes a word: the target, or else an entry.
    fn take(&mut self, words: &Words<'_>) -> Result<(), Error> {
        let text = words.text();
        if !std::mem::replace(&mut self.in_row, true) {
            let target = text.parse().ok().filter(|target: &f64| target.is_finite());
            let target = target.ok_or_else(|| {
                words.refuse(&format!(
                    "target {text:?}: expected one finite number in front of the entries"
                ))
            })?;
            return push("targets", &mut self.targets, target);
        }
        if text.starts_with(QUERY) {
            return Ok(());
        }
        let Some((index, value)) = text.split_once(':') else {
            return Err(words.refuse(&format!("{text:?}: expected an entry INDEX:VALUE")));
        };
        let first = self.settings.first_index.unwrap_or(0);
        let index = index.parse().ok().filter(|&index: &u32| index >= first);
        let index = index.ok_or_else(|| {
            words.refuse(&format!(
                "the index of {text:?}: expected a whole number from {first} to {}",
                u32::MAX
            ))
        })?;
        let value = value.parse().ok().filter(|value: &f32| value.is_finite());
        let value = value.ok_or_else(|| {
            words.refuse(&format!(
                "the value of {text:?}: expected a finite number that fits into f32"
            ))
        })?;
        if self.values.len().is_power_of_two() {
            self.check_memory(words)?;
        }
        push("entries", &mut self.indices, index)?;
        push("entries", &mut self.values, value)
    }

    /// Ends a line, and with it the row, if there is one.
    fn end_line(&mut self, words: &Words<'_>) -> Result<(), Error> {
        if !std::mem::take(&mut self.in_row) {
            return Ok(());
        }
        let start = self.starts[self.starts.len() - 1];
        let indices = &mut self.indices[start..];
        if self.settings.sorted && !indices.is_sorted() {
            let mut entries = reserve("entries", indices.len())?;
            entries.extend(indices.iter().copied().zip(self.values[start..].iter().copied()));
            entries.sort_unstable_by_key(|&(index, _)| index);
            for (i, (index, value)) in entries.into_iter().enumerate() {
                (indices[i], self.values[start + i]) = (index, value);
            }
        }
        if let Some(pair) = indices.windows(2).find(|pair| pair[0] >= pair[1]) {
            let (before, index) = (pair[0], pair[1]);
            return Err(words.refuse(&if before == index {
                format!("index {index} occurs twice: expected each index at most once in a row")
            } else {
                format!("index {index} comes after index {before}: expected ascending indices")
            }));
        }
        if self.starts.len().is_power_of_two() {
            self.check_memory(words)?;
        }
        push("starts of rows", &mut self.starts, self.indices.len())
    }

    /// Checks that a short gzipped file does not take too much memory.
    fn check_memory(&self, words: &Words<'_>) -> Result<(), Error> {
        // Lists double. They are moved one at a time, during which the old memory is there too.
        let (entries, rows) = (self.indices.len() as u64, self.starts.len() as u64);
        let memory = 2 * (8 * entries + 16 * rows) + (4 * entries).max(8 * rows);
        words.source.bears(0, memory, "the text")
    }

    fn finish(self, words: &Words<'_>) -> Result<SvmlightRows, Error> {
        let Self { settings, targets, starts, mut indices, values, .. } = self;
        let largest = indices.iter().max().copied();
        let first = settings.first_index.unwrap_or_else(|| u32::from(!indices.contains(&0)));
        let least = largest.map_or(0, |largest| u64::from(largest) + 1 - u64::from(first));
        // Where numbers of columns have 32 bits, there can be one too many.
        let columns = settings.columns.unwrap_or(usize::try_from(least).unwrap_or(usize::MAX));
        if least > columns as u64 {
            let most = (columns as u64 + u64::from(first)).saturating_sub(1);
            return Err(words.source.refuse(format!(
                "index {}: expected at most {most}, because there are {columns} columns and the first has \
                 index {first}",
                largest.unwrap_or_default()
            )));
        }
        indices.iter_mut().for_each(|index| *index -= first);
        Ok(SvmlightRows { rows: CsrMatrix::new(starts, indices, values, columns)?, targets })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn entries(data: &SvmlightRows) -> Vec<Vec<(u32, f32)>> {
        let view = data.rows.view();
        (0..view.rows())
            .map(|row| {
                let (columns, values) = view.row(row).unwrap();
                columns.iter().copied().zip(values.iter().copied()).collect()
            })
            .collect()
    }

    #[test]
    fn lines_are_rows() {
        let text = "# a header\n\n1 1:0.5\t3:-2e-3 # x:y\n  -1.5  qid:7 2:1\r\n0\n+2 4:.25";
        let gzipped = {
            let mut to = GzEncoder::new(Vec::new(), Compression::default());
            to.write_all(text.as_bytes()).unwrap();
            to.finish().unwrap()
        };
        for bytes in [text.as_bytes(), &gzipped, format!("{text}\n").as_bytes()] {
            let data = Svmlight::new().from_bytes(bytes).unwrap();
            assert_eq!(data.targets, [1.0, -1.5, 0.0, 2.0]);
            let expected = [vec![(0, 0.5), (2, -0.002)], vec![(1, 1.0)], vec![], vec![(3, 0.25)]];
            assert_eq!((data.rows.columns(), entries(&data)), (4, expected.to_vec()));
        }
        for nothing in ["", "\n\n", "# only this"] {
            let data = Svmlight::new().from_bytes(nothing.as_bytes()).unwrap();
            assert_eq!((data.rows.rows(), data.rows.columns(), data.targets.len()), (0, 0, 0));
        }
    }

    #[test]
    fn the_first_index_is_given_or_detected() {
        let read = |settings: Svmlight, text: &str| {
            settings.from_bytes(text.as_bytes()).map(|data| (data.rows.columns(), entries(&data)))
        };
        let any = Svmlight::new();
        assert_eq!(read(any, "1 2:1").unwrap(), (2, vec![vec![(1, 1.0)]]));
        assert_eq!(read(any, "1 2:1\n1 0:1").unwrap().0, 3);
        assert_eq!(read(any.first_index(0), "1 2:1").unwrap(), (3, vec![vec![(2, 1.0)]]));
        assert_eq!(read(any.columns(5), "1 2:1").unwrap().0, 5);
        let largest = format!("1 {}:1", u32::MAX);
        assert_eq!(read(any, &largest).unwrap().0, u32::MAX as usize);
        for (settings, text, words) in [
            (
                any.first_index(1),
                "1 0:1",
                "line 1: the index of \"0:1\": expected a whole number from 1",
            ),
            (any.columns(1), "1 2:1", "index 2: expected at most 1, because there are 1 columns"),
            (any.columns(2).first_index(0), "1 2:1", "index 2: expected at most 1"),
            (any.columns(0), "1 1:1", "index 1: expected at most 0"),
            (any.first_index(2), "", "first index of an svmlight file: expected 0 or 1, got 2"),
        ] {
            let error = read(settings, text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let long = format!("1 1:{}", "1".repeat(10 << 20));
        for (text, words) in [
            ("1 1:1\nx 1:1", "line 2: target \"x\": expected one finite number"),
            ("1,3 1:1", "line 1: target \"1,3\""),
            ("nan 1:1", "target \"nan\""),
            ("1 1", "line 1: \"1\": expected an entry INDEX:VALUE"),
            ("1\n\n1 :1", "line 3: the index of \":1\""),
            ("1 -1:1", "the index of \"-1:1\": expected a whole number from 0 to 4294967295"),
            ("1 4294967296:1", "the index of \"4294967296:1\""),
            ("1 1:", "the value of \"1:\": expected a finite number"),
            ("1 1:1:1", "the value of \"1:1:1\""),
            ("1 1:inf", "the value of \"1:inf\""),
            ("1 1:1e39", "the value of \"1:1e39\""),
            ("1 1:1 # fine\n1 2:1 1:1\n", "line 2: index 1 comes after index 2"),
            ("1 2:1 2:1", "line 1: index 2 occurs twice"),
            (&long, "line 1: a word of more than 256 bytes that starts with \"1:1111"),
        ] {
            let error = Svmlight::new().from_bytes(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words) && error.len() < 300, "{words}: {error}");
        }
        let error = Svmlight::new().from_bytes(b"1 1:\xff").unwrap_err().to_string();
        assert!(error.contains("line 1: the value of"), "{error}");
        let error = Svmlight::new().from_bytes(&[0x1f, 0x8b, 8, 0]).unwrap_err().to_string();
        assert!(error.contains("gzip"), "{error}");
    }

    #[test]
    fn rows_are_sorted_if_wanted() {
        let sorted = Svmlight::new().sorted();
        let data = sorted.from_bytes(b"1 3:3 1:1 2:2\n1 1:4 2:5").unwrap();
        let expected = [vec![(0, 1.0), (1, 2.0), (2, 3.0)], vec![(0, 4.0), (1, 5.0)]];
        assert_eq!(entries(&data), expected);
        let error = sorted.from_bytes(b"1 3:1 1:1 3:2").unwrap_err().to_string();
        assert!(error.contains("line 1: index 3 occurs twice"), "{error}");
    }

    /// A line of 11 MB is a row like others, and what is wrong at its end has its line and word.
    #[test]
    fn a_line_can_be_of_any_length() {
        let mut line = String::from("1");
        (1..1_200_001_u32).for_each(|index| line += &format!(" {index}:{}", index % 7));
        assert!(line.len() > 10 << 20, "{}", line.len());
        let data = Svmlight::new().from_bytes(line.as_bytes()).unwrap();
        let row = data.rows.view().row(0).unwrap();
        assert_eq!((data.rows.columns(), row.0.len()), (1_200_000, 1_200_000));
        assert!(row.0.iter().copied().eq(0..1_200_000));
        assert!(row.1.iter().zip(1..).all(|(&x, index)| x == (index % 7) as f32));

        for (end, words) in [
            ("1200001:x", "line 2: the value of \"1200001:x\": expected a finite number"),
            ("4294967296:1", "line 2: the index of \"4294967296:1\": expected a whole number"),
            ("17:1", "line 2: index 17 comes after index 1200000: expected ascending indices"),
            ("1200000:1", "line 2: index 1200000 occurs twice"),
            ("1200001", "line 2: \"1200001\": expected an entry INDEX:VALUE"),
        ] {
            let text = format!("-1 3:1\n{line} {end}");
            let error = Svmlight::new().from_bytes(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words) && error.len() < 200, "{words}: {error}");
        }
        let comment = format!("1 1:1 #{}\n0 x", "1:x ".repeat(3 << 20));
        let error = Svmlight::new().from_bytes(comment.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("line 2: \"x\": expected an entry INDEX:VALUE"), "{error}");
    }

    /// 54 MB of text, from 60 KB or so.
    #[test]
    fn a_short_gzipped_file_cannot_take_much_memory() {
        let mut to = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..1800 {
            to.write_all(&b"1 1:1\n".repeat(5000)).unwrap();
        }
        let bytes = to.finish().unwrap();
        let error = Svmlight::new().from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("bytes of memory: expected at most"), "{error}");
    }
}
