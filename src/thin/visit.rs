//! The visit of a block's tiles: products 2 and 3 in one pass over the entries.

use super::{
    ByInput, Lists, Panel, Panels, Tile, VECTORS, add_scaled,
    backward::{BelowUnit, FinishInputGradient, dot},
    load,
    path::ProductPath,
};
use crate::{
    parallel::{Divide, PerThread, Runs},
    pass::Pass,
    rate::Keep,
    simd::{Kernel, Lanes},
};

/// The consumer of a block's gradient, which either uses it immediately or stores it.
pub(crate) trait GradientSink {
    /// The weights of panel `n` as stored, and the pending factors.
    fn stored(&self, n: usize) -> (&Tile, &Panel);
    /// Takes the gradient g of the weights w of input `k` in panel `n`, with pending
    /// factors already applied to w. These are the first V vectors; the rest of the
    /// panel is padding.
    fn take<L: Lanes, const V: usize>(
        &mut self,
        l: L,
        n: usize,
        k: usize,
        w: [L::F; V],
        g: [L::F; V],
    );
    /// Called after all `inputs` inputs of panel `n` have been taken.
    fn end_of_tile<L: Lanes, const V: usize>(&mut self, l: L, n: usize, inputs: usize);
}

/// The operands of products 2 and 3, except for the weights, which the sink holds.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    /// The layer's inputs.
    pub x: &'a Lists,
    /// The gradient of its z.
    pub dz: &'a Panels,
    /// The code path that the products take.
    pub path: ProductPath,
    /// Memory in which each thread transposes lists.
    pub by_input: &'a PerThread<ByInput>,
}

/// The layer below, for which product 2 is computed.
pub(crate) struct LayerBelow<'a> {
    /// The slope of its units.
    pub unit: &'a dyn BelowUnit,
    /// The keep rate of its outputs.
    pub keep: Keep,
    /// The gradient of its z, to be written over what product 1 left there.
    pub dz: &'a mut Panels,
    /// The gradient of its biases, to be written.
    pub bias_gradient: &'a mut [Panel],
}

struct Visit<'a, S> {
    b: usize,
    operands: Operands<'a>,
    by_input: &'a mut ByInput,
    /// Whether to compute product 2.
    input_gradient: bool,
    sink: S,
}

impl<S: GradientSink> Kernel for Visit<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        self.by_input.transpose(self.operands.x, self.b);
        if self.input_gradient {
            self.by_input.clear_parts();
        }
        if self.operands.path == ProductPath::Narrow {
            self.tile::<L, 1>(l, 0);
        } else {
            for n in 0..self.operands.dz.panels() {
                self.tile::<L, VECTORS>(l, n);
            }
        }
    }
}

impl<S: GradientSink> Visit<'_, S> {
    /// Products 2 and 3 of one tile: the dz of an entry is loaded once for both.
    ///
    /// Product 3 is `g[n] = sum_row x[row][k] dz[row][n]`, over the rows in which input k
    /// is active, in ascending order. Product 2 is `sum_n w[k][n] dz[row][n]`, accumulated
    /// lane by lane in the entry's half vector over ascending panels; the lanes are added
    /// up at the end.
    #[inline(always)]
    fn tile<L: Lanes, const V: usize>(&mut self, l: L, n: usize) {
        let Self { b, operands: Operands { x, dz, .. }, by_input, input_gradient, sink } = self;
        let dz = dz.panel(n);
        // The padding inputs of the last block have no weights.
        let inputs = x.units(*b);
        for k in 0..inputs {
            let mut g = [l.splat(0.0); V];
            let (w, s) = sink.stored(n);
            let w = with_pending(l, &w[k], s);
            if *input_gradient {
                for ((row, x), part) in by_input.with_parts(k) {
                    let dz: [L::F; V] = load(l, &dz[row]);
                    g = add_scaled(l, l.splat(x), dz, g);
                    l.add_halves(dot(l, w, dz), part);
                }
            } else {
                for (row, x) in by_input.of(k) {
                    g = add_scaled(l, l.splat(x), load(l, &dz[row]), g);
                }
            }
            sink.take(l, n, k, w, g);
        }
        sink.end_of_tile::<L, V>(l, n, inputs);
    }
}

/// Multiplies weights by their pending factors.
#[inline(always)]
fn with_pending<L: Lanes, const V: usize>(l: L, w: &Panel, s: &Panel) -> [L::F; V] {
    let (mut w, s): ([L::F; V], [L::F; V]) = (load(l, w), load(l, s));
    for (w, s) in w.iter_mut().zip(s) {
        *w = l.mul(s, *w);
    }
    w
}

/// Products 2 and 3 of a layer. `sink(b, memory)` consumes the gradient of block b.
/// Without a layer below, product 2 is skipped.
pub(crate) fn blocks<D: Divide, S: GradientSink>(
    pass: Pass,
    operands: Operands<'_>,
    below: Option<LayerBelow<'_>>,
    memory: D,
    sink: &(impl Fn(usize, D) -> S + Sync),
) {
    let rates = below.as_ref().map(|below| (below.unit, below.keep));
    let below = below.map(|below| {
        below.dz.set_rows(operands.x.rows());
        (below.dz.runs_mut(), Runs { data: below.bias_gradient, size: 1 })
    });
    pass.each((memory, below), &|b, (memory, below)| {
        operands.by_input.with(|by_input| {
            let (input_gradient, sink) = (below.is_some(), sink(b, memory));
            pass.dispatch(Visit { b, operands, by_input: &mut *by_input, input_gradient, sink });
            if let Some(((unit, keep), (dz, bias_gradient))) = rates.zip(below) {
                let (dz, bias_gradient) = (dz.data, &mut bias_gradient.data[0]);
                unit.finish(pass, FinishInputGradient { keep, by_input, dz, bias_gradient });
            }
        });
    });
}
