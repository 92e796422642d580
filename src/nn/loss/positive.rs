//! Binary cross-entropy in which the bits that are 1 have weights.

use super::{
    binary::bit_loss,
    link::logistic,
    predictions::PredictionKind,
    targets::Binary,
    unit::{LossUnit, per_output},
};
use crate::{
    simd::Lanes,
    tensor::MatrixView,
    thin::{PANEL, Panels},
};

/// Binary cross-entropy with a weight P for each output's bits that are 1, in PyTorch's form
/// (`pos_weight`): the loss of an output is -P t ln p - (1 - t) ln(1 - p), and that of a row the mean
/// over its outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PositiveWeights<'a> {
    /// One per output.
    weights: &'a [f64],
}

impl<'a> PositiveWeights<'a> {
    pub fn new(weights: &'a [f64]) -> Self {
        Self { weights }
    }
}

impl LossUnit for PositiveWeights<'_> {
    type Targets = Binary;
    const PREDICTIONS: PredictionKind = PredictionKind::Bits;

    fn plain(self, z: &[f64], bits: MatrixView<'_>, row: usize) -> f64 {
        let each = z.iter().zip(bits.at(row)).zip(self.weights);
        let sum: f64 = each.map(|((&z, &t), &weight)| weighted_loss(z, t.into(), weight)).sum();
        sum / z.len() as f64
    }

    /// The loss of binary cross-entropy + sum (P - 1) t (-ln p) / N, with p = logistic(z);
    /// (logistic(z) (1 + (P - 1) t) - P t) / (B N)
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
        let panels = bits.at(row).chunks(PANEL).zip(self.weights.chunks(PANEL));
        for (n, (t, weights)) in panels.enumerate() {
            let linked = logistic(l, width, n, z.at(n, row));
            let outputs = z.at_mut(n, row).iter_mut().zip(t).zip(weights).zip(linked);
            for (((z, &t), &weight), y) in outputs {
                sum += weighted_loss(f64::from(*z), f64::from(t), weight);
                let weight = weight as f32;
                *z = (y * (1.0 + (weight - 1.0) * t) - weight * t) * per_output;
            }
        }
        (sum / width as f64) as f32
    }
}

/// The loss of a bit, with P = `weight`; that of [`bit_loss`] exactly if P is 1.
fn weighted_loss(z: f64, t: f64, weight: f64) -> f64 {
    // -ln p
    let of_one = libm::log1p(libm::exp(-z.abs())) + (-z).max(0.0);
    bit_loss(z, t) + (weight - 1.0) * t * of_one
}
