//! Batches: the rows of one training step or one prediction.

use std::fmt;

use crate::{
    abridged::Few,
    error::{Error, below, same_size},
    tensor::MatrixView,
};

/// Some rows of inputs. The first row's index in the global batch names the
/// rows' mask streams, so that a batch may be split without changing them.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    rows: MatrixView<'a>,
    chosen: Option<&'a [u32]>,
    first_row: u64,
}

impl fmt::Debug for Batch<'_> {
    /// The first few numbers of the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, chosen, first_row } = self;
        f.debug_struct("Batch")
            .field("rows", rows)
            .field("chosen", &chosen.map(|chosen| Few(chosen.iter())))
            .field("first_row", first_row)
            .finish()
    }
}

impl<'a> Batch<'a> {
    /// All rows of a dense matrix.
    pub fn dense(rows: MatrixView<'a>) -> Self {
        Self { rows, chosen: None, first_row: 0 }
    }

    /// The rows of a dense matrix that `chosen` names, in that order; nothing
    /// is copied.
    ///
    /// # Errors
    /// There is no such row.
    pub fn gather(rows: MatrixView<'a>, chosen: &'a [u32]) -> Result<Self, Error> {
        for &row in chosen {
            below("row of a batch", rows.rows(), row as usize)?;
        }
        Ok(Self { rows, chosen: Some(chosen), first_row: 0 })
    }

    /// The same rows, the first of which is row `first_row` of the global
    /// batch; 0 where this is not called. The row after row 2^64 - 1 is row 0.
    #[must_use]
    pub fn starting_at(self, first_row: u64) -> Self {
        Self { first_row, ..self }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.chosen.map_or(self.rows.rows(), <[u32]>::len)
    }

    /// How many columns.
    pub fn columns(&self) -> usize {
        self.rows.columns()
    }

    /// The first row's index in the global batch.
    pub fn first_row(&self) -> u64 {
        self.first_row
    }

    /// A row that is known to exist.
    #[inline]
    pub(crate) fn at(&self, row: usize) -> &'a [f32] {
        self.rows.at(self.chosen.map_or(row, |chosen| chosen[row] as usize))
    }

    /// Whether a network with `inputs` inputs can take it.
    pub(crate) fn check(&self, inputs: usize, finite: bool) -> Result<(), Error> {
        same_size("columns of a batch", inputs, self.columns())?;
        if finite {
            for row in 0..self.rows() {
                let x = self.at(row);
                // One pass without branches; the search only where it found one.
                if x.iter().fold(false, |bad, x| bad | !x.is_finite())
                    && let Some(column) = x.iter().position(|x| !x.is_finite())
                {
                    let value = x[column];
                    return Err(Error::NonFinite { what: "input", row, column, value });
                }
            }
        }
        Ok(())
    }
}
