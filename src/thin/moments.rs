//! Mean and variance through a layer, in one visit of each tile.
//!
//! The inputs are taken to be independent of each other, which they are not:
//! they share what is below them. With means m and variances v:
//!
//! | | mean | variance |
//! |---|---|---|
//! | dropout, y = r x / p | m | v / p + m² (1 - p) / p |
//! | z[n] = b[n] + sum_k w[k][n] x[k] | b[n] + sum_k w[k][n] m[k] | sum_k w[k][n]² v[k] |
//! | y = f(z), z taken to be normal | [`Unit::moments`] | [`Unit::moments`] |

use super::{
    Lists, PANEL, Panel, Panels, Tile, Unit, VECTORS, add_scaled,
    forward::Weights,
    input,
    lists::{Block, ListRuns, room},
    load,
    path::{Path, ROWS},
    prefetch_part, store,
};
use crate::{
    error::Error,
    mask::valid_bits,
    parallel::{Runs, each},
    rate::Keep,
    simd::{Isa, Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
};

/// The variances of the values of lists, each where its value is.
#[derive(Clone, Debug)]
pub(crate) struct Variances(AlignedBuffer<f32>);

impl Variances {
    /// For lists of this capacity.
    pub(crate) fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let too_large = Error::TooLarge { what: "variances", shape: [rows, width] };
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

    /// What dropout with this keep rate makes of values that are known:
    /// x² (1 - p) / p.
    pub(crate) fn drop_known(&mut self, keep: Keep, x: &Lists) {
        let odds = (1.0 - keep.get()) / keep.get();
        let runs = self.runs_mut(x.rows(), x.blocks());
        for (b, variances) in runs.data.chunks_mut(runs.size).enumerate() {
            for (variance, &x) in variances.iter_mut().zip(x.block(b).values()) {
                *variance = x * x * odds as f32;
            }
        }
    }
}

/// Inputs of a layer: their lists hold means.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub means: &'a Lists,
    pub variances: &'a Variances,
}

/// The sums over inputs for panel `n`: of w m, and of w² v.
struct Sums<'a> {
    weights: Weights<'a>,
    n: usize,
    x: Inputs<'a>,
    means: &'a mut [Panel],
    variances: &'a mut [Panel],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        match Path::of(self.x.means.rows(), self.weights.w.outputs()) {
            Path::Narrow => self.product::<L, 1>(l, false),
            Path::FewRows => self.product::<L, VECTORS>(l, false),
            Path::Lists => self.product::<L, VECTORS>(l, true),
        }
    }
}

impl Sums<'_> {
    #[inline(always)]
    fn product<L: Lanes, const V: usize>(self, l: L, ahead: bool) {
        let Self { weights, n, x, means, variances } = self;
        means.fill([0.0; PANEL]);
        variances.fill([0.0; PANEL]);
        let (rows, blocks) = (x.means.rows(), x.means.blocks());
        // Two sums a row where the plain product has one.
        const HALF: usize = ROWS / 2;
        let parts = means.chunks_mut(HALF).zip(variances.chunks_mut(HALF));
        for (part, (means, variances)) in parts.enumerate() {
            for b in 0..blocks {
                let tile = |b| &weights.w.block(b)[n];
                let next = (ahead && b + 1 < blocks).then(|| tile(b + 1));
                let x = (x.means.block(b), x.variances.block(rows, b));
                pass::<L, V>(l, tile(b), next, x, part * HALF, means, variances);
            }
        }
    }
}

/// Rows from `first` on pass a tile; meanwhile a next tile is asked for.
#[inline(always)]
fn pass<L: Lanes, const V: usize>(
    l: L,
    tile: &Tile,
    next: Option<&Tile>,
    (x, variances): (Block<'_>, &[f32]),
    first: usize,
    to_means: &mut [Panel],
    to_variances: &mut [Panel],
) {
    let rows = to_means.len();
    for (i, (to_mean, to_variance)) in to_means.iter_mut().zip(to_variances).enumerate() {
        if let Some(next) = next {
            prefetch_part(l, next, i, rows);
        }
        let (offsets, means) = x.of(first + i);
        let variances = &variances[x.range(first + i)];
        let mut mean: [L::F; V] = load(l, to_mean);
        let mut variance: [L::F; V] = load(l, to_variance);
        for ((&offset, &m), &v) in offsets.iter().zip(means).zip(variances) {
            let w: [L::F; V] = load(l, input(tile, offset));
            mean = add_scaled(l, l.splat(m), w, mean);
            let v = l.splat(v);
            for (variance, w) in variance.iter_mut().zip(w) {
                *variance = l.mul_add(l.mul(v, w), w, *variance);
            }
        }
        store(l, mean, to_mean);
        store(l, variance, to_variance);
    }
}

/// From the moments of z to those of the dropped outputs, into lists.
struct Activate<'a, U> {
    weights: Weights<'a>,
    n: usize,
    unit: U,
    keep: Keep,
    means: &'a [Panel],
    variances: &'a [Panel],
    out: ListRuns<'a>,
    out_variances: &'a mut [f32],
}

impl<U: Unit> Kernel for Activate<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { weights, n, unit, keep, means, variances, out, out_variances } = self;
        let bias: [L::F; VECTORS] = load(l, &weights.scale.bias[n]);
        let valid = valid_bits(weights.w.outputs(), n);
        let (scale, dropped) = (l.splat(keep.scale()), l.splat((1.0 - keep.get()) as f32));
        let zero = l.splat(0.0);
        let (ends, offsets, values) = (out.0.data, out.1.data, out.2.data);
        ends[0] = 0;
        let mut at = 0;
        for (row, (mean, variance)) in means.iter().zip(variances).enumerate() {
            let mean: [L::F; VECTORS] = load(l, mean);
            let variance: [L::F; VECTORS] = load(l, variance);
            for c in 0..VECTORS {
                let z = l.add(mean[c], bias[c]);
                let (y, v) = unit.moments(l, z, l.sqrt(variance[c]));
                let v = l.mul(scale, l.mul_add(l.mul(dropped, y), y, v));
                // All but 0 ± 0; NaN too.
                let known = l.less(y, zero) | l.less(zero, y) | l.is_nan(y);
                let active =
                    (known | l.less(zero, v) | l.is_nan(v)) & (valid >> (c * LANES)) as u16;
                if let (Some(values), Some(variances), Some(offsets)) = (
                    values[at..].first_chunk_mut(),
                    out_variances[at..].first_chunk_mut(),
                    offsets[at..].first_chunk_mut(),
                ) {
                    l.compress(active, y, (c * LANES) as u8, values, offsets);
                    l.compress(active, v, (c * LANES) as u8, variances, offsets);
                }
                at += active.count_ones() as usize;
            }
            ends[row + 1] = at as u32;
        }
    }
}

/// A hidden layer: means and variances in and out; `z` is working memory.
#[expect(clippy::too_many_arguments, reason = "two of each operand")]
pub(crate) fn hidden<U: Unit>(
    isa: Isa,
    parallel: bool,
    weights: Weights<'_>,
    x: Inputs<'_>,
    unit: U,
    keep: Keep,
    z: [&mut Panels; 2],
    out: &mut Lists,
    out_variances: &mut Variances,
) {
    let (rows, [means, variances]) = (x.means.rows(), z);
    means.set_rows(rows);
    variances.set_rows(rows);
    out.set_rows(rows);
    let out_variances = out_variances.runs_mut(rows, out.blocks());
    let z = (means.runs_mut(), variances.runs_mut());
    each(parallel, (z, (out.runs_mut(), out_variances)), &|n, (z, out)| {
        let (means, variances) = (z.0.data, z.1.data);
        let (out, out_variances) = (out.0, out.1.data);
        isa.dispatch(Sums { weights, n, x, means: &mut *means, variances: &mut *variances });
        isa.dispatch(Activate { weights, n, unit, keep, means, variances, out, out_variances });
    });
}

/// The output layer: means and variances in, those of z out.
pub(crate) fn output(
    isa: Isa,
    parallel: bool,
    weights: Weights<'_>,
    x: Inputs<'_>,
    z: [&mut Panels; 2],
) {
    let (rows, [means, variances]) = (x.means.rows(), z);
    means.set_rows(rows);
    variances.set_rows(rows);
    each(parallel, (means.runs_mut(), variances.runs_mut()), &|n, z| {
        let (means, variances) = (z.0.data, z.1.data);
        isa.dispatch(Sums { weights, n, x, means: &mut *means, variances });
        for mean in means {
            for (mean, bias) in mean.iter_mut().zip(&weights.scale.bias[n]) {
                *mean += bias;
            }
        }
    });
}
