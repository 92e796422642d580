//! Product 3 for sparse rows: the gradient of the weights of inputs that have entries, applied in the
//! same pass by an optimiser that leaves all other weights as they are.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use super::SparseColumns;
use crate::{
    parallel::Divide,
    pass::Pass,
    simd::{Kernel, Lanes},
    thin::{
        Panels, ProductPath, Tile, VECTORS, add_scaled, load, prefetch,
        update::{self, Parameters, Rule, StepOptions},
        visit::without_minus_zero,
    },
};

/// Blocks that have entries per task.
const BLOCKS: usize = 64;

/// The weights of blocks that have entries, for [`Pass::each_of`].
pub(super) struct Blocks<'a> {
    tiles: &'a mut [Tile],
    /// The block of the first tile.
    first: usize,
    /// Tiles per block.
    panels: usize,
    columns: &'a SparseColumns,
    /// The places of the blocks in `columns`.
    from: usize,
    to: usize,
}

impl<'a> Blocks<'a> {
    pub(super) fn all(tiles: &'a mut [Tile], panels: usize, columns: &'a SparseColumns) -> Self {
        Self { tiles, first: 0, panels, columns, from: 0, to: columns.touched() }
    }

    /// The places of the blocks.
    pub(super) fn places(&self) -> Range<usize> {
        self.from..self.to
    }

    /// The tiles of a block.
    #[inline(always)]
    pub(super) fn of(&mut self, block: usize) -> &mut [Tile] {
        &mut self.tiles[(block - self.first) * self.panels..][..self.panels]
    }
}

impl Divide for Blocks<'_> {
    fn items(&self) -> usize {
        self.to - self.from
    }

    fn take(&mut self, n: usize) -> Self {
        let middle = self.from + n;
        // The tiles from the first block on that is left.
        let next = if middle < self.to { self.columns.block(middle) } else { self.first };
        let tiles = std::mem::take(&mut self.tiles);
        let split = if middle < self.to { (next - self.first) * self.panels } else { tiles.len() };
        let (taken, left) = tiles.split_at_mut(split);
        let taken = Self { tiles: taken, to: middle, ..*self };
        (self.tiles, self.first, self.from) = (left, next, middle);
        taken
    }
}

/// The optimiser step on a layer whose inputs are sparse rows, with the rules of the weights and of the
/// biases; the rule of the weights leaves those alone that have the gradient 0, and nothing else changes
/// them. Returns whether any parameter is now NaN or infinite.
pub(crate) fn layer<const N: usize, R: Rule<N>>(
    pass: Pass,
    [weight_rule, bias_rule]: [R; 2],
    options: StepOptions,
    (x, dz): (&SparseColumns, &Panels),
    to: Parameters<'_>,
) -> bool {
    let (outputs, panels) = (to.weights.outputs(), to.weights.panels());
    let states = &mut to.state.optimiser.as_chunks_mut::<N>().0[0];
    let path = ProductPath::of(x.rows(), outputs);
    let weights = Blocks::all(to.weights.runs_mut().data, panels, x);
    let state =
        states.each_mut().map(|state| Blocks::all(state.weights.runs_mut().data, panels, x));
    let overflowed = AtomicBool::new(false);
    pass.each_of(BLOCKS, (weights, state), &|_, (w, state): (Blocks<'_>, [Blocks<'_>; N])| {
        let step = Step { rule: weight_rule, bound: options.clip_weights, dz, w, state };
        let finite = match path {
            ProductPath::Narrow => pass.dispatch(First::<_, 1>(step)),
            ProductPath::FewRows | ProductPath::Lists => pass.dispatch(First::<_, VECTORS>(step)),
        };
        if !finite {
            overflowed.store(true, Ordering::Relaxed);
        }
    });
    let bound = options.clip_biases;
    let finite = update::biases(pass, (bias_rule, bound), to.bias_gradient, to.bias, states);
    overflowed.into_inner() || !finite
}

/// The step on some blocks.
struct Step<'a, R, const N: usize> {
    rule: R,
    /// The largest size of an element of the gradient.
    bound: f32,
    dz: &'a Panels,
    w: Blocks<'a>,
    state: [Blocks<'a>; N],
}

/// The first V vectors of each panel, of which all others are 0.
struct First<S, const V: usize>(S);

impl<R: Rule<N>, const N: usize, const V: usize> Kernel for First<Step<'_, R, N>, V> {
    /// Whether all weights are finite.
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> bool {
        let Self(Step { rule, bound, dz, mut w, mut state }) = self;
        let (columns, panels) = (w.columns, w.panels);
        // 0 times a weight that is not finite is NaN, which a sum propagates.
        let mut seen = l.splat(0.0);
        for i in w.places() {
            let block = columns.block(i);
            let inputs = columns.inputs(i);
            if i + 1 < w.to {
                let next = columns.block(i + 1);
                for k in columns.inputs(i + 1).map(|at| columns.input(at).0) {
                    for n in 0..panels {
                        prefetch::<L, _, V>(l, w.of(next), n, k);
                        for state in &mut state {
                            prefetch::<L, _, V>(l, state.of(next), n, k);
                        }
                    }
                }
            }
            for at in inputs {
                let (k, entries) = columns.input(at);
                for n in 0..panels {
                    let dz = dz.panel(n);
                    let mut g = [l.splat(0.0); V];
                    for &(row, x) in entries {
                        g = add_scaled(l, l.splat(x), load(l, &dz[row as usize]), g);
                    }
                    let g = without_minus_zero(l, g);
                    let state = state.each_mut().map(|state| &mut state.of(block)[n][k]);
                    let to = &mut w.of(block)[n][k];
                    update::step(l, (rule, bound), g, load(l, to), state, to);
                    let new: [L::F; V] = load(l, to);
                    for w in new {
                        seen = l.mul_add(w, l.splat(0.0), seen);
                    }
                }
            }
        }
        l.is_nan(seen) == 0
    }
}
