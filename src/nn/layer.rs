//! A layer: weights, biases, activation, and the noise on its outputs.

use super::Activation;
use crate::{
    error::Error,
    noise::Noise,
    tensor::AlignedBuffer,
    thin::{PANEL, Panel, Tiles},
};

/// z = W x + b, y = f(z), and noise on y. In a maxout layer, the maximum over the pieces of each unit
/// stands in place of z: see [`maxout`](crate::thin::maxout).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// W
    pub weights: Tiles,
    /// b, padded to whole panels with zeros.
    pub bias: AlignedBuffer<f32>,
    /// The number of linear pieces of each unit: 1, or more in a maxout layer.
    pub pieces: usize,
    /// f; [`Activation::Identity`] in an output layer and in a maxout layer.
    pub activation: Activation,
    /// The noise on y; [`Noise::None`] in an output layer.
    pub noise: Noise,
}

impl Layer {
    pub fn zeroed(
        inputs: usize,
        units: usize,
        pieces: usize,
        activation: Activation,
        noise: Noise,
    ) -> Result<Self, Error> {
        let shape = [units, pieces];
        let too_large = Error::TooLarge { what: "units and their pieces", shape };
        let outputs = units.checked_mul(pieces).ok_or(too_large)?;
        let weights = Tiles::zeroed(inputs, outputs)?;
        let bias = AlignedBuffer::zeroed(outputs.next_multiple_of(PANEL))?;
        Ok(Self { weights, bias, pieces, activation, noise })
    }

    /// The number of units.
    pub fn units(&self) -> usize {
        self.weights.outputs() / self.pieces
    }

    /// A copy of the layer.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn try_clone(&self) -> Result<Self, Error> {
        let Self { pieces, activation, noise, .. } = *self;
        let (weights, bias) = (self.weights.try_clone()?, self.bias.try_clone()?);
        Ok(Self { weights, bias, pieces, activation, noise })
    }

    /// Checks that all parameters are finite; `index` is the layer's.
    pub fn ensure_finite(&self, index: usize) -> Result<(), Error> {
        let finite = self.weights.all_finite() && self.bias.iter().all(|b| b.is_finite());
        finite.then_some(()).ok_or(Error::NonFiniteLayer { layer: index })
    }

    pub fn bias_panels(&self) -> &[Panel] {
        self.bias.as_chunks().0
    }
}
