//! Softmax cross-entropy, for one class out of N.

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

/// [`Loss::SoftmaxCrossEntropy`](super::Loss::SoftmaxCrossEntropy)
#[derive(Clone, Copy)]
pub(super) struct SoftmaxCrossEntropy;

impl LossUnit for SoftmaxCrossEntropy {
    type Targets = Classes;
    const PREDICTIONS: PredictionKind = PredictionKind::Classes;
    // A softmax over one output is always 1.
    const MIN_OUTPUTS: usize = 2;

    fn plain(self, z: &[f64], classes: &[u32], row: usize) -> f64 {
        log_sum_exp(z) - z[classes[row] as usize]
    }

    /// ln(sum e^(z - top)) + top - z_t; (softmax(z) - onehot(t)) / B
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
        let per_row = (1.0 / rows) as f32;
        let class = classes[row] as usize;
        let at = z.get(row, class);
        let (top, sum) = softmax(l, width, z, row);
        z.at_mut(class / PANEL, row)[class % PANEL] -= 1.0;
        for n in 0..z.panels() {
            for dz in z.at_mut(n, row) {
                *dz *= per_row;
            }
        }
        let ln = libm::log(f64::from(sum));
        (ln + (f64::from(top) - f64::from(at))) as f32
    }
}
