//! A layer: weights, biases, activation, and the keep rate of its outputs.

use super::activation::{Activation, Identity, Logistic, Relu, Tanh};
use crate::{
    error::Error,
    mask::Mask,
    rate::Keep,
    simd::Isa,
    tensor::AlignedBuffer,
    thin::{
        Lists, PANEL, Panel, Panels, Tiles, backward,
        forward::{self, Epilogue},
    },
};

/// z = W x + b, y = f(z), and dropout of y.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// W
    pub weights: Tiles,
    /// b, filled up to whole panels with zeros.
    pub bias: AlignedBuffer<f32>,
    /// f; [`Activation::Identity`] in an output layer.
    pub activation: Activation,
    /// The keep rate of y; [`Keep::ALL`] in an output layer.
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

    pub fn bias_panels(&self) -> &[Panel] {
        self.bias.as_chunks().0
    }

    /// A hidden layer forward: lists in, the next layer's lists out. Without a
    /// mask the outputs are neither dropped nor scaled.
    pub fn forward(
        &self,
        isa: Isa,
        parallel: bool,
        x: &Lists,
        mask: Option<&Mask>,
        z: &mut Panels,
        out: &mut Lists,
    ) {
        let (w, b) = (&self.weights, self.bias_panels());
        let width = self.weights.outputs();
        let keep = if mask.is_some() { self.keep } else { Keep::ALL };
        match self.activation {
            Activation::Relu => {
                let e = Epilogue { unit: Relu, width, keep, mask };
                forward::hidden(isa, parallel, w, b, x, &e, z, out);
            }
            Activation::Logistic => {
                let e = Epilogue { unit: Logistic, width, keep, mask };
                forward::hidden(isa, parallel, w, b, x, &e, z, out);
            }
            Activation::Tanh => {
                let e = Epilogue { unit: Tanh, width, keep, mask };
                forward::hidden(isa, parallel, w, b, x, &e, z, out);
            }
            Activation::Identity => {
                let e = Epilogue { unit: Identity, width, keep, mask };
                forward::hidden(isa, parallel, w, b, x, &e, z, out);
            }
        }
    }

    /// The output layer forward: lists in, logits out.
    pub fn output(&self, isa: Isa, parallel: bool, x: &Lists, z: &mut Panels) {
        forward::output(isa, parallel, &self.weights, self.bias_panels(), x, z);
    }

    /// The gradient in this layer's z, from `dz` of the layer `above`; `y` are
    /// the lists that this layer's forward wrote.
    pub fn backward(
        &self,
        isa: Isa,
        parallel: bool,
        above: &Self,
        dz: &Panels,
        y: &Lists,
        out: &mut Panels,
    ) {
        let (w, keep) = (&above.weights, self.keep);
        match self.activation {
            Activation::Relu => backward::data(isa, parallel, Relu, keep, w, dz, y, out),
            Activation::Logistic => backward::data(isa, parallel, Logistic, keep, w, dz, y, out),
            Activation::Tanh => backward::data(isa, parallel, Tanh, keep, w, dz, y, out),
            Activation::Identity => backward::data(isa, parallel, Identity, keep, w, dz, y, out),
        }
    }
}
