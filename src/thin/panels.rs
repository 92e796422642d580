//! The sums of a layer for all rows: `[N/64][rows][64]`.

use std::sync::{Mutex, PoisonError};

use super::{PANEL, Panel, VECTORS, load};
use crate::{
    error::Error,
    parallel::Runs,
    simd::{Kernel, Lanes, Supported},
    tensor::AlignedBuffer,
};

/// Pre-activations z or their gradient dz, which share memory. The layout is
/// panel-major, so that the rows of a panel are contiguous and their cache lines do
/// not map to the same few cache sets.
#[derive(Clone, Debug)]
pub(crate) struct Panels {
    data: AlignedBuffer<f32>,
    rows: usize,
    panels: usize,
    /// Whether product 1 checks what it writes here, and leaves what it found in `fault`. The check
    /// costs next to nothing while the data is still in the core's cache.
    watched: bool,
    fault: Option<Fault>,
}

/// A sum that is not finite.
#[derive(Clone, Copy, Debug)]
struct Fault {
    row: usize,
    unit: usize,
    value: f32,
}

impl Panels {
    /// Allocates memory for at most `rows` rows.
    pub(crate) fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let panels = width.div_ceil(PANEL);
        let size = panels
            .checked_mul(PANEL)
            .and_then(|width| width.checked_mul(rows))
            .ok_or(Error::TooLarge { what: "pre-activations", shape: [rows, width] })?;
        let data = AlignedBuffer::zeroed(size)?;
        Ok(Self { data, rows, panels, watched: false, fault: None })
    }

    /// The same panels, but product 1 checks whether what it writes is finite.
    pub(crate) fn watched(self) -> Self {
        Self { watched: true, ..self }
    }

    /// Starts a watch on the panels that product 1 writes.
    #[inline]
    pub(crate) fn watch(&self, isa: Supported) -> Watch {
        Watch { isa: self.watched.then_some(isa), fault: Mutex::new(None) }
    }

    /// Stores what the watch found in all panels.
    #[inline]
    pub(crate) fn set_watched(&mut self, watch: Watch) {
        self.fault = watch.fault.into_inner().unwrap_or_else(PoisonError::into_inner);
    }

    /// Sets the number of rows, whose contents are then unspecified. The caller has checked
    /// that they fit the capacity.
    #[inline]
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

    /// All panels in use, one run per panel.
    #[inline]
    pub(crate) fn runs_mut(&mut self) -> Runs<'_, Panel> {
        let used = self.panels * self.rows;
        Runs { data: &mut self.data.as_chunks_mut().0[..used], size: self.rows.max(1) }
    }

    /// Writes rows of the same width over those from `first` on, which exist.
    pub(crate) fn copy_rows(&mut self, first: usize, from: &Self) {
        for n in 0..self.panels {
            let to = &mut self.data.as_chunks_mut::<PANEL>().0[n * self.rows + first..];
            to[..from.rows].copy_from_slice(from.panel(n));
        }
    }

    /// The largest number of rows.
    pub(crate) fn capacity(&self) -> usize {
        self.data.len() / (self.panels * PANEL).max(1)
    }

    /// Panel `n` of one row.
    pub(crate) fn at(&self, n: usize, row: usize) -> &Panel {
        &self.data.as_chunks().0[n * self.rows + row]
    }

    /// Panel `n` of one row, mutable.
    pub(crate) fn at_mut(&mut self, n: usize, row: usize) -> &mut Panel {
        &mut self.data.as_chunks_mut().0[n * self.rows + row]
    }

    /// One element.
    pub(crate) fn get(&self, row: usize, unit: usize) -> f32 {
        self.at(unit / PANEL, row)[unit % PANEL]
    }

    /// Checks that all numbers are finite. `error` makes the error of a row, a unit and its value.
    ///
    /// # Errors
    /// A number is NaN or infinite; the error gives the first row that has one.
    #[inline]
    pub(crate) fn check_finite(
        &self,
        isa: Supported,
        error: impl FnOnce(usize, usize, f32) -> Error,
    ) -> Result<(), Error> {
        let fault = if self.watched { self.fault } else { self.search(isa) };
        fault.map_or(Ok(()), |Fault { row, unit, value }| Err(error(row, unit, value)))
    }

    /// The first sum that is not finite.
    fn search(&self, isa: Supported) -> Option<Fault> {
        let watch = Watch { isa: Some(isa), fault: Mutex::new(None) };
        for n in 0..self.panels {
            watch.look(n, 0, self.panel(n), |place| place);
        }
        watch.fault.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What product 1 finds in the panels that it writes, on any thread: the first row with a sum that
/// is not finite, and its first unit.
pub(crate) struct Watch {
    /// `None` if the check is not wanted.
    isa: Option<Supported>,
    fault: Mutex<Option<Fault>>,
}

impl Watch {
    /// Checks rows of panel `n` whose sums are complete, from row `first` on. `unit(place)` is the
    /// unit at a place.
    #[inline]
    pub(crate) fn look(
        &self,
        n: usize,
        first: usize,
        panel: &[Panel],
        unit: impl Fn(usize) -> usize,
    ) {
        if self.isa.is_some_and(|isa| !isa.dispatch(AllFinite(panel))) {
            // Search only if there is one.
            let mut found = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
            for (row, values) in panel.iter().enumerate() {
                for (i, &value) in values.iter().enumerate().filter(|(_, x)| !x.is_finite()) {
                    let fault = Fault { row: first + row, unit: unit(n * PANEL + i), value };
                    let earlier = |it: Fault| (it.row, it.unit) < (fault.row, fault.unit);
                    if !found.is_some_and(earlier) {
                        *found = Some(fault);
                    }
                }
            }
        }
    }
}

/// Whether all numbers are finite: 0 times a non-finite number is NaN, which a sum
/// propagates.
struct AllFinite<'a>(&'a [Panel]);

impl Kernel for AllFinite<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> bool {
        let zero = l.splat(0.0);
        let mut sums = [zero; VECTORS];
        for panel in self.0 {
            let x: [L::F; VECTORS] = load(l, panel);
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = l.mul_add(x, zero, *sum);
            }
        }
        let mut found = 0;
        for sum in sums {
            found |= l.is_nan(sum);
        }
        found == 0
    }
}
