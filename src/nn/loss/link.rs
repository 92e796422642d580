//! Link functions: how the outputs of a network become predictions, and what those are.

use crate::{
    mask::valid_bits,
    nn::Temperature,
    simd::{Kernel, LANES, Lanes, Supported, math},
    tensor::Matrix,
    thin::{PANEL, Panel, Panels, VECTORS, load_from, store_to, vectors},
};

/// How the logits z of a network become predictions: a function of z / T.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Link {
    pub function: LinkFunction,
    /// 1 if the predictions are values.
    pub temperature: Temperature,
}

/// The function that turns z / T into predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkFunction {
    /// The predictions are the probabilities of the classes.
    Softmax,
    /// The predictions are values.
    Identity,
    /// The predictions are the probabilities of bits.
    Logistic,
    /// The predictions are rates, e^z.
    Exponential,
    /// The first half of the predictions are values, the second half variances, e^z.
    Normals,
}

impl Link {
    /// The logits themselves.
    pub const LOGITS: Self =
        Self { function: LinkFunction::Identity, temperature: Temperature::ONE };

    /// The predictions for one row's z, in f64.
    pub fn of(self, z: &[f64]) -> Vec<f64> {
        let temperature = f64::from(self.temperature.get());
        let z: Vec<f64> = z.iter().map(|z| z / temperature).collect();
        self.function.of(&z)
    }

    /// Writes the predictions for the rows of `z` to `out`, and overwrites `z` with them.
    pub fn predictions(self, isa: Supported, z: &mut Panels, out: &mut Matrix) {
        isa.dispatch(Apply { link: self, z, out });
    }

    /// [`Self::predictions`] inside a kernel.
    #[inline(always)]
    pub fn apply<L: Lanes>(self, l: L, z: &mut Panels, out: &mut Matrix) {
        let Self { function, temperature } = self;
        if temperature != Temperature::ONE {
            for row in 0..z.rows() {
                divide(l, out.columns(), function, temperature.get(), z, row);
            }
        }
        function.apply(l, z, out);
    }
}

impl LinkFunction {
    /// The predictions for one row's z, in f64.
    pub fn of(self, z: &[f64]) -> Vec<f64> {
        match self {
            Self::Softmax => {
                let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let e: Vec<f64> = z.iter().map(|z| libm::exp(z - most)).collect();
                let sum: f64 = e.iter().sum();
                e.iter().map(|e| e / sum).collect()
            }
            Self::Identity => z.to_vec(),
            Self::Logistic => z.iter().map(|z| 1.0 / (1.0 + libm::exp(-z))).collect(),
            Self::Exponential => z.iter().map(|&z| libm::exp(z)).collect(),
            Self::Normals => {
                let (means, log_variances) = z.split_at(z.len() / 2);
                let variances = log_variances.iter().map(|&l| libm::exp(l));
                means.iter().copied().chain(variances).collect()
            }
        }
    }

    /// Whether the predictions are probabilities.
    pub fn gives_probabilities(self) -> bool {
        match self {
            Self::Softmax | Self::Logistic => true,
            Self::Identity | Self::Exponential | Self::Normals => false,
        }
    }

    /// Whether a prediction can be infinite although z is finite.
    pub fn overflows(self) -> bool {
        match self {
            Self::Softmax | Self::Identity | Self::Logistic => false,
            Self::Exponential | Self::Normals => true,
        }
    }

    /// Writes the predictions for the rows of `z` to `out`, and overwrites `z` with them.
    #[inline(always)]
    fn apply<L: Lanes>(self, l: L, z: &mut Panels, out: &mut Matrix) {
        let width = out.columns();
        match self {
            Self::Softmax => {
                for row in 0..z.rows() {
                    softmax(l, width, z, row);
                }
            }
            Self::Identity => {}
            Self::Logistic => {
                for row in 0..z.rows() {
                    for n in 0..z.panels() {
                        *z.at_mut(n, row) = logistic(l, width, n, z.at(n, row));
                    }
                }
            }
            Self::Exponential => exponentials(l, 0, width, z),
            Self::Normals => exponentials(l, width / 2, width, z),
        }
        for row in 0..z.rows() {
            for (n, to) in out.lines_mut(row).chunks_mut(VECTORS).enumerate() {
                let from = z.at(n, row);
                for (c, to) in to.iter_mut().enumerate() {
                    let [y] = load_from(l, from, c);
                    l.store(l.keep(valid(width, n, c), y), to);
                }
            }
        }
    }

    /// The entropy in nats of the class probabilities `p`, or the sum of the entropies of bits with
    /// these probabilities; none for values.
    pub fn entropy(self, p: impl Iterator<Item = f64>) -> Option<f64> {
        // lim p ln p = 0
        let term = |p: f64| if p == 0.0 { 0.0 } else { -p * libm::log(p) };
        match self {
            Self::Softmax => Some(p.map(term).sum()),
            Self::Identity | Self::Exponential | Self::Normals => None,
            Self::Logistic => Some(p.map(|p| term(p) + term(1.0 - p)).sum()),
        }
    }
}

/// [`Link::apply`] as a kernel.
struct Apply<'a> {
    link: Link,
    z: &'a mut Panels,
    out: &'a mut Matrix,
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { link, z, out } = self;
        link.apply(l, z, out);
    }
}

/// The lanes of vector `c` of panel `n` that are outputs of a row of `width`.
#[inline(always)]
fn valid(width: usize, n: usize, c: usize) -> u16 {
    (valid_bits(width, n) >> (c * LANES)) as u16
}

/// Divides the logits of one row by T. Those of a softmax become (z - max z) / T, which has the same
/// softmax and cannot overflow to infinity; a logistic of infinity is exact.
#[inline(always)]
fn divide<L: Lanes>(
    l: L,
    width: usize,
    function: LinkFunction,
    temperature: f32,
    z: &mut Panels,
    row: usize,
) {
    let zero = match function {
        LinkFunction::Softmax => largest(l, width, z, row),
        // Listed, so that the compiler asks for a new one.
        LinkFunction::Identity
        | LinkFunction::Logistic
        | LinkFunction::Exponential
        | LinkFunction::Normals => 0.0,
    };
    for n in 0..z.panels() {
        for c in 0..vectors(width, n) {
            let [z_of] = load_from(l, z.at(n, row), c);
            let divided = l.div(l.sub(z_of, l.splat(zero)), l.splat(temperature));
            store_to(l, [divided], z.at_mut(n, row), c);
        }
    }
}

/// The largest z of one row, or NaN if there is one.
#[inline(always)]
fn largest<L: Lanes>(l: L, width: usize, z: &Panels, row: usize) -> f32 {
    let mut most = l.splat(f32::NEG_INFINITY);
    for n in 0..z.panels() {
        for c in 0..vectors(width, n) {
            let [z] = load_from(l, z.at(n, row), c);
            // A comparison with NaN is false, so NaN is selected explicitly.
            let larger = (l.less(most, z) | l.is_nan(z)) & valid(width, n, c);
            most = l.select(larger, z, most);
        }
    }
    let mut lanes = [0.0; LANES];
    l.store(most, &mut lanes);
    let lanes = lanes.into_iter().take(width);
    lanes.fold(f32::NEG_INFINITY, |a, b| if a < b || b.is_nan() { b } else { a })
}

/// Computes the softmax of one row in place; returns its largest z and the sum of
/// e^(z - largest). Outputs beyond the width become 0.
#[inline(always)]
pub(super) fn softmax<L: Lanes>(l: L, width: usize, z: &mut Panels, row: usize) -> (f32, f32) {
    let top = largest(l, width, z, row);
    let mut sum = l.splat(0.0);
    for n in 0..z.panels() {
        for c in 0..vectors(width, n) {
            let [z_of] = load_from(l, z.at(n, row), c);
            let valid = valid(width, n, c);
            // Not e^-infinity beyond the width: its underflow takes longer than the rest.
            let e = math::exp(l, l.keep(valid, l.sub(z_of, l.splat(top))));
            let e = l.keep(valid, e);
            sum = l.add(sum, e);
            store_to(l, [e], z.at_mut(n, row), c);
        }
    }
    let sum = l.sum(sum);
    for n in 0..z.panels() {
        let vectors = vectors(width, n);
        for c in 0..vectors {
            let [e] = load_from(l, z.at(n, row), c);
            store_to(l, [l.div(e, l.splat(sum))], z.at_mut(n, row), c);
        }
        z.at_mut(n, row)[vectors * LANES..].fill(0.0);
    }
    (top, sum)
}

/// The logistic function of the outputs in panel `n` of one row. Outputs beyond the width become
/// finite numbers.
#[inline(always)]
pub(super) fn logistic<L: Lanes>(l: L, width: usize, n: usize, z: &Panel) -> Panel {
    let mut y = [0.0; PANEL];
    for c in 0..vectors(width, n) {
        let [z] = load_from(l, z, c);
        store_to(l, [math::logistic(l, z)], &mut y, c);
    }
    y
}

/// Replaces z by e^z, from output `first` on.
#[inline(always)]
fn exponentials<L: Lanes>(l: L, first: usize, width: usize, z: &mut Panels) {
    for row in 0..z.rows() {
        for n in first / PANEL..z.panels() {
            for c in 0..vectors(width, n) {
                let [x] = load_from(l, z.at(n, row), c);
                // How many lanes come before the first output.
                let before = first.saturating_sub(n * PANEL + c * LANES).min(LANES);
                let replaced = ((u32::from(u16::MAX) << before) & u32::from(u16::MAX)) as u16;
                let y = l.select(replaced, math::exp(l, x), x);
                store_to(l, [y], z.at_mut(n, row), c);
            }
        }
    }
}
