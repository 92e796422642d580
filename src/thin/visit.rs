//! A block's visit of its tiles: products 2 and 3 while each is in L1.

use super::{
    Lists, PANEL, Panel, Panels, Tile, Turned, Unit, VECTORS, add_scaled,
    backward::{self, Below},
    load,
    turned::{TurnedBlock, TurnedRuns, turn},
};
use crate::{
    parallel::{Divide, Runs, each},
    rate::Keep,
    simd::{Isa, Kernel, Lanes},
};

/// What becomes of a block's gradient: it is used at once, or written down.
pub(crate) trait Sink {
    /// The weights of panel `n`, before they change.
    fn weights(&self, n: usize) -> &Tile;
    /// Takes the gradient in the weights of input `k` in panel `n`: of the first
    /// V vectors, what is behind them fills up the panel.
    fn take<L: Lanes, const V: usize>(&mut self, l: L, n: usize, k: usize, g: [L::F; V]);
    /// All inputs of panel `n` were taken, `inputs` of them.
    fn end_of_tile<L: Lanes, const V: usize>(&mut self, l: L, n: usize, inputs: usize);
}

/// The operands of products 2 and 3, the weights apart: those are the sink's.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    /// The layer's inputs.
    pub x: &'a Lists,
    /// The gradient in its z.
    pub dz: &'a Panels,
    /// The factors that max-norm left pending, a panel each.
    pub s: &'a [Panel],
    /// Whether the outputs fill one vector at most.
    pub narrow: bool,
}

/// The layer below, for which product 2 is.
pub(crate) struct LayerBelow<'a, U> {
    /// Its non-linearity.
    pub unit: U,
    /// The keep rate of its outputs.
    pub keep: Keep,
    /// The gradient in its z, to be written.
    pub dz: &'a mut Panels,
    /// The gradient in its biases, to be written.
    pub bias_gradient: &'a mut [Panel],
}

struct Visit<'a, U, S> {
    b: usize,
    operands: Operands<'a>,
    turned: TurnedRuns<'a>,
    below: Option<Below<'a, U>>,
    sink: S,
}

impl<U: Unit, S: Sink> Kernel for Visit<'_, U, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        let x = self.operands.x;
        let turned = turn(x, self.b, self.turned);
        if let Some(below) = &mut self.below {
            below.dz.fill([0.0; PANEL]);
        }
        if self.operands.narrow {
            tile::<L, U, S, 1>(
                l,
                self.b,
                0,
                self.operands,
                turned,
                &mut self.below,
                &mut self.sink,
            );
        } else {
            for n in 0..self.operands.dz.panels() {
                let (below, sink) = (&mut self.below, &mut self.sink);
                tile::<L, U, S, VECTORS>(l, self.b, n, self.operands, turned, below, sink);
            }
        }
        if let Some(below) = &mut self.below {
            below.finish(l, x.block(self.b));
        }
    }
}

/// Products 2 and 3 of one tile.
#[inline(always)]
fn tile<L: Lanes, U: Unit, S: Sink, const V: usize>(
    l: L,
    b: usize,
    n: usize,
    Operands { x, dz, s, .. }: Operands<'_>,
    turned: TurnedBlock<'_>,
    below: &mut Option<Below<'_, U>>,
    sink: &mut S,
) {
    let dz = dz.panel(n);
    if let Some(below) = below {
        backward::tile::<L, V>(l, sink.weights(n), &s[n], dz, x.block(b), below.dz);
    }
    // Inputs that fill up the last block have no weights.
    let inputs = x.units(b);
    for k in 0..inputs {
        // Product 3: `g[n] = sum_row x[row][k] dz[row][n]`, over the rows where
        // the input is active, ascending.
        let mut g = [l.splat(0.0); V];
        for (row, x) in turned.of(k) {
            g = add_scaled(l, l.splat(x), load(l, &dz[row]), g);
        }
        sink.take(l, n, k, g);
    }
    sink.end_of_tile::<L, V>(l, n, inputs);
}

/// Products 2 and 3 of a layer. `sink(b, memory)` is what becomes of block b's
/// gradient; without a layer below there is no product 2.
pub(crate) fn blocks<U: Unit, D: Divide, S: Sink>(
    isa: Isa,
    parallel: bool,
    operands: Operands<'_>,
    turned: &mut Turned,
    below: Option<LayerBelow<'_, U>>,
    memory: D,
    sink: &(impl Fn(usize, D) -> S + Sync),
) {
    let turned = turned.runs_mut(operands.x.blocks());
    let rates = below.as_ref().map(|below| (below.unit, below.keep));
    let below = below.map(|below| {
        below.dz.set_rows(operands.x.rows());
        (below.dz.runs_mut(), Runs { data: below.bias_gradient, size: 1 })
    });
    each(parallel, ((turned, memory), below), &|b, ((turned, memory), below)| {
        let below = rates.zip(below).map(|((unit, keep), (dz, bias_gradient))| Below {
            unit,
            keep,
            dz: dz.data,
            bias_gradient: &mut bias_gradient.data[0],
        });
        isa.dispatch(Visit { b, operands, turned, below, sink: sink(b, memory) });
    });
}
