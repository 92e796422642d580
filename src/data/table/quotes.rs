//! Where quotes may stand in a CSV file (RFC 4180): around whole cells, and twice within these.

use memchr::{memchr, memchr_iter};

/// Where in a cell the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    StartOfCell,
    Unquoted,
    Quoted,
    /// Behind a quote in a quoted cell: its end, or the first of two.
    BehindQuote,
}

/// A byte that cannot stand where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The number of cells that ended before it, in the bytes that were checked.
    pub cells: usize,
    /// Where its cell starts in these bytes; `None` if before them.
    pub from: Option<usize>,
    /// Where the byte is.
    pub at: usize,
}

/// Checks the quotes of a file, row by row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotes {
    delimiter: u8,
    state: State,
    /// The line ends in the cells of the current row.
    line_ends: u64,
    /// How many of these were before the last quote that opened.
    opened: u64,
}

impl Quotes {
    pub fn new(delimiter: u8) -> Self {
        Self { delimiter, state: State::StartOfCell, line_ends: 0, opened: 0 }
    }

    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The line ends in the cells of the current row.
    pub fn line_ends(&self) -> u64 {
        self.line_ends
    }

    /// Whether the last byte was a quote in a quoted cell.
    pub fn is_behind_quote(&self) -> bool {
        self.state == State::BehindQuote
    }

    /// The number of line ends in the current row before a quote that is not closed.
    pub fn open(&self) -> Option<u64> {
        (self.state == State::Quoted).then_some(self.opened)
    }

    /// Ends a row; the result is the number of line ends in its cells.
    pub fn end_row(&mut self) -> u64 {
        let line_ends = self.line_ends;
        *self = Self::new(self.delimiter);
        line_ends
    }

    /// Whether the last byte is not in a quoted cell, nor a quote: then text without quotes is right.
    pub fn is_plain(&self) -> bool {
        matches!(self.state, State::StartOfCell | State::Unquoted)
    }

    /// Takes bytes of the current row without quotes, where the text [is plain](Self::is_plain).
    pub fn skip(&mut self, bytes: &[u8]) {
        if let Some(&last) = bytes.last() {
            self.state = self.behind(last);
        }
    }

    /// Checks bytes of the current row, of which only the last may end the row.
    pub fn check(&mut self, bytes: &[u8]) -> Option<Fault> {
        let (before, mut at) = (self.state, 0);
        while at < bytes.len() {
            let rest = &bytes[at..];
            match self.state {
                State::BehindQuote => {
                    self.state = match rest[0] {
                        b'"' => State::Quoted,
                        byte if self.behind(byte) == State::StartOfCell => State::StartOfCell,
                        _ => return Some(self.fault(before, bytes, at)),
                    };
                    at += 1;
                }
                State::Quoted => {
                    let run = memchr(b'"', rest).unwrap_or(rest.len());
                    self.line_ends += memchr_iter(b'\n', &rest[..run]).count() as u64;
                    at += run;
                    if at < bytes.len() {
                        self.state = State::BehindQuote;
                        at += 1;
                    }
                }
                State::StartOfCell | State::Unquoted => {
                    let run = memchr(b'"', rest).unwrap_or(rest.len());
                    self.skip(&rest[..run]);
                    at += run;
                    if at < bytes.len() {
                        if self.state == State::Unquoted {
                            return Some(self.fault(before, bytes, at));
                        }
                        (self.state, self.opened) = (State::Quoted, self.line_ends);
                        at += 1;
                    }
                }
            }
        }
        None
    }

    /// The fault at a place, before which all is right.
    fn fault(&self, before: State, bytes: &[u8], at: usize) -> Fault {
        let mut quoted = before == State::Quoted;
        let (mut cells, mut from) = (0, None);
        for (i, &byte) in bytes[..at].iter().enumerate() {
            // Two quotes within quotes close and open.
            quoted ^= byte == b'"';
            if byte == self.delimiter && !quoted {
                (cells, from) = (cells + 1, Some(i + 1));
            }
        }
        Fault { cells, from, at }
    }

    /// The state behind a byte of a cell without quotes, or at the end of a cell.
    fn behind(&self, byte: u8) -> State {
        let ends = byte == self.delimiter || byte == b'\n' || byte == b'\r';
        if ends { State::StartOfCell } else { State::Unquoted }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether a quote is open at the end, or else the place of the fault: cell by cell.
    fn plain(text: &[u8]) -> Result<bool, usize> {
        let ends_cell = |byte| matches!(byte, b',' | b'\n' | b'\r');
        let mut i = 0;
        loop {
            if text.get(i) == Some(&b'"') {
                i += 1;
                loop {
                    match (text.get(i), text.get(i + 1)) {
                        (None, _) => return Ok(true),
                        (Some(b'"'), Some(b'"')) => i += 2,
                        (Some(b'"'), _) => break,
                        _ => i += 1,
                    }
                }
                i += 1;
            } else {
                while text.get(i).is_some_and(|&byte| !ends_cell(byte)) {
                    if text[i] == b'"' {
                        return Err(i);
                    }
                    i += 1;
                }
            }
            match text.get(i) {
                None => return Ok(false),
                Some(&byte) if ends_cell(byte) => i += 1,
                Some(_) => return Err(i),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn pieces_are_checked_as_the_whole(
            text in "[ab,\"\"\r\n]{0,30}",
            piece in 1_usize..31,
        ) {
            let text = text.as_bytes();
            let mut quotes = Quotes::new(b',');
            let fault = text.chunks(piece).enumerate().find_map(|(i, bytes)| {
                quotes.check(bytes).map(|fault| i * piece + fault.at)
            });
            let found = fault.map_or(Ok(quotes.open().is_some()), Err);
            prop_assert_eq!(found, plain(text));
        }
    }

    #[test]
    fn faults_and_open_quotes_have_their_places() {
        let mut quotes = Quotes::new(b';');
        assert_eq!(
            quotes.check(b"a;\"b\n\n\";c\"d"),
            Some(Fault { cells: 2, from: Some(8), at: 9 })
        );
        assert_eq!((quotes.line_ends(), quotes.open()), (2, None));
        assert_eq!(quotes.end_row(), 2);
        assert_eq!(quotes.check(b"\"x\n\";\"y\n"), None);
        assert_eq!(quotes.open(), Some(1));
        assert_eq!(quotes.check(b"\"z"), Some(Fault { cells: 0, from: None, at: 1 }));
        assert!(quotes.is_behind_quote());
    }
}
