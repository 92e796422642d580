//! The rows of a batch, which are the inputs of the first layer. Each kind of rows has a file, which
//! says how its numbers enter the lists.

mod csr;
mod dense;

pub(crate) use csr::Csr;

use std::{fmt, ops::Range};

use super::{
    VECTORS,
    lists::{Entries, ListWriter},
};
use crate::{abridged::Few, error::Error, simd::Lanes, tensor::MatrixView};

/// Rows of numbers of one kind.
pub(crate) trait Rows: Copy + Sync {
    /// Appends block `b` of a row to the lists of that block.
    fn push<L: Lanes>(self, l: L, row: usize, b: usize, entries: Entries, to: &mut ListWriter<'_>);
    /// Panel `n` of a row, and 0 after the row's end.
    fn panel<L: Lanes>(self, l: L, row: usize, n: usize) -> [L::F; VECTORS];
    /// The columns, ascending, and the values of all numbers of a row that can be other than 0.
    fn entries(self, row: usize) -> impl Iterator<Item = (u32, f32)>;
}

/// Whether the numbers of rows are finite.
pub(crate) trait Finiteness: Rows {
    /// Whether all numbers of all rows are finite.
    fn all_finite(self) -> bool;
    /// The column and the value of the first number of a row that is not finite.
    fn non_finite(self, row: usize) -> Option<(usize, f32)>;
}

/// What is done with the rows of a batch, whatever their kind.
pub(crate) trait RowsVisitor {
    /// The result.
    type Output;
    /// Does it.
    fn visit<R: Rows>(self, rows: R) -> Self::Output;
}

/// The rows of a batch.
#[derive(Clone, Copy)]
pub(crate) struct InputRows<'a> {
    kind: Kind<'a>,
    /// The indices of the rows, if they are not all rows in order.
    chosen: Option<&'a [u32]>,
}

/// The kinds of rows.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Dense(MatrixView<'a>),
    Csr(Csr<'a>),
}

impl<'a> From<MatrixView<'a>> for InputRows<'a> {
    #[inline]
    fn from(rows: MatrixView<'a>) -> Self {
        Self { kind: Kind::Dense(rows), chosen: None }
    }
}

impl<'a> From<Csr<'a>> for InputRows<'a> {
    #[inline]
    fn from(rows: Csr<'a>) -> Self {
        Self { kind: Kind::Csr(rows), chosen: None }
    }
}

impl<'a> InputRows<'a> {
    /// The rows whose indices are in `chosen`, which are known to exist; an earlier choice is forgotten.
    #[inline]
    pub(crate) fn choose<'b>(self, chosen: &'b [u32]) -> InputRows<'b>
    where
        'a: 'b,
    {
        InputRows { chosen: Some(chosen), ..self }
    }

    /// The number of rows.
    #[inline]
    pub(crate) fn rows(&self) -> usize {
        self.chosen.map_or(
            match self.kind {
                Kind::Dense(rows) => rows.rows(),
                Kind::Csr(rows) => rows.rows(),
            },
            <[u32]>::len,
        )
    }

    /// The number of columns.
    #[inline]
    pub(crate) fn columns(&self) -> usize {
        match self.kind {
            Kind::Dense(rows) => rows.columns(),
            Kind::Csr(rows) => rows.width,
        }
    }

    /// The index that a row had before rows were chosen.
    pub(crate) fn index(&self, row: usize) -> usize {
        self.chosen.map_or(row, |chosen| chosen[row] as usize)
    }

    /// The indices of the chosen rows, shortened for `Debug` output.
    pub(crate) fn chosen(&self) -> Option<impl fmt::Debug> {
        self.chosen.map(|chosen| Few(chosen.iter()))
    }

    /// A range of the rows, which exists.
    pub(crate) fn part(self, rows: Range<usize>) -> Self {
        if let Some(chosen) = self.chosen {
            return Self { chosen: Some(&chosen[rows]), ..self };
        }
        let kind = match self.kind {
            Kind::Dense(all) => Kind::Dense(all.part(rows)),
            Kind::Csr(all) => Kind::Csr(all.part(rows)),
        };
        Self { kind, ..self }
    }

    /// The rows, if they are dense.
    #[inline]
    pub(crate) fn dense(self) -> Option<Chosen<'a, MatrixView<'a>>> {
        match self.kind {
            Kind::Dense(rows) => Some(Chosen { rows, chosen: self.chosen }),
            Kind::Csr(_) => None,
        }
    }

    /// Whether the rows are sparse.
    #[inline]
    pub(crate) fn is_sparse(&self) -> bool {
        matches!(self.kind, Kind::Csr(_))
    }

    /// The number of entries of all rows, and of the longest.
    pub(crate) fn count(self) -> EntryCount {
        self.dispatch(Count(self.rows()))
    }

    /// Calls the visitor with the rows of this kind.
    #[inline]
    pub(crate) fn dispatch<V: RowsVisitor>(self, visitor: V) -> V::Output {
        match self.kind {
            Kind::Dense(rows) => visitor.visit(Chosen { rows, chosen: self.chosen }),
            Kind::Csr(rows) => visitor.visit(Chosen { rows, chosen: self.chosen }),
        }
    }

    /// Checks that all numbers are finite.
    ///
    /// # Errors
    /// Names the first number that is not, by its row and column.
    #[inline]
    pub(crate) fn check_finite(self) -> Result<(), Error> {
        match self.kind {
            Kind::Dense(rows) => Chosen { rows, chosen: self.chosen }.check_finite(self.rows()),
            Kind::Csr(rows) => Chosen { rows, chosen: self.chosen }.check_finite(self.rows()),
        }
    }
}

impl fmt::Debug for InputRows<'_> {
    /// Shows the first few numbers of the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Dense(rows) => rows.fmt(f),
            Kind::Csr(rows) => rows.fmt(f),
        }
    }
}

/// Rows of one kind, or those of them that were chosen.
#[derive(Clone, Copy)]
pub(crate) struct Chosen<'a, R> {
    rows: R,
    chosen: Option<&'a [u32]>,
}

impl<R> Chosen<'_, R> {
    #[inline(always)]
    fn index(&self, row: usize) -> usize {
        self.chosen.map_or(row, |chosen| chosen[row] as usize)
    }
}

impl<'a> Chosen<'_, MatrixView<'a>> {
    /// The number of rows.
    #[inline(always)]
    pub(crate) fn rows(&self) -> usize {
        self.chosen.map_or(self.rows.rows(), <[u32]>::len)
    }

    /// A row that is known to exist.
    #[inline(always)]
    pub(crate) fn at(&self, row: usize) -> &'a [f32] {
        self.rows.at(self.index(row))
    }
}

/// The number of numbers that can be other than 0.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EntryCount {
    /// Of all rows.
    pub all: usize,
    /// Of the row that has the most.
    pub longest: usize,
}

/// Counts the entries of so many rows.
struct Count(usize);

impl RowsVisitor for Count {
    type Output = EntryCount;

    fn visit<R: Rows>(self, rows: R) -> EntryCount {
        let mut count = EntryCount::default();
        for row in 0..self.0 {
            let entries = rows.entries(row).count();
            count.all += entries;
            count.longest = count.longest.max(entries);
        }
        count
    }
}

impl<S: Finiteness> Chosen<'_, S> {
    /// Checks that the numbers of `rows` rows are finite.
    #[inline]
    fn check_finite(self, rows: usize) -> Result<(), Error> {
        if self.chosen.is_some() || !self.rows.all_finite() {
            for row in 0..rows {
                if let Some((column, value)) = self.rows.non_finite(self.index(row)) {
                    return Err(Error::NonFinite { what: "input", row, column, value });
                }
            }
        }
        Ok(())
    }
}

impl<R: Rows> Rows for Chosen<'_, R> {
    #[inline(always)]
    fn push<L: Lanes>(self, l: L, row: usize, b: usize, entries: Entries, to: &mut ListWriter<'_>) {
        self.rows.push(l, self.index(row), b, entries, to);
    }

    #[inline(always)]
    fn panel<L: Lanes>(self, l: L, row: usize, n: usize) -> [L::F; VECTORS] {
        self.rows.panel(l, self.index(row), n)
    }

    #[inline(always)]
    fn entries(self, row: usize) -> impl Iterator<Item = (u32, f32)> {
        self.rows.entries(self.index(row))
    }
}

#[cfg(test)]
mod tests;
