//! The negative log-likelihood of a normal distribution whose variance is learned too.

use super::{predictions::PredictionKind, targets::Values, unit::LossUnit};
use crate::{
    nn::parameter::parameter,
    simd::Lanes,
    tensor::MatrixView,
    thin::{PANEL, Panels},
};

parameter! {
    /// The beta of [`Loss::GaussianNll`](super::Loss::GaussianNll), from 0 to 1: the power of the
    /// predicted variance that a target's loss is weighted with (Seitzer et al. 2022, "On the
    /// Pitfalls of Heteroscedastic Uncertainty Estimation with Probabilistic Neural Networks",
    /// equation 5). With 0, the plain likelihood, rows with a large variance hardly move the mean;
    /// with 1, the mean learns as by squared error. The authors recommend 0.5.
    GaussianBeta of "gaussian_nll beta", UpToOne;
    /// The plain likelihood, 0.
    DEFAULT = 0.0;
    /// Checks beta.
    ///
    /// # Errors
    /// Beta is not from 0 to 1.
    ///
    /// ```
    /// use thinnet::nn::{GaussianBeta, Loss};
    ///
    /// let loss = Loss::GaussianNll(GaussianBeta::new(0.5)?);
    /// assert_eq!(loss.to_string(), "gaussian_nll(0.5)");
    /// assert_eq!("gaussian_nll(0.5)".parse::<Loss>()?, loss);
    /// assert!(GaussianBeta::new(-0.5).is_err());
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    new;
}

/// [`Loss::GaussianNll`](super::Loss::GaussianNll)
#[derive(Clone, Copy)]
pub(super) struct GaussianNll {
    pub beta: f32,
}

/// The loss of one target and its derivatives.
struct Of {
    loss: f64,
    by_mean: f64,
    by_log_variance: f64,
}

impl GaussianNll {
    /// With d = m - t, variance v = e^l and weight w = v^beta, which counts as a constant:
    /// `w (l + d² / v) / 2`, `w d / v` and `w (1 - d² / v) / 2`.
    #[inline(always)]
    fn of(self, m: f64, l: f64, t: f64) -> Of {
        let (d, precision) = (m - t, libm::exp(-l));
        let weight = if self.beta == 0.0 { 1.0 } else { libm::exp(f64::from(self.beta) * l) };
        let square = d * d * precision;
        Of {
            loss: weight * 0.5 * (l + square),
            by_mean: weight * d * precision,
            by_log_variance: weight * 0.5 * (1.0 - square),
        }
    }
}

impl LossUnit for GaussianNll {
    type Targets = Values;
    const PREDICTIONS: PredictionKind = PredictionKind::Normals;

    fn outputs_per_target(self) -> usize {
        2
    }

    fn plain(self, z: &[f64], values: MatrixView<'_>, row: usize) -> f64 {
        let targets = values.at(row);
        let (means, log_variances) = z.split_at(targets.len());
        let each = means.iter().zip(log_variances).zip(targets);
        each.map(|((&m, &l), &t)| self.of(m, l, t.into()).loss).sum::<f64>() / targets.len() as f64
    }

    /// The mean over the row's D targets; derivatives over (B D). In f64, in which neither e^-l nor
    /// its product with d² overflows before the loss does.
    #[inline(always)]
    fn gradient<L: Lanes>(
        self,
        _: L,
        values: MatrixView<'_>,
        _: usize,
        rows: f64,
        z: &mut Panels,
        row: usize,
    ) -> f32 {
        let targets = values.at(row);
        let (count, mut sum) = (targets.len(), 0.0);
        let per_target = 1.0 / (rows * count as f64);
        for (mean, &t) in targets.iter().enumerate() {
            let log_variance = count + mean;
            let (m, l) = (z.get(row, mean), z.get(row, log_variance));
            let of = self.of(m.into(), l.into(), t.into());
            sum += of.loss;
            let mut set = |output: usize, dz: f64| {
                z.at_mut(output / PANEL, row)[output % PANEL] = (dz * per_target) as f32;
            };
            set(mean, of.by_mean);
            set(log_variance, of.by_log_variance);
        }
        (sum / count as f64) as f32
    }
}
