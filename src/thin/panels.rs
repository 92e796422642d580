//! Sums of a layer's rows: `[N/64][rows][64]`.

use super::{PANEL, Panel};
use crate::{error::Error, parallel::Runs, tensor::AlignedBuffer};

/// Pre-activations z, or the loss's gradient dz in them, one memory for both.
/// Panel-major, so that the rows of a panel are neighbours and their cache
/// lines do not fall into the same few sets.
#[derive(Clone, Debug)]
pub(crate) struct Panels {
    data: AlignedBuffer<f32>,
    rows: usize,
    panels: usize,
}

impl Panels {
    /// Memory for at most `rows` rows.
    pub(crate) fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let panels = width.div_ceil(PANEL);
        let size = panels
            .checked_mul(PANEL)
            .and_then(|width| width.checked_mul(rows))
            .ok_or(Error::TooLarge { what: "pre-activations", shape: [rows, width] })?;
        Ok(Self { data: AlignedBuffer::zeroed(size)?, rows, panels })
    }

    /// Holds `rows` rows from now on, of unspecified contents; the caller has
    /// checked them against the capacity.
    pub(crate) fn set_rows(&mut self, rows: usize) {
        debug_assert!(rows * self.panels * PANEL <= self.data.len());
        self.rows = rows;
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn panels(&self) -> usize {
        self.panels
    }

    /// The rows of panel `n`.
    pub(crate) fn panel(&self, n: usize) -> &[Panel] {
        &self.data.as_chunks().0[n * self.rows..][..self.rows]
    }

    /// All panels in use, a run each.
    pub(crate) fn runs_mut(&mut self) -> Runs<'_, Panel> {
        let used = self.panels * self.rows;
        Runs { data: &mut self.data.as_chunks_mut().0[..used], size: self.rows.max(1) }
    }

    /// Panel `n` of one row.
    pub(crate) fn at(&self, n: usize, row: usize) -> &Panel {
        &self.data.as_chunks().0[n * self.rows + row]
    }

    /// Panel `n` of one row, to write to.
    pub(crate) fn at_mut(&mut self, n: usize, row: usize) -> &mut Panel {
        &mut self.data.as_chunks_mut().0[n * self.rows + row]
    }

    /// One element.
    pub(crate) fn get(&self, row: usize, unit: usize) -> f32 {
        self.at(unit / PANEL, row)[unit % PANEL]
    }
}
