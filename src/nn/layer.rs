//! A layer: weights, biases, activation, and the keep rate of its outputs.

use super::Activation;
use crate::{
    error::Error,
    rate::Keep,
    tensor::AlignedBuffer,
    thin::{PANEL, Panel, Tiles},
};

/// z = W x + b, y = f(z), and dropout of y.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// W
    pub weights: Tiles,
    /// b, padded to whole panels with zeros.
    pub bias: AlignedBuffer<f32>,
    /// f; [`Activation::Identity`] in an output layer.
    pub activation: Activation,
    /// The keep rate of y; [`Keep::ONE`] in an output layer.
    pub keep: Keep,
}

impl Layer {
    pub fn zeroed(
        inputs: usize,
        outputs: usize,
        activation: Activation,
        keep: Keep,
    ) -> Result<Self, Error> {
        let weights = Tiles::zeroed(inputs, outputs)?;
        let bias = AlignedBuffer::zeroed(outputs.next_multiple_of(PANEL))?;
        Ok(Self { weights, bias, activation, keep })
    }

    /// A copy of the layer.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn try_clone(&self) -> Result<Self, Error> {
        let Self { activation, keep, .. } = *self;
        let (weights, bias) = (self.weights.try_clone()?, self.bias.try_clone()?);
        Ok(Self { weights, bias, activation, keep })
    }

    pub fn bias_panels(&self) -> &[Panel] {
        self.bias.as_chunks().0
    }
}
