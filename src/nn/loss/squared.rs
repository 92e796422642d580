//! Squared error, for N values.

use super::{
    predictions::PredictionKind,
    targets::Values,
    unit::{LossUnit, each_output, mean, per_output},
};
use crate::{simd::Lanes, tensor::MatrixView, thin::Panels};

/// [`Loss::SquaredError`](super::Loss::SquaredError)
#[derive(Clone, Copy)]
pub(super) struct SquaredError;

impl LossUnit for SquaredError {
    type Targets = Values;
    const PREDICTIONS: PredictionKind = PredictionKind::Values;

    fn plain(self, z: &[f64], values: MatrixView<'_>, row: usize) -> f64 {
        mean(z, values.at(row), |z, t| (z - t) * (z - t))
    }

    /// sum (z - t)² / N; 2 (z - t) / (B N)
    #[inline(always)]
    fn gradient<L: Lanes>(
        self,
        _: L,
        values: MatrixView<'_>,
        width: usize,
        rows: f64,
        z: &mut Panels,
        row: usize,
    ) -> f32 {
        let per_output = per_output(rows, width);
        each_output(values, z, row, |z, t| {
            let d = *z - t;
            *z = 2.0 * d * per_output;
            f64::from(d) * f64::from(d)
        })
    }
}
