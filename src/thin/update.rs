//! Product 3: the gradient in the weights, fused with the optimiser's step.
//!
//! One panel row of 64 weights collects its gradient in registers and is
//! updated at once: the gradient matrix never exists, and weights and velocity
//! are read and written once.

use super::{PANEL, Panel, Panels, Tiles, Turned, VECTORS, add_scaled, load, store};
use crate::{
    parallel::{Runs, divide},
    simd::{Isa, Kernel, Lanes},
};

/// What an optimiser does to a weight.
pub(crate) trait Rule: Copy + Send + Sync {
    /// The new weight and velocity from gradient g, weight w, velocity v.
    fn step<L: Lanes>(self, l: L, g: L::F, w: L::F, v: L::F) -> (L::F, L::F);
}

/// `g[n] = sum_row x[row][input] dz[row][n]`, over ascending rows.
#[inline(always)]
fn gradient<L: Lanes>(l: L, x: &Turned, input: usize, dz: &[Panel]) -> [L::F; VECTORS] {
    let (rows, values) = x.of(input);
    let mut g = [l.splat(0.0); VECTORS];
    for (&row, &value) in rows.iter().zip(values) {
        g = add_scaled(l, l.splat(value), load(l, &dz[row as usize]), g);
    }
    g
}

/// `g[n] = sum_row dz[row][n]`
#[inline(always)]
fn bias_gradient<L: Lanes>(l: L, dz: &[Panel]) -> [L::F; VECTORS] {
    let mut g = [l.splat(0.0); VECTORS];
    for dz in dz {
        let dz = load(l, dz);
        g = std::array::from_fn(|c| l.add(g[c], dz[c]));
    }
    g
}

/// The optimiser's step on one panel row.
#[inline(always)]
fn step<L: Lanes, R: Rule>(
    l: L,
    rule: R,
    g: [L::F; VECTORS],
    w: &mut Panel,
    v: &mut Panel,
) -> [L::F; VECTORS] {
    let (old_w, old_v) = (load(l, w), load(l, v));
    let (mut new_w, mut new_v) = (old_w, old_v);
    for c in 0..VECTORS {
        (new_w[c], new_v[c]) = rule.step(l, g[c], old_w[c], old_v[c]);
    }
    store(l, new_w, w);
    store(l, new_v, v);
    new_w
}

/// Weights, velocities and biases of a layer, and the rules that move them.
pub(crate) struct Parameters<'a> {
    pub w: &'a mut Tiles,
    pub w_velocity: &'a mut Tiles,
    pub b: &'a mut [Panel],
    pub b_velocity: &'a mut [Panel],
    /// After the step: 1 where a panel holds a parameter that is NaN or
    /// infinite.
    pub overflowed: &'a mut [u8],
}

struct Step<'a, R> {
    x: &'a Turned,
    dz: &'a Panels,
    weight_rule: R,
    bias_rule: R,
    max_norm: Option<f32>,
    first: usize,
    w: Runs<'a, Panel>,
    w_velocity: Runs<'a, Panel>,
    b: &'a mut [Panel],
    b_velocity: &'a mut [Panel],
    overflowed: &'a mut [u8],
}

impl<R: Rule> Kernel for Step<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let inputs = self.w.size;
        let panels = self.w.data.chunks_mut(inputs).zip(self.w_velocity.data.chunks_mut(inputs));
        let biases = self.b.iter_mut().zip(self.b_velocity).zip(self.overflowed);
        for (i, ((w, v), ((b, bv), overflowed))) in panels.zip(biases).enumerate() {
            let dz = self.dz.panel(self.first + i);
            let mut squares = [l.splat(0.0); VECTORS];
            for (input, (w, v)) in w.iter_mut().zip(v).enumerate() {
                let new = step(l, self.weight_rule, gradient(l, self.x, input, dz), w, v);
                squares = std::array::from_fn(|c| l.mul_add(new[c], new[c], squares[c]));
            }
            let mut norms = [0.0; PANEL];
            store(l, squares, &mut norms);
            // A sum of squares overflows before its weights do.
            let suspect = norms.iter().any(|x| !x.is_finite());
            if let Some(most) = self.max_norm {
                project(l, w, &norms, most);
            }
            step(l, self.bias_rule, bias_gradient(l, dz), b, bv);
            *overflowed = u8::from(
                suspect && w.iter().flatten().any(|x| !x.is_finite())
                    || b.iter().any(|x| !x.is_finite()),
            );
        }
    }
}

/// Scales the weights into each unit to norm `most` where they are longer:
/// `w[.][n] <- w[.][n] * most / |w[.][n]|` (section 5.1 of the paper).
#[inline(always)]
fn project<L: Lanes>(l: L, w: &mut [Panel], squares: &Panel, most: f32) {
    let mut factors = squares.map(|square| {
        let norm = square.sqrt();
        if norm > most { most / norm } else { 1.0 }
    });
    // Where the squares overflowed, their sum is taken again in f64.
    for (n, factor) in factors.iter_mut().enumerate().filter(|(n, _)| !squares[*n].is_finite()) {
        let square: f64 = w.iter().map(|w| f64::from(w[n]) * f64::from(w[n])).sum();
        *factor = (f64::from(most) / square.sqrt()) as f32;
    }
    if factors.iter().any(|&factor| factor != 1.0) {
        let factors = load(l, &factors);
        for w in w {
            let old = load(l, w);
            store(l, std::array::from_fn(|c| l.mul(old[c], factors[c])), w);
        }
    }
}

/// A step of the optimiser on a whole layer: product 3, then max-norm on the
/// weights into each unit, and the biases.
#[expect(clippy::too_many_arguments, reason = "a product, two rules and a bound")]
pub(crate) fn layer<R: Rule>(
    isa: Isa,
    parallel: bool,
    weight_rule: R,
    bias_rule: R,
    max_norm: Option<f32>,
    x: &Turned,
    dz: &Panels,
    to: Parameters<'_>,
) {
    let weights = (to.w.runs_mut(), to.w_velocity.runs_mut());
    let biases = (
        Runs { data: to.b, size: 1 },
        Runs { data: to.b_velocity, size: 1 },
        Runs { data: to.overflowed, size: 1 },
    );
    divide(parallel, 1, (weights, biases), &|first, ((w, w_velocity), (b, bv, overflowed))| {
        isa.dispatch(Step {
            x,
            dz,
            weight_rule,
            bias_rule,
            max_norm,
            first,
            w,
            w_velocity,
            b: b.data,
            b_velocity: bv.data,
            overflowed: overflowed.data,
        });
    });
}

struct Collect<'a> {
    x: &'a Turned,
    dz: &'a Panels,
    first: usize,
    g: Runs<'a, Panel>,
    g_bias: &'a mut [Panel],
}

impl Kernel for Collect<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let panels = self.g.data.chunks_mut(self.g.size).zip(self.g_bias).enumerate();
        for (i, (g, g_bias)) in panels {
            let dz = self.dz.panel(self.first + i);
            for (input, g) in g.iter_mut().enumerate() {
                store(l, gradient(l, self.x, input, dz), g);
            }
            store(l, bias_gradient(l, dz), g_bias);
        }
    }
}

/// The second form of product 3: writes the gradient instead of using it.
pub(crate) fn collect(
    isa: Isa,
    parallel: bool,
    x: &Turned,
    dz: &Panels,
    g: &mut Tiles,
    g_bias: &mut [Panel],
) {
    let work = (g.runs_mut(), Runs { data: g_bias, size: 1 });
    divide(parallel, 1, work, &|first, (g, g_bias)| {
        isa.dispatch(Collect { x, dz, first, g, g_bias: g_bias.data });
    });
}
