//! Huber's loss, for N values with outliers among them.

use super::{
    predictions::PredictionKind,
    targets::Values,
    unit::{LossUnit, each_output, mean, per_output},
};
use crate::{nn::parameter::parameter, simd::Lanes, tensor::MatrixView, thin::Panels};

parameter! {
    /// The delta of [`Loss::Huber`](super::Loss::Huber), which is positive and finite: the distance
    /// from the target up to which the loss is quadratic.
    HuberDelta of "huber delta", AboveZero;
    /// PyTorch's default, 1.
    DEFAULT = 1.0;
    /// Checks delta.
    ///
    /// # Errors
    /// Delta is not positive or not finite.
    ///
    /// ```
    /// use thinnet::nn::{HuberDelta, Loss};
    ///
    /// let huber = Loss::Huber(HuberDelta::new(0.5)?);
    /// assert_eq!(huber.to_string(), "huber(0.5)");
    /// assert_eq!("huber(0.5)".parse::<Loss>()?, huber);
    /// assert!(HuberDelta::new(0.0).is_err());
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    new;
}

/// [`Loss::Huber`](super::Loss::Huber)
#[derive(Clone, Copy)]
pub(super) struct Huber {
    pub delta: f32,
}

impl Huber {
    /// d² / 2 if |d| <= delta, else delta (|d| - delta / 2).
    #[inline(always)]
    fn of(self, d: f64) -> f64 {
        let delta = f64::from(self.delta);
        if d.abs() <= delta { 0.5 * d * d } else { delta * (d.abs() - 0.5 * delta) }
    }
}

impl LossUnit for Huber {
    type Targets = Values;
    const PREDICTIONS: PredictionKind = PredictionKind::Values;

    fn plain(self, z: &[f64], values: MatrixView<'_>, row: usize) -> f64 {
        mean(z, values.at(row), |z, t| self.of(z - t))
    }

    /// sum h(z - t) / N; d / (B N), where d is z - t, but within delta of 0
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
            // NaN is neither, and stays.
            let within = if d > self.delta {
                self.delta
            } else if d < -self.delta {
                -self.delta
            } else {
                d
            };
            *z = within * per_output;
            self.of(d.into())
        })
    }
}
