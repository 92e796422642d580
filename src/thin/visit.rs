//! The visit of a block's tiles: products 2 and 3 in one pass over the entries.

use super::{
    ByInput, Lists, PANEL, Panel, Panels, Tile, VECTORS, add_scaled,
    backward::{BelowUnit, FinishInputGradient, FinishRows, dot, with_pending},
    dense::{self, Full, INPUTS, InputGradient, WeightGradient},
    load, outer,
    path::ProductPath,
    sparse::SparseColumns,
    units, vectors,
};
use crate::{
    parallel::{Divide, PerThread, Runs},
    pass::Pass,
    rate::Keep,
    simd::{Kernel, Lanes},
};

/// The consumer of a block's gradient, which either uses it immediately or stores it.
pub(crate) trait GradientSink {
    /// The weights of the block as stored, and the pending factors of each panel.
    fn stored(&self) -> (&[Tile], &[Panel]);
    /// The gradient of the weights of input `k` in panel `n` over earlier rows of the batch, to
    /// which these rows are added; `None` if these are the first.
    fn before(&self, n: usize, k: usize) -> Option<&Panel>;
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

/// The active inputs of a layer.
#[derive(Clone, Copy)]
pub(crate) enum Active<'a> {
    /// In lists.
    Lists(&'a Lists),
    /// Of sparse rows, by input. No layer is below.
    Sparse(&'a SparseColumns),
}

impl<'a> Active<'a> {
    fn rows(self) -> usize {
        match self {
            Self::Lists(lists) => lists.rows(),
            Self::Sparse(columns) => columns.rows(),
        }
    }

    fn width(self) -> usize {
        match self {
            Self::Lists(lists) => lists.width(),
            Self::Sparse(columns) => columns.width(),
        }
    }

    /// The lists, if this is what they are.
    fn lists(self) -> Option<&'a Lists> {
        match self {
            Self::Lists(lists) => Some(lists),
            Self::Sparse(_) => None,
        }
    }
}

/// The operands of products 2 and 3, except for the weights, which the sink holds.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    /// The layer's inputs.
    pub x: Active<'a>,
    /// The gradient of its z.
    pub dz: &'a Panels,
    /// The number of outputs.
    pub outputs: usize,
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
    /// The gradient of its biases, to be added to.
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
        match self.operands.x {
            Active::Lists(lists) => self.by_input.transpose(lists, self.b),
            Active::Sparse(columns) => self.by_input.take(columns, self.b),
        }
        if self.input_gradient {
            self.by_input.clear_parts();
        }
        for n in 0..self.operands.dz.panels() {
            self.tile(l, n);
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
    fn tile<L: Lanes>(&mut self, l: L, n: usize) {
        let Self { b, operands: Operands { x, dz, .. }, by_input, input_gradient, sink } = self;
        let dz = dz.panel(n);
        // The padding inputs of the last block have no weights.
        let inputs = units(x.width(), *b);
        for k in 0..inputs {
            let mut g = match sink.before(n, k) {
                Some(before) => load(l, before),
                None => [l.splat(0.0); VECTORS],
            };
            let (w, s) = sink.stored();
            let w = with_pending(l, &w[n][k], &s[n]);
            if *input_gradient {
                for ((row, x), part) in by_input.with_parts(k) {
                    let dz: [L::F; VECTORS] = load(l, &dz[row]);
                    g = add_scaled(l, l.splat(x), dz, g);
                    l.add_halves(dot(l, w, dz), part);
                }
            } else {
                for (row, x) in by_input.of(k) {
                    g = add_scaled(l, l.splat(x), load(l, &dz[row]), g);
                }
                g = without_minus_zero(l, g);
            }
            sink.take(l, n, k, w, g);
        }
        sink.end_of_tile::<L, VECTORS>(l, n, inputs);
    }
}

/// The sums with +0.0 for -0.0, which a product that underflows leaves, and which an entry with the
/// value 0 would turn into +0.0. Only the first layer's lists have such entries: see
/// [`Gaps::Zeros`](super::Gaps::Zeros).
#[inline(always)]
pub(super) fn without_minus_zero<L: Lanes, const V: usize>(l: L, mut sums: [L::F; V]) -> [L::F; V] {
    for sum in &mut sums {
        *sum = l.add(*sum, l.splat(0.0));
    }
    sums
}

/// The gradient of some inputs, for the sink of their block: the first V vectors.
struct Take<'a, S, const V: usize> {
    sink: &'a mut S,
    n: usize,
    /// The first input.
    k: usize,
    g: &'a [Panel],
    /// The inputs of the block.
    inputs: usize,
    /// Whether the lists of this layer can be padded.
    first_layer: bool,
}

impl<S: GradientSink, const V: usize> Kernel for Take<'_, S, V> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { sink, n, k, g, inputs, first_layer } = self;
        if V == VECTORS && !dense::pays(L::REGISTERS) {
            return; // Never called there: this leaves the code out.
        }
        for (i, g) in g.iter().enumerate() {
            let (w, s) = sink.stored();
            let w = with_pending(l, &w[n][k + i], &s[n]);
            let mut g = load(l, g);
            if first_layer {
                g = without_minus_zero(l, g);
            }
            sink.take::<L, V>(l, n, k + i, w, g);
        }
        if k + g.len() == inputs {
            sink.end_of_tile::<L, V>(l, n, inputs);
        }
    }
}

/// A block of the layer below: its dz and the gradient of its biases, to be written.
type BlockBelow<'a> = (&'a dyn BelowUnit, Keep, &'a mut [Panel], &'a mut Panel);

/// Products 2 and 3 of a block whose lists are full. The products are compiled once for all
/// sinks.
fn full_block<S: GradientSink>(
    pass: Pass,
    x: Full<'_>,
    operands: Operands<'_>,
    by_input: &mut ByInput,
    below: Option<BlockBelow<'_>>,
    mut sink: S,
) {
    let (dz, units) = (operands.dz, x.units());
    let first_layer = below.is_none();
    if let Some((unit, keep, below, bias_gradient)) = below {
        let (w, s) = sink.stored();
        let (sums, parts) = by_input.full(below.len());
        pass.dispatch(InputGradient { w, s, dz, units, to: &mut *sums, parts });
        unit.finish_rows(pass, FinishRows { keep, x, some: None, sums, dz: below, bias_gradient });
    }
    for n in 0..dz.panels() {
        let dz = dz.panel(n);
        for k in (0..units).step_by(INPUTS) {
            let mut g = [[0.0; PANEL]; INPUTS];
            let g = &mut g[..INPUTS.min(units - k)];
            for (i, g) in g.iter_mut().enumerate() {
                if let Some(before) = sink.before(n, k + i) {
                    *g = *before;
                }
            }
            pass.dispatch(WeightGradient { x, k, dz, g: &mut *g });
            let inputs = units;
            pass.dispatch(Take::<_, VECTORS> { sink: &mut sink, n, k, g, inputs, first_layer });
        }
    }
}

/// Products 2 and 3 of block `b` of a narrow layer.
fn narrow_block<S: GradientSink>(
    pass: Pass,
    b: usize,
    x: &Lists,
    operands: Operands<'_>,
    by_input: &mut ByInput,
    below: Option<BlockBelow<'_>>,
    mut sink: S,
) {
    let Operands { dz, outputs, .. } = operands;
    let (units, vectors, dz) = (x.units(b), vectors(x.width(), b), dz.panel(0));
    let (x, sums) = by_input.spread(x.block(b));
    let first_layer = below.is_none();
    if let Some((unit, keep, below, bias_gradient)) = below {
        let (w, s) = sink.stored();
        let w = &outer::weights(&w[0], &s[0], outputs, units);
        let sums = &mut sums[..x.len()];
        outer::InputGradient { x, dz, w, vectors, to: &mut *sums }.dispatch(pass, outputs);
        let (x, some) = (x.values(), Some(x));
        unit.finish_rows(pass, FinishRows { keep, x, some, sums, dz: below, bias_gradient });
    }
    let mut g = [[0.0; PANEL]; _];
    for k in 0..units {
        if let Some(before) = sink.before(0, k) {
            for (g, before) in g[..outputs].iter_mut().zip(before) {
                g[k] = *before;
            }
        }
    }
    pass.dispatch(outer::WeightGradient { x, dz, outputs, vectors, g: &mut g });
    for k in (0..units).step_by(INPUTS) {
        let mut of_inputs = [[0.0; PANEL]; INPUTS];
        let of_inputs = &mut of_inputs[..INPUTS.min(units - k)];
        for (i, to) in of_inputs.iter_mut().enumerate() {
            for (to, g) in to.iter_mut().zip(&g[..outputs]) {
                *to = g[k + i];
            }
        }
        let (sink, g) = (&mut sink, &*of_inputs);
        pass.dispatch(Take::<_, 1> { sink, n: 0, k, g, inputs: units, first_layer });
    }
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
    let pays = dense::pays(pass.dispatch(dense::Registers));
    pass.each((memory, below), &|b, (memory, below)| {
        operands.by_input.with(|by_input| {
            let sink = sink(b, memory);
            let below = rates.zip(below).map(|((unit, keep), (dz, bias_gradient))| {
                (unit, keep, dz.data, &mut bias_gradient.data[0])
            });
            if let Some(x) = operands.x.lists() {
                if operands.path == ProductPath::Narrow {
                    return narrow_block(pass, b, x, operands, by_input, below, sink);
                }
                if let Some(x) = x.full(b).filter(|_| pays) {
                    return full_block(pass, x, operands, by_input, below, sink);
                }
            }
            let input_gradient = below.is_some();
            pass.dispatch(Visit { b, operands, by_input: &mut *by_input, input_gradient, sink });
            if let Some((unit, keep, dz, bias_gradient)) = below {
                unit.finish(pass, FinishInputGradient { keep, by_input, dz, bias_gradient });
            }
        });
    });
}
