//! The preprocessor: from the cells of a table to the inputs of a network.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{
    ColumnKind, Fill, MAX_CATEGORIES, Table,
    categorical::{Categorical, Counts},
    cell::present,
    numeric::{MAX_BINS, Numeric},
};
use crate::{
    data::CsrMatrix,
    error::{Error, at_most},
    memory::{push, reserve},
};

/// The most outputs of a preprocessor.
pub const MAX_OUTPUTS: usize = 1 << 24;

/// What turns the rows of a table into inputs of a network: numbers are standardised and spread over bins,
/// categories become one entry each, missing cells are filled in and marked. It is fitted to training rows
/// only, and then applied to any rows.
///
/// **Numbers** x (kinds [`Numeric`](ColumnKind::Numeric), [`Log`](ColumnKind::Log) and
/// [`Date`](ColumnKind::Date)). The mean, the standard deviation and the quantiles are those of the
/// training rows in which the number is present. The outputs are
/// - (x - mean) / deviation, with the deviation of the population (division by n), as in scikit-learn's
///   `StandardScaler`; 0 if all training rows have the same number.
/// - The piecewise-linear encoding of x in T bins (Gorishniy et al. 2022, *On Embeddings for Numerical
///   Features in Tabular Deep Learning*, equation 1). The edges b₀ < b₁ < ... are the quantiles t/T, t = 0
///   to T, interpolated linearly, without duplicates. Bin t has the output
///   e_t = 0 if x < b_(t-1) and t > 1; 1 if x ≥ b_t and t < T; otherwise
///   (x - b_(t-1)) / (b_t - b_(t-1)). It is left out if there are fewer than two bins.
/// - 1 if x is missing, otherwise 0. This output exists if x is missing in a training row. A missing x is
///   filled in by the median or the mean, for the other outputs.
///
/// Before that, x is clipped to the mean plus and minus six deviations: see
/// [`clip`](PreprocessorBuilder::clip).
///
/// **Categories** have one output each, of which one is 1. Names are compared byte by byte, without the
/// blanks around them.
/// - A category that too few training rows have (see
///   [`min_rows`](PreprocessorBuilder::min_rows)) shares the output "other" with all of its kind, and with
///   categories that the training rows do not have.
/// - A missing cell has an output of its own.
/// - Either of these outputs exists if a training row has it. Otherwise, its weights would never be
///   trained. A missing cell then counts as another category, and without "other", all outputs of
///   the column are 0, as in scikit-learn's `handle_unknown="infrequent_if_exist"`.
///
/// **Missing** are cells that are one of [`MISSING`](super::MISSING).
///
/// **Columns are found by name.** In the rows to which the preprocessor is applied, the order of columns
/// does not matter, and further columns are ignored, as with scikit-learn's `ColumnTransformer` on data
/// frames and R's `predict`. A column that is not there is an error, not a missing value. A number that is
/// not a number, is infinite or has a decimal comma is an error with its line, its column and its text.
///
/// The outputs are sparse rows ([`CsrMatrix`]): a category costs one entry, and so does each bin up to that
/// of x. A network trains on them to the bit as on the same dense rows.
///
/// The order of the training rows does not change the preprocessor. Each row is encoded on its own.
///
/// ```
/// use thinnet::data::table::{Csv, Preprocessor};
///
/// let training = Csv::new().from_bytes(b"age,city\n20,Oslo\n40,Oslo\n,Bergen\n60,Bergen\n")?;
/// let preprocessor = Preprocessor::builder().bins(2).min_rows(1).fit(&training)?;
/// assert_eq!(
///     preprocessor.output_names(),
///     ["age", "age: bin 1", "age: bin 2", "age: missing", "city=Bergen", "city=Oslo"]
/// );
/// let rows = preprocessor.transform(&training)?;
/// assert_eq!(rows.columns(), preprocessor.outputs());
/// // Age 40 is the mean, and the end of the first bin.
/// assert_eq!(rows.view().row(1)?, (&[1, 5][..], &[1.0, 1.0][..]));
///
/// let row = preprocessor.transform_record([("city", "Oslo"), ("age", "50"), ("name", "A")])?;
/// assert_eq!(row.view().row(0)?.0, [0, 1, 2, 5]);
/// let error = preprocessor.transform_record([("city", "Oslo")]).unwrap_err().to_string();
/// assert_eq!(error, "no column `age`, on which the preprocessor was fitted");
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Preprocessor {
    columns: Vec<FittedColumn>,
    /// The first output of each column, and the number of outputs.
    firsts: Vec<u32>,
}

/// The serialised form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    columns: Vec<FittedColumn>,
}

/// A column of the training rows, and what was found in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedColumn {
    name: String,
    kind: ColumnKind,
    encoder: Encoder,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Encoder {
    Numbers(Numeric),
    Names(Categorical),
    None {},
}

impl FittedColumn {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind: the one that was stated, or else the one that was found.
    pub fn kind(&self) -> ColumnKind {
        self.kind
    }

    /// The number of outputs; 0 for an ignored column.
    pub fn outputs(&self) -> usize {
        match &self.encoder {
            Encoder::Numbers(numbers) => numbers.width(),
            Encoder::Names(names) => names.width(),
            Encoder::None {} => 0,
        }
    }

    /// Whether the column says nothing about a row: all numbers that are present, or all categories, are the
    /// same in the training rows. A number's output is then always 0.
    pub fn is_constant(&self) -> bool {
        match &self.encoder {
            Encoder::Numbers(numbers) => numbers.is_constant(),
            Encoder::Names(names) => names.is_constant(),
            Encoder::None {} => false,
        }
    }

    /// The categories with an output of their own, in ascending order; empty for other kinds.
    pub fn categories(&self) -> &[String] {
        match &self.encoder {
            Encoder::Names(names) => names.categories(),
            _ => &[],
        }
    }

    fn check(&self) -> Result<(), String> {
        use ColumnKind::{Categorical, Date, Ignored, Log, Numeric};
        match (&self.encoder, self.kind) {
            (Encoder::Numbers(numbers), Numeric | Log | Date) => numbers.check(),
            (Encoder::Names(names), Categorical) => names.check(),
            (Encoder::None {}, Ignored) => Ok(()),
            (_, kind) => Err(format!("kind {kind:?}: expected the kind of what is stored for it")),
        }
    }
}

/// The settings of a [`Preprocessor`], which [`fit`](Self::fit) makes.
#[derive(Clone, Debug, PartialEq)]
pub struct PreprocessorBuilder {
    kinds: BTreeMap<String, ColumnKind>,
    fill: Fill,
    bins: usize,
    min_rows: usize,
    max_categories: usize,
    clip: Option<f64>,
}

impl Default for PreprocessorBuilder {
    fn default() -> Self {
        let (bins, min_rows, max_categories) = (16, 3, 1000);
        let (kinds, fill, clip) = (BTreeMap::new(), Fill::default(), Some(6.0));
        Self { kinds, fill, bins, min_rows, max_categories, clip }
    }
}

impl PreprocessorBuilder {
    /// States the kind of a column. By default, the kind is found in the training rows: a column of numbers
    /// is numeric, one of dates has dates, one without any present cell is ignored, and all others have
    /// categories. State the kind of categories that are numbers, and ignore the targets.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>, kind: ColumnKind) -> Self {
        self.kinds.insert(name.into(), kind);
        self
    }

    /// Sets what takes the place of a missing number: the median by default.
    #[must_use]
    pub fn fill(self, fill: Fill) -> Self {
        Self { fill, ..self }
    }

    /// Sets the number of bins of the piecewise-linear encoding, at most 256: 16 by default. 0 turns it
    /// off.
    #[must_use]
    pub fn bins(self, bins: usize) -> Self {
        Self { bins, ..self }
    }

    /// Sets how many training rows must have a category for an output of its own: 3 by default.
    #[must_use]
    pub fn min_rows(self, rows: usize) -> Self {
        Self { min_rows: rows, ..self }
    }

    /// Sets the most categories of a column with outputs of their own: those that most training rows have,
    /// and of equally frequent ones the first by name. 1000 by default.
    #[must_use]
    pub fn max_categories(self, categories: usize) -> Self {
        Self { max_categories: categories, ..self }
    }

    /// Sets how many deviations from the mean numbers are clipped to: 6 by default. `None` turns it off.
    #[must_use]
    pub fn clip(self, deviations: Option<f64>) -> Self {
        Self { clip: deviations, ..self }
    }

    /// Fits a preprocessor to training rows.
    ///
    /// Columns are fitted one after the other. Beside the table and the result, this takes 8 bytes per
    /// row, or some 60 per distinct text of a column of categories. The time is O(n log n) for n rows.
    ///
    /// # Errors
    /// - A setting is out of range, or the kind of a column is stated that does not exist.
    /// - There are no rows, or no column is left that is not ignored.
    /// - A cell is not a number or a date, as its column's kind requires; or such a column has no cell that
    ///   is present. The error has the line, the column and the text.
    /// - There are more than [`MAX_OUTPUTS`] outputs, or there is not enough memory.
    pub fn fit(&self, training: &Table) -> Result<Preprocessor, Error> {
        self.check()?;
        if training.rows() == 0 {
            return Err(Error::Zero { what: "training rows of a table", expected: "at least 1" });
        }
        self.kinds.keys().try_for_each(|name| training.column(name).map(drop))?;
        let mut columns = reserve("columns of a table", training.names().len())?;
        for index in 0..training.names().len() {
            columns.push(self.fit_column(training, index)?);
        }
        Preprocessor::new(columns).map_err(|reason| training.refuse(reason))
    }

    fn check(&self) -> Result<(), Error> {
        at_most("bins of a column of numbers", MAX_BINS, self.bins)?;
        at_most("categories of a column", MAX_CATEGORIES, self.max_categories)?;
        if self.min_rows == 0 {
            return Err(Error::Zero {
                what: "training rows of a category",
                expected: "at least 1",
            });
        }
        match self.clip {
            Some(value) if !(value > 0.0 && value <= 1e6) => {
                let (what, expected) = ("clip", "a number of deviations above 0 and at most 1e6");
                Err(Error::OutOfRange { what, value, expected })
            }
            _ => Ok(()),
        }
    }

    fn fit_column(&self, training: &Table, index: usize) -> Result<FittedColumn, Error> {
        let name = &training.names()[index];
        let stated = self.kinds.get(name).copied();
        let kind = stated.unwrap_or_else(|| ColumnKind::of_column(training, index));
        let cells = (0..training.rows()).map(|row| present(training.at(row, index)));
        let encoder = match kind {
            ColumnKind::Ignored => Encoder::None {},
            ColumnKind::Categorical => {
                let mut counts = Counts::default();
                for cell in cells {
                    counts.count(cell)?;
                }
                Encoder::Names(counts.fit(self.min_rows, self.max_categories))
            }
            ColumnKind::Numeric | ColumnKind::Log | ColumnKind::Date => {
                let mut numbers = Vec::new();
                for (row, cell) in cells.enumerate() {
                    if let Some(cell) = cell {
                        let x = kind.number(cell).map_err(|expected| {
                            let place = training.place(row);
                            let other = match stated {
                                Some(_) => "",
                                None => ", or the column stated as categorical",
                            };
                            training
                                .refuse(format!("{place}{}{other}", unfit(name, cell, expected)))
                        })?;
                        push("numbers of a column", &mut numbers, x)?;
                    }
                }
                if numbers.is_empty() {
                    return Err(training.refuse(format!(
                        "column `{name}` has no value in any training row: expected at least one, or that \
                         the column is ignored"
                    )));
                }
                let missing = numbers.len() < training.rows();
                Encoder::Numbers(Numeric::fit(
                    &mut numbers,
                    missing,
                    self.fill,
                    self.bins,
                    self.clip,
                ))
            }
        };
        Ok(FittedColumn { name: name.clone(), kind, encoder })
    }
}

impl Preprocessor {
    /// The default settings, which can be changed before [`fit`](PreprocessorBuilder::fit).
    pub fn builder() -> PreprocessorBuilder {
        PreprocessorBuilder::default()
    }

    /// Checks the columns, of which the names may be equal in a hostile file. The error is the reason.
    fn new(columns: Vec<FittedColumn>) -> Result<Self, String> {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        super::check_names(&names)?;
        let mut firsts = vec![0];
        let mut outputs = 0;
        for column in &columns {
            column.check().map_err(|reason| format!("column `{}`: {reason}", column.name))?;
            outputs += column.outputs();
            if outputs > MAX_OUTPUTS {
                return Err(format!(
                    "the columns up to `{}` have {outputs} outputs: expected at most {MAX_OUTPUTS}",
                    column.name
                ));
            }
            firsts.push(outputs as u32);
        }
        if outputs == 0 {
            return Err(
                "no column has outputs: expected at least one that is not ignored".to_owned()
            );
        }
        Ok(Self { columns, firsts })
    }

    /// The number of outputs: the number of inputs of the network.
    pub fn outputs(&self) -> usize {
        self.firsts[self.columns.len()] as usize
    }

    /// The columns of the training rows, in their order, the ignored ones included.
    pub fn columns(&self) -> &[FittedColumn] {
        &self.columns
    }

    /// The names of the outputs: `age` for a standardised number, `age: bin 3`, `city=Oslo`,
    /// `city: other`, `age: missing`.
    pub fn output_names(&self) -> Vec<String> {
        let of_column = |column: &FittedColumn| -> Vec<String> {
            let name = |output| match &column.encoder {
                Encoder::Numbers(numbers) => numbers.output_name(&column.name, output),
                Encoder::Names(names) => names.output_name(&column.name, output),
                Encoder::None {} => String::new(),
            };
            (0..column.outputs()).map(name).collect()
        };
        self.columns.iter().flat_map(of_column).collect()
    }

    /// The rows of a table as inputs of a network.
    ///
    /// # Errors
    /// A column is not there; a cell is not a number or a date, as its column's kind requires; a number is
    /// so far from those of the training rows that an output would be infinite, which needs
    /// [`clip(None)`](PreprocessorBuilder::clip); or there is not enough memory.
    pub fn transform(&self, table: &Table) -> Result<CsrMatrix, Error> {
        let places: HashMap<&str, usize> =
            table.names().iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
        let used = self.used_columns();
        let mut columns = reserve("columns of a table", self.columns.len())?;
        for (column, first) in used {
            let place = places.get(column.name.as_str()).copied();
            let place = place.ok_or_else(|| table.refuse(absent(&column.name)))?;
            columns.push((column, first, place));
        }
        let mut rows = CsrMatrix::builder(self.outputs());
        let mut entries = Vec::new();
        for row in 0..table.rows() {
            entries.clear();
            for &(column, first, place) in &columns {
                column
                    .encode(table.at(row, place), first, &mut entries)
                    .map_err(|reason| table.refuse(format!("{}{reason}", table.place(row))))?;
            }
            rows.push_row(entries.iter().copied())?;
        }
        Ok(rows.finish())
    }

    /// One row, given as pairs of column name and cell, as the inputs of a network.
    ///
    /// # Errors
    /// As for [`Self::transform`]; or a column occurs twice.
    pub fn transform_record<'r>(
        &self,
        record: impl IntoIterator<Item = (&'r str, &'r str)>,
    ) -> Result<CsrMatrix, Error> {
        let refuse = |reason: String| Error::format(None, reason);
        let mut cells = HashMap::new();
        for (name, cell) in record {
            if cells.insert(name, cell).is_some() {
                return Err(refuse(format!("column `{name}` occurs twice: expected it once")));
            }
        }
        let mut entries = Vec::new();
        for (column, first) in self.used_columns() {
            let cell = cells.get(column.name.as_str());
            let cell = cell.ok_or_else(|| refuse(absent(&column.name)))?;
            column.encode(cell, first, &mut entries).map_err(refuse)?;
        }
        let mut rows = CsrMatrix::builder(self.outputs());
        rows.push_row(entries)?;
        Ok(rows.finish())
    }

    /// The columns that are not ignored, and the first output of each.
    fn used_columns(&self) -> impl Iterator<Item = (&FittedColumn, u32)> {
        let firsts = self.firsts.iter().copied();
        self.columns.iter().zip(firsts).filter(|(column, _)| column.kind != ColumnKind::Ignored)
    }
}

impl FittedColumn {
    /// Appends the entries of a cell, in ascending order. The error is the reason.
    #[inline]
    fn encode(&self, cell: &str, first: u32, entries: &mut Vec<(u32, f32)>) -> Result<(), String> {
        let cell = present(cell);
        match &self.encoder {
            Encoder::Numbers(numbers) => {
                let x = cell.map(|cell| {
                    self.kind.number(cell).map_err(|expected| unfit(&self.name, cell, expected))
                });
                let put = |output, value| entries.push((first + output as u32, value));
                if !numbers.encode(x.transpose()?, put) {
                    let expected = "expected a number nearer to those of the training rows";
                    return Err(unfit(&self.name, cell.unwrap_or_default(), expected));
                }
            }
            Encoder::Names(names) => {
                entries.extend(names.encode(cell).map(|output| (first + output as u32, 1.0)));
            }
            Encoder::None {} => {}
        }
        Ok(())
    }
}

impl TryFrom<Stored> for Preprocessor {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        Self::new(stored.columns)
    }
}

impl From<Preprocessor> for Stored {
    fn from(from: Preprocessor) -> Self {
        Self { columns: from.columns }
    }
}

/// A cell that does not fit its column.
fn unfit(name: &str, cell: &str, expected: &str) -> String {
    let start: String = cell.chars().take(40).collect();
    let more = if start.len() < cell.len() { "..." } else { "" };
    format!("column `{name}`: {start:?}{more}: {expected}")
}

fn absent(name: &str) -> String {
    format!("no column `{name}`, on which the preprocessor was fitted")
}
