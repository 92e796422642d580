//! Losses, each with its formula, gradient and link side by side.

mod kernel;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    abridged::Few,
    error::{Error, same_size},
    named::{names, text_is_name},
    simd::Isa,
    tensor::{Matrix, MatrixView},
    thin::Panels,
};
use kernel::{BinaryCrossEntropy, Gradient, Link, SoftmaxCrossEntropy, SquaredError};

/// The loss as a function of the output layer's z, averaged over the B rows of a batch. With N
/// outputs and targets t:
///
/// | | loss of a row | gradient with respect to z | link to predictions |
/// |---|---|---|---|
/// | `SoftmaxCrossEntropy` | -ln softmax(z)_t | (softmax(z) - onehot(t)) / B | softmax |
/// | `SquaredError` | sum (z - t)² / N | 2 (z - t) / (B N) | identity |
/// | `BinaryCrossEntropy` | sum (max(z, 0) - z t + ln(1 + e^-abs(z))) / N | (logistic(z) - t) / (B N) | logistic |
///
/// These are PyTorch's `cross_entropy`, `mse_loss` and `binary_cross_entropy_with_logits` with
/// their default mean reduction.
///
/// ```
/// use thinnet::nn::{Loss, Mlp};
///
/// let regression = Mlp::builder(3).output(1, Loss::SquaredError).build()?;
/// assert_eq!(regression.loss().name(), "squared_error");
/// // A softmax over one output would always give 1.
/// assert!(Mlp::builder(3).output(1, Loss::SoftmaxCrossEntropy).build().is_err());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Loss {
    /// For one class out of N, where N is at least two.
    SoftmaxCrossEntropy,
    /// For N real values.
    SquaredError,
    /// For N independent probabilities, computed from logits.
    BinaryCrossEntropy,
}

/// The targets of a batch, one row of targets per row of the batch.
///
/// ```
/// use thinnet::{nn::{Loss, Targets}, tensor::MatrixView};
///
/// let classes = Targets::Classes(&[2, 0]);
/// assert!(classes.check(Loss::SoftmaxCrossEntropy, 3, 2).is_ok());
/// assert!(classes.check(Loss::SoftmaxCrossEntropy, 2, 2).is_err()); // there is no class 2
/// let values = Targets::Values(MatrixView::new(&[0.5, -1.5], 2, 1)?);
/// assert!(values.check(Loss::SquaredError, 1, 2).is_ok());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Targets<'a> {
    /// For [`Loss::SoftmaxCrossEntropy`]: a class below N per row.
    Classes(&'a [u32]),
    /// For [`Loss::SquaredError`]: N finite values per row.
    Values(MatrixView<'a>),
    /// For [`Loss::BinaryCrossEntropy`]: N numbers from 0 to 1, usually 0 or 1, per row.
    Binary(MatrixView<'a>),
}

names! {
    /// All losses.
    ALL of Loss;
    /// The name in files.
    name;
    SoftmaxCrossEntropy => "softmax_cross_entropy",
    SquaredError => "squared_error",
    BinaryCrossEntropy => "binary_cross_entropy",
}
text_is_name!(Loss, "loss");

impl Loss {
    /// Checks that an output layer with this number of units can have this loss.
    pub(crate) fn check_outputs(self, outputs: usize) -> Result<(), Error> {
        if self == Self::SoftmaxCrossEntropy && outputs == 1 {
            return Err(Error::OneClass);
        }
        Ok(())
    }

    /// Writes the losses of the rows to `losses`, and overwrites `z`, which has `width` outputs,
    /// with the gradient of their mean. The targets must have been checked.
    ///
    /// # Errors
    /// The targets are of the wrong kind.
    pub(crate) fn gradient(
        self,
        isa: Isa,
        targets: Targets<'_>,
        width: usize,
        z: &mut Panels,
        losses: &mut [f32],
    ) -> Result<(), Error> {
        match self {
            Self::SoftmaxCrossEntropy => {
                let (loss, targets) = (SoftmaxCrossEntropy, targets.classes()?);
                isa.dispatch(Gradient { loss, targets, width, z, losses });
            }
            Self::SquaredError => {
                let (loss, targets) = (SquaredError, targets.values()?);
                isa.dispatch(Gradient { loss, targets, width, z, losses });
            }
            Self::BinaryCrossEntropy => {
                let (loss, targets) = (BinaryCrossEntropy, targets.binary()?);
                isa.dispatch(Gradient { loss, targets, width, z, losses });
            }
        }
        Ok(())
    }

    /// Writes the predictions for the rows of `z` to `out`, and overwrites `z` with them.
    pub(crate) fn predictions(self, isa: Isa, z: &mut Panels, out: &mut Matrix) {
        let width = out.columns();
        match self {
            Self::SoftmaxCrossEntropy => {
                isa.dispatch(Link { loss: SoftmaxCrossEntropy, width, z: &mut *z });
            }
            Self::SquaredError => isa.dispatch(Link { loss: SquaredError, width, z: &mut *z }),
            Self::BinaryCrossEntropy => {
                isa.dispatch(Link { loss: BinaryCrossEntropy, width, z: &mut *z });
            }
        }
        z.copy_to(out);
    }

    /// The predictions for one row's z, in f64.
    pub fn link(self, z: &[f64]) -> Vec<f64> {
        match self {
            Self::SoftmaxCrossEntropy => {
                let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let e: Vec<f64> = z.iter().map(|z| libm::exp(z - most)).collect();
                let sum: f64 = e.iter().sum();
                e.iter().map(|e| e / sum).collect()
            }
            Self::SquaredError => z.to_vec(),
            Self::BinaryCrossEntropy => z.iter().map(|z| 1.0 / (1.0 + libm::exp(-z))).collect(),
        }
    }

    /// The entropy in nats of the class probabilities `p`, or the sum of the entropies of bits with
    /// these probabilities; none for squared error.
    pub(crate) fn entropy(self, p: impl Iterator<Item = f64>) -> Option<f64> {
        // lim p ln p = 0
        let term = |p: f64| if p == 0.0 { 0.0 } else { -p * libm::log(p) };
        match self {
            Self::SoftmaxCrossEntropy => Some(p.map(term).sum()),
            Self::SquaredError => None,
            Self::BinaryCrossEntropy => Some(p.map(|p| term(p) + term(1.0 - p)).sum()),
        }
    }

    /// The loss of one row in its simplest form, in f64.
    pub(super) fn plain(self, z: &[f64], targets: Targets<'_>, row: usize) -> Result<f64, Error> {
        targets.check_row(self, z.len(), row)?;
        let n = z.len() as f64;
        Ok(match self {
            Self::SoftmaxCrossEntropy => {
                let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = z.iter().map(|z| libm::exp(z - most)).sum();
                libm::log(sum) + most - z[targets.classes()?[row] as usize]
            }
            Self::SquaredError => {
                let t = targets.values()?.at(row).iter().map(|&t| f64::from(t));
                z.iter().zip(t).map(|(z, t)| (z - t) * (z - t)).sum::<f64>() / n
            }
            Self::BinaryCrossEntropy => {
                let t = targets.binary()?.at(row).iter().map(|&t| f64::from(t));
                z.iter().zip(t).map(|(z, t)| bit_loss(*z, t)).sum::<f64>() / n
            }
        })
    }
}

/// max(z, 0) - z t + ln(1 + e^-|z|)
fn bit_loss(z: f64, t: f64) -> f64 {
    z.max(0.0) - z * t + libm::log1p(libm::exp(-z.abs()))
}

impl fmt::Debug for Targets<'_> {
    /// Shows the first few targets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classes(classes) => f.debug_tuple("Classes").field(&Few(classes.iter())).finish(),
            Self::Values(values) => f.debug_tuple("Values").field(values).finish(),
            Self::Binary(bits) => f.debug_tuple("Binary").field(bits).finish(),
        }
    }
}

impl<'a> Targets<'a> {
    const fn kind(self) -> &'static str {
        match self {
            Self::Classes(_) => "Classes",
            Self::Values(_) => "Values",
            Self::Binary(_) => "Binary",
        }
    }

    fn of_another_kind(self, expected: &'static str) -> Error {
        Error::TargetKind { expected, got: self.kind() }
    }

    fn classes(self) -> Result<&'a [u32], Error> {
        match self {
            Self::Classes(classes) => Ok(classes),
            _ => Err(self.of_another_kind("Classes")),
        }
    }

    fn values(self) -> Result<MatrixView<'a>, Error> {
        match self {
            Self::Values(values) => Ok(values),
            _ => Err(self.of_another_kind("Values")),
        }
    }

    fn binary(self) -> Result<MatrixView<'a>, Error> {
        match self {
            Self::Binary(bits) => Ok(bits),
            _ => Err(self.of_another_kind("Binary")),
        }
    }

    /// The number of rows.
    pub fn rows(self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(t) | Self::Binary(t) => t.rows(),
        }
    }

    /// Checks that `loss` accepts these targets for `rows` rows of `outputs` outputs.
    ///
    /// # Errors
    /// The targets are of the wrong kind, number or width, a class does not exist, a value is not
    /// finite, or a bit is outside [0, 1].
    pub fn check(self, loss: Loss, outputs: usize, rows: usize) -> Result<(), Error> {
        same_size("rows of the targets", rows, self.rows())?;
        (0..rows).try_for_each(|row| self.check_row(loss, outputs, row))
    }

    fn check_row(self, loss: Loss, outputs: usize, row: usize) -> Result<(), Error> {
        crate::error::below("row of the targets", self.rows(), row)?;
        match loss {
            Loss::SoftmaxCrossEntropy => {
                let classes = self.classes()?;
                let class = classes[row];
                if class as usize >= outputs {
                    return Err(Error::Class { row, class, classes: outputs });
                }
            }
            Loss::SquaredError => {
                let t = self.values()?;
                same_size("columns of the targets", outputs, t.columns())?;
                if let Some(column) = t.at(row).iter().position(|t| !t.is_finite()) {
                    let value = t.at(row)[column];
                    return Err(Error::NonFinite { what: "target", row, column, value });
                }
            }
            Loss::BinaryCrossEntropy => {
                let t = self.binary()?;
                same_size("columns of the targets", outputs, t.columns())?;
                let bad = |t: &f32| !(0.0..=1.0).contains(t);
                if let Some(column) = t.at(row).iter().position(bad) {
                    return Err(Error::Target { row, column, value: t.at(row)[column] });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
