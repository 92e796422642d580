//! Link functions: how the outputs of a network become predictions, and what those are.

use crate::{
    mask::valid_bits,
    simd::{Kernel, LANES, Lanes, math},
    thin::{self, Panels, VECTORS},
};

/// The function that turns z into predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkFunction {
    /// The predictions are the probabilities of the classes.
    Softmax,
    /// The predictions are values.
    Identity,
    /// The predictions are the probabilities of bits.
    Logistic,
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
        }
    }

    /// The entropy in nats of the class probabilities `p`, or the sum of the entropies of bits with
    /// these probabilities; none for values.
    pub fn entropy(self, p: impl Iterator<Item = f64>) -> Option<f64> {
        // lim p ln p = 0
        let term = |p: f64| if p == 0.0 { 0.0 } else { -p * libm::log(p) };
        match self {
            Self::Softmax => Some(p.map(term).sum()),
            Self::Identity => None,
            Self::Logistic => Some(p.map(|p| term(p) + term(1.0 - p)).sum()),
        }
    }
}

/// Overwrites z with the predictions.
pub(super) struct Link<'a> {
    pub function: LinkFunction,
    pub width: usize,
    pub z: &'a mut Panels,
}

impl Kernel for Link<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { function, width, z } = self;
        match function {
            LinkFunction::Softmax => {
                for row in 0..z.rows() {
                    softmax(l, width, z, row);
                }
            }
            LinkFunction::Identity => {}
            LinkFunction::Logistic => {
                for row in 0..z.rows() {
                    for n in 0..z.panels() {
                        let y = logistic(l, z.at(n, row));
                        thin::store::<L, VECTORS>(l, y, z.at_mut(n, row));
                    }
                }
            }
        }
    }
}

/// Computes the softmax of one row in place; returns its largest z and the sum of
/// e^(z - largest). Outputs beyond the width become 0.
#[inline(always)]
pub(super) fn softmax<L: Lanes>(l: L, width: usize, z: &mut Panels, row: usize) -> (f32, f32) {
    let mut most = l.splat(f32::NEG_INFINITY);
    let nothing = most;
    for n in 0..z.panels() {
        for (c, z) in thin::load::<L, VECTORS>(l, z.at(n, row)).into_iter().enumerate() {
            let valid = (valid_bits(width, n) >> (c * LANES)) as u16;
            // A comparison with NaN is false, so NaN is selected explicitly.
            let larger = (l.less(most, z) | l.is_nan(z)) & valid;
            most = l.select(larger, z, most);
        }
    }
    let mut lanes = [0.0; LANES];
    l.store(most, &mut lanes);
    let top =
        lanes.into_iter().fold(f32::NEG_INFINITY, |a, b| if a < b || b.is_nan() { b } else { a });
    let mut sum = l.splat(0.0);
    for n in 0..z.panels() {
        let mut e = thin::load::<L, VECTORS>(l, z.at(n, row));
        for (c, e) in e.iter_mut().enumerate() {
            let valid = (valid_bits(width, n) >> (c * LANES)) as u16;
            *e = math::exp(l, l.select(valid, l.sub(*e, l.splat(top)), nothing));
            sum = l.add(sum, *e);
        }
        thin::store::<L, VECTORS>(l, e, z.at_mut(n, row));
    }
    let sum = l.sum(sum);
    for n in 0..z.panels() {
        let mut e = thin::load::<L, VECTORS>(l, z.at(n, row));
        for e in &mut e {
            *e = l.div(*e, l.splat(sum));
        }
        thin::store::<L, VECTORS>(l, e, z.at_mut(n, row));
    }
    (top, sum)
}

/// The logistic function of a panel of one row.
#[inline(always)]
pub(super) fn logistic<L: Lanes>(l: L, z: &thin::Panel) -> [L::F; VECTORS] {
    let mut y = thin::load(l, z);
    for y in &mut y {
        *y = math::logistic(l, *y);
    }
    y
}
