//! The code path that a layer's products take, and the thresholds behind the choice.
//! docs/PERFORMANCE.md has the measurements.

use std::fmt;

/// The number of rows whose accumulators go through a panel's tiles together: 128 rows
/// of 64 floats are 32 KiB.
pub(super) const ROWS: usize = 128;

/// Rows per task if the output layer has a single panel.
pub(super) const OUTPUT_ROWS: usize = 32;

/// The next tile is prefetched for batches of at least this many rows; smaller ones
/// touch too few of its cache lines.
const MANY_ROWS: usize = 8;

/// The number of outputs that fit in one vector.
pub(super) const ONE_VECTOR: usize = crate::simd::LANES;

/// The most units of a layer whose inputs are a row by itself: see [`super::row`].
pub(super) const ROW_WIDTH: usize = 256;

/// The most rows of a batch that go through a network one by one, and the most multiply-adds that
/// they make. Beyond this, the lists of several rows share the loads of a tile's weights, which is
/// faster.
const ONE_BY_ONE: usize = 8;
const ONE_BY_ONE_MULTIPLY_ADDS: usize = 1 << 16;

/// The largest batch whose rows go through a network one by one, given its widest layer (or input)
/// and its number of parameters.
pub(crate) fn rows_one_by_one(widest: usize, parameters: usize) -> usize {
    let rows = (ONE_BY_ONE_MULTIPLY_ADDS / parameters.max(1)).min(ONE_BY_ONE);
    if widest <= ROW_WIDTH { rows } else { 0 }
}

/// How the products of a layer traverse their operands. The path affects only speed:
/// all paths sum in the same order, so their results are bitwise identical.
///
/// ```
/// use thinnet::profile::ProductPath;
///
/// assert_eq!(ProductPath::FewRows.to_string(), "few rows");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProductPath {
    /// The active lists of all rows are multiplied with tiles of 64 inputs by 64 outputs,
    /// one tile at a time, while the next tile is prefetched.
    Lists,
    /// The same for a batch of few rows, which touch only part of a tile, without
    /// prefetching.
    FewRows,
    /// At most 16 outputs, as in a classifier of few classes: the forward pass computes only one
    /// vector of each tile row, and the backward pass has inputs in the lanes of its vectors.
    Narrow,
}

impl ProductPath {
    /// The path for a layer with this many outputs and a batch of this many rows.
    pub(crate) fn of(rows: usize, outputs: usize) -> Self {
        if outputs <= ONE_VECTOR {
            Self::Narrow
        } else if rows < MANY_ROWS {
            Self::FewRows
        } else {
            Self::Lists
        }
    }

    /// The name used in reports: `lists`, `few rows` or `narrow`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lists => "lists",
            Self::FewRows => "few rows",
            Self::Narrow => "narrow",
        }
    }
}

impl fmt::Display for ProductPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for ProductPath {
    /// Serializes the name.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
