//! Propagates mean and standard deviation through a layer, visiting each tile once.
//!
//! The inputs are assumed to be independent of each other, which is not true if they
//! depend on the same units below. With means m and standard deviations s:
//!
//! | | mean | variance |
//! |---|---|---|
//! | noise, y = r x, with v the variance of r | m | s² (1 + v) + m² v |
//! | z[n] = b[n] + sum_k w[k][n] x[k] | b[n] + sum_k w[k][n] m[k] | sum_k (w[k][n] s[k])² |
//! | y = f(z), z assumed normal | [`Moments`] | [`Moments`] |
//!
//! Standard deviations are stored rather than variances: they do not overflow for inputs
//! of 1e20, and weights of 1e-20 bring them back to ordinary numbers.

mod epilogue;

#[cfg(test)]
pub(crate) use epilogue::of_line;
pub(crate) use epilogue::{Epilogue, Moments, NODES, Values};
use epilogue::{Finish, FinishPanel};

use super::{
    Lists, PANEL, Panel, Panels, Tile, VECTORS, add_scaled,
    forward::{Scale, Weights},
    input,
    lists::{Block, room},
    load,
    path::{ProductPath, ROWS},
    prefetch_part, store,
};
use crate::{
    error::Error,
    mask::valid_bits,
    noise::Noise,
    parallel::Runs,
    pass::Pass,
    simd::{Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
};

/// The standard deviations of the values in lists, at the same positions.
#[derive(Clone, Debug)]
pub(crate) struct Deviations(AlignedBuffer<f32>);

impl Deviations {
    /// Allocates memory for lists of this capacity.
    pub(crate) fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let too_large = Error::TooLarge { what: "deviations", shape: [rows, width] };
        let rows = rows.checked_add(1).and_then(|rows| rows.checked_mul(PANEL));
        let size = rows.and_then(|room| room.checked_mul(width.div_ceil(PANEL)));
        Ok(Self(AlignedBuffer::zeroed(size.ok_or(too_large)?)?))
    }

    fn block(&self, rows: usize, b: usize) -> &[f32] {
        &self.0[b * room(rows)..][..room(rows)]
    }

    fn runs_mut(&mut self, rows: usize, blocks: usize) -> Runs<'_, f32> {
        let blocks = if rows == 0 { 0 } else { blocks };
        Runs { data: &mut self.0[..blocks * room(rows)], size: room(rows) }
    }

    /// Sets the standard deviations that this noise gives to known values: |x| sqrt(v), with v the
    /// noise's variance.
    pub(crate) fn of_known(&mut self, noise: Noise, x: &Lists) {
        let factor = noise.variance().sqrt() as f32;
        let runs = self.runs_mut(x.rows(), x.blocks());
        for (b, deviations) in runs.data.chunks_mut(runs.size).enumerate() {
            for (deviation, &x) in deviations.iter_mut().zip(x.block(b).values()) {
                *deviation = x.abs() * factor;
            }
        }
    }
}

/// The inputs of a layer; the lists hold the means.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub means: &'a Lists,
    pub deviations: &'a Deviations,
}

/// For panel `n`: the sums of w m over the inputs, and the square roots of the sums of
/// (w s)².
struct Sums<'a> {
    weights: Weights<'a>,
    n: usize,
    x: Inputs<'a>,
    means: &'a mut [Panel],
    deviations: &'a mut [Panel],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        match ProductPath::of(self.x.means.rows(), self.weights.w.outputs()) {
            ProductPath::Narrow => self.product::<L, 1>(l, false),
            ProductPath::FewRows => self.product::<L, VECTORS>(l, false),
            ProductPath::Lists => self.product::<L, VECTORS>(l, true),
        }
    }
}

impl Sums<'_> {
    #[inline(always)]
    fn product<L: Lanes, const V: usize>(self, l: L, ahead: bool) {
        let Self { weights, n, x, means, deviations } = self;
        means.fill([0.0; PANEL]);
        deviations.fill([0.0; PANEL]);
        let (rows, blocks) = (x.means.rows(), x.means.blocks());
        // Two sums per row, where the plain product has one.
        const HALF: usize = ROWS / 2;
        let parts = means.chunks_mut(HALF).zip(deviations.chunks_mut(HALF));
        for (part, (means, squares)) in parts.enumerate() {
            for b in 0..blocks {
                let tile = |b| &weights.w.block(b)[n];
                let next = (ahead && b + 1 < blocks).then(|| tile(b + 1));
                let x = (x.means.block(b), x.deviations.block(rows, b));
                pass::<L, V>(l, tile(b), next, x, part * HALF, means, squares);
            }
        }
        for (row, squares) in deviations.iter_mut().enumerate() {
            roots::<L, V>(l, weights, n, x, row, squares);
        }
    }
}

/// Adds a tile's contribution to the rows from `first` on while prefetching the next tile.
#[inline(always)]
fn pass<L: Lanes, const V: usize>(
    l: L,
    tile: &Tile,
    next: Option<&Tile>,
    (x, deviations): (Block<'_>, &[f32]),
    first: usize,
    to_means: &mut [Panel],
    to_squares: &mut [Panel],
) {
    let rows = to_means.len();
    for (i, (to_mean, to_square)) in to_means.iter_mut().zip(to_squares).enumerate() {
        if let Some(next) = next {
            prefetch_part(l, next, i, rows);
        }
        let (offsets, means) = x.of(first + i);
        let deviations = &deviations[x.range(first + i)];
        let mut mean: [L::F; V] = load(l, to_mean);
        let mut square: [L::F; V] = load(l, to_square);
        for ((&offset, &m), &s) in offsets.iter().zip(means).zip(deviations) {
            let w: [L::F; V] = load(l, input(tile, offset));
            mean = add_scaled(l, l.splat(m), w, mean);
            let s = l.splat(s);
            for (square, w) in square.iter_mut().zip(w) {
                let part = l.mul(w, s);
                *square = l.mul_add(part, part, *square);
            }
        }
        store(l, mean, to_mean);
        store(l, square, to_square);
    }
}

/// The square roots of a row's sums of squares. A sum that overflowed, or that is so small
/// that some of its squares may have underflowed, is computed again in f64.
#[inline(always)]
fn roots<L: Lanes, const V: usize>(
    l: L,
    weights: Weights<'_>,
    n: usize,
    x: Inputs<'_>,
    row: usize,
    squares: &mut Panel,
) {
    /// In a sum above this, up to 1,000 squares that underflow (below f32's smallest normal
    /// number, 1e-38) lose less than rounding does.
    const SMALLEST: f32 = 1e-28;
    let mut sums: [L::F; V] = load(l, squares);
    let mut again = 0;
    for (c, sum) in sums.iter_mut().enumerate() {
        let sound = l.less(l.splat(SMALLEST), *sum) & l.less(*sum, l.splat(f32::INFINITY));
        again |= u64::from(!sound) << (c * LANES);
        *sum = l.sqrt(*sum);
    }
    store(l, sums, squares);
    again &= valid_bits(weights.w.outputs(), n);
    if again != 0 && (0..x.means.blocks()).any(|b| spreads(x, row, b)) {
        for (unit, root) in squares.iter_mut().enumerate() {
            if again >> unit & 1 == 1 {
                *root = exact_root(weights, n, x, row, unit);
            }
        }
    }
}

/// Whether the row has an input in the block with a non-zero deviation.
fn spreads(x: Inputs<'_>, row: usize, b: usize) -> bool {
    let range = x.means.block(b).range(row);
    x.deviations.block(x.means.rows(), b)[range].iter().any(|&s| s != 0.0)
}

/// sqrt(sum_k (w[k][n] s[k])²) for unit `unit` of panel `n`, in f64.
#[cold]
fn exact_root(weights: Weights<'_>, n: usize, x: Inputs<'_>, row: usize, unit: usize) -> f32 {
    let mut sum = 0.0;
    for b in 0..x.means.blocks() {
        let (tile, block) = (&weights.w.block(b)[n], x.means.block(b));
        let (offsets, _) = block.of(row);
        let deviations = &x.deviations.block(x.means.rows(), b)[block.range(row)];
        for (&offset, &s) in offsets.iter().zip(deviations) {
            let part = f64::from(input(tile, offset)[unit]) * f64::from(s);
            sum += part * part;
        }
    }
    sum.sqrt() as f32
}

/// Multiplies the sums and the roots of panel `n` by the pending factors, if there are any: all are
/// above 0.
fn apply_pending(scale: Scale<'_>, n: usize, panels: [&mut [Panel]; 2]) {
    if let Some(s) = scale.pending {
        for panel in panels.into_iter().flatten() {
            panel.iter_mut().zip(&s[n]).for_each(|(x, s)| *x *= s);
        }
    }
}

/// A hidden layer, from means and deviations to means and deviations; `z` is scratch memory.
pub(crate) fn hidden(
    pass: Pass,
    weights: Weights<'_>,
    x: Inputs<'_>,
    epilogue: &dyn Finish,
    z: [&mut Panels; 2],
    (out, out_deviations): (&mut Lists, &mut Deviations),
) {
    let (rows, [means, deviations]) = (x.means.rows(), z);
    means.set_rows(rows);
    deviations.set_rows(rows);
    out.set_rows(rows);
    let out_deviations = out_deviations.runs_mut(rows, out.blocks());
    let z = (means.runs_mut(), deviations.runs_mut());
    pass.each((z, (out.runs_mut(), out_deviations)), &|n, (z, out)| {
        let (means, deviations) = (z.0.data, z.1.data);
        let (out, out_deviations) = (out.0, out.1.data);
        pass.dispatch(Sums { weights, n, x, means: &mut *means, deviations: &mut *deviations });
        apply_pending(weights.scale, n, [means, deviations]);
        let panel = FinishPanel { weights, n, means, deviations, out, out_deviations };
        epilogue.finish(pass, panel);
    });
}

/// The output layer, from means and deviations of its inputs to those of z.
pub(crate) fn output(pass: Pass, weights: Weights<'_>, x: Inputs<'_>, z: [&mut Panels; 2]) {
    let (rows, [means, deviations]) = (x.means.rows(), z);
    means.set_rows(rows);
    deviations.set_rows(rows);
    pass.each((means.runs_mut(), deviations.runs_mut()), &|n, z| {
        let (means, deviations) = (z.0.data, z.1.data);
        pass.dispatch(Sums { weights, n, x, means: &mut *means, deviations: &mut *deviations });
        apply_pending(weights.scale, n, [means, deviations]);
        for mean in means {
            for (mean, bias) in mean.iter_mut().zip(&weights.scale.bias[n]) {
                *mean += bias;
            }
        }
    });
}
