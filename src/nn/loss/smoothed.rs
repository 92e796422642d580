//! Softmax cross-entropy with label smoothing.

use super::{
    link::softmax,
    predictions::PredictionKind,
    targets::Classes,
    unit::{LossUnit, log_sum_exp},
};
use crate::{
    simd::Lanes,
    thin::{PANEL, Panels},
};

/// Softmax cross-entropy of N classes with smoothed labels (Szegedy et al. 2016), in PyTorch's form.
/// With smoothing ε and the weights c of the classes, the loss of a row with label t is
///
/// ```text
/// (1 - ε) c_t (-ln p_t) + ε / N sum over classes k of c_k (-ln p_k)
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct SmoothedSoftmax<'a> {
    smoothing: f64,
    /// One per class.
    weights: &'a [f64],
    sum: f64,
}

impl<'a> SmoothedSoftmax<'a> {
    pub fn new(smoothing: f64, weights: &'a [f64]) -> Self {
        Self { smoothing, weights, sum: weights.iter().sum() }
    }

    /// (1 - ε) c_t and ε / N
    fn factors(self, label: usize) -> (f64, f64) {
        ((1.0 - self.smoothing) * self.weights[label], self.smoothing / self.weights.len() as f64)
    }
}

impl LossUnit for SmoothedSoftmax<'_> {
    type Targets = Classes;
    const PREDICTIONS: PredictionKind = PredictionKind::Classes;
    const MIN_OUTPUTS: usize = 2;

    fn plain(self, z: &[f64], classes: &[u32], row: usize) -> f64 {
        let label = classes[row] as usize;
        let (of_label, of_each) = self.factors(label);
        let ln_sum = log_sum_exp(z);
        let loss = |z: f64| ln_sum - z;
        let each = self.weights.iter().zip(z).map(|(weight, &z)| weight * loss(z));
        of_label * loss(z[label]) + of_each * each.sum::<f64>()
    }

    /// With a = (1 - ε) c_t, b = ε / N and s = ln sum e^z:
    /// a (s - z_t) + b sum c_k (s - z_k); (p_k (a + b sum c) - b c_k - a onehot(t)_k) / B
    #[inline(always)]
    fn gradient<L: Lanes>(
        self,
        l: L,
        classes: &[u32],
        width: usize,
        rows: f64,
        z: &mut Panels,
        row: usize,
    ) -> f32 {
        let label = classes[row] as usize;
        let (of_label, of_each) = self.factors(label);
        let (at, mut weighted) = (f64::from(z.get(row, label)), 0.0);
        for (n, weights) in self.weights.chunks(PANEL).enumerate() {
            for (&z, weight) in z.at(n, row).iter().zip(weights) {
                weighted += weight * f64::from(z);
            }
        }
        let (top, sum) = softmax(l, width, z, row);
        let scale = (of_label + of_each * self.sum) as f32;
        let per_row = (1.0 / rows) as f32;
        for (n, weights) in self.weights.chunks(PANEL).enumerate() {
            for (dz, weight) in z.at_mut(n, row).iter_mut().zip(weights) {
                *dz = *dz * scale - (of_each * weight) as f32;
            }
        }
        z.at_mut(label / PANEL, row)[label % PANEL] -= of_label as f32;
        for n in 0..z.panels() {
            z.at_mut(n, row).iter_mut().for_each(|dz| *dz *= per_row);
        }
        let ln_sum = libm::log(f64::from(sum)) + f64::from(top);
        (of_label * (ln_sum - at) + of_each * (self.sum * ln_sum - weighted)) as f32
    }
}
