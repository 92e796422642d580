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
    simd::{Kernel, LANES, Lanes},
    thin::{
        PANEL, Panels, Tile, add_scaled, load_from,
        update::{self, Parameters, Rule, StepOptions},
        vectors,
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
    let weights = Blocks::all(to.weights.runs_mut().data, panels, x);
    let state =
        states.each_mut().map(|state| Blocks::all(state.weights.runs_mut().data, panels, x));
    let overflowed = AtomicBool::new(false);
    pass.each_of(BLOCKS, (weights, state), &|_, (w, state): (Blocks<'_>, [Blocks<'_>; N])| {
        let step = Step { rule: weight_rule, bound: options.clip_weights, outputs, dz, w, state };
        let finite = pass.dispatch(step);
        if !finite {
            overflowed.store(true, Ordering::Relaxed);
        }
    });
    let bound = options.clip_biases;
    let finite = update::biases(pass, (bias_rule, bound), to.bias_gradient, to.bias, states);
    overflowed.into_inner() || !finite
}

/// The step on some blocks, vector by vector: that is the least code, which is compiled for each rule.
struct Step<'a, R, const N: usize> {
    rule: R,
    /// The largest size of an element of the gradient.
    bound: f32,
    outputs: usize,
    dz: &'a Panels,
    w: Blocks<'a>,
    state: [Blocks<'a>; N],
}

impl<R: Rule<N>, const N: usize> Kernel for Step<'_, R, N> {
    /// Whether all weights are finite.
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> bool {
        let Self { rule, bound, outputs, dz, mut w, mut state } = self;
        let columns = w.columns;
        let uses_state = rule.uses_state();
        let mut zeros = [[0.0; PANEL]; N];
        // 0 times a weight that is not finite is NaN, which a sum propagates.
        let mut seen = l.splat(0.0);
        for i in w.places() {
            if i + 1 < w.to {
                let next = columns.block(i + 1);
                for k in columns.inputs(i + 1).map(|at| columns.input(at).0) {
                    prefetch(l, outputs, w.of(next), k);
                    for state in state.iter_mut().filter(|_| uses_state) {
                        prefetch(l, outputs, state.of(next), k);
                    }
                }
            }
            let w = w.of(columns.block(i));
            let mut state = state.each_mut().map(|state| state.of(columns.block(i)));
            for at in columns.inputs(i) {
                let (k, entries) = columns.input(at);
                for (n, w) in w.iter_mut().enumerate() {
                    let dz = dz.panel(n);
                    for c in 0..vectors(outputs, n) {
                        let mut g = [l.splat(0.0)];
                        for &(row, x) in entries {
                            g = add_scaled(l, l.splat(x), load_from(l, &dz[row as usize], c), g);
                        }
                        let g = without_minus_zero(l, g);
                        let state = match uses_state {
                            true => state.each_mut().map(|state| &mut state[n][k]),
                            false => zeros.each_mut(),
                        };
                        let to = &mut w[k];
                        let old = load_from(l, to, c);
                        update::step_from(l, (rule, bound), c, g, old, state, to);
                        let [new] = load_from(l, to, c);
                        seen = l.mul_add(new, l.splat(0.0), seen);
                    }
                }
            }
        }
        l.is_nan(seen) == 0
    }
}

/// Prefetches the weights of input `k` of a block.
#[inline(always)]
fn prefetch<L: Lanes>(l: L, outputs: usize, tiles: &[Tile], k: usize) {
    for (n, tile) in tiles.iter().enumerate() {
        for line in &tile[k].as_chunks::<LANES>().0[..vectors(outputs, n)] {
            l.prefetch(line.as_ptr());
        }
    }
}
