//! Maxout units (Goodfellow et al. 2013), whose value is the largest of k outputs of a layer.
//!
//! A layer of m maxout units with k pieces is a layer of N = k m outputs, of which j m + i is piece j of
//! unit i. For each row:
//!
//! - `h[i] = max_j z[j m + i]`
//! - `dz[j m + i] = dh[i]` if j is the winner, the first piece with the largest z, else 0
//!
//! The three products do not know of it. Product 1 computes z as for an output layer. [`hidden`] then
//! finds h and the winners, and passes h to the [`Finish`] of an ordinary layer whose z it would be.
//! Product 2 of the layer above overwrites h with dh, and [`spread`] overwrites z with dz.
//!
//! NaN is larger than any number: it is never hidden.

use super::{
    PANEL, Panel, Panels,
    forward::{Finish, FinishPanel, Scale},
    store_to, vectors,
};
use crate::{
    error::Error,
    pass::Pass,
    simd::{Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
};

/// The most pieces of a unit. Numbers of pieces are stored as f32.
pub(crate) const MAX_PIECES: usize = 256;

/// The units of a maxout layer for a number of rows.
#[derive(Clone, Debug)]
pub(crate) struct Maxima {
    /// h or dh: `[m/64][rows][64]`
    values: Panels,
    /// The number of the winner: `[m/64][rows][64]`
    winners: Panels,
    /// The biases of h, all 0, padded to whole panels.
    no_bias: AlignedBuffer<f32>,
    /// The sums of dh over rows, which nothing needs.
    sums: AlignedBuffer<f32>,
    /// m
    units: usize,
    /// k
    pieces: usize,
}

impl Maxima {
    /// Allocates memory for at most `rows` rows.
    pub(crate) fn with_capacity(rows: usize, units: usize, pieces: usize) -> Result<Self, Error> {
        let padded = units.next_multiple_of(PANEL);
        Ok(Self {
            values: Panels::with_capacity(rows, units)?,
            winners: Panels::with_capacity(rows, units)?,
            no_bias: AlignedBuffer::zeroed(padded)?,
            sums: AlignedBuffer::zeroed(padded)?,
            units,
            pieces,
        })
    }

    /// The number of pieces of each unit.
    pub(crate) fn pieces(&self) -> usize {
        self.pieces
    }

    /// h, or what stands in its place.
    pub(crate) fn values_mut(&mut self) -> &mut Panels {
        &mut self.values
    }

    /// What product 2 of the layer above writes: dh, and its sums over rows.
    pub(crate) fn gradients_mut(&mut self) -> (&mut Panels, &mut [Panel]) {
        (&mut self.values, self.sums.as_chunks_mut().0)
    }
}

/// The rest of the forward pass of a layer whose z are complete: the maxima, and from them the lists
/// `out`. The maxima are left in `to`, or what `epilogue` leaves in their place.
pub(crate) fn hidden(
    pass: Pass,
    z: &Panels,
    epilogue: &dyn Finish,
    to: &mut Maxima,
    out: &mut super::Lists,
) {
    let Maxima { values, winners, no_bias, units, pieces, .. } = to;
    let (units, pieces) = (*units, *pieces);
    for panels in [&mut *values, &mut *winners] {
        panels.set_rows(z.rows());
    }
    out.set_rows(z.rows());
    let scale = Scale { bias: no_bias.as_chunks().0, pending: None };
    let memory = (values.runs_mut(), winners.runs_mut(), out.runs_mut());
    pass.each(memory, &|n, (values, winners, out)| {
        let (values, winners) = (values.data, winners.data);
        pass.dispatch(Largest { z, units, pieces, n, values: &mut *values, winners });
        epilogue.finish(pass, FinishPanel { scale, n, sums: values, out });
    });
}

/// Overwrites z with its gradient, where product 2 has left dh.
pub(crate) fn spread(pass: Pass, from: &Maxima, z: &mut Panels) {
    pass.each(z.runs_mut(), &|n, dz| pass.dispatch(Spread { from, n, dz: dz.data }));
}

/// Loads 16 neighbours of a row from place `first` on, of any panel; past the last panel they are 0.
#[inline(always)]
fn neighbours<L: Lanes>(l: L, from: &Panels, row: usize, first: usize) -> L::F {
    let (n, at) = (first / PANEL, first % PANEL);
    let rest = &from.at(n, row)[at..];
    if let Some(line) = rest.first_chunk::<LANES>() {
        return l.load(line);
    }
    let mut line = [0.0; LANES];
    line[..rest.len()].copy_from_slice(rest);
    if n + 1 < from.panels() {
        let missing = LANES - rest.len();
        line[rest.len()..].copy_from_slice(&from.at(n + 1, row)[..missing]);
    }
    l.load(&line)
}

/// h and the winners for panel `n` of the units. Beyond the last unit, the lanes of its vector are
/// those of other pieces.
struct Largest<'a> {
    z: &'a Panels,
    units: usize,
    pieces: usize,
    n: usize,
    values: &'a mut [Panel],
    winners: &'a mut [Panel],
}

impl Kernel for Largest<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { z, units, pieces, n, values, winners } = self;
        let vectors = vectors(units, n);
        for (row, (value, winner)) in values.iter_mut().zip(winners).enumerate() {
            for c in 0..vectors {
                let unit = n * PANEL + c * LANES;
                let mut largest = neighbours(l, z, row, unit);
                let mut first = l.splat(0.0);
                for piece in 1..pieces {
                    let z = neighbours(l, z, row, piece * units + unit);
                    let larger = l.less(largest, z) | (l.is_nan(z) & !l.is_nan(largest));
                    largest = l.select(larger, z, largest);
                    first = l.select(larger, l.splat(piece as f32), first);
                }
                store_to(l, [largest], value, c);
                store_to(l, [first], winner, c);
            }
        }
    }
}

/// dz for panel `n` of the layer's outputs, 0 in the padding.
struct Spread<'a> {
    from: &'a Maxima,
    n: usize,
    dz: &'a mut [Panel],
}

impl Kernel for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { from, n, dz } = self;
        let Maxima { values, winners, units, pieces, .. } = from;
        let (units, outputs) = (*units, units * pieces);
        for c in 0..PANEL / LANES {
            let first = n * PANEL + c * LANES;
            let (piece, unit) = (first / units, first % units);
            if unit + LANES <= units && piece < *pieces {
                // All of the same piece.
                let number = piece as f32;
                for (row, dz) in dz.iter_mut().enumerate() {
                    let winner = neighbours(l, winners, row, unit);
                    let other = l.less(winner, l.splat(number)) | l.less(l.splat(number), winner);
                    let dh = neighbours(l, values, row, unit);
                    store_to(l, [l.keep(!other, dh)], dz, c);
                }
                continue;
            }
            for (row, dz) in dz.iter_mut().enumerate() {
                for (output, dz) in (first..).zip(&mut dz[c * LANES..][..LANES]) {
                    let (piece, unit) = (output / units, output % units);
                    let wins = output < outputs && winners.get(row, unit) == piece as f32;
                    *dz = if wins { values.get(row, unit) } else { 0.0 };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
