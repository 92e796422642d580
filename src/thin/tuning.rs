//! The numbers that were chosen by measuring: docs/PERFORMANCE.md has the
//! figures.

/// Rows whose accumulators pass a panel's tiles together: 128 rows of 64 floats
/// are 32 KiB.
pub(super) const ROWS: usize = 128;

/// Rows from which on the next tile is asked for while they pass the present
/// one: fewer do not touch most of its lines.
pub(super) const PREFETCH_FROM: usize = 16;

/// Rows of a task where the output layer has a single panel.
pub(super) const OUTPUT_ROWS: usize = 32;
