//! What a loss states, and the kernel of its gradient.

use super::{predictions::PredictionKind, targets::Kind};
use crate::{
    simd::{Kernel, Lanes},
    tensor::MatrixView,
    thin::{PANEL, Panels},
};

/// A loss of rows of N outputs (`width`).
pub(super) trait LossUnit: Copy {
    /// The kind of targets it takes.
    type Targets: Kind;

    /// What predictions are, and so how z becomes predictions.
    const PREDICTIONS: PredictionKind;

    /// The fewest outputs that it makes sense for.
    const MIN_OUTPUTS: usize = 1;

    /// The least target, if its targets are values.
    const LEAST_TARGET: f32 = f32::NEG_INFINITY;

    /// How many outputs a target has.
    fn outputs_per_target(self) -> usize {
        1
    }

    /// The loss of row `row` in its simplest form, in f64.
    fn plain(self, z: &[f64], targets: <Self::Targets as Kind>::Of<'_>, row: usize) -> f64;

    /// Returns the loss of row `row`, and overwrites z with its gradient over `rows`, the number B
    /// of rows that the loss is averaged over. The targets have been checked.
    fn gradient<L: Lanes>(
        self,
        l: L,
        targets: <Self::Targets as Kind>::Of<'_>,
        width: usize,
        rows: f64,
        z: &mut Panels,
        row: usize,
    ) -> f32;
}

/// Computes the losses of the rows, and overwrites z with the gradient of their mean.
pub(super) struct Gradient<'a, U: LossUnit> {
    pub loss: U,
    pub targets: <U::Targets as Kind>::Of<'a>,
    pub width: usize,
    /// The rows of the whole batch.
    pub rows: usize,
    pub z: &'a mut Panels,
    pub losses: &'a mut [f32],
}

impl<U: LossUnit> Kernel for Gradient<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { loss: unit, targets, width, rows, z, losses } = self;
        let rows = rows as f64;
        for (row, loss) in losses.iter_mut().enumerate().take(z.rows()) {
            *loss = unit.gradient(l, targets, width, rows, z, row);
        }
    }
}

/// ln sum e^z, in f64.
pub(super) fn log_sum_exp(z: &[f64]) -> f64 {
    let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = z.iter().map(|z| libm::exp(z - most)).sum();
    libm::log(sum) + most
}

/// The mean over a row's outputs of the loss of an output z with target t, in f64.
pub(super) fn mean(z: &[f64], t: &[f32], loss: impl Fn(f64, f64) -> f64) -> f64 {
    z.iter().zip(t).map(|(&z, &t)| loss(z, t.into())).sum::<f64>() / z.len() as f64
}

/// The mean over a row's outputs of their losses. `of` gets z and the target of an output, and
/// overwrites z with its gradient.
#[inline(always)]
pub(super) fn each_output(
    targets: MatrixView<'_>,
    z: &mut Panels,
    row: usize,
    mut of: impl FnMut(&mut f32, f32) -> f64,
) -> f32 {
    let (targets, mut sum) = (targets.at(row), 0.0);
    for (n, t) in targets.chunks(PANEL).enumerate() {
        for (z, &t) in z.at_mut(n, row).iter_mut().zip(t) {
            sum += of(z, t);
        }
    }
    (sum / targets.len() as f64) as f32
}

/// 1 / (B N)
#[inline(always)]
pub(super) fn per_output(rows: f64, width: usize) -> f32 {
    (1.0 / (rows * width as f64)) as f32
}
