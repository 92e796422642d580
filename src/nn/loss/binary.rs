//! Binary cross-entropy, for N bits.

use super::{
    link::logistic,
    predictions::PredictionKind,
    targets::Binary,
    unit::{LossUnit, mean, per_output},
};
use crate::{
    simd::Lanes,
    tensor::MatrixView,
    thin::{PANEL, Panels},
};

/// [`Loss::BinaryCrossEntropy`](super::Loss::BinaryCrossEntropy)
#[derive(Clone, Copy)]
pub(super) struct BinaryCrossEntropy;

impl LossUnit for BinaryCrossEntropy {
    type Targets = Binary;
    const PREDICTIONS: PredictionKind = PredictionKind::Bits;

    fn plain(self, z: &[f64], bits: MatrixView<'_>, row: usize) -> f64 {
        mean(z, bits.at(row), bit_loss)
    }

    /// sum (max(z, 0) - z t + ln(1 + e^-|z|)) / N; (logistic(z) - t) / (B N)
    #[inline(always)]
    fn gradient<L: Lanes>(
        self,
        l: L,
        bits: MatrixView<'_>,
        width: usize,
        rows: f64,
        z: &mut Panels,
        row: usize,
    ) -> f32 {
        let per_output = per_output(rows, width);
        let mut sum = 0.0;
        for (n, t) in bits.at(row).chunks(PANEL).enumerate() {
            let linked = logistic(l, width, n, z.at(n, row));
            for ((z, &t), y) in z.at_mut(n, row).iter_mut().zip(t).zip(linked) {
                sum += bit_loss(f64::from(*z), f64::from(t));
                *z = (y - t) * per_output;
            }
        }
        (sum / width as f64) as f32
    }
}

/// max(z, 0) - z t + ln(1 + e^-|z|)
pub(super) fn bit_loss(z: f64, t: f64) -> f64 {
    z.max(0.0) - z * t + libm::log1p(libm::exp(-z.abs()))
}
