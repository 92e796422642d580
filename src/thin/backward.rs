//! Product 2: the gradient with respect to the units below, at active positions only.
//! [`super::visit`] calls it for each entry.

use super::{
    PANEL, Panel, Slope, VECTORS, by_input::ByInput, dense, load, load_from, outer::Spread, store,
    store_to,
};
use crate::{
    pass::Pass,
    rate::Keep,
    simd::{Kernel, LANES, Lanes},
};

/// Multiplies weights by their pending factors.
#[inline(always)]
pub(super) fn with_pending<L: Lanes, const V: usize>(l: L, w: &Panel, s: &Panel) -> [L::F; V] {
    let (mut w, s): ([L::F; V], [L::F; V]) = (load(l, w), load(l, s));
    for (w, s) in w.iter_mut().zip(s) {
        *w = l.mul(s, *w);
    }
    w
}

/// One panel's contribution to a dot product, `sum_n w[n] dz[n]`, before the sum over
/// lanes.
#[inline(always)]
pub(super) fn dot<L: Lanes, const V: usize>(l: L, w: [L::F; V], dz: [L::F; V]) -> L::F {
    let mut sum = l.mul(w[0], dz[0]);
    for c in 1..V {
        sum = l.mul_add(w[c], dz[c], sum);
    }
    sum
}

/// What is left of product 2 for a block of units in the layer below.
pub(crate) struct FinishInputGradient<'a> {
    /// The keep rate of the units.
    pub keep: Keep,
    /// The entries of the units.
    pub by_input: &'a mut ByInput,
    /// dz of the block, one panel per row. If the slope is kept, f'(z) r stands here before.
    pub dz: &'a mut [Panel],
    /// The gradient of the biases, to which the sum of dz over rows is added.
    pub bias_gradient: &'a mut Panel,
}

/// A [`Slope`] as a trait object. It is called once per block, so that the visit of the
/// tiles is compiled for each update rule, and not for each pair of rule and slope.
pub(crate) trait BelowUnit: Sync {
    /// Adds up the partial sums of each entry, multiplies by f'(z) / p and stores the result
    /// at its unit. All other units get +0.0.
    fn finish(&self, pass: Pass, block: FinishInputGradient<'_>);
    /// Multiplies sums by f'(z) / p and stores them. All other units get +0.0.
    fn finish_rows(&self, pass: Pass, block: FinishRows<'_>);
}

impl<S: Slope> BelowUnit for S {
    fn finish(&self, pass: Pass, block: FinishInputGradient<'_>) {
        pass.dispatch(Finish { slope: *self, block });
    }

    fn finish_rows(&self, pass: Pass, block: FinishRows<'_>) {
        pass.dispatch(Rows { slope: *self, block });
    }
}

/// The same where the sums are complete, a panel per row.
pub(crate) struct FinishRows<'a> {
    /// The keep rate of the units.
    pub keep: Keep,
    /// The units' outputs.
    pub x: dense::Full<'a>,
    /// The rows of x and the active units in them, if not all are active.
    pub some: Option<Spread<'a>>,
    /// The sums of product 2, one panel for each row of x.
    pub sums: &'a [Panel],
    /// As in [`FinishInputGradient`].
    pub dz: &'a mut [Panel],
    /// As in [`FinishInputGradient`].
    pub bias_gradient: &'a mut Panel,
}

struct Rows<'a, S> {
    slope: S,
    block: FinishRows<'a>,
}

impl<S: Slope> Kernel for Rows<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { slope, block: FinishRows { keep, x, some, sums, dz, bias_gradient } } = self;
        let mut next = 0;
        for (row, dz) in dz.iter_mut().enumerate() {
            let active = match some {
                None => u64::MAX,
                Some(some) => match some.at(next) {
                    Some((number, bits)) if number == row => bits,
                    _ => {
                        *dz = [0.0; PANEL];
                        continue;
                    }
                },
            };
            let mut units = x.row(next);
            for c in 0..VECTORS {
                let n = units.len().min(LANES);
                let [sum] = load_from::<L, 1>(l, &sums[next], c);
                let [kept] = load_from::<L, 1>(l, dz, c);
                let found = if S::KEPT { kept } else { l.load_first(&units[..n]) };
                let active = (active >> (c * LANES)) as u16 & ((1u32 << n) - 1) as u16;
                store_to(l, [l.keep(active, delta(l, slope, keep, sum, found))], dz, c);
                units = &units[n..];
            }
            next += 1;
        }
        add_rows(l, dz, bias_gradient);
    }
}

struct Finish<'a, S> {
    slope: S,
    block: FinishInputGradient<'a>,
}

impl<S: Slope> Kernel for Finish<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { slope, block } = self;
        if !S::KEPT {
            block.dz.fill([0.0; PANEL]);
        } // Otherwise product 1 has left +0.0 at the units without an entry.
        for k in 0..PANEL {
            let mut entries = block.by_input.with_parts(k);
            loop {
                let (mut rows, mut values) = ([0; LANES], [0.0; LANES]);
                let mut parts = [[0.0; LANES / 2]; LANES];
                let mut len = 0;
                for ((row, value), part) in entries.by_ref().take(LANES) {
                    let found = if S::KEPT { block.dz[row][k] } else { value };
                    (rows[len], values[len], parts[len]) = (row, found, *part);
                    len += 1;
                }
                let (found, sums) = (l.load(&values), l.sum_halves(&parts));
                let delta = delta(l, slope, block.keep, sums, found);
                let mut deltas = [0.0; LANES];
                l.store(delta, &mut deltas);
                for (&row, &delta) in rows[..len].iter().zip(&deltas) {
                    block.dz[row][k] = delta;
                }
                if len < LANES {
                    break;
                }
            }
        }
        add_rows(l, block.dz, block.bias_gradient);
    }
}

/// The dz of units from the sums of product 2, and either f'(z) r or the outputs, whichever
/// [`Slope::KEPT`] says.
#[inline(always)]
fn delta<L: Lanes, S: Slope>(l: L, slope: S, keep: Keep, sums: L::F, found: L::F) -> L::F {
    if S::KEPT {
        return l.mul(sums, slope.of(l, found));
    }
    // The list holds y / p.
    let y = l.mul(found, l.splat(keep.get() as f32));
    l.mul(l.mul(sums, l.splat(keep.scale())), slope.of(l, y))
}

/// Adds `sum_row dz[row][n]` to the gradient of the biases, over ascending rows.
#[inline(always)]
pub(super) fn add_rows<L: Lanes>(l: L, dz: &[Panel], to: &mut Panel) {
    let mut sum: [L::F; VECTORS] = load(l, to);
    for dz in dz {
        let dz: [L::F; VECTORS] = load(l, dz);
        for (sum, dz) in sum.iter_mut().zip(dz) {
            *sum = l.add(*sum, dz);
        }
    }
    store(l, sum, to);
}
