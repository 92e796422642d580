//! Squared error, for N values.

use super::{
    link::LinkFunction,
    targets::Values,
    unit::{LossUnit, per_output},
};
use crate::{
    simd::Lanes,
    tensor::MatrixView,
    thin::{PANEL, Panels},
};

/// [`Loss::SquaredError`](super::Loss::SquaredError)
#[derive(Clone, Copy)]
pub(super) struct SquaredError;

impl LossUnit for SquaredError {
    type Targets = Values;
    const LINK: LinkFunction = LinkFunction::Identity;

    fn plain(self, z: &[f64], values: MatrixView<'_>, row: usize) -> f64 {
        let t = values.at(row).iter().map(|&t| f64::from(t));
        z.iter().zip(t).map(|(z, t)| (z - t) * (z - t)).sum::<f64>() / z.len() as f64
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
        let mut sum = 0.0;
        for (n, t) in values.at(row).chunks(PANEL).enumerate() {
            for (z, &t) in z.at_mut(n, row).iter_mut().zip(t) {
                let d = *z - t;
                sum += f64::from(d) * f64::from(d);
                *z = 2.0 * d * per_output;
            }
        }
        (sum / width as f64) as f32
    }
}
