//! Which path a layer's products take, in one place, and the numbers behind the
//! choice: docs/PERFORMANCE.md has the measurements.

use std::fmt;

/// Rows whose accumulators pass a panel's tiles together: 128 rows of 64 floats
/// are 32 KiB.
pub(super) const ROWS: usize = 128;

/// Rows of a task where the output layer has a single panel.
pub(super) const OUTPUT_ROWS: usize = 32;

/// The next tile is prefetched from this many rows on: smaller batches touch too few
/// of its cache lines.
const MANY_ROWS: usize = 16;

/// Outputs that one vector holds.
const ONE_VECTOR: usize = crate::simd::LANES;

/// How the products of a layer go over their operands. A path is a matter of
/// speed: all add up in the same order, so they give the same bits.
///
/// ```
/// use thinnet::profile::ProductPath;
///
/// assert_eq!(ProductPath::FewRows.to_string(), "few rows");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProductPath {
    /// The rows' active lists pass tiles of 64 inputs and 64 outputs; the next
    /// tile is fetched meanwhile.
    Lists,
    /// The same for a batch of few rows, which touch only part of a tile:
    /// nothing is fetched ahead.
    FewRows,
    /// At most 16 outputs, such as the classes: one vector of each tile row is
    /// computed.
    Narrow,
}

impl ProductPath {
    /// The path of a layer with so many outputs, for a batch of so many rows.
    pub(crate) fn of(rows: usize, outputs: usize) -> Self {
        if outputs <= ONE_VECTOR {
            Self::Narrow
        } else if rows < MANY_ROWS {
            Self::FewRows
        } else {
            Self::Lists
        }
    }

    /// What a report calls it: `lists`, `few rows`, `narrow`.
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
    /// Its name.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
