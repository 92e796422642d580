//! Poisson's negative log-likelihood, for N counts.

use super::{
    predictions::PredictionKind,
    targets::Values,
    unit::{LossUnit, each_output, mean, per_output},
};
use crate::{simd::Lanes, tensor::MatrixView, thin::Panels};

/// [`Loss::Poisson`](super::Loss::Poisson)
#[derive(Clone, Copy)]
pub(super) struct Poisson;

impl LossUnit for Poisson {
    type Targets = Values;
    const PREDICTIONS: PredictionKind = PredictionKind::Rates;
    // Negative counts have no likelihood.
    const LEAST_TARGET: f32 = 0.0;

    fn plain(self, z: &[f64], counts: MatrixView<'_>, row: usize) -> f64 {
        mean(z, counts.at(row), |z, t| libm::exp(z) - t * z)
    }

    /// sum (e^z - t z) / N; (e^z - t) / (B N)
    #[inline(always)]
    fn gradient<L: Lanes>(
        self,
        _: L,
        counts: MatrixView<'_>,
        width: usize,
        rows: f64,
        z: &mut Panels,
        row: usize,
    ) -> f32 {
        let per_output = f64::from(per_output(rows, width));
        each_output(counts, z, row, |z, t| {
            // In f64, the difference of a rate and a count close to it has no error of its own.
            let (log_rate, t) = (f64::from(*z), f64::from(t));
            let rate = libm::exp(log_rate);
            *z = ((rate - t) * per_output) as f32;
            rate - t * log_rate
        })
    }
}
