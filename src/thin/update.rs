//! What happens to the result of product 3: the optimiser applies it immediately, or
//! the gradient is stored.
//!
//! Each panel row of 64 weights is updated while its gradient is still in registers:
//! the gradient matrix never exists, and weights and velocity are read and written
//! once. Max-norm needs no pass of its own: the step adds up the squares, and the
//! scale factor of each unit stays pending until the next pass over the weights.

use super::{
    PANEL, Panel, Panels, Tile, Tiles, VECTORS, average,
    backward::add_rows,
    load, prefetch, store,
    visit::{self, GradientSink, LayerBelow, Operands},
};
use crate::{
    error::Error,
    parallel::Runs,
    pass::Pass,
    simd::{Kernel, LANES, Lanes, Supported},
    tensor::AlignedBuffer,
};

/// The update rule of an optimiser that remembers N numbers per parameter, N at least 1.
/// Kernels are compiled for each rule, so one that serves several optimisers saves code.
pub(crate) trait Rule<const N: usize>: Copy + Send + Sync {
    /// Returns the new parameter and its new state, given gradient g, parameter w and
    /// state.
    ///
    /// Padding has gradient, parameter and state 0, and its parameter must stay 0. Where a
    /// number of the state overflows, the parameter must too: only parameters are checked.
    fn step<L: Lanes>(self, l: L, g: L::F, w: L::F, state: [L::F; N]) -> (L::F, [L::F; N]);

    /// Whether the new parameter depends on the state, or the state changes. If not, a kernel whose time is
    /// that of memory need not read it, and gives zeros.
    #[inline(always)]
    fn uses_state(self) -> bool {
        true
    }
}

/// A number that an optimiser remembers for each parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StateInit {
    /// Its name in checkpoints.
    pub name: &'static str,
    /// Its first value for weights.
    pub weights: f32,
    /// Its first value for biases.
    pub biases: f32,
    /// Whether it is a sum of squares, which cannot be negative.
    pub squares: bool,
}

impl StateInit {
    /// A number that is 0 at first.
    pub(crate) fn zero(name: &'static str) -> Self {
        Self { name, weights: 0.0, biases: 0.0, squares: false }
    }
}

/// One number for each parameter of a layer that persists between steps: of the optimiser's state, or
/// the average of the parameter.
#[derive(Clone, Debug)]
pub(crate) struct OptimiserState {
    /// Its name and first values.
    pub init: StateInit,
    /// Those of the weights.
    pub weights: Tiles,
    /// Those of the biases, padded to whole panels.
    pub bias: AlignedBuffer<f32>,
}

/// The training state of a layer that persists between steps, besides its parameters.
#[derive(Clone, Debug)]
pub(crate) struct LayerState {
    /// The optimiser's state.
    pub optimiser: Vec<OptimiserState>,
    /// The average of the parameters, if it is wanted: its [`average::states`].
    pub average: Vec<OptimiserState>,
    /// s: the pending max-norm factor for the incoming weights of each unit.
    pub pending: AlignedBuffer<f32>,
}

impl LayerState {
    /// The initial state, with nothing pending; `average` are the numbers of the average, if there is
    /// one.
    pub(crate) fn new(
        inputs: usize,
        outputs: usize,
        states: &[StateInit],
        average: &[StateInit],
    ) -> Result<Self, Error> {
        let state = |init: StateInit| {
            let mut weights = Tiles::zeroed(inputs, outputs)?;
            let mut bias = AlignedBuffer::zeroed(outputs.next_multiple_of(PANEL))?;
            if init.weights != 0.0 {
                weights.fill(init.weights);
            }
            bias[..outputs].fill(init.biases);
            Ok(OptimiserState { init, weights, bias })
        };
        Ok(Self {
            optimiser: states.iter().copied().map(state).collect::<Result<_, Error>>()?,
            average: average.iter().copied().map(state).collect::<Result<_, Error>>()?,
            pending: nothing_pending(outputs)?,
        })
    }

    /// Multiplies the weights by the pending factors.
    pub(crate) fn apply_pending(&self, weights: &mut Tiles) {
        weights.scale_outputs(self.pending.as_chunks().0);
    }
}

/// The factors of a layer with nothing pending.
pub(crate) fn nothing_pending(outputs: usize) -> Result<AlignedBuffer<f32>, Error> {
    let mut factors = AlignedBuffer::zeroed(outputs.next_multiple_of(PANEL))?;
    factors.fill(1.0);
    Ok(factors)
}

/// The options of a step, with any rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepOptions {
    /// The largest size of an element of the weights' gradient. Infinity, for no bound, changes no
    /// bit.
    pub clip_weights: f32,
    /// The same for the gradient of the biases.
    pub clip_biases: f32,
    /// The largest norm of the weights into a unit.
    pub max_norm: Option<f32>,
    /// How far the average moves towards the parameters before the step changes them, from 0 to 1.
    pub average: f32,
}

/// The optimiser step on one block.
struct Step<'a, R, const N: usize> {
    rule: R,
    /// The largest size of an element of the gradient.
    bound: f32,
    s: &'a [Panel],
    w: &'a mut [Tile],
    state: [&'a mut [Tile]; N],
    before: Option<&'a [Tile]>,
    /// The sums of squares of the new incoming weights of each unit.
    squares: &'a mut [Panel],
}

impl<R: Rule<N>, const N: usize> GradientSink for Step<'_, R, N> {
    #[inline(always)]
    fn stored(&self) -> (&[Tile], &[Panel]) {
        (self.w, self.s)
    }

    #[inline(always)]
    fn before(&self, n: usize, k: usize) -> Option<&Panel> {
        self.before.map(|before| &before[n][k])
    }

    #[inline(always)]
    fn take<L: Lanes, const V: usize>(
        &mut self,
        l: L,
        n: usize,
        k: usize,
        w: [L::F; V],
        g: [L::F; V],
    ) {
        prefetch::<L, _, V>(l, self.w, n + 1, k);
        for state in &self.state {
            prefetch::<L, _, V>(l, state, n + 1, k);
        }
        let state = self.state.each_mut().map(|state| &mut state[n][k]);
        step(l, (self.rule, self.bound), g, w, state, &mut self.w[n][k]);
    }

    #[inline(always)]
    fn end_of_tile<L: Lanes, const V: usize>(&mut self, l: L, n: usize, inputs: usize) {
        let mut squares = [l.splat(0.0); V];
        for w in &self.w[n][..inputs] {
            let w: [L::F; V] = load(l, w);
            for (square, w) in squares.iter_mut().zip(w) {
                *square = l.mul_add(w, w, *square);
            }
        }
        // Beyond the first V vectors there are no weights.
        self.squares[n] = [0.0; PANEL];
        store(l, squares, &mut self.squares[n]);
    }
}

/// The optimiser step on the first V vectors of 64 parameters w.
#[inline(always)]
fn step<L: Lanes, R: Rule<N>, const V: usize, const N: usize>(
    l: L,
    rule: (R, f32),
    g: [L::F; V],
    w: [L::F; V],
    state: [&mut Panel; N],
    to: &mut Panel,
) {
    step_from(l, rule, 0, g, w, state, to);
}

/// The optimiser step on V vectors of 64 parameters w, from vector `first` on. The elements of g are first
/// limited to `bound` in size; NaN stays NaN.
#[inline(always)]
pub(super) fn step_from<L: Lanes, R: Rule<N>, const V: usize, const N: usize>(
    l: L,
    (rule, bound): (R, f32),
    first: usize,
    g: [L::F; V],
    w: [L::F; V],
    state: [&mut Panel; N],
    to: &mut Panel,
) {
    let to = &mut to.as_chunks_mut::<LANES>().0[first..];
    let mut state = state.map(|state| &mut state.as_chunks_mut::<LANES>().0[first..]);
    let (low, high) = (l.splat(-bound), l.splat(bound));
    for (c, ((g, w), to)) in g.into_iter().zip(w).zip(to).enumerate() {
        let g = l.at_least(l.at_most(g, high), low);
        let mut old = [g; N];
        for (old, state) in old.iter_mut().zip(&state) {
            *old = l.load(&state[c]);
        }
        let (new_w, new) = rule.step(l, g, w, old);
        l.store(new_w, to);
        for (new, state) in new.into_iter().zip(&mut state) {
            l.store(new, &mut state[c]);
        }
    }
}

/// The weights and biases of a layer, and what else the step needs.
pub(crate) struct Parameters<'a> {
    pub weights: &'a mut Tiles,
    pub bias: &'a mut [Panel],
    pub state: &'a mut LayerState,
    /// The gradient of the biases.
    pub bias_gradient: &'a [Panel],
    /// The gradient of the weights over earlier rows of the batch.
    pub before: Option<&'a Tiles>,
    /// Scratch memory of one panel for each of the layer's tiles.
    pub squares: &'a mut [Panel],
}

/// The optimiser step on a whole layer, with the rules of the weights and of the biases: products 2
/// and 3, the biases, and the max-norm factor for the incoming weights of each unit, which is left
/// pending. Returns whether any parameter is now NaN or infinite.
pub(crate) fn layer<const N: usize, R: Rule<N>>(
    pass: Pass,
    [weight_rule, bias_rule]: [R; 2],
    options: StepOptions,
    operands: Operands<'_>,
    below: Option<LayerBelow<'_>>,
    to: Parameters<'_>,
) -> bool {
    let LayerState { optimiser, average, pending } = to.state;
    let rate = options.average;
    // Where it would not move, it is neither read nor written.
    let average = average::split(average).filter(|_| rate > 0.0);
    let (average, of_biases) = average.unzip();
    let states = &mut optimiser.as_chunks_mut::<N>().0[0];
    let pending = pending.as_chunks_mut().0;
    let squares = &mut to.squares[..to.weights.blocks() * to.weights.panels()];
    let squares = Runs { data: squares, size: operands.dz.panels() };
    let of_weights = states.each_mut().map(|state| state.weights.runs_mut());
    let memory = ((to.weights.runs_mut(), of_weights, squares), average);
    visit::blocks(pass, operands, below, memory, &|b, ((w, state, squares), average)| {
        if let Some((average, rest)) = average {
            let (average, rest) = (average.data, rest.map(|rest| rest.data));
            pass.dispatch(average::Weights { rate, w: w.data, s: pending, average, rest });
        }
        Step {
            rule: weight_rule,
            bound: options.clip_weights,
            s: pending,
            w: w.data,
            state: state.map(|state| state.data),
            before: to.before.map(|before| before.block(b)),
            squares: squares.data,
        }
    });
    if let Some((average, rest)) = of_biases {
        pass.dispatch(average::Biases { rate, b: to.bias, average, rest });
    }
    let bound = options.clip_biases;
    let finite = biases(pass, (bias_rule, bound), to.bias_gradient, to.bias, states);
    // A sum of squares overflows before the weights do.
    let suspect = project(to.weights, to.squares, options.max_norm, pending);
    suspect && !to.weights.all_finite() || !finite
}

/// The optimiser step on the biases of a layer, whose gradient `g` is first limited to the bound.
/// Returns whether they are finite.
pub(super) fn biases<const N: usize, R: Rule<N>>(
    pass: Pass,
    (rule, bound): (R, f32),
    g: &[Panel],
    b: &mut [Panel],
    states: &mut [OptimiserState; N],
) -> bool {
    let state = states.each_mut().map(|state| state.bias.as_chunks_mut().0);
    pass.dispatch(Biases { rule, bound, g, b: &mut *b, state });
    b.iter().flatten().all(|b| b.is_finite())
}

struct Biases<'a, R, const N: usize> {
    rule: R,
    /// The largest size of an element of g.
    bound: f32,
    g: &'a [Panel],
    b: &'a mut [Panel],
    state: [&'a mut [Panel]; N],
}

impl<R: Rule<N>, const N: usize> Kernel for Biases<'_, R, N> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, l: L) {
        for (n, (g, b)) in self.g.iter().zip(self.b).enumerate() {
            let state = self.state.each_mut().map(|state| &mut state[n]);
            let rule = (self.rule, self.bound);
            step::<L, R, VECTORS, N>(l, rule, load(l, g), load(l, b), state, b);
        }
    }
}

/// Computes the factor that scales the incoming weights of each unit down to norm `most`
/// if their norm is larger: `s[n] = min(1, most / |w[.][n]|)` (section 5.1 of the paper).
/// The next pass applies it. Returns whether any sum of squares is not finite.
fn project(w: &mut Tiles, squares: &[Panel], most: Option<f32>, s: &mut [Panel]) -> bool {
    let (panels, mut suspect) = (w.panels(), false);
    for (n, s) in s.iter_mut().enumerate() {
        let mut sums = [0.0; PANEL];
        for b in 0..w.blocks() {
            for (sum, square) in sums.iter_mut().zip(&squares[b * panels + n]) {
                *sum += square;
            }
        }
        let Some(most) = most else {
            suspect |= sums.iter().any(|x: &f32| !x.is_finite());
            s.fill(1.0);
            continue;
        };
        for (s, sum) in s.iter_mut().zip(&sums) {
            let norm = sum.sqrt();
            *s = if norm > most { most / norm } else { 1.0 };
        }
        // If the squares overflowed, their sum is computed again in f64. A factor that is not a
        // normal number would be inexact: the weights are multiplied here instead.
        for (i, sum) in sums.iter().enumerate() {
            if sum.is_finite() && s[i] >= f32::MIN_POSITIVE {
                continue;
            }
            suspect |= !sum.is_finite();
            let output = n * PANEL + i;
            let squares = w.column(output).map(|w| f64::from(w) * f64::from(w));
            let factor = f64::from(most) / squares.sum::<f64>().sqrt();
            s[i] = factor as f32;
            if factor > 0.0 && s[i] < f32::MIN_POSITIVE {
                w.scale_column(output, factor);
                s[i] = 1.0;
            }
        }
    }
    suspect
}

/// Stores a block's gradient.
struct Collect<'a> {
    s: &'a [Panel],
    w: &'a [Tile],
    g: &'a mut [Tile],
    /// Whether g holds the gradient over earlier rows.
    add: bool,
}

impl GradientSink for Collect<'_> {
    #[inline(always)]
    fn stored(&self) -> (&[Tile], &[Panel]) {
        (self.w, self.s)
    }

    #[inline(always)]
    fn before(&self, n: usize, k: usize) -> Option<&Panel> {
        self.add.then(|| &self.g[n][k])
    }

    #[inline(always)]
    fn take<L: Lanes, const V: usize>(
        &mut self,
        l: L,
        n: usize,
        k: usize,
        _: [L::F; V],
        g: [L::F; V],
    ) {
        store(l, g, &mut self.g[n][k]);
    }

    #[inline(always)]
    fn end_of_tile<L: Lanes, const V: usize>(&mut self, _: L, _: usize, _: usize) {}
}

/// Where the gradient of a layer's weights goes.
pub(crate) struct Sum<'a> {
    pub g: &'a mut Tiles,
    /// Whether it is added to what is there.
    pub add: bool,
}

/// Products 2 and 3 of a layer, whose gradient is stored.
pub(crate) fn collect(
    pass: Pass,
    w: &Tiles,
    s: &[Panel],
    operands: Operands<'_>,
    below: Option<LayerBelow<'_>>,
    to: Sum<'_>,
) {
    let add = to.add;
    visit::blocks(pass, operands, below, to.g.runs_mut(), &|b, g| Collect {
        s,
        w: w.block(b),
        g: g.data,
        add,
    });
}

struct SumOfRows<'a> {
    dz: &'a Panels,
    to: &'a mut [Panel],
}

impl Kernel for SumOfRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        for (n, to) in self.to.iter_mut().enumerate() {
            add_rows(l, self.dz.panel(n), to);
        }
    }
}

/// Adds the gradient of the biases of a layer whose z has the gradient `dz`.
pub(crate) fn bias_gradient(isa: Supported, dz: &Panels, to: &mut [Panel]) {
    isa.dispatch(SumOfRows { dz, to });
}
