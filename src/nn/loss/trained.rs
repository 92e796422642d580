//! The loss of a training step: a loss, or a form of it that weighs its terms.

use super::{Batch, Loss, LossVisitor, PositiveWeights, SmoothedSoftmax, Targets};
use crate::{error::Error, simd::Supported, thin::Panels};

/// What a training step computes the gradient of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TrainedLoss<'a> {
    Usual(Loss),
    Smoothed(SmoothedSoftmax<'a>),
    Positive(PositiveWeights<'a>),
}

impl TrainedLoss<'_> {
    /// As [`Loss::gradient`].
    pub fn gradient(
        self,
        isa: Supported,
        targets: Targets<'_>,
        width: usize,
        rows: usize,
        z: &mut Panels,
        losses: &mut [f32],
    ) -> Result<(), Error> {
        match self {
            Self::Usual(loss) => loss.gradient(isa, targets, width, rows, z, losses),
            Self::Smoothed(loss) => Batch { isa, targets, width, rows, z, losses }.visit(loss),
            Self::Positive(loss) => Batch { isa, targets, width, rows, z, losses }.visit(loss),
        }
    }
}
