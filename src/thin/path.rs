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
const MANY_ROWS: usize = 16;

/// The number of outputs that fit in one vector.
pub(super) const ONE_VECTOR: usize = crate::simd::LANES;

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
