//! Networks with weights of 8 bits, for predictions.

mod calibration;
mod layer;
mod order;
mod plain;
#[cfg(test)]
mod tests;

use std::fmt;

/// What has no maxout units, in errors.
pub(crate) const WITH_8_BITS: &str = "a network with 8-bit weights";

pub(crate) use layer::{IntegerLayer, MAX_INPUTS, SCALES, rounded, scale_of};

use super::{Mlp, Temperature};
use crate::{abridged::Few, data::Batch, error::Error, memory::reserve};

/// A network with weights of 8 bits, for predictions: a quarter of the memory of f32 weights, and
/// products of integers, whose sums are exact.
///
/// # Definition
///
/// **Weights.** The weights w\[n\] into output n of a layer have one scale,
/// s\[n\] = max_k |w\[n\]\[k\]| / 127, or 1 if that is below [`f32::MIN_POSITIVE`]. They are stored as
/// q\[n\]\[k\] = clamp(round(w\[n\]\[k\] / s\[n\]), -127, 127). Biases b\[n\] remain f32.
///
/// **Inputs of a layer.** Each row x has a scale of its own, t = max_k |x\[k\]| / 127, or 1 if that is
/// below [`f32::MIN_POSITIVE`], or NaN if an x\[k\] is not finite. Its 8-bit values are
/// v\[k\] = clamp(round(x\[k\] / t), -127, 127). A row's result therefore does not depend on the other
/// rows of its batch. If t is NaN, so are all sums of the row.
///
/// **Sums.** z\[n\] = f32(sum_k v\[k\] q\[n\]\[k\]) * (t * s\[n\]) + 0 + b\[n\], in which -0 + 0 is +0. The sum over k is an exact
/// 32-bit integer, for which a layer has at most 133,144 inputs (that many times 127² is below 2^31).
/// Every f32 operation is rounded on its own; none is fused.
///
/// **Units.** The next layer's x is f(z) with the unit's f; a leaky ReLU multiplies a negative z by its
/// slope once. In Monte-Carlo sampling, x is 0 for a dropped unit and f(z) times
/// [`Keep::scale`](crate::Keep::scale) for a kept one. The last layer's z are the logits.
///
/// `round` rounds to the nearest integer, and halves to the even one. All divisions are IEEE 754's.
/// The definition presumes the floating-point mode in which Rust programs start: rounding to nearest
/// even, and no flushing of denormal numbers to zero.
///
/// # Which bits are the same where
///
/// If all hidden units are piecewise linear (ReLU, leaky ReLU, identity), the logits have the same bits
/// on every machine and instruction set, for any batch and any number of threads. The functions of other
/// units, and the link from logits to probabilities, differ between instruction sets in the last bits;
/// such a difference can also move an 8-bit value of the next layer by one.
///
/// # Order of units
///
/// The predictor skips groups of four neighbouring inputs of a layer that are all 0. Each hidden layer
/// therefore has an order of its units in which those that are active together are neighbours. The
/// order affects speed, never results: masks, files and exports count units by their original indices.
///
/// ```
/// use thinnet::{
///     Keep,
///     data::Batch,
///     nn::{Activation, IntegerMlp, Loss, Mlp},
///     tensor::MatrixView,
/// };
///
/// let mlp = Mlp::builder(2).hidden(8, Activation::Relu, Keep::HALF);
/// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let rows = MatrixView::new(&[0.5, -1.0, 0.25, 2.0], 2, 2)?;
/// let integer = IntegerMlp::new(&mlp, &Batch::dense(rows))?;
/// assert_eq!(integer.network().widths(), mlp.widths());
/// assert_eq!(integer.plain_logits(&[0.5, -1.0])?.len(), 2);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct IntegerMlp {
    /// The same network with the weights q s in f32.
    mlp: Mlp,
    layers: Vec<IntegerLayer>,
}

impl fmt::Debug for IntegerMlp {
    /// Shows the first few layers, with their shapes and the first few numbers of each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mlp, layers } = self;
        f.debug_struct("IntegerMlp").field("mlp", mlp).field("layers", &Few(layers.iter())).finish()
    }
}

impl IntegerMlp {
    /// Rounds a network's weights to 8 bits. The rows of `calibration` should be typical inputs, for
    /// example some 2,000 rows of the training data: the order of the units is made for them.
    ///
    /// # Errors
    /// A weight or bias is not finite, or a weight is so large that its 8-bit value times the scale
    /// would not be; a layer has more than 133,144 inputs; the batch does not have the network's
    /// number of columns, or has a number that is not finite; the network has maxout units; or there is
    /// not enough memory.
    pub fn new(mlp: &Mlp, calibration: &Batch<'_>) -> Result<Self, Error> {
        mlp.ensure_no_maxout(WITH_8_BITS, 0..mlp.depth())?;
        calibration.check(mlp.inputs(), true)?;
        let mut layers = reserve("layers", mlp.depth())?;
        for (index, layer) in mlp.layers.iter().enumerate() {
            layers.push(IntegerLayer::rounded(index, layer)?);
        }
        let mut integer = Self::assembled(mlp.try_clone()?, layers)?;
        integer.order_units(calibration)?;
        Ok(integer)
    }

    /// The network with these layers; of `mlp`, everything but its weights.
    pub(crate) fn assembled(mut mlp: Mlp, layers: Vec<IntegerLayer>) -> Result<Self, Error> {
        for (layer, of_mlp) in layers.iter().zip(&mut mlp.layers) {
            layer.write_to(&mut of_mlp.weights)?;
        }
        Ok(Self { mlp, layers })
    }

    /// The same network with f32 weights, each the product of its 8-bit value and its scale. It is
    /// what an export to another format contains.
    pub fn network(&self) -> &Mlp {
        &self.mlp
    }

    /// The same as a network of its own.
    pub fn into_network(self) -> Mlp {
        self.mlp
    }

    /// Sets the temperature of its predictions, like [`Mlp::set_temperature`].
    ///
    /// # Errors
    /// As for [`Mlp::set_temperature`].
    pub fn set_temperature(&mut self, temperature: Temperature) -> Result<(), Error> {
        self.mlp.set_temperature(temperature)
    }

    /// Sets its decision threshold, like [`Mlp::set_threshold`].
    ///
    /// # Errors
    /// As for [`Mlp::set_threshold`].
    pub fn set_threshold(&mut self, threshold: Option<f64>) -> Result<(), Error> {
        self.mlp.set_threshold(threshold)
    }

    /// Sets its notes, like [`Mlp::set_notes`]. [`Self::new`] takes over those of the network.
    ///
    /// # Errors
    /// As for [`Mlp::set_notes`].
    pub fn set_notes(&mut self, text: &str) -> Result<(), Error> {
        self.mlp.set_notes(text)
    }

    /// The layers, the output layer last.
    pub(crate) fn layers(&self) -> &[IntegerLayer] {
        &self.layers
    }

    /// A copy of the network, like [`Clone`], which would abort where this returns an error.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn try_clone(&self) -> Result<Self, Error> {
        let layers = self.layers.iter().map(IntegerLayer::try_clone);
        Ok(Self { mlp: self.mlp.try_clone()?, layers: layers.collect::<Result<_, _>>()? })
    }
}
