//! Tables: rows of named columns, whose cells are text.
//!
//! [`Csv`] reads a [`Table`] from a CSV file. A [`Preprocessor`] is fitted to the training rows, and turns
//! rows into the inputs of a network.

mod categorical;
mod cell;
mod csv;
mod json;
mod kind;
mod numeric;
mod preprocessor;
mod quotes;
mod stored;

use std::{collections::HashSet, fmt, path::PathBuf};

pub use categorical::MAX_CATEGORIES;
pub use cell::MISSING;
pub use csv::{Csv, MAX_ROW_BYTES};
pub use json::MAX_JSON;
pub use kind::ColumnKind;
pub use numeric::Fill;
pub use preprocessor::{FittedColumn, MAX_OUTPUTS, Preprocessor, PreprocessorBuilder};

use crate::{
    error::{Error, at_most, below, same_size},
    memory::{push, reserve, reserve_more},
};

/// Rows of cells under named columns. A cell is text; an empty one is missing.
///
/// Memory: the text of the cells, 4 bytes per cell and 16 per row; up to three times as much while
/// rows are added, because lists double and some of the old and the new memory exist at once.
///
/// ```
/// use thinnet::data::table::Table;
///
/// let mut table = Table::new(["age", "city"])?;
/// table.push_row(["31", "Oslo"])?;
/// table.push_row(["", "Bergen"])?;
/// assert_eq!((table.rows(), table.names()), (2, &["age".to_owned(), "city".to_owned()][..]));
/// let city = table.column("city")?;
/// assert_eq!(table.cell(1, city)?, "Bergen");
///
/// let error = table.push_row(["1"]).unwrap_err().to_string();
/// assert_eq!(error, "cells of a table's row: expected 2, got 1");
/// let error = table.column("town").unwrap_err().to_string();
/// assert_eq!(error, "no column `town`: expected one of `age`, `city`");
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Table {
    /// The file that it was read from, for errors.
    path: Option<PathBuf>,
    names: Vec<String>,
    /// The cells, row by row.
    text: String,
    /// Where each cell ends, counted from the start of its row.
    ends: Vec<u32>,
    rows: Vec<Row>,
}

/// Where a row is.
#[derive(Clone, Copy, PartialEq)]
struct Row {
    /// The start of its text.
    start: usize,
    /// The line of the file on which it starts, from 1; 0 if it is not from a file.
    line: u64,
}

impl Table {
    /// Makes a table without rows.
    ///
    /// # Errors
    /// There are no columns, a name is empty, or two are equal.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        check_names(&names).map_err(|reason| Error::format(None, reason))?;
        let (text, ends, rows) = (String::new(), Vec::new(), Vec::new());
        Ok(Self { path: None, names, text, ends, rows })
    }

    /// Adds a row with one cell per column.
    ///
    /// # Errors
    /// The number of cells is wrong, they have more than [`MAX_ROW_BYTES`] bytes in total, or there is not
    /// enough memory. The row is then not added.
    pub fn push_row<S: AsRef<str>>(
        &mut self,
        cells: impl IntoIterator<Item = S>,
    ) -> Result<(), Error> {
        self.push(cells.into_iter())
    }

    fn push<S: AsRef<str>>(&mut self, cells: impl Iterator<Item = S>) -> Result<(), Error> {
        let (start, first) = (self.text.len(), self.ends.len());
        let pushed = self.push_cells(cells).and_then(|()| {
            same_size("cells of a table's row", self.names.len(), self.ends.len() - first)?;
            push("rows of a table", &mut self.rows, Row { start, line: 0 })
        });
        if pushed.is_err() {
            self.text.truncate(start);
            self.ends.truncate(first);
        }
        pushed
    }

    fn push_cells<S: AsRef<str>>(&mut self, cells: impl Iterator<Item = S>) -> Result<(), Error> {
        let start = self.text.len();
        for cell in cells {
            let cell = cell.as_ref();
            let end = self.text.len() - start + cell.len();
            let what = "bytes of a table's row";
            at_most(what, MAX_ROW_BYTES, end)?;
            let too_large = |_| Error::TooLarge { what: "text of a table", shape: [1, end] };
            self.text.try_reserve(cell.len()).map_err(too_large)?;
            reserve_more("cells of a table", &mut self.ends, 1)?;
            self.text.push_str(cell);
            self.ends.push(end as u32);
        }
        Ok(())
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The names of the columns, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The index of a column.
    ///
    /// # Errors
    /// No column has this name.
    pub fn column(&self, name: &str) -> Result<usize, Error> {
        self.names.iter().position(|of| of == name).ok_or_else(|| self.no_column(name))
    }

    /// A cell.
    ///
    /// # Errors
    /// There is no such row or column.
    pub fn cell(&self, row: usize, column: usize) -> Result<&str, Error> {
        below("row of a table", self.rows(), row)?;
        below("column of a table", self.names.len(), column)?;
        Ok(self.at(row, column))
    }

    /// A copy of some rows, in this order; a row may occur several times. Errors in the copy name the lines
    /// of the file, as those in the table do.
    ///
    /// # Errors
    /// There is no such row, or not enough memory.
    pub fn copy_rows(&self, rows: &[usize]) -> Result<Self, Error> {
        let mut bytes = 0_usize;
        for &row in rows {
            below("row of a table", self.rows(), row)?;
            bytes = bytes.saturating_add(self.row_text(row).len());
        }
        let columns = self.names.len();
        let mut copy = Self::new(self.names.iter().cloned())?;
        copy.path.clone_from(&self.path);
        let too_large = |_| Error::TooLarge { what: "text of a table", shape: [1, bytes] };
        copy.text.try_reserve_exact(bytes).map_err(too_large)?;
        copy.ends = reserve("cells of a table", rows.len().saturating_mul(columns))?;
        copy.rows = reserve("rows of a table", rows.len())?;
        for &row in rows {
            copy.rows.push(Row { start: copy.text.len(), line: self.rows[row].line });
            copy.text.push_str(self.row_text(row));
            copy.ends.extend_from_slice(&self.ends[row * columns..][..columns]);
        }
        Ok(copy)
    }

    /// A cell that exists.
    fn at(&self, row: usize, column: usize) -> &str {
        let place = row * self.names.len() + column;
        let start = if column == 0 { 0 } else { self.ends[place - 1] };
        &self.text[self.rows[row].start..][start as usize..self.ends[place] as usize]
    }

    /// The cells of a row, one after the other.
    fn row_text(&self, row: usize) -> &str {
        let end = self.ends[(row + 1) * self.names.len() - 1];
        &self.text[self.rows[row].start..][..end as usize]
    }

    /// Where a row is, for errors: the line of the file, or else the row.
    fn place(&self, row: usize) -> String {
        match self.rows[row].line {
            0 => format!("row {row}: "),
            line => format!("line {line}: "),
        }
    }

    /// An error in the table's cells.
    fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::format(self.path.as_deref(), reason)
    }

    fn no_column(&self, name: &str) -> Error {
        /// The number of names that are listed.
        const LISTED: usize = 10;
        let listed: Vec<String> =
            self.names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
        let more = if self.names.len() > LISTED { ", ..." } else { "" };
        self.refuse(format!("no column `{name}`: expected one of {}{more}", listed.join(", ")))
    }
}

impl fmt::Debug for Table {
    /// Shows the columns and the number of rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("names", &self.names).field("rows", &self.rows()).finish()
    }
}

/// Checks the names of columns. The error is the reason.
fn check_names(names: &[String]) -> Result<(), String> {
    if names.is_empty() {
        return Err("a table without columns: expected at least one".to_owned());
    }
    let mut seen = HashSet::new();
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!(
                "column {} has an empty name: expected a name for every column (in R: \
                 write.csv(..., row.names = FALSE))",
                i + 1
            ));
        }
        if !seen.insert(name) {
            return Err(format!("two columns are named `{name}`: expected different names"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["a", "b"]).unwrap();
        for row in [["1", "é"], ["", "xyz"], ["3", ""]] {
            table.push_row(row).unwrap();
        }
        table
    }

    fn cells(table: &Table) -> Vec<Vec<&str>> {
        let columns = table.names().len();
        (0..table.rows())
            .map(|row| (0..columns).map(|column| table.cell(row, column).unwrap()).collect())
            .collect()
    }

    #[test]
    fn cells_are_found_by_row_and_column() {
        let table = table();
        assert_eq!(cells(&table), [["1", "é"], ["", "xyz"], ["3", ""]]);
        let words = |error: Error| error.to_string();
        assert_eq!(
            words(table.cell(3, 0).unwrap_err()),
            "row of a table: expected an index below 3, got 3"
        );
        assert_eq!(
            words(table.cell(0, 2).unwrap_err()),
            "column of a table: expected an index below 2, got 2"
        );
        let copy = table.copy_rows(&[2, 0, 2]).unwrap();
        assert_eq!(cells(&copy), [["3", ""], ["1", "é"], ["3", ""]]);
        assert!(table.copy_rows(&[0, 3]).is_err());
        assert_eq!(format!("{table:?}"), "Table { names: [\"a\", \"b\"], rows: 3 }");
    }

    #[test]
    fn a_refused_row_leaves_nothing() {
        let mut table = table();
        let before = table.clone();
        table.push_row(["1", "2", "3"]).unwrap_err();
        table.push_row(["1"]).unwrap_err();
        let long = "x".repeat(MAX_ROW_BYTES);
        let error = table.push_row(["1", &long]).unwrap_err().to_string();
        assert_eq!(error, "bytes of a table's row: expected at most 8388608, got 8388609");
        assert!(table == before);
        table.push_row(["", &long]).unwrap();
        assert_eq!(table.cell(3, 1).unwrap().len(), MAX_ROW_BYTES);
    }

    #[test]
    fn names_are_checked() {
        let refused = |names: &[&str]| Table::new(names.iter().copied()).unwrap_err().to_string();
        assert_eq!(refused(&[]), "a table without columns: expected at least one");
        assert!(refused(&["a", ""]).starts_with("column 2 has an empty name: expected a name"));
        assert_eq!(
            refused(&["a", "b", "a"]),
            "two columns are named `a`: expected different names"
        );
    }
}
